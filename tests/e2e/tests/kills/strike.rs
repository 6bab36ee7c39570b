//! The blow, and what has to hold after each.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use virtbus_tests::client::CallError;
use virtbus_tests::domain::{PAUSED, RUNNING, SHUTOFF};
use virtbus_tests::guest::TICK;
use virtbus_tests::wait::{LIMIT, wait_for_async, wait_until};
use virtbus_tests::{Console, Domain, Random, Testbed};

/// What a complete image begins with.
const COMPLETE: &[u8] = b"LibvirtQemudSave";

/// Moments from the beginning of a change to a little after the end of one that nobody disturbed, and as many of them right at the
/// beginning, where most is decided.
pub(crate) struct Moments {
    random: Random,
    span: Duration,
    early: bool,
}

impl Moments {
    /// Measures an undisturbed change.
    pub(crate) async fn of<T, E: std::fmt::Display>(
        change: impl Future<Output = Result<T, E>>,
    ) -> Self {
        let begin = Instant::now();
        if let Err(error) = change.await {
            panic!("undisturbed: {error}");
        }
        Self {
            random: Random::seeded(),
            span: begin.elapsed(),
            early: false,
        }
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Duration {
        self.early = !self.early;
        let span = if self.early {
            self.span / 16
        } else {
            self.span + self.span / 4
        };
        let micros = u64::try_from(span.as_micros()).expect("a change is short");
        Duration::from_micros(self.random.below(micros))
    }
}

/// Kills the daemon at a moment of the change, and starts the next one. Tells what its caller was told.
pub(crate) async fn strike<T: Send + 'static>(
    testbed: &mut Testbed,
    after: Duration,
    change: impl Future<Output = Result<T, CallError>> + Send + 'static,
) -> Result<T, CallError> {
    let change = tokio::spawn(change);
    // The moment of the blow, and not a wait for anything.
    tokio::time::sleep(after).await;
    testbed.daemon.kill();
    let told = change.await.expect("the call itself does not fail");
    testbed.daemon.start(&testbed.client).await;
    told
}

/// Waits until the daemon has decided what became of a guest that ran: it runs or it is off. One that stays paused is lost.
pub(crate) async fn settled(domain: &Domain) -> i32 {
    let what = "the guest to run or to be off";
    wait_for_async(what, LIMIT, async || {
        let (state, _) = domain.state().await.ok()?;
        assert!([RUNNING, PAUSED, SHUTOFF].contains(&state), "state {state}");
        (state != PAUSED).then_some(state)
    })
    .await
}

/// The last number that the guest counted. Its numbers never go back, as they would with older memory.
pub(crate) fn last_tick(console: &Console) -> u64 {
    let text = console.text();
    let words = text.split(TICK).skip(1);
    // The last line may not have been written to its end.
    let whole = words.filter(|rest| rest.contains('\n'));
    let ticks: Vec<u64> = whole
        .filter_map(|rest| rest.split_whitespace().next()?.parse().ok())
        .collect();
    assert!(
        ticks.windows(2).all(|pair| pair[0] < pair[1]),
        "the guest went back in time: {ticks:?}"
    );
    ticks.last().copied().unwrap_or_default()
}

/// Waits until the guest has counted on.
pub(crate) async fn counts_on(console: &Console) {
    let before = last_tick(console);
    wait_until("the guest to count on", LIMIT, || {
        last_tick(console) > before
    })
    .await;
}

/// Whether there is a complete image.
pub(crate) fn is_complete(image: &Path) -> bool {
    fs::read(image).is_ok_and(|bytes| bytes.starts_with(COMPLETE))
}

/// Waits until nothing is in a directory but what has one of these names.
pub(crate) async fn only(dir: &Path, names: &[&str]) {
    let others = || -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let found = entries.filter_map(|entry| entry.file_name().into_string().ok());
        found.filter(|name| !names.contains(&&**name)).collect()
    };
    let what = format!("others than {names:?} to go from {}", dir.display());
    wait_until(&what, LIMIT, || others().is_empty()).await;
}

/// There is an emulator if the guest runs, and only then.
pub(crate) async fn as_many_emulators(testbed: &Testbed, state: i32) {
    let wanted = usize::from(state == RUNNING);
    wait_until("emulators to be those of guests", LIMIT, || {
        testbed.daemon.children().len() == wanted
    })
    .await;
}
