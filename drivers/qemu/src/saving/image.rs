//! The file of a saved guest: a header, room for the definition, and QEMU's own stream after it.
//!
//! ```text
//!   word │ numbers │ identity │ where the text is │ seal ║ room: text, and space for the next one ║ QEMU's stream
//! ```
//!
//! The form is libvirt's (`LibvirtQemudSave`, version 2), so that administrators' tools know it. What is ours stands in numbers that it
//! reserves: an identity, by which a new daemon tells the image of a save under way from an older one, where in the room the
//! definition is, and a seal over the definition (`seal.rs`), which others than the daemon cannot make. Until everything is on disk the file begins with another word, by which what a crash left is told from what can be
//! restored.
//!
//! Another definition is written into the part of the room that is free; then the header is replaced, which is less than a sector of
//! a disk and so happens whole or not at all. The image is complete at every moment. Everything here blocks.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use virtbus_api::{Error, ErrorCode, ErrorDomain, Uuid};
use virtbus_util::file::acting::ActError;

use crate::seal::{SEAL, SealError, SealKey};

/// A file that holds a whole guest begins so.
const COMPLETE: &[u8; 16] = b"LibvirtQemudSave";

/// A file that is being written begins so.
const PARTIAL: &[u8; 16] = b"LibvirtQemudPart";

/// The form of the header.
const VERSION: u32 = 2;

/// How many numbers follow the word: five, and fourteen that libvirt reserves.
const NUMBERS: usize = 5 + 14;

/// The header's size: the word and the numbers. Bytes.
const HEADER: u64 = 16 + 4 * NUMBERS as u64;

/// Among the reserved numbers: what follows is ours.
const OURS: u32 = u32::from_ne_bytes(*b"vbus");

/// No definition is longer; what is longer was not written by us. Bytes.
const LONGEST: u32 = 16 << 20;

/// No room is larger: two of the longest definitions. Bytes.
const MOST_ROOM: u32 = 2 * (LONGEST + SPARE);

/// A definition may grow by so much without moving anything. Bytes.
const SPARE: u32 = 16 << 10;

/// What stands in the way of a saved guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("cannot {action} '{path}'")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("'{0}' is neither a regular file nor a block device")]
    NotAFile(PathBuf),
    #[error("'{0}' is not a regular file")]
    NotRegular(PathBuf),
    #[error("'{path}' exists already, and {why}; choose another name, or remove it first")]
    Taken { path: PathBuf, why: &'static str },
    #[error(
        "'{path}' cannot be made; only root may have guests' memory put anywhere, others where the guests' user may write, and below {dirs} and the directories of the setting save_dirs"
    )]
    Rights {
        path: PathBuf,
        dirs: String,
        source: Box<ActError>,
    },
    #[error("'{0}' is not a saved guest")]
    NotAnImage(PathBuf),
    #[error("'{0}' is an incomplete saved guest")]
    Incomplete(PathBuf),
    #[error(
        "'{0}' is a saved guest that this host did not write, or that was changed since; whoever trusts its definition makes it root's, in a directory that only root can change"
    )]
    Unsealed(PathBuf),
    #[error(
        "the managed save '{0}' was not written by this daemon, or was changed since; root may restore it (DomainRestore with this path), or remove it (ManagedSaveRemove) to start the domain anew"
    )]
    UnsealedManaged(PathBuf),
    #[error("the directory of '{0}' was exchanged meanwhile")]
    Moved(PathBuf),
    #[error("'{path}' is a saved guest of the form {version}, not {VERSION}")]
    Version { path: PathBuf, version: u32 },
    #[error("'{0}' is a saved guest that is compressed, which is not supported")]
    Compressed(PathBuf),
    #[error(
        "the definition has {size} bytes, and '{path}' has room for {room}; start the guest from it, and save it again"
    )]
    TooLong {
        path: PathBuf,
        size: usize,
        room: u32,
    },
}

