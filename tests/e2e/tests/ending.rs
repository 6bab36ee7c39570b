//! A daemon that cannot run says why and ends, so that whoever started it knows; one that runs is not ended by accident.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use virtbus_tests::domain::RUNNING;
use virtbus_tests::wait::{LIMIT, wait_for, wait_until};
use virtbus_tests::{Daemon, DomainXml, PrivateBus, Testbed, daemon, need, or_skip};

/// The exit status after which the unit is not started again: somebody has to change something first.
const CONFIGURATION: i32 = 78;

/// Runs a daemon that is expected to end by itself.
async fn run(mut command: Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the daemon can be started");
    let mut child = Some(child);
    wait_for("the daemon to end", Duration::from_secs(20), || {
        let ended = child
            .as_mut()?
            .try_wait()
            .expect("a child can be asked for");
        ended.map(|_| child.take().expect("it was there").wait_with_output())
    })
    .await
    .expect("its output can be read")
}

/// A daemon on this bus, with these directories, and what else it is told.
fn daemon_on(bus: &PrivateBus, state: &Path, more: &[&str]) -> Result<Command, String> {
    let mut command = need::ends_with_us(&daemon::binary()?.to_string_lossy());
    command.args(["--address", bus.address(), "--state-dir"]);
    command.arg(state).args(more);
    Ok(command)
}

/// A daemon must have ended with this status, and said all that.
fn assert_ended(ended: &Output, status: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "no '{word}': {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_the_same_directories_names_the_first_and_ends() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let domain = testbed.run(&DomainXml::small("owned")).await;
    let before = testbed.daemon.children();

    let other_bus = or_skip!(PrivateBus::start());
    let second = or_skip!(daemon_on(&other_bus, testbed.daemon.state_dir(), &[]));
    let first = format!("process {}", testbed.daemon.pid());
    assert_ended(&run(second).await, CONFIGURATION, &[&first]);

    assert_eq!(testbed.daemon.children(), before);
    assert_eq!(domain.state().await.unwrap().0, RUNNING);
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_cannot_open_a_driver_ends_with_the_cause() {
    let testbed = or_skip!(Testbed::prepare(&[]).await);
    let state = testbed.path("state");
    // Where definitions are to be, there is a file.
    std::fs::create_dir_all(state.join("config")).unwrap();
    std::fs::write(state.join("config/qemu"), "").unwrap();
    let command = or_skip!(daemon_on(&testbed.bus, &state, &[]));
    let words = ["cannot open the driver 'qemu'", "config/qemu"];
    assert_ended(&run(command).await, 1, &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_end_the_daemon_in_a_way_that_is_not_tried_again() {
    let testbed = or_skip!(Testbed::prepare(&[]).await);
    let settings = testbed.path("virtbusd.toml");
    std::fs::write(&settings, "[daemon]\nidle_timeout = 'soon'\n").unwrap();
    let settings = settings.display().to_string();
    let ports = testbed.path("ports.toml");
    std::fs::write(&ports, "[qemu]\ngraphics_port_max = 70000\n").unwrap();
    let ports = ports.display().to_string();
    let node = testbed.path("node.toml");
    std::fs::write(&node, "[test]\nuri = 'test:///nowhere/node.xml'\n").unwrap();
    let node = node.display().to_string();
    let state = testbed.path("state");
    for (options, words) in [
        (
            ["--config", &*node],
            "setting test.uri, 'test:///nowhere/node.xml'",
        ),
        (["--config", &*settings], "idle_timeout"),
        (
            ["--config", &*ports],
            "the setting qemu.graphics_port_max is 70000, but must be from 5900 to 65535",
        ),
        (["--drivers", "quemu"], "unknown driver 'quemu'"),
    ] {
        let command = or_skip!(daemon_on(&testbed.bus, &state, &options));
        assert_ended(&run(command).await, CONFIGURATION, &[words]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_a_daemon_that_cannot_run_is_told_why() {
    let testbed = or_skip!(Testbed::prepare(&[]).await);
    let settings = testbed.path("virtbusd.toml");
    std::fs::write(&settings, "[daemon]\nidle_timeout = 'soon'\n").unwrap();
    // A daemon that is started by the bus, as on a session bus without systemd.
    let program = or_skip!(daemon::binary());
    let bus = &testbed.bus;
    let exec = format!(
        "{} --address {} --config {} --state-dir {}",
        program.display(),
        bus.address(),
        settings.display(),
        testbed.path("state").display()
    );
    let service = format!("[D-BUS Service]\nName=org.libvirt\nExec={exec}\n");
    std::fs::write(bus.services().join("org.libvirt.service"), service).unwrap();
    let refused = testbed.client.list(0).await.unwrap_err();
    assert!(refused.to_string().contains("idle_timeout"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_that_mean_nothing_end_nothing() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::ALARM] {
        testbed.daemon.signal(signal);
    }
    wait_until("the daemon to tell of all of them", LIMIT, || {
        let log = testbed.daemon.log_tail();
        ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM"]
            .iter()
            .all(|name| log.contains(&format!("{name} is ignored")))
    })
    .await;
    assert!(testbed.daemon.exited().is_none());
    testbed.client.list(0).await.unwrap();
    testbed.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_limit_of_threads_is_an_error_and_no_panic() {
    or_skip!(need::root());
    or_skip!(need::program("setpriv"));
    or_skip!(need::program("prlimit"));
    let testbed = or_skip!(Testbed::prepare(&[]).await);
    let program = or_skip!(daemon::binary());
    // A user of whom there are no other processes.
    let user = "64997";
    let copy = testbed.path("virtbusd");
    std::fs::copy(&program, &copy).unwrap();
    for limit in [2, 6, 10] {
        let mut command = need::ends_with_us("prlimit");
        command.args([
            &format!("--nproc={limit}"),
            "--",
            "setpriv",
            "--reuid",
            user,
        ]);
        command.args(["--clear-groups", "--"]).arg(&copy);
        command.args([
            "--address",
            testbed.bus.address(),
            "--state-dir",
            "/nonexistent",
        ]);
        let ended = run(command).await;
        println!("with {limit} threads:");
        assert_ended(&ended, 1, &["cannot start", "threads"]);
    }
}

/// A daemon whose directories a dying one still has waits for that one.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_daemon_waits_for_the_last_to_be_gone() {
    let mut testbed = or_skip!(Testbed::start(&["--drivers", "test"]).await);
    for _ in 0..5 {
        testbed.daemon.signal(Signal::TERM);
        let mut next: Daemon = or_skip!(Daemon::new(
            testbed.bus.address(),
            &testbed.path("state"),
            &["--drivers", "test"]
        ));
        wait_for("the last daemon to end", LIMIT, || testbed.daemon.exited()).await;
        next.start(&testbed.client).await;
        testbed.daemon = next;
    }
}
