//! The test driver through the API, as an interface drives it: what calls do, which events come in which order, and which
//! errors wrong states give.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::sync::{Arc, Mutex};

use virtbus_api::connection::Connection;
use virtbus_api::domain::*;
use virtbus_api::event::{Event, EventListener};
use virtbus_api::filter::Filtered;
use virtbus_api::interface::{InterfaceDefineFlags, InterfaceXmlFlags};
use virtbus_api::network::*;
use virtbus_api::node_device::*;
use virtbus_api::object::{self, Kind};
use virtbus_api::storage::*;
use virtbus_api::typed::{TypedParameter, TypedValue};
use virtbus_api::{ErrorCode, Result, Uuid};
use virtbus_test::Test;

/// Writes every event down as a line.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl EventListener for Diary {
    fn event(&self, event: &Event) {
        let line = match event {
            Event::Changed { before, after } => {
                let view = after.as_ref().or(before.as_ref()).expect("one of them");
                let what = match (before, after) {
                    (None, _) => "added",
                    (_, None) => "removed",
                    _ => "changed",
                };
                format!("{:?} {what}", view.kind())
            }
            Event::Domain(_, event) => match event {
                DomainEvent::Lifecycle(lifecycle) => format!("{lifecycle:?}"),
                other => format!("{other:?}"),
            },
            Event::Network(_, event) => format!("{event:?}"),
            Event::NodeDevice(_, event) => format!("{event:?}"),
            Event::Secret(_, event) => format!("{event:?}"),
            Event::StoragePool(_, event) => format!("{event:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Diary {
    /// What came since the last look.
    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn open() -> (Arc<Test>, Arc<Diary>) {
    let test = Test::open("test:///default").await.unwrap();
    let diary = Arc::new(Diary::default());
    test.events()
        .subscribe(Arc::clone(&diary) as Arc<dyn EventListener>);
    (test, diary)
}

async fn first_domain(test: &Test) -> DomainId {
    test.domains()
        .unwrap()
        .view_by_name("test")
        .await
        .unwrap()
        .id
        .clone()
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> ErrorCode {
    result.unwrap_err().code
}

const GUEST: &str = "<domain type='test'><name>guest</name><memory unit='KiB'>4096</memory><vcpu>4</vcpu>\
    <os><type>hvm</type></os><devices>\
    <disk type='file' device='disk'><source file='/guest.img'/><target dev='vda' bus='virtio'/></disk>\
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><target dev='tap0'/></interface>\
    <memballoon model='virtio'/></devices></domain>";

async fn guest(test: &Test) -> DomainId {
    let domains = test.domains().unwrap();
    domains
        .define_xml(GUEST, DomainDefineFlags::empty())
        .await
        .unwrap()
        .id
        .clone()
}

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
async fn a_domain_lives_and_every_step_is_told() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let (domains, lifecycle) = (test.domains().unwrap(), test.lifecycle().unwrap());
    assert_eq!(diary.read(), ["Domain added", "Defined(Added)"]);
    assert!(!test.is_idle());

    assert_eq!(
        code(lifecycle.suspend(&id).await),
        ErrorCode::OperationInvalid
    );
    lifecycle
        .create(&id, DomainCreateFlags::PAUSED)
        .await
        .unwrap();
    assert_eq!(
        diary.read(),
        ["Domain changed", "Started(Booted)", "Suspended(Paused)"]
    );
    assert_eq!(
        code(lifecycle.create(&id, DomainCreateFlags::empty()).await),
        ErrorCode::OperationInvalid
    );
    lifecycle.resume(&id).await.unwrap();
    lifecycle.resume(&id).await.unwrap();
    lifecycle
        .reboot(&id, DomainRebootFlags::empty())
        .await
        .unwrap();
    assert_eq!(
        diary.read(),
        [
            "Domain changed",
            "Resumed(Unpaused)",
            "Domain changed",
            "Reboot"
        ]
    );

    domains
        .undefine(&id, DomainUndefineFlags::empty())
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Domain changed", "Undefined(Removed)"]);
    assert!(!domains.view(id.uuid).await.unwrap().persistent);
    lifecycle
        .shutdown(&id, DomainShutdownFlags::empty())
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Stopped(Shutdown)", "Domain removed"]);
    assert_eq!(code(domains.view(id.uuid).await), ErrorCode::NoDomain);
    assert_eq!(
        code(lifecycle.destroy(&id, DomainDestroyFlags::empty()).await),
        ErrorCode::NoDomain
    );

    let view = lifecycle
        .create_xml(GUEST, DomainCreateFlags::empty())
        .await
        .unwrap();
    assert!(view.is_active() && !view.persistent);
    assert_eq!(
        code(domains.set_autostart(&view.id, true).await),
        ErrorCode::OperationInvalid
    );
    let twin = GUEST.replace(
        "<name>guest</name>",
        "<name>guest</name><uuid>11111111-2222-4333-8444-555555555555</uuid>",
    );
    assert_eq!(
        code(domains.define_xml(&twin, DomainDefineFlags::empty()).await),
        ErrorCode::OperationFailed
    );
    lifecycle
        .destroy(&view.id, DomainDestroyFlags::empty())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_cannot_be_defined_leaves_nothing() {
    let (test, diary) = open().await;
    let domains = test.domains().unwrap();
    for (xml, expected) in [
        ("<domain", ErrorCode::XmlError),
        ("<domain type='test'/>", ErrorCode::XmlError),
        (
            "<domain type='test'><name>a</name><vcpu current='3'>2</vcpu><memory>1</memory><os><type>hvm</type></os></domain>",
            ErrorCode::ConfigUnsupported,
        ),
    ] {
        assert_eq!(
            code(domains.define_xml(xml, DomainDefineFlags::empty()).await),
            expected,
            "{xml}"
        );
    }
    assert_eq!(domains.views().await.unwrap().len(), 1);
    assert!(diary.read().is_empty());
}

#[tokio::test]
async fn devices_come_and_go() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let devices = test.devices().unwrap();
    test.lifecycle()
        .unwrap()
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    diary.read();
    use DomainDeviceModifyFlags as F;
    let disk =
        "<disk type='file'><source file='/more.img'/><target dev='vdb' bus='virtio'/></disk>";
    devices.attach_device(&id, disk, F::LIVE).await.unwrap();
    assert_eq!(diary.read(), ["DeviceAdded { device: \"disk1\" }"]);
    let xml = |flags| {
        let (test, id) = (Arc::clone(&test), id.clone());
        async move { test.domains().unwrap().xml_desc(&id, flags).await.unwrap() }
    };
    assert!(xml(DomainXmlFlags::empty()).await.contains("/more.img"));
    assert!(!xml(DomainXmlFlags::INACTIVE).await.contains("/more.img"));
    assert_eq!(
        code(devices.attach_device(&id, disk, F::LIVE).await),
        ErrorCode::OperationFailed
    );
    devices
        .update_device(&id, &disk.replace("/more.img", "/other.img"), F::LIVE)
        .await
        .unwrap();
    assert!(xml(DomainXmlFlags::empty()).await.contains("/other.img"));
    assert!(
        xml(DomainXmlFlags::empty())
            .await
            .contains("<alias name='disk1'/>")
    );
    devices
        .detach_device_alias(&id, "disk1", F::LIVE)
        .await
        .unwrap();
    assert_eq!(diary.read(), ["DeviceRemoved { device: \"disk1\" }"]);
    assert_eq!(
        code(devices.detach_device(&id, disk, F::LIVE).await),
        ErrorCode::DeviceMissing
    );
    devices
        .attach_device(&id, disk, F::LIVE | F::CONFIG)
        .await
        .unwrap();
    devices
        .detach_device(&id, disk, F::LIVE | F::CONFIG)
        .await
        .unwrap();
    assert!(!xml(DomainXmlFlags::INACTIVE).await.contains("vdb"));
    let balloon = devices
        .attach_device(&id, "<memballoon model='virtio'/>", F::CONFIG)
        .await;
    assert_eq!(code(balloon), ErrorCode::OperationFailed);
    assert_eq!(
        code(devices.attach_device(&id, "<rope/>", F::CONFIG).await),
        ErrorCode::XmlError
    );
}

#[tokio::test]
async fn processors_are_tuned() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let vcpus = Connection::vcpus(&*test).unwrap();
    use DomainModificationImpact as Impact;
    use DomainVcpuFlags as F;
    assert_eq!(
        code(vcpus.vcpus_flags(&id, F::LIVE).await),
        ErrorCode::OperationInvalid
    );
    assert_eq!(vcpus.vcpus_flags(&id, F::MAXIMUM).await.unwrap(), 4);
    vcpus.set_vcpus(&id, 2, F::CONFIG).await.unwrap();
    assert_eq!(vcpus.vcpus_flags(&id, F::CONFIG).await.unwrap(), 2);
    assert_eq!(
        code(vcpus.set_vcpus(&id, 5, F::CONFIG).await),
        ErrorCode::InvalidArg
    );
    vcpus
        .set_vcpus(&id, 8, F::CONFIG | F::MAXIMUM)
        .await
        .unwrap();
    test.lifecycle()
        .unwrap()
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    assert_eq!(
        vcpus.vcpus_flags(&id, F::LIVE | F::MAXIMUM).await.unwrap(),
        8
    );
    diary.read();
    vcpus
        .pin_vcpu(&id, 1, vec![false, true], Impact::LIVE)
        .await
        .unwrap();
    assert!(diary.read()[0].starts_with("Tunable([TypedParameter { field: \"cputune.vcpupin1\""));
    let pins = vcpus.vcpu_pin_info(&id, Impact::LIVE).await.unwrap();
    assert_eq!(pins.len(), 2);
    assert_eq!(pins[0].iter().filter(|on| **on).count(), 16);
    assert_eq!(pins[1].iter().filter(|on| **on).count(), 1);
    assert_eq!(
        code(vcpus.pin_vcpu(&id, 9, vec![true], Impact::LIVE).await),
        ErrorCode::InvalidArg
    );
    assert_eq!(
        code(vcpus.pin_emulator(&id, vec![false], Impact::LIVE).await),
        ErrorCode::InvalidArg
    );
    vcpus
        .add_iothread(&id, 3, Impact::LIVE | Impact::CONFIG)
        .await
        .unwrap();
    assert_eq!(
        code(vcpus.add_iothread(&id, 3, Impact::LIVE).await),
        ErrorCode::OperationInvalid
    );
    vcpus
        .pin_iothread(&id, 3, vec![true, true], Impact::LIVE)
        .await
        .unwrap();
    assert_eq!(
        vcpus.iothread_info(&id, Impact::LIVE).await.unwrap()[0].id,
        3
    );
    let poll = vec![TypedParameter::new("poll_max_ns", 5_u64)];
    vcpus
        .set_iothread_params(&id, 3, poll, Impact::LIVE)
        .await
        .unwrap();
    vcpus.del_iothread(&id, 3, Impact::LIVE).await.unwrap();
    assert!(
        vcpus
            .iothread_info(&id, Impact::LIVE)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        vcpus
            .iothread_info(&id, Impact::CONFIG)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn limits_are_set_all_or_none_and_read_again() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let tuning = test.tuning().unwrap();
    use DomainModificationImpact as Impact;
    let one = |name: &str, value: TypedValue| vec![TypedParameter::new(name, value)];
    let value = |parameters: &[TypedParameter], name: &str| {
        parameters
            .iter()
            .find(|parameter| parameter.field == name)
            .unwrap()
            .value
            .clone()
    };
    let config = Impact::CONFIG;

    let before = tuning.memory_parameters(&id, config).await.unwrap();
    assert_eq!(
        value(&before, "hard_limit"),
        TypedValue::ULLong(9_007_199_254_740_991)
    );
    let mut both = one("hard_limit", TypedValue::ULLong(100_000));
    both.extend(one("colour", TypedValue::ULLong(1)));
    assert_eq!(
        code(tuning.set_memory_parameters(&id, both, config).await),
        ErrorCode::InvalidArg
    );
    assert_eq!(tuning.memory_parameters(&id, config).await.unwrap(), before);
    tuning
        .set_memory_parameters(&id, one("hard_limit", TypedValue::ULLong(100_000)), config)
        .await
        .unwrap();
    assert_eq!(
        value(
            &tuning.memory_parameters(&id, config).await.unwrap(),
            "hard_limit"
        ),
        TypedValue::ULLong(100_000)
    );

    let devices = TypedValue::String("/dev/sda,500,/dev/sdb,300".to_owned());
    tuning
        .set_blkio_parameters(&id, one("device_weight", devices.clone()), config)
        .await
        .unwrap();
    tuning
        .set_blkio_parameters(&id, one("weight", TypedValue::UInt(700)), config)
        .await
        .unwrap();
    let blkio = tuning.blkio_parameters(&id, config).await.unwrap();
    assert_eq!(value(&blkio, "device_weight"), devices);
    assert_eq!(value(&blkio, "weight"), TypedValue::UInt(700));
    let wrong = tuning
        .set_blkio_parameters(
            &id,
            one("device_weight", TypedValue::String("/dev/sda".to_owned())),
            config,
        )
        .await;
    assert_eq!(code(wrong), ErrorCode::InvalidArg);

    tuning
        .set_block_io_tune(
            &id,
            "vda",
            one("total_bytes_sec", TypedValue::ULLong(4096)),
            config,
        )
        .await
        .unwrap();
    let limits = tuning
        .block_io_tune(&id, "/guest.img", config)
        .await
        .unwrap();
    assert_eq!(value(&limits, "total_bytes_sec"), TypedValue::ULLong(4096));
    assert_eq!(
        code(tuning.block_io_tune(&id, "vdz", config).await),
        ErrorCode::InvalidArg
    );

    tuning
        .set_interface_parameters(
            &id,
            "tap0",
            one("inbound.average", TypedValue::UInt(100)),
            config,
        )
        .await
        .unwrap();
    let rates = tuning
        .interface_parameters(&id, "52:54:00:00:00:01", config)
        .await
        .unwrap();
    assert_eq!(value(&rates, "inbound.average"), TypedValue::UInt(100));

    tuning
        .set_numa_parameters(
            &id,
            one("numa_nodeset", TypedValue::String("0-1".to_owned())),
            config,
        )
        .await
        .unwrap();
    let numa = tuning.numa_parameters(&id, config).await.unwrap();
    assert_eq!(
        value(&numa, "numa_nodeset"),
        TypedValue::String("0-1".to_owned())
    );

    tuning
        .set_perf_events(&id, one("cmt", TypedValue::Boolean(true)), config)
        .await
        .unwrap();
    assert_eq!(
        value(&tuning.perf_events(&id, config).await.unwrap(), "cmt"),
        TypedValue::Boolean(true)
    );

    tuning
        .set_lifecycle_action(
            &id,
            DomainLifecycleEvent::Poweroff,
            DomainLifecycleAction::Preserve,
            config,
        )
        .await
        .unwrap();
    test.lifecycle()
        .unwrap()
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    tuning
        .set_scheduler_parameters(&id, one("weight", TypedValue::UInt(9)), Impact::LIVE)
        .await
        .unwrap();
    assert_eq!(
        value(
            &tuning
                .scheduler_parameters(&id, Impact::LIVE)
                .await
                .unwrap(),
            "weight"
        ),
        TypedValue::UInt(9)
    );
    diary.read();
    tuning
        .set_memory(&id, 2048, DomainMemoryFlags::LIVE)
        .await
        .unwrap();
    assert_eq!(diary.read(), ["BalloonChange { actual: 2048 }"]);
    assert_eq!(
        code(
            tuning
                .set_memory(&id, 1 << 40, DomainMemoryFlags::LIVE)
                .await
        ),
        ErrorCode::InvalidArg
    );
    assert_eq!(
        test.domains().unwrap().info(&id).await.unwrap().memory,
        2048
    );
    test.lifecycle()
        .unwrap()
        .shutdown(&id, DomainShutdownFlags::empty())
        .await
        .unwrap();
    assert!(
        test.domains()
            .unwrap()
            .view(id.uuid)
            .await
            .unwrap()
            .is_active(),
        "it was to be preserved"
    );
}

#[tokio::test]
async fn a_tree_of_snapshots_grows_and_is_returned_to() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let snapshots = Connection::snapshots(&*test).unwrap();
    let lifecycle = test.lifecycle().unwrap();
    let take = async |name: &str| {
        let xml = format!("<domainsnapshot><name>{name}</name></domainsnapshot>");
        snapshots
            .create_xml(&id, &xml, SnapshotCreateFlags::empty())
            .await
    };
    diary.read();
    let off = take("off").await.unwrap();
    assert_eq!(diary.read(), ["Domain changed", "DomainSnapshot added"]);
    assert!(off.current && off.kind == SnapshotKind::Inactive && off.parent.is_none());
    lifecycle
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    let running = take("running").await.unwrap();
    assert_eq!(running.parent.as_deref(), Some("off"));
    assert_eq!(running.kind, SnapshotKind::Active);
    assert_eq!(code(take("running").await), ErrorCode::OperationFailed);

    diary.read();
    let risky = snapshots
        .revert(&off.id, SnapshotRevertFlags::RUNNING)
        .await;
    assert_eq!(code(risky), ErrorCode::SnapshotRevertRisky);
    snapshots
        .revert(&off.id, SnapshotRevertFlags::empty())
        .await
        .unwrap();
    assert_eq!(
        diary.read(),
        [
            "Domain changed",
            "Stopped(FromSnapshot)",
            "Defined(FromSnapshot)",
            "DomainSnapshot changed",
            "DomainSnapshot changed"
        ]
    );
    snapshots
        .revert(&running.id, SnapshotRevertFlags::PAUSED)
        .await
        .unwrap();
    let state = test.domains().unwrap().view(id.uuid).await.unwrap().state;
    assert_eq!(state, DomainState::Paused(PausedReason::FromSnapshot));
    let xml = snapshots
        .xml_desc(&running.id, SnapshotXmlFlags::empty())
        .await
        .unwrap();
    assert!(
        xml.contains("<state>running</state>") && xml.contains("<name>off</name>"),
        "{xml}"
    );

    lifecycle
        .destroy(&id, DomainDestroyFlags::empty())
        .await
        .unwrap();
    let held = test
        .domains()
        .unwrap()
        .undefine(&id, DomainUndefineFlags::empty())
        .await;
    assert_eq!(code(held), ErrorCode::OperationInvalid);
    snapshots
        .delete(&off.id, MomentDeleteFlags::empty())
        .await
        .unwrap();
    let left = snapshots.snapshots(&id).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].parent, None);
    snapshots
        .create_xml(&id, &xml, SnapshotCreateFlags::REDEFINE)
        .await
        .unwrap_err();
    let alone = xml.replace("<parent>\n    <name>off</name>\n  </parent>\n", "");
    snapshots
        .create_xml(
            &id,
            &alone,
            SnapshotCreateFlags::REDEFINE | SnapshotCreateFlags::CURRENT,
        )
        .await
        .unwrap();
    snapshots
        .delete(&running.id, MomentDeleteFlags::CHILDREN)
        .await
        .unwrap();
    assert_eq!(
        code(snapshots.snapshot(&id, "running").await),
        ErrorCode::NoDomainSnapshot
    );
}

