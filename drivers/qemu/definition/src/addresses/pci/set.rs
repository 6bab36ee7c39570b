//! All PCI buses of a guest with what is on them.

use virtbus_conf_base::common::PciAddress;
use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::controller::PciModel;

use super::bus::{Bus, Connect, check, wrong};
use super::connect::Kinds;

/// A guest has no more buses.
const MOST: usize = 256;

/// What a device asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub(super) connect: Connect,
    /// The function that it must be in its slot.
    pub(super) function: u8,
    /// Which others it may share a bus with; 0 for those that are not set apart.
    pub(super) group: u32,
}

impl From<Connect> for Ask {
    fn from(connect: Connect) -> Self {
        Self {
            connect,
            function: 0,
            group: 0,
        }
    }
}

/// How further buses come to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    /// Whether buses are added for what finds no place.
    pub(super) grows: bool,
    /// Whether a guest can have several roots.
    pub(super) many_roots: bool,
    /// Whether there are bridges to a conventional bus that can be in a port.
    pub(super) pcie_to_pci: bool,
}

/// The buses.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) buses: Vec<Bus>,
    growth: Growth,
}

impl Set {
    /// The buses of a definition, with what it puts on them itself.
    ///
    /// # Errors
    /// If two devices are to be in one place, or an address is none that the guest has.
    pub(super) fn of(domain: &Domain, kinds: &Kinds<'_>, growth: Growth) -> Result<Self> {
        let mut set = Self {
            buses: Vec::new(),
            growth,
        };
        let mut known = [false; MOST];
        for (index, model, hotplug) in super::controllers(domain) {
            let index = index as usize;
            set.put_bus(index, Bus::new(model, hotplug))?;
            known[index] = true;
        }
        let between = set.between();
        for (bus, known) in set.buses.iter_mut().zip(known) {
            if !known {
                *bus = Bus::new(between, true);
            }
        }
        if let Some(first) = set.buses.first_mut() {
            // It is there for whatever is not set apart.
            first.is_shared = true;
        }
        for device in domain.devices.iter() {
            let address = device.info().and_then(|info| info.address.as_ref());
            let Some(address) = address.and_then(Address::pci) else {
                continue;
            };
            set.reserve(*address, kinds.ask(device))?;
        }
        Ok(set)
    }

    fn put_bus(&mut self, index: usize, bus: Bus) -> Result<()> {
        if index >= MOST {
            return Err(ConfError::invalid(format!(
                "a guest has at most {MOST} PCI buses, so there can be no PCI controller with index {index}"
            )));
        }
        while self.buses.len() <= index {
            // Those in between follow.
            self.buses.push(bus.clone());
        }
        self.buses[index] = bus;
        Ok(())
    }

    /// Buses that no controller makes, between those that some do.
    fn between(&self) -> PciModel {
        if self.is_pcie() {
            PciModel::PcieRootPort
        } else if self.growth.many_roots {
            PciModel::PciRoot
        } else {
            PciModel::PciBridge
        }
    }

    pub(super) fn is_pcie(&self) -> bool {
        let root = self.buses.first().map(|bus| bus.model);
        root == Some(PciModel::PcieRoot)
    }

    /// Takes a place that a definition names.
    pub(super) fn reserve(&mut self, address: PciAddress, device: Ask) -> Result<()> {
        while self.growth.grows && usize::from(address.bus) >= self.buses.len() {
            let kinds = device.connect;
            // Whatever is there that is no PCI device by itself is taken for a plain one.
            self.grow(if kinds.is_empty() {
                Connect::PCI
            } else {
                kinds
            })?;
        }
        check(address, self.buses.len())?;
        let bus = &mut self.buses[usize::from(address.bus)];
        if !bus.is_slot(address.slot) {
            return Err(wrong(address, "there is no such slot on that bus"));
        }
        if device.connect.contains(Connect::AT_ROOT) && address.bus != 0 {
            return Err(wrong(address, "the device must be on bus 0"));
        }
        if !device.connect.is_empty() && !bus.may_have(device.connect) {
            return Err(wrong(
                address,
                &format!(
                    "a bus of model '{}' does not take this kind of device",
                    bus.model
                ),
            ));
        }
        if bus.is_taken(address.slot, address.function) {
            return Err(wrong(address, "another device is there"));
        }
        if bus.is_free() {
            bus.group = device.group;
        } else if bus.group != device.group {
            // Whoever puts devices together does not want them kept apart.
            bus.group = 0;
        }
        bus.take(address.slot, address.function, device.connect);
        Ok(())
    }

