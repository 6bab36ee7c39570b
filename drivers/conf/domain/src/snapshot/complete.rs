//! What a snapshot gets from its purpose, and what it must not contradict.

use super::{Snapshot, SnapshotDisk, SnapshotMemory, SnapshotState};
use crate::domain::devices::disk::SnapshotMode;
use crate::domain::{AbiFlags, Seams};
use crate::moment::Purpose;
use virtbus_conf_base::common::Uuid;
use virtbus_conf_base::{ConfError, ConfErrorKind, Result};
use virtbus_conf_storage::storage::StorageSource;
use virtbus_xml::format_text;

impl Snapshot {
    /// Fills in what the purpose decides. `now` is in seconds since 1970 began.
    ///
    /// A new snapshot loses what only the driver can know: state, parent, definitions of the guest. One
    /// that is redefined must have its name, time and state.
    ///
    /// # Errors
    /// A part that is missing or contradicts another.
    pub fn complete(&mut self, purpose: Purpose, now: i64, seams: &mut Seams<'_>) -> Result<()> {
        match purpose {
            Purpose::Create => {
                self.name.get_or_insert_with(|| format_text!("{now}"));
                self.creation_time = Some(now);
                self.state = None;
                self.parent = None;
                self.definitions = Default::default();
                self.cookie = None;
                self.active = None;
            }
            Purpose::Redefine => {
                let missing = [
                    ("name", self.name.is_none()),
                    ("creationTime", self.creation_time.is_none()),
                    ("state", self.state.is_none()),
                ];
                if let Some((what, _)) = missing.iter().find(|(_, missing)| *missing) {
                    return Err(ConfError::invalid(format!(
                        "a snapshot that is redefined needs its <{what}>"
                    )));
                }
                self.definitions.complete(seams)?;
            }
        }
        self.complete_memory(purpose)?;
        for disk in self.disks.iter_mut().chain(&mut self.revert_disks) {
            disk.complete()?;
        }
        // Images of a new snapshot may still get a name, by their kind.
        let named = self
            .disks
            .iter_mut()
            .filter(|_| purpose == Purpose::Redefine);
        for disk in named.chain(&mut self.revert_disks) {
            disk.image.tidy();
        }
        Ok(())
    }

    fn complete_memory(&mut self, purpose: Purpose) -> Result<()> {
        let offline = self.state.is_some_and(SnapshotState::is_offline);
        let memory = self.memory.get_or_insert_default();
        memory.snapshot = match (memory.snapshot, &memory.file, purpose) {
            (Some(mode), _, _) => Some(mode),
            (None, Some(_), _) => Some(SnapshotMode::External),
            (None, None, Purpose::Redefine) if offline => Some(SnapshotMode::No),
            (None, None, Purpose::Redefine) => Some(SnapshotMode::Internal),
            (None, None, Purpose::Create) => None,
        };
        memory.check()?;
        if offline && memory.snapshot != Some(SnapshotMode::No) {
            return Err(ConfError::invalid(
                "a snapshot of a guest that is off cannot include memory",
            ));
        }
        self.memory = self.memory.take().filter(|m| m.snapshot.is_some());
        Ok(())
    }

    /// Checks that this definition can take the place of `previous`, a snapshot of the same name of the
    /// guest `uuid`, and takes over the definitions of the guest that it lacks.
    ///
    /// # Errors
    /// It is another guest's, or its state or the guest's hardware would become another.
    pub fn redefine(&mut self, uuid: Uuid, previous: Option<&Self>) -> Result<()> {
        let name = self.name.as_deref().unwrap_or_default();
        let refuse = |why: &str| {
            Err(ConfError::new(
                ConfErrorKind::Argument,
                format!("snapshot '{name}' {why}"),
            ))
        };
        let guest = self.definitions.definition();
        if guest.is_some_and(|domain| domain.uuid != Some(uuid)) {
            return refuse(&format!("must be of the guest {uuid}"));
        }
        let Some(previous) = previous else {
            return Ok(());
        };
        let online = |state: Option<SnapshotState>| {
            matches!(state, Some(SnapshotState::Running | SnapshotState::Paused))
        };
        if online(self.state) != online(previous.state) {
            return refuse("cannot change between a guest that runs and one that is off");
        }
        let disk_only = |state| state == Some(SnapshotState::DiskSnapshot);
        if disk_only(self.state) != disk_only(previous.state) {
            return refuse("cannot change between disks only and the whole guest");
        }
        if let Some(before) = previous.definitions.definition() {
            match guest {
                Some(after) => before.check_abi(after, AbiFlags::empty())?,
                None => self.definitions.guest = previous.definitions.guest.clone(),
            }
        }
        if self.definitions.inactive.is_none() {
            self.definitions.inactive = previous.definitions.inactive.clone();
        }
        Ok(())
    }
}

impl SnapshotMemory {
    fn check(&self) -> Result<()> {
        let why = match (self.snapshot, self.file.as_deref()) {
            (Some(SnapshotMode::Manual), _) => "memory cannot be kept by hand",
            (Some(SnapshotMode::External), None) => "memory outside of the disks needs a file",
            (Some(SnapshotMode::External) | None, Some(file)) if file.starts_with('/') => {
                return Ok(());
            }
            (Some(SnapshotMode::External) | None, Some(_)) => {
                "the path of the file with the memory must be absolute"
            }
            (_, Some(_)) => "only memory outside of the disks has a file",
            (_, None) => return Ok(()),
        };
        Err(ConfError::invalid(why))
    }
}

impl SnapshotDisk {
    fn complete(&mut self) -> Result<()> {
        let source = &mut self.image.source;
        let fault = match source {
            StorageSource::File(_) | StorageSource::Block(_) => match source.path() {
                Some(path) if !path.starts_with('/') => {
                    Some(format!("the path '{path}' must be absolute"))
                }
                _ => None,
            },
            StorageSource::Network(_) => None,
            _ => Some(format!("a new image cannot be of type '{}'", source.kind())),
        };
        if let Some(fault) = fault {
            return Err(ConfError::invalid(format!("disk '{}': {fault}", self.name)));
        }
        source.clear_index();
        if self.snapshot.is_none() && !self.image.is_unset() {
            self.snapshot = Some(SnapshotMode::External);
        }
        Ok(())
    }
}
