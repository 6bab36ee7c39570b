//! What a run stands on: a bus and a directory of its own, a client, and how daemon and yardstick are started on them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use uuid::Uuid;
use virtbus_tests::client::{CONNECT, QEMU_PATH, SERVICE};
use virtbus_tests::{PrivateBus, daemon, need};
use zbus::{Connection, OwnedObjectPath};

use crate::served::{Program, Served};
use crate::{Outcome, yardstick};

/// A domain as people have them; its name and UUID are filled in.
const TYPICAL: &str = include_str!("../data/typical.xml");

/// The bus, its client and the directory. Fields are dropped in order.
#[derive(Debug)]
pub(crate) struct Bed {
    /// A client of whatever is on the bus.
    pub(crate) client: Connection,
    bus: PrivateBus,
    dir: TempDir,
    daemon: PathBuf,
    version: String,
}

impl Bed {
    /// Starts the bus.
    ///
    /// # Errors
    /// What this machine lacks.
    pub(crate) async fn start() -> Outcome<Self> {
        need::program("setpriv")?;
        need::program("dbus-daemon")?;
        let daemon = daemon::binary()?;
        let version = version(&daemon)?;
        // Short, because sockets are below it.
        let dir = tempfile::Builder::new()
            .prefix("virtbus-bench-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let bus = PrivateBus::start()?;
        let client = zbus::connection::Builder::address(bus.address())
            .build()
            .await?;
        Ok(Self {
            client,
            bus,
            dir,
            daemon,
            version,
        })
    }

    /// Where the bus is.
    pub(crate) fn address(&self) -> &str {
        self.bus.address()
    }

    /// What is measured.
    pub(crate) fn daemon_version(&self) -> &str {
        &self.version
    }

    /// A path in the run's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The daemon with its state in the folder `state` of the run's directory.
    pub(crate) fn daemon(&self, state: &str) -> Program {
        let dir = self.path(state);
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Program {
            path: self.daemon.clone(),
            arguments: vec![
                "--address".to_owned(),
                self.bus.address().to_owned(),
                "--state-dir".to_owned(),
                text(&dir),
            ],
            name: SERVICE,
            log: self.path("virtbusd.log"),
            leaves: Some(dir),
        }
    }

    /// The bare service that the daemon is compared with.
    ///
    /// # Errors
    /// If this program's own file is gone.
    pub(crate) fn yardstick(&self) -> Outcome<Program> {
        Ok(Program {
            path: std::env::current_exe()?,
            arguments: vec![yardstick::WORD.to_owned(), self.bus.address().to_owned()],
            name: yardstick::NAME,
            log: self.path("yardstick.log"),
            leaves: None,
        })
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// If it does not come up.
    pub(crate) async fn start_daemon(&self, state: &str) -> Outcome<Served> {
        Served::start(&self.client, &self.daemon(state)).await
    }

    /// Defines a domain and gives its object path.
    ///
    /// # Errors
    /// The daemon's refusal.
    pub(crate) async fn define(&self, xml: &str) -> Outcome<String> {
        let reply = self
            .client
            .call_method(
                Some(SERVICE),
                QEMU_PATH,
                Some(CONNECT),
                "DomainDefineXML",
                &(xml,),
            )
            .await?;
        let path: OwnedObjectPath = reply.body().deserialize()?;
        Ok(path.to_string())
    }

    /// Defines typical domains until there are `count`, and gives the path of the last.
    ///
    /// # Errors
    /// The daemon's refusal.
    pub(crate) async fn define_many(&self, count: usize) -> Outcome<String> {
        let mut last = String::new();
        for number in 0..count {
            last = self.define(&typical(&format!("guest-{number}"))).await?;
        }
        Ok(last)
    }
}

/// A typical domain's XML.
pub(crate) fn typical(name: &str) -> String {
    TYPICAL
        .replace("@name@", name)
        .replace("@uuid@", &Uuid::new_v4().to_string())
}

/// What the daemon says that it is.
fn version(daemon: &Path) -> Outcome<String> {
    let told = Command::new(daemon)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run '{}': {error}", daemon.display()))?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}
