//! The kinds of `<source>`, chosen by `type` on the element around it.

use virtbus_conf_base::common::{DeviceLabel, DeviceLabels, PciAddress};
use virtbus_xml::{
    Bytes, Content, Describe, ErrorKind, Flags, Node, Nothing, Rare, Result, Text, Writer, Xml,
    YesNo, xml_names,
};

use super::{Auth, Encryption, NetworkSource, Reconnect, SourcePrivate};

xml_names! {
    /// Format of an image.
    pub enum ImageFormat {
        None = "none",
        Raw = "raw" | "aio",
        Dir = "dir",
        Bochs = "bochs",
        Cloop = "cloop",
        Dmg = "dmg",
        Iso = "iso",
        Vpc = "vpc",
        Vdi = "vdi",
        Fat = "fat",
        Vhd = "vhd",
        Ploop = "ploop",
        Luks = "luks",
        Cow = "cow",
        Qcow = "qcow",
        Qcow2 = "qcow2",
        Qed = "qed",
        Vmdk = "vmdk",
    }
}

impl ImageFormat {
    /// Whether images of this format can be based on others.
    pub fn has_backing(self) -> bool {
        self >= Self::Cow
    }
}

/// `<metadata_cache>`: cache for the metadata of a qcow2 image.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MetadataCache {
    /// Maximum size of the cache; the hypervisor's default if absent.
    #[xml(child)]
    pub max_size: Option<Bytes>,
}

/// `<format>`: the format of an image, and how its metadata is cached.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Image format, such as `raw` or `qcow2`.
    #[xml(attr = "type")]
    pub kind: ImageFormat,
    /// Cache for the image's metadata; qcow2 only.
    #[xml(child, skip_empty)]
    pub metadata_cache: Option<MetadataCache>,
}

xml_names! {
    /// What to do if an image is missing at start.
    pub enum StartupPolicy {
        Mandatory = "mandatory",
        Requisite = "requisite",
        Optional = "optional",
    }
}

/// `<slice>`: the part of a file or device that holds the image.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// What the part belongs to: always `storage`.
    #[xml(attr = "type")]
    pub kind: SliceKind,
    /// Offset of the part's first byte, in bytes.
    #[xml(attr)]
    pub offset: u64,
    /// Size of the part, in bytes.
    #[xml(attr)]
    pub size: u64,
}

xml_names! {
    /// What a slice is a part of.
    pub enum SliceKind {
        Storage = "storage",
    }
}

/// `<source>` in `<reservations>`: the socket of the helper that makes reservations.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "type", value = SocketKind, optional, doc = "Kind of the source: always `unix`, a socket."))]
#[xml(more(attr = "mode", value = Text, optional, doc = "Mode of the socket: always `client`."))]
pub struct ReservationsSocket {
    /// Path of the helper's socket.
    #[xml(attr)]
    pub path: Option<Text>,
}

