//! What is done to files in a directory that is held, by their names in it: nobody who exchanges a directory on the way leads it elsewhere.
//!
//! With the rights of the thread, and blocking.

use std::ffi::OsStr;
use std::fs::File;
use std::io;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::walk::Place;

impl Place {
    /// Device and inode of the directory.
    #[must_use]
    pub const fn dir_id(&self) -> (u64, u64) {
        (self.dir.facts.st_dev, self.dir.facts.st_ino)
    }

    /// What the kernel says of a name, and of a link if it is one; nothing if nothing has it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn facts(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.dir.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => Ok(Some(facts)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a file for reading: no link, and a pipe without waiting for its other end.
    ///
    /// # Errors
    /// The kernel's answer; `InvalidInput` if it is neither a regular file nor a block device.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::openat(&self.dir.fd, name, flags | OFlags::CLOEXEC, Mode::empty())?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
        if matches!(kind, FileType::RegularFile | FileType::BlockDevice) {
            Ok(File::from(fd))
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// Makes a file that is to be written, with exactly these permission bits.
    ///
    /// # Errors
    /// The kernel's answer; `AlreadyExists` if something has the name.
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(mode);
        let fd = rustix::fs::openat(&self.dir.fd, name, flags | OFlags::CLOEXEC, mode)?;
        // The umask does not count.
        rustix::fs::fchmod(&fd, mode)?;
        Ok(File::from(fd))
    }

    /// Removes a name; `false` if nothing has it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn remove(&self, name: &OsStr) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.dir.fd, name, AtFlags::empty()) {
            Ok(()) => self.sync().map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Gives a file another name, whatever had it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        rustix::fs::renameat(&self.dir.fd, from, &self.dir.fd, to)?;
        self.sync()
    }

    /// Gives a file another name, which nothing may have.
    ///
    /// # Errors
    /// `AlreadyExists` if something has it; otherwise the kernel's answer.
    pub fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let dir = &self.dir.fd;
        match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
            // A file system that cannot: a second name, which is refused if there is one, and then the first one goes.
            Err(Errno::INVAL) => {
                rustix::fs::linkat(dir, from, dir, to, AtFlags::empty())?;
                rustix::fs::unlinkat(dir, from, AtFlags::empty())?;
            }
            done => done?,
        }
        self.sync()
    }

    /// Lets two files exchange their names.
    ///
    /// # Errors
    /// If one is not there, or the file system cannot.
    pub fn exchange(&self, one: &OsStr, other: &OsStr) -> io::Result<()> {
        let dir = &self.dir.fd;
        rustix::fs::renameat_with(dir, one, dir, other, RenameFlags::EXCHANGE)?;
        self.sync()
    }

    /// Makes the names durable. A directory that may be searched and written, but not read, cannot be made so.
    fn sync(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.dir.fd, c".", flags, Mode::empty()) {
            Ok(dir) => super::write::sync(&dir),
            Err(Errno::ACCESS) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::file::walk_to_place;

    #[test]
    fn names_mean_what_is_in_the_directory_that_is_held() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().canonicalize().unwrap().join(name);
        for dir in ["held", "other"] {
            std::fs::create_dir(at(dir)).unwrap();
        }
        let place = walk_to_place(&at("held/file")).unwrap();
        // Somebody exchanges the directory.
        std::fs::rename(at("held"), at("moved")).unwrap();
        symlink("other", at("held")).unwrap();
        std::fs::write(at("other/file"), "another's").unwrap();

        let (new, file) = (OsStr::new("new"), OsStr::new("file"));
        place.create(new, 0o640).unwrap().write_all(b"1").unwrap();
        let mode = std::fs::metadata(at("moved/new")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o7777, 0o640);
        let again = place.create(new, 0o600).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        place.rename_new(new, file).unwrap();
        place.create(new, 0o600).unwrap().write_all(b"2").unwrap();
        let taken = place.rename_new(new, file).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        place.exchange(new, file).unwrap();
        let mut text = String::new();
        place.read(file).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "2");
        place.rename(new, file).unwrap();
        assert!(place.facts(new).unwrap().is_none());
        assert!(place.remove(file).unwrap());
        assert!(!place.remove(file).unwrap());
        assert_eq!(std::fs::read(at("other/file")).unwrap(), b"another's");
    }

    #[test]
    fn no_link_is_followed_and_nothing_else_than_files_is_read() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().canonicalize().unwrap();
        std::fs::write(dir.join("file"), "precious").unwrap();
        symlink("file", dir.join("link")).unwrap();
        std::fs::create_dir(dir.join("dir")).unwrap();
        let place = walk_to_place(&dir.join("file")).unwrap();
        assert!(place.read(OsStr::new("link")).is_err());
        assert!(place.read(OsStr::new("dir")).is_err());
        assert!(place.create(OsStr::new("link"), 0o600).is_err());
        assert!(place.remove(OsStr::new("link")).unwrap());
        assert!(dir.join("file").exists());
    }
}
