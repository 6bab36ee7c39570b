//! Guests whose memory goes to a file and comes back, and long jobs: how far they are, and calling them off.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt;
use rustix::process::{Signal, kill_process};
use uuid::Uuid;
use virtbus_tests::client::{CallError, Client};
use virtbus_tests::domain::{PAUSED, RUNNING, SHUTOFF, Statistics, XML_INACTIVE};
use virtbus_tests::events::{
    RESUMED, RESUMED_FROM_SNAPSHOT, STARTED, STARTED_RESTORED, STOPPED, STOPPED_SAVED, SUSPENDED,
    SUSPENDED_PAUSED, UNDEFINED,
};
use virtbus_tests::mounts::Mount;
use virtbus_tests::wait::{LIMIT, patient, wait_for_async, wait_until};
use virtbus_tests::{Domain, DomainEvents, DomainXml, Testbed, need, or_skip};
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, OwnedVariant};

/// `VIR_DOMAIN_RUNNING_RESTORED`, `VIR_DOMAIN_RUNNING_SAVE_CANCELED`, `VIR_DOMAIN_SHUTOFF_SAVED`.
const RESTORED: i32 = 3;
const SAVE_CANCELED: i32 = 7;
const SAVED: i32 = 5;
/// `VIR_DOMAIN_JOB_OPERATION_SAVE`.
const OPERATION_SAVE: i32 = 2;
/// `VIR_DOMAIN_SAVE_PAUSED`.
const SAVE_PAUSED: u32 = 4;
/// `VIR_DOMAIN_UNDEFINE_MANAGED_SAVE`.
const UNDEFINE_MANAGED_SAVE: u32 = 1;
/// `VIR_DOMAIN_START_FORCE_BOOT`.
const FORCE_BOOT: u32 = 8;
/// `VIR_DUMP_MEMORY_ONLY`, `VIR_DUMP_CRASH`.
const MEMORY_ONLY: u32 = 16;
const CRASH: u32 = 1;

/// A running guest that counts.
async fn counting(name: &str) -> Result<(Testbed, Domain), String> {
    Testbed::with_booted(name, "tiny.tick").await
}

/// Where a domain's managed save image is.
fn image_of(testbed: &Testbed, name: &str) -> PathBuf {
    let file = format!("state/qemu/save/{name}.save");
    testbed.daemon.state_dir().join(file)
}

async fn has_image(domain: &Domain) -> bool {
    let has: Result<bool, _> = domain.0.call("HasManagedSaveImage", &(0_u32,)).await;
    has.expect("the domain can be asked")
}

async fn job(domain: &Domain) -> (i32, u32) {
    let job: OwnedVariant = domain.0.get("Job").await.expect("the property is there");
    job.try_into().expect("it is of its type")
}

/// Waits until a save has begun; it may be over by then.
async fn begun_or_over(domain: &Domain) {
    wait_for_async("the job", LIMIT, async || {
        let begun = job(domain).await.0 == OPERATION_SAVE;
        let state = domain.state().await.expect("the domain can be asked");
        (begun || state.0 == SHUTOFF).then_some(())
    })
    .await;
}

async fn save(domain: &Domain, to: &Path, flags: u32) -> Result<(), CallError> {
    let to = to.to_str().expect("test folders are plain");
    domain.0.call("Save", &(to, "", flags)).await
}

