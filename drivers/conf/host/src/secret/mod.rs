//! The secret document: `<secret>`, which tells about a secret but never holds it.

use virtbus_conf_base::Entropy;
use virtbus_conf_base::common::Uuid;
use virtbus_xml::{Document, Flags, Result, Text, Xml, XmlError, YesNo};

/// A usage that is identified by a name.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NamedUsage {
    /// Name of the usage, unique among secrets of its type.
    #[xml(text_child)]
    pub name: Text,
}

/// The usage for an encrypted volume.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VolumeUsage {
    /// Path of the volume that the secret opens.
    #[xml(text_child)]
    pub volume: Text,
}

/// The usage for an iSCSI target.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IscsiUsage {
    /// Name by which documents refer to the secret of the target.
    #[xml(text_child)]
    pub target: Text,
}

/// `<usage>`: what a secret is used for. No two secrets have the same type and name.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Usage {
    /// No particular usage; not written.
    #[xml("none")]
    None,
    /// Passphrase of an encrypted volume.
    #[xml("volume")]
    Volume(VolumeUsage),
    /// Key of a Ceph user.
    #[xml("ceph")]
    Ceph(NamedUsage),
    /// Password for an iSCSI target.
    #[xml("iscsi")]
    Iscsi(IscsiUsage),
    /// Passphrase of a private key for TLS.
    #[xml("tls")]
    Tls(NamedUsage),
    /// Key that encrypts the state of a virtual TPM.
    #[xml("vtpm")]
    Vtpm(NamedUsage),
}

impl Usage {
    /// The name by which a secret with this usage is looked up, beside the usage's type.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Volume(usage) => Some(&usage.volume),
            Self::Ceph(usage) | Self::Tls(usage) | Self::Vtpm(usage) => Some(&usage.name),
            Self::Iscsi(usage) => Some(&usage.target),
        }
    }
}

/// `<secret>`: a password or key that other documents refer to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Whether the value is kept in memory only, and lost when the daemon ends.
    #[xml(attr)]
    pub ephemeral: Option<YesNo>,
    /// Whether the value is never told to clients, only used by drivers.
    #[xml(attr)]
    pub private: Option<YesNo>,
    /// UUID of the secret; generated if absent.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Description for people, which no program interprets.
    #[xml(text_child)]
    pub description: Option<Text>,
    /// What the secret is used for.
    #[xml(child, unset = Usage::None, absent = "none")]
    pub usage: Option<Usage>,
}

impl Secret {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("secret")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Secret::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let secret = doc.read("secret")?;
        doc.check_no_leftovers()?;
        Ok(secret)
    }

    /// Fills in the UUID; what is not said to be ephemeral or private is neither.
    pub fn complete(&mut self, entropy: &mut dyn Entropy) {
        self.ephemeral.get_or_insert(YesNo::No);
        self.private.get_or_insert(YesNo::No);
        self.uuid.get_or_insert_with(|| {
            let mut bytes = [0; 16];
            entropy.fill(&mut bytes);
            Uuid::from_random(bytes)
        });
    }

    /// Whether the value is kept in memory only.
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral == Some(YesNo::Yes)
    }

    /// Whether the value is told to nobody but the drivers.
    pub fn is_private(&self) -> bool {
        self.private == Some(YesNo::Yes)
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        virtbus_xml::Content::to_xml(self, "secret", flags)
    }
}
