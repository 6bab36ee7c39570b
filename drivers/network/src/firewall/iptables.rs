//! Rules as commands of iptables and ip6tables.
//!
//! All networks share a few chains of ours, which the host's chains jump to. A rule is removed by saying it again with another verb, so none
//! of somebody else's is touched.

use virtbus_conf_base::common::IpFamily;

use super::Command;
use super::rule::{Protocol, Rule, Subnet};

/// A chain of ours.
struct Chain {
    table: &'static str,
    /// Its name behind the prefix that all have.
    name: &'static str,
    /// The host's chain that jumps to it.
    from: &'static str,
}

/// All of them, in the order in which they are made.
const CHAINS: [Chain; 7] = [
    Chain {
        table: "filter",
        name: "INP",
        from: "INPUT",
    },
    Chain {
        table: "filter",
        name: "OUT",
        from: "OUTPUT",
    },
    Chain {
        table: "filter",
        name: "FWO",
        from: "FORWARD",
    },
    Chain {
        table: "filter",
        name: "FWI",
        from: "FORWARD",
    },
    Chain {
        table: "filter",
        name: "FWX",
        from: "FORWARD",
    },
    Chain {
        table: "nat",
        name: "PRT",
        from: "POSTROUTING",
    },
    Chain {
        table: "mangle",
        name: "PRT",
        from: "POSTROUTING",
    },
];

/// The program for a family.
#[must_use]
pub const fn program(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "iptables",
        IpFamily::Ipv6 => "ip6tables",
    }
}

/// What is done with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It is put before the others.
    Insert,
    /// It is taken away; fails if it is not there.
    Delete,
    /// Fails if it is not there.
    Check,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "--insert",
            Self::Delete => "--delete",
            Self::Check => "--check",
        }
    }
}

/// Commands that tell what is in the tables, the answers of which [`making`] looks at.
#[must_use]
pub fn listing(family: IpFamily) -> Vec<Command> {
    let list = |table| Command::new(program(family), ["-w", "--table", table, "--list-rules"]);
    ["filter", "nat", "mangle"].map(list).into()
}

/// Commands that make the chains which the answers do not have, and have the host's chains jump to them. `prefix` is what their names begin
/// with; `listed` has the answers of [`listing`], in its order.
#[must_use]
pub fn making(family: IpFamily, prefix: &str, listed: &[String; 3]) -> Vec<Command> {
    let mut commands = Vec::new();
    for chain in &CHAINS {
        let listed = match chain.table {
            "filter" => &listed[0],
            "nat" => &listed[1],
            _ => &listed[2],
        };
        let name = format!("{prefix}{}", chain.name);
        let has = |line: &str| listed.lines().any(|listed| listed.trim_end() == line);
        let mut run = |arguments: [&str; 4]| {
            let all = ["-w", "--table", chain.table];
            commands.push(Command::new(
                program(family),
                all.into_iter()
                    .chain(arguments)
                    .filter(|word| !word.is_empty()),
            ));
        };
        if !has(&format!("-N {name}")) {
            run(["--new-chain", &name, "", ""]);
        }
        if !has(&format!("-A {} -j {name}", chain.from)) {
            run(["--insert", chain.from, "--jump", &name]);
        }
    }
    commands
}

