//! The host's rule set, as nftables lists it (`nft -j list ruleset`), and what it certainly does with a packet.
//!
//! A packet is known in parts only: where it comes in and goes out, its networks, protocol and port, and whether it opens a connection. So a rule
//! matches, does not match, or may match. Only what is certain is told: a packet that may have been accepted by an earlier rule is not said to be
//! dropped by a later one. Whatever is not understood may match. Nothing of the host is looked at.

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;
use virtbus_conf_base::common::{Ip, IpFamily};

use super::rule::Subnet;

/// Chains that jump to each other are followed so deep, as the kernel does.
const DEEPEST: u32 = 16;

/// Where a packet passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Through the host.
    Forward,
    /// To the host.
    Input,
}

impl Hook {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Input => "input",
        }
    }
}

/// What is known of a packet; what is not, is `None`.
#[derive(Debug, Clone)]
pub struct Packet<'a> {
    /// Its family.
    pub family: IpFamily,
    /// The interface by which it comes in.
    pub input: Option<&'a str>,
    /// The interface by which it goes out.
    pub output: Option<&'a str>,
    /// The network of its sender.
    pub source: Option<Subnet>,
    /// The network of its receiver.
    pub destination: Option<Subnet>,
    /// Its protocol: `tcp`, `udp`.
    pub protocol: Option<&'a str>,
    /// The port that it is sent to.
    pub port: Option<u16>,
    /// Whether it opens a connection (`new`) or answers (`established`).
    pub state: &'static str,
}

/// Where a packet is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Family and name of the table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// The rule's handle, by which nftables names it; none for the policy of the chain.
    pub rule: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    No,
    Maybe,
    Yes,
}

impl Truth {
    fn of(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Maybe,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

#[derive(Debug, Default)]
struct Chain {
    /// Hook, priority and policy of one that packets pass by themselves.
    base: Option<(String, i64, bool)>,
    rules: Vec<(u64, Vec<Value>)>,
}

/// Family, table, chain.
type Place = (String, String, String);

/// All chains of the host that filter.
#[derive(Debug, Default)]
pub struct Ruleset(HashMap<Place, Chain>);

/// What becomes of a packet in a chain.
enum Outcome {
    /// It is through with this base chain.
    Accepted,
    Dropped(Dropped),
    /// It goes on behind the rule that led here.
    Returned,
    /// It may have been accepted, or may have left the chain.
    Unsure,
}

enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
    /// It is handed to somebody who decides.
    Other,
}

fn text(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.to_owned())
}

