//! The domain document: `<domain>`.
//!
//! Four steps that never mix: [`Domain::parse`] takes the shape of the text, `complete` fills in what every
//! driver means by leaving something out, `validate` checks one part against another, and
//! [`Domain::format`] writes. A [`Domain`] is a plain value; what a driver learns while the guest runs
//! and that no XML shows is kept by the driver.

mod abi;
pub mod blkiotune;
pub mod clock;
mod complete;
pub mod cputune;
pub mod devices;
pub mod features;
pub mod launch_security;
pub mod lifecycle;
pub mod memory;
pub mod namespaces;
pub mod numatune;
pub mod os;
pub mod sysinfo;
mod validate;
pub mod vcpu;

pub use abi::AbiFlags;
pub use complete::{CompleteFlags, DomainDefaults, DriverFeatures, NoDefaults, Seams, disk_index};
use virtbus_conf_base::common::{Arch, Metadata, OsType, SecLabel, Uuid, VirtType};
use virtbus_conf_base::cpu::GuestCpu;
use virtbus_xml::{Content, Document, Flags, Limits, Rare, Result, Text, Writer, Xml, XmlError};

use self::blkiotune::{BlkioTune, Resource};
use self::clock::Clock;
use self::cputune::CpuTune;
use self::devices::Devices;
use self::devices::iotune::ThrottleGroups;
use self::features::Features;
use self::launch_security::LaunchSecurity;
use self::lifecycle::{IdMap, KeyWrap, LifecycleAction, LockFailureAction, Perf, Pm};
use self::memory::{MaxMemory, MemTune, MemoryBacking, MemorySize};
use self::namespaces::Namespaces;
use self::numatune::NumaTune;
use self::os::{GenId, Os};
use self::sysinfo::Sysinfo;
use self::vcpu::{DefaultIoThread, IoThreadIds, VcpuCount, Vcpus};

/// `<domain>`: a guest.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct Domain {
    /// Hypervisor.
    #[xml(attr = "type")]
    pub virt_type: VirtType,
    /// Number of the running guest.
    #[xml(attr, when = has_id)]
    pub id: Option<u32>,
    /// Elements of single hypervisors.
    #[xml(flat, late)]
    pub namespaces: Option<Box<Namespaces>>,
    /// Name.
    #[xml(text_child)]
    pub name: Text,
    /// UUID.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Token of the guest's generation.
    #[xml(child)]
    pub genid: Option<GenId>,
    /// Short description.
    #[xml(text_child)]
    pub title: Option<Text>,
    /// Description.
    #[xml(text_child)]
    pub description: Option<Text>,
    /// Notes of other programs.
    #[xml(flat)]
    pub metadata: Metadata,
    /// What memory devices can make it grow to.
    #[xml(child = "maxMemory")]
    pub max_memory: Option<MaxMemory>,
    /// Memory at start, with memory devices.
    #[xml(child)]
    pub memory: Option<MemorySize>,
    /// What the balloon leaves it.
    #[xml(child = "currentMemory")]
    pub current_memory: Option<virtbus_xml::Kib>,
    /// Block I/O limits.
    #[xml(child, skip_empty)]
    pub blkiotune: Option<Box<BlkioTune>>,
    /// Memory limits.
    #[xml(child, skip_empty)]
    pub memtune: Option<Box<MemTune>>,
    /// What backs its memory.
    #[xml(child = "memoryBacking", skip_empty)]
    pub memory_backing: Option<Box<MemoryBacking>>,
    /// Virtual CPUs.
    #[xml(child)]
    pub vcpu: Option<VcpuCount>,
    /// Virtual CPUs one by one.
    #[xml(child, skip_empty)]
    pub vcpus: Option<Box<Vcpus>>,
    /// How many I/O threads.
    #[xml(text_child)]
    pub iothreads: Option<u32>,
    /// I/O threads one by one.
    #[xml(child, skip_empty)]
    pub iothreadids: Option<Box<IoThreadIds>>,
    /// The main loop's thread pool.
    #[xml(child, skip_empty)]
    pub defaultiothread: Option<DefaultIoThread>,
    /// Limits that disks can share.
    #[xml(child, skip_empty)]
    pub throttlegroups: Option<Box<ThrottleGroups>>,
    /// Scheduling.
    #[xml(child, skip_empty)]
    pub cputune: Option<Box<CpuTune>>,
    /// Host nodes of its memory.
    #[xml(child, skip_empty)]
    pub numatune: Option<Box<NumaTune>>,
    /// Place in the cgroup tree.
    #[xml(child, skip_empty)]
    pub resource: Option<Box<Resource>>,
    /// What its firmware tells.
    #[xml(child)]
    pub sysinfo: Rare<Vec<Sysinfo>>,
    /// Boot loader on the host, for Xen.
    #[xml(text_child)]
    pub bootloader: Option<Box<Text>>,
    /// Its arguments.
    #[xml(text_child)]
    pub bootloader_args: Option<Box<Text>>,
    /// How it boots.
    #[xml(child)]
    pub os: Option<Os>,
    /// Mapped owners, for containers.
    #[xml(child, skip_empty)]
    pub idmap: Option<Box<IdMap>>,
    /// Switches of the machine.
    #[xml(child, skip_empty)]
    pub features: Option<Features>,
    /// Processor.
    #[xml(child)]
    pub cpu: Option<Box<GuestCpu>>,
    /// Clock.
    #[xml(child)]
    pub clock: Option<Clock>,
    /// When it powers off.
    #[xml(text_child, absent = "destroy")]
    pub on_poweroff: Option<LifecycleAction>,
    /// When it reboots.
    #[xml(text_child, absent = "restart")]
    pub on_reboot: Option<LifecycleAction>,
    /// When it crashes.
    #[xml(text_child, absent = "destroy")]
    pub on_crash: Option<LifecycleAction>,
    /// When a lock is lost.
    #[xml(text_child)]
    pub on_lockfailure: Option<LockFailureAction>,
    /// Sleep and hibernation.
    #[xml(child, skip_empty)]
    pub pm: Option<Pm>,
    /// Performance counters.
    #[xml(child, skip_empty)]
    pub perf: Option<Box<Perf>>,
    /// Devices.
    #[xml(child, default, open)]
    pub devices: Devices,
    /// Security labels.
    #[xml(child, skip_empty)]
    pub seclabel: Rare<Vec<SecLabel>>,
    /// Wrapped keys.
    #[xml(child)]
    pub keywrap: Option<Box<KeyWrap>>,
    /// Confidentiality.
    #[xml(child = "launchSecurity")]
    pub launch_security: Option<Box<LaunchSecurity>>,
}