impl ImageError {
    /// Whether there is no such file.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<SealError> for ImageError {
    fn from(error: SealError) -> Self {
        let SealError {
            action,
            path,
            source,
        } = error;
        Self::Io {
            action,
            path,
            source,
        }
    }
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        let code = match error {
            ImageError::Io { .. } => ErrorCode::SystemError,
            ImageError::Compressed(_) | ImageError::Version { .. } => {
                ErrorCode::OperationUnsupported
            }
            ImageError::NotAFile(_) | ImageError::NotRegular(_) => ErrorCode::InvalidArg,
            ImageError::Taken { .. }
            | ImageError::Rights { .. }
            | ImageError::Unsealed(_)
            | ImageError::UnsealedManaged(_)
            | ImageError::Moved(_) => ErrorCode::OperationDenied,
            ImageError::NotAnImage(_) | ImageError::Incomplete(_) | ImageError::TooLong { .. } => {
                ErrorCode::OperationFailed
            }
        };
        Self::chain(code, ErrorDomain::Qemu, &error)
    }
}

/// Puts what was being done, and to what, before the kernel's answer.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    let path = path.to_owned();
    move |source| ImageError::Io {
        action,
        path,
        source,
    }
}

/// Where in the room a text is. Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    offset: u32,
    length: u32,
}

impl Place {
    /// Behind the text and the zero that ends it.
    const fn end(self) -> u32 {
        self.offset.saturating_add(self.length).saturating_add(1)
    }
}

/// What the header of a saved guest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The definition as it ran.
    pub(crate) xml: String,
    /// Whether the guest ran.
    pub(crate) running: bool,
    /// Which image this is; none if another program wrote it, or an earlier form of this one.
    pub(crate) identity: Option<Uuid>,
    /// How much room there is for definitions. Bytes.
    room: u32,
    /// Where libvirt keeps something for itself, behind the definition; 0 if nowhere.
    cookie: u32,
    /// Where the definition is.
    place: Place,
    /// By which the daemon knows that it wrote this; zeros if it did not.
    seal: [u8; SEAL],
}

/// Writes the beginning of a saved guest to an empty file, which stands at the place for the guest's state then. It is incomplete until
/// [`complete`] says otherwise.
pub(crate) fn begin(
    file: &mut File,
    path: &Path,
    xml: &str,
    running: bool,
    identity: Uuid,
) -> Result<Header, ImageError> {
    let length = length_of(xml).ok_or_else(|| ImageError::TooLong {
        path: path.to_owned(),
        size: xml.len(),
        room: LONGEST,
    })?;
    // Room for a second one beside it.
    let room = 2 * (length + SPARE);
    let header = Header {
        xml: xml.to_owned(),
        running,
        identity: Some(identity),
        room,
        cookie: 0,
        place: Place { offset: 0, length },
        seal: [0; SEAL],
    };
    let mut text = header.encode(PARTIAL).to_vec();
    text.extend(xml.as_bytes());
    text.resize(HEADER as usize + room as usize, 0);
    file.write_all(&text).map_err(failed("write", path))?;
    Ok(header)
}

fn length_of(xml: &str) -> Option<u32> {
    let length = u32::try_from(xml.len()).ok()?;
    (length < LONGEST).then_some(length)
}

/// Opening a pipe or a terminal must not wait for its other end.
pub(super) const NEVER_WAIT: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

fn check_kind(file: &File, path: &Path) -> Result<(), ImageError> {
    let kind = file
        .metadata()
        .map_err(failed("look at", path))?
        .file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(());
    }
    Err(ImageError::NotAFile(path.to_owned()))
}

/// Everything has been written to `file`: it is a saved guest once this returns, whatever happens to the host. `header` is what was written
/// at the beginning, and is written again with its seal.
pub(crate) fn complete(
    file: &File,
    path: &Path,
    header: Header,
    key: &SealKey,
) -> Result<(), ImageError> {
    file.sync_all().map_err(failed("write", path))?;
    header.sealed(key)?.write_header(file, path)
}

