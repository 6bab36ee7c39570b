//! Controllers: order, numbers, and those that other devices imply.

use std::collections::{HashMap, HashSet};

use virtbus_conf_base::Result;

use super::invalid;
use crate::domain::Domain;
use crate::domain::devices::address::{Address, CcidAddress, VirtioSerialAddress};
use crate::domain::devices::chardev::{ChannelTarget, ConsoleTargetType};
use crate::domain::devices::controller::{Controller, ControllerKind, ControllerType, UsbModel};
use crate::domain::devices::disk::DiskBus;
use crate::domain::devices::hostdev::HostdevSubsys;
use crate::domain::devices::info::DeviceInfo;

/// Most controllers of a kind that are ever added because a device asks for a high number.
const MOST_IMPLIED: u32 = 1024;

/// Puts `controller` where it belongs: by kind, then by number, companions behind their master.
pub(crate) fn insert(controllers: &mut Vec<Controller>, controller: Controller) {
    let mut at = None;
    let kind = controller.kind.kind();
    let is_companion = |c: &Controller| c.info.master.is_some();
    for (i, other) in controllers
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, c)| c.kind.kind() == kind)
    {
        let Some(index) = controller.index else {
            at = Some(i + 1);
            break;
        };
        let other_index = other.index.unwrap_or(0);
        let before = other.index.is_some() && other_index > index;
        let is_master =
            other.index == Some(index) && !is_companion(&controller) && is_companion(other);
        if before || is_master {
            at = Some(i);
        } else if at.is_none() {
            at = Some(i + 1);
        }
    }
    controllers.insert(at.unwrap_or(controllers.len()), controller);
}

/// Companions of a USB 2 controller serve two of its ports each, the first of which is known by the model.
pub(super) fn name_masters(controllers: &mut [Controller]) {
    for controller in controllers {
        let first = match controller.kind {
            ControllerKind::Usb(Some(UsbModel::Ich9Uhci1), _) => 0,
            ControllerKind::Usb(Some(UsbModel::Ich9Uhci2), _) => 2,
            ControllerKind::Usb(Some(UsbModel::Ich9Uhci3), _) => 4,
            _ => continue,
        };
        controller.info.master.get_or_insert(first);
    }
}

/// Puts all of them where they belong.
pub(super) fn sort(controllers: &mut Vec<Controller>) {
    let mut sorted = Vec::with_capacity(controllers.len());
    for controller in std::mem::take(controllers) {
        insert(&mut sorted, controller);
    }
    *controllers = sorted;
}

fn is_usb2(controller: &Controller) -> bool {
    matches!(
        controller.kind,
        ControllerKind::Usb(
            Some(
                UsbModel::Ich9Ehci1
                    | UsbModel::Ich9Uhci1
                    | UsbModel::Ich9Uhci2
                    | UsbModel::Ich9Uhci3
            ),
            _
        )
    )
}

/// The number that makes a USB 2 controller a companion of the one before it.
fn companion_index(controllers: &[Controller], at: usize) -> Option<u32> {
    let controller = &controllers[at];
    let previous = controllers[..at]
        .iter()
        .rev()
        .find(|c| c.kind.kind() == ControllerType::Usb)?;
    if !is_usb2(controller) || !is_usb2(previous) {
        return None;
    }
    let index = previous.index?;
    let taken = controllers.iter().any(|c| {
        c.kind.kind() == ControllerType::Usb
            && c.index == Some(index)
            && c.kind.model() == controller.kind.model()
    });
    (!taken).then_some(index)
}

/// Numbers that no controller of a kind has.
struct Unused(HashMap<ControllerType, (HashSet<u32>, u32)>);

impl Unused {
    fn of(controllers: &[Controller]) -> Self {
        let mut used: HashMap<ControllerType, (HashSet<u32>, u32)> = HashMap::new();
        for controller in controllers {
            if let Some(index) = controller.index {
                used.entry(controller.kind.kind())
                    .or_default()
                    .0
                    .insert(index);
            }
        }
        Self(used)
    }

    /// The lowest one, which is used from now on.
    fn take(&mut self, kind: ControllerType) -> u32 {
        let (used, next) = self.0.entry(kind).or_default();
        while !used.insert(*next) {
            *next = next.saturating_add(1);
        }
        *next
    }
}

/// Numbers the controllers that have no number.
pub(super) fn assign_indexes(domain: &mut Domain) {
    let controllers = &mut domain.devices.controller;
    let mut unused = Unused::of(controllers);
    let mut assigned = false;
    for at in 0..controllers.len() {
        if controllers[at].index.is_some() {
            continue;
        }
        assigned = true;
        let companion = companion_index(controllers, at);
        let index = companion.unwrap_or_else(|| unused.take(controllers[at].kind.kind()));
        controllers[at].index = Some(index);
    }
    if assigned {
        sort(controllers);
    }
}

/// No number is used twice, but by companions on USB.
pub(super) fn reject_duplicates(domain: &Domain) -> Result<()> {
    let mut seen = HashSet::new();
    for controller in &domain.devices.controller {
        let kind = controller.kind.kind();
        if kind != ControllerType::Usb && !seen.insert((kind, controller.index())) {
            return invalid(format!(
                "there are several {kind} controllers with index {}",
                controller.index()
            ));
        }
    }
    Ok(())
}

/// Adds a controller unless there is one with this number.
fn ensure(domain: &mut Domain, kind: ControllerType, index: u32) {
    let controllers = &mut domain.devices.controller;
    if !controllers
        .iter()
        .any(|c| c.kind.kind() == kind && c.index() == index)
    {
        insert(controllers, Controller::new(kind, index));
    }
}

