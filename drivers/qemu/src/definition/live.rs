//! From a stored definition to the one that runs: aliases, paths, ports and host devices of this run.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::{Text, YesNo, format_text};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::Devices;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::chardev::{
    ChannelTarget, ChardevMode, ChardevSource, Console, ConsoleTargetType,
};
use virtbus_conf_domain::domain::devices::controller::{ControllerKind, ControllerType};
use virtbus_conf_domain::domain::devices::disk::DiskBus;
use virtbus_conf_domain::domain::devices::graphics::{GraphicsKind, Listen};
use virtbus_conf_domain::domain::devices::info::DeviceInfo;

use super::scsi;
use crate::config::Config;
use crate::folder::{channel_dir, guest_dir};
use crate::ports::{Addresses, Ports};
use crate::record::Prepared;

/// What of the host and of its settings a running definition depends on.
pub(crate) struct Surroundings<'a> {
    /// The driver's settings.
    pub(crate) config: &'a Config,
    /// Ports for graphics.
    pub(crate) ports: &'a Ports,
    /// The addresses of the hosts that [`listen_hosts`] tells.
    pub(crate) addresses: &'a Addresses,
    /// The folder of the run.
    pub(crate) dir: &'a Path,
}

/// The hosts that a definition's screens listen on, by address or name.
pub(crate) fn listen_hosts(definition: &Definition, config: &Config) -> Vec<String> {
    let screens = definition.devices.graphics.iter();
    let named = screens.filter_map(|graphics| match graphics.listen.first()? {
        Listen::Address(listen) => listen.address.as_deref(),
        Listen::Network(listen) => listen.address.as_deref(),
        Listen::Socket(_) | Listen::None => None,
    });
    let defaults = [&config.vnc_listen, &config.spice_listen];
    let mut hosts: Vec<String> = named
        .chain(defaults.into_iter().map(String::as_str))
        .map(str::to_owned)
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Whether a path is in the folder of a run, where only this driver puts anything. A definition has such a path if it once ran (that of a
/// saved guest, or what a client was shown of a running one): the next run has a folder of its own.
fn is_of_a_run(path: &str, dir: &Path) -> bool {
    dir.parent()
        .is_some_and(|runs| Path::new(path).starts_with(runs))
}

/// Turns a definition into that of a run, and notes what is reserved for that.
pub(crate) fn make_live(
    definition: &mut Definition,
    surroundings: &Surroundings<'_>,
    prepared: &mut Prepared,
) -> Result<()> {
    let Surroundings {
        config,
        ports,
        addresses,
        dir,
    } = *surroundings;
    let q35 = definition
        .os
        .as_ref()
        .and_then(|os| os.machine.machine.as_deref())
        .is_some_and(super::machine::is_q35);
    let devices = &mut definition.devices;
    aliases(devices, q35);
    indexes(devices);
    channels(devices, dir)?;
    for (index, graphics) in devices.graphics.iter_mut().enumerate() {
        let default = match &graphics.kind {
            GraphicsKind::Spice(_) => &config.spice_listen,
            _ => &config.vnc_listen,
        };
        let socket = guest_dir(dir).join(format!("graphics{index}.sock"));
        let address = address(&mut graphics.listen, default, &socket, dir);
        match &mut graphics.kind {
            GraphicsKind::Vnc(vnc) => {
                if let Some(address) = &address
                    && vnc.autoport == Some(YesNo::Yes)
                {
                    let port = ports.acquire(address, addresses)?;
                    prepared.ports.push(port);
                    vnc.port = Some(i32::from(port));
                }
            }
            GraphicsKind::Spice(spice) => {
                if let Some(address) = &address
                    && spice.autoport == Some(YesNo::Yes)
                {
                    let port = ports.acquire(address, addresses)?;
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
    Ok(())
}

/// The address that a server listens on; `None` if it listens on none. Where the definition names none, the settings do; where it names no
/// socket, it is this one in the run's folder.
fn address(listen: &mut [Listen], default: &str, socket: &Path, dir: &Path) -> Option<Text> {
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
            if (listen.socket.as_ref()).is_none_or(|path| is_of_a_run(path, dir)) {
                listen.socket = Some(format_text!("{}", socket.display()));
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
    let controllers = &devices.controller;
    for disk in &mut devices.disk {
        if disk.info.has_user_alias() {
            continue;
        }
        let bus = disk.target.bus.unwrap_or(DiskBus::Virtio);
        disk.info.alias = Some(match &disk.info.address {
            Some(Address::Drive(address)) => match bus {
                DiskBus::Scsi if !scsi::has_only_units(controllers, address.controller) => {
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
            // The same device under another name.
            Some(alias) if index == 0 && is_serial(console) => {
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
    for redirdev in &mut devices.redirdev {
        names.give("redir", &mut redirdev.info);
    }
    for hub in &mut devices.hub {
        names.give("hub", &mut hub.info);
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

/// Whether a console is a serial port, as one is that does not say.
fn is_serial(console: &Console) -> bool {
    let kind = console.target.and_then(|target| target.kind);
    matches!(kind, None | Some(ConsoleTargetType::Serial))
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

/// The longest name of a channel's socket, bytes: the whole path has to fit into 107.
const LONGEST_SOCKET: usize = 40;

/// Sockets of channels to the host for which the definition names no path, in a folder of the run's that has nothing else.
fn channels(devices: &mut Devices, dir: &Path) -> Result<()> {
    let (mut names, mut files) = (HashSet::new(), HashSet::new());
    for channel in &mut devices.channel {
        let ChannelTarget::Virtio(target) = &channel.target else {
            continue;
        };
        let name = target.name.clone().unwrap_or_default();
        if !name.is_empty() && !names.insert(name.clone()) {
            return Err(unsupported(format!(
                "two channels have the target name '{name}'; each needs a name of its own"
            )));
        }
        if let ChardevSource::Unix(unix) = &mut channel.chardev.source
            && (unix.path.as_ref()).is_none_or(|path| is_of_a_run(path, dir))
        {
            let file = socket_name(&name, &mut files);
            // Whoever wants to talk to the guest connects to it.
            unix.mode = Some(ChardevMode::Bind);
            unix.path = Some(format_text!("{}/{file}", channel_dir(dir).display()));
        }
    }
    Ok(())
}

/// A file name that looks like the channel's name as far as may be, that no other channel has, and that leads nowhere else.
fn socket_name(name: &str, used: &mut HashSet<String>) -> String {
    let mut file = String::new();
    for c in name.chars() {
        let c = match c {
            '/' => '_',
            '.' if file.is_empty() => '_',
            c if c.is_control() => '_',
            c => c,
        };
        if file.len() + c.len_utf8() > LONGEST_SOCKET {
            break;
        }
        file.push(c);
    }
    if file.is_empty() {
        file.push_str("channel");
    }
    let mut unique = file.clone();
    let mut number = 1_u32;
    while !used.insert(unique.clone()) {
        unique = format!("{file}.{number}");
        number += 1;
    }
    unique
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_channels_lead_nowhere_else() {
        let mut used = HashSet::new();
        let mut file = |name: &str| socket_name(name, &mut used);
        assert_eq!(file("org.qemu.guest_agent.0"), "org.qemu.guest_agent.0");
        assert_eq!(file("../monitor.sock"), "_._monitor.sock");
        assert_eq!(file(".."), "_.");
        assert_eq!(file("a/b\n"), "a_b_");
        assert_eq!(file(""), "channel");
        assert_eq!(file(""), "channel.1");
        let long = "ä".repeat(60);
        assert_eq!(file(&long), "ä".repeat(20));
        assert_eq!(file(&long), format!("{}.1", "ä".repeat(20)));
    }

    #[test]
    fn two_channels_of_one_name_are_refused() {
        let channel = "<channel type='unix'><target type='virtio' name='monitor.sock'/></channel>";
        let devices = |count: usize| {
            let xml = format!(
                "<domain type='qemu'><name>web</name><memory>1</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>\
                 <devices>{}</devices></domain>",
                channel.repeat(count)
            );
            crate::definition::parse_stored(&xml).unwrap().devices
        };
        let mut one = devices(1);
        // The next run has another folder; what a definition names elsewhere stays.
        channels(&mut one, Path::new("/run/old")).unwrap();
        channels(&mut one, Path::new("/run/web")).unwrap();
        assert_eq!(path(&mut one), "/run/web/channel/monitor.sock");
        let error = channels(&mut devices(2), Path::new("/run/web")).unwrap_err();
        assert!(
            error.message.contains("'monitor.sock'"),
            "{}",
            error.message
        );
        *path(&mut one) = "/srv/own.sock".into();
        channels(&mut one, Path::new("/run/web")).unwrap();
        assert_eq!(path(&mut one), "/srv/own.sock");
    }

    fn path(devices: &mut Devices) -> &mut Text {
        let ChardevSource::Unix(unix) = &mut devices.channel[0].chardev.source else {
            panic!("no socket");
        };
        unix.path.as_mut().expect("it has a path")
    }
}
