//! Devices other than disks and character devices, and devices against each other.

use std::collections::HashSet;

use virtbus_conf_base::Result;
use virtbus_conf_base::common::{Arch, MemoryAccess, OsType, VirtType};
use virtbus_xml::YesNo;

use super::{invalid, unsupported};
use crate::domain::Domain;
use crate::domain::devices::DeviceRef;
use crate::domain::devices::address::Address;
use crate::domain::devices::chardev::ConsoleTargetType;
use crate::domain::devices::controller::{Controller, ControllerKind, PciModel};
use crate::domain::devices::disk::{DiskBus, SgIo};
use crate::domain::devices::filesystem::{Filesystem, FilesystemDriverType};
use crate::domain::devices::graphics::{Graphics, GraphicsKind};
use crate::domain::devices::hostdev::{Hostdev, HostdevSubsys};
use crate::domain::devices::info::VirtioOptions;
use crate::domain::devices::interface::{Interface, InterfaceType, TeamingType};
use crate::domain::devices::memory::{MemoryDevice, MemoryModel, Shmem};
use crate::domain::devices::misc::{Input, InputBus, InputType, Vsock};
use crate::domain::devices::video::{Video, VideoBackend, VideoModelType};

pub(super) fn check(domain: &Domain, device: DeviceRef<'_>) -> Result<()> {
    if let Some(info) = device.info() {
        super::hypervisor::check_info(info)?;
        if info.address == Some(Address::Unassigned) && !matches!(device, DeviceRef::Hostdev(_)) {
            return unsupported(
                "only devices of the host can have an address of type 'unassigned'",
            );
        }
    }
    match device {
        DeviceRef::Interface(interface) => interface_fits(interface),
        DeviceRef::Controller(controller) => controller_fits(controller),
        DeviceRef::Hostdev(hostdev) => hostdev_fits(hostdev),
        DeviceRef::Video(video) => video_fits(domain, video),
        DeviceRef::Memory(memory) => memory_fits(domain, memory),
        DeviceRef::Vsock(vsock) => vsock_fits(vsock),
        DeviceRef::Input(input) => input_fits(domain, input),
        DeviceRef::Shmem(shmem) => shmem_fits(shmem),
        DeviceRef::Filesystem(fs) => filesystem_fits(fs),
        DeviceRef::Sound(sound) => audio_exists(domain, sound.audio),
        DeviceRef::Graphics(graphics) => graphics_fits(domain, graphics),
        _ => Ok(()),
    }
}

fn no_virtio_options(options: Option<&VirtioOptions>) -> Result<()> {
    if options.is_some_and(VirtioOptions::has_any) {
        return unsupported("iommu, ats, packed and page_per_vq are for virtio devices");
    }
    Ok(())
}

fn interface_fits(interface: &Interface) -> Result<()> {
    let kind = interface.source.kind();
    let unmanaged = interface
        .options
        .target
        .as_ref()
        .is_some_and(|t| t.managed == Some(YesNo::No));
    if unmanaged && kind != InterfaceType::Ethernet {
        return unsupported(format!(
            "an interface of type '{kind}' makes its own device on the host"
        ));
    }
    if let Some(teaming) = &interface.tail.teaming {
        match (teaming.kind, &teaming.persistent) {
            (TeamingType::Transient, None) => {
                return unsupported("a transient interface names the persistent one");
            }
            (TeamingType::Persistent, Some(_)) => {
                return unsupported("a persistent interface names no other one");
            }
            _ => {}
        }
    }
    let isolated = interface
        .connection
        .port
        .as_ref()
        .is_some_and(|p| p.isolated == Some(YesNo::Yes));
    if isolated {
        if !matches!(kind, InterfaceType::Network | InterfaceType::Bridge) {
            return unsupported(format!(
                "<port isolated> is not supported for interfaces of type '{kind}'"
            ));
        }
        if interface
            .connection
            .virtualport
            .as_ref()
            .is_some_and(|v| v.kind.is_some())
        {
            return unsupported("<port isolated> and <virtualport> exclude each other");
        }
    }
    check_virtualport(interface)?;
    if !interface.is_virtio() {
        no_virtio_options(interface.driver.as_ref().map(|d| &d.virtio))?;
    }
    Ok(())
}

