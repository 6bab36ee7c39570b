//! `<interface>`: network interfaces.
//!
//! What a network really gave a running guest stands beside what was asked for, as [`ActualNet`], and
//! takes its place in the XML of a running guest.

mod actual;
mod options;
mod source;

use virtbus_conf_base::common::{Bandwidth, IpInfo, Mac, PortOptions, VirtualPort, Vlan};
use virtbus_xml::{
    Content, Describe, Flags, Node, Nothing, Rare, Result, Text, Writer, Xml, YesNo, xml_names,
};

pub use actual::ActualNet;
pub use options::{
    Coalesce, CoalesceFrames, CoalesceRx, FilterParameter, FilterRef, GuestOffloads, HostOffloads,
    InterfaceBackend, InterfaceBackendType, InterfaceDriver, InterfaceDriverName, PortForward,
    PortForwardProtocol, PortForwardRange, Teaming, TeamingType, Tune, TxMode,
};
pub use source::{
    BridgeSource, DirectSource, EthernetSource, InterfaceHostdev, InterfaceSource, InterfaceType,
    InternalSource, LocalSocket, MacvtapMode, NetworkPlace, SocketSource, UdpSocketSource,
    UserSource, VdpaSource, VdsSource, VhostUserMode, VhostUserNetSource,
};

use super::info::DeviceInfo;
use super::status::InterfaceStatus;

xml_names! {
    /// Where an Ethernet address comes from.
    pub enum MacType {
        Generated = "generated",
        Static = "static",
    }
}

/// `<mac>`: the MAC address of the interface.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct InterfaceMac {
    /// MAC address; generated if absent.
    #[xml(attr)]
    pub address: Mac,
    /// Who chose the address: `generated` by the driver or `static` by the user (VMware).
    #[xml(attr = "type")]
    pub kind: Option<MacType>,
    /// Whether VMware checks that the address is in its ranges.
    #[xml(attr)]
    pub check: Option<YesNo>,
    /// Address that the guest has changed it to; running guests only.
    #[xml(attr = "currentAddress", when = mac_live)]
    pub current_address: Option<Mac>,
}

fn mac_live(_: &InterfaceMac, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

impl From<Mac> for InterfaceMac {
    fn from(address: Mac) -> Self {
        Self {
            address,
            kind: None,
            check: None,
            current_address: None,
        }
    }
}

/// `<target>`: the interface's device on the host.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceTarget {
    /// Name of the device on the host; chosen by the driver (`vnetN`) if absent.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Whether the driver creates the tap device; `no` uses an existing one, and requires `dev`.
    #[xml(attr)]
    pub managed: Option<YesNo>,
}

/// Names that libvirt generates; they change at each start.
pub const GENERATED_PREFIXES: [&str; 3] = ["vnet", "macvtap", "macvlan"];

impl InterfaceTarget {
    /// Whether the name was generated.
    pub fn is_generated(&self) -> bool {
        let dev = self.dev.as_deref().unwrap_or_default();
        self.managed != Some(YesNo::No) && GENERATED_PREFIXES.iter().any(|p| dev.starts_with(p))
    }
}

