//! Disks.

use virtbus_conf_base::{OnOff, Result, YesNo};
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::disk::{
    CacheMode, Disk, DiskBus, DiskDevice, DiskDriver, IoMode, Transient,
};
use virtbus_conf_storage::storage::{
    Encryption, EncryptionEngine, EncryptionFormat, ImageFormat, NetworkProtocol, NetworkSource,
    StorageSource,
};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};

pub(super) fn check(of: Context<'_>, disk: &Disk) -> Result<()> {
    let Disk {
        head,
        source: image,
        device: _,
        model: _,
        rawio: _,
        sgio: _,
        snapshot: _,
        backing,
        backenddomain,
        geometry: _,
        blockio: _,
        mirror: _,
        target,
        iotune: _,
        throttlefilters: _,
        readonly,
        shareable,
        transient,
        serial,
        wwn: _,
        vendor: _,
        product: _,
        encryption: _,
        info: _,
        status: _,
    } = disk;
    let name = &target.dev;
    source(of, image, disk.format(), name)?;
    for layer in &backing.layers {
        let format = layer.format.as_ref().map(|format| format.kind);
        source(of, &layer.source, format, name)?;
    }
    if let Some(encryption) = disk.encryption() {
        encrypted(of, encryption, name)?;
    }
    if let Some(bus) = target.bus {
        on_bus(of, disk, bus)?;
    }
    if backenddomain.is_some() {
        return unsupported(format!(
            "disk '{name}': <backenddomain> is for Xen: QEMU's disks are served by the host"
        ));
    }
    if let Some(serial) = serial {
        let is_safe = |b: u8| b.is_ascii_alphanumeric() || b" _.+-:".contains(&b);
        if !serial.bytes().all(is_safe) {
            return unsupported(format!(
                "disk '{name}': the <serial> '{serial}' has other characters than letters, digits, spaces and _.+-:"
            ));
        }
    }
    let is_raw = disk
        .format()
        .is_none_or(|format| format == ImageFormat::Raw);
    if *shareable && !readonly && !is_raw {
        return unsupported(format!(
            "disk '{name}': <shareable/> needs the format 'raw', as guests would overwrite each other's tables"
        ));
    }
    if let Some(transient) = transient {
        self::transient(disk, transient)?;
    }
    let driver = head.driver.as_ref();
    driver.map_or(Ok(()), |driver| self::driver(of, disk, driver))
}

/// Changes to a transient disk go to a file that is dropped.
fn transient(disk: &Disk, transient: &Transient) -> Result<()> {
    let name = &disk.target.dev;
    if !matches!(disk.source, StorageSource::File(_)) {
        return unsupported(format!(
            "disk '{name}': <transient/> is supported for disks of type 'file' only"
        ));
    }
    if disk.readonly {
        return unsupported(format!(
            "disk '{name}' is read-only, so there are no changes for <transient/> to drop"
        ));
    }
    let is_shared = transient.share_backing.is_some_and(YesNo::is_yes);
    let can_be_plugged = matches!(
        disk.target.bus,
        Some(DiskBus::Usb | DiskBus::Virtio | DiskBus::Scsi)
    );
    if is_shared && !can_be_plugged {
        return unsupported(format!(
            "disk '{name}': shareBacking='yes' of <transient/> is for the buses 'usb', 'virtio' and 'scsi'"
        ));
    }
    Ok(())
}

