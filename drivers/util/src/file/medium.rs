//! Whether what a file system says of owners can be believed.
//!
//! Users may have file systems mounted that they made: media and images that udisks mounts, FUSE, entries of fstab(5) with `user`. On those
//! they write whatever owner they like. The kernel does not tell who had something mounted; but such a mount is always `nosuid` and
//! `nodev`, lest its files have an effect. Administrators mount their own so as well, to be careful, and name them in /etc/fstab. A FUSE
//! file system may be mounted over any directory that its user may write to, one of the table as well, and never counts.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{AtFlags, StatVfsMountFlags, StatxFlags};
use rustix::io::Errno;

use super::walk::Dir;

/// File systems that the kernel makes up, whose contents nobody brings: by their magic numbers (statfs(2), `linux/magic.h`).
const OF_THE_KERNEL: [u32; 8] = [
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x1cd1,      // devpts
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x9584_58f6, // hugetlbfs
];

/// The magic number of FUSE.
const FUSE: u32 = 0x6573_5546;

/// Options of fstab(5) by which others than root may mount an entry.
const BY_USERS: [&[u8]; 4] = [b"user", b"users", b"owner", b"group"];

/// Whether owners can be believed in a directory in which another file system begins than its parent is on.
pub(super) fn is_trusted(dir: impl AsFd, path: &Path, parent: &Dir) -> Result<bool, Errno> {
    let careful = StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV;
    if !rustix::fs::fstatvfs(&dir)?.f_flag.contains(careful) {
        return Ok(true);
    }
    // The numbers have 32 bits; the type has 32 or 64, and a sign.
    let magic = rustix::fs::fstatfs(&dir)?.f_type as u32;
    if OF_THE_KERNEL.contains(&magic) {
        return Ok(true);
    }
    if magic == FUSE {
        return Ok(false);
    }
    // A subvolume has a device number of its own, and is not mounted.
    if let (Some(mount), Some(parents)) = (mount(&dir)?, mount(&parent.fd)?)
        && mount == parents
    {
        return Ok(parent.is_trusted);
    }
    // Without the file, root has mounted nothing by it.
    let table = std::fs::read("/etc/fstab").unwrap_or_default();
    Ok(is_roots(&table, path))
}

/// The number of the mount that a directory is on; none if the kernel does not tell.
fn mount(dir: impl AsFd) -> Result<Option<u64>, Errno> {
    let facts = rustix::fs::statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let is_told = StatxFlags::from_bits_retain(facts.stx_mask).contains(StatxFlags::MNT_ID);
    Ok(is_told.then_some(facts.stx_mnt_id))
}

/// Whether a table of file systems has an entry for this directory that only root may mount.
fn is_roots(table: &[u8], dir: &Path) -> bool {
    let mut entries = table.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line
            .split(u8::is_ascii_whitespace)
            .filter(|field| !field.is_empty());
        let source = fields.next()?;
        let (at, _, options) = (fields.next()?, fields.next()?, fields.next()?);
        (!source.starts_with(b"#")).then_some((at, options))
    });
    entries.any(|(at, options)| {
        let mut options = options.split(|byte| *byte == b',');
        unescaped(at).as_bytes() == dir.as_os_str().as_bytes()
            && !options.any(|option| BY_USERS.contains(&option))
    })
}

/// A field without its escapes: a backslash and three octal digits.
fn unescaped(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .first_chunk::<3>()
            .filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match digits {
            Some(digits) => {
                let value = digits
                    .iter()
                    .fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
                bytes.push(value as u8);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::mount::UnmountFlags;
    use virtbus_skip::{or_skip, skip};

    use super::*;
    use crate::file::{WalkError, walk, walk_to_place};
    use crate::test_utils::root;

    #[test]
    fn the_table_tells_what_only_root_mounts() {
        let table = b"# comment /srv x\n\
            /dev/sda1 / ext4 defaults 0 1\n\
            UUID=1 /var\\040log\text4 nosuid,nodev 0 2\n\
            /dev/sdb1 /media/stick vfat noauto,user 0 0\n\
            /dev/sdc1 /short\n";
        for (dir, expected) in [
            ("/", true),
            ("/var log", true),
            ("/var\\040log", false),
            ("/media/stick", false),
            ("/short", false),
            ("/srv", false),
        ] {
            assert_eq!(is_roots(table, Path::new(dir)), expected, "{dir}");
        }
    }

    /// Unmounts it when dropped.
    struct Mounted<'a>(&'a Path);

    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = rustix::mount::unmount(self.0, UnmountFlags::DETACH);
        }
    }

    #[test]
    fn root_links_on_a_users_medium_are_not_followed_whosever_they_say_they_are() {
        or_skip!(root());
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        // As udisks mounts a stick.
        let (content, at) = (dir.join("content"), dir.join("stick"));
        for new in [&content, &at] {
            std::fs::create_dir(new).unwrap();
        }
        std::fs::write(dir.join("victim"), "root's").unwrap();
        symlink("../victim", content.join("link")).unwrap();
        std::fs::write(content.join("file"), "hers").unwrap();
        let image = dir.join("image");
        let made = std::process::Command::new("mke2fs")
            .args(["-q", "-d"])
            .args([content.as_os_str(), image.as_os_str(), "1m".as_ref()])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            skip!("needs mke2fs");
        }
        let mount = |options: &str| {
            std::process::Command::new("mount")
                .args(["-o", options])
                .args([&image, &at])
                .status()
        };
        if !mount("loop,nosuid,nodev").is_ok_and(|status| status.success()) {
            skip!("needs a loop device");
        }
        let mounted = Mounted(&at);
        let error = walk(&at.join("link")).unwrap_err();
        assert!(matches!(&error, WalkError::LinkOnMedium { .. }), "{error}");
        walk(&at.join("file")).unwrap();
        assert!(!walk_to_place(&at.join("new")).unwrap().is_closed);
        drop(mounted);
        if mount("loop").is_ok_and(|status| status.success()) {
            let _mounted = Mounted(&at);
            // As root mounts it.
            let target = walk(&at.join("link")).unwrap();
            assert_eq!(target.dirs.last().unwrap().path, dir);
        }
    }
}
