//! `<filesystem>`: folders and file systems of the host.

use virtbus_conf_storage::storage::ImageFormat;
use virtbus_xml::{
    Bytes, Content, Describe, Node, OctalMode, OnOff, Rare, Result, Text, Writer, Xml, xml_names,
};

use super::disk::VirtioModel;
use super::info::{DeviceInfo, VirtioOptions};
use crate::domain::lifecycle::IdMap;

xml_names! {
    /// Whose permissions count.
    pub enum AccessMode {
        Passthrough = "passthrough",
        Mapped = "mapped",
        Squash = "squash",
    }
}

xml_names! {
    /// What to do when a folder spans several devices.
    pub enum MultiDevs {
        Default = "default",
        Remap = "remap",
        Forbid = "forbid",
        Warn = "warn",
    }
}

xml_names! {
    /// What provides the file system.
    pub enum FilesystemDriverType {
        Path = "path",
        Handle = "handle",
        Loop = "loop",
        Nbd = "nbd",
        Ploop = "ploop",
        Virtiofs = "virtiofs",
        Mtp = "mtp",
    }
}

xml_names! {
    /// When the host writes back.
    pub enum WritePolicy {
        Immediate = "immediate",
    }
}

/// `<driver>` of a file system.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesystemDriver {
    /// What provides it.
    #[xml(attr = "type")]
    pub kind: Option<FilesystemDriverType>,
    /// Format of an image.
    #[xml(attr)]
    pub format: Option<ImageFormat>,
    /// When the host writes back.
    #[xml(attr)]
    pub wrpolicy: Option<WritePolicy>,
    /// Entries of the queue.
    #[xml(attr)]
    pub queue: Option<u64>,
    /// Options of virtio.
    #[xml(flat)]
    pub virtio: VirtioOptions,
}

xml_names! {
    /// How the daemon caches.
    pub enum VirtiofsCache {
        None = "none",
        Always = "always",
    }
}

xml_names! {
    /// How the daemon is confined.
    pub enum VirtiofsSandbox {
        Namespace = "namespace",
        Chroot = "chroot",
    }
}

/// `<lock>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VirtiofsLock {
    /// POSIX locks.
    #[xml(attr)]
    pub posix: Option<OnOff>,
    /// BSD locks.
    #[xml(attr)]
    pub flock: Option<OnOff>,
}

/// `<binary>`: the daemon.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtiofsBinary {
    /// Its path.
    #[xml(attr)]
    pub path: Option<Text>,
    /// Extended attributes.
    #[xml(attr)]
    pub xattr: Option<OnOff>,
    /// Caching.
    #[xml(child_attr = "cache/mode")]
    pub cache: Option<VirtiofsCache>,
    /// Confinement.
    #[xml(child_attr = "sandbox/mode")]
    pub sandbox: Option<VirtiofsSandbox>,
    /// Locks.
    #[xml(child, skip_empty)]
    pub lock: Option<VirtiofsLock>,
    /// Worker threads.
    #[xml(child_attr = "thread_pool/size")]
    pub thread_pool: Option<i32>,
    /// Most open files.
    #[xml(child_attr = "openfiles/max")]
    pub openfiles: Option<u64>,
}

