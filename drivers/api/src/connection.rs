//! A connection to a hypervisor, and the groups of methods that it may offer.
//!
//! A driver that lacks a group inherits the method that says so, which costs it no code; a driver that lacks one call
//! of a group inherits that call's refusal. Both refusals carry libvirt's `NoSupport`.

use std::sync::Arc;

use async_trait::async_trait;

use crate::connections::Manager;
use crate::domain::{
    DomainAgent, DomainBlockJobs, DomainCheckpoints, DomainConsole, DomainCounters,
    DomainDescription, DomainDevices, DomainJobs, DomainLifecycle, DomainMigration, DomainSaving,
    DomainSnapshots, DomainStatistics, DomainTuning, DomainVcpus, Domains,
};
use crate::event::EventHub;
use crate::flags::KnownFlags;
use crate::interface::Interfaces;
use crate::network::{NetworkPorts, Networks};
use crate::node::Node;
use crate::node_device::NodeDevices;
use crate::nwfilter::{NwfilterBindings, Nwfilters};
use crate::providers::Offered;
use crate::secret::Secrets;
use crate::session::Directory;
use crate::storage::{StoragePools, StorageVols};
use crate::{Error, Result};

/// libvirt's release whose API this is (major × 1,000,000 + minor × 1,000 + micro).
pub const LIB_VERSION: u64 = 11_003_000;

