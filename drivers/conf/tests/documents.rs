//! Documents from text to value and back: a folder under `tests/data` for each kind.
//!
//! `CASE.xml` must be read with nothing unknown left, be written as `CASE.out.xml` (or as itself, if
//! there is no such file), and what was written must be read and written as itself. `CASE.bad.xml` must be
//! refused with the text in `CASE.bad.txt`. `VIRTBUS_UPDATE=1` rewrites both kinds of outcome.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use virtbus_conf::Flags;
use virtbus_conf::domain::{Domain, Entropy};
use virtbus_conf::domain_status::{DomainStatus, StatusFolders};
use virtbus_conf::interface::Interface;
use virtbus_conf::network::{Network, UpdateCommand, UpdateSection};
use virtbus_conf::network_port::NetworkPort;
use virtbus_conf::node_device::NodeDevice;
use virtbus_conf::nwfilter::{FieldValue, NwFilter, RuleProtocol};
use virtbus_conf::nwfilter_binding::NwFilterBinding;
use virtbus_conf::secret::Secret;
use virtbus_conf::storage_pool::{PoolSource, PoolType, StoragePool};
use virtbus_conf::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf::storage_volume::{CapacityRule, StorageVolume};

/// Counts instead of throwing dice.
struct Counting;

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (byte, n) in bytes.iter_mut().zip(0..) {
            *byte = n;
        }
    }
}

type Outcome<T> = Result<T, String>;

fn text<E: ToString>(error: E) -> String {
    error.to_string()
}

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(kind)
}

/// Compares `actual` with the file, or writes the file.
fn compare(path: &Path, actual: &str) {
    if std::env::var_os("VIRTBUS_UPDATE").is_some() {
        fs::write(path, actual).expect("the test data can be written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(expected, actual, "{}", path.display());
}

/// Runs the cases of `kind`: `read` does all that reading a document of the kind is.
fn check<T: Debug>(kind: &str, read: impl Fn(&str) -> Outcome<T>, write: impl Fn(&T) -> String) {
    let mut cases: Vec<PathBuf> = fs::read_dir(folder(kind))
        .expect("there are cases")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".xml") && !name.ends_with(".out.xml")
        })
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no cases of {kind}");
    for path in cases {
        let xml = fs::read_to_string(&path).expect("the case can be read");
        if path.to_string_lossy().ends_with(".bad.xml") {
            let error = read(&xml).expect_err(&path.to_string_lossy());
            compare(&path.with_extension("txt"), &format!("{error}\n"));
            continue;
        }
        let value = read(&xml).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let written = write(&value);
        let other = path.with_extension("out.xml");
        compare(if other.exists() { &other } else { &path }, &written);
        let again = read(&written).unwrap_or_else(|e| panic!("{} again: {e}", path.display()));
        assert_eq!(write(&again), written, "{}", path.display());
    }
}

#[test]
fn node_devices() {
    check(
        "node_device",
        |xml| NodeDevice::parse_strict(xml).map_err(text),
        |device| device.format(Flags::empty()),
    );
}

#[test]
fn domain_status() {
    let folders = StatusFolders {
        lib: "/lib",
        channel_target: "/channel",
        memory_backing: "/ram",
    };
    check(
        "domain_status",
        |xml| {
            let mut status = DomainStatus::parse_strict(xml).map_err(text)?;
            status.complete(folders);
            Ok(status)
        },
        DomainStatus::format,
    );
}

#[test]
fn domain_status_keeps_what_other_drivers_have() {
    let xml = r#"<domstatus state='running' pid='7'>
  <init xmlns:c="urn:c" pid="8">
    <c:name>x</c:name>
  </init>
  <domain type='lxc' id='7'>
    <name>box</name>
    <devices>
    </devices>
  </domain>
</domstatus>
"#;
    let status = DomainStatus::parse_strict(xml).expect("it is known or kept");
    assert_eq!(status.format(), xml);
}

