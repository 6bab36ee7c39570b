//! Secrets of images: who may read them, and how they are encrypted.

use virtbus_conf_base::common::Uuid;
use virtbus_xml::{Content, Describe, ErrorKind, Node, Result, Text, Writer, Xml, xml_names};

/// Which secret is meant: by its UUID or by its usage. Exactly one is set.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum SecretUsage {
    /// UUID of the secret.
    #[xml(attr = "uuid")]
    Uuid(Uuid),
    /// Usage name of the secret.
    #[xml(attr = "usage")]
    Usage(Text),
}

impl Content for SecretUsage {
    fn parse(node: Node<'_>) -> Result<Self> {
        match (node.attr_opt("uuid")?, node.attr_opt("usage")?) {
            (Some(uuid), None) => Ok(Self::Uuid(uuid)),
            (None, Some(usage)) => Ok(Self::Usage(usage)),
            (None, None) => {
                Err(node.error(ErrorKind::Missing, "either 'uuid' or 'usage' must be given"))
            }
            (Some(_), Some(_)) => Err(node.error(
                ErrorKind::Invalid,
                "only one of 'uuid' and 'usage' may be given",
            )),
        }
    }

    fn attrs(&self, w: &mut Writer) {
        match self {
            Self::Uuid(uuid) => w.attr("uuid", uuid),
            Self::Usage(usage) => w.attr("usage", usage),
        }
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<secret>` in `<auth>`: the secret that holds the user's password.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct AuthSecret {
    /// Usage type of the secret: `ceph` or `iscsi`.
    #[xml(attr = "type")]
    pub kind: Option<Text>,
    /// UUID or usage of the secret.
    #[xml(flat)]
    pub secret: SecretUsage,
}

/// `<auth>`: the user name and password for remote storage.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Authentication method; required for storage pools, absent from disks.
    #[xml(attr = "type", told = "one of 'chap', 'ceph'")]
    pub kind: Option<Text>,
    /// Name of the user at the remote storage.
    #[xml(attr)]
    pub username: Text,
    /// Secret that holds the user's password.
    #[xml(child)]
    pub secret: AuthSecret,
}

xml_names! {
    /// Format of an encrypted image.
    pub enum EncryptionFormat {
        Default = "default",
        Qcow = "qcow",
        Luks = "luks",
        Luks2 = "luks2",
        LuksAny = "luks-any",
    }
}

xml_names! {
    /// Who decrypts.
    pub enum EncryptionEngine {
        Qemu = "qemu",
        Librbd = "librbd",
    }
}

/// `<secret>` in `<encryption>`: a secret that opens the image.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct EncryptionSecret {
    /// Kind of the secret: always `passphrase`.
    #[xml(attr = "type")]
    pub kind: SecretKind,
    /// UUID or usage of the secret.
    #[xml(flat)]
    pub secret: SecretUsage,
}

xml_names! {
    /// Kind of an encryption secret.
    pub enum SecretKind {
        Passphrase = "passphrase",
    }
}

/// `<cipher>`: the cipher with which a new LUKS image is encrypted.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Cipher {
    /// Name of the cipher, such as `aes`.
    #[xml(attr)]
    pub name: Text,
    /// Size of the key in bits, such as 256.
    #[xml(attr)]
    pub size: u32,
    /// Mode of the cipher, such as `xts` or `cbc`.
    #[xml(attr)]
    pub mode: Option<Text>,
    /// Hash algorithm for the passphrase, such as `sha256`.
    #[xml(attr)]
    pub hash: Option<Text>,
}

/// `<ivgen>`: how the initialization vectors of a new LUKS image are made.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IvGen {
    /// Name of the algorithm, such as `plain64` or `essiv`.
    #[xml(attr)]
    pub name: Text,
    /// Hash algorithm that `essiv` needs, such as `sha256`.
    #[xml(attr)]
    pub hash: Option<Text>,
}

/// `<encryption>`: how the contents of an image are encrypted.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Encryption format: `luks`, `luks2`, `luks-any` (either LUKS version), or `qcow`, the old one of qcow2; `default`
    /// lets the driver choose.
    #[xml(attr)]
    pub format: EncryptionFormat,
    /// What encrypts and decrypts: `qemu` or `librbd`; QEMU if absent.
    #[xml(attr)]
    pub engine: Option<EncryptionEngine>,
    /// Secrets that open the image; several only with `librbd`, one for each layer.
    #[xml(child)]
    pub secret: Vec<EncryptionSecret>,
    /// Cipher of an image that is to be created; ignored for an existing one.
    #[xml(child)]
    pub cipher: Option<Cipher>,
    /// How initialization vectors of an image that is to be created are made.
    #[xml(child)]
    pub ivgen: Option<IvGen>,
}
