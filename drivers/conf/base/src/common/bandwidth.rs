//! Traffic shaping of interfaces and networks.

use virtbus_xml::Xml;

/// `<inbound>` or `<outbound>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct BandwidthRate {
    /// Average rate in KiB/s.
    #[xml(attr)]
    pub average: Option<u64>,
    /// Highest rate in KiB/s.
    #[xml(attr)]
    pub peak: Option<u64>,
    /// Guaranteed rate in KiB/s; inbound only.
    #[xml(attr)]
    pub floor: Option<u64>,
    /// KiB that may be sent at the peak rate.
    #[xml(attr)]
    pub burst: Option<u64>,
}

/// `<bandwidth>`: limits in both directions, as seen from the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// Traffic class on the bridge; networks' status only.
    #[xml(attr = "classID")]
    pub class_id: Option<u32>,
    /// Towards the guest.
    #[xml(child)]
    pub inbound: Option<BandwidthRate>,
    /// From the guest.
    #[xml(child)]
    pub outbound: Option<BandwidthRate>,
}
