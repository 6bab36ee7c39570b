//! `<disk>` of a backup: what happens to one of the guest's disks.

use virtbus_conf_storage::storage::{
    BlockSource, FileSource, ImageFormat, StorageSource, StorageType,
};
use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, Result, Text, Writer, YesNo, xml_names,
};

use super::BackupMode;

xml_names! {
    /// How far the job is.
    pub enum BackupState {
        Running = "running",
        Complete = "complete",
        Failed = "failed",
        Cancelling = "cancelling",
        Cancelled = "cancelled",
    }
}

xml_names! {
    /// What is copied.
    pub enum BackupDiskMode {
        Full = "full",
        Incremental = "incremental",
    }
}

/// `<disk>`: how one disk of the guest is backed up.
#[derive(Describe, Debug, Clone, PartialEq)]
#[xml(more(child_attr = "driver/type", value = ImageFormat, optional, doc = "Format of the target (push) or of the scratch image (pull)."))]
#[xml(more(child = "target", value = FileSource, optional, doc = "Image that the data is written to; push mode only."))]
#[xml(more(
    attr = "dev",
    wrap = "target",
    value = Text,
    told = "an absolute path",
    optional,
    doc = "Block device that the data is written to; push mode only."
))]
#[xml(more(child = "scratch", value = FileSource, optional, doc = "Image that keeps what the guest overwrites during the backup; pull mode only."))]
#[xml(more(
    attr = "dev",
    wrap = "scratch",
    value = Text,
    told = "an absolute path",
    optional,
    doc = "Block device that keeps what the guest overwrites during the backup; pull mode only."
))]
pub struct BackupDisk {
    /// Target name of the guest's disk, such as `vda`.
    #[xml(attr)]
    pub name: Text,
    /// Whether the disk is backed up. If not, the other settings are ignored.
    #[xml(attr, optional, absent = "yes")]
    pub backup: YesNo,
    /// State of the disk's backup job; in files of drivers only.
    #[xml(attr)]
    pub state: Option<BackupState>,
    /// How much is copied: `full` everything, `incremental` what has changed since the checkpoint.
    #[xml(attr = "backupmode")]
    pub mode: Option<BackupDiskMode>,
    /// Name of the checkpoint since which changes are copied; that of the whole backup if absent.
    #[xml(attr)]
    pub incremental: Option<Text>,
    /// Name under which NBD clients find the data; the target name if absent.
    #[xml(attr = "exportname")]
    pub export_name: Option<Text>,
    /// Name under which NBD clients find the bitmap of changes; only with `incremental`.
    #[xml(attr = "exportbitmap")]
    pub export_bitmap: Option<Text>,
    /// Number of the image in the running guest; in files of drivers only.
    #[xml(attr)]
    pub index: Option<u32>,
    /// Format of the target, or of the scratch image.
    #[xml(skip)]
    pub format: Option<ImageFormat>,
    /// Target (push), or scratch image that keeps what the guest overwrites (pull): a file or block device, whose path
    /// the driver chooses if absent.
    #[xml(
        attr = "type",
        told = "one of 'file', 'block'",
        absent = "file",
        optional
    )]
    pub store: StorageSource,
}

impl BackupDisk {
    /// A disk of this name, to be copied or not.
    pub fn new(name: impl Into<Text>, backup: YesNo) -> Self {
        Self {
            name: name.into(),
            backup,
            state: None,
            mode: None,
            incremental: None,
            export_name: None,
            export_bitmap: None,
            index: None,
            format: None,
            store: StorageSource::default(),
        }
    }

    pub(super) fn read(node: Node<'_>, mode: BackupMode, status: bool) -> Result<Self> {
        let backup = node.attr_opt("backup")?.unwrap_or(YesNo::Yes);
        let mut disk = Self::new(node.attr_req::<Text>("name")?, backup);
        if mode == BackupMode::Pull {
            disk.export_name = node.attr_opt("exportname")?;
            disk.export_bitmap = node.attr_opt("exportbitmap")?;
        }
        disk.mode = node.attr_opt("backupmode")?;
        disk.incremental = node.attr_opt("incremental")?;
        if backup == YesNo::No {
            return Ok(Self::new(disk.name, backup));
        }
        if status {
            disk.state = Some(node.attr_req("state")?);
            disk.index = node.attr_opt("index")?;
        }
        disk.format = node.child_or_absent("driver").attr_opt("type")?;
        let store = node.child_or_absent(Self::store_name(mode));
        disk.store = match node.attr_opt("type")?.unwrap_or(StorageType::File) {
            StorageType::File => StorageSource::File(FileSource::parse(store)?),
            StorageType::Block => StorageSource::Block(BlockSource::parse(store)?),
            other => {
                return Err(node.bad_attr("type", other.as_str(), "'file' or 'block'"));
            }
        };
        if let Some(path) = disk.store.path().filter(|path| !path.starts_with('/')) {
            return Err(store.error(
                ErrorKind::Invalid,
                format!("the path '{path}' must be absolute"),
            ));
        }
        Ok(disk)
    }

    fn store_name(mode: BackupMode) -> &'static str {
        match mode {
            BackupMode::Push => "target",
            BackupMode::Pull => "scratch",
        }
    }

    pub(super) fn write(&self, mode: BackupMode, w: &mut Writer) {
        w.begin("disk");
        w.attr_str("name", &self.name);
        w.attr("backup", &self.backup);
        let status = w.flags().contains(Flags::STATUS);
        if status {
            w.attr_opt("state", &self.state);
        }
        if self.backup == YesNo::Yes {
            w.attr("type", &self.store.kind());
            w.attr_opt("backupmode", &self.mode);
            w.attr_opt("incremental", &self.incremental);
            w.attr_opt("exportname", &self.export_name);
            w.attr_opt("exportbitmap", &self.export_bitmap);
            if status {
                w.attr_opt("index", &self.index);
            }
            if let Some(format) = &self.format {
                w.attr_element("driver", "type", format);
            }
            let body: &dyn Content = match &self.store {
                StorageSource::Block(store) => store,
                StorageSource::File(store) => store,
                // Neither read nor made.
                _ => &(),
            };
            w.element_unless_empty(Self::store_name(mode), body);
        }
        w.end("disk");
    }
}
