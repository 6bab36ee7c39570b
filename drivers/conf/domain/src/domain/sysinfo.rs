//! What the firmware tells the guest about its machine.

use virtbus_xml::{Content, Describe, ErrorKind, Node, Result, Text, Writer, Xml};

/// `<entry name='…'>`: one field of an SMBIOS structure.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SysinfoEntry {
    /// Name of the field, such as `manufacturer` or `serial`.
    #[xml(attr)]
    pub name: Text,
    /// Value of the field.
    #[xml(text)]
    pub value: Option<Text>,
}

/// One SMBIOS structure of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SysinfoTable {
    /// Fields of the structure; those not listed are as the hypervisor has them.
    #[xml(child)]
    pub entry: Vec<SysinfoEntry>,
}

impl SysinfoTable {
    /// The value of the field `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entry.iter().find(|e| e.name == name)?.value.as_deref()
    }
}

/// `<oemStrings>`: strings of any meaning for programs in the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct OemStrings {
    /// String that the guest can read; several are in the order of the document.
    #[xml(text_child)]
    pub entry: Vec<Text>,
}

/// `<sysinfo type='smbios'>`: strings that the guest sees in its SMBIOS tables.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SmbiosInfo {
    /// Firmware: vendor, version, date, release.
    #[xml(child, skip_empty)]
    pub bios: Option<SysinfoTable>,
    /// Machine: manufacturer, product, version, serial, UUID, sku, family.
    #[xml(child, skip_empty)]
    pub system: Option<SysinfoTable>,
    /// Main boards, one entry for each: manufacturer, product, version, serial, asset, location.
    #[xml(child = "baseBoard", skip_empty)]
    pub base_board: Vec<SysinfoTable>,
    /// Chassis: manufacturer, version, serial, asset, sku.
    #[xml(child, skip_empty)]
    pub chassis: Option<SysinfoTable>,
    /// Processors, one entry for each; in the host's own description only.
    #[xml(child, skip_empty)]
    pub processor: Vec<SysinfoTable>,
    /// Memory modules, one entry for each; in the host's own description only.
    #[xml(child = "memory_device", skip_empty)]
    pub memory_device: Vec<SysinfoTable>,
    /// Strings of any meaning for programs in the guest.
    #[xml(child = "oemStrings", skip_empty)]
    pub oem_strings: Option<OemStrings>,
}

/// `<entry>` of `<sysinfo type='fwcfg'>`: a blob that firmware or guest can read.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct FwCfgEntry {
    /// Name of the blob, such as `opt/org.example/name`.
    #[xml(attr)]
    pub name: Text,
    /// Absolute path of the file with the blob; excludes a text.
    #[xml(attr)]
    pub file: Option<Text>,
    /// Text of the blob; excludes `file`.
    #[xml(text)]
    pub value: Option<Text>,
}

impl Content for FwCfgEntry {
    fn parse(node: Node<'_>) -> Result<Self> {
        let entry = Self {
            name: node.attr_req("name")?,
            file: node.attr_opt("file")?,
            value: node.text_opt()?,
        };
        if entry.file.is_some() == entry.value.is_some() {
            return Err(node.error(
                ErrorKind::Invalid,
                "give either the attribute 'file' or text",
            ));
        }
        Ok(entry)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("name", &self.name);
        w.attr_opt("file", &self.file);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(value) = &self.value {
            w.text(value);
        }
    }
}

/// `<sysinfo type='fwcfg'>`: blobs that firmware or guest can read (fw_cfg).
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FwCfg {
    /// Blobs, each with a name.
    #[xml(child)]
    pub entry: Vec<FwCfgEntry>,
}

/// `<sysinfo>`: strings and blobs that the guest finds in its firmware.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Sysinfo {
    /// Strings in SMBIOS tables; used if `<smbios mode='sysinfo'/>` is given.
    #[xml("smbios")]
    Smbios(SmbiosInfo),
    /// Blobs in QEMU's firmware configuration device.
    #[xml("fwcfg")]
    FwCfg(FwCfg),
}
