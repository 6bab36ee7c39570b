//! A file that is being made: it has a name of its own until it is whole, so that what had its name before is not lost to one that never
//! becomes whole.
//!
//! The name is noted before the file is made, by whoever makes it; so a new daemon can remove what was left.
//!
//! Clients choose names, and the daemon may be root. So a file is made with the rights of the guests' user, and takes no place of a file
//! of another guest: that user is all guests'. So nothing makes room but a saved image of the same guest, which is looked at again when
//! the new one takes its place; and the daemon's own directories are closed but for the one that is kept for this. Root may
//! have it made with root's rights where nobody else can change the way to it, and replace what is there. Where guests run as the
//! daemon's own user, its rights are the client's as well. No link of others is followed, and all that is done to the file is done by its
//! name in the very directory that was looked at first: whoever exchanges a directory on the way leads nothing to another one.
//! Everything here blocks.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use virtbus_api::Uuid;
use virtbus_util::file::acting::{self, ActError, ActingUser, Beneficiary};
use virtbus_util::file::{self, Place, WalkError};

use super::image::{self, ImageError, failed};
use crate::core::Core;
use crate::definition;
use crate::record::{Rights, Room, Target};
use crate::seal::SealKey;

/// Names of files in the making end so, after a dot and the identity.
pub(super) const PARTS: &str = ".part";

/// So much of a file's name stands in the name that it has first, for people who look.
const HINT: usize = 32;

/// Where a file in the making is, while something is done to it.
struct Names<'a> {
    place: &'a Place,
    /// The name that it has first.
    temporary: &'a OsStr,
    /// The name that it is to have.
    name: &'a OsStr,
    /// Its path, for people.
    path: &'a Path,
}

impl Names<'_> {
    fn is_whole(&self, identity: Uuid, key: &SealKey) -> Result<bool, ImageError> {
        match self.place.read(self.name) {
            Ok(mut file) => image::is(&mut file, self.path, identity, key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            // A directory, a pipe, a link: certainly not what was made here.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Ok(false),
            Err(error) => Err(failed("open", self.path)(error)),
        }
    }
}

/// Walks to the directory of a file.
fn walk(path: &Path) -> Result<Place, ImageError> {
    file::walk_to_place(path).map_err(|error| match error {
        WalkError::Open { path, source } => failed("open", &path)(source),
        error @ (WalkError::ForeignLink { .. } | WalkError::LinkOnMedium { .. }) => {
            failed("open", path)(io::Error::other(error))
        }
    })
}

/// What a client wants of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The guest whose memory is written.
    pub(super) guest: Uuid,
    /// Whether it may replace a saved image of that guest.
    pub(super) replaces: bool,
    /// Whether the client is root.
    pub(super) by_root: bool,
}

impl Target {
    /// A file that is to have this name, which nobody but the driver chose. Nothing is made yet.
    ///
    /// # Errors
    /// If the name is taken by something else than a regular file, or cannot be a file's.
    pub(super) fn own(path: &Path) -> Result<Self, ImageError> {
        let mut target = Self::named(path, Rights::Daemon)?;
        let place = walk(path)?;
        facts_of(&place, path)?;
        target.dir = Some(place.dir_id());
        Ok(target)
    }

    /// A file that is to have this name, which a client chose. Nothing is made yet.
    ///
    /// # Errors
    /// As [`Target::own`]; if there is a file that this one may not replace.
    pub(super) fn of_client(core: &Core, path: &Path, wanted: Wanted) -> Result<Self, ImageError> {
        let Some(user) = core.preparer.acting() else {
            return Self::own(path);
        };
        if wanted.by_root && file::walk_to_place(path).is_ok_and(|place| place.is_closed) {
            return Self::own(path);
        }
        let rights = if is_kept_for_this(core, path) {
            Rights::Daemon
        } else if is_own(core, path) {
            let why = "it is in a directory of the daemon's own, which is for other files";
            let path = path.to_owned();
            return Err(ImageError::Taken { path, why });
        } else {
            Rights::Guest
        };
        let mut target = Self::named(path, rights)?;
        target.guest = wanted.guest;
        let looked_at = path.to_owned();
        let replaces = wanted.replaces.then_some(wanted.guest);
        let owner = (rights == Rights::Guest).then_some(user.uid);
        (target.room, target.dir) = target.with_rights(core, move || {
            let place = walk(&looked_at)?;
            let room = room_at(&place, &looked_at, replaces, owner)?;
            Ok((room, Some(place.dir_id())))
        })?;
        Ok(target)
    }