fn check_virtualport(interface: &Interface) -> Result<()> {
    use virtbus_conf_base::common::VirtualPortType as Kind;
    let Some(port) = &interface.connection.virtualport else {
        return Ok(());
    };
    let parameters = port.parameters.clone().unwrap_or_default();
    let missing = |what: &str| invalid(format!("a port profile of this type needs '{what}'"));
    match port.kind {
        Some(Kind::Qbg) => {
            if parameters.managerid.is_none() {
                return missing("managerid");
            }
            if parameters.typeid.is_none() {
                return missing("typeid");
            }
            if parameters.typeidversion.is_none() {
                return missing("typeidversion");
            }
        }
        Some(Kind::Qbh) if parameters.profileid.is_none() => return missing("profileid"),
        Some(Kind::Midonet) if parameters.interfaceid.is_none() => return missing("interfaceid"),
        _ => {}
    }
    if parameters.profileid.as_ref().is_some_and(|p| p.len() > 39) {
        return invalid("'profileid' has at most 39 bytes");
    }
    Ok(())
}

fn controller_fits(controller: &Controller) -> Result<()> {
    let ControllerKind::Pci(pci) = &controller.kind else {
        return Ok(());
    };
    let index = controller.index();
    let is_root = matches!(pci.model, Some(PciModel::PciRoot | PciModel::PcieRoot));
    if is_root && controller.info.address.is_some() {
        return unsupported("a PCI root controller cannot have an address");
    }
    if index > 255 {
        return unsupported("PCI controllers have numbers up to 255");
    }
    let Some(target) = &pci.target else {
        return Ok(());
    };
    let ranges = [
        ("index", target.index.map(|n| n.0), 0..=30),
        ("chassisNr", target.chassis_nr.map(|n| n.0), 1..=255),
        ("chassis", target.chassis.map(|n| n.0), 0..=255),
        ("port", target.port.map(|n| n.0), 0..=255),
        ("busNr", target.bus_nr.map(|n| n.0), 1..=254),
    ];
    for (name, value, range) in ranges {
        if value.is_some_and(|v| !range.contains(&v)) {
            return unsupported(format!(
                "'{name}' of a PCI controller must be from {} to {}",
                range.start(),
                range.end()
            ));
        }
    }
    if target.index.is_some_and(|n| (n.0 == 0) != (index == 0)) {
        return unsupported("the first PCI controller, and no other, has the target index 0");
    }
    if target.node.is_some() && index == 0 {
        return unsupported("the first PCI controller belongs to no single guest node");
    }
    Ok(())
}

fn hostdev_fits(hostdev: &Hostdev) -> Result<()> {
    let address = hostdev.info.address.as_ref();
    if let Some(subsys) = hostdev.subsys() {
        let fits = match (subsys, address) {
            (_, None) | (HostdevSubsys::Mdev { .. }, _) => true,
            (HostdevSubsys::Pci(_), Some(a)) => matches!(a, Address::Pci(_) | Address::Unassigned),
            (HostdevSubsys::Scsi(_), Some(a)) => matches!(a, Address::Drive(_)),
            (HostdevSubsys::ScsiHost { .. }, Some(a)) => {
                matches!(a, Address::Pci(_) | Address::Ccw(_))
            }
            (HostdevSubsys::Usb(_), Some(a)) => matches!(a, Address::Usb(_)),
        };
        if !fits {
            return unsupported(format!(
                "a device of the host of type '{}' has another kind of address",
                subsys.kind()
            ));
        }
        if hostdev.sgio == Some(SgIo::Unfiltered) {
            return unsupported("sgio='unfiltered' is not supported any more");
        }
    }
    if let Some(teaming) = &hostdev.teaming {
        if teaming.kind != TeamingType::Transient || teaming.persistent.is_none() {
            return unsupported(
                "a device of the host is the transient part of a team, and names the other",
            );
        }
        if !matches!(hostdev.subsys(), Some(HostdevSubsys::Pci(_))) {
            return unsupported("only PCI devices of the host can be in a team");
        }
    }
    Ok(())
}

