//! What passes and what does not, with real packets.

use virtbus_api::ErrorCode;
use virtbus_api::domain::IpAddressFamily;
use virtbus_api::network::{NetworkXmlFlags, Networks};
use virtbus_network::Backend;

use crate::host::{Host, in_namespaces, network, sh, start, try_sh, until};

const NAT: &str = "<forward mode='nat'/>";

#[test]
fn netns_a_guest_gets_its_reserved_address_and_reaches_the_outside() {
    in_namespaces(
        "traffic::netns_a_guest_gets_its_reserved_address_and_reaches_the_outside",
        |host| async move { nat(&host, Backend::Nftables).await },
    );
}

#[test]
fn netns_iptables_translate_as_well() {
    in_namespaces(
        "traffic::netns_iptables_translate_as_well",
        |host| async move {
            nat(&host, Backend::Iptables).await;
        },
    );
}

async fn nat(host: &Host, backend: Backend) {
    let driver = host.open_with(backend).await;
    let outside = host.outside().await;
    let dns = "<dns><host ip='10.1.0.77'><hostname>printer</hostname></host></dns>";
    let id = start(&driver, &network(1, NAT, dns)).await;
    let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
    assert_eq!(guest.dhcp(host).await, "10.1.0.50");
    guest.comes_to_reach("10.1.0.1").await;
    // Behind no route back: only a translated packet is answered.
    guest.comes_to_reach("192.0.2.2").await;
    // From beyond, guests are not reached though there is a route.
    let (_, _) = outside.run("ip route add 10.1.0.0/24 via 192.0.2.1").await;
    assert!(!outside.reaches("10.1.0.50").await);
    // Names of guests and of the definition.
    for (name, address) in [("host1", "10.1.0.50"), ("printer", "10.1.0.77")] {
        let (_, said) = guest
            .run(&format!("busybox nslookup -type=a {name} 10.1.0.1"))
            .await;
        assert!(said.contains(address), "{name}: {said}");
    }
    let leases = driver.dhcp_leases(&id, None).await.unwrap();
    assert_eq!(leases.len(), 1, "{leases:?}");
    assert_eq!(leases[0].address, "10.1.0.50");
    assert_eq!(leases[0].mac, "52:54:00:00:00:01");
    assert_eq!(
        (leases[0].prefix, leases[0].interface.as_str()),
        (24, "br1")
    );
    let none = driver
        .dhcp_leases(&id, Some("52:54:00:00:00:99"))
        .await
        .unwrap();
    assert!(none.is_empty());
    // Nothing is left when it stops.
    driver.destroy(&id).await.unwrap();
    assert!(!try_sh("ip link show br1").await.0);
    assert!(!sh("nft list tables").await.contains("virtbus"));
    assert!(!sh("iptables-save").await.contains("br1"));
    assert!(!sh("busybox ps").await.contains("dnsmasq --conf-file"));
    assert!(
        std::fs::read_dir(host.dir.path().join("run"))
            .unwrap()
            .count()
            == 0
    );
    let error = driver.dhcp_leases(&id, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::OperationInvalid);
}

#[test]
fn netns_networks_do_not_reach_each_other_and_guests_of_one_do() {
    in_namespaces(
        "traffic::netns_networks_do_not_reach_each_other_and_guests_of_one_do",
        |host| async move {
            let driver = host.open().await;
            host.outside().await;
            start(&driver, &network(1, NAT, "")).await;
            start(&driver, &network(2, NAT, "")).await;
            start(&driver, &network(3, "", "")).await;
            let one = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            let two = host.guest("g2", "br2", "52:54:00:00:00:02").await;
            let other = host.guest("g4", "br2", "52:54:00:00:00:44").await;
            let alone = host.guest("g3", "br3", "52:54:00:00:00:03").await;
            for guest in [&one, &two, &alone] {
                guest.dhcp(&host).await;
            }
            let address = other.dhcp(&host).await;
            two.comes_to_reach(&address).await;
            one.comes_to_reach("192.0.2.2").await;
            assert!(!one.reaches("10.2.0.50").await);
            assert!(!two.reaches("10.1.0.50").await);
            // A network without <forward> has no way out, whatever route a guest has.
            let _ = alone.run("ip route add default via 10.3.0.1").await;
            alone.comes_to_reach("10.3.0.1").await;
            for address in ["192.0.2.2", "10.1.0.50"] {
                assert!(!alone.reaches(address).await, "{address}");
            }
        },
    );
}

#[test]
fn netns_servers_answer_on_their_bridge_only() {
    in_namespaces(
        "traffic::netns_servers_answer_on_their_bridge_only",
        |host| async move {
            let driver = host.open().await;
            let outside = host.outside().await;
            let records = "<dns><host ip='10.1.0.77'><hostname>printer</hostname></host></dns>";
            start(&driver, &network(1, NAT, records)).await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.dhcp(&host).await;
            let (_, said) = guest.run("busybox nslookup -type=a printer 10.1.0.1").await;
            assert!(said.contains("10.1.0.77"), "{said}");
            for server in ["192.0.2.1", "10.1.0.1"] {
                let _ = outside.run("ip route replace default via 192.0.2.1").await;
                let asked = format!("timeout 3 busybox nslookup -type=a printer {server}");
                let (_, said) = outside.run(&asked).await;
                assert!(!said.contains("10.1.0.77"), "{server}: {said}");
            }
            let script = host.dir.path().join("udhcpc");
            let asked = format!(
                "busybox udhcpc -i eth0 -n -q -t 2 -T 1 -s {}",
                script.display()
            );
            assert!(!outside.run(&asked).await.0);
        },
    );
}