/// What a driver has made is not what a client says.
#[test]
fn private_data_of_clients_is_unknown() {
    let path = folder("domain_status").join("migration.xml");
    let xml = fs::read_to_string(path).expect("the case can be read");
    let (start, end) = (xml.find("<domain "), xml.find("</domstatus>"));
    let domain = &xml[start.expect("it has one")..end.expect("it ends")];
    let error = Domain::parse_strict(domain).expect_err("not for clients");
    assert!(error.to_string().contains("privateData"), "{error}");
    let read = Domain::parse(domain).expect("what is unknown is ignored");
    assert!(read.devices.disk.iter().all(|disk| {
        disk.source.common().private_data.is_none() && disk.status.private_data.is_none()
    }));
    let stored = DomainStatus::parse(&xml)
        .expect("the case can be read")
        .domain;
    assert!(stored.format(Flags::STATUS).contains("<privateData>"));
    let public = stored.format(Flags::SECURE);
    assert!(!public.contains("privateData") && !public.contains("actualType"));
}

#[test]
fn interfaces() {
    check(
        "interface",
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
fn storage_pools() {
    check(
        "storage_pool",
        |xml| {
            let mut pool = StoragePool::parse_strict(xml).map_err(text)?;
            pool.complete(&mut Counting);
            pool.validate().map_err(text)?;
            Ok(pool)
        },
        |pool| pool.format(Flags::empty()),
    );
}

#[test]
fn storage_volumes() {
    check(
        "storage_volume",
        |xml| {
            let mut volume = StorageVolume::parse_strict(xml).map_err(text)?;
            volume.complete(PoolType::Dir);
            volume
                .validate(PoolType::Dir, CapacityRule::OptionalWithBacking)
                .map_err(text)?;
            Ok(volume)
        },
        |volume| volume.format(Flags::empty()),
    );
}

#[test]
fn partitions_are_volumes_of_disk_pools() {
    let xml = "<volume><name>sda1</name><capacity>9</capacity>\
        <target><format type='linux-swap'/></target></volume>";
    let mut volume = StorageVolume::parse_strict(xml).unwrap();
    assert!(
        volume
            .validate(PoolType::Disk, CapacityRule::Required)
            .is_ok()
    );
    let e = volume
        .validate(PoolType::Rbd, CapacityRule::Required)
        .unwrap_err();
    assert!(e.to_string().contains("'linux-swap'"), "{e}");
    volume.complete(PoolType::Logical);
    assert_eq!(volume.target.format, None);
}

#[test]
fn pool_capabilities_tell_formats() {
    let capabilities = StoragePoolCapabilities::new(&[PoolType::Logical, PoolType::Rbd]);
    let xml = capabilities.format(Flags::empty());
    assert_eq!(
        StoragePoolCapabilities::parse_strict(&xml).unwrap(),
        capabilities
    );
    let logical = "  <pool type='logical' supported='yes'>\n    <poolOptions>\n      \
        <defaultFormat type='lvm2'/>\n      <enum name='sourceFormatType'>\n        \
        <value>unknown</value>\n        <value>lvm2</value>\n      </enum>\n    \
        </poolOptions>\n  </pool>\n  <pool type='disk' supported='no'>\n";
    assert!(xml.contains(logical), "{xml}");
    assert!(
        xml.contains("  <pool type='zfs' supported='no'>\n  </pool>\n"),
        "{xml}"
    );
}

#[test]
fn pool_sources_are_searched_for() {
    let xml = "<source><host name='a.example'/><dir path='x'/></source>";
    let source = PoolSource::parse_search(xml, PoolType::Netfs).unwrap();
    assert_eq!(
        PoolSource::format_found(&[source], PoolType::Netfs),
        "<sources>\n  <source>\n    <host name='a.example'/>\n    <dir path='x'/>\n  \
         </source>\n</sources>\n"
    );
    assert_eq!(
        PoolSource::format_found(&[], PoolType::Fs),
        "<sources>\n</sources>\n"
    );
}

#[test]
fn secrets() {
    check(
        "secret",
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
        "nwfilter",
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
    let mut matches = virtbus_conf::nwfilter::Matches::new(RuleProtocol::Udp);
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
        "nwfilter_binding",
        |xml| NwFilterBinding::parse_strict(xml).map_err(text),
        |binding| binding.format(Flags::empty()),
    );
}

fn read_network(xml: &str) -> Outcome<Network> {
    let mut network = Network::parse_strict(xml).map_err(text)?;
    network.complete(&mut Counting);
    network.validate().map_err(text)?;
    Ok(network)
}

#[test]
fn networks() {
    check("network", read_network, |network| {
        network.format(Flags::INACTIVE)
    });
}

#[test]
fn network_ports() {
    check(
        "network_port",
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
