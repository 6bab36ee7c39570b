//! Devices of a USB bus that the guest is said not to have.

use virtbus_conf_base::Result;

use super::unsupported;
use crate::domain::Domain;
use crate::domain::devices::DeviceRef;
use crate::domain::devices::controller::{ControllerKind, UsbModel};
use crate::domain::devices::disk::DiskBus;
use crate::domain::devices::hostdev::HostdevSubsys;
use crate::domain::devices::misc::InputBus;
use crate::domain::devices::smartcard::{HubType, RedirdevBus};
use crate::domain::devices::sound::SoundModel;

/// Refuses a USB device where a controller of model `none` says that there is no USB.
pub(super) fn check(domain: &Domain, device: DeviceRef<'_>) -> Result<()> {
    let is_off =
        |kind: &ControllerKind| matches!(kind, ControllerKind::Usb(Some(UsbModel::None), _));
    let mut controllers = domain.devices.controller.iter();
    if is_usb(device) && controllers.any(|controller| is_off(&controller.kind)) {
        return unsupported(format!(
            "USB device <{}> is not possible: <controller type='usb' model='none'/> turns USB off",
            device.name()
        ));
    }
    Ok(())
}

fn is_usb(device: DeviceRef<'_>) -> bool {
    match device {
        DeviceRef::Disk(disk) => disk.target.bus == Some(DiskBus::Usb),
        DeviceRef::Input(input) => input.bus == Some(InputBus::Usb),
        DeviceRef::Hostdev(hostdev) => matches!(hostdev.subsys(), Some(HostdevSubsys::Usb(_))),
        DeviceRef::Hub(hub) => hub.kind == HubType::Usb,
        DeviceRef::Redirdev(redirdev) => {
            redirdev.bus.unwrap_or(RedirdevBus::Usb) == RedirdevBus::Usb
        }
        DeviceRef::Sound(sound) => sound.model == SoundModel::Usb,
        _ => false,
    }
}
