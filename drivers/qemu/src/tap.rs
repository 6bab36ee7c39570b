//! Tap devices, by which a guest's interface is on the host's side.
//!
//! They are made by iproute2's `ip`, and QEMU is handed descriptors of them, so that it needs no right to `/dev/net/tun`.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::cmd::{Cmd, Output};

/// Where `ip` may be.
const IP: [&str; 4] = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"];

/// A change of a device takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// How the host's end is attached.
#[derive(Debug, Clone)]
pub(crate) struct Tap<'a> {
    /// The device's name.
    pub(crate) name: &'a str,
    /// The bridge that it is made a port of.
    pub(crate) bridge: Option<&'a str>,
    /// The guest's address; the host's end gets one of its own that a bridge never takes for its own.
    pub(crate) guest_mac: Option<[u8; 6]>,
    /// The largest frame, bytes.
    pub(crate) mtu: Option<u32>,
}

/// Whether a network device of this name is there.
pub(crate) fn exists(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

/// Refuses a bridge that is not there.
///
/// # Errors
/// `OperationFailed`, naming it.
pub(crate) async fn check_bridge(name: &str) -> Result<()> {
    let refused = |what: &str| {
        let message = format!("bridge '{name}' of an interface: {what}");
        Error::new(ErrorCode::OperationFailed, ErrorDomain::Qemu, message)
    };
    // Of the name space that the daemon is in; what is mounted at /sys may be of another one.
    let arguments = ["-json", "-details", "link", "show", "dev", name];
    let Ok(shown) = command()?.args(arguments).run(DEADLINE).await else {
        return Err(refused("the host has no network device of that name"));
    };
    if shown.stdout_text().contains(r#""info_kind":"bridge""#) {
        return Ok(());
    }
    Err(refused(
        "the host's network device of that name is not a bridge",
    ))
}

/// The names that guests' devices have, or are about to have: guests that are started at the same time look for names at the same time.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<BTreeSet<String>>);

impl Names {
    fn taken(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a name that no device has yet.
    pub(crate) fn take_free(&self) -> String {
        let mut taken = self.taken();
        let mut number = 0;
        loop {
            let name = format!("vnet{number}");
            if !taken.contains(&name) && !exists(&name) {
                taken.insert(name.clone());
                return name;
            }
            number += 1;
        }
    }

    /// Takes this name.
    ///
    /// # Errors
    /// If a device has it, or is about to have it.
    pub(crate) fn take(&self, name: &str) -> Result<()> {
        if exists(name) || !self.taken().insert(name.to_owned()) {
            let message = format!("there is a network device '{name}' already");
            let code = ErrorCode::OperationFailed;
            return Err(Error::new(code, ErrorDomain::Qemu, message));
        }
        Ok(())
    }

    /// Notes the names of a guest that an earlier daemon started.
    pub(crate) fn reserve(&self, names: &[String]) {
        self.taken().extend(names.iter().cloned());
    }

    /// Gives a name back, whose device is gone.
    pub(crate) fn release(&self, name: &str) {
        self.taken().remove(name);
    }
}

/// Makes the device, attaches it, and brings it up. Gives a descriptor of it.
///
/// # Errors
/// If it cannot be made, with what `ip` says, or opened; whatever was made is to be removed by the caller.
pub(crate) async fn create(tap: &Tap<'_>) -> Result<OwnedFd> {
    ip(&["tuntap", "add", "dev", tap.name, "mode", "tap"]).await?;
    let mut set = vec!["link", "set", "dev", tap.name];
    let address = tap.guest_mac.map(|mac| {
        // libvirt's choice: the guest's address with the highest first byte.
        let [_, b, c, d, e, f] = mac;
        format!("fe:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    });
    if let Some(address) = &address {
        set.extend(["address", address]);
    }
    let mtu = tap.mtu.map(|mtu| mtu.to_string());
    if let Some(mtu) = &mtu {
        set.extend(["mtu", mtu]);
    }
    if let Some(bridge) = tap.bridge {
        set.extend(["master", bridge]);
    }
    set.push("up");
    ip(&set).await?;
    virtbus_util::tun::open(tap.name).map_err(|error| {
        let message = format!("cannot open the tap device '{}': {error}", tap.name);
        Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
    })
}

/// Removes a device, if it is still there.
pub(crate) async fn remove(name: &str) {
    if !exists(name) {
        return;
    }
    if let Err(error) = ip(&["link", "delete", "dev", name]).await {
        tracing::warn!(device = name, %error, "a tap device cannot be removed, ignoring");
    }
}

/// The host's neighbour table (ARP and its like), as JSON.
///
/// # Errors
/// If `ip` cannot tell it.
pub(crate) async fn neighbours() -> Result<String> {
    let printed = run(&["-json", "neighbour", "show"]).await?;
    let text = printed.stdout_text();
    // Of a table without rows, nothing is printed.
    let empty = text.trim().is_empty();
    Ok(if empty {
        "[]".to_owned()
    } else {
        text.into_owned()
    })
}

async fn ip(arguments: &[&str]) -> Result<()> {
    run(arguments).await.map(drop)
}

async fn run(arguments: &[&str]) -> Result<Output> {
    command()?
        .args(arguments)
        .run(DEADLINE)
        .await
        .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))
}

fn command() -> Result<Cmd> {
    let program: PathBuf = IP
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or_else(|| {
            Error::new(
                ErrorCode::SystemError,
                ErrorDomain::Qemu,
                "the program 'ip' (iproute2) is missing",
            )
        })?;
    Ok(Cmd::new(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_once_and_come_again() {
        let names = Names::default();
        let (one, other) = (names.take_free(), names.take_free());
        assert_ne!(one, other);
        assert!(names.take(&one).unwrap_err().message.contains(&one));
        assert!(names.take("lo").is_err());
        names.release(&one);
        names.take(&one).unwrap();
        names.reserve(&["virtbus-other".to_owned()]);
        assert!(names.take("virtbus-other").is_err());
    }
}