    fn named(path: &Path, rights: Rights) -> Result<Self, ImageError> {
        let name = path
            .file_name()
            .ok_or_else(|| ImageError::NotRegular(path.to_owned()))?;
        let identity = Uuid::new_v4();
        let hint: String = name.to_string_lossy().chars().take(HINT).collect();
        // The identity is nobody's to know before the file is whole: another file with it would be taken for this one.
        let mark = Uuid::new_v4();
        let temporary = path.with_file_name(format!(".{hint}.{}{PARTS}", mark.simple()));
        Ok(Self {
            path: path.to_owned(),
            temporary,
            identity,
            guest: Uuid::nil(),
            rights,
            room: Room::Anything,
            dir: None,
        })
    }

    /// Makes the file, which only its owner can read.
    pub(super) fn create(&self, core: &Core) -> Result<File, ImageError> {
        self.in_dir(core, |names| {
            let made = names.place.create(names.temporary, 0o600);
            made.map_err(|source| match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    failed("make a file in", &names.place.dir.path)(source)
                }
                _ => failed("create", names.path)(source),
            })
        })
    }

    /// Gives the file its name; what made room for it is gone then. The file must be on the disk.
    ///
    /// # Errors
    /// If another file has the name by now.
    pub(super) fn finish(&self, core: &Core) -> Result<(), ImageError> {
        let room = self.room;
        self.in_dir(core, move |names| {
            let Names {
                place,
                temporary,
                name,
                path,
            } = *names;
            let done = match room {
                Room::Anything => place.rename(temporary, name),
                Room::Nothing => place.rename_new(temporary, name),
                Room::This(device, inode) => {
                    let is_it = |name: &OsStr| {
                        let facts = place.facts(name);
                        facts.is_ok_and(|facts| {
                            facts.is_some_and(|facts| {
                                (facts.st_dev, facts.st_ino) == (device, inode)
                            })
                        })
                    };
                    if !is_it(name) {
                        return Err(ImageError::Taken {
                            path: path.to_owned(),
                            why: "another file took its place meanwhile",
                        });
                    }
                    place.exchange(temporary, name).and_then(|()| {
                        if is_it(temporary) {
                            return place.remove(temporary).map(drop);
                        }
                        // It was exchanged between the look and the exchange.
                        place.exchange(temporary, name)?;
                        Err(io::Error::from(io::ErrorKind::AlreadyExists))
                    })
                }
            };
            done.map_err(failed("write", path))
        })
    }

    /// Removes the file, whichever of its names it has. A file of another making is left alone.
    pub(super) fn discard(&self, core: &Core) {
        self.remove(core, true);
    }

    /// The file has its name: removes what has the name that it had first. That is the older image if the daemon that saved the guest was
    /// killed before it had removed it.
    pub(super) fn tidy(&self, core: &Core) {
        self.remove(core, false);
    }

    fn remove(&self, core: &Core, finished: bool) {
        if self.temporary.as_os_str().is_empty() {
            return;
        }
        let (identity, key) = (self.identity, core.seal_key.clone());
        let done = self.in_dir(core, move |names| {
            let Names {
                place, name, path, ..
            } = *names;
            let is_whole = finished && names.is_whole(identity, &key).unwrap_or(false);
            let mut removed = place.remove(names.temporary);
            if is_whole {
                removed = removed.and(place.remove(name));
            }
            removed.map(drop).map_err(failed("remove", path))
        });
        match done {
            // Where the guests' user may not remove it, it was not made either.
            Ok(()) | Err(ImageError::Rights { .. }) => {}
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(path = %self.temporary.display(), error, "what is left of a file in the making cannot be removed, ignoring");
            }
        }
    }

    /// Whether the file with the name that this one is to have is this one, whole.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub(super) fn is_whole(&self, core: &Core) -> Result<bool, ImageError> {
        let (identity, key) = (self.identity, core.seal_key.clone());
        self.in_dir(core, move |names| names.is_whole(identity, &key))
    }

    /// Does something in the directory of the file, which must be the one that was looked at first.
    fn in_dir<T: Send + 'static>(
        &self,
        core: &Core,
        work: impl FnOnce(&Names<'_>) -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, ImageError> {
        let Self {
            path,
            temporary,
            dir,
            ..
        } = self.clone();
        self.with_rights(core, move || {
            let place = walk(&path)?;
            if dir.is_some_and(|dir| dir != place.dir_id()) {
                return Err(ImageError::Moved(path));
            }
            work(&Names {
                place: &place,
                temporary: temporary.file_name().unwrap_or_default(),
                name: &place.name,
                path: &path,
            })
        })
    }

    /// The name that it has until it is whole.
    pub(super) fn temporary(&self) -> &Path {
        &self.temporary
    }

    const fn whose(&self) -> Beneficiary {
        if self.guest.is_nil() {
            Beneficiary::Daemon
        } else {
            Beneficiary::Guest(self.guest.into_bytes())
        }
    }

    fn user<'a>(&self, core: &'a Core) -> Option<&'a ActingUser> {
        match self.rights {
            Rights::Daemon => None,
            Rights::Guest => core.preparer.acting(),
        }
    }

    fn with_rights<T: Send + 'static>(
        &self,
        core: &Core,
        work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, ImageError> {
        match self.user(core) {
            None => work(),
            Some(user) => {
                let done = acting::act(self.whose(), Some(user), acting::PATIENCE, work);
                match done.map_err(|error| self.denied(core, error))? {
                    Err(ImageError::Io {
                        action,
                        path,
                        source,
                    }) if source.kind() == io::ErrorKind::PermissionDenied => {
                        let shown = virtbus_util::users::shown(user.uid);
                        let who = format!("user {shown}, as whom guests run,");
                        let owner = acting::owner_of(&path);
                        let remedy = "";
                        Err(self.denied(
                            core,
                            ActError::Denied {
                                who,
                                action,
                                path,
                                owner,
                                remedy,
                            },
                        ))
                    }
                    done => done,
                }
            }
        }
    }

    fn denied(&self, core: &Core, source: ActError) -> ImageError {
        let dirs: Vec<String> = kept_for_this(core)
            .map(|dir| format!("'{}'", dir.display()))
            .collect();
        // What would help with other files does not with one that is made anew.
        let source = match source {
            ActError::Denied {
                who,
                action,
                path,
                owner,
                remedy: _,
            } => ActError::Denied {
                who,
                action,
                path,
                owner,
                remedy: "let that user write there, or name the directory in save_dirs",
            },
            other => other,
        };
        ImageError::Rights {
            path: self.path.clone(),
            dirs: dirs.join(", "),
            source: Box::new(source),
        }
    }
}

