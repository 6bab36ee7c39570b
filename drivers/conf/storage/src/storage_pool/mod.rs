//! The storage pool document: `<pool>`.
//!
//! Sizes are what the driver finds out; they are written, but never read. Nothing here looks at a
//! disk or a server.

mod adapter;
mod kind;
mod options;
mod source;
mod target;

use virtbus_conf_base::common::Uuid;
use virtbus_conf_base::{ConfError, Entropy, Result as ConfResult};
use virtbus_xml::{
    Bytes, Content, Describe, Document, ErrorKind, Flags, Node, Result, Text, Writer, XmlError,
    YesNo, format_text, xml_names,
};

pub use adapter::{Adapter, FcHostAdapter, ParentAddress, ScsiHostAdapter};
pub use kind::{Formats, PoolFormat, PoolType, SourceParts};
pub use options::PoolOption;
pub use source::{FreeExtent, PoolDevice, PoolHost, PoolSource};
pub use target::{FileMode, Permissions, PoolTarget};

xml_names! {
    /// What a pool takes for the allocation of its volumes.
    pub enum RefreshAllocation {
        Default = "default",
        Capacity = "capacity",
    }
}

/// `<pool>`: a store of volumes, such as a folder, a volume group or a remote export.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "name", wrap = "fs:mount_opts/fs:option", value = Text, optional, doc = "Mount option, handed to `mount` as it is; using it taints the pool."))]
#[xml(more(attr = "name", wrap = "rbd:config_opts/rbd:option", value = Text, optional, doc = "Name of an option for the RBD library."))]
#[xml(more(attr = "value", wrap = "rbd:config_opts/rbd:option", value = Text, optional, doc = "Value for the option, handed to the library as it is."))]
pub struct StoragePool {
    /// Kind of the pool, such as `dir`, `netfs`, `logical`, `iscsi` or `rbd`.
    #[xml(attr = "type")]
    pub kind: PoolType,
    /// Name of the pool, unique on the host.
    #[xml(
        text_child,
        absent = "the name of the source",
        told = "a name without '/'"
    )]
    pub name: Option<Text>,
    /// UUID of the pool; generated if absent.
    #[xml(text_child)]
    pub uuid: Option<Uuid>,
    /// Total size of the pool; written, and ignored when read.
    #[xml(child, optional, output)]
    pub capacity: Bytes,
    /// Space that the pool's volumes take; written, and ignored when read.
    #[xml(child, optional, output)]
    pub allocation: Bytes,
    /// Space that is left for new volumes; written, and ignored when read.
    #[xml(child, optional, output)]
    pub available: Bytes,
    /// Whether new files may be copied on write (btrfs); `dir` and `fs` pools only.
    #[xml(child_attr = "cow/state", wrap = "features")]
    pub cow: Option<YesNo>,
    /// Where the storage comes from: devices, folders or servers.
    #[xml(child, optional)]
    pub source: PoolSource,
    /// Where the volumes appear on the host; absent for pools without paths.
    #[xml(child)]
    pub target: Option<PoolTarget>,
    /// How the allocation of volumes is computed at refresh: `default` asks the backend, `capacity` takes the capacity
    /// (rbd, faster).
    #[xml(child_attr = "volume/allocation", wrap = "refresh")]
    pub refresh: Option<RefreshAllocation>,
    /// Options of file systems and RBD.
    #[xml(skip)]
    pub options: Vec<PoolOption>,
}

impl Content for StoragePool {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = node.attr_req("type")?;
        for size in ["capacity", "allocation", "available"] {
            node.child_or_absent(size).take_all();
        }
        let pool = Self {
            kind,
            name: parse_name(node)?,
            uuid: node.text_child_opt("uuid")?,
            capacity: Bytes::new(0),
            allocation: Bytes::new(0),
            available: Bytes::new(0),
            cow: parse_cow(node, kind)?,
            source: match node.child("source") {
                Some(source) => PoolSource::parse(source, kind)?,
                None => PoolSource::default(),
            },
            target: parse_target(node, kind)?,
            refresh: node
                .child_or_absent("refresh")
                .child_or_absent("volume")
                .attr_opt("allocation")?,
            options: options::parse(node, kind)?,
        };
        pool.source.check(node.child_or_absent("source"), kind)?;
        if pool.name.is_none() && pool.source.name.is_none() {
            return Err(node.missing_child("name"));
        }
        Ok(pool)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind);
        options::write_declaration(&self.options, self.kind, w);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(name) = &self.name {
            w.text_element("name", name);
        }
        if let Some(uuid) = &self.uuid {
            w.text_element("uuid", uuid);
        }
        w.element("capacity", &self.capacity);
        w.element("allocation", &self.allocation);
        w.element("available", &self.available);
        if let Some(cow) = &self.cow {
            w.begin("features");
            w.attr_element("cow", "state", cow);
            w.end("features");
        }
        self.source.write(self.kind, w);
        if let Some(target) = &self.target {
            w.element_open("target", target);
        }
        if let Some(allocation) = &self.refresh {
            w.begin("refresh");
            w.attr_element("volume", "allocation", allocation);
            w.end("refresh");
        }
        options::write(&self.options, self.kind, w);
    }
}

