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
    /// IPv4 or IPv6 address of the interface.
    #[xml(attr)]
    pub address: Ip,
    /// Family of the address; absent means that it is found from the address.
    #[xml(attr)]
    pub family: Option<IpFamily>,
    /// Length of the network part in bits: up to 32 for IPv4, up to 128 for IPv6.
    #[xml(attr)]
    pub prefix: Option<u32>,
    /// Address of the other end of a point-to-point link.
    #[xml(attr)]
    pub peer: Option<Ip>,
}

/// `<route>`: a static route to another network.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Family of the destination; absent means IPv4.
    #[xml(attr)]
    pub family: Option<IpFamily>,
    /// Address of the destination network.
    #[xml(attr)]
    pub address: Ip,
    /// Netmask of the destination network (IPv4 only; excludes `prefix`).
    #[xml(attr)]
    pub netmask: Option<Ip>,
    /// Length of the destination's network part in bits: up to 32 for IPv4, up to 128 for IPv6.
    #[xml(attr)]
    pub prefix: Option<u32>,
    /// Address of the router through which the destination is reached.
    #[xml(attr)]
    pub gateway: Ip,
    /// Metric of the route, at least 1; among several routes the lowest metric wins.
    #[xml(attr)]
    pub metric: Option<u32>,
}

/// Addresses and routes of one end of an interface.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct IpInfo {
    /// Addresses that the interface is given.
    #[xml(child)]
    pub ip: Vec<IpAddress>,
    /// Static routes that are set up with the addresses.
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
