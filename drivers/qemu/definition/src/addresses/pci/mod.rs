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
use virtbus_conf_base::{OnOff, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::{Address, PciDeviceAddress};
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, ControllerType, PciModel,
};

use self::bus::Connect;
use self::connect::{Kinds, is_elsewhere};
use self::set::Set;
use crate::Facts;

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
pub(super) fn assign(domain: &mut Domain, facts: &Facts<'_>, _is_new: bool) -> Result<()> {
    let Some(last) = controllers(domain).map(|(index, ..)| index).max() else {
        return Ok(());
    };
    let mut set = Set::of(domain, true)?;
    place(domain, &mut set, None)?;
    let root_is_pcie = set
        .buses
        .first()
        .is_some_and(|bus| bus.model == PciModel::PcieRoot);
    if last == 0 && root_is_pcie && set.buses.len() > 1 {
        // Whoever leaves buses to us can plug a device later.
        set.next(Connect::PCIE | Connect::HOTPLUG)?;
    }
    for (index, bus) in (0_u32..).zip(&set.buses).skip(1) {
        let is_there = controllers(domain).any(|(there, ..)| there == index);
        if !is_there {
            let mut controller = Controller::new(ControllerType::Pci, index);
            if let ControllerKind::Pci(pci) = &mut controller.kind {
                pci.model = Some(bus.model);
            }
            domain.devices.insert_controller(controller);
        }
    }
    let mut set = Set::of(domain, false)?;
    let mut places = Vec::new();
    place(domain, &mut set, Some(&mut places))?;
    put(domain, &places);
    multifunction(domain, &set);
    targets::complete(domain, facts);
    Ok(())
}

/// A device by its place among all.
type Found = (usize, PciAddress);

/// Finds a place for each device that has none, in the order in which libvirt does.
fn place(domain: &Domain, set: &mut Set, mut places: Option<&mut Vec<Found>>) -> Result<()> {
    chipset::reserve(domain, set);
    let kinds = Kinds::of(domain);
    let mut found = |at: usize, address: PciAddress| {
        if let Some(places) = &mut places {
            places.push((at, address));
        }
    };
    let mut waiting: Vec<(u32, usize, Connect)> = Vec::new();
    for (at, device) in domain.devices.iter().enumerate() {
        let connect = kinds.connect(device);
        let address = device.info().and_then(|info| info.address.as_ref());
        if connect.is_empty() || is_elsewhere(address) || address.and_then(Address::pci).is_some() {
            continue;
        }
        if let Some(address) = chipset::place(domain, device, set) {
            found(at, address);
            continue;
        }
        waiting.push((order(device), at, connect));
    }
    waiting.sort_by_key(|(order, at, _)| (*order, *at));
    for (_, at, connect) in waiting {
        found(at, set.next(connect)?);
    }
    Ok(())
}

/// Which devices come first.
fn order(device: DeviceRef<'_>) -> u32 {
    match device {
        DeviceRef::Controller(controller) if controller.kind.kind() == ControllerType::Pci => 0,
        DeviceRef::Filesystem(_) => 1,
        DeviceRef::Interface(_) => 2,
        DeviceRef::Sound(_) => 3,
        DeviceRef::Controller(_) => 4,
        DeviceRef::Disk(_) => 5,
        DeviceRef::Hostdev(_) => 6,
        DeviceRef::Memballoon(_) => 7,
        DeviceRef::Rng(_) => 8,
        DeviceRef::Video(_) => 9,
        DeviceRef::Shmem(_) => 10,
        DeviceRef::Input(_) => 11,
        DeviceRef::Serial(_) => 12,
        DeviceRef::Watchdog(_) => 13,
        DeviceRef::Vsock(_) => 14,
        _ => 15,
    }
}

fn put(domain: &mut Domain, places: &[Found]) {
    for (at, mut device) in domain.devices.iter_mut().enumerate() {
        let Some((_, address)) = places.iter().find(|(of, _)| *of == at) else {
            continue;
        };
        if let Some(info) = device.info_mut() {
            info.address = Some(Address::Pci(PciDeviceAddress::from(*address)));
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
