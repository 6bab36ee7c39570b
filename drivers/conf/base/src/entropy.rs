//! Where random numbers come from: nothing here throws dice by itself.

/// Where random numbers come from.
pub trait Entropy {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);

    /// `count` random bits, at most 64.
    fn bits(&mut self, count: u32) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        let all = u64::from_le_bytes(bytes);
        if count >= 64 {
            all
        } else {
            all & ((1 << count) - 1)
        }
    }
}
