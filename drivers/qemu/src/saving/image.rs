//! The file of a saved guest: a header, the definition, and QEMU's own stream after it.
//!
//! The form is libvirt's (`LibvirtQemudSave`, version 2), so that administrators' tools know it. Until everything is on disk the file
//! begins with another word, by which what a crash left is told from what can be restored. Everything here blocks.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use virtbus_api::{Error, ErrorCode, ErrorDomain};

/// A file that holds a whole guest begins so.
const COMPLETE: &[u8; 16] = b"LibvirtQemudSave";

/// A file that is being written begins so.
const PARTIAL: &[u8; 16] = b"LibvirtQemudPart";

/// The form of the header.
const VERSION: u32 = 2;

/// The header's size: the word, five numbers, and fourteen that are reserved.
const HEADER: u64 = 16 + 5 * 4 + 14 * 4;

/// No definition is longer; what is longer was not written by us. Bytes.
const LONGEST: u32 = 16 << 20;

/// Room after a definition for a longer one in its place. Bytes.
const SPARE: u32 = 4096;

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
    #[error("'{0}' is no saved guest")]
    NotAnImage(PathBuf),
    #[error("'{0}' is a saved guest that was not written to its end")]
    Incomplete(PathBuf),
    #[error("'{path}' is a saved guest of the form {version}, not {VERSION}")]
    Version { path: PathBuf, version: u32 },
    #[error("'{0}' is a saved guest that is compressed, which is not supported")]
    Compressed(PathBuf),
    #[error("the definition has {size} bytes, and '{path}' has room for {room}")]
    TooLong {
        path: PathBuf,
        size: usize,
        room: u32,
    },
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        let code = match error {
            ImageError::Io { .. } => ErrorCode::SystemError,
            ImageError::Compressed(_) | ImageError::Version { .. } => {
                ErrorCode::OperationUnsupported
            }
            ImageError::NotAFile(_) => ErrorCode::InvalidArg,
            ImageError::NotAnImage(_) | ImageError::Incomplete(_) | ImageError::TooLong { .. } => {
                ErrorCode::OperationFailed
            }
        };
        Self::chain(code, ErrorDomain::Qemu, &error)
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    let path = path.to_owned();
    move |source| ImageError::Io {
        action,
        path,
        source,
    }
}

/// What the header of a saved guest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The definition as it ran.
    pub(crate) xml: String,
    /// Whether the guest ran.
    pub(crate) running: bool,
    /// How much room there is for the definition. Bytes.
    room: u32,
}

/// Makes a file to save a guest to, which stands at the place where the guest's state is to be written. It is incomplete until
/// [`complete`] says otherwise.
pub(crate) fn create(path: &Path, xml: &str, running: bool) -> Result<File, ImageError> {
    let mut file = create_empty(path)?;
    let size = u32::try_from(xml.len())
        .ok()
        .filter(|size| *size < LONGEST - SPARE)
        .ok_or_else(|| ImageError::TooLong {
            path: path.to_owned(),
            size: xml.len(),
            room: LONGEST,
        })?;
    let header = encode(PARTIAL, size + SPARE, running);
    let mut text = xml.as_bytes().to_vec();
    text.resize((size + SPARE) as usize, 0);
    let written = file.write_all(&header).and_then(|()| file.write_all(&text));
    written.map_err(failed("write", path))?;
    Ok(file)
}

/// Makes an empty file that only its owner can read, in place of one that is there.
pub(crate) fn create_empty(path: &Path) -> Result<File, ImageError> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(NEVER_WAIT)
        .open(path)
        .map_err(failed("create", path))?;
    check_kind(&file, path)?;
    Ok(file)
}

/// Opening a pipe or a terminal must not wait for its other end.
const NEVER_WAIT: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

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

/// Everything has been written to `file`: it is a saved guest once this returns, whatever happens to the host.
pub(crate) fn complete(file: &File, path: &Path) -> Result<(), ImageError> {
    file.sync_all().map_err(failed("write", path))?;
    mark(file, path, COMPLETE)?;
    let entered = match path.parent() {
        Some(parent) => File::open(parent).and_then(|parent| parent.sync_all()),
        None => Ok(()),
    };
    entered.map_err(failed("write", path))
}

