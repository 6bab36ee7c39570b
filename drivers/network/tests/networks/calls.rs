//! What calls mean: states, events in their order, definitions on disk, updates of the running and the stored definition.

use virtbus_api::ErrorCode;
use virtbus_api::domain::{DomainModificationImpact as Impact, MetadataType};
use virtbus_api::network::{
    NetworkDefineFlags, NetworkId, NetworkUpdateCommand as Command,
    NetworkUpdateSection as Section, NetworkXmlFlags, Networks,
};
use virtbus_api::providers::Subsystem;
use virtbus_network::{Config, NetworkDriver};

use crate::host::{Heard, Host, define, in_namespaces, network, sh, start, until};

const NONE: NetworkDefineFlags = NetworkDefineFlags::empty();

async fn text(driver: &NetworkDriver, id: &NetworkId) -> String {
    driver.xml_desc(id, NetworkXmlFlags::empty()).await.unwrap()
}

async fn stored(driver: &NetworkDriver, id: &NetworkId) -> String {
    driver
        .xml_desc(id, NetworkXmlFlags::INACTIVE)
        .await
        .unwrap()
}

#[test]
fn netns_a_life_and_what_is_told_of_it() {
    in_namespaces(
        "calls::netns_a_life_and_what_is_told_of_it",
        |host| async move {
            let driver = host.open().await;
            let heard = Heard::to(&driver);
            let xml = "<network><name>plain</name><ip address='10.9.0.1' prefix='24'/></network>";
            let view = define(&driver, xml).await;
            assert!(!view.active && view.persistent && !view.autostart);
            assert_eq!(view.bridge.as_deref(), Some("virbr0"));
            assert_eq!(heard.take(), ["+Network", "Defined"]);
            assert!(driver.is_idle());
            // The bridge got a name and an address, which stay.
            let first = stored(&driver, &view.id).await;
            assert!(first.contains("<mac address='52:54:00:"), "{first}");
            let named = format!(
                "<network><name>plain</name><uuid>{}</uuid><ip address='10.9.0.1' prefix='24'/></network>",
                view.id.uuid
            );
            define(&driver, &named).await;
            assert_eq!(stored(&driver, &view.id).await, first);
            heard.take();
            driver.create(&view.id).await.unwrap();
            assert_eq!(heard.take(), ["~Network", "Started"]);
            assert!(!driver.is_idle());
            let error = driver.create(&view.id).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::OperationInvalid);
            driver.set_autostart(&view.id, true).await.unwrap();
            assert_eq!(heard.take(), ["~Network"]);
            // Undefined while it is up, it vanishes when it stops.
            driver.undefine(&view.id).await.unwrap();
            assert_eq!(heard.take(), ["~Network", "Undefined"]);
            let now = driver.view(view.id.uuid).await.unwrap();
            assert!(now.active && !now.persistent && !now.autostart);
            driver.set_autostart(&view.id, true).await.unwrap_err();
            driver.destroy(&view.id).await.unwrap();
            assert_eq!(heard.take(), ["-Network", "Stopped"]);
            let error = driver.view_by_name("plain").await.unwrap_err();
            assert_eq!(error.code, ErrorCode::NoNetwork);
            assert!(driver.views().await.unwrap().is_empty());
            let left = std::fs::read_dir(host.dir.path().join("config")).unwrap();
            assert_eq!(left.count(), 1, "the directory of links only");
        },
    );
}

#[test]
fn netns_a_host_has_a_default_network_from_the_beginning() {
    in_namespaces(
        "calls::netns_a_host_has_a_default_network_from_the_beginning",
        |host| async move {
            // A host that is a guest itself often has the usual subnet already.
            sh("ip link add up0 type dummy 2>/dev/null || ip link add up0 type veth peer name up1; \
                ip addr add 192.168.122.77/24 dev up0; ip link set up0 up").await;
            let config = || Config {
                default_network: true,
                ..host.config()
            };
            let driver = NetworkDriver::open(config()).await.unwrap();
            let view = driver.view_by_name("default").await.unwrap();
            assert!(!view.active && view.persistent && !view.autostart);
            let xml = stored(&driver, &view.id).await;
            assert!(
                xml.contains("<ip address='192.168.123.1' netmask='255.255.255.0'>"),
                "{xml}"
            );
            driver.create(&view.id).await.unwrap();
            drop(driver);
            let driver = NetworkDriver::open(config()).await.unwrap();
            assert_eq!(driver.view_by_name("default").await.unwrap().id, view.id);
            driver.destroy(&view.id).await.unwrap();
            driver.undefine(&view.id).await.unwrap();
            drop(driver);
            let driver = NetworkDriver::open(config()).await.unwrap();
            driver.view_by_name("default").await.unwrap_err();
        },
    );
}

