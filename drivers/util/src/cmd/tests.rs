//! Runs real programs that every host has, and looks at what they see.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::process::Signal;

use virtbus_skip::or_skip;

use super::{Cmd, CmdError, ExitStatus, Limit, Resource, Stdio, Step};
use crate::process::{Pidfd, ProcessId, ProcessState, stat};
use crate::test_utils::root;

/// Far more than any of these programs needs; nothing waits for it to pass.
const LONG: Duration = Duration::from_secs(60);

fn sh(script: &str) -> Cmd {
    let mut cmd = Cmd::new("/bin/sh");
    cmd.args(["-c", script]);
    cmd
}

async fn text_of(cmd: &mut Cmd) -> String {
    let output = cmd.run(LONG).await.unwrap();
    output.stdout_text().into_owned()
}

#[tokio::test]
async fn environment_is_only_what_was_given() {
    let mut cmd = Cmd::new("/usr/bin/env");
    cmd.env("HOME", "/nowhere").env_remove("PATH");
    assert_eq!(text_of(&mut cmd).await, "HOME=/nowhere\nLC_ALL=C\n");
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let mut cmd = sh(r#"printf '<%s>' "$@""#);
    cmd.arg("name").args(["a b", "", "$HOME", "'\""]);
    assert_eq!(text_of(&mut cmd).await, "<a b><><$HOME><'\">");
}

#[tokio::test]
async fn status_is_kept_and_checked() {
    let output = sh("echo out; echo oops >&2; exit 3")
        .output(LONG)
        .await
        .unwrap();
    assert_eq!(output.status, ExitStatus::Exited(3));
    assert_eq!(output.stdout, b"out\n");
    let error = output.success().unwrap_err();
    assert_eq!(
        error.to_string(),
        "'/bin/sh' failed with exit status 3: oops"
    );
}

#[tokio::test]
async fn death_by_signal_is_told() {
    let error = sh("kill -9 $$").run(LONG).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "'/bin/sh' failed with signal 9 (SIGKILL)"
    );
}

#[tokio::test]
async fn start_failures_name_the_step() {
    let failed_step = |result: Result<_, CmdError>| match result.map(|_| ()) {
        Err(CmdError::Start { step, .. }) => step,
        other => panic!("unexpected {other:?}"),
    };
    let missing = Cmd::new("/nonexistent/program").spawn().unwrap_err();
    assert!(missing.is_missing_program());
    assert_eq!(
        missing.to_string(),
        "cannot start '/nonexistent/program': cannot execute the file"
    );
    let dir = Cmd::new("/bin/true")
        .current_dir("/nonexistent")
        .spawn()
        .unwrap_err();
    assert!(!dir.is_missing_program());
    assert_eq!(failed_step(Err::<(), _>(dir)), Step::CurrentDir);
    assert_eq!(
        failed_step(Cmd::new("true").spawn().map(drop)),
        Step::Arguments
    );
    assert_eq!(
        failed_step(Cmd::new("/bin/true").arg("a\0b").spawn().map(drop)),
        Step::Arguments
    );
    assert_eq!(
        failed_step(Cmd::new("/bin/true").env("A=B", "").spawn().map(drop)),
        Step::Arguments
    );
    let mut twice = Cmd::new("/bin/true");
    twice.run(LONG).await.unwrap();
    assert_eq!(failed_step(twice.spawn().map(drop)), Step::Arguments);
}

#[tokio::test]
async fn descriptors_get_their_numbers_and_no_others_pass() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str| -> OwnedFd { File::create(dir.path().join(name)).unwrap().into() };
    // One that would leak into any program started without care.
    let leaky = rustix::io::dup(open("leaky")).unwrap();
    let leaky_number = leaky.as_raw_fd();

    let (first, second, third) = (open("first"), open("second"), open("third"));
    // Passed in another order than they were opened, so that their old and new numbers cross.
    let mut cmd = Cmd::new("/bin/sh");
    assert_eq!(cmd.pass_fd(third), 3);
    assert_eq!(cmd.pass_fd(first), 4);
    assert_eq!(cmd.pass_fd(second), 5);
    let probe = leaky_number.max(6);
    cmd.arg("-c").arg(format!(
        "for n in 3 4 5; do readlink /proc/$$/fd/$n; done; test ! -e /proc/$$/fd/{probe} && \
         test ! -e /proc/$$/fd/6 && echo closed"
    ));
    let root = dir.path().to_str().unwrap().to_owned();
    assert_eq!(
        text_of(&mut cmd).await,
        format!("{root}/third\n{root}/first\n{root}/second\nclosed\n")
    );
    drop(leaky);
}

