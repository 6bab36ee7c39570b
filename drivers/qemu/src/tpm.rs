//! The emulated TPM: a `swtpm` process beside each guest that has one, its state kept between runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_util::cmd::Cmd;
use virtbus_util::file::{self, Owner};
use virtbus_util::process::ProcessId;

use crate::core::Core;
use crate::prepare::{Helper, failed};

/// Where `swtpm` may be.
const SWTPM: [&str; 2] = ["/usr/bin/swtpm", "/usr/local/bin/swtpm"];

/// It starts in milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// The socket by which QEMU reaches the TPM of the run with this folder.
pub(crate) fn socket(dir: &Path) -> PathBuf {
    dir.join("swtpm.sock")
}

/// Removes the state of a domain's TPM. Blocks.
///
/// # Errors
/// If it cannot be removed.
pub(crate) fn remove_state(core: &Core, uuid: Uuid) -> Result<()> {
    let dir = core.config.dirs.state.join("swtpm").join(uuid.to_string());
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::new(
            ErrorCode::SystemError,
            ErrorDomain::Tpm,
            format!("cannot remove '{}': {error}", dir.display()),
        )),
        _ => Ok(()),
    }
}

/// Where a domain's TPM keeps its state.
pub(crate) fn state_dir(core: &Core, uuid: Uuid, version2: bool) -> PathBuf {
    core.config
        .dirs
        .state
        .join("swtpm")
        .join(uuid.to_string())
        .join(if version2 { "tpm2" } else { "tpm1.2" })
}

/// Starts the emulator for a run. It ends by itself when QEMU lets go of its socket.
///
/// # Errors
/// If there is no `swtpm`, or it does not start, with what it says.
pub(crate) async fn start(core: &Core, uuid: Uuid, version2: bool, dir: &Path) -> Result<Helper> {
    let program = SWTPM
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or_else(|| {
            Error::new(
                ErrorCode::ConfigUnsupported,
                ErrorDomain::Tpm,
                "an emulated TPM needs the program 'swtpm'",
            )
        })?;
    let state = state_dir(core, uuid, version2);
    let owner = core.config.user.as_ref().map(|user| Owner {
        uid: user.uid,
        gid: user.gid,
    });
    for made in state
        .ancestors()
        .take(3)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        file::ensure_dir(made, 0o711, None).map_err(failed)?;
    }
    file::ensure_dir(&state, 0o700, owner).map_err(failed)?;
    let (socket, pid_file) = (socket(dir), dir.join("swtpm.pid"));
    let mut cmd = Cmd::new(program);
    cmd.args(["socket", "--daemon", "--terminate"]);
    cmd.arg("--ctrl")
        .arg(format!("type=unixio,path={},mode=0600", socket.display()));
    cmd.arg("--tpmstate")
        .arg(format!("dir={},mode=0600", state.display()));
    cmd.arg("--pid").arg(format!("file={}", pid_file.display()));
    if version2 {
        cmd.arg("--tpm2");
    }
    if let Some(user) = &core.config.user {
        cmd.user(user.uid, user.gid, &user.groups);
    }
    cmd.run(DEADLINE)
        .await
        .map_err(|error| Error::chain(ErrorCode::InternalError, ErrorDomain::Tpm, &error))?;
    let text = file::read_limited(&pid_file, 64).map_err(failed)?;
    let pid = String::from_utf8_lossy(&text).trim().parse::<i32>().ok();
    let pid = pid.ok_or_else(|| Error::internal("swtpm wrote no pid"))?;
    let id = ProcessId::of(pid)
        .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Tpm, &error))?;
    Ok(Helper {
        pid: id.pid,
        start_time: id.start_time,
    })
}