/// Directories in which clients choose names, and that nobody else writes to.
fn kept_for_this(core: &Core) -> impl Iterator<Item = PathBuf> {
    let own = core.config.dirs.memory();
    std::iter::once(own).chain(core.config.save_dirs.iter().cloned())
}

fn is_kept_for_this(core: &Core, path: &Path) -> bool {
    // Names only: these directories and what is in them are the daemon's, so no link of others is on the way.
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    plain && kept_for_this(core).any(|dir| path.starts_with(dir))
}

/// Whether the path is below a directory of the daemon's: what is there is other guests', or the daemon's own.
fn is_own(core: &Core, path: &Path) -> bool {
    let dirs = &core.config.dirs;
    let own = [&dirs.config, &dirs.state, &dirs.run, &dirs.log, &dirs.cache];
    // By the directory that the path leads to, whichever way it goes.
    let Ok(place) = file::walk_to_place(path) else {
        return own.iter().any(|dir| path.starts_with(dir));
    };
    own.iter().any(|dir| {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
        path.starts_with(&dir) || place.dir.path.starts_with(&dir)
    })
}

/// What makes room at a path: nothing, or a saved image of the guest `replaces`, which must belong to this user if one is given.
fn room_at(
    place: &Place,
    path: &Path,
    replaces: Option<Uuid>,
    owner: Option<u32>,
) -> Result<Room, ImageError> {
    let taken = |why| {
        let path = path.to_owned();
        Err(ImageError::Taken { path, why })
    };
    let Some(found) = facts_of(place, path)? else {
        return Ok(Room::Nothing);
    };
    let Some(guest) = replaces else {
        return taken(
            "there is a file already, and only a saved image is replaced, by a newer one",
        );
    };
    if owner.is_some_and(|owner| owner != found.st_uid) {
        return taken("it does not belong to the user as whom guests run");
    }
    // Held while it is looked at.
    let no_image = "it is no saved image of this guest";
    let opened = place.read(&place.name);
    let Ok((file, header)) = opened
        .map_err(failed("open", path))
        .and_then(|mut file| image::header(&mut file, path).map(|header| (file, header)))
    else {
        return taken(no_image);
    };
    let is_of_guest = definition::identify(&header.xml).is_ok_and(|found| found.uuid == guest);
    let facts = file.metadata().map_err(failed("look at", path))?;
    if is_of_guest {
        Ok(Room::This(facts.dev(), facts.ino()))
    } else {
        taken(no_image)
    }
}

