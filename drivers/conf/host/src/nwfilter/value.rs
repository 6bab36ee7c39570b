//! What a packet's field is compared with: one type for each kind of field.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use virtbus_conf_base::common::{Ip, Mac};
use virtbus_xml::{Base16, Text, Value};

use super::variable::Variable;

/// What kind of value a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    /// A number of at most this value.
    Number(u32),
    /// An Ethernet address.
    Mac,
    /// A mask of an Ethernet address: ones, then zeros.
    MacMask,
    /// An IPv4 address.
    Ipv4,
    /// An IPv4 mask: a number of bits, or a netmask.
    Ipv4Mask,
    /// An IPv6 address.
    Ipv6,
    /// An IPv6 mask: a number of bits, or a netmask.
    Ipv6Mask,
    /// The protocol in an Ethernet header, by name or number from this one on.
    EtherType(u32),
    /// The operation of ARP, by name or number.
    ArpOpcode,
    /// The protocol in an IP header, by name or number.
    IpProtocol,
    /// States of a connection.
    State,
    /// TCP flags: those that are looked at, and those that must be set.
    TcpFlags,
    /// Name of an ipset.
    IpSet,
    /// What is looked up in an ipset.
    IpSetFlags,
    /// Yes or no.
    Boolean,
    /// Any text.
    Comment,
}

bitflags::bitflags! {
    /// States of a connection, in the order in which they are written.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct States: u8 {
        /// The first packet.
        const NEW = 1 << 0;
        /// Packets went both ways.
        const ESTABLISHED = 1 << 1;
        /// Belongs to another connection.
        const RELATED = 1 << 2;
        /// Fits no connection.
        const INVALID = 1 << 3;
        /// States do not matter. Excludes all others.
        const NONE = 1 << 4;
    }
}

bitflags::bitflags! {
    /// TCP flags, in the order in which they are written.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct TcpFlags: u8 {
        /// No more data.
        const FIN = 1 << 0;
        /// Begin.
        const SYN = 1 << 1;
        /// Give up.
        const RST = 1 << 2;
        /// Hand over.
        const PSH = 1 << 3;
        /// The acknowledgment number counts.
        const ACK = 1 << 4;
        /// The urgent pointer counts.
        const URG = 1 << 5;
    }
}

/// Which address of a packet is looked up in an ipset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpSetSide {
    /// The source's.
    Src,
    /// The destination's.
    Dst,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// Whatever a variable holds.
    Variable(Variable),
    /// A number.
    Number {
        /// The number.
        value: u32,
        /// Whether it was written in hexadecimal, and will be again.
        hex: bool,
    },
    /// An Ethernet address or mask.
    Mac(Mac),
    /// An IP address.
    Address(Ip),
    /// How many bits of an address are compared.
    Prefix(u8),
    /// States of a connection.
    States(States),
    /// TCP flags.
    TcpFlags {
        /// Those that are looked at.
        mask: TcpFlags,
        /// Those among them that must be set.
        flags: TcpFlags,
    },
    /// Name of an ipset.
    IpSet(Text),
    /// What is looked up in it, at most six.
    IpSetFlags(Vec<IpSetSide>),
    /// Yes or no.
    Boolean(bool),
    /// A comment.
    Comment(Text),
}

const ETHER_TYPES: &[(u32, &str)] = &[
    (0x0806, "arp"),
    (0x8035, "rarp"),
    (0x0800, "ipv4"),
    (0x86dd, "ipv6"),
    (0x8100, "vlan"),
];

const ARP_OPCODES: &[(u32, &str)] = &[
    (1, "Request"),
    (2, "Reply"),
    (3, "Request_Reverse"),
    (4, "Reply_Reverse"),
    (5, "DRARP_Request"),
    (6, "DRARP_Reply"),
    (7, "DRARP_Error"),
    (8, "InARP_Request"),
    (9, "ARP_NAK"),
];

