//! What speaks against a guest is told by name, all of it at once, and before anything of the host is touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use virtbus_tests::domain::SHUTOFF;
use virtbus_tests::wait::{patient, wait_until};
use virtbus_tests::{Daemon, DomainXml, Testbed, or_skip};

/// What is in the directory of runs, beside the note of an autostart.
fn runs(testbed: &Testbed) -> Vec<PathBuf> {
    let dir = testbed.daemon.state_dir().join("run/qemu");
    let entries = std::fs::read_dir(dir).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .filter(|path| !path.ends_with("autostarted"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_guest_cannot_have_is_told_before_the_host_is_touched() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let (missing, console) = (testbed.path("missing.img"), testbed.path("console"));
    let guest = DomainXml::small("wanting").device(&format!(
        "<disk type='file'><source file='{}'/><target dev='vda'/></disk>\
         <disk type='file'><source file='/dev/null'/><target dev='vdb'/><encryption format='luks'/></disk>\
         <interface type='bridge'><source bridge='absent7'/></interface>\
         <serial type='file'><source path='{}'/></serial>\
         <sound model='pcspk'/><smartcard mode='host'/><lease><lockspace>a</lockspace><key>b</key><target path='/c'/></lease>",
        missing.display(),
        console.display()
    ));
    let domain = testbed.define(&guest).await;
    let refused = domain.act("Create", 0).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    let said = refused.to_string();
    for word in [
        "encrypted images",
        "'absent7'",
        "no network device",
        "<smartcard>",
        "<lease>",
    ] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
    assert!(!console.exists(), "a file was made");
    assert_eq!(runs(&testbed), Vec::<PathBuf>::new());
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);

    let guest = DomainXml::small("wanting")
        .with_uuid(guest.uuid())
        .device(&format!(
            "<disk type='file'><source file='{0}'/><target dev='vda'/></disk>\
         <disk type='file'><source file='{0}.2'/><target dev='vdb'/></disk>\
         <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>",
            missing.display(),
        ));
    let domain = testbed.define(&guest).await;
    let said = domain.act("Create", 0).await.unwrap_err().to_string();
    for name in ["missing.img'", "missing.img.2'", "No such file"] {
        assert!(said.contains(name), "no {name:?}: {said}");
    }
    assert_eq!(runs(&testbed), Vec::<PathBuf>::new());
    // With them there, it starts, and its empty drive is no matter.
    for path in [missing.clone(), testbed.path("missing.img.2")] {
        std::fs::write(path, [0_u8; 512]).unwrap();
    }
    domain.act("Create", 0).await.unwrap();
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_can_never_start_is_refused_with_all_that_is_wrong() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let long = format!("/{}", "x".repeat(120));
    let guest = DomainXml::small("wrong").device(&format!(
        "<disk type='file'><target dev='vda'/></disk>\
         <disk type='block'><target dev='vdb'/></disk>\
         <channel type='unix'><source mode='bind' path='{long}'/><target type='virtio' name='c'/></channel>",
    ));
    let refused = testbed.client.define(&guest.xml()).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    let said = refused.to_string();
    for word in [
        "disk 'vda' has no <source>",
        "disk 'vdb' has no <source>",
        &long,
        "<channel>",
        "107",
    ] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_qemu_would_not_be_told_of_is_refused_and_nothing_is_kept() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::small("trusting")
        .element(
            "<launchSecurity type='sev'><policy>0x3</policy></launchSecurity>\
             <cputune><quota>9000</quota></cputune><seclabel type='static' model='dac'><label>root:root</label></seclabel>",
        )
        .device(
            "<disk type='file'><source file='/dev/null'/><target dev='vda'/><transient/></disk>\
             <interface type='user'><filterref filter='clean-traffic'/></interface>\
             <graphics type='vnc' passwd='longer than eight'/>",
        );
    let refused = testbed.client.define(&guest.xml()).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    let said = refused.to_string();
    for word in [
        "<launchSecurity> is not supported",
        "<cputune> is not supported",
        "<seclabel>",
        "disk 'vda': <transient> is not supported",
        "<filterref> is not supported",
        "8 characters",
    ] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
    assert_eq!(testbed.client.list(0).await.unwrap(), Vec::<String>::new());
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_definitions_usually_carry_starts() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let guest = format!(
        "<domain type='qemu'><name>usual</name><memory unit='KiB'>65541</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os>\
         <features><acpi/><apic eoi='off'/><hyperv><relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='8191'/></hyperv>\
         <kvm><hidden state='on'/></kvm><pmu state='off'/></features>\
         <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>\
         <timer name='hpet' present='no'/><timer name='kvmclock' present='no'/><timer name='hypervclock' present='yes'/></clock>\
         <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>\
         <devices>{}<controller type='usb' index='0' model='ich9-ehci1'/>\
         <controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/></controller>\
         <controller type='usb' index='0' model='ich9-uhci2'><master startport='2'/></controller>\
         <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk><input type='tablet' bus='usb'/>\
         <sound model='ich9'><codec type='micro'/></sound></devices></domain>",
        "<controller type='pci' model='pcie-root'/>".to_owned()
            + &"<controller type='pci' model='pcie-root-port'/>".repeat(3),
    );
    let domain = testbed.client.define(&guest).await.unwrap();
    domain.act("Create", 0).await.unwrap();
    testbed.end().await;
}

/// Whether this machine lets the daemon raise limits of what it starts.
fn limits_can_be_raised() -> Result<(), String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = held.and_then(|held| u64::from_str_radix(held.trim(), 16).ok());
    // CAP_SYS_RESOURCE.
    if held.unwrap_or(0) & (1 << 24) == 0 {
        return Err("needs the right to raise limits".to_owned());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_memory_is_locked_may_lock_it() {
    or_skip!(limits_can_be_raised());
    let testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::small("locked").element("<memoryBacking><locked/></memoryBacking>");
    let domain = testbed.define(&guest).await;
    domain.act("Create", 0).await.unwrap();
    let [run] = &runs(&testbed)[..] else {
        panic!("there is one run");
    };
    let pid = std::fs::read_to_string(run.join("guest/pid")).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.trim())).unwrap();
    let locked = limits.lines().find(|line| line.contains("locked memory"));
    let locked = locked.expect("the kernel tells of it");
    assert!(locked.contains("unlimited"), "{locked}");
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_that_are_too_long_for_sockets_are_refused_by_the_daemon() {
    let testbed = or_skip!(Testbed::prepare(&[]).await);
    let state = testbed.path(&"d".repeat(60));
    let mut daemon = or_skip!(Daemon::new(testbed.bus.address(), &state, &[]));
    daemon.spawn();
    let mut status = None;
    let limit = patient(Duration::from_secs(20));
    wait_until("the daemon to end", limit, || {
        status = status.or(daemon.exited());
        status.is_some()
    })
    .await;
    let said = daemon.log_tail();
    assert_eq!(status.and_then(|status| status.code()), Some(78), "{said}");
    let run = Path::new(&state).join("run/qemu");
    for word in [run.to_str().unwrap(), "too long for sockets", " at most"] {
        assert!(said.contains(word), "no {word:?}: {said}");
    }
}
