//! `<disk>`: block devices.

use virtbus_conf_storage::storage::{
    Auth, BackingChain, Encryption, FileSource, Format, ImageFormat, MetadataCache, StorageSource,
};
use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, OnOff, Rare, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

use super::info::{DeviceInfo, VirtioOptions};
use super::iotune::IoTune;
use super::status::DiskStatus;

xml_names! {
    /// What the guest takes it for.
    pub enum DiskDevice {
        Disk = "disk",
        Cdrom = "cdrom",
        Floppy = "floppy",
        Lun = "lun",
    }
}

impl DiskDevice {
    /// Whether the medium can be changed.
    pub fn is_removable(self) -> bool {
        matches!(self, Self::Cdrom | Self::Floppy)
    }
}

xml_names! {
    /// What it is attached to.
    pub enum DiskBus {
        Ide = "ide",
        Fdc = "fdc",
        Scsi = "scsi",
        Virtio = "virtio",
        Xen = "xen",
        Usb = "usb",
        Uml = "uml",
        Sata = "sata",
        Sd = "sd",
        Nvme = "nvme",
    }
}

xml_names! {
    /// Which revision of virtio a device follows.
    pub enum VirtioModel {
        Virtio = "virtio",
        VirtioTransitional = "virtio-transitional",
        VirtioNonTransitional = "virtio-non-transitional",
    }
}

xml_names! {
    /// How a snapshot of the guest treats the disk.
    pub enum SnapshotMode {
        No = "no",
        Internal = "internal",
        External = "external",
        Manual = "manual",
    }
}

xml_names! {
    /// Whether the guest may send any SCSI command.
    pub enum SgIo {
        Filtered = "filtered",
        Unfiltered = "unfiltered",
    }
}

xml_names! {
    /// How the host caches the image.
    pub enum CacheMode {
        Default = "default",
        None = "none",
        Writethrough = "writethrough",
        Writeback = "writeback",
        Directsync = "directsync",
        Unsafe = "unsafe",
    }
}

xml_names! {
    /// What happens at an error of the image.
    pub enum ErrorPolicy {
        Stop = "stop",
        Report = "report",
        Ignore = "ignore",
        Enospace = "enospace",
    }
}

xml_names! {
    /// How the hypervisor does its I/O.
    pub enum IoMode {
        Native = "native",
        Threads = "threads",
        IoUring = "io_uring",
    }
}

xml_names! {
    /// What happens to discarded blocks.
    pub enum DiscardMode {
        Unmap = "unmap",
        Ignore = "ignore",
    }
}

xml_names! {
    /// Whether written zeroes are found.
    pub enum DetectZeroes {
        Off = "off",
        On = "on",
        Unmap = "unmap",
    }
}

/// `<iothread>` in `<iothreads>`: one of the I/O threads that serve the device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThreadMapping {
    /// Number of the I/O thread, from 1.
    #[xml(attr)]
    pub id: u32,
    /// Numbers of the queues that the thread serves; absent from all threads means that queues are distributed evenly.
    #[xml(child_attr = "queue/id")]
    pub queue: Vec<u32>,
}

