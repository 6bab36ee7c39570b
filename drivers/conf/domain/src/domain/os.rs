//! How the guest boots: type, firmware, kernel, boot devices.

use virtbus_conf_base::common::{Arch, OsType};
use virtbus_conf_storage::storage::{ImageFormat, StorageSource};
use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, Nothing, Rare, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

/// `<type>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct OsMachine {
    /// Architecture.
    #[xml(attr)]
    pub arch: Option<Arch>,
    /// Machine type.
    #[xml(attr)]
    pub machine: Option<Text>,
    /// Kind of guest.
    #[xml(text)]
    pub kind: Option<OsType>,
}

xml_names! {
    /// Which firmware to look for.
    pub enum Firmware {
        Bios = "bios",
        Efi = "efi",
    }
}

xml_names! {
    /// A property that the firmware must have or lack.
    pub enum FirmwareFeatureName {
        EnrolledKeys = "enrolled-keys",
        SecureBoot = "secure-boot",
    }
}

/// `<feature>` in `<firmware>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirmwareFeature {
    /// Whether it must be there.
    #[xml(attr)]
    pub enabled: YesNo,
    /// Which.
    #[xml(attr)]
    pub name: FirmwareFeatureName,
}

/// `<firmware>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FirmwareInfo {
    /// The features asked for.
    #[xml(child)]
    pub feature: Vec<FirmwareFeature>,
}

xml_names! {
    /// How the loader is mapped.
    pub enum LoaderType {
        Rom = "rom",
        Pflash = "pflash",
    }
}

/// `<loader>`: the firmware image.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Loader {
    /// Whether the guest may not write to it.
    #[xml(attr)]
    pub readonly: Option<YesNo>,
    /// Whether it needs system management mode to keep secrets.
    #[xml(attr)]
    pub secure: Option<YesNo>,
    /// How it is mapped.
    #[xml(attr = "type", absent = "rom")]
    pub kind: Option<LoaderType>,
    /// Whether it does without variables.
    #[xml(attr)]
    pub stateless: Option<YesNo>,
    /// Format of the image.
    #[xml(attr)]
    pub format: Option<ImageFormat>,
    /// Path of the image.
    #[xml(text)]
    pub path: Option<Text>,
}

/// Where the firmware's variables are.
#[derive(Describe, Debug, Clone, PartialEq)]
pub enum NvramSource {
    /// A file: the element's own text.
    #[xml(text)]
    Path(Text),
    /// Any storage: `type` and `<source>`.
    #[xml(flat)]
    Source(Box<StorageSource>),
}

/// `<nvram>`: the firmware's variables.
#[derive(Describe, Debug, Clone, Default, PartialEq)]
pub struct Nvram {
    /// What a new store is copied from.
    #[xml(attr)]
    pub template: Option<Text>,
    /// Format of the template.
    #[xml(attr = "templateFormat")]
    pub template_format: Option<ImageFormat>,
    /// Where they are.
    #[xml(flat, value = NvramSource, required)]
    pub source: Option<NvramSource>,
    /// Format of the store.
    #[xml(attr)]
    pub format: Option<ImageFormat>,
}

impl Content for Nvram {
    fn parse(node: Node<'_>) -> Result<Self> {
        let source = if node.attr("type").is_some() {
            Some(NvramSource::Source(Box::new(StorageSource::parse(node)?)))
        } else {
            node.text_opt::<Text>()?.map(NvramSource::Path)
        };
        Ok(Self {
            template: node.attr_opt("template")?,
            template_format: node.attr_opt("templateFormat")?,
            source,
            format: node.attr_opt("format")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("template", &self.template);
        w.attr_opt("templateFormat", &self.template_format);
        if let Some(NvramSource::Source(source)) = &self.source {
            source.attrs(w);
        }
        w.attr_opt("format", &self.format);
    }

    fn children(&self, w: &mut Writer) {
        match &self.source {
            Some(NvramSource::Source(source)) => source.children(w),
            Some(NvramSource::Path(path)) => w.text(path),
            None => {}
        }
    }
}

xml_names! {
    /// A kind of device to boot from.
    pub enum BootDevice {
        Fd = "fd",
        Cdrom = "cdrom",
        Hd = "hd",
        Network = "network",
    }
}

/// `<bootmenu>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootMenu {
    /// Whether to offer one.
    #[xml(attr)]
    pub enable: YesNo,
    /// How long, in ms, 0 to 65535.
    #[xml(attr)]
    pub timeout: Option<u16>,
}

/// `<bios>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bios {
    /// Whether messages go to the serial port.
    #[xml(attr)]
    pub useserial: Option<YesNo>,
    /// Restart after this many ms if nothing boots; -1 is never, at most 65535.
    #[xml(attr = "rebootTimeout")]
    pub reboot_timeout: Option<i32>,
}

xml_names! {
    /// Where SMBIOS tables come from.
    pub enum SmbiosMode {
        Emulate = "emulate",
        Host = "host",
        Sysinfo = "sysinfo",
    }
}

