//! The daemon under test: the `virtbusd` that was built with these tests, on a private bus.
//!
//! Starts it, knows when it answers, ends it in every way a daemon can end. Its output goes
//! to a file in its directory, and the end of that is printed when a test fails. Dropping a
//! [`Daemon`] also ends the guests it started, which would otherwise live on.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Client, SERVICE};
use crate::wait::{wait_for, wait_for_async};
use crate::walk::{ROOT, introspect};
use crate::{leaks, need, process};

/// What an idle machine needs at most until the daemon owns its name, or has ended.
const START_LIMIT: Duration = Duration::from_secs(6);

/// A daemon with a state directory of its own.
#[derive(Debug)]
pub struct Daemon {
    binary: PathBuf,
    address: String,
    state_dir: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    open_files: Option<u64>,
    process: Option<Child>,
}

impl Daemon {
    /// A daemon that is not started yet, for the bus at `address`.
    ///
    /// # Errors
    /// Why there is no daemon to test: a reason to skip.
    pub fn new(address: &str, state_dir: &Path, arguments: &[&str]) -> Result<Daemon, String> {
        Ok(Daemon {
            binary: binary()?,
            address: address.to_owned(),
            state_dir: state_dir.to_owned(),
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
            environment: Vec::new(),
            open_files: None,
            process: None,
        })
    }

    /// Adds a word to the daemon's command line, from its next start on.
    pub fn argument(&mut self, word: &str) {
        self.arguments.push(word.to_owned());
    }

    /// Sets a variable in the daemon's environment, from its next start on.
    pub fn variable(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Lets the daemon open so many files and no more, from its next start on; `None`: as many as the test may.
    pub fn limit_open_files(&mut self, most: Option<u64>) {
        self.open_files = most;
    }

    /// Starts the daemon and waits until it owns its name and serves: one that cannot run takes its name as well, to say why.
    ///
    /// # Panics
    /// When it runs already, cannot be started, or ends instead of serving.
    pub async fn start(&mut self, client: &Client) {
        self.spawn();
        let pid = self.pid();
        wait_for_async("the daemon to serve", START_LIMIT, async || {
            if let Some(status) = self.exited() {
                panic!("the daemon ended at once ({status}):\n{}", self.log_tail());
            }
            let owner = client.owner_pid(SERVICE).await.expect("the bus answers");
            if owner != Some(pid) {
                return None;
            }
            introspect(client, ROOT).await.ok().map(drop)
        })
        .await;
    }

    /// Starts the daemon, and waits for nothing.
    ///
    /// # Panics
    /// When it runs already or cannot be started.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "the daemon runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the log can be written");
        let errors = log.try_clone().expect("a descriptor can be had");
        let binary = self.binary.to_string_lossy();
        let mut command = match self.open_files {
            None => need::ends_with_us(&binary),
            Some(most) => {
                let mut command = need::ends_with_us("prlimit");
                command.args([&format!("--nofile={most}"), "--", &*binary]);
                command
            }
        };
        let process = command
            .args(["--address", &self.address])
            .arg("--state-dir")
            .arg(&self.state_dir)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        self.process = Some(process.expect("the daemon can be started"));
    }

    /// The daemon's process id.
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the daemon was started").id()
    }

    /// Ends the daemon as a crash would, in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Fails only if it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Asks the daemon to end, and waits for it.
    ///
    /// # Panics
    /// When it does not end in time, or not with success.
    pub async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = wait_for("the daemon to end", START_LIMIT, || self.exited()).await;
        assert!(
            status.success(),
            "the daemon ended with {status}:\n{}",
            self.log_tail()
        );
        self.process = None;
    }

    /// Sends the daemon a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        kill_process(process::pid(self.pid()), signal).expect("the daemon runs");
    }

    /// How the daemon ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut().expect("the daemon was started");
        process.try_wait().expect("a child can be asked for")
    }

    /// Where the daemon keeps its definitions, sockets and logs.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The processes that name the daemon's directory, but for the daemon: its guests, and
    /// what leaks.
    #[must_use]
    pub fn children(&self) -> Vec<leaks::Process> {
        let daemon = self.process.as_ref().map(Child::id);
        let mut found = leaks::processes(&self.needle());
        found.retain(|process| Some(process.pid) != daemon);
        found
    }

    /// The emulator of a guest.
    #[must_use]
    pub fn emulator(&self, name: &str) -> Option<Pid> {
        let words = format!("guest={name},");
        let mut children = self.children().into_iter();
        let found = children.find(|child| child.command.contains(&words))?;
        Some(process::pid(found.pid))
    }

    /// The last lines that the daemon printed.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The file that the daemon's output goes to.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.state_dir.with_extension("log")
    }

    fn needle(&self) -> String {
        self.state_dir.to_string_lossy().into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the daemon's last words\n{}\n---", self.log_tail());
        }
        self.kill();
        leaks::end_processes(&self.needle());
    }
}

/// Whether a process ended by a signal that says it crashed.
#[must_use]
pub fn crashed(status: ExitStatus) -> bool {
    status.signal().is_some_and(|signal| {
        [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::ILL]
            .iter()
            .any(|crash| crash.as_raw() == signal)
    })
}

/// The daemon that was built: `VIRTBUSD`, else the one beside this test's directory.
///
/// # Errors
/// That there is none: a reason to skip.
pub fn binary() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("VIRTBUSD").filter(|given| !given.is_empty()) {
        return Ok(PathBuf::from(given));
    }
    let found = beside_test();
    found.map_err(|error| format!("needs a built virtbusd (cargo build -p virtbusd): {error}"))
}

/// Test executables are in `deps` of the directory the binaries are put into.
fn beside_test() -> io::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let found = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("virtbusd"))
        .find(|file| file.is_file());
    found.ok_or_else(|| io::Error::other(format!("none beside '{}'", test.display())))
}
