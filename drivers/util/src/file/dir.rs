//! Directories of the daemon's own: made with the wanted owner and mode, listed, cleaned.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::FileError;
use super::write::{TEMPORARY_SUFFIX, own_mark};

/// Who owns a file, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Makes sure that there is a directory with exactly these permission bits and, if given, this
/// owner. Missing parents are made with mode 0755; existing ones are left alone.
///
/// # Errors
///
/// [`FileError::WrongType`] if something else has the name, also a symbolic link.
pub fn ensure_dir(path: &Path, mode: u32, owner: Option<Owner>) -> Result<(), FileError> {
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(|source| FileError::io("create directory", parent, source))?;
    }
    // Nobody gets in before owner and mode are as they should be.
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(FileError::io("create directory", path, source)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(dir) => fs::File::from(dir),
        Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
            return Err(FileError::WrongType {
                path: path.to_owned(),
                expected: "directory",
            });
        }
        Err(errno) => return Err(FileError::io("open directory", path, errno)),
    };
    let facts = dir
        .metadata()
        .map_err(|source| FileError::io("look at", path, source))?;
    if let Some(owner) = owner
        && (facts.uid(), facts.gid()) != (owner.uid, owner.gid)
    {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        rustix::fs::fchown(&dir, Some(uid), Some(gid))
            .map_err(|errno| FileError::io("change the owner of", path, errno))?;
    }
    if facts.mode() & 0o7777 != mode {
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode))
            .map_err(|errno| FileError::io("change the mode of", path, errno))?;
    }
    Ok(())
}

/// The names in a directory that end in `suffix`, sorted, hidden ones as well: whatever was written
/// is found again, or told of by whoever reads it. A directory that does not exist has none.
/// Temporary files of [`super::write_atomic`] have a suffix of their own.
pub fn list_dir(path: &Path, suffix: &str) -> Result<Vec<OsString>, FileError> {
    let failed = |source| FileError::io("list", path, source);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if name.as_encoded_bytes().ends_with(suffix.as_bytes()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes temporary files that a process which died in the middle of [`super::write_atomic`] left
/// in a directory, and answers how many there were. Call it while nobody else writes there: upon
/// start, with the [`super::DirLock`] held.
pub fn sweep_temporary(path: &Path) -> Result<usize, FileError> {
    let failed = |source| FileError::io("clean", path, source);
    let mut swept = 0;
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX) && !name.contains(own_mark()) {
            super::remove(&entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use virtbus_skip::or_skip;

    use std::os::unix::fs::symlink;

    use super::*;
    use crate::test_utils::root;

    #[test]
    fn ensure_makes_and_repairs() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b/c");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        ensure_dir(&dir, 0o711, None).unwrap();
        assert_eq!(mode(&dir), 0o711);
        fs::write(dir.join("kept"), "").unwrap();
        ensure_dir(&dir, 0o2770, None).unwrap();
        assert_eq!(mode(&dir), 0o2770);
        assert!(dir.join("kept").exists());
    }

    #[test]
    fn ensure_refuses_what_is_no_directory() {
        let root = tempfile::tempdir().unwrap();
        let (file, link) = (root.path().join("file"), root.path().join("link"));
        fs::write(&file, "").unwrap();
        symlink(root.path(), &link).unwrap();
        for path in [&file, &link] {
            assert!(matches!(
                ensure_dir(path, 0o755, None),
                Err(FileError::WrongType { .. })
            ));
        }
    }

    #[test]
    fn root_ensure_sets_the_owner() {
        or_skip!(root());
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("dir");
        let owner = Owner {
            uid: 65501,
            gid: 65502,
        };
        ensure_dir(&dir, 0o2750, Some(owner)).unwrap();
        let facts = fs::metadata(&dir).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (65501, 65502));
        assert_eq!(facts.mode() & 0o7777, 0o2750);
    }

    #[test]
    fn list_skips_foreign_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.xml", "a.xml", ".a.xml", "a.xml.bak", "xml"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = list_dir(dir.path(), ".xml").unwrap();
        assert_eq!(found, [".a.xml", "a.xml", "b.xml"]);
        assert!(list_dir(&dir.path().join("none"), "").unwrap().is_empty());
    }

    #[test]
    fn sweep_takes_leftovers_only() {
        let dir = tempfile::tempdir().unwrap();
        let own = super::super::write::temporary_name("x".as_ref());
        for name in [".web.xml.1.7.new", own.as_str(), "web.new", ".hidden"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(sweep_temporary(dir.path()).unwrap(), 1);
        assert!(!dir.path().join(".web.xml.1.7.new").exists());
        assert!(dir.path().join(own).exists());
    }
}
