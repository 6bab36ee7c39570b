//! A message's header as it is on the wire: whether the library would take it, and what has to be changed so that it does.
//!
//! A bus checks what its clients send, but not every bus checks the same, and what the specification lets a receiver ignore (types
//! and header fields that are not known yet) makes the library end the connection. So every header is looked through here
//! first. Bodies are not looked at: a wrong one fails when the arguments are read, and only that call fails.

use std::ops::Range;

use zbus::names::{BusName, ErrorName, InterfaceName, MemberName, UniqueName};
use zbus::{ObjectPath, Signature};

/// The part that every header begins with: ends with the length of the fields.
pub(super) const FIXED: usize = 16;

/// The most that a message may be long (the D-Bus specification).
const LONGEST: usize = 128 << 20;

/// A flag of our own, which no client can set: descriptors were sent with this message and are not with it any more.
pub(crate) const WITHOUT_DESCRIPTORS: u8 = 0x80;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

const FLAGS_AT: usize = 2;
const FIELDS_LENGTH_AT: usize = 12;

/// Which end of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn read(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    fn write(self, bytes: &mut [u8], at: usize, value: u32) {
        let value = match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        };
        bytes[at..at + 4].copy_from_slice(&value);
    }
}

/// How long the parts of a message are, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    /// The header with what fills it up to the body.
    pub(super) header: usize,
    pub(super) body: usize,
    order: Order,
    fields: usize,
}

impl Lengths {
    /// From the first [`FIXED`] bytes. `None` if no message begins so: nothing behind it can be made sense of then.
    pub(super) fn read(fixed: &[u8]) -> Option<Self> {
        let order = match fixed.first()? {
            b'l' => Order::Little,
            b'B' => Order::Big,
            _ => return None,
        };
        let body = usize::try_from(order.read(fixed, 4)?).ok()?;
        let fields = usize::try_from(order.read(fixed, FIELDS_LENGTH_AT)?).ok()?;
        let header = FIXED.checked_add(fields)?.checked_next_multiple_of(8)?;
        (header.checked_add(body)? <= LONGEST).then_some(Self {
            header,
            body,
            order,
            fields,
        })
    }
}

/// What was found in a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    order: Order,
    kind: u8,
    /// Where the number of descriptors stands, and the number.
    descriptors: Option<(usize, u32)>,
    /// Whether the body's signature has a descriptor in it.
    takes_descriptors: bool,
    /// Where the unique name of the sender stands; empty if there is none.
    sender: Range<usize>,
}

