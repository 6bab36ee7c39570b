//! The kinds of documents of this crate, with what they declare.

use virtbus_conf_base::reference::DocumentKind;

use crate::capabilities::Capabilities;
use crate::domain_capabilities::DomainCapabilities;
use crate::interface::Interface;
use crate::network::Network;
use crate::network_port::NetworkPort;
use crate::node_device::NodeDevice;
use crate::nwfilter::NwFilter;
use crate::nwfilter_binding::NwFilterBinding;
use crate::secret::Secret;

/// Every kind of document of this crate.
pub const DOCUMENTS: &[DocumentKind] = &[
    DocumentKind::of::<Capabilities>("capabilities", "capabilities"),
    DocumentKind::of::<DomainCapabilities>("domain-capabilities", "domainCapabilities"),
    DocumentKind::of::<Interface>("interface", "interface"),
    DocumentKind::of::<Network>("network", "network"),
    DocumentKind::of::<NetworkPort>("network-port", "networkport"),
    DocumentKind::of::<NodeDevice>("node-device", "device"),
    DocumentKind::of::<NwFilter>("nwfilter", "filter"),
    DocumentKind::of::<NwFilterBinding>("nwfilter-binding", "filterbinding"),
    DocumentKind::of::<Secret>("secret", "secret"),
];
