//! Jobs of one guest at the same time: what may run beside a save does, what may not is told of it, and what was done meanwhile holds
//! whether the save is aborted, comes to its end, or is cut off.
//!
//! The save is held where QEMU has sent all memory but the last. A second monitor of the guest tells QEMU to stop there, and to go on.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rustix::process::{Signal, kill_process};
use tokio::task::JoinHandle;
use virtbus_tests::client::CallError;
use virtbus_tests::domain::{PAUSED, RUNNING, SHUTOFF, Statistics, XML_INACTIVE};
use virtbus_tests::guest::READY;
use virtbus_tests::wait::{LIMIT, patient, wait_for, wait_for_async, wait_until};
use virtbus_tests::{Domain, DomainXml, Testbed, need, or_skip, process};
use zbus::OwnedVariant;

/// `VIR_DOMAIN_PAUSED_USER`, `VIR_DOMAIN_PAUSED_SAVE`.
const BY_USER: i32 = 1;
const FOR_SAVE: i32 = 3;
/// `VIR_DOMAIN_JOB_UNBOUNDED`.
const UNBOUNDED: i32 = 2;
/// `VIR_DOMAIN_JOB_OPERATION_SAVE`.
const OPERATION_SAVE: i32 = 2;
/// `VIR_DOMAIN_SHUTDOWN_GUEST_AGENT`.
const BY_AGENT: u32 = 2;

/// A guest's monitor beside the daemon's.
struct Monitor {
    answers: BufReader<UnixStream>,
}

impl Monitor {
    fn connect(path: &Path) -> Monitor {
        let stream = UnixStream::connect(path).expect("QEMU listens");
        let limit = Some(patient(LIMIT));
        stream.set_read_timeout(limit).expect("it is not zero");
        let answers = BufReader::new(stream);
        let mut monitor = Monitor { answers };
        monitor.line();
        monitor.ask(r#"{"execute": "qmp_capabilities"}"#);
        monitor
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("QEMU answers");
        line
    }

    /// The answer to a command; events are left out.
    fn ask(&mut self, command: &str) -> String {
        let mut stream = self.answers.get_ref();
        writeln!(stream, "{command}").expect("QEMU reads");
        loop {
            let line = self.line();
            assert!(!line.is_empty() && !line.contains("\"error\""), "{line}");
            if line.contains("\"return\"") {
                return line;
            }
        }
    }

    fn is_held(&mut self) -> bool {
        let answer = self.ask(r#"{"execute": "query-migrate"}"#);
        answer.contains("\"status\": \"pre-switchover\"")
    }

    /// Lets the save go on.
    fn go_on(&mut self) {
        self.ask(r#"{"execute": "migrate-continue", "arguments": {"state": "pre-switchover"}}"#);
    }
}

/// A guest that counts, and whose saves are held.
struct Held {
    testbed: Testbed,
    guest: DomainXml,
    domain: Domain,
    monitor: Monitor,
    file: PathBuf,
}

impl Held {
    async fn start(name: &str) -> Result<Held, String> {
        let qemu = need::qemu()?;
        let (testbed, guest) = Testbed::with_guest(name, "tiny.tick").await?;
        // QEMU makes its socket there.
        let open = testbed.path("open");
        fs::create_dir(&open).map_err(|error| error.to_string())?;
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777))
            .map_err(|error| error.to_string())?;
        let (socket, qemu) = (open.join("monitor"), qemu.display());
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in *guest=*) exec {qemu} \"$@\" -qmp unix:{},server=on,wait=off;; esac\nexec {qemu} \"$@\"\n",
            socket.display()
        );
        let guest = guest.emulator(&testbed.script("emulator", &text));
        let domain = testbed.run(&guest).await;
        testbed.console(name).wait_for(READY).await;
        let mut monitor = Monitor::connect(&socket);
        monitor.ask(
            r#"{"execute": "migrate-set-capabilities", "arguments": {"capabilities": [{"capability": "pause-before-switchover", "state": true}]}}"#,
        );
        let file = testbed.path("guest.save");
        Ok(Held {
            testbed,
            guest,
            domain,
            monitor,
            file,
        })
    }

    fn save(&self) -> JoinHandle<Result<(), CallError>> {
        let (domain, to) = (self.domain.clone(), self.file.clone());
        tokio::spawn(async move {
            let to = to.to_str().expect("test folders are plain");
            domain.0.call("Save", &(to, "", 0_u32)).await
        })
    }

    /// Begins a save, and waits until it is held.
    async fn save_held(&mut self) -> JoinHandle<Result<(), CallError>> {
        let save = self.save();
        wait_until("the save to be held", LIMIT, || self.monitor.is_held()).await;
        assert_eq!(self.domain.state().await.unwrap(), (PAUSED, FOR_SAVE));
        save
    }
}

