//! What rule sets do with packets, in nftables' own words.

use super::*;

/// A rule set with one table `ip t`, whose chain `c` filters what is forwarded.
fn ruleset(policy: &str, rules: &[&str], more: &[(&str, &[&str])]) -> Ruleset {
    let mut objects = vec![format!(
        r#"{{"chain": {{"family": "ip", "table": "t", "name": "c", "type": "filter", "hook": "forward", "prio": 0, "policy": "{policy}"}}}}"#
    )];
    let mut add = |chain: &str, rules: &[&str]| {
        for (at, rule) in rules.iter().enumerate() {
            objects.push(format!(
                r#"{{"rule": {{"family": "ip", "table": "t", "chain": "{chain}", "handle": {}, "expr": [{rule}]}}}}"#,
                at + 10
            ));
        }
    };
    add("c", rules);
    for (chain, rules) in more {
        add(chain, rules);
    }
    Ruleset::parse(&format!(r#"{{"nftables": [{}]}}"#, objects.join(","))).unwrap()
}

fn subnet(text: &str) -> Subnet {
    let (address, prefix) = text.split_once('/').unwrap();
    Subnet {
        address: Ip(address.parse().unwrap()),
        prefix: prefix.parse().unwrap(),
    }
}

fn packet() -> Packet<'static> {
    Packet {
        family: IpFamily::Ipv4,
        input: Some("virbr0"),
        output: Some("eth0"),
        source: Some(subnet("192.168.122.0/24")),
        destination: None,
        protocol: Some("tcp"),
        port: None,
        state: "new",
    }
}

/// The chain and rule in which that packet is dropped.
fn dropped(ruleset: &Ruleset) -> Option<(String, Option<u64>)> {
    let dropped = ruleset.dropped(Hook::Forward, &packet(), |_| false)?;
    assert_eq!(dropped.table, "ip t");
    Some((dropped.chain, dropped.rule))
}

const COUNTER: &str = r#"{"counter": null}"#;
const ACCEPT: &str = r#"{"accept": null}"#;
const DROP: &str = r#"{"counter": {"packets": 0}}, {"drop": null}"#;

fn when(left: &str, right: &str, then: &str) -> String {
    format!(r#"{{"match": {{"op": "==", "left": {left}, "right": {right}}}}}, {then}"#)
}

const IIF: &str = r#"{"meta": {"key": "iifname"}}"#;
const OIF: &str = r#"{"meta": {"key": "oifname"}}"#;
const SADDR: &str = r#"{"payload": {"protocol": "ip", "field": "saddr"}}"#;
const STATE: &str = r#"{"ct": {"key": "state"}}"#;

#[test]
fn a_policy_drops_what_no_rule_accepts() {
    assert_eq!(
        dropped(&ruleset("drop", &[], &[])),
        Some(("c".into(), None))
    );
    assert_eq!(dropped(&ruleset("accept", &[], &[])), None);
    let docker = [
        when(OIF, r#""docker0""#, ACCEPT),
        when(STATE, r#"["established", "related"]"#, ACCEPT),
    ];
    let docker: Vec<&str> = docker.iter().map(String::as_str).collect();
    assert_eq!(
        dropped(&ruleset("drop", &docker, &[])),
        Some(("c".into(), None))
    );
    for accepting in [
        when(IIF, r#""virbr*""#, ACCEPT),
        when(
            SADDR,
            r#"{"prefix": {"addr": "192.168.0.0", "len": 16}}"#,
            ACCEPT,
        ),
        when(STATE, r#"{"set": ["new", "established"]}"#, ACCEPT),
    ] {
        assert_eq!(
            dropped(&ruleset("drop", &[&accepting], &[])),
            None,
            "{accepting}"
        );
    }
}

#[test]
fn rules_are_named_and_what_may_be_is_not_told() {
    let rejecting = when(
        IIF,
        r#"{"set": ["a", "virbr0"]}"#,
        r#"{"reject": {"type": "icmp"}}"#,
    );
    assert_eq!(
        dropped(&ruleset("accept", &[&rejecting], &[])),
        Some(("c".into(), Some(10)))
    );
    for unsure in [
        // A part of the network, a destination that is not known, a module that is not understood.
        when(
            SADDR,
            r#"{"prefix": {"addr": "192.168.122.128", "len": 25}}"#,
            DROP,
        ),
        when(
            r#"{"payload": {"protocol": "ip", "field": "daddr"}}"#,
            r#""10.0.0.1""#,
            DROP,
        ),
        format!(r#"{{"xt": {{"type": "match", "name": "physdev"}}}}, {DROP}"#),
        when(r#"{"fib": {"result": "type"}}"#, r#""local""#, DROP),
    ] {
        assert_eq!(
            dropped(&ruleset("accept", &[&unsure], &[])),
            None,
            "{unsure}"
        );
        // What may have been accepted before is not said to be dropped behind.
        let accepting = unsure.replace(DROP, ACCEPT);
        assert_eq!(
            dropped(&ruleset("drop", &[&accepting, DROP], &[])),
            None,
            "{accepting}"
        );
        assert_eq!(
            dropped(&ruleset("drop", &[&unsure], &[])),
            Some(("c".into(), None))
        );
    }
    let target = r#"{"xt": {"type": "target", "name": "REJECT"}}"#;
    assert_eq!(
        dropped(&ruleset("accept", &[target], &[])),
        Some(("c".into(), Some(10)))
    );
}

#[test]
fn jumps_are_followed_and_circles_end() {
    let jump = r#"{"jump": {"target": "user"}}"#;
    let goto = r#"{"goto": {"target": "user"}}"#;
    let back = r#"{"return": null}"#;
    assert_eq!(
        dropped(&ruleset("accept", &[jump], &[("user", &[DROP])])),
        Some(("user".into(), Some(10)))
    );
    assert_eq!(
        dropped(&ruleset(
            "accept",
            &[jump, DROP],
            &[("user", &[back, ACCEPT])]
        )),
        Some(("c".into(), Some(11)))
    );
    assert_eq!(
        dropped(&ruleset("drop", &[goto, ACCEPT], &[("user", &[COUNTER])])),
        Some(("c".into(), None))
    );
    assert_eq!(
        dropped(&ruleset("drop", &[jump], &[("user", &[ACCEPT])])),
        None
    );
    assert_eq!(
        dropped(&ruleset("drop", &[jump], &[("user", &[jump])])),
        None
    );
    let map = r#"{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": null}], ["new", {"jump": {"target": "user"}}], ["established", {"accept": null}]]}}}"#;
    assert_eq!(
        dropped(&ruleset("accept", &[map], &[("user", &[DROP])])),
        Some(("user".into(), Some(10)))
    );
}

#[test]
fn nonsense_is_no_rule_set_or_an_empty_one() {
    Ruleset::parse("").unwrap_err();
    for text in [
        "{}",
        "[]",
        r#"{"nftables": 7}"#,
        r#"{"nftables": [{"chain": 3}, {"rule": {}}, null, {"chain": {"family": "ip"}}]}"#,
    ] {
        assert_eq!(dropped(&Ruleset::parse(text).unwrap()), None);
    }
    let odd = [
        "7",
        "{}",
        r#"{"match": {}}"#,
        r#"{"vmap": {}}"#,
        r#"{"jump": 3}"#,
        r#"{"match": {"op": "==", "left": {}, "right": {"set": 3}}}"#,
    ];
    dropped(&ruleset("drop", &odd, &[]));
}
