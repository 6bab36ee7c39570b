//! Work that takes long: saving, dumping, migrating domains; copying and merging their disks.

use async_trait::async_trait;

use super::DomainId;
use crate::Result;
use crate::declare::{flags, group, numbered};
use crate::typed::TypedParameters;

/// How far a job is (`virDomainJobInfo`): times in milliseconds, amounts in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are libvirt's, documented there")]
pub struct JobInfo {
    /// How it is doing.
    pub kind: DomainJobType,
    pub time_elapsed: u64,
    pub time_remaining: u64,
    pub data_total: u64,
    pub data_processed: u64,
    pub data_remaining: u64,
    pub mem_total: u64,
    pub mem_processed: u64,
    pub mem_remaining: u64,
    pub file_total: u64,
    pub file_processed: u64,
    pub file_remaining: u64,
}

impl JobInfo {
    /// That there is no job.
    pub const NONE: Self = Self {
        kind: DomainJobType::None,
        time_elapsed: 0,
        time_remaining: 0,
        data_total: 0,
        data_processed: 0,
        data_remaining: 0,
        mem_total: 0,
        mem_processed: 0,
        mem_remaining: 0,
        file_total: 0,
        file_processed: 0,
        file_remaining: 0,
    };
}

/// The long job of a domain, as far as everybody who may know the domain may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobProgress {
    /// What it does.
    pub operation: DomainJobOperation,
    /// How much of it is done, 0 to 100; 0 as long as that cannot be told.
    pub percent: u32,
}

/// How far a job on a disk is (`virDomainBlockJobInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockJobInfo {
    /// What it does.
    pub kind: DomainBlockJobType,
    /// Its limit; bytes or MiB per second, as asked for.
    pub bandwidth: u64,
    /// How far it is.
    pub cur: u64,
    /// Where it ends.
    pub end: u64,
}

/// Whether the hypervisor can be reached (`virDomainControlInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlInfo {
    /// Whether it can.
    pub state: DomainControlState,
    /// Why not.
    pub details: DomainControlErrorReason,
    /// How long it has been so, milliseconds.
    pub state_time: u64,
}

