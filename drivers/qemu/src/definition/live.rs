//! From a stored definition to the one that runs: aliases, paths, ports and host devices of this run.

use std::collections::HashMap;
use std::path::Path;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf::domain::Domain as Definition;
use virtbus_conf::domain::devices::Devices;
use virtbus_conf::domain::devices::address::Address;
use virtbus_conf::domain::devices::chardev::{ChannelTarget, ChardevSource};
use virtbus_conf::domain::devices::controller::{ControllerKind, ControllerType};
use virtbus_conf::domain::devices::disk::DiskBus;
use virtbus_conf::domain::devices::graphics::{GraphicsKind, Listen};
use virtbus_conf::domain::devices::info::DeviceInfo;
use virtbus_conf::{Text, YesNo, format_text};

use crate::core::Core;
use crate::prepare::Prepared;

/// Turns a definition into that of a run with this folder.
pub(crate) fn make_live(
    definition: &mut Definition,
    core: &Core,
    prepared: &mut Prepared,
    dir: &Path,
) -> Result<()> {
    let q35 = definition
        .os
        .as_ref()
        .and_then(|os| os.machine.machine.as_deref())
        .is_some_and(crate::command::is_q35);
    let devices = &mut definition.devices;
    aliases(devices, q35);
    indexes(devices);
    channels(devices, dir);
    for graphics in &mut devices.graphics {
        let default = match &graphics.kind {
            GraphicsKind::Spice(_) => &core.config.spice_listen,
            _ => &core.config.vnc_listen,
        };
        let address = address(&mut graphics.listen, default, dir);
        let ports = &core.preparer.ports;
        match &mut graphics.kind {
            GraphicsKind::Vnc(vnc) => {
                if let Some(address) = &address
                    && vnc.autoport == Some(YesNo::Yes)
                {
                    let port = ports.acquire(address)?;
                    prepared.ports.push(port);
                    vnc.port = Some(i32::from(port));
                }
            }
            GraphicsKind::Spice(spice) => {
                if let Some(address) = &address
                    && spice.autoport == Some(YesNo::Yes)
                {
                    let port = ports.acquire(address)?;
                    prepared.ports.push(port);
                    spice.port = Some(i32::from(port));
                }
            }
            GraphicsKind::Sdl(_)
            | GraphicsKind::Rdp(_)
            | GraphicsKind::Desktop(_)
            | GraphicsKind::EglHeadless(_)
            | GraphicsKind::Dbus(_) => {}
        }
    }
    if let Some(kind) = devices.filesystem.first() {
        let _ = kind;
        return Err(unsupported("<filesystem> devices are not supported"));
    }
    Ok(())
}

/// The address that a server listens on; `None` if it listens on none. Where the definition names none, the settings do.
fn address(listen: &mut [Listen], default: &str, dir: &Path) -> Option<Text> {
    match listen.first_mut()? {
        Listen::Address(listen) => {
            if listen.address.is_none() {
                listen.address = Some(default.into());
                listen.from_config = true;
            }
            listen.address.clone()
        }
        Listen::Network(listen) => listen.address.clone(),
        Listen::Socket(listen) => {
            if listen.socket.is_none() {
                listen.socket = Some(format_text!("{}/graphics.sock", dir.display()));
                listen.auto_generated = true;
            }
            None
        }
        Listen::None => None,
    }
}

