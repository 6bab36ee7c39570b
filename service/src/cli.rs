//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, ValueHint};

/// A year, in seconds.
const LONGEST_IDLENESS: u64 = 365 * 24 * 60 * 60;

/// Virtualization management as a D-Bus service.
#[derive(Debug, Clone, Parser)]
#[command(name = "virtbusd", version, about, max_term_width = 100)]
#[command(group = ArgGroup::new("bus").args(["system", "session", "address", "print_config"]).required(true))]
pub(crate) struct Cli {
    /// Serve the system bus; polkit decides about callers. Needs root.
    #[arg(long)]
    pub(crate) system: bool,

    /// Serve the session bus of the user who starts it, with guests of that user.
    #[arg(long)]
    pub(crate) session: bool,

    /// Serve the bus at this D-Bus address; root and the daemon's own user may do everything, others nothing.
    #[arg(long, value_name = "ADDR", value_hint = ValueHint::Other)]
    pub(crate) address: Option<String>,

    /// Read settings from this file [default: /etc/virtbus/virtbusd.toml, or virtbus/virtbusd.toml below
    /// $XDG_CONFIG_HOME for a session].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Keep everything (definitions, state, logs, sockets) below this directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state_dir: Option<PathBuf>,

    /// Serve only these drivers, separated by commas [default: all that are built in, without test in system mode].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_hint = ValueHint::Other)]
    pub(crate) drivers: Option<Vec<String>>,

    /// End after so many seconds without a call, if no guest has to be watched; 0: never [default: the
    /// setting idle_timeout].
    #[arg(long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = clap::value_parser!(u64).range(..=LONGEST_IDLENESS))]
    pub(crate) idle_timeout: Option<u64>,

    /// Print a settings file with every setting, its meaning and its default, and end.
    #[arg(long)]
    pub(crate) print_config: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(seconds: &str) -> Option<u64> {
        let parsed = Cli::try_parse_from(["virtbusd", "--session", "--idle-timeout", seconds]);
        parsed.ok()?.idle_timeout
    }

    #[test]
    fn idleness_lasts_no_longer_than_a_clock_can_count() {
        assert_eq!(idle("0"), Some(0));
        assert_eq!(idle("31536000"), Some(LONGEST_IDLENESS));
        for absurd in ["31536001", "18446744073709551615", "-1"] {
            assert_eq!(idle(absurd), None, "{absurd}");
        }
    }
}