#[test]
fn netns_transient_networks_and_names_that_are_taken() {
    in_namespaces(
        "calls::netns_transient_networks_and_names_that_are_taken",
        |host| async move {
            let driver = host.open().await;
            let view = driver.create_xml(&network(1, "", ""), NONE).await.unwrap();
            assert!(view.active && !view.persistent);
            driver.undefine(&view.id).await.unwrap_err();
            let again = driver
                .create_xml(&network(1, "", ""), NONE)
                .await
                .unwrap_err();
            assert_eq!(
                again.code,
                ErrorCode::OperationFailed,
                "another UUID has the name"
            );
            let same_bridge = network(2, "", "").replace("br2", "br1");
            let error = driver.define_xml(&same_bridge, NONE).await.unwrap_err();
            assert!(
                error.message.contains("'br1' belongs to another network"),
                "{error}"
            );
            assert_eq!(driver.views().await.unwrap().len(), 1);
            driver.destroy(&view.id).await.unwrap();
            driver.view(view.id.uuid).await.unwrap_err();
            let state = std::fs::read_dir(host.dir.path().join("state")).unwrap();
            assert_eq!(state.count(), 0, "not even leases");
            // What cannot be started from a document leaves nothing.
            let taken = "<network><name>x</name><ip address='127.0.0.1' prefix='8'/></network>";
            driver.create_xml(taken, NONE).await.unwrap_err();
            assert!(driver.views().await.unwrap().is_empty());
            for wrong in [
                "",
                "<network/>",
                "<network><name>a/b</name></network>",
                "<domain/>",
            ] {
                driver.define_xml(wrong, NONE).await.unwrap_err();
            }
            let unknown = "<network><name>x</name><nonsense/></network>";
            let error = driver
                .define_xml(unknown, NetworkDefineFlags::VALIDATE)
                .await
                .unwrap_err();
            assert_eq!(error.code, ErrorCode::XmlInvalidSchema);
            driver.define_xml(unknown, NONE).await.unwrap();
        },
    );
}

#[test]
fn netns_a_defined_network_is_there_for_the_next_daemon() {
    in_namespaces(
        "calls::netns_a_defined_network_is_there_for_the_next_daemon",
        |host| async move {
            let driver = host.open().await;
            let view = define(&driver, &network(1, "<forward mode='nat'/>", "")).await;
            driver.set_autostart(&view.id, true).await.unwrap();
            let before = stored(&driver, &view.id).await;
            drop(driver);
            let driver = host.open().await;
            let found = driver.view_by_name("n1").await.unwrap();
            assert_eq!((found.id.clone(), found.autostart), (view.id.clone(), true));
            assert_eq!(stored(&driver, &view.id).await, before);
            // Started with the host, once.
            driver.autostart();
            until("it is up", || async {
                driver.view(view.id.uuid).await.unwrap().active
            })
            .await;
            driver.destroy(&view.id).await.unwrap();
            drop(driver);
            let driver = host.open().await;
            driver.autostart();
            let other = start(&driver, &network(2, "", "")).await;
            assert!(!driver.view(view.id.uuid).await.unwrap().active);
            driver.destroy(&other).await.unwrap();
        },
    );
}

