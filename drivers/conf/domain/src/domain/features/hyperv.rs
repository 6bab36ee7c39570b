//! Interfaces that Microsoft's hypervisor gives to its guests.

use virtbus_xml::{OnOff, Text, Xml, xml_names};

use super::State;

xml_names! {
    /// Who chooses the interfaces.
    pub enum HyperVMode {
        Custom = "custom",
        Passthrough = "passthrough",
    }
}

/// `<spinlocks>`: how the guest behaves while it waits for a spin lock.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spinlocks {
    /// Whether the guest notifies the hypervisor of long waits.
    #[xml(attr)]
    pub state: OnOff,
    /// Number of attempts before the guest notifies the hypervisor, at least 4095.
    #[xml(attr)]
    pub retries: Option<u32>,
}

/// `<stimer>`: synthetic timers of the guest.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stimer {
    /// Whether the guest has synthetic timers.
    #[xml(attr)]
    pub state: OnOff,
    /// Whether timers raise interrupts directly instead of sending messages.
    #[xml(child)]
    pub direct: Option<State>,
}

/// `<vendor_id>`: the hypervisor vendor that the guest sees.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VendorId {
    /// Whether the guest sees the vendor given here.
    #[xml(attr)]
    pub state: OnOff,
    /// Vendor that the guest sees, up to 12 characters without comma.
    #[xml(attr)]
    pub value: Option<Text>,
}

/// `<tlbflush>`: flushing translation buffers of other virtual CPUs by a call to the hypervisor.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlbFlush {
    /// Whether the guest can flush by calling the hypervisor.
    #[xml(attr)]
    pub state: OnOff,
    /// Whether nested guests can flush without the guest's own hypervisor.
    #[xml(child)]
    pub direct: Option<State>,
    /// Whether the guest can flush parts of the buffers.
    #[xml(child)]
    pub extended: Option<State>,
}

/// `<hyperv>`: interfaces of Microsoft Hyper-V that make Windows guests run better (enlightenments).
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HyperV {
    /// How features are chosen: `custom` those listed, `passthrough` all that the hypervisor supports, `host-model` all
    /// that the host has.
    #[xml(attr, absent = "custom")]
    pub mode: Option<HyperVMode>,
    /// Whether the guest relaxes its timeouts, as it may be descheduled.
    #[xml(child)]
    pub relaxed: Option<State>,
    /// Whether the guest has a virtual interrupt controller.
    #[xml(child)]
    pub vapic: Option<State>,
    /// Whether the guest notifies the hypervisor of long waits for spin locks.
    #[xml(child)]
    pub spinlocks: Option<Spinlocks>,
    /// Whether the guest can read the number of its virtual processor.
    #[xml(child)]
    pub vpindex: Option<State>,
    /// Whether the guest can read how long its virtual processors have run.
    #[xml(child)]
    pub runtime: Option<State>,
    /// Whether the guest has a synthetic interrupt controller.
    #[xml(child)]
    pub synic: Option<State>,
    /// Whether the guest has synthetic timers.
    #[xml(child)]
    pub stimer: Option<Stimer>,
    /// Whether the guest can reset itself by a call to the hypervisor.
    #[xml(child)]
    pub reset: Option<State>,
    /// Hypervisor vendor that the guest sees.
    #[xml(child)]
    pub vendor_id: Option<VendorId>,
    /// Whether the guest can read the frequencies of its clocks.
    #[xml(child)]
    pub frequencies: Option<State>,
    /// Whether the guest is notified of a migration to a host with another clock frequency.
    #[xml(child)]
    pub reenlightenment: Option<State>,
    /// Whether the guest can flush translation buffers by calling the hypervisor.
    #[xml(child)]
    pub tlbflush: Option<TlbFlush>,
    /// Whether the guest can send interprocessor interrupts by calling the hypervisor.
    #[xml(child)]
    pub ipi: Option<State>,
    /// Whether nested guests use enlightened control structures (eVMCS); Intel only.
    #[xml(child)]
    pub evmcs: Option<State>,
    /// Whether the synthetic interrupt controller can use hardware acceleration (AVIC, APICv).
    #[xml(child)]
    pub avic: Option<State>,
    /// Whether nested guests use the enlightened bitmap of model-specific registers.
    #[xml(child)]
    pub emsr_bitmap: Option<State>,
    /// Whether calls to the hypervisor can pass parameters in XMM registers.
    #[xml(child)]
    pub xmm_input: Option<State>,
}
