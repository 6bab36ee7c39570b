//! Content of raw volumes, copied and overwritten. Blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{SeekFrom, copy_file_range, ioctl_ficlone, seek};
use rustix::io::Errno;

/// So many bytes are written at once.
pub(crate) const CHUNK: usize = 1 << 20;

/// Copies all of a file into an empty one: by sharing its blocks where the file system can, else its data, and its holes stay holes. Whether blocks
/// are shared.
///
/// # Errors
/// Those of the files; with `must_share`, `Unsupported` or `CrossesDevices` if no blocks can be shared.
pub(crate) fn copy(from: &File, to: &File, must_share: bool) -> io::Result<bool> {
    match ioctl_ficlone(to, from) {
        Ok(()) => return Ok(true),
        Err(Errno::XDEV) if must_share => return Err(io::ErrorKind::CrossesDevices.into()),
        Err(_) if must_share => return Err(io::ErrorKind::Unsupported.into()),
        Err(_) => {}
    }
    let end = from.metadata()?.len();
    to.set_len(end)?;
    let mut at = 0;
    while at < end {
        let data = match seek(from, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            Err(errno) => return Err(errno.into()),
        };
        let hole = match seek(from, SeekFrom::Hole(data)) {
            Ok(hole) => hole.min(end),
            Err(_) => end,
        };
        copy_data(from, to, data, hole)?;
        at = hole.max(at.saturating_add(1));
    }
    Ok(false)
}

fn copy_data(from: &File, to: &File, mut at: u64, end: u64) -> io::Result<()> {
    let mut buffer = Vec::new();
    while at < end {
        let (mut here, mut there) = (at, at);
        let length = usize::try_from(end - at).map_or(CHUNK * 64, |left| left.min(CHUNK * 64));
        if buffer.is_empty() {
            match copy_file_range(from, Some(&mut here), to, Some(&mut there), length) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(copied) => {
                    at += copied as u64;
                    continue;
                }
                Err(Errno::NOSPC) => return Err(Errno::NOSPC.into()),
                // The kernel cannot between these two.
                Err(_) => buffer = vec![0; CHUNK],
            }
        }
        let length = length.min(CHUNK);
        let read = from.read_at(&mut buffer[..length], at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
    Ok(())
}

/// Writes zeroes.
pub(crate) fn write_zeroes(file: &File, at: u64, length: u64) -> io::Result<()> {
    let zeroes = vec![0; CHUNK];
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        file.write_all_at(&zeroes[..now], at + (length - left))?;
        left -= now as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn holes_stay_holes() {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            options.open(dir.path().join(name)).unwrap()
        };
        let (from, to) = (open("from"), open("to"));
        from.set_len(64 << 20).unwrap();
        from.write_all_at(b"middle", 32 << 20).unwrap();
        from.write_all_at(b"end", (64 << 20) - 3).unwrap();
        copy(&from, &to, false).unwrap();
        let facts = to.metadata().unwrap();
        assert_eq!(facts.len(), 64 << 20);
        assert!(facts.blocks() * 512 < 8 << 20, "{}", facts.blocks());
        let mut bytes = [0; 6];
        to.read_exact_at(&mut bytes, 32 << 20).unwrap();
        assert_eq!(&bytes, b"middle");
    }
}
