//! Settings of interfaces that have elements of their own.

use virtbus_conf_base::common::Ip;
use virtbus_xml::{OnOff, Text, Xml, YesNo, xml_names};

use crate::domain::devices::info::VirtioOptions;

xml_names! {
    /// Transport protocol of forwarded ports.
    pub enum PortForwardProtocol {
        Tcp = "tcp",
        Udp = "udp",
    }
}

/// `<range>`: a range of forwarded ports.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortForwardRange {
    /// First port on the host, 1 to 65535.
    #[xml(attr)]
    pub start: Option<u16>,
    /// Last port on the host; that of `start` if absent.
    #[xml(attr)]
    pub end: Option<u16>,
    /// First port in the guest, if it differs from that on the host.
    #[xml(attr, absent = "as `start`")]
    pub to: Option<u16>,
    /// Whether the range is excluded from forwarding; `no` if absent.
    #[xml(attr)]
    pub exclude: Option<YesNo>,
}

/// `<portForward>`: ports of the host that are forwarded to the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PortForward {
    /// Protocol that is forwarded: `tcp` or `udp`.
    #[xml(attr)]
    pub proto: PortForwardProtocol,
    /// Address on the host to listen on; all if absent.
    #[xml(attr)]
    pub address: Option<Ip>,
    /// Interface of the host to listen on; all if absent.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Ranges of forwarded ports; absent means all ports.
    #[xml(child)]
    pub range: Vec<PortForwardRange>,
}

xml_names! {
    /// Who moves the packets.
    pub enum InterfaceDriverName {
        Qemu = "qemu",
        Vhost = "vhost",
    }
}

xml_names! {
    /// When packets are sent.
    pub enum TxMode {
        Iothread = "iothread",
        Timer = "timer",
    }
}

/// `<host>`: offload features of the host's side of a virtio interface; each is on if absent.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostOffloads {
    /// Whether checksums can be left to the device.
    #[xml(attr)]
    pub csum: Option<OnOff>,
    /// Whether segmentation of any protocol can be left to the device.
    #[xml(attr)]
    pub gso: Option<OnOff>,
    /// Whether segmentation of TCP over IPv4 can be left to the device.
    #[xml(attr)]
    pub tso4: Option<OnOff>,
    /// Whether segmentation of TCP over IPv6 can be left to the device.
    #[xml(attr)]
    pub tso6: Option<OnOff>,
    /// Whether segments with explicit congestion notification are taken.
    #[xml(attr)]
    pub ecn: Option<OnOff>,
    /// Whether fragmentation of UDP can be left to the device.
    #[xml(attr)]
    pub ufo: Option<OnOff>,
    /// Whether received packets can span several buffers.
    #[xml(attr)]
    pub mrg_rxbuf: Option<OnOff>,
}

/// `<guest>`: offload features of the guest's side of a virtio interface; each is on if absent.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuestOffloads {
    /// Whether packets without a checksum are taken.
    #[xml(attr)]
    pub csum: Option<OnOff>,
    /// Whether unsegmented TCP over IPv4 is taken.
    #[xml(attr)]
    pub tso4: Option<OnOff>,
    /// Whether unsegmented TCP over IPv6 is taken.
    #[xml(attr)]
    pub tso6: Option<OnOff>,
    /// Whether segments with explicit congestion notification are taken.
    #[xml(attr)]
    pub ecn: Option<OnOff>,
    /// Whether unfragmented UDP is taken.
    #[xml(attr)]
    pub ufo: Option<OnOff>,
}