/// `<driver>`: how the hypervisor handles the disk.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskDriver {
    /// Backend of the hypervisor: `qemu` for QEMU; `phy`, `tap`, `tap2` or `file` for Xen.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Format of the image, such as `raw` or `qcow2`; taken from the driver's default (`raw`), never probed, if absent.
    #[xml(attr = "type")]
    pub format: Option<ImageFormat>,
    /// Host page cache and flushes: `none`, `writeback`, `writethrough`, `directsync`, `unsafe` or `default`.
    #[xml(attr)]
    pub cache: Option<CacheMode>,
    /// What happens at a write error: `stop` pauses the guest, `report` tells it, `ignore` continues, `enospace` pauses
    /// if the storage is full and reports other errors.
    #[xml(attr)]
    pub error_policy: Option<ErrorPolicy>,
    /// What happens at a read error: `stop`, `report` or `ignore`; as `error_policy` if absent.
    #[xml(attr)]
    pub rerror_policy: Option<ErrorPolicy>,
    /// How the host does I/O: `threads`, `native` (Linux AIO) or `io_uring`.
    #[xml(attr)]
    pub io: Option<IoMode>,
    /// Whether the guest's notifications are handled by a thread of their own (ioeventfd) while the virtual CPU runs
    /// on; the hypervisor decides if absent.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    /// Whether guest and device may leave out notifications that the other does not need (virtio event index); the
    /// hypervisor decides if absent.
    #[xml(attr)]
    pub event_idx: Option<OnOff>,
    /// Whether data read from the backing image is copied into the disk's own image.
    #[xml(attr)]
    pub copy_on_read: Option<OnOff>,
    /// What happens to blocks that the guest discards: `unmap` frees them in the image, `ignore` keeps them.
    #[xml(attr)]
    pub discard: Option<DiscardMode>,
    /// Number of the I/O thread that serves the disk.
    #[xml(attr)]
    pub iothread: Option<u32>,
    /// What happens when the guest writes zeroes: `off` writes them, `on` writes them efficiently, `unmap` frees the
    /// blocks if `discard` allows.
    #[xml(attr)]
    pub detect_zeroes: Option<DetectZeroes>,
    /// Whether clusters of discarded blocks stay allocated in a qcow2 image, so that it does not become fragmented.
    #[xml(attr)]
    pub discard_no_unref: Option<OnOff>,
    /// Number of virtio queues; the hypervisor's default if absent.
    #[xml(attr)]
    pub queues: Option<u32>,
    /// Number of entries of each virtio queue, a power of two; the hypervisor's default if absent.
    #[xml(attr)]
    pub queue_size: Option<u32>,
    /// Options that all virtio devices have.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// Cache for the metadata of a qcow2 image.
    #[xml(child, skip_empty)]
    pub metadata_cache: Option<Box<MetadataCache>>,
    /// I/O threads that serve the disk together; excludes `iothread`.
    #[xml(child = "iothread", wrap = "iothreads")]
    pub iothreads: Rare<Vec<IoThreadMapping>>,
}

xml_names! {
    /// How a geometry is translated.
    pub enum GeometryTranslation {
        None = "none",
        Auto = "auto",
        Lba = "lba",
    }
}

/// `<geometry>`: the geometry of the disk that the guest sees.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Number of cylinders of the disk.
    #[xml(attr)]
    pub cyls: u32,
    /// Number of heads of the disk.
    #[xml(attr)]
    pub heads: u32,
    /// Number of sectors in each track.
    #[xml(attr)]
    pub secs: u32,
    /// BIOS translation of the geometry: `none`, `lba` or `auto`.
    #[xml(attr)]
    pub trans: Option<GeometryTranslation>,
}

/// `<blockio>`: block sizes that the guest sees, in bytes.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// Logical block size in bytes, the smallest unit of I/O; 512 if absent.
    #[xml(attr)]
    pub logical_block_size: Option<u32>,
    /// Physical block size in bytes, the unit of I/O that performs best; the logical one if absent.
    #[xml(attr)]
    pub physical_block_size: Option<u32>,
    /// Smallest amount in bytes that can be discarded in one operation; the hypervisor's default if absent.
    #[xml(attr)]
    pub discard_granularity: Option<u32>,
}

xml_names! {
    /// What a mirror is for.
    pub enum MirrorJob {
        Copy = "copy",
        ActiveCommit = "active-commit",
    }
}

xml_names! {
    /// How far a mirror is.
    pub enum MirrorState {
        Yes = "yes",
        Abort = "abort",
        Pivot = "pivot",
    }
}

/// `<mirror>`: a copy of the disk that a block job is making; running guests only.
#[derive(Describe, Debug, Clone, PartialEq)]
#[xml(more(attr = "file", value = Text, optional, doc = "Path of the copy's file, for older clients."))]
#[xml(more(attr = "format", value = ImageFormat, optional, doc = "Format of the copy, for older clients."))]
pub struct Mirror {
    /// Where the copy is written.
    #[xml(flat, late)]
    pub source: StorageSource,
    /// Block job that makes the copy: `copy` or `active-commit`.
    #[xml(attr, optional)]
    pub job: MirrorJob,
    /// State of the copy: `yes` when it is complete and follows the disk, `abort` or `pivot` while the job is ended.
    #[xml(attr)]
    pub ready: Option<MirrorState>,
    /// Format of the copy.
    #[xml(child)]
    pub format: Option<Format>,
    /// Images that the copy is based on.
    #[xml(flat)]
    pub backing: BackingChain,
}

