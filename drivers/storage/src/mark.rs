//! The format of a volume, kept with its file where its guest cannot write (an extended attribute). Blocks.
//!
//! A guest that has a raw disk can write the header of another format to it. So a volume that was made here, or written as a whole by a client, has
//! the format that it had then, whatever its content looks like later. Where a file system keeps no such attributes, and for files that came by
//! other ways, only the content tells.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use virtbus_conf_storage::storage_volume::{StorageVolume, VolumeFormat};
use virtbus_image::Format;

/// The longest name of a format is shorter, bytes.
const LONGEST: usize = 32;

/// The attribute's name. The system's daemon has one that root alone can set; whoever runs a daemon of his own can set all of his files' anyway.
fn name() -> &'static str {
    if rustix::process::geteuid().is_root() {
        "trusted.virtbus.format"
    } else {
        "user.virtbus.format"
    }
}

/// The format that a volume has by its document.
pub(crate) fn of(definition: &StorageVolume) -> Option<Format> {
    let is_encrypted = definition.target.encryption.is_some();
    match definition.target.format {
        None | Some(VolumeFormat::None | VolumeFormat::Raw) if is_encrypted => Some(Format::Luks),
        None | Some(VolumeFormat::None) => Some(Format::Raw),
        Some(format) => Format::from_name(format.as_str()),
    }
}

/// Keeps the format with the file. Where that cannot be done, only its content will tell.
pub(crate) fn set(file: impl AsFd, format: Format) {
    let kept = fsetxattr(
        file,
        name(),
        format.as_str().as_bytes(),
        XattrFlags::empty(),
    );
    if let Err(errno) = kept {
        tracing::debug!("the format of a volume cannot be kept with its file: {errno}");
    }
}

/// The format that is kept with the file.
pub(crate) fn get(file: impl AsFd) -> Option<Format> {
    let mut bytes = [0; LONGEST];
    let length = fgetxattr(file, name(), &mut bytes).ok()?;
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    Format::from_name(text)
}

/// A client has written all of the content: it has the format that it looks like now.
pub(crate) fn renew(file: &File) {
    if let Ok(format) = virtbus_image::probe(file) {
        set(file, format);
    }
}
