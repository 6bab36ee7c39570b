//! `<video>`: graphics cards.

use virtbus_xml::{OnOff, Rare, Text, Xml, YesNo, xml_names};

use super::info::{DeviceInfo, VirtioOptions};

xml_names! {
    /// Model of a graphics card.
    pub enum VideoModelType {
        Vga = "vga",
        Cirrus = "cirrus",
        Vmvga = "vmvga",
        Xen = "xen",
        Vbox = "vbox",
        Qxl = "qxl",
        Parallels = "parallels",
        Virtio = "virtio",
        Gop = "gop",
        None = "none",
        Bochs = "bochs",
        Ramfb = "ramfb",
    }
}

xml_names! {
    /// When VGA registers are used.
    pub enum VgaConf {
        Io = "io",
        On = "on",
        Off = "off",
    }
}

xml_names! {
    /// Who renders.
    pub enum VideoBackend {
        Qemu = "qemu",
        Vhostuser = "vhostuser",
    }
}

/// `<driver>` of a graphics card.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoDriver {
    /// Options of virtio.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// VGA registers.
    #[xml(attr)]
    pub vgaconf: Option<VgaConf>,
    /// Who renders.
    #[xml(attr)]
    pub name: Option<VideoBackend>,
}

/// `<acceleration>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Acceleration {
    /// In three dimensions.
    #[xml(attr)]
    pub accel3d: Option<YesNo>,
    /// In two dimensions.
    #[xml(attr)]
    pub accel2d: Option<YesNo>,
    /// Device to render with.
    #[xml(attr)]
    pub rendernode: Option<Text>,
}

/// `<resolution>`.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// Width in pixels.
    #[xml(attr)]
    pub x: u32,
    /// Height in pixels.
    #[xml(attr)]
    pub y: u32,
}

/// `<model>` of a graphics card. Memory is in KiB.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoModel {
    /// Model.
    #[xml(attr = "type")]
    pub kind: Option<VideoModelType>,
    /// Memory of the primary area.
    #[xml(attr)]
    pub ram: Option<u32>,
    /// Memory of the secondary area, or all of it.
    #[xml(attr)]
    pub vram: Option<u32>,
    /// The secondary area above 4 GiB.
    #[xml(attr)]
    pub vram64: Option<u32>,
    /// Memory of the VGA frame buffer.
    #[xml(attr)]
    pub vgamem: Option<u32>,
    /// Screens.
    #[xml(attr, absent = "1")]
    pub heads: Option<u32>,
    /// Whether it is the first card.
    #[xml(attr)]
    pub primary: Option<YesNo>,
    /// Whether resources live in the host's memory.
    #[xml(attr)]
    pub blob: Option<OnOff>,
    /// Acceleration.
    #[xml(child)]
    pub acceleration: Option<Box<Acceleration>>,
    /// Resolution.
    #[xml(child)]
    pub resolution: Option<Resolution>,
}

/// `<video>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Video {
    /// How it is handled.
    #[xml(child, skip_empty)]
    pub driver: Option<VideoDriver>,
    /// Model.
    #[xml(child, skip_empty)]
    pub model: Option<VideoModel>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}
