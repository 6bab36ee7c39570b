//! The daemon or the emulator fails: definitions stay whole, guests are known or gone,
//! nothing is left over, and whoever waits gets an answer.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use virtbus_tests::domain::{LIST_ACTIVE, PAUSED, RUNNING, SHUTOFF};
use virtbus_tests::events::{STOPPED, STOPPED_CRASHED, STOPPED_FAILED, SUSPENDED};
use virtbus_tests::mounts::Mount;
use virtbus_tests::wait::{LIMIT, patient, wait_for_async, wait_until};
use virtbus_tests::{
    Client, Domain, DomainEvents, DomainXml, Random, Testbed, campaign, leaks, or_skip, process,
};

/// How often the daemon is killed.
const ROUNDS: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_killed_at_any_moment_loses_and_leaves_nothing() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let mut random = Random::seeded();
    let rounds = campaign::rounds(ROUNDS, 500);
    // A definition that nobody touches has to come through all of it unchanged.
    let bystander = testbed.define(&DomainXml::small("bystander")).await;
    let bystander_xml = bystander.xml(0).await.unwrap();

    // How long an undisturbed life takes is the span in which to strike.
    let begin = Instant::now();
    let trial = live(testbed.client.clone(), DomainXml::small("trial")).await;
    assert_eq!(trial, Ok(()), "undisturbed");
    let span = begin.elapsed().as_micros().try_into().unwrap_or(u64::MAX);

    for round in 0..rounds {
        let name = format!("round-{round}");
        let guest = DomainXml::small(&name);
        let life = tokio::spawn(live(testbed.client.clone(), guest.clone()));
        // The moment of the blow, and not a wait for anything.
        tokio::time::sleep(Duration::from_micros(random.below(span))).await;
        testbed.daemon.kill();
        // What was under way ends in an error, as the daemon left the bus.
        match life.await.unwrap() {
            Ok(()) => println!("{name}: the life was over"),
            Err(error) => println!("{name}: {error}"),
        }
        testbed.daemon.start(&testbed.client).await;

        assert_eq!(bystander.xml(0).await.unwrap(), bystander_xml, "{name}");
        let mut seen = None;
        wait_for_async("guests to be known or gone", LIMIT, async || {
            let now = (
                testbed.client.list(LIST_ACTIVE).await.unwrap(),
                testbed.daemon.children(),
            );
            if now.0.len() == now.1.len() {
                return Some(());
            }
            if seen.as_ref() != Some(&now) {
                println!("{name}: active {:?}, processes {:?}", now.0, now.1);
                seen = Some(now);
            }
            None
        })
        .await;
        for path in testbed.client.list(0).await.unwrap() {
            let domain = testbed.client.domain(&path);
            let xml = domain.xml(0).await.unwrap();
            assert!(xml.trim_end().ends_with("</domain>"), "{name}: {xml}");
            if path != bystander.path() {
                assert_eq!(
                    path,
                    guest.object_path(),
                    "{name}: a guest of an earlier round"
                );
                assert!(xml.contains(&format!("<name>{name}</name>")), "{xml}");
            }
        }
        remove(&testbed.client.domain(&guest.object_path())).await;
        assert_eq!(
            testbed.client.list(0).await.unwrap(),
            [bystander.path()],
            "{name}"
        );
    }
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_killed_from_outside_is_announced() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.define(&DomainXml::small("victim")).await;
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    domain.act("Create", 0).await.unwrap();
    kill_process(emulator(&testbed), Signal::KILL).unwrap();

    let stopped = events.wait_for(domain.path(), STOPPED, LIMIT).await;
    assert!(
        [STOPPED_CRASHED, STOPPED_FAILED].contains(&stopped.detail),
        "{stopped:?}"
    );
    // Who hears of it and looks sees it.
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    assert!(!domain.0.get::<bool>("Active").await.unwrap());
    testbed.assert_nothing_left().await;

    domain.act("Create", 0).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_that_hangs_holds_up_only_its_own_callers() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let client = &testbed.client;
    let domain = testbed.run(&DomainXml::small("hangs")).await;
    process::stop(emulator(&testbed)).await;

    let callers: Vec<_> = (0..10)
        .map(|_| {
            let domain = domain.clone();
            tokio::spawn(async move { domain.tell("Suspend").await })
        })
        .collect();

    // Reads of the same guest, and the life of another, do not wait for them.
    let quick = async {
        for _ in 0..20 {
            assert_eq!(domain.state().await.unwrap().0, RUNNING);
            assert!(domain.xml(0).await.unwrap().contains("<name>hangs</name>"));
            assert_eq!(client.list(0).await.unwrap(), [domain.path()]);
        }
        live(client.clone(), DomainXml::small("other"))
            .await
            .unwrap();
    };
    let quick = tokio::time::timeout(patient(Duration::from_secs(6)), quick).await;
    quick.expect("other calls wait for the guest that hangs");

    for caller in callers {
        // No answer would be the client's own limit.
        let refused = caller.await.unwrap().unwrap_err();
        assert!(refused.is_refusal(), "{refused}");
    }

    let destroyed = tokio::time::timeout(patient(LIMIT), domain.act("Destroy", 0)).await;
    destroyed
        .expect("Destroy waits for the guest that hangs")
        .unwrap();
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_gets_in_while_others_wait_for_a_hung_emulator() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.run(&DomainXml::small("stuck")).await;
    process::stop(emulator(&testbed)).await;
    let waiting = {
        let domain = domain.clone();
        tokio::spawn(async move { domain.tell("Suspend").await })
    };
    let begin = Instant::now();
    domain.act("Destroy", 0).await.unwrap();
    println!("destroyed after {:?}", begin.elapsed());
    // Suspend was overtaken or came too late; either way it has an answer.
    waiting.await.unwrap().unwrap_err();
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_status_cannot_be_read_is_not_started_a_second_time() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::small("unreadable");
    let domain = testbed.run(&guest).await;
    let status = status_of(&testbed, &guest);
    let whole = fs::read_to_string(&status).unwrap();
    let newer = whole.replacen("\"version\":1", "\"version\":7", 1);
    for damaged in [&whole[..whole.len() / 2], "", &newer] {
        testbed.daemon.kill();
        fs::write(&status, damaged).unwrap();
        testbed.daemon.start(&testbed.client).await;

        assert_eq!(domain.state().await.unwrap(), (0, 0));
        for call in [domain.act("Create", 0).await, domain.tell("Suspend").await] {
            let refused = call.unwrap_err();
            assert!(refused.is_refusal(), "{refused}");
            let text = refused.to_string();
            assert!(text.contains(status.to_str().unwrap()), "{text}");
        }
        let again = testbed.client.create(&guest.xml(), 0).await.unwrap_err();
        assert!(again.is_refusal(), "{again}");
        assert_eq!(testbed.daemon.children().len(), 1);
    }
    // Mended, it is taken in.
    testbed.daemon.kill();
    fs::write(&status, &whole).unwrap();
    testbed.daemon.start(&testbed.client).await;
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    domain.tell("Suspend").await.unwrap();

    // Ended, it can be started, and the file is kept for a person to look at.
    testbed.daemon.kill();
    fs::write(&status, "").unwrap();
    testbed.daemon.start(&testbed.client).await;
    domain.act("Destroy", 0).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    assert!(!status.exists() && status.with_extension("json.unreadable").exists());
    domain.act("Create", 0).await.unwrap();
    assert_eq!(testbed.daemon.children().len(), 1);

    // A domain without a definition is there as well, until it has ended.
    domain.act("Undefine", 0).await.unwrap();
    testbed.daemon.kill();
    fs::write(&status, "").unwrap();
    testbed.daemon.start(&testbed.client).await;
    assert_eq!(testbed.client.list(0).await.unwrap(), [domain.path()]);
    let again = testbed.client.create(&guest.xml(), 0).await.unwrap_err();
    assert!(again.is_refusal(), "{again}");
    assert!(domain.xml(0).await.unwrap_err().is_refusal());
    domain.act("Destroy", 0).await.unwrap();
    assert!(testbed.client.list(0).await.unwrap().is_empty());
    let domain = testbed.run(&guest).await;

    // The same if it ended while no daemon ran.
    testbed.daemon.kill();
    fs::write(&status, "").unwrap();
    kill_process(emulator(&testbed), Signal::KILL).unwrap();
    let gone = || testbed.daemon.children().is_empty();
    wait_until("the emulator to end", LIMIT, gone).await;
    testbed.daemon.start(&testbed.client).await;
    assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    domain.act("Create", 0).await.unwrap();
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_contradicts_a_definition_keeps_its_name() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let runs = DomainXml::small("contradicted");
    testbed.run(&runs).await;
    // As an administrator may have put it there while no daemon ran.
    testbed.daemon.kill();
    let other = DomainXml::small("contradicted");
    let file = testbed
        .daemon
        .state_dir()
        .join("config/qemu/contradicted.xml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace(&runs.uuid().to_string(), &other.uuid().to_string());
    fs::write(&file, text).unwrap();
    testbed.daemon.start(&testbed.client).await;

    let domain = testbed.client.domain(&other.object_path());
    let refused = domain.act("Create", 0).await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    assert_eq!(testbed.daemon.children().len(), 1);
    domain.act("Destroy", 0).await.unwrap();
    domain.act("Create", 0).await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    assert_eq!(testbed.daemon.children().len(), 1);
    testbed.crash_and_restart().await;
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_what_a_guest_does_is_told_while_nothing_can_be_written_down() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::small("unwritten");
    let domain = testbed.run(&guest).await;
    let status = status_of(&testbed, &guest);
    let mut events = DomainEvents::subscribe(&testbed.client).await.unwrap();
    let mount = or_skip!(Mount::read_only(status.parent().unwrap()));
    domain.tell("Suspend").await.unwrap();
    events.wait_for(domain.path(), SUSPENDED, LIMIT).await;
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    domain.tell("Resume").await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    domain.tell("Suspend").await.unwrap();
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    drop(mount);
    // Nothing more happens to the guest, and it is written down all the same.
    wait_until("the state to be written down", LIMIT, || {
        let text = fs::read_to_string(&status).unwrap();
        text.contains("\"state\":3")
    })
    .await;
    testbed.crash_and_restart().await;
    assert_eq!(domain.state().await.unwrap().0, PAUSED);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_was_to_be_released_is_released_by_the_next_daemon() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let guest = DomainXml::small("released");
    let domain = testbed.run(&guest).await;
    let status = status_of(&testbed, &guest);
    let noted = fs::read_to_string(&status).unwrap();
    assert!(noted.contains("\"release\":false"), "{noted}");
    // As if the daemon had been killed between what it noted and its command to QEMU, after a restore.
    testbed.daemon.kill();
    let to_be_released = noted.replacen("\"release\":false", "\"release\":true", 1);
    fs::write(&status, to_be_released).unwrap();
    qmp(&testbed, "stop").await;
    testbed.daemon.start(&testbed.client).await;
    wait_until("it to be released", LIMIT, || {
        let noted = fs::read_to_string(&status).unwrap();
        noted.contains("\"release\":false")
    })
    .await;
    assert_eq!(domain.state().await.unwrap().0, RUNNING);

    // One that somebody else has halted stays so.
    testbed.daemon.kill();
    qmp(&testbed, "stop").await;
    testbed.daemon.start(&testbed.client).await;
    wait_for_async("it to be seen paused", LIMIT, async || {
        let state = domain.state().await.unwrap();
        (state.0 == PAUSED).then_some(())
    })
    .await;
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_calls_while_a_guest_ends_is_told_that_it_does_not_run() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.define(&DomainXml::small("ends")).await;
    for round in 0..8 {
        domain.act("Create", 0).await.unwrap();
        let callers: Vec<_> = ["Suspend", "Resume", "Reset", "InjectNMI"]
            .iter()
            .cycle()
            .take(12)
            .map(|method| {
                let domain = domain.clone();
                tokio::spawn(async move {
                    loop {
                        let called = match *method {
                            "Suspend" | "Resume" => domain.tell(method).await,
                            _ => domain.act(method, 0).await,
                        };
                        if let Err(error) = called {
                            break error;
                        }
                    }
                })
            })
            .collect();
        if round % 2 == 0 {
            kill_process(emulator(&testbed), Signal::KILL).unwrap();
        } else {
            domain.act("Destroy", 0).await.unwrap();
        }
        for caller in callers {
            let refused = caller.await.unwrap();
            let name = refused.name();
            assert_eq!(name, "org.libvirt.Error.OperationInvalid", "{refused}");
        }
        assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    }
    testbed.end().await;
}

