//! An emulator whose monitor answers with anything, sends events in any order, and closes at every step (T5): its own guest's
//! callers get an error or an answer in time, lists and statistics go on, and it can be ended. How a monitor that misbehaves in other
//! ways is borne is in `../monitors.rs`.

use std::path::Path;
use std::time::Duration;

use virtbus_tests::process::memory;
use virtbus_tests::wait::{LIMIT, patient};
use virtbus_tests::{Client, DomainXml, Testbed, campaign, need, or_skip};

/// What the daemon may take for all that, KiB.
const GROWTH: u64 = 64 << 10;

/// QEMU when it is asked what it can do; else a monitor that takes what it does with each command from a file, so that the test can
/// change it: a value to return, events to send, or how many commands are answered before it closes.
const WRAPPER: &str = r#"#!/usr/bin/python3
import json, os, socket, sys
arguments = sys.argv[1:]
machine = arguments[arguments.index('-machine') + 1] if '-machine' in arguments else ''
if machine.startswith('none') or '-machine' not in arguments:
    os.execv('QEMU', ['QEMU'] + arguments)
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    try:
        connection.sendall(b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}\r\n')
        count = 0
        for line in connection.makefile('rb'):
            command = json.loads(line)
            with open('PLAN') as plan:
                plan = json.load(plan)
            count += 1
            if count > plan.get('answers', 1 << 30):
                break
            for event in plan.get('events', []):
                connection.sendall(json.dumps(event).encode() + b'\r\n')
            name, number = command['execute'], json.dumps(command['id'])
            value = '{}'
            if name == 'query-status':
                value = '{"running": true, "status": "running"}'
            if 'value' in plan and name != 'qmp_capabilities':
                value = plan['value'] * plan.get('times', 1)
                value = plan.get('open', '') + value + plan.get('close', '')
            connection.sendall(('{"return": %s, "id": %s}\r\n' % (value, number)).encode())
        connection.shutdown(socket.SHUT_RDWR)
    except (OSError, ValueError):
        pass
"#;