/// `<driver>`: how the hypervisor runs a virtio interface.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceDriver {
    /// What moves the packets: `vhost` in the kernel, `qemu` in the hypervisor; `vhost` if available if absent. Host
    /// devices: `vfio`.
    #[xml(attr)]
    pub name: Option<InterfaceDriverName>,
    /// How packets are sent: `iothread` (asynchronously) or `timer`; the hypervisor decides if absent.
    #[xml(attr)]
    pub txmode: Option<TxMode>,
    /// Whether the guest's notifications are handled by a thread of their own (ioeventfd) while the virtual CPU runs
    /// on; the hypervisor decides if absent.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    /// Whether guest and device may leave out notifications that the other does not need (virtio event index); the
    /// hypervisor decides if absent.
    #[xml(attr)]
    pub event_idx: Option<OnOff>,
    /// Number of queue pairs (multiqueue); 1 if absent.
    #[xml(attr)]
    pub queues: Option<u32>,
    /// Number of entries of each receive queue, a power of two; the hypervisor's default if absent.
    #[xml(attr)]
    pub rx_queue_size: Option<u32>,
    /// Number of entries of each send queue, a power of two; the hypervisor's default if absent.
    #[xml(attr)]
    pub tx_queue_size: Option<u32>,
    /// Whether packets are distributed over queues by a hash (receive side scaling).
    #[xml(attr)]
    pub rss: Option<OnOff>,
    /// Whether the guest is told the hash of each packet.
    #[xml(attr)]
    pub rss_hash_report: Option<OnOff>,
    /// Options that all virtio devices have.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// Offload features of the host's side.
    #[xml(child, skip_empty)]
    pub host: Option<HostOffloads>,
    /// Offload features of the guest's side.
    #[xml(child, skip_empty)]
    pub guest: Option<GuestOffloads>,
}

xml_names! {
    /// Who connects a user network.
    pub enum InterfaceBackendType {
        Default = "default",
        Passt = "passt",
    }
}

/// `<backend>`: what carries the interface's packets on the host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceBackend {
    /// What connects a user network: `default` (QEMU's slirp) or `passt`.
    #[xml(attr = "type")]
    pub kind: Option<InterfaceBackendType>,
    /// Absolute path of the tap device file; `/dev/net/tun` if absent.
    #[xml(attr)]
    pub tap: Option<Text>,
    /// Absolute path of the vhost device file; `/dev/vhost-net` if absent.
    #[xml(attr)]
    pub vhost: Option<Text>,
    /// Absolute path of passt's log file.
    #[xml(attr = "logFile")]
    pub log_file: Option<Text>,
}

/// `<parameter>`: the value of a variable of the filter.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct FilterParameter {
    /// Name of the variable, such as `IP`.
    #[xml(attr)]
    pub name: Text,
    /// Value of the variable; a name that is given several times has a list of values.
    #[xml(attr)]
    pub value: Text,
}

/// `<filterref>`: the firewall filter for the interface's packets.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct FilterRef {
    /// Name of the filter, as defined by a `<filter>` document.
    #[xml(attr)]
    pub filter: Text,
    /// Values of the filter's variables.
    #[xml(child)]
    pub parameter: Vec<FilterParameter>,
}

/// `<tune>`: settings of the tap device.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tune {
    /// Size of the send buffer in bytes; 0 means no limit.
    #[xml(text_child)]
    pub sndbuf: Option<u64>,
}

xml_names! {
    /// Part of an interface in a fail-over pair.
    pub enum TeamingType {
        Persistent = "persistent",
        Transient = "transient",
    }
}

/// `<teaming>`: fail-over between two interfaces, of which one can be unplugged for a migration.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Teaming {
    /// Role of the interface: `persistent` (virtio) or `transient` (an assigned device).
    #[xml(attr = "type")]
    pub kind: TeamingType,
    /// Alias of the persistent interface; required for the transient one.
    #[xml(attr)]
    pub persistent: Option<Text>,
}

/// `<frames>`: coalescing by number of packets.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CoalesceFrames {
    /// Largest number of packets before an interrupt.
    #[xml(attr)]
    pub max: Option<u32>,
}

/// `<rx>`: coalescing for received packets.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CoalesceRx {
    /// Coalescing by number of packets.
    #[xml(child)]
    pub frames: Option<CoalesceFrames>,
}

/// `<coalesce>`: interrupt coalescing of the host's device.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coalesce {
    /// Coalescing for received packets.
    #[xml(child)]
    pub rx: Option<CoalesceRx>,
}
