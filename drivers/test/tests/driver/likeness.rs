//! Where clients and their tests rely on what libvirt's test driver makes of a definition, and tells of it.

use virtbus_api::connection::Connection;
use virtbus_api::domain::{
    DomainCreateFlags, DomainDefineFlags, DomainUndefineFlags, DomainXmlFlags,
};
use virtbus_api::network::{NetworkDefineFlags, NetworkXmlFlags};
use virtbus_api::node::BaselineCpuFlags;
use virtbus_api::{ErrorCode, Result};
use virtbus_test::Test;

use crate::{code, first_domain, open};

/// A domain with these devices and this in `<os>`, as it is shown once it is defined.
async fn defined(test: &Test, os: &str, devices: &str) -> Result<String> {
    let xml = format!(
        "<domain type='test'><name>case</name><memory>65536</memory><vcpu>1</vcpu>{os}\
         <devices>{devices}</devices></domain>"
    );
    let domains = test.domains().unwrap();
    let view = domains.define_xml(&xml, DomainDefineFlags::empty()).await?;
    let shown = domains.xml_desc(&view.id, DomainXmlFlags::empty()).await;
    domains
        .undefine(&view.id, DomainUndefineFlags::empty())
        .await
        .unwrap();
    shown
}

const HVM: &str = "<os><type>hvm</type></os>";