/// Makes a saved guest an incomplete one, whatever happens to the host after this returns. Needs no room on the disk. There is nothing to
/// do about one that is incomplete, or gone.
pub(crate) fn spend(path: &Path) -> Result<(), ImageError> {
    match open(path, Access::Change) {
        Ok((file, _)) => mark(&file, path, PARTIAL),
        Err(ImageError::Incomplete(_)) => Ok(()),
        Err(ImageError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Undoes [`spend`].
pub(crate) fn take_back(path: &Path) -> Result<(), ImageError> {
    let file = File::options()
        .write(true)
        .custom_flags(NEVER_WAIT)
        .open(path)
        .map_err(failed("open", path))?;
    mark(&file, path, COMPLETE)
}

fn mark(file: &File, path: &Path, word: &[u8; 16]) -> Result<(), ImageError> {
    let marked = file.write_all_at(word, 0).and_then(|()| file.sync_all());
    marked.map_err(failed("write", path))
}

/// What is to be done with a saved guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It is read.
    Read,
    /// Its header is changed too.
    Change,
}

/// Opens a saved guest. The file stands at the guest's state.
pub(crate) fn open(path: &Path, access: Access) -> Result<(File, Header), ImageError> {
    let mut file = File::options()
        .read(true)
        .write(access == Access::Change)
        .custom_flags(NEVER_WAIT)
        .open(path)
        .map_err(failed("open", path))?;
    check_kind(&file, path)?;
    let header = Header::read(&mut file, path)?;
    Ok((file, header))
}

/// What the header of an open file says, which stands at the guest's state then.
pub(super) fn header(file: &mut File, path: &Path) -> Result<Header, ImageError> {
    Header::read(file, path)
}

/// Whether an open file is the complete saved guest with this identity, as the daemon wrote it.
///
/// # Errors
/// If that cannot be found out.
pub(crate) fn is(
    file: &mut File,
    path: &Path,
    identity: Uuid,
    key: &SealKey,
) -> Result<bool, ImageError> {
    match Header::read(file, path) {
        Ok(header) => Ok(header.identity == Some(identity) && header.is_sealed(key)?),
        Err(error @ ImageError::Io { .. }) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Puts another definition and state into a saved guest that was opened to be changed. `header` is what was read from it, and what is in
/// it then.
///
/// Killed or failing at any point, this leaves the image with the old definition or with the new one.
///
/// # Errors
/// If there is no room, or the disk refuses; the old definition holds then.
pub(crate) fn rewrite(
    file: &File,
    path: &Path,
    header: &mut Header,
    (xml, running): (&str, bool),
    key: &SealKey,
) -> Result<(), ImageError> {
    let too_long = || ImageError::TooLong {
        path: path.to_owned(),
        size: xml.len(),
        room: header.free().map_or(0, |place| place.length),
    };
    let length = length_of(xml).ok_or_else(too_long)?;
    let free = header
        .free()
        .filter(|free| length <= free.length)
        .ok_or_else(too_long)?;
    let mut changed = Header {
        xml: xml.to_owned(),
        running,
        // At the end, so that it fits at the beginning too.
        place: Place {
            offset: free.offset + (free.length - length),
            length,
        },
        ..header.clone()
    }
    .sealed(key)?;
    changed.write_text(file, path)?;
    if let Err(error) = changed.write_header(file, path) {
        // What counts now is not known, and both are whole.
        let _ = header.write_header(file, path);
        return Err(error);
    }
    *header = changed.clone();
    // Other programs look at the beginning of the room.
    let first = Place { offset: 0, length };
    if first.end() <= changed.place.offset {
        changed.place = first;
        let moved = changed
            .write_text(file, path)
            .and_then(|()| changed.write_header(file, path));
        match moved {
            Ok(()) => *header = changed,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    error,
                    "a saved guest keeps its definition behind the place of the old one, ignoring"
                );
            }
        }
    }
    Ok(())
}

impl Header {
    /// What the seal is over: which image it is, whether the guest ran, and the definition, wherever in the room it is.
    fn seal_parts(&self) -> [&[u8]; 4] {
        let identity = self
            .identity
            .as_ref()
            .map_or(&[][..], |identity| &identity.as_bytes()[..]);
        let running: &[u8] = if self.running { b"running" } else { b"paused" };
        [b"saved guest", identity, running, self.xml.as_bytes()]
    }

    fn sealed(mut self, key: &SealKey) -> Result<Self, ImageError> {
        self.seal = key.seal(&self.seal_parts())?;
        Ok(self)
    }

    /// Whether the daemon wrote this, and nobody has changed it. Blocks.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub(super) fn is_sealed(&self, key: &SealKey) -> Result<bool, ImageError> {
        Ok(key.verify(&self.seal_parts(), &self.seal)?)
    }

    /// The largest part of the room that is free, without the zero that ends a text.
    fn free(&self) -> Option<Place> {
        let end = if self.cookie > 0 && self.cookie < self.room {
            self.cookie
        } else {
            self.room
        };
        let before = (0, self.place.offset);
        let after = (self.place.end(), end);
        [before, after]
            .into_iter()
            .filter_map(|(from, to)| {
                let length = to.checked_sub(from)?.checked_sub(1)?;
                Some(Place {
                    offset: from,
                    length,
                })
            })
            .max_by_key(|place| place.length)
    }

    fn write_text(&self, file: &File, path: &Path) -> Result<(), ImageError> {
        let mut text = self.xml.as_bytes().to_vec();
        text.push(0);
        let at = HEADER + u64::from(self.place.offset);
        let written = file.write_all_at(&text, at).and_then(|()| file.sync_all());
        written.map_err(failed("write", path))
    }

    fn write_header(&self, file: &File, path: &Path) -> Result<(), ImageError> {
        let header = self.encode(COMPLETE);
        let written = file.write_all_at(&header, 0).and_then(|()| file.sync_all());
        written.map_err(failed("write", path))
    }

    fn encode(&self, word: &[u8; 16]) -> [u8; HEADER as usize] {
        let mut numbers = [0; NUMBERS];
        numbers[..5].copy_from_slice(&[
            VERSION,
            self.room,
            u32::from(self.running),
            0,
            self.cookie,
        ]);
        let identity = self.identity.unwrap_or(Uuid::nil());
        for (number, bytes) in numbers[5..9]
            .iter_mut()
            .zip(identity.as_bytes().chunks_exact(4))
        {
            *number = u32::from_ne_bytes(bytes.try_into().unwrap_or_default());
        }
        let sum = sum(self.xml.as_bytes());
        numbers[9..14].copy_from_slice(&[
            OURS,
            self.place.offset,
            self.place.length,
            sum as u32,
            (sum >> 32) as u32,
        ]);
        for (number, bytes) in numbers[14..18].iter_mut().zip(self.seal.chunks_exact(4)) {
            *number = u32::from_ne_bytes(bytes.try_into().unwrap_or_default());
        }
        let mut header = [0; HEADER as usize];
        header[..16].copy_from_slice(word);
        for (place, number) in header[16..].chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        header
    }

    fn read(file: &mut File, path: &Path) -> Result<Self, ImageError> {
        let foreign = || ImageError::NotAnImage(path.to_owned());
        let mut bytes = [0; HEADER as usize];
        file.read_exact(&mut bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => foreign(),
                _ => failed("read", path)(error),
            })?;
        let (word, rest) = bytes.split_at(16);
        if word == PARTIAL {
            return Err(ImageError::Incomplete(path.to_owned()));
        }
        if word != COMPLETE {
            return Err(foreign());
        }
        let mut numbers = [0; NUMBERS];
        for (number, bytes) in numbers.iter_mut().zip(rest.chunks_exact(4)) {
            *number = u32::from_ne_bytes(bytes.try_into().unwrap_or_default());
        }
        let [version, room, running, compressed, cookie, ..] = numbers;
        if version != VERSION {
            return Err(ImageError::Version {
                path: path.to_owned(),
                version,
            });
        }
        if compressed != 0 {
            return Err(ImageError::Compressed(path.to_owned()));
        }
        if room == 0 || room > MOST_ROOM {
            return Err(foreign());
        }
        let mut text = vec![0; room as usize];
        file.read_exact(&mut text).map_err(failed("read", path))?;
        file.seek(SeekFrom::Start(HEADER + u64::from(room)))
            .map_err(failed("read", path))?;
        let ours = numbers[9] == OURS;
        let text = if ours {
            let from = numbers[10] as usize;
            let to = from.checked_add(numbers[11] as usize).ok_or_else(foreign)?;
            let text = text.get(from..to).ok_or_else(foreign)?;
            let noted = u64::from(numbers[12]) | u64::from(numbers[13]) << 32;
            if sum(text) != noted {
                return Err(foreign());
            }
            text
        } else {
            text.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        let place = Place {
            offset: if ours { numbers[10] } else { 0 },
            length: u32::try_from(text.len()).map_err(|_| foreign())?,
        };
        let mut identity = [0; 16];
        identity.copy_from_slice(&rest[5 * 4..9 * 4]);
        let identity = Uuid::from_bytes(identity);
        let mut seal = [0; SEAL];
        if ours {
            seal.copy_from_slice(&rest[14 * 4..18 * 4]);
        }
        let xml = std::str::from_utf8(text).map_err(|_| foreign())?.to_owned();
        Ok(Self {
            xml,
            running: running != 0,
            identity: (ours && !identity.is_nil()).then_some(identity),
            room,
            cookie,
            place,
            seal,
        })
    }
}

/// By which a text is told from another, or from part of one (FNV-1a).
fn sum(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
