//! What this driver means where a definition leaves something out; written into the definition, so that a guest keeps
//! its hardware whatever later releases would choose.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::common::{Arch, Mac, Uuid};
use virtbus_conf_base::{Kib, Rare, YesNo, format_text};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::clock::Clock;
use virtbus_conf_domain::domain::devices::Devices;
use virtbus_conf_domain::domain::devices::address::{Address, DriveAddress, VirtioSerialAddress};
use virtbus_conf_domain::domain::devices::chardev::{
    ChannelTarget, Chardev, ChardevMode, ChardevSource, Console, ConsoleTarget, ConsoleTargetType,
    Serial, SerialTarget, SerialTargetModel, SerialTargetType, UnixSource,
};
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, ControllerType, PciModel, ScsiModel, UsbModel,
};
use virtbus_conf_domain::domain::devices::disk::{Disk, DiskBus, DiskDevice};
use virtbus_conf_domain::domain::devices::graphics::{GraphicsKind, Listen};
use virtbus_conf_domain::domain::devices::misc::{
    Input, InputBus, InputType, Memballoon, MemballoonModel,
};
use virtbus_conf_domain::domain::devices::video::{Video, VideoModel, VideoModelType};
use virtbus_conf_domain::domain::lifecycle::LifecycleAction;
use virtbus_conf_domain::domain::os::BootDevice;
use virtbus_conf_domain::domain::vcpu::VcpuCount;
use virtbus_conf_storage::storage::ImageFormat;
use virtbus_qemu_capabilities::Capabilities;

use super::machine::is_q35;

/// The first bytes of addresses that are made up here: QEMU's own prefix.
const MAC_PREFIX: [u8; 3] = [0x52, 0x54, 0x00];

/// Completes a definition for an emulator.
pub(super) fn complete(
    definition: &mut Definition,
    emulator: &Path,
    capabilities: &Capabilities,
) -> Result<()> {
    if definition.uuid.is_none() {
        definition.uuid = Some(Uuid(uuid::Uuid::new_v4()));
    }
    machine(definition, capabilities)?;
    super::cpu::complete(definition, capabilities);
    sizes(definition)?;
    definition.clock.get_or_insert_with(Clock::default);
    definition
        .on_poweroff
        .get_or_insert(LifecycleAction::Destroy);
    definition.on_reboot.get_or_insert(LifecycleAction::Restart);
    definition.on_crash.get_or_insert(LifecycleAction::Destroy);
    let q35 = q35(definition);
    let devices = &mut definition.devices;
    devices
        .emulator
        .get_or_insert_with(|| format_text!("{}", emulator.display()));
    for disk in &mut devices.disk {
        self::disk(disk)?;
    }
    for interface in &mut devices.interface {
        if interface.mac.is_none() {
            interface.mac = Some(generated_mac().into());
        }
        interface
            .options
            .model
            .get_or_insert_with(|| "rtl8139".into());
    }
    consoles(devices);
    channels(devices);
    displays(devices);
    controllers(devices, q35);
    devices.memballoon.get_or_insert_with(|| {
        Box::new(Memballoon {
            model: MemballoonModel::Virtio,
            autodeflate: None,
            free_page_reporting: None,
            stats_period: None,
            info: Rare::default(),
            driver: None,
        })
    });
    boot(definition);
    Ok(())
}

fn q35(definition: &Definition) -> bool {
    definition
        .os
        .as_ref()
        .and_then(|os| os.machine.machine.as_deref())
        .is_some_and(is_q35)
}