const IP_PROTOCOLS: &[(u32, &str)] = &[
    (6, "tcp"),
    (17, "udp"),
    (136, "udplite"),
    (50, "esp"),
    (51, "ah"),
    (1, "icmp"),
    (2, "igmp"),
    (132, "sctp"),
    (58, "icmpv6"),
];

const STATES: &[(u8, &str)] = &[
    (States::NEW.bits(), "NEW"),
    (States::ESTABLISHED.bits(), "ESTABLISHED"),
    (States::RELATED.bits(), "RELATED"),
    (States::INVALID.bits(), "INVALID"),
    (States::NONE.bits(), "NONE"),
];

const TCP_FLAGS: &[(u8, &str)] = &[
    (TcpFlags::FIN.bits(), "FIN"),
    (TcpFlags::SYN.bits(), "SYN"),
    (TcpFlags::RST.bits(), "RST"),
    (TcpFlags::PSH.bits(), "PSH"),
    (TcpFlags::ACK.bits(), "ACK"),
    (TcpFlags::URG.bits(), "URG"),
    (TcpFlags::all().bits(), "ALL"),
    (0, "NONE"),
];

/// Most bytes of a comment; the rest is cut off.
const MAX_COMMENT: usize = 256;
/// Most characters of an ipset's name.
const MAX_IPSET: usize = 31;
/// Most lookups in an ipset.
const MAX_IPSET_FLAGS: usize = 6;

impl FieldKind {
    /// Reads a value of this kind.
    pub(super) fn parse(self, text: &str) -> Option<FieldValue> {
        if let Some(variable) = text.strip_prefix('$') {
            return Variable::parse(variable).map(FieldValue::Variable);
        }
        match self {
            Self::Number(most) => number(text, most),
            Self::Mac => Mac::parse(text).map(FieldValue::Mac),
            Self::MacMask => Mac::parse(text)
                .filter(|mac| ones_then_zeros(&mac.0))
                .map(FieldValue::Mac),
            Self::Ipv4 => ipv4(text).map(|v4| FieldValue::Address(Ip(v4.into()))),
            Self::Ipv6 => ipv6(text).map(|v6| FieldValue::Address(Ip(v6.into()))),
            Self::Ipv4Mask => prefix(text, 32, |t| ipv4(t).map(|v4| v4.octets())),
            Self::Ipv6Mask => prefix(text, 128, |t| ipv6(t).map(|v6| v6.octets())),
            Self::EtherType(least) => named(text, 0xffff, ETHER_TYPES).filter(
                |value| matches!(value, FieldValue::Number { value, .. } if *value >= least),
            ),
            // Never written in hexadecimal.
            Self::ArpOpcode => match named(text, 0xffff, ARP_OPCODES)? {
                FieldValue::Number { value, .. } => Some(FieldValue::Number { value, hex: false }),
                other => Some(other),
            },
            Self::IpProtocol => named(text, 0xff, IP_PROTOCOLS),
            Self::State => states(text).map(FieldValue::States),
            Self::TcpFlags => tcp_flags(text),
            Self::IpSet => {
                (!text.is_empty() && text.len() <= MAX_IPSET && text.chars().all(in_set_name))
                    .then(|| FieldValue::IpSet(text.into()))
            }
            Self::IpSetFlags => set_flags(text).map(FieldValue::IpSetFlags),
            Self::Boolean => match text {
                "true" | "1" | "yes" => Some(FieldValue::Boolean(true)),
                "false" | "0" | "no" => Some(FieldValue::Boolean(false)),
                _ => None,
            },
            Self::Comment => Some(FieldValue::Comment(cut(text, MAX_COMMENT).into())),
        }
    }

