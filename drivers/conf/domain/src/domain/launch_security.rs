//! Guests whose memory the host cannot read.

use virtbus_xml::{Base16, Text, Xml, YesNo};

/// `type='sev'`: AMD Secure Encrypted Virtualization: the guest's memory is encrypted.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(text_child = "handle", value = u32, optional, input, doc = "Number that the firmware gave the running guest; read from older documents, and not used."))]
pub struct Sev {
    /// Whether kernel, initial RAM disk and command line are part of the measurement; `no` if absent.
    #[xml(attr = "kernelHashes")]
    pub kernel_hashes: Option<YesNo>,
    /// Number of the page table bit that marks a page as encrypted; that of the host if absent.
    #[xml(text_child)]
    pub cbitpos: Option<u32>,
    /// Number of physical address bits that are lost to encryption; that of the host if absent.
    #[xml(text_child = "reducedPhysBits")]
    pub reduced_phys_bits: Option<u32>,
    /// Policy bits for the firmware, 32 bits, such as 0x0003 (no debugging, no key sharing).
    #[xml(text_child)]
    pub policy: Base16<4>,
    /// The guest owner's Diffie-Hellman certificate, base64; required for attestation.
    #[xml(text_child = "dhCert")]
    pub dh_cert: Option<Text>,
    /// The guest owner's session data, base64; required for attestation.
    #[xml(text_child)]
    pub session: Option<Text>,
}

/// `type='sev-snp'`: AMD SEV with protection of the memory's integrity (SNP).
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SevSnp {
    /// Whether kernel, initial RAM disk and command line are part of the measurement; `no` if absent.
    #[xml(attr = "kernelHashes")]
    pub kernel_hashes: Option<YesNo>,
    /// Whether the authentication block has an author key besides the identity key; `no` if absent.
    #[xml(attr = "authorKey")]
    pub author_key: Option<YesNo>,
    /// Whether attestation reports are signed by the chip's own key (VCEK); the loaded key (VLEK) otherwise.
    #[xml(attr)]
    pub vcek: Option<YesNo>,
    /// Number of the page table bit that marks a page as encrypted; that of the host if absent.
    #[xml(text_child)]
    pub cbitpos: Option<u32>,
    /// Number of physical address bits that are lost to encryption; that of the host if absent.
    #[xml(text_child = "reducedPhysBits")]
    pub reduced_phys_bits: Option<u32>,
    /// Policy bits for the firmware, 64 bits, such as 0x30000.
    #[xml(text_child)]
    pub policy: Base16<8, u64>,
    /// Guest-visible workarounds for the firmware: 16 bytes, base64.
    #[xml(text_child = "guestVisibleWorkarounds")]
    pub guest_visible_workarounds: Option<Text>,
    /// Identity block that the firmware compares with the measurement: 96 bytes, base64.
    #[xml(text_child = "idBlock")]
    pub id_block: Option<Text>,
    /// Authentication of the identity block: 4096 bytes, base64.
    #[xml(text_child = "idAuth")]
    pub id_auth: Option<Text>,
    /// Data of the user that appears in the attestation report: 32 bytes, base64.
    #[xml(text_child = "hostData")]
    pub host_data: Option<Text>,
}

/// `<launchSecurity>`: protects the guest's memory against the host. The guest does not start if the host cannot do it.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum LaunchSecurity {
    /// AMD Secure Encrypted Virtualization.
    #[xml("sev")]
    Sev(Sev),
    /// AMD SEV with integrity protection (SNP).
    #[xml("sev-snp")]
    SevSnp(SevSnp),
    /// IBM Secure Execution for s390 guests (protected virtualization).
    #[xml("s390-pv")]
    S390Pv,
}
