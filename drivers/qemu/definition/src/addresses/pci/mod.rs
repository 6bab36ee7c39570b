//! Addresses on PCI buses.
//!
//! In two passes: the first finds out how many buses are needed, and adds the controllers for them; the second puts every device somewhere.
//! What a definition says of addresses is kept in both.

mod bus;
mod chipset;
mod connect;
mod set;
mod targets;

use virtbus_conf_base::common::PciAddress;
use virtbus_conf_base::{ConfError, OnOff, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::{Address, PciDeviceAddress};
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, ControllerType, PciModel,
};
use virtbus_conf_domain::domain::devices::interface::InterfaceSource;
use virtbus_qemu_capabilities::Cap;

use self::bus::{Bus, Connect};
use self::chipset::Usb2Places;
use self::connect::{Kinds, is_elsewhere};
use self::set::{Ask, Growth, Set};
use crate::{Facts, machine};

/// The PCI controllers of a guest by their numbers.
fn controllers(domain: &Domain) -> impl Iterator<Item = (u32, PciModel, bool)> {
    domain.devices.controller.iter().filter_map(|controller| {
        let ControllerKind::Pci(pci) = &controller.kind else {
            return None;
        };
        let hotplug = pci.target.and_then(|target| target.hotplug) != Some(OnOff::Off);
        Some((controller.index(), pci.model?, hotplug))
    })
}

/// Puts every device that is on a PCI bus somewhere.
///
/// # Errors
/// If two devices are to be in one place, or an address is none that the guest has.
pub(super) fn assign(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    if !machine::has_pci(domain) {
        return Ok(());
    }
    let Some(last) = controllers(domain).map(|(index, ..)| index).max() else {
        return without_buses(domain, facts);
    };
    let kinds = Kinds::of(domain, facts);
    let mut growth = Growth {
        grows: true,
        many_roots: machine::is_pseries(domain),
        pcie_to_pci: facts.capabilities.has(Cap::PciePciBridge),
    };
    let mut set = Set::of(domain, &kinds, growth)?;
    let before = set.buses.len();
    let mut places = Vec::new();
    place(domain, &kinds, &mut set, true, &mut places)?;
    if last == 0 && set.is_pcie() && set.buses.len() > before {
        // Whoever leaves buses to us can plug a device later.
        set.next((Connect::PCIE | Connect::HOTPLUG).into())?;
    }
    let mut index = 1;
    while let Some(bus) = set.buses.get(index as usize) {
        let is_there = controllers(domain).any(|(there, ..)| there == index);
        if !is_there {
            let model = bus.model;
            let own = Connect::of_controller(model);
            let mut controller = Controller::new(ControllerType::Pci, index);
            if let ControllerKind::Pci(pci) = &mut controller.kind {
                pci.model = Some(model);
            }
            domain.devices.insert_controller(controller);
            if !own.is_empty() {
                set.next(own.into())?;
            }
        }
        index += 1;
    }
    growth.grows = false;
    let mut set = Set::of(domain, &kinds, growth)?;
    places.clear();
    place(domain, &kinds, &mut set, false, &mut places)?;
    put(domain, &places);
    multifunction(domain, &set);
    targets::complete(domain, facts)
}

/// Puts a device that is plugged somewhere; no bus is added for it.
///
/// # Errors
/// If no slot is left, or the address that it names is taken or none that the guest has.
pub(super) fn plug(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    if !machine::has_pci(domain) || controllers(domain).next().is_none() {
        return Ok(());
    }
    let kinds = Kinds::of(domain, facts);
    let growth = Growth {
        grows: false,
        many_roots: machine::is_pseries(domain),
        pcie_to_pci: false,
    };
    let mut set = Set::of(domain, &kinds, growth)?;
    let mut places = Vec::new();
    place(domain, &kinds, &mut set, false, &mut places)?;
    put(domain, &places);
    Ok(())
}

/// Refuses what needs a bus that the machine does not have.
fn without_buses(domain: &Domain, facts: &Facts<'_>) -> Result<()> {
    if facts.capabilities.machine(machine::name(domain)).is_none() {
        // That there is no such machine at all is said when the definition is checked.
        return Ok(());
    }
    let kinds = Kinds::of(domain, facts);
    for device in domain.devices.iter() {
        let address = device.info().and_then(|info| info.address.as_ref());
        if !is_elsewhere(address) && !kinds.ask(device).connect.is_empty() {
            return Err(ConfError::invalid(format!(
                "the machine has no PCI bus for a device of kind <{}>",
                device.name()
            )));
        }
    }
    Ok(())
}

