//! `<features>`.

use virtbus_conf_base::common::scaled_attr;
use virtbus_xml::{Content, Describe, Kib, Node, Result, Text, Writer, Xml, YesNo};

use super::Support;

/// `<sev>`: encryption of memory by AMD.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SevCapabilities {
    /// Whether it can be had. If not, there is nothing below.
    #[xml(attr)]
    pub supported: YesNo,
    /// The bit of an address that says that the page is encrypted.
    #[xml(text_child)]
    pub cbitpos: Option<u32>,
    /// Bits that physical addresses lose.
    #[xml(text_child = "reducedPhysBits")]
    pub reduced_phys_bits: Option<u32>,
    /// Most guests.
    #[xml(text_child = "maxGuests")]
    pub max_guests: Option<u32>,
    /// Most guests whose registers are encrypted too.
    #[xml(text_child = "maxESGuests")]
    pub max_es_guests: Option<u32>,
    /// Identity of the first processor.
    #[xml(text_child = "cpu0Id")]
    pub cpu0_id: Option<Text>,
}

/// `<section>`: memory of enclaves on a node.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(attr = "unit", value = Text, told = "a unit such as bytes, kB, KiB, MB or MiB", optional, doc = "Unit of the sizes."))]
pub struct SgxSection {
    /// The node.
    #[xml(attr)]
    pub node: u32,
    /// How much.
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

/// `<sgx>`: enclaves of Intel.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SgxCapabilities {
    /// Whether they can be had. If not, there is nothing below.
    #[xml(attr)]
    pub supported: YesNo,
    /// Whether any key can launch them.
    #[xml(text_child)]
    pub flc: Option<YesNo>,
    /// The first set of instructions.
    #[xml(text_child)]
    pub sgx1: Option<YesNo>,
    /// The second set of instructions.
    #[xml(text_child)]
    pub sgx2: Option<YesNo>,
    /// Memory of all enclaves.
    #[xml(child)]
    pub section_size: Option<Kib>,
    /// The same by node.
    #[xml(child = "section", wrap = "sections")]
    pub sections: Vec<SgxSection>,
}

/// `<features>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureCapabilities {
    /// Interrupt controller of ARM.
    #[xml(child)]
    pub gic: Option<Support>,
    /// Information for dumps.
    #[xml(child_attr = "vmcoreinfo/supported")]
    pub vmcoreinfo: Option<YesNo>,
    /// Token of the guest's generation.
    #[xml(child_attr = "genid/supported")]
    pub genid: Option<YesNo>,
    /// Backing chains as given.
    #[xml(child_attr = "backingStoreInput/supported")]
    pub backing_store_input: Option<YesNo>,
    /// Backups.
    #[xml(child_attr = "backup/supported")]
    pub backup: Option<YesNo>,
    /// Memory is freed in the background.
    #[xml(child_attr = "async-teardown/supported")]
    pub async_teardown: Option<YesNo>,
    /// Protected guests of s390.
    #[xml(child_attr = "s390-pv/supported")]
    pub s390_pv: Option<YesNo>,
    /// Whether keyboard and mouse ports can be left out.
    #[xml(child_attr = "ps2/supported")]
    pub ps2: Option<YesNo>,
    /// Encryption of memory by AMD.
    #[xml(child)]
    pub sev: Option<SevCapabilities>,
    /// Enclaves of Intel.
    #[xml(child)]
    pub sgx: Option<SgxCapabilities>,
    /// Enlightenments of Hyper-V.
    #[xml(child)]
    pub hyperv: Option<Support>,
    /// Confidentiality.
    #[xml(child = "launchSecurity")]
    pub launch_security: Option<Support>,
}
