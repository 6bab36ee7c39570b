//! Recorded conversations with QEMU: commands and answers in turn, as JSON values one after the other.
//!
//! Reads them; what a command or an answer means is for whoever asked for it.

use serde_json::value::RawValue;

use super::error::CommandError;
use super::wire::{self, Message, RawCommand};

/// A command and what QEMU answered.
#[derive(Debug)]
pub struct Exchange {
    /// The command's name.
    pub command: String,
    /// Its arguments, if it had any.
    pub arguments: Option<Box<RawValue>>,
    /// What it returned.
    pub answer: Result<Box<RawValue>, CommandError>,
}

/// The exchanges of a recording, in their order. Ids of commands are not looked at.
///
/// # Errors
/// The text is not a sequence of commands that are each followed by a reply. An error is the last item that is of use.
pub fn exchanges(text: &str) -> impl Iterator<Item = Result<Exchange, serde_json::Error>> + '_ {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    std::iter::from_fn(move || {
        let asked = values.next()?;
        Some(asked.and_then(|asked| {
            let asked: RawCommand = serde_json::from_str(asked.get())?;
            let answer = values
                .next()
                .ok_or_else(|| invalid("no answer at the end"))??;
            let Message::Reply { result, .. } = wire::parse(answer.get().as_bytes())? else {
                return Err(invalid("something else where an answer should be"));
            };
            Ok(Exchange {
                command: asked.execute,
                arguments: asked.arguments,
                answer: result.map(ToOwned::to_owned),
            })
        }))
    })
}

fn invalid(what: &str) -> serde_json::Error {
    serde::de::Error::custom(what)
}

#[cfg(test)]
mod tests {
    use super::exchanges;

    #[test]
    fn commands_and_answers_come_in_turn() {
        let text = r#"{"execute": "stop", "id": "x-1"} {"return": {}, "id": "x-1"}
            {"execute": "cont", "arguments": {"a": 1}} {"error": {"class": "GenericError", "desc": "no"}}"#;
        let all: Vec<_> = exchanges(text).map(Result::unwrap).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].command, "stop");
        assert!(all[0].arguments.is_none());
        assert_eq!(all[0].answer.as_ref().unwrap().get(), "{}");
        assert_eq!(all[1].arguments.as_ref().unwrap().get(), r#"{"a": 1}"#);
        assert_eq!(all[1].answer.as_ref().unwrap_err().desc, "no");
    }

    #[test]
    fn what_is_no_recording_is_an_error() {
        for text in [
            "{}",
            "nonsense",
            r#"{"execute": "x"}"#,
            r#"{"execute": "x"} {"return": 1"#,
            r#"{"execute": "x"} {"event": "STOP"}"#,
        ] {
            assert!(exchanges(text).any(|one| one.is_err()), "{text}");
        }
    }
}
