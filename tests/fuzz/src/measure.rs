//! What one execution costs: memory at its highest, and CPU time of this thread.
//!
//! Memory is counted for the whole program, so other threads of it should be idle meanwhile.

use std::time::Duration;

use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What something cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Bytes in use at the highest, beyond those in use before.
    pub(crate) memory: usize,
    /// CPU time.
    pub(crate) time: Duration,
}

/// Runs `work` and says what it cost.
pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let start = cpu_time();
    let result = work();
    let time = cpu_time().saturating_sub(start);
    let memory = HEAP.peak_usage().saturating_sub(before);
    (result, Cost { memory, time })
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_at_its_highest() {
        let (length, cost) = measure(|| vec![1_u8; 1 << 20].len());
        assert_eq!(length, 1 << 20);
        assert!(cost.memory >= 1 << 20, "{cost:?}");
    }
}
