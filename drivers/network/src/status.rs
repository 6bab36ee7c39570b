//! What a status file tells of a network that is up, or on its way up or down: all that a new daemon needs to take it in, or to undo what was
//! done for it.
//!
//! The file is kept between releases: members are added with a default, and none changes its meaning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use virtbus_api::Uuid;
use virtbus_util::process::ProcessId;

use crate::config::Backend;

/// The form of the file.
const VERSION: u32 = 1;

/// Where a network is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It was being started or stopped: what was done for it is to be undone.
    Changing,
    /// It is up.
    Up,
}

/// Something that is done to the host for a network, noted before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// A bridge is made. Another one of this name has another address, and is not ours.
    Bridge { name: String, mac: String },
    /// The packet filter is told of it.
    Filter { backend: Backend, bridge: String },
    /// Traffic of an interface of the host is limited, which is no part of a bridge of ours.
    Bandwidth { device: String },
    /// A DHCP and DNS server is started, which is known by the path of its configuration.
    Server { configuration: PathBuf },
}

/// A process, as it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pid: i32,
    start_time: u64,
}

impl From<ProcessId> for Process {
    fn from(id: ProcessId) -> Self {
        Self {
            pid: id.pid,
            start_time: id.start_time,
        }
    }
}

impl From<Process> for ProcessId {
    fn from(process: Process) -> Self {
        Self {
            pid: process.pid,
            start_time: process.start_time,
        }
    }
}

/// A port of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortStatus {
    /// Its document.
    pub(crate) xml: String,
    /// The number of its traffic class, if bandwidth is guaranteed to it.
    #[serde(default)]
    pub(crate) class: Option<u32>,
}

/// The status of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    version: u32,
    /// The boot of the host in which this holds.
    pub(crate) boot: String,
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    pub(crate) phase: Phase,
    /// The definition as it runs.
    pub(crate) definition: String,
    /// What was done to the host, in this order.
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) server: Option<Process>,
    #[serde(default)]
    pub(crate) ports: Vec<PortStatus>,
}

impl Status {
    /// Of a network that is about to start.
    pub(crate) fn new(boot: String, uuid: Uuid, name: &str, definition: String) -> Self {
        Self {
            version: VERSION,
            boot,
            uuid,
            name: name.to_owned(),
            phase: Phase::Changing,
            definition,
            steps: Vec::new(),
            server: None,
            ports: Vec::new(),
        }
    }

    /// Reads a file.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let status: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if status.version != VERSION {
            return Err(format!(
                "it has version {}, and this release reads version {VERSION}",
                status.version
            ));
        }
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_back_and_another_version_is_refused() {
        let mut status = Status::new("boot".into(), Uuid::from_u128(7), "n", "<network/>".into());
        status.steps.push(Step::Bridge {
            name: "virbr0".into(),
            mac: "52:54:00:00:00:01".into(),
        });
        status.steps.push(Step::Filter {
            backend: Backend::Nftables,
            bridge: "virbr0".into(),
        });
        status.steps.push(Step::Server {
            configuration: "/x/n.conf".into(),
        });
        status.server = Some(
            ProcessId {
                pid: 7,
                start_time: 8,
            }
            .into(),
        );
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(Status::parse(text.as_bytes()).unwrap(), status);
        let newer = text.replace("\"version\":1", "\"version\":2");
        assert!(Status::parse(newer.as_bytes()).is_err());
        assert!(Status::parse(b"{}").is_err());
    }
}
