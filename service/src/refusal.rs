//! What callers are told by a daemon that cannot run: the cause, at once.
//!
//! A bus that starts a service on a call is not told that it ended without taking its name (dbus-daemon waits 25 s then). So a daemon
//! that cannot run takes the names all the same, answers who called it, and ends.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use virtbus_dbus::{BUS_NAME, PLAIN_BUS_NAME};
use zbus::fdo::RequestNameFlags;
use zbus::message::{Flags, Type};
use zbus::{Message, MessageStream, connection};

use crate::mode::Mode;

/// No more than this is spent on it.
const LIMIT: Duration = Duration::from_secs(5);
/// Calls that waited for the names come with them; so long after the last one there are no more.
const QUIET: Duration = Duration::from_millis(200);

/// The bus's own name of the error for a service that is not set up in a way that it can be started.
const CONFIGURATION: &str = "org.freedesktop.DBus.Error.Spawn.ConfigInvalid";
/// The bus's own name of the error for a service that could not be started this time.
const FAILURE: &str = "org.freedesktop.DBus.Error.Spawn.Failed";

/// Tells everybody who called that the daemon cannot run, and why. Nothing comes of it where the bus cannot be reached or another
/// daemon has the names. `configuration` says that another try would end in the same way.
pub(crate) fn tell_callers(mode: Mode, cause: &str, configuration: bool) {
    let name = if configuration {
        CONFIGURATION
    } else {
        FAILURE
    };
    // The daemon's own runtime is gone by now, or never was.
    let told = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(zbus::Error::from)
        .and_then(|runtime| {
            let told = runtime.block_on(async { timeout(LIMIT, tell(mode, name, cause)).await });
            told.unwrap_or(Ok(()))
        });
    if let Err(error) = told {
        tracing::debug!("callers cannot be told why the daemon does not run: {error}");
    }
}

async fn tell(mode: Mode, name: &'static str, cause: &str) -> zbus::Result<()> {
    use futures_util::StreamExt;

    let text = format!("virtbusd cannot run: {cause}");
    // Nothing here takes descriptors.
    let builder = match &mode {
        Mode::System => connection::Builder::system(),
        Mode::Session => connection::Builder::session(),
        Mode::Private(address) => connection::Builder::address(address.as_str()),
    };
    let bus = builder.build().await?;
    // Before the names are taken, so that no call is missed.
    let mut messages = MessageStream::from(&bus);
    for own in [PLAIN_BUS_NAME, BUS_NAME] {
        bus.request_name_with_flags(own, RequestNameFlags::DO_NOT_QUEUE)
            .await?;
    }
    let end = Instant::now() + LIMIT;
    loop {
        let next = timeout_at(end.min(Instant::now() + QUIET), messages.next());
        let Ok(Some(message)) = next.await else {
            break;
        };
        let message = message?;
        let header = message.header();
        let flags = header.primary().flags();
        if message.message_type() == Type::MethodCall && !flags.contains(Flags::NO_REPLY_EXPECTED) {
            let reply = Message::error(&header, name).build(&text)?;
            bus.send(&reply).await?;
        }
    }
    for own in [PLAIN_BUS_NAME, BUS_NAME] {
        bus.release_name(own).await?;
    }
    Ok(())
}
