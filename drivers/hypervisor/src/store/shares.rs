//! Work on thousands of files, shared among the processors: the daemon's first caller waits for it.

use std::num::NonZero;
use std::thread;

/// Less work is not worth a thread of its own.
const LEAST_SHARE: usize = 64;

/// What `work` makes of each of these, in their order, on as many threads as there are processors.
pub(super) fn map<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    map_in(all.len().div_ceil(processors).max(LEAST_SHARE), all, work)
}

/// As [`map`], with a thread for each `share` of them.
fn map_in<T: Sync, R: Send>(share: usize, all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if all.len() <= share {
        return all.iter().map(work).collect();
    }
    let work = &work;
    thread::scope(|scope| {
        let shares: Vec<_> = all
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let done = shares.into_iter().map(|share| {
            share
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        done.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shares_are_done_by_threads_of_their_own_and_put_together_in_order() {
        let all: Vec<u32> = (0..10).collect();
        let done = map_in(4, &all, |number| (number * 2, thread::current().id()));
        let (numbers, threads): (Vec<u32>, HashSet<_>) = done.into_iter().unzip();
        assert_eq!(
            numbers,
            (0..10).map(|number| number * 2).collect::<Vec<_>>()
        );
        assert_eq!(threads.len(), 3);
        assert!(!threads.contains(&thread::current().id()));
        // A few are done at once, and here.
        let here = map(&all, |_| thread::current().id());
        assert_eq!(here, [thread::current().id(); 10]);
        assert!(map(&[] as &[u32], |number| *number).is_empty());
    }
}
