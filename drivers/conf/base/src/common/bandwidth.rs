//! Traffic shaping of interfaces and networks.

use virtbus_xml::Xml;

/// `<inbound>` or `<outbound>`: limits on traffic in one direction.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct BandwidthRate {
    /// Average rate in KiB/s (1024 bytes per second); required unless only `floor` is given.
    #[xml(attr)]
    pub average: Option<u64>,
    /// Highest rate in KiB/s at which a burst may be sent.
    #[xml(attr)]
    pub peak: Option<u64>,
    /// Rate in KiB/s that this interface is guaranteed; `inbound` only, and only on networks with bandwidth limits.
    #[xml(attr)]
    pub floor: Option<u64>,
    /// Amount in KiB that may be sent at the peak rate in one burst.
    #[xml(attr)]
    pub burst: Option<u64>,
}

/// `<bandwidth>`: limits on traffic, with directions as seen from the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// Number of the traffic class on the network's bridge; in status documents of networks only.
    #[xml(attr = "classID")]
    pub class_id: Option<u32>,
    /// Limits on traffic towards the guest.
    #[xml(child)]
    pub inbound: Option<BandwidthRate>,
    /// Limits on traffic from the guest.
    #[xml(child)]
    pub outbound: Option<BandwidthRate>,
}
