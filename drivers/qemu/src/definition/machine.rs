//! Facts about machines and the order of booting that more than one part of the driver decides by.

use virtbus_conf_domain::domain::Domain as Definition;

/// Whether the order of booting is given device by device.
pub(crate) fn has_device_boot_order(definition: &Definition) -> bool {
    let devices = &definition.devices;
    devices.disk.iter().any(|disk| disk.info.boot.is_some())
        || devices
            .interface
            .iter()
            .any(|interface| interface.info.boot.is_some())
}

/// Whether a machine is of the q35 family.
pub(crate) fn is_q35(machine: &str) -> bool {
    machine == "q35" || machine.starts_with("pc-q35")
}
