//! Running documents through a target: what came of each, what it cost, and what was found.
//!
//! Nothing here writes files or starts processes; the program does.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::AddAssign;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

use crate::finding::{Finding, Kind};
use crate::measure::{Cost, measure};
use crate::mutate::Mutator;
use crate::rng::Rng;
use crate::targets::Target;
use crate::trip::Outcome;

/// Memory that any document may take, and more for each of its bytes: it is there as a tree, as several values, as
/// text, and as text of values for messages.
const MEMORY: usize = 4 << 20;
const MEMORY_PER_BYTE: usize = 1024;

/// CPU time that is a finding whatever the document; none here is larger than some hundred kilobytes.
const TIME: Duration = Duration::from_secs(2);

/// What came of one execution.
#[derive(Debug, Clone, Default)]
pub struct Examined {
    /// Whether the text was taken as a document.
    pub held: bool,
    /// What it broke.
    pub finding: Option<Finding>,
    /// CPU time.
    pub time: Duration,
    /// Bytes at the highest.
    pub memory: usize,
}

/// Sums over many executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Executions.
    pub executions: u64,
    /// Executions whose document was taken, with everything holding.
    pub held: u64,
    /// Executions that found something, also what was found before.
    pub found: u64,
    /// Bytes of all documents.
    pub bytes: u64,
    /// CPU time of all executions, without making the documents.
    pub time: Duration,
    /// The longest.
    pub longest: Duration,
    /// Bytes that the one with the most had at its highest.
    pub memory: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.executions += other.executions;
        self.held += other.held;
        self.found += other.found;
        self.bytes += other.bytes;
        self.time += other.time;
        self.longest = self.longest.max(other.longest);
        self.memory = self.memory.max(other.memory);
    }
}

/// Many executions of one target.
#[derive(Debug)]
pub struct Campaign<'c> {
    target: &'c Target,
    mutator: Mutator<'c>,
    seed: u64,
    known: HashSet<u64>,
    tally: Tally,
}

impl<'c> Campaign<'c> {
    /// The campaign `seed` of `target`.
    #[must_use]
    pub fn new(target: &'c Target, mutator: Mutator<'c>, seed: u64) -> Self {
        Self {
            target,
            mutator,
            seed,
            known: HashSet::new(),
            tally: Tally::default(),
        }
    }

    /// The document of an execution.
    #[must_use]
    pub fn document(&self, execution: u64) -> Vec<u8> {
        self.mutator.document(&mut Rng::new(self.seed, execution))
    }

    /// Runs an execution. Gives its document with what it broke, unless an earlier one broke the same.
    pub fn execute(&mut self, execution: u64) -> Option<(Vec<u8>, Finding)> {
        let document = self.document(execution);
        let examined = examine(self.target, &document);
        self.tally += Tally {
            executions: 1,
            held: examined.held.into(),
            found: examined.finding.is_some().into(),
            bytes: u64::try_from(document.len()).unwrap_or(u64::MAX),
            time: examined.time,
            longest: examined.time,
            memory: examined.memory,
        };
        let finding = examined.finding?;
        self.known
            .insert(finding.fingerprint())
            .then_some((document, finding))
    }

    /// The sums so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

/// Runs `document` through `target`. Bytes that are no UTF-8 are refused before anybody reads them.
#[must_use]
pub fn examine(target: &Target, document: &[u8]) -> Examined {
    let Ok(text) = std::str::from_utf8(document) else {
        return Examined::default();
    };
    let (result, cost) = measure(|| caught(|| (target.run)(text)));
    let finding = match &result {
        Err(message) => Some(Finding::new(Kind::Panic, message)),
        Ok(Outcome::Broken(message)) => Some(Finding::new(Kind::Broken, message)),
        Ok(Outcome::Held | Outcome::Refused(_)) => excess(text, cost),
    };
    Examined {
        held: matches!(result, Ok(Outcome::Held)),
        finding,
        time: cost.time,
        memory: cost.memory,
    }
}

fn excess(text: &str, cost: Cost) -> Option<Finding> {
    let memory = MEMORY.saturating_add(MEMORY_PER_BYTE.saturating_mul(text.len()));
    if cost.memory > memory {
        let message = format!("{} bytes, more than {memory}", cost.memory);
        return Some(Finding::new(Kind::Memory, message));
    }
    let message = || format!("{:?}, more than {TIME:?}", cost.time);
    (cost.time > TIME).then(|| Finding::new(Kind::Time, message()))
}

thread_local! {
    /// The panic of what is being caught on this thread; nothing is being caught if there is none.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; the error is what it panicked with and where.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let ours = PANIC.with_borrow_mut(|message| match message {
                Some(message) => {
                    *message = info.to_string();
                    true
                }
                None => false,
            });
            if !ours {
                usual(info);
            }
        }));
    });
    PANIC.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let message = PANIC.take().unwrap_or_default();
    result.map_err(|_| message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Place;

    const PANICS: Target = Target {
        name: "panics",
        place: Place::Any,
        run: |text| match text {
            "panic" => panic!("at '{text}'"),
            "broken" => Outcome::Broken("it is".to_owned()),
            "large" => {
                let large = vec![0_u8; 64 << 20];
                Outcome::Refused(large.len().to_string())
            }
            _ => Outcome::Held,
        },
    };

    #[test]
    fn panics_and_excess_are_findings() {
        let kind = |text: &str| examine(&PANICS, text.as_bytes()).finding.map(|f| f.kind);
        assert_eq!(kind("fine"), None);
        assert_eq!(kind("panic"), Some(Kind::Panic));
        assert_eq!(kind("broken"), Some(Kind::Broken));
        assert_eq!(kind("large"), Some(Kind::Memory));
        let finding = examine(&PANICS, b"panic").finding.unwrap();
        assert!(finding.message.contains("at 'panic'"), "{finding}");
        assert!(!examine(&PANICS, b"\xff").held);
    }
}
