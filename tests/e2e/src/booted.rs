//! A booted Debian with the daemon installed, and a script of checks that runs in it.
//!
//! For what a private bus cannot show: activation by systemd, the system bus's policy,
//! polkit, scopes. Boots by `tests/testbed/boot-systemd`, or by `boot-vm` for what takes a kernel of
//! its own; what is checked is in the scripts, beside the tests that run them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::{GuestImage, Installation, daemon, need};

/// What the daemon needs beyond systemd, the bus and polkit.
const PACKAGES: &str =
    "qemu-system-x86 qemu-utils seabios ipxe-qemu dnsmasq-base nftables iproute2 busybox";

/// How long a machine may take for all of its checks; a quiet one takes less than a minute.
const MACHINE_SECONDS: &str = "600";

/// What a script prints last when all went well.
const SUCCESS: &str = "all checks passed";

/// What a system is booted in.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Name spaces of this kernel: soon there, and without devices of its own.
    Container,
    /// A QEMU guest with a kernel of its own, by emulation.
    Machine,
}

impl Place {
    /// The command that boots it, with the packages that the daemon needs.
    fn boot(self) -> Command {
        let (script, options): (_, &[&str]) = match self {
            Place::Container => ("boot-systemd", &[]),
            Place::Machine => ("boot-vm", &["--timeout", MACHINE_SECONDS]),
        };
        let mut boot = Command::new(repository().join("tests/testbed").join(script));
        boot.args(["--packages", PACKAGES]).args(options);
        boot.stdin(Stdio::null());
        boot
    }

    /// Whether a system can be booted at all: root, packages, name spaces or an emulator.
    fn possible(self) -> Result<(), String> {
        need::root()?;
        need::program("make")?;
        let mut boot = self.boot();
        match self {
            Place::Container => boot.args(["--", "true"]),
            Place::Machine => {
                need::qemu()?;
                boot.arg("--build-only")
            }
        };
        let done = boot.output();
        let done = done.map_err(|error| format!("needs to boot a system: {error}"))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().last().unwrap_or("no reason given");
        Err(format!("needs to boot a system: {last}"))
    }
}

/// A system to be booted once, for one script.
#[derive(Debug)]
pub struct BootedSystem {
    place: Place,
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
        BootedSystem::with_daemon_in(Place::Container)
    }

    /// The same in a machine with a kernel of its own, in which `/dev/kvm` can be had. Files are copied there and no more:
    /// what `make install` asks for besides is the script's to do.
    ///
    /// # Errors
    /// As [`BootedSystem::with_daemon`].
    ///
    /// # Panics
    /// As [`BootedSystem::with_daemon`].
    pub fn machine_with_daemon() -> Result<BootedSystem, String> {
        BootedSystem::with_daemon_in(Place::Machine)
    }

    /// The same with a program that is never started in the daemon's stead.
    ///
    /// # Errors
    /// As [`BootedSystem::with_daemon`].
    ///
    /// # Panics
    /// As [`BootedSystem::with_daemon`].
    pub fn without_daemon() -> Result<BootedSystem, String> {
        Place::Container.possible()?;
        let program = Path::new("/bin/true");
        Ok(BootedSystem::with_installed(Place::Container, program))
    }

    fn with_daemon_in(place: Place) -> Result<BootedSystem, String> {
        place.possible()?;
        Ok(BootedSystem::with_installed(place, &daemon::binary()?))
    }

    fn with_installed(place: Place, program: &Path) -> BootedSystem {
        let installation = Installation::staged(program).expect("it can be installed");
        let files = installation.files().expect("what was installed is there");
        let mut system = BootedSystem {
            place,
            boot: place.boot(),
            _installation: installation,
        };
        for (file, inside) in files {
            system = system.copy(&file, &inside);
        }
        match place {
            Place::Container => {
                system.boot.args(["--setup-cmd", "systemd-sysusers"]);
            }
            Place::Machine => {}
        }
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
        self.boot.args(["--", "bash", &script]);
        let mut boot = || self.boot.output().expect("it could be run a moment ago");
        let mut done = boot();
        if panicked(&done) {
            println!("the machine's kernel panicked, so it is booted once more");
            done = boot();
        }
        judge(done);
    }

    /// The same in a container for a script that restarts the bus: it is run by nobody who would notice.
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
        let option = match self.place {
            Place::Container => "--bind-ro",
            Place::Machine => "--copy",
        };
        let shown = format!("{}:{inside}", dir.display());
        self.boot.args([option, &shown]);
    }
}

/// Whether the kernel of a machine gave up. QEMU 7.2's emulation of a processor with AMD-V was seen to lead to that now and then, which says nothing of the
/// daemon; one that panics each time does.
fn panicked(done: &Output) -> bool {
    !done.status.success() && String::from_utf8_lossy(&done.stderr).contains("Kernel panic")
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