impl Content for ReservationsSocket {
    fn parse(node: Node<'_>) -> Result<Self> {
        for (name, only) in [("type", "unix"), ("mode", "client")] {
            if let Some(value) = node.attr(name).filter(|v| *v != only) {
                return Err(node.bad_attr(name, value, &format!("'{only}'")));
            }
        }
        Ok(Self {
            path: node.attr_opt("path")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("type", "unix");
        w.attr_opt("path", &self.path);
        w.attr_str("mode", "client");
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<reservations>`: SCSI persistent reservations for the guest, made by a privileged helper.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Reservations {
    /// Whether the driver starts and stops the helper (qemu-pr-helper) itself; if `no`, `<source>` names its socket.
    #[xml(attr)]
    pub managed: Option<YesNo>,
    /// Socket of a helper that the driver does not manage.
    #[xml(child)]
    pub source: Option<ReservationsSocket>,
}

impl Content for Reservations {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            managed: node.attr_opt("managed")?,
            source: node.child_opt("source")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("managed", &self.managed);
    }

    fn children(&self, w: &mut Writer) {
        let ours = self.managed == Some(YesNo::Yes) && w.flags().contains(Flags::MIGRATABLE);
        if let Some(source) = self.source.as_ref().filter(|_| !ours) {
            w.element("source", source);
        }
    }
}

/// `<dataStore>`: the raw file in which a qcow2 image keeps the guest's data.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct DataStore {
    /// Where the data file is.
    #[xml(flat, late)]
    pub source: StorageSource,
    /// Format of the data file: `raw`.
    #[xml(child)]
    pub format: Option<Format>,
}

/// Parts that every kind of `<source>` may have.
#[derive(Describe, Nothing, Debug, Clone, Default, PartialEq)]
pub struct SourceCommon {
    /// Number of the image in a running guest, from 1; block job calls name it as `DISK[NUMBER]`.
    #[xml(attr)]
    pub index: Option<u32>,
    /// Part of the file or device that is used; absent means all of it.
    #[xml(child = "slice", wrap = "slices")]
    pub slices: Vec<Slice>,
    /// Security labels of the image, instead of the guest's.
    #[xml(child)]
    pub seclabel: Vec<DeviceLabel>,
    /// User name and secret for remote storage.
    #[xml(child)]
    pub auth: Option<Box<Auth>>,
    /// How the image's contents are encrypted.
    #[xml(child)]
    pub encryption: Option<Box<Encryption>>,
    /// SCSI persistent reservations for the guest; for `device='lun'` only.
    #[xml(child)]
    pub reservations: Option<Box<Reservations>>,
    /// What only the driver knows of the running image; status only.
    #[xml(child = "privateData", conditional)]
    pub private_data: Option<Box<SourcePrivate>>,
    /// Raw file in which a qcow2 image keeps the guest's data.
    #[xml(child = "dataStore")]
    pub data_store: Option<Box<DataStore>>,
}

impl Content for SourceCommon {
    fn parse(node: Node<'_>) -> Result<Self> {
        // This also keeps the recursion below shallow.
        if let Some(inner) = node
            .child_or_absent("dataStore")
            .child_or_absent("source")
            .child("dataStore")
        {
            return Err(inner.error(
                ErrorKind::Invalid,
                "a <dataStore> cannot have another <dataStore>",
            ));
        }
        Ok(Self {
            index: node.attr_opt("index")?,
            slices: node.child_or_absent("slices").child_vec("slice")?,
            seclabel: DeviceLabels::parse(node)?.0,
            auth: node.child_opt("auth")?,
            encryption: node.child_opt("encryption")?,
            reservations: node.child_opt("reservations")?,
            private_data: SourcePrivate::of(node)?,
            data_store: node.child_opt("dataStore")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("index", &self.index);
    }

    fn children(&self, w: &mut Writer) {
        if !self.slices.is_empty() {
            w.begin("slices");
            for slice in &self.slices {
                w.element("slice", slice);
            }
            w.end("slices");
        }
        DeviceLabel::write_all(&self.seclabel, w);
        if let Some(auth) = &self.auth {
            w.element("auth", auth);
        }
        if let Some(encryption) = &self.encryption {
            w.element("encryption", encryption);
        }
        if let Some(reservations) = &self.reservations {
            w.element("reservations", reservations);
        }
        SourcePrivate::write(&self.private_data, w);
        if let Some(store) = &self.data_store {
            w.element("dataStore", &**store);
        }
    }
}

/// `<source>` of `type='file'`: a file on the host.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct FileSource {
    /// Absolute path of the file; absent for a removable drive without a medium.
    #[xml(attr)]
    pub file: Option<Text>,
    /// Name of a group of file descriptors that the client has passed; the image is opened through them instead of the
    /// path.
    #[xml(attr)]
    pub fdgroup: Option<Box<Text>>,
    /// What happens if the image is missing at start: `mandatory` fails, `requisite` fails except after a migration or
    /// restore, `optional` starts without it; `mandatory` if absent.
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    /// Parts that every kind of source may have.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

/// `<source>` of `type='block'`: a block device of the host.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct BlockSource {
    /// Absolute path of the device; absent for a removable drive without a medium.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// What happens if the image is missing at start: `mandatory` fails, `requisite` fails except after a migration or
    /// restore, `optional` starts without it; `mandatory` if absent.
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    /// Parts that every kind of source may have.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

/// `<source>` of `type='dir'`: a folder that the guest sees as a FAT file system.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct DirSource {
    /// Absolute path of the folder.
    #[xml(attr)]
    pub dir: Option<Text>,
    /// What happens if the image is missing at start: `mandatory` fails, `requisite` fails except after a migration or
    /// restore, `optional` starts without it; `mandatory` if absent.
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    /// Parts that every kind of source may have.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

xml_names! {
    /// How an iSCSI volume is reached.
    pub enum VolumeMode {
        Host = "host",
        Direct = "direct",
    }
}

/// File or device that a storage volume was found to be when the guest started.
#[derive(Describe, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct TranslatedVolume {
    /// Kind of image that the volume is.
    #[xml(attr = "actualType", conditional)]
    pub kind: Option<StorageType>,
    /// Path of the volume, if it is a file.
    #[xml(attr, conditional)]
    pub file: Option<Box<Text>>,
    /// Path of the volume, if it is a block device.
    #[xml(attr, conditional)]
    pub dev: Option<Box<Text>>,
    /// Path of the volume, if it is a folder.
    #[xml(attr, conditional)]
    pub dir: Option<Box<Text>>,
}

impl Content for TranslatedVolume {
    fn parse(node: Node<'_>) -> Result<Self> {
        if !node.is_stored() {
            return Ok(Self::default());
        }
        Ok(Self {
            kind: node.attr_opt("actualType")?,
            file: node.attr_opt("file")?,
            dev: node.attr_opt("dev")?,
            dir: node.attr_opt("dir")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        if w.flags().contains(Flags::VOLUME_TRANSLATED) {
            w.attr_opt("actualType", &self.kind);
            w.attr_opt("file", &self.file);
            w.attr_opt("dev", &self.dev);
            w.attr_opt("dir", &self.dir);
        }
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<source>` of `type='volume'`: a volume of a storage pool.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct VolumeSource {
    /// Name of the storage pool.
    #[xml(attr)]
    pub pool: Option<Text>,
    /// Name of the volume in the pool.
    #[xml(attr)]
    pub volume: Option<Text>,
    /// How a volume of an iSCSI pool is reached: `host` through the host's device, `direct` by QEMU itself.
    #[xml(attr)]
    pub mode: Option<VolumeMode>,
    /// File or device that the volume was found to be; status only.
    #[xml(flat)]
    pub translated: Rare<TranslatedVolume>,
    /// What happens if the image is missing at start: `mandatory` fails, `requisite` fails except after a migration or
    /// restore, `optional` starts without it; `mandatory` if absent.
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    /// Parts that every kind of source may have.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

/// `<source>` of `type='nvme'`: a namespace of an NVMe controller that the hypervisor drives itself.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct NvmeSource {
    /// Kind of the controller's address: always `pci`.
    #[xml(attr = "type")]
    pub kind: NvmeBus,
    /// Whether the driver detaches the controller from the host at start and returns it afterwards; if not, the
    /// administrator must.
    #[xml(attr)]
    pub managed: Option<YesNo>,
    /// Number of the namespace on the controller, from 1.
    #[xml(attr)]
    pub namespace: u64,
    /// What happens if the image is missing at start: `mandatory` fails, `requisite` fails except after a migration or
    /// restore, `optional` starts without it; `mandatory` if absent.
    #[xml(attr = "startupPolicy")]
    pub startup_policy: Option<StartupPolicy>,
    /// PCI address of the controller on the host.
    #[xml(child)]
    pub address: PciAddress,
    /// Parts that every kind of source may have.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

xml_names! {
    /// Where an NVMe controller is.
    pub enum NvmeBus {
        Pci = "pci",
    }
}

/// `<source>` of `type='vhostuser'`: a disk that another process provides over a socket.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct VhostUserSource {
    /// Kind of the source: always `unix`, a socket.
    #[xml(attr = "type")]
    pub kind: SocketKind,
    /// Absolute path of the process's socket.
    #[xml(attr)]
    pub path: Text,
    /// Whether QEMU connects again after the connection is lost.
    #[xml(child, skip_empty)]
    pub reconnect: Option<Reconnect>,
    /// Parts that every kind of source may have.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

xml_names! {
    /// Kind of a socket.
    pub enum SocketKind {
        Unix = "unix",
    }
}

/// `<source>` of `type='vhostvdpa'`: a vDPA block device of the host.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct VhostVdpaSource {
    /// Absolute path of the vhost-vdpa character device.
    #[xml(attr)]
    pub dev: Text,
    /// Parts that every kind of source may have.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

/// Where an image is: the attribute `type` and the element `<source>`.
#[derive(Describe, Debug, Clone, PartialEq)]
#[xml(tag = "type", body = "source")]
pub enum StorageSource {
    /// A file on the host.
    #[xml("file", default)]
    File(FileSource),
    /// A block device of the host.
    #[xml("block")]
    Block(BlockSource),
    /// A folder of the host, shown as a FAT file system.
    #[xml("dir")]
    Dir(DirSource),
    /// An image on another machine.
    #[xml("network")]
    Network(Box<NetworkSource>),
    /// A volume of a storage pool.
    #[xml("volume")]
    Volume(Box<VolumeSource>),
    /// An NVMe namespace that the hypervisor drives without the host's driver.
    #[xml("nvme")]
    Nvme(NvmeSource),
    /// A disk that another process provides over a vhost-user socket.
    #[xml("vhostuser")]
    VhostUser(VhostUserSource),
    /// A vDPA block device of the host.
    #[xml("vhostvdpa")]
    VhostVdpa(VhostVdpaSource),
}

xml_names! {
    /// The name of a kind of source.
    pub enum StorageType {
        File = "file",
        Block = "block",
        Dir = "dir",
        Network = "network",
        Volume = "volume",
        Nvme = "nvme",
        VhostUser = "vhostuser",
        VhostVdpa = "vhostvdpa",
    }
}

impl Content for StorageSource {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = node.attr_opt("type")?.unwrap_or(StorageType::File);
        let source = node.child_or_absent("source");
        Ok(match kind {
            // A drive without a medium has no protocol either.
            StorageType::Network if source.is_absent() => Self::default(),
            StorageType::File => Self::File(FileSource::parse(source)?),
            StorageType::Block => Self::Block(BlockSource::parse(source)?),
            StorageType::Dir => Self::Dir(DirSource::parse(source)?),
            StorageType::Network => Self::Network(Box::new(NetworkSource::parse(source)?)),
            StorageType::Volume => Self::Volume(Box::new(VolumeSource::parse(source)?)),
            StorageType::Nvme => Self::Nvme(NvmeSource::parse(source)?),
            StorageType::VhostUser => Self::VhostUser(VhostUserSource::parse(source)?),
            StorageType::VhostVdpa => Self::VhostVdpa(VhostVdpaSource::parse(source)?),
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind());
    }

    fn children(&self, w: &mut Writer) {
        let body: &dyn Content = match self {
            Self::File(s) => s,
            Self::Block(s) => s,
            Self::Dir(s) => s,
            Self::Network(s) => s,
            Self::Volume(s) => s,
            Self::Nvme(s) => s,
            Self::VhostUser(s) => s,
            Self::VhostVdpa(s) => s,
        };
        w.element_unless_empty("source", body);
    }
}

impl Default for StorageSource {
    fn default() -> Self {
        Self::File(FileSource::default())
    }
}

impl StorageSource {
    /// The kind.
    pub fn kind(&self) -> StorageType {
        match self {
            Self::File(_) => StorageType::File,
            Self::Block(_) => StorageType::Block,
            Self::Dir(_) => StorageType::Dir,
            Self::Network(_) => StorageType::Network,
            Self::Volume(_) => StorageType::Volume,
            Self::Nvme(_) => StorageType::Nvme,
            Self::VhostUser(_) => StorageType::VhostUser,
            Self::VhostVdpa(_) => StorageType::VhostVdpa,
        }
    }

    /// What every source has.
    pub fn common(&self) -> &SourceCommon {
        match self {
            Self::File(s) => &s.common,
            Self::Block(s) => &s.common,
            Self::Dir(s) => &s.common,
            Self::Network(s) => &s.common,
            Self::Volume(s) => &s.common,
            Self::Nvme(s) => &s.common,
            Self::VhostUser(s) => &s.common,
            Self::VhostVdpa(s) => &s.common,
        }
    }

    /// What every source has, to be changed.
    pub fn common_mut(&mut self) -> &mut Rare<SourceCommon> {
        match self {
            Self::File(s) => &mut s.common,
            Self::Block(s) => &mut s.common,
            Self::Dir(s) => &mut s.common,
            Self::Network(s) => &mut s.common,
            Self::Volume(s) => &mut s.common,
            Self::Nvme(s) => &mut s.common,
            Self::VhostUser(s) => &mut s.common,
            Self::VhostVdpa(s) => &mut s.common,
        }
    }

    /// Drops labels that only a running guest has.
    pub fn strip_labels(&mut self) {
        let common = self.common_mut();
        if let Some(common) = common.get_mut() {
            DeviceLabel::strip_live(&mut common.seclabel);
            if let Some(store) = &mut common.data_store {
                store.source.strip_labels();
            }
        }
        common.tidy();
    }

    /// Forgets the number that the image has in a running guest.
    pub fn clear_index(&mut self) {
        let common = self.common_mut();
        if let Some(common) = common.get_mut() {
            common.index = None;
            common.private_data = None;
        }
        common.tidy();
    }

    /// Path, device, socket or name of the image, by its kind.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::File(s) => s.file.as_deref(),
            Self::Block(s) => s.dev.as_deref(),
            Self::Dir(s) => s.dir.as_deref(),
            Self::Network(s) => s.name.as_deref(),
            Self::Volume(_) | Self::Nvme(_) => None,
            Self::VhostUser(s) => Some(&s.path),
            Self::VhostVdpa(s) => Some(&s.dev),
        }
    }

    /// Whether there is nothing in the drive.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::File(s) => s.file.is_none(),
            Self::Block(s) => s.dev.is_none(),
            Self::Dir(s) => s.dir.is_none(),
            Self::Volume(s) => s.pool.is_none(),
            Self::Network(_) | Self::Nvme(_) | Self::VhostUser(_) | Self::VhostVdpa(_) => false,
        }
    }

    /// Takes out what to do if the image is missing.
    pub fn take_startup_policy(&mut self) -> Option<StartupPolicy> {
        match self {
            Self::File(s) => s.startup_policy.take(),
            Self::Block(s) => s.startup_policy.take(),
            Self::Dir(s) => s.startup_policy.take(),
            Self::Volume(s) => s.startup_policy.take(),
            Self::Nvme(s) => s.startup_policy.take(),
            Self::Network(_) | Self::VhostUser(_) | Self::VhostVdpa(_) => None,
        }
    }

    /// What to do if the image is missing.
    pub fn startup_policy(&self) -> Option<StartupPolicy> {
        match self {
            Self::File(s) => s.startup_policy,
            Self::Block(s) => s.startup_policy,
            Self::Dir(s) => s.startup_policy,
            Self::Volume(s) => s.startup_policy,
            Self::Nvme(s) => s.startup_policy,
            Self::Network(_) | Self::VhostUser(_) | Self::VhostVdpa(_) => None,
        }
    }
}
