//! What a pool is made of: `<source>`.
//!
//! Which parts there are depends on the kind of pool; the others are left alone.

use virtbus_xml::{
    AnyBase, Content, Describe, Document, ErrorKind, Flags, Node, Result, Text, Writer, Xml,
    XmlError, YesNo,
};

use super::{Adapter, PoolFormat, PoolType, SourceParts};
use crate::storage::Auth;

/// `<host>`: a server that has the storage.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PoolHost {
    /// Host name or IP address of the server.
    #[xml(attr)]
    pub name: Text,
    /// TCP port of the server; 0 or absent means the protocol's default.
    #[xml(attr, unset = 0)]
    pub port: Option<u32>,
}

/// `<freeExtent>`: an unused part of a disk.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeExtent {
    /// Offset of the first free byte, in bytes.
    #[xml(attr)]
    pub start: u64,
    /// Offset behind the last free byte, in bytes.
    #[xml(attr)]
    pub end: u64,
}

/// `<device>`: a device of the host or a target on a server.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolDevice {
    /// Path of the device, or IQN of an iSCSI target.
    #[xml(attr)]
    pub path: Text,
    /// Whether `p` stands between device name and partition number, for multipath devices of `disk` pools.
    #[xml(attr)]
    pub part_separator: Option<YesNo>,
    /// Unused parts of the disk; written for `disk` pools, ignored when read.
    #[xml(child = "freeExtent", output)]
    pub free_extents: Vec<FreeExtent>,
}

impl Content for PoolDevice {
    fn parse(node: Node<'_>) -> Result<Self> {
        for extent in node.children("freeExtent") {
            extent.take_all();
        }
        Ok(Self {
            path: node.attr_req("path")?,
            part_separator: node.attr_opt("part_separator")?,
            free_extents: Vec::new(),
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("path", &self.path);
        w.attr_opt("part_separator", &self.part_separator);
    }

    fn children(&self, w: &mut Writer) {
        for extent in &self.free_extents {
            w.begin("freeExtent");
            w.attr("start", &extent.start);
            w.attr("end", &extent.end);
            w.end("freeExtent");
        }
    }
}

/// `<source>` of a pool: where the storage comes from.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(child_attr = "vendor/name", wrap = "format", value = Text, optional, input, doc = "Vendor of the storage, as older clients write it."))]
#[xml(more(child_attr = "product/name", wrap = "format", value = Text, optional, input, doc = "Product name of the storage, as older clients write it."))]
pub struct PoolSource {
    /// Servers that have the storage.
    #[xml(child = "host")]
    pub hosts: Vec<PoolHost>,
    /// Devices that the pool is made of.
    #[xml(child = "device")]
    pub devices: Vec<PoolDevice>,
    /// Path of the folder: exported by the server, or to be mounted.
    #[xml(child_attr = "dir/path")]
    pub dir: Option<Text>,
    /// SCSI adapter of a `scsi` pool.
    #[xml(child)]
    pub adapter: Option<Adapter>,
    /// Name of the source: volume group (logical), Ceph pool (rbd), volume (gluster) or ZFS pool.
    #[xml(text_child)]
    pub name: Option<Text>,
    /// Initiator name (IQN) with which the iSCSI target is accessed.
    #[xml(child_attr = "iqn/name", wrap = "initiator")]
    pub initiator: Option<Text>,
    /// Format of the source: file system, partition table or kind of volume group, by the kind of pool.
    #[xml(child_attr = "format/type")]
    pub format: Option<PoolFormat>,
    /// User name and secret for the servers.
    #[xml(child)]
    pub auth: Option<Auth>,
    /// Version of the NFS protocol; 0 or absent lets the host choose.
    #[xml(child_attr = "protocol/ver")]
    pub protocol_version: Option<AnyBase>,
    /// Vendor of the storage, for information.
    #[xml(child_attr = "vendor/name")]
    pub vendor: Option<Text>,
    /// Product name of the storage, for information.
    #[xml(child_attr = "product/name")]
    pub product: Option<Text>,
}

impl PoolSource {
    /// Reads a `<source>` by which sources of pools of this kind are searched for.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse_search(xml: &str, kind: PoolType) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        Self::parse(doc.expect_root("source")?, kind)
    }

    /// Writes the `<sources>` that were found.
    pub fn format_found(sources: &[Self], kind: PoolType) -> String {
        let mut w = Writer::new(Flags::empty());
        w.element_open("sources", &Found { sources, kind });
        w.finish()
    }

    pub(super) fn parse(node: Node<'_>, kind: PoolType) -> Result<Self> {
        let parts = kind.source_parts();
        let mut source = Self {
            format: parse_format(node, kind)?,
            auth: parse_auth(node)?,
            protocol_version: parse_protocol(node, kind)?,
            vendor: parse_label(node, "vendor")?,
            product: parse_label(node, "product")?,
            ..Self::default()
        };
        if parts.contains(SourceParts::HOST) {
            source.hosts = node.child_vec("host")?;
        }
        if parts.contains(SourceParts::DEVICE) {
            source.devices = node.child_vec("device")?;
        }
        if parts.contains(SourceParts::DIR) {
            source.dir = node.child_attr_opt("dir", "path")?;
        }
        if parts.contains(SourceParts::ADAPTER) {
            source.adapter = node.child_opt("adapter")?;
        }
        if parts.contains(SourceParts::NAME) {
            source.name = node.text_child_opt("name")?;
        }
        if parts.contains(SourceParts::INITIATOR) {
            source.initiator = node
                .child_or_absent("initiator")
                .child_attr_opt("iqn", "name")?;
        }
        if kind == PoolType::Rbd && source.name.is_none() {
            return Err(node.missing_child("name"));
        }
        Ok(source)
    }

    /// The error for what a pool of this kind cannot do without.
    pub(super) fn check(&self, node: Node<'_>, kind: PoolType) -> Result<()> {
        let parts = kind.source_parts();
        let lacks = |part: SourceParts, name: &str, there: bool| {
            if parts.contains(part) && !there {
                Err(node.missing_child(name))
            } else {
                Ok(())
            }
        };
        lacks(SourceParts::HOST, "host", !self.hosts.is_empty())?;
        let optional_dir = kind == PoolType::Gluster;
        lacks(SourceParts::DIR, "dir", self.dir.is_some() || optional_dir)?;
        lacks(SourceParts::ADAPTER, "adapter", self.adapter.is_some())?;
        // Where something else can say it too, the device is optional.
        if parts == SourceParts::DEVICE {
            lacks(SourceParts::DEVICE, "device", !self.devices.is_empty())?;
        }
        if kind == PoolType::IscsiDirect && self.initiator.is_none() {
            return Err(node.missing_child("initiator"));
        }
        Ok(())
    }

    pub(super) fn write(&self, kind: PoolType, w: &mut Writer) {
        w.element_open("source", &Written { source: self, kind });
    }
}

/// Sources together with the kind of pool, for writing.
struct Found<'a> {
    sources: &'a [PoolSource],
    kind: PoolType,
}

