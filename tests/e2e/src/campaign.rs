//! Campaigns: tests that do the same thing many times, with the blow falling elsewhere each time.
//!
//! `make test` runs a short form of each, `make soak` the long one. Both are the same test; only the number of rounds and the
//! moments differ.

use std::time::{SystemTime, UNIX_EPOCH};

/// How many rounds to run: `short` in `make test`, `long` in `make soak` (`VIRTBUS_SOAK=1`), or as many as `VIRTBUS_ROUNDS` says.
///
/// # Panics
/// When `VIRTBUS_ROUNDS` is no number.
#[must_use]
pub fn rounds(short: u64, long: u64) -> u64 {
    match std::env::var("VIRTBUS_ROUNDS") {
        Ok(given) => given.parse().expect("VIRTBUS_ROUNDS is a number"),
        Err(_) if is_long() => long,
        Err(_) => short,
    }
}

/// Whether the long form of a campaign is asked for.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("VIRTBUS_SOAK").is_some_and(|value| value != "0" && !value.is_empty())
}

/// A stream of numbers that is the same for the same seed (xorshift).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// `VIRTBUS_SEED`, else the time; printed, so that a failure can be had again.
    ///
    /// # Panics
    /// When `VIRTBUS_SEED` is no number.
    #[must_use]
    pub fn seeded() -> Random {
        let seed = match std::env::var("VIRTBUS_SEED") {
            Ok(given) => given.parse().expect("VIRTBUS_SEED is a number"),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(1, |since| since.as_secs())
                .max(1),
        };
        println!("VIRTBUS_SEED={seed}");
        Random(seed)
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}
