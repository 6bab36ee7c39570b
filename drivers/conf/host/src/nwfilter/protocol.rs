//! The protocols of rules: which fields each has, in the order in which they are written.

use virtbus_xml::xml_names;

use super::value::FieldKind;

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

/// A field: the name of its attribute, and its kind.
pub(super) type Field = (&'static str, FieldKind);

const U8: FieldKind = FieldKind::Number(0xff);
const U16: FieldKind = FieldKind::Number(0xffff);
const U32: FieldKind = FieldKind::Number(u32::MAX);
const DSCP: FieldKind = FieldKind::Number(63);

const COMMENT: &[Field] = &[("comment", FieldKind::Comment)];

const SOURCE_MAC: &[Field] = &[("srcmacaddr", FieldKind::Mac)];

const MACS: &[Field] = &[
    ("srcmacaddr", FieldKind::Mac),
    ("srcmacmask", FieldKind::MacMask),
    ("dstmacaddr", FieldKind::Mac),
    ("dstmacmask", FieldKind::MacMask),
];

const MAC: &[Field] = &[("protocolid", FieldKind::EtherType(0x600))];

const VLAN: &[Field] = &[
    ("vlanid", FieldKind::Number(4095)),
    ("encap-protocol", FieldKind::EtherType(0x3c)),
];

const STP: &[Field] = &[
    ("srcmacaddr", FieldKind::Mac),
    ("srcmacmask", FieldKind::MacMask),
    ("type", U8),
    ("flags", U8),
    ("root-priority", U16),
    ("root-priority-hi", U16),
    ("root-address", FieldKind::Mac),
    ("root-address-mask", FieldKind::MacMask),
    ("root-cost", U32),
    ("root-cost-hi", U32),
    ("sender-priority", U16),
    ("sender-priority-hi", U16),
    ("sender-address", FieldKind::Mac),
    ("sender-address-mask", FieldKind::MacMask),
    ("port", U16),
    ("port-hi", U16),
    ("age", U16),
    ("age-hi", U16),
    ("max-age", U16),
    ("max-age-hi", U16),
    ("hello-time", U16),
    ("hello-time-hi", U16),
    ("forward-delay", U16),
    ("forward-delay-hi", U16),
];

const ARP: &[Field] = &[
    ("hwtype", U16),
    ("protocoltype", U16),
    ("opcode", FieldKind::ArpOpcode),
    ("arpsrcmacaddr", FieldKind::Mac),
    ("arpdstmacaddr", FieldKind::Mac),
    ("arpsrcipaddr", FieldKind::Ipv4),
    ("arpsrcipmask", FieldKind::Ipv4Mask),
    ("arpdstipaddr", FieldKind::Ipv4),
    ("arpdstipmask", FieldKind::Ipv4Mask),
    ("gratuitous", FieldKind::Boolean),
];

const IPV4_ADDRESSES: &[Field] = &[
    ("srcipaddr", FieldKind::Ipv4),
    ("srcipmask", FieldKind::Ipv4Mask),
    ("dstipaddr", FieldKind::Ipv4),
    ("dstipmask", FieldKind::Ipv4Mask),
];

const IPV6_ADDRESSES: &[Field] = &[
    ("srcipaddr", FieldKind::Ipv6),
    ("srcipmask", FieldKind::Ipv6Mask),
    ("dstipaddr", FieldKind::Ipv6),
    ("dstipmask", FieldKind::Ipv6Mask),
];

const IPV4_RANGES: &[Field] = &[
    ("srcipfrom", FieldKind::Ipv4),
    ("srcipto", FieldKind::Ipv4),
    ("dstipfrom", FieldKind::Ipv4),
    ("dstipto", FieldKind::Ipv4),
];

const IPV6_RANGES: &[Field] = &[
    ("srcipfrom", FieldKind::Ipv6),
    ("srcipto", FieldKind::Ipv6),
    ("dstipfrom", FieldKind::Ipv6),
    ("dstipto", FieldKind::Ipv6),
];

const CONNECTION: &[Field] = &[
    ("dscp", DSCP),
    ("connlimit-above", U16),
    ("state", FieldKind::State),
    ("ipset", FieldKind::IpSet),
    ("ipsetflags", FieldKind::IpSetFlags),
];

const PROTOCOL: &[Field] = &[("protocol", FieldKind::IpProtocol)];

const PORTS: &[Field] = &[
    ("srcportstart", U16),
    ("srcportend", U16),
    ("dstportstart", U16),
    ("dstportend", U16),
];

const IP_TAIL: &[Field] = &[("dscp", DSCP)];

const ICMP_RANGES: &[Field] = &[("type", U8), ("typeend", U8), ("code", U8), ("codeend", U8)];

const TCP: &[Field] = &[("option", U8), ("flags", FieldKind::TcpFlags)];

const ICMP: &[Field] = &[("type", U8), ("code", U8)];

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
