//! Where documents come from: choices that a seed decides, or always the plainest one.

/// Makes choices. The same seed makes the same ones.
#[derive(Debug, Clone)]
pub(crate) enum Dice {
    /// The first of all, and nothing that need not be.
    Plain,
    /// As thrown: SplitMix64.
    Thrown(u64),
}

impl Dice {
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Thrown(state) => Self::next(state) % count.max(1),
        }
    }

    /// True as often as that.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        match self {
            Self::Plain => false,
            Self::Thrown(state) => Self::next(state) % 100 < percent,
        }
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len() as u64);
        from[usize::try_from(index).expect("an index is small")]
    }
}
