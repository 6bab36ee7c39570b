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

/// The buses.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) buses: Vec<Bus>,
    /// Whether buses are added for what finds no place.
    grows: bool,
}

impl Set {
    /// The buses of a definition, with what it puts on them itself.
    ///
    /// # Errors
    /// If two devices are to be in one place, or an address is none that the guest has.
    pub(super) fn of(domain: &Domain, grows: bool) -> Result<Self> {
        let mut set = Self {
            buses: Vec::new(),
            grows,
        };
        for (index, model, hotplug) in super::controllers(domain) {
            set.put_bus(index as usize, Bus::new(model, hotplug))?;
        }
        set.fill_gaps(domain);
        let kinds = Kinds::of(domain);
        for device in domain.devices.iter() {
            let address = device.info().and_then(|info| info.address.as_ref());
            let Some(address) = address.and_then(Address::pci) else {
                continue;
            };
            set.reserve(*address, kinds.connect(device))?;
        }
        Ok(set)
    }

    fn put_bus(&mut self, index: usize, bus: Bus) -> Result<()> {
        if index >= MOST {
            return Err(ConfError::invalid(format!(
                "a guest has at most {MOST} PCI buses, so there can be no controller {index}"
            )));
        }
        while self.buses.len() <= index {
            // Those in between follow.
            self.buses.push(Bus::new(bus.model, true));
        }
        self.buses[index] = bus;
        Ok(())
    }

    /// Buses that no controller makes, between those that some do.
    fn fill_gaps(&mut self, domain: &Domain) {
        let known: Vec<usize> = super::controllers(domain)
            .map(|(index, ..)| index as usize)
            .collect();
        let root = self.buses.first().map(|bus| bus.model);
        let between = match root {
            Some(PciModel::PcieRoot) => PciModel::PcieRootPort,
            _ => PciModel::PciBridge,
        };
        for (index, bus) in self.buses.iter_mut().enumerate() {
            if !known.contains(&index) {
                *bus = Bus::new(between, true);
            }
        }
    }

    /// Takes a place that a definition names.
    fn reserve(&mut self, address: PciAddress, device: Connect) -> Result<()> {
        while self.grows && usize::from(address.bus) >= self.buses.len() {
            self.grow(device)?;
        }
        check(address, self.buses.len())?;
        let bus = &mut self.buses[usize::from(address.bus)];
        if !bus.is_slot(address.slot) {
            return Err(wrong(address, "there is no such slot on that bus"));
        }
        if !device.is_empty() && !bus.may_have(device) {
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
        bus.take(address.slot, address.function, device);
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
    pub(super) fn next(&mut self, device: Connect) -> Result<PciAddress> {
        loop {
            let found = self.buses.iter().enumerate().find_map(|(index, bus)| {
                let (slot, function) = bus.takes(device).then(|| bus.free(device))??;
                Some((index, slot, function))
            });
            if let Some((index, slot, function)) = found {
                self.buses[index].take(slot, function, device);
                return Ok(PciAddress {
                    domain: 0,
                    bus: u8::try_from(index).unwrap_or(u8::MAX),
                    slot,
                    function,
                });
            }
            if !self.grows {
                return Err(ConfError::invalid(
                    "no free place is left on the guest's PCI buses",
                ));
            }
            self.grow(device)?;
        }
    }

    /// Adds a bus that takes a device, and what that needs itself.
    fn grow(&mut self, device: Connect) -> Result<()> {
        if self.buses.len() >= MOST {
            return Err(ConfError::invalid(format!(
                "the devices need more than the {MOST} PCI buses that a guest can have"
            )));
        }
        let is_pcie = self
            .buses
            .first()
            .is_some_and(|bus| bus.model == PciModel::PcieRoot);
        let takes_bridge = self.buses.iter().any(|bus| bus.takes(Connect::PCI_BRIDGE));
        let model = if device.intersects(Connect::PCIE | Connect::UPSTREAM | Connect::PCIE_TO_PCI) {
            PciModel::PcieRootPort
        } else if device.intersects(Connect::PCI | Connect::PCI_BRIDGE) {
            if is_pcie && !takes_bridge {
                PciModel::PcieToPciBridge
            } else {
                PciModel::PciBridge
            }
        } else {
            return Err(ConfError::invalid(
                "no PCI bus of the guest takes one of the controllers",
            ));
        };
        // The bridge needs a place itself, before others get there.
        let own = Connect::of_controller(model);
        self.buses.push(Bus::new(model, true));
        self.next(own).map(drop)
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