/// Declares groups that may be offered, and what is offered by default: nothing, or what somebody else has of that name.
macro_rules! offers {
    (None; $($(#[$doc:meta])* $name:ident: $group:ident;)*) => { $(
        $(#[$doc])*
        fn $name(&self) -> Option<&dyn $group> {
            None
        }
    )* };
    (by $others:ident; $($(#[$doc:meta])* $name:ident: $group:ident;)*) => { $(
        $(#[$doc])*
        fn $name(&self) -> Option<&dyn $group> {
            self.$others().find(|one| one.$name())
        }
    )* };
}
pub(crate) use offers;

/// An open connection of a driver.
#[async_trait]
pub trait Connection: Send + Sync {
    /// The short name in libvirt's spelling: `QEMU`, `LXC`, `Test`, …. Object paths and access rules carry it.
    fn driver(&self) -> &str;

    /// The flags that the driver itself knows, call by call; every other one is refused before the driver is called.
    fn flags(&self) -> &'static [KnownFlags];

    /// The URI that the connection was opened by, such as `qemu:///system`.
    fn uri(&self) -> &str;

    /// What happens on this connection.
    fn events(&self) -> &EventHub;

    /// The host as the hypervisor sees it.
    fn host(&self) -> &dyn Host;

    /// Whether the other side is still there, as far as that is known without asking.
    fn is_alive(&self) -> bool {
        true
    }

    /// By what objects are found without a look at what is known of them, where that is cheaper.
    fn directory(&self) -> Option<&dyn Directory> {
        None
    }

    /// Gives up what the connection has elsewhere: it is served no more. Calls that are under way may be cut off.
    async fn close(&self) {}

    offers! { None;
        /// Opening and closing connections.
        manager: Manager;
        /// Facts about the host.
        node: Node;
        /// Finding, listing, defining and reading domains.
        domains: Domains;
        /// Starting, halting and ending domains.
        lifecycle: DomainLifecycle;
        /// Numbers about domains, many at a time.
        statistics: DomainStatistics;
        /// Numbers about domains, one at a time.
        counters: DomainCounters;
        /// What is written about domains.
        description: DomainDescription;
        /// Adding, removing and changing their devices.
        devices: DomainDevices;
        /// Tuning their processors and threads.
        vcpus: DomainVcpus;
        /// Tuning their scheduling, memory, disks, interfaces.
        tuning: DomainTuning;
        /// What their guest agents do.
        agent: DomainAgent;
        /// Their keys, consoles, screens, and looks inside.
        console: DomainConsole;
        /// Saving and dumping their memory.
        saving: DomainSaving;
        /// Their jobs under way.
        jobs: DomainJobs;
        /// Work on their disks.
        block_jobs: DomainBlockJobs;
        /// Moving them to other hosts.
        migration: DomainMigration;
        /// Their snapshots.
        snapshots: DomainSnapshots;
        /// Their checkpoints and backups.
        checkpoints: DomainCheckpoints;
    }

    /// What the connection offers of the host's subsystems.
    fn offered(&self) -> &Offered {
        Offered::none()
    }

    // Those that subsystems have; a driver with its own offers its own.
    offers! { by offered;
        /// Network interfaces of the host.
        interfaces: Interfaces;
        /// Virtual networks.
        networks: Networks;
        /// Ports of networks.
        network_ports: NetworkPorts;
        /// Devices of the host.
        node_devices: NodeDevices;
        /// Network filters.
        nwfilters: Nwfilters;
        /// Bindings of network filters.
        nwfilter_bindings: NwfilterBindings;
        /// Secrets.
        secrets: Secrets;
        /// Storage pools.
        storage_pools: StoragePools;
        /// Storage volumes.
        storage_vols: StorageVols;
    }

    /// Whether nothing has to be watched for a client that may come later: no guest runs, no job is under way. The daemon may end then.
    fn is_idle(&self) -> bool;
}

/// A group of methods, or libvirt's error for a driver without it.
///
/// # Errors
/// `NoSupport`, naming `call`.
pub fn group<'a, T: ?Sized>(group: Option<&'a T>, call: &str) -> Result<&'a T> {
    group.ok_or_else(|| Error::no_support(call))
}

/// Facts about the host that the node calls answer (`virNodeInfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The CPU's model, at most 31 bytes.
    pub model: String,
    /// Memory, KiB.
    pub memory: u64,
    /// CPUs that are online.
    pub cpus: u32,
    /// Their frequency, MHz; 0 if not known.
    pub mhz: u32,
    /// NUMA cells.
    pub nodes: u32,
    /// Sockets in a cell.
    pub sockets: u32,
    /// Cores in a socket.
    pub cores: u32,
    /// Threads in a core.
    pub threads: u32,
}

/// The host as the hypervisor of a connection sees it.
#[async_trait]
pub trait Host: Send + Sync {
    /// The hypervisor's version (major × 1,000,000 + minor × 1,000 + micro).
    async fn version(&self) -> Result<u64> {
        Err(Error::no_support("ConnectGetVersion"))
    }

    /// The host's name.
    async fn hostname(&self) -> Result<String> {
        Err(Error::no_support("ConnectGetHostname"))
    }

    /// Host and guest capabilities as XML.
    async fn capabilities(&self) -> Result<String> {
        Err(Error::no_support("ConnectGetCapabilities"))
    }

    /// What a domain of these properties can have, as XML; `None` is the driver's choice.
    async fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt_type: Option<&str>,
    ) -> Result<String> {
        let _ = (emulator, arch, machine, virt_type);
        Err(Error::no_support("ConnectGetDomainCapabilities"))
    }

    /// The most virtual CPUs that a domain of this type can have.
    async fn max_vcpus(&self, virt_type: Option<&str>) -> Result<u32> {
        let _ = virt_type;
        Err(Error::no_support("ConnectGetMaxVcpus"))
    }

    /// Facts about the host.
    async fn node_info(&self) -> Result<NodeInfo> {
        Err(Error::no_support("NodeGetInfo"))
    }

    /// Free memory of the host, bytes.
    async fn free_memory(&self) -> Result<u64> {
        Err(Error::no_support("NodeGetFreeMemory"))
    }

    /// Whether the connection's traffic is encrypted.
    fn is_encrypted(&self) -> bool {
        false
    }

    /// Whether the connection's traffic is safe from others: encrypted or local.
    fn is_secure(&self) -> bool {
        true
    }

    /// Names of the CPU models known for an architecture.
    async fn cpu_model_names(&self, arch: &str) -> Result<Vec<String>> {
        let _ = arch;
        Err(Error::no_support("ConnectGetCpuModelNames"))
    }
}

/// A connection that several interfaces serve.
pub type SharedConnection = Arc<dyn Connection>;
