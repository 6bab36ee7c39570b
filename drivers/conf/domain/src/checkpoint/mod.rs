//! The checkpoint document: `<domaincheckpoint>`, a moment from which on changes of disks are recorded.
//!
//! Nothing here makes bitmaps; a driver fills in sizes when it is asked for them.

mod align;

use std::borrow::Cow;

use virtbus_conf_base::{ConfError, Result as ConfResult};
use virtbus_xml::{
    Content, Document, ErrorKind, Flags, Text, Value, Xml, XmlError, format_text, xml_names,
};

use crate::domain::Seams;
use crate::moment::{Definitions, Purpose};

/// Name of a checkpoint: letters, digits, `_`, `-` and, but for the first, `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CheckpointName(Text);

impl CheckpointName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for CheckpointName {
    fn from_text(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let (first, rest) = text.as_bytes().split_first()?;
        (plain(*first) && rest.iter().all(|b| plain(*b) || *b == b'.')).then(|| Self(text.into()))
    }

    fn write_to(&self, out: &mut String) {
        out.push_str(&self.0);
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("a name of letters, digits, '_', '-' and inner '.'")
    }
}

impl std::fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

xml_names! {
    /// Whether changes of a disk are recorded.
    pub enum CheckpointMode {
        No = "no",
        Bitmap = "bitmap",
    }
}

/// `<disk>`: what the checkpoint does with one disk of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckpointDisk {
    /// Target name of the guest's disk, or the absolute path of its image.
    #[xml(attr)]
    pub name: Text,
    /// Whether changes are recorded: `bitmap`, or `no`.
    #[xml(attr)]
    pub checkpoint: Option<CheckpointMode>,
    /// Name of the bitmap in the image; the checkpoint's name if absent.
    #[xml(attr)]
    pub bitmap: Option<Text>,
    /// Estimated size of the changes in bytes; told by the driver on request, ignored when read.
    #[xml(attr)]
    pub size: Option<u64>,
}

/// `<domaincheckpoint>`: a point in time since which changes of a guest's disks are recorded.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    /// Name of the checkpoint; made of the current time if absent.
    #[xml(text_child)]
    pub name: Option<CheckpointName>,
    /// Description for people, which no program interprets.
    #[xml(text_child)]
    pub description: Option<Text>,
    /// Name of the checkpoint before this one.
    #[xml(text_child = "name", wrap = "parent")]
    pub parent: Option<CheckpointName>,
    /// Time of creation, in seconds since 1970 UTC.
    #[xml(text_child = "creationTime")]
    pub creation_time: Option<i64>,
    /// Disks of the guest, with what is recorded for each.
    #[xml(child = "disk", wrap = "disks")]
    pub disks: Vec<CheckpointDisk>,
    /// Definition of the guest when the checkpoint was made; none for the next start is kept.
    #[xml(flat)]
    pub definitions: Definitions,
}

impl Checkpoint {
    /// Reads a document. What is not known is an error: checkpoints have always been checked.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing, anything unknown.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let root = doc.expect_root("domaincheckpoint")?;
        if let Some(disks) = root.child("disks").filter(|d| d.child("disk").is_none()) {
            return Err(disks.error(ErrorKind::Missing, "at least one <disk> is expected"));
        }
        let checkpoint: Self = doc.read("domaincheckpoint")?;
        doc.check_no_leftovers()?;
        Ok(checkpoint)
    }

    /// Writes the document. Sizes and the guest are written if they are there: who does not want them
    /// takes them out.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("domaincheckpoint", flags)
    }

    /// Fills in what the purpose decides. `now` is in seconds since 1970 began.
    ///
    /// A new checkpoint loses what only the driver can know: parent, definition of the guest. One that is
    /// redefined must have its name and time.
    ///
    /// # Errors
    /// A part that is missing, or a bitmap for a disk whose changes are not recorded.
    pub fn complete(
        &mut self,
        purpose: Purpose,
        now: i64,
        seams: &mut Seams<'_>,
    ) -> ConfResult<()> {
        match purpose {
            Purpose::Create => {
                self.name
                    .get_or_insert_with(|| CheckpointName(format_text!("{now}")));
                self.creation_time = Some(now);
                self.parent = None;
                self.definitions = Definitions::default();
            }
            Purpose::Redefine => {
                for (what, missing) in [
                    ("name", self.name.is_none()),
                    ("creationTime", self.creation_time.is_none()),
                ] {
                    if missing {
                        return Err(ConfError::invalid(format!(
                            "a checkpoint that is redefined needs its <{what}>"
                        )));
                    }
                }
                self.definitions.complete(seams)?;
            }
        }
        for disk in &mut self.disks {
            disk.size = None;
            let mode = *disk.checkpoint.get_or_insert(CheckpointMode::Bitmap);
            if mode == CheckpointMode::No && disk.bitmap.is_some() {
                return Err(ConfError::invalid(format!(
                    "disk '{}': a bitmap needs checkpoint='bitmap'",
                    disk.name
                )));
            }
        }
        Ok(())
    }
}
