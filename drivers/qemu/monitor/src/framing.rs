//! Cuts a byte stream into lines, with a limit on how long one may be.
//!
//! QMP and the guest agent both send one JSON object per line. This module knows nothing of
//! JSON, sockets or time: bytes go in as they were read, lines come out. It never holds more
//! than one unfinished line plus what one read brought.

use std::collections::VecDeque;

/// A line grew past the limit before its end was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineTooLong {
    /// The limit in bytes, line end not counted.
    pub(crate) limit: usize,
}

/// Collects bytes and yields whole lines without their line end.
#[derive(Debug)]
pub(crate) struct Lines {
    limit: usize,
    buffer: VecDeque<u8>,
    /// How many bytes at the front are known to hold no line end.
    scanned: usize,
}

impl Lines {
    /// Lines may have up to `limit` bytes, a carriage return included.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: VecDeque::new(),
            scanned: 0,
        }
    }

    /// Appends bytes as they were read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    /// Takes the next whole line; `None` means that more bytes are needed. Empty lines are skipped.
    pub(crate) fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        loop {
            let Some(end) = self.find_end() else {
                return if self.buffer.len() > self.limit {
                    Err(LineTooLong { limit: self.limit })
                } else {
                    Ok(None)
                };
            };
            if end > self.limit {
                return Err(LineTooLong { limit: self.limit });
            }
            let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.scanned = 0;
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.is_empty() {
                self.release_memory();
                return Ok(Some(line));
            }
        }
    }

    /// Throws away everything up to and including the first `byte`; all of it if there is none.
    /// Says whether the byte was found.
    pub(crate) fn skip_past(&mut self, byte: u8) -> bool {
        self.scanned = 0;
        if let Some(at) = self.buffer.iter().position(|b| *b == byte) {
            self.buffer.drain(..=at);
            return true;
        }
        self.buffer.clear();
        false
    }

    fn find_end(&mut self) -> Option<usize> {
        let (front, back) = self.buffer.as_slices();
        let in_front = front.get(self.scanned..).unwrap_or_default();
        let found = in_front
            .iter()
            .position(|b| *b == b'\n')
            .map(|at| at + self.scanned)
            .or_else(|| {
                let skip = self.scanned.saturating_sub(front.len());
                back[skip..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .map(|at| at + skip + front.len())
            });
        if found.is_none() {
            self.scanned = self.buffer.len();
        }
        found
    }

    /// One long reply must not keep memory for the rest of a guest's life.
    fn release_memory(&mut self) {
        const KEEP: usize = 4 * 1024;
        if self.buffer.capacity() > KEEP && self.buffer.len() < KEEP / 2 {
            self.buffer.shrink_to(KEEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LineTooLong, Lines};
    use proptest::prelude::{ProptestConfig, any, prop, proptest};

    fn all(lines: &mut Lines) -> Result<Vec<Vec<u8>>, LineTooLong> {
        let mut found = Vec::new();
        while let Some(line) = lines.next_line()? {
            found.push(line);
        }
        Ok(found)
    }

    #[test]
    fn line_ends_are_taken_off() {
        let mut lines = Lines::new(100);
        lines.push(b"one\r\ntwo\n\n\r\nthree");
        assert_eq!(all(&mut lines), Ok(vec![b"one".to_vec(), b"two".to_vec()]));
        lines.push(b"!\n");
        assert_eq!(all(&mut lines), Ok(vec![b"three!".to_vec()]));
    }

    #[test]
    fn a_long_line_is_refused_with_and_without_its_end() {
        for text in ["12345678", "12345678\n"] {
            let mut lines = Lines::new(7);
            lines.push(text.as_bytes());
            assert_eq!(lines.next_line(), Err(LineTooLong { limit: 7 }));
        }
        let mut lines = Lines::new(7);
        lines.push(b"1234567\n");
        assert_eq!(all(&mut lines), Ok(vec![b"1234567".to_vec()]));
    }

    #[test]
    fn bytes_before_a_mark_are_skipped() {
        let mut lines = Lines::new(100);
        lines.push(b"stale\n half");
        assert!(!lines.skip_past(0xff));
        lines.push(b"more\xffgood\n");
        assert!(lines.skip_past(0xff));
        assert_eq!(all(&mut lines), Ok(vec![b"good".to_vec()]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// However the stream is cut, the same lines come out.
        #[test]
        fn cuts_do_not_matter(
            texts in prop::collection::vec("[a-z{}\"]{1,40}", 0..12),
            crlf in any::<bool>(),
            cuts in prop::collection::vec(1_usize..30, 1..40),
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let stream: String = texts.iter().flat_map(|t| [t.as_str(), end]).collect();
            let mut rest = stream.as_bytes();
            let mut lines = Lines::new(64);
            let mut found = Vec::new();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let cut = (*cuts.next().expect("cycle never ends")).min(rest.len());
                lines.push(&rest[..cut]);
                rest = &rest[cut..];
                found.extend(all(&mut lines).expect("no line is too long"));
            }
            let expected: Vec<Vec<u8>> = texts.iter().map(|t| t.as_bytes().to_vec()).collect();
            assert_eq!(found, expected);
        }

        /// Nothing makes it panic or hold more than it may.
        #[test]
        fn any_bytes_are_survived(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let mut lines = Lines::new(32);
            for chunk in chunks {
                lines.push(&chunk);
                while let Ok(Some(line)) = lines.next_line() {
                    assert!(line.len() <= 32);
                }
                if lines.next_line().is_err() {
                    break;
                }
            }
        }
    }
}
