//! What a network needs of the packet filter, by its mode and addresses.

use std::fmt;

use virtbus_conf_base::YesNo;
use virtbus_conf_base::common::{Ip, IpFamily};
use virtbus_conf_host::network::{Dhcp, ForwardMode, Nat, Network, NetworkIp};

/// A network of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// Its first address.
    pub address: Ip,
    /// Its length, bits.
    pub prefix: u32,
}

impl Subnet {
    /// The network in which `ip` is, if it is told.
    #[must_use]
    pub fn of(ip: &NetworkIp) -> Option<Self> {
        let (address, prefix) = ip.network()?;
        Some(Self {
            address: address.network(prefix),
            prefix,
        })
    }

    /// Its family.
    #[must_use]
    pub fn family(self) -> IpFamily {
        self.address.family()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Its name in both syntaxes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// One thing that the packet filter is told of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Guests reach a service of the host.
    ToHost(IpFamily, Protocol, u16),
    /// The host's service answers guests.
    FromHost(IpFamily, Protocol, u16),
    /// What guests send further than the bridge is refused.
    RejectOut(IpFamily),
    /// What is sent to guests from beyond the bridge is refused.
    RejectIn(IpFamily),
    /// Guests reach each other.
    Cross(IpFamily),
    /// Guests with such an address send further, by one interface or any.
    AllowOut(Subnet, Option<String>),
    /// Guests with such an address are reached from beyond, by one interface or any.
    AllowIn(Subnet, Option<String>),
    /// They are reached by answers only.
    AllowAnswers(Subnet, Option<String>),
    /// What leaves the network gets another source address.
    Translate {
        /// Whose packets.
        network: Subnet,
        /// Of which protocol; none: of all.
        protocol: Option<Protocol>,
        /// The interface by which they leave; none: any.
        device: Option<String>,
        /// The first and the last of the new addresses; none: that of the interface.
        addresses: Option<(Ip, Ip)>,
        /// The first and the last of the new ports; none: chosen by the kernel.
        ports: Option<(u16, u16)>,
    },
    /// What is sent to these addresses keeps its source address.
    Keep(Subnet, Option<String>, &'static str),
    /// DHCP answers get checksums: clients that read packets before their kernel does would drop them.
    FixChecksums,
}

/// IPv4 addresses of groups and of everybody, which no router translates.
const KEPT_IPV4: [&str; 2] = ["255.255.255.255/32", "224.0.0.0/24"];
/// IPv6 addresses of groups, likewise.
const KEPT_IPV6: [&str; 1] = ["ff02::/16"];

/// Ports that translated packets have, unless the definition says others.
const PORTS: (u16, u16) = (1024, 65535);

/// All rules of a network, in the order in which they are inserted. None for a network that leaves the packet filter alone.
#[must_use]
pub fn rules(network: &Network) -> Vec<Rule> {
    let mode = network.forward.as_ref().map(|forward| forward.mode);
    if !matches!(mode, None | Some(ForwardMode::Nat | ForwardMode::Route)) {
        return Vec::new();
    }
    let mut rules = ipv4_services(network);
    rules.extend(bridge(IpFamily::Ipv4));
    if network.ip.iter().any(NetworkIp::is_ipv6) {
        rules.extend(bridge(IpFamily::Ipv6));
        rules.extend(ipv6_services());
    } else if network.ipv6 == Some(YesNo::Yes) {
        rules.extend(bridge(IpFamily::Ipv6));
    }
    if let Some(forward) = &network.forward {
        let device = forward
            .interfaces
            .first()
            .map(|first| first.dev.to_string());
        for subnet in network.ip.iter().filter_map(Subnet::of) {
            let nat = forward.nat.as_ref();
            let translated = subnet.family() == IpFamily::Ipv4
                || nat.is_some_and(|nat| nat.ipv6 == Some(YesNo::Yes));
            if forward.mode == ForwardMode::Nat && translated {
                rules.extend(translation(subnet, nat, device.as_deref()));
            } else {
                rules.push(Rule::AllowOut(subnet, device.clone()));
                rules.push(Rule::AllowIn(subnet, device.clone()));
            }
        }
    }
    if network.ip.iter().any(|ip| !ip.is_ipv6() && gives(ip)) {
        rules.push(Rule::FixChecksums);
    }
    rules
}

fn gives(ip: &NetworkIp) -> bool {
    ip.dhcp.as_ref().is_some_and(Dhcp::gives)
}

fn service(family: IpFamily, protocol: Protocol, asked: u16, answering: u16) -> [Rule; 2] {
    [
        Rule::ToHost(family, protocol, asked),
        Rule::FromHost(family, protocol, answering),
    ]
}

/// DHCP, DNS and TFTP; both protocols of one direction before the other direction.
fn ipv4_services(network: &Network) -> Vec<Rule> {
    use Protocol::{Tcp, Udp};
    let family = IpFamily::Ipv4;
    let mut rules = vec![
        Rule::ToHost(family, Tcp, 67),
        Rule::ToHost(family, Udp, 67),
        Rule::FromHost(family, Tcp, 68),
        Rule::FromHost(family, Udp, 68),
    ];
    rules.extend(names(family));
    let mut ipv4 = network.ip.iter().filter(|ip| !ip.is_ipv6());
    if ipv4.any(|ip| ip.tftp.is_some()) {
        rules.extend(service(family, Udp, 69, 69));
    }
    rules
}

fn names(family: IpFamily) -> [Rule; 4] {
    use Protocol::{Tcp, Udp};
    [
        Rule::ToHost(family, Tcp, 53),
        Rule::ToHost(family, Udp, 53),
        Rule::FromHost(family, Tcp, 53),
        Rule::FromHost(family, Udp, 53),
    ]
}

fn ipv6_services() -> Vec<Rule> {
    let family = IpFamily::Ipv6;
    let dhcp = service(family, Protocol::Udp, 547, 546);
    names(family).into_iter().chain(dhcp).collect()
}

/// What holds before anything is allowed.
fn bridge(family: IpFamily) -> [Rule; 3] {
    [
        Rule::RejectOut(family),
        Rule::RejectIn(family),
        Rule::Cross(family),
    ]
}

fn translation(network: Subnet, nat: Option<&Nat>, device: Option<&str>) -> Vec<Rule> {
    let device = device.map(str::to_owned);
    let addresses = nat
        .and_then(|nat| nat.address)
        .filter(|range| range.start.family() == network.family())
        .map(|range| (range.start, range.end));
    let ports = nat
        .and_then(|nat| nat.port)
        .map_or(PORTS, |range| (range.start, range.end));
    let mut rules = vec![
        Rule::AllowOut(network, device.clone()),
        Rule::AllowAnswers(network, device.clone()),
    ];
    for protocol in [None, Some(Protocol::Udp), Some(Protocol::Tcp)] {
        rules.push(Rule::Translate {
            network,
            protocol,
            device: device.clone(),
            addresses,
            // Ports exist in protocols that have them only.
            ports: protocol.map(|_| ports),
        });
    }
    let kept: &[&'static str] = match network.family() {
        IpFamily::Ipv4 => &KEPT_IPV4,
        IpFamily::Ipv6 => &KEPT_IPV6,
    };
    let keep = |to: &&'static str| Rule::Keep(network, device.clone(), to);
    rules.extend(kept.iter().map(keep));
    rules
}
