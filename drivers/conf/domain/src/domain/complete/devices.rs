//! Defaults of single devices: those of the text first, then those that depend on the guest.

use virtbus_conf_base::Result;
use virtbus_conf_base::common::{Arch, DeviceLabel, Ip, MemoryAccess, OsType, VirtType};
use virtbus_conf_storage::storage::StorageSource;
use virtbus_xml::{Rare, YesNo};

use super::{Seams, disks, graphics, invalid, unsupported};
use crate::domain::Domain;
use crate::domain::devices::DeviceMut;
use crate::domain::devices::address::Address;
use crate::domain::devices::chardev::{
    ChannelTarget, Chardev, ChardevMode, ChardevProtocol, ChardevSource, Console, ConsoleTarget,
    ConsoleTargetType, ParallelTarget, SerialTarget, SerialTargetType, UnixSource,
};
use crate::domain::devices::controller::{Controller, ControllerKind, ControllerType, ScsiModel};
use crate::domain::devices::disk::Disk;
use crate::domain::devices::filesystem::{AccessMode, Filesystem, FilesystemSource};
use crate::domain::devices::hostdev::{
    Hostdev, HostdevMode, HostdevSubsys, MdevModel, ScsiHostdev,
};
use crate::domain::devices::info::DeviceInfo;
use crate::domain::devices::interface::{
    Interface, InterfaceMac, InterfaceSource, InterfaceTarget, MacvtapMode,
};
use crate::domain::devices::memory::{MemoryDevice, MemoryModel, ShmemModel};
use crate::domain::devices::misc::{Input, InputBus, InputType, RngBackend, Vsock, WatchdogAction};
use crate::domain::devices::smartcard::{RedirdevBus, SmartcardMode};
use crate::domain::devices::sound::SoundModel;
use crate::domain::devices::tpm::TpmBackend;
use crate::domain::devices::video::{Video, VideoModel, VideoModelType};

/// Network cards whose names are known.
const KNOWN_CARDS: [&str; 24] = [
    "netfront",
    "rtl8139",
    "virtio",
    "e1000",
    "e1000e",
    "igb",
    "virtio-transitional",
    "virtio-non-transitional",
    "usb-net",
    "spapr-vlan",
    "lan9118",
    "smc91c111",
    "vlance",
    "vmxnet",
    "vmxnet2",
    "vmxnet3",
    "Am79C970A",
    "Am79C973",
    "82540EM",
    "82545EM",
    "82543GC",
    "ne2k_pci",
    "pcnet",
    "i82551",
];

/// Disks and controllers in the order in which they are written.
pub(super) fn order(domain: &mut Domain) {
    let devices = &mut domain.devices;
    for disk in std::mem::take(&mut devices.disk) {
        disks::insert(&mut devices.disk, disk);
    }
    super::controllers::name_masters(&mut devices.controller);
    super::controllers::sort(&mut devices.controller);
    // The first graphics card is the primary one.
    if let Some(i) = devices.video.iter().position(is_primary) {
        devices.video[..=i].rotate_right(1);
    }
}

/// Consoles are numbered by their order, whatever a definition says.
pub(super) fn number_consoles(consoles: &mut [Console]) {
    for (console, port) in consoles.iter_mut().zip(0..) {
        console.target.get_or_insert_default().port = Some(port);
    }
}

fn is_primary(video: &Video) -> bool {
    video
        .model
        .as_ref()
        .is_some_and(|m| m.primary == Some(YesNo::Yes))
}

