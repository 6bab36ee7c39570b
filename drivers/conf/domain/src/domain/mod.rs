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

/// `<domain>`: the definition of a guest.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct Domain {
    /// Hypervisor type, such as `kvm`, `qemu`, `lxc` or `xen`.
    #[xml(attr = "type")]
    pub virt_type: VirtType,
    /// Number of the guest while it runs; written for running guests, ignored when read.
    #[xml(attr, when = has_id)]
    pub id: Option<u32>,
    /// Elements that only one hypervisor has, in XML name spaces of their own.
    #[xml(flat, late)]
    pub namespaces: Option<Box<Namespaces>>,
    /// Name of the guest, unique on the host.
    #[xml(text_child)]
    pub name: Text,
    /// UUID of the guest; generated if absent.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Generation ID, which changes when the guest is put back to an earlier state.
    #[xml(child)]
    pub genid: Option<GenId>,
    /// Short title for people, without line breaks.
    #[xml(text_child)]
    pub title: Option<Text>,
    /// Description for people, which no program interprets.
    #[xml(text_child)]
    pub description: Option<Text>,
    /// Data of other programs, kept as it is.
    #[xml(flat)]
    pub metadata: Metadata,
    /// Size up to which memory devices can be added while the guest runs.
    #[xml(child = "maxMemory")]
    pub max_memory: Option<MaxMemory>,
    /// Memory of the guest at start, including memory devices.
    #[xml(child)]
    pub memory: Option<MemorySize>,
    /// Memory that the guest has now, at most `memory`; the memory balloon takes the rest. In KiB if no unit is given;
    /// all of `memory` if absent.
    #[xml(child = "currentMemory")]
    pub current_memory: Option<virtbus_xml::Kib>,
    /// Weights and limits of block I/O, by the host's cgroups.
    #[xml(child, skip_empty)]
    pub blkiotune: Option<Box<BlkioTune>>,
    /// Limits on the memory of the hypervisor's process.
    #[xml(child, skip_empty)]
    pub memtune: Option<Box<MemTune>>,
    /// Host memory behind the guest's memory: huge pages, sharing, locking.
    #[xml(child = "memoryBacking", skip_empty)]
    pub memory_backing: Option<Box<MemoryBacking>>,
    /// Number and placement of virtual CPUs; 1 if absent.
    #[xml(child)]
    pub vcpu: Option<VcpuCount>,
    /// State of single virtual CPUs at start.
    #[xml(child, skip_empty)]
    pub vcpus: Option<Box<Vcpus>>,
    /// Number of I/O threads that devices can use; 0 if absent.
    #[xml(text_child)]
    pub iothreads: Option<u32>,
    /// Numbers and settings of single I/O threads.
    #[xml(child, skip_empty)]
    pub iothreadids: Option<Box<IoThreadIds>>,
    /// Thread pool of the hypervisor's main loop.
    #[xml(child, skip_empty)]
    pub defaultiothread: Option<DefaultIoThread>,
    /// Limits on throughput that disks can share.
    #[xml(child, skip_empty)]
    pub throttlegroups: Option<Box<ThrottleGroups>>,
    /// CPU time, scheduling and placement of the guest's threads.
    #[xml(child, skip_empty)]
    pub cputune: Option<Box<CpuTune>>,
    /// NUMA nodes of the host that the guest's memory is taken from.
    #[xml(child, skip_empty)]
    pub numatune: Option<Box<NumaTune>>,
    /// Where the guest's resources are accounted: cgroup and Fibre Channel identifier.
    #[xml(child, skip_empty)]
    pub resource: Option<Box<Resource>>,
    /// SMBIOS strings and firmware settings that the guest sees.
    #[xml(child)]
    pub sysinfo: Rare<Vec<Sysinfo>>,
    /// Absolute path of a boot loader that the host runs; Xen only.
    #[xml(text_child)]
    pub bootloader: Option<Box<Text>>,
    /// Arguments of the host's boot loader.
    #[xml(text_child)]
    pub bootloader_args: Option<Box<Text>>,
    /// Kind of guest, firmware, and what it boots.
    #[xml(child)]
    pub os: Option<Os>,
    /// Mapping of a container's users and groups to those of the host.
    #[xml(child, skip_empty)]
    pub idmap: Option<Box<IdMap>>,
    /// Features of the guest's machine, such as ACPI.
    #[xml(child, skip_empty)]
    pub features: Option<Features>,
    /// Processor model, topology and NUMA nodes of the guest; the hypervisor's default if absent.
    #[xml(child)]
    pub cpu: Option<Box<GuestCpu>>,
    /// Time with which the clock starts, and the guest's timers.
    #[xml(child)]
    pub clock: Option<Clock>,
    /// Action when the guest powers off: `destroy` frees its resources, `restart` starts it again, `preserve` keeps
    /// them for analysis, `rename-restart` starts it under a new name.
    #[xml(text_child, absent = "destroy")]
    pub on_poweroff: Option<LifecycleAction>,
    /// Action when the guest reboots: as for `on_poweroff`.
    #[xml(text_child, absent = "restart")]
    pub on_reboot: Option<LifecycleAction>,
    /// Action when the guest crashes: as for `on_poweroff`; `coredump-destroy` and `coredump-restart` first dump its
    /// memory.
    #[xml(text_child, absent = "destroy")]
    pub on_crash: Option<LifecycleAction>,
    /// Action when the lock manager loses a lock: `poweroff`, `restart`, `pause` or `ignore`; the lock manager decides
    /// if absent.
    #[xml(text_child)]
    pub on_lockfailure: Option<LockFailureAction>,
    /// Sleep states that the firmware offers to the guest.
    #[xml(child, skip_empty)]
    pub pm: Option<Pm>,
    /// Performance counters of the host that count for the guest.
    #[xml(child, skip_empty)]
    pub perf: Option<Box<Perf>>,
    /// Emulator and devices of the guest.
    #[xml(child, default, open)]
    pub devices: Devices,
    /// Labels under which security drivers confine the guest; chosen by the drivers if absent.
    #[xml(child, skip_empty)]
    pub seclabel: Rare<Vec<SecLabel>>,
    /// Whether s390 guests may use wrapped keys.
    #[xml(child)]
    pub keywrap: Option<Box<KeyWrap>>,
    /// Protection of the guest's memory against the host (AMD SEV, s390 Secure Execution).
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