/// A device by its place among all.
type Found = (usize, PciAddress);

/// Finds a place for each device that has none, in the order in which libvirt does.
fn place(
    domain: &Domain,
    kinds: &Kinds<'_>,
    set: &mut Set,
    is_trial: bool,
    places: &mut Vec<Found>,
) -> Result<()> {
    chipset::reserve(domain, set)?;
    let mut usb2_places = chipset::usb2_places(domain);
    let mut waiting: Vec<(u32, usize, DeviceRef<'_>, Ask)> = Vec::new();
    for (at, device) in domain.devices.iter().enumerate() {
        let address = device.info().and_then(|info| info.address.as_ref());
        if is_elsewhere(address) || address.and_then(Address::pci).is_some() {
            continue;
        }
        let ask = kinds.ask(device);
        if let Some(address) = chipset::place(domain, device, set, &usb2_places)? {
            places.push((at, address));
            if let Some(index) = chipset::usb2(device) {
                usb2_places.entry(index).or_insert(address);
            }
        } else if !ask.connect.is_empty() {
            waiting.push((order(device), at, device, ask));
        }
    }
    let takes_bridge = |bus: &Bus| bus.takes(Connect::PCI_BRIDGE) && !bus.is_full();
    if is_trial && !set.is_pcie() && set.buses.iter().any(takes_bridge) {
        // If they become full, the bridge to the next bus needs a place as well.
        set.next(Connect::PCI_BRIDGE.into())?;
    }
    waiting.sort_by_key(|(order, at, ..)| (*order, *at));
    for (_, at, device, ask) in waiting {
        let address = match chipset::usb2(device) {
            Some(index) => usb2(index, ask, set, &mut usb2_places)?,
            None => set.next(ask)?,
        };
        places.push((at, address));
    }
    Ok(())
}

/// The controllers that make up one of USB 2 are functions of one slot.
fn usb2(index: u32, ask: Ask, set: &mut Set, places: &mut Usb2Places) -> Result<PciAddress> {
    let Some(known) = places.get(&index) else {
        let address = set.next(ask)?;
        places.insert(index, address);
        return Ok(address);
    };
    let address = PciAddress {
        function: ask.function,
        ..*known
    };
    set.reserve(address, ask)?;
    Ok(address)
}

/// Which devices come first.
fn order(device: DeviceRef<'_>) -> u32 {
    match device {
        DeviceRef::Controller(controller) if controller.kind.kind() == ControllerType::Pci => 0,
        DeviceRef::Filesystem(_) => 1,
        DeviceRef::Interface(interface) => match &interface.source {
            InterfaceSource::Hostdev { .. } => 6,
            _ => 2,
        },
        DeviceRef::Sound(_) => 3,
        DeviceRef::Controller(_) => 4,
        DeviceRef::Disk(_) => 5,
        DeviceRef::Hostdev(_) => 6,
        DeviceRef::Memballoon(_) => 7,
        DeviceRef::Rng(_) => 8,
        DeviceRef::Watchdog(_) => 9,
        DeviceRef::Video(_) => 10,
        DeviceRef::Shmem(_) => 11,
        DeviceRef::Input(_) => 12,
        DeviceRef::Serial(_) => 13,
        DeviceRef::Vsock(_) => 14,
        _ => 15,
    }
}

fn put(domain: &mut Domain, places: &[Found]) {
    let mut places = places.to_vec();
    places.sort_unstable_by_key(|(at, _)| *at);
    let mut places = places.into_iter().peekable();
    for (at, mut device) in domain.devices.iter_mut().enumerate() {
        let Some((_, address)) = places.next_if(|(of, _)| *of == at) else {
            continue;
        };
        if let Some(info) = device.info_mut() {
            let place = match &info.address {
                // Identifiers on s390 may be given without the rest.
                Some(Address::Pci(given)) => PciDeviceAddress {
                    place: address,
                    ..*given
                },
                _ => PciDeviceAddress::from(address),
            };
            info.address = Some(Address::Pci(place));
        }
    }
}

/// Function 0 of a slot says that there are others.
fn multifunction(domain: &mut Domain, set: &Set) {
    for mut device in domain.devices.iter_mut() {
        let info = device.info_mut().and_then(|info| info.get_mut());
        if let Some(Address::Pci(address)) = info.and_then(|info| info.address.as_mut())
            && address.place.function == 0
            && set.has_many(address.place)
        {
            address.multifunction.get_or_insert(OnOff::On);
        }
    }
}