    /// Writes a value of this kind.
    pub(super) fn format(self, value: &FieldValue) -> String {
        match (self, value) {
            (Self::EtherType(_), FieldValue::Number { value, hex }) => {
                by_name(*value, *hex, ETHER_TYPES)
            }
            (Self::ArpOpcode, FieldValue::Number { value, .. }) => {
                by_name(*value, false, ARP_OPCODES)
            }
            (Self::IpProtocol, FieldValue::Number { value, hex }) => {
                by_name(*value, *hex, IP_PROTOCOLS)
            }
            (_, value) => value.to_string(),
        }
    }

    /// What should have been written, to complete "'x' is not …".
    pub(super) fn expected(self) -> Cow<'static, str> {
        let rest = match self {
            Self::Number(most) => {
                return format!("a number from 0 to {most}, nor a variable").into();
            }
            Self::EtherType(least) => {
                let names = names(ETHER_TYPES);
                return format!("one of {names}, a number from {least} to 65535, nor a variable")
                    .into();
            }
            Self::ArpOpcode => {
                let names = names(ARP_OPCODES);
                return format!("one of {names}, a number from 0 to 65535, nor a variable").into();
            }
            Self::IpProtocol => {
                let names = names(IP_PROTOCOLS);
                return format!("one of {names}, a number from 0 to 255, nor a variable").into();
            }
            Self::Mac => "an Ethernet address, nor a variable",
            Self::MacMask => "a mask of an Ethernet address, nor a variable",
            Self::Ipv4 => "an IPv4 address, nor a variable",
            Self::Ipv4Mask => "a number from 0 to 32, an IPv4 netmask, nor a variable",
            Self::Ipv6 => "an IPv6 address, nor a variable",
            Self::Ipv6Mask => "a number from 0 to 128, an IPv6 netmask, nor a variable",
            Self::State => "a list of NEW, ESTABLISHED, RELATED, INVALID, or NONE, nor a variable",
            Self::TcpFlags => "two lists of TCP flags such as 'SYN,ACK/SYN', nor a variable",
            Self::IpSet => "the name of an ipset, up to 31 characters, nor a variable",
            Self::IpSetFlags => "a list of up to six 'src' and 'dst', nor a variable",
            Self::Boolean => "one of 'yes', 'no', 'true', 'false', '1', '0', nor a variable",
            Self::Comment => "text, nor a variable",
        };
        Cow::Borrowed(rest)
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(variable) => variable.fmt(f),
            Self::Number { value, hex: false } => value.fmt(f),
            Self::Number { value, hex: true } => write!(f, "{value:#x}"),
            Self::Mac(mac) => mac.fmt(f),
            Self::Address(ip) => ip.fmt(f),
            Self::Prefix(bits) => bits.fmt(f),
            Self::States(states) => f.write_str(&list(states.bits(), STATES)),
            Self::TcpFlags { mask, flags } => {
                write!(f, "{}/{}", tcp_list(*mask), tcp_list(*flags))
            }
            Self::IpSet(text) | Self::Comment(text) => f.write_str(text),
            Self::IpSetFlags(sides) => {
                let names: Vec<&str> = sides.iter().map(|s| s.as_str()).collect();
                f.write_str(&names.join(","))
            }
            Self::Boolean(yes) => yes.fmt(f),
        }
    }
}

impl IpSetSide {
    /// The name in XML and for iptables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Src => "src",
            Self::Dst => "dst",
        }
    }
}

/// A decimal number, or else one in hexadecimal digits with or without `0x`.
fn number(text: &str, most: u32) -> Option<FieldValue> {
    let within = |n: &u32| *n <= most;
    if let Some(value) = u32::from_text(text).filter(within) {
        return Some(FieldValue::Number { value, hex: false });
    }
    let Base16(value) = Base16::<1>::from_text(text)?;
    within(&value).then_some(FieldValue::Number { value, hex: true })
}

