//! What is logged and where it goes: the journal under systemd, standard error otherwise; both can be changed as the daemon
//! runs.
//!
//! Levels are told by their names in syslog(3), as systemd's tools do. `tracing` has fewer: between two of its own a level
//! logs what is more urgent.

mod line;
mod sinks;

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libsystemd::logging::SD_JOURNAL_SOCK_PATH;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};
use virtbus_dbus::LogControl;

use crate::access::Owner;

/// The variable that overrides the setting.
const VARIABLE: &str = "VIRTBUS_LOG";

/// What log lines are found by in the journal.
const IDENTIFIER: &str = "virtbusd";

/// The levels of syslog(3), by their numbers there, and what is logged at each. Nothing here is more urgent than an error.
const LEVELS: [(&str, LevelFilter); 8] = [
    ("emerg", LevelFilter::OFF),
    ("alert", LevelFilter::OFF),
    ("crit", LevelFilter::OFF),
    ("err", LevelFilter::ERROR),
    ("warning", LevelFilter::WARN),
    ("notice", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
];

/// Where log lines go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Journal,
    Console,
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Console => "console",
        }
    }

    /// The one that suits how the daemon was started.
    fn suitable() -> Self {
        if libsystemd::logging::connected_to_journal() {
            Self::Journal
        } else {
            Self::Console
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "journal" => Some(Self::Journal),
            "console" => Some(Self::Console),
            "auto" => Some(Self::suitable()),
            _ => None,
        }
    }

    /// What writes there.
    fn open(self) -> std::io::Result<Sink> {
        Ok(match self {
            Self::Journal => {
                // Whether it can be reached: a line that it cannot be given is lost.
                UnixDatagram::unbound()?.connect(SD_JOURNAL_SOCK_PATH)?;
                sinks::Journal.boxed()
            }
            Self::Console => console(),
        })
    }
}

type Sink = Box<dyn Layer<Registry> + Send + Sync>;
type Below = Layered<reload::Layer<Sink, Registry>, Registry>;

/// What holds at the moment.
#[derive(Debug, Clone, Copy)]
struct Held {
    level: &'static str,
    target: Target,
}

/// The daemon's logging, for whoever wants to change it.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Below>,
    sink: reload::Handle<Sink, Registry>,
    held: Mutex<Held>,
    owner: Owner,
}

/// Starts logging. A filter that cannot be understood is told of, and `info` taken in its place.
pub(crate) fn start(filter: &str) -> Arc<Logging> {
    let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| filter.to_owned());
    let (filter, problem) = match understood(&wanted) {
        Ok(filter) => (filter, None),
        Err(problem) => (EnvFilter::new("info"), Some(problem)),
    };
    let (logging, subscriber) = build(filter, Target::suitable());
    subscriber.init();
    if let Some(problem) = problem {
        tracing::warn!("the log filter '{wanted}' is ignored, and info is logged: {problem}");
    }
    Arc::new(logging)
}

/// A filter as [`EnvFilter`] takes it, but for what that takes and nobody means: nothing at all, and a misspelt level, which it takes for
/// the name of a module.
fn understood(wanted: &str) -> Result<EnvFilter, String> {
    let mut parts = wanted.split(',').map(str::trim).peekable();
    if parts.peek().is_none_or(|part| part.is_empty()) {
        return Err("it is empty".to_owned());
    }
    for part in parts {
        let is_plain = part
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if is_plain && part.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "invalid log level '{part}' (error, warn, info, debug, trace, off); for a module, write {part}=debug"
            ));
        }
    }
    EnvFilter::try_new(wanted).map_err(|error| error.to_string())
}

/// What writes to standard error.
fn console() -> Sink {
    fmt::layer()
        .with_writer(std::io::stderr)
        .event_format(sinks::Console)
        .boxed()
}

/// Logging by a filter to a target, or to standard error where that cannot be opened.
fn build(
    filter: EnvFilter,
    target: Target,
) -> (Logging, impl SubscriberInitExt + tracing::Subscriber) {
    let level = level_of(filter.max_level_hint());
    let (target, sink) = match target.open() {
        Ok(sink) => (target, sink),
        Err(_) => (Target::Console, console()),
    };
    let (sink, sink_handle) = reload::Layer::new(sink);
    let (filter, filter_handle) = reload::Layer::new(filter);
    let logging = Logging {
        filter: filter_handle,
        sink: sink_handle,
        held: Mutex::new(Held { level, target }),
        owner: Owner::current(),
    };
    (
        logging,
        tracing_subscriber::registry().with(sink).with(filter),
    )
}

/// What a filter comes to as a level: the least urgent that it lets through of anything.
fn level_of(filter: Option<LevelFilter>) -> &'static str {
    // Trace is below all levels of syslog(3).
    let filter = filter.unwrap_or(LevelFilter::TRACE).min(LevelFilter::DEBUG);
    LEVELS
        .iter()
        .find(|(_, level)| *level == filter)
        .map_or("debug", |(name, _)| *name)
}

