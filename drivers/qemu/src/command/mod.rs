//! From a definition to QEMU's command line.
//!
//! Everything is derived from the definition and from what the emulator can do; nothing here looks at the host, makes a
//! file or starts a program. What a definition asks for and cannot be had is refused by name. Options that take JSON get
//! JSON.

mod chardev;
mod controller;
mod cpu;
mod disk;
mod display;
mod firmware;
mod interface;
mod machine;
mod misc;
mod props;
mod sound;
#[cfg(test)]
mod tests;
mod usb;
pub(crate) mod ways;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::thread::CapabilitySet;
use virtbus_api::security::{Access, FileId, Resource};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::{Text, YesNo};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::Devices;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::disk::VirtioModel;
use virtbus_conf_domain::domain::devices::info::DeviceInfo;
use virtbus_conf_domain::domain::os::Os;
use virtbus_conf_storage::storage::ImageFormat;
use virtbus_qemu_capabilities::{Cap, Capabilities};
use virtbus_qemu_monitor::{Monitor, MonitorError};
use virtbus_util::cmd::{Cmd, Limit, Resource as RlimitResource};

use crate::definition;
use crate::refusals;

pub(crate) use chardev::files;
use props::{Props, before_port, escape};

/// What the host gives to this run.
pub(crate) struct Host<'a> {
    /// The folder of the run's sockets.
    pub(crate) dir: &'a Path,
    /// The number that the monitor's listening socket has in QEMU.
    pub(crate) monitor_fd: i32,
    /// Whether QEMU is to confine its own system calls.
    pub(crate) seccomp: bool,
    /// Whether QEMU is to wait for a state to take in, in place of booting.
    pub(crate) incoming: bool,
    /// Tap devices that were made for this run, by name, with the numbers that they have in QEMU. It opens others itself.
    pub(crate) taps: &'a [(Text, i32)],
    /// Files that were opened for QEMU, by path, with the numbers that they have in QEMU.
    pub(crate) files: &'a [(Text, i32)],
    /// The number in QEMU of the first file of [`Needs::held`]; `None` if QEMU is to open them by their paths.
    pub(crate) first_held: Option<i32>,
    /// What the images are based on that have to be opened with `first_held`.
    pub(crate) backing: &'a [Backing],
}

/// What an image is based on by its own account.
#[derive(Debug)]
pub(crate) struct Backing {
    /// The image, as the definition names it.
    pub(crate) image: PathBuf,
    /// Which file that was when its header was looked at; none if nothing could be looked at.
    pub(crate) file: Option<FileId>,
    /// The files below it, nearest first. The last one stands alone.
    pub(crate) below: Vec<BackingLayer>,
}

/// A file of which the definition does not tell.
#[derive(Debug)]
pub(crate) struct BackingLayer {
    /// Where it is, absolute.
    pub(crate) path: PathBuf,
    /// The file that was found there, held by a descriptor that stands for it (`O_PATH`).
    pub(crate) file: Arc<OwnedFd>,
    /// Its format.
    pub(crate) format: ImageFormat,
    /// Whether it is a block device.
    pub(crate) is_block: bool,
}

/// What has to be there for the arguments to be true.
#[derive(Debug)]
pub(crate) struct Needs {
    /// The files that the guest needs.
    pub(crate) resources: Vec<Resource>,
    /// Those of them that QEMU opens itself, and the images among them again and again: whenever the guest goes on after its state was
    /// written or taken in. They are to be passed as descriptors that stand for the files (`O_PATH`), in this order, so that no other file
    /// is found that was put into the place of one meanwhile.
    pub(crate) held: Vec<Held>,
}

/// A file that QEMU gets as a descriptor.
#[derive(Debug)]
pub(crate) enum Held {
    /// One of [`Needs::resources`], by its path.
    Resource(PathBuf),
    /// One of which the definition does not tell.
    Layer(PathBuf, Arc<OwnedFd>),
}

impl Held {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Resource(path) | Self::Layer(path, _) => path,
        }
    }
}

/// Adds QEMU's arguments to `cmd` and says what the guest needs.
///
/// # Errors
/// `ConfigUnsupported`, naming all that the definition has and this emulator or this driver cannot do.
pub(crate) fn fill(
    cmd: &mut Cmd,
    definition: &Definition,
    capabilities: &Capabilities,
    host: &Host<'_>,
) -> Result<Needs> {
    // What was saved may have been changed since by others.
    definition::values::check(definition)?;
    let mut builder = Builder {
        definition,
        os: definition::os(definition),
        devices: &definition.devices,
        capabilities,
        host,
        args: Vec::with_capacity(64),
        resources: Vec::new(),
        held: Vec::new(),
        fd_sets: 0,
        refusals: definition::without_effect(definition),
    };
    let parts = [
        machine::head,
        machine::platform,
        controller::add,
        usb::hubs,
        disk::add,
        interface::add,
        chardev::add,
        display::add,
        usb::add,
        sound::add,
        misc::add,
        machine::tail,
    ];
    for part in parts {
        builder.try_each([()], |builder, ()| part(builder));
    }
    refusals::together(builder.refusals)?;
    cmd.args(builder.args);
    if machine::memory_locked(definition) && may_raise_limits() {
        cmd.rlimit(RlimitResource::MemLock, Limit::Unlimited);
    }
    Ok(Needs {
        resources: builder.resources,
        held: builder.held,
    })
}