#[test]
fn netns_updates_reach_the_server_and_keep_leases() {
    in_namespaces(
        "calls::netns_updates_reach_the_server_and_keep_leases",
        |host| async move {
            let driver = host.open().await;
            let id = start(&driver, &network(1, "<forward mode='nat'/>", "")).await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            assert_eq!(guest.dhcp(&host).await, "10.1.0.50");
            let server = server_pid(&host).await;
            let update = |command, section, xml: &'static str, impact| {
                let (driver, id) = (&driver, &id);
                async move { driver.update(id, command, section, -1, xml, impact).await }
            };
            let both = Impact::LIVE | Impact::CONFIG;
            let new_host = "<host mac='52:54:00:00:00:07' name='late' ip='10.1.0.60'/>";
            update(Command::AddLast, Section::IpDhcpHost, new_host, both)
                .await
                .unwrap();
            assert!(text(&driver, &id).await.contains("name='late'"));
            assert!(stored(&driver, &id).await.contains("name='late'"));
            // Told to read again, not started anew.
            assert_eq!(server_pid(&host).await, server);
            let late = host.guest("g2", "br1", "52:54:00:00:00:07").await;
            assert_eq!(late.dhcp(&host).await, "10.1.0.60");
            let name = "<host ip='10.1.0.77'><hostname>printer</hostname></host>";
            update(Command::AddLast, Section::DnsHost, name, Impact::LIVE)
                .await
                .unwrap();
            assert!(!stored(&driver, &id).await.contains("printer"));
            assert_eq!(server_pid(&host).await, server);
            until("the name is answered", || async {
                guest
                    .run("busybox nslookup -type=a printer 10.1.0.1")
                    .await
                    .1
                    .contains("10.1.0.77")
            })
            .await;
            // A record needs another configuration; leases are kept.
            let txt = "<txt name='note' value='one, &quot;two&quot; # three'/>";
            update(Command::AddLast, Section::DnsTxt, txt, Impact::LIVE)
                .await
                .unwrap();
            assert_ne!(server_pid(&host).await, server);
            assert_eq!(txt_record("10.1.0.1", "note").await, "one, \"two\" # three");
            // Both can be given another form, by address and by name.
            let txt = "<txt name='note' value='another'/>";
            update(Command::Modify, Section::DnsTxt, txt, Impact::LIVE)
                .await
                .unwrap();
            assert_eq!(txt_record("10.1.0.1", "note").await, "another");
            let name = "<host ip='10.1.0.77'><hostname>plotter</hostname></host>";
            update(Command::Modify, Section::DnsHost, name, Impact::LIVE)
                .await
                .unwrap();
            until("the other name is answered", || async {
                guest
                    .run("busybox nslookup -type=a plotter 10.1.0.1")
                    .await
                    .1
                    .contains("10.1.0.77")
            })
            .await;
            let missing = "<host ip='10.1.0.78'><hostname>plotter</hostname></host>";
            update(Command::Modify, Section::DnsHost, missing, Impact::LIVE)
                .await
                .unwrap_err();
            let txt = "<txt name='note' value='one, &quot;two&quot; # three'/>";
            update(Command::Modify, Section::DnsTxt, txt, Impact::LIVE)
                .await
                .unwrap();
            assert_eq!(driver.dhcp_leases(&id, None).await.unwrap().len(), 2);
            guest.comes_to_reach("10.1.0.1").await;
            // Refused, and nothing has changed.
            let before = (text(&driver, &id).await, stored(&driver, &id).await);
            let taken = "<host mac='52:54:00:00:00:07' name='late' ip='10.1.0.61'/>";
            update(Command::AddLast, Section::IpDhcpHost, taken, both)
                .await
                .unwrap_err();
            let hostile = "<txt name='x' value='a&#10;dhcp-script=/tmp/x'/>";
            update(Command::AddLast, Section::DnsTxt, hostile, both)
                .await
                .unwrap_err();
            update(Command::Modify, Section::Bridge, "<bridge name='x'/>", both)
                .await
                .unwrap_err();
            // What is good for one definition only changes none: the stored one has no such record.
            update(Command::Delete, Section::DnsTxt, "<txt name='note'/>", both)
                .await
                .unwrap_err();
            assert_eq!(
                (text(&driver, &id).await, stored(&driver, &id).await),
                before
            );
            assert_eq!(txt_record("10.1.0.1", "note").await, "one, \"two\" # three");
            driver.destroy(&id).await.unwrap();
            let error = update(Command::AddLast, Section::DnsTxt, txt, Impact::LIVE)
                .await
                .unwrap_err();
            assert_eq!(error.code, ErrorCode::OperationInvalid);
            update(Command::AddLast, Section::DnsTxt, txt, Impact::empty())
                .await
                .unwrap();
            assert!(stored(&driver, &id).await.contains("note"));
        },
    );
}