impl Content for InterfaceTarget {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            dev: node.attr_opt("dev")?,
            managed: node.attr_opt("managed")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        if !(w.flags().contains(Flags::INACTIVE) && self.is_generated()) {
            w.attr_opt("dev", &self.dev);
        }
        w.attr_opt("managed", &self.managed);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<guest>`: the interface inside the guest; containers and OpenVZ only.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceGuest {
    /// Name that the interface is given in the guest.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Name that the interface has in the guest.
    #[xml(attr)]
    pub actual: Option<Text>,
}

xml_names! {
    /// Whether the cable is plugged in.
    pub enum LinkState {
        Up = "up",
        Down = "down",
    }
}

/// Children of `<interface>` beside `<source>` that a virtual network may override.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceConnection {
    /// VLANs that the interface belongs to.
    #[xml(child, skip_empty)]
    pub vlan: Option<Vlan>,
    /// Parameters of the switch that the interface is attached to.
    #[xml(child)]
    pub virtualport: Option<Box<VirtualPort>>,
    /// Limits on traffic of the interface, in each direction.
    #[xml(child, skip_empty)]
    pub bandwidth: Option<Box<Bandwidth>>,
    /// Options of the bridge port.
    #[xml(child, skip_empty)]
    pub port: Option<PortOptions>,
}

/// Children of `<interface>` that come after the connection.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceOptions {
    /// IP addresses and routes that the guest is given; containers, and user networks.
    #[xml(flat)]
    pub ip: Rare<IpInfo>,
    /// Ports of the host that are forwarded to the guest; user networks with passt only.
    #[xml(child = "portForward")]
    pub port_forward: Rare<Vec<PortForward>>,
    /// Absolute path of a program that is run when the interface is brought up.
    #[xml(child_attr = "script/path")]
    pub script: Option<Box<Text>>,
    /// Absolute path of a program that is run when the interface is taken down.
    #[xml(child_attr = "downscript/path")]
    pub downscript: Option<Box<Text>>,
    /// Name of the Xen guest that provides the interface (driver domain).
    #[xml(child_attr = "backenddomain/name")]
    pub backenddomain: Option<Box<Text>>,
    /// Device of the interface on the host.
    #[xml(child, skip_empty)]
    pub target: Option<Box<InterfaceTarget>>,
    /// Name of the interface inside a container.
    #[xml(child, skip_empty)]
    pub guest: Option<Box<InterfaceGuest>>,
    /// Device model that the guest sees, such as `virtio` or `e1000e`.
    #[xml(child_attr = "model/type")]
    pub model: Option<Text>,
}

/// Children of `<interface>` that come after the driver settings.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceTail {
    /// What carries the packets on the host.
    #[xml(child, skip_empty)]
    pub backend: Option<Box<InterfaceBackend>>,
    /// Firewall rules for the interface's packets.
    #[xml(child)]
    pub filterref: Option<Box<FilterRef>>,
    /// Size of the send buffer on the host.
    #[xml(child, skip_empty)]
    pub tune: Option<Tune>,
    /// Fail-over between a virtio interface and an assigned device.
    #[xml(child)]
    pub teaming: Option<Box<Teaming>>,
    /// Whether the guest sees a connected cable: `up` or `down`; `up` if absent.
    #[xml(child_attr = "link/state")]
    pub link: Option<LinkState>,
    /// Largest packet in bytes (MTU), on host and guest; 1500 if absent.
    #[xml(child_attr = "mtu/size")]
    pub mtu: Option<u32>,
    /// Interrupt coalescing of the host's device.
    #[xml(child)]
    pub coalesce: Option<Coalesce>,
}

/// `<interface>`: a network interface of the guest.
#[derive(Describe, Debug, Clone, PartialEq)]
pub struct Interface {
    /// What the interface is connected to on the host.
    #[xml(flat)]
    pub source: InterfaceSource,
    /// Whether the host follows the receive filters that the guest sets; `no` if absent.
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// MAC address of the interface.
    #[xml(child)]
    pub mac: Option<InterfaceMac>,
    /// VLANs, switch parameters and limits of the connection.
    #[xml(flat)]
    pub connection: Rare<InterfaceConnection>,
    /// Connection that a virtual network gave it; running guests only.
    #[xml(child)]
    pub actual: Option<Box<ActualNet>>,
    /// Addresses, scripts, names and model.
    #[xml(flat)]
    pub options: InterfaceOptions,
    /// How a virtio interface is run by the hypervisor.
    #[xml(child)]
    pub driver: Option<Box<InterfaceDriver>>,
    /// Backend, filter, fail-over, link state and MTU.
    #[xml(flat)]
    pub tail: Rare<InterfaceTail>,
    /// Boot order, alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// What only the driver knows of the running interface; status only.
    #[xml(flat)]
    pub status: InterfaceStatus,
}

impl Interface {
    /// Whether the XML shows the actual connection in place of the one asked for.
    fn shows_actual(&self, flags: Flags) -> bool {
        self.actual.is_some()
            && self.source.kind() == InterfaceType::Network
            && !flags.intersects(Flags::INACTIVE | Flags::ACTUAL_NET | Flags::MIGRATABLE)
    }

    /// Whether the model is a virtio device.
    pub fn is_virtio(&self) -> bool {
        let model = self.options.model.as_deref().unwrap_or_default();
        matches!(
            model,
            "virtio" | "virtio-transitional" | "virtio-non-transitional"
        )
    }
}

impl Content for Interface {
    fn parse(node: Node<'_>) -> Result<Self> {
        let source = InterfaceSource::parse(node)?;
        // With a host device, <driver> is about that device.
        let driver = match source.kind() {
            InterfaceType::Hostdev => {
                node.child_or_absent("driver").take_all();
                None
            }
            _ => node.child_filled("driver")?,
        };
        Ok(Self {
            source,
            trust_guest_rx_filters: node.attr_opt("trustGuestRxFilters")?,
            mac: node.child_opt("mac")?,
            connection: Rare::parse(node)?,
            actual: node.child_opt("actual")?,
            options: InterfaceOptions::parse(node)?,
            driver,
            tail: Rare::parse(node)?,
            info: Rare::parse(node)?,
            status: InterfaceStatus::parse(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        match &self.actual {
            Some(actual) if self.shows_actual(w.flags()) => actual.source.attrs(w),
            _ => self.source.attrs(w),
        }
        w.attr_opt("trustGuestRxFilters", &self.trust_guest_rx_filters);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(mac) = &self.mac {
            w.element("mac", mac);
        }
        match &self.actual {
            Some(actual) if self.shows_actual(w.flags()) => actual.write_public(&self.source, w),
            actual => {
                self.source.children(w);
                self.connection.children(w);
                if let Some(actual) = actual
                    && w.flags().contains(Flags::ACTUAL_NET)
                {
                    w.element("actual", &**actual);
                }
            }
        }
        self.options.children(w);
        // What is shown as a host device has its own <driver>.
        let of_host = |actual: &ActualNet| actual.source.kind() == InterfaceType::Hostdev;
        let is_hostdev =
            self.shows_actual(w.flags()) && self.actual.as_deref().is_some_and(of_host);
        if let Some(driver) = self.driver.as_ref().filter(|_| !is_hostdev) {
            w.element_unless_empty("driver", &**driver);
        }
        self.tail.children(w);
        self.info.children(w);
        self.status.children(w);
    }
}
