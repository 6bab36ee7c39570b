//! A client, for as long as it is there: what is bound to its life, such as a guest that is to end with it, learns here that it has left.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// A client of an interface. Clones are of the same client; two clients are never equal, whatever they are called.
#[derive(Clone)]
pub struct Client(Arc<Known>);

struct Known {
    name: Arc<str>,
    gone: watch::Sender<bool>,
}

impl Client {
    /// A client that has come, by the name that the interface knows it by. One of which the interface is never told that it has left is
    /// gone when the interface says so ([`Client::leave`]), and not before.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Known {
            name: name.into(),
            gone: watch::Sender::new(false),
        }))
    }

    /// The name, such as the unique name of a connection to a bus. It is never another client's while the host runs.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Whether it has left.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        *self.0.gone.borrow()
    }

    /// Waits until it has left. Cancel safe.
    pub async fn gone(&self) {
        let mut gone = self.0.gone.subscribe();
        // The sender is here, so there is no other end of the waiting.
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// Whether somebody waits for its end, so that the interface has to find out if it may have missed it.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.0.gone.receiver_count() > 0 && !self.is_gone()
    }

    /// It has left. For interfaces.
    pub fn leave(&self) {
        self.0.gone.send_replace(true);
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Client {}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_waits_learns_that_it_has_left() {
        let client = Client::new(":1.7");
        let same = client.clone();
        assert_eq!(client, same);
        assert_ne!(client, Client::new(":1.7"));
        assert!(!client.is_awaited());
        let mut waits = Box::pin(same.gone());
        assert!((&mut waits).now_or_never().is_none());
        assert!(client.is_awaited() && !client.is_gone());
        client.leave();
        assert!(waits.now_or_never().is_some());
        assert!(same.is_gone() && !same.is_awaited());
        // Whoever comes later need not wait.
        assert!(same.gone().now_or_never().is_some());
    }
}
