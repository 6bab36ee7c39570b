//! Disks: block nodes (`-blockdev`) and the devices in front of them.
//!
//! A disk has a node for where its bytes are and one for their format, named after the disk's index as libvirt names them
//! (`libvirt-N-storage`, `libvirt-N-format`).

use virtbus_api::Result;
use virtbus_api::security::Access;
use virtbus_conf_base::{OnOff, Text};
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::disk::{
    CacheMode, DetectZeroes, DiscardMode, Disk, DiskBus, DiskDevice, ErrorPolicy, IoMode,
    VirtioModel,
};
use virtbus_conf_storage::storage::{
    ChainEnd, ImageFormat, NetworkProtocol, NetworkSource, StorageSource,
};

use super::controller::{drive_bus, is_q35};
use super::{Builder, Props, alias, unsupported};
use crate::definition::{self, scsi};

/// Adds every disk.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    builder.try_each(&builder.devices.disk, |builder, disk| {
        let node = if disk.source.is_empty() {
            definition::check_source(disk)?;
            None
        } else {
            Some(chain(builder, disk)?)
        };
        device(builder, disk, node)
    });
    Ok(())
}

fn named(disk: &Disk, message: &str) -> virtbus_api::Error {
    unsupported(format!("disk '{}': {message}", disk.target.dev))
}

/// Adds the block nodes of a disk's images, deepest first; gives the name of the top one.
fn chain(builder: &mut Builder<'_>, disk: &Disk) -> Result<String> {
    if disk.encryption().is_some() {
        return Err(named(disk, "encrypted images are not supported"));
    }
    let access = if disk.readonly || disk.device() == DiskDevice::Cdrom {
        Access::ReadOnly
    } else if disk.shareable {
        Access::Shared
    } else {
        Access::ReadWrite
    };
    let index = disk
        .source
        .common()
        .index
        .ok_or_else(|| virtbus_api::Error::internal("a disk's source has no index"))?;
    let mut below = None;
    for (depth, layer) in disk.backing.layers.iter().enumerate().rev() {
        let format = layer
            .format
            .as_ref()
            .map_or(ImageFormat::Raw, |format| format.kind);
        let index = layer
            .index
            .or(layer.source.common().index)
            .unwrap_or(index + 1 + u32::try_from(depth).unwrap_or(0));
        let end = depth + 1 == disk.backing.layers.len() && disk.backing.end == ChainEnd::Complete;
        below = Some(node(
            builder,
            disk,
            &layer.source,
            format,
            index,
            Access::ReadOnly,
            below,
            end,
        )?);
    }
    let format = disk.format().unwrap_or(ImageFormat::Raw);
    let end = disk.backing.layers.is_empty() && disk.backing.end == ChainEnd::Complete;
    let top = node(
        builder,
        disk,
        &disk.source,
        format,
        index,
        access,
        below,
        end,
    )?;
    if disk
        .head
        .driver
        .as_ref()
        .is_some_and(|driver| driver.copy_on_read == Some(OnOff::On))
    {
        let name = format!("libvirt-{index}-copy");
        let props = Props::device("copy-on-read")
            .set("node-name", name.as_str())
            .set("file", top);
        builder.option("-blockdev", props.json());
        return Ok(name);
    }
    Ok(top)
}