flags! {
    /// How memory is saved and restored.
    DomainSaveRestoreFlags: virDomainSaveRestoreFlags, VIR_DOMAIN_SAVE_ {
        /// Not through the host's page cache.
        BYPASS_CACHE = 1;
        /// To be running afterwards.
        RUNNING = 2;
        /// To be paused afterwards.
        PAUSED = 4;
        /// With the NVRAM store made anew.
        RESET_NVRAM = 8;
    }

    /// What a saved image's XML shows.
    DomainSaveImageXmlFlags: virDomainSaveImageXMLFlags, VIR_DOMAIN_SAVE_IMAGE_XML_ {
        /// Secrets too.
        SECURE = 1;
    }

    /// How memory is dumped.
    DomainCoreDumpFlags: virDomainCoreDumpFlags, VIR_DUMP_ {
        /// The domain is crashed afterwards.
        CRASH = 1;
        /// The domain goes on meanwhile.
        LIVE = 2;
        /// Not through the host's page cache.
        BYPASS_CACHE = 4;
        /// The domain is reset afterwards.
        RESET = 8;
        /// Memory without the state of devices.
        MEMORY_ONLY = 16;
    }

    /// Which job's statistics.
    DomainGetJobStatsFlags: virDomainGetJobStatsFlags, VIR_DOMAIN_JOB_STATS_ {
        /// The last one's that ended.
        COMPLETED = 1;
        /// And keep them for the next who asks.
        KEEP_COMPLETED = 2;
    }

    /// How a job is ended.
    DomainAbortJobFlags: virDomainAbortJobFlagsValues, VIR_DOMAIN_ABORT_JOB_ {
        /// Interrupt a migration after its switch-over.
        POSTCOPY = 1;
    }

    /// How a disk's job is ended.
    DomainBlockJobAbortFlags: virDomainBlockJobAbortFlags, VIR_DOMAIN_BLOCK_JOB_ABORT_ {
        /// Do not wait for its end.
        ASYNC = 1;
        /// Go on with the copy.
        PIVOT = 2;
    }

    /// What a disk's job tells.
    DomainBlockJobInfoFlags: virDomainBlockJobInfoFlags, VIR_DOMAIN_BLOCK_JOB_INFO_ {
        /// Bandwidth in bytes, not MiB.
        BANDWIDTH_BYTES = 1;
    }

    /// How the speed of a disk's job is set.
    DomainBlockJobSetSpeedFlags: virDomainBlockJobSetSpeedFlags, VIR_DOMAIN_BLOCK_JOB_SPEED_ {
        /// In bytes, not MiB.
        BANDWIDTH_BYTES = 1;
    }

    /// How a disk takes its backing file in.
    DomainBlockPullFlags: virDomainBlockPullFlags, VIR_DOMAIN_BLOCK_PULL_ {
        /// Bandwidth in bytes, not MiB.
        BANDWIDTH_BYTES = 64;
    }

    /// How a disk changes its backing file or is copied.
    DomainBlockRebaseFlags: virDomainBlockRebaseFlags, VIR_DOMAIN_BLOCK_REBASE_ {
        /// Only the top of the chain.
        SHALLOW = 1;
        /// Into an image that is there.
        REUSE_EXT = 2;
        /// The copy is raw.
        COPY_RAW = 4;
        /// Copy the disk, in place of taking its backing files in.
        COPY = 8;
        /// Names of backing files stay relative.
        RELATIVE = 16;
        /// The copy is a block device.
        COPY_DEV = 32;
        /// Bandwidth in bytes, not MiB.
        BANDWIDTH_BYTES = 64;
    }

    /// How a disk is copied.
    DomainBlockCopyFlags: virDomainBlockCopyFlags, VIR_DOMAIN_BLOCK_COPY_ {
        /// Only the top of the chain.
        SHALLOW = 1;
        /// Into an image that is there.
        REUSE_EXT = 2;
        /// It need not survive the domain.
        TRANSIENT_JOB = 4;
        /// Writes wait for the copy.
        SYNCHRONOUS_WRITES = 8;
    }

    /// How images are merged downwards.
    DomainBlockCommitFlags: virDomainBlockCommitFlags, VIR_DOMAIN_BLOCK_COMMIT_ {
        /// Only into the next one.
        SHALLOW = 1;
        /// Remove what is merged.
        DELETE = 2;
        /// Also the one in use.
        ACTIVE = 4;
        /// Names of backing files stay relative.
        RELATIVE = 8;
        /// Bandwidth in bytes, not MiB.
        BANDWIDTH_BYTES = 16;
    }

    /// How a disk's size changes.
    DomainBlockResizeFlags: virDomainBlockResizeFlags, VIR_DOMAIN_BLOCK_RESIZE_ {
        /// In bytes, not KiB.
        BYTES = 1;
        /// To what its device has.
        CAPACITY = 2;
    }

    /// How a domain migrates.
    DomainMigrateFlags: virDomainMigrateFlags, VIR_MIGRATE_ {
        /// While it runs.
        LIVE = 1;
        /// The source's daemon talks to the destination's.
        PEER2PEER = 2;
        /// Through the daemons' connection.
        TUNNELLED = 4;
        /// It is defined on the destination.
        PERSIST_DEST = 8;
        /// It is undefined on the source.
        UNDEFINE_SOURCE = 16;
        /// It is paused on the destination.
        PAUSED = 32;
        /// With its disks.
        NON_SHARED_DISK = 64;
        /// With the tops of its disks.
        NON_SHARED_INC = 128;
        /// Its definition may not change meanwhile.
        CHANGE_PROTECTION = 256;
        /// Even if it is not safe.
        UNSAFE = 512;
        /// While it is off.
        OFFLINE = 1024;
        /// Compressed.
        COMPRESSED = 2048;
        /// Not further after an I/O error.
        ABORT_ON_ERROR = 4096;
        /// Slow the guest down until it converges.
        AUTO_CONVERGE = 8192;
        /// Pin all memory for RDMA.
        RDMA_PIN_ALL = 16_384;
        /// Post-copy may be switched to.
        POSTCOPY = 32_768;
        /// Encrypted.
        TLS = 65_536;
        /// Over several connections.
        PARALLEL = 131_072;
        /// Writes to disks wait for the copies.
        NON_SHARED_SYNCHRONOUS_WRITES = 262_144;
        /// Take up an interrupted post-copy migration.
        POSTCOPY_RESUME = 524_288;
        /// Without copying memory inside the host.
        ZEROCOPY = 1_048_576;
    }

    /// Which speed of a migration.
    DomainMigrateMaxSpeedFlags: virDomainMigrateMaxSpeedFlags, VIR_DOMAIN_MIGRATE_MAX_SPEED_ {
        /// After the switch-over.
        POSTCOPY = 1;
    }
}

