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

/// `<driver>`: how the hypervisor shares the file system.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesystemDriver {
    /// What shares it: `path` or `handle` (9p), `virtiofs`, `loop`, `nbd` or `ploop` (containers), `mtp` (USB).
    #[xml(attr = "type")]
    pub kind: Option<FilesystemDriverType>,
    /// Format of an image, for containers.
    #[xml(attr)]
    pub format: Option<ImageFormat>,
    /// Whether the host writes back at once (`immediate`) or as it does by default (absent).
    #[xml(attr)]
    pub wrpolicy: Option<WritePolicy>,
    /// Number of entries of the virtiofs queue, a power of two; 1024 if absent.
    #[xml(attr)]
    pub queue: Option<u64>,
    /// Options that all virtio devices have.
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

/// `<lock>`: which file locks of the guest reach the host's file system.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VirtiofsLock {
    /// Whether POSIX locks reach the host.
    #[xml(attr)]
    pub posix: Option<OnOff>,
    /// Whether BSD locks (flock) reach the host.
    #[xml(attr)]
    pub flock: Option<OnOff>,
}

/// `<binary>`: the virtiofs daemon and its options.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtiofsBinary {
    /// Absolute path of the daemon; found by the driver if absent.
    #[xml(attr)]
    pub path: Option<Text>,
    /// Whether the guest can use extended attributes.
    #[xml(attr)]
    pub xattr: Option<OnOff>,
    /// How much the guest caches: `none`, `auto`, `metadata` or `always`.
    #[xml(child_attr = "cache/mode")]
    pub cache: Option<VirtiofsCache>,
    /// How the daemon is confined: `namespace` or `chroot`.
    #[xml(child_attr = "sandbox/mode")]
    pub sandbox: Option<VirtiofsSandbox>,
    /// Which file locks of the guest reach the host.
    #[xml(child, skip_empty)]
    pub lock: Option<VirtiofsLock>,
    /// Number of worker threads of the daemon; its own default if absent.
    #[xml(child_attr = "thread_pool/size")]
    pub thread_pool: Option<i32>,
    /// Largest number of files that the daemon may open; its own default if absent.
    #[xml(child_attr = "openfiles/max")]
    pub openfiles: Option<u64>,
}

/// What is shared from the host: `type=` and `<source>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type", body = "source")]
#[xml(more(attr = "units", wrap = "source", value = Text, optional, absent = "KiB", doc = "Unit of `usage`, such as `MiB`."))]
pub enum FilesystemSource {
    /// A folder of the host, or a daemon that shares one.
    #[xml("mount", default)]
    Mount(MountSource),
    /// A folder of the container, bound to another place.
    #[xml("bind")]
    Bind(MountSource),
    /// A block device of the host.
    #[xml("block")]
    Block(
        /// Absolute path of the block device.
        #[xml(attr = "dev")]
        Option<Text>,
    ),
    /// An image file of the host.
    #[xml("file")]
    File(
        /// Absolute path of the image file.
        #[xml(attr = "file")]
        Option<Text>,
    ),
    /// A file system template of OpenVZ.
    #[xml("template")]
    Template(
        /// Name of the template.
        #[xml(attr = "name")]
        Option<Text>,
    ),
    /// A file system in memory; its size is written in KiB.
    #[xml("ram")]
    Ram(
        /// Most memory that the file system may use, in `units`.
        #[xml(attr = "usage")]
        u64,
    ),
    /// A volume of a storage pool.
    #[xml("volume")]
    Volume {
        /// Name of the storage pool.
        #[xml(attr)]
        pool: Text,
        /// Name of the volume in the pool.
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

/// A folder of the host, or the socket of a daemon that shares it.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct MountSource {
    /// Absolute path of the folder.
    #[xml(attr)]
    pub dir: Option<Text>,
    /// Absolute path of the virtiofs daemon's socket, if the driver does not start the daemon.
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

/// Children of `<filesystem>` that come before `<source>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesystemHead {
    /// How the hypervisor shares the file system.
    #[xml(child, skip_empty)]
    pub driver: Option<FilesystemDriver>,
    /// virtiofs daemon and its options.
    #[xml(child, skip_empty)]
    pub binary: Option<VirtiofsBinary>,
    /// Mapping of users and groups between guest and host, for virtiofs.
    #[xml(child, skip_empty)]
    pub idmap: Option<IdMap>,
}

/// `<filesystem>`: a folder or image of the host that the guest can mount.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// Driver settings, daemon and mapping of users.
    #[xml(flat)]
    pub head: FilesystemHead,
    /// What is shared from the host.
    #[xml(flat)]
    pub source: FilesystemSource,
    /// Whose permissions apply: `passthrough` the guest user's, `mapped` kept in attributes, `squash` the hypervisor's
    /// with failures of chown ignored.
    #[xml(attr, absent = "passthrough")]
    pub accessmode: Option<AccessMode>,
    /// Virtio variant: `virtio` lets the driver choose, `virtio-transitional` also works with guests that know virtio
    /// 0.9 only, `virtio-non-transitional` needs virtio 1.0 or newer.
    #[xml(attr)]
    pub model: Option<VirtioModel>,
    /// What happens to a folder that spans several host devices: `remap` gives files unique numbers, `forbid` hides
    /// other devices, `warn` logs; `default` lets the hypervisor choose. 9p only.
    #[xml(attr)]
    pub multidevs: Option<MultiDevs>,
    /// Permission bits of new files in octal, with `accessmode='mapped'`; 600 if absent.
    #[xml(attr)]
    pub fmode: Option<OctalMode>,
    /// Permission bits of new folders in octal, with `accessmode='mapped'`; 700 if absent.
    #[xml(attr)]
    pub dmode: Option<OctalMode>,
    /// Tag by which the guest mounts it, or path in a container.
    #[xml(child_attr = "target/dir")]
    pub target: Option<Text>,
    /// Present if the guest may only read.
    #[xml(flag)]
    pub readonly: bool,
    /// Boot order, alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Most space that the container may use.
    #[xml(child)]
    pub space_hard_limit: Option<Bytes>,
    /// Space above which the container is warned.
    #[xml(child)]
    pub space_soft_limit: Option<Bytes>,
}
