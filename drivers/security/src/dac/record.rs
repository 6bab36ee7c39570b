//! What a driver keeps beside a guest's state, so that the guest's files can be given back by a
//! daemon that knows nothing else. As text it is a line for the guest and a line for each file:
//!
//! ```text
//! dac 2 HOLDER GIVEN-UID:GID
//! DEVICE:INODE PREVIOUS-UID:GID exclusive|shared PATH
//! ```
//!
//! The first form, of earlier releases, has the inode alone.
//!
//! In paths, `%`, control characters and bytes that are not ASCII are written as `%` and two
//! hexadecimal digits.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;

use virtbus_util::file::Owner;

use super::Holder;
use super::memory::parse_owner;

const HEADER: &str = "dac 2";
const FIRST_HEADER: &str = "dac 1";

/// What was found out about a guest's files and is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The guest.
    pub holder: Holder,
    /// Whom the files are given to.
    pub given: Owner,
    /// The files, in the order in which they are changed.
    pub entries: Vec<Entry>,
}

/// One file of a [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path as the definition has it.
    pub path: PathBuf,
    /// The number of the file's device. A record of the first form has none.
    pub device: Option<u64>,
    /// The file's inode number: another file that takes the name meanwhile is not touched.
    pub inode: u64,
    /// The owner to go back to.
    pub previous: Owner,
    /// Whether no other guest may use the file. Where the file system cannot remember who does,
    /// only such files are given back.
    pub exclusive: bool,
}

/// A text is no [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the record of file owners is corrupt")]
pub struct RecordError {
    /// Which line, the first being 1.
    pub line: usize,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.given;
        writeln!(f, "{HEADER} {} {}:{}", self.holder, given.uid, given.gid)?;
        for entry in &self.entries {
            let (inode, previous) = (entry.inode, entry.previous);
            if let Some(device) = entry.device {
                write!(f, "{device}:")?;
            }
            let use_ = if entry.exclusive {
                "exclusive"
            } else {
                "shared"
            };
            write!(f, "{inode} {}:{} {use_} ", previous.uid, previous.gid)?;
            escape(f, entry.path.as_os_str())?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl FromStr for Record {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let mut lines = text.lines();
        let mut record = lines
            .next()
            .and_then(parse_header)
            .ok_or(RecordError { line: 1 })?;
        for (line, text) in (2..).zip(lines) {
            record
                .entries
                .push(parse_entry(text).ok_or(RecordError { line })?);
        }
        Ok(record)
    }
}

fn parse_header(line: &str) -> Option<Record> {
    let (holder, given) = line
        .strip_prefix(HEADER)
        .or_else(|| line.strip_prefix(FIRST_HEADER))?
        .strip_prefix(' ')?
        .split_once(' ')?;
    Some(Record {
        holder: holder.parse().ok()?,
        given: parse_owner(given)?,
        entries: Vec::new(),
    })
}

fn parse_entry(line: &str) -> Option<Entry> {
    let mut fields = line.splitn(4, ' ');
    let id = fields.next()?;
    let (device, inode) = match id.split_once(':') {
        Some((device, inode)) => (Some(device.parse().ok()?), inode),
        None => (None, id),
    };
    Some(Entry {
        device,
        inode: inode.parse().ok()?,
        previous: parse_owner(fields.next()?)?,
        exclusive: match fields.next()? {
            "exclusive" => true,
            "shared" => false,
            _ => return None,
        },
        path: PathBuf::from(unescape(fields.next()?)?),
    })
}

fn escape(f: &mut fmt::Formatter<'_>, path: &OsStr) -> fmt::Result {
    for byte in path.as_bytes() {
        if *byte != b'%' && (b' '..=b'~').contains(byte) {
            write!(f, "{}", char::from(*byte))?;
        } else {
            write!(f, "%{byte:02x}")?;
        }
    }
    Ok(())
}

fn unescape(text: &str) -> Option<OsString> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        if !code.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let entry = |path: &[u8], exclusive| Entry {
            path: PathBuf::from(OsString::from_vec(path.to_vec())),
            device: Some(2049),
            inode: u64::MAX,
            previous: Owner { uid: 0, gid: 6 },
            exclusive,
        };
        Record {
            holder: Holder::of_guest([1; 16]),
            given: Owner {
                uid: 64055,
                gid: u32::MAX - 1,
            },
            entries: vec![
                entry(b"/srv/disk", true),
                entry(b"/a b/%41\n\xff\xc3\xa4", false),
            ],
        }
    }

    #[test]
    fn text_both_ways() {
        let text = record().to_string();
        assert_eq!(text.parse(), Ok(record()), "{text}");
        assert!(text.ends_with("0:6 shared /a b/%2541%0a%ff%c3%a4\n"));
        let first = text.replace("dac 2", "dac 1").replace("2049:", "");
        let first: Record = first.parse().unwrap();
        assert_eq!(first.holder, record().holder);
        assert!(first.entries.iter().all(|entry| entry.device.is_none()));
        assert_eq!(first.entries[1].path, record().entries[1].path);
        let empty = Record {
            entries: Vec::new(),
            ..record()
        };
        assert_eq!(empty.to_string().parse(), Ok(empty));
    }

    #[test]
    fn spoiled_text_names_the_line() {
        let good = record().to_string();
        for (from, to, line) in [
            ("dac 2", "dac 3", 1),
            ("dac 2 ", "dac 2 x", 1),
            ("2049:", ":", 2),
            ("2049:", "x:", 2),
            ("exclusive", "mine", 2),
            ("%0a", "%+a", 3),
            ("%c3%a4", "%c", 3),
        ] {
            let bad = good.replace(from, to);
            assert_eq!(bad.parse::<Record>(), Err(RecordError { line }), "{to}");
        }
        assert_eq!("".parse::<Record>(), Err(RecordError { line: 1 }));
        for end in 0..good.len() {
            let _ = good[..end].parse::<Record>();
        }
    }
}