/// Architecture and machine by their full names: an alias would mean another machine after an update of QEMU.
fn machine(definition: &mut Definition, capabilities: &Capabilities) -> Result<()> {
    let Some(os) = &mut definition.os else {
        return Ok(());
    };
    if os.machine.arch.is_none() {
        os.machine.arch = Arch::ALL
            .into_iter()
            .find(|arch| arch.as_str() == capabilities.arch);
    }
    let found = match os.machine.machine.as_deref() {
        Some(name) => capabilities.machine(name),
        None => capabilities
            .best()
            .and_then(|accelerated| accelerated.default_machine()),
    };
    match (found, &os.machine.machine) {
        (Some(machine), _) => {
            os.machine.machine = Some(machine.name.as_str().into());
            let (most, wanted) = (machine.max_cpus, super::vcpus(definition, true));
            if wanted > most {
                let name = &machine.name;
                return Err(unsupported(format!(
                    "machine '{name}' has at most {most} virtual CPUs, and <vcpu> asks for {wanted}"
                )));
            }
            Ok(())
        }
        (None, Some(name)) => Err(unsupported(format!(
            "this emulator has no machine '{name}'"
        ))),
        (None, None) => Err(unsupported(
            "this emulator has no default machine, so <type machine='…'> must name one",
        )),
    }
}

fn sizes(definition: &mut Definition) -> Result<()> {
    let Some(memory) = definition.memory else {
        return Err(Error::new(
            ErrorCode::XmlError,
            ErrorDomain::Domain,
            "the element <memory> is missing",
        ));
    };
    definition
        .current_memory
        .get_or_insert(Kib::from(memory.size));
    definition.vcpu.get_or_insert(VcpuCount {
        placement: None,
        cpuset: None,
        current: None,
        count: 1,
    });
    if let Some(vcpu) = &mut definition.vcpu {
        vcpu.placement
            .get_or_insert(virtbus_conf_domain::domain::vcpu::Placement::Static);
    }
    Ok(())
}

/// Bus, format and drive address of a disk.
fn disk(disk: &mut Disk) -> Result<()> {
    disk.device.get_or_insert(DiskDevice::Disk);
    let (prefix, index) = target(&disk.target.dev).ok_or_else(|| {
        let dev = &disk.target.dev;
        Error::new(
            ErrorCode::XmlError,
            ErrorDomain::Domain,
            format!("'{dev}' cannot be a disk's <target dev='…'>"),
        )
    })?;
    let bus = *disk
        .target
        .bus
        .get_or_insert(match (prefix, disk.device()) {
            ("fd", _) => DiskBus::Fdc,
            ("sd", _) => DiskBus::Scsi,
            ("vd", _) => DiskBus::Virtio,
            ("xvd", _) => DiskBus::Xen,
            (_, DiskDevice::Floppy) => DiskBus::Fdc,
            _ => DiskBus::Ide,
        });
    if disk.device() == DiskDevice::Cdrom {
        disk.readonly = true;
    }
    let driver = disk.driver_mut();
    driver.name.get_or_insert_with(|| "qemu".into());
    // Never guessed from the image, which a guest writes. An empty drive has the format of what is put in.
    driver.format.get_or_insert(ImageFormat::Raw);
    if disk.info.address.is_none()
        && let Some(address) = drive_address(bus, index)
    {
        disk.info.address = Some(Address::Drive(address));
    }
    Ok(())
}

/// A target's prefix and number: `vdb` is `vd` and 1.
fn target(dev: &str) -> Option<(&str, u32)> {
    let prefix = ["xvd", "ubd", "hd", "sd", "vd", "fd"]
        .into_iter()
        .find(|prefix| dev.starts_with(prefix))?;
    let letters = dev[prefix.len()..].trim_end_matches(|c: char| c.is_ascii_digit());
    if letters.is_empty() || !letters.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let number = letters.bytes().try_fold(0_u32, |number, byte| {
        number
            .checked_mul(26)?
            .checked_add(u32::from(byte - b'a') + 1)
    })?;
    Some((prefix, number - 1))
}

fn drive_address(bus: DiskBus, index: u32) -> Option<DriveAddress> {
    match bus {
        DiskBus::Ide => Some(DriveAddress {
            controller: index / 4,
            bus: index % 4 / 2,
            target: 0,
            unit: index % 2,
        }),
        DiskBus::Sata => Some(DriveAddress {
            controller: index / 6,
            bus: 0,
            target: 0,
            unit: index % 6,
        }),
        DiskBus::Scsi => Some(DriveAddress {
            controller: index / 7,
            bus: 0,
            target: 0,
            unit: index % 7,
        }),
        DiskBus::Fdc => Some(DriveAddress {
            controller: index / 2,
            bus: 0,
            target: 0,
            unit: index % 2,
        }),
        _ => None,
    }
}