/// Drops what only a running guest has; numbers of images, which are always written, only with `inactive`.
pub(super) fn strip_live(mut device: DeviceMut<'_>, inactive: bool) {
    if let Some(info) = device.info_mut()
        && !info.has_user_alias()
    {
        info.alias = None;
    }
    match device {
        DeviceMut::Disk(disk) => {
            disk.mirror = None;
            strip_source(&mut disk.source, inactive);
            let layers = disk.backing.get_mut().map(|backing| &mut backing.layers);
            for layer in layers.into_iter().flatten() {
                layer.index = layer.index.filter(|_| !inactive);
                strip_source(&mut layer.source, inactive);
            }
        }
        DeviceMut::Interface(interface) => strip_interface(interface),
        DeviceMut::Graphics(device) => graphics::strip_live(device),
        DeviceMut::Serial(serial) => strip_chardev(&mut serial.chardev),
        DeviceMut::Parallel(parallel) => strip_chardev(&mut parallel.chardev),
        DeviceMut::Console(console) => strip_chardev(&mut console.chardev),
        DeviceMut::Channel(channel) => {
            strip_chardev(&mut channel.chardev);
            if let ChannelTarget::Virtio(target) = &mut channel.target {
                target.state = None;
            }
        }
        DeviceMut::Redirdev(redirdev) => strip_chardev(&mut redirdev.chardev),
        DeviceMut::Smartcard(card) => {
            if let SmartcardMode::Passthrough(chardev) = &mut card.mode {
                strip_chardev(chardev);
            }
        }
        DeviceMut::Rng(rng) => {
            if let RngBackend::Egd(chardev) = &mut rng.backend {
                strip_chardev(chardev);
            }
        }
        DeviceMut::Hostdev(hostdev) => {
            if let HostdevMode::Subsystem(HostdevSubsys::Usb(usb)) = &mut hostdev.mode {
                usb.missing = false;
            }
        }
        DeviceMut::Memory(memory) => memory.target.current = None,
        _ => {}
    }
}

pub(super) fn strip_source(source: &mut StorageSource, inactive: bool) {
    if inactive {
        source.clear_index();
    }
    source.strip_labels();
}

fn strip_chardev(chardev: &mut Chardev) {
    match &mut chardev.source {
        ChardevSource::Pty(pty) => pty.path = None,
        ChardevSource::Dev(source) | ChardevSource::File(source) | ChardevSource::Pipe(source) => {
            strip_labels(&mut source.seclabel);
        }
        ChardevSource::Unix(source) => strip_labels(&mut source.seclabel),
        _ => {}
    }
}

fn strip_labels(labels: &mut Rare<Vec<DeviceLabel>>) {
    if let Some(labels) = labels.get_mut() {
        DeviceLabel::strip_live(labels);
    }
    labels.tidy();
}

fn strip_interface(interface: &mut Interface) {
    interface.actual = None;
    if let InterfaceSource::Network(source) | InterfaceSource::Bridge(source) =
        &mut interface.source
    {
        if let Some(place) = source.place.get_mut() {
            place.portid = None;
        }
        source.place.tidy();
    }
    if let Some(mac) = &mut interface.mac {
        mac.current_address = None;
    }
    if let Some(target) = &mut interface.options.target
        && target.is_generated()
    {
        target.dev = None;
        if **target == InterfaceTarget::default() {
            interface.options.target = None;
        }
    }
}