#[tokio::test]
async fn checkpoints_follow_one_another() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    test.lifecycle()
        .unwrap()
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    diary.read();
    let checkpoints = Connection::checkpoints(&*test).unwrap();
    let make = async |name: &str| {
        let xml = format!("<domaincheckpoint><name>{name}</name></domaincheckpoint>");
        checkpoints
            .create_xml(&id, &xml, CheckpointCreateFlags::empty())
            .await
            .unwrap()
    };
    let (one, two) = (make("one").await, make("two").await);
    assert_eq!(two.parent.as_deref(), Some("one"));
    let xml = checkpoints
        .xml_desc(&two.id, CheckpointXmlFlags::NO_DOMAIN)
        .await
        .unwrap();
    assert!(
        xml.contains("checkpoint='bitmap'") && !xml.contains("<domain "),
        "{xml}"
    );
    checkpoints
        .delete(&one.id, MomentDeleteFlags::empty())
        .await
        .unwrap();
    assert_eq!(
        checkpoints.checkpoint(&id, "two").await.unwrap().parent,
        None
    );
    assert_eq!(
        code(checkpoints.checkpoint(&id, "one").await),
        ErrorCode::NoDomainCheckpoint
    );
}

#[tokio::test]
async fn memory_is_saved_and_found_again() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let (saving, lifecycle) = (test.saving().unwrap(), test.lifecycle().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image");
    let file = file.to_str().unwrap();
    let none = DomainSaveRestoreFlags::empty();
    assert_eq!(
        code(saving.save(&id, file, None, none).await),
        ErrorCode::OperationInvalid
    );
    lifecycle
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    assert_eq!(
        code(saving.save(&id, "image", None, none).await),
        ErrorCode::InvalidArg
    );
    assert_eq!(
        code(saving.save(&id, "/no/such/folder/image", None, none).await),
        ErrorCode::SystemError
    );
    diary.read();
    saving
        .save(&id, file, None, DomainSaveRestoreFlags::PAUSED)
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Domain changed", "Stopped(Saved)"]);
    let xml = saving
        .save_image_xml_desc(file, DomainSaveImageXmlFlags::empty())
        .await
        .unwrap();
    assert!(xml.contains("<name>guest</name>"));
    let other = xml.replace("52:54:00:00:00:01", "52:54:00:00:00:09");
    assert!(
        saving
            .save_image_define_xml(file, &other, none)
            .await
            .is_err()
    );
    saving
        .save_image_define_xml(file, &xml, DomainSaveRestoreFlags::RUNNING)
        .await
        .unwrap();
    saving.restore(file, None, none).await.unwrap();
    assert_eq!(diary.read(), ["Domain changed", "Started(Restored)"]);
    assert_eq!(
        code(saving.restore(file, None, none).await),
        ErrorCode::OperationInvalid
    );

    saving.managed_save(&id, none).await.unwrap();
    assert!(
        test.domains()
            .unwrap()
            .view(id.uuid)
            .await
            .unwrap()
            .managed_save
    );
    let held = test
        .domains()
        .unwrap()
        .undefine(&id, DomainUndefineFlags::empty())
        .await;
    assert_eq!(code(held), ErrorCode::OperationInvalid);
    diary.read();
    lifecycle
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    assert_eq!(diary.read(), ["Domain changed", "Started(Restored)"]);
    let dump = folder.path().join("dump");
    saving
        .core_dump(
            &id,
            dump.to_str().unwrap(),
            DomainCoreDumpFormat::Raw,
            DomainCoreDumpFlags::CRASH,
        )
        .await
        .unwrap();
    assert!(dump.exists());
    assert_eq!(diary.read(), ["Domain changed", "Stopped(Crashed)"]);
}

