//! Secrets: keys and passwords that drivers need and nobody else shall see.

use std::sync::Arc;

use crate::Uuid;
use crate::declare::{flags, group, numbered};
use crate::filter::{Filtered, passes};
use crate::listing::Views;

/// Names a secret by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretId {
    /// Unique for ever.
    pub uuid: Uuid,
    /// What kind of thing it is for.
    pub usage_type: SecretUsageType,
    /// The name of that thing, empty for [`SecretUsageType::None`].
    pub usage_id: Arc<str>,
}

/// What is known of a secret; never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretView {
    /// Which secret.
    pub id: SecretId,
    /// Whether it is kept in memory only.
    pub ephemeral: bool,
    /// Whether its value is told to drivers only.
    pub private: bool,
}

impl Filtered<ListAllSecretsFlags> for SecretView {
    fn matches(&self, flags: ListAllSecretsFlags) -> bool {
        use ListAllSecretsFlags as F;
        passes(
            flags,
            &[
                &[
                    (F::EPHEMERAL, self.ephemeral),
                    (F::NO_EPHEMERAL, !self.ephemeral),
                ],
                &[(F::PRIVATE, self.private), (F::NO_PRIVATE, !self.private)],
            ],
        )
    }
}

flags! {
    /// Which secrets a list has.
    ListAllSecretsFlags: virConnectListAllSecretsFlags, VIR_CONNECT_LIST_SECRETS_ {
        /// Those kept in memory only.
        EPHEMERAL = 1;
        /// Those kept on disk.
        NO_EPHEMERAL = 2;
        /// Those whose value is told to drivers only.
        PRIVATE = 4;
        /// Those whose value may be read.
        NO_PRIVATE = 8;
    }

    /// How a definition is taken.
    SecretDefineFlags: virSecretDefineFlags, VIR_SECRET_DEFINE_ {
        /// Refuse a definition that the schema does not allow.
        VALIDATE = 1;
    }
}

numbered! {
    /// What a secret is for.
    SecretUsageType: virSecretUsageType, VIR_SECRET_USAGE_TYPE_ {
        /// Nothing in particular.
        None = 0,
        /// An encrypted volume.
        Volume = 1,
        /// A user of Ceph.
        Ceph = 2,
        /// An iSCSI target.
        Iscsi = 3,
        /// A private key for TLS.
        Tls = 4,
        /// The state of a virtual TPM.
        Vtpm = 5,
    }

    /// What happened to a secret.
    SecretLifecycle: virSecretEventLifecycleType, VIR_SECRET_EVENT_ {
        /// A definition was stored.
        Defined = 0,
        /// Its definition was taken away.
        Undefined = 1,
    }
}

/// Something that happened to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretEvent {
    /// It was defined or undefined.
    Lifecycle(SecretLifecycle),
    /// It has another value.
    ValueChanged,
}

group! {
    /// Finding, listing, defining secrets, and their values.
    Secrets {
        /// What is known of every secret.
        fn views() -> Views<SecretView>: ConnectListAllSecrets;
        /// The secret with this UUID, `NoSecret` if there is none.
        fn view(uuid: Uuid) -> Arc<SecretView>: SecretLookupByUuid;
        /// The secret for this thing, `NoSecret` if there is none.
        fn view_by_usage(usage_type: SecretUsageType, usage_id: &str) -> Arc<SecretView>: SecretLookupByUsage;
        /// Its XML, which has no value in it.
        fn xml_desc(secret: &SecretId) -> String: SecretGetXmlDesc;
        /// Which secret a definition is about; the UUID is nil if it names none.
        fn identify_xml(xml: &str) -> SecretId: SecretDefineXml;
        /// Stores a definition, new or in place of the one with the same UUID.
        fn define_xml(xml: &str, flags: SecretDefineFlags) -> Arc<SecretView>: SecretDefineXml;
        /// Takes definition and value away.
        fn undefine(secret: &SecretId) -> (): SecretUndefine;
        /// Its value; `InvalidSecret` if it is private.
        fn value(secret: &SecretId) -> Vec<u8>: SecretGetValue;
        /// Gives it a value.
        fn set_value(secret: &SecretId, value: &[u8]) -> (): SecretSetValue;
    }
}
