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

/// `<spinlocks>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spinlocks {
    /// Whether on.
    #[xml(attr)]
    pub state: OnOff,
    /// Attempts before the guest tells the hypervisor, at least 4095.
    #[xml(attr)]
    pub retries: Option<u32>,
}

/// `<stimer>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stimer {
    /// Whether on.
    #[xml(attr)]
    pub state: OnOff,
    /// Timers interrupt without a message.
    #[xml(child)]
    pub direct: Option<State>,
}

/// `<vendor_id>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct VendorId {
    /// Whether on.
    #[xml(attr)]
    pub state: OnOff,
    /// Up to 12 characters, no comma.
    #[xml(attr)]
    pub value: Option<Text>,
}

/// `<tlbflush>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlbFlush {
    /// Whether on.
    #[xml(attr)]
    pub state: OnOff,
    /// The guest may flush without the hypervisor.
    #[xml(child)]
    pub direct: Option<State>,
    /// The guest may flush parts.
    #[xml(child)]
    pub extended: Option<State>,
}

/// `<hyperv>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct HyperV {
    /// Who chooses.
    #[xml(attr, absent = "custom")]
    pub mode: Option<HyperVMode>,
    /// Relaxed timers.
    #[xml(child)]
    pub relaxed: Option<State>,
    /// Virtual interrupt controller.
    #[xml(child)]
    pub vapic: Option<State>,
    /// Spin locks.
    #[xml(child)]
    pub spinlocks: Option<Spinlocks>,
    /// Index of virtual processors.
    #[xml(child)]
    pub vpindex: Option<State>,
    /// Time spent in the guest.
    #[xml(child)]
    pub runtime: Option<State>,
    /// Synthetic interrupt controller.
    #[xml(child)]
    pub synic: Option<State>,
    /// Synthetic timers.
    #[xml(child)]
    pub stimer: Option<Stimer>,
    /// Reset by the hypervisor.
    #[xml(child)]
    pub reset: Option<State>,
    /// Name of the hypervisor's vendor.
    #[xml(child)]
    pub vendor_id: Option<VendorId>,
    /// Registers that tell frequencies.
    #[xml(child)]
    pub frequencies: Option<State>,
    /// Notice of migration.
    #[xml(child)]
    pub reenlightenment: Option<State>,
    /// Flush of translation buffers.
    #[xml(child)]
    pub tlbflush: Option<TlbFlush>,
    /// Interprocessor interrupts.
    #[xml(child)]
    pub ipi: Option<State>,
    /// Enlightened control structures, Intel only.
    #[xml(child)]
    pub evmcs: Option<State>,
    /// Interrupt controller in hardware.
    #[xml(child)]
    pub avic: Option<State>,
    /// Bitmap of model-specific registers.
    #[xml(child)]
    pub emsr_bitmap: Option<State>,
    /// Fast calls with vector registers.
    #[xml(child)]
    pub xmm_input: Option<State>,
}
