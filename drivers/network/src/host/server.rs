//! DHCP and DNS servers as processes.
//!
//! A server puts itself into the background once it serves, and outlives the daemon. It is known by its pid and when it started, and is ours
//! if its command line names the configuration of the network; so a server that was started by a daemon which did not live to write that
//! down is found by its pid file.

use std::path::{Path, PathBuf};

use virtbus_api::Result;
use virtbus_util::file;
use virtbus_util::process::{self, Pidfd, ProcessId, Signal};

use super::{on_disk, run};
use crate::config::Config;
use crate::dnsmasq::{Configuration, Paths};
use crate::error::{self, failed, while_doing};
use crate::names::file_stem;

/// The files of a network's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) configuration: PathBuf,
    pub(crate) paths: Paths,
    pub(crate) leases: PathBuf,
    pid: PathBuf,
}

impl Files {
    /// Of the network with this name.
    pub(crate) fn of(config: &Config, name: &str) -> Self {
        let stem = file_stem(name);
        let state = |ending: &str| config.dirs.state.join(format!("{stem}.{ending}"));
        Self {
            configuration: state("conf"),
            paths: Paths {
                dhcp_hosts: state("hostsfile"),
                dns_hosts: state("addnhosts"),
            },
            leases: state("leases"),
            pid: config.dirs.run.join(format!("{stem}.pid")),
        }
    }

    /// Writes what the server reads.
    fn write(&self, texts: &Configuration) -> Result<()> {
        let files = [
            (&self.configuration, &texts.main),
            (&self.paths.dhcp_hosts, &texts.dhcp_hosts),
            (&self.paths.dns_hosts, &texts.dns_hosts),
        ];
        for (path, text) in files {
            // Read by a user of the server's own.
            let written = file::replace(path, text.as_bytes(), 0o644);
            written.map_err(|error| error::file(&error))?;
        }
        Ok(())
    }

    /// Removes all of them but the leases.
    fn remove(&self) -> Result<()> {
        let files = [
            &self.configuration,
            &self.paths.dhcp_hosts,
            &self.paths.dns_hosts,
            &self.pid,
        ];
        for path in files {
            file::remove(path).map_err(|error| error::file(&error))?;
        }
        Ok(())
    }

    /// Removes what outlives the network's runs.
    pub(crate) fn remove_leases(&self) -> Result<()> {
        let removed = file::remove(&self.leases);
        removed.map(drop).map_err(|error| error::file(&error))
    }

    /// The server's process, if it runs: the one that is known, or the one of the pid file.
    fn find(&self, known: Option<ProcessId>) -> Option<(ProcessId, Pidfd)> {
        let noted = file::read_limited(&self.pid, 64).ok();
        let noted = noted.and_then(|text| String::from_utf8(text).ok());
        let noted = noted.and_then(|text| text.trim().parse().ok());
        let noted = noted.and_then(|pid| ProcessId::of(pid).ok());
        let is_ours = |id: &ProcessId| {
            let option = option(&self.configuration);
            let words = process::cmdline(id.pid).unwrap_or_default();
            words.iter().any(|word| word == option.as_str())
        };
        known.into_iter().chain(noted).find_map(|id| {
            let handle = id.open().ok().flatten()?;
            let runs = !handle.has_exited().unwrap_or(false);
            (runs && is_ours(&id)).then_some((id, handle))
        })
    }
}

/// What names the configuration on the command line.
fn option(configuration: &Path) -> String {
    format!("--conf-file={}", configuration.display())
}

/// Starts the server with these texts. When this returns, it serves.
pub(crate) async fn start(
    config: &Config,
    files: &Files,
    texts: Configuration,
) -> Result<ProcessId> {
    let writing = files.clone();
    on_disk(config, move || writing.write(&texts)).await?;
    let arguments = [
        option(&files.configuration),
        format!("--dhcp-leasefile={}", files.leases.display()),
        format!("--pid-file={}", files.pid.display()),
    ];
    let program = &config.programs.dnsmasq;
    run(program, arguments, None, config.timeouts.program)
        .await
        .map_err(|error| while_doing("starting the DHCP and DNS server", error))?;
    match find(config, files, None).await? {
        Some((id, _)) => Ok(id),
        None => Err(failed(
            "the DHCP and DNS server ended as soon as it was started",
        )),
    }
}

/// The server's process, if it runs.
pub(crate) async fn find(
    config: &Config,
    files: &Files,
    known: Option<ProcessId>,
) -> Result<Option<(ProcessId, Pidfd)>> {
    let files = files.clone();
    on_disk(config, move || Ok(files.find(known))).await
}

/// Ends the server and waits until it has ended; does nothing if there is none.
async fn end(config: &Config, files: &Files, known: Option<ProcessId>) -> Result<()> {
    let Some((id, handle)) = find(config, files, known).await? else {
        return Ok(());
    };
    for signal in [Signal::TERM, Signal::KILL] {
        // One that has ended cannot be told to.
        let told = handle.signal(signal);
        let ended = tokio::time::timeout(config.timeouts.quit, handle.exited()).await;
        match (told, ended) {
            (_, Ok(Ok(()))) => return Ok(()),
            (Err(process::ProcessError::Gone(_)), _) => return Ok(()),
            _ => {}
        }
    }
    Err(failed(format!(
        "the DHCP and DNS server, process {}, could not be killed within {} s",
        id.pid,
        config.timeouts.quit.as_secs()
    )))
}

/// Ends the server, and removes its files but the leases.
pub(crate) async fn stop(config: &Config, files: &Files, known: Option<ProcessId>) -> Result<()> {
    end(config, files, known).await?;
    let files = files.clone();
    on_disk(config, move || files.remove()).await
}

/// Has the server serve these texts: it is told to read again what it can, and is started anew if its configuration is another. Leases are
/// kept in both cases.
pub(crate) async fn change(
    config: &Config,
    files: &Files,
    known: Option<ProcessId>,
    before: &Configuration,
    after: Configuration,
) -> Result<ProcessId> {
    let running = find(config, files, known).await?;
    let Some((id, handle)) = running.filter(|_| before.main == after.main) else {
        end(config, files, known).await?;
        return start(config, files, after).await;
    };
    if *before != after {
        let writing = files.clone();
        on_disk(config, move || writing.write(&after)).await?;
        handle.signal(Signal::HUP).map_err(|error| {
            virtbus_api::Error::chain(
                virtbus_api::ErrorCode::SystemError,
                virtbus_api::ErrorDomain::Network,
                &error,
            )
        })?;
    }
    Ok(id)
}