numbered! {
    /// What a long job does.
    DomainJobOperation: virDomainJobOperation, VIR_DOMAIN_JOB_OPERATION_ {
        /// Nothing that is known.
        Unknown = 0,
        /// Starts.
        Start = 1,
        /// Saves memory to a file.
        Save = 2,
        /// Starts from a file.
        Restore = 3,
        /// Comes from another host.
        MigrationIn = 4,
        /// Goes to another host.
        MigrationOut = 5,
        /// Makes a snapshot.
        Snapshot = 6,
        /// Goes back to a snapshot.
        SnapshotRevert = 7,
        /// Dumps memory to a file.
        Dump = 8,
        /// Backs disks up.
        Backup = 9,
        /// Deletes a snapshot.
        SnapshotDelete = 10,
    }

    /// How a job is doing.
    DomainJobType: virDomainJobType, VIR_DOMAIN_JOB_ {
        /// There is none.
        None = 0,
        /// Under way, and it is known when it is done.
        Bounded = 1,
        /// Under way, and its end is not known.
        Unbounded = 2,
        /// Done.
        Completed = 3,
        /// Failed.
        Failed = 4,
        /// Ended by somebody.
        Cancelled = 5,
    }

    /// What a job on a disk does.
    DomainBlockJobType: virDomainBlockJobType, VIR_DOMAIN_BLOCK_JOB_TYPE_ {
        /// Nothing that is known.
        Unknown = 0,
        /// Takes the content of backing files in.
        Pull = 1,
        /// Copies the disk.
        Copy = 2,
        /// Merges images below the one in use.
        Commit = 3,
        /// Merges the image in use into a lower one.
        ActiveCommit = 4,
        /// Backs the disk up.
        Backup = 5,
    }

    /// Whether the hypervisor can be reached.
    DomainControlState: virDomainControlState, VIR_DOMAIN_CONTROL_ {
        /// It is ready for commands.
        Ok = 0 with DomainControlErrorReason,
        /// A job is under way, beside which not all commands are taken.
        Job = 1 with DomainControlErrorReason,
        /// A command is being answered.
        Occupied = 2 with DomainControlErrorReason,
        /// It cannot be reached.
        Error = 3 with DomainControlErrorReason,
    }

    /// Why a hypervisor cannot be reached.
    DomainControlErrorReason: virDomainControlErrorReason, VIR_DOMAIN_CONTROL_ERROR_REASON_ {
        /// It can.
        None = 0,
        /// Not known.
        Unknown = 1,
        /// Its monitor does not answer.
        Monitor = 2,
        /// The daemon failed.
        Internal = 3,
    }

    /// The form of a dump.
    DomainCoreDumpFormat: virDomainCoreDumpFormat, VIR_DOMAIN_CORE_DUMP_FORMAT_ {
        /// The hypervisor's own.
        Raw = 0,
        /// kdump, zlib.
        KdumpZlib = 1,
        /// kdump, LZO.
        KdumpLzo = 2,
        /// kdump, snappy.
        KdumpSnappy = 3,
        /// Windows's.
        WinDmp = 4,
        /// kdump, zlib, not flattened.
        KdumpRawZlib = 5,
        /// kdump, LZO, not flattened.
        KdumpRawLzo = 6,
        /// kdump, snappy, not flattened.
        KdumpRawSnappy = 7,
    }
}

/// What a saved domain's file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageAccess {
    /// It is read, or started from.
    Read,
    /// Its definition is changed.
    Change,
}

/// A saved domain in a file that was opened. What its caller may do is asked for the domain that this one is, and what is done is done to
/// this one, whatever has the file's name by then.
#[async_trait]
pub trait SavedImage: Send + Sync {
    /// Which domain it is.
    fn domain(&self) -> &DomainId;

    /// Its definition.
    async fn xml_desc(&self, flags: DomainSaveImageXmlFlags) -> Result<String>;

    /// Starts the domain from it, with another definition if one is given.
    async fn restore(
        self: Box<Self>,
        xml: Option<&str>,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()>;

    /// Changes its definition. It must have been opened for that.
    async fn define_xml(self: Box<Self>, xml: &str, flags: DomainSaveRestoreFlags) -> Result<()>;
}

/// A file that a caller names for something to be made in it or read from it, and whether that caller is root, who may do that wherever root
/// may. What is done for others must not get them files that they could not make or read themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerFile<'a> {
    /// The path.
    pub path: &'a str,
    /// Whether root asks.
    pub by_root: bool,
}

