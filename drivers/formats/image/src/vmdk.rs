//! vmdk: an image in one file, with a description in it.

use super::bytes::{Source, header, le32, le64, part, text};
use super::format::Format;
use super::probe::VMDK;
use super::{Image, ImageError, LONGEST_NAME, Reference, damaged, size};

const F: Format = Format::Vmdk;

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// A description is not longer than this, bytes; QEMU takes 20 KiB.
const LONGEST_DESCRIPTION: u64 = 64 << 10;
/// What stands before the name of the image that it is based on.
const PARENT: &str = "parentFileNameHint=\"";

/// Reads a header of vmdk.
pub(crate) fn read(source: &(impl Source + ?Sized)) -> Result<Image, ImageError> {
    let head = header(source, F, 512, 0, VMDK)?;
    let version = le32(&head, 4);
    if !(1..=3).contains(&version) {
        return Err(damaged(F, format!("version {version} is not known")));
    }
    let bytes = le64(&head, 12).checked_mul(SECTOR);
    let (at, length) = (le64(&head, 28), le64(&head, 36));
    let mut backing = None;
    if at != 0 && length != 0 {
        let at = at.checked_mul(SECTOR);
        let at = at.ok_or_else(|| damaged(F, "its description is behind every file's end"))?;
        let length = length.saturating_mul(SECTOR).min(LONGEST_DESCRIPTION);
        let description = part(source, at, usize::try_from(length).unwrap_or(0))?;
        backing = parent(&description)?;
    }
    Ok(Image {
        virtual_size: Some(size(F, bytes)?),
        backing,
        ..Image::of(F)
    })
}

/// The image that a description says it is based on.
fn parent(description: &[u8]) -> Result<Option<Reference>, ImageError> {
    let end = description.iter().position(|byte| *byte == 0);
    let description = &description[..end.unwrap_or(description.len())];
    for line in description.split(|byte| *byte == b'\n') {
        let Some(rest) = line.trim_ascii_start().strip_prefix(PARENT.as_bytes()) else {
            continue;
        };
        let end = rest.iter().position(|byte| *byte == b'"');
        let Some(name) = end.and_then(|end| rest.get(..end)) else {
            return Err(damaged(F, "the name of its parent has no end"));
        };
        if name.len() > LONGEST_NAME {
            return Err(damaged(F, "the name of its parent is too long"));
        }
        let name = text(F, name.to_vec())?;
        return Ok((!name.is_empty()).then_some(Reference { name, format: None }));
    }
    Ok(None)
}