/// Adds the two nodes of one image.
#[expect(
    clippy::too_many_arguments,
    reason = "each is one property of the two nodes"
)]
fn node(
    builder: &mut Builder<'_>,
    disk: &Disk,
    source: &StorageSource,
    format: ImageFormat,
    index: u32,
    access: Access,
    backing: Option<String>,
    end: bool,
) -> Result<String> {
    let storage = format!("libvirt-{index}-storage");
    let driver = disk.head.driver.clone().unwrap_or_default();
    let discard = match driver.discard {
        Some(DiscardMode::Ignore) => "ignore",
        Some(DiscardMode::Unmap) | None => "unmap",
    };
    let cache = cache(driver.cache);
    let mut props = protocol(builder, disk, source, access, driver.io)?
        .set("node-name", storage.as_str())
        .set("auto-read-only", true)
        .set("discard", discard);
    if let Some((direct, no_flush)) = cache {
        props = props.nest(
            "cache",
            Props::new().set("direct", direct).set("no-flush", no_flush),
        );
    }
    builder.option("-blockdev", props.json());

    let name = format!("libvirt-{index}-format");
    let mut props = Props::new()
        .set("node-name", name.as_str())
        .set("read-only", access == Access::ReadOnly)
        .set_opt("discard", driver.discard.map(|_| discard))
        .set_opt(
            "detect-zeroes",
            driver.detect_zeroes.map(|detect| match detect {
                DetectZeroes::Off => "off",
                DetectZeroes::On => "on",
                DetectZeroes::Unmap => "unmap",
            }),
        );
    if let Some((direct, no_flush)) = cache {
        props = props.nest(
            "cache",
            Props::new().set("direct", direct).set("no-flush", no_flush),
        );
    }
    props = props
        .set("driver", format_driver(disk, format)?)
        .set("file", storage);
    if format.has_backing() {
        props = match backing {
            Some(backing) => props.set("backing", backing),
            // Known to stand alone: what the image says of another must not be believed.
            None if end => props.set("backing", serde_json::Value::Null),
            // The daemon's own user can go where QEMU would go.
            None if builder.host.first_held.is_none() => props,
            None => match found(builder, disk, source, index)? {
                Some(backing) => props.set("backing", backing),
                None => props.set("backing", serde_json::Value::Null),
            },
        };
    }
    builder.option("-blockdev", props.json());
    Ok(name)
}

/// Adds the nodes of the files that an image names by itself, which are held since they were looked at. They are opened for reading, and with
/// the rights that the guest has anyway: nobody but who made the image vouches for the names.
fn found(
    builder: &mut Builder<'_>,
    disk: &Disk,
    source: &StorageSource,
    index: u32,
) -> Result<Option<String>> {
    if let StorageSource::Network(_) = source {
        return Err(named(
            disk,
            "the backing chain of a network image must be given in the definition (<backingStore/> if it has none)",
        ));
    }
    let backing = builder.host.backing;
    let mut known = backing.iter();
    // One that is not there is refused when the guest's files are looked at.
    let Some(backing) = known.find(|known| source.path().is_some_and(|p| known.image == *p)) else {
        return Ok(None);
    };
    let mut below = None;
    for (depth, layer) in backing.below.iter().enumerate().rev() {
        let storage = format!("libvirt-{index}-base{depth}-storage");
        let name = format!("libvirt-{index}-base{depth}-format");
        let driver = if layer.is_block {
            "host_device"
        } else {
            "file"
        };
        let props = Props::device(driver)
            .set("filename", builder.holds_layer(layer))
            .set("node-name", storage.as_str())
            .set("read-only", true);
        builder.option("-blockdev", props.json());
        let mut props = Props::device(format_driver(disk, layer.format)?)
            .set("node-name", name.as_str())
            .set("read-only", true)
            .set("file", storage);
        if layer.format.has_backing() {
            props = match below {
                Some(below) => props.set("backing", below),
                None => props.set("backing", serde_json::Value::Null),
            };
        }
        builder.option("-blockdev", props.json());
        below = Some(name);
    }
    Ok(below)
}

/// `direct` and `no-flush` of a cache mode.
fn cache(mode: Option<CacheMode>) -> Option<(bool, bool)> {
    match mode? {
        CacheMode::Default => None,
        CacheMode::None | CacheMode::Directsync => Some((true, false)),
        CacheMode::Writethrough | CacheMode::Writeback => Some((false, false)),
        CacheMode::Unsafe => Some((false, true)),
    }
}

/// Whether the guest sees a write cache.
fn write_cache(mode: Option<CacheMode>) -> Option<&'static str> {
    match mode? {
        CacheMode::Default => None,
        CacheMode::None | CacheMode::Writeback | CacheMode::Unsafe => Some("on"),
        CacheMode::Writethrough | CacheMode::Directsync => Some("off"),
    }
}