/// Whether the daemon may give a program more than it has itself. Where it may not, the limit that the administrator gave it holds.
fn may_raise_limits() -> bool {
    let own = rustix::thread::capabilities(None);
    own.is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_RESOURCE))
}

/// The files and devices that a run will have need of, of a definition that has been made live; nothing of it need be there yet.
///
/// # Errors
/// As [`fill`].
pub(crate) fn rehearse(
    definition: &Definition,
    capabilities: &Capabilities,
    dir: &Path,
    incoming: bool,
) -> Result<Vec<Resource>> {
    let mut definition = definition.clone();
    for interface in &mut definition.devices.interface {
        // Made and named later.
        let target = interface.options.target.get_or_insert_default();
        target.dev.get_or_insert_with(|| "vnet0".into());
    }
    let files = files(&definition).into_iter();
    let files: Vec<_> = files.map(|(path, _)| (path, 3)).collect();
    let host = Host {
        dir,
        monitor_fd: 3,
        seccomp: false,
        incoming,
        taps: &[],
        files: &files,
        first_held: None,
        backing: &[],
    };
    let mut unused = Cmd::new("/nonexistent");
    fill(&mut unused, &definition, capabilities, &host).map(|needs| needs.resources)
}

/// Finds out, after QEMU is up, what only it knows: the terminals that it opened. Sets what no command line should show.
pub(crate) async fn after_start(
    monitor: &Monitor,
    definition: &mut Definition,
) -> std::result::Result<(), MonitorError> {
    chardev::learn_terminals(monitor, definition).await?;
    interface::set_links(monitor, definition).await?;
    misc::inflate_balloon(monitor, definition).await?;
    display::set_passwords(monitor, definition).await
}

/// Arguments as they grow.
struct Builder<'a> {
    definition: &'a Definition,
    os: &'a Os,
    devices: &'a Devices,
    capabilities: &'a Capabilities,
    host: &'a Host<'a>,
    args: Vec<String>,
    resources: Vec<Resource>,
    held: Vec<Held>,
    /// How many sets of descriptors there are so far.
    fd_sets: u32,
    /// What cannot be had.
    refusals: Vec<Error>,
}

