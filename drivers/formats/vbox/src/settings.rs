//! The file as a whole, and what it says of the machine itself.

use std::path::Path;

use uuid::Uuid;
use virtbus_xml::{Document, ErrorKind, Limits, XmlError};

use crate::check::{check, truth};
use crate::element::Element;
use crate::encoding::Encoding;
use crate::error::Error;
use crate::layout::Layout;
use crate::scan::scan;
use crate::time_stamp;
use crate::tree::{format_uuid, parse_uuid};

/// What is read at most. VirtualBox takes 250 snapshots one in the other, which are two elements each, and 300 hard disks.
const LIMITS: Limits = Limits {
    bytes: 16 << 20,
    depth: 2 * 250 + 20,
    nodes: 500_000,
    attributes: 256,
};

/// The machine's attributes, as libvirt orders them.
const ORDER: &[&str] = &[
    "uuid",
    "name",
    "currentSnapshot",
    "snapshotFolder",
    "currentStateModified",
    "lastStateChange",
];

/// A machine's settings: the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub(crate) encoding: Encoding,
    prolog: String,
    pub(crate) root: Element,
    epilog: String,
}

impl Settings {
    /// Reads a file's content.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > LIMITS.bytes {
            let message = format!(
                "the file has {} bytes, more than {} are not read",
                bytes.len(),
                LIMITS.bytes
            );
            return Err(XmlError::new(ErrorKind::Limit, message).into());
        }
        let (encoding, text) = Encoding::decode(bytes)?;
        let document = Document::parse_within(&text, &LIMITS)?;
        check(&document)?;
        let (prolog, root, epilog) = scan(&text, &document)?;
        Ok(Self {
            encoding,
            prolog,
            root,
            epilog,
        })
    }

    /// The file's content.
    #[must_use]
    pub fn format(&self) -> Vec<u8> {
        let mut text = self.prolog.clone();
        self.root.write(&mut text);
        text.push_str(&self.epilog);
        self.encoding.encode(&text)
    }

    /// The version of the file's format, such as `1.12-linux`.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.root.attribute("version")
    }

    /// The machine's UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let uuid = self.machine().uuid();
        uuid.expect("it was there when the file was read, and is never changed")
    }

    /// The machine's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.machine().attribute("name").unwrap_or_default()
    }

    /// The snapshot that the machine's state is based on.
    #[must_use]
    pub fn current_snapshot(&self) -> Option<Uuid> {
        self.machine()
            .attribute("currentSnapshot")
            .and_then(parse_uuid)
    }

    /// Where snapshots are kept; relative to the file's folder, if it is a relative path.
    #[must_use]
    pub fn snapshot_folder(&self) -> Option<&Path> {
        self.machine().attribute("snapshotFolder").map(Path::new)
    }

    /// Whether the machine differs from its current snapshot. It does if the file does not say.
    #[must_use]
    pub fn current_state_modified(&self) -> bool {
        let said = self.machine().attribute("currentStateModified");
        said.and_then(truth).unwrap_or(true)
    }

    /// When the machine's state changed last, as the file has it.
    #[must_use]
    pub fn last_state_change(&self) -> Option<&str> {
        self.machine().attribute("lastStateChange")
    }

    /// The machine's hardware.
    #[must_use]
    pub fn hardware(&self) -> &Element {
        let hardware = self.machine().child("Hardware");
        hardware.expect("it was there when the file was read, and is never removed")
    }

    /// The machine's storage controllers, which newer versions have in the hardware.
    #[must_use]
    pub fn storage_controllers(&self) -> Option<&Element> {
        storage_controllers(self.machine())
    }

    /// The hard disks that are attached to the machine, in the order of the file.
    #[must_use]
    pub fn disks(&self) -> Vec<Uuid> {
        self.storage_controllers().map_or_else(Vec::new, images)
    }

    /// Makes a snapshot the one that the machine's state is based on, or none.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`].
    pub fn set_current_snapshot(&mut self, uuid: Option<Uuid>) -> Result<(), Error> {
        if let Some(uuid) = uuid {
            self.snapshot(uuid)?;
        }
        self.point_at(uuid);
        Ok(())
    }

    /// The same, for a snapshot that is known to be there.
    pub(crate) fn point_at(&mut self, uuid: Option<Uuid>) {
        if self.current_snapshot() == uuid {
            return;
        }
        match uuid {
            Some(uuid) => self.set("currentSnapshot", &format_uuid(uuid)),
            None => self.machine_mut().remove_attribute("currentSnapshot"),
        }
    }

    /// Says where snapshots are kept.
    ///
    /// # Errors
    /// [`Error::Unreadable`], if a file cannot have such a path.
    pub fn set_snapshot_folder(&mut self, folder: &str) -> Result<(), Error> {
        let mut changed = self.clone();
        changed.set("snapshotFolder", folder);
        self.commit(changed, || "the snapshot folder".to_owned())
    }

    /// Says whether the machine differs from its current snapshot.
    pub fn set_current_state_modified(&mut self, modified: bool) {
        let said = self.machine().attribute("currentStateModified");
        if said.and_then(truth) != Some(modified) {
            let text = if modified { "true" } else { "false" };
            self.set("currentStateModified", text);
        }
    }

    /// Says when the machine's state changed last: `2006-01-02T15:04:05Z`.
    ///
    /// # Errors
    /// [`Error::Time`].
    pub fn set_last_state_change(&mut self, time: &str) -> Result<(), Error> {
        time_stamp::check(time)?;
        self.set("lastStateChange", time);
        Ok(())
    }

    /// Attaches the hard disk `to` wherever `from` is attached to the machine, and says to how many places that is.
    pub fn replace_disk(&mut self, from: Uuid, to: Uuid) -> usize {
        let encoding = self.encoding;
        replace_images(self.machine_mut(), from, to, encoding)
    }

    fn set(&mut self, name: &str, value: &str) {
        let encoding = self.encoding;
        self.machine_mut()
            .set_attribute(name, value, ORDER, encoding);
    }

    pub(crate) fn machine(&self) -> &Element {
        let machine = self.root.child("Machine");
        machine.expect("it was there when the file was read, and is never removed")
    }

    /// Where in the root element the machine is.
    pub(crate) fn machine_index(&self) -> usize {
        let machine = self.root.index_of("Machine");
        machine.expect("it was there when the file was read, and is never removed")
    }

    fn machine_mut(&mut self) -> &mut Element {
        let index = self.machine_index();
        let machine = self.root.at_mut(&[index]);
        machine.expect("the index is that of an element")
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::of(&self.root)
    }

    /// Takes over what was changed, if it can be written and read: names of elements, characters, depth and size all count.
    pub(crate) fn commit(
        &mut self,
        changed: Self,
        what: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        let source = match Self::parse(&changed.format()) {
            Ok(again) if again == changed => {
                *self = changed;
                return Ok(());
            }
            Err(Error::Xml(source)) => Some(source),
            Ok(_) | Err(_) => None,
        };
        Err(Error::Unreadable {
            what: what(),
            source,
        })
    }
}