group! {
    /// Saving a domain's memory, and starting from it again.
    DomainSaving {
        /// Saves memory to a file and stops the domain.
        fn save(domain: &DomainId, to: CallerFile<'_>, xml: Option<&str>, flags: DomainSaveRestoreFlags) -> (): DomainSaveFlags;
        /// Opens a file that `save` made.
        fn open_image(file: CallerFile<'_>, access: ImageAccess) -> Box<dyn SavedImage + '_>: DomainRestoreFlags;
        /// Saves memory where the next start finds it, and stops the domain.
        fn managed_save(domain: &DomainId, flags: DomainSaveRestoreFlags) -> (): DomainManagedSave;
        /// Removes that image.
        fn managed_save_remove(domain: &DomainId) -> (): DomainManagedSaveRemove;
        /// The definition in that image.
        fn managed_save_xml_desc(domain: &DomainId, flags: DomainSaveImageXmlFlags) -> String: DomainManagedSaveGetXmlDesc;
        /// Changes the definition in that image.
        fn managed_save_define_xml(domain: &DomainId, xml: &str, flags: DomainSaveRestoreFlags) -> (): DomainManagedSaveDefineXml;
        /// Dumps memory to a file.
        fn core_dump(domain: &DomainId, to: CallerFile<'_>, format: DomainCoreDumpFormat, flags: DomainCoreDumpFlags) -> (): DomainCoreDumpWithFormat;
    }

    /// The job of a domain that is under way.
    DomainJobs {
        /// How far it is.
        fn job_info(domain: &DomainId) -> JobInfo: DomainGetJobInfo;
        /// The same in full: how it is doing, and statistics by name.
        fn job_stats(domain: &DomainId, flags: DomainGetJobStatsFlags) -> (DomainJobType, TypedParameters): DomainGetJobStats;
        /// Ends it.
        fn abort_job(domain: &DomainId, flags: DomainAbortJobFlags) -> (): DomainAbortJobFlags;
        /// Whether the hypervisor can be reached.
        fn control_info(domain: &DomainId) -> ControlInfo: DomainGetControlInfo;
    }

    /// Work on a domain's disks. A disk is named by its target or its source.
    DomainBlockJobs {
        /// Merges images downwards; bandwidth in MiB/s, 0: no limit.
        fn block_commit(domain: &DomainId, disk: &str, base: Option<&str>, top: Option<&str>, bandwidth: u64, flags: DomainBlockCommitFlags) -> (): DomainBlockCommit;
        /// Copies to the disk that the XML describes.
        fn block_copy(domain: &DomainId, disk: &str, xml: &str, parameters: TypedParameters, flags: DomainBlockCopyFlags) -> (): DomainBlockCopy;
        /// Takes the whole backing chain in.
        fn block_pull(domain: &DomainId, disk: &str, bandwidth: u64, flags: DomainBlockPullFlags) -> (): DomainBlockPull;
        /// Takes the chain above `base` in, or copies.
        fn block_rebase(domain: &DomainId, disk: &str, base: Option<&str>, bandwidth: u64, flags: DomainBlockRebaseFlags) -> (): DomainBlockRebase;
        /// Changes a disk's size.
        fn block_resize(domain: &DomainId, disk: &str, size: u64, flags: DomainBlockResizeFlags) -> (): DomainBlockResize;
        /// Ends a job.
        fn block_job_abort(domain: &DomainId, disk: &str, flags: DomainBlockJobAbortFlags) -> (): DomainBlockJobAbort;
        /// How far a job is, none if there is none.
        fn block_job_info(domain: &DomainId, disk: &str, flags: DomainBlockJobInfoFlags) -> Option<BlockJobInfo>: DomainGetBlockJobInfo;
        /// Limits a job.
        fn block_job_set_speed(domain: &DomainId, disk: &str, bandwidth: u64, flags: DomainBlockJobSetSpeedFlags) -> (): DomainBlockJobSetSpeed;
        /// Tells when writing reaches this offset, bytes.
        fn set_block_threshold(domain: &DomainId, device: &str, threshold: u64) -> (): DomainSetBlockThreshold;
    }

    /// Moving a domain to another host.
    DomainMigration {
        /// Migrates.
        fn migrate_to_uri3(domain: &DomainId, uri: Option<&str>, parameters: TypedParameters, flags: DomainMigrateFlags) -> (): DomainMigratePerform3Params;
        /// The limit, MiB/s.
        fn migrate_get_max_speed(domain: &DomainId, flags: DomainMigrateMaxSpeedFlags) -> u64: DomainMigrateGetMaxSpeed;
        /// Sets it.
        fn migrate_set_max_speed(domain: &DomainId, bandwidth: u64, flags: DomainMigrateMaxSpeedFlags) -> (): DomainMigrateSetMaxSpeed;
        /// The cache for compression, bytes.
        fn migrate_get_compression_cache(domain: &DomainId) -> u64: DomainMigrateGetCompressionCache;
        /// Sets it.
        fn migrate_set_compression_cache(domain: &DomainId, size: u64) -> (): DomainMigrateSetCompressionCache;
        /// The longest pause, milliseconds.
        fn migrate_get_max_downtime(domain: &DomainId) -> u64: DomainMigrateGetMaxDowntime;
        /// Sets it.
        fn migrate_set_max_downtime(domain: &DomainId, downtime: u64) -> (): DomainMigrateSetMaxDowntime;
        /// Switches over now.
        fn migrate_start_post_copy(domain: &DomainId) -> (): DomainMigrateStartPostCopy;
    }
}
