//! What is around domains: networks, storage, interfaces, devices, and the node that all of it is on.

use virtbus_api::domain::{
    DomainModificationImpact, DomainState, MetadataType, PausedReason, RunningReason,
};
use virtbus_api::filter::Filtered;
use virtbus_api::interface::{InterfaceDefineFlags, InterfaceXmlFlags};
use virtbus_api::network::{
    NetworkDefineFlags, NetworkUpdateCommand, NetworkUpdateSection, NetworkXmlFlags,
};
use virtbus_api::node_device::{ListAllNodeDevicesFlags, NodeDeviceDefineFlags};
use virtbus_api::object::{self, Kind};
use virtbus_api::storage::{
    StoragePoolBuildFlags, StoragePoolCreateFlags, StoragePoolDefineFlags, StorageVolCreateFlags,
    StorageVolInfoFlags,
};
use virtbus_api::{Connection, ErrorCode, Uuid};
use virtbus_test::Test;

use crate::{code, open};

#[tokio::test]
async fn a_connection_begins_with_what_clients_know() {
    let (test, _) = open().await;
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let count = object::views(&*test, *kind).await.unwrap().len();
        if count > 0 {
            found.push((*kind, count));
        }
    }
    use Kind as K;
    assert_eq!(
        found,
        [
            (K::Domain, 1),
            (K::Interface, 1),
            (K::Network, 1),
            (K::NodeDevice, 4),
            (K::StoragePool, 1)
        ]
    );
    let domain = test.domains().unwrap().view_by_id(1).await.unwrap();
    assert_eq!(
        domain.id.uuid.to_string(),
        "6695eb01-f6a4-8304-79aa-97f2502e193f"
    );
    assert_eq!(domain.state, DomainState::Running(RunningReason::Booted));
    assert!(domain.persistent);
    let pools = test.storage_pools().unwrap();
    let pool = pools.view_by_name("default-pool").await.unwrap();
    assert_eq!(
        pools.info(&pool.id).await.unwrap().capacity,
        107_374_182_400
    );
    let devices = test.node_devices().unwrap();
    let hosts = devices.views().await.unwrap();
    let hosts = hosts
        .iter()
        .filter(|device| device.matches(ListAllNodeDevicesFlags::CAP_SCSI_HOST));
    assert_eq!(hosts.count(), 3);
    assert!(
        test.host()
            .capabilities()
            .await
            .unwrap()
            .contains("<arch>i686</arch>")
    );
    assert!(test.is_idle());
    assert_eq!(
        code(Test::open("qemu:///system").await.map(drop)),
        ErrorCode::InvalidArg
    );
}

#[tokio::test]
async fn networks_carry_notes() {
    let (test, diary) = open().await;
    let networks = test.networks().unwrap();
    let id = networks.view_by_name("default").await.unwrap().id.clone();
    let (live, config) = (
        DomainModificationImpact::LIVE,
        DomainModificationImpact::CONFIG,
    );
    let (element, uri) = (MetadataType::Element, Some("urn:x"));
    diary.read();
    for (kind, text, key, uri) in [
        (element, "<note>hi</note>", Some("x"), uri),
        (MetadataType::Title, "For all", None, None),
    ] {
        let set = networks.set_metadata(&id, kind, Some(text), key, uri, config);
        set.await.unwrap();
        assert!(
            diary
                .read()
                .iter()
                .any(|line| line.contains("MetadataChange"))
        );
        let found = networks.metadata(&id, kind, uri, config).await.unwrap();
        assert!(text == found || found.contains("hi</x:note>"), "{found}");
        // The running network is as it was.
        assert_eq!(
            code(networks.metadata(&id, kind, uri, live).await),
            ErrorCode::NoNetworkMetadata
        );
    }
    for (kind, text, key, uri) in [
        (element, Some("<note>"), Some("x"), uri),
        (element, Some("<note/>"), None, uri),
        (element, None, None, None),
        (MetadataType::Title, Some("two\nlines"), None, None),
        (MetadataType::Title, Some("mine"), None, uri),
    ] {
        let refused = networks.set_metadata(&id, kind, text, key, uri, config);
        refused.await.unwrap_err();
    }
    let stored = networks.xml_desc(&id, NetworkXmlFlags::INACTIVE).await;
    let stored = stored.unwrap();
    assert!(stored.contains("hi</x:note>") && stored.contains("For all"));
    let removed = networks.set_metadata(&id, element, None, None, uri, config);
    removed.await.unwrap();
    assert_eq!(
        code(networks.metadata(&id, element, uri, config).await),
        ErrorCode::NoNetworkMetadata
    );
}

