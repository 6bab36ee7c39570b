//! Places of devices that are part of a chipset or that guests expect in one place, and those of the chipset's own functions.

use std::collections::BTreeMap;

use virtbus_conf_base::Result;
use virtbus_conf_base::common::PciAddress;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, PciModel, UsbModel,
};
use virtbus_conf_domain::domain::devices::sound::SoundModel;
use virtbus_conf_domain::domain::devices::video::{Video, VideoModelType};

use super::bus::{Connect, wrong};
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

/// Takes the functions that the chipset has in any case: bridges to ISA, power management.
///
/// # Errors
/// If a device is to be there, or one that is part of the chipset is to be elsewhere.
pub(super) fn reserve(domain: &Domain, set: &mut Set) -> Result<()> {
    let (q35, i440fx) = (machine::is_q35(domain), machine::is_i440fx(domain));
    let own: &[PciAddress] = if q35 {
        &[at(0x1f, 0), at(0x1f, 3)]
    } else if i440fx {
        &[at(1, 0), at(1, 3)]
    } else {
        return Ok(());
    };
    for address in own {
        if !set.take_free(*address, Connect::PCI) {
            return Err(wrong(*address, "a function of the chipset is there"));
        }
    }
    for controller in &domain.devices.controller {
        let fixed = if q35 {
            fixed_q35(controller)
        } else {
            fixed_i440fx(controller)
        };
        let given = controller.info.address.as_ref().and_then(Address::pci);
        if let (Some(fixed), Some(given)) = (fixed, given)
            && fixed != *given
        {
            return Err(wrong(
                *given,
                &format!(
                    "{} controller {} is part of the chipset and always at {fixed}",
                    controller.kind.kind(),
                    controller.index()
                ),
            ));
        }
    }
    Ok(())
}

/// The place of a device that is part of the chipset, or that is expected there if nobody else is there.
///
/// # Errors
/// If another device is in the place of one that is part of the chipset.
pub(super) fn place(
    domain: &Domain,
    device: DeviceRef<'_>,
    set: &mut Set,
    usb2: &Usb2Places,
) -> Result<Option<PciAddress>> {
    let (q35, i440fx) = (machine::is_q35(domain), machine::is_i440fx(domain));
    if !q35 && !i440fx {
        return Ok(None);
    }
    let wanted = match device {
        DeviceRef::Controller(controller) => {
            let fixed = if q35 {
                fixed_q35(controller)
            } else {
                fixed_i440fx(controller)
            };
            if let Some(fixed) = fixed {
                return if set.take_free(fixed, Connect::PCI) {
                    Ok(Some(fixed))
                } else {
                    Err(wrong(
                        fixed,
                        "a controller of the chipset is there, so no other device can be",
                    ))
                };
            }
            if q35 {
                usual_q35(controller, set, usb2)
            } else {
                None
            }
        }
        DeviceRef::Sound(sound) if q35 && sound.model == SoundModel::Ich9 => Some(at(0x1b, 0)),
        DeviceRef::Video(video) if is_primary(domain, video) => {
            Some(at(if q35 { 1 } else { 2 }, 0))
        }
        _ => None,
    };
    Ok(wanted.filter(|wanted| {
        // Only a companion shares its slot.
        (wanted.function != 0 || !set.is_slot_taken(wanted.slot))
            && set.take_free(*wanted, Connect::PCI)
    }))
}

/// Controllers that the machine has in one place only.
fn fixed_q35(controller: &Controller) -> Option<PciAddress> {
    let is_it = matches!(controller.kind, ControllerKind::Sata) && controller.index() == 0;
    is_it.then(|| at(0x1f, 2))
}

fn fixed_i440fx(controller: &Controller) -> Option<PciAddress> {
    if controller.index() != 0 {
        return None;
    }
    match &controller.kind {
        ControllerKind::Ide(_) => Some(at(1, 1)),
        ControllerKind::Usb(None | Some(UsbModel::Piix3Uhci), _) => Some(at(1, 2)),
        _ => None,
    }
}

/// Where controllers are in real computers: the first two of USB 2, and the bridge to a conventional bus.
fn usual_q35(controller: &Controller, set: &Set, usb2: &Usb2Places) -> Option<PciAddress> {
    match &controller.kind {
        ControllerKind::Usb(Some(UsbModel::Ich9Uhci1), _) => {
            if usb2.contains_key(&controller.index()) {
                return None;
            }
            let free = [0x1d, 0x1a]
                .into_iter()
                .find(|slot| !set.is_slot_taken(*slot));
            free.map(|slot| at(slot, 0))
        }
        ControllerKind::Pci(pci) if pci.model == Some(PciModel::DmiToPciBridge) => {
            Some(at(0x1e, 0))
        }
        _ => None,
    }
}

/// A place of each controller of USB 2 by its number; its parts are functions of one slot.
pub(super) type Usb2Places = BTreeMap<u32, PciAddress>;

/// Those that a definition names.
pub(super) fn usb2_places(domain: &Domain) -> Usb2Places {
    let mut places = Usb2Places::new();
    for controller in &domain.devices.controller {
        let address = controller.info.address.as_ref().and_then(Address::pci);
        if let (Some(index), Some(address)) = (usb2(DeviceRef::Controller(controller)), address) {
            places.entry(index).or_insert(*address);
        }
    }
    places
}

/// The number of a controller that makes up one of USB 2 with others.
pub(super) fn usb2(device: DeviceRef<'_>) -> Option<u32> {
    let DeviceRef::Controller(controller) = device else {
        return None;
    };
    let ControllerKind::Usb(Some(model), _) = &controller.kind else {
        return None;
    };
    ich9_function(*model).map(|_| controller.index())
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
