//! Documents from text to value and back: a folder under `tests/data` for each kind, in which
//! [`check`] says what is what.

use std::path::{Path, PathBuf};

use virtbus_conf_base::Flags;
use virtbus_conf_host::interface::Interface;
use virtbus_conf_host::network::{Network, UpdateCommand, UpdateSection};
use virtbus_conf_host::network_port::NetworkPort;
use virtbus_conf_host::node_device::NodeDevice;
use virtbus_conf_host::nwfilter::{FieldValue, NwFilter, RuleProtocol};
use virtbus_conf_host::nwfilter_binding::NwFilterBinding;
use virtbus_conf_host::secret::Secret;
use virtbus_conf_tests::{Counting, check, text};

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(kind)
}

#[test]
fn node_devices() {
    check(
        &folder("node_device"),
        |xml| NodeDevice::parse_strict(xml).map_err(text),
        |device| device.format(Flags::empty()),
    );
}

#[test]
fn interfaces() {
    check(
        &folder("interface"),
        |xml| {
            let mut interface = Interface::parse_strict(xml).map_err(text)?;
            interface.complete();
            interface.validate().map_err(text)?;
            Ok(interface)
        },
        |interface| interface.format(Flags::empty()),
    );
}

#[test]
fn secrets() {
    check(
        &folder("secret"),
        |xml| {
            let mut secret = Secret::parse_strict(xml).map_err(text)?;
            secret.complete(&mut Counting);
            Ok(secret)
        },
        |secret| secret.format(Flags::empty()),
    );
}

#[test]
fn nwfilters() {
    check(
        &folder("nwfilter"),
        |xml| {
            let mut filter = NwFilter::parse(xml).map_err(text)?;
            filter.complete(&mut Counting);
            Ok(filter)
        },
        |filter| filter.format(Flags::empty()),
    );
}

#[test]
fn conditions_keep_their_order() {
    let mut matches = virtbus_conf_host::nwfilter::Matches::new(RuleProtocol::Udp);
    let number = |value| FieldValue::Number { value, hex: false };
    assert!(matches.set("dstportstart", number(53), false));
    assert!(matches.set("dscp", number(1), false));
    assert!(matches.set("dstportstart", number(54), false));
    assert!(!matches.set("vlanid", number(1), false));
    let names: Vec<_> = matches.iter().map(|m| (m.name, &m.value)).collect();
    assert_eq!(names, [("dscp", &number(1)), ("dstportstart", &number(54))]);
}

#[test]
fn a_filter_document_has_one_protocol_in_a_rule() {
    let xml = "<filter name='x'><rule action='drop' direction='in'><tcp/>\n<tcp/></rule></filter>";
    let e = NwFilter::parse_strict(xml).unwrap_err();
    assert_eq!((e.element(), e.line()), (Some("tcp"), Some(2)));
}

#[test]
fn nwfilter_bindings() {
    check(
        &folder("nwfilter_binding"),
        |xml| NwFilterBinding::parse_strict(xml).map_err(text),
        |binding| binding.format(Flags::empty()),
    );
}

fn read_network(xml: &str) -> Result<Network, String> {
    let mut network = Network::parse_strict(xml).map_err(text)?;
    network.complete(&mut Counting);
    network.validate().map_err(text)?;
    Ok(network)
}

#[test]
fn networks() {
    check(&folder("network"), read_network, |network| {
        network.format(Flags::INACTIVE)
    });
}

#[test]
fn network_ports() {
    check(
        &folder("network_port"),
        |xml| {
            let mut port = NetworkPort::parse_strict(xml).map_err(text)?;
            port.complete(&mut Counting);
            Ok(port)
        },
        |port| port.format(Flags::empty()),
    );
}

#[test]
fn a_network_that_is_up_tells_who_uses_it() {
    let mut network = read_network(
        "<network><name>x</name><forward mode='bridge'><interface dev='a'/></forward></network>",
    )
    .unwrap();
    network.connections = Some(2);
    network.forward.as_mut().unwrap().interfaces[0].connections = Some(2);
    let live = network.format(Flags::empty());
    assert!(live.starts_with("<network connections='2'>"), "{live}");
    assert!(live.contains("<interface dev='a' connections='2'/>"));
    assert!(!network.format(Flags::INACTIVE).contains("connections"));
}

/// Command, section, `<ip>`, element, and a part of the network afterwards or of the error.
type Update = (
    &'static str,
    &'static str,
    i32,
    &'static str,
    Result<&'static str, &'static str>,
);