#[tokio::test]
async fn networks_are_defined_started_and_updated() {
    let (test, diary) = open().await;
    let networks = test.networks().unwrap();
    let xml =
        "<network><name>lab</name><forward mode='nat' dev='eth0'/><bridge name='lab0'/></network>";
    let lab = networks
        .define_xml(xml, NetworkDefineFlags::empty())
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Network added", "Lifecycle(Defined)"]);
    assert_eq!(lab.bridge.as_deref(), Some("lab0"));
    assert_eq!(
        code(networks.destroy(&lab.id).await),
        ErrorCode::OperationInvalid
    );
    networks.create(&lab.id).await.unwrap();
    networks.set_autostart(&lab.id, true).await.unwrap();
    assert_eq!(
        diary.read(),
        ["Network changed", "Lifecycle(Started)", "Network changed"]
    );
    let add = async |impact| {
        networks
            .update(
                &lab.id,
                NetworkUpdateCommand::AddLast,
                NetworkUpdateSection::ForwardInterface,
                -1,
                "<interface dev='eth1'/>",
                impact,
            )
            .await
    };
    use DomainModificationImpact as Impact;
    add(Impact::LIVE).await.unwrap();
    assert_eq!(code(add(Impact::LIVE).await), ErrorCode::OperationInvalid);
    let live = networks
        .xml_desc(&lab.id, NetworkXmlFlags::empty())
        .await
        .unwrap();
    let stored = networks
        .xml_desc(&lab.id, NetworkXmlFlags::INACTIVE)
        .await
        .unwrap();
    assert!(live.contains("eth1") && !stored.contains("eth1"));
    networks.undefine(&lab.id).await.unwrap();
    networks.destroy(&lab.id).await.unwrap();
    assert_eq!(
        diary.read().last().map(String::as_str),
        Some("Network removed")
    );
    assert_eq!(code(networks.view(lab.id.uuid).await), ErrorCode::NoNetwork);
    assert_eq!(
        code(
            networks
                .create_xml("<network/>", NetworkDefineFlags::empty())
                .await
        ),
        ErrorCode::XmlError
    );
}

#[tokio::test]
async fn pools_have_volumes_while_they_are_on() {
    let (test, diary) = open().await;
    let (pools, volumes) = (test.storage_pools().unwrap(), test.storage_vols().unwrap());
    let xml = "<pool type='dir'><name>more</name><target><path>/more</path></target></pool>";
    let pool = pools
        .define_xml(xml, StoragePoolDefineFlags::empty())
        .await
        .unwrap();
    assert_eq!(diary.read(), ["StoragePool added", "Lifecycle(Defined)"]);
    let volume = "<volume><name>disk.img</name><capacity unit='MiB'>8</capacity></volume>";
    let none = StorageVolCreateFlags::empty();
    assert_eq!(
        code(volumes.create_xml(&pool.id, volume, none).await),
        ErrorCode::OperationInvalid
    );
    pools
        .build(&pool.id, StoragePoolBuildFlags::empty())
        .await
        .unwrap();
    pools
        .create(&pool.id, StoragePoolCreateFlags::empty())
        .await
        .unwrap();
    diary.read();
    let made = volumes.create_xml(&pool.id, volume, none).await.unwrap();
    assert_eq!(diary.read(), ["StorageVol added"]);
    assert_eq!(&*made.path, "/more/disk.img");
    assert_eq!(
        code(volumes.create_xml(&pool.id, volume, none).await),
        ErrorCode::StorageVolExist
    );
    assert_eq!(
        volumes.view_by_path("/more/disk.img").await.unwrap().id,
        made.id
    );
    let missing = volumes.view_by_path("/nothing").await.unwrap_err();
    assert!(
        missing
            .message
            .contains("no storage vol with matching path"),
        "{}",
        missing.message
    );
    assert_eq!(pools.info(&pool.id).await.unwrap().allocation, 8 << 20);
    let huge = "<volume><name>huge</name><capacity unit='TiB'>8</capacity></volume>";
    assert_eq!(
        code(volumes.create_xml(&pool.id, huge, none).await),
        ErrorCode::OperationFailed
    );
    pools.refresh(&pool.id).await.unwrap();
    assert_eq!(diary.read(), ["Refresh"]);
    pools.destroy(&pool.id).await.unwrap();
    assert_eq!(
        diary.read(),
        [
            "StorageVol removed",
            "StoragePool changed",
            "Lifecycle(Stopped)"
        ]
    );
    assert_eq!(
        code(volumes.info(&made.id, StorageVolInfoFlags::empty()).await),
        ErrorCode::OperationInvalid
    );
    assert!(
        object::views(&*test, Kind::StorageVol)
            .await
            .unwrap()
            .is_empty()
    );
    pools.undefine(&pool.id).await.unwrap();
    assert_eq!(
        code(pools.view(pool.id.uuid).await),
        ErrorCode::NoStoragePool
    );
    assert!(
        pools
            .find_sources("logical", None)
            .await
            .unwrap()
            .contains("testvg1")
    );
}