#[test]
fn netns_the_first_range_starts_a_server_and_the_filter_knows_it() {
    in_namespaces(
        "calls::netns_the_first_range_starts_a_server_and_the_filter_knows_it",
        |host| async move {
            let driver = host.open().await;
            let xml = "<network><name>n1</name><bridge name='br1' stp='off'/><dns enable='no'/><ip address='10.1.0.1' prefix='24'/></network>";
            let id = start(&driver, xml).await;
            assert!(!sh("busybox ps").await.contains("dnsmasq --conf-file"));
            let range = "<range start='10.1.0.20' end='10.1.0.29'/>";
            driver
                .update(
                    &id,
                    Command::AddFirst,
                    Section::IpDhcpRange,
                    0,
                    range,
                    Impact::LIVE,
                )
                .await
                .unwrap();
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            assert!(guest.dhcp(&host).await.starts_with("10.1.0.2"));
            driver
                .update(
                    &id,
                    Command::Delete,
                    Section::IpDhcpRange,
                    0,
                    range,
                    Impact::LIVE,
                )
                .await
                .unwrap();
            assert!(!sh("busybox ps").await.contains("dnsmasq --conf-file"));
            driver.destroy(&id).await.unwrap();
        },
    );
}

#[test]
fn netns_interfaces_to_forward_to_are_added_and_deleted() {
    in_namespaces(
        "calls::netns_interfaces_to_forward_to_are_added_and_deleted",
        |host| async move {
            let driver = host.open().await;
            let xml = "<network><name>n</name><forward mode='bridge'><interface dev='eth0'/><interface dev='eth1'/></forward></network>";
            let id = start(&driver, xml).await;
            let both = Impact::LIVE | Impact::CONFIG;
            let update = |command, xml: &'static str, impact| {
                driver.update(&id, command, Section::ForwardInterface, -1, xml, impact)
            };
            update(Command::AddFirst, "<interface dev='eth2'/>", both)
                .await
                .unwrap();
            update(Command::AddLast, "<interface dev='eth3'/>", Impact::LIVE)
                .await
                .unwrap();
            let devices = |text: String| -> Vec<String> {
                let lines = text.lines().filter(|line| line.contains("<interface "));
                lines.map(|line| line.trim().to_owned()).collect()
            };
            let all =
                ["eth2", "eth0", "eth1", "eth3"].map(|dev| format!("<interface dev='{dev}'/>"));
            assert_eq!(devices(text(&driver, &id).await), all);
            assert_eq!(devices(stored(&driver, &id).await), all[..3]);
            let error = update(Command::Modify, "<interface dev='eth0'/>", both)
                .await
                .unwrap_err();
            assert_eq!(error.code, ErrorCode::OperationInvalid);
            update(Command::AddLast, "<interface dev='eth0'/>", both)
                .await
                .unwrap_err();
            // One that a guest uses: refused for the running network, allowed for the stored one.
            crate::ports::make(&driver, &id, 1).await;
            let in_use = devices(text(&driver, &id).await);
            assert_eq!(in_use[0], "<interface dev='eth2' connections='1'/>");
            update(Command::Delete, "<interface dev='eth2'/>", Impact::LIVE)
                .await
                .unwrap_err();
            update(Command::Delete, "<interface dev='eth2'/>", both)
                .await
                .unwrap_err();
            assert_eq!(devices(stored(&driver, &id).await).len(), 3);
            update(Command::Delete, "<interface dev='eth2'/>", Impact::CONFIG)
                .await
                .unwrap();
            update(Command::Delete, "<interface dev='eth3'/>", Impact::LIVE)
                .await
                .unwrap();
            assert_eq!(devices(text(&driver, &id).await).len(), 3);
            assert_eq!(devices(stored(&driver, &id).await), all[1..3]);
        },
    );
}

