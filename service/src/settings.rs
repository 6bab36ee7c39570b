//! The settings file: TOML, each setting declared once below, with its documentation and default.
//!
//! The sample file that is installed and printed by `--print-config` comes from the same declarations, so it cannot name a setting that
//! is not there or show a default that is not so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("cannot read the settings in '{path}'")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the settings in '{path}' are wrong: {message}")]
    Parse { path: PathBuf, message: String },
}

/// Declares the sections of the settings file.
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident($name:literal) {
            $($(#[doc = $doc:literal])* $field:ident: $type:ty = $default:expr,)*
        }
    )*) => {
        $(
            $(#[doc = $section_doc])*
            #[derive(Debug, Clone, PartialEq, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub(crate) struct $section { $($(#[doc = $doc])* pub(crate) $field: $type,)* }

            impl Default for $section {
                fn default() -> Self {
                    Self { $($field: $default,)* }
                }
            }

            impl $section {
                fn write_sample(text: &mut String) {
                    let defaults = Self::default();
                    $(write_comment(text, $section_doc);)*
                    let _ = writeln!(text, "[{}]\n", $name);
                    $(
                        $(write_comment(text, $doc);)*
                        let value = Show::show(&defaults.$field);
                        let _ = writeln!(text, "#{} = {value}\n", stringify!($field));
                    )*
                }
            }
        )*
    };
}

settings! {
    /// The daemon itself.
    Daemon("daemon") {
        /// Seconds without a call after which the daemon ends, if no guest has to be watched. The next call
        /// starts it again. 0: it never ends. With --address it never ends unless told so on the command line.
        idle_timeout: u64 = 120,
        /// What is logged: error, warn, info, debug or trace, or a list such as "info,virtbus_qemu=debug".
        log: String = "info".to_owned(),
        /// Calls of one client that may wait for something at the same time. More are refused.
        calls_per_client: u64 = 1024,
    }
    /// QEMU guests.
    Qemu("qemu") {
        /// The user that guests run as in system mode. A session's guests run as the session's user.
        user: String = "virtbus-qemu".to_owned(),
        /// The group that guests run as in system mode. They are in the group kvm besides, if there is one.
        group: String = "virtbus-qemu".to_owned(),
        /// Whether a guest's disks are given to that user while it runs, and back afterwards.
        dynamic_ownership: bool = true,
        /// Whether QEMU forbids itself the system calls that it does not need.
        seccomp: bool = true,
        /// Directories in which emulators are looked for. In system mode definitions can name no others, and none
        /// that a user other than root could exchange.
        emulator_path: Vec<String> = vec!["/usr/bin".to_owned(), "/usr/local/bin".to_owned(), "/usr/libexec".to_owned()],
        /// Directories in which Save and CoreDump may make files, beside where the guests' user may make them and the daemon's own
        /// directory for memory. Absolute; nobody but root may be able to write to them.
        save_dirs: Vec<String> = Vec::new(),
        /// The address that VNC listens on if the definition names none.
        vnc_listen: String = "127.0.0.1".to_owned(),
        /// The address that SPICE listens on if the definition names none.
        spice_listen: String = "127.0.0.1".to_owned(),
        /// The lowest port for graphics that ask for one automatically.
        graphics_port_min: u16 = 5900,
        /// The highest port for graphics that ask for one automatically.
        graphics_port_max: u16 = 65535,
        /// Whether domains marked for it are started when the host has booted.
        autostart: bool = true,
        /// Seconds that a call waits for another one to the same domain.
        job_timeout: u64 = 30,
        /// Seconds that QEMU has to come up.
        start_timeout: u64 = 60,
        /// Seconds that QEMU has to answer a command.
        command_timeout: u64 = 10,
        /// Seconds that QEMU has to end by itself when a domain is destroyed, before it is killed.
        quit_timeout: u64 = 5,
        /// Seconds that a guest's agent has to answer.
        agent_timeout: u64 = 5,
    }
    /// The test driver, whose domains are in memory only.
    Test("test") {
        /// What it begins with: test:///default, or test:// and the absolute path of a node file.
        uri: String = "test:///default".to_owned(),
    }
}

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) daemon: Daemon,
    pub(crate) qemu: Qemu,
    pub(crate) test: Test,
}

impl Settings {
    /// Reads a settings file; one that is not there leaves everything at its default, unless it was asked for by name.
    pub(crate) fn read(path: &Path, must_exist: bool) -> Result<Self, SettingsError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if !must_exist && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => {
                return Err(SettingsError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        toml::from_str(&text).map_err(|error| SettingsError::Parse {
            path: path.to_owned(),
            message: error.to_string().trim().to_owned(),
        })
    }

    /// A settings file with every setting commented out, its meaning above it.
    pub(crate) fn sample() -> String {
        let mut text =
            String::from("# Settings of virtbusd. What is commented out shows the default.\n\n");
        Daemon::write_sample(&mut text);
        Qemu::write_sample(&mut text);
        Test::write_sample(&mut text);
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

fn write_comment(text: &mut String, line: &str) {
    let _ = writeln!(
        text,
        "#{}{}",
        if line.is_empty() { "" } else { " " },
        line.trim()
    );
}

/// A value as TOML writes it.
trait Show {
    fn show(&self) -> String;
}

macro_rules! show_as_is {
    ($($type:ty),*) => { $(impl Show for $type {
        fn show(&self) -> String {
            self.to_string()
        }
    })* };
}

show_as_is!(bool, u16, u64);

impl Show for String {
    fn show(&self) -> String {
        toml::Value::from(self.as_str()).to_string()
    }
}

impl Show for Vec<String> {
    fn show(&self) -> String {
        toml::Value::from(self.clone()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_says_the_defaults() {
        let sample = Settings::sample();
        assert_eq!(
            toml::from_str::<Settings>(&sample).unwrap(),
            Settings::default()
        );
        let uncommented: String = sample
            .lines()
            .map(|line| {
                line.strip_prefix('#')
                    .filter(|rest| !rest.starts_with(' '))
                    .unwrap_or(line)
            })
            .fold(String::new(), |text, line| text + line + "\n");
        assert_eq!(
            toml::from_str::<Settings>(&uncommented).unwrap(),
            Settings::default()
        );
        assert!(uncommented.contains("vnc_listen = \"127.0.0.1\""));
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_line() {
        let dir = std::env::temp_dir().join(format!("virtbus-settings-{}", std::process::id()));
        std::fs::write(&dir, "[daemon]\nidel_timeout = 3\n").unwrap();
        let error = Settings::read(&dir, true).unwrap_err().to_string();
        std::fs::remove_file(&dir).unwrap();
        assert!(
            error.contains("idel_timeout") && error.contains("line 2"),
            "{error}"
        );
    }
}
