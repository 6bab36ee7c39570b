//! PCI devices: `type='pci'`.

use virtbus_conf_base::common::PciAddress;
use virtbus_xml::{
    AnyBase, Base16, Content, Describe, Node, Result, Text, Writer, Xml, XmlError, xml_names,
};

use super::mediated::{MdevType, parse_types, write_types};
use super::{NamedId, Vpd, nested, write_nested};

xml_names! {
    /// Kind of a device by its configuration header; endpoints are not told.
    pub enum PciHeader {
        PciBridge = "pci-bridge",
        CardbusBridge = "cardbus-bridge",
    }
}

/// Nested `type='virt_functions'`: the device can be divided into virtual functions.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualFunctions {
    /// How many there can be; 0 is not told.
    #[xml(attr = "maxCount", unset = 0)]
    pub max_count: Option<u32>,
    /// Those there are.
    #[xml(child)]
    pub address: Vec<PciAddress>,
}

/// `<iommuGroup>`: devices that can only be given away together.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IommuGroup {
    /// Its number.
    #[xml(attr)]
    pub number: u32,
    /// The devices.
    #[xml(child)]
    pub address: Vec<PciAddress>,
}

xml_names! {
    /// Speed of a PCI Express lane in GT/s.
    pub enum PciLinkSpeed {
        Gt2_5 = "2.5",
        Gt5 = "5",
        Gt8 = "8",
        Gt16 = "16",
        Gt32 = "32",
        Gt64 = "64",
    }
}

/// `<link>`: a PCI Express link.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PciLink {
    /// Number of the port.
    #[xml(attr)]
    pub port: Option<u32>,
    /// Speed.
    #[xml(attr)]
    pub speed: Option<PciLinkSpeed>,
    /// How many lanes.
    #[xml(attr)]
    pub width: AnyBase,
}

/// `<pci-express>`.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciExpress {
    /// What the link can do.
    #[xml(child = "link[validity=cap]")]
    pub capability: Option<PciLink>,
    /// What it does.
    #[xml(child = "link[validity=sta]")]
    pub status: Option<PciLink>,
}

impl Content for PciExpress {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut express = Self::default();
        for link in node.children("link") {
            let (validity, parsed) = (link.attr_req::<Text>("validity")?, PciLink::parse(link)?);
            match validity.as_str() {
                "cap" => express.capability.get_or_insert(parsed),
                "sta" => express.status.get_or_insert(parsed),
                _ => {
                    let known = virtbus_xml::one_of(&["cap", "sta"]);
                    return Err(link.bad_attr("validity", &validity, &known));
                }
            };
        }
        Ok(express)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        for (validity, link) in [("cap", &self.capability), ("sta", &self.status)] {
            if let Some(link) = link {
                w.begin("link");
                w.attr_str("validity", validity);
                link.attrs(w);
                w.end("link");
            }
        }
    }
}

/// `type='pci'`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct PciCapability {
    /// Class, subclass and programming interface, 0 to 0xffffff.
    #[xml(text_child)]
    pub class: Option<Base16<6>>,
    /// Domain.
    #[xml(text_child)]
    pub domain: u32,
    /// Bus.
    #[xml(text_child)]
    pub bus: u32,
    /// Slot.
    #[xml(text_child)]
    pub slot: u32,
    /// Function.
    #[xml(text_child)]
    pub function: u32,
    /// Product.
    #[xml(child)]
    pub product: NamedId,
    /// Vendor.
    #[xml(child)]
    pub vendor: NamedId,
    /// The device that this one is a virtual function of.
    #[xml(child = "address", wrap = "capability[type=phys_function]")]
    pub physical_function: Option<PciAddress>,
    /// Its virtual functions.
    #[xml(child = "capability[type=virt_functions]")]
    pub virtual_functions: Option<VirtualFunctions>,
    /// Kind by its header, unless an endpoint.
    #[xml(child_attr = "capability/type")]
    pub header: Option<PciHeader>,
    /// Mediated devices that it can be divided into.
    #[xml(child = "type", wrap = "capability[type=mdev_types]")]
    pub mdev_types: Vec<MdevType>,
    /// Vital product data.
    #[xml(child = "capability[type=vpd]")]
    pub vpd: Option<Vpd>,
    /// IOMMU group.
    #[xml(child = "iommuGroup")]
    pub iommu_group: Option<IommuGroup>,
    /// The NUMA node it is close to.
    #[xml(child_attr = "numa/node")]
    pub numa_node: Option<i32>,
    /// Its link, if it is on PCI Express.
    #[xml(child = "pci-express")]
    pub pci_express: Option<PciExpress>,
}

