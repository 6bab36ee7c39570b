//! Rules as statements of nftables.
//!
//! A table in which the rules of a network are belongs to nobody else, so it can be replaced and removed as a whole: whatever happens in
//! between, there is the old one or the new one. nftables lets a packet pass that no table refuses, so tables of several networks do not
//! disturb each other.

use std::fmt::Write as _;

use virtbus_conf_base::common::IpFamily;

use super::Command;
use super::rule::{Protocol, Rule, Subnet};

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// A name of the host's, which is quoted where statements are read as one text.
    Name(String),
}

/// A statement of nftables' language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement(Vec<Token>);

impl Statement {
    fn new(words: &[&str]) -> Self {
        Self(Vec::new()).words_of(words)
    }

    fn words_of(mut self, words: &[&str]) -> Self {
        let words = words.iter().map(|word| Token::Word((*word).to_owned()));
        self.0.extend(words);
        self
    }

    /// `iif NAME` and its like.
    fn interface(mut self, what: &str, name: &str) -> Self {
        self.0.push(Token::Word(what.to_owned()));
        self.0.push(Token::Name(name.to_owned()));
        self
    }

    fn interface_if(self, what: &str, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.interface(what, name),
            None => self,
        }
    }

    /// Its words, one by one, as the arguments of a program.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|token| match token {
            Token::Word(text) | Token::Name(text) => text.as_str(),
        })
    }

    /// One line of a script.
    fn write(&self, out: &mut String) {
        for (at, token) in self.0.iter().enumerate() {
            let blank = if at == 0 { "" } else { " " };
            match token {
                Token::Word(word) => write!(out, "{blank}{word}"),
                Token::Name(name) => write!(out, "{blank}\"{name}\""),
            }
            .expect("writing to a String cannot fail");
        }
        out.push('\n');
    }
}

const fn family_word(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "ip",
        IpFamily::Ipv6 => "ip6",
    }
}

/// Hooked where packets are forwarded.
const FORWARD: &str = "forward";
/// What guests send.
const OUTPUT: &str = "guest_output";
/// What is sent to guests.
const INPUT: &str = "guest_input";
/// What guests send to each other.
const CROSS: &str = "guest_cross";
/// The chains that are jumped to, in the order in which they are made.
const GUESTS: [&str; 3] = [OUTPUT, INPUT, CROSS];
/// Hooked where source addresses are translated.
const NAT: &str = "guest_nat";

/// Makes a table with its chains, in which nothing is refused yet.
#[must_use]
pub fn table(family: IpFamily, table: &str) -> Vec<Statement> {
    let family = family_word(family);
    let chain = |name: &str| Statement::new(&["add", "chain", family, table, name]);
    let hooked = |name: &str, hook: &str| chain(name).words_of(&[hook]);
    let jump = |to: &str| {
        Statement::new(&[
            "insert", "rule", family, table, FORWARD, "counter", "jump", to,
        ])
    };
    let mut statements = vec![
        Statement::new(&["add", "table", family, table]),
        hooked(
            FORWARD,
            "{ type filter hook forward priority 0; policy accept; }",
        ),
    ];
    for guests in GUESTS {
        statements.extend([chain(guests), jump(guests)]);
    }
    statements.push(hooked(
        NAT,
        "{ type nat hook postrouting priority 100; policy accept; }",
    ));
    statements
}

/// The rules for a bridge of this name. Services of the host are not there: what a host lets in is its administrator's, or its firewall's.
#[must_use]
pub fn statements(rules: &[Rule], bridge: &str, table: &str) -> Vec<Statement> {
    let one = |rule: &Rule| statement(rule, bridge, table);
    rules.iter().filter_map(one).collect()
}

/// Whose rule it is. None for what nftables is not told.
fn family_of(rule: &Rule) -> Option<IpFamily> {
    match rule {
        Rule::RejectOut(family) | Rule::RejectIn(family) | Rule::Cross(family) => Some(*family),
        Rule::AllowOut(network, _)
        | Rule::AllowIn(network, _)
        | Rule::AllowAnswers(network, _)
        | Rule::Keep(network, ..)
        | Rule::Translate { network, .. } => Some(network.family()),
        Rule::ToHost(..) | Rule::FromHost(..) | Rule::FixChecksums => None,
    }
}