impl Logging {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogControl for Logging {
    fn may_change(&self, uid: Option<u32>) -> bool {
        self.owner.is(uid)
    }

    fn level(&self) -> &'static str {
        self.held().level
    }

    fn set_level(&self, level: &str) -> Result<(), String> {
        let named = |(number, (name, _)): &(usize, (&str, LevelFilter))| {
            *name == level || number.to_string() == level
        };
        let (_, (name, filter)) = LEVELS
            .into_iter()
            .enumerate()
            .find(named)
            .ok_or_else(|| format!("invalid log level '{level}'"))?;
        let mut held = self.held();
        let filter = EnvFilter::default().add_directive(filter.into());
        self.filter
            .reload(filter)
            .map_err(|error| format!("the log level cannot be changed: {error}"))?;
        held.level = name;
        drop(held);
        tracing::info!(level = name, "the log level was changed");
        Ok(())
    }

    fn target(&self) -> &'static str {
        self.held().target.name()
    }

    fn set_target(&self, target: &str) -> Result<(), String> {
        let wanted = Target::named(target)
            .ok_or_else(|| format!("invalid log target '{target}' (journal, console, auto)"))?;
        let mut held = self.held();
        let sink = wanted
            .open()
            .map_err(|error| format!("the {} cannot be reached: {error}", wanted.name()))?;
        self.sink
            .reload(sink)
            .map_err(|error| format!("the log target cannot be changed: {error}"))?;
        held.target = wanted;
        drop(held);
        tracing::info!(log_target = wanted.name(), "the log target was changed");
        Ok(())
    }

    fn syslog_identifier(&self) -> &'static str {
        IDENTIFIER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels of `tracing` that are logged by the current subscriber, most urgent first.
    fn logged() -> Vec<bool> {
        vec![
            tracing::enabled!(tracing::Level::ERROR),
            tracing::enabled!(tracing::Level::WARN),
            tracing::enabled!(tracing::Level::INFO),
            tracing::enabled!(tracing::Level::DEBUG),
            tracing::enabled!(tracing::Level::TRACE),
        ]
    }

    #[test]
    fn a_level_replaces_the_filter_and_is_read_back() {
        let (logging, subscriber) = build(EnvFilter::new("off,virtbusd=trace"), Target::Console);
        let _guard = tracing::subscriber::set_default(subscriber);
        assert_eq!(
            logging.level(),
            "debug",
            "the most that the filter lets through"
        );
        assert_eq!(logged(), [true; 5]);
        for (level, urgent) in [
            ("emerg", 0),
            ("alert", 0),
            ("crit", 0),
            ("err", 1),
            ("warning", 2),
            ("notice", 2),
            ("info", 3),
            ("debug", 4),
        ] {
            logging.set_level(level).unwrap();
            assert_eq!(logging.level(), level);
            let count = logged().into_iter().filter(|logged| *logged).count();
            assert_eq!(count, urgent, "{level}");
        }
        logging.set_level("6").unwrap();
        assert_eq!(logging.level(), "info");
        for wrong in ["", "8", "-1", "trace", "warn", "virtbusd=debug", "null"] {
            let problem = logging.set_level(wrong).unwrap_err();
            assert!(problem.contains(&format!("'{wrong}'")), "{problem}");
            assert_eq!(logging.level(), "info", "{wrong}");
        }
    }

    #[test]
    fn what_nobody_means_is_no_filter() {
        for good in [
            "info",
            "warn,virtbus_qemu=debug",
            "virtbus_qemu::start=trace",
            "off",
            "2",
            "WARN",
        ] {
            assert!(understood(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            " ",
            ",info",
            "inof",
            "info,debgu",
            "virtbus_qemu",
            "virtbus_qemu=debgu",
        ] {
            assert!(understood(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_filter_is_told_by_the_most_that_it_lets_through() {
        for (filter, level) in [
            ("off", "emerg"),
            ("error", "err"),
            ("warn", "warning"),
            ("info", "info"),
            ("warn,virtbus_qemu=debug", "debug"),
            ("trace", "debug"),
        ] {
            assert_eq!(level_of(EnvFilter::new(filter).max_level_hint()), level);
        }
    }

    #[test]
    fn a_target_that_is_not_there_is_refused_and_nothing_changes() {
        let (logging, subscriber) = build(EnvFilter::new("info"), Target::Console);
        let _guard = tracing::subscriber::set_default(subscriber);
        for wrong in ["", "kmsg", "syslog", "null"] {
            let problem = logging.set_target(wrong).unwrap_err();
            assert!(problem.contains("journal, console, auto"), "{problem}");
        }
        assert_eq!(logging.target(), "console");
        logging.set_target("console").unwrap();
        assert_eq!(logging.target(), "console");
    }

    #[test]
    fn root_and_the_daemon_s_user_may_change_it() {
        let (logging, _) = build(EnvFilter::new("info"), Target::Console);
        let own = nix::unistd::geteuid().as_raw();
        assert!(logging.may_change(Some(0)) && logging.may_change(Some(own)));
        assert!(!logging.may_change(Some(own + 1)) && !logging.may_change(None));
    }
}
