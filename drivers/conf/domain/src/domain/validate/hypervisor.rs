//! Values with a range of their own, wherever the text was right about the shape.

use virtbus_conf_base::Result;
use virtbus_xml::OnOff;

use super::{invalid, unsupported};
use crate::domain::Domain;
use crate::domain::devices::address::Address;
use crate::domain::devices::info::DeviceInfo;

/// Fewest attempts on a spin lock before the hypervisor hears of it.
const LEAST_SPINLOCK_RETRIES: u32 = 0xfff;

pub(super) fn check(domain: &Domain) -> Result<()> {
    if let Some(features) = &domain.features {
        if let Some(hyperv) = &features.hyperv {
            if let Some(spinlocks) = hyperv.spinlocks.filter(|s| s.state.is_on())
                && spinlocks.retries.is_none_or(|r| r < LEAST_SPINLOCK_RETRIES)
            {
                return invalid("<spinlocks> needs at least 4095 'retries'");
            }
            if let Some(vendor) = hyperv.vendor_id.as_ref().filter(|v| v.state.is_on()) {
                let value = vendor.value.as_deref().unwrap_or_default();
                if vendor.value.is_none() || value.len() > 12 || value.contains(',') {
                    return invalid(
                        "<vendor_id> needs a 'value' of at most 12 characters without a comma",
                    );
                }
            }
        }
        if let Some(ring) = features
            .kvm
            .as_ref()
            .and_then(|k| k.dirty_ring)
            .filter(|r| r.state == OnOff::On)
        {
            let size = ring.size.unwrap_or(0);
            if !size.is_power_of_two() || !(1024..=65_536).contains(&size) {
                return unsupported(
                    "<dirty-ring> needs a 'size' that is a power of two from 1024 to 65536",
                );
            }
        }
    }
    if let Some(os) = &domain.os
        && let Some(timeout) = os.bios.and_then(|b| b.reboot_timeout)
        && !(-1..=65_535).contains(&timeout)
    {
        return invalid("'rebootTimeout' must be from -1 to 65535");
    }
    if let Some(cpu) = &domain.cpu {
        if let Some(cache) = &cpu.cache
            && cache.level.is_some_and(|l| !(1..=3).contains(&l))
        {
            return invalid("caches of processors have levels 1 to 3");
        }
        if let Some(id) = cpu.model.as_ref().and_then(|m| m.vendor_id.as_ref())
            && (id.len() != 12 || id.contains(','))
        {
            return invalid("'vendor_id' has 12 characters and no comma");
        }
    }
    for info in domain
        .devices
        .iter()
        .filter_map(crate::domain::devices::DeviceRef::info)
    {
        check_info(info)?;
    }
    Ok(())
}

pub(super) fn check_info(info: &DeviceInfo) -> Result<()> {
    if let Some(boot) = &info.boot {
        if boot.order == 0 {
            return invalid("boot order begins with 1");
        }
        if let Some(parm) = &boot.loadparm {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b' ');
            if parm.is_empty() || parm.len() > 8 || !parm.bytes().all(fits) {
                return invalid("'loadparm' has 1 to 8 letters, digits, dots and spaces");
            }
        }
    }
    match &info.address {
        Some(Address::Usb(address)) => {
            if let Some(port) = &address.port {
                let parts: Vec<&str> = port.split('.').collect();
                let number =
                    |p: &&str| p.parse::<u32>().is_ok_and(|n| n <= 255) && !p.starts_with('+');
                if parts.len() > 4 || !parts.iter().all(number) {
                    return invalid(format!(
                        "invalid USB port '{port}': one to four numbers separated by dots"
                    ));
                }
            }
        }
        Some(Address::Ccw(address)) => {
            let within = |part: Option<virtbus_xml::Hex<1>>, most| part.is_none_or(|p| p.0 <= most);
            let devno = address.devno.is_none_or(|d| d.0 <= 0xffff);
            if !within(address.cssid, 0xfe) || !within(address.ssid, 3) || !devno {
                return invalid(
                    "an address of type 'ccw' has 'cssid' to 0xfe, 'ssid' to 3 and 'devno' to 0xffff",
                );
            }
            let given = [
                address.cssid.is_some(),
                address.ssid.is_some(),
                address.devno.is_some(),
            ];
            if given.contains(&true) && given.contains(&false) {
                return invalid("an address of type 'ccw' is given in full or not at all");
            }
        }
        Some(Address::Pci(address)) => {
            if address.place.domain > 0xffff {
                return invalid("the domain of a PCI address is at most 0xffff");
            }
            if let Some(zpci) = &address.zpci
                && zpci.uid.is_some_and(|uid| !(1..=0xffff).contains(&uid.0))
            {
                return invalid("'uid' of a PCI device on s390 is from 1 to 0xffff");
            }
        }
        _ => {}
    }
    Ok(())
}
