//! Where an image is read from, and numbers in what was read.

use std::fs::File;
use std::io;

use super::{Format, ImageError, LONGEST_NAME, damaged};

/// The bytes of an image. May block.
pub trait Source {
    /// Reads some bytes; 0 at its end and behind it.
    ///
    /// # Errors
    /// Those of the medium.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
}

impl Source for File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, at)
    }
}

impl Source for [u8] {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..));
        let rest = rest.unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// The bytes from a position on: as many as asked for, or fewer at the end.
pub(crate) fn part(
    source: &(impl Source + ?Sized),
    at: u64,
    length: usize,
) -> Result<Vec<u8>, ImageError> {
    let mut bytes = vec![0; length];
    let mut there = 0;
    while there < length {
        match source.read_at(&mut bytes[there..], at.saturating_add(there as u64)) {
            Ok(0) => break,
            Ok(more) => there += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ImageError::Read(error)),
        }
    }
    bytes.truncate(there);
    Ok(bytes)
}

/// A header of this length, which begins so.
pub(crate) fn header(
    source: &(impl Source + ?Sized),
    format: Format,
    length: usize,
    at: usize,
    magic: &[u8],
) -> Result<Vec<u8>, ImageError> {
    let bytes = part(source, 0, length)?;
    let begins = bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if bytes.len() < length || !begins {
        return Err(ImageError::NotThis(format));
    }
    Ok(bytes)
}

/// A name of this length at this position.
pub(crate) fn name(
    source: &(impl Source + ?Sized),
    format: Format,
    at: u64,
    length: u64,
) -> Result<String, ImageError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > LONGEST_NAME {
        let wrong = format!("a name in it has {length} bytes, and the longest has {LONGEST_NAME}");
        return Err(damaged(format, wrong));
    }
    let bytes = part(source, at, length)?;
    if bytes.len() < length {
        return Err(damaged(format, "it ends within a name"));
    }
    text(format, bytes)
}

/// A name as text.
pub(crate) fn text(format: Format, bytes: Vec<u8>) -> Result<String, ImageError> {
    let text = String::from_utf8(bytes).ok();
    text.filter(|text| !text.contains('\0'))
        .ok_or_else(|| damaged(format, "a name in it is no text"))
}

/// `N` bytes at a position; zeroes behind the end, which callers do not reach after [`header`].
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let found = at.checked_add(N).and_then(|end| bytes.get(at..end));
    found
        .and_then(|found| found.try_into().ok())
        .unwrap_or([0; N])
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(bytes, at))
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(bytes, at))
}

pub(crate) fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(bytes, at))
}

pub(crate) fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(crate) fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}
