//! What each device asks for of a PCI bus; nothing for those that are on none.

use virtbus_conf_base::common::PciAddress;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::chardev::SerialTargetModel;
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, PciModel, ScsiModel, UsbModel,
};
use virtbus_conf_domain::domain::devices::disk::{DiskBus, VirtioModel};
use virtbus_conf_domain::domain::devices::hostdev::{HostdevMode, HostdevSubsys, MdevModel};
use virtbus_conf_domain::domain::devices::interface::{Interface, InterfaceSource};
use virtbus_conf_domain::domain::devices::memory::MemoryModel;
use virtbus_conf_domain::domain::devices::misc::{
    InputBus, IommuModel, MemballoonModel, PanicModel, WatchdogModel,
};
use virtbus_conf_domain::domain::devices::sound::SoundModel;
use virtbus_conf_domain::domain::devices::video::VideoModelType;

use super::bus::Connect;
use super::chipset::ich9_function;
use super::set::Ask;
use crate::{Facts, Host, machine};

/// What a machine's devices can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kinds<'a> {
    /// Conventional devices.
    pci: Connect,
    /// Devices of PCI Express.
    pcie: Connect,
    /// virtio devices of the machine's best kind.
    virtio: Connect,
    /// Whether devices of the host are kept apart as the host does it.
    isolates: bool,
    host: &'a dyn Host,
}

impl<'a> Kinds<'a> {
    pub(super) fn of(domain: &Domain, facts: &Facts<'a>) -> Self {
        let pci = Connect::PCI | Connect::HOTPLUG;
        let has_pcie = domain.devices.controller.iter().any(|controller| {
            matches!(&controller.kind, ControllerKind::Pci(pci)
                if pci.model == Some(PciModel::PcieRoot) && controller.index() == 0)
        });
        let pcie = if has_pcie {
            Connect::PCIE | Connect::HOTPLUG
        } else {
            pci
        };
        Self {
            pci,
            pcie,
            virtio: pcie,
            isolates: machine::is_pseries(domain),
            host: facts.host,
        }
    }

    /// Those of the older revision are conventional devices, as guests that know no other expect them.
    const fn virtio(&self, model: Option<VirtioModel>) -> Connect {
        match model {
            Some(VirtioModel::VirtioTransitional) => self.pci,
            _ => self.virtio,
        }
    }

    /// Devices of the host are what they are there.
    fn of_host(&self, address: PciAddress) -> Connect {
        match self.host.is_express(address) {
            Some(false) => self.pci,
            None | Some(true) => self.pcie,
        }
    }

    /// What a device asks for, with its place in a slot and whom it may share a bus with.
    pub(super) fn ask(&self, device: DeviceRef<'_>) -> Ask {
        let function = match device {
            DeviceRef::Controller(controller) => match &controller.kind {
                ControllerKind::Usb(Some(model), _) => ich9_function(*model),
                _ => None,
            },
            _ => None,
        };
        Ask {
            connect: self.connect(device),
            function: function.unwrap_or(0),
            group: self.group(device),
        }
    }

    fn group(&self, device: DeviceRef<'_>) -> u32 {
        let subsys = match device {
            _ if !self.isolates => None,
            DeviceRef::Hostdev(hostdev) => hostdev.subsys(),
            DeviceRef::Interface(interface) => match &interface.source {
                InterfaceSource::Hostdev { subsys, .. } => Some(&**subsys),
                _ => None,
            },
            _ => None,
        };
        let group = match subsys {
            Some(HostdevSubsys::Pci(pci)) => self.host.iommu_group(pci.address),
            _ => None,
        };
        group.map_or(0, |group| group.saturating_add(1))
    }