/// Defaults that need no guest.
pub(super) fn settle(device: DeviceMut<'_>, seams: &mut Seams<'_>) -> Result<()> {
    match device {
        DeviceMut::Disk(disk) => disks::settle(disk),
        DeviceMut::Interface(interface) => settle_interface(interface, seams)?,
        DeviceMut::Serial(serial) => {
            settle_chardev(&mut serial.chardev);
            serial.target.get_or_insert(SerialTarget::default());
        }
        DeviceMut::Parallel(parallel) => {
            settle_chardev(&mut parallel.chardev);
            parallel.target.get_or_insert(ParallelTarget::default());
        }
        DeviceMut::Console(console) => {
            settle_chardev(&mut console.chardev);
            console.target.get_or_insert(ConsoleTarget::default());
        }
        DeviceMut::Channel(channel) => {
            settle_chardev(&mut channel.chardev);
            if let ChannelTarget::GuestFwd(target) = &channel.target
                && !matches!(target.address, Ip(std::net::IpAddr::V4(_)))
            {
                return unsupported("guestfwd channels have IPv4 addresses only");
            }
        }
        DeviceMut::Smartcard(card) => {
            if let SmartcardMode::Passthrough(chardev) = &mut card.mode {
                settle_chardev(chardev);
            }
        }
        DeviceMut::Redirdev(redirdev) => {
            redirdev.bus.get_or_insert(RedirdevBus::Usb);
            settle_chardev(&mut redirdev.chardev);
        }
        DeviceMut::Rng(rng) => {
            if let RngBackend::Egd(chardev) = &mut rng.backend {
                settle_chardev(chardev);
            }
            if let Some(rate) = &mut rng.rate {
                rate.period = rate.period.filter(|p| *p > 0);
            }
            rng.rate = rng.rate.filter(|r| r.bytes > 0);
        }
        DeviceMut::Graphics(device) => graphics::settle(device, seams.is_inactive())?,
        DeviceMut::Watchdog(watchdog) => {
            watchdog.action.get_or_insert(WatchdogAction::Reset);
        }
        DeviceMut::Shmem(shmem) => {
            shmem.model.get_or_insert(ShmemModel::Ivshmem);
            shmem.size = shmem.size.filter(|s| s.0.0 > 0);
        }
        DeviceMut::Tpm(tpm) => {
            if let TpmBackend::Passthrough(backend) = &mut tpm.backend {
                backend.device.get_or_insert_with(|| "/dev/tpm0".into());
            }
        }
        DeviceMut::Hostdev(hostdev) => settle_hostdev(hostdev)?,
        DeviceMut::Lease(lease) => lease.target.offset = lease.target.offset.filter(|o| *o > 0),
        DeviceMut::Memballoon(balloon) => {
            balloon.stats_period = balloon.stats_period.filter(|p| *p > 0);
        }
        DeviceMut::Vsock(vsock) => {
            if let Some(cid) = &mut vsock.cid {
                cid.address = cid.address.filter(|a| *a > 0);
            }
        }
        DeviceMut::Video(video) => settle_video(video),
        DeviceMut::Controller(controller) => settle_controller(controller)?,
        _ => {}
    }
    Ok(())
}

fn settle_chardev(chardev: &mut Chardev) {
    match &mut chardev.source {
        ChardevSource::Tcp(tcp) => {
            tcp.mode.get_or_insert(ChardevMode::Connect);
            tcp.protocol.get_or_insert(ChardevProtocol::Raw);
        }
        ChardevSource::Unix(unix) => {
            if unix.path.is_some() {
                unix.mode.get_or_insert(ChardevMode::Connect);
            } else {
                // Where the driver chooses the path, it chooses the rest as well.
                *unix = UnixSource::default();
            }
        }
        ChardevSource::Pty(pty) => {
            pty.append = None;
            if pty.path.is_none() {
                // There is nothing yet to have a label.
                pty.seclabel = Rare::default();
            }
        }
        ChardevSource::Dev(source) | ChardevSource::Pipe(source) => source.append = None,
        _ => {}
    }
}