impl Content for Found<'_> {
    fn parse(node: Node<'_>) -> Result<Self> {
        Err(only_written(node))
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        for source in self.sources {
            source.write(self.kind, w);
        }
    }
}

fn only_written(node: Node<'_>) -> XmlError {
    node.error(ErrorKind::Invalid, "is only written, never read")
}

/// A source together with the kind of pool, for writing.
struct Written<'a> {
    source: &'a PoolSource,
    kind: PoolType,
}

impl Content for Written<'_> {
    fn parse(node: Node<'_>) -> Result<Self> {
        Err(only_written(node))
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        let (source, parts) = (self.source, self.kind.source_parts());
        if parts.contains(SourceParts::HOST) {
            source.hosts.iter().for_each(|host| w.element("host", host));
        }
        if parts.contains(SourceParts::DEVICE) {
            source
                .devices
                .iter()
                .for_each(|device| w.element("device", device));
        }
        if let Some(dir) = source
            .dir
            .as_ref()
            .filter(|_| parts.contains(SourceParts::DIR))
        {
            w.attr_element("dir", "path", dir);
        }
        if let Some(adapter) = &source.adapter {
            w.element("adapter", adapter);
        }
        if let Some(name) = source
            .name
            .as_ref()
            .filter(|_| parts.contains(SourceParts::NAME))
        {
            w.text_element("name", name);
        }
        if let Some(iqn) = &source.initiator {
            w.begin("initiator");
            w.attr_element("iqn", "name", iqn);
            w.end("initiator");
        }
        if let Some(format) = source.format {
            w.attr_element("format", "type", &format);
        }
        if let Some(auth) = &source.auth {
            w.element("auth", auth);
        }
        if let Some(version) = source.protocol_version {
            w.attr_element("protocol", "ver", &version);
        }
        if let Some(vendor) = &source.vendor {
            w.attr_element("vendor", "name", vendor);
        }
        if let Some(product) = &source.product {
            w.attr_element("product", "name", product);
        }
    }
}

fn parse_format(node: Node<'_>, kind: PoolType) -> Result<Option<PoolFormat>> {
    let (Some(formats), Some(child)) = (kind.source_formats(), node.child("format")) else {
        return Ok(None);
    };
    let Some(name) = child.attr("type").filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    match PoolFormat::from_name(name).filter(|format| formats.contains(*format)) {
        Some(format) => Ok(Some(format)),
        None => {
            let names: Vec<&str> = formats.listed.iter().map(|f| f.as_str()).collect();
            Err(child.bad_attr("type", name, &virtbus_xml::one_of(&names)))
        }
    }
}

fn parse_auth(node: Node<'_>) -> Result<Option<Auth>> {
    let Some(child) = node.child("auth") else {
        return Ok(None);
    };
    match child.attr("type") {
        Some("chap" | "ceph") => Auth::parse(child).map(Some),
        None => Err(child.missing_attr("type")),
        Some(other) => {
            let known = virtbus_xml::one_of(&["chap", "ceph"]);
            Err(child.bad_attr("type", other, &known))
        }
    }
}

fn parse_protocol(node: Node<'_>, kind: PoolType) -> Result<Option<AnyBase>> {
    let (PoolType::Netfs, Some(child)) = (kind, node.child("protocol")) else {
        return Ok(None);
    };
    let format = node.child_or_absent("format");
    match format.attr("type") {
        None | Some("nfs" | "auto") => {
            let version: AnyBase = child.attr_req("ver")?;
            Ok(Some(version).filter(|version| version.0 > 0))
        }
        Some(other) => Err(child.attr_error(
            "ver",
            ErrorKind::Invalid,
            format!("unsupported protocol '{other}' for a version"),
        )),
    }
}

/// Reads who made it; older documents have it inside `<format>`.
fn parse_label(node: Node<'_>, name: &'static str) -> Result<Option<Text>> {
    let outer: Option<Text> = node.child_attr_opt(name, "name")?;
    let inner = node
        .child_or_absent("format")
        .child_attr_opt(name, "name")?;
    Ok(outer.or(inner).filter(|label: &Text| !label.is_empty()))
}