/// Makes a saved guest an incomplete one, whatever happens to the host after this returns. Needs no room on the disk. There is nothing to
/// do about one that is incomplete, or gone.
pub(crate) fn spend(path: &Path) -> Result<(), ImageError> {
    match open_as(path, true) {
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

/// Opens a saved guest. The file stands at the guest's state.
pub(crate) fn open(path: &Path) -> Result<(File, Header), ImageError> {
    open_as(path, false)
}

fn open_as(path: &Path, write: bool) -> Result<(File, Header), ImageError> {
    let mut file = File::options()
        .read(true)
        .write(write)
        .custom_flags(NEVER_WAIT)
        .open(path)
        .map_err(failed("open", path))?;
    check_kind(&file, path)?;
    let header = read_header(&mut file, path)?;
    Ok((file, header))
}

/// Puts another definition and state into a saved guest.
pub(crate) fn rewrite(path: &Path, xml: &str, running: bool) -> Result<(), ImageError> {
    let (file, header) = open_as(path, true)?;
    let fits = xml.len() < header.room as usize;
    if !fits {
        return Err(ImageError::TooLong {
            path: path.to_owned(),
            size: xml.len(),
            room: header.room.saturating_sub(1),
        });
    }
    // Part of the new definition is worth less than the old one: it is written as incomplete first.
    let mut text = encode(PARTIAL, header.room, running).to_vec();
    text.extend(xml.as_bytes());
    text.resize(text.len() - xml.len() + header.room as usize, 0);
    file.write_all_at(&text, 0).map_err(failed("write", path))?;
    complete(&file, path)
}

fn encode(word: &[u8; 16], room: u32, running: bool) -> [u8; HEADER as usize] {
    let mut header = [0; HEADER as usize];
    header[..16].copy_from_slice(word);
    let numbers = [VERSION, room, u32::from(running), 0, 0];
    for (place, number) in header[16..].chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    header
}

fn read_header(file: &mut File, path: &Path) -> Result<Header, ImageError> {
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
    let mut numbers = rest
        .chunks_exact(4)
        .map(|bytes| u32::from_ne_bytes(bytes.try_into().unwrap_or_default()));
    let mut next = || numbers.next().unwrap_or_default();
    let (version, room, running, compressed, cookie) = (next(), next(), next(), next(), next());
    if version != VERSION {
        return Err(ImageError::Version {
            path: path.to_owned(),
            version,
        });
    }
    if compressed != 0 {
        return Err(ImageError::Compressed(path.to_owned()));
    }
    if room == 0 || room > LONGEST {
        return Err(foreign());
    }
    let mut text = vec![0; room as usize];
    file.read_exact(&mut text).map_err(failed("read", path))?;
    file.seek(SeekFrom::Start(HEADER + u64::from(room)))
        .map_err(failed("read", path))?;
    // What libvirt keeps for itself comes after the definition.
    let end = if cookie > 0 && cookie < room {
        cookie
    } else {
        room
    } as usize;
    let text = &text[..end];
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let xml = std::str::from_utf8(text).map_err(|_| foreign())?.to_owned();
    Ok(Header {
        xml,
        running: running != 0,
        room,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(dir: &Path, xml: &str) -> PathBuf {
        let path = dir.join("guest.save");
        let mut file = create(&path, xml, true).unwrap();
        file.write_all(b"state").unwrap();
        complete(&file, &path).unwrap();
        path
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = saved(dir.path(), "<domain/>");
        let (mut file, header) = open(&path).unwrap();
        assert_eq!(header.xml, "<domain/>");
        assert!(header.running);
        let mut state = String::new();
        file.read_to_string(&mut state).unwrap();
        assert_eq!(state, "state");
    }

    #[test]
    fn an_image_that_is_not_complete_is_told_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guest.save");
        drop(create(&path, "<domain/>", true).unwrap());
        assert!(matches!(open(&path), Err(ImageError::Incomplete(_))));
        for foreign in [&b""[..], b"LibvirtQemudSav", &[0; 400], &[b'x'; 400]] {
            std::fs::write(&path, foreign).unwrap();
            assert!(matches!(open(&path), Err(ImageError::NotAnImage(_))));
        }
        let mut huge = encode(COMPLETE, u32::MAX, true).to_vec();
        huge.push(0);
        std::fs::write(&path, huge).unwrap();
        assert!(matches!(open(&path), Err(ImageError::NotAnImage(_))));
        std::fs::write(&path, encode(COMPLETE, 1000, true)).unwrap();
        assert!(matches!(open(&path), Err(ImageError::Io { .. })));
    }

    #[test]
    fn an_image_is_written_off_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = saved(dir.path(), "<domain/>");
        let before = std::fs::read(&path).unwrap();
        spend(&path).unwrap();
        assert!(matches!(open(&path), Err(ImageError::Incomplete(_))));
        spend(&path).unwrap();
        take_back(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        spend(&dir.path().join("gone")).unwrap();
    }

    #[test]
    fn a_definition_is_exchanged_as_long_as_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = saved(dir.path(), "<domain/>");
        let longer = format!("<domain>{}</domain>", "x".repeat(3000));
        rewrite(&path, &longer, false).unwrap();
        let (mut file, header) = open(&path).unwrap();
        assert_eq!((header.xml, header.running), (longer, false));
        let mut state = String::new();
        file.read_to_string(&mut state).unwrap();
        assert_eq!(state, "state");
        let too_long = "x".repeat(5000);
        let refused = rewrite(&path, &too_long, false);
        assert!(matches!(refused, Err(ImageError::TooLong { .. })));
        assert!(open(&path).is_ok(), "a refusal changes nothing");
    }

    #[test]
    fn pipes_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(open(&path), Err(ImageError::NotAFile(_))));
        assert!(create_empty(&path).is_err());
    }
}
