//! Encryption of values: XChaCha20-Poly1305 with a key of this host.
//!
//! A value is bound to the secret that it is of, so that whoever may write files cannot give one secret the value of another. The key is
//! systemd's credential if the service has one (which systemd can keep encrypted with the host's TPM), else a file of 32 random bytes that only the
//! daemon's user can read. Each encrypted value says which key it was encrypted with, so a host may change from one to the other.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use virtbus_api::Uuid;
use virtbus_util::file::{self, FileError};
use zeroize::Zeroizing;

/// The length of a key, bytes.
pub const KEY_BYTES: usize = 32;

/// What an encrypted value begins with. The number is that of the format.
const MAGIC: &[u8; 16] = b"virtbus secret 1";

/// The length of what tells keys apart, bytes.
const KEY_ID: usize = 8;

/// The length of a nonce, bytes: long enough to be chosen by chance.
const NONCE: usize = 24;

/// The length of what tells whether a value was changed, bytes.
const TAG: usize = 16;

/// What is before the encrypted bytes.
const HEADER: usize = MAGIC.len() + KEY_ID + NONCE + TAG;

/// Why a value cannot be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The key's file cannot be used.
    #[error("the host's key for secrets cannot be used")]
    Key(#[from] FileError),
    /// There is something else in the key's file.
    #[error("'{path}' is no key for secrets: it has {bytes} bytes, a key has {KEY_BYTES}")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
    },
    /// The kernel gives no random bytes.
    #[error("no random bytes can be had from the kernel")]
    Random(#[source] std::io::Error),
    /// The file is no encrypted value.
    #[error("the stored value is damaged, or of another release")]
    Malformed,
    /// The key is gone.
    #[error(
        "the stored value was encrypted with another key than this host has now; set the value again, or bring the key back"
    )]
    OtherKey,
    /// It was changed, or belongs to another secret.
    #[error("the stored value was changed, or belongs to another secret")]
    Forged,
}

/// A key with what tells it apart.
#[derive(Clone)]
struct Key {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: [u8; KEY_ID],
}

impl Key {
    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"virtbus secret key");
        digest.update(*bytes);
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest.finalize()[..KEY_ID]);
        Self { bytes, id }
    }

    fn read(path: &Path) -> Result<Option<Self>, VaultError> {
        let bytes = match file::read_limited(path, 4096) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return Err(VaultError::NoKey {
                path: path.to_owned(),
                bytes: bytes.len(),
            });
        }
        key.copy_from_slice(&bytes);
        Ok(Some(Self::new(key)))
    }

    /// Makes a key of this host's in the file.
    fn make(path: &Path) -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        fill(&mut *key)?;
        if let Some(dir) = path.parent() {
            file::ensure_dir(dir, 0o700, None)?;
        }
        file::create_new(path, &*key, 0o600)?;
        Ok(Self::new(key))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

/// Random bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), VaultError> {
    let mut filled = 0;
    while filled < bytes.len() {
        let more =
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty());
        filled += more.map_err(|errno| VaultError::Random(errno.into()))?;
    }
    Ok(())
}

/// Encrypts and decrypts values. Blocks for the key's file.
pub(crate) struct Vault {
    credential: Option<PathBuf>,
    file: PathBuf,
    keys: Mutex<Option<Keys>>,
}

/// Those that this host has.
#[derive(Clone)]
struct Keys {
    credential: Option<Key>,
    file: Option<Key>,
}

impl Vault {
    /// A vault with the key in `credential`, if there is one, else in `file`, which is made when it is needed first.
    pub(crate) fn new(credential: Option<PathBuf>, file: PathBuf) -> Self {
        Self {
            credential,
            file,
            keys: Mutex::new(None),
        }
    }

    fn keys(&self) -> Result<Keys, VaultError> {
        let mut kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = &*kept {
            return Ok(keys.clone());
        }
        let credential = match &self.credential {
            Some(path) => Key::read(path)?,
            None => None,
        };
        let mut file = Key::read(&self.file)?;
        if credential.is_none() && file.is_none() {
            file = Some(Key::make(&self.file)?);
        }
        let keys = Keys { credential, file };
        *kept = Some(keys.clone());
        Ok(keys)
    }

