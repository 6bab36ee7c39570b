//! What a volume is: `<target>` and the image it is based on.

use std::collections::BTreeSet;

use virtbus_xml::{
    Bytes, Content, Describe, ErrorKind, Node, Result, Text, Value, Writer, format_text, xml_names,
};

use super::VolumeFormat;
use crate::storage::Encryption;
use crate::storage_pool::Permissions;

xml_names! {
    /// Something a qcow2 image can have; written in this order.
    pub enum FileFeature {
        LazyRefcounts = "lazy_refcounts",
        ExtendedL2 = "extended_l2",
    }
}

/// A moment in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds.
    pub seconds: u64,
    /// Nanoseconds behind them, below 10⁹.
    pub nanoseconds: u32,
}

/// `<timestamps>`: times that the file system keeps of a file, in seconds since 1970 UTC.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// Time of the last read access, in seconds since 1970.
    #[xml(text_child, value = Text, told = "a number of seconds, with a fraction")]
    pub atime: Option<Timestamp>,
    /// Time of the last change of the contents, in seconds since 1970.
    #[xml(text_child, value = Text, told = "a number of seconds, with a fraction")]
    pub mtime: Option<Timestamp>,
    /// Time of the last change of the contents or attributes, in seconds since 1970.
    #[xml(text_child, value = Text, told = "a number of seconds, with a fraction")]
    pub ctime: Option<Timestamp>,
    /// Time at which the file was created, in seconds since 1970.
    #[xml(text_child, value = Text, told = "a number of seconds, with a fraction")]
    pub btime: Option<Timestamp>,
}

impl Content for Timestamps {
    /// Only the host knows them: they are never read.
    fn parse(node: Node<'_>) -> Result<Self> {
        node.take_all();
        Ok(Self::default())
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        for (name, time) in [
            ("atime", self.atime),
            ("mtime", self.mtime),
            ("ctime", self.ctime),
            ("btime", self.btime),
        ] {
            match time {
                None => {}
                Some(t) if t.nanoseconds == 0 => w.text_element(name, &t.seconds),
                Some(t) => {
                    w.text_element(name, &format_text!("{}.{:09}", t.seconds, t.nanoseconds));
                }
            }
        }
    }
}

/// Version of the qcow2 format: two numbers with a dot, such as `1.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compat(pub Text);

impl Value for Compat {
    fn from_text(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        u32::from_text(major)?;
        u32::from_text(minor)?;
        Some(Self(text.into()))
    }

    fn write_to(&self, out: &mut String) {
        out.push_str(&self.0);
    }

    fn expected() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Borrowed("a version such as 1.1")
    }
}

/// `<backingStore>`: the image that a volume is based on.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct VolumeBacking {
    /// Path of the backing image.
    #[xml(text_child)]
    pub path: Text,
    /// Format of the backing image.
    #[xml(child_attr = "format/type")]
    pub format: Option<VolumeFormat>,
    /// Owner and permission bits of the backing image.
    #[xml(child, optional)]
    pub permissions: Permissions,
    /// Times that the file system keeps of the backing image.
    #[xml(child, output)]
    pub timestamps: Option<Timestamps>,
}

impl VolumeBacking {
    /// Reads the child `<backingStore>`, which means something only if it has a path.
    pub(super) fn parse_child(node: Node<'_>) -> Result<Option<Self>> {
        let Some(child) = node.child("backingStore") else {
            return Ok(None);
        };
        child.child_or_absent("timestamps").take_all();
        let (path, format) = (child.text_child_opt("path")?, parse_format(child)?);
        let permissions = Permissions::parse_child(child)?;
        Ok(path.map(|path| Self {
            path,
            format,
            permissions,
            timestamps: None,
        }))
    }
}

impl Content for VolumeBacking {
    fn parse(node: Node<'_>) -> Result<Self> {
        Err(node.error(ErrorKind::Invalid, "is only read with its volume"))
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("path", &self.path);
        write_head(self.format, &self.permissions, self.timestamps.as_ref(), w);
    }
}

/// `<target>` of a volume: what it is on the host.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeTarget {
    /// Path of the volume on the host; written, and ignored when read.
    #[xml(text_child)]
    pub path: Option<Text>,
    /// Format of the volume, such as `raw` or `qcow2`.
    #[xml(child_attr = "format/type")]
    pub format: Option<VolumeFormat>,
    /// Owner and permission bits of the volume.
    #[xml(child, optional)]
    pub permissions: Permissions,
    /// Times that the file system keeps of the volume; written, and ignored when read.
    #[xml(child, output)]
    pub timestamps: Option<Timestamps>,
    /// How the volume's contents are encrypted.
    #[xml(child)]
    pub encryption: Option<Encryption>,
    /// Compatibility level of a qcow2 image: `0.10` or `1.1`.
    #[xml(text_child)]
    pub compat: Option<Compat>,
    /// Turns off copy on write for a new file (btrfs); used when the volume is created.
    #[xml(flag, input)]
    pub nocow: bool,
    /// Size of a qcow2 cluster; 0 or absent means QEMU's default.
    #[xml(child = "clusterSize")]
    pub cluster_size: Option<Bytes>,
    /// Features of a qcow2 image. An empty element differs from an absent one: features need compatibility level 1.1.
    #[xml(named, wrap = "features", value = FileFeature, optional)]
    pub features: Option<BTreeSet<FileFeature>>,
}

impl Content for VolumeTarget {
    fn parse(node: Node<'_>) -> Result<Self> {
        node.child_or_absent("timestamps").take_all();
        Ok(Self {
            path: node.text_child_opt("path")?,
            format: parse_format(node)?,
            permissions: Permissions::parse_child(node)?,
            timestamps: None,
            encryption: node.child_opt("encryption")?,
            compat: node.text_child_opt("compat")?,
            nocow: node.child("nocow").is_some(),
            cluster_size: node
                .child_opt("clusterSize")?
                .filter(|size: &Bytes| size.0 > 0),
            features: node.child("features").map(parse_features).transpose()?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(path) = &self.path {
            w.text_element("path", path);
        }
        write_head(self.format, &self.permissions, self.timestamps.as_ref(), w);
        if let Some(encryption) = &self.encryption {
            w.element("encryption", encryption);
        }
        if let Some(compat) = &self.compat {
            w.text_element("compat", compat);
        }
        if let Some(size) = self.cluster_size {
            w.begin("clusterSize");
            w.attr_str("unit", "B");
            w.text(&size.0);
            w.end("clusterSize");
        }
        if let Some(features) = &self.features {
            w.begin("features");
            features.iter().for_each(|feature| w.flag(feature.as_str()));
            w.end("features");
        }
    }
}

fn parse_format(node: Node<'_>) -> Result<Option<VolumeFormat>> {
    let child = node.child_or_absent("format");
    if child.attr("type") == Some("") {
        return Ok(None);
    }
    child.attr_opt("type")
}

fn parse_features(node: Node<'_>) -> Result<BTreeSet<FileFeature>> {
    node.elements()
        .map(|child| {
            child.take();
            FileFeature::from_name(child.qualified_name())
                .ok_or_else(|| child.error(ErrorKind::Invalid, "unsupported feature"))
        })
        .collect()
}

fn write_head(
    format: Option<VolumeFormat>,
    permissions: &Permissions,
    timestamps: Option<&Timestamps>,
    w: &mut Writer,
) {
    if let Some(format) = format {
        w.attr_element("format", "type", &format);
    }
    permissions.write_child(w);
    if let Some(timestamps) = timestamps {
        w.element_open("timestamps", timestamps);
    }
}
