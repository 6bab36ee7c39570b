//! The monitor against scripted and hostile peers.

use std::future::Future;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::commands::system::{Getfd, QueryStatus, QueryVersion, RunState, Stop};
use super::event::{Event, Shutdown, ShutdownReason};
use super::{CloseReason, Events, Limits, Monitor, MonitorError, Notification};
use virtbus_qemu_peer::{Step, hello, play, reply, send};

fn limits() -> Limits {
    Limits {
        line: 4096,
        events: 8,
        commands: 4,
        greeting: Duration::from_secs(5),
        command: Duration::from_secs(30),
    }
}

type Peer = JoinHandle<Vec<String>>;

/// Bytes, and whether the reason for closing is the right one.
type Nonsense = (Vec<u8>, fn(&CloseReason) -> bool);

fn script(steps: Vec<Step>) -> (UnixStream, Peer) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (ours, tokio::spawn(play(theirs, steps)))
}

/// A monitor that was greeted, and a peer that goes on with `steps`.
async fn opened(steps: Vec<Step>) -> (Monitor, Events, Peer) {
    let (stream, peer) = script(hello().into_iter().chain(steps).collect());
    let (monitor, events) = Monitor::open(stream, limits()).await.unwrap();
    (monitor, events, peer)
}

/// Everything that comes until the end, the end included.
async fn rest(events: &mut Events) -> Vec<Notification> {
    let mut all = Vec::new();
    while let Some(notification) = events.recv().await {
        all.push(notification);
    }
    all
}

async fn closed_with(events: &mut Events) -> CloseReason {
    let all = rest(events).await;
    let closed = all
        .iter()
        .filter(|n| matches!(n, Notification::Closed { .. }))
        .count();
    assert_eq!(closed, 1);
    match all.last() {
        Some(Notification::Closed { reason }) => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// Bound so that a hang is a failure; paused clocks jump over it otherwise.
pub(super) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(300), future)
        .await
        .expect("nothing may hang")
}

