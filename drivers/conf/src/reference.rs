//! Every document of the public API, with what it declares.
//!
//! Reference pages, generators of documents and tests begin here. Nothing is read or written by it.

use virtbus_xml::{Describe, Description};

use crate::backup::Backup;
use crate::capabilities::Capabilities;
use crate::checkpoint::Checkpoint;
use crate::cpu::Cpu;
use crate::domain::Domain;
use crate::domain_capabilities::DomainCapabilities;
use crate::domain_status::DomainStatus;
use crate::interface::Interface;
use crate::network::Network;
use crate::network_port::NetworkPort;
use crate::node_device::NodeDevice;
use crate::nwfilter::NwFilter;
use crate::nwfilter_binding::NwFilterBinding;
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::storage_pool::StoragePool;
use crate::storage_pool_capabilities::StoragePoolCapabilities;
use crate::storage_volume::StorageVolume;

/// A kind of document.
#[derive(Debug, Clone, Copy)]
pub struct DocumentKind {
    /// What it is called, in lower case and with dashes.
    pub name: &'static str,
    /// Name of its root element.
    pub root: &'static str,
    /// What it declares.
    pub describe: fn() -> &'static Description,
}

macro_rules! documents {
    ($($name:literal = $root:literal: $type:ty;)+) => {
        /// Every kind of document.
        pub const DOCUMENTS: &[DocumentKind] = &[$(DocumentKind {
            name: $name,
            root: $root,
            describe: <$type as Describe>::describe,
        }),+];
    };
}

documents! {
    "backup" = "domainbackup": Backup;
    "capabilities" = "capabilities": Capabilities;
    "checkpoint" = "domaincheckpoint": Checkpoint;
    "cpu" = "cpu": Cpu;
    "domain" = "domain": Domain;
    "domain-capabilities" = "domainCapabilities": DomainCapabilities;
    "domain-status" = "domstatus": DomainStatus;
    "interface" = "interface": Interface;
    "network" = "network": Network;
    "network-port" = "networkport": NetworkPort;
    "node-device" = "device": NodeDevice;
    "nwfilter" = "filter": NwFilter;
    "nwfilter-binding" = "filterbinding": NwFilterBinding;
    "secret" = "secret": Secret;
    "snapshot" = "domainsnapshot": Snapshot;
    "storage-pool" = "pool": StoragePool;
    "storage-pool-capabilities" = "storagepoolCapabilities": StoragePoolCapabilities;
    "storage-volume" = "volume": StorageVolume;
}