impl Content for Mirror {
    fn parse(node: Node<'_>) -> Result<Self> {
        // Before sources could be of any kind, attributes named a file and its format.
        let file: Option<Text> = node.attr_opt("file")?;
        let old_format: Option<ImageFormat> = node.attr_opt("format")?;
        let source = match file {
            Some(file) if node.attr("type").is_none() => StorageSource::File(FileSource {
                file: Some(file),
                ..FileSource::default()
            }),
            _ if node.attr("type").is_none() => return Err(node.missing_attr("type")),
            _ => StorageSource::parse(node)?,
        };
        if source.is_empty() {
            return Err(node.error(ErrorKind::Missing, "a mirror needs a source"));
        }
        let format = node.child_opt("format")?.or(old_format.map(|kind| Format {
            kind,
            metadata_cache: None,
        }));
        Ok(Self {
            source,
            job: node.attr_opt("job")?.unwrap_or(MirrorJob::Copy),
            ready: node.attr_opt("ready")?,
            format,
            backing: BackingChain::parse(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        self.source.attrs(w);
        if let (StorageSource::File(source), MirrorJob::Copy) = (&self.source, self.job) {
            w.attr_opt("file", &source.file);
            w.attr_opt("format", &self.format.map(|f| f.kind));
        }
        w.attr("job", &self.job);
        w.attr_opt("ready", &self.ready);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(format) = &self.format {
            w.element("format", format);
        }
        self.source.children(w);
        self.backing.children(w);
    }
}

xml_names! {
    /// Whether a drive's tray is open.
    pub enum Tray {
        Closed = "closed",
        Open = "open",
    }
}

/// `<target>`: what the guest sees of the disk.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskTarget {
    /// Name of the disk, unique in the guest, such as `vda`; a hint for the name that the guest gives it.
    #[xml(attr)]
    pub dev: Text,
    /// Bus that the disk is attached to, such as `virtio`, `scsi` or `sata`; found from the name if absent.
    #[xml(attr)]
    pub bus: Option<DiskBus>,
    /// Tray of a removable drive: `open` or `closed`; `closed` if absent.
    #[xml(attr)]
    pub tray: Option<Tray>,
    /// Whether a USB disk shows the guest that it is removable; `off` if absent.
    #[xml(attr)]
    pub removable: Option<OnOff>,
    /// Rotation rate in rotations per minute, 1025 to 65534; 1 means a solid state disk. SCSI, IDE and SATA only.
    #[xml(attr)]
    pub rotation_rate: Option<u32>,
}

/// `<transient>`: changes of the disk are discarded when the guest stops.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transient {
    /// Whether other guests may use the same image at the same time, each with changes of its own.
    #[xml(attr = "shareBacking", unset = YesNo::No, absent = "no")]
    pub share_backing: Option<YesNo>,
}

/// Children of `<disk>` that come before `<source>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskHead {
    /// How the hypervisor handles the disk.
    #[xml(child, skip_empty)]
    pub driver: Option<DiskDriver>,
    /// User name and secret for remote storage, in the old place outside of `<source>`.
    #[xml(child)]
    pub auth: Option<Box<Auth>>,
}

