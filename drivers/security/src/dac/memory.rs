//! What a file itself remembers: whom it belonged to before it was given to guests, and which
//! guests use it. Kept in the extended attribute `trusted.virtbus.dac`, which only the privileged
//! can see, and which goes with the file through renames.
//!
//! The value is text, one line:
//!
//! ```text
//! 2 BOOT-ID DEVICE:INODE OWNER-UID:GID GIVEN-UID:GID USER,USER,…
//! ```
//!
//! `2` is the version; the first, of earlier releases, has no device and is read as well. Users are guests of this boot of the host, in 16 hexadecimal digits each, or
//! `*` for more than can be listed: then the file stays with the guests until the next boot. An
//! attribute from an earlier boot, or one that was copied together with the file's contents (device
//! and inode tell), has no users; the owner in it still holds as long as the file belongs to whom it
//! was given.
//!
//! Attributes of another version, or spoiled ones, are as good as none.

use std::fmt;
use std::str::FromStr;

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use virtbus_util::file::Owner;
use virtbus_util::process::boot_id;

use super::DacError;
use super::target::Target;

const NAME: &str = "trusted.virtbus.dac";
const VERSION: &str = "2";
const FIRST_VERSION: &str = "1";
/// More users than this are `*`. Some file systems have no more than 4 KiB for all attributes.
const MAX_USERS: usize = 128;
/// Larger than any value that is written here.
const MAX_VALUE: usize = 8192;

/// A guest, as files remember it: a short fingerprint of its UUID and of what it was given the file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder(u64);

impl Holder {
    /// The holder that stands for what the guest with this UUID starts with.
    pub fn of_guest(uuid: [u8; 16]) -> Self {
        Self::of_part(uuid, 0)
    }

    /// The holder that stands for this part of what the guest has: 0 for what it starts with.
    pub fn of_part(uuid: [u8; 16], part: u32) -> Self {
        // FNV-1a, so that UUIDs that people make up by counting differ too.
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        // Files that were given by earlier releases know of no parts.
        let part = part.to_be_bytes();
        let part = part.into_iter().filter(|_| part != [0; 4]);
        Self(uuid.into_iter().chain(part).fold(OFFSET, mix))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The text is not 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a holder is written as 16 hexadecimal digits")]
pub struct HolderError;

impl FromStr for Holder {
    type Err = HolderError;

    fn from_str(text: &str) -> Result<Self, HolderError> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(HolderError);
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| HolderError)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Users {
    Listed(Vec<Holder>),
    Many,
}

/// The attribute's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) owner: Owner,
    pub(super) given: Owner,
    users: Users,
}

impl Memory {
    pub(super) fn new(owner: Owner, given: Owner) -> Self {
        Self {
            owner,
            given,
            users: Users::Listed(Vec::new()),
        }
    }

    pub(super) fn has_others(&self, holder: Holder) -> bool {
        match &self.users {
            Users::Listed(users) => users.iter().any(|user| *user != holder),
            Users::Many => true,
        }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.users == Users::Listed(Vec::new())
    }

    pub(super) fn add(&mut self, holder: Holder) {
        if let Users::Listed(users) = &mut self.users
            && !users.contains(&holder)
        {
            users.push(holder);
            if users.len() > MAX_USERS {
                self.users = Users::Many;
            }
        }
    }

    /// Answers whether it was there.
    pub(super) fn remove(&mut self, holder: Holder) -> bool {
        match &mut self.users {
            Users::Listed(users) => {
                let before = users.len();
                users.retain(|user| *user != holder);
                users.len() < before
            }
            Users::Many => false,
        }
    }

    /// Whether this guest is known to use the file.
    pub(super) fn lists(&self, holder: Holder) -> bool {
        match &self.users {
            Users::Listed(users) => users.contains(&holder),
            Users::Many => false,
        }
    }

    fn format(&self, boot: &str, (device, inode): (u64, u64)) -> String {
        let users = match &self.users {
            Users::Listed(users) => {
                let users: Vec<String> = users.iter().map(Holder::to_string).collect();
                users.join(",")
            }
            Users::Many => "*".to_owned(),
        };
        let (owner, given) = (self.owner, self.given);
        format!(
            "{VERSION} {boot} {device}:{inode} {}:{} {}:{} {users}",
            owner.uid, owner.gid, given.uid, given.gid
        )
    }

    fn parse(text: &str, boot: &str, (device, inode): (u64, u64)) -> Option<Self> {
        let mut fields = text.split(' ');
        let version = fields.next()?;
        let is_of_now = fields.next()? == boot;
        let id = fields.next()?;
        let is_of_here = match version {
            VERSION => id == format!("{device}:{inode}"),
            FIRST_VERSION => id.parse() == Ok(inode),
            _ => return None,
        };
        let mut memory = Self::new(parse_owner(fields.next()?)?, parse_owner(fields.next()?)?);
        let users = fields.next()?;
        if is_of_now && is_of_here {
            if users == "*" {
                memory.users = Users::Many;
            } else {
                for user in users.split(',').filter(|user| !user.is_empty()) {
                    memory.add(user.parse().ok()?);
                }
            }
        }
        Some(memory)
    }
}

pub(super) fn parse_owner(text: &str) -> Option<Owner> {
    let (uid, gid) = text.split_once(':')?;
    Some(Owner {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
    })
}

/// What the file remembers, if that is of any use.
pub(super) fn read(target: &Target) -> Result<Option<Memory>, DacError> {
    let mut value = vec![0_u8; MAX_VALUE];
    let length = match rustix::fs::getxattr(target.magic_path(), NAME, &mut value[..]) {
        Ok(length) => length,
        // There is none, or none can be.
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS | Errno::RANGE) => return Ok(None),
        Err(errno) => return Err(failed(target, errno)),
    };
    let boot = boot(target)?;
    let parsed = value
        .get(..length)
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|text| Memory::parse(text, &boot, target.id()));
    // Without users, an owner that somebody set in the meantime is the newer truth.
    Ok(parsed.filter(|memory| !memory.is_unused() || target.owner() == memory.given))
}

