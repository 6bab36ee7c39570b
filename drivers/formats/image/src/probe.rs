//! How each format is told by its beginning.

use super::ImageError;
use super::bytes::{Source, be32, part};
use super::format::Format;

/// What an image begins with.
struct Magic {
    format: Format,
    at: usize,
    bytes: &'static [u8],
    /// A number behind it that tells formats apart: where, and which ones.
    version: Option<(usize, &'static [u32])>,
}

const fn magic(format: Format, at: usize, bytes: &'static [u8]) -> Magic {
    Magic {
        format,
        at,
        bytes,
        version: None,
    }
}

const fn versioned(
    format: Format,
    bytes: &'static [u8],
    at: usize,
    versions: &'static [u32],
) -> Magic {
    Magic {
        format,
        at: 0,
        bytes,
        version: Some((at, versions)),
    }
}

pub(crate) const QCOW: &[u8] = b"QFI\xfb";
pub(crate) const QED: &[u8] = b"QED\0";
pub(crate) const VDI: &[u8] = b"\x7f\x10\xda\xbe";
pub(crate) const VDI_AT: usize = 64;
pub(crate) const VPC: &[u8] = b"conectix";
pub(crate) const VMDK: &[u8] = b"KDMV";
pub(crate) const LUKS: &[u8] = b"LUKS\xba\xbe";
pub(crate) const COW: &[u8] = b"OOOM";

/// So many bytes are read to tell all formats but ISO.
const HEAD: usize = 512;

const MAGICS: &[Magic] = &[
    versioned(Format::Qcow, QCOW, 4, &[1]),
    versioned(Format::Qcow2, QCOW, 4, &[2, 3]),
    magic(Format::Qed, 0, QED),
    magic(Format::Vdi, VDI_AT, VDI),
    magic(Format::Vpc, 0, VPC),
    magic(Format::Vmdk, 0, VMDK),
    magic(Format::Vhdx, 0, b"vhdxfile"),
    magic(Format::Luks, 0, LUKS),
    magic(Format::Bochs, 0, b"Bochs Virtual HD Image"),
    magic(Format::Cow, 0, COW),
    magic(Format::Cloop, 0, b"#!/bin/sh\n#V2.0 Format"),
];

/// Where an ISO 9660 file system says what it is.
const ISO_AT: u64 = 16 * 2048 + 1;

impl Magic {
    fn is_of(&self, head: &[u8]) -> bool {
        let begins = head
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(self.bytes));
        begins
            && self
                .version
                .is_none_or(|(at, versions)| versions.contains(&be32(head, at)))
    }
}

/// The format that the beginning looks like; raw if it looks like none.
///
/// # Errors
/// If the image cannot be read.
pub fn probe(source: &(impl Source + ?Sized)) -> Result<Format, ImageError> {
    let head = part(source, 0, HEAD)?;
    if let Some(magic) = MAGICS.iter().find(|magic| magic.is_of(&head)) {
        return Ok(magic.format);
    }
    if head.len() == HEAD && part(source, ISO_AT, 5)? == b"CD001" {
        return Ok(Format::Iso);
    }
    Ok(Format::Raw)
}