fn format_driver(disk: &Disk, format: ImageFormat) -> Result<&'static str> {
    match format {
        ImageFormat::Raw => Ok("raw"),
        ImageFormat::Qcow2 => Ok("qcow2"),
        ImageFormat::Qcow => Ok("qcow"),
        ImageFormat::Qed => Ok("qed"),
        ImageFormat::Vmdk => Ok("vmdk"),
        ImageFormat::Vdi => Ok("vdi"),
        ImageFormat::Vpc => Ok("vpc"),
        ImageFormat::Vhd => Ok("vhdx"),
        ImageFormat::Bochs => Ok("bochs"),
        ImageFormat::Cloop => Ok("cloop"),
        ImageFormat::Dmg => Ok("dmg"),
        other => Err(named(
            disk,
            &format!("images of format '{other}' cannot be used"),
        )),
    }
}

/// Where an image's bytes are.
fn protocol(
    builder: &mut Builder<'_>,
    disk: &Disk,
    source: &StorageSource,
    access: Access,
    io: Option<IoMode>,
) -> Result<Props> {
    let aio = io.map(|io| match io {
        IoMode::Native => "native",
        IoMode::Threads => "threads",
        IoMode::IoUring => "io_uring",
    });
    match source {
        StorageSource::File(file) => {
            let path = file
                .file
                .as_deref()
                .ok_or_else(|| named(disk, "it has no file"))?;
            Ok(Props::device("file")
                .set("filename", builder.holds(path, access))
                .set_opt("aio", aio))
        }
        StorageSource::Block(block) => {
            let path = block
                .dev
                .as_deref()
                .ok_or_else(|| named(disk, "it has no device"))?;
            Ok(Props::device("host_device")
                .set("filename", builder.holds(path, access))
                .set_opt("aio", aio))
        }
        StorageSource::Network(network) => remote(disk, network),
        StorageSource::Dir(dir) => {
            let path = dir
                .dir
                .as_deref()
                .ok_or_else(|| named(disk, "it has no directory"))?;
            Ok(Props::device("vvfat")
                .set("dir", path)
                .set("floppy", disk.device() == DiskDevice::Floppy))
        }
        other => {
            let kind = match other {
                StorageSource::Volume(_) => "volume",
                StorageSource::Nvme(_) => "nvme",
                StorageSource::VhostUser(_) => "vhostuser",
                _ => "vhostvdpa",
            };
            Err(named(
                disk,
                &format!("sources of type '{kind}' are not supported"),
            ))
        }
    }
}

fn remote(disk: &Disk, network: &NetworkSource) -> Result<Props> {
    if disk.auth().is_some() {
        return Err(named(disk, "sources that need a secret are not supported"));
    }
    match network.protocol {
        NetworkProtocol::Nbd => {
            let host = network
                .host
                .first()
                .ok_or_else(|| named(disk, "an NBD source needs a host"))?;
            let server = match &host.socket {
                Some(path) => Props::new().set("type", "unix").set("path", path.as_str()),
                None => Props::new()
                    .set("type", "inet")
                    .set("host", host.name.as_deref().unwrap_or_default())
                    .set(
                        "port",
                        host.port
                            .map_or_else(|| "10809".to_owned(), |port| port.to_string()),
                    ),
            };
            Ok(Props::device("nbd")
                .nest("server", server)
                .set_opt("export", network.name.as_deref()))
        }
        other => Err(named(
            disk,
            &format!("network sources of protocol '{other}' are not supported"),
        )),
    }
}

