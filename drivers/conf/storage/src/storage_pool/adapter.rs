//! The host bus adapter that the units of a SCSI pool hang on.

use virtbus_conf_base::common::{PciAddress, Wwn};
use virtbus_xml::{Content, Describe, ErrorKind, Node, Result, Text, Writer, Xml, YesNo};

/// `<parentaddr>`: a SCSI adapter by its PCI address.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ParentAddress {
    /// Number that the adapter's driver gives it, which tells several on one PCI device apart.
    #[xml(attr)]
    pub unique_id: u32,
    /// PCI address of the adapter on the host.
    #[xml(child)]
    pub address: PciAddress,
}

/// A SCSI adapter of the host.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum ScsiHostAdapter {
    /// Name of the adapter, such as `scsi_host5`; it may change at each boot.
    #[xml(attr = "name")]
    Name(Text),
    /// PCI address of the adapter, which does not change.
    #[xml(child = "parentaddr")]
    Parent(ParentAddress),
}

/// A virtual Fibre Channel adapter (NPIV).
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct FcHostAdapter {
    /// Name of the adapter on which the virtual one is created; found by the driver if absent.
    #[xml(attr)]
    pub parent: Option<Text>,
    /// World wide node name of the parent adapter; requires `parent_wwpn`.
    #[xml(attr)]
    pub parent_wwnn: Option<Wwn>,
    /// World wide port name of the parent adapter; requires `parent_wwnn`.
    #[xml(attr)]
    pub parent_wwpn: Option<Wwn>,
    /// World wide name of the fabric that the parent adapter is connected to.
    #[xml(attr)]
    pub parent_fabric_wwn: Option<Wwn>,
    /// Whether the virtual adapter is removed when the pool is stopped; always so if the pool created it.
    #[xml(attr)]
    pub managed: Option<YesNo>,
    /// World wide node name of the virtual adapter.
    #[xml(attr)]
    pub wwnn: Wwn,
    /// World wide port name of the virtual adapter.
    #[xml(attr)]
    pub wwpn: Wwn,
}

/// `<adapter>`: the SCSI host bus adapter that a pool's volumes are attached to.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Adapter {
    /// A SCSI adapter of the host.
    #[xml("scsi_host", default)]
    ScsiHost(ScsiHostAdapter),
    /// A virtual Fibre Channel adapter.
    #[xml("fc_host")]
    FcHost(FcHostAdapter),
}

impl Adapter {
    fn parse_scsi_host(node: Node<'_>) -> Result<Self> {
        let adapter = match (node.attr_opt("name")?, node.child_opt("parentaddr")?) {
            (Some(name), None) => ScsiHostAdapter::Name(name),
            (None, Some(parent)) => ScsiHostAdapter::Parent(parent),
            (None, None) => return Err(node.missing_attr("name")),
            (Some(_), Some(_)) => {
                return Err(node.error(
                    ErrorKind::Invalid,
                    "only one of 'name' and <parentaddr> may be given",
                ));
            }
        };
        Ok(Self::ScsiHost(adapter))
    }

    fn parse_fc_host(node: Node<'_>) -> Result<Self> {
        let adapter = FcHostAdapter::parse(node)?;
        match (&adapter.parent_wwnn, &adapter.parent_wwpn) {
            (Some(_), None) => Err(node.missing_attr("parent_wwpn")),
            (None, Some(_)) => Err(node.missing_attr("parent_wwnn")),
            _ => Ok(Self::FcHost(adapter)),
        }
    }

    /// Only a name can be given without a type.
    fn parse_untyped(node: Node<'_>) -> Result<Self> {
        let modern = ["wwnn", "wwpn", "parent"];
        if modern.iter().any(|name| node.attr(name).is_some()) || node.child("parentaddr").is_some()
        {
            return Err(node.missing_attr("type"));
        }
        Self::parse_scsi_host(node)
    }
}

impl Content for Adapter {
    fn parse(node: Node<'_>) -> Result<Self> {
        match node.attr("type") {
            None => Self::parse_untyped(node),
            Some("scsi_host") => Self::parse_scsi_host(node),
            Some("fc_host") => Self::parse_fc_host(node),
            Some(other) => {
                let known = virtbus_xml::one_of(&["scsi_host", "fc_host"]);
                Err(node.bad_attr("type", other, &known))
            }
        }
    }

    fn attrs(&self, w: &mut Writer) {
        match self {
            Self::FcHost(adapter) => {
                w.attr_str("type", "fc_host");
                adapter.attrs(w);
            }
            Self::ScsiHost(adapter) => {
                w.attr_str("type", "scsi_host");
                if let ScsiHostAdapter::Name(name) = adapter {
                    w.attr("name", name);
                }
            }
        }
    }

    fn children(&self, w: &mut Writer) {
        if let Self::ScsiHost(ScsiHostAdapter::Parent(parent)) = self {
            w.element("parentaddr", parent);
        }
    }
}
