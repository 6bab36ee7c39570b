//! `<devices>`: one module per family of elements.
//!
//! Devices are kept by kind, in the order in which they are written.

pub mod address;
pub mod chardev;
pub mod controller;
mod device;
pub mod disk;
pub mod filesystem;
pub mod graphics;
pub mod hostdev;
pub mod info;
pub mod interface;
pub mod iotune;
pub mod memory;
pub mod misc;
pub mod smartcard;
pub mod sound;
pub mod status;
pub mod tpm;
pub mod video;

use virtbus_xml::{Rare, Text, Xml};

pub use self::device::{Device, DeviceMut, DeviceRef};

use self::chardev::{Channel, Console, Parallel, Serial};
use self::controller::Controller;
use self::disk::Disk;
use self::filesystem::Filesystem;
use self::graphics::Graphics;
use self::hostdev::Hostdev;
use self::interface::Interface;
use self::memory::{MemoryDevice, Shmem};
use self::misc::{
    Crypto, Input, Iommu, Lease, Memballoon, NvramDevice, Panic, Pstore, Rng, Vsock, Watchdog,
};
use self::smartcard::{Hub, RedirFilter, Redirdev, Smartcard};
use self::sound::{Audio, Sound};
use self::tpm::Tpm;
use self::video::Video;

/// `<devices>`: the emulator and all devices of the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct Devices {
    /// Absolute path of the emulator; the host's default for architecture and machine type if absent.
    #[xml(text_child)]
    pub emulator: Option<Text>,
    /// Disks, CD-ROM and floppy drives.
    #[xml(child)]
    pub disk: Vec<Disk>,
    /// Bus controllers that devices are attached to; missing ones are added by the driver.
    #[xml(child)]
    pub controller: Vec<Controller>,
    /// Locks that must be held while the guest runs.
    #[xml(child)]
    pub lease: Rare<Vec<Lease>>,
    /// Folders or images of the host that the guest can mount.
    #[xml(child)]
    pub filesystem: Rare<Vec<Filesystem>>,
    /// Network interfaces of the guest.
    #[xml(child)]
    pub interface: Vec<Interface>,
    /// Smart card readers of the guest.
    #[xml(child)]
    pub smartcard: Rare<Vec<Smartcard>>,
    /// Serial ports of the guest.
    #[xml(child)]
    pub serial: Vec<Serial>,
    /// Parallel ports of the guest.
    #[xml(child)]
    pub parallel: Rare<Vec<Parallel>>,
    /// Text consoles of the guest.
    #[xml(child)]
    pub console: Vec<Console>,
    /// Private connections between guest and host, such as that of the guest agent.
    #[xml(child)]
    pub channel: Vec<Channel>,
    /// Keyboards, mice, tablets and other input devices.
    #[xml(child, skip_empty)]
    pub input: Vec<Input>,
    /// Trusted platform modules of the guest.
    #[xml(child)]
    pub tpm: Rare<Vec<Tpm>>,
    /// Displays, and how they can be reached.
    #[xml(child)]
    pub graphics: Vec<Graphics>,
    /// Sound cards of the guest.
    #[xml(child)]
    pub sound: Rare<Vec<Sound>>,
    /// Where the guest's sound goes on the host.
    #[xml(child)]
    pub audio: Rare<Vec<Audio>>,
    /// Graphics cards of the guest.
    #[xml(child)]
    pub video: Vec<Video>,
    /// Devices of the host that are assigned to the guest.
    #[xml(child)]
    pub hostdev: Rare<Vec<Hostdev>>,
    /// USB devices of a client that are redirected to the guest.
    #[xml(child)]
    pub redirdev: Rare<Vec<Redirdev>>,
    /// Rules for which USB devices may be redirected.
    #[xml(child, skip_empty)]
    pub redirfilter: Option<Box<RedirFilter>>,
    /// USB hubs of the guest.
    #[xml(child)]
    pub hub: Rare<Vec<Hub>>,
    /// Devices that act if the guest hangs.
    #[xml(child)]
    pub watchdog: Rare<Vec<Watchdog>>,
    /// Device by which the guest returns memory to the host; added if absent, unless `none`.
    #[xml(child)]
    pub memballoon: Option<Box<Memballoon>>,
    /// Devices by which the guest takes random numbers from the host.
    #[xml(child)]
    pub rng: Vec<Rng>,
    /// Address of the NVRAM of pSeries guests.
    #[xml(child, open)]
    pub nvram: Option<Box<NvramDevice>>,
    /// Devices by which the guest's kernel reports a crash.
    #[xml(child)]
    pub panic: Rare<Vec<Panic>>,
    /// Memory that several guests of the host share.
    #[xml(child)]
    pub shmem: Rare<Vec<Shmem>>,
    /// Memory modules, some of which can be plugged while the guest runs.
    #[xml(child)]
    pub memory: Rare<Vec<MemoryDevice>>,
    /// Devices that do cryptographic work for the guest.
    #[xml(child)]
    pub crypto: Rare<Vec<Crypto>>,
    /// Device that translates memory accesses of the guest's devices.
    #[xml(child)]
    pub iommu: Option<Box<Iommu>>,
    /// Sockets between host and guest without a network.
    #[xml(child)]
    pub vsock: Option<Box<Vsock>>,
    /// Persistent memory in which the guest's kernel keeps logs of a crash.
    #[xml(child)]
    pub pstore: Option<Box<Pstore>>,
}
