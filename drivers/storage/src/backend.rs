//! How the storage of each kind of pool is made, made accessible, and given back.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use virtbus_api::storage::StoragePoolBuildFlags;
use virtbus_api::{ErrorCode, Result};
use virtbus_conf_storage::storage_pool::{
    Permissions, PoolFormat, PoolType, StoragePool as Definition,
};
use virtbus_util::file::walk_to_place;

use crate::command::{self, activation};
use crate::hands::{Hands, QUICK};
use crate::pool::target_path;
use crate::{error, programs};

/// The kinds of pools that this driver runs.
pub(crate) const KINDS: &[PoolType] = &[PoolType::Dir, PoolType::Fs, PoolType::Netfs];

/// Permission bits of a pool's directory that is made, unless its definition says others: its volumes can be reached by who knows their names.
const DIRECTORY_MODE: u32 = 0o711;
/// Those of directories on the way to it.
const PARENT_MODE: u32 = 0o755;

/// Whether pools of this kind can be had.
///
/// # Errors
/// `NoSupport`, with those that can.
pub(crate) fn check(kind: PoolType) -> Result<()> {
    if KINDS.contains(&kind) {
        return Ok(());
    }
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.as_str()).collect();
    Err(error::unsupported(format!(
        "storage pools of type '{kind}' are not supported; supported are {}",
        names.join(", ")
    )))
}

/// The directory of a pool, which it must have.
pub(crate) fn directory(definition: &Definition) -> Result<&str> {
    let path = target_path(definition).filter(|path| path.starts_with('/'));
    path.ok_or_else(|| {
        let name = definition.name.as_deref().unwrap_or_default();
        let message = format!("the target path of storage pool '{name}' has to be absolute");
        error::refused(ErrorCode::XmlError, message)
    })
}

const fn is_mounted_kind(kind: PoolType) -> bool {
    matches!(kind, PoolType::Fs | PoolType::Netfs)
}

/// What is mounted at a directory, by the kernel's list: the last one covers all others.
fn mounted_at(list: &str, path: &Path) -> Option<String> {
    let mut found = None;
    for line in list.lines() {
        let Some((head, tail)) = line.split_once(" - ") else {
            continue;
        };
        let place = head.split(' ').nth(4).map(unescaped);
        if place.as_deref() == Some(path.as_os_str()) {
            let source = tail.split(' ').nth(1).map(unescaped);
            found = source.map(|source| source.to_string_lossy().into_owned());
        }
    }
    found
}

/// A word of the kernel's list: blanks and the like are octal numbers there.
fn unescaped(word: &str) -> OsString {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte.filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    OsString::from_vec(bytes)
}

/// Whether the storage of a pool is mounted where its volumes are to be.
///
/// # Errors
/// If something else is.
pub(crate) async fn is_mounted(definition: &Definition, hands: &Hands) -> Result<bool> {
    if !is_mounted_kind(definition.kind) {
        return Ok(true);
    }
    let path = directory(definition)?.to_owned();
    let source = command::source(definition).map_err(|why| error::activating(&why))?;
    let looked = hands.run("looking what is mounted", QUICK, move || {
        // Directories that are mounted at a link are listed by where it leads.
        let in_it = walk_to_place(&Path::new(&path).join("volume")).ok();
        let target = in_it.map_or_else(|| PathBuf::from(&path), |place| place.dir.path);
        let list = std::fs::read_to_string("/proc/self/mountinfo");
        let real = |name: &str| std::fs::canonicalize(name).ok();
        list.map(|list| {
            let found = mounted_at(&list, &target)?;
            let is_it = found == source
                || source.starts_with('/')
                    && real(&source).is_some_and(|path| real(&found) == Some(path))
                || found.trim_end_matches('/') == source.trim_end_matches('/');
            Some((is_it, found))
        })
    });
    let looked = looked.await?;
    match looked.map_err(|error| error::system("the kernel's list of mounts", &error))? {
        None => Ok(false),
        Some((true, _)) => Ok(true),
        Some((false, other)) => Err(error::invalid(format!(
            "'{other}' is mounted at '{}', which is not the storage of the pool; unmount it",
            directory(definition)?
        ))),
    }
}

