//! qcow2 of both versions, and qcow.

use super::bytes::{Source, be32, be64, header, name, part, text};
use super::format::Format;
use super::probe::QCOW;
use super::{Encryption, Image, ImageError, LONGEST_NAME, Reference, damaged, size};

/// Bytes of the header of version 2.
const VERSION_2: usize = 72;
/// Bytes that a header of version 3 has at least.
const VERSION_3: usize = 104;
/// Extensions are looked for in so many bytes. They are within the first cluster; what QEMU writes there takes less than 1 KiB.
const MOST_EXTENSIONS: usize = 64 << 10;
/// What a header of version 3 may have before its extensions, bytes.
const LONGEST_HEADER: u32 = 4096;

/// The guest's data is in another file.
const DATA_FILE: u64 = 1 << 2;
const EXTENDED_L2: u64 = 1 << 4;
const LAZY_REFCOUNTS: u64 = 1;

const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;

const F: Format = Format::Qcow2;

/// Reads a header of qcow2.
pub(crate) fn read(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    let head = header(source, F, VERSION_2, 0, QCOW)?;
    let version = be32(&head, 4);
    let bits = be32(&head, 20);
    if !(9..=21).contains(&bits) {
        return Err(damaged(F, format!("its clusters have 2^{bits} bytes")));
    }
    let mut image = Image {
        virtual_size: Some(size(F, Some(be64(&head, 24)))?),
        cluster_size: Some(1 << bits),
        encryption: encryption(F, be32(&head, 32))?,
        ..Image::of(F)
    };
    let extensions_at = match version {
        2 => {
            image.compat = Some("0.10");
            VERSION_2
        }
        3 => {
            image.compat = Some("1.1");
            version_3(source, &mut image)?
        }
        other => return Err(damaged(F, format!("version {other} is not known"))),
    };
    let (at, length) = (be64(&head, 8), u64::from(be32(&head, 16)));
    let has_backing = at != 0 && length != 0;
    if has_backing {
        let end = at.checked_add(length);
        if end.is_none_or(|end| end > 1 << bits) {
            return Err(damaged(
                F,
                "the backing file's name is not within the first cluster",
            ));
        }
        image.backing = Some(Reference {
            name: name(source, F, at, length)?,
            format: None,
        });
    }
    let end = if at != 0 {
        at.min(1 << bits)
    } else {
        1 << bits
    };
    extensions(source, extensions_at, end, &mut image)?;
    Ok(image)
}

/// What a header of version 3 has besides; where its extensions begin.
fn version_3(source: &(impl Source + ?Sized), image: &mut Image) -> Result<usize, ImageError> {
    let head = part(source, 0, VERSION_3)?;
    let length = be32(&head, 100);
    if head.len() < VERSION_3
        || !(104..=LONGEST_HEADER).contains(&length)
        || !length.is_multiple_of(8)
    {
        return Err(damaged(F, format!("it says that it has {length} bytes")));
    }
    let incompatible = be64(&head, 72);
    image.extended_l2 = incompatible & EXTENDED_L2 != 0;
    image.lazy_refcounts = be64(&head, 80) & LAZY_REFCOUNTS != 0;
    if incompatible & DATA_FILE != 0 {
        // Its name is in an extension, or else only known to whoever opens the image.
        image.data_file = Some(Reference {
            name: String::new(),
            format: Some("raw".to_owned()),
        });
    }
    usize::try_from(length).map_err(|_| damaged(F, "it is too long"))
}

fn extensions(
    source: &(impl Source + ?Sized),
    at: usize,
    end: u64,
    image: &mut Image,
) -> Result<(), ImageError> {
    let end = usize::try_from(end).map_or(MOST_EXTENSIONS, |end| end.min(MOST_EXTENSIONS));
    let bytes = part(source, at as u64, end.saturating_sub(at))?;
    let mut rest = bytes.as_slice();
    while let Some((head, behind)) = rest.split_at_checked(8) {
        let (kind, length) = (be32(head, 0), be32(head, 4));
        if kind == EXTENSION_END {
            break;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((data, behind)) = behind.split_at_checked(length) else {
            return Err(damaged(F, "an extension is longer than the header"));
        };
        if matches!(kind, EXTENSION_BACKING_FORMAT | EXTENSION_DATA_FILE) && length > LONGEST_NAME {
            return Err(damaged(F, format!("a name in it has {length} bytes")));
        }
        match kind {
            EXTENSION_BACKING_FORMAT => {
                let format = text(F, data.to_vec())?;
                if let Some(backing) = &mut image.backing {
                    backing.format = Some(format);
                }
            }
            EXTENSION_DATA_FILE => {
                let name = text(F, data.to_vec())?;
                if let Some(file) = &mut image.data_file {
                    file.name = name;
                }
            }
            _ => {}
        }
        let padding = length.next_multiple_of(8) - length;
        rest = behind.get(padding..).unwrap_or_default();
    }
    if image
        .data_file
        .as_ref()
        .is_some_and(|file| file.name.is_empty())
    {
        return Err(damaged(F, "it does not name the file that has its data"));
    }
    Ok(())
}

fn encryption(format: Format, method: u32) -> Result<Option<Encryption>, ImageError> {
    match method {
        0 => Ok(None),
        1 => Ok(Some(Encryption::Aes)),
        2 if format == Format::Qcow2 => Ok(Some(Encryption::Luks(1))),
        other => Err(damaged(format, format!("encryption {other} is not known"))),
    }
}

/// Reads a header of qcow.
pub(crate) fn version_1(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    const F: Format = Format::Qcow;
    let head = header(source, F, 48, 0, QCOW)?;
    if be32(&head, 4) != 1 {
        return Err(ImageError::NotThis(F));
    }
    let (at, length) = (be64(&head, 8), u64::from(be32(&head, 16)));
    let backing = if at != 0 && length != 0 {
        let name = name(source, F, at, length)?;
        Some(Reference { name, format: None })
    } else {
        None
    };
    Ok(Image {
        virtual_size: Some(size(F, Some(be64(&head, 24)))?),
        backing,
        encryption: encryption(F, be32(&head, 36))?,
        ..Image::of(F)
    })
}
