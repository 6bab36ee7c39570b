//! The settings file: TOML, each setting declared once below, with its documentation, default and the rule that its value must keep to.
//!
//! The sample file that is installed and printed by `--print-config` comes from the same declarations, so it cannot name a setting that
//! is not there or show a default that is not so.

mod rules;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use rules::named_uri;
use rules::{Rule, WEEK, YEAR};

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
            $($(#[doc = $doc:literal])* $field:ident: $type:ty [$rule:expr] = $default:expr,)*
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
                        if let Some(words) = Rule::words($rule) {
                            write_comment(text, &words);
                        }
                        let value = Show::show(&defaults.$field);
                        let _ = writeln!(text, "#{} = {value}\n", stringify!($field));
                    )*
                }
            }
        )*

        /// Every setting's section, name and rule.
        const RULES: &[(&str, &str, Rule)] = &[$($(($name, stringify!($field), $rule),)*)*];
    };
}

settings! {
    /// The daemon itself.
    Daemon("daemon") {
        /// Seconds without a call after which the daemon ends, if no guest has to be watched. The next call
        /// starts it again. 0: it never ends. With --address it never ends unless told so on the command line.
        idle_timeout: u64 [Rule::Within(0, YEAR)] = 120,
        /// What is logged: error, warn, info, debug or trace, or a list such as "info,virtbus_qemu=debug".
        log: String [Rule::Any] = "info".to_owned(),
        /// Calls of one client that may wait for something at the same time. More are refused.
        calls_per_client: u64 [Rule::Within(1, 1_000_000)] = 1024,
        /// Connections that are opened when they are used first, beside those of the drivers of this host: each as NAME=URI, such as
        /// "lab=test:///default". On the bus they are at /org/libvirt/NAME; a name has letters and digits only.
        connections: Vec<String> [Rule::Connections] = Vec::new(),
    }
    /// Virtual networks of this host.
    Network("network") {
        /// By what packets of networks are filtered and translated. Networks that are up keep theirs until they stop.
        firewall_backend: String [Rule::OneOf(&["nftables", "iptables"])] = "nftables".to_owned(),
        /// Whether a network named default is made when the daemon runs for the first time, in system mode: with address translation and DHCP, in
        /// 192.168.122.0/24 or the next subnet that is free on this host. Who undefines it does not get it again.
        default_network: bool [Rule::Any] = true,
        /// Whether networks marked for it are started when the host has booted.
        autostart: bool [Rule::Any] = true,
        /// Seconds that a call waits for another one to the same network.
        job_timeout: u64 [Rule::Within(1, WEEK)] = 30,
        /// Seconds that a program such as ip, nft or dnsmasq has to do its work.
        program_timeout: u64 [Rule::Within(1, WEEK)] = 20,
    }
    /// QEMU guests.
    Qemu("qemu") {
        /// The user that guests run as in system mode. A session's guests run as the session's user.
        user: String [Rule::Account] = "virtbus-qemu".to_owned(),
        /// The group that guests run as in system mode. They are in the group kvm besides, if there is one.
        group: String [Rule::Account] = "virtbus-qemu".to_owned(),
        /// Whether a guest's disks are given to that user while it runs, and back afterwards.
        dynamic_ownership: bool [Rule::Any] = true,
        /// Whether QEMU forbids itself the system calls that it does not need.
        seccomp: bool [Rule::Any] = true,
        /// Directories in which emulators are looked for. In system mode definitions can name no others, and none
        /// that a user other than root could exchange.
        emulator_path: Vec<String> [Rule::Directories(1)] = vec!["/usr/bin".to_owned(), "/usr/local/bin".to_owned(), "/usr/libexec".to_owned()],
        /// Directories in which Save and CoreDump may make files, beside where the guests' user may make them and the daemon's own
        /// directory for memory. Nobody but root may be able to write to them or to put others in their place.
        save_dirs: Vec<String> [Rule::Directories(0)] = Vec::new(),
        /// The address that VNC listens on if the definition names none.
        vnc_listen: String [Rule::Host] = "127.0.0.1".to_owned(),
        /// The address that SPICE listens on if the definition names none.
        spice_listen: String [Rule::Host] = "127.0.0.1".to_owned(),
        /// The lowest port for graphics that ask for one automatically.
        graphics_port_min: u16 [Rule::Within(5900, 65535)] = 5900,
        /// The highest port for graphics that ask for one automatically, not below the lowest.
        graphics_port_max: u16 [Rule::Within(5900, 65535)] = 65535,
        /// Whether domains marked for it are started when the host has booted.
        autostart: bool [Rule::Any] = true,
        /// Seconds that a call waits for another one to the same domain.
        job_timeout: u64 [Rule::Within(1, WEEK)] = 30,
        /// Seconds that QEMU has to come up.
        start_timeout: u64 [Rule::Within(1, WEEK)] = 60,
        /// Seconds that QEMU has to answer a command.
        command_timeout: u64 [Rule::Within(1, WEEK)] = 10,
        /// Seconds that QEMU has to end by itself when a domain is destroyed, before it is killed.
        quit_timeout: u64 [Rule::Within(1, WEEK)] = 5,
        /// Seconds that a guest's agent has to answer.
        agent_timeout: u64 [Rule::Within(1, WEEK)] = 5,
    }
    /// The test driver, whose domains are in memory only.
    Test("test") {
        /// What it begins with: test:///default, or test:// and the absolute path of a node file.
        uri: String [Rule::TestUri] = "test:///default".to_owned(),
    }
}

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) daemon: Daemon,
    pub(crate) network: Network,
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
        Self::parse(&text).map_err(|message| SettingsError::Parse {
            path: path.to_owned(),
            message,
        })
    }

    /// Reads settings, or tells all that is wrong with their values.
    fn parse(text: &str) -> Result<Self, String> {
        let said = |error: toml::de::Error| error.to_string().trim().to_owned();
        // Before numbers are read as what they are used as, which not all fit into.
        let table: toml::Table = toml::from_str(text).map_err(said)?;
        let mut problems = problems(&table);
        if problems.is_empty() {
            let settings: Self = toml::from_str(text).map_err(said)?;
            problems.extend(settings.crossed());
            if problems.is_empty() {
                return Ok(settings);
            }
        }
        Err(problems.join("; "))
    }

    /// What is wrong with settings that go together.
    fn crossed(&self) -> Option<String> {
        let (least, most) = (self.qemu.graphics_port_min, self.qemu.graphics_port_max);
        (least > most).then(|| {
            format!(
                "the setting qemu.graphics_port_min is {least}, above qemu.graphics_port_max, which is {most}: no port is left"
            )
        })
    }

    /// A settings file with every setting commented out, its meaning above it.
    pub(crate) fn sample() -> String {
        let mut text =
            String::from("# Settings of virtbusd. What is commented out shows the default.\n\n");
        Daemon::write_sample(&mut text);
        Network::write_sample(&mut text);
        Qemu::write_sample(&mut text);
        Test::write_sample(&mut text);
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// Which settings do not keep to their rules, and why.
fn problems(table: &toml::Table) -> Vec<String> {
    let refused = RULES.iter().filter_map(|(section, name, rule)| {
        let value = table.get(*section)?.get(*name)?;
        let why = rule.refuse(value)?;
        Some(format!("the setting {section}.{name} {why}"))
    });
    refused.collect()
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
    fn what_cannot_hold_is_refused_by_name_and_all_at_once() {
        let refused = Settings::parse(
            "[daemon]\ncalls_per_client = 0\n[qemu]\ngraphics_port_max = 70000\njob_timeout = -1\nsave_dirs = ['dumps']\n",
        )
        .unwrap_err();
        for part in [
            "daemon.calls_per_client is 0, but must be from 1 to 1000000",
            "qemu.graphics_port_max is 70000, but must be from 5900 to 65535",
            "qemu.job_timeout is -1, but must be from 1 to 604800",
            "qemu.save_dirs has the path 'dumps', which is not absolute",
        ] {
            assert!(refused.contains(part), "no {part:?} in {refused}");
        }
        let crossed = "[qemu]\ngraphics_port_min = 6000\ngraphics_port_max = 5999\n";
        let refused = Settings::parse(crossed).unwrap_err();
        assert!(refused.contains("no port is left"), "{refused}");
        let one = "[qemu]\ngraphics_port_min = 6000\ngraphics_port_max = 6000\n";
        assert_eq!(Settings::parse(one).unwrap().qemu.graphics_port_max, 6000);
    }

    #[test]
    fn defaults_keep_to_their_rules() {
        let sample = Settings::sample();
        let uncommented = sample.replace("\n#", "\n").replace("\n ", "\n# ");
        let table: toml::Table = uncommented.parse().unwrap();
        let said = |(section, name, _): &&(&str, &str, Rule)| table[*section].get(*name).is_none();
        assert!(RULES.iter().find(said).is_none(), "{uncommented}");
        assert_eq!(problems(&table), [] as [&str; 0]);
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