    /// What a device asks for.
    fn connect(&self, device: DeviceRef<'_>) -> Connect {
        let none = Connect::empty();
        match device {
            DeviceRef::Disk(disk) => match disk.target.bus {
                Some(DiskBus::Virtio) => self.virtio(disk.model),
                _ => none,
            },
            DeviceRef::Interface(interface) => self.interface(interface),
            DeviceRef::Sound(sound) => match sound.model {
                SoundModel::Virtio => self.virtio,
                SoundModel::Es1370 | SoundModel::Ac97 | SoundModel::Ich6 | SoundModel::Ich9 => {
                    self.pci
                }
                SoundModel::Sb16 | SoundModel::Pcspk | SoundModel::Usb | SoundModel::Ich7 => none,
            },
            DeviceRef::Hostdev(hostdev) => match &hostdev.mode {
                HostdevMode::Subsystem(HostdevSubsys::Pci(pci)) => self.of_host(pci.address),
                HostdevMode::Subsystem(HostdevSubsys::ScsiHost { .. }) => {
                    self.virtio(hostdev.virtio_model)
                }
                HostdevMode::Subsystem(HostdevSubsys::Mdev { .. }) => match hostdev.mdev_model {
                    Some(MdevModel::VfioCcw | MdevModel::VfioAp) => none,
                    _ => self.pcie,
                },
                HostdevMode::Subsystem(HostdevSubsys::Usb(_) | HostdevSubsys::Scsi(_))
                | HostdevMode::Capabilities(_) => none,
            },
            DeviceRef::Filesystem(filesystem) => self.virtio(filesystem.model),
            DeviceRef::Controller(controller) => self.controller(controller),
            DeviceRef::Serial(serial) => {
                let model = serial.target.as_ref().and_then(|target| target.model);
                if model == Some(SerialTargetModel::PciSerial) {
                    self.pci
                } else {
                    none
                }
            }
            DeviceRef::Input(input) => match input.bus {
                Some(InputBus::Virtio) => self.virtio(input.model),
                _ => none,
            },
            DeviceRef::Watchdog(watchdog) => match watchdog.model {
                WatchdogModel::I6300esb => self.pci,
                WatchdogModel::Ib700 | WatchdogModel::Diag288 | WatchdogModel::Itco => none,
            },
            DeviceRef::Memballoon(balloon) => match balloon.model {
                MemballoonModel::Virtio | MemballoonModel::VirtioNonTransitional => self.virtio,
                MemballoonModel::VirtioTransitional => self.pci,
                MemballoonModel::Xen | MemballoonModel::None => none,
            },
            DeviceRef::Rng(rng) => self.virtio(Some(rng.model)),
            DeviceRef::Shmem(_) => self.pci,
            DeviceRef::Panic(panic) => match panic.model {
                Some(PanicModel::Pvpanic) => self.pcie.difference(Connect::HOTPLUG),
                _ => none,
            },
            DeviceRef::Iommu(iommu) => match iommu.model {
                IommuModel::Virtio => self
                    .pcie
                    .difference(Connect::HOTPLUG)
                    .union(Connect::AT_ROOT),
                IommuModel::Intel | IommuModel::Smmuv3 => none,
            },
            DeviceRef::Memory(memory) => match memory.model {
                MemoryModel::VirtioMem | MemoryModel::VirtioPmem => self.virtio,
                MemoryModel::Dimm | MemoryModel::Nvdimm | MemoryModel::SgxEpc => none,
            },
            DeviceRef::Crypto(_) => self.virtio,
            DeviceRef::Vsock(vsock) => self.virtio(vsock.model),
            DeviceRef::Video(video) => match video.model.as_ref().and_then(|model| model.kind) {
                Some(VideoModelType::Virtio) => self.virtio,
                Some(VideoModelType::Bochs) => self.pcie,
                Some(
                    VideoModelType::Vga
                    | VideoModelType::Cirrus
                    | VideoModelType::Vmvga
                    | VideoModelType::Qxl,
                ) => self.pci,
                _ => none,
            },
            DeviceRef::Pstore(_) => self.pci,
            DeviceRef::Smartcard(_)
            | DeviceRef::Parallel(_)
            | DeviceRef::Channel(_)
            | DeviceRef::Console(_)
            | DeviceRef::Nvram(_)
            | DeviceRef::Hub(_)
            | DeviceRef::Tpm(_)
            | DeviceRef::Redirdev(_)
            | DeviceRef::Lease(_)
            | DeviceRef::Graphics(_)
            | DeviceRef::Audio(_) => none,
        }
    }

    fn interface(&self, interface: &Interface) -> Connect {
        if let InterfaceSource::Hostdev { subsys, .. } = &interface.source {
            return match &**subsys {
                HostdevSubsys::Pci(pci) => self.of_host(pci.address),
                _ => Connect::empty(),
            };
        }
        match interface.options.model.as_deref().unwrap_or_default() {
            "virtio" | "virtio-non-transitional" => self.virtio,
            "e1000e" | "igb" => self.pcie,
            "usb-net" | "spapr-vlan" => Connect::empty(),
            _ => self.pci,
        }
    }

    fn controller(&self, controller: &Controller) -> Connect {
        let none = Connect::empty();
        match &controller.kind {
            ControllerKind::Pci(pci) => pci.model.map_or(none, Connect::of_controller),
            ControllerKind::Usb(model, _) => match model {
                Some(UsbModel::QemuXhci | UsbModel::NecXhci) => self.pcie,
                Some(UsbModel::None) => none,
                _ => self.pci,
            },
            ControllerKind::Scsi(model) => match model {
                Some(ScsiModel::VirtioScsi | ScsiModel::VirtioNonTransitional) => self.virtio,
                Some(ScsiModel::Ibmvscsi | ScsiModel::Ncr53c90) => none,
                _ => self.pci,
            },
            ControllerKind::VirtioSerial(model, _) => self.virtio(*model),
            ControllerKind::Ide(_) | ControllerKind::Sata => self.pci,
            ControllerKind::Nvme => self.pcie,
            ControllerKind::Fdc
            | ControllerKind::Ccid
            | ControllerKind::Xenbus(_)
            | ControllerKind::Isa => none,
        }
    }
}

/// Whether a device has an address of another kind than PCI.
pub(super) fn is_elsewhere(address: Option<&Address>) -> bool {
    !matches!(address, None | Some(Address::Pci(_)))
}
