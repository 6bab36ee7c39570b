//! Numbers on the channel subsystem of mainframes.

use std::collections::BTreeSet;

use virtbus_conf_base::{ConfError, Hex, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::address::{Address, CcwAddress};
use virtbus_conf_domain::domain::devices::{DeviceMut, DeviceRef};

/// The channel subsystem that virtual devices are in.
const VIRTUAL: u32 = 0xfe;

/// Subchannel set and device number.
type Place = (u32, u32);

/// Gives every device on a channel a number.
///
/// # Errors
/// If two devices ask for the same, or none is left.
pub(super) fn assign(domain: &mut Domain) -> Result<()> {
    let mut taken: BTreeSet<(u32, Place)> = BTreeSet::new();
    let mut waiting = false;
    for info in domain.devices.iter().filter_map(DeviceRef::info) {
        let Some(Address::Ccw(address)) = info.address else {
            continue;
        };
        let Some((cssid, place)) = given(&address) else {
            waiting = true;
            continue;
        };
        if !taken.insert((cssid, place)) {
            return Err(ConfError::invalid(format!(
                "the address cssid='{cssid:#x}' ssid='{:#x}' devno='{:#06x}' is used by several devices",
                place.0, place.1
            )));
        }
    }
    if !waiting {
        return Ok(());
    }
    let mut next: Place = (0, 0);
    let mut devices: Vec<DeviceMut<'_>> = domain.devices.iter_mut().collect();
    // Graphics cards come before what was invented later.
    devices.sort_by_key(|device| match device {
        DeviceMut::Video(_) => 1,
        DeviceMut::Memballoon(_)
        | DeviceMut::Rng(_)
        | DeviceMut::Memory(_)
        | DeviceMut::Vsock(_)
        | DeviceMut::Iommu(_)
        | DeviceMut::Crypto(_) => 2,
        _ => 0,
    });
    for mut device in devices {
        let info = device.info_mut().and_then(|info| info.get_mut());
        let Some(Address::Ccw(address)) = info.and_then(|info| info.address.as_mut()) else {
            continue;
        };
        if given(address).is_some() {
            continue;
        }
        while !taken.insert((VIRTUAL, next)) {
            next = match next {
                (ssid, 0xffff) if ssid < 3 => (ssid + 1, 0),
                (3, 0xffff) => {
                    return Err(ConfError::invalid(
                        "no address of type 'ccw' is left for a device",
                    ));
                }
                (ssid, devno) => (ssid, devno + 1),
            };
        }
        *address = CcwAddress {
            cssid: Some(Hex(VIRTUAL)),
            ssid: Some(Hex(next.0)),
            devno: Some(Hex(next.1)),
        };
    }
    Ok(())
}

fn given(address: &CcwAddress) -> Option<(u32, Place)> {
    let CcwAddress { cssid, ssid, devno } = address;
    Some((cssid.as_ref()?.0, (ssid.as_ref()?.0, devno.as_ref()?.0)))
}
