//! The guest's state as a stream: migration out of and into QEMU, and dumps of its memory.

use crate::Nothing;
use crate::command::{commands, words};
use crate::event::MigrationStatus;

use super::replies;

commands! {
    /// Takes a descriptor that comes with the command, under a name for later commands.
    Getfd(
        /// The name.
        fdname: String,
    ) = "getfd" -> Nothing;
    /// Lets go of a descriptor that was taken and not used.
    Closefd(
        /// The name.
        fdname: String,
    ) = "closefd" -> Nothing;
    /// Switches abilities of migration on and off.
    MigrateSetCapabilities(
        /// Which.
        capabilities: Vec<MigrationCapability>,
    ) = "migrate-set-capabilities" -> Nothing;
    /// Sets limits of migration; what is left out stays.
    MigrateSetParameters()[
        /// Bytes per second.
        max_bandwidth: u64,
    ] = "migrate-set-parameters" -> Nothing;
    /// Sends the guest's state. Returns as soon as that has begun.
    Migrate(
        /// Where to: `fd:NAME`, ….
        uri: String,
    ) = "migrate" -> Nothing;
    /// Calls the sending off.
    MigrateCancel() = "migrate_cancel" -> Nothing;
    /// Takes a state in. QEMU must have been started with `-incoming defer`.
    MigrateIncoming(
        /// Where from: `fd:NAME`, ….
        uri: String,
    ) = "migrate-incoming" -> Nothing;
    /// How far migration is.
    QueryMigrate = "query-migrate" -> MigrationInfo;
    /// Writes the guest's memory as a core file.
    DumpGuestMemory(
        /// Whether memory is written as the guest's page tables see it.
        paging: bool,
        /// Where to: `fd:NAME`, ….
        protocol: String,
        /// Whether to return as soon as it has begun.
        detach: bool,
    )[
        /// `elf`, `kdump-zlib`, …; `elf` if absent.
        format: String,
    ] = "dump-guest-memory" -> Nothing;
    /// How far a dump is.
    QueryDump = "query-dump" -> DumpInfo;
}

/// An ability of migration, on or off.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MigrationCapability {
    /// Its name.
    pub capability: &'static str,
    /// Whether it is wanted.
    pub state: bool,
}

words! {
    /// How a dump is doing.
    DumpStatus {
        /// There was none.
        None = "none",
        /// Under way.
        Active = "active",
        /// Done.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
    }
}

replies! {
    /// How far migration is.
    MigrationInfo {
        /// How it is doing; absent if there never was one.
        status: Option<MigrationStatus>,
        /// Memory.
        ram: Option<MigrationRam>,
        /// Why it failed, if it did.
        error_desc: Option<String>,
        /// How long it takes so far, milliseconds.
        total_time: Option<u64>,
        /// How long the guest did not run, milliseconds.
        downtime: Option<u64>,
    }
    /// Memory that migrates; bytes unless said otherwise.
    MigrationRam {
        /// Sent so far.
        transferred: u64,
        /// Still to be looked at.
        remaining: u64,
        /// All there is.
        total: u64,
        /// Pages that were all of one value.
        duplicate: u64,
        /// Pages that were sent as they are.
        normal: u64,
        /// Those, in bytes.
        normal_bytes: u64,
        /// Pages per second that the guest changes.
        #[serde(default)]
        dirty_pages_rate: u64,
        /// Megabits per second.
        #[serde(default)]
        mbps: f64,
        /// How often memory was gone through.
        #[serde(default)]
        dirty_sync_count: u64,
        /// Size of a page.
        #[serde(default)]
        page_size: u64,
    }
    /// How far a dump is; bytes.
    DumpInfo {
        /// How it is doing.
        status: DumpStatus,
        /// Written.
        completed: u64,
        /// All there is.
        total: u64,
    }
}
