//! `<job>`: what is being done to a guest, and what has to be undone if the daemon ends meanwhile.

use virtbus_conf_storage::storage::{
    BackingChain, ImageFormat, NetworkSource, StorageSource, StorageType,
};
use virtbus_xml::{Base16, Content, Describe, Node, Result, Text, Writer, Xml, YesNo, xml_names};

xml_names! {
    /// A short job.
    pub enum JobType {
        None = "none",
        Query = "query",
        Destroy = "destroy",
        Suspend = "suspend",
        Modify = "modify",
        Abort = "abort",
        MigrationOperation = "migration operation",
        ModifyMigrationSafe = "modify migration safe",
        AsyncNested = "async nested",
    }
}

xml_names! {
    /// A long job.
    pub enum AsyncJob {
        None = "none",
        MigrationOut = "migration out",
        MigrationIn = "migration in",
        Save = "save",
        Dump = "dump",
        Snapshot = "snapshot",
        Start = "start",
        Backup = "backup",
    }
}

xml_names! {
    /// How far a migration is.
    pub enum JobPhase {
        None = "none",
        Perform2 = "perform2",
        Begin3 = "begin3",
        Perform3 = "perform3",
        Perform3Done = "perform3_done",
        Confirm3Cancelled = "confirm3_cancelled",
        Confirm3 = "confirm3",
        Prepare = "prepare",
        Finish2 = "finish2",
        Finish3 = "finish3",
        PostCopyFailed = "postcopy_failed",
        BeginResume = "begin_resume",
        PerformResume = "perform_resume",
        ConfirmResume = "confirm_resume",
        PrepareResume = "prepare_resume",
        FinishResume = "finish_resume",
    }
}

/// An image that a job reads or writes, with the images that it is based on.
#[derive(Describe, Debug, Clone, PartialEq)]
pub struct JobSource {
    /// Where the image is.
    #[xml(flat, late)]
    pub source: StorageSource,
    /// Format of the image.
    #[xml(attr)]
    pub format: ImageFormat,
    /// Images that it is based on.
    #[xml(flat)]
    pub backing: BackingChain,
}

impl Content for JobSource {
    fn parse(node: Node<'_>) -> Result<Self> {
        let is_network = node.attr_opt("type")? == Some(StorageType::Network);
        // Before there was a `<source>`, what belongs in it stood here.
        let source = if is_network && node.child("source").is_none() {
            StorageSource::Network(Box::new(NetworkSource::parse(node)?))
        } else {
            StorageSource::parse(node)?
        };
        Ok(Self {
            source,
            format: node.attr_req("format")?,
            backing: BackingChain::parse(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        self.source.attrs(w);
        w.attr("format", &self.format);
    }

    fn children(&self, w: &mut Writer) {
        self.source.children(w);
        self.backing.children(w);
    }
}

/// `<disk>` of a job: what the job does with one disk of the guest.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct JobDisk {
    /// Target name of the disk, such as `vda`.
    #[xml(attr)]
    pub dev: Text,
    /// Whether the disk is being copied.
    #[xml(attr)]
    pub migrating: Option<YesNo>,
    /// Image on the other host that the disk is copied to.
    #[xml(child = "migrationSource")]
    pub source: Option<Box<JobSource>>,
}

/// `<bitmap>`: a bitmap of changes that is removed at the end of the job.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct TemporaryBitmap {
    /// Name of the bitmap.
    #[xml(attr)]
    pub name: Text,
    /// Block node that has the bitmap.
    #[xml(attr = "nodename")]
    pub node_name: Text,
}

/// `<param>`: a migration parameter as it was before the job.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct MigrationParameter {
    /// Name of the migration parameter.
    #[xml(attr)]
    pub name: Text,
    /// Value that the parameter had before the job.
    #[xml(attr)]
    pub value: Text,
}

/// `<job>`: the job that was running when the file was written.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct Job {
    /// Kind of the short job, such as `query` or `modify`.
    #[xml(attr = "type")]
    pub kind: Option<JobType>,
    /// Kind of the long job, such as `save`, `dump` or `migration out`.
    #[xml(attr = "async")]
    pub async_job: Option<AsyncJob>,
    /// Phase of the long job.
    #[xml(attr)]
    pub phase: Option<JobPhase>,
    /// Flags of the call that began the job, hexadecimal.
    #[xml(attr)]
    pub flags: Option<Base16<1, u64>>,
    /// Time when the long job began, in milliseconds since 1970 UTC.
    #[xml(attr = "asyncStarted")]
    pub async_started: Option<u64>,
    /// Disks of the guest that the job works on.
    #[xml(child)]
    pub disk: Vec<JobDisk>,
    /// Bitmaps of changes that are removed at the end of the job.
    #[xml(child = "bitmap", wrap = "tempBlockDirtyBitmaps")]
    pub bitmaps: Vec<TemporaryBitmap>,
    /// Migration parameters that are restored at the end of the job.
    #[xml(child = "param", wrap = "migParams")]
    pub parameters: Vec<MigrationParameter>,
}

#[cfg(test)]
mod tests {
    use virtbus_xml::{Document, Flags};

    use super::*;

    #[test]
    fn a_source_without_an_element_of_its_own_gets_one() {
        let xml = "<migrationSource type='network' format='raw' protocol='nbd' name='copy'>\
            <host name='there' port='10809'/></migrationSource>";
        let doc = Document::parse(xml).unwrap().stored();
        let source: JobSource = doc.read("migrationSource").unwrap();
        doc.check_no_leftovers().unwrap();
        let text = source.to_xml("migrationSource", Flags::STATUS);
        assert_eq!(
            text,
            "<migrationSource type='network' format='raw'>\n  \
               <source protocol='nbd' name='copy' tlsFromConfig='0'>\n    \
                 <host name='there' port='10809'/>\n  \
               </source>\n\
             </migrationSource>\n"
        );
        let again: JobSource = Document::parse(&text)
            .unwrap()
            .read("migrationSource")
            .unwrap();
        assert_eq!(again.to_xml("migrationSource", Flags::STATUS), text);
    }
}
