//! What the firmware tells the guest about its machine.

use virtbus_xml::{Content, Describe, ErrorKind, Node, Result, Text, Writer, Xml};

/// `<entry name='…'>` of an SMBIOS structure.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SysinfoEntry {
    /// Field name.
    #[xml(attr)]
    pub name: Text,
    /// Value.
    #[xml(text)]
    pub value: Option<Text>,
}

/// One SMBIOS structure: its fields.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SysinfoTable {
    /// The fields.
    #[xml(child)]
    pub entry: Vec<SysinfoEntry>,
}

impl SysinfoTable {
    /// The value of the field `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entry.iter().find(|e| e.name == name)?.value.as_deref()
    }
}

/// `<oemStrings>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct OemStrings {
    /// The strings.
    #[xml(text_child)]
    pub entry: Vec<Text>,
}

/// `<sysinfo type='smbios'>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SmbiosInfo {
    /// Firmware.
    #[xml(child, skip_empty)]
    pub bios: Option<SysinfoTable>,
    /// Machine.
    #[xml(child, skip_empty)]
    pub system: Option<SysinfoTable>,
    /// Boards.
    #[xml(child = "baseBoard", skip_empty)]
    pub base_board: Vec<SysinfoTable>,
    /// Chassis.
    #[xml(child, skip_empty)]
    pub chassis: Option<SysinfoTable>,
    /// Processors; host's own description only.
    #[xml(child, skip_empty)]
    pub processor: Vec<SysinfoTable>,
    /// Memory modules; host's own description only.
    #[xml(child = "memory_device", skip_empty)]
    pub memory_device: Vec<SysinfoTable>,
    /// Strings of the maker.
    #[xml(child = "oemStrings", skip_empty)]
    pub oem_strings: Option<OemStrings>,
}

/// `<entry>` of `<sysinfo type='fwcfg'>`: a blob for the firmware.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct FwCfgEntry {
    /// Name, such as `opt/org.example/name`.
    #[xml(attr)]
    pub name: Text,
    /// A file that holds the blob.
    #[xml(attr)]
    pub file: Option<Text>,
    /// The blob itself.
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

/// `<sysinfo type='fwcfg'>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FwCfg {
    /// The blobs.
    #[xml(child)]
    pub entry: Vec<FwCfgEntry>,
}

/// `<sysinfo>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum Sysinfo {
    /// SMBIOS tables.
    #[xml("smbios")]
    Smbios(SmbiosInfo),
    /// QEMU's firmware configuration device.
    #[xml("fwcfg")]
    FwCfg(FwCfg),
}