/// Makes the storage of a pool accessible.
///
/// # Errors
/// What is against it; nothing is changed then.
pub(crate) async fn activate(definition: &Definition, hands: &Hands) -> Result<()> {
    if !is_mounted_kind(definition.kind) || is_mounted(definition, hands).await? {
        return Ok(());
    }
    let made = activation(definition).map_err(|why| error::activating(&why))?;
    let mut cmd = programs::command(made.program)?;
    cmd.args(&made.arguments);
    programs::run("the storage cannot be mounted", cmd, programs::QUICK).await?;
    Ok(())
}

/// Gives the storage of a pool back.
///
/// # Errors
/// If something in it is in use.
pub(crate) async fn deactivate(definition: &Definition, hands: &Hands) -> Result<()> {
    if !is_mounted_kind(definition.kind) || !is_mounted(definition, hands).await? {
        return Ok(());
    }
    let mut cmd = programs::command("umount")?;
    cmd.arg(directory(definition)?);
    programs::run("the storage cannot be unmounted", cmd, programs::QUICK).await?;
    Ok(())
}

/// Makes the storage of a pool.
///
/// # Errors
/// What is against it.
pub(crate) async fn build(
    definition: &Definition,
    flags: StoragePoolBuildFlags,
    hands: &Hands,
) -> Result<()> {
    use StoragePoolBuildFlags as F;
    if flags.contains(F::OVERWRITE | F::NO_OVERWRITE) {
        return Err(error::refused(
            ErrorCode::InvalidArg,
            "flags OVERWRITE and NO_OVERWRITE exclude each other",
        ));
    }
    let formats = flags.intersects(F::OVERWRITE | F::NO_OVERWRITE);
    if formats && definition.kind != PoolType::Fs {
        return Err(error::unsupported(format!(
            "flags OVERWRITE and NO_OVERWRITE are for pools that a file system is made for, not for those of type '{}'",
            definition.kind
        )));
    }
    let path = directory(definition)?.to_owned();
    let permissions = definition
        .target
        .as_ref()
        .map(|target| target.permissions.clone());
    let made = hands.run("making the directory", QUICK, move || {
        make_directory(Path::new(&path), &permissions.unwrap_or_default())
    });
    made.await??;
    if formats {
        make_file_system(definition, flags.contains(F::OVERWRITE)).await?;
    }
    Ok(())
}

async fn make_file_system(definition: &Definition, overwrite: bool) -> Result<()> {
    let device = command::source(definition).map_err(|why| error::activating(&why))?;
    if !device.starts_with('/') {
        let message = format!("the source device '{device}' is no absolute path");
        return Err(error::refused(ErrorCode::XmlError, message));
    }
    let format = definition.source.format.unwrap_or(PoolFormat::Auto);
    if format == PoolFormat::Auto {
        return Err(error::refused(
            ErrorCode::ConfigUnsupported,
            "which file system is to be made has to be said: <format type='ext4'/>, for one",
        ));
    }
    if !overwrite {
        let mut cmd = programs::command("blkid")?;
        cmd.args(["-p", "-o", "export", &device]);
        let output = cmd.output(programs::QUICK).await;
        let output =
            output.map_err(|failed| error::program("the device cannot be looked at", &failed))?;
        // 2: nothing was found, or there is no such device; mkfs tells the difference.
        if output.status.code() != Some(2) {
            return Err(error::invalid(format!(
                "device '{device}' has something on it already, or cannot be looked at: {}",
                output.stdout_text().replace('\n', " ").trim()
            )));
        }
    }
    let mut cmd = programs::command("mkfs")?;
    cmd.args(["-t", format.as_str()]);
    if format == PoolFormat::Xfs {
        cmd.arg("-f");
    }
    cmd.arg(&device);
    programs::run("the file system cannot be made", cmd, programs::QUICK).await?;
    Ok(())
}

