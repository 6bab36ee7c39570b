//! Running the cases of a suite: on all processors, each on its own, a panic being its failure.

use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::case::Case;
use crate::outcome::{Held, Problem};
use crate::suites::{self, Runner};

/// Stack of a thread that runs cases; the main thread's of a program.
const STACK: usize = 8 << 20;

/// What becomes of each case of the suite.
pub(crate) fn suite(name: &str, cases: &[Case]) -> Vec<Held<()>> {
    match suites::find(name) {
        Some(Runner::Each(check)) => each(cases, check),
        Some(Runner::Together(check)) => check(cases),
        None => cases
            .iter()
            .map(|_| Err(Problem::unsupported("nothing here does this yet")))
            .collect(),
    }
}

/// Runs `check` on each of `items`; the results are in the order of the items.
pub(crate) fn each<I: Sync, T: Send>(
    items: &[I],
    check: impl Fn(&I) -> Held<T> + Sync,
) -> Vec<Held<T>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Held<T>)>> = Mutex::new(Vec::with_capacity(items.len()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let result = guarded(|| check(item));
            done.lock()
                .expect("no case runs while the lock is held")
                .push((at, result));
        }
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers.min(items.len()) {
            thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, work)
                .expect("a thread can be started");
        }
    });
    let mut done = done
        .into_inner()
        .expect("no case runs while the lock is held");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn guarded<T>(check: impl FnOnce() -> Held<T>) -> Held<T> {
    panic::catch_unwind(AssertUnwindSafe(check))
        .unwrap_or_else(|_| Err(Problem::failed("panicked; see above")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_cases() {
        let items: Vec<u32> = (0..100).collect();
        let results = each(&items, |n| Ok(*n));
        let values: Vec<u32> = results.into_iter().map(|r| r.unwrap()).collect();
        assert_eq!(values, items);
    }

    #[test]
    fn unknown_suites_are_unsupported() {
        assert!(suites::find("no such suite").is_none());
    }
}
