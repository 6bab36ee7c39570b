//! `<ip>`: addresses in a network, and how guests get them.

use virtbus_conf_base::common::{Ip, IpFamily};
use virtbus_xml::{
    Content, Describe, ErrorKind, Node, Result, Text, Writer, Xml, YesNo, xml_names,
};

xml_names! {
    /// The unit of a lease's time.
    pub enum LeaseUnit {
        Seconds = "seconds",
        Minutes = "minutes",
        Hours = "hours",
    }
}

/// `<lease>`: how long a guest may keep an address.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Duration in the unit given; 0 means for ever, otherwise at least two minutes.
    #[xml(attr)]
    pub expiry: u64,
    /// Unit of the duration: `seconds`, `minutes` or `hours`.
    #[xml(attr, optional, absent = "minutes")]
    pub unit: LeaseUnit,
}

/// dnsmasq takes no shorter lease, seconds.
const SHORTEST_LEASE: u64 = 120;

impl Lease {
    /// Seconds; `None` for ever.
    pub fn seconds(self) -> Option<u64> {
        let unit = match self.unit {
            LeaseUnit::Seconds => 1,
            LeaseUnit::Minutes => 60,
            LeaseUnit::Hours => 3600,
        };
        (self.expiry != 0).then(|| self.expiry.saturating_mul(unit))
    }
}

