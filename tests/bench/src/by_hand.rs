//! QEMU without a daemon: a guest's command line, run again in another directory.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;

/// A guest's command line, to be run in a directory of its own.
#[derive(Debug)]
pub(crate) struct CommandLine {
    program: PathBuf,
    arguments: Vec<Vec<u8>>,
    environment: Vec<(OsString, OsString)>,
    /// The monitor's socket.
    socket: PathBuf,
    /// What in an argument is to be replaced by the number of the socket's descriptor.
    descriptor: String,
}

/// A guest that runs. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    process: Child,
    _monitor: UnixStream,
}

impl CommandLine {
    /// The command line of a running guest of the daemon, with `dir` in place of its own directory.
    ///
    /// # Errors
    /// If the process is not as the daemon starts them.
    pub(crate) fn of(pid: u32, dir: &Path) -> Outcome<Self> {
        let proc = Path::new("/proc").join(pid.to_string());
        let words = fs::read(proc.join("cmdline"))?;
        let mut words = words.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        let program = words.next().ok_or("the guest has no command line")?;
        let arguments: Vec<Vec<u8>> = words.collect();
        let arguments = &arguments[..arguments.len().saturating_sub(1)];
        let environment = fs::read(proc.join("environ"))?;
        let own_dir = environment
            .split(|byte| *byte == 0)
            .find_map(|variable| variable.strip_prefix(b"HOME="))
            .ok_or("the guest has no HOME")?;
        let moved = |text: &[u8]| replace(text, own_dir, dir.as_os_str().as_bytes());
        let monitor = arguments
            .iter()
            .map(|argument| String::from_utf8_lossy(argument))
            .find_map(|argument| descriptor(&argument));
        Ok(Self {
            program: PathBuf::from(OsString::from_vec(program)),
            arguments: arguments.iter().map(|argument| moved(argument)).collect(),
            environment: environment
                .split(|byte| *byte == 0)
                .filter_map(|variable| {
                    let equals = variable.iter().position(|byte| *byte == b'=')?;
                    let (name, value) = (&variable[..equals], &variable[equals + 1..]);
                    Some((
                        OsString::from_vec(name.to_vec()),
                        OsString::from_vec(moved(value)),
                    ))
                })
                .collect(),
            socket: dir.join("monitor.sock"),
            descriptor: monitor.ok_or("the guest's monitor is not a descriptor")?,
        })
    }

    /// Runs it, until its CPUs are released.
    ///
    /// # Errors
    /// If QEMU ends, or says something else than it should.
    pub(crate) fn start(&self) -> Outcome<Running> {
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket)?;
        // QEMU inherits the socket, as it does from the daemon.
        fcntl_setfd(&listener, FdFlags::empty())?;
        let wanted = format!("fd={}", listener.as_raw_fd());
        let arguments = self.arguments.iter().map(|argument| {
            OsString::from_vec(replace(
                argument,
                self.descriptor.as_bytes(),
                wanted.as_bytes(),
            ))
        });
        let log = fs::File::create(self.socket.with_extension("log"))?;
        let process = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let monitor = UnixStream::connect(&self.socket)?;
        let running = Running {
            process,
            _monitor: monitor.try_clone()?,
        };
        drop(listener);
        let mut lines = BufReader::new(monitor);
        expect(&mut lines, "\"QMP\"")?;
        for command in ["qmp_capabilities", "cont"] {
            let text = format!("{{\"execute\":\"{command}\"}}\n");
            lines.get_mut().write_all(text.as_bytes())?;
            expect(&mut lines, "\"return\"")?;
        }
        Ok(running)
    }
}

impl Running {
    /// Ends it as the daemon does, and waits for the end.
    ///
    /// # Errors
    /// If it is not there any more.
    pub(crate) fn end(mut self) -> Outcome<()> {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(pid.ok_or("a process without an id")?, Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads until a line has `word` in it; events come between.
fn expect(lines: &mut impl BufRead, word: &str) -> Outcome<()> {
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Err("QEMU has ended, started by hand".into());
        }
        if line.contains(word) {
            return Ok(());
        }
        if line.contains("\"error\"") {
            return Err(format!("QEMU says {}", line.trim()).into());
        }
    }
}

/// `fd=NUMBER` in the argument of a socket that QEMU takes over.
fn descriptor(argument: &str) -> Option<String> {
    if !argument.starts_with("socket,") {
        return None;
    }
    let number = argument.split_once("fd=")?.1;
    let number = number.split(',').next()?;
    Some(format!("fd={number}"))
}

/// `text` with every `old` in it replaced.
fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if !old.is_empty() && rest.starts_with(old) {
            replaced.extend_from_slice(new);
            rest = &rest[old.len()..];
        } else {
            replaced.push(rest[0]);
            rest = &rest[1..];
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monitor_s_descriptor_is_found() {
        let argument = "socket,id=charmonitor,fd=23,server=on,wait=off";
        assert_eq!(descriptor(argument).unwrap(), "fd=23");
        assert_eq!(descriptor("file,fd=3"), None);
        assert_eq!(descriptor("socket,path=/x"), None);
    }

    #[test]
    fn every_occurrence_is_replaced() {
        assert_eq!(replace(b"/a/b:/a/c", b"/a", b"/xyz"), b"/xyz/b:/xyz/c");
        assert_eq!(replace(b"none", b"", b"x"), b"none");
    }
}
