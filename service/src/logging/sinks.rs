//! The two places that log lines go to: the journal, with every fact in a field of its own, and standard error.

use std::fmt;

use libsystemd::logging::{Priority, journal_send};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::IDENTIFIER;
use super::line::Line;

/// Writes to the journal.
pub(super) struct Journal;

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event);
        let fields = line
            .fields()
            .map(|(name, value)| (format!("VIRTBUS_{}", name.to_uppercase()), value.to_owned()));
        let own = [
            ("SYSLOG_IDENTIFIER".to_owned(), IDENTIFIER.to_owned()),
            ("TARGET".to_owned(), event.metadata().target().to_owned()),
        ];
        // Nobody could be told that the journal is gone.
        let _ = journal_send(
            priority(*event.metadata().level()),
            &line.sentence(),
            own.into_iter().chain(fields),
        );
    }
}

/// The journal's priority of the same name, so that `journalctl -p` finds what LogLevel lets through.
const fn priority(level: Level) -> Priority {
    match level {
        Level::ERROR => Priority::Error,
        Level::WARN => Priority::Warning,
        Level::INFO => Priority::Info,
        Level::DEBUG | Level::TRACE => Priority::Debug,
    }
}

/// A line on standard error: time (UTC), level, sentence.
pub(super) struct Console;

impl<S, N> FormatEvent<S, N> for Console
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let level = event.metadata().level();
        writeln!(writer, " {level:>5} {}", Line::of(event).sentence())
    }
}
