//! The agent's client against scripted and hostile guests.

use std::time::Duration;

use tokio::net::UnixStream;

use super::commands::{GetHostName, Info, Ping, Shutdown, ShutdownMode};
use super::{Agent, AgentLimits};
use crate::{CloseReason, MonitorError};
use virtbus_qemu_peer::{Step, play, send};

fn limits() -> AgentLimits {
    AgentLimits {
        line: 4096,
        ..AgentLimits::default()
    }
}

fn agent(steps: Vec<Step>) -> (Agent, tokio::task::JoinHandle<Vec<String>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let peer = tokio::spawn(play(theirs, steps));
    (Agent::open(ours, limits()), peer)
}

/// The agent finds the beat.
fn beat() -> Vec<Step> {
    vec![
        Step::Expect("guest-sync-delimited"),
        Step::Bytes(vec![0xff]),
        send(r#"{"return": $N}"#),
    ]
}

fn script(parts: Vec<Vec<Step>>) -> Vec<Step> {
    parts.into_iter().flatten().collect()
}

const SHUTDOWN: Shutdown = Shutdown {
    mode: ShutdownMode::Powerdown,
};

#[tokio::test]
async fn agent_runs_commands() {
    let (agent, peer) = agent(script(vec![
        beat(),
        vec![Step::Expect("guest-ping"), send(r#"{"return": {}}"#)],
        beat(),
        vec![
            Step::Expect("guest-info"),
            send(r#"{"return": {"version": "7.2", "supported_commands": []}}"#),
        ],
        beat(),
        vec![
            Step::Expect("guest-get-host-name"),
            send(r#"{"error": {"class": "CommandNotFound", "desc": "disabled"}}"#),
        ],
    ]));
    agent.execute(&Ping {}).await.unwrap();
    assert_eq!(agent.execute(&Info {}).await.unwrap().version, "7.2");
    let error = agent.execute(&GetHostName {}).await.unwrap_err();
    assert!(error.is_command_not_found());
    assert_eq!(agent.closed().await, CloseReason::EndOfFile);
    assert!(matches!(
        agent.execute(&Ping {}).await,
        Err(MonitorError::Closed(_))
    ));
    assert_eq!(peer.await.unwrap().len(), 6);
}

#[tokio::test]
async fn agent_skips_what_is_stale() {
    let stale = [
        b"{\"return\": {\"host-name\": \"stale\"}}\n".as_slice(),
        b"half a lin\xff{\"return\": 12}\n\xffgarbage\n\xff{\"error\": {}}\n",
    ]
    .concat();
    let (agent, _peer) = agent(script(vec![
        vec![
            Step::Bytes(stale.clone()),
            Step::Expect("guest-sync-delimited"),
            Step::Bytes(stale),
            Step::Bytes(vec![0xff]),
            send(r#"{"return": $N}"#),
        ],
        vec![
            Step::Expect("guest-get-host-name"),
            send("{}"),
            send(r#"{"return": {"host-name": "fresh"}}"#),
        ],
    ]));
    let name = agent.execute(&GetHostName {}).await.unwrap();
    assert_eq!(name.host_name, "fresh");
}

#[tokio::test(start_paused = true)]
async fn agent_that_is_silent_is_told_apart_from_a_slow_command() {
    let (silent, _peer) = agent(vec![Step::Drain]);
    let start = tokio::time::Instant::now();
    assert!(matches!(
        silent.execute(&Ping {}).await,
        Err(MonitorError::AgentNotResponding)
    ));
    assert_eq!(start.elapsed().as_secs(), 5);
    // The deadline of the caller wins if it is nearer.
    let start = tokio::time::Instant::now();
    let error = silent
        .execute_within(&Ping {}, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(start.elapsed().as_secs(), 1);

    let (slow, _peer) = agent(script(vec![
        beat(),
        vec![Step::Expect("guest-ping")],
        beat(),
        // The answer to the first ping comes before the beat of the second, too late.
        vec![Step::Expect("guest-ping"), send(r#"{"return": {}}"#)],
    ]));
    let error = slow.execute(&Ping {}).await.unwrap_err();
    assert!(matches!(error, MonitorError::Timeout { after, .. } if after.as_secs() == 30));
    slow.execute(&Ping {}).await.unwrap();
}

#[tokio::test]
async fn agent_survives_garbage() {
    let (agent, _peer) = agent(script(vec![
        beat(),
        vec![Step::Expect("guest-ping"), send("garbage")],
        beat(),
        vec![
            Step::Expect("guest-ping"),
            Step::Bytes(vec![b'x'; 5000]),
            Step::Bytes(b"\n".to_vec()),
        ],
        beat(),
        vec![
            Step::Expect("guest-ping"),
            Step::Bytes(b"{}\n".repeat(1001)),
        ],
        beat(),
        vec![Step::Expect("guest-ping"), send(r#"{"return": {}}"#)],
    ]));
    for _ in 0..3 {
        assert!(matches!(
            agent.execute(&Ping {}).await,
            Err(MonitorError::UnexpectedReply { .. })
        ));
    }
    agent.execute(&Ping {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn agent_shutdown_is_done_when_the_guest_goes_down() {
    let within = Duration::from_secs(60);
    // QEMU told about it.
    let (down, _peer) = agent(script(vec![
        beat(),
        vec![Step::Expect("guest-shutdown"), Step::Drain],
    ]));
    let start = tokio::time::Instant::now();
    let (result, ()) = tokio::join!(down.execute_without_reply(&SHUTDOWN, within), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        down.guest_went_down();
    });
    result.unwrap();
    assert_eq!(start.elapsed().as_secs(), 1);
    // The channel closed.
    let (gone, _peer) = agent(script(vec![beat(), vec![Step::Expect("guest-shutdown")]]));
    gone.execute_without_reply(&SHUTDOWN, within).await.unwrap();
    // Nothing was heard.
    let (quiet, _peer) = agent(script(vec![
        beat(),
        vec![Step::Expect("guest-shutdown"), Step::Drain],
    ]));
    let start = tokio::time::Instant::now();
    quiet
        .execute_without_reply(&SHUTDOWN, within)
        .await
        .unwrap();
    assert_eq!(start.elapsed().as_secs(), 60);
    // It failed.
    let (failed, _peer) = agent(script(vec![
        beat(),
        vec![
            Step::Expect("guest-shutdown"),
            send(r#"{"error": {"class": "GenericError", "desc": "no"}}"#),
            Step::Drain,
        ],
    ]));
    let error = failed.shutdown(ShutdownMode::Powerdown).await;
    assert_eq!(error.unwrap_err().command_error().unwrap().desc, "no");
    // There is no agent.
    let (silent, _peer) = agent(vec![Step::Drain]);
    let error = silent.execute_without_reply(&SHUTDOWN, within).await;
    assert!(matches!(error, Err(MonitorError::AgentNotResponding)));
    // The channel closed before anything was asked.
    let (closed, _peer) = agent(vec![]);
    let error = closed.execute_without_reply(&SHUTDOWN, within).await;
    assert!(matches!(error, Err(MonitorError::Closed(_))), "{error:?}");
    let (closed, _peer) = agent(vec![Step::Expect("guest-sync-delimited")]);
    let error = closed.execute_without_reply(&SHUTDOWN, within).await;
    assert!(matches!(error, Err(MonitorError::Closed(_))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn agent_callers_wait_their_turn_and_no_longer() {
    let (agent, peer) = agent(script(vec![
        beat(),
        vec![Step::Expect("guest-ping")],
        // The first caller went away; the second is served at once.
        beat(),
        vec![
            Step::Expect("guest-get-host-name"),
            send(r#"{"return": {"host-name": "h"}}"#),
            Step::Drain,
        ],
    ]));
    let start = tokio::time::Instant::now();
    let first = agent.execute_within(&Ping {}, Duration::from_secs(20));
    let second = agent.execute(&GetHostName {});
    let (first, second) = tokio::join!(tokio::time::timeout(Duration::from_secs(3), first), second);
    assert!(first.is_err());
    assert_eq!(second.unwrap().host_name, "h");
    assert_eq!(start.elapsed().as_secs(), 3);
    drop(agent);
    peer.await.unwrap();
}

#[tokio::test]
async fn agent_takes_raw_commands() {
    let (agent, _peer) = agent(script(vec![
        beat(),
        vec![
            Step::Expect("guest-exec"),
            send(r#"{"return": {"pid": 4}}"#),
        ],
        beat(),
        vec![
            Step::Expect("guest-x"),
            send(r#"{"error": {"class": "CommandNotFound", "desc": "unknown"}}"#),
        ],
    ]));
    let within = Duration::from_secs(5);
    let answer = agent
        .execute_raw(
            r#"{"execute": "guest-exec", "arguments": {"path": "/bin/true"}}"#,
            within,
        )
        .await
        .unwrap();
    assert_eq!(answer, r#"{"return":{"pid": 4}}"#);
    let answer = agent
        .execute_raw(r#"{"execute": "guest-x"}"#, within)
        .await
        .unwrap();
    assert_eq!(
        answer,
        r#"{"error":{"class":"CommandNotFound","desc":"unknown"}}"#
    );
}

mod qemu {
    //! The client against the real agent, which runs on this host and is asked nothing that
    //! would change it.

    use std::path::Path;
    use std::time::Duration;

    use rustix::process::Signal;
    use virtbus_util::cmd::{Child, Cmd};

    use super::super::commands::{
        FsfreezeStatus, GetFsinfo, GetHostName, GetOsinfo, GetTime, GetTimezone, GetUsers,
        GetVcpus, Info, NetworkGetInterfaces, Ping,
    };
    use super::super::{Agent, AgentLimits};

    /// Where distributions install it; the first that exists is used.
    const AGENTS: [&str; 2] = ["/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"];

    struct KillOnDrop(Child);

    impl Drop for KillOnDrop {
        fn drop(&mut self) {
            let _ = self.0.signal(Signal::KILL);
        }
    }

    #[tokio::test]
    async fn qemu_ga_answers() {
        let own = std::env::var("VIRTBUS_QEMU_GA").ok();
        let mut agents = own.as_deref().into_iter().chain(AGENTS);
        let Some(program) = agents.find(|path| Path::new(path).exists()) else {
            virtbus_skip::skip!("needs qemu-ga; VIRTBUS_QEMU_GA may name one");
        };
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let state = dir.path().to_str().unwrap().to_owned();
        let path = socket.to_str().unwrap();
        let mut cmd = Cmd::new(program);
        cmd.args(["--method=unix-listen", &format!("--path={path}")])
            .args([
                &format!("--statedir={state}"),
                &format!("--pidfile={state}/pid"),
            ])
            .args(["--blacklist=guest-shutdown,guest-exec,guest-set-time,guest-fsfreeze-freeze"])
            .parent_death_signal(Signal::KILL);
        let _agent = KillOnDrop(cmd.spawn().unwrap());
        let stream = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                match tokio::net::UnixStream::connect(&socket).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        let agent = Agent::open(stream.await.unwrap(), AgentLimits::default());
        agent.execute(&Ping {}).await.unwrap();
        let info = agent.execute(&Info {}).await.unwrap();
        assert!(
            info.supported_commands
                .iter()
                .any(|c| c.name == "guest-ping" && c.enabled)
        );
        assert!(
            agent
                .execute(&GetOsinfo {})
                .await
                .unwrap()
                .kernel_release
                .is_some()
        );
        assert!(
            !agent
                .execute(&GetHostName {})
                .await
                .unwrap()
                .host_name
                .is_empty()
        );
        assert!(agent.execute(&GetTime {}).await.unwrap() > 1_600_000_000_000_000_000);
        let interfaces = agent.execute(&NetworkGetInterfaces {}).await.unwrap();
        assert!(interfaces.iter().any(|i| i.name == "lo"));
        assert!(!agent.execute(&GetVcpus {}).await.unwrap().is_empty());
        // Whatever they say, it has the expected form.
        let _ = agent.execute(&GetTimezone {}).await.unwrap();
        let _ = agent.execute(&GetUsers {}).await.unwrap();
        let _ = agent.execute(&FsfreezeStatus {}).await.unwrap();
        if let Err(error) = agent.execute(&GetFsinfo {}).await {
            assert!(error.command_error().is_some(), "{error:?}");
        }
    }
}
