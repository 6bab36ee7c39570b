//! Block devices.

use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, Xml};

use super::{nested, unknown_nested, write_nested};

/// Block size and number of blocks of a medium.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Logical block size in bytes.
    #[xml(text_child, unset = 0)]
    pub logical_block_size: Option<u64>,
    /// Number of logical blocks.
    #[xml(text_child, unset = 0)]
    pub num_blocks: Option<u64>,
}

/// Nested `type='removable'`: the medium can be removed.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Removable {
    /// Whether a medium is inserted: 1 or 0.
    #[xml(text_child, value = u8)]
    pub media_available: bool,
    /// Size of the medium in bytes; 0 without one.
    #[xml(text_child)]
    pub media_size: u64,
    /// Label of the inserted medium.
    #[xml(text_child)]
    pub media_label: Option<Text>,
    /// Block size and number of blocks of the medium.
    #[xml(flat)]
    pub blocks: Blocks,
}

impl Content for Removable {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            media_available: node
                .child("media_available")
                .is_some_and(|n| n.text() == "1"),
            media_size: node.text_child_req("media_size")?,
            media_label: node.text_child_opt("media_label")?,
            blocks: Blocks::parse(node)?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("media_available", &u8::from(self.media_available));
        w.text_element("media_size", &self.media_size);
        if let Some(label) = &self.media_label {
            w.text_element("media_label", label);
        }
        self.blocks.children(w);
    }
}

/// The medium of a block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// It is the device.
    Fixed {
        /// Size in bytes.
        size: u64,
        /// How it is divided.
        blocks: Blocks,
    },
    /// It can be taken out.
    Removable(Removable),
}

/// `type='storage'`: a block device of the host.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(text_child = "size", value = u64, optional, doc = "Size of the device in bytes, if its medium cannot be removed."))]
#[xml(more(flat, value = Blocks))]
pub struct Storage {
    /// Path of the block device.
    #[xml(text_child)]
    pub block: Text,
    /// Bus that the device is attached to: `scsi`, `usb`, …
    #[xml(text_child)]
    pub bus: Option<Text>,
    /// Type of drive: `disk`, `cdrom`, `floppy`, …
    #[xml(text_child)]
    pub drive_type: Option<Text>,
    /// Model that the device reports.
    #[xml(text_child)]
    pub model: Option<Text>,
    /// Vendor that the device reports.
    #[xml(text_child)]
    pub vendor: Option<Text>,
    /// Serial number that the device reports.
    #[xml(text_child)]
    pub serial: Option<Text>,
    /// Size of the medium, and whether it can be removed.
    #[xml(child = "capability[type=removable]", value = Removable, optional)]
    pub media: Media,
    /// Whether the device itself can be unplugged while the host runs.
    #[xml(child = "capability[type=hotpluggable]", value = (), optional)]
    pub hotpluggable: bool,
}

impl Content for Storage {
    fn parse(node: Node<'_>) -> Result<Self> {
        let (mut removable, mut hotpluggable) = (None, false);
        for (kind, child) in nested(node)? {
            child.take();
            match kind {
                "hotpluggable" => hotpluggable = true,
                "removable" => removable = Some(Removable::parse(child)?),
                _ => return Err(unknown_nested(child, kind, &["removable", "hotpluggable"])),
            }
        }
        Ok(Self {
            block: node.text_child_req("block")?,
            bus: node.text_child_opt("bus")?,
            drive_type: node.text_child_opt("drive_type")?,
            model: node.text_child_opt("model")?,
            vendor: node.text_child_opt("vendor")?,
            serial: node.text_child_opt("serial")?,
            media: match removable {
                Some(removable) => Media::Removable(removable),
                None => Media::Fixed {
                    size: node.text_child_req("size")?,
                    blocks: Blocks::parse(node)?,
                },
            },
            hotpluggable,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("block", &self.block);
        for (name, value) in [
            ("bus", &self.bus),
            ("drive_type", &self.drive_type),
            ("model", &self.model),
            ("vendor", &self.vendor),
            ("serial", &self.serial),
        ] {
            if let Some(value) = value {
                w.text_element(name, value);
            }
        }
        match &self.media {
            Media::Removable(removable) => write_nested(w, "removable", removable),
            Media::Fixed { size, blocks } => {
                w.text_element("size", size);
                blocks.children(w);
            }
        }
        if self.hotpluggable {
            write_nested(w, "hotpluggable", &());
        }
    }
}