impl Content for Lease {
    fn parse(node: Node<'_>) -> Result<Self> {
        let lease = Self {
            expiry: node.attr_req("expiry")?,
            unit: node.attr_opt("unit")?.unwrap_or(LeaseUnit::Minutes),
        };
        let Some(seconds) = lease.seconds() else {
            // Of what is for ever, the unit is not told.
            return Ok(Self {
                unit: LeaseUnit::Minutes,
                ..lease
            });
        };
        if seconds < SHORTEST_LEASE || seconds > u64::from(u32::MAX) {
            let expected = "0, or at least two minutes and less than 2^32 seconds";
            return Err(node.bad_attr("expiry", &lease.expiry.to_string(), expected));
        }
        Ok(lease)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("expiry", &self.expiry);
        if self.expiry != 0 {
            w.attr("unit", &self.unit);
        }
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<range>`: addresses that the DHCP server may assign.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhcpRange {
    /// First address of the range.
    #[xml(attr)]
    pub start: Ip,
    /// Last address of the range.
    #[xml(attr)]
    pub end: Ip,
    /// How long an address may be kept; the DHCP server's default if absent.
    #[xml(child)]
    pub lease: Option<Lease>,
}

/// `<host>`: the fixed address of one guest. To remove an entry, fewer attributes are needed than to add one.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct DhcpHost {
    /// DHCP unique identifier (DUID) of the guest; IPv6 only.
    #[xml(attr, told = "hexadecimal numbers of one or two digits joined by ':'")]
    pub id: Option<Text>,
    /// MAC addresses of the guest; IPv4 only.
    #[xml(attr, told = "Ethernet addresses joined by commas")]
    pub mac: Option<Text>,
    /// Host name that the guest is given.
    #[xml(attr, told = "a name that begins with a letter")]
    pub name: Option<Text>,
    /// IP address that the guest is given.
    #[xml(attr)]
    pub ip: Option<Ip>,
    /// How long the address may be kept; the DHCP server's default if absent.
    #[xml(child)]
    pub lease: Option<Lease>,
}

impl DhcpHost {
    /// Whether both name an Ethernet address or identifier, and the same one.
    pub fn same_guest(&self, other: &Self) -> bool {
        let mac = |host: &Self| host.mac.as_deref().map(str::to_ascii_lowercase);
        (self.mac.is_some() && mac(self) == mac(other))
            || (self.id.is_some() && self.id == other.id)
    }
}

impl Content for DhcpHost {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mac: Option<Text> = node.attr_opt("mac")?;
        if let Some(mac) = &mac {
            check_macs(node, mac)?;
        }
        let id: Option<Text> = node.attr_opt("id")?;
        if let Some(id) = &id {
            let part = |part: &str| {
                (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit())
            };
            if !id.split(':').all(part) {
                return Err(node.bad_attr(
                    "id",
                    id,
                    "hexadecimal numbers of one or two digits joined by ':'",
                ));
            }
        }
        let name: Option<Text> = node.attr_opt("name")?;
        if let Some(name) = &name
            && !name.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return Err(node.bad_attr("name", name, "a name that begins with a letter"));
        }
        Ok(Self {
            id,
            mac,
            name,
            ip: node.attr_opt("ip")?,
            lease: node.child_opt("lease")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("id", &self.id);
        w.attr_opt("mac", &self.mac);
        w.attr_opt("name", &self.name);
        w.attr_opt("ip", &self.ip);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(lease) = &self.lease {
            w.element("lease", lease);
        }
    }
}

fn check_macs(node: Node<'_>, text: &str) -> Result<()> {
    use virtbus_xml::Value;
    for mac in text.split(',') {
        match virtbus_conf_base::common::Mac::from_text(mac.trim()) {
            None => return Err(node.bad_attr("mac", text, "Ethernet addresses joined by commas")),
            Some(mac) if mac.is_multicast() => {
                return Err(node.attr_error(
                    "mac",
                    ErrorKind::Invalid,
                    "must not be the address of a group",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// `<bootp>`: what guests boot from the network (PXE).
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Bootp {
    /// Name of the boot file that guests are told.
    #[xml(attr)]
    pub file: Text,
    /// Name or address of the TFTP server that has the file.
    #[xml(attr, absent = "this host")]
    pub server: Option<Text>,
}

/// `<dhcp>`: the network's DHCP server.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Dhcp {
    /// Ranges of addresses that are assigned to guests.
    #[xml(child)]
    pub range: Vec<DhcpRange>,
    /// Fixed addresses of single guests.
    #[xml(child)]
    pub host: Vec<DhcpHost>,
    /// Boot file and server that guests are told.
    #[xml(child)]
    pub bootp: Option<Bootp>,
}

impl Dhcp {
    /// Whether any address is given.
    pub fn gives(&self) -> bool {
        !(self.range.is_empty() && self.host.is_empty())
    }
}

/// `<ip>`: an address of the host in the network, and how guests get theirs.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkIp {
    /// Family of the address; absent means IPv4.
    #[xml(attr)]
    pub family: Option<IpFamily>,
    /// Address of the host's bridge in the network.
    #[xml(attr)]
    pub address: Option<Ip>,
    /// Netmask of the network; IPv4 only, excludes `prefix`.
    #[xml(attr)]
    pub netmask: Option<Ip>,
    /// Length of the network part in bits: up to 32 for IPv4, up to 128 for IPv6.
    #[xml(attr)]
    pub prefix: Option<u32>,
    /// Whether reverse lookups for addresses of the network are answered locally and never forwarded.
    #[xml(attr = "localPtr")]
    pub local_ptr: Option<YesNo>,
    /// Absolute path of the folder that the network's TFTP server offers to guests.
    #[xml(child_attr = "tftp/root")]
    pub tftp: Option<Text>,
    /// DHCP server for this address range; absent means none.
    #[xml(child, skip_empty)]
    pub dhcp: Option<Dhcp>,
}

impl NetworkIp {
    /// Whether it is about IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.family == Some(IpFamily::Ipv6)
    }

    /// The length of the network: as stated, by its mask, or, with IPv4, by the class of its address; 64 with IPv6.
    pub fn prefix_length(&self) -> Option<u32> {
        if let Some(prefix) = self.prefix {
            return Some(prefix);
        }
        if let Some(mask) = self.netmask {
            return mask.as_netmask();
        }
        default_prefix(self.address?)
    }

    /// The network: an address in it, and its length.
    pub fn network(&self) -> Option<(Ip, u32)> {
        Some((self.address?, self.prefix_length()?))
    }
}

/// The length of an address's network where nobody says it: by its class with IPv4, 64 with IPv6.
pub(super) fn default_prefix(address: Ip) -> Option<u32> {
    match address.0 {
        std::net::IpAddr::V6(_) => Some(64),
        std::net::IpAddr::V4(v4) => match v4.octets()[0] {
            0..=127 => Some(8),
            128..=191 => Some(16),
            192..=223 => Some(24),
            _ => None,
        },
    }
}
