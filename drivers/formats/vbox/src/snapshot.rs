//! The snapshots of a machine, each with the machine's hardware at that time.

use uuid::Uuid;

use crate::element::{Body, Element, Node};
use crate::error::Error;
use crate::layout;
use crate::settings::{Settings, images, replace_images, storage_controllers};
use crate::time_stamp;
use crate::tree::{SNAPSHOTS, format_uuid};

/// A snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot<'s> {
    /// Its UUID.
    pub uuid: Uuid,
    /// Its name, which others may have too.
    pub name: &'s str,
    /// When it was taken, as the file has it.
    pub time_stamp: &'s str,
    /// The machine's hardware then.
    pub hardware: &'s Element,
    element: &'s Element,
}

/// A snapshot that is to be there; [`Settings::new_snapshot`] makes one of what the machine is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// Its UUID.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// When it was taken: `2006-01-02T15:04:05Z`.
    pub time_stamp: String,
    /// What its user says of it.
    pub description: Option<String>,
    /// The machine's hardware then.
    pub hardware: Element,
    /// The machine's storage controllers then, unless they are in the hardware.
    pub storage_controllers: Option<Element>,
}

impl<'s> Snapshot<'s> {
    /// What an element says that was looked at when the file was read.
    fn of(element: &'s Element) -> Option<Self> {
        Some(Self {
            uuid: element.uuid()?,
            name: element.attribute("name")?,
            time_stamp: element.attribute("timeStamp")?,
            hardware: element.child("Hardware")?,
            element,
        })
    }

    /// What its user says of it.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        self.element.child("Description").map(Element::text)
    }

    /// The machine's storage controllers then.
    #[must_use]
    pub fn storage_controllers(&self) -> Option<&'s Element> {
        storage_controllers(self.element)
    }

    /// The hard disks that were attached to the machine, in the order of the file.
    #[must_use]
    pub fn disks(&self) -> Vec<Uuid> {
        self.storage_controllers().map_or_else(Vec::new, images)
    }

    /// The snapshots that were taken after it.
    pub fn children(&self) -> impl Iterator<Item = Self> {
        SNAPSHOTS.items(self.element).filter_map(Self::of)
    }
}

