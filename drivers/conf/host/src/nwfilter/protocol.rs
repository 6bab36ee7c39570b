//! The protocols of rules: which fields each has, in the order in which they are written.

use virtbus_xml::xml_names;

use super::fields::{
    ARP, COMMENT, CONNECTION, Field, ICMP, ICMP_RANGES, IP_TAIL, IPV4_ADDRESSES, IPV4_RANGES,
    IPV6_ADDRESSES, IPV6_RANGES, MAC, MACS, PORTS, PROTOCOL, SOURCE_MAC, STP, TCP, VLAN,
};

xml_names! {
    /// The protocol that a rule is about; the name of the element in the rule.
    pub enum RuleProtocol {
        Mac = "mac",
        Vlan = "vlan",
        Stp = "stp",
        Arp = "arp",
        Rarp = "rarp",
        Ip = "ip",
        Ipv6 = "ipv6",
        Tcp = "tcp",
        Icmp = "icmp",
        Igmp = "igmp",
        Udp = "udp",
        Udplite = "udplite",
        Esp = "esp",
        Ah = "ah",
        Sctp = "sctp",
        All = "all",
        TcpIpv6 = "tcp-ipv6",
        Icmpv6 = "icmpv6",
        UdpIpv6 = "udp-ipv6",
        UdpliteIpv6 = "udplite-ipv6",
        EspIpv6 = "esp-ipv6",
        AhIpv6 = "ah-ipv6",
        SctpIpv6 = "sctp-ipv6",
        AllIpv6 = "all-ipv6",
    }
}

/// Ports of these protocols can be compared: TCP, UDP, DCCP, SCTP.
pub(super) const WITH_PORTS: [u32; 4] = [6, 17, 33, 132];

/// A field that is negated exactly if another one is, provided that this other one is there: firewalls
/// have one sign for both.
type Follows = (&'static str, &'static str);

const MAC_SIGNS: &[Follows] = &[("srcmacmask", "srcmacaddr"), ("dstmacmask", "dstmacaddr")];

const STP_SIGNS: &[Follows] = &[
    ("srcmacmask", "srcmacaddr"),
    ("root-priority-hi", "root-priority"),
    ("root-address-mask", "root-address"),
    ("root-cost-hi", "root-cost"),
    ("sender-priority-hi", "sender-priority"),
    ("sender-address-mask", "sender-address"),
    ("port-hi", "port"),
    ("age-hi", "age"),
    ("max-age-hi", "max-age"),
    ("hello-time-hi", "hello-time"),
    ("forward-delay-hi", "forward-delay"),
];

const ADDRESS_SIGNS: &[Follows] = &[("srcipmask", "srcipaddr"), ("dstipmask", "dstipaddr")];

const RANGE_SIGNS: &[Follows] = &[("srcipto", "srcipfrom"), ("dstipto", "dstipfrom")];

const PORT_SIGNS: &[Follows] = &[
    ("srcportend", "srcportstart"),
    ("dstportstart", "srcportstart"),
    ("dstportend", "srcportstart"),
];

const ICMP_SIGNS: &[Follows] = &[("code", "type")];

const ICMP_RANGE_SIGNS: &[Follows] = &[("typeend", "type"), ("code", "type"), ("codeend", "type")];

impl RuleProtocol {
    /// Whether it is a protocol of the link layer, or IP itself.
    pub fn is_ethernet(self) -> bool {
        self <= Self::Ipv6
    }

    /// Whether it runs over IPv4.
    pub fn is_over_ipv4(self) -> bool {
        (Self::Tcp..=Self::All).contains(&self)
    }

    /// Whether it runs over IPv6.
    pub fn is_over_ipv6(self) -> bool {
        self >= Self::TcpIpv6
    }