impl Ruleset {
    /// Reads a listing. What is not understood of it is left out or may match.
    ///
    /// # Errors
    /// If it is no listing at all.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let all: Value = serde_json::from_str(json)?;
        let objects = all.get("nftables").and_then(Value::as_array);
        let mut chains: HashMap<Place, Chain> = HashMap::new();
        for object in objects.into_iter().flatten() {
            if let Some(chain) = object.get("chain") {
                let place = || {
                    Some((
                        text(chain, "family")?,
                        text(chain, "table")?,
                        text(chain, "name")?,
                    ))
                };
                let Some(place) = place() else { continue };
                let is_filter = text(chain, "type").as_deref() == Some("filter");
                let base = text(chain, "hook").filter(|_| is_filter).map(|hook| {
                    let priority = chain.get("prio").and_then(Value::as_i64).unwrap_or(0);
                    (
                        hook,
                        priority,
                        text(chain, "policy").as_deref() == Some("drop"),
                    )
                });
                chains.entry(place).or_default().base = base;
            } else if let Some(rule) = object.get("rule") {
                let place = || {
                    Some((
                        text(rule, "family")?,
                        text(rule, "table")?,
                        text(rule, "chain")?,
                    ))
                };
                let Some(place) = place() else { continue };
                let handle = rule.get("handle").and_then(Value::as_u64).unwrap_or(0);
                let statements = rule.get("expr").and_then(Value::as_array).cloned();
                let rules = &mut chains.entry(place).or_default().rules;
                rules.push((handle, statements.unwrap_or_default()));
            }
        }
        Ok(Self(chains))
    }

    /// Whether there is a chain of this name in any table.
    #[must_use]
    pub fn has_chain(&self, name: &str) -> bool {
        self.0.keys().any(|(_, _, chain)| chain == name)
    }

    /// Whether there is a table of this name.
    #[must_use]
    pub fn has_table(&self, name: &str) -> bool {
        self.0.keys().any(|(_, table, _)| table == name)
    }

    /// The first place in which the packet is dropped for certain. What tables for which `skip` holds do is not looked at.
    #[must_use]
    pub fn dropped(
        &self,
        hook: Hook,
        packet: &Packet<'_>,
        skip: impl Fn(&str) -> bool,
    ) -> Option<Dropped> {
        let family = match packet.family {
            IpFamily::Ipv4 => "ip",
            IpFamily::Ipv6 => "ip6",
        };
        let mut bases: Vec<(i64, &Place, bool)> = Vec::new();
        for (place, chain) in &self.0 {
            let Some((at, priority, drops)) = &chain.base else {
                continue;
            };
            let fits = place.0 == family || place.0 == "inet";
            if at == hook.as_str() && fits && !skip(&place.1) {
                bases.push((*priority, place, *drops));
            }
        }
        // Whatever a map's order is, the same is told each time.
        bases.sort();
        bases.into_iter().find_map(
            |(_, place, drops)| match self.chain(place, packet, DEEPEST) {
                Outcome::Dropped(dropped) => Some(dropped),
                Outcome::Accepted | Outcome::Unsure => None,
                Outcome::Returned => drops.then(|| at(place, None)),
            },
        )
    }

    fn chain(&self, place: &Place, packet: &Packet<'_>, depth: u32) -> Outcome {
        let (Some(chain), Some(depth)) = (self.0.get(place), depth.checked_sub(1)) else {
            return Outcome::Unsure;
        };
        for (handle, statements) in &chain.rules {
            let mut matched = Truth::Yes;
            for statement in statements {
                if matched == Truth::No {
                    break;
                }
                for (when, verdict) in effects(statement, packet, &mut matched) {
                    let certain = matched.and(when);
                    if certain == Truth::No {
                        continue;
                    }
                    let outcome = match verdict {
                        Verdict::Accept => Outcome::Accepted,
                        Verdict::Drop => Outcome::Dropped(at(place, Some(*handle))),
                        Verdict::Return => Outcome::Returned,
                        Verdict::Jump(to) => {
                            let to = (place.0.clone(), place.1.clone(), to);
                            match self.chain(&to, packet, depth) {
                                Outcome::Returned => continue,
                                other => other,
                            }
                        }
                        Verdict::Goto(to) => {
                            let to = (place.0.clone(), place.1.clone(), to);
                            self.chain(&to, packet, depth)
                        }
                        Verdict::Other => Outcome::Unsure,
                    };
                    match (certain, outcome) {
                        // What only may be dropped here goes on.
                        (Truth::Maybe, Outcome::Dropped(_)) => {}
                        (Truth::Maybe, _) => return Outcome::Unsure,
                        (_, outcome) => return outcome,
                    }
                }
            }
        }
        Outcome::Returned
    }
}

fn at(place: &Place, rule: Option<u64>) -> Dropped {
    Dropped {
        table: format!("{} {}", place.0, place.1),
        chain: place.2.clone(),
        rule,
    }
}

/// What a statement does to a packet, and whether it does; or, if it is a condition, whether the rule still matches.
fn effects(statement: &Value, packet: &Packet<'_>, matched: &mut Truth) -> Vec<(Truth, Verdict)> {
    if let Some(verdict) = verdict(statement) {
        return vec![(Truth::Yes, verdict)];
    }
    let Some((name, body)) = statement
        .as_object()
        .and_then(|object| object.iter().next())
    else {
        return Vec::new();
    };
    match name.as_str() {
        "match" => {
            *matched = matched.and(condition(body, packet));
            Vec::new()
        }
        "vmap" => {
            let set = body.get("data").and_then(|data| data.get("set"));
            let Some(entries) = set.and_then(Value::as_array) else {
                return vec![(Truth::Maybe, Verdict::Other)];
            };
            let key = body.get("key").unwrap_or(&Value::Null);
            let entries = entries.iter().filter_map(|entry| {
                let [wanted, then] = entry.as_array()?.as_slice() else {
                    return None;
                };
                Some((
                    is(key, wanted, packet),
                    verdict(then).unwrap_or(Verdict::Other),
                ))
            });
            entries.collect()
        }
        // These change nothing of what becomes of it.
        "counter" | "log" | "mangle" | "notrack" | "meta" | "ct" | "set" | "map" | "flow" => {
            Vec::new()
        }
        "xt" if text(body, "type").as_deref() == Some("target") => {
            match text(body, "name").as_deref() {
                Some("REJECT" | "DROP") => vec![(Truth::Yes, Verdict::Drop)],
                _ => Vec::new(),
            }
        }
        _ => {
            *matched = matched.and(Truth::Maybe);
            Vec::new()
        }
    }
}

fn verdict(statement: &Value) -> Option<Verdict> {
    let (name, body) = statement.as_object()?.iter().next()?;
    let target = || text(body, "target");
    Some(match name.as_str() {
        "accept" => Verdict::Accept,
        "drop" | "reject" => Verdict::Drop,
        "return" => Verdict::Return,
        "jump" => target().map_or(Verdict::Other, Verdict::Jump),
        "goto" => target().map_or(Verdict::Other, Verdict::Goto),
        "queue" => Verdict::Other,
        _ => return None,
    })
}