/// What the kernel says of the regular file that has this name, if there is one.
fn facts_of(place: &Place, path: &Path) -> Result<Option<Stat>, ImageError> {
    let facts = place.facts(&place.name).map_err(failed("look at", path))?;
    match facts {
        Some(facts) if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile => {
            Err(ImageError::NotRegular(path.to_owned()))
        }
        facts => Ok(facts),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Config;
    use virtbus_qemu_capabilities::GuestUser;

    /// A driver for guests of this user, with its directories below `root`.
    fn core(root: &Path, user: Option<u32>) -> Core {
        let mut config = Config::below(root, "qemu:///system");
        config.user = user.map(|uid| GuestUser {
            uid,
            gid: uid,
            groups: Vec::new(),
        });
        std::fs::create_dir_all(config.dirs.memory()).unwrap();
        Core::new(config, virtbus_api::providers::Providers::default())
    }

    fn wanted(guest: Uuid, replaces: bool) -> Wanted {
        Wanted {
            guest,
            replaces,
            by_root: false,
        }
    }

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
        let (root, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let core = core(root.path(), None);
        let path = dir.path().join("core");
        std::fs::write(&path, "old").unwrap();
        let target = Target::own(&path).unwrap();
        let mut file = target.create(&core).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        target.discard(&core);
        assert_eq!(names(dir.path()), ["core"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");

        let target = Target::own(&path).unwrap();
        target.create(&core).unwrap().write_all(b"new").unwrap();
        target.finish(&core).unwrap();
        target.discard(&core);
        assert_eq!(names(dir.path()), ["core"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn an_image_that_has_its_name_already_is_discarded_by_its_identity() {
        let (root, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let core = core(root.path(), None);
        let path = dir.path().join("guest.save");
        let target = Target::own(&path).unwrap();
        let mut file = target.create(&core).unwrap();
        let header = image::begin(&mut file, &path, "<domain/>", true, target.identity).unwrap();
        image::complete(&file, &path, header, &core.seal_key).unwrap();
        target.finish(&core).unwrap();
        Target::own(&path).unwrap().discard(&core);
        assert!(path.exists(), "it is not that one's");
        target.discard(&core);
        assert!(!path.exists());
    }

    #[test]
    fn only_names_of_regular_files_are_taken() {
        let (root, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let core = core(root.path(), None);
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [
            link.as_path(),
            dir.path(),
            Path::new("/dev/null"),
            Path::new("/"),
        ] {
            assert!(matches!(Target::own(path), Err(ImageError::NotRegular(_))));
        }
        let long = dir.path().join("n".repeat(255));
        let target = Target::own(&long).unwrap();
        target.create(&core).unwrap();
        target.finish(&core).unwrap();
        assert!(long.exists());
    }

    #[test]
    fn root_files_of_others_are_neither_made_nor_replaced() {
        if !rustix::process::geteuid().is_root() {
            virtbus_skip::skip!("needs root");
        }
        const GUESTS: u32 = 65501;
        let root = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(root.path(), open).unwrap();
        let core = core(root.path(), Some(GUESTS));
        let guest = Uuid::new_v4();
        let of = |path: &Path| Target::of_client(&core, path, wanted(guest, true));

        // Root's directory.
        let (victim, link) = (root.path().join("victim"), root.path().join("link"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(matches!(of(&victim), Err(ImageError::Taken { .. })));
        assert!(matches!(of(&link), Err(ImageError::NotRegular(_))));
        let denied = of(&root.path().join("new")).unwrap().create(&core);
        let error = denied.unwrap_err();
        assert!(matches!(error, ImageError::Rights { .. }));
        let text = virtbus_api::Error::from(error).message;
        assert!(
            text.contains("save_dirs") && text.contains("65501"),
            "{text}"
        );
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");

        // The user's own.
        let theirs = root.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(GUESTS), Some(GUESTS)).unwrap();
        let path = theirs.join("core");
        let target = of(&path).unwrap();
        target.create(&core).unwrap();
        target.finish(&core).unwrap();
        assert_eq!(path.metadata().unwrap().uid(), GUESTS);
        // All guests' files are that user's: only an image of the same guest makes room.
        assert!(matches!(of(&path), Err(ImageError::Taken { .. })));
        let target = of(&theirs.join("other")).unwrap();
        target.create(&core).unwrap();
        target.discard(&core);
        assert_eq!(names(&theirs), ["core"]);
        // What was not there in the beginning is not replaced in the end.
        let late = theirs.join("late");
        let target = of(&late).unwrap();
        target.create(&core).unwrap();
        std::fs::write(&late, "another's").unwrap();
        assert!(target.finish(&core).is_err());
        target.discard(&core);
        assert_eq!(std::fs::read(&late).unwrap(), b"another's");
        std::fs::remove_file(&late).unwrap();
        // The daemon's own directories are closed.
        for own in [
            &core.config.dirs.run,
            &core.config.dirs.log,
            &core.config.dirs.state,
        ] {
            std::fs::create_dir_all(own).unwrap();
            std::os::unix::fs::chown(own, Some(GUESTS), Some(GUESTS)).unwrap();
            assert!(matches!(
                of(&own.join("new")),
                Err(ImageError::Taken { .. })
            ));
            std::os::unix::fs::chown(own, Some(0), Some(0)).unwrap();
        }
        std::fs::write(theirs.join("roots"), "precious").unwrap();
        let taken = of(&theirs.join("roots"));
        assert!(matches!(taken, Err(ImageError::Taken { .. })));

        // The directory that is kept for it: no way out, and nothing of another guest's is replaced.
        let kept = core.config.dirs.memory();
        let away = of(&kept.join("../../../victim"));
        assert!(away.is_err() || away.unwrap().create(&core).is_err());
        let path = kept.join("web.save");
        let target = of(&path).unwrap();
        let mut file = target.create(&core).unwrap();
        let xml = format!("<domain type='qemu'><name>web</name><uuid>{guest}</uuid></domain>");
        let header = image::begin(&mut file, &path, &xml, true, target.identity).unwrap();
        image::complete(&file, &path, header, &core.seal_key).unwrap();
        target.finish(&core).unwrap();
        let again = of(&path).unwrap();
        again.create(&core).unwrap();
        again.finish(&core).unwrap();
        assert_eq!(
            std::fs::read(&path).unwrap(),
            b"",
            "the older image made room"
        );
        assert_eq!(names(&kept), ["web.save"]);
        std::fs::remove_file(&path).unwrap();
        let target = of(&path).unwrap();
        let mut file = target.create(&core).unwrap();
        let header = image::begin(&mut file, &path, &xml, true, target.identity).unwrap();
        image::complete(&file, &path, header, &core.seal_key).unwrap();
        target.finish(&core).unwrap();
        let other = Target::of_client(&core, &path, wanted(Uuid::new_v4(), true));
        let dump = Target::of_client(&core, &path, wanted(guest, false));
        assert!(matches!(other, Err(ImageError::Taken { .. })));
        assert!(matches!(dump, Err(ImageError::Taken { .. })));
    }
}
