//! Disks: bus and address by name, order, and what their kind implies.

use virtbus_conf_base::Result;
use virtbus_conf_storage::storage::{NetworkProtocol, StorageSource};
use virtbus_xml::YesNo;

use super::devices::{disk_name, same_place};
use super::{DriverFeatures, invalid};
use crate::domain::Domain;
use crate::domain::devices::address::{Address, DriveAddress};
use crate::domain::devices::disk::{Disk, DiskBus, DiskDevice, SnapshotMode, Tray};
use crate::domain::devices::hostdev::HostdevSubsys;
use crate::domain::devices::info::DeviceInfo;

/// Names of disks without their number or letters.
const PREFIXES: [&str; 6] = ["fd", "hd", "vd", "sd", "xvd", "ubd"];

/// The number of a disk by its name: `sda` is 0, `vdaa` is 26. A partition number is ignored.
pub fn disk_index(name: &str) -> Option<u32> {
    let letters = PREFIXES.iter().find_map(|p| name.strip_prefix(p))?;
    let end = letters
        .find(|c: char| !c.is_ascii_lowercase())
        .unwrap_or(letters.len());
    let (letters, partition) = letters.split_at(end);
    let well_formed = !letters.is_empty() && partition.bytes().all(|b| b.is_ascii_digit());
    if !well_formed || (partition.len() > 1 && partition.starts_with('0')) {
        return None;
    }
    letters
        .bytes()
        .try_fold(0_u32, |index, b| {
            index.checked_mul(26)?.checked_add(u32::from(b - b'a') + 1)
        })
        .map(|index| index - 1)
}

/// Puts `disk` behind the last one of its bus whose name comes before its own.
pub(super) fn insert(disks: &mut Vec<Disk>, disk: Disk) {
    let (bus, index) = place(&disk);
    let mut at = None;
    for (i, other) in disks
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, d)| place(d).0 == bus)
    {
        if place(other).1 > index {
            at = Some(i);
        } else if at.is_none() {
            at = Some(i + 1);
        }
    }
    disks.insert(at.unwrap_or(disks.len()), disk);
}

/// What the order of disks depends on: the bus, also where it is still to be filled in, and the number.
fn place(disk: &Disk) -> (DiskBus, Option<u32>) {
    let bus = disk.target.bus.unwrap_or_else(|| bus_by_name(disk));
    (bus, disk_index(own_name(disk)))
}

/// The name without what Xen once had before it.
fn own_name(disk: &Disk) -> &str {
    let name = disk.target.dev.as_str();
    name.strip_prefix("ioemu:").unwrap_or(name)
}

pub(super) fn settle(disk: &mut Disk) {
    disk.device.get_or_insert(DiskDevice::Disk);
    if let Some(driver) = &mut disk.head.driver {
        driver.cache = driver
            .cache
            .filter(|c| *c != crate::domain::devices::disk::CacheMode::Default);
        for number in [
            &mut driver.queues,
            &mut driver.queue_size,
            &mut driver.iothread,
        ] {
            *number = number.filter(|n| *n > 0);
        }
    }
    if let Some(blockio) = &mut disk.blockio {
        for size in [
            &mut blockio.logical_block_size,
            &mut blockio.physical_block_size,
            &mut blockio.discard_granularity,
        ] {
            *size = size.filter(|s| *s > 0);
        }
    }
    disk.head
        .driver
        .take_if(|driver| *driver == Default::default());
    disk.blockio
        .take_if(|blockio| **blockio == Default::default());
    if disk.target.bus != Some(DiskBus::Usb) {
        disk.target.removable = disk.target.removable.filter(|_| disk.target.bus.is_none());
    }
    disk.target.tray = disk
        .target
        .tray
        .filter(|t| *t == Tray::Open && disk.device.is_some_and(DiskDevice::is_removable));
}

fn bus_by_name(disk: &Disk) -> DiskBus {
    if disk.device() == DiskDevice::Floppy {
        return DiskBus::Fdc;
    }
    let by_prefix = [
        ("hd", DiskBus::Ide),
        ("sd", DiskBus::Scsi),
        ("vd", DiskBus::Virtio),
        ("xvd", DiskBus::Xen),
        ("ubd", DiskBus::Uml),
        ("nvme", DiskBus::Nvme),
    ];
    by_prefix
        .iter()
        .find(|(prefix, _)| own_name(disk).starts_with(prefix))
        .map_or(DiskBus::Ide, |(_, bus)| *bus)
}

pub(super) fn complete(domain: &Domain, disk: &mut Disk, features: DriverFeatures) -> Result<()> {
    if let Some(name) = disk.target.dev.strip_prefix("ioemu:") {
        disk.target.dev = name.into();
    }
    if disk.device() == DiskDevice::Cdrom {
        disk.readonly = true;
    }
    if disk.target.bus.is_none() {
        disk.target.bus = Some(bus_by_name(disk));
    }
    if disk.readonly {
        // That goes without saying.
        disk.snapshot = disk.snapshot.filter(|s| *s != SnapshotMode::No);
    } else if matches!(disk.source, StorageSource::VhostUser(_)) {
        disk.snapshot.get_or_insert(SnapshotMode::No);
    }
    if let StorageSource::Network(source) = &mut disk.source {
        source.assign_ports();
    }
    match &mut disk.source {
        StorageSource::Network(source) if source.protocol == NetworkProtocol::Iscsi => {
            if let Some(name) = source.name.as_mut().filter(|n| !n.contains('/')) {
                name.push_str("/0");
            }
        }
        StorageSource::Nvme(source) => {
            source.managed.get_or_insert(YesNo::Yes);
        }
        _ => {}
    }
    if disk.info.address.is_none() {
        assign_address(domain, disk, features)?;
    }
    expand_group(domain, disk);
    Ok(())
}

