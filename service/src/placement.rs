//! A place for each guest: a transient scope of systemd, or a control group where there is no systemd.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use virtbus_api::placement::{Guest, Placement};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::cgroup::{self, CgroupError, Cgroups};
use zbus::{Connection, Variant};

/// systemd has so long to answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// How systemd escapes what is not plain in a unit's name (systemd-escape(1)).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\x{byte:02x}")),
        }
    }
    escaped
}

/// Scopes by systemd: each guest is a unit that administrators see in `systemctl` and `systemd-cgls`.
pub(crate) struct Scopes {
    manager: OnceCell<Connection>,
    session: bool,
}

impl Scopes {
    /// Scopes of the system's manager, or of the user's for a session.
    pub(crate) fn new(session: bool) -> Self {
        Self {
            manager: OnceCell::new(),
            session,
        }
    }

    async fn manager(&self) -> zbus::Result<&Connection> {
        self.manager
            .get_or_try_init(|| async {
                if self.session {
                    Connection::session().await
                } else {
                    Connection::system().await
                }
            })
            .await
    }

    async fn start(&self, unit: &str, guest: &Guest<'_>) -> zbus::Result<()> {
        let description = format!("Virtual machine {}", guest.name);
        let slice = if self.session {
            "app.slice"
        } else {
            "machine.slice"
        };
        let properties: Vec<(&str, Variant<'_>)> = vec![
            ("Description", Variant::from(description.as_str())),
            ("PIDs", Variant::from(vec![guest.leader])),
            ("Slice", Variant::from(slice)),
            ("Delegate", Variant::from(true)),
            ("CollectMode", Variant::from("inactive-or-failed")),
            ("TasksMax", Variant::from(16384_u64)),
        ];
        let auxiliary: Vec<(&str, Vec<(&str, Variant<'_>)>)> = Vec::new();
        self.manager()
            .await?
            .call_method(
                Some("org.freedesktop.systemd1"),
                "/org/freedesktop/systemd1",
                Some("org.freedesktop.systemd1.Manager"),
                "StartTransientUnit",
                &(unit, "fail", properties, auxiliary),
            )
            .await?;
        Ok(())
    }
}

impl Scopes {
    async fn kill(&self, unit: &str) -> zbus::Result<()> {
        self.manager()
            .await?
            .call_method(
                Some("org.freedesktop.systemd1"),
                "/org/freedesktop/systemd1",
                Some("org.freedesktop.systemd1.Manager"),
                "KillUnit",
                &(unit, "all", nix::libc::SIGKILL),
            )
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Placement for Scopes {
    async fn place(&self, guest: &Guest<'_>) -> Result<Option<String>> {
        let unit = unit(guest);
        match tokio::time::timeout(DEADLINE, self.start(&unit, guest)).await {
            Ok(Ok(())) => Ok(Some(unit)),
            Ok(Err(error)) => Err(Error::chain(
                ErrorCode::DbusService,
                ErrorDomain::Systemd,
                &error,
            )),
            Err(_) => Err(Error::new(
                ErrorCode::OperationTimeout,
                ErrorDomain::Systemd,
                "systemd does not answer",
            )),
        }
    }

    fn name(&self, guest: &Guest<'_>) -> Option<String> {
        Some(unit(guest))
    }

    async fn release(&self, unit: &str) {
        // systemd removes a scope when its last process has ended, which QEMU may have started before it did.
        match tokio::time::timeout(DEADLINE, self.kill(unit)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(unit, %error, "nothing is left of a guest's scope"),
            Err(_) => tracing::warn!(
                unit,
                "systemd does not answer, so a process of a guest may be left, ignoring"
            ),
        }
    }
}

/// The unit of a guest.
fn unit(guest: &Guest<'_>) -> String {
    format!(
        "machine-{}\\x2d{}\\x2d{}.scope",
        escape(guest.driver),
        guest.id,
        escape(guest.name)
    )
}

/// Control groups made by the daemon itself.
pub(crate) struct Groups {
    cgroups: Option<Arc<Cgroups>>,
}

impl Groups {
    /// Groups below the daemon's own, as far as the host lets it.
    pub(crate) fn detect() -> Self {
        let cgroups = Cgroups::detect()
            .inspect_err(|error| tracing::debug!(%error, "no control groups"))
            .ok();
        Self {
            cgroups: cgroups.map(Arc::new),
        }
    }
}

/// The control group of a guest.
fn group(guest: &Guest<'_>) -> String {
    format!("{}-{}-{}", guest.driver, guest.id, guest.uuid)
}

fn failed(error: &CgroupError) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Cgroup, error)
}

#[async_trait]
impl Placement for Groups {
    async fn place(&self, guest: &Guest<'_>) -> Result<Option<String>> {
        let Some(cgroups) = &self.cgroups else {
            return Ok(None);
        };
        let name = group(guest);
        match cgroups.create(&name, &[]).map_err(|error| failed(&error))? {
            cgroup::Placement::Made(group) => {
                let leader = i32::try_from(guest.leader)
                    .map_err(|_| Error::internal("a pid is out of range"))?;
                group.add(leader).map_err(|error| failed(&error))?;
                Ok(Some(name))
            }
            cgroup::Placement::Nowhere { reason } => {
                tracing::debug!(domain = guest.name, reason, "no control group for a guest");
                Ok(None)
            }
        }
    }

    fn name(&self, guest: &Guest<'_>) -> Option<String> {
        self.cgroups.is_some().then(|| group(guest))
    }

    async fn release(&self, place: &str) {
        let Some(cgroups) = &self.cgroups else { return };
        let removed = match cgroups.find(place) {
            Ok(Some(group)) => group.destroy(DEADLINE).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::warn!(place, %error, "a guest's control group cannot be removed, ignoring");
        }
    }
}

/// The placement that fits this host.
pub(crate) fn of_this_host(session: bool, private: bool) -> Arc<dyn Placement> {
    if !private && cgroup::has_systemd() {
        Arc::new(Scopes::new(session))
    } else {
        Arc::new(Groups::detect())
    }
}