impl Header {
    /// Looks a whole header through.
    ///
    /// # Errors
    /// Why the message cannot be handed on, however it were changed.
    pub(super) fn read(bytes: &[u8], lengths: Lengths) -> Result<Self, &'static str> {
        let (order, end) = (lengths.order, FIXED + lengths.fields);
        let kind = *bytes.get(1).ok_or("it has no type")?;
        if !(METHOD_CALL..=SIGNAL).contains(&kind) {
            return Err("its type is unknown");
        }
        if bytes.get(3) != Some(&1) {
            return Err("its protocol version is unknown");
        }
        if order.read(bytes, 8) == Some(0) {
            return Err("its serial number is 0");
        }
        let mut header = Self {
            order,
            kind,
            descriptors: None,
            takes_descriptors: false,
            sender: 0..0,
        };
        let mut seen = 0_u32;
        let mut at = FIXED;
        while at < end {
            let begin = at.next_multiple_of(8);
            if bytes
                .get(at..begin)
                .is_none_or(|fill| fill.iter().any(|byte| *byte != 0))
                || begin >= end
            {
                return Err("its fields are not filled up with zeros");
            }
            let code = bytes.get(begin).copied().unwrap_or_default();
            if !(1..=9).contains(&code) {
                return Err("a field of its header is unknown");
            }
            if seen & (1 << code) != 0 {
                return Err("a field comes twice");
            }
            seen |= 1 << code;
            at = header.known(bytes, code, begin + 1, end)?;
        }
        if bytes
            .get(end..lengths.header)
            .is_none_or(|fill| fill.iter().any(|byte| *byte != 0))
        {
            return Err("its header is not filled up with zeros");
        }
        let needed: &[u8] = match kind {
            METHOD_CALL => &[1, 3],
            METHOD_RETURN => &[5],
            ERROR => &[4, 5],
            _ => &[1, 2, 3],
        };
        if needed.iter().any(|code| seen & (1 << code) == 0) {
            return Err("a field is missing");
        }
        Ok(header)
    }

    /// Looks at a known field from its value's signature on; where it ends.
    fn known(
        &mut self,
        bytes: &[u8],
        code: u8,
        at: usize,
        end: usize,
    ) -> Result<usize, &'static str> {
        const WRONG: &str = "a field has a wrong value";
        let kind = match bytes.get(at..at + 3) {
            Some(&[1, kind, 0]) => kind,
            _ => return Err("a field has a wrong type"),
        };
        let at = at + 3;
        if matches!(code, 5 | 9) {
            let value = self
                .order
                .read(bytes, at)
                .filter(|_| kind == b'u' && at + 4 <= end)
                .ok_or(WRONG)?;
            if code == 9 {
                self.descriptors = Some((at, value));
            } else if value == 0 {
                return Err(WRONG);
            }
            return Ok(at + 4);
        }
        let (begin, length) = match (code, kind) {
            (8, b'g') => (at + 1, bytes.get(at).copied().map(usize::from)),
            (1, b'o') | (2..=4 | 6 | 7, b's') => {
                let length = self.order.read(bytes, at);
                (
                    at + 4,
                    length.and_then(|length| usize::try_from(length).ok()),
                )
            }
            _ => return Err("a field has a wrong type"),
        };
        let last = length
            .and_then(|length| begin.checked_add(length))
            .filter(|last| *last < end)
            .ok_or(WRONG)?;
        if bytes.get(last) != Some(&0) {
            return Err(WRONG);
        }
        let text = std::str::from_utf8(&bytes[begin..last]).map_err(|_| WRONG)?;
        let good = match code {
            1 => ObjectPath::try_from(text).is_ok(),
            2 => InterfaceName::try_from(text).is_ok(),
            3 => MemberName::try_from(text).is_ok(),
            4 => ErrorName::try_from(text).is_ok(),
            6 => BusName::try_from(text).is_ok(),
            7 => {
                self.sender = begin..last;
                // The bus itself has a name of another form.
                UniqueName::try_from(text).is_ok()
            }
            _ => {
                self.takes_descriptors = text.contains('h');
                text.bytes().all(|kind| b"ybnqiuxtdsogvh".contains(&kind))
                    || Signature::try_from(text).is_ok()
            }
        };
        if good { Ok(last + 1) } else { Err(WRONG) }
    }

    /// Who sent the message with this header; empty if it does not say.
    pub(super) fn sender<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.sender.clone()).unwrap_or_default()
    }

    /// How many descriptors it says it has.
    pub(super) fn descriptors(&self) -> usize {
        self.descriptors
            .map_or(0, |(_, count)| usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Whether anybody could take descriptors out of its body: only calls are looked at by somebody who would.
    pub(super) fn takes_descriptors(&self) -> bool {
        self.kind == METHOD_CALL && self.takes_descriptors
    }

    /// Makes it the header of a message with so many descriptors, in place.
    pub(super) fn set_descriptors(&self, bytes: &mut [u8], count: usize) {
        let lost = count < self.descriptors();
        let flag = if lost { WITHOUT_DESCRIPTORS } else { 0 };
        if let Some(flags) = bytes.get_mut(FLAGS_AT) {
            *flags = (*flags & !WITHOUT_DESCRIPTORS) | flag;
        }
        if let Some((at, _)) = self.descriptors {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.order.write(bytes, at, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use zbus::Message;

    use super::*;

    fn call(flags: u8) -> Vec<u8> {
        let call = Message::method_call("/org/libvirt", "Ping")
            .destination("org.libvirt")
            .interface("org.freedesktop.DBus.Peer")
            .build(&("text",));
        let mut bytes = call.unwrap().data().to_vec();
        bytes[FLAGS_AT] |= flags;
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Header, &'static str> {
        let lengths = Lengths::read(bytes).ok_or("it begins as no message does")?;
        Header::read(&bytes[..lengths.header], lengths)
    }

    #[test]
    fn what_the_library_writes_may_pass() {
        let bytes = call(0);
        let lengths = Lengths::read(&bytes).unwrap();
        assert_eq!(lengths.header + lengths.body, bytes.len());
        let header = read(&bytes).unwrap();
        assert_eq!(
            (header.descriptors(), header.takes_descriptors()),
            (0, false)
        );
        let mut changed = bytes.clone();
        header.set_descriptors(&mut changed, 0);
        assert_eq!(changed, bytes);
    }

    #[test]
    fn nobody_can_say_that_descriptors_were_lost() {
        let mut bytes = call(WITHOUT_DESCRIPTORS);
        read(&bytes).unwrap().set_descriptors(&mut bytes, 0);
        assert_eq!(bytes[FLAGS_AT] & WITHOUT_DESCRIPTORS, 0);
    }

    #[test]
    fn what_ends_the_library_s_connection_is_refused() {
        for (at, value) in [(1, 0), (1, 5), (1, 255), (3, 2), (8, 0)] {
            let mut bytes = call(0);
            if at == 8 {
                bytes[8..12].fill(0);
            }
            bytes[at] = value;
            assert!(read(&bytes).is_err(), "{value} at {at}");
        }
        // Each single byte of the header with another value: refused, or taken by the library as well.
        let whole = call(0);
        let lengths = Lengths::read(&whole).unwrap();
        for at in FIXED..lengths.header {
            for value in [0, 1, 9, 10, 42, 47, 127, 200] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = read(&bytes);
            }
        }
    }

    #[test]
    fn half_a_header_and_wrong_lengths_are_no_message() {
        let whole = call(0);
        let lengths = Lengths::read(&whole).unwrap();
        for length in 0..lengths.header {
            let _ = Header::read(&whole[..length], lengths);
        }
        for at in [4, 12] {
            let mut bytes = whole.clone();
            bytes[at..at + 4].fill(0xff);
            assert_eq!(Lengths::read(&bytes), None);
        }
        assert_eq!(Lengths::read(b"OK 0123456789abc"), None);
    }
}