fn settle_interface(interface: &mut Interface, seams: &mut Seams<'_>) -> Result<()> {
    match &mut interface.mac {
        None => interface.mac = Some(InterfaceMac::from(seams.new_mac())),
        Some(mac) if mac.address.is_multicast() => {
            return invalid(format!(
                "'{}' is the address of a group, not of an interface",
                mac.address
            ));
        }
        Some(_) => {}
    }
    match &mut interface.source {
        InterfaceSource::Network(source) if source.place.network.is_none() => {
            return invalid("an interface in a network must name the network");
        }
        InterfaceSource::Bridge(source) if source.bridge.is_none() => {
            return invalid("an interface on a bridge must name the bridge");
        }
        InterfaceSource::Direct(source) => {
            if source.dev.is_none() {
                return invalid("a direct interface must name the host's device");
            }
            source.mode.get_or_insert(MacvtapMode::Vepa);
        }
        _ => {}
    }
    if let InterfaceSource::Network(source) = &mut interface.source {
        // What the network is made of is not for a definition to say.
        source.bridge = None;
        source.mac_table_manager = None;
    }
    if let InterfaceSource::Bridge(source) = &mut interface.source
        && seams.is_inactive()
    {
        source.place = Default::default();
        source.mac_table_manager = None;
    }
    if let Some(model) = &mut interface.options.model
        && let Some(known) = KNOWN_CARDS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(model))
        && **model != **known
    {
        // Known names may be written in any case.
        *model = (*known).into();
    }
    let is_virtio = interface.is_virtio();
    if !is_virtio {
        interface.driver = None;
    }
    if let Some(driver) = &mut interface.driver {
        // There is always one.
        driver.queues = driver.queues.filter(|queues| *queues > 1);
    }
    let may_filter = matches!(
        interface.source,
        InterfaceSource::Ethernet(_) | InterfaceSource::Network(_) | InterfaceSource::Bridge(_)
    );
    if let Some(tail) = interface.tail.get_mut() {
        if let Some(filter) = &mut tail.filterref {
            filter.parameter.sort_by(|a, b| a.name.cmp(&b.name));
        }
        tail.mtu = tail.mtu.filter(|m| *m > 0);
        if !may_filter {
            tail.filterref = None;
        }
        if let Some(backend) = tail.backend.as_mut().filter(|_| !is_virtio) {
            backend.vhost = None;
        }
        let frames = tail.coalesce.and_then(|coalesce| coalesce.rx?.frames?.max);
        tail.coalesce = tail.coalesce.filter(|_| frames.is_some_and(|max| max > 0));
    }
    let addresses = interface.options.ip.get_mut().map(|info| &mut info.ip);
    for address in addresses.into_iter().flatten() {
        let family = address.address.family();
        if address.family.is_some_and(|f| f != family) {
            return invalid(format!(
                "address {} is not of the family given",
                address.address
            ));
        }
        address.family = Some(family);
        if address.prefix.is_some_and(|p| p > address.address.bits()) {
            return invalid(format!(
                "the prefix of address {} is too long",
                address.address
            ));
        }
        address.prefix = address.prefix.filter(|p| *p > 0);
    }
    if let InterfaceSource::Ethernet(source) = &mut interface.source {
        let addresses = source.ip.get_mut().map(|info| &mut info.ip);
        for address in addresses.into_iter().flatten() {
            address.family = Some(address.address.family());
            address.prefix = address.prefix.filter(|p| *p > 0);
        }
    }
    Ok(())
}

fn settle_hostdev(hostdev: &mut Hostdev) -> Result<()> {
    match &mut hostdev.mode {
        HostdevMode::Subsystem(subsys) => {
            hostdev.managed.get_or_insert(YesNo::No);
            if let HostdevSubsys::Scsi(ScsiHostdev::Iscsi { host, .. }) = subsys
                && host.len() != 1
            {
                return invalid("an iSCSI device is on exactly one host");
            }
            let is_scsi = matches!(subsys, HostdevSubsys::Scsi(_));
            if !is_scsi && (hostdev.sgio.is_some() || hostdev.rawio.is_some()) {
                return invalid("'sgio' and 'rawio' are for SCSI devices only");
            }
        }
        HostdevMode::Capabilities(_) => hostdev.managed = None,
    }
    Ok(())
}

fn settle_video(video: &mut Video) {
    let model = video.model.get_or_insert_with(VideoModel::default);
    model.heads = Some(model.heads.unwrap_or(1).max(1));
    for memory in [
        &mut model.ram,
        &mut model.vram,
        &mut model.vram64,
        &mut model.vgamem,
    ] {
        *memory = memory.filter(|m| *m > 0);
    }
    if let Some(resolution) = &model.resolution
        && (resolution.x == 0 || resolution.y == 0)
    {
        model.resolution = None;
    }
}

fn settle_controller(controller: &mut Controller) -> Result<()> {
    let iothread = controller
        .driver
        .as_ref()
        .is_some_and(|d| d.iothread.is_some() || !d.iothreads.is_empty());
    let virtio_scsi =
        matches!(controller.kind, ControllerKind::Scsi(Some(model)) if model.is_virtio());
    if iothread && !virtio_scsi {
        return invalid("only virtio SCSI controllers are served by I/O threads");
    }
    if let ControllerKind::Scsi(model @ Some(ScsiModel::Auto)) = &mut controller.kind {
        // To name the automatic choice is not to choose.
        *model = None;
    }
    let root = matches!(controller.kind.kind(), ControllerType::Pci);
    if controller.pcihole64.is_some() && !root {
        controller.pcihole64 = None;
    }
    Ok(())
}

