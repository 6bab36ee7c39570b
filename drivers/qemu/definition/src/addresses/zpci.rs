//! Identifiers by which guests on mainframes know PCI devices.

use std::collections::BTreeSet;

use virtbus_conf_base::common::Zpci;
use virtbus_conf_base::{ConfError, Hex, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::{Address, PciDeviceAddress};
use virtbus_qemu_capabilities::Cap;

use crate::{Facts, machine};

/// The highest user-defined identifier.
const MOST: u32 = 0xffff;

/// Those in use.
#[derive(Default)]
struct Ids {
    uids: BTreeSet<u32>,
    fids: BTreeSet<u32>,
    /// All below are taken.
    next_uid: u32,
    next_fid: u32,
}

impl Ids {
    fn complete(&mut self, zpci: &mut Zpci) -> Result<()> {
        if zpci.uid.is_none() {
            let first = self.next_uid.max(1);
            let uid = (first..=MOST).find(|uid| self.uids.insert(*uid));
            let uid = uid.ok_or_else(|| {
                ConfError::invalid("no 'uid' is left for a PCI device: 65535 are in use")
            })?;
            self.next_uid = uid;
            zpci.uid = Some(Hex(uid));
        }
        if zpci.fid.is_none() {
            let fid = (self.next_fid..=u32::MAX).find(|fid| self.fids.insert(*fid));
            self.next_fid = fid.unwrap_or(u32::MAX);
            zpci.fid = fid.map(Hex);
        }
        Ok(())
    }
}

/// Gives every PCI device both.
///
/// # Errors
/// If two devices ask for the same, or the machine knows no such identifiers.
pub(super) fn assign(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    let has_ids = machine::is_s390_ccw(domain) && facts.capabilities.has(Cap::Zpci);
    let mut ids = Ids::default();
    for info in domain.devices.iter().filter_map(DeviceRef::info) {
        let Some(Address::Pci(PciDeviceAddress {
            zpci: Some(Zpci { uid, fid }),
            ..
        })) = &info.address
        else {
            continue;
        };
        if !has_ids {
            return Err(ConfError::unsupported(
                "<zpci> in an <address> is for machines and emulators with such identifiers (s390x)",
            ));
        }
        for (given, ids, name) in [
            (uid.map(|uid| uid.0), &mut ids.uids, "uid"),
            (fid.map(|fid| fid.0), &mut ids.fids, "fid"),
        ] {
            if let Some(number) = given.filter(|number| !ids.insert(*number)) {
                return Err(ConfError::invalid(format!(
                    "{name}='{number:#x}' of <zpci> is used by several devices"
                )));
            }
        }
    }
    if !has_ids {
        return Ok(());
    }
    // Those that say something come before those that say nothing.
    for says_something in [true, false] {
        for mut device in domain.devices.iter_mut() {
            let info = device.info_mut().and_then(|info| info.get_mut());
            let Some(Address::Pci(address)) = info.and_then(|info| info.address.as_mut()) else {
                continue;
            };
            if address.zpci.is_some() == says_something {
                ids.complete(address.zpci.get_or_insert_default())?;
            }
        }
    }
    Ok(())
}
