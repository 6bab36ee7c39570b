//! Settling which disks of the guest a backup copies, and where to.

use std::collections::HashSet;

use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_storage::storage::StorageSource;
use virtbus_xml::{YesNo, format_text};

use super::{Backup, BackupDisk, BackupDiskMode};
use crate::domain::Domain;
use crate::domain::devices::disk::Disk;

impl Backup {
    /// Gives each disk of the guest an entry, those that the backup lists first, and names what it
    /// writes: like the guest's image, with `suffix` behind a dot.
    ///
    /// If no disk is listed, all that can be written are copied; else only the listed ones.
    ///
    /// # Errors
    /// An unknown disk, one listed twice, one that is empty, a guest without disks, an incremental
    /// backup of nothing, a target that cannot be named.
    pub fn align_disks(&mut self, domain: &Domain, suffix: &str) -> Result<()> {
        let guest = &domain.devices.disk;
        if guest.is_empty() {
            return Err(ConfError::unsupported(
                "backups are not possible for a guest without disks",
            ));
        }
        let mut listed = HashSet::new();
        for entry in &mut self.disks {
            let Some(disk) = guest.iter().find(|d| d.target.dev == entry.name) else {
                return Err(entry.refuse("the guest does not have this disk"));
            };
            if !listed.insert(entry.name.clone()) {
                return Err(entry.refuse("it is given twice"));
            }
            if entry.mode == Some(BackupDiskMode::Incremental)
                && entry.incremental.is_none()
                && self.incremental.is_none()
            {
                return Err(entry.refuse("an incremental backup needs a checkpoint to begin at"));
            }
            if entry.backup == YesNo::Yes {
                entry.name_store(disk, suffix)?;
            }
        }
        let copy_all = self.disks.is_empty();
        for disk in guest.iter().filter(|d| !listed.contains(&d.target.dev)) {
            let copied = copy_all && !disk.source.is_empty() && !disk.readonly;
            let backup = if copied { YesNo::Yes } else { YesNo::No };
            let mut entry = BackupDisk::new(disk.target.dev.as_str(), backup);
            if copied {
                entry.name_store(disk, suffix)?;
            }
            self.disks.push(entry);
        }
        for entry in self.disks.iter_mut().filter(|d| d.backup == YesNo::Yes) {
            let since = entry.incremental.as_ref().or(self.incremental.as_ref());
            let mode = *entry.mode.get_or_insert(if since.is_some() {
                BackupDiskMode::Incremental
            } else {
                BackupDiskMode::Full
            });
            if mode == BackupDiskMode::Incremental {
                entry.incremental = since.cloned();
            }
        }
        Ok(())
    }
}

impl BackupDisk {
    fn refuse(&self, why: &str) -> ConfError {
        ConfError::unsupported(format!("backup of disk '{}': {why}", self.name))
    }

    fn name_store(&mut self, disk: &Disk, suffix: &str) -> Result<()> {
        if disk.source.is_empty() {
            return Err(self.refuse("the drive has no medium"));
        }
        if !self.store.is_empty() {
            return Ok(());
        }
        match (&disk.source, &mut self.store) {
            (StorageSource::File(image), StorageSource::File(store)) => {
                let path = image.file.as_deref().unwrap_or_default();
                store.file = Some(format_text!("{path}.{suffix}"));
                Ok(())
            }
            _ => Err(self.refuse("only files beside files can be named")),
        }
    }
}
