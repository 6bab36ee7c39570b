//! Names: every object that enters a table can be named, and no two share a name, whatever definitions say.

use std::collections::HashSet;

use virtbus_api::connection::Connection;
use virtbus_api::domain::{
    CheckpointCreateFlags, DomainCreateFlags, DomainDefineFlags, SnapshotCreateFlags,
};
use virtbus_api::interface::InterfaceDefineFlags;
use virtbus_api::network::NetworkDefineFlags;
use virtbus_api::node_device::NodeDeviceDefineFlags;
use virtbus_api::object::{self, Kind};
use virtbus_api::storage::{
    StoragePoolCreateFlags, StoragePoolDefineFlags, StorageVolCreateFlags, StorageVolDeleteFlags,
};
use virtbus_api::{ErrorCode, Uuid};
use virtbus_test::Test;

use crate::{code, guest, open};

/// All there is of a kind can be named, and by no name twice.
async fn check(test: &Test, after: &str) {
    for kind in Kind::ALL {
        let views = object::views(test, *kind).await.unwrap();
        let mut ids = HashSet::new();
        for view in &views {
            assert!(view.borrowed_id().can_be_named(), "{after}: {view:?}");
            assert!(ids.insert(view.id()), "{after}: {view:?} twice");
        }
    }
}

const NAMES: [&str; 16] = [
    "",
    " ",
    "\t",
    "&#10;",
    ".",
    "..",
    "/",
    "../../etc",
    "a/b",
    "_",
    "_00",
    "ä\u{202e}",
    "\u{feff}",
    "test",
    "default",
    "&quot;&lt;x&gt;&amp;",
];

#[tokio::test]
async fn whatever_a_definition_is_called_lists_stay_whole() {
    let (test, _) = open().await;
    let id = guest(&test).await;
    let lifecycle = test.lifecycle().unwrap();
    let description = test.description().unwrap();
    let longest = "x".repeat(5000);
    for name in NAMES.into_iter().chain([longest.as_str(), "a\0b"]) {
        let domains = test.domains().unwrap();
        let now = domains.view(id.uuid).await.unwrap().id.clone();
        let _ = description.rename(&now, name).await;
        check(&test, name).await;
    }
    let domains = test.domains().unwrap();
    let id = domains.view(id.uuid).await.unwrap().id.clone();
    lifecycle
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    let pools = test.storage_pools().unwrap();
    let pool = pools.view_by_name("default-pool").await.unwrap().id.clone();
    for name in NAMES.into_iter().chain([longest.as_str()]) {
        // Twice, so that what was kept of the first is met by the second. Most are refused, and none may be kept by halves.
        for _ in 0..2 {
            let domain = format!(
                "<domain type='test'><name>{name}</name><memory>4096</memory><os><type>hvm</type></os></domain>"
            );
            let none = DomainDefineFlags::empty();
            let _ = test.domains().unwrap().define_xml(&domain, none).await;
            let none = DomainCreateFlags::empty();
            let _ = lifecycle.create_xml(&domain, none, &crate::client()).await;
            let network = format!("<network><name>{name}</name></network>");
            let none = NetworkDefineFlags::empty();
            let _ = test.networks().unwrap().define_xml(&network, none).await;
            let xml = format!(
                "<pool type='dir'><name>{name}</name><target><path>/{name}</path></target></pool>"
            );
            let _ = pools
                .define_xml(&xml, StoragePoolDefineFlags::empty())
                .await;
            let _ = pools
                .create_xml(&xml, StoragePoolCreateFlags::empty())
                .await;
            let volume = format!(
                "<volume><name>{name}</name><key>{name}</key><capacity>1</capacity></volume>"
            );
            let none = StorageVolCreateFlags::empty();
            let _ = test
                .storage_vols()
                .unwrap()
                .create_xml(&pool, &volume, none)
                .await;
            for interface in [
                format!("<interface type='ethernet' name='{name}'/>"),
                format!("<interface type='ethernet' name='{name}'><mac address=''/></interface>"),
                format!("<interface type='bridge' name='{name}'><bridge/></interface>"),
                format!(
                    "<interface type='vlan'><vlan tag='1'><interface name='{name}'/></vlan></interface>"
                ),
            ] {
                let none = InterfaceDefineFlags::empty();
                let _ = test
                    .interfaces()
                    .unwrap()
                    .define_xml(&interface, none)
                    .await;
            }
            let device = format!(
                "<device><name>{name}</name><parent>scsi_host1</parent><capability type='scsi_host'>\
                 <capability type='fc_host'><wwnn>2000000000000001</wwnn><wwpn>1000000000000001</wwpn></capability>\
                 </capability></device>"
            );
            let none = NodeDeviceDefineFlags::empty();
            let _ = test.node_devices().unwrap().create_xml(&device, none).await;
            let snapshot = format!("<domainsnapshot><name>{name}</name></domainsnapshot>");
            let none = SnapshotCreateFlags::empty();
            let _ = test
                .snapshots()
                .unwrap()
                .create_xml(&id, &snapshot, none)
                .await;
            let checkpoint = format!("<domaincheckpoint><name>{name}</name></domaincheckpoint>");
            let none = CheckpointCreateFlags::empty();
            let _ = test
                .checkpoints()
                .unwrap()
                .create_xml(&id, &checkpoint, none)
                .await;
            check(&test, name).await;
        }
    }
}

