//! Serial ports and consoles, which are two names for the first port of a guest.

use virtbus_conf_base::Result;
use virtbus_conf_base::common::OsType;

use super::{ConfError, invalid};
use crate::domain::Domain;
use crate::domain::devices::chardev::{
    Console, ConsoleTarget, ConsoleTargetType, Serial, SerialTarget, SerialTargetType,
};

/// Serial ports of a PC.
const ISA_PORTS: u32 = 4;

/// Numbers the serial ports on the ISA bus that have no number.
pub(super) fn assign_isa_ports(domain: &mut Domain) -> Result<()> {
    let is_isa = |s: &Serial| {
        s.target
            .is_some_and(|t| t.kind == Some(SerialTargetType::IsaSerial))
    };
    let mut used = [false; ISA_PORTS as usize];
    let serials = &mut domain.devices.serial;
    if serials.iter().filter(|s| is_isa(s)).count() > ISA_PORTS as usize {
        return invalid(format!(
            "there are at most {ISA_PORTS} serial ports on the ISA bus"
        ));
    }
    for port in serials
        .iter()
        .filter(|s| is_isa(s))
        .filter_map(|s| s.target.and_then(|t| t.port))
    {
        let slot = used.get_mut(port as usize).ok_or_else(|| {
            ConfError::invalid(format!(
                "there are at most {ISA_PORTS} serial ports on the ISA bus"
            ))
        })?;
        if std::mem::replace(slot, true) {
            return invalid(format!("serial port {port} is defined twice"));
        }
    }
    for serial in serials.iter_mut().filter(|s| is_isa(s)) {
        if let Some(target) = serial.target.as_mut().filter(|t| t.port.is_none())
            && let Some(free) = used.iter().position(|taken| !taken)
        {
            used[free] = true;
            target.port = u32::try_from(free).ok();
        }
    }
    Ok(())
}

/// The first console and the first serial port are the same device of a machine: makes up the other.
///
/// A console of its own kind (virtio, xen, …) stays as it is.
pub(super) fn link(domain: &mut Domain) {
    if domain.os_type() != Some(OsType::Hvm) {
        return;
    }
    let is_serial = |c: &Console| {
        c.target
            .is_none_or(|t| matches!(t.kind, None | Some(ConsoleTargetType::Serial)))
    };
    let devices = &mut domain.devices;
    let first_is_serial = devices.console.first().is_some_and(is_serial);
    if first_is_serial && devices.serial.is_empty() {
        // A console alone brings its port along.
        let console = &mut devices.console[0];
        console.target = Some(ConsoleTarget {
            kind: Some(ConsoleTargetType::Serial),
            port: Some(0),
        });
        let target = SerialTarget {
            kind: None,
            port: Some(0),
            model: None,
        };
        let serial = Serial {
            chardev: console.chardev.clone(),
            target: Some(target),
            info: console.info.clone(),
        };
        devices.serial.push(serial);
    } else if first_is_serial {
        let serial = &devices.serial[0];
        let console = &mut devices.console[0];
        let port = serial.target.and_then(|t| t.port).or(Some(0));
        console.chardev = serial.chardev.clone();
        console.info = serial.info.clone();
        console.target = Some(ConsoleTarget {
            kind: Some(ConsoleTargetType::Serial),
            port,
        });
    } else if devices.console.is_empty()
        && let Some(serial) = devices.serial.first()
    {
        // Ports that come and go, or carry debug output, are no consoles.
        let is_console = matches!(
            serial.target.and_then(|t| t.kind),
            None | Some(
                SerialTargetType::IsaSerial
                    | SerialTargetType::SpaprVioSerial
                    | SerialTargetType::SystemSerial
                    | SerialTargetType::SclpSerial
            )
        );
        if is_console {
            let port = serial.target.and_then(|t| t.port).or(Some(0));
            let target = ConsoleTarget {
                kind: Some(ConsoleTargetType::Serial),
                port,
            };
            let console = Console {
                chardev: serial.chardev.clone(),
                target: Some(target),
                info: serial.info.clone(),
            };
            devices.console.push(console);
        }
    }
}
