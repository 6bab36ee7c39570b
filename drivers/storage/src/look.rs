//! What is in a pool's directory, as volumes. Everything here blocks.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat};
use virtbus_api::object::IdRef;
use virtbus_api::storage::{StoragePoolId, StorageVolId, StorageVolType, StorageVolView};
use virtbus_conf_base::{Bytes, Text};
use virtbus_conf_storage::storage::{Encryption, EncryptionFormat};
use virtbus_conf_storage::storage_pool::{FileMode, Permissions};
use virtbus_conf_storage::storage_volume::{
    Compat, FileFeature, StorageVolume, Timestamp, Timestamps, VolumeBacking, VolumeFormat,
    VolumeTarget, VolumeType,
};
use virtbus_image::{Format, Image, luks_payload};

use crate::folder::{Access, Folder, Space, TEMPORARY, check_name};
use crate::mark;

/// As many volumes as libvirt's protocol lists (`REMOTE_STORAGE_VOL_LIST_MAX`).
const MOST: usize = 16_384;

/// By what a file that was not changed is recognized: then its header is not read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Stamp {
    fn of(facts: &Stat) -> Self {
        Self {
            device: facts.st_dev,
            inode: facts.st_ino,
            size: u64::try_from(facts.st_size).unwrap_or(0),
            changed: (
                facts.st_ctime,
                i64::try_from(facts.st_ctime_nsec).unwrap_or(0),
            ),
            modified: (
                facts.st_mtime,
                i64::try_from(facts.st_mtime_nsec).unwrap_or(0),
            ),
        }
    }
}

/// A volume as it was found.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) view: Arc<StorageVolView>,
    pub(crate) definition: StorageVolume,
    pub(crate) kind: StorageVolType,
    /// Whether its format is kept with its file, and not what its content looks like.
    pub(crate) is_marked: bool,
    stamp: Stamp,
    /// Whether it had been left alone for long enough that a later change has another time, too.
    is_settled: bool,
}

/// The clock of files goes by steps that may be as long as this.
const STEP: Duration = Duration::from_secs(2);

/// Whether the last change is longer ago than a step of the clock. One of which that is not known is looked at again.
fn is_settled(stamp: &Stamp) -> bool {
    let changed = u64::try_from(stamp.changed.0).ok();
    let changed = changed.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let now = SystemTime::now();
    changed.is_some_and(|changed| now.duration_since(changed).is_ok_and(|since| since > STEP))
}

/// Volumes by name.
pub(crate) type Volumes = BTreeMap<Arc<str>, Arc<Volume>>;

/// All that is in a directory.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) volumes: Volumes,
    pub(crate) space: Space,
}

/// Looks through a directory. Of files that are as they were known, nothing is read.
///
/// # Errors
/// If the directory cannot be read; what concerns one file only leaves that out.
pub(crate) fn scan(folder: &Folder, pool: &StoragePoolId, known: &Volumes) -> io::Result<Scan> {
    let mut volumes = Volumes::new();
    for name in folder.names()? {
        let Some(name) = name.to_str() else {
            tracing::debug!(
                "a file in '{}' has no name in UTF-8, ignoring it",
                folder.path()
            );
            continue;
        };
        if volumes.len() >= MOST {
            tracing::warn!(
                pool = %pool.name,
                "storage pool '{}' has more than {MOST} files, ignoring all others",
                pool.name
            );
            break;
        }
        if let Some(volume) = look(folder, pool, name, known.get(name))? {
            volumes.insert(Arc::clone(&volume.view.id.name), volume);
        }
    }
    Ok(Scan {
        volumes,
        space: folder.space()?,
    })
}

/// The volume of this name; nothing if there is none. What has a name that no volume can have, and what is neither a file nor a directory, is none.
///
/// # Errors
/// If the directory does not answer.
pub(crate) fn look(
    folder: &Folder,
    pool: &StoragePoolId,
    name: &str,
    known: Option<&Arc<Volume>>,
) -> io::Result<Option<Arc<Volume>>> {
    if name.starts_with(TEMPORARY) || check_name(name).is_err() {
        return Ok(None);
    }
    let Some(facts) = folder.facts(name)? else {
        return Ok(None);
    };
    let stamp = Stamp::of(&facts);
    if let Some(known) = known
        && known.stamp == stamp
        && known.is_settled
    {
        return Ok(Some(Arc::clone(known)));
    }
    let mut is_marked = false;
    let (kind, image) = match FileType::from_raw_mode(facts.st_mode) {
        FileType::Directory => (StorageVolType::Dir, None),
        FileType::RegularFile => {
            let (image, is_known) = image(folder, name, stamp.size);
            is_marked = is_known;
            (StorageVolType::File, Some(image))
        }
        _ => return Ok(None),
    };
    let path = format!("{}/{name}", folder.path().trim_end_matches('/'));
    let view = StorageVolView {
        id: StorageVolId {
            pool: pool.clone(),
            name: name.into(),
            key: path.as_str().into(),
        },
        path: path.as_str().into(),
    };
    if !IdRef::StorageVol(&view.id).can_be_named() {
        return Ok(None);
    }
    // Whoever knows the view knows it still.
    let view = match known {
        Some(known) if *known.view == view => Arc::clone(&known.view),
        _ => Arc::new(view),
    };
    Ok(Some(Arc::new(Volume {
        definition: definition(&view, &facts, image.as_ref(), folder.path()),
        view,
        kind,
        is_marked,
        is_settled: is_settled(&stamp),
        stamp,
    })))
}

