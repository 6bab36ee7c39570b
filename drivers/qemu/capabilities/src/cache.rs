//! Keeps what was found out about an emulator on disk, one small file each.
//!
//! A file is used only if all that it depended on is as it was: this program's rules, the binary,
//! and (because CPU features come from there) the kernel, its boot, and its `/dev/kvm`. A file
//! that is old, damaged, or cannot be written is no error: what it would say is found out again.
//!
//! Blocks; callers on an async runtime move it to `spawn_blocking`.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use virtbus_util::file;

use super::probe::ProbeOptions;
use super::table::Cap;
use crate::GuestUser;

/// To be raised whenever the meaning of saved values changes. New capabilities and changed rules
/// are noticed without that.
const FORMAT: u32 = 1;

/// Files are tens of kilobytes; anything much larger is not ours.
const LIMIT: u64 = 4 << 20;

/// What a saved result depended on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    format: u32,
    rules: u64,
    binary: PathBuf,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    inode: u64,
    user: Option<GuestUser>,
    host: Host,
    kvm_node: Option<Node>,
}

/// The kernel that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    boot: String,
    kernel: String,
}

/// `/dev/kvm` as it is now: made anew when the module is loaded, changed with its permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    inode: u64,
    mode: u32,
    owner: (u32, u32),
    changed: (i64, i64),
}

impl Host {
    /// Asks the kernel. What it does not tell counts as unchanged.
    pub(crate) fn now() -> Self {
        Self {
            boot: virtbus_util::process::boot_id().unwrap_or_default(),
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
        }
    }
}

impl Key {
    /// Two `stat` calls.
    ///
    /// # Errors
    /// If the binary cannot be looked at.
    pub(crate) fn now(binary: &Path, host: &Host, options: &ProbeOptions) -> io::Result<Self> {
        let facts = std::fs::metadata(binary)?;
        let node = std::fs::metadata(&options.kvm_node).ok();
        Ok(Self {
            format: FORMAT,
            rules: rules_version(),
            binary: binary.to_owned(),
            size: facts.size(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            inode: facts.ino(),
            user: options.user.clone(),
            host: host.clone(),
            kvm_node: node.map(|node| Node {
                inode: node.ino(),
                mode: node.mode(),
                owner: (node.uid(), node.gid()),
                changed: (node.ctime(), node.ctime_nsec()),
            }),
        })
    }
}

impl Key {
    /// The binary that it is about.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }
}

/// A number that changes when a capability comes, goes, moves, or is found in another way.
fn rules_version() -> u64 {
    static VERSION: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *VERSION.get_or_init(|| {
        let mut text = String::new();
        for cap in Cap::ALL {
            text.push_str(&format!("{cap} {:?};", cap.rule()));
        }
        fnv1a(text.as_bytes())
    })
}

/// FNV-1a, 64 bits: the same in every build, unlike the standard library's hashes.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[derive(Deserialize)]
struct Saved<'a> {
    key: Key,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Serialize)]
struct Saving<'a, T> {
    key: &'a Key,
    value: &'a T,
}

/// What is saved, for its file's name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Capabilities,
    Kvm,
}

fn path(dir: &Path, kind: Kind, binary: &Path) -> PathBuf {
    let kind = match kind {
        Kind::Capabilities => "capabilities",
        Kind::Kvm => "kvm",
    };
    let bytes = binary.as_os_str().as_encoded_bytes();
    dir.join(format!("{kind}-{:016x}.json", fnv1a(bytes)))
}

/// Loads what was saved under exactly this key.
pub(crate) fn load<T: DeserializeOwned>(dir: &Path, kind: Kind, key: &Key) -> Option<T> {
    let path = path(dir, kind, &key.binary);
    let bytes = match file::read_limited(&path, LIMIT) {
        Ok(bytes) => bytes,
        Err(error) => {
            if !error.is_not_found() {
                tracing::warn!(path = %path.display(), %error, "cannot read cached capabilities, ignoring");
            }
            return None;
        }
    };
    let value = serde_json::from_slice(&bytes).and_then(|saved: Saved<'_>| {
        let fresh = saved.key == *key;
        fresh
            .then(|| serde_json::from_str(saved.value.get()))
            .transpose()
    });
    value.unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "cached capabilities are damaged, ignoring");
        None
    })
}

/// Saves a value; that it cannot be is not the caller's concern.
pub(crate) fn store<T: Serialize>(dir: &Path, kind: Kind, key: &Key, value: &T) {
    let path = path(dir, kind, &key.binary);
    let written = serde_json::to_vec(&Saving { key, value })
        .map_err(io::Error::other)
        .and_then(|bytes| {
            file::ensure_dir(dir, 0o755, None).map_err(io::Error::other)?;
            file::write_atomic(&path, &bytes, 0o600).map_err(io::Error::other)
        });
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "cannot save capabilities, ignoring");
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, Key, Kind, load, path, store};
    use crate::{Capabilities, ProbeOptions};
    use std::fs;
    use std::path::Path;

    fn key(binary: &Path) -> Key {
        let options = ProbeOptions {
            kvm_node: "/nonexistent".into(),
            ..ProbeOptions::default()
        };
        Key::now(binary, &Host::default(), &options).unwrap()
    }

    fn some() -> Capabilities {
        Capabilities {
            arch: "x86_64".to_owned(),
            ..Capabilities::default()
        }
    }

    #[test]
    fn what_was_saved_comes_back_while_nothing_changed() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("qemu");
        let cache = dir.path().join("new/cache");
        fs::write(&binary, "one").unwrap();
        let old = key(&binary);
        let get = |key: &Key| load::<Capabilities>(&cache, Kind::Capabilities, key);
        assert_eq!(get(&old), None);
        store(&cache, Kind::Capabilities, &old, &some());
        assert_eq!(get(&old), Some(some()));
        assert_eq!(get(&key(&binary)), Some(some()));
        assert_eq!(load::<Capabilities>(&cache, Kind::Kvm, &old), None);
        fs::write(&binary, "longer").unwrap();
        assert_eq!(get(&key(&binary)), None);
        let mut other = old.clone();
        other.host.boot = "another".to_owned();
        assert_eq!(get(&other), None);
        let mut other = old.clone();
        other.rules += 1;
        assert_eq!(get(&other), None);
    }

    #[test]
    fn a_damaged_file_is_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("qemu");
        fs::write(&binary, "one").unwrap();
        let key = key(&binary);
        store(dir.path(), Kind::Capabilities, &key, &some());
        let file = path(dir.path(), Kind::Capabilities, &binary);
        let good = fs::read(&file).unwrap();
        for size in 0..good.len() {
            fs::write(&file, &good[..size]).unwrap();
            assert_eq!(
                load::<Capabilities>(dir.path(), Kind::Capabilities, &key),
                None
            );
        }
        let mut other = good.clone();
        other.extend(b"x");
        fs::write(&file, other).unwrap();
        assert_eq!(
            load::<Capabilities>(dir.path(), Kind::Capabilities, &key),
            None
        );
        store(dir.path(), Kind::Capabilities, &key, &some());
        assert_eq!(load(dir.path(), Kind::Capabilities, &key), Some(some()));
    }
}
