//! Long block operations: copy, pull, commit, backup, and QEMU's jobs.

use crate::Nothing;
use crate::command::commands;
use crate::event::{BlockJobType, JobStatus};

use super::replies;

commands! {
    /// The jobs.
    QueryJobs = "query-jobs" -> Vec<Job>;
    /// The block jobs.
    QueryBlockJobs = "query-block-jobs" -> Vec<BlockJobInfo>;
    /// Lets a concluded job go.
    JobDismiss(
        /// The job.
        id: String,
    ) = "job-dismiss" -> Nothing;
    /// Cancels a job.
    JobCancel(
        /// The job.
        id: String,
    ) = "job-cancel" -> Nothing;
    /// Lets a pending job conclude.
    JobFinalize(
        /// The job.
        id: String,
    ) = "job-finalize" -> Nothing;
    /// Lets a ready job finish.
    JobComplete(
        /// The job.
        id: String,
    ) = "job-complete" -> Nothing;
    /// Holds a job.
    JobPause(
        /// The job.
        id: String,
    ) = "job-pause" -> Nothing;
    /// Lets a held job go on.
    JobResume(
        /// The job.
        id: String,
    ) = "job-resume" -> Nothing;
    /// Cancels a block job; a ready mirror ends with its copy as it is.
    BlockJobCancel(
        /// The job.
        device: String,
    )[
        /// At once, and a ready mirror counts as failed.
        force: bool,
    ] = "block-job-cancel" -> Nothing;
    /// Limits a block job's speed.
    BlockJobSetSpeed(
        /// The job.
        device: String,
        /// Bytes per second; 0 is no limit.
        speed: u64,
    ) = "block-job-set-speed" -> Nothing;
    /// Copies the backing images' data into a node.
    BlockStream(
        /// The job's id.
        job_id: String,
        /// The node that is filled.
        device: String,
    )[
        /// Copy only what is above this node.
        base_node: String,
        /// What the image names as its backing image afterwards.
        backing_file: String,
        /// Bytes per second; 0 is no limit.
        speed: u64,
        /// Whether it concludes by itself.
        auto_finalize: bool,
        /// Whether it goes away by itself.
        auto_dismiss: bool,
    ] = "block-stream" -> Nothing;
    /// Writes the data of overlays into a node below.
    BlockCommit(
        /// The job's id.
        job_id: String,
        /// The active node.
        device: String,
    )[
        /// The node written to; the lowest if absent.
        base_node: String,
        /// The highest node that is committed; the active one if absent.
        top_node: String,
        /// What the image above names as its backing image afterwards.
        backing_file: String,
        /// Bytes per second; 0 is no limit.
        speed: u64,
        /// Whether it concludes by itself.
        auto_finalize: bool,
        /// Whether it goes away by itself.
        auto_dismiss: bool,
    ] = "block-commit" -> Nothing;
    /// Copies a node to another and keeps them the same.
    BlockdevMirror(
        /// The job's id.
        job_id: String,
        /// The node that is copied.
        device: String,
        /// The node that is written.
        target: String,
        /// `top`, `full`, `none` or `incremental`.
        sync: String,
    )[
        /// Bytes per second; 0 is no limit.
        speed: u64,
        /// Bytes per bit of the table of what is to be copied.
        granularity: u32,
        /// Bytes on the way at most.
        buf_size: u64,
        /// `background` or `write-blocking`.
        copy_mode: String,
        /// Whether it concludes by itself.
        auto_finalize: bool,
        /// Whether it goes away by itself.
        auto_dismiss: bool,
    ] = "blockdev-mirror" -> Nothing;
}

replies! {
    /// A job.
    Job {
        /// Its id.
        id: String,
        /// What it does.
        #[serde(rename = "type")]
        kind: BlockJobType,
        /// How it is doing.
        status: JobStatus,
        /// Done, in units of the job's own.
        #[serde(default)]
        current_progress: i64,
        /// Altogether, in the same units; may grow.
        #[serde(default)]
        total_progress: i64,
        /// Why it failed, if it did.
        error: Option<String>,
    }
    /// A block job.
    BlockJobInfo {
        /// What it does.
        #[serde(rename = "type")]
        kind: BlockJobType,
        /// Its id.
        device: String,
        /// Bytes altogether.
        len: u64,
        /// Bytes done.
        offset: u64,
        /// Bytes per second; 0 is no limit.
        speed: i64,
        /// Whether it does anything now.
        busy: bool,
        /// Whether it is held.
        paused: bool,
        /// `ok`, `failed` or `nospace`.
        io_status: String,
        /// Whether it is ready to complete.
        ready: bool,
        /// How it is doing.
        status: Option<JobStatus>,
        /// Why it failed, if it did.
        error: Option<String>,
    }
}