/// Where a disk of this number is on its bus.
fn drive_by_index(bus: DiskBus, index: u32, features: DriverFeatures) -> Option<DriveAddress> {
    let at = |controller, bus, unit| {
        Some(DriveAddress {
            controller,
            bus,
            target: 0,
            unit,
        })
    };
    match bus {
        DiskBus::Scsi if features.contains(DriverFeatures::WIDE_SCSI) => {
            // Unit 7 is the controller itself.
            let unit = index % 15;
            at(index / 15, 0, if unit >= 7 { unit + 1 } else { unit })
        }
        DiskBus::Scsi => at(index / 7, 0, index % 7),
        DiskBus::Ide => at(index / 4, index % 4 / 2, index % 2),
        DiskBus::Sata => at(index / 6, 0, index % 6),
        DiskBus::Fdc => at(index / 2, 0, index % 2),
        DiskBus::Virtio
        | DiskBus::Xen
        | DiskBus::Usb
        | DiskBus::Uml
        | DiskBus::Sd
        | DiskBus::Nvme => None,
    }
}

fn assign_address(domain: &Domain, disk: &mut Disk, features: DriverFeatures) -> Result<()> {
    let Some(bus) = disk.target.bus else {
        return Ok(());
    };
    if bus == DiskBus::Nvme {
        return Ok(());
    }
    let Some(index) = disk_index(&disk.target.dev) else {
        return invalid(format!(
            "the name '{}' does not say which disk of its bus it is",
            disk_name(disk)
        ));
    };
    let Some(drive) = drive_by_index(bus, index, features) else {
        return Ok(());
    };
    let address = Address::Drive(drive);
    if bus == DiskBus::Scsi && hostdev_at(domain, &address) {
        return invalid(format!(
            "disk '{}' belongs where a SCSI device of the host is already",
            disk_name(disk)
        ));
    }
    disk.info.address = Some(address);
    Ok(())
}

fn hostdev_at(domain: &Domain, address: &Address) -> bool {
    domain
        .devices
        .hostdev
        .iter()
        .any(|h| matches!(h.subsys(), Some(HostdevSubsys::Scsi(_))) && same_place(&h.info, address))
}

fn disk_at(domain: &Domain, address: &Address) -> bool {
    domain
        .devices
        .disk
        .iter()
        .any(|d| d.target.bus == Some(DiskBus::Scsi) && same_place(&d.info, address))
}

/// Finds a place for a SCSI device of the host, or checks the one it has.
pub(super) fn place_hostdev(
    domain: &Domain,
    info: &mut DeviceInfo,
    features: DriverFeatures,
) -> Result<()> {
    if let Some(address) = &info.address {
        if disk_at(domain, address) {
            return invalid("a SCSI device of the host belongs where a disk is already");
        }
        return Ok(());
    }
    let units = if features.contains(DriverFeatures::WIDE_SCSI) {
        16
    } else {
        7
    };
    let most =
        u32::try_from(domain.devices.hostdev.len() + domain.devices.disk.len()).unwrap_or(u32::MAX);
    for controller in 0..=most {
        for unit in 0..units {
            let address = Address::Drive(DriveAddress {
                controller,
                bus: 0,
                target: 0,
                unit,
            });
            let controller_itself = units == 16 && unit == 7;
            if !controller_itself && !disk_at(domain, &address) && !hostdev_at(domain, &address) {
                info.address = Some(address);
                return Ok(());
            }
        }
    }
    invalid("no place is left for a SCSI device of the host")
}

/// A disk that names a group without limits has those of another disk in the group.
fn expand_group(domain: &Domain, disk: &mut Disk) {
    let Some(tune) = &mut disk.iotune else { return };
    if tune.group_name.is_none() || tune.has_any() {
        return;
    }
    let others = domain.devices.disk.iter().filter_map(|d| d.iotune.as_ref());
    if let Some(other) = others
        .into_iter()
        .find(|o| o.group_name == tune.group_name && o.has_any())
    {
        *tune = other.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers() {
        for (name, index) in [
            ("sda", 0),
            ("hdb", 1),
            ("vdz", 25),
            ("vdaa", 26),
            ("xvdab", 27),
            ("sda1", 0),
            ("fdb", 1),
        ] {
            assert_eq!(disk_index(name), Some(index), "{name}");
        }
        for name in [
            "",
            "sd",
            "sd1",
            "xda",
            "sda01",
            "sdA",
            "sda-",
            "vdaaaaaaaaaaaa",
            "nvme0n1",
        ] {
            assert_eq!(disk_index(name), None, "{name}");
        }
    }
}
