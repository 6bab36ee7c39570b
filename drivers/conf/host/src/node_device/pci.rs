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

/// Nested `type='virt_functions'`: the device can have virtual functions (SR-IOV).
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualFunctions {
    /// Largest number of virtual functions; 0 is not written.
    #[xml(attr = "maxCount", unset = 0)]
    pub max_count: Option<u32>,
    /// PCI addresses of the virtual functions that exist.
    #[xml(child)]
    pub address: Vec<PciAddress>,
}

/// `<iommuGroup>`: devices that can only be assigned to a guest together.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct IommuGroup {
    /// Number of the IOMMU group.
    #[xml(attr)]
    pub number: u32,
    /// PCI addresses of the devices in the group.
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

/// `<link>`: speed and width of a PCI Express link.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PciLink {
    /// Number of the port that the link belongs to.
    #[xml(attr)]
    pub port: Option<u32>,
    /// Speed of the link in GT/s.
    #[xml(attr)]
    pub speed: Option<PciLinkSpeed>,
    /// Number of lanes of the link.
    #[xml(attr)]
    pub width: AnyBase,
}

/// `<pci-express>`: the PCI Express link of a device.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PciExpress {
    /// Speed and width that the link supports.
    #[xml(child = "link[validity=cap]")]
    pub capability: Option<PciLink>,
    /// Speed and width at which the link runs now.
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

/// `type='pci'`: a device on a PCI bus.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct PciCapability {
    /// Class, subclass and programming interface, 0 to 0xffffff.
    #[xml(text_child)]
    pub class: Option<Base16<6>>,
    /// PCI domain of the device.
    #[xml(text_child)]
    pub domain: u32,
    /// PCI bus of the device.
    #[xml(text_child)]
    pub bus: u32,
    /// PCI slot of the device.
    #[xml(text_child)]
    pub slot: u32,
    /// PCI function of the device.
    #[xml(text_child)]
    pub function: u32,
    /// Product number and name.
    #[xml(child)]
    pub product: NamedId,
    /// Vendor number and name.
    #[xml(child)]
    pub vendor: NamedId,
    /// PCI address of the physical function that this device is a virtual function of.
    #[xml(child = "address", wrap = "capability[type=phys_function]")]
    pub physical_function: Option<PciAddress>,
    /// Virtual functions that the device has or can have.
    #[xml(child = "capability[type=virt_functions]")]
    pub virtual_functions: Option<VirtualFunctions>,
    /// Type of the device's header: `endpoint`, `pci-bridge` or `cardbus-bridge`; endpoints are not written.
    #[xml(child_attr = "capability/type")]
    pub header: Option<PciHeader>,
    /// Types of mediated devices that the device supports.
    #[xml(child = "type", wrap = "capability[type=mdev_types]")]
    pub mdev_types: Vec<MdevType>,
    /// Vital product data (VPD) that the device stores.
    #[xml(child = "capability[type=vpd]")]
    pub vpd: Option<Vpd>,
    /// Devices that can only be assigned to a guest together with this one.
    #[xml(child = "iommuGroup")]
    pub iommu_group: Option<IommuGroup>,
    /// Number of the NUMA node that the device is close to.
    #[xml(child_attr = "numa/node")]
    pub numa_node: Option<i32>,
    /// PCI Express link of the device; absent on older buses.
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
