//! How long a reader waits for the daemon while others do their worst, beside what the bus takes for an answer of its own.
//!
//! The bus has to carry what the others send, and a busy machine makes everybody wait; so what the bus took at worst is allowed to the
//! daemon besides. What is found out is only whether somebody waits as long as others' calls last.

use std::time::{Duration, Instant};

use crate::client::{CallError, Client};
use crate::domain::Domain;
use crate::wait::{LIMIT, patient, wait_for_async};

/// What an idle machine needs at most for the answer to a read, whatever others do. Some milliseconds are meant; but this machine also
/// makes what is done meanwhile.
const MOMENT: Duration = Duration::from_secs(1);

/// Reads of one client.
#[derive(Debug, Default)]
pub struct Waits {
    daemon: Vec<Duration>,
    bus: Vec<Duration>,
}

impl Waits {
    /// Asks the bus for something, and the daemon for the domain's state, as often as it takes until the bus hands that on.
    ///
    /// # Errors
    /// An answer that is an error.
    pub async fn read(&mut self, client: &Client, domain: &Domain) -> Result<(), CallError> {
        let begin = Instant::now();
        client.bus().call::<_, String>("GetId", &()).await?;
        self.bus.push(begin.elapsed());
        wait_for_async("the bus to hand a call on", LIMIT, async || {
            let begin = Instant::now();
            match domain.state().await {
                Err(error) if error.is_of_a_full_bus() => None,
                answer => Some(answer.map(|_| self.daemon.push(begin.elapsed()))),
            }
        })
        .await
    }

    /// How many times the daemon was asked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.daemon.len()
    }

    /// What was found out, for people: half of the answers, all but one of a hundred, and the last, of daemon and bus.
    ///
    /// # Errors
    /// The same, if the reader was held up.
    pub fn told(mut self) -> Result<String, String> {
        let mut text = Vec::new();
        let mut worst = Vec::new();
        for (who, waits) in [("daemon", &mut self.daemon), ("bus", &mut self.bus)] {
            waits.sort_unstable();
            let of = |percent: usize| {
                let at = waits.len().saturating_sub(1) * percent / 100;
                waits.get(at).copied().unwrap_or_default()
            };
            worst.push(of(100));
            text.push(format!(
                "{} reads of the {who}: {:?}, of a hundred one after {:?}, at worst {:?}",
                waits.len(),
                of(50),
                of(99),
                of(100)
            ));
        }
        let text = text.join("; ");
        if worst[0] > patient(MOMENT) + worst[1] {
            Err(format!("a reader was held up: {text}"))
        } else {
            Ok(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_may_take_what_the_bus_takes_and_a_moment() {
        let waits = |daemon, bus| Waits {
            daemon: vec![Duration::ZERO, Duration::from_secs(daemon)],
            bus: vec![Duration::from_secs(bus)],
        };
        assert!(waits(5, 0).told().is_ok());
        assert!(waits(6, 0).told().is_err());
        assert!(waits(6, 2).told().is_ok());
        assert!(Waits::default().told().is_ok());
    }
}