fn on_bus(of: Context<'_>, disk: &Disk, bus: DiskBus) -> Result<()> {
    let name = &disk.target.dev;
    let device = disk.device();
    let address = disk.info.address.as_ref();
    match bus {
        DiskBus::Virtio => {
            if device == DiskDevice::Lun {
                of.need(
                    Cap::VirtioBlkPciScsi,
                    &format!("disk '{name}': device='lun' on bus 'virtio'"),
                )?;
            }
            let fits = matches!(
                address,
                None | Some(Address::Pci(_) | Address::Ccw(_) | Address::VirtioMmio)
            );
            if !fits {
                return unsupported(format!(
                    "disk '{name}' on bus 'virtio' has an <address> of another type"
                ));
            }
        }
        DiskBus::Usb => {
            of.need(Cap::UsbStorage, &format!("disk '{name}': bus 'usb'"))?;
            if disk.source.is_empty() {
                return unsupported(format!("disk '{name}' on bus 'usb' must not be empty"));
            }
            if !matches!(address, None | Some(Address::Usb(_))) {
                return unsupported(format!(
                    "disk '{name}' on bus 'usb' has an <address> of another type"
                ));
            }
        }
        DiskBus::Xen | DiskBus::Uml => {
            return unsupported(format!("disk '{name}': QEMU has no bus '{bus}'"));
        }
        DiskBus::Ide
        | DiskBus::Fdc
        | DiskBus::Scsi
        | DiskBus::Sata
        | DiskBus::Sd
        | DiskBus::Nvme => {}
    }
    if device == DiskDevice::Lun && !matches!(bus, DiskBus::Scsi | DiskBus::Virtio) {
        return unsupported(format!(
            "disk '{name}': device='lun' is for the buses 'scsi' and 'virtio'"
        ));
    }
    let is_scsi = bus == DiskBus::Scsi;
    let is_ata = matches!(bus, DiskBus::Ide | DiskBus::Sata);
    let rows = [
        (
            "<vendor>",
            disk.vendor.is_some(),
            is_scsi || bus == DiskBus::Usb,
        ),
        (
            "<product>",
            disk.product.is_some(),
            is_scsi || bus == DiskBus::Usb,
        ),
        ("<wwn>", disk.wwn.is_some(), is_scsi || is_ata),
        (
            "'rotation_rate'",
            disk.target.rotation_rate.is_some(),
            is_scsi || is_ata,
        ),
    ];
    for (what, is_given, fits) in rows {
        if is_given && !fits {
            return unsupported(format!("disk '{name}': {what} is not for bus '{bus}'"));
        }
    }
    if disk.target.rotation_rate.is_some() && device != DiskDevice::Disk {
        return unsupported(format!(
            "disk '{name}': 'rotation_rate' is for device='disk'"
        ));
    }
    Ok(())
}

fn driver(of: Context<'_>, disk: &Disk, driver: &DiskDriver) -> Result<()> {
    let name = &disk.target.dev;
    if let Some(other) = driver.name.as_deref().filter(|driver| *driver != "qemu") {
        return unsupported(format!(
            "disk '{name}': the driver of QEMU's disks is 'qemu', not '{other}'"
        ));
    }
    match driver.io {
        Some(IoMode::Native)
            if !matches!(driver.cache, Some(CacheMode::None | CacheMode::Directsync)) =>
        {
            return unsupported(format!(
                "disk '{name}': io='native' needs cache='none' or cache='directsync'"
            ));
        }
        Some(IoMode::IoUring) => {
            of.need(Cap::AioIoUring, &format!("disk '{name}': io='io_uring'"))?;
        }
        _ => {}
    }
    if driver.copy_on_read == Some(OnOff::On) && (disk.readonly || disk.device().is_removable()) {
        return unsupported(format!(
            "disk '{name}': copy_on_read='on' is not for read-only disks, CD-ROM and floppy drives"
        ));
    }
    let served = driver.iothread.is_some() || !driver.iothreads.is_empty();
    if served && disk.target.bus != Some(DiskBus::Virtio) {
        return unsupported(format!(
            "disk '{name}': I/O threads serve disks on bus 'virtio' only; those on bus 'scsi' are served by their controller's"
        ));
    }
    if !driver.iothreads.is_empty() {
        of.need(
            Cap::VirtioBlkIothreadMapping,
            &format!("disk '{name}': <iothreads>"),
        )?;
    }
    if driver.queue_size.is_some() {
        of.need(
            Cap::VirtioBlkQueueSize,
            &format!("disk '{name}': 'queue_size'"),
        )?;
    }
    if driver.discard_no_unref.is_some() {
        if driver.format != Some(ImageFormat::Qcow2) {
            return unsupported(format!(
                "disk '{name}': 'discard_no_unref' is for images of format 'qcow2'"
            ));
        }
        of.need(
            Cap::Qcow2DiscardNoUnref,
            &format!("disk '{name}': 'discard_no_unref'"),
        )?;
    }
    Ok(())
}

