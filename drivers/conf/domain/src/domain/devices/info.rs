//! What every device may have: boot order, alias, address.

use virtbus_xml::{Flags, Nothing, OnOff, Text, Xml, YesNo};

use super::address::Address;

/// Aliases that begin like this come from the user, and are kept in definitions.
pub const USER_ALIAS_PREFIX: &str = "ua-";

/// `<boot>`: when the firmware tries to boot from the device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DeviceBoot {
    /// Position in the boot order, from 1; each may occur once. Excludes `<boot>` in `<os>`.
    #[xml(attr)]
    pub order: u32,
    /// Boot entry that s390 firmware selects: up to 8 characters.
    #[xml(attr)]
    pub loadparm: Option<Text>,
}

/// `<rom>`: the option ROM (boot firmware) of a PCI device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Rom {
    /// Whether the device has an option ROM; `yes` if absent.
    #[xml(attr)]
    pub enabled: Option<YesNo>,
    /// Whether the ROM is visible in the guest's memory map; `on` on most machine types if absent.
    #[xml(attr)]
    pub bar: Option<OnOff>,
    /// Absolute path of the file with the ROM; the device's own if absent.
    #[xml(attr)]
    pub file: Option<Text>,
}

/// Parts that devices share, as children of the device's element.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// When the firmware tries to boot from the device.
    #[xml(child)]
    pub boot: Option<Box<DeviceBoot>>,
    /// Name of the device in the hypervisor, unique in the guest; names that begin with `ua-` are the user's and are
    /// kept.
    #[xml(child_attr = "alias/name", when = alias_is_visible)]
    pub alias: Option<Text>,
    /// First port of the USB 2.0 controller that this companion controller serves.
    #[xml(child_attr = "master/startport")]
    pub master: Option<u32>,
    /// Option ROM (boot firmware) of the device.
    #[xml(child, skip_empty)]
    pub rom: Option<Box<Rom>>,
    /// ACPI index of the device, from which the guest may make an interface name such as `eno1`; unique, from 1.
    #[xml(child_attr = "acpi/index")]
    pub acpi_index: Option<u32>,
    /// Where the guest finds the device; absent means that the driver chooses.
    #[xml(child)]
    pub address: Option<Address>,
}

impl DeviceInfo {
    /// Whether the alias comes from the user.
    pub fn has_user_alias(&self) -> bool {
        self.alias
            .as_ref()
            .is_some_and(|a| a.starts_with(USER_ALIAS_PREFIX))
    }

    /// Whether nothing would be written for a running guest.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn alias_is_visible(info: &DeviceInfo, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE) || info.has_user_alias()
}

/// Options that all virtio devices have, as attributes of `<driver>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VirtioOptions {
    /// Whether the device's memory accesses go through the guest's IOMMU.
    #[xml(attr)]
    pub iommu: Option<OnOff>,
    /// Whether the device has an address translation service (ATS) for PCI Express.
    #[xml(attr)]
    pub ats: Option<OnOff>,
    /// Whether the packed layout of virtio queues is used; the hypervisor decides if absent.
    #[xml(attr)]
    pub packed: Option<OnOff>,
    /// Whether each queue's notification register has a memory page of its own.
    #[xml(attr)]
    pub page_per_vq: Option<OnOff>,
}

impl VirtioOptions {
    /// Whether any is given.
    pub fn has_any(&self) -> bool {
        *self != Self::default()
    }
}

/// `<driver>` of devices that have virtio options only.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VirtioDriver {
    /// Options that all virtio devices have.
    #[xml(child = "driver", skip_empty)]
    pub driver: Option<VirtioOptions>,
}

impl VirtioDriver {
    /// The options, none given if there is no element.
    pub fn options(&self) -> VirtioOptions {
        self.driver.unwrap_or_default()
    }
}
