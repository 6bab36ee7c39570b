//! A conversation with QEMU, kept by question.
//!
//! Asking and understanding are apart: what was answered can come from a live QEMU or from a
//! recording, and is understood by the same code.

use std::collections::HashMap;

use serde_json::value::RawValue;
use virtbus_qemu_monitor::recording::exchanges;
use virtbus_qemu_monitor::{Command, CommandError, Monitor, MonitorError};

/// What QEMU answered to each question.
#[derive(Debug, Default)]
pub struct Answers(HashMap<String, Result<Box<RawValue>, CommandError>>);

/// A question, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    name: &'static str,
    arguments: Box<RawValue>,
}

impl Question {
    pub(crate) fn of<C: Command>(command: &C) -> Result<Self, serde_json::Error> {
        Ok(Self {
            name: C::NAME,
            arguments: serde_json::value::to_raw_value(command)?,
        })
    }

    fn key(&self) -> String {
        key(self.name, self.arguments.get())
    }
}

fn invalid(what: &str) -> serde_json::Error {
    serde::de::Error::custom(what)
}

fn key(name: &str, arguments: &str) -> String {
    match arguments {
        "" | "null" | "{}" => name.to_owned(),
        _ => format!("{name} {arguments}"),
    }
}

impl Answers {
    /// Asks all questions at once and waits for all answers. That QEMU refuses is an answer; that
    /// it falls silent or goes away is an error.
    pub(crate) async fn ask(
        &mut self,
        monitor: &Monitor,
        questions: &[Question],
    ) -> Result<(), MonitorError> {
        let asked = questions.iter().map(|question| async move {
            let answer = monitor.execute_json(question.name, &question.arguments);
            (question, answer.await)
        });
        for (question, answer) in futures_util::future::join_all(asked).await {
            let answer = match answer {
                Ok(value) => Ok(value),
                Err(MonitorError::Command { source, .. }) => Err(source),
                Err(other) => return Err(other),
            };
            self.0.insert(question.key(), answer);
        }
        Ok(())
    }

    /// Reads a recording: commands and QEMU's answers in turn, as JSON values one after the other.
    /// Each `qmp_capabilities` begins another conversation.
    ///
    /// # Errors
    /// If the text is not of that form.
    pub fn from_recording(text: &str) -> Result<Vec<Self>, serde_json::Error> {
        let mut conversations = Vec::new();
        for exchange in exchanges(text) {
            let exchange = exchange?;
            if exchange.command == "qmp_capabilities" {
                conversations.push(Self::default());
            }
            let arguments = exchange.arguments.as_deref().map_or("", RawValue::get);
            conversations
                .last_mut()
                .ok_or_else(|| invalid("no qmp_capabilities at the beginning"))?
                .record(&exchange.command, arguments, exchange.answer)?;
        }
        Ok(conversations)
    }

    /// Enters an answer by hand, to replay a recording. `arguments` is JSON; blanks and the
    /// spelling of numbers do not matter, the order of members does. The first answer to a
    /// question stays.
    ///
    /// # Errors
    /// If `arguments` is not JSON.
    pub fn record(
        &mut self,
        name: &str,
        arguments: &str,
        answer: Result<Box<RawValue>, CommandError>,
    ) -> Result<(), serde_json::Error> {
        let arguments = if arguments.is_empty() {
            String::new()
        } else {
            serde_json::from_str::<serde_json::Value>(arguments)?.to_string()
        };
        self.0.entry(key(name, &arguments)).or_insert(answer);
        Ok(())
    }

    /// The answer to a question; `None` if it was not asked, refused, or of an unexpected form.
    pub(crate) fn get<C: Command>(&self, command: &C) -> Option<C::Reply> {
        let question = Question::of(command).ok()?;
        let answer = self.0.get(&question.key())?.as_ref().ok()?;
        match serde_json::from_str(answer.get()) {
            Ok(reply) => Some(reply),
            Err(error) => {
                tracing::debug!(command = C::NAME, %error, "answer of unexpected form, ignoring");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answers;
    use virtbus_qemu_monitor::commands::introspect::QueryTarget;
    use virtbus_qemu_monitor::commands::qom::QomListProperties;
    use virtbus_qemu_monitor::commands::system::QueryVersion;

    #[test]
    fn recordings_are_read() {
        let text = r#"
            {"execute": "qmp_capabilities", "id": "x-1"} {"return": {}, "id": "x-1"}
            {"execute": "query-target"} {"return": {"arch": "s390x"}}
            {"execute": "query-version"} {"error": {"class": "GenericError", "desc": "no"}}
            {"execute": "qom-list-properties", "arguments": {
                "typename": "a" }}
            {"return": [{"name": "p", "type": "bool"}]}
            {"execute": "qmp_capabilities"} {"return": {}}
        "#;
        let all = Answers::from_recording(text).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get(&QueryTarget {}).unwrap().arch, "s390x");
        assert!(all[0].get(&QueryVersion {}).is_none());
        let typename = "a".to_owned();
        let properties = all[0].get(&QomListProperties { typename }).unwrap();
        assert_eq!(properties[0].name, "p");
        assert!(all[1].get(&QueryTarget {}).is_none());
        for nonsense in [
            "{}",
            r#"{"execute": "x"} {"return": 1}"#,
            r#"{"execute": "qmp_capabilities"}"#,
            r#"{"execute": "qmp_capabilities"} {"event": "STOP"}"#,
        ] {
            assert!(Answers::from_recording(nonsense).is_err(), "{nonsense}");
        }
    }
}
