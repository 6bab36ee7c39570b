//! A start under way, which somebody may call off.

use tokio::sync::watch;

/// A start under way. Whoever starts a guest has one, and so has the domain's state, by which the start is called off at any time.
///
/// It is called off under the domain's lock, and looked at under it once more before the guest is published as running: so either the start
/// notices, or whoever wants the domain ended finds a guest.
#[derive(Debug, Default)]
pub struct Starting {
    cancelled: watch::Sender<bool>,
}

impl Starting {
    /// Calls the start off.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Whether it was called off.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Waits until the start is called off. Cancel safe.
    pub async fn cancelled(&self) {
        // The sender is this one, so waiting ends by the value only.
        let _ = self.cancelled.subscribe().wait_for(|set| *set).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_and_whoever_comes_later_hears_that_it_is_called_off() {
        let starting = Arc::new(Starting::default());
        assert!(!starting.is_cancelled());
        let waiting = Arc::clone(&starting);
        let waiting = tokio::spawn(async move { waiting.cancelled().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        starting.cancel();
        waiting.await.unwrap();
        // Nobody waits at this moment.
        let starting = Starting::default();
        starting.cancel();
        assert!(starting.is_cancelled());
        starting.cancelled().await;
    }
}
