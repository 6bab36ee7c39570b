//! Guests whose memory the host cannot read.

use virtbus_xml::{Base16, Text, Xml, YesNo};

/// `type='sev'`: AMD Secure Encrypted Virtualization.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(text_child = "handle", value = u32, optional, input, doc = "The firmware's number for the guest; of no effect."))]
pub struct Sev {
    /// Measure kernel, initial RAM disk and command line too.
    #[xml(attr = "kernelHashes")]
    pub kernel_hashes: Option<YesNo>,
    /// Bit of a page table entry that means encrypted.
    #[xml(text_child)]
    pub cbitpos: Option<u32>,
    /// Address bits lost to encryption.
    #[xml(text_child = "reducedPhysBits")]
    pub reduced_phys_bits: Option<u32>,
    /// Policy for the firmware.
    #[xml(text_child)]
    pub policy: Base16<4>,
    /// The owner's Diffie-Hellman key, base64.
    #[xml(text_child = "dhCert")]
    pub dh_cert: Option<Text>,
    /// The owner's session data, base64.
    #[xml(text_child)]
    pub session: Option<Text>,
}

/// `type='sev-snp'`: the same with integrity.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SevSnp {
    /// Measure kernel, initial RAM disk and command line too.
    #[xml(attr = "kernelHashes")]
    pub kernel_hashes: Option<YesNo>,
    /// Whether the identity block has an author key.
    #[xml(attr = "authorKey")]
    pub author_key: Option<YesNo>,
    /// Whether reports are signed by the chip's key.
    #[xml(attr)]
    pub vcek: Option<YesNo>,
    /// Bit of a page table entry that means encrypted.
    #[xml(text_child)]
    pub cbitpos: Option<u32>,
    /// Address bits lost to encryption.
    #[xml(text_child = "reducedPhysBits")]
    pub reduced_phys_bits: Option<u32>,
    /// Policy for the firmware.
    #[xml(text_child)]
    pub policy: Base16<8, u64>,
    /// Guest-visible workarounds, base64.
    #[xml(text_child = "guestVisibleWorkarounds")]
    pub guest_visible_workarounds: Option<Text>,
    /// Identity block, base64.
    #[xml(text_child = "idBlock")]
    pub id_block: Option<Text>,
    /// Authentication of the identity block, base64.
    #[xml(text_child = "idAuth")]
    pub id_auth: Option<Text>,
    /// Data of the host for the report, base64.
    #[xml(text_child = "hostData")]
    pub host_data: Option<Text>,
}

/// `<launchSecurity>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum LaunchSecurity {
    /// AMD SEV.
    #[xml("sev")]
    Sev(Sev),
    /// AMD SEV-SNP.
    #[xml("sev-snp")]
    SevSnp(SevSnp),
    /// s390 protected virtualization.
    #[xml("s390-pv")]
    S390Pv,
}
