//! The connection that a virtual network gave a running guest's interface.

use virtbus_xml::{Content, Describe, Flags, Node, Rare, Result, Writer, YesNo};

use super::{InterfaceConnection, InterfaceSource};

/// `<actual>`: the connection that a virtual network gave the interface at start.
#[derive(Describe, Debug, Clone, PartialEq)]
pub struct ActualNet {
    /// What the interface is connected to.
    #[xml(flat)]
    pub source: InterfaceSource,
    /// Whether the host follows the receive filters that the guest sets.
    #[xml(attr = "trustGuestRxFilters")]
    pub trust_guest_rx_filters: Option<YesNo>,
    /// Number of the traffic class on the network's bridge; 0 means none.
    #[xml(child_attr = "class/id")]
    pub class_id: Option<u32>,
    /// VLANs, switch parameters and limits of the connection.
    #[xml(flat)]
    pub connection: Rare<InterfaceConnection>,
}

impl ActualNet {
    /// Writes the connection in place of the one asked for, naming the network of `asked`.
    pub(crate) fn write_public(&self, asked: &InterfaceSource, w: &mut Writer) {
        let place = match asked {
            InterfaceSource::Network(source) => source.place.clone(),
            _ => Rare::default(),
        };
        let mut source = self.source.clone();
        match &mut source {
            InterfaceSource::Network(source) | InterfaceSource::Bridge(source) => {
                source.place = place;
            }
            InterfaceSource::Direct(source) => source.place = place,
            _ => {}
        }
        source.children(w);
        self.write_class(w);
        self.connection.children(w);
    }

    fn write_class(&self, w: &mut Writer) {
        if let Some(id) = self.class_id
            && w.flags().contains(Flags::STATUS)
        {
            w.attr_element("class", "id", &id);
        }
    }
}

impl Content for ActualNet {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            source: InterfaceSource::parse(node)?,
            trust_guest_rx_filters: node.attr_opt("trustGuestRxFilters")?,
            class_id: node.child_attr_opt("class", "id")?.filter(|id| *id != 0),
            connection: Rare::parse(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        self.source.attrs(w);
        w.attr_opt("trustGuestRxFilters", &self.trust_guest_rx_filters);
    }

    fn children(&self, w: &mut Writer) {
        self.source.children(w);
        self.write_class(w);
        self.connection.children(w);
    }
}