#[tokio::test]
async fn many_descriptors_cross_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut cmd = Cmd::new("/bin/sh");
    let mut files: Vec<OwnedFd> = (0..20)
        .map(|n| File::create(dir.path().join(n.to_string())).unwrap().into())
        .collect();
    files.reverse();
    let expected: String = (0..20).rev().map(|n| format!("{n}\n")).collect();
    for fd in files {
        cmd.pass_fd(fd);
    }
    cmd.arg("-c")
        .arg("n=3; while [ $n -lt 23 ]; do basename $(readlink /proc/$$/fd/$n); n=$((n+1)); done");
    assert_eq!(text_of(&mut cmd).await, expected);
}

#[tokio::test]
async fn standard_streams_lead_nowhere_by_default() {
    let dir = tempfile::tempdir().unwrap();
    let mut child =
        sh("seen=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); echo \"$seen\" > out")
            .current_dir(dir.path())
            .spawn()
            .unwrap();
    assert!(child.wait().await.unwrap().is_success());
    let seen = std::fs::read_to_string(dir.path().join("out")).unwrap();
    assert_eq!(seen, "/dev/null\n/dev/null\n/dev/null\n");
}

#[tokio::test]
async fn signals_are_unblocked_and_at_their_defaults() {
    let text = text_of(Cmd::new("/bin/cat").arg("/proc/self/status")).await;
    let masks = text
        .lines()
        .filter(|line| line.starts_with("SigBlk:") || line.starts_with("SigIgn:"));
    let masks: Vec<&str> = masks.collect();
    assert_eq!(
        masks,
        ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]
    );
}

#[tokio::test]
async fn session_umask_limits_and_oom_score() {
    let mut cmd = sh(
        "umask; ulimit -n; ulimit -c; cat /proc/$$/oom_score_adj; cut -d' ' -f6 /proc/$$/stat; echo $$",
    );
    cmd.new_session()
        .umask(0o077)
        .rlimit(Resource::NoFile, Limit::Max(64))
        .rlimit(Resource::Core, Limit::Max(0))
        .oom_score_adj(500);
    let text = text_of(&mut cmd).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..4], ["0077", "64", "0", "500"]);
    assert_eq!(lines[4], lines[5], "the shell leads its session");
}

#[tokio::test]
async fn input_larger_than_a_pipe_comes_back() {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let output = Cmd::new("/bin/cat").input(bytes.clone()).run(LONG).await;
    assert!(output.unwrap().stdout == bytes);
    // A program that does not read its input is no failure of ours.
    Cmd::new("/bin/true").input(bytes).run(LONG).await.unwrap();
    // No input is an immediate end of file.
    let output = Cmd::new("/bin/cat").run(LONG).await.unwrap();
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn output_is_limited() {
    let error = Cmd::new("/bin/cat")
        .arg("/dev/zero")
        .output_limit(1000)
        .run(LONG)
        .await
        .unwrap_err();
    assert!(matches!(error, CmdError::TooMuchOutput { limit: 1000, .. }));
    let output = sh("yes error | head -n 100000 >&2; echo last >&2")
        .run(LONG)
        .await
        .unwrap();
    assert_eq!(output.stderr.len(), 64 * 1024);
    assert!(output.stderr.ends_with(b"error\nlast\n"));
}

#[tokio::test]
async fn timeout_kills_the_group_and_reaps() {
    let error = sh("sleep 1000 & echo $! >&2; wait")
        .run(Duration::from_millis(200))
        .await
        .unwrap_err();
    let CmdError::Timeout { stderr, .. } = error else {
        panic!("unexpected {error:?}");
    };
    let text = String::from_utf8(stderr).unwrap();
    let grandchild: i32 = text.trim().parse().unwrap();
    assert_ends(grandchild).await;
}

#[tokio::test]
async fn background_process_does_not_hold_output_up() {
    let output = sh("sleep 1000 & echo $!").run(LONG).await.unwrap();
    let background: i32 = output.stdout_text().trim().parse().unwrap();
    let handle = Pidfd::open(background).unwrap();
    assert!(!handle.has_exited().unwrap());
    handle.signal(Signal::KILL).unwrap();
    assert_ends(background).await;
}

#[tokio::test]
async fn dropping_the_future_kills() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let mut cmd = sh("echo $$ > fifo; exec sleep 1000");
    cmd.current_dir(dir.path());
    let reader = tokio::task::spawn_blocking(move || std::fs::read_to_string(fifo).unwrap());
    let pid: i32 = tokio::select! {
        text = reader => text.unwrap().trim().parse().unwrap(),
        output = cmd.run(LONG) => panic!("unexpected {output:?}"),
    };
    assert_ends(pid).await;
}

