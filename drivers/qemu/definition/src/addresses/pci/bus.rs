//! PCI buses: what each kind takes, and which places of it are taken.

use virtbus_conf_base::common::PciAddress;
use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_domain::domain::devices::controller::PciModel;

bitflags::bitflags! {
    /// What a bus takes, and what a device asks for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Connect: u16 {
        /// Plain devices of conventional PCI.
        const PCI = 1 << 0;
        /// Plain devices of PCI Express.
        const PCIE = 1 << 1;
        /// Bridges to a further conventional bus.
        const PCI_BRIDGE = 1 << 2;
        /// Ports at a root of PCI Express.
        const ROOT_PORT = 1 << 3;
        /// The upper end of a switch.
        const UPSTREAM = 1 << 4;
        /// The lower ends of a switch.
        const DOWNSTREAM = 1 << 5;
        /// Bridges from PCI Express to a conventional bus, fixed to the chipset.
        const DMI_TO_PCI = 1 << 6;
        /// Further root buses, conventional.
        const PCI_EXPANDER = 1 << 7;
        /// Further root buses of PCI Express.
        const PCIE_EXPANDER = 1 << 8;
        /// Bridges from PCI Express to a conventional bus.
        const PCIE_TO_PCI = 1 << 9;
        /// Devices can come and go while the guest runs.
        const HOTPLUG = 1 << 10;
        /// For devices: may share a slot with others of its kind.
        const SHARES_SLOT = 1 << 11;
        /// For devices: must be on the root bus.
        const AT_ROOT = 1 << 12;
    }
}

impl Connect {
    /// What a device is, without how it is plugged.
    const KINDS: Self = Self::HOTPLUG
        .union(Self::SHARES_SLOT)
        .union(Self::AT_ROOT)
        .complement();
    /// Both kinds of plain devices.
    const PLAIN: Self = Self::PCI.union(Self::PCIE);

    /// What a controller asks for of the bus that it is on; nothing for the roots.
    pub(super) const fn of_controller(model: PciModel) -> Self {
        match model {
            PciModel::PciRoot | PciModel::PcieRoot => Self::empty(),
            PciModel::PciBridge => Self::PCI_BRIDGE,
            PciModel::PciExpanderBus => Self::PCI_EXPANDER,
            PciModel::PcieRootPort => Self::ROOT_PORT.union(Self::SHARES_SLOT),
            PciModel::PcieSwitchUpstreamPort => Self::UPSTREAM,
            PciModel::PcieSwitchDownstreamPort => Self::DOWNSTREAM,
            PciModel::DmiToPciBridge => Self::DMI_TO_PCI,
            PciModel::PcieToPciBridge => Self::PCIE_TO_PCI,
            PciModel::PcieExpanderBus => Self::PCIE_EXPANDER,
        }
    }
}

/// The functions of a slot that are taken, bit by bit.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    functions: u8,
    /// Whether all that are there may share it.
    shared: bool,
}

/// A PCI bus.
#[derive(Debug, Clone)]
pub(super) struct Bus {
    pub(super) model: PciModel,
    takes: Connect,
    first: u8,
    last: u8,
    slots: [Slot; 32],
    /// Devices that the host cannot tell apart have one number, and their buses no others; 0 is for all that it can.
    pub(super) group: u32,
    /// Whether it is for those that the host can tell apart in any case.
    pub(super) is_shared: bool,
}

impl Bus {
    pub(super) fn new(model: PciModel, hotplug: bool) -> Self {
        use Connect as C;
        let conventional = C::PCI | C::PCI_BRIDGE | C::HOTPLUG;
        let port = C::PCIE | C::UPSTREAM | C::PCIE_TO_PCI | C::HOTPLUG;
        let (takes, first, last) = match model {
            PciModel::PciRoot => (conventional | C::PCI_EXPANDER, 1, 31),
            PciModel::PciBridge | PciModel::PcieToPciBridge => (conventional, 1, 31),
            PciModel::PciExpanderBus => (conventional, 0, 31),
            PciModel::PcieRoot => (
                C::PCIE | C::ROOT_PORT | C::DMI_TO_PCI | C::PCIE_EXPANDER,
                1,
                31,
            ),
            PciModel::DmiToPciBridge => (C::PCI | C::PCI_BRIDGE, 0, 31),
            PciModel::PcieRootPort | PciModel::PcieSwitchDownstreamPort => (port, 0, 0),
            PciModel::PcieSwitchUpstreamPort => (C::DOWNSTREAM, 0, 31),
            PciModel::PcieExpanderBus => (C::ROOT_PORT | C::DMI_TO_PCI, 0, 31),
        };
        Self {
            model,
            takes: if hotplug {
                takes
            } else {
                takes.difference(C::HOTPLUG)
            },
            first,
            last,
            slots: [Slot::default(); 32],
            group: 0,
            is_shared: false,
        }
    }

