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

/// `<iothread>` in `<iothreads>`: one of the threads that serve a disk.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IoThreadMapping {
    /// Which thread.
    #[xml(attr)]
    pub id: u32,
    /// The queues that it serves; none means that they are shared out.
    #[xml(child_attr = "queue/id")]
    pub queue: Vec<u32>,
}

/// `<driver>` of a disk.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskDriver {
    /// Part of the hypervisor that does it: `qemu`, `phy`, `tap`, …
    #[xml(attr)]
    pub name: Option<Text>,
    /// Format of the image.
    #[xml(attr = "type")]
    pub format: Option<ImageFormat>,
    /// Caching on the host.
    #[xml(attr)]
    pub cache: Option<CacheMode>,
    /// At an error.
    #[xml(attr)]
    pub error_policy: Option<ErrorPolicy>,
    /// At a read error.
    #[xml(attr)]
    pub rerror_policy: Option<ErrorPolicy>,
    /// How I/O is done.
    #[xml(attr)]
    pub io: Option<IoMode>,
    /// Whether a thread handles notifications.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    /// Whether to save interrupts.
    #[xml(attr)]
    pub event_idx: Option<OnOff>,
    /// Whether what is read is copied from the backing image.
    #[xml(attr)]
    pub copy_on_read: Option<OnOff>,
    /// Discarded blocks.
    #[xml(attr)]
    pub discard: Option<DiscardMode>,
    /// The I/O thread that serves it.
    #[xml(attr)]
    pub iothread: Option<u32>,
    /// Written zeroes.
    #[xml(attr)]
    pub detect_zeroes: Option<DetectZeroes>,
    /// Keep clusters of discarded blocks in a qcow2 image.
    #[xml(attr)]
    pub discard_no_unref: Option<OnOff>,
    /// Queues.
    #[xml(attr)]
    pub queues: Option<u32>,
    /// Entries of a queue.
    #[xml(attr)]
    pub queue_size: Option<u32>,
    /// Options of virtio.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// Cache of metadata.
    #[xml(child, skip_empty)]
    pub metadata_cache: Option<Box<MetadataCache>>,
    /// The I/O threads that serve it together.
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

/// `<geometry>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Cylinders.
    #[xml(attr)]
    pub cyls: u32,
    /// Heads.
    #[xml(attr)]
    pub heads: u32,
    /// Sectors of a track.
    #[xml(attr)]
    pub secs: u32,
    /// Translation.
    #[xml(attr)]
    pub trans: Option<GeometryTranslation>,
}

/// `<blockio>`: sizes in bytes.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// Smallest unit of I/O.
    #[xml(attr)]
    pub logical_block_size: Option<u32>,
    /// Best unit of I/O.
    #[xml(attr)]
    pub physical_block_size: Option<u32>,
    /// Smallest unit that can be discarded.
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

/// `<mirror>`: a copy in the making; running guests only.
#[derive(Describe, Debug, Clone, PartialEq)]
#[xml(more(attr = "file", value = Text, optional, doc = "The file, as older clients know it."))]
#[xml(more(attr = "format", value = ImageFormat, optional, doc = "The format, as older clients know it."))]
pub struct Mirror {
    /// Where it is.
    #[xml(flat, late)]
    pub source: StorageSource,
    /// What it is for.
    #[xml(attr, optional)]
    pub job: MirrorJob,
    /// Whether it is in step, or about to end.
    #[xml(attr)]
    pub ready: Option<MirrorState>,
    /// Its format.
    #[xml(child)]
    pub format: Option<Format>,
    /// What it is based on.
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

/// `<target>` of a disk.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskTarget {
    /// Name: a hint to the guest, and unique.
    #[xml(attr)]
    pub dev: Text,
    /// What it is attached to.
    #[xml(attr)]
    pub bus: Option<DiskBus>,
    /// Whether the tray is open.
    #[xml(attr)]
    pub tray: Option<Tray>,
    /// Whether a USB disk can be removed.
    #[xml(attr)]
    pub removable: Option<OnOff>,
    /// Rotations per minute; 1 means that it does not rotate.
    #[xml(attr)]
    pub rotation_rate: Option<u32>,
}

/// `<transient>`: changes are lost when the guest stops.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transient {
    /// Whether other guests may use the image meanwhile.
    #[xml(attr = "shareBacking", unset = YesNo::No, absent = "no")]
    pub share_backing: Option<YesNo>,
}

/// Children of `<disk>` that stand before `<source>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskHead {
    /// How the hypervisor handles it.
    #[xml(child, skip_empty)]
    pub driver: Option<DiskDriver>,
    /// User of remote storage, where it stands outside of `<source>`.
    #[xml(child)]
    pub auth: Option<Box<Auth>>,
}

/// `<disk>`.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct Disk {
    /// Driver and user.
    #[xml(flat)]
    pub head: DiskHead,
    /// Where the image is.
    #[xml(flat)]
    pub source: StorageSource,
    /// What the guest takes it for.
    #[xml(attr, absent = "disk")]
    pub device: Option<DiskDevice>,
    /// Revision of virtio.
    #[xml(attr)]
    pub model: Option<VirtioModel>,
    /// Whether it needs raw I/O on the host.
    #[xml(attr)]
    pub rawio: Option<YesNo>,
    /// Whether any SCSI command may be sent.
    #[xml(attr)]
    pub sgio: Option<SgIo>,
    /// How snapshots of the guest treat it.
    #[xml(attr, absent = "by what kind of disk it is")]
    pub snapshot: Option<SnapshotMode>,
    /// What the image is based on.
    #[xml(flat)]
    pub backing: Rare<BackingChain>,
    /// Guest that provides it, for Xen.
    #[xml(child_attr = "backenddomain/name")]
    pub backenddomain: Option<Box<Text>>,
    /// Geometry.
    #[xml(child)]
    pub geometry: Option<Box<Geometry>>,
    /// Block sizes.
    #[xml(child, skip_empty)]
    pub blockio: Option<Box<BlockIo>>,
    /// A copy in the making.
    #[xml(child, when = live)]
    pub mirror: Option<Box<Mirror>>,
    /// Name and bus.
    #[xml(child)]
    pub target: DiskTarget,
    /// Limits.
    #[xml(child, skip_empty)]
    pub iotune: Option<Box<IoTune>>,
    /// Limits shared with other disks, by group.
    #[xml(child_attr = "throttlefilter/group", wrap = "throttlefilters")]
    pub throttlefilters: Rare<Vec<Text>>,
    /// Whether the guest may not write.
    #[xml(flag)]
    pub readonly: bool,
    /// Whether other guests may use the image.
    #[xml(flag)]
    pub shareable: bool,
    /// Whether changes are lost.
    #[xml(child)]
    pub transient: Option<Transient>,
    /// Serial number.
    #[xml(text_child)]
    pub serial: Option<Box<Text>>,
    /// World wide name: 16 hexadecimal digits.
    #[xml(text_child)]
    pub wwn: Option<Box<virtbus_conf_base::common::Wwn>>,
    /// Vendor: up to 8 characters.
    #[xml(text_child)]
    pub vendor: Option<Box<Text>>,
    /// Product: up to 40 characters.
    #[xml(text_child)]
    pub product: Option<Box<Text>>,
    /// Encryption, where it stands outside of `<source>`.
    #[xml(child)]
    pub encryption: Option<Box<Encryption>>,
    /// Boot order, alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// What only the driver knows; status only.
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
