//! Headers of disk images: which format, how large for a guest, what an image is based on and where else its data is, how it is encrypted.
//!
//! Nothing is written, no file is opened, and no name that an image gives is followed: whoever wants the file behind a name decides whether it may
//! be had. All that is read may have been written by a guest: names have limits, positions are checked, and nothing is read but a few kilobytes.
//!
//! - [`probe`] tells the format by what is at its beginning. A disk whose format is known is not probed: a guest that writes the header of another
//!   format to its raw disk must not make it one.
//! - [`read()`] reads the header of an image whose format is known.

#![forbid(unsafe_code)]

mod bytes;
mod format;
mod old;
mod probe;
mod qcow2;
mod vmdk;

use std::io;

pub use bytes::Source;
pub use format::Format;
pub use old::luks_payload;
pub use probe::probe;

/// A name in a header is not longer than this, bytes.
pub const LONGEST_NAME: usize = 1023;

/// Why a header cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The medium.
    #[error("the image cannot be read")]
    Read(#[source] io::Error),
    /// The image has another format than was said, or is too short to have it.
    #[error("it is no image of format {}", .0.as_str())]
    NotThis(Format),
    /// Something in the header cannot be.
    #[error("the header of the {} image is damaged: {wrong}", .format.as_str())]
    Damaged {
        /// The format.
        format: Format,
        /// What is wrong.
        wrong: String,
    },
}

/// Another image, by the name that the header gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name as it stands there: a path, relative to the image if it is not absolute, or a text of QEMU's such as `json:{…}` or
    /// `nbd://…`.
    pub name: String,
    /// The format that the header says it has. Where it says nothing, nobody can know.
    pub format: Option<String>,
}

/// How the content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// The old one of qcow and qcow2.
    Aes,
    /// LUKS of this version; inside of qcow2 always 1.
    Luks(u16),
}

/// What a header tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its format.
    pub format: Format,
    /// The size of the disk that a guest sees, bytes. Nothing where the header does not tell: then it is the size of the file.
    pub virtual_size: Option<u64>,
    /// The image that it is based on.
    pub backing: Option<Reference>,
    /// The file that has the guest's data (qcow2).
    pub data_file: Option<Reference>,
    /// How it is encrypted.
    pub encryption: Option<Encryption>,
    /// Version of qcow2: `0.10` or `1.1`.
    pub compat: Option<&'static str>,
    /// Bytes of a cluster (qcow2, qed).
    pub cluster_size: Option<u64>,
    /// Whether reference counts are written late (qcow2).
    pub lazy_refcounts: bool,
    /// Whether a cluster consists of smaller parts (qcow2).
    pub extended_l2: bool,
}

impl Image {
    /// An image of which nothing but the format is known.
    #[must_use]
    pub const fn of(format: Format) -> Self {
        Self {
            format,
            virtual_size: None,
            backing: None,
            data_file: None,
            encryption: None,
            compat: None,
            cluster_size: None,
            lazy_refcounts: false,
            extended_l2: false,
        }
    }
}

/// Reads the header of an image that has this format. Of a raw one nothing is read.
///
/// # Errors
/// [`ImageError`].
pub fn read(source: &(impl Source + ?Sized), format: Format) -> Result<Image, ImageError> {
    match format {
        Format::Raw | Format::Bochs | Format::Cloop | Format::Dmg | Format::Vhdx => {
            Ok(Image::of(format))
        }
        Format::Iso => old::iso(source),
        Format::Luks => old::luks(source),
        Format::Cow => old::cow(source),
        Format::Qcow => qcow2::version_1(source),
        Format::Qcow2 => qcow2::read(source),
        Format::Qed => old::qed(source),
        Format::Vdi => old::vdi(source),
        Format::Vpc => old::vpc(source),
        Format::Vmdk => vmdk::read(source),
    }
}

fn damaged(format: Format, wrong: impl Into<String>) -> ImageError {
    let wrong = wrong.into();
    ImageError::Damaged { format, wrong }
}

/// A size that files can have.
fn size(format: Format, bytes: Option<u64>) -> Result<u64, ImageError> {
    let bytes = bytes.filter(|bytes| i64::try_from(*bytes).is_ok());
    bytes.ok_or_else(|| damaged(format, "the size of the disk is more than 8 EiB"))
}

#[cfg(test)]
mod tests;
