//! A process that owns a name on the bus: the daemon or the yardstick, started and timed alike.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use virtbus_tests::leaks;
use zbus::{Connection, Message, MessageStream};

use crate::Outcome;

/// What anything here gets before the run is given up.
const LIMIT: Duration = Duration::from_secs(60);

/// How to start a service.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// The name that it takes when it is ready.
    pub(crate) name: &'static str,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    /// What stands in the command lines of the processes that it leaves behind, if it does.
    pub(crate) leaves: Option<PathBuf>,
}

/// A call that can be made again and again.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) destination: &'static str,
    pub(crate) path: String,
    pub(crate) interface: &'static str,
    pub(crate) member: &'static str,
    pub(crate) body: Body,
}

/// The arguments that the measured calls have.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Nothing,
    Flags(u32),
    Property(&'static str, &'static str),
}

impl Question {
    /// Asks and takes the reply, without reading it.
    pub(crate) async fn ask(&self, bus: &Connection) -> zbus::Result<Message> {
        let (destination, path) = (Some(self.destination), self.path.as_str());
        let (interface, member) = (Some(self.interface), self.member);
        match &self.body {
            Body::Nothing => {
                bus.call_method(destination, path, interface, member, &())
                    .await
            }
            Body::Flags(flags) => {
                bus.call_method(destination, path, interface, member, &(flags,))
                    .await
            }
            Body::Property(of, name) => {
                bus.call_method(destination, path, interface, member, &(of, name))
                    .await
            }
        }
    }
}

/// A service that runs; it and the processes it leaves are ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Served {
    process: Child,
    leaves: Option<PathBuf>,
}

impl Served {
    /// Starts a service; it owns its name when this returns.
    ///
    /// # Errors
    /// If it cannot be started or does not come up.
    pub(crate) async fn start(bus: &Connection, program: &Program) -> Outcome<Self> {
        let mut owners = owners(bus, program.name).await?;
        let mut served = Self::spawn(program)?;
        served.owned(&mut owners, program).await?;
        Ok(served)
    }

    /// Starts a service and asks it as soon as it owns its name. Gives the seconds from before it was started until
    /// its answer.
    ///
    /// # Errors
    /// If it cannot be started, does not come up, or answers with an error.
    pub(crate) async fn start_and_ask(
        bus: &Connection,
        program: &Program,
        question: &Question,
    ) -> Outcome<(Self, f64)> {
        let mut owners = owners(bus, program.name).await?;
        let begin = Instant::now();
        let mut served = Self::spawn(program)?;
        served.owned(&mut owners, program).await?;
        question.ask(bus).await?;
        Ok((served, begin.elapsed().as_secs_f64()))
    }

    fn spawn(program: &Program) -> Outcome<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&program.log)?;
        let process = Command::new(&program.path)
            .args(&program.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start '{}': {error}", program.path.display()))?;
        Ok(Self {
            process,
            leaves: program.leaves.clone(),
        })
    }

    async fn owned(&mut self, owners: &mut MessageStream, program: &Program) -> Outcome<()> {
        let owned = async {
            while let Some(signal) = owners.next().await {
                let signal = signal?;
                let body = signal.body();
                let (_, _, new): (&str, &str, &str) = body.deserialize()?;
                if !new.is_empty() {
                    return Ok::<_, zbus::Error>(());
                }
            }
            Err(zbus::Error::Failure("the bus is gone".to_owned()))
        };
        match tokio::time::timeout(LIMIT, owned).await {
            Ok(owned) => Ok(owned?),
            Err(_) => Err(format!(
                "{} does not take the name {}; see '{}'",
                program.path.display(),
                program.name,
                program.log.display()
            )
            .into()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends the service as an administrator would, and waits for it.
    ///
    /// # Errors
    /// If it is not there any more.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("a process without an id")?, Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }

    /// The memory that it occupies, bytes: resident, and its share of what is resident (pages used by several processes
    /// count in parts).
    ///
    /// # Errors
    /// Those of reading `/proc`.
    pub(crate) fn memory(&self) -> io::Result<(f64, f64)> {
        let dir = Path::new("/proc").join(self.pid().to_string());
        let resident = kib(&std::fs::read_to_string(dir.join("status"))?, "VmRSS:");
        let share = kib(&std::fs::read_to_string(dir.join("smaps_rollup"))?, "Pss:");
        let missing = || io::Error::other("the kernel does not tell a process's memory");
        Ok((
            resident.ok_or_else(missing)? * 1024.0,
            share.ok_or_else(missing)? * 1024.0,
        ))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(leaves) = &self.leaves {
            leaks::end_processes(&leaves.to_string_lossy());
        }
    }
}

/// The changes of a name's owner.
async fn owners(bus: &Connection, name: &str) -> zbus::Result<MessageStream> {
    let rule = format!(
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
         member='NameOwnerChanged',arg0='{name}'"
    );
    MessageStream::for_match_rule(rule.as_str(), bus, None).await
}

/// The number behind `key` in a file of `/proc`, KiB.
fn kib(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_numbers_are_read() {
        let text = "Name:\tx\nVmPeak:\t  20 kB\nVmRSS:\t     9128 kB\n";
        assert_eq!(kib(text, "VmRSS:"), Some(9128.0));
        assert_eq!(kib(text, "Pss:"), None);
    }
}