    /// Encrypts the value of a secret.
    ///
    /// # Errors
    /// If the key can be neither read nor made, or the kernel gives no random bytes.
    pub(crate) fn seal(&self, of: Uuid, value: &[u8]) -> Result<Vec<u8>, VaultError> {
        let keys = self.keys()?;
        let key = keys.credential.or(keys.file).ok_or(VaultError::OtherKey)?;
        let mut nonce = [0; NONCE];
        fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(HEADER + value.len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&[0; TAG]);
        sealed.extend_from_slice(value);
        let (header, body) = sealed.split_at_mut(HEADER);
        let tag = key
            .cipher()
            .encrypt_in_place_detached(XNonce::from_slice(&nonce), of.as_bytes(), body)
            .map_err(|_| VaultError::Malformed)?;
        header[HEADER - TAG..].copy_from_slice(&tag);
        Ok(sealed)
    }

    /// Decrypts the value of a secret.
    ///
    /// # Errors
    /// If it was not sealed for this secret with a key that this host has.
    pub(crate) fn open(&self, of: Uuid, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut value = Zeroizing::new(sealed);
        if value.len() < HEADER || !value.starts_with(MAGIC) {
            return Err(VaultError::Malformed);
        }
        let mut header = [0; HEADER];
        header.copy_from_slice(&value[..HEADER]);
        let (id, rest) = header[MAGIC.len()..].split_at(KEY_ID);
        let (nonce, tag) = rest.split_at(NONCE);
        let keys = self.keys()?;
        let mut known = [keys.credential, keys.file].into_iter().flatten();
        let key = known.find(|key| key.id == id).ok_or(VaultError::OtherKey)?;
        value.drain(..HEADER);
        key.cipher()
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                of.as_bytes(),
                &mut value,
                Tag::from_slice(tag),
            )
            .map_err(|_| VaultError::Forged)?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_value_opens_for_its_secret_with_its_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state/secret.key");
        let vault = Vault::new(None, file.clone());
        let sealed = vault.seal(ONE, b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(sealed, vault.seal(ONE, b"hunter2").unwrap());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let again = Vault::new(None, file);
        assert_eq!(**again.open(ONE, sealed.clone()).unwrap(), *b"hunter2");
        let wrong = again.open(OTHER, sealed.clone()).unwrap_err();
        assert!(matches!(wrong, VaultError::Forged));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            again.open(ONE, changed).unwrap_err();
            again.open(ONE, sealed[..at].to_vec()).unwrap_err();
        }
        let elsewhere = Vault::new(None, dir.path().join("other.key"));
        let stranger = elsewhere.open(ONE, sealed).unwrap_err();
        assert!(matches!(stranger, VaultError::OtherKey));
    }

    #[test]
    fn a_credential_comes_first_and_what_the_file_sealed_still_opens() {
        let dir = tempfile::tempdir().unwrap();
        let (file, credential) = (dir.path().join("secret.key"), dir.path().join("credential"));
        let before = Vault::new(None, file.clone()).seal(ONE, b"old").unwrap();
        std::fs::write(&credential, [7; KEY_BYTES]).unwrap();
        let vault = Vault::new(Some(credential.clone()), file.clone());
        assert_eq!(**vault.open(ONE, before).unwrap(), *b"old");
        let sealed = vault.seal(ONE, b"new").unwrap();
        let without = Vault::new(None, file.clone()).open(ONE, sealed.clone());
        assert!(matches!(without.unwrap_err(), VaultError::OtherKey));
        // No file is made where there is a credential.
        std::fs::remove_file(&file).unwrap();
        let only = Vault::new(Some(credential), file.clone());
        assert_eq!(**only.open(ONE, sealed).unwrap(), *b"new");
        assert!(!file.exists());
    }

    #[test]
    fn what_is_no_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret.key");
        std::fs::write(&file, "short").unwrap();
        let error = Vault::new(None, file).seal(ONE, b"x").unwrap_err();
        assert!(error.to_string().contains("has 5 bytes"), "{error}");
    }
}
