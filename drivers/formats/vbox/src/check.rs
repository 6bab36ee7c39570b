//! What a file must have so that the rest of the crate can rely on it; errors name the place.
//!
//! Only what is used is looked at. Values that are only handed on, such as formats and times, are as they are.

use std::collections::HashSet;

use uuid::Uuid;
use virtbus_xml::{Document, ErrorKind, Node, XmlError};

use crate::NAMESPACE;
use crate::tree::parse_uuid;

type Checked<T = ()> = Result<T, XmlError>;

/// Refuses a document that is not the settings of a machine.
pub(crate) fn check(document: &Document<'_>) -> Checked {
    let root = document.expect_root("VirtualBox")?;
    if root.namespace() != Some(NAMESPACE) {
        let message = format!("must be in the name space {NAMESPACE}");
        return Err(root.error(ErrorKind::Invalid, message));
    }
    let machine = needed(root, "Machine")?;
    uuid(machine, "uuid")?;
    given(machine, &["name"])?;
    if machine.attr("currentSnapshot").is_some() {
        uuid(machine, "currentSnapshot")?;
    }
    if let Some(modified) = machine.attr("currentStateModified")
        && truth(modified).is_none()
    {
        let name = "currentStateModified";
        return Err(machine.bad_attr(name, modified, "'true' or 'false'"));
    }
    needed(machine, "Hardware")?;
    if let Some(registry) = only(machine, "MediaRegistry")?
        && let Some(disks) = only(registry, "HardDisks")?
    {
        hard_disks(disks, &mut HashSet::new())?;
    }
    if let Some(first) = only(machine, "Snapshot")? {
        snapshot(first, &mut HashSet::new())?;
    }
    Ok(())
}

/// What an attribute says, as XML schemas write it.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn hard_disks(parent: Node<'_>, seen: &mut HashSet<Uuid>) -> Checked {
    for disk in parent.children_in(NAMESPACE, "HardDisk") {
        unique(disk, seen)?;
        given(disk, &["location", "format"])?;
        hard_disks(disk, seen)?;
    }
    Ok(())
}

fn snapshot(node: Node<'_>, seen: &mut HashSet<Uuid>) -> Checked {
    unique(node, seen)?;
    given(node, &["name", "timeStamp"])?;
    needed(node, "Hardware")?;
    only(node, "Description")?;
    let Some(list) = only(node, "Snapshots")? else {
        return Ok(());
    };
    for child in list.children_in(NAMESPACE, "Snapshot") {
        snapshot(child, seen)?;
    }
    Ok(())
}

fn uuid(node: Node<'_>, name: &str) -> Checked<Uuid> {
    let text = node.attr(name).ok_or_else(|| node.missing_attr(name))?;
    parse_uuid(text).ok_or_else(|| node.bad_attr(name, text, "a UUID"))
}

fn unique(node: Node<'_>, seen: &mut HashSet<Uuid>) -> Checked {
    let uuid = uuid(node, "uuid")?;
    if seen.insert(uuid) {
        return Ok(());
    }
    let message = format!("{uuid} is another one's already");
    Err(node.attr_error("uuid", ErrorKind::Invalid, message))
}

fn given(node: Node<'_>, names: &[&str]) -> Checked {
    match names.iter().find(|name| node.attr(name).is_none()) {
        Some(name) => Err(node.missing_attr(name)),
        None => Ok(()),
    }
}

/// The child element `name`, of which there may not be two.
fn only<'d>(parent: Node<'d>, name: &str) -> Checked<Option<Node<'d>>> {
    let mut children = parent.children_in(NAMESPACE, name);
    let first = children.next();
    match children.next() {
        None => Ok(first),
        Some(second) => {
            let message = format!("<{}> has another one already", parent.name());
            Err(second.error(ErrorKind::Invalid, message))
        }
    }
}

fn needed<'d>(parent: Node<'d>, name: &str) -> Checked<Node<'d>> {
    only(parent, name)?.ok_or_else(|| parent.missing_child(name))
}
