//! What QEMU, or this QEMU, cannot do: refused by name when a guest is defined.
//!
//! What contradicts itself for every hypervisor is refused before, in `conf`. A module for each family says what its devices need of the
//! machine and of the emulator; what every emulator has that is supported here is not asked for.

mod audience;
mod chardev;
mod controller;
mod disk;
mod graphics;
mod host;
mod interface;
mod machine;
mod memory;
mod other;
mod processor;
mod shared;

use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_qemu_capabilities::{Cap, Capabilities};

use crate::Facts;

/// Checks a whole definition, which is complete.
pub(crate) fn check(domain: &Domain, facts: &Facts<'_>) -> Result<()> {
    let of = Context::of(domain, facts);
    machine::check(of)?;
    processor::check(of)?;
    memory::check(of)?;
    for device in domain.devices.iter() {
        check_device(of, device)?;
    }
    audience::check(of)?;
    other::check_together(of)
}

/// Checks a device, which need not be part of the guest yet.
pub(crate) fn device(domain: &Domain, device: DeviceRef<'_>, facts: &Facts<'_>) -> Result<()> {
    check_device(Context::of(domain, facts), device)
}

fn check_device(of: Context<'_>, device: DeviceRef<'_>) -> Result<()> {
    match device {
        DeviceRef::Disk(disk) => disk::check(of, disk),
        DeviceRef::Interface(interface) => interface::check(of, interface),
        DeviceRef::Sound(sound) => audience::sound(of, sound),
        DeviceRef::Hostdev(hostdev) => host::hostdev(of, hostdev),
        DeviceRef::Filesystem(filesystem) => shared::filesystem(of, filesystem),
        DeviceRef::Controller(controller) => controller::check(of, controller),
        DeviceRef::Smartcard(card) => host::smartcard(of, card),
        DeviceRef::Serial(serial) => chardev::serial(of, serial),
        DeviceRef::Parallel(parallel) => chardev::parallel(of, parallel),
        DeviceRef::Console(console) => chardev::console(of, console),
        DeviceRef::Channel(channel) => chardev::channel(of, channel),
        DeviceRef::Input(input) => other::input(of, input),
        DeviceRef::Watchdog(watchdog) => other::watchdog(of, watchdog),
        DeviceRef::Memballoon(balloon) => other::balloon(of, balloon),
        DeviceRef::Rng(rng) => other::rng(of, rng),
        DeviceRef::Nvram(_) => other::nvram(of),
        DeviceRef::Hub(_) => of.need(Cap::UsbHub, "<hub> of type 'usb'"),
        DeviceRef::Shmem(shmem) => shared::shmem(of, shmem),
        DeviceRef::Memory(memory) => memory::device(of, memory),
        DeviceRef::Tpm(tpm) => other::tpm(of, tpm),
        DeviceRef::Panic(panic) => other::panic(of, panic),
        DeviceRef::Redirdev(redirdev) => {
            of.need(Cap::UsbRedir, "<redirdev>")?;
            chardev::source(of, &redirdev.chardev)
        }
        DeviceRef::Iommu(iommu) => other::iommu(of, iommu),
        DeviceRef::Vsock(_) => of.need(Cap::VhostVsock, "<vsock>"),
        DeviceRef::Video(video) => graphics::video(of, video),
        DeviceRef::Crypto(crypto) => other::crypto(of, crypto),
        DeviceRef::Pstore(pstore) => other::pstore(of, pstore),
        DeviceRef::Graphics(graphics) => graphics::display(of, graphics),
        DeviceRef::Lease(_) | DeviceRef::Audio(_) => Ok(()),
    }
}

/// What devices are checked against.
#[derive(Clone, Copy)]
struct Context<'a> {
    domain: &'a Domain,
    capabilities: &'a Capabilities,
}

impl<'a> Context<'a> {
    fn of(domain: &'a Domain, facts: &Facts<'a>) -> Self {
        Self {
            domain,
            capabilities: facts.capabilities,
        }
    }

    fn has(self, cap: Cap) -> bool {
        self.capabilities.has(cap)
    }

    /// Fails if the emulator lacks something.
    fn need(self, cap: Cap, what: &str) -> Result<()> {
        if self.has(cap) {
            Ok(())
        } else {
            Err(self.lacks(what))
        }
    }

    /// That the emulator lacks something.
    fn lacks(self, what: &str) -> ConfError {
        ConfError::unsupported(format!(
            "{what} is not supported by the emulator, which is QEMU {}",
            self.capabilities.version
        ))
    }

    /// Whether the guest's firmware is UEFI.
    fn has_uefi(self) -> bool {
        use virtbus_conf_domain::domain::os::{Firmware, LoaderType};
        self.domain.os.as_ref().is_some_and(|os| {
            let kind = os.loader.as_ref().and_then(|loader| loader.kind);
            os.firmware == Some(Firmware::Efi) || kind == Some(LoaderType::Pflash)
        })
    }

    fn has_acpi(self) -> bool {
        let features = self.domain.features.as_ref();
        features.is_some_and(|features| features.acpi)
    }
}

fn unsupported<T>(message: impl Into<String>) -> Result<T> {
    Err(ConfError::unsupported(message))
}

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(ConfError::invalid(message))
}
