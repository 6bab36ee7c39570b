//! How the guest boots: type, firmware, kernel, boot devices.

use virtbus_conf_base::common::{Arch, OsType};
use virtbus_conf_storage::storage::{ImageFormat, StorageSource};
use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, Nothing, Rare, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

/// `<type>`: kind of guest, architecture and machine type.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct OsMachine {
    /// Architecture of the guest's processor; that of the host if absent.
    #[xml(attr)]
    pub arch: Option<Arch>,
    /// Machine type, such as `q35`; the hypervisor's default if absent.
    #[xml(attr)]
    pub machine: Option<Text>,
    /// Kind of guest: `hvm` is full virtualization, `exe` a container, `xen`, `xenpvh` and `linux` paravirtualization.
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

/// `<feature>` in `<firmware>`: a feature that the firmware must or must not have.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirmwareFeature {
    /// Whether the firmware must have the feature (`yes`) or must not (`no`).
    #[xml(attr)]
    pub enabled: YesNo,
    /// Name of the feature: `secure-boot` or `enrolled-keys`.
    #[xml(attr)]
    pub name: FirmwareFeatureName,
}

/// `<firmware>`: features by which a firmware image is chosen automatically.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FirmwareInfo {
    /// Features that the firmware must or must not have.
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

/// `<loader>`: the firmware image of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Loader {
    /// Whether the guest may only read the image.
    #[xml(attr)]
    pub readonly: Option<YesNo>,
    /// Whether the firmware protects its variables by system management mode, as Secure Boot requires.
    #[xml(attr)]
    pub secure: Option<YesNo>,
    /// How the image is mapped: `rom` as read-only memory, `pflash` as flash memory.
    #[xml(attr = "type", absent = "rom")]
    pub kind: Option<LoaderType>,
    /// Whether the firmware works without variables, all changes of which are lost at reboot.
    #[xml(attr)]
    pub stateless: Option<YesNo>,
    /// Format of the image: `raw` or `qcow2`.
    #[xml(attr)]
    pub format: Option<ImageFormat>,
    /// Absolute path of the image; chosen by `firmware` if absent.
    #[xml(text)]
    pub path: Option<Text>,
}

/// Where the firmware's variables are stored.
#[derive(Describe, Debug, Clone, PartialEq)]
pub enum NvramSource {
    /// Absolute path of a file, as the element's own text.
    #[xml(text)]
    Path(Text),
    /// Any storage, by `type` and `<source>`.
    #[xml(flat)]
    Source(Box<StorageSource>),
}

/// `<nvram>`: the store of the firmware's variables.
#[derive(Describe, Debug, Clone, Default, PartialEq)]
pub struct Nvram {
    /// Absolute path of the file that a missing store is copied from.
    #[xml(attr)]
    pub template: Option<Text>,
    /// Format of the template: `raw` or `qcow2`.
    #[xml(attr = "templateFormat")]
    pub template_format: Option<ImageFormat>,
    /// Where the variables are stored; chosen by the driver if absent.
    #[xml(flat, value = NvramSource, required)]
    pub source: Option<NvramSource>,
    /// Format of the store: `raw` or `qcow2`.
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

/// `<bootmenu>`: whether the firmware shows a boot menu.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootMenu {
    /// Whether the boot menu is shown.
    #[xml(attr)]
    pub enable: YesNo,
    /// Time in milliseconds for which the menu waits, 0 to 65535.
    #[xml(attr)]
    pub timeout: Option<u16>,
}

/// `<bios>`: further settings of the BIOS.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bios {
    /// Whether BIOS messages go to the first serial port.
    #[xml(attr)]
    pub useserial: Option<YesNo>,
    /// Milliseconds after which the guest reboots if nothing could be booted, up to 65535; -1 means never.
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

/// `<table>`: an ACPI table that the guest is given.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct AcpiTable {
    /// Type of the table: `slic`, `raw`, or `msdm`, …
    #[xml(attr = "type")]
    pub kind: AcpiTableType,
    /// Absolute path of the file with the table.
    #[xml(text)]
    pub path: Text,
}