/// Calls that wait for the save, in tasks of their own.
fn waits(domain: &Domain, method: &'static str, flags: Option<u32>) -> JoinHandle<CallError> {
    let domain = domain.clone();
    tokio::spawn(async move {
        let answer = match flags {
            Some(flags) => domain.act(method, flags).await,
            None => domain.tell(method).await,
        };
        answer.expect_err("it may not run beside the save")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_run_beside_a_save_does_and_the_rest_is_told_of_it() {
    let mut held = or_skip!(Held::start("beside").await);
    let save = held.save_held().await;
    let domain = held.domain.clone();
    let refused = [
        ("Reset", waits(&domain, "Reset", Some(0))),
        ("Resume", waits(&domain, "Resume", None)),
        ("ManagedSave", waits(&domain, "ManagedSave", Some(0))),
        ("Undefine", waits(&domain, "Undefine", Some(0))),
    ];

    // The definition, how far the save is, and what is known of the guest.
    let titled = held.guest.clone().element("<title>anew</title>");
    held.testbed.client.define(&titled.xml()).await.unwrap();
    domain.0.set("Autostart", true.into()).await.unwrap();
    assert!(domain.0.get::<bool>("Autostart").await.unwrap());
    assert!(domain.0.get::<bool>("Updated").await.unwrap());
    let (stored, live) = (domain.xml(XML_INACTIVE).await, domain.xml(0).await);
    assert!(stored.unwrap().contains("anew") && !live.unwrap().contains("anew"));
    let job: OwnedVariant = domain.0.get("Job").await.unwrap();
    assert_eq!(<(i32, u32)>::try_from(job).unwrap().0, OPERATION_SAVE);
    let stats: (i32, Statistics) = domain.0.call("GetJobStats", &(0_u32,)).await.unwrap();
    assert_eq!(stats.0, UNBOUNDED);
    let statistics = domain.statistics().await.unwrap();
    assert!(statistics.contains_key("state.state"));

    // The guest, that of whoever wants it to stay halted.
    domain.tell("Suspend").await.unwrap();
    assert_eq!(domain.state().await.unwrap(), (PAUSED, BY_USER));
    domain.tell("Suspend").await.unwrap();

    for (name, call) in refused {
        let error = call.await.unwrap();
        assert!(error.is_refusal(), "{name}: {error}");
        let text = error.to_string();
        let told = text.contains(&format!("{name} waited")) && text.contains("busy with Save for");
        assert!(told, "{name}: {text}");
    }
    assert!(!save.is_finished());

    domain.tell("AbortJob").await.unwrap();
    let error = save.await.unwrap().unwrap_err();
    assert_eq!(
        error.name(),
        "org.libvirt.Error.OperationAborted",
        "{error}"
    );
    assert!(!held.file.exists());
    assert_eq!(domain.state().await.unwrap(), (PAUSED, BY_USER));
    domain.tell("Resume").await.unwrap();
    held.testbed.console("beside").wait_for_ticks().await;
    domain.0.set("Autostart", false.into()).await.unwrap();
    held.testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_suspended_while_it_is_saved_comes_back_suspended() {
    let mut held = or_skip!(Held::start("halted").await);
    let save = held.save_held().await;
    held.domain.tell("Suspend").await.unwrap();
    let titled = held.guest.clone().element("<title>anew</title>");
    held.testbed.client.define(&titled.xml()).await.unwrap();
    held.monitor.go_on();
    save.await.unwrap().unwrap();
    assert_eq!(held.domain.state().await.unwrap().0, SHUTOFF);

    let from = (held.file.to_str().unwrap(), "", 0_u32);
    let qemu = held.testbed.client.qemu();
    let restored: Result<(), _> = qemu.call("DomainRestore", &from).await;
    restored.unwrap();
    assert_eq!(held.domain.state().await.unwrap().0, PAUSED);
    // It has the definition with which it ran.
    let live = held.domain.xml(0).await.unwrap();
    assert!(!live.contains("anew"), "{live}");
    held.domain.tell("Resume").await.unwrap();
    held.testbed.console("halted").wait_for_ticks().await;
    held.testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_suspended_while_it_is_dumped_stays_so() {
    let mut held = or_skip!(Held::start("dumped").await);
    let (domain, to) = (held.domain.clone(), held.testbed.path("core"));
    let dump = tokio::spawn(async move {
        let to = to.to_str().expect("test folders are plain");
        let dumped: Result<(), CallError> = domain.0.call("CoreDump", &(to, 0_u32, 0_u32)).await;
        dumped
    });
    wait_until("the dump to be held", LIMIT, || held.monitor.is_held()).await;
    held.domain.tell("Suspend").await.unwrap();
    held.monitor.go_on();
    dump.await.unwrap().unwrap();
    assert_eq!(held.domain.state().await.unwrap(), (PAUSED, BY_USER));
    held.domain.tell("Resume").await.unwrap();
    held.testbed.console("dumped").wait_for_ticks().await;
    held.testbed.end().await;
}

/// An agent that does not answer. Each connection on which it is asked is handed over.
fn silent_agent(socket: &Path) -> mpsc::Receiver<UnixStream> {
    let listener = UnixListener::bind(socket).expect("the path is free");
    let anybody = fs::Permissions::from_mode(0o666);
    fs::set_permissions(socket, anybody).expect("it is ours");
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(&connection).split(b'\n').flatten();
                let is_question = |line: &Vec<u8>| String::from_utf8_lossy(line).contains("guest-");
                if lines.into_iter().any(|line| is_question(&line)) {
                    // Nobody may wait for it any more.
                    let _ = sender.send(connection);
                }
            });
        }
    });
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_controlled_while_its_agent_is_waited_for() {
    or_skip!(need::qemu());
    let settings = tempfile::NamedTempFile::new().unwrap();
    fs::write(settings.path(), "[qemu]\nagent_timeout = 60\n").unwrap();
    let path = settings.path().display().to_string();
    let testbed = or_skip!(Testbed::start(&["--config", &path]).await);
    let socket = testbed.path("agent.sock");
    let asked = silent_agent(&socket);
    let guest = DomainXml::small("mute").device(&format!(
        "<channel type='unix'><source mode='connect' path='{}'/>\
         <target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
        socket.display()
    ));
    let domain = testbed.run(&guest).await;
    let shutdown = {
        let domain = domain.clone();
        tokio::spawn(async move { domain.act("Shutdown", BY_AGENT).await })
    };
    let connection = wait_for("the agent to be asked", LIMIT, || asked.try_recv().ok()).await;
    domain.tell("Suspend").await.unwrap();
    domain.tell("Resume").await.unwrap();
    assert!(!shutdown.is_finished(), "the agent has not answered");
    connection.shutdown(Shutdown::Both).unwrap();
    let refused = shutdown.await.unwrap().unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_destroyed_while_it_is_saved_and_nothing_is_left_of_the_save() {
    let mut held = or_skip!(Held::start("gone").await);
    let save = held.save_held().await;
    let waiting = waits(&held.domain, "Reset", Some(0));
    held.domain.act("Destroy", 0).await.unwrap();
    assert_eq!(held.domain.state().await.unwrap().0, SHUTOFF);
    assert!(save.await.unwrap().unwrap_err().is_refusal());
    assert!(waiting.await.unwrap().is_refusal());
    assert!(!held.file.exists());
    held.domain.act("Create", 0).await.unwrap();
    assert_eq!(held.domain.state().await.unwrap().0, RUNNING);
    held.testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_was_suspended_while_it_was_saved_stays_so_when_the_daemon_is_killed() {
    let mut held = or_skip!(Held::start("cut-off").await);
    let save = held.save_held().await;
    held.domain.tell("Suspend").await.unwrap();
    held.testbed.daemon.kill();
    assert!(save.await.unwrap().is_err());
    held.testbed.daemon.start(&held.testbed.client).await;
    // Its turn comes when the new daemon has dealt with what was left of the save.
    wait_for_async("the guest to be itself again", LIMIT, async || {
        let suspended = held.domain.tell("Suspend").await;
        suspended.ok()
    })
    .await;
    assert_eq!(held.domain.state().await.unwrap(), (PAUSED, BY_USER));
    assert!(!held.file.exists());
    let status = held.monitor.ask(r#"{"execute": "query-status"}"#);
    assert!(status.contains("\"running\": false"), "{status}");
    held.domain.tell("Resume").await.unwrap();
    held.testbed.console("cut-off").wait_for_ticks().await;
    held.testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_stored_while_a_guest_starts_counts_as_changed() {
    let qemu = or_skip!(need::qemu());
    let testbed = or_skip!(Testbed::start(&[]).await);
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *guest=*) kill -STOP $$;; esac\nexec {} \"$@\"\n",
        qemu.display()
    );
    let emulator = testbed.script("emulator", &text);
    let guest = DomainXml::small("starting").emulator(&emulator);
    let domain = testbed.define(&guest).await;
    for stored_meanwhile in [true, false] {
        let started = domain.clone();
        let start = tokio::spawn(async move { started.act("Create", 0).await });
        let pid = wait_for("the emulator to stop", LIMIT, || {
            let emulator = testbed.daemon.emulator("starting");
            emulator.filter(|pid| process::is_stopped(*pid))
        })
        .await;
        if stored_meanwhile {
            let titled = guest.clone().element("<title>anew</title>");
            testbed.client.define(&titled.xml()).await.unwrap();
            domain.0.set("Autostart", true.into()).await.unwrap();
            domain.0.set("Autostart", false.into()).await.unwrap();
        }
        assert!(!start.is_finished(), "it has started while it was stopped");
        kill_process(pid, Signal::CONT).unwrap();
        start.await.unwrap().unwrap();
        let live = domain.xml(0).await.unwrap();
        assert_eq!(!live.contains("anew"), stored_meanwhile, "{live}");
        let updated = domain.0.get::<bool>("Updated").await.unwrap();
        assert_eq!(updated, stored_meanwhile);
        domain.act("Destroy", 0).await.unwrap();
        assert!(!domain.0.get::<bool>("Updated").await.unwrap());
    }
    testbed.end().await;
}
