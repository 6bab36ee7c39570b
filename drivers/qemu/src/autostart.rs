//! Starting what is to be started with the host, once in each of its boots.
//!
//! A file in the run directory, which is gone after a boot, has a line for each domain whose turn is over: it runs, cannot be started, or
//! was started by somebody else meanwhile. A daemon that is killed in the middle goes on with the others after its restart. The file ends
//! when all are through, so that a definition that is marked later is not started by the next restart of the daemon.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use virtbus_api::domain::DomainCreateFlags;
use virtbus_api::{Result, Uuid};
use virtbus_util::file;
use virtbus_util::process;

use crate::core::Core;
use crate::domain::Domain;
use crate::outside::blocking;
use crate::{jobs, start};

/// The file.
const NOTES: &str = "autostarted";

/// The last line.
const ALL: &str = "all";

/// So many are started at the same time: as many as keep a host busy, and one that hangs holds up a part of it only.
const AT_ONCE: usize = 4;

/// The file is longer if somebody else wrote it. Bytes.
const LONGEST: u64 = 16 << 20;

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
            tracing::error!(path = %self.path.display(), %error, "what was autostarted cannot be noted, and may be tried again by the next daemon");
        }
    }
}

/// Starts what is to be started with the host, unless that was done since it booted.
pub(crate) async fn autostart(core: Arc<Core>) {
    let reading = Arc::clone(&core);
    let begun = blocking(move || Ok(begin(&reading))).await;
    let (notes, writer) = match begun {
        Ok(Some(begun)) => begun,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, "domains are not autostarted");
            return;
        }
    };
    let mut domains: Vec<_> = core
        .table
        .all()
        .into_iter()
        .filter(|domain| domain.snapshot().view.autostart && !notes.over.contains(&domain.uuid))
        .collect();
    domains.sort_by_key(|domain| domain.name());
    // All of them now, and not when they have their turn. What the last daemon left has been cleared away before, which counts as an end
    // as well.
    let turns: Vec<_> = domains
        .into_iter()
        .map(|domain| {
            let ended = *domain.ended.borrow();
            turn(&core, domain, ended, &writer)
        })
        .collect();
    all_of(turns.into_iter()).await;
    writer.note(ALL);
}

fn begin(core: &Core) -> Option<(Notes, Writer)> {
    let path = core.config.dirs.run.join(NOTES);
    let boot = process::boot_id().unwrap_or_default();
    let text = file::read_limited(&path, LONGEST).unwrap_or_default();
    let notes = Notes::parse(&String::from_utf8_lossy(&text), &boot);
    if notes.all {
        return None;
    }
    match Writer::open(&path, &boot, &notes) {
        Ok(writer) => Some((notes, writer)),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "domains are not autostarted, since that could not be noted");
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
async fn turn(core: &Arc<Core>, domain: Arc<Domain>, ended: u64, writer: &Writer) {
    let untouched = domain.snapshot().live.is_none() && *domain.ended.borrow() == ended;
    if untouched {
        let timeouts = core.config.timeouts;
        let limit = deadline(timeouts.job, timeouts.start);
        // Waiting ends, and the start goes on: it is a task of its own.
        match tokio::time::timeout(limit, start(core, &domain)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(domain = %domain.name(), %error, "cannot be autostarted");
            }
            Err(_) => {
                tracing::error!(
                    domain = %domain.name(),
                    "does not come up within {} s though it is autostarted; the next ones do not wait for it",
                    limit.as_secs()
                );
            }
        }
    }
    writer.note(&domain.uuid.to_string());
}

/// A start has so long: its turn, and the emulator's time to come up, with as much again for what is done before and after.
const fn deadline(job: Duration, start: Duration) -> Duration {
    job.saturating_add(start).saturating_add(start)
}

async fn start(core: &Arc<Core>, domain: &Arc<Domain>) -> Result<()> {
    let (core, job_domain) = (Arc::clone(core), Arc::clone(domain));
    let limit = core.config.timeouts.job;
    let work = |turn| async move {
        if job_domain.snapshot().live.is_some() {
            return Ok(());
        }
        start::create(core, job_domain, &turn, DomainCreateFlags::empty()).await
    };
    domain
        .jobs
        .run_with(&domain.name(), jobs::AUTOSTART, limit, work)
        .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use super::*;

    const BOOT: &str = "5f1b2c3d-0000-4000-8000-000000000001";

    #[test]
    fn notes_of_this_boot_are_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NOTES);
        let read = || Notes::parse(&std::fs::read_to_string(&path).unwrap(), BOOT);
        let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
        let writer = Writer::open(&path, BOOT, &Notes::default()).unwrap();
        assert_eq!(read(), Notes::default());
        writer.note(&one.to_string());
        // The daemon died while it wrote.
        (&writer.file)
            .write_all(&two.to_string().as_bytes()[..9])
            .unwrap();
        assert_eq!(read().over, [one].into());
        let writer = Writer::open(&path, BOOT, &read()).unwrap();
        writer.note(&two.to_string());
        assert_eq!(read().over, [one, two].into());
        assert!(!read().all);
        writer.note(ALL);
        assert!(read().all);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(Notes::parse(&text, "another"), Notes::default());
        // A new boot begins anew.
        Writer::open(&path, "another", &Notes::parse(&text, "another")).unwrap();
        assert_eq!(read(), Notes::default());
    }

    #[test]
    fn notes_of_earlier_releases_mean_all() {
        assert!(Notes::parse(BOOT, BOOT).all);
        assert!(!Notes::parse("another", BOOT).all);
        assert!(!Notes::parse("", "").all);
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_holds_up_its_own_place_only() {
        let (at_once, most, done) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let work = (0..40).map(|number| {
            let (at_once, most, done) = (&at_once, &most, &done);
            async move {
                at_once.set(at_once.get() + 1);
                most.set(most.get().max(at_once.get()));
                let limit = Duration::from_secs(60);
                if number % 13 == 0 {
                    let _ = tokio::time::timeout(limit, pending::<()>()).await;
                } else {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                at_once.set(at_once.get() - 1);
                done.set(done.get() + 1);
            }
        });
        let begin = tokio::time::Instant::now();
        all_of(work).await;
        assert_eq!((done.get(), most.get()), (40, AT_ONCE));
        assert!(begin.elapsed() < Duration::from_secs(2 * 60));
    }
}
