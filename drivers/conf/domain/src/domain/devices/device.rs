//! Devices of any kind: one at a time, as clients plug them, or all of them in order.

use virtbus_xml::{Content, Document, ErrorKind, Flags, Node, Rare, Result, Writer, XmlError};

use super::Devices;
use super::chardev::{Channel, Console, Parallel, Serial};
use super::controller::Controller;
use super::disk::Disk;
use super::filesystem::Filesystem;
use super::graphics::Graphics;
use super::hostdev::Hostdev;
use super::info::DeviceInfo;
use super::interface::Interface;
use super::memory::{MemoryDevice, Shmem};
use super::misc::{
    Crypto, Input, Iommu, Lease, Memballoon, NvramDevice, Panic, Pstore, Rng, Vsock, Watchdog,
};
use super::smartcard::{Hub, Redirdev, Smartcard};
use super::sound::{Audio, Sound};
use super::tpm::Tpm;
use super::video::Video;
use crate::domain::Domain;

/// What devices have in common.
trait Informed {
    fn device_info(&self) -> Option<&DeviceInfo>;
    fn device_info_mut(&mut self) -> Option<&mut Rare<DeviceInfo>>;
}

macro_rules! informed {
    ($($type:ty),+) => {$(
        impl Informed for $type {
            fn device_info(&self) -> Option<&DeviceInfo> {
                Some(&self.info)
            }

            fn device_info_mut(&mut self) -> Option<&mut Rare<DeviceInfo>> {
                Some(&mut self.info)
            }
        }
    )+};
}

macro_rules! uninformed {
    ($($type:ty),+) => {$(
        impl Informed for $type {
            fn device_info(&self) -> Option<&DeviceInfo> {
                None
            }

            fn device_info_mut(&mut self) -> Option<&mut Rare<DeviceInfo>> {
                None
            }
        }
    )+};
}

informed!(
    Disk,
    Interface,
    Sound,
    Hostdev,
    Filesystem,
    Controller,
    Smartcard,
    Serial,
    Parallel,
    Channel,
    Console,
    Input,
    Watchdog,
    Memballoon,
    Rng,
    NvramDevice,
    Hub,
    Shmem,
    MemoryDevice,
    Tpm,
    Panic,
    Redirdev,
    Iommu,
    Vsock,
    Video,
    Crypto,
    Pstore
);
uninformed!(Lease, Graphics, Audio);

/// The place of the devices of a kind: a list, or one at most.
trait Place<T: 'static> {
    /// The devices.
    fn each(&self) -> impl Iterator<Item = &T>;
    /// The devices, to be changed.
    fn each_mut(&mut self) -> impl Iterator<Item = &mut T>;
    /// Adds a device, or gives it back if there is no room.
    fn put(&mut self, device: T) -> Result<(), T>;
    /// Leaves those for which `stays` holds.
    fn leave(&mut self, stays: &mut dyn FnMut(&T) -> bool);
    /// Gives memory back that is for more than there is.
    fn fit(&mut self);
}

impl<T: Informed + 'static> Place<T> for Vec<T> {
    fn each(&self) -> impl Iterator<Item = &T> {
        self.iter()
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.iter_mut()
    }

    fn put(&mut self, device: T) -> Result<(), T> {
        self.push(device);
        Ok(())
    }

    fn leave(&mut self, stays: &mut dyn FnMut(&T) -> bool) {
        self.retain(|device| stays(device));
    }

    fn fit(&mut self) {
        if self.len() < self.capacity() {
            // Shrinking in place would leave a hole in the heap behind each list of each domain.
            let mut fitting = Self::with_capacity(self.len());
            fitting.append(self);
            *self = fitting;
        }
        tidy(self);
    }
}

impl<T: Informed + PartialEq + 'static> Place<T> for Rare<Vec<T>> {
    fn each(&self) -> impl Iterator<Item = &T> {
        self.iter()
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.into_iter()
    }

    fn put(&mut self, device: T) -> Result<(), T> {
        self.push(device);
        Ok(())
    }

    fn leave(&mut self, stays: &mut dyn FnMut(&T) -> bool) {
        if let Some(devices) = self.get_mut() {
            devices.leave(stays);
        }
    }

    fn fit(&mut self) {
        self.tidy();
        if let Some(devices) = self.get_mut() {
            devices.fit();
        }
    }
}