/// A number, or a name that stands for one. What has a name is written by it, so hexadecimal digits are forgotten.
fn named(text: &str, most: u32, names: &[(u32, &str)]) -> Option<FieldValue> {
    let by_name = names
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(text));
    let number = || match number(text, most)? {
        FieldValue::Number { value, .. } if names.iter().any(|(n, _)| *n == value) => Some(value),
        _ => None,
    };
    let plain = |value| FieldValue::Number { value, hex: false };
    let known = by_name.map(|(value, _)| *value).or_else(number);
    known.map(plain).or_else(|| self::number(text, most))
}

fn by_name(value: u32, hex: bool, names: &[(u32, &str)]) -> String {
    match names.iter().find(|(number, _)| *number == value) {
        Some((_, name)) => (*name).to_owned(),
        None => FieldValue::Number { value, hex }.to_string(),
    }
}

fn names(known: &[(u32, &str)]) -> String {
    let quoted: Vec<String> = known.iter().map(|(_, name)| format!("'{name}'")).collect();
    quoted.join(", ")
}

fn ipv4(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok()
}

fn ones_then_zeros(bytes: &[u8]) -> bool {
    let ones: u32 = bytes.iter().map(|b| b.leading_ones()).sum();
    let set: u32 = bytes.iter().map(|b| b.count_ones()).sum();
    ones == set && bytes.iter().is_sorted_by(|a, b| *a >= *b) && {
        // Only one byte may have both.
        bytes.iter().filter(|b| !matches!(**b, 0 | 0xff)).count() <= 1
    }
}

/// A number of bits, or a netmask that has as many.
fn prefix<const N: usize>(
    text: &str,
    most: u8,
    address: impl Fn(&str) -> Option<[u8; N]>,
) -> Option<FieldValue> {
    if let Some(bits) = u8::from_text(text) {
        return (bits <= most).then_some(FieldValue::Prefix(bits));
    }
    let mask = address(text).filter(|bytes| ones_then_zeros(bytes))?;
    let bits: u32 = mask.iter().map(|b| b.count_ones()).sum();
    u8::try_from(bits).ok().map(FieldValue::Prefix)
}

/// Reads names separated by commas and spaces, or by nothing at all.
fn items(text: &str, names: &[(u8, &str)]) -> Option<u8> {
    let mut rest = text;
    let mut bits = 0;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return Some(bits);
        }
        let (bit, name) = names.iter().find(|(_, name)| {
            rest.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        })?;
        bits |= bit;
        rest = &rest[name.len()..];
    }
}

fn list(bits: u8, names: &[(u8, &str)]) -> String {
    let set: Vec<&str> = names
        .iter()
        .filter(|(bit, _)| bit.count_ones() == 1 && bits & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    set.join(",")
}

fn states(text: &str) -> Option<States> {
    let states = States::from_bits_truncate(items(text, STATES)?);
    Some(if states.contains(States::NONE) {
        States::NONE
    } else {
        states
    })
}

fn tcp_flags(text: &str) -> Option<FieldValue> {
    let (mask, flags) = text.split_once('/')?;
    let side = |text| items(text, TCP_FLAGS).map(TcpFlags::from_bits_truncate);
    Some(FieldValue::TcpFlags {
        mask: side(mask)?,
        flags: side(flags)?,
    })
}

fn tcp_list(flags: TcpFlags) -> String {
    if flags.is_empty() {
        "NONE".to_owned()
    } else if flags.is_all() {
        "ALL".to_owned()
    } else {
        list(flags.bits(), TCP_FLAGS)
    }
}

fn in_set_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | '+' | ' ')
}

fn set_flags(text: &str) -> Option<Vec<IpSetSide>> {
    let sides: Vec<IpSetSide> = text
        .split(',')
        .map(|side| match side.to_ascii_lowercase().as_str() {
            "src" => Some(IpSetSide::Src),
            "dst" => Some(IpSetSide::Dst),
            _ => None,
        })
        .collect::<Option<_>>()?;
    (sides.len() <= MAX_IPSET_FLAGS).then_some(sides)
}

