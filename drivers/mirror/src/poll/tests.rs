//! Time is tokio's here, and stands still but for what is waited for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use virtbus_api::Error;
use virtbus_api::connection::Host;
use virtbus_api::event::{EventHub, EventListener};
use virtbus_api::flags::KnownFlags;

use super::*;

const PACE: Pace = Pace {
    period: Duration::from_secs(10),
    deadline: Duration::from_secs(30),
    longest: Duration::from_secs(25),
    tries: 4,
};

#[derive(Default)]
struct Bare {
    hub: EventHub,
    asked: Mutex<Vec<Instant>>,
}

impl Host for Bare {}

impl Connection for Bare {
    fn driver(&self) -> &str {
        "Bare"
    }

    fn flags(&self) -> &'static [KnownFlags] {
        &[]
    }

    fn uri(&self) -> &str {
        "bare:///"
    }

    fn events(&self) -> &EventHub {
        &self.hub
    }

    fn host(&self) -> &dyn Host {
        self
    }

    fn is_idle(&self) -> bool {
        true
    }
}

impl Bare {
    fn asked(&self) -> std::sync::MutexGuard<'_, Vec<Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds from one question to the next.
    fn pauses(&self) -> Vec<u64> {
        let asked = self.asked();
        let pairs = asked.windows(2);
        pairs.map(|pair| (pair[1] - pair[0]).as_secs()).collect()
    }
}

/// The end that was told, if any.
#[derive(Default)]
struct End(Mutex<Option<CloseReason>>);

impl EventListener for End {
    fn event(&self, event: &Event) {
        if let Event::Closed(reason) = event {
            *self.0.lock().unwrap() = Some(*reason);
        }
    }
}

impl End {
    fn of(bare: &Bare) -> Arc<Self> {
        let end = Arc::new(Self::default());
        bare.hub.subscribe(Arc::clone(&end) as _).keep();
        end
    }

    fn told(&self) -> Option<CloseReason> {
        *self.0.lock().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_is_asked_half_of_the_time() {
    let bare = Arc::new(Bare::default());
    let answer = async |bare: Arc<Bare>| {
        bare.asked().push(Instant::now());
        let slow = bare.asked().len() > 2;
        sleep(Duration::from_secs(if slow { 20 } else { 0 })).await;
        Ok(())
    };
    let _poll = poll(Arc::downgrade(&bare), PACE, move |bare| {
        Box::pin(answer(bare))
    });
    sleep(Duration::from_secs(150)).await;
    // Ten seconds apart at first; then twenty of answering and twenty of rest.
    assert_eq!(bare.pauses()[..4], [10, 10, 40, 40]);
    assert_eq!(End::of(&bare).told(), None);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_asked_less_and_less_and_then_given_up() {
    let bare = Arc::new(Bare::default());
    let end = End::of(&bare);
    let fails = async |bare: Arc<Bare>| {
        bare.asked().push(Instant::now());
        Err(Error::internal("no route to host"))
    };
    let _poll = poll(Arc::downgrade(&bare), PACE, move |bare| {
        Box::pin(fails(bare))
    });
    sleep(Duration::from_secs(60)).await;
    assert_eq!(end.told(), None);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(bare.pauses(), [20, 25, 25]);
    assert_eq!(end.told(), Some(CloseReason::Error));
}

#[tokio::test(start_paused = true)]
async fn one_answer_in_time_makes_up_for_all_failures_before() {
    let bare = Arc::new(Bare::default());
    let end = End::of(&bare);
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let _poll = poll(Arc::downgrade(&bare), PACE, move |_| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            if number % 4 == 3 {
                return Ok(());
            }
            std::future::pending().await
        }
    });
    sleep(Duration::from_secs(3600)).await;
    assert!(count.load(Ordering::Relaxed) > 20);
    assert_eq!(end.told(), None);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_silent_is_told_from_one_that_fails() {
    let bare = Arc::new(Bare::default());
    let end = End::of(&bare);
    let _poll = poll(Arc::downgrade(&bare), PACE, |_| std::future::pending());
    sleep(Duration::from_secs(600)).await;
    assert_eq!(end.told(), Some(CloseReason::Keepalive));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_a_connection_that_nobody_has() {
    let bare = Arc::new(Bare::default());
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let poll = poll(Arc::downgrade(&bare), PACE, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(()))
    });
    sleep(Duration::from_secs(25)).await;
    assert_eq!(count.load(Ordering::Relaxed), 2);
    // The asking keeps nobody.
    assert_eq!(Arc::strong_count(&bare), 1);
    drop(bare);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(count.load(Ordering::Relaxed), 2);
    drop(poll);
}
