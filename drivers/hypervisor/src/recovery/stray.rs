//! Guests of an earlier daemon that run and cannot be taken in, because what was written down of them cannot be read or contradicts a
//! definition.
//!
//! Nothing can be done to their domains but to end them: a guest that might run is never started again, as two guests on one disk destroy
//! what is on it. What was prepared on the host for such a guest cannot be undone, since nothing tells of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_api::domain::StoppedDetail;
use virtbus_api::{Error, Uuid};
use virtbus_util::process::Pidfd;

use super::{Guests, stopped};
use crate::domains::Snapshot as _;
use crate::store::Unreadable;

/// The process of a guest, with the guest's name if that can be found out.
#[derive(Debug)]
pub struct Found {
    /// The process.
    pub process: Pidfd,
    /// The name.
    pub name: Option<String>,
}

/// A guest of an earlier daemon that runs and cannot be taken in. It may be ended, and until then is never started a second time.
#[derive(Debug)]
pub struct Stray {
    /// The guest's process.
    pub process: Arc<Pidfd>,
    /// The status file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Stray {
    /// Why the domain with this name cannot be used, and what helps.
    #[must_use]
    pub fn refusal(&self, name: &str) -> Error {
        Error::operation_invalid(format!(
            "domain '{name}' runs as process {} of an earlier daemon, which cannot be taken in because of '{}': {}; end it with Destroy, \
             or mend the file and start the daemon again",
            self.process.pid(),
            self.path.display(),
            self.why
        ))
    }
}

/// Looks for the process of the guest whose status file cannot be read, and holds its domain if there is one.
pub(super) async fn hold_unreadable<G: Guests>(guests: &Arc<G>, file: Unreadable) {
    let Unreadable { path, uuid, why } = file;
    match guests.search_unread(uuid) {
        Some(found) => hold(guests, uuid, found, path, why),
        None => put_aside(guests, &path, &why).await,
    }
}

/// Makes a process that cannot be taken in the domain's that has this UUID, or else this name, until it has ended.
pub(super) fn hold<G: Guests>(
    guests: &Arc<G>,
    uuid: Uuid,
    found: Found,
    path: PathBuf,
    why: String,
) {
    let name = found.name.unwrap_or_else(|| uuid.to_string());
    let claim = guests
        .table()
        .claim_either(uuid, &name, || guests.make(uuid, &name));
    let stray = Arc::new(Stray {
        process: Arc::new(found.process),
        path,
        why,
    });
    let refusal = stray.refusal(&name);
    tracing::error!(domain = name, error = %refusal, "a guest of an earlier daemon cannot be taken in: {refusal}");
    guests.hold(claim.domain(), &stray);
    let guests = Arc::clone(guests);
    tokio::spawn(async move {
        if let Err(error) = stray.process.exited().await {
            // The domain stays as it is, which is the safe side.
            tracing::error!(domain = name, %error, "the process of domain '{name}' cannot be watched: {error}");
            std::future::pending::<()>().await;
        }
        put_aside(&guests, &stray.path, &stray.why).await;
        let domain = claim.domain();
        let is_told = domain.snapshot().is_shown();
        guests.release(domain, stopped(is_told, StoppedDetail::Failed));
    });
}

/// Nothing runs that the file could tell of: it is kept for a person to look at.
async fn put_aside<G: Guests>(guests: &Arc<G>, path: &Path, why: &str) {
    let (storing, from) = (Arc::clone(guests), path.to_owned());
    let aside = tokio::task::spawn_blocking(move || storing.store().set_aside(&from)).await;
    let aside = aside.unwrap_or_else(|error| Err(Error::internal(error.to_string())));
    let path = path.display();
    match aside {
        Ok(aside) => {
            let aside = aside.display();
            tracing::error!(
                path = %aside, error = why,
                "the status file '{path}' cannot be read, and its guest does not run: it was moved to '{aside}'; what was prepared for the \
                 guest (owners of its files, network devices) is not undone: {why}"
            );
        }
        Err(error) => {
            tracing::error!(%path, error = why, %error, "the status file '{path}' cannot be read, nor moved away, ignoring: {why}; {error}");
        }
    }
}
