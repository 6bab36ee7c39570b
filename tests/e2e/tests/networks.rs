//! Virtual networks, as a client of the QEMU connection has them: on the bus, with real packets, over the daemon's death.
//!
//! The test that starts some runs once more as the first process of fresh namespaces (network, mounts, processes), so that nothing of the
//! machine is touched and all that it started is gone when it ends, however it ends.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::num::NonZeroUsize;
use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt;
use virtbus_tests::client::{CallError, Client, Object};
use virtbus_tests::wait::wait_until;
use virtbus_tests::{Testbed, need, or_skip, skip};
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, OwnedObjectPath, Variant};

const NETWORK: &str = "org.libvirt.Network";
const PORT: &str = "org.libvirt.NetworkPort";
const LIMIT: Duration = Duration::from_secs(30);

const XML: &str = "<network><name>lab</name><forward mode='nat'/><bridge name='vbtest0' stp='off'/>\
    <ip address='10.213.0.1' netmask='255.255.255.0'><dhcp><range start='10.213.0.10' end='10.213.0.99'/>\
    <host mac='52:54:00:00:00:07' name='guest' ip='10.213.0.7'/></dhcp></ip></network>";

const PLUG: &str = "<networkport><uuid>11111111-2222-4333-8444-555555555555</uuid>\
    <owner><name>guest</name><uuid>21111111-2222-4333-8444-555555555555</uuid></owner>\
    <mac address='52:54:00:00:00:07'/></networkport>";

/// Set for a test that is inside.
const INSIDE: &str = "VIRTBUS_INSIDE_NAMESPACES";

async fn define(client: &Client, xml: &str) -> Result<Object, CallError> {
    let path: OwnedObjectPath = client.qemu().call("NetworkDefineXML", &(xml,)).await?;
    Ok(client.object(path.as_str(), NETWORK))
}

