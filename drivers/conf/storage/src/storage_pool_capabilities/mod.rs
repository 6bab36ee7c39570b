//! The pool capabilities document: `<storagepoolCapabilities>`, what kinds of pools there can be.
//!
//! Which kinds a host supports is the driver's to say; the formats are those of the pool document.

use std::fmt::Display;

use virtbus_xml::{
    Content, Describe, Document, Flags, Node, Result, Text, Value, Writer, XmlError, YesNo,
    format_text,
};

use crate::storage_pool::{Formats, PoolType};

/// Formats that a pool's source or its volumes can have.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(
    attr = "name",
    wrap = "enum",
    told = "one of 'sourceFormatType', 'targetFormatType'",
    doc = "Which format the values are for: that of the pool's source or that of its volumes."
))]
pub struct FormatChoice {
    /// Format that is used if a document gives none.
    #[xml(child_attr = "defaultFormat/type")]
    pub default: Option<Text>,
    /// Formats that are supported.
    #[xml(text_child = "value", wrap = "enum")]
    pub values: Vec<Text>,
}

impl FormatChoice {
    fn new<F: Value + Copy + Display>(formats: Formats<F>) -> Self {
        Self {
            default: Some(format_text!("{}", formats.default)),
            values: formats
                .listed
                .iter()
                .map(|format| format_text!("{format}"))
                .collect(),
        }
    }

    fn parse(node: Node<'_>, name: &str) -> Result<Self> {
        let mut values = Vec::new();
        for choice in node.children("enum") {
            let found: Text = choice.attr_req("name")?;
            if found != name {
                return Err(choice.bad_attr("name", &found, &virtbus_xml::one_of(&[name])));
            }
            values = choice.text_child_vec("value")?;
        }
        Ok(Self {
            default: node.child_attr_opt("defaultFormat", "type")?,
            values,
        })
    }

    fn write(&self, element: &str, name: &'static str, w: &mut Writer) {
        w.begin(element);
        if let Some(default) = &self.default {
            w.attr_element("defaultFormat", "type", default);
        }
        w.element_open(
            "enum",
            &Choice {
                name,
                values: &self.values,
            },
        );
        w.end(element);
    }
}

/// `<enum>`.
struct Choice<'a> {
    name: &'static str,
    values: &'a [Text],
}

impl Content for Choice<'_> {
    fn parse(node: Node<'_>) -> Result<Self> {
        Err(node.error(
            virtbus_xml::ErrorKind::Invalid,
            "is only read with its options",
        ))
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("name", self.name);
    }

    fn children(&self, w: &mut Writer) {
        for value in self.values {
            w.text_element("value", value);
        }
    }
}

const SOURCE_FORMAT: &str = "sourceFormatType";
const TARGET_FORMAT: &str = "targetFormatType";

/// `<pool>`: what this host supports for one kind of pool.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct PoolCapability {
    /// Kind of pool that is described.
    #[xml(attr = "type")]
    pub kind: PoolType,
    /// Whether this host supports pools of this kind.
    #[xml(attr)]
    pub supported: YesNo,
    /// Formats of the pool's source.
    #[xml(child = "poolOptions")]
    pub pool_options: Option<FormatChoice>,
    /// Formats of the pool's volumes.
    #[xml(child = "volOptions")]
    pub vol_options: Option<FormatChoice>,
}

impl Content for PoolCapability {
    fn parse(node: Node<'_>) -> Result<Self> {
        let options = |name: &str, choice| {
            node.child(name)
                .map(|child| FormatChoice::parse(child, choice))
                .transpose()
        };
        Ok(Self {
            kind: node.attr_req("type")?,
            supported: node.attr_req("supported")?,
            pool_options: options("poolOptions", SOURCE_FORMAT)?,
            vol_options: options("volOptions", TARGET_FORMAT)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind);
        w.attr("supported", &self.supported);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(options) = &self.pool_options {
            options.write("poolOptions", SOURCE_FORMAT, w);
        }
        if let Some(options) = &self.vol_options {
            options.write("volOptions", TARGET_FORMAT, w);
        }
    }
}

/// `<storagepoolCapabilities>`: the kinds of storage pools that this host supports.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct StoragePoolCapabilities {
    /// Description of each kind of pool.
    #[xml(child = "pool")]
    pub pools: Vec<PoolCapability>,
}

impl Content for StoragePoolCapabilities {
    fn parse(node: Node<'_>) -> Result<Self> {
        node.child_vec("pool").map(|pools| Self { pools })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        for pool in &self.pools {
            w.element_open("pool", pool);
        }
    }
}

impl StoragePoolCapabilities {
    /// What a host that supports these kinds of pools has to tell.
    pub fn new(supported: &[PoolType]) -> Self {
        let pool = |kind: PoolType| PoolCapability {
            kind,
            supported: supported.contains(&kind).into(),
            pool_options: kind.source_formats().map(FormatChoice::new),
            vol_options: kind.volume_formats().map(FormatChoice::new),
        };
        Self {
            pools: PoolType::ALL.into_iter().map(pool).collect(),
        }
    }

    /// Reads a document. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.read("storagepoolCapabilities")
    }

    /// Reads a document. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`StoragePoolCapabilities::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let capabilities = doc.read("storagepoolCapabilities")?;
        doc.check_no_leftovers()?;
        Ok(capabilities)
    }

    /// Writes the document.
    pub fn format(&self, flags: Flags) -> String {
        let mut w = Writer::new(flags);
        w.element_open("storagepoolCapabilities", self);
        w.finish()
    }
}
