//! Whether guests really run under KVM here.
//!
//! That `/dev/kvm` opens proves little: within some virtual machines it does, and guests then
//! are emulated one instruction after the other by the kernel, a thousand times too slowly to
//! boot. So a guest is run that consists of a few instructions of ours at the reset vector: it
//! does what takes a processor a twentieth of a second, and ends QEMU with a status of its own.
//! Only x86 hosts are put to this test; elsewhere QEMU's word is taken.

mod firmware;

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, MemfdFlags};
use rustix::io::Errno;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use virtbus_util::cmd::{Child, Cmd, ExitStatus, Limit, Resource};

use super::Capabilities;
use super::probe::{ProbeOptions, stderr_file, tail};
use crate::GuestUser;

/// How long the guest may take. Where KVM works it takes a tenth of a second, most of it QEMU's
/// own start.
const DEADLINE: Duration = Duration::from_secs(2);
/// How many such spans it gets at most, if the host is so busy that it hardly ran at all.
const PATIENCE: u32 = 5;

/// Whether guests run under KVM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KvmUsability {
    /// A guest ran, or there is no test for this architecture and QEMU says that KVM is there.
    Usable,
    /// Guests do not run.
    Unusable(KvmProblem),
}

impl KvmUsability {
    /// Whether guests run.
    pub fn is_usable(&self) -> bool {
        *self == Self::Usable
    }
}

/// Why guests do not run under KVM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum KvmProblem {
    /// The kernel does not offer it.
    #[error("there is no '{}'", .0.display())]
    NoNode(PathBuf),
    /// Guests may not use it.
    #[error(
        "{user} may not read and write '{}' ({owner}); put that user into the group of the device, or change its mode",
        .path.display()
    )]
    NoPermission {
        /// The device.
        path: PathBuf,
        /// The user that guests run as, with its groups.
        user: String,
        /// Whose the device is, and its mode.
        owner: String,
    },
    /// The kernel has no KVM behind the device.
    #[error(
        "the kernel has no KVM behind '{}' (is a module such as kvm_intel or kvm_amd loaded, and virtualization switched on in the firmware?)",
        .0.display()
    )]
    NoModule(PathBuf),
    /// The emulator cannot use it.
    #[error(
        "'{}' does not use KVM here: it was built without it, or is for another architecture than this host",
        .0.display()
    )]
    NotUsed(PathBuf),
    /// A guest was started and runs far too slowly or not at all.
    #[error(
        "a guest under KVM did not do within {seconds} s what takes a moment; it is tried again after the next boot of the host, or when the kernel's module kvm was loaded anew"
    )]
    DoesNotRun {
        /// How long it was given, in seconds.
        seconds: u64,
    },
    /// The test itself failed.
    #[error("a guest under KVM could not be started: {0}")]
    Failed(String),
}

/// Finds out whether guests of this emulator run under KVM. Takes a tenth of a second where they
/// do, two seconds where they hang.
pub(crate) async fn probe(capabilities: &Capabilities, options: &ProbeOptions) -> KvmUsability {
    match check(capabilities, options).await {
        Ok(()) => KvmUsability::Usable,
        Err(problem) => KvmUsability::Unusable(problem),
    }
}

async fn check(capabilities: &Capabilities, options: &ProbeOptions) -> Result<(), KvmProblem> {
    let node = &options.kvm_node;
    if !node.exists() {
        return Err(KvmProblem::NoNode(node.clone()));
    }
    let Some(kvm) = &capabilities.kvm else {
        return Err(why_not(node, options.user.as_ref(), &capabilities.binary));
    };
    if !matches!(capabilities.target.as_str(), "x86_64" | "i386") {
        return Ok(());
    }
    let machines = ["pc", "q35"];
    let Some(machine) = machines
        .into_iter()
        .find(|name| kvm.machine(name).is_some())
    else {
        return Err(KvmProblem::Failed(
            "the emulator has neither machine 'pc' nor 'q35'".to_owned(),
        ));
    };
    let guest = Guest {
        binary: &capabilities.binary,
        machine,
        accelerator: "kvm",
        exit_device: capabilities.has_device("isa-debug-exit"),
        user: options.user.as_ref(),
    };
    guest.run(DEADLINE).await
}

