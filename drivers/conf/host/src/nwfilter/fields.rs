//! The fields that conditions of rules can look at, in groups that several protocols have: name of the attribute, kind and meaning.
//!
//! Which protocol has which groups is said in [`super::protocol`].

use super::value::FieldKind;

/// A field: the name of its attribute, its kind, and what it is.
pub(super) type Field = (&'static str, FieldKind, &'static str);

const U8: FieldKind = FieldKind::Number(0xff);
const U16: FieldKind = FieldKind::Number(0xffff);
const U32: FieldKind = FieldKind::Number(u32::MAX);
const DSCP: FieldKind = FieldKind::Number(63);

pub(super) const COMMENT: &[Field] = &[(
    "comment",
    FieldKind::Comment,
    "Comment that is stored with the rule, up to 256 characters.",
)];

pub(super) const SOURCE_MAC: &[Field] = &[(
    "srcmacaddr",
    FieldKind::Mac,
    "MAC address that the packet comes from.",
)];

pub(super) const MACS: &[Field] = &[
    (
        "srcmacaddr",
        FieldKind::Mac,
        "MAC address that the packet comes from.",
    ),
    (
        "srcmacmask",
        FieldKind::MacMask,
        "Mask that is applied to the source MAC address before it is compared.",
    ),
    (
        "dstmacaddr",
        FieldKind::Mac,
        "MAC address that the packet goes to.",
    ),
    (
        "dstmacmask",
        FieldKind::MacMask,
        "Mask that is applied to the destination MAC address before it is compared.",
    ),
];

pub(super) const MAC: &[Field] = &[(
    "protocolid",
    FieldKind::EtherType(0x600),
    "Protocol in the Ethernet frame (EtherType).",
)];

pub(super) const VLAN: &[Field] = &[
    ("vlanid", FieldKind::Number(4095), "Number of the VLAN."),
    (
        "encap-protocol",
        FieldKind::EtherType(0x3c),
        "Protocol inside the VLAN frame (EtherType).",
    ),
];

pub(super) const STP: &[Field] = &[
    (
        "srcmacaddr",
        FieldKind::Mac,
        "MAC address that the packet comes from.",
    ),
    (
        "srcmacmask",
        FieldKind::MacMask,
        "Mask that is applied to the source MAC address before it is compared.",
    ),
    ("type", U8, "Type of the bridge protocol data unit (BPDU)."),
    (
        "flags",
        U8,
        "Flags of the bridge protocol data unit (BPDU).",
    ),
    (
        "root-priority",
        U16,
        "Priority of the root bridge; first one of a range if `root-priority-hi` is given.",
    ),
    (
        "root-priority-hi",
        U16,
        "Last priority of the range for the root bridge.",
    ),
    (
        "root-address",
        FieldKind::Mac,
        "MAC address of the root bridge.",
    ),
    (
        "root-address-mask",
        FieldKind::MacMask,
        "Mask that is applied to the root bridge's MAC address before it is compared.",
    ),
    (
        "root-cost",
        U32,
        "Cost of the path to the root bridge; first one of a range if `root-cost-hi` is given.",
    ),
    (
        "root-cost-hi",
        U32,
        "Last cost of the range for the path to the root bridge.",
    ),
    (
        "sender-priority",
        U16,
        "Priority of the sending bridge; first one of a range if `sender-priority-hi` is given.",
    ),
    (
        "sender-priority-hi",
        U16,
        "Last priority of the range for the sending bridge.",
    ),
    (
        "sender-address",
        FieldKind::Mac,
        "MAC address of the sending bridge.",
    ),
    (
        "sender-address-mask",
        FieldKind::MacMask,
        "Mask that is applied to the sending bridge's MAC address before it is compared.",
    ),
    (
        "port",
        U16,
        "Identifier of the port; first one of a range if `port-hi` is given.",
    ),
    ("port-hi", U16, "Last port identifier of the range."),
    (
        "age",
        U16,
        "Message age timer; first value of a range if `age-hi` is given.",
    ),
    (
        "age-hi",
        U16,
        "Last value of the range for the message age timer.",
    ),
    (
        "max-age",
        U16,
        "Maximum age timer; first value of a range if `max-age-hi` is given.",
    ),
    (
        "max-age-hi",
        U16,
        "Last value of the range for the maximum age timer.",
    ),
    (
        "hello-time",
        U16,
        "Hello timer; first value of a range if `hello-time-hi` is given.",
    ),
    (
        "hello-time-hi",
        U16,
        "Last value of the range for the hello timer.",
    ),
    (
        "forward-delay",
        U16,
        "Forward delay timer; first value of a range if `forward-delay-hi` is given.",
    ),
    (
        "forward-delay-hi",
        U16,
        "Last value of the range for the forward delay timer.",
    ),
];

