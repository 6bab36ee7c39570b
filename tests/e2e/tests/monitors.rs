//! Emulators whose monitor does not do as it should: each harms only its own guest's callers, who get an error, and can
//! be ended at once. A wrapper stands in for QEMU: it tells of the real one's capabilities, and its guests misbehave as the
//! test asks.

use std::fs;
use std::path::{Path, PathBuf};

use virtbus_tests::domain::{RUNNING, SHUTOFF};
use virtbus_tests::wait::{LIMIT, patient, wait_for_async};
use virtbus_tests::{Domain, DomainXml, Testbed, need, or_skip};

/// A program that is QEMU when asked what it can do, and otherwise a monitor that behaves until it is told to suspend.
const WRAPPER: &str = r#"#!/usr/bin/python3
import json, os, socket, sys, time
arguments = sys.argv[1:]
machine = arguments[arguments.index('-machine') + 1] if '-machine' in arguments else ''
if machine.startswith('none') or '-machine' not in arguments:
    os.execv('QEMU', ['QEMU'] + arguments)
mode = 'MODE'
if mode == 'silent':
    time.sleep(3600)
listener = socket.socket(fileno=3)
GREETING = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}
first = True
while True:
    connection, _ = listener.accept()
    if mode == 'no-greeting' :
        connection.sendall(b'220 mail.example ESMTP\r\n')
        continue
    if mode == 'endless-line':
        try:
            while True:
                connection.sendall(b'x' * 65536)
        except OSError:
            continue
    stream = connection.makefile('rw')
    def say(value):
        stream.write(json.dumps(value) + '\r\n')
        stream.flush()
    say(GREETING)
    try:
        for line in stream:
            command = json.loads(line)
            name = command['execute']
            if name == 'stop' and mode == 'garbage':
                stream.write('{"return": ][}\r\n'); stream.flush()
            elif name == 'stop' and mode == 'closes':
                break
            elif name == 'stop' and mode == 'other-id':
                say({"return": {}, "id": "nobody"})
            elif name == 'query-status':
                say({"return": {"running": True, "status": "running"}, "id": command['id']})
            else:
                say({"return": {}, "id": command['id']})
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
"#;

/// Defines a guest whose emulator is the wrapper in one of its modes, after which it is called.
async fn define(testbed: &Testbed, qemu: &Path, mode: &str) -> Domain {
    let text = WRAPPER
        .replace("QEMU'", &format!("{}'", qemu.display()))
        .replace("MODE", mode);
    let emulator = testbed.script(&format!("emulator-{mode}"), &text);
    let guest = DomainXml::new(mode).emulator(&emulator);
    testbed.define(&guest).await
}

/// A daemon that is not patient with its guests.
async fn start() -> Result<(Testbed, PathBuf), String> {
    let qemu = need::qemu()?;
    need::program("python3")?;
    let settings = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    fs::write(
        settings.path(),
        "[qemu]\nstart_timeout = 2\ncommand_timeout = 1\n",
    )
    .map_err(|error| error.to_string())?;
    let path = settings.path().display().to_string();
    let testbed = Testbed::start(&["--config", &path]).await?;
    Ok((testbed, qemu))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_misbehaves_while_the_guest_runs_harms_its_callers_only() {
    let (testbed, qemu) = or_skip!(start().await);
    for mode in ["garbage", "closes", "other-id"] {
        let domain = define(&testbed, &qemu, mode).await;
        domain
            .act("Create", 0)
            .await
            .unwrap_or_else(|error| panic!("{mode}: {error}"));

        let callers: Vec<_> = (0..10)
            .map(|_| {
                let domain = domain.clone();
                tokio::spawn(async move { domain.tell("Suspend").await })
            })
            .collect();
        for _ in 0..20 {
            assert_eq!(domain.state().await.unwrap().0, RUNNING, "{mode}");
        }
        for caller in callers {
            let answer = tokio::time::timeout(patient(LIMIT), caller).await;
            let refused = answer
                .unwrap_or_else(|_| panic!("{mode}: no answer"))
                .unwrap()
                .unwrap_err();
            assert!(refused.is_refusal(), "{mode}: {refused}");
        }
        // The connection is made anew, and then the guest can be talked to again.
        wait_for_async("the monitor to be reached again", LIMIT, async || {
            domain.act("Reset", 0).await.ok()
        })
        .await;

        domain
            .act("Destroy", 0)
            .await
            .unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert_eq!(domain.state().await.unwrap().0, SHUTOFF, "{mode}");
        domain.act("Undefine", 0).await.unwrap();
        testbed.assert_nothing_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_never_comes_up_fails_the_start_and_leaves_nothing() {
    let (testbed, qemu) = or_skip!(start().await);
    for mode in ["silent", "no-greeting", "endless-line"] {
        let domain = define(&testbed, &qemu, mode).await;
        let refused = tokio::time::timeout(patient(LIMIT), domain.act("Create", 0)).await;
        let refused = refused
            .unwrap_or_else(|_| panic!("{mode}: no answer"))
            .unwrap_err();
        assert!(refused.is_refusal(), "{mode}: {refused}");
        assert_eq!(domain.state().await.unwrap().0, SHUTOFF, "{mode}");

        // Called off while it waits.
        let starting = {
            let domain = domain.clone();
            tokio::spawn(async move { domain.act("Create", 0).await })
        };
        let ended = wait_for_async("the start to be called off", LIMIT, async || {
            if starting.is_finished() {
                Some(None)
            } else {
                domain.act("Destroy", 0).await.ok().map(Some)
            }
        })
        .await;
        println!("{mode}: destroyed while it started: {}", ended.is_some());
        starting.await.unwrap().unwrap_err();
        domain.act("Undefine", 0).await.unwrap();
        testbed.assert_nothing_left().await;
    }
}