/// The guest of the test.
struct Guest<'a> {
    binary: &'a Path,
    machine: &'a str,
    accelerator: &'a str,
    /// Whether the device is there that lets a guest end QEMU with a status; else the guest
    /// resets itself, which ends QEMU too, but with success.
    exit_device: bool,
    user: Option<&'a GuestUser>,
}

/// Why an emulator does not use KVM although its device is there.
fn why_not(node: &Path, user: Option<&GuestUser>, binary: &Path) -> KvmProblem {
    if let Err(error) = File::options().read(true).write(true).open(node)
        && [Errno::NODEV, Errno::NXIO]
            .map(|errno| Some(errno.raw_os_error()))
            .contains(&error.raw_os_error())
    {
        return KvmProblem::NoModule(node.to_owned());
    }
    let may = match user {
        Some(user) => std::fs::metadata(node).is_ok_and(|facts| may_use(&facts, user)),
        None => rustix::fs::access(node, Access::READ_OK | Access::WRITE_OK).is_ok(),
    };
    if may {
        return KvmProblem::NotUsed(binary.to_owned());
    }
    KvmProblem::NoPermission {
        path: node.to_owned(),
        user: user.map_or_else(
            || "this user".to_owned(),
            |user| {
                let groups: Vec<String> = std::iter::once(&user.gid)
                    .chain(&user.groups)
                    .map(u32::to_string)
                    .collect();
                let user = virtbus_util::users::shown(user.uid);
                format!("user {user}, in the groups {},", groups.join(" and "))
            },
        ),
        owner: std::fs::metadata(node).map_or_else(
            |error| error.to_string(),
            |facts| {
                let (gid, mode) = (facts.gid(), facts.mode() & 0o7777);
                let user = virtbus_util::users::shown(facts.uid());
                format!("of user {user} and group {gid}, mode {mode:04o}")
            },
        ),
    }
}

/// Whether the mode of a file lets a user read and write. An access control list may let more users in; then the emulator uses the file, and
/// nobody asks.
fn may_use(facts: &Metadata, user: &GuestUser) -> bool {
    let is_in_group = facts.gid() == user.gid || user.groups.contains(&facts.gid());
    let shift = if facts.uid() == user.uid {
        6
    } else if is_in_group {
        3
    } else {
        0
    };
    user.uid == 0 || (facts.mode() >> shift) & 0o6 == 0o6
}

impl Guest<'_> {
    async fn run(&self, deadline: Duration) -> Result<(), KvmProblem> {
        let failed = |error: io::Error| KvmProblem::Failed(error.to_string());
        let firmware = firmware_file().map_err(failed)?;
        let (mut stderr, stderr_copy) = stderr_file().map_err(failed)?;
        let mut cmd = Cmd::new(self.binary);
        let fd = cmd.pass_fd(firmware);
        let machine = format!("{},accel={}", self.machine, self.accelerator);
        cmd.args(["-no-user-config", "-nodefaults", "-display", "none"])
            .args(["-machine", &machine, "-m", "1", "-no-reboot"])
            .args(["-bios", &format!("/dev/fd/{fd}")])
            .stderr(stderr_copy)
            .rlimit(Resource::FileSize, Limit::Max(1 << 20))
            .rlimit(Resource::Core, Limit::Max(0))
            .parent_death_signal(Signal::KILL);
        if self.exit_device {
            let device = format!("isa-debug-exit,iobase={:#x},iosize=4", firmware::EXIT_PORT);
            cmd.args(["-device", &device]);
        }
        if let Some(user) = self.user {
            cmd.user(user.uid, user.gid, &user.groups);
        }
        let child = cmd.spawn();
        let mut child = KillOnDrop(child.map_err(|error| KvmProblem::Failed(error.to_string()))?);
        let expected = if self.exit_device {
            firmware::EXIT_STATUS
        } else {
            0
        };
        let mut ended = timeout(deadline, child.0.wait()).await;
        for _ in 1..PATIENCE {
            if ended.is_ok() || used(&child.0) >= deadline / 2 {
                break;
            }
            ended = timeout(deadline, child.0.wait()).await;
        }
        match ended {
            Ok(Ok(ExitStatus::Exited(code))) if code == expected => Ok(()),
            Ok(Ok(status)) => Err(KvmProblem::Failed(format!(
                "{status}: {}",
                tail(&mut stderr)
            ))),
            Ok(Err(error)) => Err(KvmProblem::Failed(error.to_string())),
            Err(_) => {
                let _ = child.0.signal(Signal::KILL);
                let _ = child.0.wait().await;
                Err(KvmProblem::DoesNotRun {
                    seconds: deadline.as_secs(),
                })
            }
        }
    }
}