#[test]
fn netns_a_routed_network_is_reached_and_keeps_its_addresses() {
    in_namespaces(
        "traffic::netns_a_routed_network_is_reached_and_keeps_its_addresses",
        |host| async move {
            let driver = host.open().await;
            let outside = host.outside().await;
            start(
                &driver,
                &network(1, "<forward mode='route' dev='up0'/>", ""),
            )
            .await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.dhcp(&host).await;
            assert!(
                !guest.reaches("192.0.2.2").await,
                "there is no route back yet"
            );
            let _ = outside.run("ip route add 10.1.0.0/24 via 192.0.2.1").await;
            guest.comes_to_reach("192.0.2.2").await;
            outside.comes_to_reach("10.1.0.50").await;
        },
    );
}

#[test]
fn netns_ipv6_routes_mtu_and_several_addresses() {
    in_namespaces(
        "traffic::netns_ipv6_routes_mtu_and_several_addresses",
        |host| async move {
            let driver = host.open().await;
            let more = "<mtu size='1400'/><mac address='52:54:00:aa:bb:cc'/>\
                        <ip address='10.11.0.1' prefix='25'/><ip family='ipv6' address='fd00:1::1' prefix='64'/>\
                        <route address='10.12.0.0' prefix='16' gateway='10.1.0.9' metric='5'/>";
            let id = start(&driver, &network(1, "<forward mode='route'/>", more)).await;
            let shown = sh("ip -d addr show br1").await;
            for text in [
                "mtu 1400",
                "52:54:00:aa:bb:cc",
                "10.1.0.1/24",
                "10.11.0.1/25",
                "fd00:1::1/64",
                "stp_state 0",
            ] {
                assert!(shown.contains(text), "{text}: {shown}");
            }
            assert!(!shown.contains("tentative"), "{shown}");
            let routes = sh("ip route").await;
            assert!(
                routes.contains("10.12.0.0/16 via 10.1.0.9 dev br1 proto static metric 5"),
                "{routes}"
            );
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.dhcp(&host).await;
            // By what the network announces.
            guest.comes_to_reach("fd00:1::1").await;
            driver.destroy(&id).await.unwrap();
            assert!(!sh("ip route").await.contains("br1"));
        },
    );
}

/// A client of DHCP for IPv6: it asks whoever is there for an address, and takes what it is offered.
const DHCP6: &str = r#"
import socket, struct, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 546))
s.settimeout(1)
index = socket.if_nametoindex("eth0")
def option(code, body): return struct.pack("!HH", code, len(body)) + body
me = option(1, bytes.fromhex("00030001525400000001"))
wish = option(3, struct.pack("!III", 7, 0, 0))
def ask(kind, body):
    for attempt in range(30):
        s.sendto(bytes([kind, 1, 2, 3]) + body, ("ff02::1:2", 547, 0, index))
        try:
            answer = s.recv(2000)
        except TimeoutError:
            continue
        found, rest = {}, answer[4:]
        while rest:
            code, length = struct.unpack("!HH", rest[:4])
            found[code], rest = rest[4:4 + length], rest[4 + length:]
        return found
    raise SystemExit("nobody answers")
offer = ask(1, me + option(8, b"\0\0") + wish)
given = ask(3, me + option(2, offer[2]) + option(8, b"\0\0") + option(3, offer[3]))
print(socket.inet_ntop(socket.AF_INET6, given[3][16:32]))
"#;

#[test]
fn netns_guests_get_addresses_of_ipv6_and_their_leases_are_told() {
    in_namespaces(
        "traffic::netns_guests_get_addresses_of_ipv6_and_their_leases_are_told",
        |host| async move {
            let driver = host.open().await;
            let more = "<ip family='ipv6' address='fd00:1::1' prefix='64'><dhcp>\
                        <range start='fd00:1::100' end='fd00:1::1ff'/></dhcp></ip>";
            let id = start(&driver, &network(1, "<forward mode='route'/>", more)).await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.comes_to_reach("fd00:1::1").await;
            let script = host.dir.path().join("dhcp6.py");
            std::fs::write(&script, DHCP6).unwrap();
            let asked = format!("/usr/bin/python3 {}", script.display());
            let (succeeded, said) = guest.run(&asked).await;
            assert!(succeeded, "{said}");
            let leases = driver
                .dhcp_leases(&id, Some("52:54:00:00:00:01"))
                .await
                .unwrap();
            assert_eq!(leases.len(), 1, "{leases:?}");
            let lease = &leases[0];
            assert!(lease.address.starts_with("fd00:1::1"), "{lease:?}");
            assert_eq!((lease.prefix, lease.kind), (64, IpAddressFamily::Ipv6));
            assert!(lease.iaid.is_some() && lease.client_id.is_some() && lease.expiry > 0);
        },
    );
}