fn video_fits(domain: &Domain, video: &Video) -> Result<()> {
    let model = video.model.clone().unwrap_or_default();
    let Some(kind) = model.kind else {
        return invalid("a graphics card needs a model");
    };
    if kind == VideoModelType::None && domain.devices.video.len() > 1 {
        return unsupported("video model 'none' cannot be combined with other video devices");
    }
    let driver = video.driver.clone().unwrap_or_default();
    let vhost_user = driver.name == Some(VideoBackend::Vhostuser);
    if vhost_user && kind != VideoModelType::Virtio {
        return unsupported("only virtio graphics cards are rendered by vhost-user");
    }
    if !vhost_user
        && model
            .acceleration
            .as_ref()
            .is_some_and(|a| a.rendernode.is_some())
    {
        return unsupported("'rendernode' is for graphics cards rendered by vhost-user");
    }
    let qxl_only = model.ram.is_some() || model.vram64.is_some() || model.vgamem.is_some();
    if kind != VideoModelType::Qxl && qxl_only {
        return unsupported("'ram', 'vram64' and 'vgamem' are for model 'qxl'");
    }
    if kind == VideoModelType::Ramfb && video.info.address.is_some() {
        return unsupported("video model 'ramfb' cannot have an address");
    }
    if kind != VideoModelType::Virtio {
        no_virtio_options(Some(&driver.virtio))?;
        if model.blob.is_some() {
            return unsupported("'blob' is for model 'virtio'");
        }
    }
    Ok(())
}

fn memory_fits(domain: &Domain, memory: &MemoryDevice) -> Result<()> {
    let model = memory.model;
    let source = memory.source.clone().unwrap_or_default();
    let target = &memory.target;
    let persistent = matches!(model, MemoryModel::Nvdimm | MemoryModel::VirtioPmem);
    if persistent && source.path.is_none() {
        return invalid(format!(
            "memory of model '{model}' needs the path of a file"
        ));
    }
    if persistent && memory.discard == Some(YesNo::Yes) {
        return unsupported(format!("memory of model '{model}' cannot be discarded"));
    }
    match model {
        MemoryModel::Nvdimm => {
            let ppc64 = domain.arch().is_some_and(Arch::is_ppc64);
            if ppc64 && target.label.is_none() {
                return unsupported("an NVDIMM on pSeries needs a label");
            }
            if !ppc64 && memory.uuid.is_some() {
                return unsupported("an NVDIMM has a UUID on pSeries only");
            }
        }
        MemoryModel::VirtioPmem => {
            if memory.access != Some(MemoryAccess::Shared) {
                return unsupported("memory of model 'virtio-pmem' is shared");
            }
            if target.node.is_some() {
                return unsupported("memory of model 'virtio-pmem' belongs to no guest node");
            }
        }
        MemoryModel::VirtioMem => {
            let block = target.block.map_or(0, |b| b.0);
            let requested = target.requested.map_or(0, |r| r.0);
            if requested > target.size.0 {
                return invalid("no more memory can be requested than there is");
            }
            if !block.is_power_of_two() {
                return invalid("the size of a block is a power of two");
            }
            if !requested.is_multiple_of(block) {
                return invalid("memory is requested in blocks");
            }
        }
        MemoryModel::Dimm | MemoryModel::SgxEpc => {}
    }
    if target.dynamic_memslots.is_some() && model != MemoryModel::VirtioMem {
        return unsupported("'dynamicMemslots' is for model 'virtio-mem'");
    }
    Ok(())
}

fn vsock_fits(vsock: &Vsock) -> Result<()> {
    if vsock
        .cid
        .and_then(|c| c.address)
        .is_some_and(|a| matches!(a, 1 | 2))
    {
        return unsupported("addresses of guests begin with 3");
    }
    if vsock.model.is_none() {
        no_virtio_options(vsock.driver.as_ref())?;
    }
    Ok(())
}

