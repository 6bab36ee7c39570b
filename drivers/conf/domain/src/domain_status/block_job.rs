//! `<blockjobs>`: copies and commits of images that are being made.

use virtbus_xml::{Base16, Text, Xml, YesNo, xml_names};

use super::JobSource;

xml_names! {
    /// What a job does.
    pub enum BlockJobType {
        /// Takes in what the image is based on.
        Pull = "pull",
        /// Makes a copy that follows the guest.
        Copy = "copy",
        /// Puts an image into the one it is based on.
        Commit = "commit",
        /// The same with the image that the guest writes to.
        ActiveCommit = "active-commit",
        /// Copies one moment.
        Backup = "backup",
        /// Makes an image.
        Create = "create",
        /// Not known any more.
        Broken = "broken",
    }
}

xml_names! {
    /// How far a job is.
    pub enum BlockJobState {
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
        Ready = "ready",
        New = "new",
        Running = "running",
        Concluded = "concluded",
        Aborting = "aborting",
        Pending = "pending",
        Pivoting = "pivoting",
    }
}

xml_names! {
    /// What of an image is made.
    pub enum CreateMode {
        /// Only the place, without a format.
        Storage = "storage",
    }
}

/// `<disk>` of a block job: the disk of the guest that the job works on.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BlockJobDisk {
    /// Target name of the disk, such as `vda`.
    #[xml(attr = "dst")]
    pub target: Text,
    /// Whether the job writes to the disk's mirror.
    #[xml(attr)]
    pub mirror: Option<YesNo>,
}

/// `<chains>`: the images that a job works on, if the guest no longer has the disk.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct BlockJobChains {
    /// Images of the disk, from the active one downwards.
    #[xml(child)]
    pub disk: Option<Box<JobSource>>,
    /// Images of the disk's mirror, from the active one downwards.
    #[xml(child)]
    pub mirror: Option<Box<JobSource>>,
}

/// `<blockjob>`: a job that works on an image of the guest.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct BlockJob {
    /// Name of the job in QEMU.
    #[xml(attr)]
    pub name: Text,
    /// Kind of the job, such as `pull`, `copy`, `commit`, `backup` or `create`.
    #[xml(attr = "type")]
    pub kind: BlockJobType,
    /// State of the job, as last written.
    #[xml(attr)]
    pub state: BlockJobState,
    /// State that QEMU has reported and the driver has not yet handled.
    #[xml(attr = "newstate")]
    pub new_state: Option<BlockJobState>,
    /// Kind that the job had before the driver lost track of it.
    #[xml(attr = "brokentype")]
    pub broken_type: Option<BlockJobType>,
    /// Flags of the call that began the job, hexadecimal.
    #[xml(attr = "jobflags")]
    pub flags: Option<Base16<1>>,
    /// Whether a copy keeps the backing image (shallow copy).
    #[xml(attr = "shallownew")]
    pub shallow_new: Option<YesNo>,
    /// Reason why the job failed, as QEMU gave it.
    #[xml(text_child = "errmsg")]
    pub error: Option<Text>,
    /// Disk that the job works on.
    #[xml(child)]
    pub disk: Option<BlockJobDisk>,
    /// Images that the job works on, if the guest no longer has the disk.
    #[xml(child, skip_empty)]
    pub chains: Option<BlockJobChains>,
    /// Block node below the images that are merged.
    #[xml(child_attr = "base/node")]
    pub base: Option<Text>,
    /// Block node of the topmost image that is merged.
    #[xml(child_attr = "top/node")]
    pub top: Option<Text>,
    /// Block node above the topmost image that is merged.
    #[xml(child_attr = "topparent/node")]
    pub top_parent: Option<Text>,
    /// Whether images are deleted after they have been merged.
    #[xml(flag = "deleteCommittedImages")]
    pub delete_images: bool,
    /// What is created: the image file (`storage`) or its format (`format`).
    #[xml(child_attr = "create/mode")]
    pub create: Option<CreateMode>,
    /// Image that is created or formatted.
    #[xml(child = "src")]
    pub source: Option<Box<JobSource>>,
    /// Name of the bitmap of changes that are copied.
    #[xml(child_attr = "bitmap/name")]
    pub bitmap: Option<Text>,
    /// Image that a backup writes to.
    #[xml(child)]
    pub store: Option<Box<JobSource>>,
}

/// `<blockjobs>`: the block jobs of the guest.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct BlockJobs {
    /// Whether any block job is active, including those that are not listed.
    #[xml(attr, absent = "no")]
    pub active: Option<YesNo>,
    /// Block jobs that the driver keeps track of.
    #[xml(child)]
    pub blockjob: Vec<BlockJob>,
}
