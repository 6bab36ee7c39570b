//! Disks: source, driver and bus must fit each other.

use virtbus_conf_base::Result;
use virtbus_conf_base::common::DeviceLabel;
use virtbus_conf_storage::storage::{
    Auth, ChainEnd, Encryption, EncryptionFormat, ImageFormat, NetworkProtocol, StartupPolicy,
    StorageSource,
};
use virtbus_xml::YesNo;

use super::{invalid, unsupported};
use crate::domain::Domain;
use crate::domain::devices::address::Address;
use crate::domain::devices::disk::{Disk, DiskBus, DiskDevice, DiskDriver, SgIo, SnapshotMode};
use crate::domain::devices::iotune::IoTune;

/// Longest vendor and product, in bytes.
const VENDOR_LEN: usize = 8;
const PRODUCT_LEN: usize = 40;

pub(super) fn check(domain: &Domain, disk: &Disk) -> Result<()> {
    let name = &disk.target.dev;
    check_source(&disk.source)?;
    check_secrets(disk)?;
    for layer in &disk.backing.layers {
        check_source(&layer.source)?;
    }
    check_scsi_commands(disk)?;
    if let Some(tune) = &disk.iotune {
        check_iotune(tune)?;
    }
    check_bus(disk)?;
    if let StorageSource::Nvme(source) = &disk.source
        && source.namespace == 0
    {
        return unsupported("NVMe namespaces are numbered from 1");
    }
    if matches!(disk.source, StorageSource::VhostUser(_)) {
        check_vhost_user(disk)?;
    }
    check_labels(domain, disk)?;
    check_identity(disk)?;
    check_startup_policy(disk)?;
    let bus_is_floppy = disk.target.bus == Some(DiskBus::Fdc);
    if bus_is_floppy != (disk.device() == DiskDevice::Floppy) {
        return invalid(format!(
            "disk '{name}': floppy disks, and only those, are on an 'fdc' bus"
        ));
    }
    if disk.target.removable.is_some() && disk.target.bus != Some(DiskBus::Usb) {
        return invalid(format!("disk '{name}': 'removable' is for USB disks"));
    }
    check_name(disk)?;
    if disk.source.is_empty() && disk.device() == DiskDevice::Disk {
        return invalid(format!("disk '{name}' has no source"));
    }
    Ok(())
}

/// Secrets may stand outside of <source>, but not in both places.
fn check_secrets(disk: &Disk) -> Result<()> {
    let common = disk.source.common();
    if disk.head.auth.is_some() && common.auth.is_some() {
        return invalid("<auth> must not be in both <disk> and <source>");
    }
    if disk.encryption.is_some() && common.encryption.is_some() {
        return unsupported("<encryption> must not be in both <disk> and <source>");
    }
    if let (Some(auth), StorageSource::Network(network)) = (&disk.head.auth, &disk.source) {
        check_auth(auth, network.protocol)?;
    }
    disk.encryption.as_deref().map_or(Ok(()), check_encryption)
}

fn check_encryption(encryption: &Encryption) -> Result<()> {
    if encryption.format == EncryptionFormat::Luks && encryption.cipher.is_some() {
        return unsupported("an existing image has its cipher already");
    }
    Ok(())
}

fn check_auth(auth: &Auth, protocol: NetworkProtocol) -> Result<()> {
    let secret = auth.secret.kind.as_deref();
    let fits = match protocol {
        NetworkProtocol::Iscsi => secret == Some("iscsi"),
        NetworkProtocol::Rbd => secret == Some("ceph"),
        NetworkProtocol::Http
        | NetworkProtocol::Https
        | NetworkProtocol::Ftp
        | NetworkProtocol::Ftps
        | NetworkProtocol::Ssh => true,
        NetworkProtocol::Nbd
        | NetworkProtocol::Sheepdog
        | NetworkProtocol::Gluster
        | NetworkProtocol::Tftp
        | NetworkProtocol::Vxhs
        | NetworkProtocol::Nfs => {
            return unsupported(format!("<auth> is not supported for protocol '{protocol}'"));
        }
    };
    if !fits {
        return unsupported(format!(
            "a secret for protocol '{protocol}' is of another type"
        ));
    }
    Ok(())
}

fn check_source(source: &StorageSource) -> Result<()> {
    let common = source.common();
    if let StorageSource::Network(network) = source {
        if let Some(auth) = &common.auth {
            check_auth(auth, network.protocol)?;
        }
        let rbd = network.protocol == NetworkProtocol::Rbd;
        if !rbd && (network.snapshot.is_some() || network.config.is_some()) {
            return invalid("<snapshot> and <config> are for protocol 'rbd'");
        }
        check_cookies(network)?;
    }
    common
        .encryption
        .as_deref()
        .map_or(Ok(()), check_encryption)
}

