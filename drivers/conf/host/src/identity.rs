//! What documents of this crate are about, found without reading the rest of them.

use virtbus_conf_base::{Identity, Text, XmlError, identified};
use virtbus_xml::Document;

use crate::interface::Interface;
use crate::network::Network;
use crate::network_port::NetworkPort;
use crate::node_device::NodeDevice;
use crate::nwfilter::NwFilter;
use crate::secret::Secret;

impl Interface {
    /// What a document is about. One without a name is called after what it has, for which all of it is read.
    ///
    /// # Errors
    /// Malformed XML before name and address were found, or that they are missing.
    pub fn identify(xml: &str) -> Result<Identity, XmlError> {
        let doc = Document::skim(xml, &["mac"])?;
        let node = doc.expect_root("interface")?;
        let kind: Text = node.attr_req("type")?;
        let mut name = node.attr_opt("name")?;
        if name.is_none() {
            let mut whole = Self::parse(xml)?;
            whole.complete();
            name = whole.name;
        }
        let mac = match kind.as_str() {
            "ethernet" => node.child_attr_opt("mac", "address")?,
            _ => None,
        };
        Ok(Identity {
            name,
            uuid: None,
            mac,
        })
    }
}

identified! {
    Network: "network", Required, true;
    NetworkPort: "networkport", None, true;
    NwFilter: "filter", Attribute, true;
    NodeDevice: "device", Optional, false;
    Secret: "secret", None, true;
}

#[cfg(test)]
mod tests {
    use virtbus_conf_base::common::Uuid;

    use super::*;

    const UUID: &str = "c7a5fdbd-edaf-9455-926a-d65c16db1809";

    #[test]
    fn every_kind_is_found() {
        let uuid = Uuid::parse(UUID);
        let name = |name: &str| Some(Text::from(name));
        let children = format!("<name>n</name><uuid>{UUID}</uuid>");
        let named = Identity {
            name: name("n"),
            uuid,
            mac: None,
        };
        let only_named = Identity {
            uuid: None,
            ..named.clone()
        };
        let only_uuid = Identity {
            name: None,
            ..named.clone()
        };
        let of = |root: &str| format!("<{root}>{children}</{root}>");
        assert_eq!(Network::identify(&of("network")).unwrap(), named);
        assert_eq!(Secret::identify(&of("secret")).unwrap(), only_uuid);
        assert_eq!(
            NetworkPort::identify(&of("networkport")).unwrap(),
            only_uuid
        );
        assert_eq!(NodeDevice::identify(&of("device")).unwrap(), only_named);
        let filter = format!("<filter name='n'><uuid>{UUID}</uuid></filter>");
        assert_eq!(NwFilter::identify(&filter).unwrap(), named);
        let card =
            "<interface type='ethernet' name='n'><mac address='52:54:00:00:00:01'/></interface>";
        let mac = name("52:54:00:00:00:01");
        assert_eq!(
            Interface::identify(card).unwrap(),
            Identity {
                mac,
                ..only_named.clone()
            }
        );
        let vlan =
            "<interface type='vlan'><vlan tag='7'><interface name='eth0'/></vlan></interface>";
        assert_eq!(Interface::identify(vlan).unwrap().name, name("eth0.7"));
    }
}