/// Where it is on the host.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type", body = "source")]
#[xml(more(attr = "units", wrap = "source", value = Text, optional, absent = "KiB", doc = "Unit of `usage`."))]
pub enum FilesystemSource {
    /// A folder, mounted.
    #[xml("mount", default)]
    Mount(MountSource),
    /// A folder, bound.
    #[xml("bind")]
    Bind(MountSource),
    /// A block device.
    #[xml("block")]
    Block(#[xml(attr = "dev")] Option<Text>),
    /// An image.
    #[xml("file")]
    File(#[xml(attr = "file")] Option<Text>),
    /// A template of OpenVZ.
    #[xml("template")]
    Template(#[xml(attr = "name")] Option<Text>),
    /// Memory, in bytes.
    #[xml("ram")]
    Ram(#[xml(attr = "usage")] u64),
    /// A volume of a storage pool.
    #[xml("volume")]
    Volume {
        /// The pool.
        #[xml(attr)]
        pool: Text,
        /// The volume.
        #[xml(attr)]
        volume: Text,
    },
}

xml_names! {
    /// The name of a kind of source.
    pub enum FilesystemType {
        Mount = "mount",
        Block = "block",
        File = "file",
        Template = "template",
        Ram = "ram",
        Bind = "bind",
        Volume = "volume",
    }
}

/// A folder, or the socket of a daemon that shares it.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MountSource {
    /// The folder.
    #[xml(attr)]
    pub dir: Option<Text>,
    /// The socket.
    #[xml(attr)]
    pub socket: Option<Text>,
}

impl FilesystemSource {
    /// The kind.
    pub fn kind(&self) -> FilesystemType {
        match self {
            Self::Mount(_) => FilesystemType::Mount,
            Self::Bind(_) => FilesystemType::Bind,
            Self::Block(_) => FilesystemType::Block,
            Self::File(_) => FilesystemType::File,
            Self::Template(_) => FilesystemType::Template,
            Self::Ram(_) => FilesystemType::Ram,
            Self::Volume { .. } => FilesystemType::Volume,
        }
    }
}

impl Content for FilesystemSource {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = node.attr_opt("type")?.unwrap_or(FilesystemType::Mount);
        let source = node.child_or_absent("source");
        Ok(match kind {
            FilesystemType::Mount => Self::Mount(MountSource::parse(source)?),
            FilesystemType::Bind => Self::Bind(MountSource::parse(source)?),
            FilesystemType::Block => Self::Block(source.attr_opt("dev")?),
            FilesystemType::File => Self::File(source.attr_opt("file")?),
            FilesystemType::Template => Self::Template(source.attr_opt("name")?),
            FilesystemType::Ram => {
                let usage = source.attr_req::<u64>("usage")?;
                let units = source.attr("units");
                let size = Bytes::from_parts(usage, units, 1024).map_err(|e| {
                    source.bad_attr("units", units.unwrap_or_default(), &e.to_string())
                })?;
                // It is told in KiB.
                Self::Ram(size.0 - size.0 % 1024)
            }
            FilesystemType::Volume => Self::Volume {
                pool: source.attr_req("pool")?,
                volume: source.attr_req("volume")?,
            },
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind());
    }

    fn children(&self, w: &mut Writer) {
        let one = |w: &mut Writer, name: &str, value: &Option<Text>| {
            if let Some(value) = value {
                w.attr_element("source", name, value);
            }
        };
        match self {
            Self::Mount(source) | Self::Bind(source) => w.element_unless_empty("source", source),
            Self::Block(dev) => one(w, "dev", dev),
            Self::File(file) => one(w, "file", file),
            Self::Template(name) => one(w, "name", name),
            Self::Ram(bytes) => {
                w.begin("source");
                w.attr("usage", &(bytes / 1024));
                w.attr_str("units", "KiB");
                w.end("source");
            }
            Self::Volume { pool, volume } => {
                w.begin("source");
                w.attr("pool", pool);
                w.attr("volume", volume);
                w.end("source");
            }
        }
    }
}

/// Children of `<filesystem>` that stand before `<source>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesystemHead {
    /// What provides it.
    #[xml(child, skip_empty)]
    pub driver: Option<FilesystemDriver>,
    /// The daemon of virtiofs.
    #[xml(child, skip_empty)]
    pub binary: Option<VirtiofsBinary>,
    /// Mapped owners, for virtiofs.
    #[xml(child, skip_empty)]
    pub idmap: Option<IdMap>,
}

/// `<filesystem>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// What provides it.
    #[xml(flat)]
    pub head: FilesystemHead,
    /// Where it is on the host.
    #[xml(flat)]
    pub source: FilesystemSource,
    /// Whose permissions count.
    #[xml(attr, absent = "passthrough")]
    pub accessmode: Option<AccessMode>,
    /// Revision of virtio.
    #[xml(attr)]
    pub model: Option<VirtioModel>,
    /// A folder that spans several devices.
    #[xml(attr)]
    pub multidevs: Option<MultiDevs>,
    /// Permissions of new files.
    #[xml(attr)]
    pub fmode: Option<OctalMode>,
    /// Permissions of new folders.
    #[xml(attr)]
    pub dmode: Option<OctalMode>,
    /// Path or tag in the guest.
    #[xml(child_attr = "target/dir")]
    pub target: Option<Text>,
    /// Whether the guest may not write.
    #[xml(flag)]
    pub readonly: bool,
    /// Boot order, alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Most space.
    #[xml(child)]
    pub space_hard_limit: Option<Bytes>,
    /// Space from which on to warn.
    #[xml(child)]
    pub space_soft_limit: Option<Bytes>,
}
