//! Everything an end-to-end test starts with: a directory, a bus, a daemon, a client.
//!
//! [`Testbed::start`] is the first line of most tests. Puts the parts together and owns
//! them; each part is in its own module.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{CallError, Client};
use crate::wait::wait_for;
use crate::{Daemon, DomainXml, GuestImage, PrivateBus, leaks, need};

/// What the test guest needs at most on an idle machine to say a thing on its console.
const GUEST_LIMIT: Duration = Duration::from_secs(12);

/// A bus with a daemon on it. Fields are dropped in order: client, daemon, bus, directory.
#[derive(Debug)]
pub struct Testbed {
    /// A client of the daemon.
    pub client: Client,
    /// The daemon.
    pub daemon: Daemon,
    /// The bus.
    pub bus: PrivateBus,
    dir: TempDir,
}

impl Testbed {
    /// Starts bus and daemon; the daemon owns its name when this returns.
    ///
    /// # Errors
    /// What the machine lacks: a reason to skip the test.
    ///
    /// # Panics
    /// When the daemon is there and does not come up.
    pub async fn start(arguments: &[&str]) -> Result<Testbed, String> {
        let mut testbed = Testbed::prepare(arguments).await?;
        testbed.daemon.start(&testbed.client).await;
        Ok(testbed)
    }

    /// The same with the daemon not started yet.
    ///
    /// # Errors
    /// As [`Testbed::start`].
    pub async fn prepare(arguments: &[&str]) -> Result<Testbed, String> {
        need::program("setpriv")?;
        need::program("dbus-daemon")?;
        // Open to all, as guests run as another user; the name is short for sockets' sake.
        let dir = tempfile::Builder::new()
            .prefix("virtbus-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .map_err(|error| format!("needs a temporary directory: {error}"))?;
        let bus = PrivateBus::start()?;
        let client = Client::connect(bus.address())
            .await
            .map_err(|error| format!("needs a bus to connect to: {error}"))?;
        let daemon = Daemon::new(bus.address(), &dir.path().join("state"), arguments)?;
        Ok(Testbed {
            client,
            daemon,
            bus,
            dir,
        })
    }

    /// A path in the test's directory, for consoles, disks and the like.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A guest that boots, with its serial console in `NAME.console` of the directory.
    ///
    /// # Errors
    /// Why no guest can be had: a reason to skip the test.
    pub fn guest(&self, name: &str, words: &str) -> Result<DomainXml, String> {
        need::qemu()?;
        let image = GuestImage::get()?;
        let dir = self.path("guest");
        let copy = if dir.exists() {
            GuestImage {
                kernel: dir.join("vmlinux"),
                initrd: dir.join("initrd"),
            }
        } else {
            fs::create_dir(&dir)
                .and_then(|()| image.copy_to(&dir))
                .map_err(|error| format!("needs room for a guest: {error}"))?
        };
        let console = self.console(name);
        Ok(DomainXml::new(name)
            .boot(&copy, words)
            .serial_file(&console))
    }

    /// The file that the console of a guest made by [`Testbed::guest`] goes to.
    #[must_use]
    pub fn console(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.console"))
    }

    /// Waits until the guest has said `words` on its console.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn wait_for_console(&self, name: &str, words: &str) {
        let console = self.console(name);
        let what = format!("'{words}' on the console of {name}");
        wait_for(&what, GUEST_LIMIT, || says(&console, words).then_some(())).await;
    }

    /// Ends the daemon as a crash would and starts it again.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn crash_and_restart(&mut self) {
        self.daemon.kill();
        self.daemon.start(&self.client).await;
    }

    /// Destroys and undefines all that is defined or runs.
    ///
    /// # Errors
    /// The first refusal, other than that something was gone already.
    pub async fn remove_all(&self) -> Result<(), CallError> {
        for path in self.client.list(0).await? {
            let domain = self.client.domain(&path);
            // Either may be refused because the guest is not of that kind; the list tells.
            let _ = domain.act("Destroy", 0).await;
            let _ = domain.act("Undefine", 0).await;
        }
        match self.client.list(0).await?.as_slice() {
            [] => Ok(()),
            left => Err(CallError::Connection(format!("still there: {left:?}"))),
        }
    }

    /// Checks that no guest's process, socket or control group is left.
    ///
    /// # Panics
    /// When something is left, naming it.
    pub async fn assert_nothing_left(&self, names: &[&str]) {
        let state_dir = self.daemon.state_dir();
        let seen = wait_for("guests' processes to go", GUEST_LIMIT, || {
            self.daemon.children().is_empty().then_some(())
        });
        seen.await;
        assert_eq!(
            leaks::sockets(state_dir),
            Vec::<PathBuf>::new(),
            "sockets are left"
        );
        for name in names {
            assert_eq!(
                leaks::cgroups(name),
                Vec::<PathBuf>::new(),
                "control groups are left"
            );
        }
    }
}

fn says(console: &Path, words: &str) -> bool {
    fs::read(console).is_ok_and(|text| String::from_utf8_lossy(&text).contains(words))
}
