//! Backing files that images name by themselves, relative to their own folder.
//!
//! QEMU finds those by the name under which it opened the image. That is the name of a descriptor where guests have a user of their own,
//! so the file has to be named to it. Nothing else is done for such a file: it is not given to the guest, whose user must be able to
//! read it as it is, for what is in an image may be anybody's.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf::domain::Domain as Definition;
use virtbus_conf::storage::{ChainEnd, ImageFormat, StorageSource};
use virtbus_util::file::{acting, walk};

use crate::command::Backing;
use crate::core::blocking;

/// Header, extensions and the name of the backing file are in the first cluster, and before this.
const HEADER: usize = 64 << 10;

/// QEMU takes no longer names.
const LONGEST_NAME: usize = 1023;

const MAGIC: &[u8] = b"QFI\xfb";
const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;

/// Looks at the images of which the definition does not say on what they are based.
///
/// # Errors
/// `ConfigUnsupported` for an image that does not tell the format of its backing file. An image that cannot be read is passed over:
/// the guest's files are looked at after this, and then it is told why.
pub(super) async fn look(definition: &Definition) -> Result<Vec<Backing>> {
    let images: Vec<PathBuf> = definition
        .devices
        .disk
        .iter()
        .filter(|disk| disk.backing.end != ChainEnd::Complete)
        .map(|disk| match disk.backing.layers.last() {
            Some(layer) => (
                &layer.source,
                layer.format.as_ref().map(|format| format.kind),
            ),
            None => (&disk.source, disk.format()),
        })
        .filter(|(source, format)| {
            *format == Some(ImageFormat::Qcow2)
                && matches!(source, StorageSource::File(_) | StorageSource::Block(_))
        })
        .filter_map(|(source, _)| source.path().map(PathBuf::from))
        .collect();
    if images.is_empty() {
        return Ok(Vec::new());
    }
    blocking(move || {
        let look = move || images.iter().filter_map(|image| of(image)).collect();
        acting::act(None, acting::PATIENCE, look)
            .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))?
    })
    .await
}

/// The backing file of one image, if it is named relative to the image's folder.
fn of(image: &Path) -> Option<Result<Backing>> {
    let header = read(image).ok()?;
    let (name, format) = backing(&header)?;
    let name = Path::new(std::ffi::OsStr::from_bytes(name));
    let path = image.parent()?.join(name);
    let known = format.and_then(|format| ImageFormat::from_name(std::str::from_utf8(format).ok()?));
    let Some(format) = known else {
        let message = format!(
            "image '{}' names backing file '{}' and not its format; name both in the definition (<backingStore>)",
            image.display(),
            path.display()
        );
        let error = Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message);
        return Some(Err(error));
    };
    Some(Ok(Backing {
        image: image.to_owned(),
        path,
        format,
    }))
}

/// The beginning of an image.
fn read(image: &Path) -> io::Result<Vec<u8>> {
    let found = walk(image).map_err(io::Error::other)?;
    let kind = FileType::from_raw_mode(found.facts.st_mode);
    if !matches!(kind, FileType::RegularFile | FileType::BlockDevice) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let link = format!("/proc/self/fd/{}", found.fd.as_raw_fd());
    let file = File::from(rustix::fs::open(link, flags, Mode::empty())?);
    let mut header = vec![0; HEADER];
    let mut length = 0;
    while let Some(rest) = header.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    header.truncate(length);
    Ok(header)
}

/// The relative name in a header of qcow2, and the format that goes with it.
fn backing(header: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let number = |at: usize| Some(u32::from_be_bytes(*header.get(at..)?.first_chunk()?));
    if !header.starts_with(MAGIC) {
        return None;
    }
    let offset = u64::from_be_bytes(*header.get(8..)?.first_chunk()?);
    let offset = usize::try_from(offset).ok()?;
    let length = usize::try_from(number(16)?).ok()?;
    if offset == 0 || length == 0 || length > LONGEST_NAME {
        return None;
    }
    let name = header.get(offset..offset.checked_add(length)?)?;
    // A name of a protocol has a colon before any slash.
    let first = name.iter().find(|byte| matches!(byte, b'/' | b':'));
    if name.starts_with(b"/") || first == Some(&b':') || name.contains(&0) {
        return None;
    }
    let mut at = match number(4)? {
        2 => 72,
        _ => usize::try_from(number(100)?).ok()?,
    };
    loop {
        let (Some(kind), Some(length)) = (number(at), number(at.checked_add(4)?)) else {
            return Some((name, None));
        };
        let length = usize::try_from(length).ok()?;
        let data = at.checked_add(8)?;
        match kind {
            EXTENSION_END => return Some((name, None)),
            EXTENSION_BACKING_FORMAT => {
                return Some((name, header.get(data..data.checked_add(length)?)));
            }
            _ => at = data.checked_add(length.checked_next_multiple_of(8)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of qcow2 with extensions and the name behind them.
    fn header(version: u32, extensions: &[(u32, &[u8])], name: &[u8]) -> Vec<u8> {
        let start = if version == 2 { 72 } else { 104 };
        let mut header = vec![0; start];
        for (kind, data) in extensions {
            header.extend(kind.to_be_bytes());
            header.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
            header.extend(*data);
            header.resize(header.len().next_multiple_of(8), 0);
        }
        header.extend([0; 8]);
        let offset = header.len() as u64;
        header.extend(name);
        header[..4].copy_from_slice(MAGIC);
        header[4..8].copy_from_slice(&version.to_be_bytes());
        header[8..16].copy_from_slice(&offset.to_be_bytes());
        header[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
        if version == 3 {
            header[100..104].copy_from_slice(&104_u32.to_be_bytes());
        }
        header
    }

    #[test]
    fn relative_names_are_found_and_no_others() {
        let format: (u32, &[u8]) = (EXTENSION_BACKING_FORMAT, b"raw");
        let other: (u32, &[u8]) = (0x6803_f857, b"features...");
        for version in [2, 3] {
            let found = header(version, &[other, format], b"sub/base.img");
            let expected = (&b"sub/base.img"[..], Some(&b"raw"[..]));
            assert_eq!(backing(&found), Some(expected));
            let bare = header(version, &[other], b"base.img");
            assert_eq!(backing(&bare), Some((&b"base.img"[..], None)));
            for name in ["/srv/base.img", "nbd://host/x", "json:{}", "file:base", ""] {
                let absolute = header(version, &[format], name.as_bytes());
                assert_eq!(backing(&absolute), None, "{name}");
            }
        }
    }

    #[test]
    fn headers_that_lie_are_passed_over() {
        let whole = header(3, &[(EXTENSION_BACKING_FORMAT, b"qcow2")], b"base.img");
        for length in 0..whole.len() {
            let _ = backing(&whole[..length]);
        }
        for at in 4..whole.len().min(120) {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = backing(&changed);
            }
        }
    }

    #[test]
    fn a_file_beside_the_image_is_named_by_its_whole_path() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let image = dir.join("disk.qcow2");
        let with = |format: &[u8]| {
            let extensions = [(EXTENSION_BACKING_FORMAT, format)];
            std::fs::write(&image, header(3, &extensions, b"base.img")).unwrap();
            of(&image)
        };
        let found = with(b"raw").unwrap().unwrap();
        assert_eq!(found.path, dir.join("base.img"));
        assert_eq!(found.format, ImageFormat::Raw);
        let error = with(b"unheard-of").unwrap().unwrap_err();
        assert!(error.message.contains("base.img"), "{}", error.message);
        assert!(of(&dir.join("missing")).is_none());
    }
}
