//! Switches of the virtual machine: ACPI, interrupt controllers, paravirtual interfaces.

mod capabilities;
mod hyperv;

use virtbus_xml::{Content, Describe, Kib, Node, OnOff, Result, Writer, Xml, YesNo, xml_names};

pub use capabilities::{CapabilitiesPolicy, Capability, CapabilityFeature, ProcessCapabilities};
pub use hyperv::{HyperV, HyperVMode, Spinlocks, Stimer, TlbFlush, VendorId};

use super::cputune::pretty_size;

/// A feature that is on or off: `<x state='on'/>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether the feature is on.
    #[xml(attr)]
    pub state: OnOff,
}

/// A feature that is on if no state is given: `<x/>`.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(
    /// Whether the feature is on; `on` if absent.
    #[xml(attr = "state", optional)]
    pub OnOff,
);

impl Content for Switch {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self(node.attr_opt("state")?.unwrap_or(OnOff::On)))
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("state", &self.0);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<apic>`: the local interrupt controllers of the virtual CPUs.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Apic {
    /// Whether the guest may skip the exit at the end of an interrupt (paravirtual EOI).
    #[xml(attr)]
    pub eoi: Option<OnOff>,
}

/// `<kvm>`: features of KVM that the guest sees.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kvm {
    /// Whether KVM is hidden from the guest's detection of hypervisors.
    #[xml(child)]
    pub hidden: Option<State>,
    /// Whether the guest is told that its virtual CPUs have host CPUs of their own.
    #[xml(child = "hint-dedicated")]
    pub hint_dedicated: Option<State>,
    /// Whether the guest polls for a while before it halts a virtual CPU.
    #[xml(child = "poll-control")]
    pub poll_control: Option<State>,
    /// Whether the guest can send interprocessor interrupts by calling KVM.
    #[xml(child = "pv-ipi")]
    pub pv_ipi: Option<State>,
    /// How KVM reports changed memory pages: as a ring, if on.
    #[xml(child = "dirty-ring")]
    pub dirty_ring: Option<DirtyRing>,
}

/// `<dirty-ring>`: a ring in which KVM reports changed memory pages.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirtyRing {
    /// Whether a ring is used instead of a bitmap.
    #[xml(attr)]
    pub state: OnOff,
    /// Number of entries of the ring: a power of two from 1024 to 65536.
    #[xml(attr)]
    pub size: Option<u32>,
}

xml_names! {
    /// How a Xen guest's page tables are shared with the IOMMU.
    pub enum XenPassthroughMode {
        SyncPt = "sync_pt",
        SharePt = "share_pt",
    }
}

/// `<passthrough>` in `<xen>`: whether devices can be assigned to the guest.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct XenPassthrough {
    /// Whether devices of the host can be assigned to the guest.
    #[xml(attr)]
    pub state: OnOff,
    /// How the IOMMU's page tables are kept: `sync_pt` apart, `share_pt` shared with the guest's.
    #[xml(attr)]
    pub mode: Option<XenPassthroughMode>,
}

/// `<xen>`: features of Xen that the guest has.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Xen {
    /// Whether the guest sees the host's memory map (e820), as some assigned devices require.
    #[xml(child)]
    pub e820_host: Option<State>,
    /// Whether devices of the host can be assigned to the guest.
    #[xml(child)]
    pub passthrough: Option<XenPassthrough>,
}

xml_names! {
    /// Version of ARM's interrupt controller.
    pub enum GicVersion {
        Host = "host",
        V2 = "2",
        V3 = "3",
    }
}

/// `<gic>`: the interrupt controller of ARM guests.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gic {
    /// Version of the interrupt controller: `2`, `3` or `host`.
    #[xml(attr, absent = "the driver's choice")]
    pub version: Option<GicVersion>,
}

/// Size of the extended SMRAM segment (TSEG); in MiB if no unit is given.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(flat, value = virtbus_xml::Bytes, doc = "Size of the segment; in MiB if no unit is given."))]
pub struct Tseg(#[xml(skip)] pub u64);

impl Content for Tseg {
    fn parse(node: Node<'_>) -> Result<Self> {
        virtbus_xml::Bytes::parse_with_default(node, 1 << 20).map(|size| Self(size.0))
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("unit", pretty_size(self.0).1);
    }

    fn children(&self, w: &mut Writer) {
        w.text(&pretty_size(self.0).0);
    }
}

/// `<smm>`: system management mode of x86 guests.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smm {
    /// Whether the guest has system management mode; Secure Boot requires it.
    #[xml(attr, optional)]
    pub state: OnOff,
    /// Size of the extended SMRAM segment (TSEG); q35 only.
    #[xml(child)]
    pub tseg: Option<Tseg>,
}

impl Content for Smm {
    fn parse(node: Node<'_>) -> Result<Self> {
        let state = node.attr_opt("state")?.unwrap_or(OnOff::On);
        let tseg = node.child_opt("tseg")?;
        Ok(Self {
            state,
            tseg: tseg.filter(|_| state.is_on()),
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("state", &self.state);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(tseg) = &self.tseg {
            w.element("tseg", tseg);
        }
    }
}

xml_names! {
    /// Who emulates the I/O interrupt controller.
    pub enum IoApicDriver {
        Qemu = "qemu",
        Kvm = "kvm",
    }
}

xml_names! {
    /// Whether a pSeries guest can resize its page table.
    pub enum HptResizing {
        Enabled = "enabled",
        Disabled = "disabled",
        Required = "required",
    }
}

/// `<hpt>`: the hash page table of pSeries guests.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hpt {
    /// Whether the page table can be resized: `enabled`, `disabled` or `required`; the hypervisor decides if absent.
    #[xml(attr)]
    pub resizing: Option<HptResizing>,
    /// Largest page size that the guest can use.
    #[xml(child)]
    pub maxpagesize: Option<Kib>,
}

xml_names! {
    /// What happens at an unknown model-specific register.
    pub enum UnknownMsr {
        Ignore = "ignore",
        Fault = "fault",
    }
}

xml_names! {
    /// How well a pSeries guest is protected from cache and bounds speculation.
    pub enum Mitigation {
        Broken = "broken",
        Workaround = "workaround",
        Fixed = "fixed",
    }
}

xml_names! {
    /// How well a pSeries guest is protected from indirect branch speculation.
    pub enum BranchMitigation {
        Broken = "broken",
        Workaround = "workaround",
        FixedIbs = "fixed-ibs",
        FixedCcd = "fixed-ccd",
        FixedNa = "fixed-na",
    }
}

/// `<tcg>`: settings of QEMU's processor emulation.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tcg {
    /// Size of the cache for translated code.
    #[xml(child = "tb-cache")]
    pub tb_cache: Option<Kib>,
}

xml_names! {
    /// RISC-V's advanced interrupt architecture.
    pub enum Aia {
        None = "none",
        Aplic = "aplic",
        AplicImsic = "aplic-imsic",
    }
}

/// `<features>`: features of the guest's machine. A feature that is absent is as the hypervisor has it, unless it is
/// said otherwise.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// The guest has ACPI, as an orderly shutdown by power button requires; off if absent.
    #[xml(flag)]
    pub acpi: bool,
    /// The virtual CPUs have local interrupt controllers; x86 only.
    #[xml(child)]
    pub apic: Option<Apic>,
    /// The guest can have physical addresses of more than 32 bits; x86 only.
    #[xml(flag)]
    pub pae: bool,
    /// Whether hardware-assisted paging is used; Xen only.
    #[xml(child)]
    pub hap: Option<Switch>,
    /// Whether the guest sees interfaces of Hyper-V; Xen only.
    #[xml(flag)]
    pub viridian: bool,
    /// Whether a container has a network namespace of its own even without interfaces.
    #[xml(flag)]
    pub privnet: bool,
    /// Interfaces of Microsoft Hyper-V that the guest sees.
    #[xml(child)]
    pub hyperv: Option<Box<HyperV>>,
    /// Features of KVM that the guest sees.
    #[xml(child)]
    pub kvm: Option<Box<Kvm>>,
    /// Whether spin locks are paravirtual.
    #[xml(child)]
    pub pvspinlock: Option<Switch>,
    /// Linux capabilities of a container.
    #[xml(child, skip_empty)]
    pub capabilities: Option<Box<ProcessCapabilities>>,
    /// Whether the guest has performance counters (PMU); the hypervisor decides if absent.
    #[xml(child)]
    pub pmu: Option<Switch>,
    /// Whether the guest has VMware's I/O port, by which VMware tools talk; on if absent.
    #[xml(child)]
    pub vmport: Option<Switch>,
    /// Interrupt controller of ARM guests.
    #[xml(child)]
    pub gic: Option<Gic>,
    /// System management mode of x86 guests.
    #[xml(child)]
    pub smm: Option<Box<Smm>>,
    /// What emulates the I/O interrupt controller: `kvm` or `qemu`; the hypervisor decides if absent.
    #[xml(child_attr = "ioapic/driver")]
    pub ioapic: Option<IoApicDriver>,
    /// Hash page table of pSeries guests.
    #[xml(child, skip_empty)]
    pub hpt: Option<Box<Hpt>>,
    /// Whether the guest has a device by which it passes information for crash dumps.
    #[xml(child)]
    pub vmcoreinfo: Option<Switch>,
    /// Whether the guest has hardware transactional memory; pSeries only.
    #[xml(child)]
    pub htm: Option<State>,
    /// Whether the guest can run guests itself; pSeries only.
    #[xml(child = "nested-hv")]
    pub nested_hv: Option<State>,
    /// What happens at accesses to unknown model-specific registers: `ignore`, or `fault` for an exception in the
    /// guest.
    #[xml(child_attr = "msrs/unknown")]
    pub msrs: Option<UnknownMsr>,
    /// Whether the guest can use count cache flush assistance against Spectre; pSeries only.
    #[xml(child = "ccf-assist")]
    pub ccf_assist: Option<State>,
    /// Features of Xen that the guest has.
    #[xml(child)]
    pub xen: Option<Xen>,
    /// Whether caches are flushed at changes of privilege, against Meltdown: `broken`, `workaround` or `fixed`; pSeries
    /// only.
    #[xml(child_attr = "cfpc/value")]
    pub cfpc: Option<Mitigation>,
    /// Whether speculation is stopped at bounds checks, against Spectre: `broken`, `workaround` or `fixed`; pSeries
    /// only.
    #[xml(child_attr = "sbbc/value")]
    pub sbbc: Option<Mitigation>,
    /// How indirect branches are protected against speculation, such as `workaround` or `fixed-ccd`; pSeries only.
    #[xml(child_attr = "ibs/value")]
    pub ibs: Option<BranchMitigation>,
    /// Settings of QEMU's processor emulation.
    #[xml(child, skip_empty)]
    pub tcg: Option<Box<Tcg>>,
    /// Whether the hypervisor's memory is freed after its process has ended, so that ending is not delayed; QEMU 8.0 or
    /// newer.
    #[xml(child = "async-teardown")]
    pub async_teardown: Option<AsyncTeardown>,
    /// Whether the guest is notified of hardware errors (RAS); ARM only.
    #[xml(child)]
    pub ras: Option<State>,
    /// Whether the guest has a PS/2 controller with keyboard and mouse; on x86 the default is on.
    #[xml(child)]
    pub ps2: Option<State>,
    /// Advanced interrupt architecture of RISC-V guests: `none`, `aplic` or `aplic-imsic`.
    #[xml(child_attr = "aia/value")]
    pub aia: Option<Aia>,
}

/// `<async-teardown>`: whether memory is freed after the hypervisor's process has ended; on if no state is given.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsyncTeardown(
    /// Whether memory is freed later; `yes` if absent.
    #[xml(attr = "enabled", optional)]
    pub YesNo,
);

impl Content for AsyncTeardown {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self(node.attr_opt("enabled")?.unwrap_or(YesNo::Yes)))
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("enabled", &self.0);
    }

    fn children(&self, _: &mut Writer) {}
}
