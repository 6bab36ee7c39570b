//! Guests whose memory goes to a file and comes back, and long jobs: how far they are, and calling them off.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use virtbus_tests::client::{Client, Domain};
use virtbus_tests::events::{STARTED, STOPPED, UNDEFINED};
use virtbus_tests::guest::{READY, TICK};
use virtbus_tests::mounts::Mount;
use virtbus_tests::wait::{patient, wait_for, wait_for_async};
use virtbus_tests::{DomainEvents, Testbed, skip};
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, OwnedVariant};

/// What an idle machine needs at most.
const LIMIT: Duration = Duration::from_secs(12);

const RUNNING: i32 = 1;
const PAUSED: i32 = 3;
const SHUTOFF: i32 = 5;
/// `VIR_DOMAIN_RUNNING_RESTORED`, `VIR_DOMAIN_RUNNING_SAVE_CANCELED`, `VIR_DOMAIN_SHUTOFF_SAVED`.
const RESTORED: i32 = 3;
const SAVE_CANCELED: i32 = 7;
const SAVED: i32 = 5;
/// `VIR_DOMAIN_EVENT_STARTED_RESTORED`, `VIR_DOMAIN_EVENT_STOPPED_SAVED`.
const STARTED_RESTORED: i32 = 2;
const STOPPED_SAVED: i32 = 4;
/// `VIR_DOMAIN_JOB_OPERATION_SAVE`.
const OPERATION_SAVE: i32 = 2;
/// `VIR_DOMAIN_SAVE_PAUSED`.
const SAVE_PAUSED: u32 = 4;
/// `VIR_DOMAIN_UNDEFINE_MANAGED_SAVE`.
const UNDEFINE_MANAGED_SAVE: u32 = 1;
/// `VIR_DUMP_MEMORY_ONLY`, `VIR_DUMP_CRASH`.
const MEMORY_ONLY: u32 = 16;
const CRASH: u32 = 1;

/// A running guest that counts.
async fn counting(name: &str) -> Result<(Testbed, Domain), String> {
    let testbed = Testbed::start(&[]).await?;
    let guest = testbed.guest(name, "tiny.tick")?;
    let domain = testbed
        .client
        .define(&guest.xml())
        .await
        .map_err(|error| error.to_string())?;
    domain
        .act("Create", 0)
        .await
        .map_err(|error| error.to_string())?;
    testbed.wait_for_console(name, READY).await;
    Ok((testbed, domain))
}

/// Where a domain's managed save image is.
fn image_of(testbed: &Testbed, name: &str) -> PathBuf {
    let file = format!("state/qemu/save/{name}.save");
    testbed.daemon.state_dir().join(file)
}

fn ticks(console: &Path) -> usize {
    let said = fs::read(console).unwrap_or_default();
    String::from_utf8_lossy(&said).matches(TICK).count()
}

/// The guest counts on, and did not begin anew.
async fn goes_on(testbed: &Testbed, name: &str) {
    let console = testbed.console(name);
    let before = ticks(&console);
    wait_for("the guest to count on", LIMIT, || {
        (ticks(&console) > before + 1).then_some(())
    })
    .await;
    let said = fs::read(&console).expect("the console is there");
    let boots = String::from_utf8_lossy(&said).matches(READY).count();
    assert!(boots <= 1, "it booted {boots} times");
}

async fn job(domain: &Domain) -> (i32, u32) {
    let job: OwnedVariant = domain.0.get("Job").await.expect("the property is there");
    job.try_into().expect("it is of its type")
}

async fn save(
    domain: &Domain,
    to: &Path,
    flags: u32,
) -> Result<(), virtbus_tests::client::CallError> {
    let to = to.to_str().expect("test folders are plain");
    domain.0.call("Save", &(to, "", flags)).await
}