fn input_fits(domain: &Domain, input: &Input) -> Result<()> {
    let (kind, bus) = (input.kind, input.bus);
    let pointer = matches!(kind, InputType::Mouse | InputType::Keyboard);
    let xen_guest = matches!(domain.os_type(), Some(OsType::Xen | OsType::Xenpvh))
        || (domain.virt_type == VirtType::Xen && domain.os_type() == Some(OsType::Linux));
    let wrong_bus = || match bus {
        Some(bus) => invalid(format!(
            "an input device of kind '{kind}' cannot be on bus '{bus}' here"
        )),
        None => invalid(format!("an input device of kind '{kind}' needs a bus")),
    };
    if domain.os_type() == Some(OsType::Hvm) {
        if (bus == Some(InputBus::Ps2) && !pointer) || bus == Some(InputBus::Xen) {
            return wrong_bus();
        }
    } else if xen_guest {
        if bus != Some(InputBus::Xen) || !pointer {
            return wrong_bus();
        }
    } else if matches!(domain.virt_type, VirtType::Vz | VirtType::Parallels) {
        if bus != Some(InputBus::Parallels) || !pointer {
            return wrong_bus();
        }
    } else {
        return invalid("input devices are not supported for this kind of guest");
    }
    let has_source = input
        .source
        .as_ref()
        .is_some_and(|s| s.evdev.is_some() || s.dev.is_some());
    match kind {
        InputType::Mouse | InputType::Tablet | InputType::Keyboard if has_source => {
            return unsupported(
                "only input devices of kind 'passthrough' and 'evdev' have a device of the host",
            );
        }
        InputType::Passthrough if bus != Some(InputBus::Virtio) => {
            return unsupported("input devices of the host are on the virtio bus");
        }
        InputType::Passthrough | InputType::Evdev if !has_source => {
            return invalid(format!(
                "an input device of kind '{kind}' needs a device of the host"
            ));
        }
        InputType::Evdev if bus != Some(InputBus::None) => {
            return unsupported("an input device of kind 'evdev' is on no bus");
        }
        _ => {}
    }
    if input.model.is_some() && bus != Some(InputBus::Virtio) {
        return unsupported("models of input devices are for the virtio bus");
    }
    if bus != Some(InputBus::Virtio) {
        no_virtio_options(input.driver.as_ref())?;
    }
    Ok(())
}

fn shmem_fits(shmem: &Shmem) -> Result<()> {
    if shmem.name.contains('/') || shmem.name == "." || shmem.name == ".." {
        return unsupported(format!("invalid name '{}' for shared memory", shmem.name));
    }
    if let Some(size) = shmem.size
        && (!size.0.0.is_power_of_two() || size.0.0 < 1 << 20)
    {
        return invalid("the size of shared memory is a power of two, and at least 1 MiB");
    }
    Ok(())
}

fn filesystem_fits(fs: &Filesystem) -> Result<()> {
    if fs.target.is_none() {
        return invalid("a file system needs a target");
    }
    let driver = fs.head.driver.as_ref().and_then(|d| d.kind);
    if fs.info.boot.is_some() && driver != Some(FilesystemDriverType::Virtiofs) {
        return unsupported("of file systems, only virtiofs has a place in the boot order");
    }
    Ok(())
}

fn audio_exists(domain: &Domain, id: Option<u32>) -> Result<()> {
    match id.filter(|id| *id != 0) {
        Some(id) if !domain.devices.audio.iter().any(|a| a.id == id) => {
            invalid(format!("no <audio> with id {id} is defined"))
        }
        _ => Ok(()),
    }
}

fn graphics_fits(domain: &Domain, graphics: &Graphics) -> Result<()> {
    match &graphics.kind {
        GraphicsKind::Vnc(vnc) => audio_exists(domain, vnc.audio),
        GraphicsKind::Dbus(dbus) => {
            if dbus.p2p == Some(YesNo::Yes) && dbus.address.is_some() {
                return invalid("a D-Bus display with p2p='yes' cannot have an address");
            }
            audio_exists(domain, dbus.audio)
        }
        _ => Ok(()),
    }
}

/// What only shows when devices are seen beside each other.
pub(super) fn check_together(domain: &Domain) -> Result<()> {
    disks_differ(domain)?;
    hostdevs_differ(domain)?;
    drives_differ(domain)?;
    aliases_differ(domain)?;
    filesystems_differ(domain)?;
    memories_differ(domain)?;
    let mut ids = HashSet::new();
    for audio in &domain.devices.audio {
        if !ids.insert(audio.id) {
            return invalid(format!("there are several <audio> with id {}", audio.id));
        }
    }
    Ok(())
}

fn disks_differ(domain: &Domain) -> Result<()> {
    let mut names = HashSet::new();
    let mut serials = HashSet::new();
    let mut wwns = HashSet::new();
    for disk in &domain.devices.disk {
        if !names.insert(&disk.target.dev) {
            return invalid(format!("several disks have the name '{}'", disk.target.dev));
        }
        if disk.wwn.as_ref().is_some_and(|wwn| !wwns.insert(wwn)) {
            // Two paths to one disk have everything in common.
            if disk
                .serial
                .as_ref()
                .is_none_or(|serial| !serials.contains(serial))
            {
                return unsupported("several disks have the same world wide name");
            }
        }
        serials.extend(&disk.serial);
    }
    Ok(())
}

