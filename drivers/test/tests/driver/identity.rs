//! Which object a call is about: the one that was asked about, also when another has got its UUID since; and what is said of others.

use virtbus_api::domain::{
    DomainCreateFlags, DomainDefineFlags, DomainDestroyFlags, DomainId, DomainModificationImpact,
    DomainUndefineFlags, DomainXmlFlags, MetadataType, SnapshotCreateFlags,
};
use virtbus_api::network::{NetworkDefineFlags, NetworkId};
use virtbus_api::storage::StoragePoolId;
use virtbus_api::{Connection, ErrorCode};

use crate::{GUEST, code, guest, open};

#[tokio::test]
async fn what_may_be_done_to_one_object_is_not_done_to_its_successor() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let before = DomainId {
        name: "before".into(),
        ..id.clone()
    };
    diary.read();
    let (domains, lifecycle) = (test.domains().unwrap(), test.lifecycle().unwrap());
    let (snapshots, description) = (test.snapshots().unwrap(), test.description().unwrap());
    let none = DomainXmlFlags::empty();
    for refused in [
        code(
            lifecycle
                .create(&before, DomainCreateFlags::empty(), &crate::client())
                .await,
        ),
        code(
            lifecycle
                .destroy(&before, DomainDestroyFlags::empty())
                .await,
        ),
        code(domains.xml_desc(&before, none).await),
        code(domains.info(&before).await),
        code(domains.set_autostart(&before, true).await),
        code(
            domains
                .undefine(&before, DomainUndefineFlags::empty())
                .await,
        ),
        code(description.rename(&before, "after").await),
        code(
            description
                .metadata(
                    &before,
                    MetadataType::Title,
                    None,
                    DomainModificationImpact::empty(),
                )
                .await,
        ),
        code(
            snapshots
                .create_xml(&before, "<domainsnapshot/>", SnapshotCreateFlags::empty())
                .await,
        ),
        code(snapshots.snapshots(&before).await),
    ] {
        assert_eq!(refused, ErrorCode::NoDomain);
    }

    let networks = test.networks().unwrap();
    let network = networks.view_by_name("default").await.unwrap().id.clone();
    let before = NetworkId {
        name: "before".into(),
        ..network
    };
    assert_eq!(code(networks.destroy(&before).await), ErrorCode::NoNetwork);
    assert_eq!(
        code(networks.set_autostart(&before, true).await),
        ErrorCode::NoNetwork
    );

    let pools = test.storage_pools().unwrap();
    let pool = pools.view_by_name("default-pool").await.unwrap().id.clone();
    let before = StoragePoolId {
        name: "before".into(),
        ..pool
    };
    assert_eq!(code(pools.destroy(&before).await), ErrorCode::NoStoragePool);
    assert_eq!(
        code(pools.set_autostart(&before, true).await),
        ErrorCode::NoStoragePool
    );
    assert_eq!(diary.read(), [""; 0]);
}

#[tokio::test]
async fn an_error_about_one_object_names_no_other() {
    let (test, _) = open().await;
    let id = guest(&test).await;
    let domains = test.domains().unwrap();
    let define = async |xml: String| {
        let defined = domains.define_xml(&xml, DomainDefineFlags::empty()).await;
        defined.unwrap_err().message
    };
    let uuid = id.uuid.to_string();
    let taken = GUEST.replace(
        "<name>guest</name>",
        &format!("<name>other</name><uuid>{uuid}</uuid>"),
    );
    let said = define(taken).await;
    assert!(said.contains(&uuid) && !said.contains("'guest'"), "{said}");
    let other = "8c5a0c1e-1b1f-4a47-9d2b-2f4a3a6f0d11";
    let taken = GUEST.replace("</name>", &format!("</name><uuid>{other}</uuid>"));
    let said = define(taken).await;
    assert!(said.contains("'guest'") && !said.contains(&uuid), "{said}");

    let networks = test.networks().unwrap();
    let network = networks.view_by_name("default").await.unwrap().id.clone();
    let xml = format!(
        "<network><name>other</name><uuid>{}</uuid></network>",
        network.uuid
    );
    let defined = networks.define_xml(&xml, NetworkDefineFlags::empty()).await;
    let said = defined.unwrap_err().message;
    assert!(!said.contains("default"), "{said}");
}
