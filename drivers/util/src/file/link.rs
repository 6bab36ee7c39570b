//! Symbolic links, as used to mark what starts by itself: the link in the autostart directory
//! leads to the definition.

use std::io;
use std::path::Path;

use rustix::fs::AtFlags;

use super::FileError;
use super::write::{open_parent, sync, temporary_name};

/// Makes `link` a symbolic link to `target`, durably, replacing a link or file that is there. At no
/// moment is there no link.
pub fn link(target: &Path, link: &Path) -> Result<(), FileError> {
    let failed = |source: io::Error| FileError::io("create link", link, source);
    if is_link_to(link, target)? {
        return Ok(());
    }
    let (dir, name) = open_parent(link)?;
    let temporary = temporary_name(name);
    rustix::fs::symlinkat(target, &dir, &temporary).map_err(|errno| failed(errno.into()))?;
    if let Err(errno) = rustix::fs::renameat(&dir, &temporary, &dir, name) {
        // The first error is the one that counts.
        let _ = rustix::fs::unlinkat(&dir, &temporary, AtFlags::empty());
        return Err(failed(errno.into()));
    }
    sync(&dir).map_err(failed)
}

/// Whether `link` is a symbolic link with exactly this target, which need not exist.
pub fn is_link_to(link: &Path, target: &Path) -> Result<bool, FileError> {
    match std::fs::read_link(link) {
        Ok(found) => Ok(found == target),
        // InvalidInput: there is something else than a link.
        Err(source)
            if matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(false)
        }
        Err(source) => Err(FileError::io("read link", link, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_is_made_replaced_and_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("autostart.xml");
        let (one, two) = (Path::new("/etc/one.xml"), Path::new("/etc/two.xml"));
        assert!(!is_link_to(&path, one).unwrap());
        link(one, &path).unwrap();
        link(one, &path).unwrap();
        assert!(is_link_to(&path, one).unwrap());
        link(two, &path).unwrap();
        assert!(is_link_to(&path, two).unwrap());
        assert!(super::super::remove(&path).unwrap());
        std::fs::write(&path, "a file").unwrap();
        assert!(!is_link_to(&path, two).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
