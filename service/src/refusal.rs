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

/// The error's name: the bus's own for a service that is not set up in a way that it can be started.
const ERROR: &str = "org.freedesktop.DBus.Error.Spawn.ConfigInvalid";

/// Tells everybody who called that the daemon cannot run, and why. Nothing comes of it where the bus cannot be reached or another
/// daemon has the names.
pub(crate) fn tell_callers(mode: Mode, cause: &str) {
    // The daemon's own runtime is gone by now, or never was.
    let told = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(zbus::Error::from)
        .and_then(|runtime| {
            let told = runtime.block_on(async { timeout(LIMIT, tell(mode, cause)).await });
            told.unwrap_or(Ok(()))
        });
    if let Err(error) = told {
        tracing::debug!("callers cannot be told why the daemon does not run: {error}");
    }
}

async fn tell(mode: Mode, cause: &str) -> zbus::Result<()> {
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
    for name in [PLAIN_BUS_NAME, BUS_NAME] {
        bus.request_name_with_flags(name, RequestNameFlags::DO_NOT_QUEUE)
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
            let reply = Message::error(&header, ERROR).build(&text)?;
            bus.send(&reply).await?;
        }
    }
    for name in [PLAIN_BUS_NAME, BUS_NAME] {
        bus.release_name(name).await?;
    }
    Ok(())
}
