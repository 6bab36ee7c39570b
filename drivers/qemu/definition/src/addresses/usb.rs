//! Ports of USB controllers and hubs.
//!
//! A new guest's devices all get a port. Guests of before keep what they have: only if all have a port is it checked, since otherwise
//! devices would move.

use virtbus_conf_base::{AnyBase, ConfError, Rare, Result, format_text};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::{Address, UsbAddress};
use virtbus_conf_domain::domain::devices::chardev::SerialTargetType;
use virtbus_conf_domain::domain::devices::controller::{Controller, ControllerKind, UsbModel};
use virtbus_conf_domain::domain::devices::disk::DiskBus;
use virtbus_conf_domain::domain::devices::hostdev::HostdevSubsys;
use virtbus_conf_domain::domain::devices::info::DeviceInfo;
use virtbus_conf_domain::domain::devices::misc::InputBus;
use virtbus_conf_domain::domain::devices::smartcard::{Hub, RedirdevBus};
use virtbus_conf_domain::domain::devices::sound::SoundModel;

/// Ports of a hub.
const HUB_PORTS: u32 = 8;
/// How many hubs and ports a path has.
const DEEPEST: usize = 4;

/// A controller or hub.
#[derive(Debug)]
struct Hubs {
    /// The ports, each free, taken, or with a hub in it.
    ports: Vec<Port>,
}

#[derive(Debug)]
enum Port {
    Free,
    Taken,
    Hub(Hubs),
}

impl Hubs {
    fn new(ports: u32) -> Self {
        Self {
            ports: (0..ports).map(|_| Port::Free).collect(),
        }
    }

    /// The port at the end of a path.
    fn at(&mut self, path: &[usize]) -> Option<&mut Port> {
        let (first, rest) = path.split_first()?;
        let port = self.ports.get_mut(first.checked_sub(1)?)?;
        match (rest, port) {
            ([], port) => Some(port),
            (rest, Port::Hub(hub)) => hub.at(rest),
            _ => None,
        }
    }

    /// The path to a free port, which those of the nearer hubs come first.
    fn free(&self, depth: usize) -> Option<Vec<usize>> {
        let here = self
            .ports
            .iter()
            .position(|port| matches!(port, Port::Free));
        if let Some(here) = here {
            return Some(vec![here + 1]);
        }
        if depth + 1 >= DEEPEST {
            return None;
        }
        self.ports
            .iter()
            .enumerate()
            .find_map(|(at, port)| match port {
                Port::Hub(hub) => {
                    let mut path = vec![at + 1];
                    path.extend(hub.free(depth + 1)?);
                    Some(path)
                }
                Port::Free | Port::Taken => None,
            })
    }
}

/// How many ports a controller has; `None` for companions of another, which has them.
fn count(controller: &Controller) -> Option<u32> {
    let ControllerKind::Usb(model, settings) = &controller.kind else {
        return None;
    };
    match model {
        None | Some(UsbModel::Piix3Uhci | UsbModel::Piix4Uhci | UsbModel::Vt82c686bUhci) => Some(2),
        Some(UsbModel::Ehci | UsbModel::Ich9Ehci1) => Some(6),
        Some(UsbModel::Ich9Uhci1 | UsbModel::Ich9Uhci2 | UsbModel::Ich9Uhci3) => None,
        Some(UsbModel::PciOhci) => Some(3),
        Some(UsbModel::NecXhci | UsbModel::QemuXhci) => Some(settings.ports.unwrap_or(4).min(15)),
        Some(UsbModel::Qusb1 | UsbModel::Qusb2) => Some(settings.ports.unwrap_or(8).min(255)),
        Some(UsbModel::None) => Some(0),
    }
}

/// In which order a device on USB gets its port; `None` for others.
fn order(device: DeviceRef<'_>) -> Option<u8> {
    let order = |yes: bool, order| yes.then_some(order);
    match device {
        DeviceRef::Hub(_) => Some(0),
        DeviceRef::Hostdev(hostdev) => {
            order(matches!(hostdev.subsys(), Some(HostdevSubsys::Usb(_))), 1)
        }
        DeviceRef::Disk(disk) => order(disk.target.bus == Some(DiskBus::Usb), 2),
        DeviceRef::Controller(controller) => {
            order(matches!(controller.kind, ControllerKind::Ccid), 3)
        }
        DeviceRef::Input(input) => order(input.bus == Some(InputBus::Usb), 4),
        DeviceRef::Serial(serial) => {
            let kind = serial.target.and_then(|target| target.kind);
            order(kind == Some(SerialTargetType::UsbSerial), 5)
        }
        DeviceRef::Sound(sound) => order(sound.model == SoundModel::Usb, 6),
        DeviceRef::Redirdev(redirdev) => order(redirdev.bus == Some(RedirdevBus::Usb), 7),
        _ => None,
    }
}

fn given(info: Option<&DeviceInfo>) -> Option<&UsbAddress> {
    match &info?.address {
        Some(Address::Usb(address)) => Some(address),
        _ => None,
    }
}