#[tokio::test]
async fn interfaces_change_together_or_not_at_all() {
    let (test, diary) = open().await;
    let interfaces = test.interfaces().unwrap();
    let eth1 = interfaces.view_by_mac("AA:BB:CC:DD:EE:FF").await.unwrap();
    assert_eq!(&*eth1.id.name, "eth1");
    assert_eq!(
        code(interfaces.change_commit().await),
        ErrorCode::OperationInvalid
    );
    interfaces.change_begin().await.unwrap();
    assert_eq!(
        code(interfaces.change_begin().await),
        ErrorCode::OperationInvalid
    );
    interfaces.destroy(&eth1.id).await.unwrap();
    let xml =
        "<interface type='ethernet' name='eth2'><mac address='aa:bb:cc:dd:ee:f0'/></interface>";
    interfaces
        .define_xml(xml, InterfaceDefineFlags::empty())
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Interface changed", "Interface added"]);
    interfaces.change_rollback().await.unwrap();
    let told = diary.read();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&"Interface removed".to_owned()));
    assert!(interfaces.view("eth1").await.unwrap().active);
    assert_eq!(code(interfaces.view("eth2").await), ErrorCode::NoInterface);
    assert!(
        interfaces
            .xml_desc(&eth1.id, InterfaceXmlFlags::empty())
            .await
            .unwrap()
            .contains("192.168.0.5")
    );
}

#[tokio::test]
async fn virtual_ports_are_made_on_adapters() {
    let (test, diary) = open().await;
    let devices = test.node_devices().unwrap();
    let xml = "<device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'>\
               <wwnn>2000000000000001</wwnn><wwpn>1000000000000001</wwpn></capability></capability></device>";
    let none = NodeDeviceDefineFlags::empty();
    let port = devices.create_xml(xml, none).await.unwrap();
    assert_eq!(
        (&*port.id.name, port.parent.as_deref()),
        ("scsi_host12", Some("scsi_host1"))
    );
    assert_eq!(diary.read(), ["NodeDevice added", "Lifecycle(Created)"]);
    let found = devices
        .view_by_wwn("2000000000000001", "1000000000000001")
        .await
        .unwrap();
    assert_eq!(found.id, port.id);
    devices.destroy(&port.id).await.unwrap();
    assert_eq!(diary.read(), ["Lifecycle(Deleted)", "NodeDevice removed"]);
    let computer = devices.view("computer").await.unwrap();
    assert_eq!(
        code(devices.destroy(&computer.id).await),
        ErrorCode::OperationInvalid
    );
    assert_eq!(
        code(
            devices
                .create_xml(&xml.replace("scsi_host1<", "computer<"), none)
                .await
        ),
        ErrorCode::InvalidArg
    );
    assert_eq!(
        code(devices.view_by_wwn("0", "0").await),
        ErrorCode::NoNodeDevice
    );
}

#[tokio::test]
async fn a_node_file_describes_another_node() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(
        path("node.xml"),
        "<node><cpu><model>own</model><active>4</active></cpu><memory>1000</memory>\
         <domain file='off.xml'/>\
         <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>inline</name><memory>64</memory>\
         <os><type>hvm</type></os><test:runstate>3</test:runstate><test:transient>1</test:transient></domain>\
         <pool type='dir'><name>p</name><target><path>/p</path></target>\
         <volume><name>v</name><capacity>5</capacity></volume></pool></node>",
    )
    .unwrap();
    std::fs::write(
        path("off.xml"),
        "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>off</name>\
         <uuid>11111111-2222-4333-8444-555555555555</uuid><memory>64</memory>\
         <os><type>hvm</type></os><test:runstate>5</test:runstate><test:hasmanagedsave>1</test:hasmanagedsave>\
         <test:domainsnapshot><name>s</name><creationTime>1</creationTime><state>shutoff</state></test:domainsnapshot></domain>",
    )
    .unwrap();
    let test = Test::open(&format!("test://{}", path("node.xml").display()))
        .await
        .unwrap();
    assert_eq!(test.host().node_info().await.unwrap().cpus, 4);
    let domains = test.domains().unwrap();
    let off = domains
        .view(Uuid::try_parse("11111111-2222-4333-8444-555555555555").unwrap())
        .await
        .unwrap();
    assert!(off.managed_save && !off.is_active());
    assert_eq!(off.snapshots, 1);
    let inline = domains.view_by_name("inline").await.unwrap();
    assert!(!inline.persistent);
    assert_eq!(inline.state, DomainState::Paused(PausedReason::Unknown));
    assert_eq!(
        &*test
            .storage_vols()
            .unwrap()
            .view_by_path("/p/v")
            .await
            .unwrap()
            .id
            .name,
        "v"
    );

    std::fs::write(path("bad.xml"), "<node><rope/></node>").unwrap();
    let error = Test::open(&format!("test://{}", path("bad.xml").display()))
        .await
        .unwrap_err();
    assert!(
        error.message.contains("bad.xml") && error.message.contains("<rope>"),
        "{}",
        error.message
    );
}
