//! The files with variables of guests' firmware: made from templates before a guest's first start, and removed with definitions.
//!
//! Their paths are in definitions. Where nobody but root can change where such a path leads, the daemon makes the file for the guest's user;
//! anywhere else that user's own rights have to do. Templates are read with those rights always.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::file::acting::{self, ActingUser, Beneficiary, PATIENCE};
use virtbus_util::file::{Place, walk_to_place};

use crate::definition::firmware::Store;

/// The largest template, bytes: flash memory of machines is smaller.
const LARGEST: u64 = 64 << 20;

/// Makes the store of a guest, unless it is there. Blocks.
///
/// # Errors
/// `OperationFailed`, naming store and template; nothing is left of it then.
pub(crate) fn make(whose: Beneficiary, user: Option<&ActingUser>, store: &Store) -> Result<()> {
    let path = PathBuf::from(&store.path);
    let refused = |why: &dyn std::fmt::Display| {
        failed(format!(
            "the NVRAM store '{}' of the guest cannot be made: {why}",
            store.path
        ))
    };
    let at = path.clone();
    let look = move || -> io::Result<(bool, bool)> {
        let place = walk_to_place(&at).map_err(io::Error::other)?;
        Ok((place.facts(&place.name)?.is_some(), place.is_closed))
    };
    let looked = acting::act(whose, None, PATIENCE, look).map_err(|error| refused(&error))?;
    let (is_there, is_closed) = looked.map_err(|error| refused(&error))?;
    if is_there {
        return Ok(());
    }
    let Some(template) = &store.template else {
        return Err(refused(
            &"it is not there, and <nvram> names no template that it could be copied from",
        ));
    };
    let from = PathBuf::from(template);
    let read = acting::act(whose, user, PATIENCE, move || read(&from));
    let bytes = read
        .map_err(|error| refused(&error))?
        .map_err(|error| refused(&format!("template '{template}': {error}")))?;
    let owner = user.filter(|_| is_closed).map(|user| (user.uid, user.gid));
    let with = if is_closed { None } else { user };
    let write = move || write(&path, &bytes, is_closed, owner);
    let written = acting::act(whose, with, PATIENCE, write).map_err(|error| refused(&error))?;
    written.map_err(|error| refused(&error))
}

/// Removes the store of a guest, if it is there. It must be of the guest's user, unless that user's own rights are enough. Blocks.
///
/// # Errors
/// `OperationFailed`, naming it.
pub(crate) fn remove(whose: Beneficiary, user: Option<&ActingUser>, path: &str) -> Result<()> {
    let refused = |why: &dyn std::fmt::Display| {
        failed(format!("the NVRAM store '{path}' cannot be removed: {why}"))
    };
    let (at, uid) = (PathBuf::from(path), user.map(|user| user.uid));
    let look = move || -> io::Result<bool> {
        let place = match walk_to_place(&at) {
            Ok(place) => place,
            Err(error) => return Err(io::Error::other(error)),
        };
        let facts = place.facts(&place.name)?;
        let is_guests = facts.is_some_and(|facts| uid.is_none_or(|uid| facts.st_uid == uid));
        Ok(place.is_closed && is_guests)
    };
    let looked = acting::act(whose, None, PATIENCE, look).map_err(|error| refused(&error))?;
    let is_ours = looked.map_err(|error| refused(&error))?;
    let with = if is_ours { None } else { user };
    let at = PathBuf::from(path);
    let unlink = move || -> io::Result<()> {
        let place = walk_to_place(&at).map_err(io::Error::other)?;
        still(&place, is_ours)?;
        place.remove(&place.name).map(drop)
    };
    let unlinked = acting::act(whose, with, PATIENCE, unlink).map_err(|error| refused(&error))?;
    unlinked.map_err(|error| refused(&error))
}

/// A place that was closed must be so still.
fn still(place: &Place, is_closed: bool) -> io::Result<()> {
    if is_closed && !place.is_closed {
        return Err(io::Error::other("its directory was exchanged meanwhile"));
    }
    Ok(())
}

fn read(template: &Path) -> io::Result<Vec<u8>> {
    let place = walk_to_place(template).map_err(io::Error::other)?;
    let file: File = place.read(&place.name)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "it has more than {LARGEST} bytes"
        )));
    }
    Ok(bytes)
}

/// Writes the file under another name first, so that none is ever there in part.
fn write(path: &Path, bytes: &[u8], is_closed: bool, owner: Option<(u32, u32)>) -> io::Result<()> {
    let place = walk_to_place(path).map_err(io::Error::other)?;
    still(&place, is_closed)?;
    let mut part = OsString::from(".");
    part.push(&place.name);
    part.push(".new");
    place.remove(&part)?;
    let mut file = place.create(&part, 0o600)?;
    let mut fill = || -> io::Result<()> {
        file.write_all(bytes)?;
        if let Some((uid, gid)) = owner {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        file.sync_all()?;
        place.rename_new(&part, &place.name)
    };
    fill().inspect_err(|_| {
        // What is told is why it was not written.
        let _ = place.remove(&part);
    })
}

fn failed(message: String) -> Error {
    Error::new(ErrorCode::OperationFailed, ErrorDomain::Qemu, message)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_store_is_copied_once_and_whole_and_goes_when_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let (path, template) = (dir.path().join("vars"), dir.path().join("template"));
        fs::write(&template, "first").unwrap();
        let store = Store {
            path: path.display().to_string(),
            template: Some(template.display().to_string()),
        };
        let whose = Beneficiary::Daemon;
        make(whose, None, &store).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        fs::write(&template, "second").unwrap();
        make(whose, None, &store).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        remove(whose, None, &store.path).unwrap();
        remove(whose, None, &store.path).unwrap();
        assert!(!path.exists());

        let bare = Store {
            template: None,
            ..store.clone()
        };
        let said = make(whose, None, &bare).unwrap_err().message;
        assert!(
            said.contains("no template") && said.contains(&store.path),
            "{said}"
        );
        fs::remove_file(&template).unwrap();
        let said = make(whose, None, &store).unwrap_err().message;
        assert!(said.contains(template.to_str().unwrap()), "{said}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