/// Whether QEMU can open a source in a format.
fn source(
    of: Context<'_>,
    source: &StorageSource,
    format: Option<ImageFormat>,
    name: &str,
) -> Result<()> {
    if let Some(format) = format {
        // What a volume is shows only when its pool is asked.
        let is_folder = matches!(source, StorageSource::Dir(_) | StorageSource::Volume(_));
        let instead = match format {
            ImageFormat::Dir => Some("use the disk type 'dir' with format 'fat'"),
            ImageFormat::Iso => Some("use 'raw'"),
            ImageFormat::Fat if !is_folder => {
                Some("a file system of type 'fat' is for the disk type 'dir'")
            }
            ImageFormat::Vhd => Some("use 'vpc'"),
            ImageFormat::Luks => Some("use 'raw' with <encryption format='luks'>"),
            ImageFormat::Ploop | ImageFormat::Cow => Some("convert the image"),
            _ => None,
        };
        if let Some(instead) = instead {
            return unsupported(format!(
                "disk '{name}': QEMU cannot open images of format '{format}': {instead}"
            ));
        }
    }
    match source {
        StorageSource::Network(network) => self::network(of, network, name)?,
        StorageSource::Nvme(_) => {
            of.need(Cap::DriveNvme, &format!("disk '{name}': type 'nvme'"))?;
        }
        StorageSource::VhostUser(_) => {
            of.need(
                Cap::VhostUserBlk,
                &format!("disk '{name}': type 'vhostuser'"),
            )?;
            super::shared::needs_shared_memory(of, &format!("disk '{name}' of type 'vhostuser'"))?;
        }
        StorageSource::VhostVdpa(_) => of.need(
            Cap::VirtioBlkVhostVdpa,
            &format!("disk '{name}': type 'vhostvdpa'"),
        )?,
        _ => {}
    }
    let encryption = source.common().encryption.as_deref();
    encryption.map_or(Ok(()), |encryption| encrypted(of, encryption, name))
}

fn network(of: Context<'_>, network: &NetworkSource, name: &str) -> Result<()> {
    let protocol = network.protocol;
    match protocol {
        NetworkProtocol::Sheepdog | NetworkProtocol::Vxhs => {
            return unsupported(format!(
                "disk '{name}': QEMU does not have the protocol '{protocol}' any more"
            ));
        }
        _ => {}
    }
    if network.tls_hostname.is_some() {
        if protocol != NetworkProtocol::Nbd {
            return unsupported(format!(
                "disk '{name}': 'tlsHostname' is for protocol 'nbd'"
            ));
        }
        of.need(
            Cap::BlockdevNbdTlsHostname,
            &format!("disk '{name}': 'tlsHostname'"),
        )?;
    }
    Ok(())
}

fn encrypted(of: Context<'_>, encryption: &Encryption, name: &str) -> Result<()> {
    let what = |what: &str| format!("disk '{name}': {what}");
    match encryption.engine {
        Some(EncryptionEngine::Librbd) => {
            of.need(Cap::RbdEncryption, &what("encryption with engine='librbd'"))?;
            if encryption.format == EncryptionFormat::LuksAny {
                of.need(
                    Cap::RbdEncryptionLuksAny,
                    &what("encryption with format='luks-any'"),
                )?;
            }
            if encryption.secret.len() > 1 {
                of.need(
                    Cap::RbdEncryptionLayering,
                    &what("encryption in layers, by several <secret>,"),
                )?;
            }
            Ok(())
        }
        Some(EncryptionEngine::Qemu) | None => match encryption.format {
            EncryptionFormat::Luks | EncryptionFormat::Default => Ok(()),
            EncryptionFormat::Qcow => unsupported(what(
                "QEMU cannot open images with <encryption format='qcow'> any more; convert the image to 'luks'",
            )),
            EncryptionFormat::Luks2 | EncryptionFormat::LuksAny => unsupported(format!(
                "disk '{name}': <encryption format='{}'> needs engine='librbd'",
                encryption.format
            )),
        },
    }
}