impl<T: Informed + 'static> Place<T> for Option<Box<T>> {
    fn each(&self) -> impl Iterator<Item = &T> {
        self.as_deref().into_iter()
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.as_deref_mut().into_iter()
    }

    fn put(&mut self, device: T) -> Result<(), T> {
        match self {
            Some(_) => Err(device),
            None => {
                *self = Some(Box::new(device));
                Ok(())
            }
        }
    }

    fn leave(&mut self, stays: &mut dyn FnMut(&T) -> bool) {
        *self = self.take().filter(|device| stays(device));
    }

    fn fit(&mut self) {
        tidy(self.as_deref_mut());
    }
}

/// Gives memory back that is for what devices have in common, where they have nothing of it.
fn tidy<'a, T: Informed + 'a>(devices: impl IntoIterator<Item = &'a mut T>) {
    for info in devices.into_iter().filter_map(T::device_info_mut) {
        info.tidy();
    }
}

macro_rules! device_kinds {
    ($($variant:ident($type:ty) = $name:literal in $field:ident;)+) => {
        /// One device.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Device {
            $( #[doc = concat!("`<", $name, ">`")] $variant(Box<$type>), )+
        }

        /// One device of a guest.
        #[derive(Debug, Clone, Copy)]
        pub enum DeviceRef<'a> {
            $( #[doc = concat!("`<", $name, ">`")] $variant(&'a $type), )+
        }

        /// One device of a guest, to be changed.
        #[derive(Debug)]
        pub enum DeviceMut<'a> {
            $( #[doc = concat!("`<", $name, ">`")] $variant(&'a mut $type), )+
        }

        impl Device {
            fn parse_node(node: Node<'_>) -> Result<Self> {
                match node.name() {
                    $( $name => <$type>::parse(node).map(|d| Self::$variant(Box::new(d))), )+
                    _ => Err(node.error(ErrorKind::Invalid, "unknown kind of device")),
                }
            }

            /// The device, looked at.
            pub fn as_ref(&self) -> DeviceRef<'_> {
                match self {
                    $( Self::$variant(d) => DeviceRef::$variant(d), )+
                }
            }

            /// The device, to be changed.
            pub fn as_mut(&mut self) -> DeviceMut<'_> {
                match self {
                    $( Self::$variant(d) => DeviceMut::$variant(d), )+
                }
            }
        }

        impl<'a> DeviceRef<'a> {
            /// Name of the element.
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$variant(_) => $name, )+
                }
            }

            /// Boot order, alias and address, of kinds that have them.
            pub fn info(self) -> Option<&'a DeviceInfo> {
                match self {
                    $( Self::$variant(d) => d.device_info(), )+
                }
            }

            fn content(self) -> &'a dyn Content {
                match self {
                    $( Self::$variant(d) => d, )+
                }
            }
        }

        impl DeviceMut<'_> {
            /// The same reference for a shorter time.
            pub fn reborrow(&mut self) -> DeviceMut<'_> {
                match self {
                    $( Self::$variant(d) => DeviceMut::$variant(d), )+
                }
            }

            /// The device, looked at.
            pub fn as_ref(&self) -> DeviceRef<'_> {
                match self {
                    $( Self::$variant(d) => DeviceRef::$variant(d), )+
                }
            }

            /// Boot order, alias and address, of kinds that have them.
            pub fn info_mut(&mut self) -> Option<&mut Rare<DeviceInfo>> {
                match self {
                    $( Self::$variant(d) => d.device_info_mut(), )+
                }
            }
        }

        impl Devices {
            /// All devices, by kind. The order of kinds is the one in which defaults are filled in.
            pub fn iter(&self) -> impl Iterator<Item = DeviceRef<'_>> {
                std::iter::empty()
                    $( .chain(self.$field.each().map(DeviceRef::$variant)) )+
            }

            /// All devices, to be changed.
            pub fn iter_mut(&mut self) -> impl Iterator<Item = DeviceMut<'_>> {
                std::iter::empty()
                    $( .chain(self.$field.each_mut().map(DeviceMut::$variant)) )+
            }
        }

        impl Devices {
            /// Adds a device behind the others of its kind.
            ///
            /// # Errors
            /// The device, if a guest can have one of the kind only, and has it.
            pub fn push(&mut self, device: Device) -> Result<(), Device> {
                match device {
                    $( Device::$variant(device) => {
                        self.$field.put(*device).map_err(|device| Device::$variant(Box::new(device)))
                    } )+
                }
            }

            /// Leaves the devices for which `stays` holds.
            pub fn retain(&mut self, mut stays: impl FnMut(DeviceRef<'_>) -> bool) {
                $( self.$field.leave(&mut |device| stays(DeviceRef::$variant(device))); )+
            }

            /// Gives memory back that is for more than there is.
            pub fn shrink_to_fit(&mut self) {
                $( self.$field.fit(); )+
            }
        }

        impl Domain {
            /// Changes the devices one by one; while one is changed, the guest still has it as it was.
            ///
            /// # Errors
            /// The first error of `change`; devices before that one stay changed.
            pub fn change_devices<E>(
                &mut self,
                mut change: impl FnMut(&Self, DeviceMut<'_>) -> Result<(), E>,
            ) -> Result<(), E> {
                $(
                    for i in 0..self.devices.$field.each().count() {
                        let Some(mut device) = self.devices.$field.each().nth(i).cloned() else { break };
                        change(self, DeviceMut::$variant(&mut device))?;
                        if let Some(old) = self.devices.$field.each_mut().nth(i) {
                            *old = device;
                        }
                    }
                )+
                Ok(())
            }
        }
    };
}

