//! Virtual functions of network cards, as the kernel lists them. Blocks.

use std::fs;
use std::path::Path;

use virtbus_api::{ErrorCode, Result};
use virtbus_conf_base::common::PciAddress;
use virtbus_conf_host::network::Network;

use super::allocate::Pool;
use crate::error::refused;

/// Where the kernel has interfaces.
const INTERFACES: &str = "/sys/class/net";

/// What a network has that guests can be given: what the definition lists, or the virtual functions of its card.
///
/// # Errors
/// `OperationFailed` if the card has none.
pub(super) fn pool(network: &Network) -> Result<Pool> {
    let Some(forward) = &network.forward else {
        return Ok(Pool::default());
    };
    let Some(card) = &forward.pf else {
        return Ok(Pool {
            devices: forward
                .interfaces
                .iter()
                .map(|one| one.dev.to_string())
                .collect(),
            addresses: forward.addresses.iter().map(|one| one.pci).collect(),
        });
    };
    let pool = of_card(&Path::new(INTERFACES).join(card.dev.as_str()).join("device"));
    if pool.addresses.is_empty() {
        return Err(refused(
            ErrorCode::OperationFailed,
            format!(
                "the network card '{}' of network '{}' has no virtual functions; set sriov_numvfs of its device",
                card.dev, network.name
            ),
        ));
    }
    Ok(pool)
}

/// The functions below a card's device, in their order.
fn of_card(device: &Path) -> Pool {
    let mut pool = Pool::default();
    for number in 0_u32.. {
        let function = device.join(format!("virtfn{number}"));
        let Ok(target) = fs::read_link(&function) else {
            break;
        };
        let name = target.file_name().and_then(|name| name.to_str());
        let Some(address) = name.and_then(address) else {
            continue;
        };
        pool.addresses.push(address);
        let interfaces = fs::read_dir(function.join("net")).into_iter().flatten();
        let names = interfaces
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        pool.devices.extend(names);
    }
    pool
}

/// `DOMAIN:BUS:SLOT.FUNCTION`, hexadecimal.
fn address(text: &str) -> Option<PciAddress> {
    let (front, function) = text.rsplit_once('.')?;
    let mut parts = front.split(':');
    let mut number = || u32::from_str_radix(parts.next()?, 16).ok();
    let (domain, bus, slot) = (number()?, number()?, number()?);
    Some(PciAddress {
        domain,
        bus: u8::try_from(bus).ok()?,
        slot: u8::try_from(slot).ok().filter(|slot| *slot < 32)?,
        function: u8::from_str_radix(function, 16)
            .ok()
            .filter(|number| *number < 8)?,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn functions_are_found_with_their_interfaces_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let card = dir.path().join("card");
        fs::create_dir(&card).unwrap();
        for number in 0..2 {
            let function = dir.path().join(format!("0000:3b:10.{number}"));
            fs::create_dir_all(function.join("net").join(format!("enp59s16f{number}"))).unwrap();
            symlink(&function, card.join(format!("virtfn{number}"))).unwrap();
        }
        let pool = of_card(&card);
        let shown: Vec<String> = pool.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["0000:3b:10.0", "0000:3b:10.1"]);
        assert_eq!(pool.devices, ["enp59s16f0", "enp59s16f1"]);
        assert!(of_card(&dir.path().join("none")).addresses.is_empty());
        for wrong in ["", "0:0", "0:0:20.0", "0:0:0.8", "x:0:0.0"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