fn statement(rule: &Rule, bridge: &str, table: &str) -> Option<Statement> {
    let ip = family_word(family_of(rule)?);
    let insert = |chain: &str| Statement::new(&["insert", "rule", ip, table, chain]);
    let network = |subnet: &Subnet| subnet.to_string();
    Some(match rule {
        Rule::ToHost(..) | Rule::FromHost(..) | Rule::FixChecksums => return None,
        Rule::RejectOut(_) => insert(OUTPUT)
            .interface("iif", bridge)
            .words_of(&["counter", "reject"]),
        Rule::RejectIn(_) => insert(INPUT)
            .interface("oif", bridge)
            .words_of(&["counter", "reject"]),
        Rule::Cross(_) => insert(CROSS)
            .interface("iif", bridge)
            .interface("oif", bridge)
            .words_of(&["counter", "accept"]),
        Rule::AllowOut(from, device) => insert(OUTPUT)
            .words_of(&[ip, "saddr", &network(from)])
            .interface("iif", bridge)
            .interface_if("oifname", device.as_deref())
            .words_of(&["counter", "accept"]),
        Rule::AllowIn(to, device) => insert(INPUT)
            .words_of(&[ip, "daddr", &network(to)])
            .interface_if("iifname", device.as_deref())
            .interface("oif", bridge)
            .words_of(&["counter", "accept"]),
        Rule::AllowAnswers(to, device) => insert(INPUT)
            .interface_if("iifname", device.as_deref())
            .interface("oif", bridge)
            .words_of(&[ip, "daddr", &network(to)])
            .words_of(&["ct", "state", "related,established", "counter", "accept"]),
        Rule::Keep(from, device, to) => insert(NAT)
            .interface_if("oifname", device.as_deref())
            .words_of(&[ip, "saddr", &network(from), ip, "daddr", to])
            .words_of(&["counter", "return"]),
        Rule::Translate {
            network: from,
            protocol,
            device,
            addresses,
            ports,
        } => {
            let from = network(from);
            let mut translate = insert(NAT);
            if let Some(protocol) = protocol {
                translate = translate.words_of(&["meta", "l4proto", Protocol::as_str(*protocol)]);
            }
            translate = translate
                .words_of(&[ip, "saddr", &from, ip, "daddr", "!=", &from])
                .interface_if("oifname", device.as_deref())
                .words_of(&["counter"]);
            let ports = ports.map(range).map(|ports| format!(":{ports}"));
            let ports = ports.unwrap_or_default();
            match addresses {
                Some(addresses) => {
                    let to = format!("{}{ports}", range(*addresses));
                    translate.words_of(&["snat", "to", &to])
                }
                None if ports.is_empty() => translate.words_of(&["masquerade"]),
                None => translate.words_of(&["masquerade", "to", &ports]),
            }
        }
    })
}

fn range<T: PartialEq + std::fmt::Display>((first, last): (T, T)) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

/// A script that puts the rules into place of those that the table has, at once, or makes the table.
#[must_use]
pub fn replacing(rules: &[Rule], bridge: &str, name: &str) -> String {
    let mut script = String::new();
    for family in [IpFamily::Ipv4, IpFamily::Ipv6] {
        script.push_str(&removing_one(family, name));
        if !rules.iter().any(|rule| family_of(rule) == Some(family)) {
            continue;
        }
        for statement in table(family, name) {
            statement.write(&mut script);
        }
    }
    for statement in statements(rules, bridge, name) {
        statement.write(&mut script);
    }
    script
}

/// A command that lists a table, and how many rules it then lists, each with a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The command.
    pub command: Command,
    /// Rules in the table, with those that jump to its chains.
    pub rules: usize,
}

/// How it is found out whether the rules are in the tables of this name.
#[must_use]
pub fn listing(rules: &[Rule], name: &str) -> Vec<Listing> {
    let of = |family| {
        let count = rules
            .iter()
            .filter(|rule| family_of(rule) == Some(family))
            .count();
        let words = ["-s", "list", "table", family_word(family), name];
        (count > 0).then(|| Listing {
            command: Command::new("nft", words),
            rules: count + GUESTS.len(),
        })
    };
    [IpFamily::Ipv4, IpFamily::Ipv6]
        .into_iter()
        .filter_map(of)
        .collect()
}

/// A script that removes the tables of a network, whether they are there or not.
#[must_use]
pub fn removing(name: &str) -> String {
    [IpFamily::Ipv4, IpFamily::Ipv6]
        .map(|family| removing_one(family, name))
        .concat()
}

fn removing_one(family: IpFamily, name: &str) -> String {
    let family = family_word(family);
    let mut script = String::new();
    // What is added first can be deleted, whether it was there or not.
    for verb in ["add", "delete"] {
        Statement::new(&[verb, "table", family, name]).write(&mut script);
    }
    script
}

/// What is run to find out whether checksums are looked after already on this bridge; they are if it answers anything.
#[must_use]
pub fn finding_checksums(bridge: &str) -> Command {
    Command::new("tc", ["qdisc", "show", "dev", bridge, "handle", "1:"])
}

/// What is run to have checksums looked after; nftables has nothing for it.
#[must_use]
pub fn making_queue(bridge: &str) -> Command {
    Command::new(
        "tc",
        [
            "qdisc", "add", "dev", bridge, "root", "handle", "1:", "htb", "default", "2",
        ],
    )
}

/// What is run then.
#[must_use]
pub fn fixing_checksums(bridge: &str) -> Command {
    let filter = ["filter", "add", "dev", bridge, "prio", "2"];
    let what = [
        "protocol", "ip", "parent", "1:", "u32", "match", "ip", "dport", "68", "ffff",
    ];
    let action = ["action", "csum", "ip", "and", "udp"];
    Command::new("tc", filter.iter().chain(&what).chain(&action).copied())
}
