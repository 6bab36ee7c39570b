//! `<host>`: the host.

use virtbus_conf_base::common::Uuid;
use virtbus_conf_base::cpu::HostCpu;
use virtbus_xml::{Text, Xml, YesNo};

use super::{HostCaches, HostTopology, MemoryBandwidth};

/// `<power_management>`: how the host can sleep.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PowerManagement {
    /// To memory.
    #[xml(flag)]
    pub suspend_mem: bool,
    /// To disk.
    #[xml(flag)]
    pub suspend_disk: bool,
    /// To both.
    #[xml(flag)]
    pub suspend_hybrid: bool,
}

/// `<migration_features>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationFeatures {
    /// Whether guests can run meanwhile.
    #[xml(flag)]
    pub live: bool,
    /// Schemes of URIs.
    #[xml(text_child = "uri_transport", wrap = "uri_transports")]
    pub uri_transports: Vec<Text>,
}

/// `<baselabel>`: the label of a guest without one of its own.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BaseLabel {
    /// Kind of guest.
    #[xml(attr = "type")]
    pub kind: Text,
    /// Label.
    #[xml(text)]
    pub label: Option<Text>,
}

/// `<secmodel>`: a security driver.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SecModel {
    /// Its name.
    #[xml(text_child)]
    pub model: Text,
    /// What its labels mean.
    #[xml(text_child)]
    pub doi: Text,
    /// Labels of guests without.
    #[xml(child)]
    pub baselabel: Vec<BaseLabel>,
}

/// `<host>`.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct HostCapabilities {
    /// UUID.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Processor.
    #[xml(child, skip_empty)]
    pub cpu: Option<HostCpu>,
    /// How it can sleep, if that is known.
    #[xml(child)]
    pub power_management: Option<PowerManagement>,
    /// Whether an IOMMU keeps devices apart.
    #[xml(child_attr = "iommu/support")]
    pub iommu: Option<YesNo>,
    /// Migration.
    #[xml(child, open)]
    pub migration_features: Option<MigrationFeatures>,
    /// How names of network devices begin that the driver makes.
    #[xml(text_child)]
    pub netprefix: Option<Text>,
    /// NUMA nodes.
    #[xml(child)]
    pub topology: Option<HostTopology>,
    /// Caches.
    #[xml(child, skip_empty)]
    pub cache: Option<HostCaches>,
    /// Memory bandwidth.
    #[xml(child, skip_empty)]
    pub memory_bandwidth: Option<MemoryBandwidth>,
    /// Security drivers.
    #[xml(child)]
    pub secmodel: Vec<SecModel>,
}
