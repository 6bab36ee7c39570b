//! Formats with short headers: qed, vdi, vpc, cow, LUKS, ISO.

use super::bytes::{Source, be16, be32, be64, header, le32, le64, name, part, text};
use super::format::Format;
use super::probe::{COW, LUKS, QED, VDI, VDI_AT, VPC};
use super::{Encryption, Image, ImageError, Reference, damaged, size};

/// qed: an image is based on another one.
const QED_BACKING: u64 = 1;
/// qed: and that is raw, whatever it looks like.
const QED_BACKING_RAW: u64 = 1 << 2;

/// Reads a header of qed.
pub(crate) fn qed(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    const F: Format = Format::Qed;
    let head = header(source, F, 64, 0, QED)?;
    let cluster = le32(&head, 4);
    if !cluster.is_power_of_two() || !(1 << 12..=1 << 26).contains(&cluster) {
        return Err(damaged(F, format!("its clusters have {cluster} bytes")));
    }
    let features = le64(&head, 16);
    let backing = if features & QED_BACKING != 0 {
        let (at, length) = (u64::from(le32(&head, 56)), u64::from(le32(&head, 60)));
        Some(Reference {
            name: name(source, F, at, length)?,
            format: (features & QED_BACKING_RAW != 0).then(|| "raw".to_owned()),
        })
    } else {
        None
    };
    Ok(Image {
        virtual_size: Some(size(F, Some(le64(&head, 48)))?),
        cluster_size: Some(u64::from(cluster)),
        backing,
        ..Image::of(F)
    })
}

/// Reads a header of vdi.
pub(crate) fn vdi(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    const F: Format = Format::Vdi;
    let head = header(source, F, 376, VDI_AT, VDI)?;
    Ok(Image {
        virtual_size: Some(size(F, Some(le64(&head, 368)))?),
        ..Image::of(F)
    })
}

/// Reads a header of vpc. One of fixed size has it at its end only, and is not looked for there.
pub(crate) fn vpc(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    const F: Format = Format::Vpc;
    let head = header(source, F, 512, 0, VPC)?;
    Ok(Image {
        virtual_size: Some(size(F, Some(be64(&head, 48)))?),
        ..Image::of(F)
    })
}

/// Reads a header of cow.
pub(crate) fn cow(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    const F: Format = Format::Cow;
    let head = header(source, F, 4 + 4 + 1024 + 4 + 8, 0, COW)?;
    let name: Vec<u8> = head[8..1032]
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect();
    let name = text(F, name)?;
    Ok(Image {
        virtual_size: Some(size(F, Some(be64(&head, 1036)))?),
        backing: (!name.is_empty()).then_some(Reference { name, format: None }),
        ..Image::of(F)
    })
}

/// Reads a header of LUKS. How large the disk is depends on the size of the file; of version 1 the header tells what it takes itself.
pub(crate) fn luks(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    const F: Format = Format::Luks;
    let head = header(source, F, 112, 0, LUKS)?;
    match be16(&head, 6) {
        version @ (1 | 2) => Ok(Image {
            encryption: Some(Encryption::Luks(version)),
            ..Image::of(F)
        }),
        other => Err(damaged(F, format!("version {other} is not known"))),
    }
}

/// Where the content of a LUKS image of version 1 begins, bytes; nothing for other versions.
///
/// # Errors
/// [`ImageError`].
pub fn luks_payload(source: &(impl Source + ?Sized)) -> Result<Option<u64>, ImageError> {
    let head = header(source, Format::Luks, 112, 0, LUKS)?;
    Ok((be16(&head, 6) == 1).then(|| u64::from(be32(&head, 104)) * 512))
}

/// Reads the volume descriptor of an ISO file system.
pub(crate) fn iso(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    const F: Format = Format::Iso;
    let head = part(source, 16 * 2048, 6)?;
    if head.get(1..6) != Some(b"CD001") {
        return Err(ImageError::NotThis(F));
    }
    Ok(Image::of(F))
}