#[tokio::test]
async fn an_interface_without_an_address_gets_one_that_no_other_has() {
    let (test, diary) = open().await;
    let interfaces = test.interfaces().unwrap();
    let define = async |xml: &str| {
        interfaces
            .define_xml(xml, InterfaceDefineFlags::empty())
            .await
    };
    let kinds = [
        "<interface type='ethernet' name='eth9'/>",
        "<interface type='bridge' name='br0'><bridge><interface type='ethernet' name='eth9'/></bridge></interface>",
        "<interface type='bond' name='bond0'><bond mode='802.3ad'/></interface>",
        "<interface type='vlan'><vlan tag='42'><interface name='eth1'/></vlan></interface>",
    ];
    for xml in kinds {
        let made = define(xml).await.unwrap();
        assert_eq!(diary.read(), ["Interface added"], "{xml}");
        let found = interfaces.view_by_mac(&made.id.mac).await.unwrap();
        assert_eq!(found.id, made.id);
        // The same again is the same interface.
        assert_eq!(define(xml).await.unwrap().id, made.id);
        let shown = interfaces
            .xml_desc(&made.id, Default::default())
            .await
            .unwrap();
        assert!(!shown.contains(&*made.id.mac), "{shown}");
    }
    check(&test, "interfaces").await;
    diary.read();
    let taken =
        "<interface type='ethernet' name='eth2'><mac address='AA:BB:CC:DD:EE:FF'/></interface>";
    assert_eq!(code(define(taken).await), ErrorCode::OperationFailed);
    assert_eq!(code(interfaces.view("eth2").await), ErrorCode::NoInterface);
    assert_eq!(diary.read(), [""; 0]);
}

#[tokio::test]
async fn a_volume_made_of_another_s_description_is_itself() {
    let (test, _) = open().await;
    let (pools, volumes) = (test.storage_pools().unwrap(), test.storage_vols().unwrap());
    let pool = pools.view_by_name("default-pool").await.unwrap().id.clone();
    let none = StorageVolCreateFlags::empty();
    let base = "<volume><name>base</name><capacity>4096</capacity></volume>";
    let base = volumes.create_xml(&pool, base, none).await.unwrap();
    let described = volumes.xml_desc(&base.id).await.unwrap();
    let clone = described.replace("<name>base</name>", "<name>clone</name>");
    let clone = volumes
        .create_xml_from(&pool, &clone, &base.id, none)
        .await
        .unwrap();
    assert_ne!(clone.id.key, base.id.key);
    assert_ne!(clone.path, base.path);
    let found = volumes.view_by_key(&clone.id.key).await.unwrap();
    assert_eq!(&*found.id.name, "clone");
    volumes
        .delete(&clone.id, StorageVolDeleteFlags::empty())
        .await
        .unwrap();
    assert_eq!(volumes.view_by_key(&base.id.key).await.unwrap().id, base.id);
    assert_eq!(
        code(volumes.create_xml(&pool, &described, none).await),
        ErrorCode::StorageVolExist
    );
}

#[tokio::test]
async fn pools_do_not_share_a_folder_nor_volumes_a_path() {
    let (test, _) = open().await;
    let pools = test.storage_pools().unwrap();
    let define = async |name: &str, target: &str| {
        let xml = format!(
            "<pool type='dir'><name>{name}</name><target><path>{target}</path></target></pool>"
        );
        pools
            .define_xml(&xml, StoragePoolDefineFlags::empty())
            .await
    };
    for same in ["/default-pool", "/default-pool/"] {
        assert_eq!(
            code(define("other", same).await),
            ErrorCode::OperationFailed
        );
    }
    let other = define("other", "/elsewhere").await.unwrap().id.clone();
    pools
        .create(&other, StoragePoolCreateFlags::empty())
        .await
        .unwrap();
    let first = pools.view_by_name("default-pool").await.unwrap().id.clone();
    let xml = "<volume><name>a</name><capacity>4096</capacity></volume>";
    let mut keys = HashSet::new();
    for pool in [&other, &first] {
        let volumes = test.storage_vols().unwrap();
        let none = StorageVolCreateFlags::empty();
        let made = volumes.create_xml(pool, xml, none).await.unwrap();
        assert!(keys.insert(made.id.key.clone()));
    }
    assert_ne!(other.uuid, Uuid::nil());
    check(&test, "pools").await;
}
