//! What every device may have: boot order, alias, address.

use virtbus_xml::{Flags, Nothing, OnOff, Text, Xml, YesNo};

use super::address::Address;

/// Aliases that begin like this come from the user, and are kept in definitions.
pub const USER_ALIAS_PREFIX: &str = "ua-";

/// `<boot>` of a device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DeviceBoot {
    /// When it is tried, from 1.
    #[xml(attr)]
    pub order: u32,
    /// What s390 firmware loads: up to 8 characters.
    #[xml(attr)]
    pub loadparm: Option<Text>,
}

/// `<rom>`: option ROM of a PCI device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Rom {
    /// Whether it has one.
    #[xml(attr)]
    pub enabled: Option<YesNo>,
    /// Whether the guest sees it.
    #[xml(attr)]
    pub bar: Option<OnOff>,
    /// File that holds it.
    #[xml(attr)]
    pub file: Option<Text>,
}

/// The parts that devices share, as children of the device's element.
#[derive(Xml, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Boot order.
    #[xml(child)]
    pub boot: Option<Box<DeviceBoot>>,
    /// Name of the device in the hypervisor.
    #[xml(child_attr = "alias/name", when = alias_is_visible)]
    pub alias: Option<Text>,
    /// First port of a USB controller that accompanies another one.
    #[xml(child_attr = "master/startport")]
    pub master: Option<u32>,
    /// Option ROM.
    #[xml(child, skip_empty)]
    pub rom: Option<Box<Rom>>,
    /// Number by which the guest names the device, from 1.
    #[xml(child_attr = "acpi/index")]
    pub acpi_index: Option<u32>,
    /// Where it is.
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
    /// Whether it goes through the guest's IOMMU.
    #[xml(attr)]
    pub iommu: Option<OnOff>,
    /// Address translation service.
    #[xml(attr)]
    pub ats: Option<OnOff>,
    /// Packed rings.
    #[xml(attr)]
    pub packed: Option<OnOff>,
    /// A page for each queue's notification.
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
    /// The options.
    #[xml(child = "driver", skip_empty)]
    pub driver: Option<VirtioOptions>,
}

impl VirtioDriver {
    /// The options, none given if there is no element.
    pub fn options(&self) -> VirtioOptions {
        self.driver.unwrap_or_default()
    }
}
