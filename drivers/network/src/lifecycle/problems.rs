//! What keeps guests' packets from passing on this host, for networks that are up: other rules than the network's own, which drop them.
//!
//! The host's rule set is looked at when a network has started and when somebody has changed it, once for all networks. What is found is part
//! of what is known of a network, so it is announced. Nothing is changed: whose rules they are, and what they are for, is not known here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use virtbus_api::Result;
use virtbus_conf_base::common::IpFamily;
use virtbus_conf_host::network::{ForwardMode, Network};

use crate::core::Core;
use crate::dnsmasq::is_needed;
use crate::firewall::Subnet;
use crate::firewall::ruleset::{Dropped, Hook, Packet, Ruleset};
use crate::host::{filter, on_disk, routes};
use crate::table::Entry;

/// Several changes one after the other are looked at together.
const SETTLING: Duration = Duration::from_millis(200);

/// Looks whenever it is asked to, for as long as the driver is there.
pub(super) async fn keep(core: Weak<Core>, asked: Arc<tokio::sync::Notify>) {
    loop {
        asked.notified().await;
        tokio::time::sleep(SETTLING).await;
        let Some(core) = core.upgrade() else { return };
        if let Err(error) = look(&core).await {
            tracing::debug!(%error, "the packet filter of this host cannot be looked at: {error}");
        }
    }
}

async fn look(core: &Arc<Core>) -> Result<()> {
    let shown = core.table.shown().into_iter();
    let up: Vec<(Arc<Entry>, Arc<Network>)> = shown
        .filter_map(|(entry, snapshot)| {
            let live = snapshot.state.live.as_ref()?;
            let definition = Arc::clone(&live.definition);
            definition.has_own_bridge().then_some((entry, definition))
        })
        .collect();
    if up.is_empty() {
        return Ok(());
    }
    let listing = filter::ruleset(&core.config).await?;
    let found = on_disk(&core.config, move || {
        let ruleset = Ruleset::parse(&listing)
            .map_err(|error| virtbus_api::Error::internal(error.to_string()))?;
        let ways = Ways {
            uplinks: [IpFamily::Ipv4, IpFamily::Ipv6].map(routes::default_interface),
            are_bridged_filtered: filters_bridged(),
        };
        let of = |(entry, network): (Arc<Entry>, Arc<Network>)| {
            let problems = problems(&ruleset, &network, &ways);
            (entry, problems)
        };
        Ok(up.into_iter().map(of).collect::<Vec<_>>())
    })
    .await?;
    for (entry, problems) in found {
        let known = Arc::clone(&entry.snapshot().view.problems);
        for problem in problems.iter().filter(|problem| !known.contains(problem)) {
            let name = &entry.id.name;
            tracing::warn!(network = %name, "network '{name}' does not work: {problem}");
        }
        core.table.set_problems(&entry, problems);
    }
    Ok(())
}

/// How packets leave this host, and which are filtered.
struct Ways {
    /// The interfaces to the outside, of IPv4 and IPv6.
    uplinks: [Option<String>; 2],
    /// Whether packets that only cross a bridge are filtered as if they were forwarded.
    are_bridged_filtered: bool,
}

/// Whether packets that only cross a bridge are filtered as well, which other software switches on for its own bridges and so for all.
fn filters_bridged() -> bool {
    let setting = std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables");
    setting.is_ok_and(|setting| setting.trim() == "1")
}

/// Packets that a network needs to pass.
struct Needed<'a> {
    what: &'static str,
    hook: Hook,
    packet: Packet<'a>,
}

/// What drops packets of a network for certain, and what helps.
fn problems(ruleset: &Ruleset, network: &Network, ways: &Ways) -> Vec<String> {
    let Some(bridge) = network.bridge_name() else {
        return Vec::new();
    };
    let own = filter::tables(crate::config::Backend::Nftables, bridge);
    let mut problems = Vec::new();
    for needed in needed(network, bridge, ways) {
        let is_own = |table: &str| own.iter().any(|own| own == table);
        if let Some(dropped) = ruleset.dropped(needed.hook, &needed.packet, is_own) {
            problems.push(told(&needed, &dropped, ruleset, bridge));
        }
    }
    problems
}