/// Defaults that depend on the guest.
pub(super) fn complete(
    domain: &Domain,
    device: DeviceMut<'_>,
    seams: &mut Seams<'_>,
) -> Result<()> {
    match device {
        DeviceMut::Disk(disk) => return disks::complete(domain, disk, seams.driver.features()),
        DeviceMut::Hostdev(hostdev) => return complete_hostdev(domain, hostdev, seams),
        DeviceMut::Serial(serial) => {
            let isa_debug = serial
                .target
                .is_some_and(|t| t.kind == Some(SerialTargetType::IsaDebug));
            if isa_debug && !domain.arch().is_some_and(Arch::is_x86) {
                return unsupported("ISA debug consoles exist on x86 only");
            }
            let ports = domain
                .devices
                .serial
                .iter()
                .map(|s| s.target.and_then(|t| t.port));
            number(&mut serial.target.get_or_insert_default().port, ports);
        }
        DeviceMut::Parallel(parallel) => {
            let ports = domain
                .devices
                .parallel
                .iter()
                .map(|p| p.target.and_then(|t| t.port));
            number(&mut parallel.target.get_or_insert_default().port, ports);
        }
        DeviceMut::Console(console) => {
            let target = console.target.get_or_insert_default();
            target.kind.get_or_insert(ConsoleTargetType::Serial);
            let ports = domain
                .devices
                .console
                .iter()
                .map(|c| c.target.and_then(|t| t.port));
            number(&mut target.port, ports);
        }
        DeviceMut::Rng(rng) => {
            if let RngBackend::Random { path } = &mut rng.backend {
                path.get_or_insert_with(|| "/dev/random".into());
            }
        }
        DeviceMut::Video(video) => video_memory(domain, video),
        DeviceMut::Vsock(vsock) => vsock_cid(vsock),
        DeviceMut::Memory(memory) => complete_memory(domain, memory, seams),
        DeviceMut::Filesystem(fs) => filesystem(fs),
        DeviceMut::Input(input) => input_bus(domain, input),
        DeviceMut::Sound(sound)
            if sound.model == SoundModel::Virtio && sound.streams.unwrap_or(0) == 0 =>
        {
            sound.streams = Some(2);
        }
        _ => {}
    }
    Ok(())
}

/// The next number after those in use.
fn number(port: &mut Option<u32>, ports: impl Iterator<Item = Option<u32>>) {
    if port.is_none() {
        *port = Some(
            ports
                .flatten()
                .max()
                .map_or(0, |most| most.saturating_add(1)),
        );
    }
}

fn complete_hostdev(domain: &Domain, hostdev: &mut Hostdev, seams: &Seams<'_>) -> Result<()> {
    let HostdevMode::Subsystem(subsys) = &mut hostdev.mode else {
        return Ok(());
    };
    match subsys {
        HostdevSubsys::Scsi(scsi) => {
            if let ScsiHostdev::Iscsi { name, .. } = scsi
                && !name.contains('/')
            {
                name.push_str("/0");
            }
            disks::place_hostdev(domain, &mut hostdev.info, seams.driver.features())
        }
        HostdevSubsys::Mdev { .. } => {
            let fits = match (hostdev.mdev_model, &hostdev.info.address) {
                (_, None) => true,
                (Some(MdevModel::VfioPci), Some(address)) => matches!(address, Address::Pci(_)),
                (Some(MdevModel::VfioCcw), Some(address)) => matches!(address, Address::Ccw(_)),
                _ => true,
            };
            if fits {
                Ok(())
            } else {
                invalid("a mediated device of this model has another kind of address")
            }
        }
        HostdevSubsys::Pci(_) | HostdevSubsys::Usb(_) | HostdevSubsys::ScsiHost { .. } => Ok(()),
    }
}