/// Adds the device that the guest sees.
fn device(builder: &mut Builder<'_>, disk: &Disk, node: Option<String>) -> Result<()> {
    let bus = disk
        .target
        .bus
        .ok_or_else(|| virtbus_api::Error::internal("a disk has no bus"))?;
    let driver = disk.head.driver.clone().unwrap_or_default();
    let id = alias(&disk.info)?;
    let model = match (bus, disk.device()) {
        (DiskBus::Virtio, DiskDevice::Disk) => match disk.model {
            None | Some(VirtioModel::Virtio) => "virtio-blk-pci",
            Some(VirtioModel::VirtioTransitional) => "virtio-blk-pci-transitional",
            Some(VirtioModel::VirtioNonTransitional) => "virtio-blk-pci-non-transitional",
        },
        (DiskBus::Scsi, DiskDevice::Disk) => "scsi-hd",
        (DiskBus::Scsi, DiskDevice::Cdrom) => "scsi-cd",
        (DiskBus::Scsi, DiskDevice::Lun) => "scsi-block",
        (DiskBus::Ide | DiskBus::Sata, DiskDevice::Disk) => "ide-hd",
        (DiskBus::Ide | DiskBus::Sata, DiskDevice::Cdrom) => "ide-cd",
        (DiskBus::Usb, DiskDevice::Disk | DiskDevice::Cdrom) => "usb-storage",
        (DiskBus::Fdc, DiskDevice::Floppy) => "floppy",
        (bus, device) => return Err(named(disk, &format!("a {device} cannot be on bus '{bus}'"))),
    };
    builder.require_device(model)?;
    let mut props = Props::device(model);
    match bus {
        DiskBus::Ide | DiskBus::Sata | DiskBus::Scsi | DiskBus::Fdc => {
            let Some(Address::Drive(address)) = &disk.info.address else {
                return Err(named(disk, "it has no drive address"));
            };
            let q35 = is_q35(builder.os);
            let (name, unit) = drive_bus(builder.devices, bus, *address, q35).ok_or_else(|| {
                named(
                    disk,
                    &format!(
                        "bus '{bus}' has no place for bus='{}' unit='{}'",
                        address.bus, address.unit
                    ),
                )
            })?;
            props = props.set("bus", name);
            let controllers = &builder.devices.controller;
            props = match bus {
                DiskBus::Scsi if scsi::has_only_units(controllers, address.controller) => {
                    if address.target != 0 {
                        return Err(named(
                            disk,
                            "its controller has no units below its targets: target must be 0, and unit is the number of the target",
                        ));
                    }
                    props
                        .set("scsi-id", address.unit)
                        .set("device_id", format!("drive-{id}"))
                }
                DiskBus::Scsi => props
                    .set("channel", 0)
                    .set("scsi-id", address.target)
                    .set("lun", address.unit)
                    .set("device_id", format!("drive-{id}")),
                _ => props.set("unit", unit),
            };
        }
        _ => {
            props = props
                .set_opt(
                    "iothread",
                    driver.iothread.map(|thread| format!("iothread{thread}")),
                )
                .set_opt("ioeventfd", driver.ioeventfd.map(bool::from))
                .set_opt("event_idx", driver.event_idx.map(bool::from))
                .set_opt("num-queues", driver.queues)
                .set_opt("queue-size", driver.queue_size);
            props = builder.place(props, &disk.info)?;
        }
    }
    if let Some(blockio) = &disk.blockio {
        props = props
            .set_opt("logical_block_size", blockio.logical_block_size)
            .set_opt("physical_block_size", blockio.physical_block_size)
            .set_opt("discard_granularity", blockio.discard_granularity);
    }
    if bus != DiskBus::Fdc && disk.shareable {
        props = props.set("share-rw", true);
    }
    props = props.set_opt("drive", node).set("id", id);
    props = builder.boot(props, &disk.info);
    if disk.device() != DiskDevice::Lun && bus != DiskBus::Fdc {
        props = props
            .set_opt("write-cache", write_cache(driver.cache))
            .set_opt("serial", disk.serial.as_deref().map(Text::as_str))
            .set_opt("werror", driver.error_policy.map(policy))
            .set_opt(
                "rerror",
                driver
                    .rerror_policy
                    .or(driver.error_policy)
                    .and_then(read_policy),
            );
    }
    if matches!(bus, DiskBus::Ide | DiskBus::Sata | DiskBus::Scsi)
        && disk.device() == DiskDevice::Disk
    {
        props = props.set_opt("rotation_rate", disk.target.rotation_rate);
    }
    if bus == DiskBus::Usb {
        props = props.set_opt("removable", disk.target.removable.map(bool::from));
    }
    builder.device(&props);
    Ok(())
}

fn policy(policy: ErrorPolicy) -> &'static str {
    match policy {
        ErrorPolicy::Stop => "stop",
        ErrorPolicy::Report => "report",
        ErrorPolicy::Ignore => "ignore",
        ErrorPolicy::Enospace => "enospc",
    }
}

/// A full disk is no reason for reading to stop.
fn read_policy(own: ErrorPolicy) -> Option<&'static str> {
    (own != ErrorPolicy::Enospace).then(|| policy(own))
}
