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

/// `<range>` of forwarded ports.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortForwardRange {
    /// First port on the host.
    #[xml(attr)]
    pub start: Option<u16>,
    /// Last port on the host.
    #[xml(attr)]
    pub end: Option<u16>,
    /// First port in the guest.
    #[xml(attr, absent = "the same")]
    pub to: Option<u16>,
    /// Whether the range is left out.
    #[xml(attr)]
    pub exclude: Option<YesNo>,
}

/// `<portForward>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct PortForward {
    /// Protocol.
    #[xml(attr)]
    pub proto: PortForwardProtocol,
    /// Address on the host.
    #[xml(attr)]
    pub address: Option<Ip>,
    /// Device on the host.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// The ports; none means all.
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

/// `<host>` in `<driver>`: what the host may leave to the device.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostOffloads {
    /// Checksums.
    #[xml(attr)]
    pub csum: Option<OnOff>,
    /// Segmentation.
    #[xml(attr)]
    pub gso: Option<OnOff>,
    /// Segmentation of TCP over IPv4.
    #[xml(attr)]
    pub tso4: Option<OnOff>,
    /// Segmentation of TCP over IPv6.
    #[xml(attr)]
    pub tso6: Option<OnOff>,
    /// Congestion notification.
    #[xml(attr)]
    pub ecn: Option<OnOff>,
    /// Fragmentation of UDP.
    #[xml(attr)]
    pub ufo: Option<OnOff>,
    /// Packets over several buffers.
    #[xml(attr)]
    pub mrg_rxbuf: Option<OnOff>,
}

/// `<guest>` in `<driver>`: what the guest may leave to the device.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GuestOffloads {
    /// Checksums.
    #[xml(attr)]
    pub csum: Option<OnOff>,
    /// Segmentation of TCP over IPv4.
    #[xml(attr)]
    pub tso4: Option<OnOff>,
    /// Segmentation of TCP over IPv6.
    #[xml(attr)]
    pub tso6: Option<OnOff>,
    /// Congestion notification.
    #[xml(attr)]
    pub ecn: Option<OnOff>,
    /// Fragmentation of UDP.
    #[xml(attr)]
    pub ufo: Option<OnOff>,
}

/// `<driver>` of an interface.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceDriver {
    /// Who moves the packets.
    #[xml(attr)]
    pub name: Option<InterfaceDriverName>,
    /// When packets are sent.
    #[xml(attr)]
    pub txmode: Option<TxMode>,
    /// Whether a thread handles notifications.
    #[xml(attr)]
    pub ioeventfd: Option<OnOff>,
    /// Whether to save interrupts.
    #[xml(attr)]
    pub event_idx: Option<OnOff>,
    /// Queues.
    #[xml(attr)]
    pub queues: Option<u32>,
    /// Entries of a receive queue.
    #[xml(attr)]
    pub rx_queue_size: Option<u32>,
    /// Entries of a send queue.
    #[xml(attr)]
    pub tx_queue_size: Option<u32>,
    /// Receive side scaling.
    #[xml(attr)]
    pub rss: Option<OnOff>,
    /// Whether the guest sees the hash of a packet.
    #[xml(attr)]
    pub rss_hash_report: Option<OnOff>,
    /// Options of virtio.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// Left to the device by the host.
    #[xml(child, skip_empty)]
    pub host: Option<HostOffloads>,
    /// Left to the device by the guest.
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

/// `<backend>`: what carries the packets on the host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceBackend {
    /// Who connects a user network.
    #[xml(attr = "type")]
    pub kind: Option<InterfaceBackendType>,
    /// Path of the tap device.
    #[xml(attr)]
    pub tap: Option<Text>,
    /// Path of the vhost device.
    #[xml(attr)]
    pub vhost: Option<Text>,
    /// Log of the program that connects it.
    #[xml(attr = "logFile")]
    pub log_file: Option<Text>,
}

/// `<parameter>` of a filter.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct FilterParameter {
    /// Name of the variable.
    #[xml(attr)]
    pub name: Text,
    /// Value; a variable given several times has several.
    #[xml(attr)]
    pub value: Text,
}

/// `<filterref>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct FilterRef {
    /// Name of the filter.
    #[xml(attr)]
    pub filter: Text,
    /// Variables of the filter.
    #[xml(child)]
    pub parameter: Vec<FilterParameter>,
}

/// `<tune>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tune {
    /// Bytes of the send buffer; 0 is no limit.
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

/// `<teaming>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Teaming {
    /// Its part.
    #[xml(attr = "type")]
    pub kind: TeamingType,
    /// Alias of the persistent interface.
    #[xml(attr)]
    pub persistent: Option<Text>,
}

/// `<frames>` of coalescing.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CoalesceFrames {
    /// Most packets before an interrupt.
    #[xml(attr)]
    pub max: Option<u32>,
}

/// `<rx>` of coalescing.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CoalesceRx {
    /// By packets.
    #[xml(child)]
    pub frames: Option<CoalesceFrames>,
}

/// `<coalesce>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coalesce {
    /// Of received packets.
    #[xml(child)]
    pub rx: Option<CoalesceRx>,
}