/// The status file of a running guest.
fn status_of(testbed: &Testbed, guest: &DomainXml) -> PathBuf {
    let file = format!("run/qemu/{}.json", guest.uuid());
    testbed.daemon.state_dir().join(file)
}

/// Tells the only guest's QEMU something while no daemon runs.
async fn qmp(testbed: &Testbed, command: &str) {
    let sockets = leaks::sockets(testbed.daemon.state_dir());
    let monitor = sockets.iter().find(|path| path.ends_with("monitor.sock"));
    let told = || -> io::Result<()> {
        let stream = UnixStream::connect(monitor.expect("a guest runs"))?;
        stream.set_read_timeout(Some(patient(LIMIT)))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        for command in ["qmp_capabilities", command] {
            let command = format!("{{\"execute\": \"{command}\"}}\n");
            (&stream).write_all(command.as_bytes())?;
            while !lines.next().expect("QEMU answers")?.contains("\"return\"") {}
        }
        Ok(())
    };
    told().expect("QEMU can be told");
}

/// Define, start, stop, undefine. The first refusal ends it.
async fn live(client: Client, guest: DomainXml) -> Result<(), String> {
    let failed = |what: &'static str| move |error| format!("{what}: {error}");
    let domain = client
        .define(&guest.xml())
        .await
        .map_err(failed("define"))?;
    domain.act("Create", 0).await.map_err(failed("create"))?;
    domain.tell("Suspend").await.map_err(failed("suspend"))?;
    domain.tell("Resume").await.map_err(failed("resume"))?;
    domain.act("Destroy", 0).await.map_err(failed("destroy"))?;
    domain.act("Undefine", 0).await.map_err(failed("undefine"))
}

/// Takes away what a round left, in whichever state it is.
async fn remove(domain: &Domain) {
    // Refused if it does not run, or is not defined: the list is looked at afterwards.
    for method in ["Destroy", "Undefine"] {
        if let Err(error) = domain.act(method, 0).await {
            println!("{method} of {}: {error}", domain.path());
        }
    }
}

/// The process of the only guest that runs.
fn emulator(testbed: &Testbed) -> Pid {
    let children = testbed.daemon.children();
    assert_eq!(children.len(), 1, "{children:?}");
    process::pid(children[0].pid)
}
