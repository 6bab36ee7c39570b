//! The jobs of a domain.
//!
//! Whatever changes a domain, or asks its hypervisor, is a *job* of a declared [`Kind`]. Which kinds may run at the same time is data and one pure
//! rule ([`admits`]). The table ([`Jobs`]) has one domain's jobs that run and those that wait, in the order in which they were asked for:
//!
//! ```text
//!   asked ──▶ waiting ──▶ running ──▶ over          A long job (save, migration, …) runs for as long as its `Turn` is held, be that over
//!               │ deadline, or the caller leaves    several calls. It takes `Step`s when it must be alone with the guest, and has a
//!               ▼                                   `Progress` that anybody may read.
//!            refused, naming the job in the way
//! ```
//!
//! What a job does is not known here, and reading what is known of a domain is no job.

mod kind;
mod progress;
mod queue;
mod rule;
mod table;

pub use kind::{Job, Kind, Long};
pub use progress::{Aborting, Amounts, Audience, BlockProgress, Progress, Report};
pub use rule::admits;
pub use table::{Jobs, Turn, WAITING};
