//! Arguments that the driver or one of its objects has to refuse, in the state that it is in.

use virtbus_api::ErrorCode;
use virtbus_api::connection::Connection;
use virtbus_api::domain::{
    DomainCreateFlags, DomainModificationImpact as Impact, DomainStatsFlags, DomainStatsTypes,
    DomainVcpuFlags, SnapshotCreateFlags,
};
use virtbus_api::typed::TypedParameter;

use crate::{code, guest, open};

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let (test, _) = open().await;
    let id = guest(&test).await;
    let vcpus = test.vcpus().unwrap();
    vcpus
        .set_vcpus(&id, 2, DomainVcpuFlags::CONFIG)
        .await
        .unwrap();
    let lifecycle = test.lifecycle().unwrap();
    lifecycle
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    let agent = test.agent().unwrap();
    let unknown = ["/".to_owned(), "/nowhere".to_owned()];
    assert_eq!(
        code(agent.fs_freeze(&id, &unknown).await),
        ErrorCode::InvalidArg
    );
    assert_eq!(
        code(agent.fs_thaw(&id, &unknown).await),
        ErrorCode::InvalidArg
    );
    assert_eq!(agent.fs_freeze(&id, &unknown[..1]).await.unwrap(), 1);
    // It is off in the guest that runs, and may be on in the next.
    let pin = async |vcpu, impact| vcpus.pin_vcpu(&id, vcpu, vec![true], impact).await;
    pin(1, Impact::LIVE).await.unwrap();
    assert_eq!(code(pin(2, Impact::LIVE).await), ErrorCode::InvalidArg);
    pin(2, Impact::CONFIG).await.unwrap();
    assert_eq!(code(pin(4, Impact::CONFIG).await), ErrorCode::InvalidArg);
    for kind in ["logical", "netfs", "iscsi"] {
        let found = test.storage_pools().unwrap();
        let found = found.find_sources(kind, Some("<source><host")).await;
        assert_eq!(code(found), ErrorCode::XmlError, "{kind}");
    }
    // Groups that nobody knows are nothing, not everything.
    let unknown = DomainStatsTypes::from_bits_retain(1 << 20);
    let stats = test.statistics().unwrap();
    let lenient = stats.stats(&id, unknown, DomainStatsFlags::empty()).await;
    assert_eq!(lenient.unwrap(), []);
    let strict = stats.stats(&id, unknown, DomainStatsFlags::ENFORCE).await;
    assert_eq!(code(strict), ErrorCode::ArgumentUnsupported);
}

#[tokio::test]
async fn limits_fit_those_that_are_set_already() {
    let (test, _) = open().await;
    let id = guest(&test).await;
    let tuning = test.tuning().unwrap();
    let limit = async |limits: &[(&str, u64)]| {
        let limits = limits
            .iter()
            .map(|(name, limit)| TypedParameter::new(*name, *limit));
        tuning
            .set_memory_parameters(&id, limits.collect(), Impact::CONFIG)
            .await
    };
    limit(&[("swap_hard_limit", 1000)]).await.unwrap();
    assert_eq!(
        code(limit(&[("hard_limit", 2000)]).await),
        ErrorCode::InvalidArg
    );
    limit(&[("hard_limit", 2000), ("swap_hard_limit", 3000)])
        .await
        .unwrap();
}

#[tokio::test]
async fn memory_and_disks_of_a_snapshot_go_together() {
    let (test, _) = open().await;
    let id = guest(&test).await;
    let snapshots = test.snapshots().unwrap();
    let count = std::cell::Cell::new(0);
    let take = async |memory: &str, disk: &str, flags| {
        count.set(count.get() + 1);
        let xml = format!(
            "<domainsnapshot><name>{}</name>{memory}<disks>{disk}</disks></domainsnapshot>",
            count.get()
        );
        snapshots.create_xml(&id, &xml, flags).await
    };
    let none = SnapshotCreateFlags::empty();
    let internal = "<memory snapshot='internal'/>";
    let external = "<memory snapshot='external' file='/memory'/>";
    assert_eq!(
        code(take(internal, "", none).await),
        ErrorCode::XmlError,
        "it is off"
    );
    let lifecycle = test.lifecycle().unwrap();
    lifecycle
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    let disks_only = SnapshotCreateFlags::DISK_ONLY;
    assert_eq!(
        code(take(internal, "", disks_only).await),
        ErrorCode::XmlError
    );
    let inside = "<disk name='vda' snapshot='internal'/>";
    let outside = "<disk name='vda' snapshot='external'><source file='/new'/></disk>";
    for (memory, disk) in [(external, inside), (internal, outside)] {
        assert_eq!(
            code(take(memory, disk, none).await),
            ErrorCode::ConfigUnsupported
        );
    }
    take(internal, inside, none).await.unwrap();
    take(external, outside, none).await.unwrap();
    take("<memory snapshot='no'/>", outside, disks_only)
        .await
        .unwrap();
}
