//! What this crate's own unit tests share. Compiled for tests only.

/// The test must run as root.
///
/// # Errors
/// The reason to skip, for `virtbus_skip::or_skip!`.
pub(crate) fn root() -> Result<(), String> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err("needs root".to_owned())
    }
}

/// A tmpfs of a few kilobytes, unmounted when dropped.
pub(crate) struct TinyDisk(std::path::PathBuf);

impl TinyDisk {
    /// Mounts it on `dir`.
    ///
    /// # Errors
    /// That it cannot be mounted here: a reason to skip.
    pub(crate) fn mount(dir: &std::path::Path, kilobytes: u32) -> Result<Self, String> {
        let size = std::ffi::CString::new(format!("size={kilobytes}k")).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        let mounted = rustix::mount::mount("tmpfs", dir, "tmpfs", flags, Some(size.as_c_str()));
        mounted.map_err(|error| format!("needs to mount a tmpfs: {error}"))?;
        Ok(Self(dir.to_owned()))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}
