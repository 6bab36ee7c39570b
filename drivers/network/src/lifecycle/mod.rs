//! A network's life: up, changed while it is up, down, and found again by a new daemon.
//!
//! ```text
//!            start                          server ended by itself: started again
//!   Off ───────────────▶ Changing ──▶ Up ──▶ …
//!    ▲                      │ failed  │
//!    └──────────────────────┴─────────┘ destroy
//! ```
//!
//! While it is up, its server is watched (`supervise`), what others remove of it is put back (`guard`), and what keeps its packets from passing
//! is found out (`problems`).
//!
//! Whatever is done to the host is noted in the status file before it is done, and undone from there: by whoever started it, or by a new
//! daemon. Nothing here decides whether something may be done with a network; the calls do.

mod guard;
mod problems;
mod recover;
mod start;
mod stop;
mod supervise;
mod update;

pub(crate) use guard::{Guard, guard};
pub(crate) use recover::{id_of, recover};
pub(crate) use start::start;
pub(crate) use stop::stop;
pub(crate) use update::{edit, section};
