//! Domains: their life, devices, tuning, description, guests.

use std::sync::Arc;

use virtbus_api::domain::{
    DomainConsoleFlags, DomainCreateFlags, DomainDefineFlags, DomainDestroyFlags,
    DomainDeviceModifyFlags, DomainGetHostnameFlags, DomainLifecycleAction, DomainLifecycleEvent,
    DomainMemoryFlags, DomainMemoryPeekFlags, DomainModificationImpact, DomainRebootFlags,
    DomainShutdownFlags, DomainStatsFlags, DomainStatsTypes, DomainUndefineFlags, DomainVcpuFlags,
    DomainXmlFlags, InterfaceAddressesSource, MetadataType,
};
use virtbus_api::typed::{TypedParameter, TypedValue};
use virtbus_api::{Connection, ErrorCode};

use crate::transfers::downloaded;
use crate::{GUEST, code, first_domain, guest, open};

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
        .create(&id, DomainCreateFlags::PAUSED, &crate::client())
        .await
        .unwrap();
    assert_eq!(
        diary.read(),
        ["Domain changed", "Started(Booted)", "Suspended(Paused)"]
    );
    assert_eq!(
        code(
            lifecycle
                .create(&id, DomainCreateFlags::empty(), &crate::client())
                .await
        ),
        ErrorCode::OperationInvalid
    );
    lifecycle.resume(&id).await.unwrap();
    let twice = lifecycle.resume(&id).await;
    assert_eq!(code(twice), ErrorCode::OperationInvalid);
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
        .create_xml(GUEST, DomainCreateFlags::empty(), &crate::client())
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
        .create(&id, DomainCreateFlags::empty(), &crate::client())
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
    // Lowered, but not raised.
    let most = F::CONFIG | F::MAXIMUM;
    assert_eq!(
        code(vcpus.set_vcpus(&id, 8, most).await),
        ErrorCode::InvalidArg
    );
    vcpus.set_vcpus(&id, 3, most).await.unwrap();
    test.lifecycle()
        .unwrap()
        .create(&id, DomainCreateFlags::empty(), &crate::client())
        .await
        .unwrap();
    assert_eq!(
        vcpus.vcpus_flags(&id, F::LIVE | F::MAXIMUM).await.unwrap(),
        3
    );
    diary.read();
    vcpus
        .pin_vcpu(&id, 1, vec![false, true], Impact::LIVE)
        .await
        .unwrap();
    assert!(diary.read()[0].starts_with("Tunable([TypedParameter { field: \"cputune.vcpupin1\""));
    let pins = vcpus.vcpu_pin_info(&id, Impact::LIVE).await.unwrap();
    assert_eq!(pins.len(), 2);
    let host = test.node().unwrap().cpu_map().await.unwrap();
    assert_eq!(pins[0], vec![true; host.len()]);
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
        .create(&id, DomainCreateFlags::empty(), &crate::client())
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
    assert_eq!(note, "<note>hi</note>");
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
        .create(&id, DomainCreateFlags::empty(), &crate::client())
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
    let (content, bytes) = downloaded(image).await;
    assert!(content.unwrap().starts_with(b"P6"));
    assert_eq!(bytes.unwrap(), 14);
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
    assert_eq!(code(perf), ErrorCode::ArgumentUnsupported);
    assert_eq!(test.counters().unwrap().disk_errors(&id).await.unwrap(), []);
}
