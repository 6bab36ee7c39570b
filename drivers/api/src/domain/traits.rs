//! What can be asked of domains, in groups; see [`crate::Connection`].

use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{
    DomainCreateFlags, DomainDefineFlags, DomainDestroyFlags, DomainId, DomainRebootFlags,
    DomainShutdownFlags, DomainState, DomainStatsFlags, DomainStatsTypes, DomainUndefineFlags,
    DomainView, DomainXmlFlags, VcpuState,
};
use crate::access::Client;
use crate::listing::Views;
use crate::typed::TypedParameters;
use crate::{Error, Result, Uuid};

/// Numbers about a domain (`virDomainInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainInfo {
    /// What it is doing.
    pub state: DomainState,
    /// The most memory it may have, KiB.
    pub max_memory: u64,
    /// The memory it has, KiB.
    pub memory: u64,
    /// How many virtual CPUs it has.
    pub vcpus: u32,
    /// Processor time used, nanoseconds.
    pub cpu_time: u64,
}

/// What a virtual CPU is doing (`virVcpuInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VcpuInfo {
    /// Its number.
    pub number: u32,
    /// Whether it runs.
    pub state: VcpuState,
    /// Processor time used, nanoseconds.
    pub cpu_time: u64,
    /// The host CPU that it runs on, or a negative number.
    pub cpu: i32,
}

/// Finding, listing, defining and reading domains.
///
/// Reads are answered from what is known and do not wait for jobs.
#[async_trait]
pub trait Domains: Send + Sync {
    /// What is known of every domain, in no particular order.
    async fn views(&self) -> Result<Views<DomainView>>;

    /// What is known of the domain with this UUID, `NoDomain` if there is none.
    async fn view(&self, uuid: Uuid) -> Result<Arc<DomainView>>;

    /// What is known of the domain with this name, `NoDomain` if there is none.
    async fn view_by_name(&self, name: &str) -> Result<Arc<DomainView>>;

    /// What is known of the running domain with this number, `NoDomain` if there is none.
    async fn view_by_id(&self, id: u32) -> Result<Arc<DomainView>>;

    /// The domain's XML.
    async fn xml_desc(&self, domain: &DomainId, flags: DomainXmlFlags) -> Result<String> {
        let _ = (domain, flags);
        Err(Error::no_support("DomainGetXmlDesc"))
    }

    /// Numbers about the domain.
    async fn info(&self, domain: &DomainId) -> Result<DomainInfo> {
        let _ = domain;
        Err(Error::no_support("DomainGetInfo"))
    }

    /// Which domain a definition is about, so that the caller can be asked about that one before anything is done. The UUID is
    /// nil if the definition names none.
    async fn identify_xml(&self, xml: &str) -> Result<DomainId> {
        let _ = xml;
        Err(Error::no_support("DomainDefineXml"))
    }

    /// Stores a definition, new or in place of the one with the same UUID.
    async fn define_xml(&self, xml: &str, flags: DomainDefineFlags) -> Result<Arc<DomainView>> {
        let _ = (xml, flags);
        Err(Error::no_support("DomainDefineXml"))
    }

    /// Takes the definition away; a running domain becomes transient.
    async fn undefine(&self, domain: &DomainId, flags: DomainUndefineFlags) -> Result<()> {
        let _ = (domain, flags);
        Err(Error::no_support("DomainUndefine"))
    }

    /// Whether the domain is started with the host.
    async fn set_autostart(&self, domain: &DomainId, autostart: bool) -> Result<()> {
        let _ = (domain, autostart);
        Err(Error::no_support("DomainSetAutostart"))
    }
}

/// Numbers about domains, as monitoring tools poll them.
#[async_trait]
pub trait DomainStatistics: Send + Sync {
    /// The statistics of the groups that are asked for (none: all that the driver has), by libvirt's names. A domain that is
    /// off has fewer of them.
    async fn stats(
        &self,
        domain: &DomainId,
        groups: DomainStatsTypes,
        flags: DomainStatsFlags,
    ) -> Result<TypedParameters>;

    /// Those of several domains, in their order. By default they are asked for at the same time, so that guests that do not answer are waited for
    /// together; a driver that has one question for all of them asks that.
    async fn stats_of(
        &self,
        domains: &[&DomainId],
        groups: DomainStatsTypes,
        flags: DomainStatsFlags,
    ) -> Vec<Result<TypedParameters>> {
        let asked = domains
            .iter()
            .map(|domain| self.stats(domain, groups, flags));
        join_all(asked).await
    }
}

/// Starting, halting and ending domains.
#[async_trait]
pub trait DomainLifecycle: Send + Sync {
    /// Starts a defined domain, for this client. With [`DomainCreateFlags::AUTODESTROY`] it is ended when the client has left.
    async fn create(
        &self,
        domain: &DomainId,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<()>;

    /// Starts a domain from XML, for this client; without a definition of that UUID it vanishes when it stops.
    async fn create_xml(
        &self,
        xml: &str,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<Arc<DomainView>>;

    /// Starts a defined domain and hands files to its init (containers).
    async fn create_with_files(
        &self,
        domain: &DomainId,
        files: Vec<OwnedFd>,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<()> {
        let _ = (domain, files, flags, client);
        Err(Error::no_support("DomainCreateWithFiles"))
    }

    /// Starts a domain from XML and hands files to its init (containers).
    async fn create_xml_with_files(
        &self,
        xml: &str,
        files: Vec<OwnedFd>,
        flags: DomainCreateFlags,
        client: &Client,
    ) -> Result<Arc<DomainView>> {
        let _ = (xml, files, flags, client);
        Err(Error::no_support("DomainCreateXmlWithFiles"))
    }

    /// Asks the guest to shut down. Returns when it was asked.
    async fn shutdown(&self, domain: &DomainId, flags: DomainShutdownFlags) -> Result<()>;

    /// Asks the guest to reboot. Returns when it was asked.
    async fn reboot(&self, domain: &DomainId, flags: DomainRebootFlags) -> Result<()>;

    /// Resets the machine as its reset button would.
    async fn reset(&self, domain: &DomainId) -> Result<()>;

    /// Ends the domain. Never waits for another job of it.
    async fn destroy(&self, domain: &DomainId, flags: DomainDestroyFlags) -> Result<()>;

    /// Halts the virtual CPUs; memory stays allocated.
    async fn suspend(&self, domain: &DomainId) -> Result<()>;

    /// Lets the virtual CPUs run again.
    async fn resume(&self, domain: &DomainId) -> Result<()>;

    /// Injects a non-maskable interrupt.
    async fn inject_nmi(&self, domain: &DomainId) -> Result<()> {
        let _ = domain;
        Err(Error::no_support("DomainInjectNmi"))
    }

    /// Wakes a guest that suspended itself to memory.
    async fn pm_wakeup(&self, domain: &DomainId) -> Result<()> {
        let _ = domain;
        Err(Error::no_support("DomainPmWakeup"))
    }
}