fn generated_mac() -> Mac {
    let random = uuid::Uuid::new_v4();
    let [a, b, c, ..] = *random.as_bytes();
    Mac([MAC_PREFIX[0], MAC_PREFIX[1], MAC_PREFIX[2], a, b, c])
}

/// The first serial port and the first console are the same thing.
fn consoles(devices: &mut Devices) {
    for (port, serial) in devices.serial.iter_mut().enumerate() {
        let target = serial.target.get_or_insert_with(SerialTarget::default);
        target.kind.get_or_insert(SerialTargetType::IsaSerial);
        target
            .port
            .get_or_insert(u32::try_from(port).unwrap_or(u32::MAX));
        if target.kind == Some(SerialTargetType::IsaSerial) {
            target.model.get_or_insert(SerialTargetModel::IsaSerial);
        }
    }
    for (port, console) in devices.console.iter_mut().enumerate() {
        let target = console.target.get_or_insert_with(ConsoleTarget::default);
        target.kind.get_or_insert(ConsoleTargetType::Serial);
        target
            .port
            .get_or_insert(u32::try_from(port).unwrap_or(u32::MAX));
    }
    let serial_console = |console: &Console| {
        console.target.and_then(|target| target.kind) == Some(ConsoleTargetType::Serial)
    };
    match (devices.serial.first(), devices.console.first()) {
        (None, Some(console)) if serial_console(console) => {
            let target = SerialTarget {
                kind: Some(SerialTargetType::IsaSerial),
                port: Some(0),
                model: Some(SerialTargetModel::IsaSerial),
            };
            let serial = Serial {
                chardev: console.chardev.clone(),
                target: Some(target),
                info: Rare::default(),
            };
            devices.serial.push(serial);
        }
        (Some(serial), None) => {
            let target = ConsoleTarget {
                kind: Some(ConsoleTargetType::Serial),
                port: Some(0),
            };
            let console = Console {
                chardev: serial.chardev.clone(),
                target: Some(target),
                info: Rare::default(),
            };
            devices.console.push(console);
        }
        (Some(serial), Some(console)) if serial_console(console) => {
            let chardev: Chardev = serial.chardev.clone();
            devices.console[0].chardev = chardev;
        }
        _ => {}
    }
}

/// Ports that a virtio serial controller has unless it says otherwise, and the most that QEMU gives one.
const SERIAL_PORTS: u32 = 31;
const MOST_SERIAL_PORTS: u32 = 511;

/// Free places on the virtio serial buses, each controller filled before the next. What is given out is never looked at
/// again, so that as many ports as there are cost no more than one pass.
struct SerialPorts {
    taken: HashSet<(u32, u32)>,
    /// How many ports the controllers have that say so.
    ports: HashMap<u32, u32>,
    controller: u32,
    port: u32,
}

impl SerialPorts {
    fn of(devices: &Devices) -> Self {
        let infos = devices.channel.iter().map(|channel| &channel.info);
        let infos = infos.chain(devices.console.iter().map(|console| &console.info));
        let taken = infos.filter_map(|info| match &info.address {
            Some(Address::VirtioSerial(address)) => Some((address.controller, address.port)),
            _ => None,
        });
        let ports = devices
            .controller
            .iter()
            .filter_map(|controller| match &controller.kind {
                ControllerKind::VirtioSerial(_, options) => {
                    Some((controller.index(), options.ports?.min(MOST_SERIAL_PORTS)))
                }
                _ => None,
            });
        Self {
            taken: taken.collect(),
            ports: ports.collect(),
            controller: 0,
            // Port 0 is kept for a console.
            port: 1,
        }
    }