/// Memory in KiB of a graphics card that does not say.
fn default_video_memory(domain: &Domain, kind: VideoModelType) -> u32 {
    match kind {
        VideoModelType::Vga | VideoModelType::Cirrus | VideoModelType::Vmvga => {
            match domain.virt_type {
                VirtType::Vbox => 8 * 1024,
                VirtType::Vmware => 4 * 1024,
                _ => 16 * 1024,
            }
        }
        VideoModelType::Xen => 4 * 1024,
        VideoModelType::Qxl => 64 * 1024,
        VideoModelType::Vbox
        | VideoModelType::Parallels
        | VideoModelType::Virtio
        | VideoModelType::Gop
        | VideoModelType::None
        | VideoModelType::Bochs
        | VideoModelType::Ramfb => 0,
    }
}

pub(super) fn video_memory(domain: &Domain, video: &mut Video) {
    let Some(model) = &mut video.model else {
        return;
    };
    let Some(kind) = model.kind else { return };
    let default = Some(default_video_memory(domain, kind)).filter(|m| *m > 0);
    if kind == VideoModelType::Qxl {
        model.ram = model.ram.or(default);
    }
    model.vram = model.vram.or(default);
    for memory in [&mut model.ram, &mut model.vram] {
        *memory = memory.map(|m| m.checked_next_power_of_two().unwrap_or(1 << 31));
    }
}

fn vsock_cid(vsock: &mut Vsock) {
    let cid = vsock.cid.get_or_insert_default();
    let fixed = cid.address.is_some_and(|a| a != 0);
    cid.auto.get_or_insert(YesNo::from(!fixed));
}

fn complete_memory(domain: &Domain, memory: &mut MemoryDevice, seams: &mut Seams<'_>) {
    match memory.model {
        MemoryModel::VirtioPmem => {
            memory.access.get_or_insert(MemoryAccess::Shared);
        }
        MemoryModel::Nvdimm => {
            if memory.uuid.is_none() && domain.arch().is_some_and(Arch::is_ppc64) {
                memory.uuid = Some(seams.new_uuid());
            }
        }
        MemoryModel::Dimm | MemoryModel::VirtioMem | MemoryModel::SgxEpc => {}
    }
}

fn filesystem(fs: &mut Filesystem) {
    let by_socket = match &fs.source {
        FilesystemSource::Mount(source) | FilesystemSource::Bind(source) => source.socket.is_some(),
        _ => false,
    };
    if !by_socket {
        fs.accessmode.get_or_insert(AccessMode::Passthrough);
    }
}

fn input_bus(domain: &Domain, input: &mut Input) {
    // No bus is what is not written.
    input.bus = input.bus.filter(|bus| *bus != InputBus::None);
    if input.bus.is_some() {
        return;
    }
    let arch = domain.arch();
    let x86 = arch.is_none_or(Arch::is_x86);
    input.bus = match domain.os_type() {
        Some(OsType::Hvm) => Some(match input.kind {
            InputType::Mouse | InputType::Keyboard if x86 => InputBus::Ps2,
            _ if arch.is_some_and(Arch::is_s390) => InputBus::Virtio,
            InputType::Passthrough => InputBus::Virtio,
            InputType::Evdev => InputBus::None,
            InputType::Mouse | InputType::Keyboard | InputType::Tablet => InputBus::Usb,
        }),
        Some(OsType::Xen | OsType::Xenpvh) => Some(InputBus::Xen),
        Some(OsType::Linux) if domain.virt_type == VirtType::Xen => Some(InputBus::Xen),
        _ if matches!(domain.virt_type, VirtType::Vz | VirtType::Parallels) => {
            Some(InputBus::Parallels)
        }
        _ => None,
    };
}

/// Whether a disk is attached to a bus of its controller at the same place.
pub(super) fn same_place(info: &DeviceInfo, place: &Address) -> bool {
    info.address.as_ref() == Some(place)
}

/// A disk's name for messages.
pub(super) fn disk_name(disk: &Disk) -> &str {
    &disk.target.dev
}
