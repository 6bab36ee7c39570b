//! Devices and network back ends: plug, unplug, link state, receive filters.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Nothing;
use crate::command::{Command, commands};

use super::replies;

commands! {
    /// Asks for a device to be removed; `DEVICE_DELETED` tells when it is gone.
    DeviceDel(
        /// Its id or QOM path.
        id: String,
    ) = "device_del" -> Nothing;
    /// Removes a network back end.
    NetdevDel(
        /// Its id.
        id: String,
    ) = "netdev_del" -> Nothing;
    /// Plugs or unplugs a network card's cable.
    SetLink(
        /// Id of the device or back end.
        name: String,
        /// Whether the link is up.
        up: bool,
    ) = "set_link" -> Nothing;
    /// The receive filters of network cards.
    QueryRxFilter[
        /// Only of this device.
        name: String,
    ] = "query-rx-filter" -> Vec<RxFilter>;
    /// The PCI buses and what is on them.
    QueryPci = "query-pci" -> Vec<PciBus>;
}

/// Plugs in a device. Options as for `-device` in JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct DeviceAdd(pub Box<RawValue>);

impl Command for DeviceAdd {
    const NAME: &'static str = "device_add";
    type Reply = Nothing;
}

/// Adds a network back end. Options as for `-netdev` in JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct NetdevAdd(pub Box<RawValue>);

impl Command for NetdevAdd {
    const NAME: &'static str = "netdev_add";
    type Reply = Nothing;
}

replies! {
    /// A network card's receive filter.
    RxFilter {
        /// The device's id.
        name: String,
        /// Whether it takes everything.
        promiscuous: bool,
        /// Multicast: `normal`, `none` or `all`.
        multicast: String,
        /// Unicast: `normal`, `none` or `all`.
        unicast: String,
        /// VLANs: `normal`, `none` or `all`.
        vlan: String,
        /// Whether it takes broadcasts.
        broadcast_allowed: bool,
        /// Whether more multicast addresses were set than fit.
        multicast_overflow: bool,
        /// Whether more unicast addresses were set than fit.
        unicast_overflow: bool,
        /// The card's address now.
        main_mac: String,
        /// The VLANs it takes.
        vlan_table: Vec<i64>,
        /// Further addresses.
        unicast_table: Vec<String>,
        /// Multicast addresses.
        multicast_table: Vec<String>,
    }
    /// A PCI bus.
    PciBus {
        /// Its number.
        bus: i64,
        /// What is on it.
        devices: Vec<PciDevice>,
    }
}

/// A PCI device. QEMU spells these with `_`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PciDevice {
    /// The bus's number.
    pub bus: i64,
    /// Slot.
    pub slot: i64,
    /// Function.
    pub function: i64,
    /// The device's id; empty if it has none.
    #[serde(default)]
    pub qdev_id: String,
    /// What is behind it, if it is a bridge.
    pub pci_bridge: Option<PciBridge>,
}

replies! {
    /// What is behind a PCI bridge.
    PciBridge {
        /// Devices.
        #[serde(default)]
        devices: Vec<PciDevice>,
    }
}
