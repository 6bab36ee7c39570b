//! `<features>`.

use virtbus_conf_base::common::scaled_attr;
use virtbus_xml::{Content, Describe, Kib, Node, Result, Text, Writer, Xml, YesNo};

use super::Support;

/// `<sev>`: memory encryption of AMD processors (SEV).
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SevCapabilities {
    /// Whether SEV is supported. If not, nothing else is told.
    #[xml(attr)]
    pub supported: YesNo,
    /// Number of the page table bit that marks a page as encrypted.
    #[xml(text_child)]
    pub cbitpos: Option<u32>,
    /// Number of physical address bits that are lost to encryption.
    #[xml(text_child = "reducedPhysBits")]
    pub reduced_phys_bits: Option<u32>,
    /// Largest number of SEV guests at a time.
    #[xml(text_child = "maxGuests")]
    pub max_guests: Option<u32>,
    /// Largest number of SEV-ES guests at a time, whose registers are encrypted as well.
    #[xml(text_child = "maxESGuests")]
    pub max_es_guests: Option<u32>,
    /// Unique identifier of the first processor, base64.
    #[xml(text_child = "cpu0Id")]
    pub cpu0_id: Option<Text>,
}

/// `<section>`: enclave memory (EPC) of one NUMA node.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the size; without it the size is in KiB."))]
pub struct SgxSection {
    /// Number of the NUMA node.
    #[xml(attr)]
    pub node: u32,
    /// Size of the enclave memory; in KiB if no unit is given.
    #[xml(attr, value = u64)]
    pub size: Kib,
}

impl Content for SgxSection {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            node: node.attr_req("node")?,
            size: scaled_attr(node, "size", 1024)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("node", &self.node);
        w.attr("size", &self.size.0);
        w.attr_str("unit", "KiB");
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<sgx>`: enclaves of Intel processors (SGX).
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SgxCapabilities {
    /// Whether SGX is supported. If not, nothing else is told.
    #[xml(attr)]
    pub supported: YesNo,
    /// Whether flexible launch control is supported.
    #[xml(text_child)]
    pub flc: Option<YesNo>,
    /// Whether the instructions of SGX1 are supported.
    #[xml(text_child)]
    pub sgx1: Option<YesNo>,
    /// Whether the instructions of SGX2 are supported.
    #[xml(text_child)]
    pub sgx2: Option<YesNo>,
    /// Size of the enclave memory of all nodes.
    #[xml(child)]
    pub section_size: Option<Kib>,
    /// Enclave memory of each NUMA node.
    #[xml(child = "section", wrap = "sections")]
    pub sections: Vec<SgxSection>,
}

/// `<features>`: features that guests can have.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureCapabilities {
    /// Versions of the interrupt controller of ARM guests.
    #[xml(child)]
    pub gic: Option<Support>,
    /// Whether guests can have a device for crash dump information.
    #[xml(child_attr = "vmcoreinfo/supported")]
    pub vmcoreinfo: Option<YesNo>,
    /// Whether guests can have a generation ID (`<genid>`).
    #[xml(child_attr = "genid/supported")]
    pub genid: Option<YesNo>,
    /// Whether `<backingStore>` in a definition is used instead of what the images' headers say.
    #[xml(child_attr = "backingStoreInput/supported")]
    pub backing_store_input: Option<YesNo>,
    /// Whether incremental backups are supported.
    #[xml(child_attr = "backup/supported")]
    pub backup: Option<YesNo>,
    /// Whether a guest's memory can be freed in the background after it has ended.
    #[xml(child_attr = "async-teardown/supported")]
    pub async_teardown: Option<YesNo>,
    /// Whether s390 guests can be protected (Secure Execution).
    #[xml(child_attr = "s390-pv/supported")]
    pub s390_pv: Option<YesNo>,
    /// Whether the PS/2 controller can be turned off.
    #[xml(child_attr = "ps2/supported")]
    pub ps2: Option<YesNo>,
    /// Memory encryption of AMD processors (SEV).
    #[xml(child)]
    pub sev: Option<SevCapabilities>,
    /// Enclaves of Intel processors (SGX).
    #[xml(child)]
    pub sgx: Option<SgxCapabilities>,
    /// Hyper-V enlightenments that guests can have.
    #[xml(child)]
    pub hyperv: Option<Support>,
    /// Types of `<launchSecurity>` that are supported.
    #[xml(child = "launchSecurity")]
    pub launch_security: Option<Support>,
}