/// Processor time that it has used.
fn used(child: &Child) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    // One that cannot be looked at is not waited for any longer.
    virtbus_util::process::stat(child.pid()).map_or(Duration::MAX, |stat| {
        Duration::from_secs(stat.utime.saturating_add(stat.stime)) / per_second as u32
    })
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Does nothing if it ended.
        let _ = self.0.signal(Signal::KILL);
    }
}

fn firmware_file() -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("virtbus-probe-firmware", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(fd);
    file.write_all(&firmware::image())?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::{Guest, KvmProblem, check, why_not};
    use crate::GuestUser;
    use crate::{Capabilities, ProbeOptions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;
    use std::time::Duration;

    const QEMU: &str = "/usr/bin/qemu-system-x86_64";

    #[tokio::test]
    async fn what_is_missing_is_said() {
        let options = ProbeOptions {
            kvm_node: "/nonexistent/kvm".into(),
            ..ProbeOptions::default()
        };
        let problem = check(&Capabilities::default(), &options).await;
        assert!(matches!(problem, Err(KvmProblem::NoNode(_))));
        let options = ProbeOptions {
            kvm_node: "/dev/null".into(),
            ..ProbeOptions::default()
        };
        let problem = check(&Capabilities::default(), &options).await;
        assert!(matches!(problem, Err(KvmProblem::NotUsed(_))));
    }

    #[test]
    fn a_user_needs_the_group_of_the_device() {
        let dir = tempfile::tempdir().unwrap();
        let node = dir.path().join("kvm");
        std::fs::write(&node, "").unwrap();
        std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o660)).unwrap();
        let group = std::fs::metadata(&node).unwrap().gid();
        let user = |groups: Vec<u32>| GuestUser {
            uid: 64055,
            gid: 64055,
            groups,
        };
        let binary = Path::new("/usr/bin/qemu");
        assert!(matches!(
            why_not(&node, Some(&user(vec![group])), binary),
            KvmProblem::NotUsed(_)
        ));
        let problem = why_not(&node, Some(&user(vec![group + 1])), binary).to_string();
        let wanted = format!(
            "user 64055, in the groups 64055 and {}, may not read and write '{}' (of user",
            group + 1,
            node.display()
        );
        assert!(problem.starts_with(&wanted), "{problem}");
    }

    /// The test works where the guest runs: by emulation it always does.
    #[tokio::test]
    async fn qemu_firmware_ends_the_emulator() {
        if !Path::new(QEMU).exists() {
            virtbus_skip::skip!("needs {QEMU}");
        }
        for machine in ["pc", "q35"] {
            for exit_device in [true, false] {
                let guest = Guest {
                    binary: Path::new(QEMU),
                    machine,
                    accelerator: "tcg",
                    exit_device,
                    user: None,
                };
                let result = guest.run(Duration::from_secs(60)).await;
                assert_eq!(result, Ok(()), "{machine} {exit_device}");
            }
        }
    }

    #[tokio::test]
    async fn qemu_that_does_not_start_says_why() {
        if !Path::new(QEMU).exists() {
            virtbus_skip::skip!("needs {QEMU}");
        }
        let guest = Guest {
            binary: Path::new(QEMU),
            machine: "moon",
            accelerator: "tcg",
            exit_device: true,
            user: None,
        };
        let Err(KvmProblem::Failed(text)) = guest.run(Duration::from_secs(60)).await else {
            panic!("it must fail");
        };
        assert!(text.contains("machine type"), "{text}");
    }
}
