//! The storage volume document: `<volume>`, which always belongs to a pool.
//!
//! What the driver finds out about a volume is written, but never read. Nothing here looks at an
//! image.

mod format;
mod target;

use virtbus_conf_base::{ConfError, Result as ConfResult};
use virtbus_xml::{
    Bytes, Content, Describe, Document, Flags, Node, Result, Text, Writer, XmlError, xml_names,
};

pub use format::VolumeFormat;
pub use target::{Compat, FileFeature, Timestamp, Timestamps, VolumeBacking, VolumeTarget};

use crate::storage_pool::PoolType;

xml_names! {
    /// What a volume is on the host.
    pub enum VolumeType {
        File = "file",
        Block = "block",
        Dir = "dir",
        Network = "network",
        Netdir = "netdir",
        Ploop = "ploop",
    }
}

/// `<extent>`: a part of a device that a volume occupies.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Path of the device.
    #[xml(skip)]
    pub device: Text,
    /// Offset of the first byte on the device, in bytes.
    #[xml(attr)]
    pub start: u64,
    /// Offset behind the last byte, in bytes.
    #[xml(attr)]
    pub end: u64,
}

/// When a volume may have no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapacityRule {
    /// Never.
    Required,
    /// If it is based on another image, whose size it then takes.
    OptionalWithBacking,
    /// Always: it is taken from elsewhere.
    Optional,
}

/// `<volume>`: the storage of one disk of a guest.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "path", wrap = "source/device", value = Text, optional, output, doc = "Path of a device of which the volume occupies a part."))]
pub struct StorageVolume {
    /// Kind of the volume on the host; written, and ignored when read.
    #[xml(attr = "type", absent = "file")]
    pub kind: Option<VolumeType>,
    /// Name of the volume, unique in its pool.
    #[xml(text_child)]
    pub name: Text,
    /// Key of the volume, unique on the host; often its path.
    #[xml(text_child)]
    pub key: Option<Text>,
    /// Parts of devices that the volume occupies; written, and ignored when read.
    #[xml(child = "extent", wrap = "source/device", output)]
    pub extents: Vec<Extent>,
    /// Size that the guest sees, below 2⁶³ bytes; in bytes if no unit is given.
    #[xml(child)]
    pub capacity: Option<Bytes>,
    /// Space to allocate at creation, below 2⁶³ bytes; in bytes if no unit is given.
    #[xml(child, absent = "all of the capacity")]
    pub allocation: Option<Bytes>,
    /// Space that the volume takes on the host now; written unless 0, ignored when read.
    #[xml(child, optional, output)]
    pub physical: Bytes,
    /// Path, format and permissions of the volume.
    #[xml(child, optional)]
    pub target: VolumeTarget,
    /// Image that the volume is based on (copy on write); absent means none.
    #[xml(child = "backingStore")]
    pub backing_store: Option<VolumeBacking>,
}

impl Content for StorageVolume {
    fn parse(node: Node<'_>) -> Result<Self> {
        node.child_or_absent("physical").take_all();
        node.child_or_absent("source").take_all();
        Ok(Self {
            kind: node.attr_opt("type")?,
            name: node.text_child_req("name")?,
            key: node.text_child_opt("key")?,
            extents: Vec::new(),
            capacity: parse_size(node, "capacity")?,
            allocation: parse_size(node, "allocation")?,
            physical: Bytes::new(0),
            target: VolumeTarget::parse(node.child_or_absent("target"))?,
            backing_store: VolumeBacking::parse_child(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind.unwrap_or(VolumeType::File));
    }

    fn children(&self, w: &mut Writer) {
        w.text_element("name", &self.name);
        if let Some(key) = &self.key {
            w.text_element("key", key);
        }
        self.write_extents(w);
        w.element("capacity", &self.capacity());
        w.element("allocation", &self.allocation());
        if self.physical.0 > 0 {
            w.element("physical", &self.physical);
        }
        w.element_open("target", &self.target);
        if let Some(backing) = &self.backing_store {
            w.element("backingStore", backing);
        }
    }
}

/// Reads a size that the host's file offsets can express.
fn parse_size(node: Node<'_>, name: &str) -> Result<Option<Bytes>> {
    let Some(child) = node.child(name) else {
        return Ok(None);
    };
    let size = Bytes::parse(child)?;
    if i64::try_from(size.0).is_err() {
        return Err(child.bad_text(&child.text(), "a size below 8 EiB"));
    }
    Ok(Some(size))
}

impl StorageVolume {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("volume")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`StorageVolume::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let volume = doc.read("volume")?;
        doc.check_no_leftovers()?;
        Ok(volume)
    }

    /// Its size for the guest; 0 if it is not known.
    pub fn capacity(&self) -> Bytes {
        self.capacity.unwrap_or(Bytes::new(0))
    }

    /// What it takes on the host.
    pub fn allocation(&self) -> Bytes {
        self.allocation.unwrap_or(self.capacity())
    }

    /// Fills in what a volume in a pool of this kind is unless it says otherwise.
    pub fn complete(&mut self, pool: PoolType) {
        self.kind.get_or_insert(VolumeType::File);
        self.allocation = self.allocation.or(self.capacity);
        let default = pool.volume_formats().map(|formats| formats.default);
        let backing = self.backing_store.as_mut().map(|b| &mut b.format);
        for format in [Some(&mut self.target.format), backing]
            .into_iter()
            .flatten()
        {
            // In a pool whose volumes have no format, whatever was said means nothing.
            *format = default.map(|default| format.unwrap_or(default));
        }
        if self.target.features.is_some() {
            self.target
                .compat
                .get_or_insert_with(|| Compat("1.1".into()));
        }
    }

    /// Checks the volume against its pool.
    ///
    /// # Errors
    /// No size, or a format that volumes of such a pool cannot have.
    pub fn validate(&self, pool: PoolType, capacity: CapacityRule) -> ConfResult<()> {
        let optional = match capacity {
            CapacityRule::Required => false,
            CapacityRule::OptionalWithBacking => self.backing_store.is_some(),
            CapacityRule::Optional => true,
        };
        if self.capacity.is_none() && !optional {
            return Err(ConfError::invalid(format!(
                "volume '{}' needs a <capacity>",
                self.name
            )));
        }
        let backing = self.backing_store.as_ref().and_then(|b| b.format);
        for format in [self.target.format, backing].into_iter().flatten() {
            // The first name of all is what a volume without a format has in capabilities.
            let nothing = format == VolumeFormat::None && pool != PoolType::Disk;
            let known = pool.volume_formats().is_some_and(|f| f.contains(format));
            if nothing || !known {
                return Err(ConfError::unsupported(format!(
                    "volumes in a pool of type '{pool}' cannot have the format '{format}'"
                )));
            }
        }
        Ok(())
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("volume", flags)
    }

    fn write_extents(&self, w: &mut Writer) {
        if self.extents.is_empty() {
            return;
        }
        w.begin("source");
        for group in self.extents.chunk_by(|a, b| a.device == b.device) {
            w.begin("device");
            w.attr("path", &group[0].device);
            for extent in group {
                w.begin("extent");
                w.attr("start", &extent.start);
                w.attr("end", &extent.end);
                w.end("extent");
            }
            w.end("device");
        }
        w.end("source");
    }
}
