//! A guest's agent that answers with anything (T4): whoever asked gets an error in time, the guest can be controlled, and the
//! daemon's memory stays what it is. The agent's channel is one that connects, so that the test can be the agent.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use virtbus_tests::domain::{PAUSED, RUNNING};
use virtbus_tests::process::memory;
use virtbus_tests::wait::{LIMIT, patient};
use virtbus_tests::{DomainXml, Testbed, need, or_skip};

/// What the flag says by which a shutdown is the agent's affair.
const BY_AGENT: u32 = 1 << 1;

/// What a hostile agent may take of the daemon, KiB.
const GROWTH: u64 = 64 << 10;

/// What it answers.
fn answers() -> Vec<(&'static str, Vec<u8>)> {
    let many = format!("{{\"return\": [{}0]}}\n", "0,".repeat(1_000_000));
    let deep = format!(
        "{{\"return\": {}{}}}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    vec![
        ("nothing", Vec::new()),
        ("an empty line", b"\n".to_vec()),
        ("an empty object", b"{}\n".to_vec()),
        ("null", b"null\n".to_vec()),
        ("a number", b"7\n".to_vec()),
        ("a return that is null", b"{\"return\": null}\n".to_vec()),
        (
            "a return of another type",
            b"{\"return\": \"yes\"}\n".to_vec(),
        ),
        ("an empty array", b"{\"return\": []}\n".to_vec()),
        ("an error without members", b"{\"error\": {}}\n".to_vec()),
        (
            "an error of another type",
            b"{\"error\": [1, 2]}\n".to_vec(),
        ),
        (
            "the id of another call",
            b"{\"return\": {}, \"id\": \"other\"}\n".to_vec(),
        ),
        (
            "both",
            b"{\"return\": {}, \"error\": {\"class\": \"x\", \"desc\": \"y\"}}\n".to_vec(),
        ),
        ("half a line", b"{\"return\": ".to_vec()),
        ("no end of a line", vec![b'x'; 64 << 20]),
        ("a million entries", many.into_bytes()),
        ("a hundred thousand levels", deep.into_bytes()),
        ("bytes that are no text", vec![0xff, 0xfe, 0x00, b'\n']),
        (
            "other numbers",
            b"{\"return\": 1}\n{\"return\": 2}\n{\"return\": -99999999999999999999}\n".to_vec(),
        ),
    ]
}

/// Answers every line that comes from whoever connects.
fn serve(path: &Path, answer: Arc<Mutex<Vec<u8>>>) {
    let listener = UnixListener::bind(path).expect("the test's directory takes a socket");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (Ok(connection), answer) = (connection, Arc::clone(&answer)) else {
                break;
            };
            std::thread::spawn(move || talk(&connection, &answer));
        }
    });
}

/// Whether the agent repeats the number by which it is found out whether it is there, so that it is asked for more.
static HONEST: AtomicBool = AtomicBool::new(false);

/// The answer to a line that has such a number.
fn synchronized(line: &[u8]) -> Option<Vec<u8>> {
    let line = String::from_utf8_lossy(line);
    let (_, rest) = line.split_once("guest-sync")?;
    let (_, number) = rest.split_once("\"id\":")?;
    let digits: String = number
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let mut text = vec![0xff];
    text.extend(format!("{{\"return\": {digits}}}\n").bytes());
    Some(text)
}

fn talk(connection: &UnixStream, answer: &Mutex<Vec<u8>>) {
    let mut lines = BufReader::new(connection);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        let text = match synchronized(&line) {
            Some(text) if HONEST.load(Ordering::Relaxed) => text,
            _ => answer.lock().expect("nobody panics with it").clone(),
        };
        let mut to = connection;
        if to.write_all(&text).is_err() {
            return;
        }
        line.clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_answers_anything_harms_its_callers_only() {
    or_skip!(need::qemu());
    let settings = tempfile::NamedTempFile::new().expect("there is room");
    std::fs::write(settings.path(), "[qemu]\nagent_timeout = 1\n").expect("there is room");
    let path = settings.path().display().to_string();
    let mut testbed = or_skip!(Testbed::start(&["--config", &path]).await);
    let socket = testbed.path("agent.sock");
    let answer = Arc::new(Mutex::new(Vec::new()));
    serve(&socket, Arc::clone(&answer));
    let guest = DomainXml::small("answered").device(&format!(
        "<channel type='unix'><source mode='connect' path='{}'/>\
         <target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
        socket.display()
    ));
    let domain = testbed.run(&guest).await;
    let pid = testbed.daemon.pid();
    let before = memory(pid, "RssAnon");
    // What is not its number is as good as nothing, whatever it is.
    let early = ["nothing", "null", "half a line", "no end of a line"];
    let cases = answers().into_iter().flat_map(|(what, text)| {
        let ways: &[bool] = if early.contains(&what) {
            &[false, true]
        } else {
            &[true]
        };
        ways.iter().map(move |honest| (what, text.clone(), *honest))
    });
    for (what, text, honest) in cases {
        HONEST.store(honest, Ordering::Relaxed);
        *answer.lock().expect("nobody panics with it") = text;
        let asked = tokio::time::timeout(patient(LIMIT), domain.act("Shutdown", BY_AGENT)).await;
        match asked.unwrap_or_else(|_| panic!("{what}: no answer")) {
            Err(error) => {
                println!("{what}: {error}");
                assert!(error.is_refusal(), "{what}: {error}");
            }
            // The order is given when the agent was there; what becomes of it is the guest's affair.
            Ok(()) => assert!(honest, "{what}: nobody was asked"),
        }
        // The guest is none the worse.
        domain
            .tell("Suspend")
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(domain.state().await.unwrap().0, PAUSED, "{what}");
        domain
            .tell("Resume")
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(domain.state().await.unwrap().0, RUNNING, "{what}");
        let after = memory(pid, "RssAnon");
        assert!(after < before + GROWTH, "{what}: {before} -> {after} KiB");
    }
    assert!(testbed.daemon.exited().is_none());
    tokio::time::timeout(patient(Duration::from_secs(10)), domain.act("Destroy", 0))
        .await
        .expect("a guest with such an agent can be ended")
        .unwrap();
    domain.act("Undefine", 0).await.unwrap();
    testbed.assert_nothing_left().await;
}
