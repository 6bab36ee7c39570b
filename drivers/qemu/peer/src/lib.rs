//! A scripted QEMU for tests of whoever talks to a monitor: what it expects, what it answers, how it misbehaves.
//!
//! Panics where a script does not fit what was said; knows no command.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// What QEMU says first.
pub const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": "test"}, "capabilities": ["oob"]}}"#;

/// One step of a script.
#[derive(Debug, Clone)]
pub enum Step {
    /// Read a line and compare its command name (`execute`).
    Expect(&'static str),
    /// Write a line; `$ID` is the id of the last command read, `$ID[1]` that of the one before it and so on, `$N` the last one's argument `id`.
    Send(String),
    /// Write bytes as they are.
    Bytes(Vec<u8>),
    /// Read until the other side closes.
    Drain,
}

/// Plays the script, then closes. Gives the lines that were read.
pub async fn play(stream: UnixStream, steps: Vec<Step>) -> Vec<String> {
    let mut peer = Peer {
        stream,
        buffer: Vec::new(),
        read: Vec::new(),
    };
    for step in steps {
        match step {
            Step::Expect(name) => {
                let line = peer
                    .line()
                    .await
                    .unwrap_or_else(|| panic!("no '{name}' came"));
                let value: serde_json::Value =
                    serde_json::from_str(&line).expect("what is sent to QEMU is JSON");
                assert_eq!(value["execute"], name);
                peer.read.push(line);
            }
            Step::Send(text) => {
                let text = peer.filled(text);
                peer.send(format!("{text}\r\n").as_bytes()).await;
            }
            Step::Bytes(bytes) => peer.send(&bytes).await,
            Step::Drain => while peer.line().await.is_some() {},
        }
    }
    peer.read
}

/// Greeting and negotiation.
pub fn hello() -> Vec<Step> {
    vec![
        Step::Send(GREETING.to_owned()),
        Step::Expect("qmp_capabilities"),
        reply("{}"),
    ]
}

/// An answer to the last command.
pub fn reply(value: &str) -> Step {
    Step::Send(format!(r#"{{"return": {value}, "id": $ID}}"#))
}

/// An answer to an earlier command: the last one for 0, the one before it for 1, and so on.
pub fn reply_to(back: usize, value: &str) -> Step {
    Step::Send(format!(r#"{{"return": {value}, "id": $ID[{back}]}}"#))
}

/// Any line.
pub fn send(text: &str) -> Step {
    Step::Send(text.to_owned())
}

struct Peer {
    stream: UnixStream,
    buffer: Vec<u8>,
    read: Vec<String>,
}

impl Peer {
    /// A line with the ids of commands in it.
    fn filled(&self, mut text: String) -> String {
        let mut last = serde_json::Value::Null;
        for (back, line) in self.read.iter().rev().enumerate() {
            let command: serde_json::Value =
                serde_json::from_str(line).expect("a line that was read is JSON");
            text = text.replace(&format!("$ID[{back}]"), &command["id"].to_string());
            if back == 0 {
                last = command;
            }
        }
        text.replace("$ID", &last["id"].to_string())
            .replace("$N", &last["arguments"]["id"].to_string())
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                // The agent's sentinel is not JSON.
                let line = line.strip_prefix(&[0xff]).unwrap_or(&line);
                return Some(
                    String::from_utf8(line.to_vec()).expect("what is sent to QEMU is UTF-8"),
                );
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(size) => self.buffer.extend(&chunk[..size]),
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        // The other side may have closed on what it was sent before; its test says whether it should.
        let _ = self.stream.write_all(bytes).await;
    }
}