#[tokio::test]
async fn domains_are_described_and_renamed() {
    let (test, diary) = open().await;
    let id = guest(&test).await;
    let description = test.description().unwrap();
    use DomainModificationImpact as Impact;
    let (kind, config, uri) = (MetadataType::Element, Impact::CONFIG, Some("urn:x"));
    assert_eq!(
        code(description.metadata(&id, kind, uri, config).await),
        ErrorCode::NoDomainMetadata
    );
    diary.read();
    description
        .set_metadata(&id, kind, Some("<note>hi</note>"), Some("x"), uri, config)
        .await
        .unwrap();
    assert_eq!(
        diary.read(),
        ["MetadataChange { kind: Element, namespace: Some(\"urn:x\") }"]
    );
    let note = description.metadata(&id, kind, uri, config).await.unwrap();
    assert!(note.contains("hi") && note.contains("urn:x"), "{note}");
    description
        .set_metadata(
            &id,
            MetadataType::Title,
            Some("A guest"),
            None,
            None,
            config,
        )
        .await
        .unwrap();
    assert_eq!(
        description
            .metadata(&id, MetadataType::Title, None, config)
            .await
            .unwrap(),
        "A guest"
    );
    description
        .set_metadata(&id, kind, None, None, uri, config)
        .await
        .unwrap();
    assert_eq!(
        code(description.metadata(&id, kind, uri, config).await),
        ErrorCode::NoDomainMetadata
    );
    diary.read();
    description.rename(&id, "renamed").await.unwrap();
    assert_eq!(
        diary.read(),
        ["Undefined(Renamed)", "Domain changed", "Defined(Renamed)"]
    );
    let domains = test.domains().unwrap();
    assert_eq!(
        domains.view_by_name("renamed").await.unwrap().id.uuid,
        id.uuid
    );
    assert_eq!(
        code(domains.view_by_name("guest").await),
        ErrorCode::NoDomain
    );
    assert_eq!(
        code(description.rename(&id, "test").await),
        ErrorCode::OperationFailed
    );
    let running = first_domain(&test).await;
    assert_eq!(
        code(description.rename(&running, "x").await),
        ErrorCode::OperationInvalid
    );
}

