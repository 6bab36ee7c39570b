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

/// `<devices>`.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct Devices {
    /// Program that emulates them.
    #[xml(text_child)]
    pub emulator: Option<Text>,
    /// Disks.
    #[xml(child)]
    pub disk: Vec<Disk>,
    /// Controllers.
    #[xml(child)]
    pub controller: Vec<Controller>,
    /// Leases.
    #[xml(child)]
    pub lease: Rare<Vec<Lease>>,
    /// File systems.
    #[xml(child)]
    pub filesystem: Rare<Vec<Filesystem>>,
    /// Network interfaces.
    #[xml(child)]
    pub interface: Vec<Interface>,
    /// Smart card readers.
    #[xml(child)]
    pub smartcard: Rare<Vec<Smartcard>>,
    /// Serial ports.
    #[xml(child)]
    pub serial: Vec<Serial>,
    /// Parallel ports.
    #[xml(child)]
    pub parallel: Rare<Vec<Parallel>>,
    /// Consoles.
    #[xml(child)]
    pub console: Vec<Console>,
    /// Channels.
    #[xml(child)]
    pub channel: Vec<Channel>,
    /// Input devices.
    #[xml(child, skip_empty)]
    pub input: Vec<Input>,
    /// Trusted platform modules.
    #[xml(child)]
    pub tpm: Rare<Vec<Tpm>>,
    /// Displays.
    #[xml(child)]
    pub graphics: Vec<Graphics>,
    /// Sound cards.
    #[xml(child)]
    pub sound: Rare<Vec<Sound>>,
    /// Where sound goes.
    #[xml(child)]
    pub audio: Rare<Vec<Audio>>,
    /// Graphics cards.
    #[xml(child)]
    pub video: Vec<Video>,
    /// Devices of the host.
    #[xml(child)]
    pub hostdev: Rare<Vec<Hostdev>>,
    /// Redirected devices.
    #[xml(child)]
    pub redirdev: Rare<Vec<Redirdev>>,
    /// Which devices may be redirected.
    #[xml(child, skip_empty)]
    pub redirfilter: Option<Box<RedirFilter>>,
    /// Hubs.
    #[xml(child)]
    pub hub: Rare<Vec<Hub>>,
    /// Watchdogs.
    #[xml(child)]
    pub watchdog: Rare<Vec<Watchdog>>,
    /// Memory balloon.
    #[xml(child)]
    pub memballoon: Option<Box<Memballoon>>,
    /// Random numbers.
    #[xml(child)]
    pub rng: Vec<Rng>,
    /// Non-volatile memory of pSeries.
    #[xml(child, open)]
    pub nvram: Option<Box<NvramDevice>>,
    /// Crash notifiers.
    #[xml(child)]
    pub panic: Rare<Vec<Panic>>,
    /// Shared memory.
    #[xml(child)]
    pub shmem: Rare<Vec<Shmem>>,
    /// Memory devices.
    #[xml(child)]
    pub memory: Rare<Vec<MemoryDevice>>,
    /// Crypto devices.
    #[xml(child)]
    pub crypto: Rare<Vec<Crypto>>,
    /// IOMMU.
    #[xml(child)]
    pub iommu: Option<Box<Iommu>>,
    /// Sockets between host and guest.
    #[xml(child)]
    pub vsock: Option<Box<Vsock>>,
    /// Persistent store.
    #[xml(child)]
    pub pstore: Option<Box<Pstore>>,
}
