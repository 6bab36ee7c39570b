//! Where log lines go: the journal under systemd, standard error otherwise.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

/// The variable that overrides the setting.
const VARIABLE: &str = "VIRTBUS_LOG";

/// Starts logging. A filter that cannot be understood is told of, and `info` taken in its place.
pub(crate) fn start(filter: &str) {
    let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| filter.to_owned());
    let (filter, problem) = match EnvFilter::try_new(&wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let journal = libsystemd::logging::connected_to_journal()
        .then(|| tracing_journald::layer().ok())
        .flatten();
    let stderr = journal.is_none().then(|| {
        fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
    });
    tracing_subscriber::registry()
        .with(filter)
        .with(journal)
        .with(stderr)
        .init();
    if let Some(error) = problem {
        tracing::warn!(filter = wanted, %error, "the log filter cannot be understood, ignoring");
    }
}