/// Waits until a process is gone or a zombie. It may belong to somebody else by then.
async fn assert_ends(pid: i32) {
    if let Ok(handle) = Pidfd::open(pid) {
        tokio::time::timeout(LONG, handle.exited())
            .await
            .unwrap()
            .unwrap();
    }
    if let Ok(facts) = stat(pid) {
        assert_eq!(facts.state, ProcessState::Zombie);
    }
}

#[tokio::test]
async fn dropping_a_child_leaves_the_program_running() {
    let mut cmd = Cmd::new("/bin/cat");
    cmd.stdin(Stdio::Piped).stdout(Stdio::Piped);
    let mut child = cmd.spawn().unwrap();
    let mut to = File::from(child.take_stdin().unwrap());
    let mut from = File::from(child.take_stdout().unwrap());
    let handle = child.pidfd().unwrap();
    let id = child.process_id().unwrap();
    drop(child);

    to.write_all(b"still there").unwrap();
    let mut echoed = [0; 11];
    from.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"still there");
    drop(to);
    handle.exited().await.unwrap();
    // The next start collects it.
    Cmd::new("/bin/true").run(LONG).await.unwrap();
    assert_ne!(ProcessId::of(id.pid).ok(), Some(id));
}

#[tokio::test]
async fn wait_answers_again_and_signals_after_the_end_are_harmless() {
    let mut cmd = Cmd::new("/bin/cat");
    cmd.stdin(Stdio::Piped);
    let mut child = cmd.spawn().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    let waiting = tokio::time::timeout(Duration::ZERO, child.wait()).await;
    assert!(waiting.is_err(), "it reads and does not end");
    child.signal(Signal::TERM).unwrap();
    let status = child.wait().await.unwrap();
    assert_eq!(status.to_string(), "signal 15 (SIGTERM)");
    assert_eq!(child.wait().await.unwrap(), status);
    child.signal(Signal::KILL).unwrap();
}

#[tokio::test]
async fn helper_outlives_the_thread_that_started_it() {
    let start = || {
        let mut cmd = Cmd::new("/bin/cat");
        cmd.stdin(Stdio::Piped).parent_death_signal(Signal::KILL);
        cmd.spawn().unwrap()
    };
    let mut child = std::thread::spawn(start).join().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    drop(child.take_stdin());
    assert_eq!(child.wait().await.unwrap(), ExitStatus::Exited(0));
}

#[tokio::test]
async fn starts_from_many_threads_at_once() {
    let tasks: Vec<_> = (0..16)
        .map(|n: i32| tokio::spawn(async move { sh(&format!("exit {n}")).output(LONG).await }))
        .collect();
    for (n, task) in (0_i32..).zip(tasks) {
        let output = task.await.unwrap().unwrap();
        assert_eq!(output.status, ExitStatus::Exited(n));
    }
}

#[tokio::test]
async fn own_user_is_no_change() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let mut cmd = sh("id -u");
    cmd.user(uid.as_raw(), gid.as_raw(), &[]);
    assert_eq!(text_of(&mut cmd).await, format!("{}\n", uid.as_raw()));
}

#[tokio::test]
async fn root_user_and_groups_are_dropped() {
    or_skip!(root());
    let mut cmd = sh("id -u; id -g; id -G; grep CapEff /proc/self/status | cut -f2");
    cmd.user(65501, 65502, &[65502, 65503]);
    assert_eq!(
        text_of(&mut cmd).await,
        "65501\n65502\n65502 65503\n0000000000000000\n"
    );
    // The daemon itself stays who it is, in all its threads, and may still be dumped.
    assert!(rustix::process::geteuid().is_root());
    assert_eq!(
        rustix::process::dumpable_behavior().unwrap(),
        rustix::process::DumpableBehavior::Dumpable
    );
    let refused = Cmd::new("/bin/true")
        .user(65501, 65502, &[])
        .current_dir("/root/nonexistent")
        .spawn();
    assert!(matches!(
        refused,
        Err(CmdError::Start {
            step: Step::CurrentDir,
            ..
        })
    ));
}
