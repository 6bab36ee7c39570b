//! Secrets of images: who may read them, and how they are encrypted.

use virtbus_conf_base::common::Uuid;
use virtbus_xml::{Content, Describe, ErrorKind, Node, Result, Text, Writer, Xml, xml_names};

/// Which secret: by UUID or by what it is for. Exactly one is set.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum SecretUsage {
    /// By its UUID.
    #[xml(attr = "uuid")]
    Uuid(Uuid),
    /// By its usage name.
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

/// `<secret>` in `<auth>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct AuthSecret {
    /// What kind of secret: `ceph`, `iscsi`, …
    #[xml(attr = "type")]
    pub kind: Option<Text>,
    /// Which one.
    #[xml(flat)]
    pub secret: SecretUsage,
}

/// `<auth>`: a user of remote storage.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// How; storage pools only, which need it.
    #[xml(attr = "type", told = "one of 'chap', 'ceph'")]
    pub kind: Option<Text>,
    /// Name of the user.
    #[xml(attr)]
    pub username: Text,
    /// The secret.
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

/// `<secret>` in `<encryption>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct EncryptionSecret {
    /// Its kind: always `passphrase`.
    #[xml(attr = "type")]
    pub kind: SecretKind,
    /// Which one.
    #[xml(flat)]
    pub secret: SecretUsage,
}

xml_names! {
    /// Kind of an encryption secret.
    pub enum SecretKind {
        Passphrase = "passphrase",
    }
}

/// `<cipher>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Cipher {
    /// Algorithm, such as `aes`.
    #[xml(attr)]
    pub name: Text,
    /// Bits of the key.
    #[xml(attr)]
    pub size: u32,
    /// Mode, such as `xts`.
    #[xml(attr)]
    pub mode: Option<Text>,
    /// Hash, such as `sha256`.
    #[xml(attr)]
    pub hash: Option<Text>,
}

/// `<ivgen>`: how initialization vectors are made.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IvGen {
    /// Algorithm, such as `plain64`.
    #[xml(attr)]
    pub name: Text,
    /// Hash.
    #[xml(attr)]
    pub hash: Option<Text>,
}

/// `<encryption>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Format.
    #[xml(attr)]
    pub format: EncryptionFormat,
    /// Who decrypts.
    #[xml(attr)]
    pub engine: Option<EncryptionEngine>,
    /// The secrets.
    #[xml(child)]
    pub secret: Vec<EncryptionSecret>,
    /// The cipher of a new image.
    #[xml(child)]
    pub cipher: Option<Cipher>,
    /// Its initialization vectors.
    #[xml(child)]
    pub ivgen: Option<IvGen>,
}