    /// A port for nothing but a bridge to a conventional bus.
    pub(super) fn port_of_bridge() -> Self {
        Self {
            takes: Connect::PCIE_TO_PCI,
            ..Self::new(PciModel::PcieRootPort, true)
        }
    }

    /// Whether a device can be put here without being asked for it.
    pub(super) fn takes(&self, device: Connect) -> bool {
        let at_root = matches!(self.model, PciModel::PciRoot | PciModel::PcieRoot);
        self.takes.intersects(device & Connect::KINDS)
            && (!device.contains(Connect::HOTPLUG) || self.takes.contains(Connect::HOTPLUG))
            && (!device.contains(Connect::AT_ROOT) || at_root)
    }

    /// Whether a device may be here that a definition puts here: whoever does that may know better.
    pub(super) fn may_have(&self, device: Connect) -> bool {
        let mut takes = self.takes;
        if takes.intersects(Connect::PLAIN) {
            takes |= Connect::PLAIN;
        }
        if takes.contains(Connect::PCIE) {
            takes |= Connect::PCIE_TO_PCI;
        }
        takes.intersects(device & Connect::KINDS)
    }

    pub(super) fn is_slot(&self, slot: u8) -> bool {
        (self.first..=self.last).contains(&slot)
    }

    pub(super) fn slots(&self) -> std::ops::RangeInclusive<u8> {
        self.first..=self.last
    }

    pub(super) fn is_taken(&self, slot: u8, function: u8) -> bool {
        self.slots[usize::from(slot & 31)].functions & (1 << (function & 7)) != 0
    }

    pub(super) fn is_slot_taken(&self, slot: u8) -> bool {
        self.slots[usize::from(slot & 31)].functions != 0
    }

    pub(super) fn take(&mut self, slot: u8, function: u8, device: Connect) {
        let place = &mut self.slots[usize::from(slot & 31)];
        let shares = device.contains(Connect::SHARES_SLOT);
        place.shared = shares && (place.functions == 0 || place.shared);
        place.functions |= 1 << (function & 7);
    }

    /// Whether nothing is on it, so that it can be for any group.
    pub(super) fn is_free(&self) -> bool {
        !self.is_shared && self.slots.iter().all(|slot| slot.functions == 0)
    }

    /// Whether something is in each slot.
    pub(super) fn is_full(&self) -> bool {
        self.slots().all(|slot| self.is_slot_taken(slot))
    }

    /// The first free place for a device, which is to be this function of its slot.
    pub(super) fn free(&self, device: Connect, function: u8) -> Option<(u8, u8)> {
        self.slots().find_map(|slot| {
            let place = self.slots[usize::from(slot)];
            if place.functions == 0 {
                return Some((slot, function));
            }
            let shares = device.contains(Connect::SHARES_SLOT) && place.shared;
            let function = place.functions.trailing_ones();
            (shares && function < 8).then(|| (slot, u8::try_from(function).unwrap_or(7)))
        })
    }

    /// Whether other functions than 0 of a slot are taken.
    pub(super) fn has_many(&self, slot: u8) -> bool {
        self.slots[usize::from(slot & 31)].functions & !1 != 0
    }
}

/// What is wrong with an address of a definition.
pub(super) fn wrong(address: PciAddress, why: &str) -> ConfError {
    ConfError::invalid(format!("PCI address {address} cannot be used: {why}"))
}

/// Fails if an address is none of a guest's at all.
pub(super) fn check(address: PciAddress, buses: usize) -> Result<()> {
    if address.domain != 0 {
        return Err(wrong(address, "only PCI domain 0 is available"));
    }
    if usize::from(address.bus) >= buses {
        return Err(wrong(
            address,
            &format!("the guest has {buses} PCI buses, numbered from 0"),
        ));
    }
    Ok(())
}