fn check_cookies(network: &virtbus_conf_storage::storage::NetworkSource) -> Result<()> {
    if !network.cookies.is_empty()
        && !matches!(
            network.protocol,
            NetworkProtocol::Http | NetworkProtocol::Https
        )
    {
        return unsupported("cookies are for protocols 'http' and 'https'");
    }
    let bad_name = |b: u8| b <= b' ' || b >= 0x7f || b"\",;\\()<>@:[]?={}/".contains(&b);
    let bad_value = |b: u8| b <= b' ' || b >= 0x7f || b"\",;\\".contains(&b);
    for cookie in &network.cookies {
        if cookie.name.bytes().any(bad_name) {
            return invalid(format!("invalid cookie name '{}'", cookie.name));
        }
        let value = cookie
            .value
            .strip_prefix('"')
            .and_then(|v| v.strip_suffix('"'))
            .unwrap_or(&cookie.value);
        if value.bytes().any(bad_value) {
            return invalid(format!(
                "the value of cookie '{}' has forbidden characters",
                cookie.name
            ));
        }
    }
    Ok(())
}

fn check_scsi_commands(disk: &Disk) -> Result<()> {
    if disk.sgio == Some(SgIo::Unfiltered) {
        return unsupported("sgio='unfiltered' is not supported any more");
    }
    if disk.device() != DiskDevice::Lun {
        if disk.source.common().reservations.is_some() {
            return unsupported("<reservations> are for device='lun'");
        }
        if disk.rawio.is_some() || disk.sgio.is_some() {
            return unsupported("'rawio' and 'sgio' are for device='lun'");
        }
        return Ok(());
    }
    match &disk.source {
        StorageSource::Network(source) if source.protocol != NetworkProtocol::Iscsi => {
            return unsupported(format!(
                "device='lun' cannot be reached by protocol '{}'",
                source.protocol
            ));
        }
        StorageSource::Network(_) | StorageSource::Volume(_) | StorageSource::Block(_) => {}
        _ => return unsupported("device='lun' needs a block device"),
    }
    if disk
        .format()
        .is_some_and(|f| !matches!(f, ImageFormat::Raw | ImageFormat::None))
    {
        return unsupported("device='lun' needs the format 'raw'");
    }
    if !disk.source.common().slices.is_empty() {
        return unsupported("device='lun' cannot be a slice");
    }
    if disk
        .encryption()
        .is_some_and(|e| e.format != EncryptionFormat::Default)
    {
        return unsupported("device='lun' cannot be encrypted");
    }
    Ok(())
}

pub(super) fn check_iotune(tune: &IoTune) -> Result<()> {
    let pairs = [
        (
            "bytes_sec",
            tune.total_bytes_sec,
            tune.read_bytes_sec,
            tune.write_bytes_sec,
        ),
        (
            "iops_sec",
            tune.total_iops_sec,
            tune.read_iops_sec,
            tune.write_iops_sec,
        ),
        (
            "bytes_sec_max",
            tune.total_bytes_sec_max,
            tune.read_bytes_sec_max,
            tune.write_bytes_sec_max,
        ),
        (
            "iops_sec_max",
            tune.total_iops_sec_max,
            tune.read_iops_sec_max,
            tune.write_iops_sec_max,
        ),
    ];
    for (name, total, read, write) in pairs {
        if total > 0 && (read > 0 || write > 0) {
            return invalid(format!(
                "'{name}' is limited either in total or by direction"
            ));
        }
    }
    Ok(())
}

fn check_bus(disk: &Disk) -> Result<()> {
    let Some(bus) = disk.target.bus else {
        return Ok(());
    };
    let name = &disk.target.dev;
    let by_drive = matches!(
        bus,
        DiskBus::Ide | DiskBus::Fdc | DiskBus::Scsi | DiskBus::Sata
    );
    if by_drive
        && disk
            .info
            .address
            .as_ref()
            .is_some_and(|a| !matches!(a, Address::Drive(_)))
    {
        return unsupported(format!(
            "disk '{name}' on bus '{bus}' has an address of another kind"
        ));
    }
    if bus == DiskBus::Virtio {
        return Ok(());
    }
    if let Some(model) = disk.model {
        return unsupported(format!("disk model '{model}' does not fit bus '{bus}'"));
    }
    let Some(driver) = &disk.head.driver else {
        return Ok(());
    };
    let virtio_only = [
        ("queues", driver.queues.is_some()),
        ("queue_size", driver.queue_size.is_some()),
        ("event_idx", driver.event_idx.is_some()),
        ("ioeventfd", driver.ioeventfd.is_some()),
        (
            "iommu, ats, packed and page_per_vq",
            driver.virtio.has_any(),
        ),
    ];
    match virtio_only.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => unsupported(format!("{option}: for disks on the virtio bus only")),
        None => Ok(()),
    }
}