    fn next(&mut self) -> Address {
        loop {
            let ports = self.ports.get(&self.controller).copied();
            if self.port >= ports.unwrap_or(SERIAL_PORTS) {
                self.controller += 1;
                self.port = 1;
                continue;
            }
            let (controller, port) = (self.controller, self.port);
            self.port += 1;
            if !self.taken.contains(&(controller, port)) {
                return Address::VirtioSerial(VirtioSerialAddress {
                    controller,
                    bus: 0,
                    port,
                });
            }
        }
    }
}

/// Places of ports on the virtio serial bus; a channel to the host is a socket.
fn channels(devices: &mut Devices) {
    let mut places = SerialPorts::of(devices);
    for channel in &mut devices.channel {
        if !matches!(channel.target, ChannelTarget::Virtio(_)) {
            continue;
        }
        if channel.info.address.is_none() {
            channel.info.address = Some(places.next());
        }
        if let ChardevSource::Unix(UnixSource { mode, path, .. }) = &mut channel.chardev.source
            && path.is_none()
        {
            mode.get_or_insert(ChardevMode::Bind);
        }
    }
    for console in &mut devices.console {
        let virtio =
            console.target.and_then(|target| target.kind) == Some(ConsoleTargetType::Virtio);
        if virtio && console.info.address.is_none() {
            console.info.address = Some(places.next());
        }
    }
}

/// Whoever can see a guest needs a video card, a keyboard and a mouse to it.
fn displays(devices: &mut Devices) {
    for graphics in &mut devices.graphics {
        match &mut graphics.kind {
            GraphicsKind::Vnc(vnc) if vnc.port.is_none_or(|port| port < 0) => {
                vnc.autoport = Some(YesNo::Yes);
            }
            GraphicsKind::Spice(spice) => {
                if spice.port.is_none() {
                    spice.autoport = Some(YesNo::Yes);
                }
                if spice.autoport == Some(YesNo::Yes) {
                    // That of an earlier run, as a running guest shows it.
                    spice.tls_port = None;
                }
            }
            _ => {}
        }
        if graphics.is_server() && graphics.listen.is_empty() {
            graphics.listen.push(Listen::Address(Default::default()));
        }
    }
    if devices.graphics.is_empty() {
        return;
    }
    if devices.video.is_empty() {
        devices.video.push(Video::default());
    }
    for kind in [InputType::Mouse, InputType::Keyboard] {
        let there = devices
            .input
            .iter()
            .any(|input| input.kind == kind && input.bus == Some(InputBus::Ps2));
        if !there {
            devices.input.push(Input {
                kind,
                bus: Some(InputBus::Ps2),
                model: None,
                driver: None,
                source: None,
                info: Rare::default(),
            });
        }
    }
    for video in &mut devices.video {
        let model = video.model.get_or_insert_with(VideoModel::default);
        model.kind.get_or_insert(VideoModelType::Vga);
        model.heads.get_or_insert(1);
        if matches!(
            model.kind,
            Some(VideoModelType::Vga | VideoModelType::Cirrus | VideoModelType::Vmvga)
        ) {
            model.vram.get_or_insert(16384);
        }
    }
    for input in &mut devices.input {
        input.bus.get_or_insert(if input.kind == InputType::Tablet {
            InputBus::Usb
        } else {
            InputBus::Ps2
        });
    }
}

