//! Where things are in the folder of a run.
//!
//! The folder is the daemon's; what QEMU makes is in folders of the guest's own below it. See `Preparer::make_dir`.

use std::path::{Path, PathBuf};

/// The socket of the monitor in a guest's folder.
pub(crate) const MONITOR_SOCKET: &str = "monitor.sock";

/// Where QEMU makes what it likes, in the folder of a run.
pub(crate) fn guest_dir(dir: &Path) -> PathBuf {
    dir.join("guest")
}

/// Where the sockets of channels are, whose names the definition chooses, in the folder of a run.
pub(crate) fn channel_dir(dir: &Path) -> PathBuf {
    dir.join("channel")
}

/// The socket by which QEMU reaches the TPM of the run with this folder.
pub(crate) fn tpm_socket(dir: &Path) -> PathBuf {
    dir.join("swtpm.sock")
}
