//! The emulated TPM: a `swtpm` process beside each guest that has one, its state kept between runs.
//!
//! It is noted in the guest's status before it runs, by its program and by the directory of its state, in which it works; so a daemon
//! that finds the status finds the process too, whenever its predecessor was killed. Nothing that the guest's user can write is
//! believed: the socket is made here and handed over, and there is no file with its pid.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_util::cmd::Cmd;
use virtbus_util::file;
use virtbus_util::process::{self, Pidfd, ProcessId};
use virtbus_util::socket::{self, ListenOptions};

use crate::config::Config;
use crate::folder;
use crate::outside::{blocking, failed};
use crate::record::{Helper, TpmEmulator};

/// Where `swtpm` may be.
const SWTPM: [&str; 2] = ["/usr/bin/swtpm", "/usr/local/bin/swtpm"];

/// It has nothing to write out when it is asked to end.
const QUIT: Duration = Duration::from_secs(2);

/// The kernel has so long to end it.
const KILL: Duration = Duration::from_secs(10);

/// Removes the state of a domain's TPM. Blocks.
///
/// # Errors
/// If it cannot be removed.
pub(crate) fn remove_state(config: &Config, uuid: Uuid) -> Result<()> {
    file::remove_dir(&dir(config, uuid))
        .map(drop)
        .map_err(failed)
}

/// The folder of all states of a domain's TPMs.
pub(crate) fn dir(config: &Config, uuid: Uuid) -> PathBuf {
    config.dirs.state.join("swtpm").join(uuid.to_string())
}

/// Where a domain's TPM keeps its state.
pub(crate) fn state_dir(config: &Config, uuid: Uuid, version2: bool) -> PathBuf {
    dir(config, uuid).join(if version2 { "tpm2" } else { "tpm1.2" })
}

/// Finds the program and makes the directory of the state.
///
/// # Errors
/// If there is no `swtpm`, or the directory cannot be made.
pub(crate) async fn prepare(config: &Config, uuid: Uuid, version2: bool) -> Result<TpmEmulator> {
    let state = state_dir(config, uuid, version2);
    let owner = config.guest_owner();
    blocking(move || {
        let program = SWTPM
            .iter()
            .map(PathBuf::from)
            .find_map(|path| path.canonicalize().ok())
            .ok_or_else(|| {
                Error::new(
                    ErrorCode::ConfigUnsupported,
                    ErrorDomain::Tpm,
                    "an emulated TPM needs the program 'swtpm'",
                )
            })?;
        let above: Vec<&Path> = state.ancestors().skip(1).take(2).collect();
        for dir in above.into_iter().rev() {
            file::ensure_dir(dir, 0o711, None).map_err(failed)?;
        }
        file::ensure_dir(&state, 0o700, owner).map_err(failed)?;
        // As the kernel will show it.
        let state = state.canonicalize().unwrap_or(state);
        Ok(TpmEmulator {
            program,
            state,
            process: None,
        })
    })
    .await
}

/// Starts the emulator for the run with this folder. It must be noted already. What it says goes to `log`.
///
/// Waits for nothing, so that a start which is called off never leaves one behind that is not noted: QEMU can connect as soon
/// as this returns.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn start(
    config: &Config,
    emulator: &TpmEmulator,
    dir: &Path,
    log: File,
) -> Result<Helper> {
    let options = ListenOptions {
        owner: config.guest_owner(),
        ..ListenOptions::default()
    };
    let listener = socket::listen(&folder::tpm_socket(dir), options)
        .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Tpm, &error))?;
    let mut cmd = Cmd::new(&emulator.program);
    let fd = cmd.pass_fd(listener);
    cmd.args(["socket", "--terminate"]);
    cmd.arg("--ctrl").arg(format!("type=unixio,fd={fd}"));
    // Where it works: a path would be taken apart at its commas.
    cmd.args(["--tpmstate", "dir=.,mode=0600"]);
    if emulator.state.ends_with("tpm2") {
        cmd.arg("--tpm2");
    }
    cmd.current_dir(&emulator.state)
        .new_session()
        .umask(0o077)
        .stderr(log);
    if let Some(user) = &config.user {
        cmd.user(user.uid, user.gid, &user.groups);
    }
    let child = cmd
        .spawn()
        .map_err(|error| Error::chain(ErrorCode::InternalError, ErrorDomain::Tpm, &error))?;
    let id = child
        .process_id()
        .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Tpm, &error))?;
    Ok(Helper {
        pid: id.pid,
        start_time: id.start_time,
    })
}

/// Ends the emulator, if it runs, and waits until it has.
pub(crate) async fn end(emulator: &TpmEmulator) {
    let searched = emulator.clone();
    let found = tokio::task::spawn_blocking(move || find(&searched)).await;
    for process in found.unwrap_or_default() {
        // Signals to a process that has ended meanwhile fail, and that is as well.
        let _ = process.signal(Signal::TERM);
        if tokio::time::timeout(QUIT, process.exited()).await.is_ok() {
            continue;
        }
        let _ = process.signal(Signal::KILL);
        if tokio::time::timeout(KILL, process.exited()).await.is_err() {
            let pid = process.pid();
            tracing::error!(
                pid,
                "the kernel does not let go of the emulator of a TPM, ignoring"
            );
        }
    }
}

/// The emulator's processes: the one that was noted, or whichever runs this program in this directory.
fn find(emulator: &TpmEmulator) -> Vec<Pidfd> {
    if let Some(noted) = emulator.process {
        let id = ProcessId {
            pid: noted.pid,
            start_time: noted.start_time,
        };
        return id.open().ok().flatten().into_iter().collect();
    }
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // The program may have been replaced by another version meanwhile.
    let replaced = format!("{} (deleted)", emulator.program.display());
    let is_it = |pid: i32| {
        process::executable(pid)
            .is_ok_and(|path| path == emulator.program || path == Path::new(&replaced))
            && process::current_dir(pid).is_ok_and(|path| path == emulator.state)
    };
    pids.filter(|pid| is_it(*pid))
        .filter_map(|pid| Pidfd::open(pid).ok())
        // The pid may have become another's before it was opened.
        .filter(|process| is_it(process.pid()))
        .collect()
}
