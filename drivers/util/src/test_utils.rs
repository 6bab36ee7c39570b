//! What this crate's own unit tests share. Compiled for tests only.

use std::io::Write;

/// Whether the tests run as root. If not, says that `test` is skipped, on standard error and in
/// the file that `VIRTBUS_SKIP_LOG` names (the test runner counts its lines).
pub(crate) fn is_root_or_skip(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(test, "needs root");
    }
    root
}

/// Records that `test` could not run here, and why.
pub(crate) fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os("VIRTBUS_SKIP_LOG") {
        let mut log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        writeln!(log, "{test}: {reason}").unwrap();
    }
}

/// A tmpfs of a few kilobytes, unmounted when dropped.
pub(crate) struct TinyDisk(std::path::PathBuf);

impl TinyDisk {
    /// Mounts it on `dir`, or answers `None` where that is not allowed.
    pub(crate) fn mount(dir: &std::path::Path, kilobytes: u32) -> Option<Self> {
        let size = std::ffi::CString::new(format!("size={kilobytes}k")).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", dir, "tmpfs", flags, Some(size.as_c_str())).ok()?;
        Some(Self(dir.to_owned()))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}
