//! Where a pool's volumes appear on the host, and who may use them.

use std::borrow::Cow;
use std::fmt::Write as _;

use virtbus_xml::{Content, Describe, Node, Result, Text, Value, Writer};

/// Permission bits of a file: read in octal, written in octal with a leading zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Value for FileMode {
    fn from_text(text: &str) -> Option<Self> {
        virtbus_xml::OctalMode::from_text(text).map(|mode| Self(mode.0))
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "0{:o}", self.0).expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        virtbus_xml::OctalMode::expected()
    }
}

/// `<permissions>` of a folder or file. What is absent is the system's choice.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Permission bits in octal, such as 0755.
    #[xml(text_child)]
    pub mode: Option<FileMode>,
    /// Owner as a UID; -1 counts as absent.
    #[xml(text_child)]
    pub owner: Option<u32>,
    /// Group as a GID; -1 counts as absent.
    #[xml(text_child)]
    pub group: Option<u32>,
    /// Security label (SELinux context) of the folder or file.
    #[xml(text_child)]
    pub label: Option<Text>,
}

impl Permissions {
    /// Reads the child `<permissions>`.
    pub(crate) fn parse_child(node: Node<'_>) -> Result<Self> {
        Self::parse(node.child_or_absent("permissions"))
    }

    /// Writes `<permissions>`, if there is anything in it.
    pub(crate) fn write_child(&self, w: &mut Writer) {
        w.element_unless_empty("permissions", self);
    }
}

impl Content for Permissions {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            mode: node.text_child_opt("mode")?,
            owner: parse_id(node, "owner")?,
            group: parse_id(node, "group")?,
            label: node.text_child_opt("label")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(mode) = &self.mode {
            w.text_element("mode", mode);
        }
        for (name, id) in [("owner", &self.owner), ("group", &self.group)] {
            if let Some(id) = id {
                w.text_element(name, id);
            }
        }
        if let Some(label) = &self.label {
            w.text_element("label", label);
        }
    }
}

/// Reads the number of a user or group.
fn parse_id(node: Node<'_>, name: &str) -> Result<Option<u32>> {
    let Some(child) = node.child(name) else {
        return Ok(None);
    };
    match child.text_req::<i64>()? {
        -1 => Ok(None),
        id => match u32::try_from(id) {
            Ok(u32::MAX) => Ok(None),
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(child.bad_text(&child.text(), "the number of a user or group, or -1")),
        },
    }
}

/// `<target>` of a pool: where its volumes appear on the host.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolTarget {
    /// Path of the folder in which the volumes appear.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Permissions that the folder is given when the pool is built.
    #[xml(child, optional)]
    pub permissions: Permissions,
}

impl Content for PoolTarget {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            path: node.text_child_opt("path")?,
            permissions: Permissions::parse_child(node)?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(path) = &self.path {
            w.text_element("path", path);
        }
        self.permissions.write_child(w);
    }
}

/// The same path without repeated and trailing slashes. Two at the beginning mean something to POSIX
/// and stay.
pub(super) fn sanitize(path: &str) -> Text {
    let special = path.starts_with("//") && !path.starts_with("///");
    let mut clean = Text::with_capacity(path.len());
    if special {
        clean.push_str("//");
    } else if path.starts_with('/') {
        clean.push('/');
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    clean.push_str(&parts.join("/"));
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes() {
        for (path, clean) in [
            ("/a/b", "/a/b"),
            ("///var/////lib//x//", "/var/lib/x"),
            ("//server/share/", "//server/share"),
            ("//", "//"),
            ("///", "/"),
            ("/", "/"),
            ("a//b/", "a/b"),
            ("", ""),
            ("/../x", "/../x"),
        ] {
            assert_eq!(sanitize(path), clean, "{path}");
        }
    }

    #[test]
    fn modes_have_no_width() {
        let text = |mode| {
            let mut out = String::new();
            FileMode(mode).write_to(&mut out);
            out
        };
        assert_eq!(
            (text(0), text(0o7), text(0o744)),
            ("00".into(), "07".into(), "0744".into())
        );
    }
}
