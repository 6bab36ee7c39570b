//! Chains of images, each based on the next.
//!
//! In XML each `<backingStore>` holds the next one; here the layers stand in a list, so that neither
//! reading nor walking a long chain needs a deep stack.

use virtbus_xml::{Content, Describe, Node, Nothing, Result, Writer};

use super::{Format, StorageSource};

/// Whether the chain below the last layer is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChainEnd {
    /// No `<backingStore>`: look at the image.
    #[default]
    Unknown,
    /// An empty `<backingStore/>`: there is no further image.
    Complete,
}

/// `<backingStore>`: an image that another one is based on.
#[derive(Describe, Debug, Clone, PartialEq)]
#[xml(more(child = "backingStore", value = BackingLayer, optional, doc = "Image that this one is based on; an empty element ends the chain."))]
pub struct BackingLayer {
    /// Where the backing image is.
    #[xml(flat, late)]
    pub source: StorageSource,
    /// Number of the image in a running guest, from 1; block job calls name it as `DISK[NUMBER]`.
    #[xml(attr)]
    pub index: Option<u32>,
    /// Format of the backing image.
    #[xml(child)]
    pub format: Option<Format>,
}

/// The images below the active one, the nearest first.
#[derive(Describe, Nothing, Debug, Clone, Default, PartialEq)]
pub struct BackingChain {
    /// Images below the active one; absent lets the driver find them in the images' headers.
    #[xml(child = "backingStore", optional)]
    pub layers: Vec<BackingLayer>,
    /// Whether there may be more.
    #[xml(skip)]
    pub end: ChainEnd,
}

impl Nothing for ChainEnd {
    const NOTHING: Self = Self::Unknown;

    fn nothing() -> &'static Self {
        &Self::NOTHING
    }
}

impl Content for BackingChain {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut chain = Self::default();
        let mut at = node;
        while let Some(next) = at.child("backingStore") {
            if next.attr("type").is_none() {
                chain.end = ChainEnd::Complete;
                break;
            }
            chain.layers.push(BackingLayer {
                source: StorageSource::parse(next)?,
                index: next.attr_opt("index")?,
                format: next.child_opt("format")?,
            });
            at = next;
        }
        Ok(chain)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        for layer in &self.layers {
            w.begin("backingStore");
            layer.source.attrs(w);
            w.attr_opt("index", &layer.index);
            if let Some(format) = &layer.format {
                w.element("format", format);
            }
            layer.source.children(w);
        }
        if self.end == ChainEnd::Complete {
            w.flag("backingStore");
        }
        for _ in &self.layers {
            w.end("backingStore");
        }
    }
}