fn path(port: &str) -> Vec<usize> {
    port.split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

/// Which devices get ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// All of a new guest, which gets hubs if there are more.
    All,
    /// None: if all have one already, they are checked.
    Kept,
    /// One that is plugged, if all others have one.
    ForOneMore,
}

/// Gives devices on USB a port.
///
/// # Errors
/// If two devices ask for one port, one asks for a port that there is not, or none is left.
pub(super) fn assign(domain: &mut Domain, ports: Ports) -> Result<()> {
    let mut devices: Vec<(u8, usize, Option<u32>)> = Vec::new();
    let mut all = 0;
    for (at, device) in domain.devices.iter().enumerate() {
        let Some(order) = order(device) else { continue };
        all += 1;
        let address = given(device.info());
        if address.is_none_or(|address| address.port.is_none()) {
            devices.push((order, at, address.map(|address| address.bus.0)));
        }
    }
    let is_known = match ports {
        Ports::All => true,
        Ports::Kept => devices.is_empty(),
        Ports::ForOneMore => devices.len() <= 1,
    };
    if all == 0 || !is_known {
        return Ok(());
    }
    if ports == Ports::All && add_hubs(domain, all) {
        return assign(domain, ports);
    }
    let mut buses: Vec<(u32, Hubs)> = Vec::new();
    for controller in &domain.devices.controller {
        if let Some(ports) = count(controller) {
            buses.push((controller.index(), Hubs::new(ports)));
        }
    }
    buses.sort_by_key(|(index, _)| *index);
    reserve(domain, &mut buses)?;
    devices.sort_unstable();
    let mut places = Vec::new();
    for (order, at, wanted) in devices {
        let (bus, path) = next(&mut buses, wanted, order == 0)?;
        let port: Vec<String> = path.iter().map(ToString::to_string).collect();
        places.push((at, bus, port.join(".")));
    }
    places.sort_unstable();
    let mut places = places.into_iter().peekable();
    for (at, mut device) in domain.devices.iter_mut().enumerate() {
        if let Some((_, bus, port)) = places.next_if(|(of, ..)| *of == at)
            && let Some(info) = device.info_mut()
        {
            info.address = Some(Address::Usb(UsbAddress {
                bus: AnyBase(bus),
                port: Some(format_text!("{port}")),
            }));
        }
    }
    Ok(())
}

/// Adds hubs if there are more devices than ports.
fn add_hubs(domain: &mut Domain, devices: usize) -> bool {
    let of_controllers: u32 = domain.devices.controller.iter().filter_map(count).sum();
    if of_controllers == 0 {
        return false;
    }
    let hubs = domain.devices.hub.len();
    let there = of_controllers as usize + hubs * HUB_PORTS as usize;
    // Each hub takes a port itself.
    let missing = devices.saturating_sub(there);
    let needed = missing.div_ceil(HUB_PORTS as usize - 1);
    for _ in 0..needed {
        domain.devices.hub.push(Hub {
            kind: virtbus_conf_domain::domain::devices::smartcard::HubType::Usb,
            info: Rare::default(),
        });
    }
    needed > 0
}

/// Takes the ports that the definition names: those of hubs first, since the others may be behind them.
fn reserve(domain: &Domain, buses: &mut [(u32, Hubs)]) -> Result<()> {
    let mut named: Vec<(bool, usize, u32, &str)> = Vec::new();
    for device in domain.devices.iter() {
        if order(device).is_some()
            && let Some(address) = given(device.info())
            && let Some(port) = address.port.as_deref()
        {
            let is_hub = matches!(device, DeviceRef::Hub(_));
            named.push((!is_hub, port.split('.').count(), address.bus.0, port));
        }
    }
    named.sort_unstable();
    for (is_plain, _, bus, port) in named {
        let hubs = buses.iter_mut().find(|(index, _)| *index == bus);
        let place = hubs.and_then(|(_, hubs)| hubs.at(&path(port)));
        let place = place.ok_or_else(|| {
            ConfError::invalid(format!("USB port {port} is not present on USB bus {bus}"))
        })?;
        if !matches!(place, Port::Free) {
            return Err(ConfError::invalid(format!(
                "USB port {port} on bus {bus} is used by several devices"
            )));
        }
        *place = if is_plain {
            Port::Taken
        } else {
            Port::Hub(Hubs::new(HUB_PORTS))
        };
    }
    Ok(())
}

fn next(buses: &mut [(u32, Hubs)], wanted: Option<u32>, is_hub: bool) -> Result<(u32, Vec<usize>)> {
    let mut candidates = buses
        .iter_mut()
        .filter(|(index, _)| wanted.is_none_or(|wanted| wanted == *index));
    let found = candidates.find_map(|(index, hubs)| {
        let path = hubs.free(0)?;
        *hubs.at(&path)? = if is_hub {
            Port::Hub(Hubs::new(HUB_PORTS))
        } else {
            Port::Taken
        };
        Some((*index, path))
    });
    found.ok_or_else(|| ConfError::invalid("no free USB port is left for a USB device"))
}
