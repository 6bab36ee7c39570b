//! Ports: what guests are plugged into.

use virtbus_api::network::{
    NetworkId, NetworkPortCreateFlags, NetworkPortId, NetworkPorts, NetworkXmlFlags, Networks,
};
use virtbus_api::providers::GuestNetworks;
use virtbus_api::typed::{TypedParameter, TypedValue};
use virtbus_api::{ErrorCode, Uuid};
use virtbus_network::NetworkDriver;

use crate::host::{Heard, define, in_namespaces, network, sh, start};

/// A port's document.
pub(crate) fn document(number: u8, more: &str) -> String {
    format!(
        "<networkport><uuid>6a4a1b8e-62d5-4e1b-9a3c-0b7d3f0a00{number:02}</uuid>\
         <owner><name>guest</name><uuid>6a4a1b8e-62d5-4e1b-9a3c-0b7d3f0a5c99</uuid></owner>\
         <mac address='52:54:00:00:01:{number:02}'/>{more}</networkport>"
    )
}

fn uuid(number: u8) -> Uuid {
    Uuid::parse_str(&format!("6a4a1b8e-62d5-4e1b-9a3c-0b7d3f0a00{number:02}")).unwrap()
}

/// Makes a port of a network.
pub(crate) async fn make(driver: &NetworkDriver, id: &NetworkId, number: u8) -> NetworkPortId {
    let none = NetworkPortCreateFlags::empty();
    let ports: &dyn NetworkPorts = driver;
    let view = ports
        .create_xml(id, &document(number, ""), none)
        .await
        .unwrap();
    view.id.clone()
}

async fn count(driver: &NetworkDriver, id: &NetworkId) -> usize {
    NetworkPorts::views(driver, id).await.unwrap().len()
}

#[test]
fn netns_plugging_starts_a_network_and_ports_are_told_of() {
    in_namespaces(
        "ports::netns_plugging_starts_a_network_and_ports_are_told_of",
        |host| async move {
            let driver = host.open().await;
            let view = define(&driver, &network(1, "<forward mode='nat'/>", "")).await;
            let heard = Heard::to(&driver);
            let plugged = driver.plug("n1", &document(1, "")).await.unwrap();
            assert_eq!(heard.take(), ["~Network", "Started", "+NetworkPort"]);
            assert!(
                plugged.xml.contains("<plug type='network' bridge='br1'/>"),
                "{}",
                plugged.xml
            );
            assert_eq!(plugged.port.network, view.id);
            assert!(driver.view_by_name("n1").await.unwrap().active);
            let text = Networks::xml_desc(&*driver, &view.id, NetworkXmlFlags::empty());
            assert!(text.await.unwrap().starts_with("<network connections='1'>"));
            // The same UUID again, here or elsewhere.
            let error = driver.plug("n1", &document(1, "")).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::NetworkPortExist);
            define(&driver, &network(2, "", "")).await;
            let error = driver.plug("n2", &document(1, "")).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::NetworkPortExist);
            assert_eq!(
                driver
                    .plug("nowhere", &document(2, ""))
                    .await
                    .unwrap_err()
                    .code,
                ErrorCode::NoNetwork
            );
            // Found again by the next daemon.
            drop(driver);
            let driver = host.open().await;
            assert_eq!(count(&driver, &view.id).await, 1);
            let again = driver.reclaim("n1", &document(1, "")).await.unwrap();
            assert_eq!(again, plugged);
            let heard = Heard::to(&driver);
            driver.unplug(uuid(1)).await.unwrap();
            driver.unplug(uuid(1)).await.unwrap();
            assert_eq!(heard.take(), ["-NetworkPort"]);
            let error = NetworkPorts::view(&*driver, uuid(1)).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::NoNetworkPort);
            // Ports go with their network.
            driver.plug("n1", &document(3, "")).await.unwrap();
            heard.take();
            driver.destroy(&view.id).await.unwrap();
            assert_eq!(heard.take(), ["-NetworkPort", "~Network", "Stopped"]);
            driver.unplug(uuid(3)).await.unwrap();
            let error = driver.reclaim("n1", &document(3, "")).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::OperationInvalid);
        },
    );
}