#[tokio::test]
async fn monitor_greets_and_runs_commands() {
    let (monitor, mut events, peer) = opened(vec![
        Step::Expect("query-status"),
        reply(r#"{"status": "paused", "running": false, "singlestep": false}"#),
        Step::Expect("query-version"),
        reply(r#"{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}"#),
    ])
    .await;
    let status = monitor.execute(&QueryStatus {}).await.unwrap();
    assert_eq!(status.status, RunState::Paused);
    let version = monitor.execute(&QueryVersion {}).await.unwrap();
    assert_eq!(version.qemu.micro, 22);
    assert_eq!(closed_with(&mut events).await, CloseReason::EndOfFile);
    assert!(events.recv().await.is_none());
    assert_eq!(peer.await.unwrap().len(), 3);
    assert!(matches!(
        monitor.execute(&Stop {}).await,
        Err(MonitorError::Closed(CloseReason::EndOfFile))
    ));
}

#[tokio::test]
async fn monitor_matches_replies_by_id() {
    // Pipelined: both are written before any is answered, and the answers come out of order.
    let (monitor, _events, peer) = opened(vec![
        Step::Expect("query-status"),
        Step::Expect("query-version"),
        send(
            r#"{"return": {"qemu": {"micro": 0, "minor": 0, "major": 9}, "package": ""}, "id": $ID}"#,
        ),
        send(r#"{"return": {}, "id": 4711}"#),
        send(r#"{"return": {}, "id": "not ours"}"#),
        send(r#"{"return": {}}"#),
        send(r#"{"return": {"status": "running", "running": true}, "id": 2}"#),
        Step::Drain,
    ])
    .await;
    let (status, version) = tokio::join!(
        monitor.execute(&QueryStatus {}),
        monitor.execute(&QueryVersion {})
    );
    assert_eq!(status.unwrap().status, RunState::Running);
    assert_eq!(version.unwrap().qemu.major, 9);
    drop(monitor);
    peer.await.unwrap();
}

#[tokio::test]
async fn monitor_keeps_class_and_text_of_errors() {
    let (monitor, _events, _peer) = opened(vec![
        Step::Expect("stop"),
        send(r#"{"error": {"class": "DeviceNotActive", "desc": "no balloon"}, "id": $ID}"#),
        Step::Expect("stop"),
        // QEMU could not even read it: no id.
        send(r#"{"error": {"class": "GenericError", "desc": "JSON parse error"}}"#),
        Step::Expect("query-status"),
        reply("[1, 2]"),
        Step::Drain,
    ])
    .await;
    let error = monitor.execute(&Stop {}).await.unwrap_err();
    let source = error.command_error().unwrap();
    assert_eq!(
        (source.class.as_str(), source.desc.as_str()),
        ("DeviceNotActive", "no balloon")
    );
    let error = monitor.execute(&Stop {}).await.unwrap_err();
    assert_eq!(error.command_error().unwrap().desc, "JSON parse error");
    assert!(matches!(
        monitor.execute(&QueryStatus {}).await,
        Err(MonitorError::UnexpectedReply { .. })
    ));
    assert!(monitor.is_responsive());
}

#[tokio::test]
async fn monitor_passes_raw_commands_through() {
    let (monitor, _events, peer) = opened(vec![
        Step::Expect("x-new"),
        reply(r#"{"a": [1, {"b": null}]}"#),
        Step::Expect("x-bad"),
        send(r#"{"error": {"class": "GenericError", "desc": "no \"way\""}, "id": $ID}"#),
    ])
    .await;
    let answer = monitor
        .execute_raw(r#"{"execute": "x-new", "arguments": {"z": 1, "a": 2}, "id": "mine"}"#)
        .await
        .unwrap();
    assert_eq!(answer, r#"{"return":{"a": [1, {"b": null}]},"id":"mine"}"#);
    let answer = monitor
        .execute_raw(r#"{"execute": "x-bad"}"#)
        .await
        .unwrap();
    assert_eq!(
        answer,
        r#"{"error":{"class":"GenericError","desc":"no \"way\""}}"#
    );
    for nonsense in [
        "",
        "stop",
        "[]",
        r#"{"execute": 1}"#,
        r#"{"exec-oob": "x"}"#,
    ] {
        assert!(matches!(
            monitor.execute_raw(nonsense).await,
            Err(MonitorError::InvalidCommand(_))
        ));
    }
    assert!(peer.await.unwrap()[1].contains(r#""arguments":{"z": 1, "a": 2}"#));
}

#[tokio::test]
async fn monitor_gives_events_in_order() {
    let (_monitor, mut events, _peer) = opened(vec![
        send(
            r#"{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}, "timestamp": {"seconds": 7, "microseconds": 8}}"#,
        ),
        send(r#"{"event": "BRAND_NEW", "data": {"x": 1}}"#),
        send(r#"{"unknown": "line"}"#),
        send(r#"{"event": "STOP"}"#),
    ])
    .await;
    let found = rest(&mut events).await;
    let shutdown = Shutdown {
        guest: true,
        reason: ShutdownReason::GuestShutdown,
    };
    let kinds: Vec<_> = found
        .iter()
        .map(|n| match n {
            Notification::Event { event, .. } => Some(event.clone()),
            Notification::Closed { .. } => None,
        })
        .collect();
    let new = Event::Other {
        name: "BRAND_NEW".to_owned(),
        data: Some(r#"{"x": 1}"#.into()),
    };
    assert_eq!(
        kinds,
        [
            Some(Event::Shutdown(shutdown)),
            Some(new),
            Some(Event::Stop),
            None
        ]
    );
    assert!(
        matches!(&found[0], Notification::Event { timestamp, .. } if timestamp.microseconds == 8)
    );
}

#[tokio::test(start_paused = true)]
async fn monitor_times_out_once_and_recovers() {
    let (monitor, mut events, peer) = opened(vec![
        Step::Expect("query-status"),
        // Silence until the test says so.
        Step::Expect("query-version"),
        Step::Drain,
    ])
    .await;
    let error = monitor.execute(&QueryStatus {}).await.unwrap_err();
    assert!(matches!(error, MonitorError::Timeout { after, .. } if after.as_secs() == 30));
    assert!(!monitor.is_responsive());
    let before = tokio::time::Instant::now();
    assert!(matches!(
        monitor.execute(&Stop {}).await,
        Err(MonitorError::Unresponsive { .. })
    ));
    assert_eq!(before.elapsed(), Duration::ZERO);
    peer.abort();
    assert_eq!(closed_with(&mut events).await, CloseReason::EndOfFile);
    assert!(matches!(
        monitor.execute(&Stop {}).await,
        Err(MonitorError::Closed(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn monitor_drops_a_late_reply() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let peer = tokio::spawn(async move {
        let (first, second) = theirs.into_std().map(|s| (s.try_clone(), s)).unwrap();
        let first = UnixStream::from_std(first.unwrap()).unwrap();
        let second = UnixStream::from_std(second).unwrap();
        let mut steps = hello();
        steps.push(Step::Expect("query-status"));
        play(first, steps).await;
        wait.await.unwrap();
        play(
            second,
            vec![
                send(r#"{"return": {"status": "running", "running": true}, "id": 2}"#),
                send(r#"{"event": "RESUME"}"#),
                Step::Expect("query-status"),
                reply(r#"{"status": "paused", "running": false}"#),
            ],
        )
        .await
    });
    let (monitor, mut events) = Monitor::open(ours, limits()).await.unwrap();
    let late = monitor
        .execute_within(&QueryStatus {}, Duration::from_millis(10))
        .await;
    assert!(late.unwrap_err().is_timeout());
    go.send(()).unwrap();
    // Once anything came, it is as if nothing had been.
    assert!(matches!(
        bounded(events.recv()).await,
        Some(Notification::Event { .. })
    ));
    assert!(monitor.is_responsive());
    let status = monitor.execute(&QueryStatus {}).await.unwrap();
    assert_eq!(status.status, RunState::Paused);
    peer.await.unwrap();
}

#[tokio::test]
async fn monitor_stays_in_step_when_a_caller_goes_away() {
    let (monitor, _events, _peer) = opened(vec![
        Step::Expect("stop"),
        Step::Expect("query-status"),
        send(r#"{"return": {}, "id": 2}"#),
        reply(r#"{"status": "paused", "running": false}"#),
        Step::Drain,
    ])
    .await;
    {
        let stop = monitor.execute(&Stop {});
        tokio::pin!(stop);
        // Polled once: on its way, but no answer yet.
        let pending =
            std::future::poll_fn(|cx| std::task::Poll::Ready(stop.as_mut().poll(cx).is_pending()));
        assert!(pending.await);
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    let status = monitor.execute(&QueryStatus {}).await.unwrap();
    assert_eq!(status.status, RunState::Paused);
}

#[tokio::test]
async fn monitor_fails_all_callers_at_once_when_it_ends() {
    let (monitor, _events, _peer) = opened(vec![
        Step::Expect("stop"),
        Step::Bytes(b"{\"return\": {}, \"i".to_vec()),
    ])
    .await;
    let (first, second) = tokio::join!(monitor.execute(&Stop {}), monitor.execute(&Stop {}));
    for result in [first, second] {
        assert!(matches!(
            result,
            Err(MonitorError::Closed(CloseReason::EndOfFile))
        ));
    }
    assert!(monitor.is_closed());
    assert!(!monitor.is_responsive());
}

#[tokio::test]
async fn monitor_closes_on_what_is_not_qmp() {
    let long = format!("{{\"return\": \"{}\"}}", "x".repeat(5000));
    let table: Vec<Nonsense> = vec![
        (b"nonsense\n".to_vec(), |r| {
            matches!(r, CloseReason::Garbage(_))
        }),
        (b"{\"event\": 5}\n".to_vec(), |r| {
            matches!(r, CloseReason::Garbage(_))
        }),
        (vec![0, 0xff, b'\n'], |r| {
            matches!(r, CloseReason::Garbage(_))
        }),
        (long.into_bytes(), |r| {
            *r == CloseReason::LineTooLong { limit: 4096 }
        }),
        (vec![b'['; 10_000], |r| {
            *r == CloseReason::LineTooLong { limit: 4096 }
        }),
        (b"{\"event\": \"STOP\"}\n".repeat(100), |r| {
            *r == CloseReason::EventOverflow { limit: 8 }
        }),
        (
            format!("{{\"event\":\"X\",\"data\":\"{}\"}}\n", "y".repeat(4000))
                .repeat(4)
                .into_bytes(),
            |r| *r == CloseReason::EventOverflow { limit: 8 },
        ),
    ];
    for (bytes, expected) in table {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let (monitor, mut events, _peer) =
            opened(vec![Step::Expect("stop"), Step::Bytes(bytes), Step::Drain]).await;
        let error = bounded(monitor.execute(&Stop {})).await.unwrap_err();
        assert!(error.is_closed(), "{shown}: {error:?}");
        let reason = bounded(closed_with(&mut events)).await;
        assert!(expected(&reason), "{shown}: {reason:?}");
    }
}

#[tokio::test]
async fn monitor_answers_while_nobody_takes_events() {
    let mut steps = vec![Step::Expect("stop")];
    steps.extend((0..8).map(|_| send(r#"{"event": "STOP"}"#)));
    steps.push(reply("{}"));
    let (monitor, mut events, _peer) = opened(steps).await;
    monitor.execute(&Stop {}).await.unwrap();
    assert_eq!(rest(&mut events).await.len(), 9);

    let mut steps = vec![Step::Expect("stop")];
    steps.extend((0..100).map(|_| send(r#"{"event": "STOP"}"#)));
    steps.push(reply("{}"));
    steps.push(Step::Drain);
    let (monitor, events, _peer) = opened(steps).await;
    // Nobody wants events at all: they cost nothing.
    drop(events);
    monitor.execute(&Stop {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn monitor_open_fails_in_time() {
    let table: Vec<(Vec<Step>, &str)> = vec![
        (vec![Step::Drain], "no QMP greeting within 5s"),
        (
            vec![Step::Bytes(b"{\"QMP\"".to_vec()), Step::Drain],
            "no QMP greeting within 5s",
        ),
        (vec![], "the connection is closed"),
        (
            vec![send("HTTP/1.1 400 Bad Request"), Step::Drain],
            "the connection is closed",
        ),
        (
            vec![send(r#"{"event": "STOP"}"#), Step::Drain],
            "the connection is closed",
        ),
        (
            vec![hello().remove(0), Step::Drain],
            "no QMP greeting within 5s",
        ),
        (
            vec![
                hello().remove(0),
                Step::Expect("qmp_capabilities"),
                send(r#"{"error": {"class": "CommandNotFound", "desc": "no"}, "id": $ID}"#),
                Step::Drain,
            ],
            "command 'qmp_capabilities' failed",
        ),
    ];
    for (steps, expected) in table {
        let (stream, peer) = script(steps);
        let error = bounded(Monitor::open(stream, limits())).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        // The connection is gone: the peer comes to its end.
        bounded(peer).await.unwrap();
    }
}

#[tokio::test]
async fn monitor_closes_when_it_is_told_or_dropped() {
    let (monitor, mut events, peer) = opened(vec![Step::Drain]).await;
    let clone = monitor.clone();
    drop(monitor);
    assert!(clone.is_responsive());
    clone.close();
    assert_eq!(closed_with(&mut events).await, CloseReason::Requested);
    peer.await.unwrap();

    let (monitor, mut events, peer) = opened(vec![Step::Drain]).await;
    drop(monitor);
    assert_eq!(closed_with(&mut events).await, CloseReason::Requested);
    peer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn monitor_does_not_hang_on_a_peer_that_does_not_read() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let peer = tokio::spawn(play(theirs, {
        let mut steps = hello();
        steps.push(Step::Expect("stop"));
        steps.push(Step::Expect("never"));
        steps
    }));
    let wide = Limits {
        line: 8 << 20,
        ..limits()
    };
    let (monitor, mut events) = Monitor::open(ours, wide).await.unwrap();
    peer.abort();
    let _ = peer.await;
    assert_eq!(closed_with(&mut events).await, CloseReason::EndOfFile);

    let (ours, theirs) = UnixStream::pair().unwrap();
    let (first, _keep) = {
        let std = theirs.into_std().unwrap();
        (std.try_clone().unwrap(), std)
    };
    let greeter = tokio::spawn(play(UnixStream::from_std(first).unwrap(), hello()));
    let (monitor_two, _events) = Monitor::open(ours, wide).await.unwrap();
    greeter.await.unwrap();
    drop(monitor);
    let large = format!(
        r#"{{"execute": "x", "arguments": {{"y": "{}"}}}}"#,
        "z".repeat(4 << 20)
    );
    let (first, second) = tokio::join!(
        bounded(monitor_two.execute_raw(&large)),
        bounded(monitor_two.execute(&Stop {}))
    );
    assert!(first.unwrap_err().is_timeout());
    assert!(second.unwrap_err().is_timeout());
    let too_large = format!(
        r#"{{"execute": "x", "arguments": {{"y": "{}"}}}}"#,
        "z".repeat(9 << 20)
    );
    // Unresponsive comes first; a healthy monitor would say that it is too long.
    assert!(monitor_two.execute_raw(&too_large).await.is_err());
}

#[tokio::test]
async fn monitor_refuses_commands_that_are_too_long() {
    let (monitor, _events, _peer) = opened(vec![Step::Drain]).await;
    let text = format!(r#"{{"execute": "{}"}}"#, "x".repeat(5000));
    assert!(matches!(
        monitor.execute_raw(&text).await,
        Err(MonitorError::CommandTooLong { limit: 4096, .. })
    ));
}

#[tokio::test]
async fn monitor_passes_descriptors() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let theirs = theirs.into_std().unwrap();
    let greeter = theirs.try_clone().unwrap();
    let greeter = tokio::spawn(play(UnixStream::from_std(greeter).unwrap(), hello()));
    let (monitor, _events) = Monitor::open(ours, limits()).await.unwrap();
    greeter.await.unwrap();

    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"contents").unwrap();
    file.rewind().unwrap();
    let command = Getfd {
        fdname: "f".to_owned(),
    };
    let getfd = monitor.execute_with_fd(&command, OwnedFd::from(file));
    let receive = async {
        let theirs = UnixStream::from_std(theirs).unwrap();
        theirs.readable().await.unwrap();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 1];
        rustix::net::recvmsg(
            &theirs,
            &mut [std::io::IoSliceMut::new(&mut bytes)],
            &mut control,
            rustix::net::RecvFlags::empty(),
        )
        .unwrap();
        let received = control.drain().find_map(|message| match message {
            rustix::net::RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let mut text = String::new();
        std::fs::File::from(received.unwrap())
            .read_to_string(&mut text)
            .unwrap();
        // The first byte went with the descriptor.
        let steps = vec![
            Step::Bytes(br#"{"return": {}, "id": 2}"#.to_vec()),
            Step::Bytes(b"\n".to_vec()),
            Step::Drain,
        ];
        tokio::spawn(play(theirs, steps));
        text
    };
    let (result, text) = tokio::join!(getfd, receive);
    result.unwrap();
    assert_eq!(text, "contents");
}

mod hostile {
    //! Whatever comes, in whatever pieces: no panic, no hang, one end.

    use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

    use super::{Step, Stop, bounded, closed_with, opened};

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..30),
            "[\\[\\]{}\",:a-z0-9 \n]{0,30}".prop_map(String::into_bytes),
            prop::sample::select(vec![
                "{\"event\":\"SHUTDOWN\",\"data\":{}}\n",
                "{\"event\":\"SHUTDOWN\",\"data\":null}\n",
                "{\"event\":\"BLOCK_IO_ERROR\",\"data\":[[]]}\n",
                "{\"return\":{},\"id\":2}\n",
                "{\"return\":",
                "{\"error\":{},\"id\":null}\n",
                "{\"error\":{\"class\":1}}\n",
                "{\"QMP\":{}}\n",
                "{\"id\":99999999999999999999}\n",
                "\r\n",
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn any_peer_is_survived(pieces in prop::collection::vec(piece(), 0..12)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut steps = vec![Step::Expect("stop")];
                steps.extend(pieces.into_iter().map(Step::Bytes));
                let (monitor, mut events, peer) = opened(steps).await;
                let _ = bounded(monitor.execute(&Stop {})).await;
                bounded(closed_with(&mut events)).await;
                bounded(peer).await.unwrap();
            });
        }
    }
}
