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

#[async_trait]
impl Placement for Scopes {
    async fn place(&self, guest: &Guest<'_>) -> Result<Option<String>> {
        let unit = format!(
            "machine-{}\\x2d{}\\x2d{}.scope",
            escape(guest.driver),
            guest.id,
            escape(guest.name)
        );
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

    async fn release(&self, _: &str) {
        // systemd removes a scope when its last process has ended.
    }
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

fn failed(error: &CgroupError) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Cgroup, error)
}

#[async_trait]
impl Placement for Groups {
    async fn place(&self, guest: &Guest<'_>) -> Result<Option<String>> {
        let Some(cgroups) = &self.cgroups else {
            return Ok(None);
        };
        let name = format!("{}-{}-{}", guest.driver, guest.id, guest.uuid);
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

    async fn release(&self, place: &str) {
        let Some(cgroups) = &self.cgroups else { return };
        let removed = cgroups
            .find(place)
            .and_then(|group| group.map_or(Ok(()), |group| group.remove()));
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