/// `<acpi>`: ACPI tables that the guest is given.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct AcpiTables {
    /// Tables, each in a file of the host.
    #[xml(child)]
    pub table: Vec<AcpiTable>,
}

/// `<initenv>`: a variable of a container's environment.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct InitEnv {
    /// Name of the environment variable.
    #[xml(attr)]
    pub name: Text,
    /// Value of the environment variable.
    #[xml(text)]
    pub value: Option<Text>,
}

/// What a container runs first, and in which environment.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerInit {
    /// Absolute path of the container's first program; `/sbin/init` if absent.
    #[xml(text_child)]
    pub init: Option<Text>,
    /// Argument of the first program; once for each.
    #[xml(text_child)]
    pub initarg: Vec<Text>,
    /// Variable in the environment of the first program; once for each.
    #[xml(child)]
    pub initenv: Vec<InitEnv>,
    /// Working directory of the first program.
    #[xml(text_child)]
    pub initdir: Option<Text>,
    /// User that the first program runs as: name or UID.
    #[xml(text_child)]
    pub inituser: Option<Text>,
    /// Group that the first program runs as: name or GID.
    #[xml(text_child)]
    pub initgroup: Option<Text>,
}

/// A kernel that is booted without a boot loader in the guest.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectBoot {
    /// Absolute path of the kernel image on the host.
    #[xml(text_child)]
    pub kernel: Option<Text>,
    /// Absolute path of the initial RAM disk on the host.
    #[xml(text_child)]
    pub initrd: Option<Text>,
    /// Command line of the kernel.
    #[xml(text_child)]
    pub cmdline: Option<Text>,
    /// Absolute path of the boot loader (shim) that verifies the kernel for Secure Boot.
    #[xml(text_child)]
    pub shim: Option<Text>,
    /// Absolute path of the device tree (dtb) on the host.
    #[xml(text_child)]
    pub dtb: Option<Text>,
    /// Root device of the kernel; UML only.
    #[xml(text_child)]
    pub root: Option<Text>,
}

/// `<os>`: kind of guest, firmware, and what it boots.
#[derive(Xml, Debug, Clone, PartialEq)]
pub struct Os {
    /// Kind of firmware to choose automatically: `bios` or `efi`.
    #[xml(attr, when = not_migratable)]
    pub firmware: Option<Firmware>,
    /// Kind of guest, architecture and machine type.
    #[xml(child = "type")]
    pub machine: OsMachine,
    /// Features by which the firmware is chosen.
    #[xml(child = "firmware", skip_empty, when = not_migratable)]
    pub firmware_info: Option<Box<FirmwareInfo>>,
    /// What a container runs first.
    #[xml(flat)]
    pub container: Rare<ContainerInit>,
    /// Firmware image of the guest; chosen by `firmware`, or the machine type's own, if absent.
    #[xml(child, skip_empty)]
    pub loader: Option<Box<Loader>>,
    /// Store of the firmware's variables.
    #[xml(child, skip_empty)]
    pub nvram: Option<Box<Nvram>>,
    /// Kernel, initial RAM disk and command line that are booted directly.
    #[xml(flat)]
    pub direct: Rare<DirectBoot>,
    /// ACPI tables that the guest is given.
    #[xml(child)]
    pub acpi: Option<Box<AcpiTables>>,
    /// Kind of device to boot from: `hd`, `cdrom`, `network` or `fd`; tried in the order of the document. Excludes
    /// `<boot>` of devices.
    #[xml(child_attr = "boot/dev")]
    pub boot: Vec<BootDevice>,
    /// Whether the firmware shows a boot menu.
    #[xml(child)]
    pub bootmenu: Option<BootMenu>,
    /// Further settings of the BIOS.
    #[xml(child, skip_empty)]
    pub bios: Option<Bios>,
    /// Where SMBIOS strings come from: `emulate` the hypervisor, `host` the host's, `sysinfo` the element `<sysinfo>`.
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

/// `<genid>`: an ID that changes when the guest is put back to an earlier state, so that it can react; generated if
/// empty.
#[derive(Describe, Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenId(
    /// Generation ID as a UUID; generated at definition if absent.
    #[xml(text)]
    pub Option<virtbus_conf_base::common::Uuid>,
);

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
