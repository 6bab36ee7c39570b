//! What the driver is told when it is opened: where things live, as whom guests run, and its time limits.
//!
//! Nothing here reads a configuration file; the service does, and fills this in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use virtbus_api::Uuid;
use virtbus_qemu_capabilities::GuestUser;
use virtbus_util::file::Owner;
use virtbus_util::socket::LONGEST_PATH;

use crate::folder::guest_dir;

/// Digits of a guest's UUID in the name of its folder.
const UUID_DIGITS: usize = 8;

/// More guests are not started in a boot of the host. One that is has a shorter name of a folder, or is refused.
const MANY: u32 = 99_999;

/// A socket that QEMU makes in the folder of a guest.
const SCREEN_SOCKET: &str = "graphics0.sock";

/// Directories of the driver. Each is the driver's own and made when first needed.
#[derive(Debug, Clone)]
pub struct Dirs {
    /// Definitions, kept for ever: `/etc/virtbus/qemu`.
    pub config: PathBuf,
    /// What must outlive a reboot beside the definitions (NVRAM, TPM state, saved memory): `/var/lib/virtbus/qemu`.
    pub state: PathBuf,
    /// What is gone after a reboot (status files, sockets): `/run/virtbus/qemu`.
    pub run: PathBuf,
    /// A log per guest: `/var/log/virtbus/qemu`.
    pub log: PathBuf,
    /// What can be made again (capabilities of emulators): `/var/cache/virtbus/qemu`.
    pub cache: PathBuf,
}

impl Dirs {
    /// Saved memory that the next start of a domain takes.
    #[must_use]
    pub fn saved(&self) -> PathBuf {
        self.state.join("save")
    }

    /// Variables of guests' firmware.
    #[must_use]
    pub fn nvram(&self) -> PathBuf {
        self.state.join("nvram")
    }

    /// Saved and dumped memory that clients give names to. Not where [`Dirs::saved`] is: no name leads to another guest's managed save.
    #[must_use]
    pub fn memory(&self) -> PathBuf {
        self.state.join("memory")
    }

    /// The folder of one running guest's sockets and files. Everybody may read the paths of sockets, so the guest's name is not in it.
    #[must_use]
    pub fn guest(&self, id: u32, uuid: Uuid) -> PathBuf {
        // A socket's path holds 107 bytes, so this is short; the number keeps it unique.
        let short = &uuid.simple().to_string()[..UUID_DIGITS];
        self.run.join(format!("domain-{id}-{short}"))
    }

    /// How many bytes [`Dirs::run`] may have so that the sockets of guests below it have paths that sockets can have.
    #[must_use]
    pub fn longest_run() -> usize {
        let dirs = Config::below(Path::new("/"), "").dirs;
        let guest = guest_dir(&dirs.guest(MANY, Uuid::nil())).join(SCREEN_SOCKET);
        let below = guest.as_os_str().len() - dirs.run.as_os_str().len();
        LONGEST_PATH - below
    }

    /// Where guests may write their consoles: a directory of their user's.
    #[must_use]
    pub fn consoles(&self) -> PathBuf {
        self.log.join("console")
    }

    /// The log of a guest.
    #[must_use]
    pub fn guest_log(&self, name: &str) -> PathBuf {
        self.log.join(format!("{name}.log"))
    }
}

/// Limits on waiting. None of them is how long something takes; each is when waiting any longer helps nobody.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// A job waits so long for the one before it.
    pub job: Duration,
    /// QEMU has so long to bring up its monitor.
    pub start: Duration,
    /// QEMU has so long to answer a command.
    pub command: Duration,
    /// QEMU has so long to end after it was asked nicely.
    pub quit: Duration,
    /// The kernel has so long to end QEMU.
    pub kill: Duration,
    /// The guest's agent has so long to answer.
    pub agent: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            job: Duration::from_secs(30),
            start: Duration::from_secs(60),
            command: Duration::from_secs(10),
            quit: Duration::from_secs(5),
            kill: Duration::from_secs(30),
            agent: Duration::from_secs(5),
        }
    }
}

/// The driver's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The URI of the connection, `qemu:///system` or `qemu:///session`.
    pub uri: String,
    /// Where things live.
    pub dirs: Dirs,
    /// As whom guests run; `None`: as the daemon.
    pub user: Option<GuestUser>,
    /// Whether QEMU confines its own system calls.
    pub seccomp: bool,
    /// Directories in which emulators are looked for, and the only ones, if guests run as a `user` of their own, whose programs
    /// definitions may name as emulators.
    pub emulator_path: Vec<PathBuf>,
    /// The address that graphics listen on unless the definition says otherwise.
    pub vnc_listen: String,
    /// The same for SPICE.
    pub spice_listen: String,
    /// Ports for graphics that ask for one automatically, first and last.
    pub graphics_ports: (u16, u16),
    /// Directories beside [`Dirs::memory`] below which the daemon saves and dumps memory with its own rights, where clients want it. Only
    /// the daemon's user may be able to write to them. Elsewhere files are made with the rights of [`Config::user`].
    pub save_dirs: Vec<PathBuf>,
    /// Whether definitions marked so are started with the host.
    pub autostart: bool,
    /// Limits on waiting.
    pub timeouts: Timeouts,
}

impl Config {
    /// Whose a guest's files are, if not the daemon's.
    pub(crate) fn guest_owner(&self) -> Option<Owner> {
        self.user.as_ref().map(|user| Owner {
            uid: user.uid,
            gid: user.gid,
        })
    }

    /// Settings with all directories below `root`, for a session or a test.
    #[must_use]
    pub fn below(root: &Path, uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
            dirs: Dirs {
                config: root.join("etc/qemu"),
                state: root.join("lib/qemu"),
                run: root.join("run/qemu"),
                log: root.join("log/qemu"),
                cache: root.join("cache/qemu"),
            },
            user: None,
            seccomp: true,
            emulator_path: vec![
                "/usr/bin".into(),
                "/usr/local/bin".into(),
                "/usr/libexec".into(),
            ],
            vnc_listen: "127.0.0.1".to_owned(),
            spice_listen: "127.0.0.1".to_owned(),
            graphics_ports: (5900, 65535),
            save_dirs: Vec::new(),
            autostart: true,
            timeouts: Timeouts::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_guests_are_as_long_as_sockets_allow() {
        let dirs = Config::below(Path::new("/r"), "").dirs;
        let uuid = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
        assert_eq!(dirs.guest(7, uuid), dirs.run.join("domain-7-12345678"));
        let longest = dirs.guest(MANY, uuid);
        let socket = guest_dir(&longest).join(SCREEN_SOCKET);
        let run = dirs.run.as_os_str().len();
        assert_eq!(
            socket.as_os_str().len() - run + Dirs::longest_run(),
            LONGEST_PATH
        );
    }
}