pub(super) const ARP: &[Field] = &[
    (
        "hwtype",
        U16,
        "Hardware type of the ARP packet; 1 is Ethernet.",
    ),
    (
        "protocoltype",
        U16,
        "Protocol type of the ARP packet; 0x800 is IPv4.",
    ),
    (
        "opcode",
        FieldKind::ArpOpcode,
        "Operation of the ARP packet, by name or number.",
    ),
    (
        "arpsrcmacaddr",
        FieldKind::Mac,
        "Source MAC address in the ARP packet.",
    ),
    (
        "arpdstmacaddr",
        FieldKind::Mac,
        "Destination MAC address in the ARP packet.",
    ),
    (
        "arpsrcipaddr",
        FieldKind::Ipv4,
        "Source IP address in the ARP packet.",
    ),
    (
        "arpsrcipmask",
        FieldKind::Ipv4Mask,
        "Mask of the source IP address in the ARP packet.",
    ),
    (
        "arpdstipaddr",
        FieldKind::Ipv4,
        "Destination IP address in the ARP packet.",
    ),
    (
        "arpdstipmask",
        FieldKind::Ipv4Mask,
        "Mask of the destination IP address in the ARP packet.",
    ),
    (
        "gratuitous",
        FieldKind::Boolean,
        "Whether the ARP packet is gratuitous: an announcement that nobody asked for.",
    ),
];

pub(super) const IPV4_ADDRESSES: &[Field] = &[
    (
        "srcipaddr",
        FieldKind::Ipv4,
        "IP address that the packet comes from.",
    ),
    (
        "srcipmask",
        FieldKind::Ipv4Mask,
        "Mask that is applied to the source IP address before it is compared.",
    ),
    (
        "dstipaddr",
        FieldKind::Ipv4,
        "IP address that the packet goes to.",
    ),
    (
        "dstipmask",
        FieldKind::Ipv4Mask,
        "Mask that is applied to the destination IP address before it is compared.",
    ),
];

pub(super) const IPV6_ADDRESSES: &[Field] = &[
    (
        "srcipaddr",
        FieldKind::Ipv6,
        "IP address that the packet comes from.",
    ),
    (
        "srcipmask",
        FieldKind::Ipv6Mask,
        "Mask that is applied to the source IP address before it is compared.",
    ),
    (
        "dstipaddr",
        FieldKind::Ipv6,
        "IP address that the packet goes to.",
    ),
    (
        "dstipmask",
        FieldKind::Ipv6Mask,
        "Mask that is applied to the destination IP address before it is compared.",
    ),
];

pub(super) const IPV4_RANGES: &[Field] = &[
    (
        "srcipfrom",
        FieldKind::Ipv4,
        "First address of a range that the packet comes from.",
    ),
    (
        "srcipto",
        FieldKind::Ipv4,
        "Last address of a range that the packet comes from.",
    ),
    (
        "dstipfrom",
        FieldKind::Ipv4,
        "First address of a range that the packet goes to.",
    ),
    (
        "dstipto",
        FieldKind::Ipv4,
        "Last address of a range that the packet goes to.",
    ),
];

pub(super) const IPV6_RANGES: &[Field] = &[
    (
        "srcipfrom",
        FieldKind::Ipv6,
        "First address of a range that the packet comes from.",
    ),
    (
        "srcipto",
        FieldKind::Ipv6,
        "Last address of a range that the packet comes from.",
    ),
    (
        "dstipfrom",
        FieldKind::Ipv6,
        "First address of a range that the packet goes to.",
    ),
    (
        "dstipto",
        FieldKind::Ipv6,
        "Last address of a range that the packet goes to.",
    ),
];

pub(super) const CONNECTION: &[Field] = &[
    (
        "dscp",
        DSCP,
        "Differentiated services code point in the IP header.",
    ),
    (
        "connlimit-above",
        U16,
        "Number of connections above which the rule matches.",
    ),
    (
        "state",
        FieldKind::State,
        "States of the connection that the packet belongs to.",
    ),
    (
        "ipset",
        FieldKind::IpSet,
        "Name of an ipset on the host that the packet is looked up in.",
    ),
    (
        "ipsetflags",
        FieldKind::IpSetFlags,
        "Which address is looked up for each dimension of the ipset: source or destination.",
    ),
];

pub(super) const PROTOCOL: &[Field] = &[(
    "protocol",
    FieldKind::IpProtocol,
    "Protocol in the IP packet, by name or number.",
)];

pub(super) const PORTS: &[Field] = &[
    (
        "srcportstart",
        U16,
        "Source port; first one of a range if `srcportend` is given.",
    ),
    ("srcportend", U16, "Last source port of the range."),
    (
        "dstportstart",
        U16,
        "Destination port; first one of a range if `dstportend` is given.",
    ),
    ("dstportend", U16, "Last destination port of the range."),
];

pub(super) const IP_TAIL: &[Field] = &[(
    "dscp",
    DSCP,
    "Differentiated services code point in the IP header.",
)];

pub(super) const ICMP_RANGES: &[Field] = &[
    ("type", U8, "Type of the ICMP message."),
    ("typeend", U8, "Last type of the range of ICMP messages."),
    ("code", U8, "Code of the ICMP message."),
    ("codeend", U8, "Last code of the range of ICMP messages."),
];

pub(super) const TCP: &[Field] = &[
    ("option", U8, "Number of a TCP option that is set."),
    (
        "flags",
        FieldKind::TcpFlags,
        "TCP flags to look at, and after the slash those of them that must be set.",
    ),
];

pub(super) const ICMP: &[Field] = &[
    ("type", U8, "Type of the ICMP message."),
    ("code", U8, "Code of the ICMP message."),
];