#[test]
fn netns_packets_leave_by_the_interfaces_that_an_update_says() {
    in_namespaces(
        "calls::netns_packets_leave_by_the_interfaces_that_an_update_says",
        |host| async move {
            let driver = host.open().await;
            host.outside().await;
            let id = start(
                &driver,
                &network(1, "<forward mode='nat' dev='elsewhere0'/>", ""),
            )
            .await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.dhcp(&host).await;
            guest.comes_to_reach("10.1.0.1").await;
            assert!(!guest.reaches("192.0.2.2").await);
            let update = |command, xml: &'static str| {
                driver.update(
                    &id,
                    command,
                    Section::ForwardInterface,
                    -1,
                    xml,
                    Impact::LIVE,
                )
            };
            update(Command::AddFirst, "<interface dev='up0'/>")
                .await
                .unwrap();
            guest.comes_to_reach("192.0.2.2").await;
            update(Command::Delete, "<interface dev='up0'/>")
                .await
                .unwrap();
            assert!(!guest.reaches("192.0.2.2").await);
            update(Command::Delete, "<interface dev='elsewhere0'/>")
                .await
                .unwrap();
            guest.comes_to_reach("192.0.2.2").await;
        },
    );
}

#[test]
fn netns_notes_are_kept_in_the_definition_that_is_meant() {
    in_namespaces(
        "calls::netns_notes_are_kept_in_the_definition_that_is_meant",
        |host| async move {
            let driver = host.open().await;
            let id = start(&driver, &network(1, "", "")).await;
            let heard = Heard::to(&driver);
            let set = |kind, text, key, uri, impact| {
                driver.set_metadata(&id, kind, text, key, uri, impact)
            };
            let get = |kind, uri, impact| driver.metadata(&id, kind, uri, impact);
            let error = get(MetadataType::Title, None, Impact::empty())
                .await
                .unwrap_err();
            assert_eq!(error.code, ErrorCode::NoNetworkMetadata);
            set(MetadataType::Title, Some("Lab"), None, None, Impact::CONFIG)
                .await
                .unwrap();
            assert_eq!(
                get(MetadataType::Title, None, Impact::CONFIG)
                    .await
                    .unwrap(),
                "Lab"
            );
            get(MetadataType::Title, None, Impact::LIVE)
                .await
                .unwrap_err();
            let element = Some("<owner>me</owner>");
            set(
                MetadataType::Element,
                element,
                Some("x"),
                Some("urn:x"),
                Impact::LIVE,
            )
            .await
            .unwrap();
            let found = get(MetadataType::Element, Some("urn:x"), Impact::LIVE)
                .await
                .unwrap();
            assert!(found.contains("me"), "{found}");
            set(
                MetadataType::Element,
                None,
                None,
                Some("urn:x"),
                Impact::LIVE,
            )
            .await
            .unwrap();
            get(MetadataType::Element, Some("urn:x"), Impact::LIVE)
                .await
                .unwrap_err();
            set(
                MetadataType::Title,
                Some("a\nb"),
                None,
                None,
                Impact::CONFIG,
            )
            .await
            .unwrap_err();
            let told = heard.take();
            assert_eq!(told.len(), 3, "{told:?}");
            assert!(told[0].contains("MetadataChange"), "{told:?}");
        },
    );
}

async fn server_pid(host: &Host) -> String {
    let path = host.dir.path().join("run/n1.pid");
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

/// The text of a TXT record, asked for by a message of our own making.
async fn txt_record(server: &str, name: &str) -> String {
    let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.unwrap();
    socket.connect((server, 53)).await.unwrap();
    let mut question = vec![
        0,
        7,
        1,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        u8::try_from(name.len()).unwrap(),
    ];
    question.extend(name.bytes());
    question.extend([0, 0, 16, 0, 1]);
    let mut answer = [0; 512];
    let asked = async {
        loop {
            let _ = socket.send(&question).await;
            let wait = std::time::Duration::from_secs(1);
            if let Ok(Ok(length)) = tokio::time::timeout(wait, socket.recv(&mut answer)).await {
                return length;
            }
        }
    };
    let length = tokio::time::timeout(crate::host::PATIENCE, asked)
        .await
        .unwrap();
    // Behind the question: name, type, class, time, length of the data, length of the text.
    let text = &answer[question.len() + 12..length];
    let (count, text) = (usize::from(text[0]), &text[1..]);
    assert_eq!(count, text.len(), "one text");
    String::from_utf8(text.to_vec()).unwrap()
}