/// The first `most` bytes, or fewer so that no character is cut in two.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(kind: FieldKind, text: &str) -> Option<String> {
        kind.parse(text).map(|value| kind.format(&value))
    }

    #[test]
    fn values_go_both_ways() {
        for (kind, text, written) in [
            (FieldKind::Number(0xff), "12", "12"),
            (FieldKind::Number(0xff), "0xFF", "0xff"),
            (FieldKind::Number(0xff), "1f", "0x1f"),
            (FieldKind::Number(u32::MAX), "4294967295", "4294967295"),
            (FieldKind::MacMask, "ff:ff:ff:c0:0:0", "ff:ff:ff:c0:00:00"),
            (FieldKind::Ipv4Mask, "255.255.252.0", "22"),
            (FieldKind::Ipv4Mask, "0", "0"),
            (FieldKind::Ipv6Mask, "ffff:8000::", "17"),
            (FieldKind::Ipv6, "A:B::0:1", "a:b::1"),
            (FieldKind::EtherType(0x600), "ARP", "arp"),
            (FieldKind::EtherType(0x600), "0x86dd", "ipv6"),
            (FieldKind::EtherType(0x3c), "0x3c", "0x3c"),
            (FieldKind::ArpOpcode, "request_reverse", "Request_Reverse"),
            (FieldKind::ArpOpcode, "0xb", "11"),
            (FieldKind::IpProtocol, "33", "33"),
            (FieldKind::IpProtocol, "0x21", "0x21"),
            (FieldKind::IpProtocol, "132", "sctp"),
            (FieldKind::State, "related, new", "NEW,RELATED"),
            (FieldKind::State, "NEW,NONE", "NONE"),
            (FieldKind::TcpFlags, "ack,syn/", "SYN,ACK/NONE"),
            (FieldKind::TcpFlags, "ALL/URG,PSH", "ALL/PSH,URG"),
            (FieldKind::IpSetFlags, "SRC,dst", "src,dst"),
            (FieldKind::Boolean, "1", "true"),
            (FieldKind::Comment, "any 'thing'", "any 'thing'"),
            (FieldKind::Number(1), "$A[ @1 ]", "$A[@1]"),
        ] {
            assert_eq!(again(kind, text).as_deref(), Some(written), "{text}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        for (kind, text) in [
            (FieldKind::Number(0xff), "256"),
            (FieldKind::Number(0xff), "-1"),
            (FieldKind::Number(0xff), ""),
            (FieldKind::MacMask, "ff:0:ff:0:0:0"),
            (FieldKind::MacMask, "ff:7f:0:0:0:0"),
            (FieldKind::Ipv4, "10.0.0"),
            (FieldKind::Ipv4, "::1"),
            (FieldKind::Ipv4Mask, "33"),
            (FieldKind::Ipv4Mask, "255.0.255.0"),
            (FieldKind::Ipv6Mask, "129"),
            (FieldKind::EtherType(0x600), "0x5ff"),
            (FieldKind::ArpOpcode, "65536"),
            (FieldKind::ArpOpcode, "Shout"),
            (FieldKind::State, "NEW,OLD"),
            (FieldKind::TcpFlags, "SYN"),
            (FieldKind::TcpFlags, "SYN/XXX"),
            (FieldKind::IpSet, "a/b"),
            (FieldKind::IpSet, "a23456789012345678901234567890123"),
            (FieldKind::IpSetFlags, "src,"),
            (FieldKind::IpSetFlags, "src,src,src,src,src,src,src"),
            (FieldKind::Boolean, "maybe"),
            (FieldKind::Comment, "$(ls)"),
        ] {
            assert_eq!(again(kind, text), None, "{text}");
        }
    }

    #[test]
    fn comments_are_cut_between_characters() {
        let text = "ä".repeat(200);
        assert_eq!(again(FieldKind::Comment, &text).unwrap(), "ä".repeat(128));
    }
}
