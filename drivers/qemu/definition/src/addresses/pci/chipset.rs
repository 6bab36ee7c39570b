//! Places of devices that are part of a chipset or that guests expect in one place, and those of the chipset's own functions.

use virtbus_conf_base::common::PciAddress;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, PciModel, UsbModel,
};
use virtbus_conf_domain::domain::devices::sound::SoundModel;
use virtbus_conf_domain::domain::devices::video::{Video, VideoModelType};

use super::bus::Connect;
use super::set::Set;
use crate::machine;

/// A place on bus 0.
const fn at(slot: u8, function: u8) -> PciAddress {
    PciAddress {
        domain: 0,
        bus: 0,
        slot,
        function,
    }
}

/// Functions that the chipset has in any case: bridges to ISA, power management.
pub(super) fn reserve(domain: &Domain, set: &mut Set) {
    let own: &[PciAddress] = if machine::is_q35(domain) {
        &[at(0x1f, 0), at(0x1f, 3)]
    } else if machine::is_i440fx(domain) {
        &[at(1, 0), at(1, 3)]
    } else {
        &[]
    };
    for address in own {
        set.take_free(*address, Connect::PCI);
    }
}

/// The place of a device that is part of the chipset, or that is expected there if nobody else is there.
pub(super) fn place(domain: &Domain, device: DeviceRef<'_>, set: &mut Set) -> Option<PciAddress> {
    let (q35, i440fx) = (machine::is_q35(domain), machine::is_i440fx(domain));
    let wanted = match device {
        DeviceRef::Controller(controller) if q35 => of_q35(controller)?,
        DeviceRef::Controller(controller) if i440fx => of_i440fx(controller)?,
        DeviceRef::Sound(sound) if q35 && sound.model == SoundModel::Ich9 => at(0x1b, 0),
        DeviceRef::Video(video) if (q35 || i440fx) && is_primary(domain, video) => {
            let slot = if q35 { 1 } else { 2 };
            if set.is_slot_taken(slot) {
                return None;
            }
            at(slot, 0)
        }
        _ => return None,
    };
    set.take_free(wanted, Connect::PCI).then_some(wanted)
}

fn of_q35(controller: &Controller) -> Option<PciAddress> {
    match &controller.kind {
        ControllerKind::Sata if controller.index() == 0 => Some(at(0x1f, 2)),
        ControllerKind::Usb(Some(model), _) if controller.index() < 2 => {
            let slot = if controller.index() == 0 { 0x1d } else { 0x1a };
            Some(at(slot, ich9_function(*model)?))
        }
        ControllerKind::Pci(pci) if pci.model == Some(PciModel::DmiToPciBridge) => {
            Some(at(0x1e, 0))
        }
        _ => None,
    }
}

fn of_i440fx(controller: &Controller) -> Option<PciAddress> {
    if controller.index() != 0 {
        return None;
    }
    match &controller.kind {
        ControllerKind::Ide(_) => Some(at(1, 1)),
        ControllerKind::Usb(Some(UsbModel::Piix3Uhci), _) => Some(at(1, 2)),
        _ => None,
    }
}

/// The function of Intel's chipset that a USB controller is.
pub(super) const fn ich9_function(model: UsbModel) -> Option<u8> {
    match model {
        UsbModel::Ich9Uhci1 => Some(0),
        UsbModel::Ich9Uhci2 => Some(1),
        UsbModel::Ich9Uhci3 => Some(2),
        UsbModel::Ich9Ehci1 => Some(7),
        _ => None,
    }
}

/// Whether it is the graphics card that the firmware uses.
fn is_primary(domain: &Domain, video: &Video) -> bool {
    let first = domain.devices.video.first();
    let kind = video.model.as_ref().and_then(|model| model.kind);
    first.is_some_and(|first| std::ptr::eq(first, video))
        && !matches!(
            kind,
            None | Some(VideoModelType::None | VideoModelType::Ramfb)
        )
}