    /// Which packets its element stands for.
    pub(super) fn packets(self) -> &'static str {
        match self {
            Self::Mac => "Matches Ethernet frames of any protocol.",
            Self::Vlan => "Matches Ethernet frames with a VLAN tag (802.1Q).",
            Self::Stp => "Matches frames of the spanning tree protocol.",
            Self::Arp => "Matches ARP packets over Ethernet.",
            Self::Rarp => "Matches reverse ARP packets over Ethernet.",
            Self::Ip => "Matches IPv4 packets of any protocol, without looking at connections.",
            Self::Ipv6 => "Matches IPv6 packets of any protocol, without looking at connections.",
            Self::Tcp => "Matches TCP packets over IPv4.",
            Self::Icmp => "Matches ICMP packets over IPv4.",
            Self::Igmp => "Matches IGMP packets over IPv4.",
            Self::Udp => "Matches UDP packets over IPv4.",
            Self::Udplite => "Matches UDP-Lite packets over IPv4.",
            Self::Esp => "Matches IPsec ESP packets over IPv4.",
            Self::Ah => "Matches IPsec AH packets over IPv4.",
            Self::Sctp => "Matches SCTP packets over IPv4.",
            Self::All => "Matches packets of every protocol over IPv4.",
            Self::TcpIpv6 => "Matches TCP packets over IPv6.",
            Self::Icmpv6 => "Matches ICMPv6 packets over IPv6.",
            Self::UdpIpv6 => "Matches UDP packets over IPv6.",
            Self::UdpliteIpv6 => "Matches UDP-Lite packets over IPv6.",
            Self::EspIpv6 => "Matches IPsec ESP packets over IPv6.",
            Self::AhIpv6 => "Matches IPsec AH packets over IPv6.",
            Self::SctpIpv6 => "Matches SCTP packets over IPv6.",
            Self::AllIpv6 => "Matches packets of every protocol over IPv6.",
        }
    }

    /// Its fields, in groups, in the order in which they are written.
    pub(super) fn fields(self) -> impl Iterator<Item = &'static Field> {
        let groups: &'static [&'static [Field]] = match self {
            Self::Mac => &[MACS, MAC, COMMENT],
            Self::Vlan => &[MACS, VLAN, COMMENT],
            Self::Stp => &[STP, COMMENT],
            Self::Arp | Self::Rarp => &[MACS, ARP, COMMENT],
            Self::Ip => &[MACS, IPV4_ADDRESSES, PROTOCOL, PORTS, IP_TAIL, COMMENT],
            Self::Ipv6 => &[MACS, IPV6_ADDRESSES, PROTOCOL, PORTS, ICMP_RANGES, COMMENT],
            Self::Tcp => &[
                SOURCE_MAC,
                IPV4_ADDRESSES,
                IPV4_RANGES,
                CONNECTION,
                PORTS,
                TCP,
                COMMENT,
            ],
            Self::Udp | Self::Sctp => &[
                SOURCE_MAC,
                IPV4_ADDRESSES,
                IPV4_RANGES,
                CONNECTION,
                PORTS,
                COMMENT,
            ],
            Self::Icmp => &[
                SOURCE_MAC,
                IPV4_ADDRESSES,
                IPV4_RANGES,
                CONNECTION,
                ICMP,
                COMMENT,
            ],
            Self::Igmp | Self::Udplite | Self::Esp | Self::Ah | Self::All => {
                &[SOURCE_MAC, IPV4_ADDRESSES, IPV4_RANGES, CONNECTION, COMMENT]
            }
            Self::TcpIpv6 => &[
                SOURCE_MAC,
                IPV6_ADDRESSES,
                IPV6_RANGES,
                CONNECTION,
                PORTS,
                TCP,
                COMMENT,
            ],
            Self::UdpIpv6 | Self::SctpIpv6 => &[
                SOURCE_MAC,
                IPV6_ADDRESSES,
                IPV6_RANGES,
                CONNECTION,
                PORTS,
                COMMENT,
            ],
            Self::Icmpv6 => &[
                SOURCE_MAC,
                IPV6_ADDRESSES,
                IPV6_RANGES,
                CONNECTION,
                ICMP,
                COMMENT,
            ],
            Self::UdpliteIpv6 | Self::EspIpv6 | Self::AhIpv6 | Self::AllIpv6 => {
                &[SOURCE_MAC, IPV6_ADDRESSES, IPV6_RANGES, CONNECTION, COMMENT]
            }
        };
        groups.iter().flat_map(|group| group.iter())
    }

    /// Which fields are negated exactly if another one is, in the order in which to settle it.
    pub(super) fn signs(self) -> impl Iterator<Item = &'static Follows> {
        let groups: &'static [&'static [Follows]] = match self {
            Self::Mac | Self::Vlan => &[MAC_SIGNS],
            Self::Stp => &[STP_SIGNS],
            Self::Arp | Self::Rarp => &[],
            Self::Ip | Self::Igmp => &[ADDRESS_SIGNS],
            Self::Ipv6 => &[ADDRESS_SIGNS, ICMP_RANGE_SIGNS],
            Self::Tcp | Self::TcpIpv6 | Self::Udp | Self::UdpIpv6 | Self::Sctp | Self::SctpIpv6 => {
                &[ADDRESS_SIGNS, RANGE_SIGNS, PORT_SIGNS]
            }
            Self::Icmp | Self::Icmpv6 => &[ADDRESS_SIGNS, RANGE_SIGNS, ICMP_SIGNS],
            Self::Udplite
            | Self::UdpliteIpv6
            | Self::Esp
            | Self::EspIpv6
            | Self::Ah
            | Self::AhIpv6
            | Self::All
            | Self::AllIpv6 => &[ADDRESS_SIGNS, RANGE_SIGNS],
        };
        groups.iter().flat_map(|group| group.iter())
    }
}
