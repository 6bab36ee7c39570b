//! Registers of devices on the virtual I/O bus of pSeries machines.

use std::collections::{BTreeMap, BTreeSet};

use virtbus_conf_base::{Base16, ConfError, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::address::{Address, SpaprVioAddress};
use virtbus_conf_domain::domain::devices::chardev::SerialTargetType;
use virtbus_conf_domain::domain::devices::controller::{ControllerKind, ScsiModel};
use virtbus_conf_domain::domain::devices::tpm::TpmModel;
use virtbus_conf_domain::domain::devices::{DeviceMut, DeviceRef};

use crate::machine;

/// How far registers are apart.
const STEP: u32 = 0x1000;

/// Where devices of a kind begin, as QEMU has it; `None` for those that are on no such bus.
fn first(device: DeviceRef<'_>, is_pseries: bool) -> Option<u32> {
    match device {
        DeviceRef::Interface(interface) => {
            (interface.options.model.as_deref() == Some("spapr-vlan")).then_some(0x1000)
        }
        DeviceRef::Controller(controller) => {
            let is_one = matches!(
                controller.kind,
                ControllerKind::Scsi(Some(ScsiModel::Ibmvscsi))
            );
            is_one.then_some(0x2000)
        }
        DeviceRef::Nvram(_) => is_pseries.then_some(0x3000),
        DeviceRef::Tpm(tpm) => (tpm.model == Some(TpmModel::Spapr)).then_some(0x4000),
        DeviceRef::Serial(serial) => {
            let kind = serial.target.and_then(|target| target.kind);
            (kind == Some(SerialTargetType::SpaprVioSerial)).then_some(0x3000_0000)
        }
        _ => None,
    }
}

fn register(device: DeviceRef<'_>) -> Option<u32> {
    match device.info()?.address {
        Some(Address::SpaprVio(address)) => address.reg.map(|register| register.0),
        _ => None,
    }
}

/// Gives every device of these a register.
///
/// # Errors
/// If two devices ask for the same.
pub(super) fn assign(domain: &mut Domain) -> Result<()> {
    let is_pseries = machine::is_pseries(domain);
    let has_any = domain
        .devices
        .iter()
        .any(|device| first(device, is_pseries).is_some());
    if !has_any {
        return Ok(());
    }
    // The console is another name of the first serial port.
    let is_device = |device: &DeviceRef<'_>| !matches!(device, DeviceRef::Console(_));
    let mut taken: BTreeSet<u32> = BTreeSet::new();
    for device in domain.devices.iter().filter(is_device) {
        let Some(register) = register(device) else {
            continue;
        };
        if !taken.insert(register) {
            return Err(ConfError::invalid(format!(
                "spapr-vio address {register:#x} is used by several devices"
            )));
        }
    }
    // The next register to look at by where a kind begins.
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    for mut device in domain.devices.iter_mut() {
        let Some(first) = first(device.as_ref(), is_pseries) else {
            continue;
        };
        put(&mut device, next.entry(first).or_insert(first), &mut taken);
    }
    Ok(())
}

fn put(device: &mut DeviceMut<'_>, next: &mut u32, taken: &mut BTreeSet<u32>) {
    let Some(info) = device.info_mut() else {
        return;
    };
    let is_wanted = match info.address {
        None => true,
        Some(Address::SpaprVio(address)) => address.reg.is_none(),
        Some(_) => false,
    };
    if !is_wanted {
        return;
    }
    while !taken.insert(*next) {
        *next = next.wrapping_add(STEP);
    }
    info.address = Some(Address::SpaprVio(SpaprVioAddress {
        reg: Some(Base16(*next)),
    }));
}
