//! The guest that tests boot: a kernel and an initrd, made once by `tests/testbed/tiny-guest`.
//!
//! What it says on its serial console is the script's contract ([`READY`], [`TICK`], …).
//! Does not run the guest: the daemon does, or the test's own QEMU.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

/// On the console when the guest's userland runs.
pub const READY: &str = "TINY-GUEST READY";
/// On the console when the guest answers the power button and plugged devices.
pub const MODULES_LOADED: &str = "TINY-GUEST MODULES-LOADED";
/// On the console when the ACPI power button was seen.
pub const POWERBUTTON: &str = "TINY-GUEST POWERBUTTON";
/// On the console each second, followed by a number, when the command line has `tiny.tick`.
pub const TICK: &str = "TINY-GUEST TICK";

/// The kernel command line that puts the guest's words on its serial console.
pub const CMDLINE: &str = "console=ttyS0 quiet panic=-1 no_timer_check tiny.nodhcp";

/// The guest's files, kept from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestImage {
    /// The kernel, an ELF file that QEMU boots sooner than a compressed one.
    pub kernel: PathBuf,
    /// Its initial memory disk: the whole of the guest's userland.
    pub initrd: PathBuf,
}

impl GuestImage {
    /// The guest, built now if it was not yet.
    ///
    /// # Errors
    /// Why it cannot be had here: a reason to skip the test.
    pub fn get() -> Result<GuestImage, String> {
        GuestImage::built("guest", &[])
    }

    /// The same with QEMU's guest agent in it.
    ///
    /// # Errors
    /// As [`GuestImage::get`].
    pub fn with_agent() -> Result<GuestImage, String> {
        GuestImage::built("guest-agent", &["--agent"])
    }

    fn built(name: &str, options: &[&str]) -> Result<GuestImage, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbed/tiny-guest");
        let text = fs::read(&script)
            .map_err(|error| format!("cannot read '{}': {error}", script.display()))?;
        // Another script makes another guest.
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let dir = testbed_dir().join(format!("{name}-{:016x}", hasher.finish()));
        let image = GuestImage {
            kernel: dir.join("vmlinux"),
            initrd: dir.join("initrd"),
        };
        fs::create_dir_all(&dir)
            .map_err(|error| format!("needs to write '{}': {error}", dir.display()))?;
        // Tests run side by side, as processes of their own: one of them builds.
        let _lock = lock(&dir.join(".lock"))
            .map_err(|error| format!("needs to lock '{}': {error}", dir.display()))?;
        if !image.kernel.exists() || !image.initrd.exists() {
            build(&script, &dir, options)?;
        }
        Ok(image)
    }

    /// Copies of the files in `dir`, for a daemon that changes the owner of what guests use.
    ///
    /// # Errors
    /// Those of copying.
    pub fn copy_to(&self, dir: &Path) -> io::Result<GuestImage> {
        let copy = GuestImage {
            kernel: dir.join("vmlinux"),
            initrd: dir.join("initrd"),
        };
        fs::copy(&self.kernel, &copy.kernel)?;
        fs::copy(&self.initrd, &copy.initrd)?;
        Ok(copy)
    }
}

/// Where guests and trees are kept: `TESTBED_DIR`, else in the user's cache directory.
#[must_use]
pub fn testbed_dir() -> PathBuf {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = given("TESTBED_DIR") {
        return PathBuf::from(dir);
    }
    let cache = given("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(given("HOME").unwrap_or_else(|| "/root".into())).join(".cache"),
        PathBuf::from,
    );
    cache.join("virtbus/testbed")
}

fn build(script: &Path, dir: &Path, options: &[&str]) -> Result<(), String> {
    let built = Command::new(script)
        .args(options)
        .arg(dir)
        .env("TESTBED_DIR", testbed_dir())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run '{}': {error}", script.display()))?;
    if built.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&built.stderr);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    Err(format!(
        "the guest cannot be built: {}",
        last.unwrap_or("no reason given")
    ))
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}
