//! What the programs of the host are told of a network: dnsmasq, and the packet filter.
//!
//! Comments at the beginning of dnsmasq's configuration say to people whose file it is; they are not compared.

use std::path::Path;

use virtbus_conf_host::network::Network;
use virtbus_network::dnsmasq::{Configuration, Paths};
use virtbus_network::firewall::iptables::{self, Verb};
use virtbus_network::firewall::{Command, Family, Rule, nft, rules};
use virtbus_network::names;

use crate::case::Case;
use crate::compare;
use crate::outcome::{Held, Problem};
use crate::seams::Counting;

/// Where the state of networks is.
const STATE: &str = "/var/lib/libvirt/dnsmasq";
/// The name of tables of nftables.
const TABLE: &str = "libvirt_network";
/// What names of chains of iptables begin with.
const PREFIX: &str = "LIBVIRT_";

/// `networkxml2conf`.
pub(crate) fn dnsmasq(case: &Case) -> Held<()> {
    let network = read(case)?;
    let state = Path::new(STATE);
    let stem = names::file_stem(&network.name);
    let paths = Paths {
        dhcp_hosts: state.join(format!("{stem}.hostsfile")),
        dns_hosts: state.join(format!("{stem}.addnhosts")),
    };
    let bridge = network.bridge_name().unwrap_or_default();
    let made = Configuration::of(&network, bridge, &paths);
    compare::text(without_head(&case.expected()?), without_head(&made.main))?;
    let hosts = match case.text("expect_hostsfile")? {
        Some(_) => case.file("expect_hostsfile")?,
        None => String::new(),
    };
    compare::text(&hosts, &made.dhcp_hosts)
}

/// The text behind the comments that it begins with.
fn without_head(text: &str) -> &str {
    let mut rest = text;
    while rest.starts_with('#') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest
}

/// `networkxml2firewall`.
pub(crate) fn firewall(case: &Case) -> Held<()> {
    let network = read(case)?;
    let bridge = network.bridge_name().unwrap_or_default();
    let rules = rules(&network);
    let (base, commands) = match case.text_req("backend")? {
        "iptables" => {
            let chains = [Family::Ipv4, Family::Ipv6].into_iter().flat_map(|family| {
                let listed = Default::default();
                let making = iptables::making(family, PREFIX, &listed);
                iptables::listing(family).into_iter().chain(making)
            });
            let rules = iptables::commands(&rules, bridge, PREFIX, Verb::Insert);
            (chains.collect(), rules)
        }
        "nftables" => nftables(&rules, bridge),
        other => return Err(Problem::unsupported(format!("the back end '{other}'"))),
    };
    // The rules alone are expected, and what goes before them stands in a file of its own.
    compare::text(&compare::joined(&case.file("base")?), &lines(&base))?;
    compare::text(&case.expected()?, &lines(&commands))
}

/// What makes the tables, and what fills them.
fn nftables(rules: &[Rule], bridge: &str) -> (Vec<Command>, Vec<Command>) {
    let nft = |arguments: Vec<String>| Command {
        program: "nft",
        arguments,
    };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut base = Vec::new();
    for (family, word) in [(Family::Ipv4, "ip"), (Family::Ipv6, "ip6")] {
        base.push(nft(owned(&["list", "table", word, TABLE])));
        for statement in nft::table(family, TABLE) {
            base.push(nft(statement.words().map(str::to_owned).collect()));
        }
    }
    let mut commands = Vec::new();
    if rules.contains(&Rule::FixChecksums) {
        commands.push(nft::finding_checksums(bridge));
        commands.push(nft::making_queue(bridge));
        commands.push(nft::fixing_checksums(bridge));
    }
    for statement in nft::statements(rules, bridge, TABLE) {
        // Handles are asked for with the first word.
        let mut words: Vec<String> = statement.words().map(str::to_owned).collect();
        if let Some(first) = words.first_mut() {
            first.insert_str(0, "-ae ");
        }
        commands.push(nft(words));
    }
    (base, commands)
}

/// Commands as the corpus writes them, a word behind the other.
fn lines(commands: &[Command]) -> String {
    let mut text = String::new();
    for command in commands {
        text.push_str(command.program);
        for argument in &command.arguments {
            text.push(' ');
            // Words of several parts that are one option and its value are left as they are.
            let quoted = argument == "!" || argument == "!=" || argument.starts_with('{');
            if quoted {
                text.push_str(&format!("'{argument}'"));
            } else {
                text.push_str(argument);
            }
        }
        text.push('\n');
    }
    text
}

fn read(case: &Case) -> Held<Network> {
    let failed = |error: &dyn std::fmt::Display| Problem::failed(format!("refused: {error}"));
    let mut network = Network::parse(&case.file("input")?).map_err(|error| failed(&error))?;
    network.complete(&mut Counting);
    network.validate().map_err(|error| failed(&error))?;
    virtbus_network::check::check(&network).map_err(|error| failed(&error))?;
    Ok(network)
}
