//! The registry of media: hard disks, and which is based on which.
//!
//! DVD and floppy images are in it too; they stay as they are.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::element::Element;
use crate::error::Error;
use crate::settings::Settings;
use crate::tree::{HARD_DISKS, format_uuid};

/// A hard disk in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardDisk<'s> {
    /// Its UUID.
    pub uuid: Uuid,
    /// Where it is; relative to the file's folder, if it is a relative path.
    pub location: &'s str,
    /// Its format, such as `VDI`.
    pub format: &'s str,
    /// Its type, such as `Normal`, which only those without a parent have.
    pub kind: Option<&'s str>,
    element: &'s Element,
}

/// A hard disk that is to be in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHardDisk {
    /// Its UUID.
    pub uuid: Uuid,
    /// Where it is.
    pub location: String,
    /// Its format, such as `VDI`.
    pub format: String,
    /// Its type, such as `Normal`.
    pub kind: Option<String>,
}

impl<'s> HardDisk<'s> {
    /// What an element says that was looked at when the file was read.
    fn of(element: &'s Element) -> Option<Self> {
        Some(Self {
            uuid: element.uuid()?,
            location: element.attribute("location")?,
            format: element.attribute("format")?,
            kind: element.attribute("type"),
            element,
        })
    }

    /// Where it is, for a file in `folder`.
    #[must_use]
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.location)
    }

    /// The hard disks that are based on it.
    pub fn children(&self) -> impl Iterator<Item = Self> {
        HARD_DISKS.items(self.element).filter_map(Self::of)
    }
}

impl Settings {
    fn registered(&self) -> Option<&Element> {
        self.machine().child("MediaRegistry")?.child("HardDisks")
    }

    /// All hard disks in the registry, each before those that are based on it.
    pub fn hard_disks(&self) -> impl Iterator<Item = HardDisk<'_>> {
        let all = self
            .registered()
            .map_or_else(Vec::new, |disks| HARD_DISKS.all(disks));
        all.into_iter().filter_map(HardDisk::of)
    }

    /// The hard disk with this UUID.
    ///
    /// # Errors
    /// [`Error::NoHardDisk`].
    pub fn hard_disk(&self, uuid: Uuid) -> Result<HardDisk<'_>, Error> {
        let mut chain = self.hard_disk_chain(uuid)?;
        Ok(chain.swap_remove(0))
    }

    /// The hard disk that is at `path`, for a file in `folder`.
    #[must_use]
    pub fn find_hard_disk_at(&self, path: &Path, folder: &Path) -> Option<HardDisk<'_>> {
        self.hard_disks().find(|disk| disk.path(folder) == path)
    }

    /// A hard disk, the one it is based on, and so on.
    ///
    /// # Errors
    /// [`Error::NoHardDisk`].
    pub fn hard_disk_chain(&self, uuid: Uuid) -> Result<Vec<HardDisk<'_>>, Error> {
        let found = self
            .registered()
            .and_then(|disks| HARD_DISKS.find(disks, uuid));
        let (_, passed) = found.ok_or(Error::NoHardDisk(uuid))?;
        Ok(passed.into_iter().rev().filter_map(HardDisk::of).collect())
    }

    /// Adds a hard disk that is based on `parent`, or on none.
    ///
    /// # Errors
    /// [`Error::HardDiskExists`], [`Error::NoHardDisk`] for the parent, [`Error::Unreadable`].
    pub fn add_hard_disk(&mut self, disk: &NewHardDisk, parent: Option<Uuid>) -> Result<(), Error> {
        if self.hard_disk(disk.uuid).is_ok() {
            return Err(Error::HardDiskExists(disk.uuid));
        }
        let mut changed = self.clone();
        let mut way = changed.way_to_hard_disks();
        if let Some(parent) = parent {
            way.extend(self.way_within_hard_disks(parent)?);
        }
        let uuid = format_uuid(disk.uuid);
        let mut attributes = vec![
            ("uuid", uuid.as_str()),
            ("location", &disk.location),
            ("format", &disk.format),
        ];
        attributes.extend(disk.kind.as_deref().map(|kind| ("type", kind)));
        let new = Element::new(&self.root, HARD_DISKS.item, &attributes, self.encoding);
        changed.append(&way, new);
        self.commit(changed, || format!("hard disk {}", disk.uuid))
    }

    /// Takes a hard disk out of the registry.
    ///
    /// # Errors
    /// [`Error::NoHardDisk`], or [`Error::HardDiskHasChildren`].
    pub fn remove_hard_disk(&mut self, uuid: Uuid) -> Result<(), Error> {
        if self.hard_disk(uuid)?.children().next().is_some() {
            return Err(Error::HardDiskHasChildren(uuid));
        }
        let within = self.way_within_hard_disks(uuid)?;
        let mut changed = self.clone();
        let way = [changed.way_to_hard_disks(), within].concat();
        changed.remove(&way);
        self.commit(changed, || format!("hard disk {uuid} gone"))
    }

    fn way_within_hard_disks(&self, uuid: Uuid) -> Result<Vec<usize>, Error> {
        let found = self
            .registered()
            .and_then(|disks| HARD_DISKS.find(disks, uuid));
        let (way, _) = found.ok_or(Error::NoHardDisk(uuid))?;
        Ok(way)
    }

    /// The way to the element that has the hard disks; what is not there is made.
    fn way_to_hard_disks(&mut self) -> Vec<usize> {
        let mut way = vec![self.machine_index()];
        for name in ["MediaRegistry", "HardDisks"] {
            let index = self.child_or_new(&way, name);
            way.push(index);
        }
        way
    }
}
