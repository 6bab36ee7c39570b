//! By what the daemon knows what it wrote itself: a saved guest's definition decides which files of the host the guest gets, and the file may
//! lie where others can write.
//!
//! A keyed digest (HMAC with SHA-256, RFC 2104) over what the header says. The key is this host's, of 32 random bytes, in a file that only the
//! daemon's user can read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use virtbus_util::file::{self, FileError};

/// The length of a key, bytes.
const KEY: usize = 32;

/// The length of a seal, bytes: half of the digest, which is what is customary at least.
pub(crate) const SEAL: usize = 16;

/// The file of the key, in the driver's state directory.
const FILE: &str = "seal.key";

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} '{path}'")]
pub(crate) struct SealError {
    /// What was being done with it.
    pub(crate) action: &'static str,
    /// Its file.
    pub(crate) path: PathBuf,
    /// What is against that.
    pub(crate) source: io::Error,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SealError {
    let path = path.to_owned();
    move |source| SealError {
        action,
        path,
        source,
    }
}

/// The key of this host's saved guests, which is made when it is needed first.
#[derive(Debug)]
pub(crate) struct SealKey {
    path: PathBuf,
    known: Mutex<Option<[u8; KEY]>>,
}

impl SealKey {
    pub(crate) fn new(state: &Path) -> Self {
        Self {
            path: state.join(FILE),
            known: Mutex::new(None),
        }
    }

    /// The seal of these parts, whose number and lengths are covered too. Blocks.
    ///
    /// # Errors
    /// If the key can be neither read nor made.
    pub(crate) fn seal(&self, parts: &[&[u8]]) -> Result<[u8; SEAL], SealError> {
        let digest = self.digest(parts)?.finalize().into_bytes();
        let mut seal = [0; SEAL];
        seal.copy_from_slice(&digest[..SEAL]);
        Ok(seal)
    }

    /// Whether this is the seal of these parts. Blocks.
    ///
    /// # Errors
    /// As [`SealKey::seal`].
    pub(crate) fn verify(&self, parts: &[&[u8]], seal: &[u8; SEAL]) -> Result<bool, SealError> {
        Ok(self.digest(parts)?.verify_truncated_left(seal).is_ok())
    }

    fn digest(&self, parts: &[&[u8]]) -> Result<Hmac<Sha256>, SealError> {
        let key = self.key()?;
        let mut digest = Hmac::new_from_slice(&key)
            .map_err(|_| failed("use", &self.path)(io::ErrorKind::InvalidData.into()))?;
        for part in parts {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Ok(digest)
    }

    fn key(&self) -> Result<[u8; KEY], SealError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = *known {
            return Ok(key);
        }
        let key = match std::fs::read(&self.path) {
            Ok(bytes) => bytes
                .try_into()
                .map_err(|_| failed("use", &self.path)(io::ErrorKind::InvalidData.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make()?,
            Err(error) => return Err(failed("read", &self.path)(error)),
        };
        *known = Some(key);
        Ok(key)
    }

    fn make(&self) -> Result<[u8; KEY], SealError> {
        let mut key = [0; KEY];
        let filled = rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty());
        let filled = filled.map_err(|errno| failed("make", &self.path)(errno.into()))?;
        if filled != KEY {
            return Err(failed("make", &self.path)(
                io::ErrorKind::UnexpectedEof.into(),
            ));
        }
        let cannot = |error: FileError| failed("make", &self.path)(io::Error::other(error));
        file::create_new(&self.path, &key, 0o600).map_err(cannot)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_seal_holds_for_what_was_sealed_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = SealKey::new(dir.path());
        let seal = key.seal(&[b"one", b"two"]).unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o7777, 0o600);
        let again = SealKey::new(dir.path());
        assert!(again.verify(&[b"one", b"two"], &seal).unwrap());
        for other in [&[&b"one"[..], b"twi"][..], &[b"onet", b"wo"], &[b"onetwo"]] {
            assert!(!again.verify(other, &seal).unwrap());
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let stranger = SealKey::new(elsewhere.path());
        assert!(!stranger.verify(&[b"one", b"two"], &seal).unwrap());
        std::fs::write(dir.path().join(FILE), "short").unwrap();
        assert!(SealKey::new(dir.path()).seal(&[b"one"]).is_err());
    }
}