#[test]
fn netns_the_host_does_not_lose_its_ipv6_route() {
    in_namespaces(
        "traffic::netns_the_host_does_not_lose_its_ipv6_route",
        |host| async move {
            let driver = host.open().await;
            // A router that announces itself.
            host.outside().await;
            sh("ip -n outside addr add fd55::1/64 dev eth0 nodad && ip netns exec outside dnsmasq --conf-file=/dev/null --port=0 \
            --interface=eth0 --bind-dynamic --enable-ra --ra-param=eth0,4 --dhcp-range=fd55::,ra-only,64 --pid-file=/run/router.pid")
        .await;
            until("its route is learnt", || async {
                sh("ip -6 route").await.contains("default via fe80")
            })
            .await;
            let more = "<ip family='ipv6' address='fd00:1::1' prefix='64'/>";
            let routed = network(1, "<forward mode='route'/>", more);
            let view = driver
                .define_xml(&routed, Default::default())
                .await
                .unwrap();
            let error = driver.create(&view.id).await.unwrap_err();
            assert!(
                error.message.contains("net.ipv6.conf.up0.accept_ra"),
                "{error}"
            );
            assert!(sh("ip -6 route").await.contains("default via fe80"));
            sh("echo 2 > /proc/sys/net/ipv6/conf/up0/accept_ra").await;
            driver.create(&view.id).await.unwrap();
        },
    );
}

#[test]
fn netns_rules_of_others_stay_untouched() {
    in_namespaces(
        "traffic::netns_rules_of_others_stay_untouched",
        |host| async move {
            sh("printf 'table ip libvirt_network {\n chain forward {\n type filter hook forward priority 0; policy accept;\n counter accept\n }\n}\n\
            table inet mine {\n chain input {\n type filter hook input priority 0; policy accept;\n tcp dport 22 accept\n }\n}\n' | nft -f -")
        .await;
            sh("iptables -A FORWARD -i other0 -j ACCEPT && iptables -t nat -A POSTROUTING -o other0 -j MASQUERADE").await;
            let before = (
                sh("nft list table ip libvirt_network && nft list table inet mine").await,
                sh("iptables-save -t nat | grep other0; iptables-save | grep other0").await,
            );
            for backend in [Backend::Nftables, Backend::Iptables] {
                let driver = host.open_with(backend).await;
                let id = start(&driver, &network(1, NAT, "")).await;
                let during = (
                    sh("nft list table ip libvirt_network && nft list table inet mine").await,
                    sh("iptables-save -t nat | grep other0; iptables-save | grep other0").await,
                );
                assert_eq!(before, during);
                driver.destroy(&id).await.unwrap();
                driver.undefine(&id).await.unwrap();
                let after = (
                    sh("nft list table ip libvirt_network && nft list table inet mine").await,
                    sh("iptables-save -t nat | grep other0; iptables-save | grep other0").await,
                );
                assert_eq!(before, after);
            }
        },
    );
}

#[test]
fn netns_addresses_of_the_host_are_refused() {
    in_namespaces(
        "traffic::netns_addresses_of_the_host_are_refused",
        |host| async move {
            let driver = host.open().await;
            host.outside().await;
            let xml = "<network><name>n</name><forward mode='nat'/><ip address='192.0.2.200' prefix='24'/></network>";
            let view = driver.define_xml(xml, Default::default()).await.unwrap();
            let error = driver.create(&view.id).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::OperationFailed);
            assert!(error.message.contains("up0"), "{error}");
            assert!(!driver.view(view.id.uuid).await.unwrap().active);
            assert_eq!(
                std::fs::read_dir(host.dir.path().join("run"))
                    .unwrap()
                    .count(),
                0
            );
            // A route is enough.
            sh("ip route add 10.1.0.0/24 via 192.0.2.2").await;
            let view = driver
                .define_xml(&network(1, NAT, ""), Default::default())
                .await
                .unwrap();
            let error = driver.create(&view.id).await.unwrap_err();
            assert!(
                error.message.contains("a route leads there by up0"),
                "{error}"
            );
            sh("ip route del 10.1.0.0/24").await;
            driver.create(&view.id).await.unwrap();
            // A bridge that is somebody else's stays.
            sh("ip link add br2 type bridge && ip addr add 10.99.0.1/24 dev br2").await;
            let view = driver
                .define_xml(&network(2, NAT, ""), Default::default())
                .await
                .unwrap();
            let error = driver.create(&view.id).await.unwrap_err();
            assert!(error.message.contains("'br2'"), "{error}");
            assert!(sh("ip addr show br2").await.contains("10.99.0.1/24"));
            let text = driver
                .xml_desc(&view.id, NetworkXmlFlags::empty())
                .await
                .unwrap();
            assert!(
                text.contains("<bridge name='br2' stp='off' delay='0'/>"),
                "{text}"
            );
        },
    );
}
