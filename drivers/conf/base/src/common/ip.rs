//! IP addresses and routes of guests.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use virtbus_xml::{Nothing, Value, Xml, xml_names};

/// A numeric IPv4 or IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ip(pub IpAddr);

impl Ip {
    /// Its family.
    pub fn family(self) -> IpFamily {
        if self.0.is_ipv4() {
            IpFamily::Ipv4
        } else {
            IpFamily::Ipv6
        }
    }

    /// Bits in an address of this family.
    pub fn bits(self) -> u32 {
        if self.0.is_ipv4() { 32 } else { 128 }
    }
}

/// Like the C library: IPv6 addresses that hold an IPv4 address show it.
impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(v6) => match v6.segments() {
                // Where even the next part is 0, it is no IPv4 address but something like `::1`.
                [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
                    let [.., a, b, c, d] = v6.octets();
                    write!(f, "::{a}.{b}.{c}.{d}")
                }
                _ => v6.fmt(f),
            },
            IpAddr::V4(v4) => v4.fmt(f),
        }
    }
}

impl Value for Ip {
    fn from_text(text: &str) -> Option<Self> {
        text.trim_ascii().parse().ok().map(Self)
    }

    fn write_to(&self, out: &mut String) {
        write!(out, "{self}").expect("writing to a String cannot fail");
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("an IPv4 or IPv6 address")
    }
}

xml_names! {
    /// An address family.
    pub enum IpFamily {
        Ipv4 = "ipv4",
        Ipv6 = "ipv6",
    }
}

/// `<ip>`: an address on an interface.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IpAddress {
    /// The address.
    #[xml(attr)]
    pub address: Ip,
    /// Its family, if stated.
    #[xml(attr)]
    pub family: Option<IpFamily>,
    /// Length of the network part in bits.
    #[xml(attr)]
    pub prefix: Option<u32>,
    /// The other end of a point-to-point link.
    #[xml(attr)]
    pub peer: Option<Ip>,
}

/// `<route>`: a static route.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Family of the destination, if stated.
    #[xml(attr)]
    pub family: Option<IpFamily>,
    /// The destination network.
    #[xml(attr)]
    pub address: Ip,
    /// Its netmask (IPv4 only; excludes `prefix`).
    #[xml(attr)]
    pub netmask: Option<Ip>,
    /// Its length in bits.
    #[xml(attr)]
    pub prefix: Option<u32>,
    /// The next hop.
    #[xml(attr)]
    pub gateway: Ip,
    /// Preference; lower wins. At least 1.
    #[xml(attr)]
    pub metric: Option<u32>,
}

/// Addresses and routes of one end of an interface.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct IpInfo {
    /// The addresses.
    #[xml(child)]
    pub ip: Vec<IpAddress>,
    /// The routes.
    #[xml(child)]
    pub route: Vec<Route>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_look_as_the_c_library_has_them() {
        for text in [
            "::",
            "::1",
            "::ffff:10.1.2.3",
            "::10.1.2.3",
            "a:b:c::d:e:f",
            "10.1.2.3",
        ] {
            assert_eq!(Ip::from_text(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Ip::from_text("0:0:0:0:0:0:a01:203").unwrap().to_string(),
            "::10.1.2.3"
        );
    }
}
