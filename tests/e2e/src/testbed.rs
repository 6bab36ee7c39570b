//! Everything an end-to-end test starts with: a directory, a bus, a daemon, a client.
//!
//! [`Testbed::start`], or one of those that do more, is the first line of most tests. Puts the parts together and owns
//! them; each part is in its own module.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::client::Client;
use crate::guest::READY;
use crate::wait::{LIMIT, wait_until};
use crate::{Console, Daemon, Domain, DomainXml, GuestImage, PrivateBus, leaks, need};

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
    /// The guests that were defined or seen, by which what is left of them is told from others'.
    guests: Mutex<BTreeSet<String>>,
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

    /// The same for tests whose guests run.
    ///
    /// # Errors
    /// As [`Testbed::start`], or that there is no QEMU.
    ///
    /// # Panics
    /// As [`Testbed::start`].
    pub async fn with_qemu() -> Result<Testbed, String> {
        need::qemu()?;
        Testbed::start(&[]).await
    }

    /// The same with a guest that boots, by [`Testbed::guest`]; it is not defined yet.
    ///
    /// # Errors
    /// As [`Testbed::start`] and [`Testbed::guest`].
    ///
    /// # Panics
    /// As [`Testbed::start`].
    pub async fn with_guest(name: &str, words: &str) -> Result<(Testbed, DomainXml), String> {
        let testbed = Testbed::start(&[]).await?;
        let guest = testbed.guest(name, words)?;
        Ok((testbed, guest))
    }

    /// The same with that guest defined and booted.
    ///
    /// # Errors
    /// As [`Testbed::with_guest`].
    ///
    /// # Panics
    /// As [`Testbed::start`], and when the guest does not come up.
    pub async fn with_booted(name: &str, words: &str) -> Result<(Testbed, Domain), String> {
        let (testbed, guest) = Testbed::with_guest(name, words).await?;
        let domain = testbed.run(&guest).await;
        testbed.console(name).wait_for(READY).await;
        Ok((testbed, domain))
    }

    /// The same as [`Testbed::start`] with the daemon not started yet.
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
            guests: Mutex::default(),
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
            .serial_file(console.path()))
    }

    /// The console of a guest made by [`Testbed::guest`].
    #[must_use]
    pub fn console(&self, name: &str) -> Console {
        Console::new(self.path(&format!("{name}.console")))
    }

    /// Writes an executable script into the test's directory.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the script can be written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, executable).expect("its mode can be set");
        path
    }

    /// Defines a guest.
    ///
    /// # Panics
    /// When the daemon refuses.
    pub async fn define(&self, guest: &DomainXml) -> Domain {
        self.remember(&guest.object_path());
        let defined = self.client.define(&guest.xml()).await;
        defined.unwrap_or_else(|error| panic!("{} is not defined: {error}", guest.name()))
    }

    /// Defines guests that are up as soon as their emulators are: `PREFIX-0` and so on.
    ///
    /// # Panics
    /// When the daemon refuses.
    pub async fn define_small(&self, prefix: &str, count: usize) -> Vec<Domain> {
        let mut domains = Vec::new();
        for number in 0..count {
            let guest = DomainXml::small(&format!("{prefix}-{number}"));
            domains.push(self.define(&guest).await);
        }
        domains
    }

    /// Defines and starts a guest.
    ///
    /// # Panics
    /// When the daemon refuses.
    pub async fn run(&self, guest: &DomainXml) -> Domain {
        let domain = self.define(guest).await;
        let started = domain.act("Create", 0).await;
        started.unwrap_or_else(|error| panic!("{} does not start: {error}", guest.name()));
        domain
    }

    /// Ends the daemon as a crash would and starts it again.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn crash_and_restart(&mut self) {
        self.daemon.kill();
        self.daemon.start(&self.client).await;
    }

    /// Remembers a guest by the path of its object, which ends with its UUID.
    fn remember(&self, path: &str) {
        if let Some((_, element)) = path.rsplit_once("/_") {
            let uuid = element.replace('_', "-");
            let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
            guests.insert(uuid);
        }
    }

    /// Destroys and undefines all that is defined or runs, and checks that nothing is left of it.
    ///
    /// # Panics
    /// When the daemon lists a guest after that, and as [`Testbed::assert_nothing_left`].
    pub async fn end(&self) {
        self.remove_all().await;
        self.assert_nothing_left().await;
    }

    /// Destroys and undefines all that is defined or runs.
    ///
    /// # Panics
    /// When the daemon lists a guest after that.
    pub async fn remove_all(&self) {
        let list = async || self.client.list(0).await.expect("guests are listed");
        for path in list().await {
            self.remember(&path);
            let domain = self.client.domain(&path);
            // Either may be refused because the guest is not of that kind; the list tells.
            let _ = domain.act("Destroy", 0).await;
            let _ = domain.act("Undefine", 0).await;
        }
        assert_eq!(list().await, Vec::<String>::new(), "guests are left");
    }

    /// Checks that no process, socket or control group of a guest is left.
    ///
    /// # Panics
    /// When something is left, naming it.
    pub async fn assert_nothing_left(&self) {
        wait_until("guests' processes to go", LIMIT, || {
            self.daemon.children().is_empty()
        })
        .await;
        let sockets = leaks::sockets(self.daemon.state_dir());
        assert_eq!(sockets, Vec::<PathBuf>::new(), "sockets are left");
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        for uuid in guests.iter() {
            let groups = leaks::cgroups(uuid);
            assert_eq!(groups, Vec::<PathBuf>::new(), "control groups are left");
        }
    }
}