/// The controllers that the devices need and nobody named.
fn controllers(devices: &mut Devices, q35: bool) {
    let mut needed: Vec<(ControllerType, u32)> = vec![(ControllerType::Pci, 0)];
    for disk in &devices.disk {
        if let Some(Address::Drive(address)) = &disk.info.address {
            let kind = match disk.target.bus {
                Some(DiskBus::Ide) => ControllerType::Ide,
                Some(DiskBus::Sata) => ControllerType::Sata,
                Some(DiskBus::Scsi) => ControllerType::Scsi,
                Some(DiskBus::Fdc) => ControllerType::Fdc,
                _ => continue,
            };
            needed.push((kind, address.controller));
        }
    }
    let addresses = devices.channel.iter().map(|channel| &channel.info);
    for info in addresses.chain(devices.console.iter().map(|console| &console.info)) {
        if let Some(Address::VirtioSerial(address)) = &info.address {
            needed.push((ControllerType::VirtioSerial, address.controller));
        }
    }
    let usb = devices
        .input
        .iter()
        .any(|input| input.bus == Some(InputBus::Usb))
        || devices
            .disk
            .iter()
            .any(|disk| disk.target.bus == Some(DiskBus::Usb))
        || !devices.redirdev.is_empty();
    if usb {
        needed.push((ControllerType::Usb, 0));
    }
    indexes(&mut devices.controller);
    let mut there: HashSet<(ControllerType, u32)> = devices
        .controller
        .iter()
        .map(|controller| (controller.kind.kind(), controller.index()))
        .collect();
    for (kind, index) in needed {
        if there.insert((kind, index)) {
            let mut controller = Controller::new(kind, index);
            match &mut controller.kind {
                ControllerKind::Pci(pci) => {
                    pci.model = Some(if q35 {
                        PciModel::PcieRoot
                    } else {
                        PciModel::PciRoot
                    });
                }
                ControllerKind::Scsi(model) => *model = Some(ScsiModel::VirtioScsi),
                ControllerKind::Usb(model, _) => *model = Some(UsbModel::QemuXhci),
                _ => {}
            }
            insert(&mut devices.controller, controller);
        }
    }
}

/// Numbers the controllers that have no number: each gets the lowest that is free among its kind. A companion of a USB 2 controller has that
/// of the controller before it.
fn indexes(controllers: &mut [Controller]) {
    let mut taken: HashSet<(ControllerType, u32)> = controllers
        .iter()
        .filter_map(|controller| Some((controller.kind.kind(), controller.index?)))
        .collect();
    let mut free: HashMap<ControllerType, u32> = HashMap::new();
    let mut last_usb = 0;
    for controller in controllers {
        let kind = controller.kind.kind();
        let index = match controller.index {
            Some(index) => index,
            None if controller.info.master.is_some() => last_usb,
            None if is_root(&controller.kind) => 0,
            None => {
                // Bus 0 is the machine's own, whether it is named or not.
                let first = u32::from(kind == ControllerType::Pci);
                let next = free.entry(kind).or_insert(first);
                while !taken.insert((kind, *next)) {
                    *next += 1;
                }
                *next
            }
        };
        controller.index = Some(index);
        if kind == ControllerType::Usb {
            last_usb = index;
        }
    }
}

/// Whether a controller is the machine's own PCI bus.
fn is_root(kind: &ControllerKind) -> bool {
    match kind {
        ControllerKind::Pci(pci) => matches!(
            pci.model,
            None | Some(PciModel::PciRoot | PciModel::PcieRoot)
        ),
        _ => false,
    }
}

/// Puts a controller after those of its kind with a lower number; one of a new kind comes last, the root bus first.
fn insert(controllers: &mut Vec<Controller>, controller: Controller) {
    let (kind, index) = (controller.kind.kind(), controller.index());
    let place = if kind == ControllerType::Pci && index == 0 {
        0
    } else {
        let before = |other: &Controller| other.kind.kind() == kind && other.index() < index;
        controllers
            .iter()
            .rposition(before)
            .map_or(controllers.len(), |last| last + 1)
    };
    controllers.insert(place, controller);
}

/// Without any word about booting, from the first disk.
fn boot(definition: &mut Definition) {
    let ordered = super::machine::has_device_boot_order(definition);
    if let Some(os) = &mut definition.os
        && os.boot.is_empty()
        && os.direct.kernel.is_none()
        && !ordered
    {
        os.boot.push(BootDevice::Hd);
    }
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        assert_eq!(target("vda"), Some(("vd", 0)));
        assert_eq!(target("sdz"), Some(("sd", 25)));
        assert_eq!(target("sdaa"), Some(("sd", 26)));
        assert_eq!(target("hdb1"), Some(("hd", 1)));
        for wrong in ["", "vd", "vdA", "floppy", "../vda", "vdzzzzzzzzzz"] {
            assert_eq!(target(wrong), None, "{wrong}");
        }
    }
}