    /// Takes a place of the chipset, if it is free.
    pub(super) fn take_free(&mut self, address: PciAddress, device: Connect) -> bool {
        let Some(bus) = self.buses.get_mut(usize::from(address.bus)) else {
            return false;
        };
        if bus.is_taken(address.slot, address.function) {
            return false;
        }
        bus.take(address.slot, address.function, device);
        true
    }

    /// The next free place for a device.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn next(&mut self, device: Ask) -> Result<PciAddress> {
        loop {
            let same_group = |bus: &Bus| bus.group == device.group;
            let found = self
                .find(device, same_group)
                // A bus that nobody is on yet can be for any.
                .or_else(|| self.find(device, Bus::is_free));
            if let Some(address) = found {
                let bus = &mut self.buses[usize::from(address.bus)];
                bus.group = device.group;
                bus.take(address.slot, address.function, device.connect);
                return Ok(address);
            }
            if !self.growth.grows {
                let more = if self.is_pcie() {
                    "pcie-root-port"
                } else {
                    "pci-bridge"
                };
                return Err(ConfError::invalid(format!(
                    "no free slot is left on the guest's PCI buses for one of its PCI devices or controllers: define it with a further <controller type='pci' model='{more}'/>"
                )));
            }
            self.grow(device.connect)?;
        }
    }

    fn find(&self, device: Ask, may: impl Fn(&Bus) -> bool) -> Option<PciAddress> {
        let buses = (0..=u8::MAX).zip(&self.buses);
        buses.filter(|(_, bus)| may(bus)).find_map(|(index, bus)| {
            let (slot, function) = bus
                .takes(device.connect)
                .then(|| bus.free(device.connect, device.function))??;
            Some(PciAddress {
                domain: 0,
                bus: index,
                slot,
                function,
            })
        })
    }

    /// Adds a bus that takes a device, and what that needs itself.
    fn grow(&mut self, device: Connect) -> Result<()> {
        let takes_bridge = self.buses.iter().any(|bus| bus.takes(Connect::PCI_BRIDGE));
        let root_is_root = matches!(
            self.buses.first().map(|bus| bus.model),
            Some(PciModel::PciRoot | PciModel::PcieRoot)
        );
        let bridge = Bus::new(PciModel::PciBridge, true);
        let added = if device.intersects(Connect::PCI | Connect::PCI_BRIDGE) {
            if self.growth.many_roots {
                vec![Bus::new(PciModel::PciRoot, true)]
            } else if takes_bridge {
                vec![bridge]
            } else if self.growth.pcie_to_pci {
                let bridge = Bus::new(PciModel::PcieToPciBridge, true);
                vec![Bus::port_of_bridge(), bridge]
            } else {
                vec![Bus::new(PciModel::DmiToPciBridge, true), bridge]
            }
        } else if root_is_root
            && self.is_pcie()
            && device.intersects(Connect::PCIE | Connect::UPSTREAM | Connect::PCIE_TO_PCI)
        {
            vec![Bus::new(PciModel::PcieRootPort, true)]
        } else {
            return Err(ConfError::invalid(
                "no PCI bus of the guest takes one of its PCI controllers or devices, and none that would can be added",
            ));
        };
        if self.buses.len() + added.len() > MOST {
            return Err(ConfError::invalid(format!(
                "the devices need more than the {MOST} PCI buses that a guest can have"
            )));
        }
        self.buses.extend(added);
        Ok(())
    }

    /// Whether other functions of the slot are taken as well.
    pub(super) fn has_many(&self, address: PciAddress) -> bool {
        let bus = self.buses.get(usize::from(address.bus));
        bus.is_some_and(|bus| bus.has_many(address.slot))
    }

    pub(super) fn is_slot_taken(&self, slot: u8) -> bool {
        self.buses
            .first()
            .is_some_and(|bus| bus.is_slot_taken(slot))
    }
}