impl Settings {
    /// The snapshot that has no parent.
    #[must_use]
    pub fn first_snapshot(&self) -> Option<Snapshot<'_>> {
        SNAPSHOTS
            .items(self.machine())
            .next()
            .and_then(Snapshot::of)
    }

    /// All snapshots, each before those that were taken after it.
    pub fn snapshots(&self) -> impl Iterator<Item = Snapshot<'_>> {
        let all = SNAPSHOTS.all(self.machine());
        all.into_iter().filter_map(Snapshot::of)
    }

    /// The snapshot with this UUID.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`].
    pub fn snapshot(&self, uuid: Uuid) -> Result<Snapshot<'_>, Error> {
        let mut chain = self.snapshot_chain(uuid)?;
        Ok(chain.swap_remove(0))
    }

    /// The first snapshot that has this name.
    #[must_use]
    pub fn find_snapshot(&self, name: &str) -> Option<Snapshot<'_>> {
        self.snapshots().find(|snapshot| snapshot.name == name)
    }

    /// A snapshot, its parent, and so on.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`].
    pub fn snapshot_chain(&self, uuid: Uuid) -> Result<Vec<Snapshot<'_>>, Error> {
        let found = SNAPSHOTS.find(self.machine(), uuid);
        let (_, passed) = found.ok_or(Error::NoSnapshot(uuid))?;
        Ok(passed.into_iter().rev().filter_map(Snapshot::of).collect())
    }

    /// Whether a snapshot is the one that the machine's state is based on.
    #[must_use]
    pub fn is_current(&self, uuid: Uuid) -> bool {
        self.current_snapshot() == Some(uuid)
    }

    /// A snapshot of the machine as it is now.
    #[must_use]
    pub fn new_snapshot(&self, uuid: Uuid, name: &str, time_stamp: &str) -> NewSnapshot {
        NewSnapshot {
            uuid,
            name: name.to_owned(),
            time_stamp: time_stamp.to_owned(),
            description: None,
            hardware: self.hardware().clone(),
            storage_controllers: self.machine().child("StorageControllers").cloned(),
        }
    }

    /// Adds a snapshot after `parent`, or the first one. Which one is current is not changed.
    ///
    /// # Errors
    /// [`Error::SnapshotExists`], [`Error::FirstSnapshotExists`], [`Error::NoSnapshot`] for the parent, [`Error::WrongPart`],
    /// [`Error::Time`], [`Error::Unreadable`].
    pub fn add_snapshot(&mut self, new: NewSnapshot, parent: Option<Uuid>) -> Result<(), Error> {
        let uuid = new.uuid;
        if self.snapshot(uuid).is_ok() {
            return Err(Error::SnapshotExists(uuid));
        }
        time_stamp::check(&new.time_stamp)?;
        new.check_parts()?;
        let mut changed = self.clone();
        let mut way = vec![self.machine_index()];
        match (parent, self.first_snapshot()) {
            (None, None) => {}
            (None, Some(first)) => return Err(Error::FirstSnapshotExists(first.uuid)),
            (Some(parent), _) => {
                let found = SNAPSHOTS.find(self.machine(), parent);
                let (within, _) = found.ok_or(Error::NoSnapshot(parent))?;
                way.extend(within);
                let list = changed.child_or_new(&way, "Snapshots");
                way.push(list);
            }
        }
        let element = self.element_of(new, way.len() + 1);
        changed.append(&way, element);
        self.commit(changed, || format!("snapshot {uuid}"))
    }

    /// Removes a snapshot. If it was the current one, its parent is from now on, as VirtualBox has it.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], or [`Error::SnapshotHasChildren`].
    pub fn remove_snapshot(&mut self, uuid: Uuid) -> Result<(), Error> {
        let chain = self.snapshot_chain(uuid)?;
        if chain[0].children().next().is_some() {
            return Err(Error::SnapshotHasChildren(uuid));
        }
        let parent = chain.get(1).map(|parent| parent.uuid);
        let found = SNAPSHOTS.find(self.machine(), uuid);
        let (within, _) = found.ok_or(Error::NoSnapshot(uuid))?;
        let mut way = [vec![self.machine_index()], within].concat();
        let mut changed = self.clone();
        changed.remove(&way);
        way.pop();
        // A list with nothing in it is not written.
        let list = changed.root.at_mut(&way);
        if parent.is_some() && list.is_some_and(|list| list.body.is_none()) {
            changed.remove(&way);
        }
        if self.is_current(uuid) {
            changed.point_at(parent);
        }
        self.commit(changed, || format!("snapshot {uuid} gone"))
    }

    /// The element for a snapshot at `level`.
    fn element_of(&self, new: NewSnapshot, level: usize) -> Element {
        let layout = self.layout();
        let uuid = format_uuid(new.uuid);
        let attributes = [
            ("uuid", uuid.as_str()),
            ("name", &new.name),
            ("timeStamp", &new.time_stamp),
        ];
        let mut element = Element::new(&self.root, SNAPSHOTS.item, &attributes, self.encoding);
        let description = new.description.map(|text| {
            let mut element = Element::new(&self.root, "Description", &[], self.encoding);
            let text = self.encoding.text(&text);
            let nodes = Vec::from_iter((!text.is_empty()).then_some(Node::Text(text)));
            element.body = Some(Body {
                nodes,
                tail: String::new(),
            });
            element
        });
        let parts = [Some(new.hardware), new.storage_controllers];
        let parts = parts.into_iter().flatten().map(|mut part| {
            layout.indent(&mut part, level + 1);
            part
        });
        for child in description.into_iter().chain(parts) {
            layout.append(&mut element, level, child);
        }
        element
    }

    /// Where the child element `name` of the one that `way` leads to is; it is made if it is not there.
    pub(crate) fn child_or_new(&mut self, way: &[usize], name: &str) -> usize {
        let index = |settings: &mut Self| {
            let parent = settings.root.at_mut(way);
            parent.and_then(|parent| parent.index_of(name))
        };
        if let Some(there) = index(self) {
            return there;
        }
        let new = Element::new(&self.root, name, &[], self.encoding);
        self.append(way, new);
        index(self).expect("it was just put there")
    }

    /// Adds an element behind everything else in the one that `way` leads to.
    pub(crate) fn append(&mut self, way: &[usize], new: Element) {
        let layout = self.layout();
        let parent = self.root.at_mut(way);
        let parent = parent.expect("the way was found in this file");
        layout.append(parent, way.len(), new);
    }

    /// Removes the element that `way` leads to.
    pub(crate) fn remove(&mut self, way: &[usize]) {
        if let Some((index, parent)) = way.split_last()
            && let Some(parent) = self.root.at_mut(parent)
        {
            layout::remove(parent, *index);
        }
    }
}

impl NewSnapshot {
    /// Puts another hard disk in the place of one, and says in how many places that is.
    pub fn replace_disk(&mut self, from: Uuid, to: Uuid) -> usize {
        let parts = [Some(&mut self.hardware), self.storage_controllers.as_mut()];
        let parts = parts.into_iter().flatten();
        // A UUID is written alike in all encodings.
        let encoding = crate::encoding::Encoding::Utf8;
        parts
            .map(|part| replace_images(part, from, to, encoding))
            .sum()
    }

    fn check_parts(&self) -> Result<(), Error> {
        let parts = [
            ("Hardware", Some(&self.hardware)),
            ("StorageControllers", self.storage_controllers.as_ref()),
        ];
        for (wanted, part) in parts {
            if let Some(part) = part.filter(|part| !part.is(wanted)) {
                return Err(Error::WrongPart {
                    uuid: self.uuid,
                    wanted,
                    found: virtbus_xml::shortened(part.name.clone(), 100),
                });
            }
        }
        Ok(())
    }
}
