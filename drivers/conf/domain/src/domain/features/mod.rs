//! Switches of the virtual machine: ACPI, interrupt controllers, paravirtual interfaces.

mod capabilities;
mod hyperv;

use virtbus_xml::{Content, Describe, Kib, Node, OnOff, Result, Writer, Xml, YesNo, xml_names};

pub use capabilities::{CapabilitiesPolicy, Capability, CapabilityFeature, ProcessCapabilities};
pub use hyperv::{HyperV, HyperVMode, Spinlocks, Stimer, TlbFlush, VendorId};

use super::cputune::pretty_size;

/// A switch: `<x state='on'/>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether it is on.
    #[xml(attr)]
    pub state: OnOff,
}

/// A switch that is on where no state is given: `<x/>`.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(#[xml(attr = "state", optional)] pub OnOff);

impl Content for Switch {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self(node.attr_opt("state")?.unwrap_or(OnOff::On)))
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("state", &self.0);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<apic>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Apic {
    /// Whether the guest may skip the end-of-interrupt exit.
    #[xml(attr)]
    pub eoi: Option<OnOff>,
}

/// `<kvm>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kvm {
    /// Hide the hypervisor.
    #[xml(child)]
    pub hidden: Option<State>,
    /// The virtual CPUs have host CPUs of their own.
    #[xml(child = "hint-dedicated")]
    pub hint_dedicated: Option<State>,
    /// The guest polls before it halts.
    #[xml(child = "poll-control")]
    pub poll_control: Option<State>,
    /// Paravirtual interprocessor interrupts.
    #[xml(child = "pv-ipi")]
    pub pv_ipi: Option<State>,
    /// Ring of dirty pages.
    #[xml(child = "dirty-ring")]
    pub dirty_ring: Option<DirtyRing>,
}

/// `<dirty-ring>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirtyRing {
    /// Whether it is used.
    #[xml(attr)]
    pub state: OnOff,
    /// Entries: a power of two from 1024 to 65536.
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

/// `<passthrough>` in `<xen>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct XenPassthrough {
    /// Whether devices can be passed through.
    #[xml(attr)]
    pub state: OnOff,
    /// How.
    #[xml(attr)]
    pub mode: Option<XenPassthroughMode>,
}

/// `<xen>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Xen {
    /// Give the guest the host's memory map.
    #[xml(child)]
    pub e820_host: Option<State>,
    /// Devices of the host.
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

/// `<gic>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gic {
    /// Its version.
    #[xml(attr, absent = "the driver's choice")]
    pub version: Option<GicVersion>,
}

/// Size of the extended SMRAM segment, in bytes; without a unit it counts in MiB.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(more(flat, value = virtbus_xml::Bytes))]
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

/// `<smm>`: system management mode.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smm {
    /// Whether there is one.
    #[xml(attr, optional)]
    pub state: OnOff,
    /// Its extended memory.
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

/// `<hpt>`: the page table of pSeries guests.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hpt {
    /// Whether it can be resized.
    #[xml(attr)]
    pub resizing: Option<HptResizing>,
    /// Largest page.
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

/// `<tcg>`: settings of QEMU's emulation of processors.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tcg {
    /// Cache of translated code.
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

/// `<features>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// ACPI.
    #[xml(flag)]
    pub acpi: bool,
    /// Local interrupt controllers.
    #[xml(child)]
    pub apic: Option<Apic>,
    /// Physical address extension.
    #[xml(flag)]
    pub pae: bool,
    /// Hardware-assisted paging, for Xen.
    #[xml(child)]
    pub hap: Option<Switch>,
    /// Hyper-V's interfaces, as Xen names them.
    #[xml(flag)]
    pub viridian: bool,
    /// A network of its own, for containers.
    #[xml(flag)]
    pub privnet: bool,
    /// Hyper-V's interfaces.
    #[xml(child)]
    pub hyperv: Option<Box<HyperV>>,
    /// KVM's interfaces.
    #[xml(child)]
    pub kvm: Option<Box<Kvm>>,
    /// Paravirtual spin locks.
    #[xml(child)]
    pub pvspinlock: Option<Switch>,
    /// Process capabilities of a container.
    #[xml(child, skip_empty)]
    pub capabilities: Option<Box<ProcessCapabilities>>,
    /// Performance counters.
    #[xml(child)]
    pub pmu: Option<Switch>,
    /// VMware's I/O port.
    #[xml(child)]
    pub vmport: Option<Switch>,
    /// ARM's interrupt controller.
    #[xml(child)]
    pub gic: Option<Gic>,
    /// System management mode.
    #[xml(child)]
    pub smm: Option<Box<Smm>>,
    /// I/O interrupt controller.
    #[xml(child_attr = "ioapic/driver")]
    pub ioapic: Option<IoApicDriver>,
    /// Page table of pSeries guests.
    #[xml(child, skip_empty)]
    pub hpt: Option<Box<Hpt>>,
    /// Device for crash dumps.
    #[xml(child)]
    pub vmcoreinfo: Option<Switch>,
    /// Transactional memory.
    #[xml(child)]
    pub htm: Option<State>,
    /// Nested virtualization on pSeries.
    #[xml(child = "nested-hv")]
    pub nested_hv: Option<State>,
    /// Unknown model-specific registers.
    #[xml(child_attr = "msrs/unknown")]
    pub msrs: Option<UnknownMsr>,
    /// Count cache flush assistance.
    #[xml(child = "ccf-assist")]
    pub ccf_assist: Option<State>,
    /// Xen's interfaces.
    #[xml(child)]
    pub xen: Option<Xen>,
    /// Cache flush on privilege change.
    #[xml(child_attr = "cfpc/value")]
    pub cfpc: Option<Mitigation>,
    /// Speculation barrier bounds checking.
    #[xml(child_attr = "sbbc/value")]
    pub sbbc: Option<Mitigation>,
    /// Indirect branch speculation.
    #[xml(child_attr = "ibs/value")]
    pub ibs: Option<BranchMitigation>,
    /// Emulation of processors.
    #[xml(child, skip_empty)]
    pub tcg: Option<Box<Tcg>>,
    /// Free memory after the guest is gone.
    #[xml(child = "async-teardown")]
    pub async_teardown: Option<AsyncTeardown>,
    /// Reliability, availability and serviceability of ARM guests.
    #[xml(child)]
    pub ras: Option<State>,
    /// Keyboard and mouse of the PS/2 kind.
    #[xml(child)]
    pub ps2: Option<State>,
    /// RISC-V's interrupt architecture.
    #[xml(child_attr = "aia/value")]
    pub aia: Option<Aia>,
}

/// `<async-teardown>`: on where it does not say otherwise.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsyncTeardown(#[xml(attr = "enabled", optional)] pub YesNo);

impl Content for AsyncTeardown {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self(node.attr_opt("enabled")?.unwrap_or(YesNo::Yes)))
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("enabled", &self.0);
    }

    fn children(&self, _: &mut Writer) {}
}
