//! Real guests on virtual networks of the host.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::collections::HashMap;

use virtbus_tests::client::{Client, Object};
use virtbus_tests::namespaces::{inside, run, sh};
use virtbus_tests::wait::{LIMIT, wait_for_async, wait_until};
use virtbus_tests::{Testbed, need, or_skip};
use zbus::OwnedObjectPath;

const NETWORK: &str = "org.libvirt.Network";

const XML: &str = "<network><name>lab</name><forward mode='nat'/><bridge name='vbtest0' stp='off'/>\
    <ip address='10.213.0.1' netmask='255.255.255.0'><dhcp><range start='10.213.0.10' end='10.213.0.99'/>\
    <host mac='52:54:00:00:00:07' name='guest' ip='10.213.0.7'/></dhcp></ip></network>";

const DEVICES: &str = "<interface type='network'><mac address='52:54:00:00:00:07'/><source network='lab'/><model type='virtio'/></interface>\
    <graphics type='vnc' autoport='yes'><listen type='network' network='lab'/></graphics>";

/// Without this word, a guest asks for addresses.
const ASKS_NOBODY: &str = " tiny.nodhcp";

/// `VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE`.
const LEASE: u32 = 0;

type Addresses = Vec<(String, String, Vec<(i32, String, u32)>)>;

async fn ports(network: &Object) -> Vec<OwnedObjectPath> {
    network.call("ListPorts", &(0_u32,)).await.unwrap()
}

fn network(client: &Client, path: &str) -> Object {
    client.object(path, NETWORK)
}

#[test]
fn netns_a_guest_has_its_place_on_a_network_that_is_started_with_it() {
    or_skip!(need::programs(&[
        "nft",
        "dnsmasq",
        "dbus-daemon",
        "setpriv"
    ]));
    or_skip!(need::qemu());
    or_skip!(need::tun());
    let name = "netns_a_guest_has_its_place_on_a_network_that_is_started_with_it";
    or_skip!(inside(name, guest()));
}

async fn guest() {
    let (mut testbed, guest) = Testbed::with_guest("guest", "").await.unwrap();
    let client = &testbed.client;
    let guest = guest.device(DEVICES).xml().replace(ASKS_NOBODY, "");
    let domain = client.define(&guest).await.unwrap();
    // Nothing is left of a start that a network has something against.
    let refused = domain.act("Create", 0).await.unwrap_err().to_string();
    assert!(refused.contains("lab"), "{refused}");
    let path: OwnedObjectPath = client
        .qemu()
        .call("NetworkDefineXML", &(XML,))
        .await
        .unwrap();
    let path = path.to_string();
    domain.act("Create", 0).await.unwrap();
    assert!(network(client, &path).get::<bool>("Active").await.unwrap());
    assert_eq!(ports(&network(client, &path)).await.len(), 1);
    let live = domain.xml(0).await.unwrap();
    for part in [
        "portid='",
        "bridge='vbtest0'",
        "listen='10.213.0.1'",
        "<listen type='network' address='10.213.0.1' network='lab'/>",
    ] {
        assert!(live.contains(part), "{part}: {live}");
    }
    let stored = domain.xml(2).await.unwrap();
    for part in ["portid='", "10.213.0.1"] {
        assert!(!stored.contains(part), "{part}: {stored}");
    }
    let addresses = wait_for_async("the guest to have an address", 4 * LIMIT, async || {
        let body = (LEASE, 0_u32);
        let told: Addresses = domain.0.call("InterfaceAddresses", &body).await.unwrap();
        (!told.is_empty()).then_some(told)
    });
    let addresses = addresses.await;
    assert_eq!(addresses[0].1, "52:54:00:00:00:07");
    assert_eq!(addresses[0].2[0].1, "10.213.0.7");
    let answers = || run("busybox ping -c 1 -W 1 10.213.0.7").0;
    wait_until("the guest to answer", LIMIT, answers).await;

    let domain = domain.path().to_owned();
    testbed.crash_and_restart().await;
    let client = &testbed.client;
    assert!(answers(), "no packet is lost by it");
    assert_eq!(ports(&network(client, &path)).await.len(), 1);
    client.domain(&domain).act("Destroy", 0).await.unwrap();
    assert!(ports(&network(client, &path)).await.is_empty());
    let links = sh("ip -br link");
    assert!(!links.contains("vnet"), "{links}");
    let left: HashMap<String, zbus::OwnedVariant> =
        client.domain(&domain).0.get_all().await.unwrap();
    assert!(!left.is_empty());
}
