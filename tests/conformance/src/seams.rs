//! What the product takes from outside, as the corpus fixes it: random numbers.

use virtbus_conf_base::Entropy;

/// Bytes count from 0 at each request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counting;

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (byte, n) in bytes.iter_mut().zip((0..=u8::MAX).cycle()) {
            *byte = n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_the_low_ones() {
        assert_eq!(Counting.bits(16), 0x0100);
        assert_eq!(Counting.bits(64), 0x0706_0504_0302_0100);
    }
}