/// `<disk>`: a disk, CD-ROM or floppy drive, or SCSI unit of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct Disk {
    /// Driver settings, and user of remote storage.
    #[xml(flat)]
    pub head: DiskHead,
    /// Where the image is: type and source.
    #[xml(flat)]
    pub source: StorageSource,
    /// What the guest sees: `disk`, `cdrom`, `floppy`, or `lun`, to which SCSI commands are passed.
    #[xml(attr, absent = "disk")]
    pub device: Option<DiskDevice>,
    /// Virtio variant: `virtio` lets the driver choose, `virtio-transitional` also works with guests that know virtio
    /// 0.9 only, `virtio-non-transitional` needs virtio 1.0 or newer.
    #[xml(attr)]
    pub model: Option<VirtioModel>,
    /// Whether the hypervisor needs the capability for raw I/O (`CAP_SYS_RAWIO`); `device='lun'` only.
    #[xml(attr)]
    pub rawio: Option<YesNo>,
    /// Whether the guest may send all SCSI commands (`unfiltered`) or only harmless ones (`filtered`); `device='lun'`
    /// only.
    #[xml(attr)]
    pub sgio: Option<SgIo>,
    /// How snapshots of the guest treat the disk: `internal`, `external`, `manual` or `no`.
    #[xml(attr, absent = "depends on the disk")]
    pub snapshot: Option<SnapshotMode>,
    /// Images that the disk's image is based on.
    #[xml(flat)]
    pub backing: Rare<BackingChain>,
    /// Name of the Xen guest that provides the disk (driver domain).
    #[xml(child_attr = "backenddomain/name")]
    pub backenddomain: Option<Box<Text>>,
    /// Geometry of the disk that the guest sees; the hypervisor's choice if absent.
    #[xml(child)]
    pub geometry: Option<Box<Geometry>>,
    /// Block sizes that the guest sees; the hypervisor's defaults if absent.
    #[xml(child, skip_empty)]
    pub blockio: Option<Box<BlockIo>>,
    /// Copy of the disk that a block job is making.
    #[xml(child, when = live)]
    pub mirror: Option<Box<Mirror>>,
    /// Name and bus of the disk in the guest.
    #[xml(child)]
    pub target: DiskTarget,
    /// Limits on the disk's throughput; no limits if absent.
    #[xml(child, skip_empty)]
    pub iotune: Option<Box<IoTune>>,
    /// Names of throttle groups whose limits apply to the disk.
    #[xml(child_attr = "throttlefilter/group", wrap = "throttlefilters")]
    pub throttlefilters: Rare<Vec<Text>>,
    /// Present if the guest may only read.
    #[xml(flag)]
    pub readonly: bool,
    /// Present if other guests may use the image at the same time; turns the cache off.
    #[xml(flag)]
    pub shareable: bool,
    /// Present if changes are discarded when the guest stops.
    #[xml(child)]
    pub transient: Option<Transient>,
    /// Serial number that the guest sees.
    #[xml(text_child)]
    pub serial: Option<Box<Text>>,
    /// World wide name that the guest sees: 16 hexadecimal digits.
    #[xml(text_child)]
    pub wwn: Option<Box<virtbus_conf_base::common::Wwn>>,
    /// Vendor that the guest sees, up to 8 characters; SCSI only.
    #[xml(text_child)]
    pub vendor: Option<Box<Text>>,
    /// Product name that the guest sees, up to 40 characters; SCSI only.
    #[xml(text_child)]
    pub product: Option<Box<Text>>,
    /// How the image's contents are encrypted, in the old place outside of `<source>`.
    #[xml(child)]
    pub encryption: Option<Box<Encryption>>,
    /// Boot order, alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// What only the driver knows of the running disk; status only.
    #[xml(flat)]
    pub status: Rare<DiskStatus>,
}

fn live(_: &Disk, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

impl Disk {
    /// What the guest takes it for, `disk` if nothing is said.
    pub fn device(&self) -> DiskDevice {
        self.device.unwrap_or(DiskDevice::Disk)
    }

    /// How a snapshot of the guest treats it, `None` if the snapshot is to decide.
    pub fn snapshot_mode(&self) -> Option<SnapshotMode> {
        self.snapshot
            .or_else(|| self.readonly.then_some(SnapshotMode::No))
    }

    /// Format of the image, if known.
    pub fn format(&self) -> Option<ImageFormat> {
        self.head.driver.as_ref()?.format
    }

    /// User of remote storage, wherever it stands.
    pub fn auth(&self) -> Option<&Auth> {
        self.head
            .auth
            .as_deref()
            .or(self.source.common().auth.as_deref())
    }

    /// Encryption, wherever it stands.
    pub fn encryption(&self) -> Option<&Encryption> {
        self.encryption
            .as_deref()
            .or(self.source.common().encryption.as_deref())
    }

    /// Whether it is opened by descriptors that a client passes.
    pub fn uses_fdgroup(&self) -> bool {
        matches!(&self.source, StorageSource::File(source) if source.fdgroup.is_some())
    }

    /// The driver's settings, to be changed; made if there are none.
    pub fn driver_mut(&mut self) -> &mut DiskDriver {
        self.head.driver.get_or_insert_with(DiskDriver::default)
    }
}