/// Gives names to devices: what kind it is, and a number.
struct Names(HashMap<&'static str, u32>);

impl Names {
    fn give(&mut self, kind: &'static str, info: &mut DeviceInfo) {
        if info.has_user_alias() {
            return;
        }
        let number = self.0.entry(kind).or_insert(0);
        info.alias = Some(format_text!("{kind}{number}"));
        *number += 1;
    }
}

fn aliases(devices: &mut Devices, q35: bool) {
    let mut names = Names(HashMap::new());
    for disk in &mut devices.disk {
        if disk.info.has_user_alias() {
            continue;
        }
        let bus = disk.target.bus.unwrap_or(DiskBus::Virtio);
        disk.info.alias = Some(match &disk.info.address {
            Some(Address::Drive(address)) => match bus {
                DiskBus::Scsi => {
                    format_text!(
                        "{bus}{}-{}-{}-{}",
                        address.controller,
                        address.bus,
                        address.target,
                        address.unit
                    )
                }
                _ => format_text!(
                    "{bus}{}-{}-{}",
                    address.controller,
                    address.bus,
                    address.unit
                ),
            },
            _ => {
                let number = names.0.entry(bus.as_str()).or_insert(0);
                let alias = format_text!("{bus}-disk{number}");
                *number += 1;
                alias
            }
        });
    }
    for controller in &mut devices.controller {
        if controller.info.has_user_alias() {
            continue;
        }
        let (kind, index) = (controller.kind.kind(), controller.index());
        controller.info.alias = Some(match (&controller.kind, index) {
            (ControllerKind::Pci(_), 0) if q35 => "pcie.0".into(),
            (ControllerKind::Pci(_), index) => format_text!("pci.{index}"),
            (ControllerKind::Usb(..), 0) => "usb".into(),
            (ControllerKind::Sata, 0) if q35 => "ide".into(),
            (ControllerKind::Ide(_), 0) => "ide".into(),
            _ if kind == ControllerType::VirtioSerial => format_text!("virtio-serial{index}"),
            _ => format_text!("{kind}{index}"),
        });
    }
    for interface in &mut devices.interface {
        names.give("net", &mut interface.info);
    }
    for serial in &mut devices.serial {
        names.give("serial", &mut serial.info);
    }
    for parallel in &mut devices.parallel {
        names.give("parallel", &mut parallel.info);
    }
    let first_serial = devices
        .serial
        .first()
        .and_then(|serial| serial.info.alias.clone());
    for (index, console) in devices.console.iter_mut().enumerate() {
        match &first_serial {
            Some(alias) if index == 0 && console.info.address.is_none() => {
                console.info.alias = Some(alias.clone());
            }
            _ => names.give("console", &mut console.info),
        }
    }
    for channel in &mut devices.channel {
        names.give("channel", &mut channel.info);
    }
    for input in &mut devices.input {
        names.give("input", &mut input.info);
    }
    for tpm in &mut devices.tpm {
        names.give("tpm", &mut tpm.info);
    }
    for sound in &mut devices.sound {
        names.give("sound", &mut sound.info);
    }
    for video in &mut devices.video {
        names.give("video", &mut video.info);
    }
    for watchdog in &mut devices.watchdog {
        names.give("watchdog", &mut watchdog.info);
    }
    if let Some(balloon) = &mut devices.memballoon {
        names.give("balloon", &mut balloon.info);
    }
    for rng in &mut devices.rng {
        names.give("rng", &mut rng.info);
    }
    for panic in &mut devices.panic {
        names.give("panic", &mut panic.info);
    }
    if let Some(vsock) = &mut devices.vsock {
        names.give("vsock", &mut vsock.info);
    }
}

/// Numbers of images, after which their block nodes are called.
fn indexes(devices: &mut Devices) {
    let mut next = 1;
    for disk in &mut devices.disk {
        if !disk.source.is_empty() {
            disk.source.common_mut().index = Some(next);
            next += 1;
        }
        for layer in &mut disk.backing.layers {
            layer.index = Some(next);
            next += 1;
        }
    }
}

/// Sockets of channels to the host for which the definition names no path.
fn channels(devices: &mut Devices, dir: &Path) {
    for channel in &mut devices.channel {
        let ChannelTarget::Virtio(target) = &channel.target else {
            continue;
        };
        let name = target.name.clone().unwrap_or_else(|| "channel".into());
        if let ChardevSource::Unix(unix) = &mut channel.chardev.source
            && unix.path.is_none()
        {
            let file: String = name
                .chars()
                .map(|c| if c == '/' { '_' } else { c })
                .take(40)
                .collect();
            unix.path = Some(format_text!("{}/{file}", dir.display()));
        }
    }
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}
