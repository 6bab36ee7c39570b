//! Devices: the same ones in the same order at the same places.

use super::{Result, differs, same, same_debug, same_opt, same_xml, same_xml_opt};
use crate::domain::devices::DeviceRef;
use crate::domain::devices::Devices;
use crate::domain::devices::chardev::{Channel, ChannelTarget, Serial};
use crate::domain::devices::controller::Controller;
use crate::domain::devices::disk::Disk;
use crate::domain::devices::filesystem::Filesystem;
use crate::domain::devices::hostdev::{Hostdev, HostdevMode};
use crate::domain::devices::info::{DeviceInfo, VirtioOptions};
use crate::domain::devices::interface::Interface;
use crate::domain::devices::memory::{MemoryDevice, Shmem};
use crate::domain::devices::misc::{Input, Memballoon, Rng, Vsock};
use crate::domain::devices::sound::Sound;
use crate::domain::devices::tpm::{Tpm, TpmBackend};
use crate::domain::devices::video::Video;

pub(super) fn check(ours: &Devices, theirs: &Devices) -> Result<()> {
    let visible =
        |devices: &Devices| -> usize { devices.iter().filter(|d| is_visible(*d)).count() };
    for (what, a, b) in [
        ("disks", ours.disk.len(), theirs.disk.len()),
        (
            "controllers",
            ours.controller.len(),
            theirs.controller.len(),
        ),
        (
            "file systems",
            ours.filesystem.len(),
            theirs.filesystem.len(),
        ),
        ("interfaces", ours.interface.len(), theirs.interface.len()),
        ("input devices", ours.input.len(), theirs.input.len()),
        ("sound cards", ours.sound.len(), theirs.sound.len()),
        ("graphics cards", ours.video.len(), theirs.video.len()),
        (
            "devices of the host",
            ours.hostdev.len(),
            theirs.hostdev.len(),
        ),
        (
            "smart card readers",
            ours.smartcard.len(),
            theirs.smartcard.len(),
        ),
        ("serial ports", ours.serial.len(), theirs.serial.len()),
        ("parallel ports", ours.parallel.len(), theirs.parallel.len()),
        ("channels", ours.channel.len(), theirs.channel.len()),
        ("consoles", ours.console.len(), theirs.console.len()),
        ("hubs", ours.hub.len(), theirs.hub.len()),
        (
            "redirected devices",
            ours.redirdev.len(),
            theirs.redirdev.len(),
        ),
        ("watchdogs", ours.watchdog.len(), theirs.watchdog.len()),
        ("random number generators", ours.rng.len(), theirs.rng.len()),
        ("crash notifiers", ours.panic.len(), theirs.panic.len()),
        ("shared memories", ours.shmem.len(), theirs.shmem.len()),
        ("TPMs", ours.tpm.len(), theirs.tpm.len()),
        ("memory devices", ours.memory.len(), theirs.memory.len()),
        ("crypto devices", ours.crypto.len(), theirs.crypto.len()),
        ("all devices", visible(ours), visible(theirs)),
    ] {
        same(&format!("the number of {what}"), &a, &b)?;
    }
    let pairs = ours
        .iter()
        .filter(|d| is_visible(*d))
        .zip(theirs.iter().filter(|d| is_visible(*d)));
    for (ours, theirs) in pairs {
        check_pair(ours, theirs)?;
    }
    same_xml_opt(
        "the filter of redirected devices",
        &ours.redirfilter,
        &theirs.redirfilter,
    )
}

/// Displays, sound on the host and leases are nothing to the guest.
fn is_visible(device: DeviceRef<'_>) -> bool {
    !matches!(
        device,
        DeviceRef::Graphics(_) | DeviceRef::Audio(_) | DeviceRef::Lease(_)
    )
}

