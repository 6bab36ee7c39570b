//! Guests of many kinds start, and a reboot is nothing but a reboot.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use virtbus_tests::domain::{RUNNING, XML_INACTIVE};
use virtbus_tests::events::{SHUTDOWN, STOPPED, SUSPENDED};
use virtbus_tests::guest::{MODULES_LOADED, POWERBUTTON, READY};
use virtbus_tests::wait::{wait_for_async, wait_until};
use virtbus_tests::{Console, Domain, DomainEvents, DomainXml, Testbed, need, or_skip};

const LIMIT: Duration = Duration::from_secs(20);
/// Between two presses of a button.
const AGAIN: Duration = Duration::from_secs(2);
const ACPI_POWER_BUTTON: u32 = 1;

/// One device of every kind that this driver knows, as far as they can be in one machine.
fn every_device(disk: &str, image: &str) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' discard='unmap'/>\
           <source file='{disk}'/><target dev='vda' bus='virtio'/><serial>S1</serial></disk>\
         <disk type='file'><source file='{image}'/><target dev='sda' bus='scsi'/></disk>\
         <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>\
         <controller type='pci' index='1' model='pcie-root-port'/>\
         <controller type='usb' model='qemu-xhci'/>\
         <interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>\
         <console type='pty'><target type='virtio' port='1'/></console>\
         <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
         <input type='tablet' bus='usb'/>\
         <graphics type='vnc' passwd='secret' autoport='yes'/>\
         <video><model type='vga'/></video>\
         <sound model='ich9'/>\
         <watchdog model='i6300esb' action='reset'/>\
         <memballoon model='virtio' autodeflate='on'/>\
         <rng model='virtio'><rate bytes='1024'/><backend model='builtin'/></rng>\
         <panic model='isa'/>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_a_device_of_every_kind_starts_and_shows_what_it_got() {
    or_skip!(need::program("qemu-img"));
    let (testbed, guest) = or_skip!(Testbed::with_guest("every", "").await);
    let (disk, image) = (testbed.path("disk.qcow2"), testbed.path("disk.raw"));
    for (format, path) in [("qcow2", &disk), ("raw", &image)] {
        let made = Command::new("qemu-img")
            .args(["create", "-q", "-f", format])
            .arg(path)
            .arg("16M")
            .status()
            .unwrap();
        assert!(made.success());
    }
    let guest = guest
        .device(&every_device(
            &disk.display().to_string(),
            &image.display().to_string(),
        ))
        .element("<iothreads>1</iothreads><cpu mode='custom'><model>Nehalem</model></cpu>");
    let domain = testbed.run(&guest).await;
    testbed.console("every").wait_for(READY).await;

    let live = domain.xml(0).await.unwrap();
    for shown in [
        "<source path='/dev/pts/",
        "<alias name='virtio-disk0'/>",
        "port='59",
        "listen='127.0.0.1'",
    ] {
        assert!(live.contains(shown), "{shown} is not in {live}");
    }
    assert!(!live.contains("secret"), "{live}");
    let stored = domain.xml(XML_INACTIVE).await.unwrap();
    for hidden in ["/dev/pts/", "<alias", "port='59"] {
        assert!(!stored.contains(hidden), "{hidden} is in {stored}");
    }
    domain.act("Destroy", 0).await.unwrap();
    assert_eq!(domain.xml(XML_INACTIVE).await.unwrap(), stored);
    domain.act("Undefine", 0).await.unwrap();
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_other_families_boot() {
    let (testbed, guest) = or_skip!(Testbed::with_guest("machine", "").await);
    for machine in ["pc", "microvm"] {
        let _ = std::fs::remove_file(testbed.console("machine").path());
        let xml = guest
            .xml()
            .replace("machine='q35'", &format!("machine='{machine}'"));
        assert!(xml.contains(machine), "{xml}");
        let xml = if machine == "microvm" {
            xml.replace("<acpi/>", "")
                .replace("<devices>", "<devices><memballoon model='none'/>")
        } else {
            xml
        };
        let domain = testbed
            .client
            .create(&xml, 0)
            .await
            .unwrap_or_else(|error| panic!("{machine}: {error}"));
        testbed.console("machine").wait_for(READY).await;
        domain.act("Destroy", 0).await.unwrap();
        assert_eq!(
            testbed.client.list(0).await.unwrap(),
            Vec::<String>::new(),
            "{machine}"
        );
    }
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_taps_are_made_and_removed() {
    or_skip!(need::root());
    or_skip!(need::tun());
    or_skip!(need::program("ip"));
    let testbed = or_skip!(Testbed::with_qemu().await);
    let device = format!("vtt{}", std::process::id());
    let xml = format!(
        "<interface type='ethernet'><target dev='{device}'/><model type='virtio'/><link state='down'/></interface>"
    );
    let guest = DomainXml::new("tapped").device(&xml);
    let domain = testbed.run(&guest).await;
    let place = Path::new("/sys/class/net").join(&device);
    assert!(place.exists());
    domain.act("Destroy", 0).await.unwrap();
    assert!(!place.exists());
    domain.act("Undefine", 0).await.unwrap();
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_by_the_power_button_is_hidden_also_from_a_new_daemon() {
    let (mut testbed, guest) = or_skip!(Testbed::with_guest("again", "").await);
    let domain = testbed.run(&guest).await;
    testbed.console("again").wait_for(MODULES_LOADED).await;
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    let console = testbed.console("again");
    let boots = || console.times(MODULES_LOADED);

    press(&domain, &console, 1).await;
    wait_for_async("the guest to boot again", LIMIT, async || {
        assert_eq!(domain.state().await.unwrap().0, RUNNING);
        (boots() == 2).then_some(())
    })
    .await;

    // The daemon ends after the button is pressed: the next one finishes what was begun.
    press(&domain, &console, 2).await;
    testbed.daemon.kill();
    wait_until("the guest to be powered off", LIMIT, || {
        console.times("Power down") == 2
    })
    .await;
    testbed.daemon.start(&testbed.client).await;
    wait_for_async("the guest to boot a third time", LIMIT, async || {
        assert_eq!(domain.state().await.unwrap().0, RUNNING);
        (boots() == 3).then_some(())
    })
    .await;

    domain.act("Destroy", 0).await.unwrap();
    let first = events.next_of(domain.path(), LIMIT).await;
    assert!(![SHUTDOWN, SUSPENDED].contains(&first.event), "{first:?}");
    assert_eq!(first.event, STOPPED, "{first:?}");
    domain.act("Undefine", 0).await.unwrap();
    testbed.assert_nothing_left().await;
}

/// Asks for a reboot until the guest has heard of it for the given time: it may not listen to the button yet.
async fn press(domain: &Domain, console: &Console, times: usize) {
    let mut asked = Instant::now() - AGAIN;
    wait_for_async("the guest to hear the button", LIMIT, async || {
        if asked.elapsed() >= AGAIN {
            asked = Instant::now();
            domain
                .act("Reboot", ACPI_POWER_BUTTON)
                .await
                .expect("the guest can be asked");
        }
        (console.times(POWERBUTTON) >= times).then_some(())
    })
    .await;
}
