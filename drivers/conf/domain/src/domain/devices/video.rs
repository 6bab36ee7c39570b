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

/// `<driver>`: how the hypervisor runs a graphics card.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoDriver {
    /// Options that all virtio devices have.
    #[xml(flat)]
    pub virtio: VirtioOptions,
    /// How VGA registers of the bhyve frame buffer are set: `io`, `on` or `off`.
    #[xml(attr)]
    pub vgaconf: Option<VgaConf>,
    /// What renders: `qemu`, or `vhostuser` in a separate process; `qemu` if absent.
    #[xml(attr)]
    pub name: Option<VideoBackend>,
}

/// `<acceleration>`: whether the guest can use the host's graphics acceleration.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Acceleration {
    /// Whether 3D acceleration is available; `no` if absent.
    #[xml(attr)]
    pub accel3d: Option<YesNo>,
    /// Whether 2D acceleration is available (VirtualBox); `no` if absent.
    #[xml(attr)]
    pub accel2d: Option<YesNo>,
    /// Path of the host's render device, with `vhostuser`.
    #[xml(attr)]
    pub rendernode: Option<Text>,
}

/// `<resolution>`: the initial resolution of the screen.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// Width of the screen in pixels.
    #[xml(attr)]
    pub x: u32,
    /// Height of the screen in pixels.
    #[xml(attr)]
    pub y: u32,
}

/// `<model>`: the graphics card that the guest sees. Sizes of memory are in KiB.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoModel {
    /// Model of the card, such as `virtio`, `qxl`, `vga` or `none`; chosen by machine and display if absent.
    #[xml(attr = "type")]
    pub kind: Option<VideoModelType>,
    /// Size of the primary memory area in KiB; qxl only.
    #[xml(attr)]
    pub ram: Option<u32>,
    /// Size of the video memory in KiB; the secondary area for qxl.
    #[xml(attr)]
    pub vram: Option<u32>,
    /// Size of the secondary area above 4 GiB in KiB; qxl only.
    #[xml(attr)]
    pub vram64: Option<u32>,
    /// Size of the VGA frame buffer in KiB; qxl only.
    #[xml(attr)]
    pub vgamem: Option<u32>,
    /// Number of screens of the card.
    #[xml(attr, absent = "1")]
    pub heads: Option<u32>,
    /// Whether this is the primary card; one only, the first if absent.
    #[xml(attr)]
    pub primary: Option<YesNo>,
    /// Whether resources can be kept in host memory without copying (blob resources); virtio only.
    #[xml(attr)]
    pub blob: Option<OnOff>,
    /// Graphics acceleration that the guest can use.
    #[xml(child)]
    pub acceleration: Option<Box<Acceleration>>,
    /// Initial resolution of the screen.
    #[xml(child)]
    pub resolution: Option<Resolution>,
}

/// `<video>`: a graphics card of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Video {
    /// How the hypervisor runs the card.
    #[xml(child, skip_empty)]
    pub driver: Option<VideoDriver>,
    /// Model of the card, with its memory and screens.
    #[xml(child, skip_empty)]
    pub model: Option<VideoModel>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}
