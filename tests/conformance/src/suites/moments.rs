//! Moments of a guest: snapshots, checkpoints, backups.

use std::fmt;

use virtbus_conf_base::common::{Arch, Uuid};
use virtbus_conf_base::{Flags, XmlError};
use virtbus_conf_domain::backup::Backup;
use virtbus_conf_domain::checkpoint::{Checkpoint, CheckpointDisk, CheckpointMode, CheckpointName};
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams};
use virtbus_conf_domain::moment::{Guest, Purpose};
use virtbus_conf_domain::snapshot::{Snapshot, SnapshotState};

use super::domain::MAC_PREFIX;
use crate::case::Case;
use crate::outcome::{Held, Problem, Refusal};
use crate::seams::Counting;

/// What the flag `parent` of a checkpoint asks for.
const PARENT: &str = "1525111885";

/// What the flag `size` of a checkpoint asks for.
const CHANGED_BYTES: u64 = 1_048_576;

/// `snapshotxml2xml`.
pub(crate) fn snapshot(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let purpose = purpose(case)?;
    let clock = case.number("creation_time")?;
    let read = || {
        let mut snapshot = Snapshot::parse(&xml).map_err(Refusal::reading)?;
        with_seams(|seams| snapshot.complete(purpose, clock.unwrap_or(0), seams))?;
        Ok(snapshot)
    };
    let mut snapshot = read();
    if let Ok(snapshot) = &mut snapshot {
        if purpose == Purpose::Create {
            snapshot.creation_time = clock;
        }
        if case.has("flags", "running")? {
            snapshot.state = Some(SnapshotState::Running);
        }
        let uuid = case.text("domain_uuid")?.map(uuid).transpose()?;
        if uuid.is_some() && snapshot.definitions.definition().is_none() {
            snapshot.definitions.guest = Some(Guest::Uuid(uuid));
        }
    }
    let flags = if case.has("flags", "internal")? {
        Flags::SECURE | Flags::STATUS
    } else {
        Flags::SECURE
    };
    case.check(snapshot.map(|s| s.format(flags)), &xml)
}

/// `checkpointxml2xml`.
pub(crate) fn checkpoint(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let purpose = purpose(case)?;
    let now = case.number("creation_time")?.unwrap_or(0);
    let read = || {
        let mut checkpoint = Checkpoint::parse(&xml).map_err(Refusal::reading)?;
        with_seams(|seams| checkpoint.complete(purpose, now, seams))?;
        Ok(checkpoint)
    };
    let mut checkpoint = read();
    if let Ok(checkpoint) = &mut checkpoint {
        if case.has("flags", "parent")? {
            checkpoint.parent = Some(checkpoint_name(PARENT)?);
        }
        if case.has("flags", "vda-bitmap")? {
            record_vda(checkpoint);
        }
        if case.has("flags", "size")?
            && let Some(disk) = checkpoint.disks.first_mut()
        {
            disk.size = Some(CHANGED_BYTES);
        }
    }
    case.check(checkpoint.map(|c| c.format(Flags::SECURE)), &xml)
}

/// `domainbackupxml2xml`.
pub(crate) fn backup(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let suffix = case.text_req("align_suffix")?;
    let internal = case.is("internal")?;
    let read = |xml: &str| -> Result<Backup, XmlError> {
        if internal {
            Backup::parse_status(xml)
        } else {
            Backup::parse(xml)
        }
    };
    let extra = case.text("extra_disk")?;
    let aligned = read(&xml).map_err(Refusal::reading).and_then(|mut backup| {
        let named = backup.disks.iter().map(|disk| disk.name.as_str());
        let guest = guest(named.chain(extra))?;
        backup.align_disks(&guest, suffix).map_err(Refusal::later)?;
        Ok(backup)
    });
    let flags = if internal {
        Flags::SECURE | Flags::STATUS
    } else {
        Flags::SECURE
    };
    case.check(aligned.map(|b| b.format(flags)), &xml)
}

fn purpose(case: &Case) -> Held<Purpose> {
    Ok(if case.has("flags", "redefine")? {
        Purpose::Redefine
    } else {
        Purpose::Create
    })
}

fn with_seams<E: fmt::Display>(
    complete: impl FnOnce(&mut Seams<'_>) -> Result<(), E>,
) -> Result<(), Refusal> {
    let mut seams = Seams {
        driver: &mut NoDefaults(DriverFeatures::all()),
        entropy: &mut Counting,
        mac_prefix: MAC_PREFIX,
        host_arch: Arch::X86_64,
        flags: CompleteFlags::empty(),
    };
    complete(&mut seams).map_err(Refusal::reading)
}

fn uuid(text: &str) -> Held<Uuid> {
    Uuid::parse(text)
        .ok_or_else(|| Problem::failed(format!("'{text}' in the manifest is not a UUID")))
}

fn checkpoint_name(text: &str) -> Held<CheckpointName> {
    let xml = format!("<domaincheckpoint><name>{text}</name></domaincheckpoint>");
    let named = Checkpoint::parse(&xml).ok().and_then(|c| c.name);
    named.ok_or_else(|| Problem::failed(format!("'{text}' is refused as a name of checkpoints")))
}

/// The first disk is vda, with a bitmap named like the checkpoint.
fn record_vda(checkpoint: &mut Checkpoint) {
    if checkpoint.disks.is_empty() {
        checkpoint.disks.push(CheckpointDisk::default());
    }
    let disk = &mut checkpoint.disks[0];
    disk.name = "vda".into();
    disk.checkpoint = Some(CheckpointMode::Bitmap);
    checkpoint.name_bitmaps();
}

/// A guest with these disks, each in a file of its name.
fn guest<'n>(disks: impl Iterator<Item = &'n str>) -> Result<Domain, Refusal> {
    let mut xml = "<domain type='qemu'><name>guest</name><memory>1024</memory><os><type>hvm</type></os><devices>"
        .to_owned();
    for name in disks {
        xml.push_str(&format!(
            "<disk type='file'><driver type='qcow2'/><source file='/fake/{name}.qcow2'/><target dev='{name}'/></disk>"
        ));
    }
    xml.push_str("</devices></domain>");
    Domain::parse(&xml).map_err(Refusal::later)
}