/// What a file's header tells, and whether its format is kept with it. One that cannot be read has the size of the file.
fn image(folder: &Folder, name: &str, size: u64) -> (Image, bool) {
    let tell = |what: &str, why: &dyn std::fmt::Display| {
        tracing::debug!(
            "the {what} of '{}/{name}' is not known: {why}",
            folder.path()
        );
    };
    let file = match folder.file(name, Access::Read) {
        Ok(file) => file,
        Err(why) => {
            tell("format", &why);
            return (Image::of(Format::Raw), false);
        }
    };
    let kept = mark::get(&file);
    let format = kept.map_or_else(|| virtbus_image::probe(&file), Ok);
    let format = format.unwrap_or_else(|why| {
        tell("format", &why);
        Format::Raw
    });
    let mut image = virtbus_image::read(&file, format).unwrap_or_else(|why| {
        tell("size", &why);
        Image::of(format)
    });
    if format == Format::Luks
        && let Ok(Some(payload)) = luks_payload(&file)
    {
        image.virtual_size = Some(size.saturating_sub(payload));
    }
    (image, kept.is_some())
}

fn time(seconds: i64, nanoseconds: u64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: u64::try_from(seconds).ok()?,
        nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
    })
}

fn permissions(facts: &Stat) -> Permissions {
    Permissions {
        mode: Some(FileMode(facts.st_mode & 0o7777)),
        owner: Some(facts.st_uid),
        group: Some(facts.st_gid),
        label: None,
    }
}

/// The document of a volume.
fn definition(
    view: &StorageVolView,
    facts: &Stat,
    image: Option<&Image>,
    folder: &str,
) -> StorageVolume {
    let size = u64::try_from(facts.st_size).unwrap_or(0);
    let blocks = u64::try_from(facts.st_blocks).unwrap_or(0);
    let capacity = image.map_or(0, |image| image.virtual_size.unwrap_or(size));
    let mut target = VolumeTarget {
        path: Some(view.path.as_ref().into()),
        format: Some(VolumeFormat::Dir),
        permissions: permissions(facts),
        timestamps: Some(Timestamps {
            atime: time(facts.st_atime, facts.st_atime_nsec),
            mtime: time(facts.st_mtime, facts.st_mtime_nsec),
            ctime: time(facts.st_ctime, facts.st_ctime_nsec),
            btime: None,
        }),
        ..VolumeTarget::default()
    };
    if let Some(image) = image {
        describe(image, &mut target);
    }
    let backing = image.and_then(|image| image.backing.as_ref());
    // A document cannot have all characters that a header can.
    let backing = backing.filter(|backing| !backing.name.chars().any(char::is_control));
    StorageVolume {
        kind: Some(match image {
            Some(_) => VolumeType::File,
            None => VolumeType::Dir,
        }),
        name: view.id.name.as_ref().into(),
        key: Some(view.id.key.as_ref().into()),
        extents: Vec::new(),
        capacity: Some(Bytes::new(capacity)),
        allocation: Some(Bytes::new(blocks.saturating_mul(512))),
        physical: Bytes::new(if image.is_some() { size } else { 0 }),
        target,
        backing_store: backing.map(|backing| VolumeBacking {
            path: shown(&backing.name, folder),
            format: backing.format.as_deref().and_then(VolumeFormat::from_name),
            permissions: Permissions::default(),
            timestamps: None,
        }),
    }
}

/// A name of another image as documents have it: a relative path becomes one from the pool on.
fn shown(name: &str, folder: &str) -> Text {
    if name.starts_with('/') || name.contains(':') {
        name.into()
    } else {
        format!("{}/{name}", folder.trim_end_matches('/'))
            .as_str()
            .into()
    }
}

fn describe(image: &Image, target: &mut VolumeTarget) {
    target.format = Some(match image.format {
        Format::Luks => VolumeFormat::Raw,
        other => VolumeFormat::from_name(other.as_str()).unwrap_or(VolumeFormat::Raw),
    });
    target.compat = image.compat.map(|compat| Compat(compat.into()));
    if image.format == Format::Qcow2 {
        target.cluster_size = image.cluster_size.map(Bytes::new);
    }
    let features = [
        (FileFeature::LazyRefcounts, image.lazy_refcounts),
        (FileFeature::ExtendedL2, image.extended_l2),
    ];
    if image.compat == Some("1.1") {
        let features = features.into_iter().filter(|(_, has)| *has);
        target.features = Some(features.map(|(feature, _)| feature).collect());
    }
    target.encryption = image.encryption.map(|encryption| Encryption {
        format: match encryption {
            virtbus_image::Encryption::Aes => EncryptionFormat::Qcow,
            virtbus_image::Encryption::Luks(2) => EncryptionFormat::Luks2,
            virtbus_image::Encryption::Luks(_) => EncryptionFormat::Luks,
        },
        engine: None,
        secret: Vec::new(),
        cipher: None,
        ivgen: None,
    });
}
