//! How many ports use which device of the host.

use std::collections::HashMap;

use virtbus_conf_base::common::PciAddress;
use virtbus_conf_host::network_port::{NetworkPort, Plug};

/// What the ports of a network use.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    devices: HashMap<String, u32>,
    addresses: HashMap<PciAddress, u32>,
}

impl Usage {
    pub(crate) fn of<'a>(ports: impl IntoIterator<Item = &'a NetworkPort>) -> Self {
        let mut usage = Self::default();
        for port in ports {
            match &port.plug {
                Some(Plug::Direct(plug)) => {
                    *usage.devices.entry(plug.dev.to_string()).or_default() += 1;
                }
                Some(Plug::HostdevPci(plug)) => {
                    *usage.addresses.entry(plug.address).or_default() += 1;
                }
                Some(Plug::Network(_) | Plug::Bridge(_)) | None => {}
            }
        }
        usage
    }

    pub(crate) fn of_device(&self, name: &str) -> u32 {
        self.devices.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn of_address(&self, address: PciAddress) -> u32 {
        self.addresses.get(&address).copied().unwrap_or_default()
    }
}
