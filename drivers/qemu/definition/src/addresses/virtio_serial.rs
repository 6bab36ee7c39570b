//! Ports of virtio serial controllers.

use std::collections::BTreeSet;

use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::{Address, VirtioSerialAddress};
use virtbus_conf_domain::domain::devices::chardev::ChannelTarget;
use virtbus_conf_domain::domain::devices::controller::ControllerKind;
use virtbus_conf_domain::domain::devices::info::DeviceInfo;

/// Ports of a controller that does not say.
const PORTS: u32 = 31;

/// A controller.
struct Ports {
    index: u32,
    count: u32,
    taken: BTreeSet<u32>,
    /// All below are taken.
    next: u32,
}

impl Ports {
    /// Takes the next port.
    fn take(&mut self) -> Option<u32> {
        let port = (self.next..self.count).find(|port| self.taken.insert(*port))?;
        self.next = port;
        Some(port)
    }
}

/// Gives every channel a port. Port 0 of a controller is for a console, which old guests look for there; where consoles are is QEMU's choice.
///
/// # Errors
/// If two devices ask for one port, or none is left.
pub(super) fn assign(domain: &mut Domain) -> Result<()> {
    let mut all: Vec<Ports> = Vec::new();
    for controller in &domain.devices.controller {
        if let ControllerKind::VirtioSerial(_, settings) = &controller.kind {
            all.push(Ports {
                index: controller.index(),
                count: settings.ports.unwrap_or(PORTS),
                taken: BTreeSet::new(),
                next: 1,
            });
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    for info in domain.devices.iter().filter_map(DeviceRef::info) {
        let Some(Address::VirtioSerial(address)) = info.address else {
            continue;
        };
        let controller = all
            .iter_mut()
            .find(|ports| ports.index == address.controller);
        if let Some(ports) = controller.filter(|_| address.port != 0)
            && !ports.taken.insert(address.port)
        {
            return Err(ConfError::invalid(format!(
                "port {} of virtio-serial controller {} is used twice",
                address.port, address.controller
            )));
        }
    }
    let channels = domain.devices.channel.iter_mut();
    for channel in channels.filter(|channel| matches!(channel.target, ChannelTarget::Virtio(_))) {
        put(&mut channel.info, &mut all)?;
    }
    Ok(())
}

fn put(info: &mut DeviceInfo, all: &mut [Ports]) -> Result<()> {
    let wanted = match info.address {
        Some(Address::VirtioSerial(address)) if address.port != 0 => return Ok(()),
        Some(Address::VirtioSerial(address)) => Some(address.controller),
        None => None,
        Some(_) => return Ok(()),
    };
    let mut candidates = all
        .iter_mut()
        .filter(|ports| wanted.is_none_or(|index| ports.index == index));
    let found = candidates.find_map(|ports| {
        let port = ports.take()?;
        Some((ports.index, port))
    });
    let (controller, port) = found.ok_or_else(|| {
        ConfError::invalid("no port of a virtio-serial controller is left for a channel")
    })?;
    info.address = Some(Address::VirtioSerial(VirtioSerialAddress {
        controller,
        bus: 0,
        port,
    }));
    Ok(())
}