fn condition(body: &Value, packet: &Packet<'_>) -> Truth {
    let (Some(left), Some(right)) = (body.get("left"), body.get("right")) else {
        return Truth::Maybe;
    };
    match text(body, "op").as_deref() {
        Some("==" | "in") => is(left, right, packet),
        Some("!=") => is(left, right, packet).not(),
        _ => Truth::Maybe,
    }
}

/// Whether a field of the packet is this value, or one of these.
fn is(left: &Value, right: &Value, packet: &Packet<'_>) -> Truth {
    let many = right.get("set").or(Some(right)).and_then(Value::as_array);
    if let Some(many) = many {
        let each = many.iter().map(|one| is(left, one, packet));
        return each.fold(Truth::No, Truth::or);
    }
    let word = right.as_str();
    let words = |known: Option<&str>| match (known, word) {
        (Some(known), Some(word)) => Truth::of(known == word),
        _ => Truth::Maybe,
    };
    let member = |path: &str, name: &str| left.get(path).and_then(|value| text(value, name));
    if let Some(key) = member("meta", "key") {
        return match key.as_str() {
            "iif" | "iifname" => interface(packet.input, word),
            "oif" | "oifname" => interface(packet.output, word),
            "l4proto" => words(packet.protocol),
            "nfproto" => words(Some(packet.family.as_str())),
            "protocol" => words(Some(match packet.family {
                IpFamily::Ipv4 => "ip",
                IpFamily::Ipv6 => "ip6",
            })),
            _ => Truth::Maybe,
        };
    }
    if member("ct", "key").as_deref() == Some("state") {
        return words(Some(packet.state));
    }
    let of = (member("payload", "protocol"), member("payload", "field"));
    let (Some(of), Some(field)) = of else {
        return Truth::Maybe;
    };
    match (of.as_str(), field.as_str()) {
        ("ip" | "ip6", "saddr") => address(packet.source, right),
        ("ip" | "ip6", "daddr") => address(packet.destination, right),
        ("ip", "protocol") | ("ip6", "nexthdr") => words(packet.protocol),
        ("tcp" | "udp" | "th", "dport") => {
            let same = of == "th" || packet.protocol == Some(of.as_str());
            match packet.protocol {
                Some(_) if !same => Truth::No,
                _ => port(packet.port, right),
            }
        }
        ("tcp" | "udp", _) if packet.protocol.is_some_and(|known| known != of) => Truth::No,
        _ => Truth::Maybe,
    }
}

/// Names of interfaces may end in `*`.
fn interface(known: Option<&str>, word: Option<&str>) -> Truth {
    let (Some(known), Some(word)) = (known, word) else {
        return Truth::Maybe;
    };
    Truth::of(match word.strip_suffix('*') {
        Some(front) => known.starts_with(front),
        None => known == word,
    })
}

fn address(known: Option<Subnet>, right: &Value) -> Truth {
    let Some(known) = known else {
        return Truth::Maybe;
    };
    let read = |text: &str| text.parse::<IpAddr>().ok().map(Ip);
    let told = match (right.as_str(), right.get("prefix")) {
        (Some(text), _) => read(text).map(|ip| (ip, ip.bits())),
        (None, Some(prefix)) => {
            let length = prefix.get("len").and_then(Value::as_u64);
            let length = length.and_then(|length| u32::try_from(length).ok());
            text(prefix, "addr")
                .and_then(|text| read(&text))
                .zip(length)
        }
        (None, None) => None,
    };
    let Some((ip, length)) = told else {
        return Truth::Maybe;
    };
    if ip.family() != known.family() {
        return Truth::No;
    }
    let common = length.min(known.prefix);
    if ip.network(common) != known.address.network(common) {
        return Truth::No;
    }
    // All of it, or a part.
    if length <= known.prefix {
        Truth::Yes
    } else {
        Truth::Maybe
    }
}

fn port(known: Option<u16>, right: &Value) -> Truth {
    let Some(known) = known.map(u64::from) else {
        return Truth::Maybe;
    };
    if let Some(number) = right.as_u64() {
        return Truth::of(number == known);
    }
    let range = right.get("range").and_then(Value::as_array);
    match range
        .map(|range| range.iter().filter_map(Value::as_u64).collect::<Vec<_>>())
        .as_deref()
    {
        Some([first, last]) => Truth::of((*first..=*last).contains(&known)),
        _ => Truth::Maybe,
    }
}

#[cfg(test)]
mod tests;