/// The storage controllers of a machine or snapshot.
pub(crate) fn storage_controllers(of: &Element) -> Option<&Element> {
    let name = "StorageControllers";
    of.child(name).or_else(|| of.child("Hardware")?.child(name))
}

/// The hard disks that are attached to storage controllers.
pub(crate) fn images(controllers: &Element) -> Vec<Uuid> {
    let devices = controllers
        .children("StorageController")
        .flat_map(|controller| controller.children("AttachedDevice"))
        .filter(|device| device.attribute("type") == Some("HardDisk"));
    devices
        .filter_map(|device| device.child("Image")?.uuid())
        .collect()
}

/// Puts another hard disk's UUID wherever one is attached below `element`; says to how many places that is.
pub(crate) fn replace_images(
    element: &mut Element,
    from: Uuid,
    to: Uuid,
    encoding: Encoding,
) -> usize {
    let mut replaced = 0;
    let of_disk = element.is("AttachedDevice") && element.attribute("type") == Some("HardDisk");
    let nodes = element.body.iter_mut().flat_map(|body| &mut body.nodes);
    for child in nodes.filter_map(|node| node.as_element_mut()) {
        // The disks of snapshots are theirs.
        if child.is("Snapshot") {
            continue;
        }
        if of_disk && child.is("Image") && child.uuid() == Some(from) {
            child.set_attribute("uuid", &format_uuid(to), &[], encoding);
            replaced += 1;
        }
        replaced += replace_images(child, from, to, encoding);
    }
    replaced
}
