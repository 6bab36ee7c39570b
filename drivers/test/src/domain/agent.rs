//! What a guest agent would do: there is a guest of two file systems and one interface for each of the definition's.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use virtbus_api::domain::{
    DomainAgent, DomainGetHostnameFlags, DomainId, DomainSetTimeFlags, DomainSetUserPasswordFlags,
    DomainState, FsInfo, GuestAddress, GuestInterface, InterfaceAddressesSource, IpAddressFamily,
};
use virtbus_api::{Error, Result};

use super::Domain;
use crate::driver::Test;

/// Mount points of the guest, with their disks.
const MOUNTS: [(&str, &str, &str); 2] = [("/", "vda1", "ext4"), ("/boot", "vda2", "ext4")];

/// `OperationInvalid` unless the guest's programs run.
fn check_running(domain: &Domain) -> Result<()> {
    domain.check_active()?;
    match domain.state {
        DomainState::Running(_) => Ok(()),
        _ => Err(Error::operation_invalid(format!(
            "domain '{}' is paused, so its agent cannot answer",
            domain.name
        ))),
    }
}

/// The mount points that are meant, none named being all.
fn meant(mountpoints: &[String]) -> Result<BTreeSet<String>> {
    let all = MOUNTS.iter().map(|(mountpoint, ..)| *mountpoint);
    if mountpoints.is_empty() {
        return Ok(all.map(str::to_owned).collect());
    }
    match mountpoints
        .iter()
        .find(|named| !all.clone().any(|there| there == **named))
    {
        Some(unknown) => Err(Error::invalid_argument(format!(
            "no file system is mounted at '{unknown}' in the guest"
        ))),
        None => Ok(mountpoints.iter().cloned().collect()),
    }
}

fn count(set: &BTreeSet<String>) -> u32 {
    u32::try_from(set.len()).unwrap_or(u32::MAX)
}

#[async_trait]
impl DomainAgent for Test {
    async fn fs_freeze(&self, id: &DomainId, mountpoints: &[String]) -> Result<u32> {
        let meant = meant(mountpoints)?;
        self.change_domain(id, |domain, _| {
            check_running(domain)?;
            let new: BTreeSet<String> = meant.difference(&domain.frozen).cloned().collect();
            domain.frozen.extend(new.iter().cloned());
            Ok((count(&new), Vec::new()))
        })
    }

    async fn fs_thaw(&self, id: &DomainId, mountpoints: &[String]) -> Result<u32> {
        let meant = meant(mountpoints)?;
        self.change_domain(id, |domain, _| {
            check_running(domain)?;
            let thawed: BTreeSet<String> = domain.frozen.intersection(&meant).cloned().collect();
            domain
                .frozen
                .retain(|mountpoint| !meant.contains(mountpoint));
            Ok((count(&thawed), Vec::new()))
        })
    }

    async fn fs_trim(&self, id: &DomainId, mountpoint: Option<&str>, _minimum: u64) -> Result<()> {
        if mountpoint.is_some() {
            return Err(Error::invalid_argument(
                "'mountpoint' must be empty: only all file systems together can be trimmed",
            ));
        }
        self.with_domain(id, check_running)
    }

    async fn fs_info(&self, id: &DomainId) -> Result<Vec<FsInfo>> {
        self.with_domain(id, |domain| {
            check_running(domain)?;
            let has_disk = domain
                .current()?
                .devices
                .disk
                .iter()
                .any(|disk| disk.target.dev == "vda");
            if !has_disk {
                return Ok(Vec::new());
            }
            Ok(MOUNTS
                .iter()
                .map(|(mountpoint, name, fs_type)| FsInfo {
                    mountpoint: (*mountpoint).to_owned(),
                    name: (*name).to_owned(),
                    fs_type: (*fs_type).to_owned(),
                    devices: vec!["vda".to_owned()],
                })
                .collect())
        })
    }

    async fn hostname(&self, id: &DomainId, _flags: DomainGetHostnameFlags) -> Result<String> {
        self.with_domain(id, |domain| {
            check_running(domain)?;
            Ok(format!("{}host", domain.name))
        })
    }

    async fn time(&self, id: &DomainId) -> Result<(i64, u32)> {
        self.with_domain(id, |domain| {
            check_running(domain)?;
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            Ok((seconds, now.subsec_nanos()))
        })
    }

    async fn set_time(
        &self,
        id: &DomainId,
        _seconds: i64,
        nseconds: u32,
        _flags: DomainSetTimeFlags,
    ) -> Result<()> {
        if nseconds >= 1_000_000_000 {
            return Err(Error::invalid_argument(
                "'nseconds' must be below 1000000000",
            ));
        }
        self.with_domain(id, check_running)
    }

    async fn set_user_password(
        &self,
        id: &DomainId,
        user: &str,
        _password: &str,
        _flags: DomainSetUserPasswordFlags,
    ) -> Result<()> {
        if user.is_empty() {
            return Err(Error::invalid_argument("'user' must not be empty"));
        }
        self.with_domain(id, check_running)
    }

    async fn interface_addresses(
        &self,
        id: &DomainId,
        _source: InterfaceAddressesSource,
    ) -> Result<Vec<GuestInterface>> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            let interfaces = domain.current()?.devices.interface.iter().enumerate();
            Ok(interfaces
                .map(|(at, interface)| {
                    let target = interface.options.target.as_ref();
                    let device = target.and_then(|target| target.dev.as_deref());
                    GuestInterface {
                        name: device.map_or_else(|| format!("testnet{at}"), str::to_owned),
                        mac: interface.mac.as_ref().map(|mac| mac.address.to_string()),
                        addresses: vec![GuestAddress {
                            kind: IpAddressFamily::Ipv4,
                            address: format!("192.168.122.{}", 3 + at % 250),
                            prefix: 24,
                        }],
                    }
                })
                .collect())
        })
    }
}