impl PciCapability {
    /// Takes what is known among the nested capabilities. Other kinds are none of ours.
    fn parse_nested(&mut self, node: Node<'_>) -> Result<()> {
        for (kind, child) in nested(node)? {
            match kind {
                "phys_function" => self.physical_function = Some(child.child_req("address")?),
                "virt_functions" => self.virtual_functions = Some(VirtualFunctions::parse(child)?),
                "vpd" => self.vpd = Some(Vpd::parse(child)?),
                // Read already.
                "mdev_types" => {}
                // An endpoint is what every other device is.
                "endpoint" => {}
                _ => match PciHeader::from_name(kind) {
                    Some(header) => self.header = self.header.or(Some(header)),
                    None => continue,
                },
            }
            child.take();
        }
        Ok(())
    }
}

impl Content for PciCapability {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut pci = Self {
            class: parse_class(node)?,
            domain: node.text_child_req("domain")?,
            bus: node.text_child_req("bus")?,
            slot: node.text_child_req("slot")?,
            function: node.text_child_req("function")?,
            product: node.child_req("product")?,
            vendor: node.child_req("vendor")?,
            physical_function: None,
            virtual_functions: None,
            header: None,
            mdev_types: parse_types(node)?,
            vpd: None,
            iommu_group: parse_group(node)?,
            numa_node: parse_numa(node)?,
            pci_express: node.child_opt("pci-express")?,
        };
        pci.parse_nested(node)?;
        Ok(pci)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(class) = &self.class {
            w.text_element("class", class);
        }
        w.text_element("domain", &self.domain);
        w.text_element("bus", &self.bus);
        w.text_element("slot", &self.slot);
        w.text_element("function", &self.function);
        w.element("product", &self.product);
        w.element("vendor", &self.vendor);
        if let Some(address) = &self.physical_function {
            w.begin("capability");
            w.attr_str("type", "phys_function");
            w.element("address", address);
            w.end("capability");
        }
        if let Some(functions) = &self.virtual_functions {
            write_nested(w, "virt_functions", functions);
        }
        if let Some(header) = &self.header {
            w.attr_element("capability", "type", header);
        }
        write_types(&self.mdev_types, w);
        if let Some(vpd) = &self.vpd {
            write_nested(w, "vpd", vpd);
        }
        if let Some(group) = &self.iommu_group {
            w.element("iommuGroup", group);
        }
        if let Some(numa) = self.numa_node {
            w.attr_element("numa", "node", &numa);
        }
        if let Some(express) = &self.pci_express {
            w.element("pci-express", express);
        }
    }
}

/// Reads the NUMA node; one below 0 is none.
fn parse_numa(node: Node<'_>) -> Result<Option<i32>> {
    let numa: Option<i32> = node.child_or_absent("numa").attr_opt("node")?;
    Ok(numa.filter(|numa| *numa >= 0))
}

/// Reads the group, unless no device is said to be in it.
fn parse_group(node: Node<'_>) -> Result<Option<IommuGroup>> {
    let group: Option<IommuGroup> = node.child_opt("iommuGroup")?;
    Ok(group.filter(|group| !group.address.is_empty()))
}

fn parse_class(node: Node<'_>) -> Result<Option<Base16<6>>, XmlError> {
    let class: Option<Base16<6>> = node.text_child_opt("class")?;
    match (class, node.child("class")) {
        (Some(Base16(n)), Some(child)) if n > 0xff_ffff => {
            Err(child.bad_text(&child.text(), "a hexadecimal number of at most 24 bits"))
        }
        _ => Ok(class),
    }
}