device_kinds! {
    Disk(Disk) = "disk" in disk;
    Interface(Interface) = "interface" in interface;
    Sound(Sound) = "sound" in sound;
    Hostdev(Hostdev) = "hostdev" in hostdev;
    Filesystem(Filesystem) = "filesystem" in filesystem;
    Controller(Controller) = "controller" in controller;
    Smartcard(Smartcard) = "smartcard" in smartcard;
    Serial(Serial) = "serial" in serial;
    Parallel(Parallel) = "parallel" in parallel;
    Channel(Channel) = "channel" in channel;
    Console(Console) = "console" in console;
    Input(Input) = "input" in input;
    Watchdog(Watchdog) = "watchdog" in watchdog;
    Memballoon(Memballoon) = "memballoon" in memballoon;
    Rng(Rng) = "rng" in rng;
    Nvram(NvramDevice) = "nvram" in nvram;
    Hub(Hub) = "hub" in hub;
    Shmem(Shmem) = "shmem" in shmem;
    Memory(MemoryDevice) = "memory" in memory;
    Tpm(Tpm) = "tpm" in tpm;
    Panic(Panic) = "panic" in panic;
    Redirdev(Redirdev) = "redirdev" in redirdev;
    Iommu(Iommu) = "iommu" in iommu;
    Vsock(Vsock) = "vsock" in vsock;
    Video(Video) = "video" in video;
    Crypto(Crypto) = "crypto" in crypto;
    Pstore(Pstore) = "pstore" in pstore;
    Lease(Lease) = "lease" in lease;
    Graphics(Graphics) = "graphics" in graphics;
    Audio(Audio) = "audio" in audio;
}

impl Device {
    /// Reads a document whose root is a device. What is not known is ignored.
    ///
    /// # Errors
    /// Malformed XML, an unknown device, values out of range.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        Self::parse_node(Document::parse(xml)?.root())
    }

    /// Reads a document whose root is a device. What is not known is an error.
    ///
    /// # Errors
    /// Those of [`Device::parse`], and anything unknown.
    pub fn parse_strict(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let device = Self::parse_node(doc.root())?;
        doc.check_no_leftovers()?;
        Ok(device)
    }

    /// Writes the device as a document of its own.
    pub fn format(&self, flags: Flags) -> String {
        self.as_ref().format(flags)
    }
}

impl DeviceRef<'_> {
    /// Writes the device as a document of its own.
    pub fn format(self, flags: Flags) -> String {
        let mut w = Writer::new(flags);
        w.element(self.name(), self.content());
        w.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_its_root() {
        let xml = "<disk type='block' device='cdrom'>\n  <target dev='sda' bus='sata'/>\n  <readonly/>\n</disk>\n";
        let device = Device::parse_strict(xml).unwrap();
        assert_eq!(device.as_ref().name(), "disk");
        assert!(device.as_ref().info().is_some_and(DeviceInfo::is_empty));
        assert_eq!(device.format(Flags::empty()), xml);
        assert!(Device::parse("<domain/>").is_err());
        assert!(Device::parse_strict("<hub type='usb' x=''/>").is_err());
    }
}
