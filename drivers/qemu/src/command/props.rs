//! Properties of one option, written as JSON where QEMU reads that, or as `key=value,…` where it does not.

use std::fmt::Write;

use serde_json::{Map, Value};

/// An object of properties in the order in which they were set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Props(Map<String, Value>);

impl Props {
    /// No properties.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Properties that begin with `driver`, as those of a device do.
    pub(crate) fn device(driver: &str) -> Self {
        Self::new().set("driver", driver)
    }

    /// Properties that begin with `qom-type` and `id`, as those of an object do.
    pub(crate) fn object(kind: &str, id: &str) -> Self {
        Self::new().set("qom-type", kind).set("id", id)
    }

    /// With a property.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// With a property, if there is a value for it.
    #[must_use]
    pub(crate) fn set_opt<T: Into<Value>>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// With an object as a property.
    #[must_use]
    pub(crate) fn nest(self, name: &str, value: Self) -> Self {
        self.set(name, Value::Object(value.0))
    }

    /// As JSON.
    pub(crate) fn json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// As `first,key=value,…`, the value of `first` (`driver`, `qom-type`, `type`, …) without its key.
    pub(crate) fn options(&self, first: &str) -> String {
        let mut text = self.0.get(first).map(plain).unwrap_or_default();
        for (name, value) in &self.0 {
            if name != first {
                flatten(&mut text, name, value);
            }
        }
        text
    }
}

impl From<Props> for Value {
    fn from(props: Props) -> Self {
        Self::Object(props.0)
    }
}

fn flatten(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                flatten(text, &format!("{name}.{member}"), value);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                flatten(text, &format!("{name}.{index}"), value);
            }
        }
        value => {
            let _ = write!(text, ",{name}={}", plain(value));
        }
    }
}

/// A value as QEMU's option parser reads it; a comma is doubled.
fn plain(value: &Value) -> String {
    match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => escape(text),
        other => other.to_string(),
    }
}

/// Text as a value of `key=value,…`.
pub(crate) fn escape(text: &str) -> String {
    text.replace(',', ",,")
}

/// An address as it stands before a port.
pub(crate) fn before_port(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings() {
        let props = Props::device("virtio-net-pci")
            .set("id", "net0")
            .set("addr", "0x2")
            .set("on", true)
            .nest(
                "server",
                Props::new().set("type", "unix").set("path", "/a,b"),
            );
        assert_eq!(
            props.json(),
            r#"{"driver":"virtio-net-pci","id":"net0","addr":"0x2","on":true,"server":{"type":"unix","path":"/a,b"}}"#
        );
        assert_eq!(
            props.options("driver"),
            "virtio-net-pci,id=net0,addr=0x2,on=on,server.type=unix,server.path=/a,,b"
        );
    }
}