fn has_id(_: &Domain, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

impl Domain {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Self::parse_within(xml, false, &Limits::default())
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Domain::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        Self::parse_within(xml, true, &Limits::default())
    }

    /// Reads a document that is within `limits`. What is not known is ignored, or an error if it is to be `strict`.
    ///
    /// # Errors
    /// Those of [`Domain::parse`] and [`Domain::parse_strict`].
    pub fn parse_within(xml: &str, strict: bool, limits: &Limits) -> Result<Self, XmlError> {
        let doc = Document::parse_within(xml, limits)?;
        let domain = doc.read("domain")?;
        if strict {
            doc.check_no_leftovers()?;
        }
        Ok(domain)
    }

    /// Writes the document. A guest without an `id` is written as inactive.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("domain", self.effective_flags(flags))
    }

    /// Writes the element `name` with the contents of `<domain>`, as part of another document.
    pub fn write_as(&self, name: &str, w: &mut Writer) {
        let flags = w.flags();
        w.set_flags(self.effective_flags(flags));
        w.element(name, self);
        w.set_flags(flags);
    }

    /// Kind of guest, if given.
    pub fn os_type(&self) -> Option<OsType> {
        self.os.as_ref()?.machine.kind
    }

    /// Architecture, if given.
    pub fn arch(&self) -> Option<Arch> {
        self.os.as_ref()?.machine.arch
    }

    /// How many virtual CPUs there can be.
    pub fn vcpus_max(&self) -> u32 {
        self.vcpu.as_ref().map_or(1, |v| v.count)
    }

    /// How many virtual CPUs are on at start.
    pub fn vcpus(&self) -> u32 {
        self.vcpu
            .as_ref()
            .map_or(1, |v| v.current.unwrap_or(v.count))
    }

    /// Memory with memory devices, in KiB.
    pub fn memory_total(&self) -> u64 {
        self.memory.map_or(0, |m| m.size.0)
    }

    /// Memory without memory devices, in KiB.
    pub fn memory_initial(&self) -> u64 {
        let plugged = self
            .devices
            .memory
            .iter()
            .map(|m| m.target.size.0)
            .fold(0, u64::saturating_add);
        self.memory_total().saturating_sub(plugged)
    }

    fn effective_flags(&self, flags: Flags) -> Flags {
        if self.id.is_none() {
            flags | Flags::INACTIVE
        } else {
            flags
        }
    }
}