/// What updates do.
const UPDATES: &[Update] = &[
    (
        "add-first",
        "ip-dhcp-host",
        -1,
        "<host name='a' ip='10.0.0.5'/>",
        Ok(
            "<host name='a' ip='10.0.0.5'/>\n      <host mac='52:54:00:00:00:01' name='b' ip='10.0.0.6'/>",
        ),
    ),
    (
        "add-last",
        "ip-dhcp-host",
        0,
        "<host name='c' ip='10.0.0.6'/>",
        Err("'52:54:00:00:00:01' is in the network already"),
    ),
    (
        "modify",
        "ip-dhcp-host",
        0,
        "<host mac='52:54:00:00:00:01' name='b' ip='10.0.0.7'/>",
        Ok("name='b' ip='10.0.0.7'"),
    ),
    (
        "modify",
        "ip-dhcp-host",
        0,
        "<host mac='52:54:00:00:00:02' ip='10.0.0.7'/>",
        Err("'52:54:00:00:00:02' is not in the network"),
    ),
    (
        "modify",
        "ip-dhcp-range",
        0,
        "<range start='10.0.0.2' end='10.0.0.3'/>",
        Err("<range> cannot be modified"),
    ),
    (
        "add-last",
        "ip-dhcp-range",
        0,
        "<range start='10.0.0.20' end='10.0.1.3'/>",
        Err("not within the network"),
    ),
    (
        "add-last",
        "ip-dhcp-range",
        1,
        "<range start='10.0.9.2' end='10.0.9.3'/>",
        Err("only one <ip> of the family 'ipv4'"),
    ),
    (
        "add-last",
        "ip-dhcp-range",
        7,
        "<range start='10.0.0.2' end='10.0.0.3'/>",
        Err("no <ip> number 7"),
    ),
    (
        "add-first",
        "forward-interface",
        0,
        "<interface dev='eth1'/>",
        Ok(
            "<forward dev='eth1' mode='nat'>\n    <interface dev='eth1'/>\n    <interface dev='eth0'/>",
        ),
    ),
    (
        "add-last",
        "forward-interface",
        0,
        "<interface dev='eth1'/>",
        Ok("<interface dev='eth0'/>\n    <interface dev='eth1'/>"),
    ),
    (
        "add-last",
        "forward-interface",
        0,
        "<interface dev='eth0'/>",
        Err("'eth0' is in the network already"),
    ),
    (
        "delete",
        "forward-interface",
        0,
        "<interface dev='eth0'/>",
        Ok("<forward mode='nat'/>"),
    ),
    (
        "modify",
        "forward-interface",
        0,
        "<interface dev='eth0'/>",
        Err("cannot be modified"),
    ),
    (
        "delete",
        "forward-interface",
        0,
        "<interface dev='eth9'/>",
        Err("'eth9' is not in the network"),
    ),
    (
        "add-last",
        "portgroup",
        0,
        "<portgroup name='p' default='yes'/>",
        Err("both <portgroup> 'o' and 'p' are the default"),
    ),
    (
        "modify",
        "portgroup",
        0,
        "<portgroup name='o'/>",
        Ok("<portgroup name='o'>\n  </portgroup>"),
    ),
    (
        "add-last",
        "dns-txt",
        0,
        "<txt name='t' value='v'/>",
        Err("text record 't' is in the network already"),
    ),
    (
        "delete",
        "dns-srv",
        0,
        "<srv protocol='tcp'/>",
        Err("could be more than one"),
    ),
    (
        "delete",
        "dns-srv",
        0,
        "<srv service='x' protocol='tcp'/>",
        Ok("<srv service='y' protocol='tcp'/>"),
    ),
    (
        "delete",
        "dns-srv",
        0,
        "<srv protocol='sctp'/>",
        Err("'sctp'"),
    ),
    (
        "add-last",
        "dns-host",
        0,
        "<host ip='10.0.0.9'/>",
        Err("needs an 'ip' and a <hostname>"),
    ),
    (
        "add-last",
        "bridge",
        0,
        "<bridge name='x'/>",
        Err("'bridge' of a network cannot be updated"),
    ),
    (
        "add-last",
        "dns-txt",
        0,
        "<host ip='10.0.0.9'/>",
        Err("<txt>"),
    ),
];

#[test]
fn networks_are_updated_element_by_element() {
    let before = read_network(
        "<network><name>x</name><forward mode='nat' dev='eth0'/>\
         <dns><txt name='t' value='w'/><srv service='x' protocol='tcp'/><srv service='y' protocol='tcp'/></dns>\
         <ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.4'/>\
         <host mac='52:54:00:00:00:01' name='b' ip='10.0.0.6'/></dhcp></ip><ip address='10.0.9.1' prefix='24'/>\
         <portgroup name='o' default='yes'/></network>",
    )
    .unwrap();
    for (command, section, parent, xml, outcome) in UPDATES {
        let what = format!("{command} {section} {xml}");
        let mut network = before.clone();
        let command = UpdateCommand::from_name(command).unwrap();
        let section = UpdateSection::from_name(section).unwrap();
        match (network.update(command, section, *parent, xml), outcome) {
            (Ok(()), Ok(part)) => {
                let text = network.format(Flags::empty());
                assert!(text.contains(part), "{what}: {text}");
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{what}: {error}");
                assert_eq!(network, before, "{what}");
            }
            (result, _) => panic!("{what}: {result:?}"),
        }
    }
}

#[test]
fn an_interface_that_guests_use_stays_in_the_network_that_is_up() {
    let mut network = read_network(
        "<network><name>x</name><forward mode='bridge'><interface dev='a'/></forward></network>",
    )
    .unwrap();
    let delete = |network: &mut Network| {
        network.update(
            UpdateCommand::Delete,
            UpdateSection::ForwardInterface,
            -1,
            "<interface dev='a'/>",
        )
    };
    let mut stored = network.clone();
    network.forward.as_mut().unwrap().interfaces[0].connections = Some(1);
    assert!(
        delete(&mut network)
            .unwrap_err()
            .to_string()
            .contains("in use by 1 guests")
    );
    delete(&mut stored).unwrap();
    assert!(stored.forward.unwrap().interfaces.is_empty());
}

#[test]
fn an_address_of_the_host_may_say_what_only_guests_mind() {
    let xml = "<network><name>n</name><forward mode='hostdev'>\
        <address type='pci' slot='1' multifunction='on'/></forward></network>";
    let network = Network::parse_strict(xml).unwrap();
    let written = network.format(Flags::empty());
    assert!(
        written.contains("slot='0x01' function='0x0'/>"),
        "{written}"
    );
    let wrong = xml.replace("'on'", "'maybe'");
    assert!(Network::parse_strict(&wrong).is_err());
}
