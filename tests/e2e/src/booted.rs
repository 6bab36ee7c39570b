//! A booted Debian with the daemon installed, and a script of checks that runs in it.
//!
//! For what a private bus cannot show: activation by systemd, the system bus's policy,
//! polkit, scopes. Boots by `tests/testbed/boot-systemd`; what is checked is in the scripts,
//! beside the tests that run them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::{GuestImage, Installation, daemon, need};

/// What the daemon needs beyond systemd, the bus and polkit.
const PACKAGES: &str = "qemu-system-x86 qemu-utils seabios ipxe-qemu";

/// What a script prints last when all went well.
const SUCCESS: &str = "all checks passed";

/// A system to be booted once, for one script.
#[derive(Debug)]
pub struct BootedSystem {
    boot: Command,
    // Holds the files that are copied when the system is booted.
    _installation: Installation,
}

impl BootedSystem {
    /// A system with the daemon that was built, its files and its users.
    ///
    /// # Errors
    /// The reason to skip: there is no daemon, or no system can be booted.
    ///
    /// # Panics
    /// When the daemon cannot be installed.
    pub fn with_daemon() -> Result<BootedSystem, String> {
        possible()?;
        Ok(BootedSystem::with_installed(&daemon::binary()?))
    }

    /// The same with a program that is never started in the daemon's stead.
    ///
    /// # Errors
    /// As [`BootedSystem::with_daemon`].
    ///
    /// # Panics
    /// As [`BootedSystem::with_daemon`].
    pub fn without_daemon() -> Result<BootedSystem, String> {
        possible()?;
        Ok(BootedSystem::with_installed(Path::new("/bin/true")))
    }

    fn with_installed(program: &Path) -> BootedSystem {
        let installation = Installation::staged(program).expect("it can be installed");
        let files = installation.files().expect("what was installed is there");
        let mut system = BootedSystem {
            boot: boot_command(),
            _installation: installation,
        };
        for (file, inside) in files {
            system = system.copy(&file, &inside);
        }
        system.boot.args(["--setup-cmd", "systemd-sysusers"]);
        system
    }

    /// Copies a file into the system.
    #[must_use]
    pub fn copy(mut self, from: &Path, to: &Path) -> BootedSystem {
        self.boot
            .arg("--copy")
            .arg(format!("{}:{}", from.display(), to.display()));
        self
    }

    /// Shows the test guest's files in `/guest`.
    ///
    /// # Errors
    /// Why there is no guest: a reason to skip the test.
    ///
    /// # Panics
    /// When the image is no file in a directory.
    pub fn guest(mut self) -> Result<BootedSystem, String> {
        let image = GuestImage::get()?;
        let dir = image.kernel.parent().expect("a file in a directory");
        self.show(dir, "/guest");
        Ok(self)
    }

    /// Brings the program that tries what a caller may do, with the interfaces' documents that it compares.
    ///
    /// # Panics
    /// When the documents cannot be listed.
    #[must_use]
    pub fn walker(self, program: &Path) -> BootedSystem {
        let mut system = self.copy(program, Path::new("/usr/local/bin/virtbus-walk"));
        let documents = repository().join("data/dbus/interfaces");
        for entry in std::fs::read_dir(documents).expect("the documents are in the tree") {
            let file = entry.expect("a directory can be read").path();
            let name = file.file_name().expect("a file has a name");
            let inside = Path::new("/walk/interfaces").join(name);
            system = system.copy(&file, &inside);
        }
        system
    }

    /// Boots, and runs a script of `tests/e2e/tests` as root.
    ///
    /// # Panics
    /// When the script fails or does not come to its end; with all that was printed.
    pub fn run(mut self, script: &str) {
        self.show(&scripts(), "/checks");
        let script = format!("/checks/{script}");
        let done = self.boot.args(["--", "bash", &script]).output();
        judge(done.expect("it could be run a moment ago"));
    }

    /// The same for a script that restarts the bus: it is run by nobody who would notice.
    ///
    /// # Panics
    /// As [`BootedSystem::run`].
    pub fn run_without_bus(mut self, script: &str) {
        self.show(&scripts(), "/checks");
        let shell = self.boot.arg("--shell").stdin(Stdio::piped());
        let shell = shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = shell.spawn().expect("it could be run a moment ago");
        let mut input = shell.stdin.take().expect("it is piped");
        let line = format!("exec bash /checks/{script} < /dev/null\n");
        let given = input.write_all(line.as_bytes());
        given.expect("a shell reads its input");
        drop(input);
        judge(shell.wait_with_output().expect("it was started"));
    }

    fn show(&mut self, dir: &Path, inside: &str) {
        let bound = format!("{}:{inside}", dir.display());
        self.boot.args(["--bind-ro", &bound]);
    }
}

/// Whether a system can be booted at all: root, packages, name spaces.
fn possible() -> Result<(), String> {
    need::root()?;
    need::program("make")?;
    let done = boot_command().args(["--", "true"]).output();
    let done = done.map_err(|error| format!("needs boot-systemd: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().last().unwrap_or("no reason given");
    Err(format!("needs to boot a system: {last}"))
}

/// Looks whether a script came to its end.
fn judge(done: Output) {
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}:\n{said}\n{errors}", done.status);
    assert!(said.contains(SUCCESS), "{said}\n{errors}");
    // Shown by whoever runs the test for its figures.
    println!("{said}");
}

/// The top of the source tree.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the scripts are, with what they share (`prelude.sh`).
fn scripts() -> PathBuf {
    repository().join("tests/e2e/tests")
}

fn boot_command() -> Command {
    let mut boot = Command::new(repository().join("tests/testbed/boot-systemd"));
    boot.args(["--packages", PACKAGES]).stdin(Stdio::null());
    boot
}
