//! `<host>`: the host.

use virtbus_conf_base::common::Uuid;
use virtbus_conf_base::cpu::HostCpu;
use virtbus_xml::{Text, Xml, YesNo};

use super::{HostCaches, HostTopology, MemoryBandwidth};

/// `<power_management>`: the sleep states that the host supports.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PowerManagement {
    /// The host can suspend to memory (S3).
    #[xml(flag)]
    pub suspend_mem: bool,
    /// The host can suspend to disk (S4).
    #[xml(flag)]
    pub suspend_disk: bool,
    /// The host can do a hybrid suspend: to memory and disk.
    #[xml(flag)]
    pub suspend_hybrid: bool,
}

/// `<migration_features>`: what migrations this host supports.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationFeatures {
    /// Guests can keep running while they are migrated.
    #[xml(flag)]
    pub live: bool,
    /// URI schemes with which a migration can reach this host, such as `tcp`.
    #[xml(text_child = "uri_transport", wrap = "uri_transports")]
    pub uri_transports: Vec<Text>,
}

/// `<baselabel>`: the label of guests that give none of their own.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BaseLabel {
    /// Hypervisor type of the guests that the label is for.
    #[xml(attr = "type")]
    pub kind: Text,
    /// Label of such guests, in the form of the security model.
    #[xml(text)]
    pub label: Option<Text>,
}

/// `<secmodel>`: a security driver that confines guests on this host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SecModel {
    /// Name of the security model: `selinux`, `apparmor`, `dac` or `none`.
    #[xml(text_child)]
    pub model: Text,
    /// Domain of interpretation of the labels; 0 if the model has none.
    #[xml(text_child)]
    pub doi: Text,
    /// Default labels, by hypervisor type.
    #[xml(child)]
    pub baselabel: Vec<BaseLabel>,
}

/// `<host>`: hardware and features of this host.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct HostCapabilities {
    /// UUID of the host, from SMBIOS or the configuration.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Processor of the host, in terms of a known model.
    #[xml(child, skip_empty)]
    pub cpu: Option<HostCpu>,
    /// Sleep states that the host supports; absent if unknown.
    #[xml(child)]
    pub power_management: Option<PowerManagement>,
    /// Whether the host has an IOMMU, which assigning devices to guests requires.
    #[xml(child_attr = "iommu/support")]
    pub iommu: Option<YesNo>,
    /// Migrations that this host supports.
    #[xml(child, open)]
    pub migration_features: Option<MigrationFeatures>,
    /// Prefix of the network device names that the driver generates for guests.
    #[xml(text_child)]
    pub netprefix: Option<Text>,
    /// NUMA nodes of the host, with memory, pages and CPUs.
    #[xml(child)]
    pub topology: Option<HostTopology>,
    /// Caches that can be divided among guests (resctrl).
    #[xml(child, skip_empty)]
    pub cache: Option<HostCaches>,
    /// Memory bandwidth that can be divided among guests (resctrl).
    #[xml(child, skip_empty)]
    pub memory_bandwidth: Option<MemoryBandwidth>,
    /// Security drivers that confine guests on this host.
    #[xml(child)]
    pub secmodel: Vec<SecModel>,
}