/// Makes a directory with those on the way to it, and gives it what its definition says. Blocks.
fn make_directory(path: &Path, permissions: &Permissions) -> Result<()> {
    make_missing(path, permissions, DIRECTORY_MODE)
}

/// Makes one directory if it is missing, and those above it.
fn make_missing(path: &Path, permissions: &Permissions, mode: u32) -> Result<()> {
    let fault = |why: &dyn std::fmt::Display| {
        error::failed(format!(
            "directory '{}' cannot be made: {why}",
            path.display()
        ))
    };
    let place = match walk_to_place(path) {
        Ok(place) => place,
        Err(virtbus_util::file::WalkError::Open { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            let parent = path.parent().ok_or_else(|| fault(&source))?;
            make_missing(parent, &Permissions::default(), PARENT_MODE)?;
            walk_to_place(path).map_err(|why| fault(&why))?
        }
        Err(why) => return Err(fault(&why)),
    };
    let (dir, name) = (&place.dir.fd, &place.name);
    let is_new = match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(fault(&errno)),
    };
    let mode = permissions
        .mode
        .map(|mode| mode.0)
        .or(is_new.then_some(mode));
    if mode.is_none() && permissions.owner.is_none() && permissions.group.is_none() {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(|errno| fault(&errno))?;
    if permissions.owner.is_some() || permissions.group.is_some() {
        let owner = permissions.owner.map(Uid::from_raw);
        let group = permissions.group.map(Gid::from_raw);
        rustix::fs::fchown(&fd, owner, group).map_err(|errno| fault(&errno))?;
    }
    if let Some(mode) = mode {
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode & 0o7777))
            .map_err(|errno| fault(&errno))?;
    }
    Ok(())
}

/// Frees the storage of a pool: its directory, which has to be empty.
///
/// # Errors
/// What is against it.
pub(crate) async fn delete(definition: &Definition, hands: &Hands) -> Result<()> {
    let path = directory(definition)?.to_owned();
    let removed = hands.run("removing the directory", QUICK, move || {
        let fault = |why: &dyn std::fmt::Display| {
            error::failed(format!("directory '{path}' cannot be removed: {why}"))
        };
        let place = walk_to_place(Path::new(&path)).map_err(|why| fault(&why))?;
        let flags = rustix::fs::AtFlags::REMOVEDIR;
        rustix::fs::unlinkat(&place.dir.fd, &place.name, flags).map_err(|errno| fault(&errno))
    });
    removed.await?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_last_mount_at_a_directory_is_found() {
        let list = "\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 7:0 / /mnt/a\\040b rw,nosuid shared:1 - ext4 /dev/loop0 rw
31 30 0:5 / /mnt/a\\040b rw - nfs4 host:/export\\134x rw
";
        let at = |path: &str| mounted_at(list, Path::new(path));
        assert_eq!(at("/").as_deref(), Some("/dev/sda1"));
        assert_eq!(at("/mnt/a b").as_deref(), Some("host:/export\\x"));
        assert_eq!(at("/mnt"), None);
    }

    #[test]
    fn directories_are_made_with_those_on_the_way() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap().join("a/b/pool");
        make_directory(&path, &Permissions::default()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), DIRECTORY_MODE);
        assert_eq!(mode(path.parent().unwrap()), PARENT_MODE);
        // One that is there keeps what it has, unless something else is said.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        make_directory(&path, &Permissions::default()).unwrap();
        assert_eq!(mode(&path), 0o750);
        let said = Permissions {
            mode: Some(virtbus_conf_storage::storage_pool::FileMode(0o700)),
            ..Permissions::default()
        };
        make_directory(&path, &said).unwrap();
        assert_eq!(mode(&path), 0o700);
        std::fs::write(path.join("file"), "").unwrap();
        assert!(make_directory(&path.join("file"), &said).is_err());
    }
}
