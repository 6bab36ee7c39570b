//! The shape of single QMP lines: greeting, replies, errors, events, and how commands are written.
//!
//! Knows JSON, but neither the connection nor what any particular command or event means.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::command::Timestamp;
use super::error::CommandError;

/// One line from the other side.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// QEMU's first line.
    Greeting(Greeting),
    /// The answer to a command; without id only if QEMU could not read the command.
    Reply {
        /// The id that came back, if it is one of ours.
        id: Option<u64>,
        /// What the command returned.
        result: Result<&'a RawValue, CommandError>,
    },
    /// Something happened.
    Event {
        /// The event's name.
        name: Cow<'a, str>,
        /// Its data, if it has any.
        data: Option<&'a RawValue>,
        /// When QEMU says that it happened.
        timestamp: Timestamp,
    },
    /// A JSON object that is none of the above; ignored.
    Unknown,
}

/// QEMU's greeting, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Greeting {
    pub(crate) version: GreetingVersion,
}

/// The version object within the greeting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct GreetingVersion {
    pub(crate) package: String,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "QMP", default)]
    greeting: Option<Greeting>,
    #[serde(rename = "return", borrow, default, deserialize_with = "present")]
    returned: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<WireError>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(default)]
    timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(default)]
struct WireError {
    class: String,
    desc: String,
}

impl Default for WireError {
    fn default() -> Self {
        Self {
            class: "GenericError".to_owned(),
            desc: "no description".to_owned(),
        }
    }
}

/// Keeps an explicit `null` apart from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one line. An error means that the line is not a JSON object of QMP's shape.
pub(crate) fn parse(line: &[u8]) -> Result<Message<'_>, serde_json::Error> {
    // Serde would take an array for a struct.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(serde::de::Error::custom("not a JSON object"));
    }
    let line: Line<'_> = serde_json::from_slice(line)?;
    if let Some(name) = line.event {
        return Ok(Message::Event {
            name,
            data: line.data,
            timestamp: line.timestamp,
        });
    }
    let id = || line.id.and_then(|id| id.get().parse().ok());
    if let Some(error) = line.error {
        let WireError { class, desc } = error;
        return Ok(Message::Reply {
            id: id(),
            result: Err(CommandError { class, desc }),
        });
    }
    if let Some(value) = line.returned {
        return Ok(Message::Reply {
            id: id(),
            result: Ok(value),
        });
    }
    Ok(match line.greeting {
        Some(greeting) => Message::Greeting(greeting),
        None => Message::Unknown,
    })
}

#[derive(Serialize)]
struct Request<'a> {
    execute: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
}

/// Writes a command as one line, line end included.
pub(crate) fn request(name: &str, arguments: Option<&RawValue>, id: Option<u64>) -> Vec<u8> {
    let request = Request {
        execute: name,
        // `null` is what a command without arguments serializes to.
        arguments: arguments.filter(|raw| raw.get() != "null"),
        id,
    };
    let mut line = serde_json::to_vec(&request).expect("strings and checked JSON always serialize");
    line.push(b'\n');
    line
}

/// A command as a person writes it for passing through: `{"execute": …, "arguments": {…}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCommand {
    pub(crate) execute: String,
    #[serde(default)]
    pub(crate) arguments: Option<Box<RawValue>>,
    /// Returned with the reply as it is.
    #[serde(default)]
    pub(crate) id: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct RawAnswer<'a> {
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    returned: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RawError<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct RawError<'a> {
    class: &'a str,
    desc: &'a str,
}

/// The answer to a [`RawCommand`] as QEMU would have written it.
pub(crate) fn answer(
    result: &Result<Box<RawValue>, CommandError>,
    id: Option<&RawValue>,
) -> String {
    let error = result.as_ref().err().map(|error| RawError {
        class: &error.class,
        desc: &error.desc,
    });
    let answer = RawAnswer {
        returned: result.as_deref().ok(),
        error,
        id,
    };
    serde_json::to_string(&answer).expect("strings and checked JSON always serialize")
}

#[cfg(test)]
mod tests {
    use super::{Message, parse, request};
    use serde_json::value::RawValue;

    #[test]
    fn replies_events_and_greetings_are_told_apart() {
        let reply = parse(br#"{"return": null, "id": 7, "new": [1]}"#).unwrap();
        assert!(
            matches!(reply, Message::Reply { id: Some(7), result: Ok(v) } if v.get() == "null")
        );
        let error =
            parse(br#"{"id": "x", "error": {"class": "DeviceNotFound", "desc": "no"}}"#).unwrap();
        assert!(
            matches!(error, Message::Reply { id: None, result: Err(e) } if e.is_device_not_found())
        );
        let event = parse(
            br#"{"timestamp": {"seconds": 5, "microseconds": 6}, "event": "STOP", "data": {}}"#,
        )
        .unwrap();
        assert!(
            matches!(event, Message::Event { name, timestamp, .. } if name == "STOP" && timestamp.seconds == 5)
        );
        let greeting =
            parse(br#"{"QMP": {"version": {"package": "p"}, "capabilities": ["oob", {"x": 1}]}}"#);
        assert!(matches!(greeting.unwrap(), Message::Greeting(g) if g.version.package == "p"));
        assert!(matches!(parse(b"{}").unwrap(), Message::Unknown));
    }

    #[test]
    fn nonsense_is_an_error() {
        let deep = "[".repeat(100_000);
        let cases: [&[u8]; 7] = [
            b"",
            b"nonsense",
            b"[]",
            b"{\"event\": 5}",
            b"{\"return\": }",
            b"\xff\xfe",
            deep.as_bytes(),
        ];
        for case in cases {
            assert!(parse(case).is_err(), "{}", String::from_utf8_lossy(case));
        }
    }

    #[test]
    fn commands_are_written_without_needless_members() {
        assert_eq!(
            request("stop", None, Some(1)),
            b"{\"execute\":\"stop\",\"id\":1}\n"
        );
        let null = RawValue::from_string("null".to_owned()).unwrap();
        assert_eq!(
            request("cont", Some(&null), None),
            b"{\"execute\":\"cont\"}\n"
        );
        let args = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        assert_eq!(
            request("x", Some(&args), Some(2)),
            b"{\"execute\":\"x\",\"arguments\":{\"a\":1},\"id\":2}\n"
        );
    }
}
