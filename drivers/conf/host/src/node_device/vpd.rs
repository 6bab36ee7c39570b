//! Vital product data of PCI devices: nested `type='vpd'`.

use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, XmlError};

/// A field that the vendor or system numbers itself: `<vendor_field>` or `<system_field>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    /// Character that tells the field apart from others of its kind.
    #[xml(attr, told = "one digit or upper case letter")]
    pub index: char,
    /// Text of the field.
    #[xml(text)]
    pub value: Text,
}

impl CustomField {
    /// Reads the fields `name`; a later one replaces an earlier one of the same index.
    fn parse_all(node: Node<'_>, name: &str) -> Result<Vec<Self>> {
        let mut fields: Vec<Self> = Vec::new();
        for child in node.children(name) {
            let index = index_of(child)?;
            let value = child.text_req()?;
            match fields.iter_mut().find(|f| f.index == index) {
                Some(field) => field.value = value,
                None => fields.push(Self { index, value }),
            }
        }
        Ok(fields)
    }

    fn write_all(fields: &[Self], name: &str, w: &mut Writer) {
        for field in fields {
            w.begin(name);
            w.attr_str("index", field.index.encode_utf8(&mut [0; 4]));
            w.text(&field.value);
            w.end(name);
        }
    }
}

fn index_of(node: Node<'_>) -> Result<char, XmlError> {
    let text: Text = node.attr_req("index")?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii_digit() || c.is_ascii_uppercase() => Ok(c),
        _ => Err(node.bad_attr("index", &text, "one digit or upper case letter")),
    }
}

/// Fields that only the vendor can write.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct VpdReadOnly {
    /// Engineering change level of the product.
    #[xml(text_child)]
    pub change_level: Option<Text>,
    /// Identification of the manufacturer.
    #[xml(text_child)]
    pub manufacture_id: Option<Text>,
    /// Part number of the product.
    #[xml(text_child)]
    pub part_number: Option<Text>,
    /// Serial number of the product.
    #[xml(text_child)]
    pub serial_number: Option<Text>,
    /// Fields that the vendor has added.
    #[xml(child = "vendor_field")]
    pub vendor_fields: Vec<CustomField>,
}

impl Content for VpdReadOnly {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            change_level: node.text_child_opt("change_level")?,
            manufacture_id: node.text_child_opt("manufacture_id")?,
            part_number: node.text_child_opt("part_number")?,
            serial_number: node.text_child_opt("serial_number")?,
            vendor_fields: CustomField::parse_all(node, "vendor_field")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("access", "readonly");
    }

    fn children(&self, w: &mut Writer) {
        for (name, value) in [
            ("change_level", &self.change_level),
            ("manufacture_id", &self.manufacture_id),
            ("part_number", &self.part_number),
            ("serial_number", &self.serial_number),
        ] {
            if let Some(value) = value {
                w.text_element(name, value);
            }
        }
        CustomField::write_all(&self.vendor_fields, "vendor_field", w);
    }
}

/// Fields that the owner of the device can write.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct VpdReadWrite {
    /// Asset tag that the owner has set.
    #[xml(text_child)]
    pub asset_tag: Option<Text>,
    /// Fields that the vendor has added.
    #[xml(child = "vendor_field")]
    pub vendor_fields: Vec<CustomField>,
    /// Fields that the system's maker has added.
    #[xml(child = "system_field")]
    pub system_fields: Vec<CustomField>,
}

impl Content for VpdReadWrite {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            asset_tag: node.text_child_opt("asset_tag")?,
            vendor_fields: CustomField::parse_all(node, "vendor_field")?,
            system_fields: CustomField::parse_all(node, "system_field")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_str("access", "readwrite");
    }

    fn children(&self, w: &mut Writer) {
        if let Some(tag) = &self.asset_tag {
            w.text_element("asset_tag", tag);
        }
        CustomField::write_all(&self.vendor_fields, "vendor_field", w);
        CustomField::write_all(&self.system_fields, "system_field", w);
    }
}

/// Vital product data: what a device stores of its make and identity.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Vpd {
    /// Name of the product.
    #[xml(text_child)]
    pub name: Text,
    /// Fields that only the vendor can write.
    #[xml(child = "fields[access=readonly]")]
    pub read_only: Option<VpdReadOnly>,
    /// Fields that the owner can write.
    #[xml(child = "fields[access=readwrite]")]
    pub read_write: Option<VpdReadWrite>,
}

impl Content for Vpd {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut vpd = Self {
            name: node.text_child_req("name")?,
            ..Self::default()
        };
        for fields in node.children("fields") {
            let access: Text = fields.attr_req("access")?;
            match access.as_str() {
                "readonly" => vpd.read_only = Some(VpdReadOnly::parse(fields)?),
                "readwrite" => vpd.read_write = Some(VpdReadWrite::parse(fields)?),
                _ => {
                    let known = virtbus_xml::one_of(&["readonly", "readwrite"]);
                    return Err(fields.bad_attr("access", &access, &known));
                }
            }
        }
        Ok(vpd)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("name", &self.name);
        if let Some(fields) = &self.read_only {
            w.element_open("fields", fields);
        }
        if let Some(fields) = &self.read_write {
            w.element_open("fields", fields);
        }
    }
}