fn needed<'a>(network: &'a Network, bridge: &'a str, ways: &'a Ways) -> Vec<Needed<'a>> {
    let mode = network.forward.as_ref().map(|forward| forward.mode);
    let forwards = mode.is_some_and(ForwardMode::has_own_bridge);
    let forward = network.forward.as_ref();
    let told = forward.and_then(|forward| forward.interfaces.first());
    let serves = is_needed(network);
    let mut all = Vec::new();
    let mut seen = Vec::new();
    for subnet in network.ip.iter().filter_map(Subnet::of) {
        let family = subnet.family();
        let found = match family {
            IpFamily::Ipv4 => &ways.uplinks[0],
            IpFamily::Ipv6 => &ways.uplinks[1],
        };
        let uplink = told.map(|first| first.dev.as_str()).or(found.as_deref());
        let packet = |input, output| Packet {
            family,
            input,
            output,
            source: None,
            destination: None,
            protocol: Some("tcp"),
            port: None,
            state: "new",
        };
        // Each family once: what is dropped of one subnet is mostly dropped of all.
        if seen.contains(&family) {
            continue;
        }
        seen.push(family);
        if let Some(uplink) = uplink.filter(|_| forwards) {
            all.push(Needed {
                what: "packets from guests to the outside",
                hook: Hook::Forward,
                packet: Packet {
                    source: Some(subnet),
                    ..packet(Some(bridge), Some(uplink))
                },
            });
            all.push(Needed {
                what: "answers from the outside to guests",
                hook: Hook::Forward,
                packet: Packet {
                    destination: Some(subnet),
                    state: "established",
                    ..packet(Some(uplink), Some(bridge))
                },
            });
        }
        if ways.are_bridged_filtered {
            all.push(Needed {
                what: "packets from guest to guest",
                hook: Hook::Forward,
                packet: Packet {
                    source: Some(subnet),
                    destination: Some(subnet),
                    ..packet(Some(bridge), Some(bridge))
                },
            });
        }
        if serves && family == IpFamily::Ipv4 {
            for (what, port) in [
                ("guests' requests for addresses (DHCP)", 67),
                ("guests' questions for names (DNS)", 53),
            ] {
                all.push(Needed {
                    what,
                    hook: Hook::Input,
                    packet: Packet {
                        protocol: Some("udp"),
                        port: Some(port),
                        ..packet(Some(bridge), None)
                    },
                });
            }
        }
    }
    all
}

/// Chains and tables of well-known firewalls, and what is to be done with each.
const KNOWN: [(&str, &str); 3] = [
    (
        "DOCKER-USER",
        "add rules to the chain DOCKER-USER that accept what comes in or goes out by",
    ),
    (
        "ufw-user-forward",
        "allow it with ufw ('ufw route allow in on', 'ufw allow in on') for",
    ),
    (
        "filter_FORWARD",
        "put into a zone of firewalld that accepts this",
    ),
];

fn told(needed: &Needed<'_>, dropped: &Dropped, ruleset: &Ruleset, bridge: &str) -> String {
    let place = match dropped.rule {
        Some(rule) => format!("rule {rule}"),
        None => "policy".to_owned(),
    };
    let known = KNOWN.iter().find(|(chain, _)| ruleset.has_chain(chain));
    let help = known.map_or("accept there what comes in or goes out by", |(_, help)| {
        help
    });
    format!(
        "{} are dropped by the packet filter of this host: table '{}', chain '{}', {place}; {help} '{bridge}'",
        needed.what, dropped.table, dropped.chain
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = r#"{"nftables": [
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 4, "expr": [{"jump": {"target": "DOCKER-USER"}}]}},
        {"chain": {"family": "inet", "table": "mine", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
        {"rule": {"family": "inet", "table": "mine", "chain": "in", "handle": 7, "expr": [
            {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 67}}, {"drop": null}]}}
    ]}"#;

    fn found(inner: &str) -> Vec<String> {
        found_where(inner, false)
    }

    fn found_where(inner: &str, are_bridged_filtered: bool) -> Vec<String> {
        let xml = format!(
            "<network><name>n</name>{inner}<bridge name='virbr0'/><ip address='10.0.0.1' prefix='24'/></network>"
        );
        let network = Network::parse(&xml).unwrap();
        let ways = Ways {
            uplinks: [Some("eth0".to_owned()), None],
            are_bridged_filtered,
        };
        problems(&Ruleset::parse(DOCKER).unwrap(), &network, &ways)
    }

    #[test]
    fn who_drops_what_is_named_with_what_helps() {
        let told = found("<forward mode='nat'/>");
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(
            told[0],
            "packets from guests to the outside are dropped by the packet filter of this host: table 'ip filter', chain 'FORWARD', policy; \
             add rules to the chain DOCKER-USER that accept what comes in or goes out by 'virbr0'"
        );
        assert!(
            told[1].starts_with("answers from the outside"),
            "{}",
            told[1]
        );
        assert!(
            told[2].contains("(DHCP)") && told[2].contains("'inet mine', chain 'in', rule 7"),
            "{}",
            told[2]
        );
        // A network without a way out needs none.
        assert_eq!(found("").len(), 1);
        assert_eq!(found("<dns enable='no'/>").len(), 0);
        let bridged = found_where("<dns enable='no'/>", true);
        assert!(
            bridged[0].starts_with("packets from guest to guest"),
            "{bridged:?}"
        );
    }
}
