//! Who may do what with a file, as far as its mode says; which device nodes belong to everybody;
//! which file systems other hosts see too. Pure functions on what the kernel told.

use rustix::fs::{FileType, FsWord, Stat};
use virtbus_util::file::Owner;

/// Whom a guest's processes run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user. For 0, which may do everything, no file is changed.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl Identity {
    /// What files are given to.
    pub fn owner(&self) -> Owner {
        Owner {
            uid: self.uid,
            gid: self.gid,
        }
    }
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Read,
    ReadWrite,
    /// Go through a directory.
    Search,
}

/// Whether the permission bits allow it. Access control lists are not looked at: where one says
/// otherwise, the bits of the group are its upper bound.
pub(super) fn allows(facts: &Stat, identity: &Identity, claim: Claim) -> bool {
    if identity.uid == 0 {
        return true;
    }
    let class = if facts.st_uid == identity.uid {
        6
    } else if facts.st_gid == identity.gid || identity.groups.contains(&facts.st_gid) {
        3
    } else {
        0
    };
    let wanted = match claim {
        Claim::Read => 0o4,
        Claim::ReadWrite => 0o6,
        Claim::Search => 0o1,
    };
    (facts.st_mode >> class) & wanted == wanted
}

/// What kind of thing it is, as far as ownership goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// May be given to a guest.
    Ownable,
    /// A device node that all of the host uses.
    Everybodys,
}

/// Numbers are those of the kernel's `Documentation/admin-guide/devices.txt`.
pub(super) fn kind(facts: &Stat) -> Kind {
    const MEMORY: u32 = 1; // null, zero, full, random, urandom, mem, kmsg
    const TERMINALS: u32 = 5; // tty, console, ptmx
    const MISCELLANEOUS: u32 = 10; // kvm, tun, vhost-net, vfio, fuse, rtc, …
    const TPM: u32 = 224; // the one miscellaneous device that a single guest owns
    if FileType::from_raw_mode(facts.st_mode) != FileType::CharacterDevice {
        return Kind::Ownable;
    }
    match (
        rustix::fs::major(facts.st_rdev),
        rustix::fs::minor(facts.st_rdev),
    ) {
        (MISCELLANEOUS, TPM) => Kind::Ownable,
        (MEMORY | TERMINALS | MISCELLANEOUS, _) => Kind::Everybodys,
        _ => Kind::Ownable,
    }
}

/// Whether a file system is shared with other hosts, by its magic number (statfs(2),
/// `linux/magic.h`). Nothing that this host writes beside such a file tells what other hosts do.
pub(super) fn is_network(magic: FsWord) -> bool {
    // The numbers have 32 bits; the type has 32 or 64, and a sign.
    let magic = magic as u32;
    matches!(
        magic,
        0x6969                  // NFS
            | 0xff53_4d42       // CIFS
            | 0xfe53_4d42       // SMB 2 and later
            | 0x517b            // SMB 1
            | 0x00c3_6400       // Ceph
            | 0x5346_414f       // AFS
            | 0x6b41_4653       // AFS in the kernel
            | 0x0116_1970       // GFS2
            | 0x7461_636f       // OCFS2
            | 0x0bd0_0bd0       // Lustre
            | 0x4750_4653       // GPFS
            | 0x1983_0326       // BeeGFS
            | 0xaad7_aaea       // PanFS
            | 0x6163_6673       // ACFS
            | 0x7375_7245       // Coda
            | 0x0102_1997       // 9P
            | 0x6573_5546 // FUSE: GlusterFS, sshfs, virtiofs; local ones are rare
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(mode: u32, uid: u32, gid: u32) -> Stat {
        let dir = tempfile::tempdir().unwrap();
        let mut facts = rustix::fs::stat(dir.path()).unwrap();
        facts.st_mode = mode;
        facts.st_uid = uid;
        facts.st_gid = gid;
        facts
    }

    fn device(mode: u32, major: u32, minor: u32) -> Stat {
        let mut facts = facts(mode, 0, 0);
        facts.st_rdev = rustix::fs::makedev(major, minor);
        facts
    }

    #[test]
    fn the_first_class_that_fits_decides() {
        let guest = Identity {
            uid: 7,
            gid: 8,
            groups: vec![9],
        };
        let may = |mode, uid, gid, claim| allows(&facts(mode, uid, gid), &guest, claim);
        assert!(may(0o100_400, 7, 0, Claim::Read));
        assert!(!may(0o100_400, 7, 0, Claim::ReadWrite));
        assert!(!may(0o100_044, 7, 8, Claim::Read), "the owner, only");
        assert!(may(0o100_040, 0, 8, Claim::Read));
        assert!(may(0o100_060, 0, 9, Claim::ReadWrite));
        assert!(!may(0o100_004, 0, 9, Claim::Read), "the group, only");
        assert!(may(0o100_006, 0, 0, Claim::ReadWrite));
        assert!(may(0o040_711, 0, 0, Claim::Search));
        assert!(!may(0o040_700, 0, 0, Claim::Search));
        let root = Identity {
            uid: 0,
            gid: 0,
            groups: Vec::new(),
        };
        assert!(allows(&facts(0, 1, 1), &root, Claim::ReadWrite));
    }

    #[test]
    fn devices_of_everybody() {
        const CHARACTER: u32 = 0o020_666;
        const BLOCK: u32 = 0o060_660;
        assert_eq!(kind(&device(CHARACTER, 1, 3)), Kind::Everybodys);
        assert_eq!(kind(&device(CHARACTER, 5, 2)), Kind::Everybodys);
        assert_eq!(kind(&device(CHARACTER, 10, 232)), Kind::Everybodys);
        assert_eq!(kind(&device(CHARACTER, 10, 224)), Kind::Ownable);
        assert_eq!(kind(&device(CHARACTER, 189, 1)), Kind::Ownable);
        assert_eq!(kind(&device(BLOCK, 1, 0)), Kind::Ownable);
        assert_eq!(kind(&facts(0o100_600, 0, 0)), Kind::Ownable);
        let null = rustix::fs::stat("/dev/null").unwrap();
        assert_eq!(kind(&null), Kind::Everybodys);
    }

    #[test]
    fn file_systems() {
        assert!(is_network(0x6969));
        for local in [0xef53, 0x5846_5342, 0x0102_1994, 0x9123_683e] {
            assert!(!is_network(local));
        }
    }
}
