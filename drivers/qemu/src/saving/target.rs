//! A file that is being made: it has a name of its own until it is whole, so that what had its name before is not lost to one that never
//! becomes whole.
//!
//! The name is noted before the file is made, by whoever makes it; so a new daemon can remove what was left. Everything here blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use virtbus_api::Uuid;
use virtbus_util::file;

use super::image::{self, ImageError, failed};

/// Names of files in the making end so, after a dot and the identity.
pub(super) const PARTS: &str = ".part";

/// So much of a file's name stands in the name that it has first, for people who look.
const HINT: usize = 32;

/// A file in the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The name that it is to have.
    pub(super) path: PathBuf,
    /// The name that it has until it is whole, in the same directory. Empty in the note of an earlier release, whose files had none.
    #[serde(default)]
    temporary: PathBuf,
    /// Tells this file from every other one. Nil in such a note, and then no file is this one.
    #[serde(default)]
    pub(super) identity: Uuid,
}

impl Target {
    /// A file that is to have this name. Nothing is made yet.
    ///
    /// # Errors
    /// If the name is taken by something else than a regular file, or cannot be a file's.
    pub(crate) fn new(path: &Path) -> Result<Self, ImageError> {
        let name = path
            .file_name()
            .ok_or_else(|| ImageError::NotRegular(path.to_owned()))?;
        match std::fs::symlink_metadata(path) {
            Ok(facts) if facts.is_file() => {}
            Ok(_) => return Err(ImageError::NotRegular(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at", path)(error)),
        }
        let identity = Uuid::new_v4();
        let hint: String = name.to_string_lossy().chars().take(HINT).collect();
        let temporary = path.with_file_name(format!(".{hint}.{}{PARTS}", identity.simple()));
        Ok(Self {
            path: path.to_owned(),
            temporary,
            identity,
        })
    }

    /// Makes the file, which only its owner can read.
    pub(super) fn create(&self) -> Result<File, ImageError> {
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.temporary)
            .map_err(failed("create", &self.temporary))
    }

    /// Gives the file its name; what had it before is gone then. The file must be on the disk.
    pub(super) fn finish(&self) -> Result<(), ImageError> {
        file::rename(&self.temporary, &self.path).map_err(|error| {
            let source = io::Error::other(error);
            failed("write", &self.path)(source)
        })
    }

    /// Removes the file, whichever of its names it has. A file of another making is left alone.
    pub(super) fn discard(&self) {
        let finished = image::is(&self.path, self.identity).unwrap_or(false);
        let temporary = Some(&self.temporary).filter(|name| !name.as_os_str().is_empty());
        for name in temporary.into_iter().chain(finished.then_some(&self.path)) {
            if let Err(error) = file::remove(name) {
                tracing::warn!(path = %name.display(), %error, "what is left of a file in the making cannot be removed, ignoring");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_older_file_is_there_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("core");
        std::fs::write(&path, "old").unwrap();
        let target = Target::new(&path).unwrap();
        let mut file = target.create().unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        target.discard();
        assert_eq!(names(dir.path()), ["core"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");

        let target = Target::new(&path).unwrap();
        target.create().unwrap().write_all(b"new").unwrap();
        target.finish().unwrap();
        target.discard();
        assert_eq!(names(dir.path()), ["core"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn an_image_that_has_its_name_already_is_discarded_by_its_identity() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guest.save");
        let target = Target::new(&path).unwrap();
        let mut file = target.create().unwrap();
        image::begin(&mut file, &path, "<domain/>", true, target.identity).unwrap();
        image::complete(&file, &path).unwrap();
        target.finish().unwrap();
        Target::new(&path).unwrap().discard();
        assert!(path.exists(), "it is not that one's");
        target.discard();
        assert!(!path.exists());
    }

    #[test]
    fn only_names_of_regular_files_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [
            link.as_path(),
            dir.path(),
            Path::new("/dev/null"),
            Path::new("/"),
        ] {
            assert!(matches!(Target::new(path), Err(ImageError::NotRegular(_))));
        }
        let long = dir.path().join("n".repeat(255));
        let target = Target::new(&long).unwrap();
        target.create().unwrap();
        target.finish().unwrap();
        assert!(long.exists());
    }
}