xml_names! {
    /// Kind of an ACPI table.
    pub enum AcpiTableType {
        Raw = "raw",
        Rawset = "rawset",
        Slic = "slic",
        Msdm = "msdm",
    }
}

/// `<table>`: an ACPI table to add.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct AcpiTable {
    /// Its kind.
    #[xml(attr = "type")]
    pub kind: AcpiTableType,
    /// The file that holds it.
    #[xml(text)]
    pub path: Text,
}

/// `<acpi>` in `<os>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct AcpiTables {
    /// The tables.
    #[xml(child)]
    pub table: Vec<AcpiTable>,
}

/// `<initenv>`: one variable of a container's environment.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct InitEnv {
    /// Its name.
    #[xml(attr)]
    pub name: Text,
    /// Its value.
    #[xml(text)]
    pub value: Option<Text>,
}

/// How a container begins.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerInit {
    /// First program of a container.
    #[xml(text_child)]
    pub init: Option<Text>,
    /// Its arguments.
    #[xml(text_child)]
    pub initarg: Vec<Text>,
    /// Its environment.
    #[xml(child)]
    pub initenv: Vec<InitEnv>,
    /// Its working directory.
    #[xml(text_child)]
    pub initdir: Option<Text>,
    /// Its user.
    #[xml(text_child)]
    pub inituser: Option<Text>,
    /// Its group.
    #[xml(text_child)]
    pub initgroup: Option<Text>,
}

/// A kernel that is booted directly, and what goes with it.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectBoot {
    /// Kernel to boot directly.
    #[xml(text_child)]
    pub kernel: Option<Text>,
    /// Its initial RAM disk.
    #[xml(text_child)]
    pub initrd: Option<Text>,
    /// Its command line.
    #[xml(text_child)]
    pub cmdline: Option<Text>,
    /// Boot loader that checks the kernel's signature.
    #[xml(text_child)]
    pub shim: Option<Text>,
    /// Device tree.
    #[xml(text_child)]
    pub dtb: Option<Text>,
    /// Root device, for UML.
    #[xml(text_child)]
    pub root: Option<Text>,
}

/// `<os>`.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct Os {
    /// Which firmware to look for.
    #[xml(attr, when = not_migratable)]
    pub firmware: Option<Firmware>,
    /// Kind of guest.
    #[xml(child = "type")]
    pub machine: OsMachine,
    /// What the firmware must be able to do.
    #[xml(child = "firmware", skip_empty, when = not_migratable)]
    pub firmware_info: Option<Box<FirmwareInfo>>,
    /// How a container begins.
    #[xml(flat)]
    pub container: Rare<ContainerInit>,
    /// The firmware image.
    #[xml(child, skip_empty)]
    pub loader: Option<Box<Loader>>,
    /// The firmware's variables.
    #[xml(child, skip_empty)]
    pub nvram: Option<Box<Nvram>>,
    /// What is booted without a boot loader of the guest.
    #[xml(flat)]
    pub direct: Rare<DirectBoot>,
    /// ACPI tables to add.
    #[xml(child)]
    pub acpi: Option<Box<AcpiTables>>,
    /// Kinds of devices to boot from, in order.
    #[xml(child_attr = "boot/dev")]
    pub boot: Vec<BootDevice>,
    /// Boot menu.
    #[xml(child)]
    pub bootmenu: Option<BootMenu>,
    /// Other settings of the BIOS.
    #[xml(child, skip_empty)]
    pub bios: Option<Bios>,
    /// Where SMBIOS tables come from.
    #[xml(child_attr = "smbios/mode")]
    pub smbios: Option<SmbiosMode>,
}

impl Os {
    /// A guest of this kind with nothing else chosen.
    pub fn new(arch: Option<Arch>, kind: OsType) -> Self {
        Self {
            firmware: None,
            machine: OsMachine {
                arch,
                machine: None,
                kind: Some(kind),
            },
            firmware_info: None,
            container: Rare::default(),
            loader: None,
            nvram: None,
            direct: Rare::default(),
            acpi: None,
            boot: Vec::new(),
            bootmenu: None,
            bios: None,
            smbios: None,
        }
    }
}

fn not_migratable(_: &Os, flags: Flags) -> bool {
    !flags.contains(Flags::MIGRATABLE)
}

/// `<genid>`: a token that changes when the guest's state is rolled back.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenId(#[xml(text)] pub Option<virtbus_conf_base::common::Uuid>);

impl Content for GenId {
    fn parse(node: Node<'_>) -> Result<Self> {
        let id = node.text_opt::<virtbus_conf_base::common::Uuid>()?;
        if id.is_some_and(|id| id.0.is_nil()) {
            return Err(node.error(ErrorKind::Invalid, "must not be zero"));
        }
        Ok(Self(id))
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(id) = &self.0 {
            w.text(id);
        }
    }
}
