//! Arithmetic with addresses: numeric forms, masks, networks, ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Ip;
use crate::{ConfError, Result};

/// More addresses than this make no range.
const RANGE_MOST: u128 = 65_536;

impl Ip {
    /// The address that `text` is a number of: IPv6, or IPv4 in one of the forms that the C library knows, with one to four parts
    /// that are decimal, octal (`0…`) or hexadecimal (`0x…`).
    pub fn from_numeric(text: &str) -> Option<Self> {
        if let Ok(v6) = text.parse::<Ipv6Addr>() {
            return Some(Self(v6.into()));
        }
        let mut parts = Vec::with_capacity(4);
        for part in text.split('.') {
            if parts.len() == 4 {
                return None;
            }
            parts.push(ipv4_part(part)?);
        }
        let (last, bytes) = parts.split_last()?;
        let mut number: u32 = 0;
        for byte in bytes {
            number = number << 8 | u32::from(u8::try_from(*byte).ok()?);
        }
        // The last part fills all that is left.
        let left = 32 - 8 * u32::try_from(bytes.len()).ok()?;
        if left < 32 {
            if *last >> left != 0 {
                return None;
            }
            number = number << left | last;
        } else {
            number = *last;
        }
        Some(Self(Ipv4Addr::from(number).into()))
    }

    /// Whether it stands for every address.
    pub fn is_wildcard(self) -> bool {
        self.0.is_unspecified()
    }

    /// Whether it is this host itself.
    pub fn is_localhost(self) -> bool {
        self.0.is_loopback()
    }

    /// Its number, as if it had 128 bits.
    fn number(self) -> u128 {
        match self.0 {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => v6.into(),
        }
    }

    fn with_number(self, number: u128) -> Self {
        Self(match self.0 {
            IpAddr::V4(_) => {
                Ipv4Addr::from(u32::try_from(number & u128::from(u32::MAX)).unwrap_or(0)).into()
            }
            IpAddr::V6(_) => Ipv6Addr::from(number).into(),
        })
    }

    /// The bits of its family that belong to a network of this length.
    fn prefix_bits(self, prefix: u32) -> u128 {
        let bits = self.bits();
        let all = u128::MAX >> (128 - bits);
        match bits.checked_sub(prefix) {
            None | Some(0) => all,
            Some(host) if host >= 128 => 0,
            Some(host) => all >> host << host,
        }
    }

    /// The network of this length that it is in.
    #[must_use]
    pub fn network(self, prefix: u32) -> Self {
        self.with_number(self.number() & self.prefix_bits(prefix))
    }

    /// The last address of that network.
    #[must_use]
    pub fn broadcast(self, prefix: u32) -> Self {
        let all = u128::MAX >> (128 - self.bits());
        self.with_number(self.number() | (all & !self.prefix_bits(prefix)))
    }

    /// What is common to it and a mask.
    #[must_use]
    pub fn masked(self, mask: Self) -> Self {
        self.with_number(self.number() & mask.number())
    }

    /// The length of the network that it is the mask of, if it is one.
    pub fn as_netmask(self) -> Option<u32> {
        let bits = self.bits();
        let ones = (self.number() << (128 - bits)).leading_ones().min(bits);
        (self.number() == self.prefix_bits(ones)).then_some(ones)
    }

    /// How many addresses there are from `start` to `end`, both counted; in a network, if one is given, of which neither
    /// may be the first (the network itself) nor, with IPv4, the last (for broadcasts).
    ///
    /// # Errors
    /// The families differ, the range is backwards or too large, or an end lies where it may not.
    pub fn range(start: Self, end: Self, network: Option<(Self, u32)>) -> Result<u32> {
        let range = || format!("the range from {start} to {end}");
        if start.family() != end.family() {
            return Err(ConfError::invalid(format!(
                "{} mixes IPv4 and IPv6",
                range()
            )));
        }
        if let Some((address, prefix)) = network {
            let inside = |ip: Self| {
                ip.family() == address.family() && ip.network(prefix) == address.network(prefix)
            };
            if !inside(start) || !inside(end) {
                return Err(ConfError::invalid(format!(
                    "{} is not within the network {}/{prefix}",
                    range(),
                    address.network(prefix)
                )));
            }
            let (first, last) = (address.network(prefix), address.broadcast(prefix));
            if address.0.is_ipv4() && prefix < 31 && (start == first || end == last) {
                return Err(ConfError::invalid(format!(
                    "{} holds the network's own or its broadcast address",
                    range()
                )));
            }
        }
        let Some(more) = end.number().checked_sub(start.number()) else {
            return Err(ConfError::invalid(format!("{} is backwards", range())));
        };
        match u32::try_from(more) {
            Ok(more) if u128::from(more) < RANGE_MOST => Ok(more + 1),
            _ => Err(ConfError::invalid(format!(
                "{} has more than {RANGE_MOST} addresses",
                range()
            ))),
        }
    }
}

/// A number as C writes it.
fn ipv4_part(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Ip {
        Ip::from_numeric(text).unwrap()
    }

    #[test]
    fn numbers_are_read_as_the_c_library_does() {
        for (text, address) in [
            ("10.1", "10.0.0.1"),
            ("10.1.2", "10.1.0.2"),
            ("0x7f.1", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("3232235521", "192.168.0.1"),
            ("fe80::2", "fe80::2"),
        ] {
            assert_eq!(ip(text).to_string(), address);
        }
        for text in [
            "",
            "host",
            "1.2.3.4.5",
            "256.1",
            "1.2.3.256",
            "4294967296",
            "1..2",
            "[::1]",
            "+1",
            "08",
        ] {
            assert_eq!(Ip::from_numeric(text), None, "{text}");
        }
    }

    #[test]
    fn networks_and_masks() {
        assert_eq!(ip("10.1.2.3").network(12).to_string(), "10.0.0.0");
        assert_eq!(ip("10.1.2.3").broadcast(24).to_string(), "10.1.2.255");
        assert_eq!(ip("fd00::1:2").network(112).to_string(), "fd00::1:0");
        assert_eq!(ip("10.1.2.3").network(0).to_string(), "0.0.0.0");
        assert_eq!(ip("255.255.240.0").as_netmask(), Some(20));
        assert_eq!(ip("0.0.0.0").as_netmask(), Some(0));
        assert_eq!(ip("255.0.255.0").as_netmask(), None);
        assert_eq!(ip("ffff:ffff::").as_netmask(), Some(32));
    }

    #[test]
    fn ranges_stay_inside() {
        let net = Some((ip("10.0.0.1"), 24));
        assert_eq!(Ip::range(ip("10.0.0.2"), ip("10.0.0.9"), net).unwrap(), 8);
        assert!(Ip::range(ip("10.0.0.0"), ip("10.0.0.9"), net).is_err());
        assert!(Ip::range(ip("10.0.0.9"), ip("10.0.0.255"), net).is_err());
        assert!(Ip::range(ip("10.0.0.9"), ip("10.0.1.2"), net).is_err());
        assert!(Ip::range(ip("10.0.0.9"), ip("10.0.0.8"), None).is_err());
        assert!(Ip::range(ip("10.0.0.9"), ip("fd00::1"), None).is_err());
        assert_eq!(
            Ip::range(ip("10.0.0.0"), ip("10.0.255.255"), None).unwrap(),
            65_536
        );
        assert!(Ip::range(ip("fd00::"), ip("fd01::"), None).is_err());
    }
}