fn check_vhost_user(disk: &Disk) -> Result<()> {
    if disk.target.bus != Some(DiskBus::Virtio) {
        return unsupported("a vhost-user disk is on the virtio bus");
    }
    if disk.snapshot_mode() != Some(SnapshotMode::No) {
        return unsupported("a vhost-user disk takes part in no snapshot");
    }
    let none = DiskDriver::default();
    let driver = disk.head.driver.as_ref().unwrap_or(&none);
    let common = disk.source.common();
    let forbidden = [
        ("cache", driver.cache.is_some()),
        (
            "error_policy",
            driver.error_policy.is_some() || driver.rerror_policy.is_some(),
        ),
        ("io", driver.io.is_some()),
        ("ioeventfd", driver.ioeventfd.is_some()),
        ("copy_on_read", driver.copy_on_read.is_some()),
        ("discard", driver.discard.is_some()),
        ("iothread", driver.iothread.is_some()),
        ("detect_zeroes", driver.detect_zeroes.is_some()),
        ("metadata_cache", driver.metadata_cache.is_some()),
        (
            "iotune",
            disk.iotune
                .as_ref()
                .is_some_and(|t| t.has_any() || t.group_name.is_some()),
        ),
        ("throttlefilters", !disk.throttlefilters.is_empty()),
        (
            "backingStore",
            !disk.backing.layers.is_empty() || disk.backing.end == ChainEnd::Complete,
        ),
        ("encryption", disk.encryption().is_some()),
        ("readonly", disk.readonly),
        ("shareable", disk.shareable),
        ("transient", disk.transient.is_some()),
        ("serial", disk.serial.is_some()),
        ("wwn", disk.wwn.is_some()),
        ("vendor", disk.vendor.is_some()),
        ("product", disk.product.is_some()),
        ("auth", disk.auth().is_some() || common.auth.is_some()),
        ("geometry", disk.geometry.is_some()),
        (
            "blockio",
            disk.blockio
                .as_deref()
                .is_some_and(|b| *b != Default::default()),
        ),
    ];
    match forbidden.into_iter().find(|(_, given)| *given) {
        Some((what, _)) => unsupported(format!("{what}: not for vhost-user disks")),
        None => Ok(()),
    }
}

/// Checks the labels of a disk against each other and against those of the guest.
pub(in crate::domain) fn check_labels(domain: &Domain, disk: &Disk) -> Result<()> {
    let own = &disk.source.common().seclabel;
    let layers = disk
        .backing
        .layers
        .iter()
        .flat_map(|l| &l.source.common().seclabel);
    let overrides = |label: &DeviceLabel| {
        domain
            .seclabel
            .iter()
            .any(|of_guest| of_guest.model == label.model && of_guest.relabel == Some(YesNo::No))
    };
    for (i, label) in own.iter().enumerate() {
        if own.len() > 1 && label.model.is_none() {
            return invalid("each of several labels must name its security driver");
        }
        if own[..i].iter().any(|other| other.model == label.model) {
            return invalid("a disk has two labels for the same security driver");
        }
    }
    if own.iter().chain(layers).any(overrides) {
        return unsupported("a label of its own needs a guest whose files are labelled");
    }
    Ok(())
}

fn check_identity(disk: &Disk) -> Result<()> {
    let fields = [
        ("vendor", &disk.vendor, VENDOR_LEN),
        ("product", &disk.product, PRODUCT_LEN),
    ];
    for (what, value, most) in fields {
        let Some(value) = value else { continue };
        if !value.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return invalid(format!(
                "the {what} of a disk has only printable characters"
            ));
        }
        if value.len() > most {
            return unsupported(format!(
                "the {what} of a disk has at most {most} characters"
            ));
        }
    }
    Ok(())
}

fn check_startup_policy(disk: &Disk) -> Result<()> {
    let Some(policy) = disk.source.startup_policy() else {
        return Ok(());
    };
    let local = !matches!(
        disk.source,
        StorageSource::Network(_) | StorageSource::VhostUser(_) | StorageSource::VhostVdpa(_)
    );
    if !local {
        return invalid(format!(
            "startupPolicy='{policy}' is for images on this host"
        ));
    }
    if policy == StartupPolicy::Requisite && !disk.device().is_removable() {
        return invalid("startupPolicy='requisite' is for drives whose medium can be changed");
    }
    Ok(())
}

fn check_name(disk: &Disk) -> Result<()> {
    let name = &disk.target.dev;
    let begins = |prefixes: &[&str]| prefixes.iter().any(|p| name.starts_with(p));
    let fits = match disk.device() {
        DiskDevice::Disk | DiskDevice::Lun => begins(&["hd", "sd", "vd", "xvd", "ubd", "nvme"]),
        DiskDevice::Floppy => name.starts_with("fd"),
        DiskDevice::Cdrom => true,
    };
    if fits {
        Ok(())
    } else {
        invalid(format!(
            "invalid target name '{name}' for a device of type '{}'",
            disk.device()
        ))
    }
}
