//! How an event reads: a sentence that names the object and the cause, whatever shows it.
//!
//! Events carry the object, the cause and other facts in fields, for machines. A person sees the sentence alone in the journal's plain
//! view, so it is made of all of them: `domain 'web': cannot be autostarted: no such file (path=/srv/web.qcow2)`.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};

/// Fields that name what an event is about, which comes first.
const OBJECTS: [&str; 3] = ["domain", "network", "driver"];
/// The field of the cause, which comes last.
const CAUSE: &str = "error";
/// How a message ends that tells of something the daemon goes on after.
const IGNORED: &str = ", ignoring";

/// An event's message and fields.
#[derive(Debug, Default)]
pub(super) struct Line {
    message: String,
    object: Option<(&'static str, String)>,
    cause: Option<String>,
    facts: Vec<(&'static str, String)>,
}

impl Line {
    /// What an event says.
    pub(super) fn of(event: &tracing::Event<'_>) -> Self {
        let mut line = Self::default();
        event.record(&mut line);
        line
    }

    /// The sentence.
    pub(super) fn sentence(&self) -> String {
        let mut text = String::new();
        if let Some((kind, name)) = &self.object
            && !self.message.contains(&format!("'{name}'"))
        {
            let _ = write!(text, "{kind} '{name}': ");
        }
        let (message, end) = match self.message.strip_suffix(IGNORED) {
            Some(message) => (message, IGNORED),
            None => (self.message.as_str(), ""),
        };
        text.push_str(message);
        if let Some(cause) = &self.cause {
            let _ = write!(text, ": {cause}");
        }
        for (at, (name, value)) in self.facts.iter().enumerate() {
            let before = if at == 0 { " (" } else { ", " };
            let _ = write!(text, "{before}{name}={value}");
        }
        if !self.facts.is_empty() {
            text.push(')');
        }
        text.push_str(end);
        text
    }

    /// The fields, for machines.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let cause = self.cause.as_ref().map(|cause| (CAUSE, cause.as_str()));
        let object = self.object.as_ref();
        object
            .into_iter()
            .chain(&self.facts)
            .map(|(name, value)| (*name, value.as_str()))
            .chain(cause)
    }

    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name if OBJECTS.contains(&name) && self.object.is_none() => {
                self.object = Some((name, value));
            }
            CAUSE => self.cause = Some(value),
            name => self.facts.push((name, value)),
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, fields: &[(&'static str, &str)]) -> String {
        let mut line = Line {
            message: message.to_owned(),
            ..Line::default()
        };
        for (name, value) in fields {
            let value = (*value).to_owned();
            match *name {
                "domain" => line.object = Some(("domain", value)),
                CAUSE => line.cause = Some(value),
                name => line.facts.push((name, value)),
            }
        }
        line.sentence()
    }

    #[test]
    fn a_sentence_names_the_object_and_the_cause() {
        assert_eq!(line("serving", &[]), "serving");
        assert_eq!(
            line(
                "cannot be autostarted",
                &[("domain", "web"), ("error", "no such file")]
            ),
            "domain 'web': cannot be autostarted: no such file"
        );
        assert_eq!(
            line(
                "a status file cannot be removed, ignoring",
                &[("path", "/run/x"), ("pid", "7"), ("error", "read-only")]
            ),
            "a status file cannot be removed: read-only (path=/run/x, pid=7), ignoring"
        );
        assert_eq!(
            line("domain 'web' has ended", &[("domain", "web")]),
            "domain 'web' has ended"
        );
    }
}