fn hostdevs_differ(domain: &Domain) -> Result<()> {
    let devices = &domain.devices.hostdev;
    let mut ramfb = false;
    for (i, hostdev) in devices.iter().enumerate() {
        if devices[..i]
            .iter()
            .any(|other| same_hostdev(other, hostdev))
        {
            return invalid("the same device of the host is assigned by two <hostdev>");
        }
        if hostdev.ramfb.is_some_and(virtbus_xml::OnOff::is_on)
            && std::mem::replace(&mut ramfb, true)
        {
            return unsupported(
                "only one <hostdev> can be the firmware's screen: 'ramfb' is on for several",
            );
        }
    }
    Ok(())
}

/// Whether both name the same device of the host.
pub(crate) fn same_hostdev(a: &Hostdev, b: &Hostdev) -> bool {
    match (a.subsys(), b.subsys()) {
        (Some(HostdevSubsys::Pci(a)), Some(HostdevSubsys::Pci(b))) => a.address == b.address,
        (Some(HostdevSubsys::Usb(a)), Some(HostdevSubsys::Usb(b))) => {
            match (a.address, b.address) {
                (Some(a), Some(b)) => a == b,
                // By vendor and product alone nobody can tell two devices apart.
                _ => a.product.is_some() && a.product == b.product && a.address == b.address,
            }
        }
        (Some(a), Some(b)) => a == b,
        _ => a.mode == b.mode,
    }
}

fn drives_differ(domain: &Domain) -> Result<()> {
    let mut places = HashSet::new();
    for disk in &domain.devices.disk {
        if let Some(Address::Drive(drive)) = &disk.info.address
            && !places.insert((disk.target.bus, *drive))
        {
            return unsupported(format!(
                "disk '{}' is where another one is",
                disk.target.dev
            ));
        }
    }
    for hostdev in &domain.devices.hostdev {
        if let (Some(HostdevSubsys::Scsi(_)), Some(Address::Drive(drive))) =
            (hostdev.subsys(), &hostdev.info.address)
            && !places.insert((Some(DiskBus::Scsi), *drive))
        {
            return unsupported("a SCSI device of the host is where another one, or a disk, is");
        }
    }
    Ok(())
}

fn aliases_differ(domain: &Domain) -> Result<()> {
    let mut seen = HashSet::new();
    let twin = domain.devices.console.first().filter(|c| {
        !domain.devices.serial.is_empty()
            && c.target
                .is_none_or(|t| matches!(t.kind, None | Some(ConsoleTargetType::Serial)))
    });
    for device in domain.devices.iter() {
        // The first console is the first serial port under another name.
        if let (DeviceRef::Console(console), Some(twin)) = (device, twin)
            && std::ptr::eq(console, twin)
        {
            continue;
        }
        if let Some(info) = device.info().filter(|i| i.has_user_alias())
            && !seen.insert(info.alias.as_deref())
        {
            return unsupported(format!(
                "several devices have the alias '{}'",
                info.alias.as_deref().unwrap_or_default()
            ));
        }
    }
    Ok(())
}

fn filesystems_differ(domain: &Domain) -> Result<()> {
    let mut targets = HashSet::new();
    for fs in &domain.devices.filesystem {
        let virtiofs = fs
            .head
            .driver
            .as_ref()
            .is_some_and(|d| d.kind == Some(FilesystemDriverType::Virtiofs));
        if virtiofs && !targets.insert(&fs.target) {
            return unsupported(format!(
                "several file systems have the target '{}'",
                fs.target.as_deref().unwrap_or_default()
            ));
        }
    }
    Ok(())
}

/// Memory devices whose physical addresses are fixed do not overlap.
fn memories_differ(domain: &Domain) -> Result<()> {
    let mut ranges: Vec<(u64, u64)> = domain
        .devices
        .memory
        .iter()
        .filter_map(|m| {
            let start = m.target.address?.0;
            (start > 0).then(|| (start, start.saturating_add(m.target.size.bytes())))
        })
        .collect();
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if pair[1].0 < pair[0].1 {
            return unsupported(format!(
                "memory devices overlap at address {:#x}",
                pair[1].0
            ));
        }
    }
    Ok(())
}
