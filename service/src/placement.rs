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
        // Everybody may read it, and not everybody may know the guest's name.
        let description = format!("Virtual machine {} of virtbusd", guest.id);
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
    /// Ends what is in a unit, and the unit, which systemd keeps where it has never had a process.
    async fn remove(&self, unit: &str) -> zbus::Result<()> {
        let manager = self.manager().await?;
        let call = async |method: &str, arguments: Arguments<'_>| {
            let (to, path, interface) = (
                Some("org.freedesktop.systemd1"),
                "/org/freedesktop/systemd1",
                Some("org.freedesktop.systemd1.Manager"),
            );
            let called = match arguments {
                Arguments::Unit => {
                    manager
                        .call_method(to, path, interface, method, &unit)
                        .await
                }
                Arguments::With(mode) => {
                    manager
                        .call_method(to, path, interface, method, &(unit, mode))
                        .await
                }
                Arguments::Signal(whom, signal) => {
                    let body = (unit, whom, signal);
                    manager
                        .call_method(to, path, interface, method, &body)
                        .await
                }
            };
            match called {
                Ok(_) => Ok(()),
                // Such as that it is gone, or has no process: nobody else has a unit of this name.
                Err(error @ zbus::Error::MethodError(..)) => {
                    tracing::debug!(unit, method, %error, "systemd refused");
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
        call("KillUnit", Arguments::Signal("all", nix::libc::SIGKILL)).await?;
        call("StopUnit", Arguments::With("replace")).await?;
        call("ResetFailedUnit", Arguments::Unit).await
    }
}

/// What a method of systemd's takes beside the name of a unit.
enum Arguments<'a> {
    Unit,
    With(&'a str),
    Signal(&'a str, i32),
}

#[async_trait]
impl Placement for Scopes {
    async fn place(&self, guest: &Guest<'_>) -> Result<Option<String>> {
        let unit = unit(guest);
        match tokio::time::timeout(DEADLINE, self.start(&unit, guest)).await {
            Ok(Ok(())) => Ok(Some(unit)),
            Ok(Err(error @ zbus::Error::MethodError(..))) => Err(Error::chain(
                ErrorCode::DbusService,
                ErrorDomain::Systemd,
                &error,
            )),
            // Whether systemd has heard of it cannot be known, so what it may yet make is removed in the end.
            Ok(Err(error)) => {
                tracing::warn!(domain = guest.name, %error, "systemd cannot be asked for a guest's scope, ignoring");
                Ok(Some(unit))
            }
            Err(_) => {
                let seconds = DEADLINE.as_secs();
                tracing::warn!(
                    domain = guest.name,
                    "systemd has not made a guest's scope in {seconds} seconds, ignoring"
                );
                Ok(Some(unit))
            }
        }
    }

    fn name(&self, guest: &Guest<'_>) -> Option<String> {
        Some(unit(guest))
    }

    async fn release(&self, unit: &str) {
        if !is_own(unit) {
            // Of a daemon of an earlier version, whose names others give to their units too.
            tracing::info!(
                unit,
                "the name of a guest's scope may be that of another unit, leaving it to systemd"
            );
            return;
        }
        // systemd removes a scope when its last process has ended, which QEMU may have started before it did; and keeps one that got none.
        match tokio::time::timeout(DEADLINE, self.remove(unit)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(
                unit,
                %error,
                "systemd cannot be asked to end a guest's scope, so a process of the guest may be left, ignoring"
            ),
            Err(_) => tracing::warn!(
                unit,
                "systemd does not answer, so a process of a guest may be left, ignoring"
            ),
        }
    }
}

/// How the names of all scopes begin.
const UNITS: &str = "machine-virtbus-";

/// Digits of a guest's UUID in the name of its scope or group, for people.
const UUID_DIGITS: usize = 8;

/// Digits of what no other run has: so many that nothing else is ever called the same by chance.
const RUN_DIGITS: usize = 16;

/// What a place is called. Everybody may read it, so the guest's name is not in it. It is another one for each run: a name that was noted
/// names what this run was given, or nothing, whichever daemons and programs use the host besides.
fn label(guest: &Guest<'_>) -> String {
    let (uuid, run) = (
        guest.uuid.simple().to_string(),
        guest.run.simple().to_string(),
    );
    let (uuid, run) = (&uuid[..UUID_DIGITS], &run[..RUN_DIGITS]);
    format!("{}-{}-{uuid}-{run}", guest.driver, guest.id)
}

/// The unit of a guest.
fn unit(guest: &Guest<'_>) -> String {
    format!("{UNITS}{}.scope", label(guest))
}

/// Whether only this program calls a unit so, and for one run only.
fn is_own(unit: &str) -> bool {
    let label = unit
        .strip_prefix(UNITS)
        .and_then(|rest| rest.strip_suffix(".scope"));
    let run = label.and_then(|label| label.rsplit('-').next());
    run.is_some_and(|run| {
        run.len() == RUN_DIGITS && run.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
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
        let name = label(guest);
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
        self.cgroups.is_some().then(|| label(guest))
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

#[cfg(test)]
mod tests {
    use virtbus_api::Uuid;

    use super::*;

    fn guest(name: &str) -> Guest<'_> {
        Guest {
            driver: "qemu",
            id: 7,
            name,
            uuid: Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0),
            run: Uuid::new_v4(),
            leader: 1,
        }
    }

    #[test]
    fn each_run_has_a_scope_that_nothing_else_is_called_by() {
        let web = guest("web");
        let (unit, again) = (unit(&web), unit(&web));
        assert_eq!(unit, again);
        assert!(
            unit.starts_with("machine-virtbus-qemu-7-12345678-"),
            "{unit}"
        );
        assert!(is_own(&unit), "{unit}");
        let other = Guest {
            run: Uuid::new_v4(),
            ..web
        };
        assert_ne!(super::unit(&other), unit);
        for foreign in [
            "machine-qemu\\x2d7\\x2dweb.scope",
            "machine-virtbus-qemu-7-12345678.scope",
            "ssh.service",
            "",
        ] {
            assert!(!is_own(foreign), "{foreign}");
        }
    }

    #[test]
    fn names_of_guests_are_not_in_names_of_places_nor_make_them_longer() {
        let vault = guest("vault");
        assert!(!unit(&vault).contains("vault"));
        let long = "\u{e4}".repeat(200);
        let length = |guest: &Guest<'_>| unit(guest).len();
        assert_eq!(length(&guest(&long)), length(&vault));
        assert!(length(&guest(&long)) < 100);
    }
}