/// Does something with each rule, for a bridge of this name.
#[must_use]
pub fn commands(rules: &[Rule], bridge: &str, prefix: &str, verb: Verb) -> Vec<Command> {
    let one = |rule: &Rule| {
        let (family, table, chain, words) = told(rule, bridge);
        let chain = format!("{prefix}{chain}");
        let place = ["-w", "--table", table, verb.as_str(), &chain];
        let place = place.map(str::to_owned).into_iter();
        Command::new(program(family), place.chain(words))
    };
    rules.iter().map(one).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// An option that is there if its value is.
fn option(name: &str, value: Option<&str>) -> Vec<String> {
    value.map_or_else(Vec::new, |value| words(&[name, value]))
}

/// A rule: its family, its table, its chain behind the prefix, and what it says.
fn told(rule: &Rule, bridge: &str) -> (IpFamily, &'static str, &'static str, Vec<String>) {
    let filter = |family, chain, said| (family, "filter", chain, said);
    let port = |way: &str, protocol: Protocol, port: u16| {
        let protocol = protocol.as_str();
        let port = port.to_string();
        words(&[
            way,
            bridge,
            "--protocol",
            protocol,
            "--destination-port",
            &port,
            "--jump",
            "ACCEPT",
        ])
    };
    let source = |network: &Subnet| words(&["--source", &network.to_string()]);
    let destination = |network: &Subnet| words(&["--destination", &network.to_string()]);
    match rule {
        Rule::ToHost(family, protocol, number) => {
            filter(*family, "INP", port("--in-interface", *protocol, *number))
        }
        Rule::FromHost(family, protocol, number) => {
            filter(*family, "OUT", port("--out-interface", *protocol, *number))
        }
        Rule::RejectOut(family) => filter(
            *family,
            "FWO",
            words(&["--in-interface", bridge, "--jump", "REJECT"]),
        ),
        Rule::RejectIn(family) => filter(
            *family,
            "FWI",
            words(&["--out-interface", bridge, "--jump", "REJECT"]),
        ),
        Rule::Cross(family) => {
            let said = [
                "--in-interface",
                bridge,
                "--out-interface",
                bridge,
                "--jump",
                "ACCEPT",
            ];
            filter(*family, "FWX", words(&said))
        }
        Rule::AllowOut(from, device) => {
            let said = [
                source(from),
                words(&["--in-interface", bridge]),
                option("--out-interface", device.as_deref()),
                words(&["--jump", "ACCEPT"]),
            ];
            filter(from.family(), "FWO", said.concat())
        }
        Rule::AllowIn(to, device) | Rule::AllowAnswers(to, device) => {
            let answers = match rule {
                Rule::AllowAnswers(..) => {
                    words(&["--match", "conntrack", "--ctstate", "ESTABLISHED,RELATED"])
                }
                _ => Vec::new(),
            };
            let said = [
                destination(to),
                option("--in-interface", device.as_deref()),
                words(&["--out-interface", bridge]),
                answers,
                words(&["--jump", "ACCEPT"]),
            ];
            filter(to.family(), "FWI", said.concat())
        }
        Rule::Translate {
            network,
            protocol,
            device,
            addresses,
            ports,
        } => {
            let ports = ports.map(range);
            let target = match addresses {
                Some(addresses) => {
                    let ports = ports.map(|ports| format!(":{ports}")).unwrap_or_default();
                    let to = format!("{}{ports}", range(*addresses));
                    words(&["--jump", "SNAT", "--to-source", &to])
                }
                None => [
                    words(&["--jump", "MASQUERADE"]),
                    option("--to-ports", ports.as_deref()),
                ]
                .concat(),
            };
            let said = [
                source(network),
                option("-p", protocol.map(Protocol::as_str)),
                words(&["!"]),
                destination(network),
                option("--out-interface", device.as_deref()),
                target,
            ];
            (network.family(), "nat", "PRT", said.concat())
        }
        Rule::Keep(from, device, to) => {
            let said = [
                option("--out-interface", device.as_deref()),
                source(from),
                words(&["--destination", to, "--jump", "RETURN"]),
            ];
            (from.family(), "nat", "PRT", said.concat())
        }
        Rule::FixChecksums => {
            let to = ["--out-interface", bridge, "--protocol", "udp"];
            let what = [
                "--destination-port",
                "68",
                "--jump",
                "CHECKSUM",
                "--checksum-fill",
            ];
            let said = [words(&to), words(&what)].concat();
            (IpFamily::Ipv4, "mangle", "PRT", said)
        }
    }
}

fn range<T: PartialEq + std::fmt::Display>((first, last): (T, T)) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}
