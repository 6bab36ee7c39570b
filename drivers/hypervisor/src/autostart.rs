//! Starting what is to be started with the host, once in each of its boots.
//!
//! A file in a directory that is gone after a boot has a line for each domain whose turn is over: it runs, cannot be started, or
//! was started by somebody else meanwhile. A daemon that is killed in the middle goes on with the others after its restart. The file ends
//! when all are through, so that a definition that is marked later is not started by the next restart of the daemon.
//!
//! Domains are started in the order of their names, a few at the same time. One that cannot be started is logged, and holds up no other one.
//! How a domain is started is not known here.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use virtbus_api::{Result, Uuid};
use virtbus_util::file;
use virtbus_util::process;

use crate::domains::{Entry, Snapshot as _};

/// The last line.
const ALL: &str = "all";

/// So many are started at the same time: as many as keep a host busy, and one that hangs holds up a part of it only.
const AT_ONCE: usize = 4;

/// The file is longer if somebody else wrote it. Bytes.
const LONGEST: u64 = 16 << 20;

/// Who can start domains.
pub trait Starter: Send + Sync {
    /// Its domains.
    type Domain: Entry;

    /// All of them, shown or not.
    fn domains(&self) -> Vec<Arc<Self::Domain>>;

    /// How many runs of the domain have ended since the daemon started.
    fn ended(&self, domain: &Self::Domain) -> u64;

    /// Starts a domain. If waiting for this is given up, the start goes on.
    ///
    /// # Errors
    /// Why it cannot be started, which is logged.
    fn start(&self, domain: &Arc<Self::Domain>) -> impl Future<Output = Result<()>> + Send;
}

/// What is known of an autostart of this boot.
#[derive(Debug, Default, PartialEq, Eq)]
struct Notes {
    /// Nothing is left to be started.
    all: bool,
    /// Domains whose turn is over.
    over: HashSet<Uuid>,
}

impl Notes {
    /// What the file says about this boot; about another one, nothing.
    fn parse(text: &str, boot: &str) -> Self {
        let mut lines = text.lines();
        if boot.is_empty() || lines.next() != Some(boot) {
            return Self::default();
        }
        let mut notes = Self {
            // So was it written by earlier releases, before the first was started.
            all: !text.contains('\n'),
            over: HashSet::new(),
        };
        for line in lines {
            match Uuid::try_parse(line) {
                Ok(uuid) => {
                    notes.over.insert(uuid);
                }
                // One that was not written to its end is that of a daemon that died: the domain runs then.
                Err(_) => notes.all |= line == ALL,
            }
        }
        notes
    }
}

/// The file, as it is being written.
struct Writer {
    path: PathBuf,
    file: File,
}

impl Writer {
    /// Goes on with the file, or begins it.
    fn open(path: &Path, boot: &str, notes: &Notes) -> io::Result<Self> {
        if notes.over.is_empty() {
            file::replace(path, format!("{boot}\n").as_bytes(), 0o600).map_err(io::Error::other)?;
        }
        let file = File::options().append(true).open(path)?;
        // Behind a line that was not written to its end.
        (&file).write_all(b"\n")?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    fn note(&self, line: &str) {
        if let Err(error) = (&self.file).write_all(format!("{line}\n").as_bytes()) {
            let path = self.path.display();
            tracing::error!(%path, %error, "what was autostarted cannot be noted in '{path}', and may be tried again by the next daemon: {error}");
        }
    }
}

/// Starts what is to be started with the host, unless that was done since it booted. What was, is noted in the file `notes`, which must be gone
/// after a boot. No start is waited for longer than `limit`.
pub async fn autostart<S: Starter>(starter: &S, notes: PathBuf, limit: Duration) {
    let begun =
        tokio::task::spawn_blocking(move || begin(&notes, &process::boot_id().unwrap_or_default()));
    let (notes, writer) = match begun.await {
        Ok(Some(begun)) => begun,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, "domains are not autostarted: {error}");
            return;
        }
    };
    let mut domains: Vec<_> = starter
        .domains()
        .into_iter()
        .filter(|domain| domain.snapshot().view().autostart && !notes.over.contains(&domain.uuid))
        .collect();
    domains.sort_by_key(|domain| domain.name());
    // All of them now, and not when they have their turn. What the last daemon left has been cleared away before, which counts as an end
    // as well.
    let turns: Vec<_> = domains
        .into_iter()
        .map(|domain| {
            let ended = starter.ended(&domain);
            turn(starter, domain, ended, &writer, limit)
        })
        .collect();
    all_of(turns.into_iter()).await;
    writer.note(ALL);
}

fn begin(path: &Path, boot: &str) -> Option<(Notes, Writer)> {
    let text = file::read_limited(path, LONGEST).unwrap_or_default();
    let notes = Notes::parse(&String::from_utf8_lossy(&text), boot);
    if notes.all {
        return None;
    }
    match Writer::open(path, boot, &notes) {
        Ok(writer) => Some((notes, writer)),
        Err(error) => {
            let path = path.display();
            tracing::error!(%path, %error, "domains are not autostarted, since that could not be noted in '{path}': {error}");
            None
        }
    }
}

/// Does all of this, so many at once.
async fn all_of(work: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut waiting = work.fuse();
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(next) = waiting.next()
        {
            under_way.push(next);
        }
        if under_way.next().await.is_none() {
            return;
        }
    }
}

/// Starts one of them. Who started it since, or has ended it again, is not corrected.
async fn turn<S: Starter>(
    starter: &S,
    domain: Arc<S::Domain>,
    ended: u64,
    writer: &Writer,
    limit: Duration,
) {
    let runs = domain.snapshot().view().id.id.is_some();
    if !runs && starter.ended(&domain) == ended {
        let name = domain.name();
        match tokio::time::timeout(limit, starter.start(&domain)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(domain = %name, %error, "domain '{name}' cannot be autostarted: {error}");
            }
            Err(_) => {
                tracing::error!(
                    domain = %name,
                    "domain '{name}' does not come up within {} s though it is autostarted; the next ones do not wait for it",
                    limit.as_secs()
                );
            }
        }
    }
    writer.note(&domain.uuid.to_string());
}

#[cfg(test)]
mod tests;