impl Builder<'_> {
    /// Adds each of these, and notes what is against those that cannot be had, so that all of it is told at once.
    fn try_each<T>(
        &mut self,
        things: impl IntoIterator<Item = T>,
        mut add: impl FnMut(&mut Self, T) -> Result<()>,
    ) {
        for thing in things {
            if let Err(refusal) = add(self, thing) {
                self.refusals.push(refusal);
            }
        }
    }

    /// An option with its value.
    fn option(&mut self, name: &str, value: impl Into<String>) {
        self.args.push(name.to_owned());
        self.args.push(value.into());
    }

    /// An option without a value.
    fn switch(&mut self, name: &str) {
        self.args.push(name.to_owned());
    }

    /// `-device`, in the form that this QEMU reads.
    fn device(&mut self, props: &Props) {
        let value = if self.has(Cap::DeviceJson) {
            props.json()
        } else {
            props.options("driver")
        };
        self.option("-device", value);
    }

    /// `-object`, likewise.
    fn object(&mut self, props: &Props) {
        let value = if self.has(Cap::ObjectJson) {
            props.json()
        } else {
            props.options("qom-type")
        };
        self.option("-object", value);
    }

    /// `-netdev`, likewise.
    fn netdev(&mut self, props: &Props) {
        let value = if self.has(Cap::NetdevJson) {
            props.json()
        } else {
            props.options("type")
        };
        self.option("-netdev", value);
    }

    /// Whether the emulator can do something.
    fn has(&self, cap: Cap) -> bool {
        self.capabilities.has(cap)
    }

    /// A file that the guest needs.
    fn needs(&mut self, path: impl AsRef<Path>, access: Access) {
        self.resources.push(Resource {
            path: path.as_ref().to_owned(),
            access,
        });
    }

    /// A file that QEMU opens; gives the name under which it finds it.
    fn holds(&mut self, path: &str, access: Access) -> String {
        self.needs(path, access);
        match self.host.first_held {
            Some(first) => self.hold(first, Held::Resource(PathBuf::from(path))),
            None => path.to_owned(),
        }
    }

    /// The same for a file of which the definition does not tell.
    fn holds_layer(&mut self, layer: &BackingLayer) -> String {
        let path = layer.path.clone();
        match self.host.first_held {
            Some(first) => self.hold(first, Held::Layer(path, Arc::clone(&layer.file))),
            None => path.to_string_lossy().into_owned(),
        }
    }

    fn hold(&mut self, first: i32, held: Held) -> String {
        let before = i32::try_from(self.held.len()).unwrap_or(i32::MAX);
        self.held.push(held);
        held_name(first.saturating_add(before))
    }

    /// The same for an option ROM. One that is named without a folder is of QEMU's own.
    fn rom(&mut self, file: &str) -> String {
        if !file.contains('/') {
            return file.to_owned();
        }
        // QEMU starts in the root directory.
        let path = Path::new("/").join(file);
        self.holds(&path.to_string_lossy(), Access::ReadOnly)
    }

    /// The name under which QEMU finds a file that was opened for it.
    fn opened(&mut self, path: &str) -> Result<String> {
        let found = self.host.files.iter().find(|(name, _)| name == path);
        let (_, fd) =
            found.ok_or_else(|| Error::internal(format!("'{path}' was not opened for QEMU")))?;
        let set = self.fd_sets;
        self.fd_sets += 1;
        self.option("-add-fd", format!("set={set},fd={fd}"));
        Ok(format!("/dev/fdset/{set}"))
    }

    /// Refuses the definition unless the emulator has a device.
    fn require_device(&self, driver: &str) -> Result<()> {
        if self.capabilities.has_device(driver) {
            return Ok(());
        }
        Err(unsupported(format!(
            "this emulator has no device '{driver}'"
        )))
    }

    /// Where a device is attached, as far as its definition says: bus and address on it.
    fn place(&self, props: Props, info: &DeviceInfo) -> Result<Props> {
        let props = match &info.address {
            None => props,
            Some(Address::Pci(address)) => {
                let place = &address.place;
                if place.is_empty() {
                    return Ok(props);
                }
                let bus = controller::pci_bus(self.os, self.devices, place.bus);
                let (slot, function) = (place.slot, place.function);
                let addr = if function == 0 {
                    format!("{slot:#x}")
                } else {
                    format!("{slot:#x}.{function:#x}")
                };
                props
                    .set("bus", bus)
                    .set_opt("multifunction", address.multifunction.map(bool::from))
                    .set("addr", addr)
            }
            Some(Address::Usb(address)) => {
                let port = address.port.as_deref().filter(|port| !port.is_empty());
                props
                    .set("bus", controller::usb_bus(self.devices, address.bus.0))
                    .set_opt("port", port)
            }
            Some(Address::VirtioSerial(address)) => props
                .set(
                    "bus",
                    format!("virtio-serial{}.{}", address.controller, address.bus),
                )
                .set("nr", address.port),
            Some(Address::Ccid(address)) => {
                props.set("bus", format!("ccid{}.0", address.controller))
            }
            Some(Address::Isa(address)) => props
                .set_opt("iobase", address.iobase.map(|base| u64::from(base.0)))
                .set_opt("irq", address.irq.map(|irq| u64::from(irq.0))),
            // Each kind of device that has these reads them itself.
            Some(
                Address::Drive(_) | Address::Dimm(_) | Address::VirtioMmio | Address::Unassigned,
            ) => props,
            Some(Address::SpaprVio(address)) => props.set_opt("reg", address.reg.map(|reg| reg.0)),
            Some(Address::Ccw(_) | Address::VirtioS390) => {
                return Err(unsupported("addresses of type 'ccw' are not supported"));
            }
        };
        Ok(props.set_opt("acpi-index", info.acpi_index))
    }

    /// A device's boot order and option ROM.
    fn boot(&mut self, props: Props, info: &DeviceInfo) -> Props {
        let rom = info.rom.as_ref();
        let file = match rom {
            Some(rom) if rom.enabled == Some(YesNo::No) => Some(String::new()),
            Some(rom) => rom.file.as_deref().map(|file| self.rom(file)),
            None => None,
        };
        props
            .set_opt("bootindex", info.boot.as_ref().map(|boot| boot.order))
            .set_opt(
                "rombar",
                rom.and_then(|rom| rom.bar)
                    .map(|bar| u32::from(bar.is_on())),
            )
            .set_opt("romfile", file)
    }
}

/// The name under which QEMU opens a file that it has as a descriptor of this number, as often as it likes and for reading or writing.
pub(crate) fn held_name(number: i32) -> String {
    format!("/proc/self/fd/{number}")
}

/// The PCI device of this family of virtio devices.
fn virtio(base: &str, model: VirtioModel) -> String {
    match model {
        VirtioModel::Virtio => format!("{base}-pci"),
        VirtioModel::VirtioTransitional => format!("{base}-pci-transitional"),
        VirtioModel::VirtioNonTransitional => format!("{base}-pci-non-transitional"),
    }
}

/// A device's alias; they are given to all devices before a start.
fn alias(info: &DeviceInfo) -> Result<&str> {
    info.alias
        .as_deref()
        .ok_or_else(|| Error::internal("a device has no alias"))
}

/// The emulator or the driver cannot do what the definition asks for.
fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}