#[test]
fn netns_bandwidth_of_ports_is_told_and_set() {
    in_namespaces(
        "ports::netns_bandwidth_of_ports_is_told_and_set",
        |host| async move {
            let driver = host.open().await;
            let id = start(&driver, &network(1, "", "")).await;
            let port = make(&driver, &id, 1).await;
            let value = |parameters: &[TypedParameter], name: &str| {
                let found = parameters.iter().find(|one| one.field == name);
                found.map(|one| one.value.clone())
            };
            let ports: &dyn NetworkPorts = &*driver;
            let before = ports.parameters(&port).await.unwrap();
            assert_eq!(value(&before, "inbound.average"), Some(TypedValue::UInt(0)));
            let given = vec![TypedParameter::new("outbound.average", 77_u32)];
            ports.set_parameters(&port, given).await.unwrap();
            let after = ports.parameters(&port).await.unwrap();
            assert_eq!(
                value(&after, "outbound.average"),
                Some(TypedValue::UInt(77))
            );
            assert!(
                ports
                    .xml_desc(&port)
                    .await
                    .unwrap()
                    .contains("<outbound average='77'/>")
            );
            // A guarantee needs a network that has something to guarantee.
            let floor = vec![TypedParameter::new("inbound.floor", 7_u32)];
            let error = driver.set_bandwidth(uuid(1), floor).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::OperationInvalid);
            ports.delete(&port).await.unwrap();
            ports.parameters(&port).await.unwrap_err();
        },
    );
}

#[test]
fn netns_modes_without_a_bridge_of_their_own_only_check() {
    in_namespaces(
        "ports::netns_modes_without_a_bridge_of_their_own_only_check",
        |host| async move {
            let driver = host.open().await;
            let before = sh("ip -br link; nft list ruleset").await;
            let direct = |mode: &str| {
                format!(
                    "<network><name>{mode}</name><forward mode='{mode}'><interface dev='eth7'/></forward></network>"
                )
            };
            for mode in ["bridge", "private", "vepa", "passthrough"] {
                let id = start(&driver, &direct(mode)).await;
                let plugged = driver.plug(mode, &document(1, "")).await.unwrap();
                let expected = format!("<plug type='direct' dev='eth7' mode='{mode}'/>");
                assert!(plugged.xml.contains(&expected), "{}", plugged.xml);
                let second = driver.plug(mode, &document(2, "")).await;
                assert_eq!(second.is_err(), mode == "passthrough");
                driver.destroy(&id).await.unwrap();
                driver.undefine(&id).await.unwrap();
            }
            let hostdev = "<network><name>cards</name><forward mode='hostdev' managed='yes'><driver name='vfio'/>\
                           <address type='pci' domain='0' bus='3' slot='4' function='1'/></forward></network>";
            start(&driver, hostdev).await;
            let plugged = driver.plug("cards", &document(1, "")).await.unwrap();
            assert!(
                plugged
                    .xml
                    .contains("<plug type='hostdev-pci' managed='yes'>"),
                "{}",
                plugged.xml
            );
            assert_eq!(
                driver
                    .plug("cards", &document(2, ""))
                    .await
                    .unwrap_err()
                    .code,
                ErrorCode::OperationFailed
            );
            let bridge =
                "<network><name>lan</name><forward mode='bridge'/><bridge name='lan0'/></network>";
            start(&driver, bridge).await;
            let error = driver.plug("lan", &document(5, "")).await.unwrap_err();
            assert!(error.message.contains("'lan0'"), "{error}");
            assert_eq!(
                sh("ip -br link; nft list ruleset").await,
                before,
                "nothing was done to the host"
            );
            sh("ip link add lan0 type bridge && ip addr add 10.66.0.1/24 dev lan0").await;
            let plugged = driver.plug("lan", &document(5, "")).await.unwrap();
            assert!(
                plugged.xml.contains("<plug type='bridge' bridge='lan0'/>"),
                "{}",
                plugged.xml
            );
            let address = driver.listen_address("lan").await.unwrap();
            assert_eq!(address.to_string(), "10.66.0.1");
            start(&driver, &network(1, "", "")).await;
            assert_eq!(
                driver.listen_address("n1").await.unwrap().to_string(),
                "10.1.0.1"
            );
            // What listens on a network needs it.
            define(&driver, &network(2, "", "")).await;
            assert_eq!(
                driver.listen_address("n2").await.unwrap().to_string(),
                "10.2.0.1"
            );
            assert!(driver.view_by_name("n2").await.unwrap().active);
            let error = driver.listen_address("cards").await.unwrap_err();
            assert_eq!(error.code, ErrorCode::ConfigUnsupported);
        },
    );
}