async fn restore(client: &Client, from: &Path) {
    let from = from.to_str().expect("test folders are plain");
    let answer = client
        .qemu()
        .call::<_, ()>("DomainRestore", &(from, "", 0_u32))
        .await;
    answer.expect("the guest is restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_saved_and_goes_on_where_it_was() {
    let (testbed, domain) = match counting("saved").await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
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
    let stopped = events.next_of(domain.path(), LIMIT).await;
    assert_eq!((stopped.event, stopped.detail), (STOPPED, STOPPED_SAVED));
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
        type Changed = (
            String,
            std::collections::HashMap<String, OwnedVariant>,
            Vec<String>,
        );
        let (_, changed, _): Changed = change.body().deserialize().unwrap();
        if let Some(job) = changed.get("Job") {
            told.push(<(i32, u32)>::try_from(job.try_clone().unwrap()).unwrap());
        }
    }
    assert_eq!(told.first(), Some(&(OPERATION_SAVE, 0)), "{told:?}");
    assert!(told.contains(&(OPERATION_SAVE, 100)), "{told:?}");

    let xml: (String,) = {
        let from = file.to_str().unwrap();
        let qemu = testbed.client.qemu();
        qemu.call("DomainSaveImageGetXMLDesc", &(from, 0_u32))
            .await
            .unwrap()
    };
    assert!(xml.0.contains("<name>saved</name>"), "{}", xml.0);

    restore(&testbed.client, &file).await;
    let started = events.next_of(domain.path(), LIMIT).await;
    assert_eq!((started.event, started.detail), (STARTED, STARTED_RESTORED));
    assert_eq!(domain.state().await.unwrap(), (RUNNING, RESTORED));
    goes_on(&testbed, "saved").await;
    let again = domain.xml(0).await.unwrap();
    let without_id = |xml: &str| xml.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_id(&again), without_id(&live));

    // Saved paused, it comes back paused.
    save(&domain, &file, SAVE_PAUSED).await.unwrap();
    restore(&testbed.client, &file).await;
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    domain.tell("Resume").await.unwrap();
    goes_on(&testbed, "saved").await;
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["saved"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_save_is_taken_by_the_next_start() {
    let (mut testbed, domain) = match counting("managed").await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let has = async || {
        let has: Result<(bool,), _> = domain.0.call("HasManagedSaveImage", &(0_u32,)).await;
        has.unwrap().0
    };
    assert!(!has().await);
    let image = image_of(&testbed, "managed");
    domain.act("ManagedSave", 0).await.unwrap();
    assert!(has().await && image.exists());
    assert_eq!(domain.state().await.unwrap(), (SHUTOFF, SAVED));
    let refused = domain.act("Undefine", 0).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");

    // The next daemon knows of it.
    testbed.crash_and_restart().await;
    assert!(has().await);
    domain.act("Create", 0).await.unwrap();
    assert_eq!(domain.state().await.unwrap(), (RUNNING, RESTORED));
    assert!(!has().await);
    goes_on(&testbed, "managed").await;

    domain.act("ManagedSave", 0).await.unwrap();
    domain.act("ManagedSaveRemove", 0).await.unwrap();
    assert!(!has().await && !image.exists());
    domain.act("Create", 0).await.unwrap();
    domain.act("ManagedSave", 0).await.unwrap();
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    domain.act("Undefine", UNDEFINE_MANAGED_SAVE).await.unwrap();
    events.wait_for(domain.path(), UNDEFINED, LIMIT).await;
    assert!(!image.exists());
    testbed.assert_nothing_left(&["managed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_managed_save_that_cannot_be_removed_is_not_restored_again() {
    let (mut testbed, domain) = match counting("pinned").await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let has = async || {
        let has: Result<(bool,), _> = domain.0.call("HasManagedSaveImage", &(0_u32,)).await;
        has.unwrap().0
    };
    let image = image_of(&testbed, "pinned");
    for restarted in [false, true] {
        domain.act("ManagedSave", 0).await.unwrap();
        assert!(image.exists());
        let pin = match Mount::pinned(&image) {
            Ok(pin) => pin,
            Err(reason) => skip!("{reason}"),
        };
        domain.act("Create", 0).await.unwrap();
        assert_eq!(domain.state().await.unwrap(), (RUNNING, RESTORED));
        assert!(image.exists(), "the mount keeps it");
        assert!(!has().await);
        goes_on(&testbed, "pinned").await;
        if restarted {
            testbed.crash_and_restart().await;
        }
        domain.act("Destroy", 0).await.unwrap();
        assert!(!has().await);
        domain.act("Create", 0).await.unwrap();
        assert_eq!(domain.state().await.unwrap().0, RUNNING);
        assert_ne!(domain.state().await.unwrap().1, RESTORED);
        drop(pin);
    }
    testbed.crash_and_restart().await;
    wait_for("what is left of the image to go", LIMIT, || {
        (!image.exists()).then_some(())
    })
    .await;
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["pinned"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_is_called_off_leaves_the_guest_running_and_no_file() {
    let (testbed, domain) = match counting("called-off").await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let file = testbed.path("guest.save");
    let refused = domain.tell("AbortJob").await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    // A save may be faster than its end: then the guest comes back, and it is tried again.
    for attempt in 1.. {
        assert!(attempt < 20, "the save was faster every time");
        let (saved, aborted) = tokio::join!(save(&domain, &file, 0), async {
            wait_for_async("the job", LIMIT, async || {
                (job(&domain).await.0 == OPERATION_SAVE
                    || domain.state().await.unwrap().0 == SHUTOFF)
                    .then_some(())
            })
            .await;
            domain.tell("AbortJob").await
        });
        if saved.is_ok() {
            restore(&testbed.client, &file).await;
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
    goes_on(&testbed, "called-off").await;
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["called-off"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_saves_loses_no_guest() {
    let (mut testbed, domain) = match counting("interrupted").await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let file = testbed.path("guest.save");
    for delay in [0_u64, 5, 20, 60, 200] {
        {
            let saving = save(&domain, &file, 0);
            let killed = async {
                wait_for_async("the job", LIMIT, async || {
                    (job(&domain).await.0 == OPERATION_SAVE
                        || domain.state().await.unwrap().0 == SHUTOFF)
                        .then_some(())
                })
                .await;
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
            restore(&testbed.client, &file).await;
        } else {
            wait_for("the rest of the save to go", LIMIT, || {
                (!file.exists()).then_some(())
            })
            .await;
        }
        goes_on(&testbed, "interrupted").await;
        let _ = fs::remove_file(&file);
    }
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["interrupted"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_saved_to_or_restored_from_is_refused_and_changes_nothing() {
    let (testbed, domain) = match counting("refused").await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let pipe = testbed.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let nowhere = testbed.path("missing/guest.save");
    for to in [
        "relative",
        pipe.to_str().unwrap(),
        nowhere.to_str().unwrap(),
    ] {
        let refused = save(&domain, Path::new(to), 0).await.unwrap_err();
        assert!(refused.is_refusal(), "{to}: {refused}");
        assert_eq!(domain.state().await.unwrap().0, RUNNING, "{to}");
    }
    let file = testbed.path("guest.save");
    let refused = save(&domain, &file, 8).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    // The guest would notice another amount of memory.
    let other = domain.xml(2).await.unwrap().replace("131072", "65536");
    let changed: Result<(), _> = domain
        .0
        .call("Save", &(file.to_str().unwrap(), other.as_str(), 0_u32))
        .await;
    let refused = changed.unwrap_err();
    assert!(refused.to_string().contains("memory"), "{refused}");
    assert_eq!(domain.state().await.unwrap().0, RUNNING);

    fs::write(&file, "no saved guest").unwrap();
    for from in ["relative", pipe.to_str().unwrap(), file.to_str().unwrap()] {
        let answer: Result<(), _> = testbed
            .client
            .qemu()
            .call("DomainRestore", &(from, "", 0_u32))
            .await;
        let refused = answer.unwrap_err();
        assert!(refused.is_refusal(), "{from}: {refused}");
    }
    save(&domain, &file, 0).await.unwrap();
    let saved = fs::read(&file).unwrap();
    // Cut short, QEMU does not take it, and the domain is off again.
    fs::write(&file, &saved[..saved.len() / 2]).unwrap();
    let cut: Result<(), _> = testbed
        .client
        .qemu()
        .call("DomainRestore", &(file.to_str().unwrap(), "", 0_u32))
        .await;
    assert!(cut.unwrap_err().is_refusal());
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    fs::write(&file, &saved).unwrap();
    restore(&testbed.client, &file).await;
    goes_on(&testbed, "refused").await;
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["refused"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_dumped_and_the_guest_goes_on_or_counts_as_crashed() {
    let (testbed, domain) = match counting("dumped").await {
        Ok(prepared) => prepared,
        Err(reason) => skip!("{reason}"),
    };
    let core = testbed.path("core");
    let dump = async |flags: u32| {
        let to = core.to_str().unwrap();
        let dumped: Result<(), _> = domain.0.call("CoreDump", &(to, 0_u32, flags)).await;
        dumped.unwrap();
    };
    dump(MEMORY_ONLY).await;
    let written = fs::read(&core).unwrap();
    assert!(written.starts_with(b"\x7fELF"));
    assert!(written.len() > 64 << 20, "{} bytes", written.len());
    drop(written);
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    goes_on(&testbed, "dumped").await;
    let stats: (i32, std::collections::HashMap<String, OwnedVariant>) =
        domain.0.call("GetJobStats", &(1_u32,)).await.unwrap();
    assert_eq!(stats.0, 3, "the job is completed");
    assert!(stats.1.contains_key("memory_total"));

    dump(CRASH).await;
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    assert!(core.metadata().unwrap().len() > 1 << 20);
    testbed.remove_all().await.unwrap();
    testbed.assert_nothing_left(&["dumped"]).await;
}
