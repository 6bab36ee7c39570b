//! Looking for a guest's process among all processes of the host, when nothing tells which one it is.

use virtbus_util::process::{self, Pidfd};

/// A process that may be a guest's. It was held before it was looked at, so it is this one that was looked at.
#[derive(Debug)]
pub struct Candidate {
    /// The process.
    pub process: Pidfd,
    /// Its command line. What is no UTF-8 in it is replaced.
    pub arguments: Vec<String>,
}

impl Candidate {
    /// The argument after an option.
    #[must_use]
    pub fn after(&self, option: &str) -> Option<&str> {
        let mut pairs = self.arguments.windows(2);
        pairs.find(|pair| pair[0] == option).map(|pair| &*pair[1])
    }

    /// Whether an argument has this in it.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.arguments
            .iter()
            .any(|argument| argument.contains(text))
    }
}

/// Every running process that the daemon may have started for a guest: of the guests' user, or, before it became that, of the daemon's. Blocks.
pub fn candidates(user: Option<u32>) -> impl Iterator<Item = Candidate> {
    let own = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(move |pid| {
        let process = Pidfd::open(pid).ok()?;
        let found = process::user(pid).ok()?;
        if found != own && Some(found) != user {
            return None;
        }
        let arguments = process::cmdline(pid).ok()?;
        let arguments = arguments
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        // What was read may be of a process that had the pid after this one ended.
        (!process.has_exited().unwrap_or(false)).then_some(Candidate { process, arguments })
    })
}