pub(super) fn check_pair(ours: DeviceRef<'_>, theirs: DeviceRef<'_>) -> Result<()> {
    use DeviceRef as D;
    same("a device", &ours.name(), &theirs.name())?;
    match (ours, theirs) {
        (D::Disk(a), D::Disk(b)) => disk(a, b)?,
        (D::Controller(a), D::Controller(b)) => controller(a, b)?,
        (D::Filesystem(a), D::Filesystem(b)) => filesystem(a, b)?,
        (D::Interface(a), D::Interface(b)) => interface(a, b)?,
        (D::Input(a), D::Input(b)) => input(a, b)?,
        (D::Sound(a), D::Sound(b)) => sound(a, b)?,
        (D::Video(a), D::Video(b)) => video(a, b)?,
        (D::Hostdev(a), D::Hostdev(b)) => hostdev(a, b)?,
        (D::Serial(a), D::Serial(b)) => serial(a, b)?,
        (D::Parallel(a), D::Parallel(b)) => same_xml_opt("a parallel port", &a.target, &b.target)?,
        (D::Console(a), D::Console(b)) => same_xml_opt("a console", &a.target, &b.target)?,
        (D::Channel(a), D::Channel(b)) => channel(a, b)?,
        (D::Hub(a), D::Hub(b)) => same("a hub", &a.kind, &b.kind)?,
        (D::Redirdev(a), D::Redirdev(b)) => {
            same_opt("the bus of a redirected device", &a.bus, &b.bus)?;
        }
        (D::Watchdog(a), D::Watchdog(b)) => {
            same("the watchdog", &a.model, &b.model)?;
            same_opt("what the watchdog does", &a.action, &b.action)?;
        }
        (D::Memballoon(a), D::Memballoon(b)) => memballoon(a, b)?,
        (D::Rng(a), D::Rng(b)) => rng(a, b)?,
        (D::Panic(a), D::Panic(b)) => same_opt("the crash notifier", &a.model, &b.model)?,
        (D::Shmem(a), D::Shmem(b)) => shmem(a, b)?,
        (D::Tpm(a), D::Tpm(b)) => tpm(a, b)?,
        (D::Memory(a), D::Memory(b)) => memory(a, b)?,
        (D::Iommu(a), D::Iommu(b)) => {
            same("the IOMMU", &a.model, &b.model)?;
            same_xml_opt("a setting of the IOMMU", &a.driver, &b.driver)?;
        }
        (D::Vsock(a), D::Vsock(b)) => vsock(a, b)?,
        (D::Crypto(a), D::Crypto(b)) => {
            same("the crypto device", &a.model, &b.model)?;
            same_xml(
                "what does the work of the crypto device",
                &a.backend,
                &b.backend,
            )?;
            virtio("the crypto device", a.driver.as_ref(), b.driver.as_ref())?;
        }
        (D::Pstore(a), D::Pstore(b)) => {
            same("the persistent store", &a.backend, &b.backend)?;
            same(
                "the size of the persistent store in KiB",
                &a.size.0,
                &b.size.0,
            )?;
        }
        // Of these only the place counts.
        (D::Smartcard(_), _)
        | (D::Nvram(_), _)
        | (D::Lease(_), _)
        | (D::Graphics(_), _)
        | (D::Audio(_), _) => {}
        // The names were equal, so that both are of one kind.
        _ => {}
    }
    match (ours.info(), theirs.info()) {
        (Some(a), Some(b)) => info(ours.name(), a, b),
        _ => Ok(()),
    }
}

fn info(what: &str, ours: &DeviceInfo, theirs: &DeviceInfo) -> Result<()> {
    same_xml_opt(
        &format!("the address of a <{what}>"),
        &ours.address,
        &theirs.address,
    )?;
    same_opt(
        &format!("the index of a <{what}>"),
        &ours.acpi_index,
        &theirs.acpi_index,
    )
}

fn virtio(what: &str, ours: Option<&VirtioOptions>, theirs: Option<&VirtioOptions>) -> Result<()> {
    let options = |given: Option<&VirtioOptions>| given.copied().unwrap_or_default();
    same_xml(
        &format!("a virtio option of {what}"),
        &options(ours),
        &options(theirs),
    )
}

fn disk(ours: &Disk, theirs: &Disk) -> Result<()> {
    let name = format!("disk '{}'", ours.target.dev);
    same(
        &format!("the type of {name}"),
        &ours.device(),
        &theirs.device(),
    )?;
    same_opt(
        &format!("the bus of {name}"),
        &ours.target.bus,
        &theirs.target.bus,
    )?;
    same("the name of a disk", &ours.target.dev, &theirs.target.dev)?;
    same_opt(
        &format!("the serial number of {name}"),
        &ours.serial,
        &theirs.serial,
    )?;
    let wwn = |d: &Disk| d.wwn.as_ref().map(|w| w.0.clone());
    same_opt(
        &format!("the world wide name of {name}"),
        &wwn(ours),
        &wwn(theirs),
    )?;
    same_opt(
        &format!("the vendor of {name}"),
        &ours.vendor,
        &theirs.vendor,
    )?;
    same_opt(
        &format!("the product of {name}"),
        &ours.product,
        &theirs.product,
    )?;
    same_opt(&format!("the model of {name}"), &ours.model, &theirs.model)?;
    same(
        &format!("whether {name} can be written"),
        &ours.readonly,
        &theirs.readonly,
    )?;
    let options = |d: &Disk| d.head.driver.as_ref().map(|d| d.virtio);
    virtio(&name, options(ours).as_ref(), options(theirs).as_ref())
}

