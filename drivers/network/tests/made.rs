//! What is made of definitions: the texts of each kind stand beside the definition in `data`. `VIRTBUS_UPDATE=1` writes them.

#![expect(clippy::unwrap_used, reason = "helpers of tests unwrap as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use virtbus_conf_base::Entropy;
use virtbus_conf_host::network::Network;
use virtbus_network::check::check;
use virtbus_network::dnsmasq::{Configuration, Paths, is_needed};
use virtbus_network::firewall::iptables::{self, Verb};
use virtbus_network::firewall::{nft, rules};
use virtbus_network::names::file_stem;

struct Nothing;

impl Entropy for Nothing {
    fn fill(&mut self, _: &mut [u8]) {
        panic!("every definition here has its UUID");
    }
}

fn network(xml: &str) -> Network {
    let mut network = Network::parse(xml).unwrap();
    network.complete(&mut Nothing);
    network.validate().unwrap();
    check(&network).unwrap();
    network
}

/// The text of each file, by its ending.
fn made(network: &Network) -> Vec<(&'static str, String)> {
    let bridge = network.bridge_name().unwrap();
    let place =
        |ending: &str| PathBuf::from(format!("/state/{}.{ending}", file_stem(&network.name)));
    let paths = Paths {
        dhcp_hosts: place("hosts"),
        dns_hosts: place("names"),
    };
    let server = Configuration::of(network, bridge, &paths);
    let rules = rules(network);
    let mut commands = String::new();
    for command in iptables::commands(&rules, bridge, "VIRTBUS_", Verb::Insert) {
        commands.push_str(&format!(
            "{} {}\n",
            command.program,
            command.arguments.join(" ")
        ));
    }
    vec![
        ("conf", server.main),
        ("hosts", server.dhcp_hosts),
        ("names", server.dns_hosts),
        ("nft", nft::replacing(&rules, bridge, "virtbus_test")),
        ("iptables", commands),
    ]
}

#[test]
fn definitions_give_these_texts() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let update = std::env::var_os("VIRTBUS_UPDATE").is_some();
    let mut seen = 0;
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "xml") {
            continue;
        }
        seen += 1;
        for (ending, text) in made(&network(&fs::read_to_string(&path).unwrap())) {
            let expected = path.with_extension(ending);
            if update {
                fs::write(&expected, &text).unwrap();
            }
            let there = fs::read_to_string(&expected).unwrap_or_default();
            assert_eq!(text, there, "{}", expected.display());
        }
    }
    assert!(seen >= 4);
}

/// Every text that is the document without one of its elements.
fn without_one_element(xml: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for (start, _) in xml.match_indices('<') {
        let rest = &xml[start..];
        let name: String = rest[1..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == ':')
            .collect();
        if name.is_empty() || name == "network" {
            continue;
        }
        let head = rest.find('>').unwrap() + 1;
        let end = if rest[..head].ends_with("/>") {
            head
        } else {
            let closing = format!("</{name}>");
            rest.find(&closing).unwrap() + closing.len()
        };
        texts.push(format!("{}{}", &xml[..start], &rest[end..]));
    }
    texts
}

#[test]
fn nothing_has_to_be_there() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut tried = 0;
    for name in ["office", "isolated", "routed", "open"] {
        let xml = fs::read_to_string(data.join(name).with_extension("xml")).unwrap();
        for text in without_one_element(&xml) {
            let Ok(mut network) = Network::parse(&text) else {
                continue;
            };
            if network.uuid.is_none() {
                continue;
            }
            network.complete(&mut Nothing);
            if network.validate().is_err() || check(&network).is_err() {
                continue;
            }
            network
                .bridge
                .get_or_insert_default()
                .name
                .get_or_insert("br".into());
            tried += 1;
            for (_, made) in made(&network) {
                let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
                assert!(!made.contains(odd), "{text}");
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn only_who_serves_something_needs_a_server() {
    let of = |inner: &str| {
        let uuid = "<uuid>6a4a1b8e-62d5-4e1b-9a3c-0b7d3f0a5c15</uuid>";
        is_needed(&network(&format!(
            "<network><name>n</name>{uuid}{inner}</network>"
        )))
    };
    assert!(of("<ip address='10.0.0.1' prefix='24'/>"));
    assert!(!of(""));
    assert!(!of(
        "<dns enable='no'/><ip address='10.0.0.1' prefix='24'/>"
    ));
    assert!(of(
        "<dns enable='no'/><ip family='ipv6' address='fd00::1' prefix='64'/>"
    ));
    assert!(!of("<forward mode='bridge'/><bridge name='br0'/>"));
}

#[test]
fn chains_that_are_there_are_not_made_again() {
    use virtbus_network::firewall::Family;

    let all = |listed: &[String; 3]| iptables::making(Family::Ipv4, "VIRTBUS_", listed);
    let fresh = all(&Default::default());
    assert_eq!(fresh.len(), 14);
    let filter =
        "-P INPUT ACCEPT\n-N VIRTBUS_INP\n-N VIRTBUS_OUT\n-A INPUT -j VIRTBUS_INP\n".to_owned();
    let made = all(&[filter, String::new(), String::new()]);
    assert_eq!(made.len(), 11);
    assert!(
        made[0]
            .arguments
            .join(" ")
            .ends_with("--insert OUTPUT --jump VIRTBUS_OUT")
    );
}
