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

/// `<disk>` of a block job: the disk of the guest that it is about.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BlockJobDisk {
    /// Its target.
    #[xml(attr = "dst")]
    pub target: Text,
    /// Whether it writes to the disk's mirror.
    #[xml(attr)]
    pub mirror: Option<YesNo>,
}

/// `<chains>`: the images of a job, if the guest does not have the disk any more.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct BlockJobChains {
    /// Those of the disk.
    #[xml(child)]
    pub disk: Option<Box<JobSource>>,
    /// Those of its mirror.
    #[xml(child)]
    pub mirror: Option<Box<JobSource>>,
}

/// `<blockjob>`.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct BlockJob {
    /// Its name.
    #[xml(attr)]
    pub name: Text,
    /// What it does.
    #[xml(attr = "type")]
    pub kind: BlockJobType,
    /// How far it is.
    #[xml(attr)]
    pub state: BlockJobState,
    /// How far the hypervisor says it is, if nobody has seen to that yet.
    #[xml(attr = "newstate")]
    pub new_state: Option<BlockJobState>,
    /// What it did when it was still known.
    #[xml(attr = "brokentype")]
    pub broken_type: Option<BlockJobType>,
    /// Flags of the call that began it.
    #[xml(attr = "jobflags")]
    pub flags: Option<Base16<1>>,
    /// Whether a copy keeps what the image is based on.
    #[xml(attr = "shallownew")]
    pub shallow_new: Option<YesNo>,
    /// Why it failed.
    #[xml(text_child = "errmsg")]
    pub error: Option<Text>,
    /// The disk.
    #[xml(child)]
    pub disk: Option<BlockJobDisk>,
    /// Its images, if there is no such disk.
    #[xml(child, skip_empty)]
    pub chains: Option<BlockJobChains>,
    /// The block node down to which images are put together.
    #[xml(child_attr = "base/node")]
    pub base: Option<Text>,
    /// The node from which on they are.
    #[xml(child_attr = "top/node")]
    pub top: Option<Text>,
    /// The node above that.
    #[xml(child_attr = "topparent/node")]
    pub top_parent: Option<Text>,
    /// Whether images are deleted afterwards.
    #[xml(flag = "deleteCommittedImages")]
    pub delete_images: bool,
    /// What of an image is made.
    #[xml(child_attr = "create/mode")]
    pub create: Option<CreateMode>,
    /// The image that is made.
    #[xml(child = "src")]
    pub source: Option<Box<JobSource>>,
    /// Record of the changes that are copied.
    #[xml(child_attr = "bitmap/name")]
    pub bitmap: Option<Text>,
    /// The image that a backup writes to.
    #[xml(child)]
    pub store: Option<Box<JobSource>>,
}

/// `<blockjobs>`.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct BlockJobs {
    /// Whether there is any, of those too that are not told of.
    #[xml(attr, absent = "no")]
    pub active: Option<YesNo>,
    /// The jobs.
    #[xml(child)]
    pub blockjob: Vec<BlockJob>,
}