async fn restore(client: &Client, from: &Path) -> Result<(), CallError> {
    let from = from.to_str().expect("test folders are plain");
    let arguments = (from, "", 0_u32);
    client.qemu().call("DomainRestore", &arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_saved_and_goes_on_where_it_was() {
    let (testbed, domain) = or_skip!(counting("saved").await);
    let file = testbed.path("guest.save");
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .member("PropertiesChanged")
        .path(domain.path())
        .build()
        .unwrap();
    let mut changes = MessageStream::for_match_rule(rule, testbed.client.connection(), None)
        .await
        .unwrap();
    let live = domain.xml(0).await.unwrap();

    save(&domain, &file, 0).await.unwrap();
    let told = events.next_all(domain.path(), 2, LIMIT).await;
    let wanted = [(SUSPENDED, SUSPENDED_PAUSED), (STOPPED, STOPPED_SAVED)];
    assert_eq!(told, wanted);
    assert_eq!(domain.state().await.unwrap(), (SHUTOFF, SAVED));
    assert_eq!(job(&domain).await, (0, 0));

    // A bar could be drawn: the job appeared, reached its end, and went.
    let mut told = Vec::new();
    while told.last() != Some(&(0, 0)) {
        let change = tokio::time::timeout(patient(LIMIT), changes.next())
            .await
            .expect("a change in time")
            .unwrap()
            .unwrap();
        type Changed = (String, HashMap<String, OwnedVariant>, Vec<String>);
        let (_, changed, _): Changed = change.body().deserialize().unwrap();
        if let Some(job) = changed.get("Job") {
            told.push(<(i32, u32)>::try_from(job.try_clone().unwrap()).unwrap());
        }
    }
    assert_eq!(told.first(), Some(&(OPERATION_SAVE, 0)), "{told:?}");
    assert!(told.contains(&(OPERATION_SAVE, 100)), "{told:?}");

    let image = (file.to_str().unwrap(), 0_u32);
    let qemu = testbed.client.qemu();
    let xml: Result<String, _> = qemu.call("DomainSaveImageGetXMLDesc", &image).await;
    let xml = xml.unwrap();
    assert!(xml.contains("<name>saved</name>"), "{xml}");

    restore(&testbed.client, &file).await.unwrap();
    let told = events.next_all(domain.path(), 2, LIMIT).await;
    let wanted = [
        (STARTED, STARTED_RESTORED),
        (RESUMED, RESUMED_FROM_SNAPSHOT),
    ];
    assert_eq!(told, wanted);
    assert_eq!(domain.state().await.unwrap(), (RUNNING, RESTORED));
    testbed.console("saved").wait_for_ticks().await;
    let again = domain.xml(0).await.unwrap();
    let without_id = |xml: &str| xml.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_id(&again), without_id(&live));

    // Saved paused, it comes back paused.
    save(&domain, &file, SAVE_PAUSED).await.unwrap();
    restore(&testbed.client, &file).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    domain.tell("Resume").await.unwrap();
    testbed.console("saved").wait_for_ticks().await;
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_save_is_taken_by_the_next_start() {
    let (mut testbed, domain) = or_skip!(counting("managed").await);
    assert!(!has_image(&domain).await);
    let image = image_of(&testbed, "managed");
    domain.act("ManagedSave", 0).await.unwrap();
    assert!(has_image(&domain).await && image.exists());
    assert_eq!(domain.state().await.unwrap(), (SHUTOFF, SAVED));
    let refused = domain.act("Undefine", 0).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    // A start that boots would leave memory that is older than the disks.
    let xml = domain.xml(0).await.unwrap();
    let refused = testbed.client.create(&xml, 0).await.unwrap_err();
    assert!(
        refused.to_string().contains("ManagedSaveRemove"),
        "{refused}"
    );
    assert!(has_image(&domain).await && image.exists());

    // The next daemon knows of it.
    testbed.crash_and_restart().await;
    assert!(has_image(&domain).await);
    domain.act("Create", 0).await.unwrap();
    assert_eq!(domain.state().await.unwrap(), (RUNNING, RESTORED));
    assert!(!has_image(&domain).await);
    testbed.console("managed").wait_for_ticks().await;

    domain.act("ManagedSave", 0).await.unwrap();
    domain.act("ManagedSaveRemove", 0).await.unwrap();
    assert!(!has_image(&domain).await && !image.exists());
    domain.act("Create", 0).await.unwrap();
    domain.act("ManagedSave", 0).await.unwrap();
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    domain.act("Undefine", UNDEFINE_MANAGED_SAVE).await.unwrap();
    events.wait_for(domain.path(), UNDEFINED, LIMIT).await;
    assert!(!image.exists());
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_goes_on_from_a_file_does_not_start_from_older_memory_later() {
    let (testbed, domain) = or_skip!(counting("twice").await);
    let file = testbed.path("twice.saved");
    save(&domain, &file, 0).await.unwrap();
    domain.act("Create", 0).await.unwrap();
    domain.act("ManagedSave", 0).await.unwrap();
    restore(&testbed.client, &file).await.unwrap();
    assert_eq!(domain.state().await.unwrap(), (RUNNING, RESTORED));
    assert!(!has_image(&domain).await);
    assert!(!image_of(&testbed, "twice").exists());
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_state_qemu_does_not_give_goes_on() {
    or_skip!(need::program("qemu-img"));
    let testbed = or_skip!(Testbed::with_qemu().await);
    let disk = testbed.path("disk.vmdk");
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "vmdk"])
        .arg(&disk)
        .arg("1M")
        .status();
    assert!(made.unwrap().success());
    // QEMU refuses to migrate with such a disk.
    let xml = format!(
        "<disk type='file' device='disk'><driver name='qemu' type='vmdk'/><source file='{}'/><target dev='vda' bus='virtio'/></disk>",
        disk.display()
    );
    let domain = testbed.run(&DomainXml::small("blocked").device(&xml)).await;
    let to = testbed.path("memory");
    let to = to.to_str().unwrap();
    for (member, saved) in [("Save", true), ("CoreDump", false)] {
        let refused: Result<(), CallError> = if saved {
            domain.0.call(member, &(to, "", 0_u32)).await
        } else {
            domain.0.call(member, &(to, 0_u32, 0_u32)).await
        };
        let refused = refused.unwrap_err();
        assert!(refused.is_refusal(), "{member}: {refused}");
        assert_eq!(domain.state().await.unwrap().0, RUNNING, "{member}");
        assert!(!Path::new(to).exists());
        // Nothing of it is left in the daemon.
        let daemon = format!("/proc/{}/fd", testbed.daemon.pid());
        wait_until("the pipe to be closed", LIMIT, || {
            let mut links = fs::read_dir(&daemon)
                .unwrap()
                .filter_map(|link| fs::read_link(link.ok()?.path()).ok());
            links.all(|link| !link.to_string_lossy().contains(".part"))
        })
        .await;
    }
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_managed_save_that_cannot_be_removed_is_not_restored_again() {
    let (mut testbed, domain) = or_skip!(counting("pinned").await);
    let image = image_of(&testbed, "pinned");
    for restarted in [false, true] {
        domain.act("ManagedSave", 0).await.unwrap();
        assert!(image.exists());
        let pin = or_skip!(Mount::pinned(&image));
        domain.act("Create", 0).await.unwrap();
        assert_eq!(domain.state().await.unwrap(), (RUNNING, RESTORED));
        assert!(image.exists(), "the mount keeps it");
        assert!(!has_image(&domain).await);
        testbed.console("pinned").wait_for_ticks().await;
        if restarted {
            testbed.crash_and_restart().await;
        }
        domain.act("Destroy", 0).await.unwrap();
        assert!(!has_image(&domain).await);
        domain.act("Create", 0).await.unwrap();
        assert_eq!(domain.state().await.unwrap().0, RUNNING);
        assert_ne!(domain.state().await.unwrap().1, RESTORED);
        drop(pin);
    }
    testbed.crash_and_restart().await;
    wait_until("what is left of the image to go", LIMIT, || !image.exists()).await;
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_another_guest_of_the_same_name_is_not_taken() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let first = testbed.run(&DomainXml::small("namesake")).await;
    first.act("ManagedSave", 0).await.unwrap();
    // As if the daemon had been killed after the definition was gone, and before the image was.
    let image = image_of(&testbed, "namesake");
    let kept = testbed.path("kept");
    fs::rename(&image, &kept).unwrap();
    first.act("Undefine", UNDEFINE_MANAGED_SAVE).await.unwrap();
    fs::copy(&kept, &image).unwrap();

    let guest = DomainXml::small("namesake");
    let second = testbed.define(&guest).await;
    testbed.crash_and_restart().await;
    assert!(!has_image(&second).await);
    second.act("Create", 0).await.unwrap();
    assert_ne!(second.state().await.unwrap().1, RESTORED);
    let xml = second.xml(0).await.unwrap();
    assert!(xml.contains(&guest.uuid().to_string()), "{xml}");
    // Its own takes the place of that one.
    second.act("ManagedSave", 0).await.unwrap();
    testbed.crash_and_restart().await;
    assert!(has_image(&second).await);
    second.act("Create", 0).await.unwrap();
    assert_eq!(second.state().await.unwrap(), (RUNNING, RESTORED));
    testbed.end().await;
}

/// The moments that a blow hardly hits: the image has its name, and the guest has not ended, or has just.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_saved_if_the_image_that_was_noted_is_there_and_no_other() {
    let (mut testbed, domain) = or_skip!(counting("noted").await);
    let image = image_of(&testbed, "noted");
    let kept = testbed.path("kept");
    // The last ends when the next daemon has found it, and before that could ask it anything.
    for (ours, ended, is_asked) in [
        (false, false, true),
        (true, false, true),
        (true, true, true),
        (true, false, false),
    ] {
        domain.act("ManagedSave", 0).await.unwrap();
        fs::copy(&image, &kept).unwrap();
        domain.act("Create", 0).await.unwrap();
        testbed.console("noted").wait_for_ticks().await;

        testbed.daemon.kill();
        fs::copy(&kept, &image).unwrap();
        let whole = fs::read(&image).unwrap();
        let identity = if ours {
            Uuid::from_slice(&whole[36..52]).unwrap()
        } else {
            Uuid::new_v4()
        };
        let saving = format!(
            r#""saving":{{"path":"{}","temporary":"{}","identity":"{identity}","running":true,"purpose":"ManagedSave"}}"#,
            image.display(),
            image.with_file_name(".noted.part").display(),
        );
        let run = testbed.daemon.state_dir().join("run/qemu");
        let entries = fs::read_dir(run).unwrap().flatten();
        let mut files = entries.map(|entry| entry.path());
        let is_status = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
        let status = files.find(is_status).unwrap();
        let text = fs::read_to_string(&status).unwrap();
        assert!(text.contains(r#""saving":null"#), "{text}");
        fs::write(&status, text.replacen(r#""saving":null"#, &saving, 1)).unwrap();
        if ended {
            let emulator = testbed.daemon.emulator("noted").unwrap();
            kill_process(emulator, Signal::KILL).unwrap();
            let gone = || testbed.daemon.emulator("noted").is_none();
            wait_until("the emulator to end", LIMIT, gone).await;
        }
        let emulator = testbed.daemon.emulator("noted").filter(|_| !is_asked);
        if let Some(emulator) = emulator {
            kill_process(emulator, Signal::STOP).unwrap();
        }
        testbed.daemon.start(&testbed.client).await;
        if let Some(emulator) = emulator {
            kill_process(emulator, Signal::KILL).unwrap();
        }

        if ours {
            wait_for_async("the guest to be saved", LIMIT, async || {
                let state = domain.state().await.unwrap();
                (state == (SHUTOFF, SAVED)).then_some(())
            })
            .await;
            assert!(has_image(&domain).await);
            domain.act("Create", 0).await.unwrap();
        } else {
            testbed.console("noted").wait_for_ticks().await;
            wait_until("the older image to go", LIMIT, || !image.exists()).await;
            assert!(!has_image(&domain).await);
        }
        assert_eq!(domain.state().await.unwrap().0, RUNNING);
    }
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_is_called_off_leaves_the_guest_running_and_no_file() {
    let (testbed, domain) = or_skip!(counting("called-off").await);
    let file = testbed.path("guest.save");
    let refused = domain.tell("AbortJob").await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    // A save may be faster than its end: then the guest comes back, and it is tried again.
    for attempt in 1.. {
        assert!(attempt < 20, "the save was faster every time");
        let (saved, aborted) = tokio::join!(save(&domain, &file, 0), async {
            begun_or_over(&domain).await;
            domain.tell("AbortJob").await
        });
        if saved.is_ok() {
            restore(&testbed.client, &file).await.unwrap();
            continue;
        }
        let error = saved.unwrap_err();
        assert_eq!(
            error.name(),
            "org.libvirt.Error.OperationAborted",
            "{error}"
        );
        aborted.unwrap();
        break;
    }
    assert_eq!(domain.state().await.unwrap(), (RUNNING, SAVE_CANCELED));
    assert!(!file.exists());
    assert_eq!(job(&domain).await, (0, 0));
    testbed.console("called-off").wait_for_ticks().await;
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_saves_loses_no_guest() {
    let (mut testbed, domain) = or_skip!(counting("interrupted").await);
    let file = testbed.path("guest.save");
    for delay in [0_u64, 5, 20, 60, 200] {
        {
            let saving = save(&domain, &file, 0);
            let killed = async {
                begun_or_over(&domain).await;
                // The moment is to differ; nothing is waited for here.
                tokio::time::sleep(Duration::from_millis(delay)).await;
                testbed.daemon.kill();
            };
            tokio::join!(async { drop(saving.await) }, killed);
        }
        testbed.daemon.start(&testbed.client).await;
        let state = wait_for_async("the guest to be whole", LIMIT, async || {
            let state = domain.state().await.ok()?;
            matches!(state.0, RUNNING | SHUTOFF).then_some(state)
        })
        .await;
        if state.0 == SHUTOFF {
            // It was saved to the end before the daemon was killed.
            restore(&testbed.client, &file).await.unwrap();
        } else {
            wait_until("the rest of the save to go", LIMIT, || !file.exists()).await;
        }
        testbed.console("interrupted").wait_for_ticks().await;
        let _ = fs::remove_file(&file);
    }
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_saved_to_or_restored_from_is_refused_and_changes_nothing() {
    let (testbed, domain) = or_skip!(counting("refused").await);
    let pipe = testbed.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let nowhere = testbed.path("missing/guest.save");
    for to in [Path::new("relative"), &pipe, &nowhere] {
        let refused = save(&domain, to, 0).await.unwrap_err();
        assert!(refused.is_refusal(), "{}: {refused}", to.display());
        assert_eq!(domain.state().await.unwrap().0, RUNNING, "{}", to.display());
    }
    let file = testbed.path("guest.save");
    let refused = save(&domain, &file, 8).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    // The guest would notice another amount of memory.
    let other = domain
        .xml(XML_INACTIVE)
        .await
        .unwrap()
        .replace("131072", "65536");
    let changed: Result<(), _> = domain
        .0
        .call("Save", &(file.to_str().unwrap(), other.as_str(), 0_u32))
        .await;
    let refused = changed.unwrap_err();
    assert!(refused.to_string().contains("memory"), "{refused}");
    assert_eq!(domain.state().await.unwrap().0, RUNNING);

    fs::write(&file, "no saved guest").unwrap();
    for from in [Path::new("relative"), &pipe, &file] {
        let refused = restore(&testbed.client, from).await.unwrap_err();
        assert!(refused.is_refusal(), "{}: {refused}", from.display());
    }
    save(&domain, &file, 0).await.unwrap();
    let saved = fs::read(&file).unwrap();
    // Cut short, QEMU does not take it, and the domain is off again.
    fs::write(&file, &saved[..saved.len() / 2]).unwrap();
    let cut = restore(&testbed.client, &file).await;
    assert!(cut.unwrap_err().is_refusal());
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    fs::write(&file, &saved).unwrap();
    restore(&testbed.client, &file).await.unwrap();
    testbed.console("refused").wait_for_ticks().await;
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_full_disk_costs_neither_guest_nor_older_file() {
    let (testbed, domain) = or_skip!(counting("full").await);
    let dir = testbed.path("disk");
    fs::create_dir(&dir).unwrap();
    let _disk = or_skip!(Mount::small(&dir));
    let older = dir.join("older");
    fs::write(&older, "older").unwrap();
    let to = older.to_str().unwrap();
    for round in 0..3 {
        let refused = save(&domain, &older, 0).await.unwrap_err();
        assert!(refused.is_refusal(), "{refused}");
        for flags in [0, MEMORY_ONLY] {
            let arguments = (to, 0_u32, flags);
            let dumped: Result<(), _> = domain.0.call("CoreDump", &arguments).await;
            let refused = dumped.unwrap_err();
            assert!(refused.is_refusal(), "{refused}");
        }
        assert_eq!(domain.state().await.unwrap().0, RUNNING, "{round}");
        testbed.console("full").wait_for_ticks().await;
        assert_eq!(fs::read(&older).unwrap(), b"older");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_dumped_and_the_guest_goes_on_or_counts_as_crashed() {
    let (testbed, domain) = or_skip!(counting("dumped").await);
    let (core, other) = (testbed.path("core"), testbed.path("other"));
    let dump = async |to: &Path, flags: u32| -> Result<(), CallError> {
        let to = to.to_str().unwrap();
        domain.0.call("CoreDump", &(to, 0_u32, flags)).await
    };
    dump(&core, MEMORY_ONLY).await.unwrap();
    std::os::unix::fs::symlink(&core, &other).unwrap();
    let refused = dump(&other, MEMORY_ONLY).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    fs::remove_file(&other).unwrap();
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    let written = fs::read(&core).unwrap();
    assert!(written.starts_with(b"\x7fELF"));
    assert!(written.len() > 64 << 20, "{} bytes", written.len());
    drop(written);
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    testbed.console("dumped").wait_for_ticks().await;
    let stats: (i32, Statistics) = domain.0.call("GetJobStats", &(1_u32,)).await.unwrap();
    assert_eq!(stats.0, 3, "the job is completed");
    assert!(stats.1.contains_key("memory_total"));

    dump(&other, CRASH).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    assert!(other.metadata().unwrap().len() > 1 << 20);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_image_that_was_there_says_what_helps() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.run(&DomainXml::small("bereft")).await;
    for way in ["ManagedSaveRemove", "FORCE_BOOT"] {
        domain.act("ManagedSave", 0).await.unwrap();
        let saved = testbed.daemon.state_dir().join("state/qemu/save");
        fs::remove_file(saved.join("bereft.save")).unwrap();
        let refused = domain.act("Create", 0).await.unwrap_err();
        assert!(refused.is_refusal(), "{refused}");
        let said = refused.to_string();
        for word in ["'bereft' is gone", "bereft.save'", way] {
            assert!(said.contains(word), "no {word:?}: {said}");
        }
        assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
        let flags = if way == "FORCE_BOOT" {
            FORCE_BOOT
        } else {
            domain.act("ManagedSaveRemove", 0).await.unwrap();
            0
        };
        domain.act("Create", flags).await.unwrap();
    }
    testbed.end().await;
}