fn controller(ours: &Controller, theirs: &Controller) -> Result<()> {
    same(
        "the kind of a controller",
        &ours.kind.kind(),
        &theirs.kind.kind(),
    )?;
    let name = format!("{} controller {}", ours.kind.kind(), ours.index());
    same("the number of a controller", &ours.index(), &theirs.index())?;
    if ours.kind != theirs.kind {
        // Older releases leave the model of the host bridge unsaid.
        let model = |c: &Controller| c.kind.model().unwrap_or("none").to_owned();
        same(
            &format!("the model of {name}"),
            &model(ours),
            &model(theirs),
        )?;
        return differs(
            &format!("a setting of {name}"),
            format_args!("{:?}", ours.kind),
            format_args!("{:?}", theirs.kind),
        );
    }
    same_opt(
        &format!("the master of {name}"),
        &ours.info.master,
        &theirs.info.master,
    )?;
    let options = |c: &Controller| c.driver.as_ref().map(|d| d.virtio);
    virtio(&name, options(ours).as_ref(), options(theirs).as_ref())
}

fn filesystem(ours: &Filesystem, theirs: &Filesystem) -> Result<()> {
    same_opt("the target of a file system", &ours.target, &theirs.target)?;
    same_opt("the model of a file system", &ours.model, &theirs.model)?;
    let options = |f: &Filesystem| f.head.driver.as_ref().map(|d| d.virtio);
    virtio(
        "a file system",
        options(ours).as_ref(),
        options(theirs).as_ref(),
    )
}

fn interface(ours: &Interface, theirs: &Interface) -> Result<()> {
    let mac = |i: &Interface| i.mac.as_ref().map(|m| m.address);
    same_opt("the address of an interface", &mac(ours), &mac(theirs))?;
    let name = format!("interface {}", mac(ours).unwrap_or_default());
    same_opt(
        &format!("the model of {name}"),
        &ours.options.model,
        &theirs.options.model,
    )?;
    let mtu = |i: &Interface| i.tail.mtu.unwrap_or(0);
    same(
        &format!("the largest packet of {name}"),
        &mtu(ours),
        &mtu(theirs),
    )?;
    same_xml_opt(
        &format!("the team of {name}"),
        &ours.tail.teaming,
        &theirs.tail.teaming,
    )?;
    let options = |i: &Interface| i.driver.as_ref().map(|d| d.virtio);
    virtio(&name, options(ours).as_ref(), options(theirs).as_ref())
}

fn input(ours: &Input, theirs: &Input) -> Result<()> {
    same("the kind of an input device", &ours.kind, &theirs.kind)?;
    same_opt("the bus of an input device", &ours.bus, &theirs.bus)?;
    same_opt("the model of an input device", &ours.model, &theirs.model)?;
    virtio(
        "an input device",
        ours.driver.as_ref(),
        theirs.driver.as_ref(),
    )
}

fn sound(ours: &Sound, theirs: &Sound) -> Result<()> {
    same("the sound card", &ours.model, &theirs.model)?;
    same_opt(
        "the streams of the sound card",
        &ours.streams,
        &theirs.streams,
    )?;
    virtio(
        "the sound card",
        ours.driver.as_ref(),
        theirs.driver.as_ref(),
    )
}

fn video(ours: &Video, theirs: &Video) -> Result<()> {
    let model = |v: &Video| v.model.clone().unwrap_or_default();
    let (a, b) = (model(ours), model(theirs));
    same_opt("the graphics card", &a.kind, &b.kind)?;
    for (what, ours, theirs) in [
        ("'ram'", a.ram, b.ram),
        ("'vram'", a.vram, b.vram),
        ("'vram64'", a.vram64, b.vram64),
        ("'vgamem'", a.vgamem, b.vgamem),
        ("'heads'", a.heads, b.heads),
    ] {
        same_opt(&format!("{what} of the graphics card"), &ours, &theirs)?;
    }
    let accelerated = |m: &crate::domain::devices::video::VideoModel| {
        m.acceleration
            .as_ref()
            .map(|a| (a.accel2d, a.accel3d))
            .unwrap_or_default()
    };
    same_debug(
        "acceleration of the graphics card",
        &accelerated(&a),
        &accelerated(&b),
    )?;
    let options = |v: &Video| v.driver.as_ref().map(|d| d.virtio);
    virtio(
        "the graphics card",
        options(ours).as_ref(),
        options(theirs).as_ref(),
    )
}

fn hostdev(ours: &Hostdev, theirs: &Hostdev) -> Result<()> {
    let kind = |h: &Hostdev| match &h.mode {
        HostdevMode::Subsystem(subsys) => subsys.kind().as_str(),
        HostdevMode::Capabilities(caps) => caps.kind().as_str(),
    };
    same(
        "the kind of a device of the host",
        &kind(ours),
        &kind(theirs),
    )?;
    same_opt(
        "the model of a mediated device",
        &ours.mdev_model,
        &theirs.mdev_model,
    )?;
    same_xml_opt(
        "the team of a device of the host",
        &ours.teaming,
        &theirs.teaming,
    )
}