fn run(line: &str) -> (bool, String) {
    let output = Command::new("/bin/sh").args(["-c", line]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn sh(line: &str) -> String {
    let (succeeded, said) = run(line);
    assert!(succeeded, "{line}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_told_of_and_there_after_the_daemon_was_killed() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let network = define(&testbed.client, XML).await.unwrap();
    let path = network.path().to_owned();
    assert!(path.starts_with("/org/libvirt/QEMU/network/"), "{path}");
    network.set("Autostart", Variant::from(true)).await.unwrap();
    let xml: String = network.call("GetXMLDesc", &(0_u32,)).await.unwrap();
    testbed.crash_and_restart().await;

    let client = &testbed.client;
    let found: OwnedObjectPath = client
        .qemu()
        .call("NetworkLookupByName", &("lab",))
        .await
        .unwrap();
    assert_eq!(found.as_str(), path);
    let listed: Vec<OwnedObjectPath> = client.qemu().call("ListNetworks", &(0_u32,)).await.unwrap();
    assert_eq!(listed, [found]);
    let network = client.object(&path, NETWORK);
    assert_eq!(
        network.get::<String>("BridgeName").await.unwrap(),
        "vbtest0"
    );
    for (property, value) in [("Persistent", true), ("Autostart", true)] {
        assert_eq!(
            network.get::<bool>(property).await.unwrap(),
            value,
            "{property}"
        );
    }
    let again: String = network.call("GetXMLDesc", &(1_u32,)).await.unwrap();
    assert_eq!(again, xml);
    let hostile = XML.replace("name='guest'", "name='g&#10;dhcp-script=/tmp/x'");
    let error = define(client, &hostile).await.unwrap_err().to_string();
    assert!(error.contains("<host name>"), "{error}");
    network
        .set("Autostart", Variant::from(false))
        .await
        .unwrap();
    let () = network.call("Undefine", &()).await.unwrap();
    let gone: Result<String, CallError> = network.call("GetXMLDesc", &(0_u32,)).await;
    assert!(gone.is_err());
}

#[test]
fn netns_a_network_carries_packets_over_the_death_of_the_daemon() {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(carried());
        return;
    }
    or_skip!(need::root());
    or_skip!(need::programs(&[
        "unshare",
        "ip",
        "nft",
        "dnsmasq",
        "busybox",
        "dbus-daemon",
        "setpriv"
    ]));
    let (possible, said) = run("unshare -n -m -p -f true");
    if !possible {
        skip!("needs to make namespaces: {said}");
    }
    let output = Command::new("unshare")
        .args(["-n", "-m", "-p", "-f", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "netns_a_network_carries_packets_over_the_death_of_the_daemon",
            "--exact",
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// Whether the outside answers the guest.
fn answers() -> bool {
    run("ip netns exec guest busybox ping -c 1 -W 1 192.0.2.2").0
}

async fn carried() {
    // Of these namespaces only. The place where processes are put, if it is known here, is the machine's.
    sh(
        "mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /tmp && chmod 1777 /tmp && ip link set lo up",
    );
    sh(
        "ip netns add outside && ip link add up0 type veth peer name eth0 netns outside && ip addr add 192.0.2.1/24 dev up0 && \
        ip link set up0 up && ip -n outside addr add 192.0.2.2/24 dev eth0 && ip -n outside link set eth0 up",
    );
    let mut testbed = Testbed::start(&[]).await.unwrap();
    let network = define(&testbed.client, XML).await.unwrap();
    let path = network.path().to_owned();
    let port: OwnedObjectPath = {
        let () = network.call("Create", &()).await.unwrap();
        network.call("PortCreateXML", &(PLUG, 0_u32)).await.unwrap()
    };
    sh(
        "ip netns add guest && ip link add tap0 type veth peer name eth0 netns guest address 52:54:00:00:00:07 && \
        ip link set tap0 master vbtest0 up && ip -n guest link set eth0 up",
    );
    let script = testbed.script(
        "udhcpc",
        "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip addr add $ip/$mask dev $interface; ip route add default via $router\n",
    );
    let asked = format!(
        "ip netns exec guest busybox udhcpc -i eth0 -n -q -t 10 -T 1 -s {}",
        script.display()
    );
    let asked = tokio::task::spawn_blocking(move || sh(&asked))
        .await
        .unwrap();
    assert!(asked.contains("10.213.0.7"), "{asked}");
    wait_until("the outside answers", LIMIT, answers).await;
    type Lease = (
        String,
        i64,
        i32,
        String,
        String,
        String,
        u32,
        String,
        String,
    );
    let leases: Vec<Lease> = network.call("GetDHCPLeases", &("", 0_u32)).await.unwrap();
    assert_eq!(leases.len(), 1);
    assert_eq!((leases[0].5.as_str(), leases[0].6), ("10.213.0.7", 24));

    testbed.crash_and_restart().await;
    assert!(answers(), "no packet is lost by it");
    let client = &testbed.client;
    let network = client.object(&path, NETWORK);
    assert!(network.get::<bool>("Active").await.unwrap());
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .path(path.as_str())
        .member("PropertiesChanged")
        .build()
        .unwrap();
    let bus = client.connection();
    let changes = MessageStream::for_match_rule(rule, bus, NonZeroUsize::new(64)).await;
    let mut changes = changes.unwrap();
    let ports: Vec<OwnedObjectPath> = network.call("ListPorts", &(0_u32,)).await.unwrap();
    assert_eq!(ports, [port]);
    let port = client.object(ports[0].as_str(), PORT);
    let xml: String = port.call("GetXMLDesc", &(0_u32,)).await.unwrap();
    assert!(
        xml.contains("<plug type='network' bridge='vbtest0'/>"),
        "{xml}"
    );
    // Another firewall drops what guests send: that is told, with the change of a property.
    sh(
        "ip route add default via 192.0.2.2; nft add table inet strict; nft 'add chain inet strict fw { type filter hook forward priority 9; policy drop; }'",
    );
    let mut told: Vec<String> = Vec::new();
    while told.is_empty() {
        tokio::time::timeout(LIMIT, changes.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        told = network.get("Problems").await.unwrap();
    }
    assert!(
        told[0].contains("'inet strict', chain 'fw', policy"),
        "{told:?}"
    );
    sh("nft delete table inet strict");
    let host = "<host mac='52:54:00:00:00:08' ip='10.213.0.8'/>";
    // Add, to the hosts of DHCP, live.
    let () = network
        .call("Update", &(3_u32, 4_u32, -1_i32, host, 1_u32))
        .await
        .unwrap();
    let xml: String = network.call("GetXMLDesc", &(0_u32,)).await.unwrap();
    assert!(xml.contains("52:54:00:00:00:08"), "{xml}");
    let () = network.call("Destroy", &()).await.unwrap();
    assert!(!network.get::<bool>("Active").await.unwrap());
    assert!(!answers());
    for (what, line) in [
        ("bridge", "ip -br link"),
        ("tables", "nft list tables"),
        ("server", "busybox ps"),
    ] {
        let left = sh(line);
        assert!(
            !left.contains("vbtest0") && !left.contains("dnsmasq --conf-file"),
            "{what}: {left}"
        );
    }
}