#[tokio::test]
async fn guests_answer_while_they_run() {
    let (test, _) = open().await;
    let id = guest(&test).await;
    let (agent, console) = (test.agent().unwrap(), test.console().unwrap());
    assert_eq!(
        code(agent.fs_freeze(&id, &[]).await),
        ErrorCode::OperationInvalid
    );
    test.lifecycle()
        .unwrap()
        .create(&id, DomainCreateFlags::empty())
        .await
        .unwrap();
    assert_eq!(agent.fs_freeze(&id, &["/".to_owned()]).await.unwrap(), 1);
    assert_eq!(agent.fs_freeze(&id, &[]).await.unwrap(), 1);
    assert_eq!(agent.fs_thaw(&id, &[]).await.unwrap(), 2);
    assert_eq!(agent.fs_info(&id).await.unwrap().len(), 2);
    assert_eq!(
        agent
            .hostname(&id, DomainGetHostnameFlags::empty())
            .await
            .unwrap(),
        "guesthost"
    );
    assert_eq!(
        agent
            .interface_addresses(&id, InterfaceAddressesSource::Lease)
            .await
            .unwrap()[0]
            .name,
        "tap0"
    );
    assert_eq!(
        console
            .memory_peek(&id, 0, 4, DomainMemoryPeekFlags::PHYSICAL)
            .await
            .unwrap(),
        b"abcd"
    );
    let (kind, image) = console.screenshot(&id, 0).await.unwrap();
    assert!(kind.starts_with("image/"));
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut std::fs::File::from(image), &mut content).unwrap();
    assert!(content.starts_with(b"P6"));
    assert_eq!(
        code(console.screenshot(&id, 1).await),
        ErrorCode::InvalidArg
    );
    assert_eq!(
        code(
            console
                .open_console(&id, None, DomainConsoleFlags::empty())
                .await
        ),
        ErrorCode::NoSupport
    );
    let stats = test.statistics().unwrap();
    let all = stats
        .stats(&id, DomainStatsTypes::empty(), DomainStatsFlags::empty())
        .await
        .unwrap();
    let has = |name: &str| all.iter().any(|parameter| parameter.field == name);
    assert!(
        has("state.state") && has("vcpu.0.time") && has("block.0.name") && has("net.0.rx.bytes"),
        "{all:?}"
    );
    let perf = stats
        .stats(&id, DomainStatsTypes::PERF, DomainStatsFlags::ENFORCE)
        .await;
    assert_eq!(code(perf), ErrorCode::ConfigUnsupported);
    assert_eq!(
        test.counters().unwrap().disk_errors(&id).await.unwrap(),
        [("vda".to_owned(), 0)]
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