fn serial(ours: &Serial, theirs: &Serial) -> Result<()> {
    let target = |s: &Serial| s.target.unwrap_or_default();
    let (a, b) = (target(ours), target(theirs));
    same_opt("what a serial port is attached to", &a.kind, &b.kind)?;
    same_opt("the model of a serial port", &a.model, &b.model)?;
    same_opt("the number of a serial port", &a.port, &b.port)
}

fn channel(ours: &Channel, theirs: &Channel) -> Result<()> {
    // Whether a program in the guest has it open is no matter.
    let target = |channel: &Channel| {
        let mut target = channel.target.clone();
        if let ChannelTarget::Virtio(virtio) = &mut target {
            virtio.state = None;
        }
        target
    };
    same_xml("a channel", &target(ours), &target(theirs))
}

fn memballoon(ours: &Memballoon, theirs: &Memballoon) -> Result<()> {
    same("the memory balloon", &ours.model, &theirs.model)?;
    same_opt(
        "whether the balloon deflates by itself",
        &ours.autodeflate,
        &theirs.autodeflate,
    )?;
    same_opt(
        "whether the guest tells of free pages",
        &ours.free_page_reporting,
        &theirs.free_page_reporting,
    )?;
    virtio(
        "the memory balloon",
        ours.driver.as_ref(),
        theirs.driver.as_ref(),
    )
}

fn rng(ours: &Rng, theirs: &Rng) -> Result<()> {
    same("the random number generator", &ours.model, &theirs.model)?;
    virtio(
        "the random number generator",
        ours.driver.as_ref(),
        theirs.driver.as_ref(),
    )
}

fn shmem(ours: &Shmem, theirs: &Shmem) -> Result<()> {
    same("the name of shared memory", &ours.name, &theirs.name)?;
    same_opt("the role in shared memory", &ours.role, &theirs.role)?;
    same_opt("the model of shared memory", &ours.model, &theirs.model)?;
    same_xml_opt("the size of shared memory", &ours.size, &theirs.size)?;
    same(
        "whether shared memory has a server",
        &ours.server.is_some(),
        &theirs.server.is_some(),
    )?;
    same_xml_opt("the interrupts of shared memory", &ours.msi, &theirs.msi)
}

fn tpm(ours: &Tpm, theirs: &Tpm) -> Result<()> {
    same(
        "what the TPM is on the host",
        &ours.backend.as_str(),
        &theirs.backend.as_str(),
    )?;
    same_opt("the model of the TPM", &ours.model, &theirs.model)?;
    if let (TpmBackend::Emulator(a), TpmBackend::Emulator(b)) = (&ours.backend, &theirs.backend) {
        same_opt("the version of the TPM", &a.version, &b.version)?;
        same_debug(
            "the active banks of the TPM",
            &a.active_pcr_banks,
            &b.active_pcr_banks,
        )?;
    }
    Ok(())
}

fn memory(ours: &MemoryDevice, theirs: &MemoryDevice) -> Result<()> {
    same("the model of a memory device", &ours.model, &theirs.model)?;
    let (a, b) = (&ours.target, &theirs.target);
    same_opt("the node of a memory device", &a.node, &b.node)?;
    same("the size of a memory device in KiB", &a.size.0, &b.size.0)?;
    same_xml_opt("the label of a memory device", &a.label, &b.label)?;
    same_xml_opt("the blocks of a memory device", &a.block, &b.block)?;
    same_xml_opt(
        "the requested size of a memory device",
        &a.requested,
        &b.requested,
    )?;
    same(
        "whether a memory device can be written",
        &a.readonly,
        &b.readonly,
    )?;
    same_debug(
        "the physical address of a memory device",
        &a.address,
        &b.address,
    )?;
    same_opt("the UUID of a memory device", &ours.uuid, &theirs.uuid)?;
    let source = |m: &MemoryDevice| {
        m.source
            .as_ref()
            .map(|s| (s.alignsize, s.pmem))
            .unwrap_or_default()
    };
    same_debug(
        "the alignment of a memory device",
        &source(ours),
        &source(theirs),
    )
}

fn vsock(ours: &Vsock, theirs: &Vsock) -> Result<()> {
    same_opt(
        "the model of the host's sockets",
        &ours.model,
        &theirs.model,
    )?;
    virtio(
        "the host's sockets",
        ours.driver.as_ref(),
        theirs.driver.as_ref(),
    )
}