fn parse_name(node: Node<'_>) -> Result<Option<Text>> {
    let name: Option<Text> = node.text_child_opt("name")?;
    match (&name, node.child("name")) {
        (Some(text), Some(child)) if text.contains('/') => {
            Err(child.bad_text(text, "a name without '/'"))
        }
        _ => Ok(name),
    }
}

fn parse_cow(node: Node<'_>, kind: PoolType) -> Result<Option<YesNo>> {
    let cow = node.child_or_absent("features").child_or_absent("cow");
    let state = cow.attr_opt("state")?;
    if state.is_some() && !matches!(kind, PoolType::Dir | PoolType::Fs) {
        return Err(cow.error(
            ErrorKind::Invalid,
            format!("unsupported feature for pools of type '{kind}'"),
        ));
    }
    Ok(state)
}

fn parse_target(node: Node<'_>, kind: PoolType) -> Result<Option<PoolTarget>> {
    if kind.source_parts().contains(SourceParts::NETWORK) {
        return Ok(None);
    }
    let target = node.child_or_absent("target");
    let parsed = PoolTarget::parse(target)?;
    // The others' path follows from their name.
    if parsed.path.is_none() && !matches!(kind, PoolType::Logical | PoolType::Zfs) {
        return Err(target.missing_child("path"));
    }
    Ok(Some(parsed))
}

impl StoragePool {
    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, parts that are missing for this kind of pool.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("pool")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`StoragePool::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let pool = doc.read("pool")?;
        doc.check_no_leftovers()?;
        Ok(pool)
    }

    /// Fills in what follows from the rest: names, UUID, format, paths.
    pub fn complete(&mut self, entropy: &mut dyn Entropy) {
        let parts = self.kind.source_parts();
        if parts.contains(SourceParts::NAME) {
            if self.name.is_none() {
                self.name.clone_from(&self.source.name);
            }
            if self.source.name.is_none() {
                self.source.name.clone_from(&self.name);
            }
        }
        self.uuid.get_or_insert_with(|| {
            let mut bytes = [0; 16];
            entropy.fill(&mut bytes);
            Uuid::from_random(bytes)
        });
        if self.source.format.is_none() {
            self.source.format = self.kind.source_formats().map(|f| f.default);
        }
        if self.kind == PoolType::Gluster {
            self.source.dir.get_or_insert_with(|| "/".into());
        }
        if let Some(dir) = &mut self.source.dir {
            *dir = target::sanitize(dir);
        }
        self.complete_target();
    }

    fn complete_target(&mut self) {
        let Some(target) = &mut self.target else {
            return;
        };
        let name = self.source.name.as_deref().unwrap_or_default();
        let path = match self.kind {
            PoolType::Logical => Some(format_text!("/dev/{name}")),
            PoolType::Zfs => Some(format_text!("/dev/zvol/{name}")),
            _ => target.path.take(),
        };
        target.path = path.map(|path| target::sanitize(&path));
    }

    /// Checks the name.
    ///
    /// # Errors
    /// There is none, or it cannot be one.
    pub fn validate(&self) -> ConfResult<()> {
        match &self.name {
            None => Err(ConfError::invalid("a pool needs a <name>")),
            Some(name) if name.contains('/') => Err(ConfError::invalid(format!(
                "'{name}' cannot be the name of a pool: it has a '/' in it"
            ))),
            Some(_) => Ok(()),
        }
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("pool", flags)
    }
}