fn ensure_up_to(domain: &mut Domain, kind: ControllerType, most: u32) -> Result<()> {
    if most > MOST_IMPLIED {
        return invalid(format!(
            "a device is on {kind} controller {most}, but there are at most {MOST_IMPLIED}"
        ));
    }
    for index in 0..=most {
        ensure(domain, kind, index);
    }
    Ok(())
}

fn drive_controller(info: &DeviceInfo) -> Option<u32> {
    match &info.address {
        Some(Address::Drive(drive)) => Some(drive.controller),
        _ => None,
    }
}

/// Adds the controllers that devices are on.
pub(super) fn add_implicit(domain: &mut Domain) -> Result<()> {
    for (bus, kind) in [
        (DiskBus::Scsi, ControllerType::Scsi),
        (DiskBus::Fdc, ControllerType::Fdc),
        (DiskBus::Ide, ControllerType::Ide),
        (DiskBus::Sata, ControllerType::Sata),
    ] {
        let disks = domain
            .devices
            .disk
            .iter()
            .filter(|d| d.target.bus == Some(bus));
        if let Some(most) = disks.filter_map(|d| drive_controller(&d.info)).max() {
            ensure_up_to(domain, kind, most)?;
        }
    }
    add_virtio_serial(domain)?;
    add_smartcard(domain)?;
    let scsi = domain
        .devices
        .hostdev
        .iter()
        .filter(|h| matches!(h.subsys(), Some(HostdevSubsys::Scsi(_))))
        .filter_map(|h| drive_controller(&h.info))
        .max();
    match scsi {
        Some(most) => add_scsi_for_hostdevs(domain, most),
        None => Ok(()),
    }
}

/// Controllers added for devices of the host are like those that are there.
fn add_scsi_for_hostdevs(domain: &mut Domain, most: u32) -> Result<()> {
    let like = domain.devices.controller.iter().find_map(|c| match c.kind {
        ControllerKind::Scsi(model) => model,
        _ => None,
    });
    let before: Vec<u32> = domain
        .devices
        .controller
        .iter()
        .filter(|c| c.kind.kind() == ControllerType::Scsi)
        .map(Controller::index)
        .collect();
    ensure_up_to(domain, ControllerType::Scsi, most)?;
    for controller in &mut domain.devices.controller {
        if let ControllerKind::Scsi(model @ None) = &mut controller.kind
            && !before.contains(&controller.index.unwrap_or(0))
        {
            *model = like;
        }
    }
    Ok(())
}

fn add_virtio_serial(domain: &mut Domain) -> Result<()> {
    let index = |info: &DeviceInfo| match &info.address {
        Some(Address::VirtioSerial(VirtioSerialAddress { controller, .. })) => *controller,
        _ => 0,
    };
    let channels = domain
        .devices
        .channel
        .iter()
        .filter(|c| matches!(c.target, ChannelTarget::Virtio(_)))
        .map(|c| index(&c.info));
    let consoles = domain
        .devices
        .console
        .iter()
        .filter(|c| {
            c.target
                .is_some_and(|t| t.kind == Some(ConsoleTargetType::Virtio))
        })
        .map(|c| index(&c.info));
    let wanted: Vec<u32> = channels.chain(consoles).collect();
    for index in wanted {
        if index > MOST_IMPLIED {
            return invalid(format!("virtio serial controller {index} is not defined"));
        }
        ensure(domain, ControllerType::VirtioSerial, index);
    }
    Ok(())
}

fn add_smartcard(domain: &mut Domain) -> Result<()> {
    let slot_of = |info: &DeviceInfo| match &info.address {
        Some(Address::Ccid(ccid)) => Some(*ccid),
        _ => None,
    };
    for i in 0..domain.devices.smartcard.len() {
        let known = slot_of(&domain.devices.smartcard[i].info);
        if known.is_none() && domain.devices.smartcard[i].info.address.is_none() {
            let used = domain
                .devices
                .smartcard
                .iter()
                .filter_map(|s| slot_of(&s.info));
            let slot = used
                .filter(|c| c.controller == 0)
                .map(|c| c.slot.saturating_add(1))
                .max()
                .unwrap_or(0);
            domain.devices.smartcard[i].info.address = Some(Address::Ccid(CcidAddress {
                controller: 0,
                slot,
            }));
        }
        let controller = known.map_or(0, |c| c.controller);
        if controller > MOST_IMPLIED {
            return invalid(format!("smart card controller {controller} is not defined"));
        }
        ensure(domain, ControllerType::Ccid, controller);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(kind: ControllerType, index: Option<u32>) -> Controller {
        Controller {
            index,
            ..Controller::new(kind, 0)
        }
    }

    #[test]
    fn kinds_stay_together_in_order_of_numbers() {
        let mut list = vec![
            controller(ControllerType::Usb, Some(1)),
            controller(ControllerType::Ide, Some(0)),
            controller(ControllerType::Usb, Some(0)),
            controller(ControllerType::Usb, None),
        ];
        sort(&mut list);
        let order: Vec<_> = list.iter().map(|c| (c.kind.kind(), c.index)).collect();
        let usb = ControllerType::Usb;
        assert_eq!(
            order,
            [
                (usb, Some(0)),
                (usb, Some(1)),
                (usb, None),
                (ControllerType::Ide, Some(0))
            ]
        );
        let mut unused = Unused::of(&list);
        assert_eq!([unused.take(usb), unused.take(usb)], [2, 3]);
    }
}