#[tokio::test]
async fn the_first_domain_has_devices() {
    let (test, _) = open().await;
    let id = first_domain(&test).await;
    let xml = test
        .domains()
        .unwrap()
        .xml_desc(&id, DomainXmlFlags::empty())
        .await
        .unwrap();
    for part in [
        "<source file='/guest/diskimage1'/>",
        "<target dev='vda' bus='virtio'/>",
        "<mac address='aa:bb:cc:dd:ee:ff'/>",
        "<target dev='testnet0'/>",
        "<memballoon model='virtio'>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    let counters = test.counters().unwrap();
    let tags = async |id| -> Vec<i32> {
        let stats = counters.memory_stats(id).await.unwrap();
        stats.into_iter().map(|(tag, _)| tag.number()).collect()
    };
    assert_eq!(tags(&id).await, (0..=12).collect::<Vec<_>>());
    counters.interface_stats(&id, "testnet0").await.unwrap();
    // Only how much the host gives it is known of one without a balloon.
    let plain = "<domain type='test'><name>plain</name><memory>4096</memory><os><type>hvm</type></os>\
                 <devices><memballoon model='none'/></devices></domain>";
    let lifecycle = test.lifecycle().unwrap();
    let plain = lifecycle
        .create_xml(plain, DomainCreateFlags::empty(), &crate::client())
        .await;
    assert_eq!(tags(&plain.unwrap().id).await, [7]);
}

#[tokio::test]
async fn what_is_left_out_is_completed() {
    let (test, _) = open().await;
    let screen = defined(&test, HVM, "<graphics type='vnc'/>").await.unwrap();
    assert!(screen.contains("<model type='cirrus'"), "{screen}");
    let second = "<video><model type='vga'/></video><video/>";
    let second = defined(&test, HVM, second).await.unwrap();
    assert!(second.contains("type='vga'") && second.contains("type='cirrus'"));
    let efi = "<os firmware='efi'><type>hvm</type></os>";
    let efi = defined(&test, efi, "").await.unwrap();
    assert!(efi.contains("<os firmware='efi'>"), "{efi}");
    let nets = "<interface type='network'><source network='default'/></interface>\
                <interface type='network'><source network='default'/><target dev='testnet0'/></interface>\
                <interface type='user'/>";
    let nets = defined(&test, HVM, nets).await.unwrap();
    for number in 0..3 {
        let name = format!("<target dev='testnet{number}'/>");
        assert_eq!(nets.matches(&name).count(), 1, "{nets}");
    }
    let served = "<disk type='network'><source protocol='https' name='i'><host name='a.example'/></source><target dev='vda'/></disk>\
                  <disk type='network'><source protocol='gluster' name='v/i'><host name='b.example'/><host transport='unix' socket='/s'/>\
                  </source><target dev='vdb'/></disk>";
    let served = defined(&test, HVM, served).await.unwrap();
    for host in [
        "<host name='a.example' port='443'/>",
        "<host name='b.example' port='24007'/>",
        "<host transport='unix' socket='/s'/>",
    ] {
        assert!(served.contains(host), "{served}");
    }
    let pinned = "<os><type>hvm</type></os><cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='3' cpuset='0'/></cputune>";
    let pinned = defined(&test, pinned, "").await.unwrap();
    assert!(pinned.contains("vcpu='0'") && !pinned.contains("vcpu='3'"));
}

#[tokio::test]
async fn a_guest_without_usb_has_no_usb_devices() {
    let (test, _) = open().await;
    let none = "<controller type='usb' model='none'/>";
    for device in [
        "<input type='tablet' bus='usb'/>",
        "<disk type='file'><source file='/a'/><target dev='sda' bus='usb'/></disk>",
        "<hub type='usb'/>",
        "<redirdev bus='usb' type='spicevmc'/>",
        "<sound model='usb'/>",
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x1'/></source></hostdev>",
    ] {
        let refused = defined(&test, HVM, &format!("{none}{device}")).await;
        assert_eq!(code(refused), ErrorCode::ConfigUnsupported, "{device}");
        defined(&test, HVM, device).await.unwrap();
    }
    defined(&test, HVM, &format!("{none}<sound model='ich9'/>"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_network_that_forwards_nothing_is_isolated() {
    let (test, _) = open().await;
    let networks = test.networks().unwrap();
    let define = async |forward: &str| {
        let xml = format!(
            "<network><name>isolated</name>{forward}<bridge name='virbr9'/>\
             <ip address='192.0.2.1' netmask='255.255.255.0'/></network>"
        );
        networks.define_xml(&xml, NetworkDefineFlags::empty()).await
    };
    let made = define("<forward mode='none'/>").await.unwrap();
    let shown = networks.xml_desc(&made.id, NetworkXmlFlags::empty()).await;
    let shown = shown.unwrap();
    assert!(!shown.contains("<forward"), "{shown}");
    assert!(shown.contains("stp='on'"), "{shown}");
    let through = define("<forward mode='none'><interface dev='eth0'/></forward>").await;
    assert_eq!(code(through), ErrorCode::XmlError);
}

#[tokio::test]
async fn processors_have_names_and_something_in_common() {
    let (test, _) = open().await;
    for (arch, name) in [
        ("x86_64", "Skylake-Client-noTSX-IBRS"),
        ("i686", "486"),
        ("ppc64le", "POWER9"),
        ("aarch64", "cortex-a72"),
    ] {
        let models = test.host().cpu_model_names(arch).await.unwrap();
        assert!(models.iter().any(|model| model == name), "{name}");
    }
    let unknown = test.host().cpu_model_names("pdp11").await;
    assert_eq!(code(unknown), ErrorCode::InvalidArg);
    let cpu = |model: &str, features: &[&str]| {
        let features = features
            .iter()
            .map(|name| format!("<feature name='{name}'/>"));
        let features: String = features.collect();
        format!(
            "<cpu><arch>x86_64</arch><model>{model}</model><vendor>Intel</vendor>{features}</cpu>"
        )
    };
    let node = test.node().unwrap();
    let baseline = async |cpus: &[String]| node.baseline_cpu(cpus, BaselineCpuFlags::empty()).await;
    let two = [
        cpu("Penryn", &["vmx", "x2apic"]),
        cpu("Penryn", &["x2apic", "dca"]),
    ];
    assert_eq!(
        baseline(&two).await.unwrap(),
        "<cpu mode='custom' match='exact'>\n  <model fallback='forbid'>Penryn</model>\n  \
         <vendor>Intel</vendor>\n  <feature policy='require' name='x2apic'/>\n</cpu>\n"
    );
    let different = [cpu("Penryn", &[]), cpu("EPYC", &[])];
    assert_eq!(code(baseline(&different).await), ErrorCode::OperationFailed);
    assert_eq!(code(baseline(&[]).await), ErrorCode::InvalidArg);
}