/// Values that no command returns, as parts of a plan.
const VALUES: [(&str, &str); 12] = [
    ("null", r#"{"value": "null"}"#),
    ("a number", r#"{"value": "-1"}"#),
    ("text", r#"{"value": "\"running\""}"#),
    ("an empty array", r#"{"value": "[]"}"#),
    ("an array of nulls", r#"{"value": "[null, null]"}"#),
    (
        "a state that is not known",
        r#"{"value": "{\"running\": true, \"status\": \"abacus\"}"}"#,
    ),
    (
        "members of another type",
        r#"{"value": "{\"running\": 7, \"status\": [], \"actual\": -1}"}"#,
    ),
    (
        "numbers that are too large",
        r#"{"value": "{\"actual\": 99999999999999999999, \"total\": 1e400}"}"#,
    ),
    (
        "a million entries",
        r#"{"value": "0,", "times": 1000000, "open": "[", "close": "0]"}"#,
    ),
    (
        "a hundred thousand levels",
        r#"{"value": "[", "times": 100000}"#,
    ),
    ("no JSON", r#"{"value": "]["}"#),
    ("nothing", r#"{"value": ""}"#),
];

/// Events that do not fit: of what is not there, without members, of another type, in no order, and that the guest is gone.
const EVENTS: [&str; 6] = [
    r#"{"events": [{"event": "RESUME"}, {"event": "RESUME", "timestamp": {}}, {"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}}]}"#,
    r#"{"events": [{"event": "BLOCK_IO_ERROR", "timestamp": {"seconds": 1, "microseconds": 1}}, {"event": "DEVICE_DELETED", "data": {"device": 7}}]}"#,
    r#"{"events": [{"event": "BALLOON_CHANGE", "data": {"actual": -1}, "timestamp": {"seconds": 1, "microseconds": 1}}]}"#,
    r#"{"events": [{"event": "VSERPORT_CHANGE", "data": []}, {"event": "", "data": null}, {"event": 7}, {}]}"#,
    r#"{"events": [{"event": "SUSPEND"}, {"event": "WAKEUP"}, {"event": "SUSPEND_DISK"}, {"event": "GUEST_PANICKED", "data": {"action": "abacus"}}]}"#,
    r#"{"events": [{"event": "POWERDOWN"}, {"event": "MIGRATION", "data": {"status": "abacus"}}, {"event": "JOB_STATUS_CHANGE"}]}"#,
];

/// Asks for what there is of all guests, as a console does, until it is told to end.
async fn poll(client: Client, path: String) {
    loop {
        let domain = client.domain(&path);
        let whole = async {
            // The guest may be gone at any time; that there is an answer is what counts.
            let _ = domain.state().await;
            let _ = domain.statistics().await;
            client.list(0).await.expect("guests are listed");
        };
        let answered = tokio::time::timeout(patient(LIMIT), whole).await;
        answered.expect("lists and statistics go on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_answers_anything_harms_its_callers_only() {
    let qemu = or_skip!(need::qemu());
    or_skip!(need::program("python3"));
    let settings = tempfile::NamedTempFile::new().expect("there is room");
    let text = "[qemu]\nstart_timeout = 2\ncommand_timeout = 1\nquit_timeout = 1\n";
    std::fs::write(settings.path(), text).expect("there is room");
    let path = settings.path().display().to_string();
    let mut testbed = or_skip!(Testbed::start(&["--config", &path]).await);
    let plan = testbed.path("plan");
    let script = WRAPPER
        .replace("QEMU'", &format!("{}'", qemu.display()))
        .replace("PLAN", &plan.to_string_lossy());
    let emulator = testbed.script("emulator", &script);
    write(&plan, "{}");
    let domain = testbed
        .define(&DomainXml::small("plan").emulator(&emulator))
        .await;
    let other = Client::connect(testbed.bus.address()).await.unwrap();
    let polling = tokio::spawn(poll(other, domain.path().to_owned()));
    let before = memory(testbed.daemon.pid(), "RssAnon");

    let closes: Vec<String> = (0..campaign::rounds(4, 12))
        .map(|n| format!("{{\"answers\": {n}}}"))
        .collect();
    let plans = VALUES.iter().map(|(what, plan)| (*what, *plan));
    let plans = plans.chain(EVENTS.iter().map(|plan| ("events", *plan)));
    let plans = plans.chain(closes.iter().map(|plan| ("an end", plan.as_str())));
    for (number, (what, text)) in plans.enumerate() {
        if number % 2 == 1 && !campaign::is_long() {
            continue;
        }
        // From the start, which takes until its time is over, and from when it runs.
        if number % 4 == 0 || campaign::is_long() {
            write(&plan, text);
            answered(what, domain.act("Create", 0)).await;
            answered(what, domain.act("Destroy", 0)).await;
        }
        write(&plan, "{}");
        let started = domain.act("Create", 0).await;
        started.unwrap_or_else(|error| panic!("before {what}: {error}"));
        write(&plan, text);
        answered(what, domain.tell("Suspend")).await;
        answered(what, domain.tell("Resume")).await;
        answered(what, domain.act("Destroy", 0)).await;
        let after = memory(testbed.daemon.pid(), "RssAnon");
        assert!(after < before + GROWTH, "{what}: {before} -> {after} KiB");
        assert!(
            !polling.is_finished(),
            "{what}: whoever asks for lists was not answered"
        );
        assert!(testbed.daemon.exited().is_none(), "{what}");
    }
    polling.abort();
    answered("at last", domain.act("Undefine", 0)).await;
    testbed.assert_nothing_left().await;
}

fn write(plan: &Path, text: &str) {
    // Replaced whole: the emulator may be reading it.
    let new = plan.with_extension("new");
    std::fs::write(&new, text).expect("there is room");
    std::fs::rename(&new, plan).expect("there is room");
}

/// A call that is done or refused, in time.
async fn answered(what: &str, call: impl Future<Output = Result<(), virtbus_tests::CallError>>) {
    let answer = tokio::time::timeout(patient(Duration::from_secs(12)), call).await;
    if let Err(error) = answer.unwrap_or_else(|_| panic!("{what}: no answer")) {
        assert!(error.is_refusal(), "{what}: {error}");
    }
}