/// Makes the file remember. Where a file system cannot, this does nothing: then only the guest's
/// own record knows, which serves as long as the file has a single user.
pub(super) fn write(target: &Target, memory: &Memory) -> Result<(), DacError> {
    let value = memory.format(&boot(target)?, target.id());
    let flags = XattrFlags::empty();
    match rustix::fs::setxattr(target.magic_path(), NAME, value.as_bytes(), flags) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS | Errno::ROFS | Errno::NOSYS) => {
            tracing::debug!(path = %target.path.display(), "file cannot remember its users, ignoring");
            Ok(())
        }
        // A full disk. With a single user the record will do; but losing one of several is not
        // harmless.
        Err(Errno::NOSPC | Errno::DQUOT) if is_for_one(memory) => {
            tracing::debug!(path = %target.path.display(), "no room to remember users, ignoring");
            Ok(())
        }
        Err(errno) => Err(failed(target, errno)),
    }
}

fn is_for_one(memory: &Memory) -> bool {
    matches!(&memory.users, Users::Listed(users) if users.len() <= 1)
}

/// Makes the file forget.
pub(super) fn forget(target: &Target) -> Result<(), DacError> {
    match rustix::fs::removexattr(target.magic_path(), NAME) {
        Ok(()) | Err(Errno::NODATA) => Ok(()),
        Err(errno) => Err(failed(target, errno)),
    }
}

fn boot(target: &Target) -> Result<String, DacError> {
    boot_id().map_err(|error| DacError::Memory {
        path: target.path.clone(),
        source: std::io::Error::other(error),
    })
}

fn failed(target: &Target, errno: Errno) -> DacError {
    DacError::Memory {
        path: target.path.clone(),
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (u64, u64) = (8, 42);
    const BOOT: &str = "11111111-2222-3333-4444-555555555555";

    fn owner(uid: u32, gid: u32) -> Owner {
        Owner { uid, gid }
    }

    fn guest(number: u8) -> Holder {
        let mut uuid = [0; 16];
        uuid[15] = number;
        Holder::of_guest(uuid)
    }

    fn memory_of(guests: u8) -> Memory {
        let mut memory = Memory::new(owner(0, 6), owner(64055, 109));
        for number in 0..guests {
            memory.add(guest(number));
        }
        memory
    }

    #[test]
    fn text_both_ways() {
        for guests in [0, 1, 2, 128] {
            let memory = memory_of(guests);
            let text = memory.format(BOOT, HERE);
            assert_eq!(Memory::parse(&text, BOOT, HERE), Some(memory), "{text}");
            assert!(text.len() < 2500);
        }
        assert_eq!(
            memory_of(1).format(BOOT, HERE),
            format!("2 {BOOT} 8:42 0:6 64055:109 {}", guest(0))
        );
    }

    #[test]
    fn users_of_another_boot_or_file_do_not_count() {
        let text = memory_of(2).format(BOOT, HERE);
        for (boot, id) in [("other", HERE), (BOOT, (8, 43)), (BOOT, (9, 42))] {
            let memory = Memory::parse(&text, boot, id).unwrap();
            assert!(memory.is_unused());
            assert_eq!(memory.owner, owner(0, 6));
        }
    }

    #[test]
    fn the_first_form_has_no_device() {
        let text = format!("1 {BOOT} 42 0:6 64055:109 {}", guest(0));
        assert_eq!(Memory::parse(&text, BOOT, HERE), Some(memory_of(1)));
        let elsewhere = Memory::parse(&text, BOOT, (8, 43)).unwrap();
        assert!(elsewhere.is_unused());
    }

    #[test]
    fn users_come_and_go_once() {
        let mut memory = memory_of(1);
        memory.add(guest(0));
        assert!(!memory.has_others(guest(0)));
        memory.add(guest(1));
        assert!(memory.has_others(guest(0)));
        assert!(memory.remove(guest(0)));
        assert!(!memory.remove(guest(0)));
        assert!(!memory.is_unused());
        assert!(memory.remove(guest(1)) && memory.is_unused());
    }

    #[test]
    fn too_many_users_stay() {
        let mut memory = memory_of(129);
        let text = memory.format(BOOT, HERE);
        assert!(text.ends_with(" *"));
        assert_eq!(Memory::parse(&text, BOOT, HERE), Some(memory.clone()));
        assert!(!memory.remove(guest(1)));
        assert!(memory.has_others(guest(1)) && !memory.is_unused());
    }

    #[test]
    fn spoiled_text_is_none() {
        let good = memory_of(2).format(BOOT, HERE);
        for end in 0..good.len() {
            let _ = Memory::parse(&good[..end], BOOT, HERE);
        }
        let wrong = [
            "",
            "3 b 8:42 0:0 1:1 ",
            "2 b 8:42 0 1:1 ",
            "1 b 42 0:0 1:-1 ",
            "1 b 42 0:0 1:1",
        ];
        for text in wrong {
            assert_eq!(Memory::parse(text, "b", HERE), None, "{text}");
        }
        assert_eq!(Memory::parse("2 b 8:42 0:0 1:1 xyz", "b", HERE), None);
    }

    #[test]
    fn holders_differ_and_are_text() {
        let first = guest(1);
        assert_ne!(first, guest(2));
        assert_eq!(first.to_string().parse(), Ok(first));
        assert!("12".parse::<Holder>().is_err());
        assert!("+123456789abcdef".parse::<Holder>().is_err());
    }
}
