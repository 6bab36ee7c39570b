//! A message bus of the test's own: `dbus-daemon` on a socket in a temporary directory.
//!
//! Anybody may own names and send anything, as the limits of the system bus and its policy
//! are not what most tests are about; those that ask polkit boot a whole system instead
//! (`tests/testbed/boot-systemd`).

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::need;

/// The folder of services, in the directory of the bus.
const SERVICES: &str = "services";

/// A running bus, ended when dropped.
#[derive(Debug)]
pub struct PrivateBus {
    process: Child,
    address: String,
    // Last, so that the directory goes after the process that uses it.
    dir: TempDir,
}

impl PrivateBus {
    /// Starts a bus; it takes connections when this returns.
    ///
    /// # Errors
    /// A text that says what could not be started.
    pub fn start() -> Result<PrivateBus, String> {
        let dir = tempfile::Builder::new()
            .prefix("virtbus-bus-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .map_err(|error| format!("no temporary directory for the bus: {error}"))?;
        let config = dir.path().join("bus.conf");
        std::fs::write(&config, configuration(dir.path()))
            .and_then(|()| std::fs::create_dir(dir.path().join(SERVICES)))
            .map_err(|error| format!("cannot write '{}': {error}", config.display()))?;
        let log = std::fs::File::create(dir.path().join("bus.log"))
            .map_err(|error| format!("cannot write the log of the bus: {error}"))?;
        let mut process = need::ends_with_us("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start dbus-daemon: {error}"))?;
        let stdout = process.stdout.take().expect("stdout is piped above");
        // The address is printed once the socket takes connections.
        let mut address = String::new();
        let read = BufReader::new(stdout).read_line(&mut address);
        let bus = PrivateBus {
            process,
            address: address.trim().to_owned(),
            dir,
        };
        match read {
            Ok(_) if bus.address.starts_with("unix:") => Ok(bus),
            _ => Err("dbus-daemon ended without telling its address".to_owned()),
        }
    }

    /// The address that clients and the daemon connect to.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process id of the bus.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The directory the bus keeps its socket in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the bus looks for services that it can start.
    #[must_use]
    pub fn services(&self) -> PathBuf {
        self.dir.path().join(SERVICES)
    }

    /// `busctl` on this bus, for arguments to be added.
    #[must_use]
    pub fn busctl(&self) -> Command {
        let mut busctl = Command::new("busctl");
        busctl.arg(format!("--address={}", self.address));
        busctl.stdin(Stdio::null());
        busctl
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        // Fails only if the process has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A bus open to all, with replies enough for a flood of calls.
fn configuration(dir: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={dir}/socket</listen>
  <servicedir>{dir}/{SERVICES}</servicedir>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="false"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_requested_reply="true" receive_type="method_return"/>
    <allow receive_requested_reply="true" receive_type="error"/>
  </policy>
  <limit name="max_replies_per_connection">50000</limit>
</busconfig>
"#,
        dir = dir.display()
    )
}
