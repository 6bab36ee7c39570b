//! Where virtio devices are that are not on a PCI bus: on channels of mainframes, or in mapped memory.

use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::address::{Address, CcwAddress};
use virtbus_conf_domain::domain::devices::controller::{ControllerKind, ControllerType, ScsiModel};
use virtbus_conf_domain::domain::devices::disk::DiskBus;
use virtbus_conf_domain::domain::devices::hostdev::{HostdevMode, HostdevSubsys, MdevModel};
use virtbus_conf_domain::domain::devices::memory::MemoryModel;
use virtbus_conf_domain::domain::devices::misc::{InputBus, IommuModel, MemballoonModel};
use virtbus_conf_domain::domain::devices::sound::SoundModel;
use virtbus_conf_domain::domain::devices::video::VideoModelType;
use virtbus_qemu_capabilities::Cap;

use crate::{Facts, machine};

/// Which kind of address a virtio device of this guest has if it is not told; `None` for PCI.
fn kind(domain: &Domain, facts: &Facts<'_>) -> Option<Address> {
    if machine::is_s390_ccw(domain) && facts.capabilities.has(Cap::VirtioCcw) {
        return Some(Address::Ccw(CcwAddress::default()));
    }
    let has_pci = || {
        let mut controllers = domain.devices.controller.iter();
        controllers.any(|controller| controller.kind.kind() == ControllerType::Pci)
    };
    let is_mapped = if machine::is_virt(domain) {
        // PCI, unless the definition does otherwise already.
        domain.devices.iter().any(|device| {
            let address = device.info().and_then(|info| info.address.as_ref());
            address == Some(&Address::VirtioMmio)
        })
    } else if machine::is_microvm(domain) {
        !has_pci()
    } else {
        machine::is_vexpress(domain)
    };
    (is_mapped && facts.capabilities.has(Cap::VirtioMmio)).then_some(Address::VirtioMmio)
}

/// Says for each virtio device what kind of address it has, where that is not PCI.
pub(super) fn choose(domain: &mut Domain, facts: &Facts<'_>) {
    let Some(kind) = kind(domain, facts) else {
        return;
    };
    let is_ccw = matches!(kind, Address::Ccw(_));
    for mut device in domain.devices.iter_mut() {
        if !is_virtio(device.as_ref(), is_ccw) {
            continue;
        }
        if let Some(info) = device.info_mut()
            && info.address.is_none()
        {
            info.address = Some(kind.clone());
        }
    }
}

/// Whether a device can be on a channel, or be in mapped memory.
fn is_virtio(device: DeviceRef<'_>, is_ccw: bool) -> bool {
    match device {
        DeviceRef::Disk(disk) => disk.target.bus == Some(DiskBus::Virtio),
        DeviceRef::Interface(interface) => interface.is_virtio(),
        DeviceRef::Sound(sound) => sound.model == SoundModel::Virtio,
        DeviceRef::Video(video) => {
            let kind = video.model.as_ref().and_then(|model| model.kind);
            kind == Some(VideoModelType::Virtio)
        }
        DeviceRef::Input(input) => input.bus == Some(InputBus::Virtio),
        DeviceRef::Controller(controller) => match &controller.kind {
            ControllerKind::VirtioSerial(..) => true,
            ControllerKind::Scsi(model) => model.is_some_and(ScsiModel::is_virtio),
            _ => false,
        },
        DeviceRef::Memballoon(balloon) => {
            !matches!(balloon.model, MemballoonModel::Xen | MemballoonModel::None)
        }
        DeviceRef::Rng(_) | DeviceRef::Crypto(_) => true,
        DeviceRef::Filesystem(_) | DeviceRef::Vsock(_) => is_ccw,
        DeviceRef::Memory(memory) => {
            is_ccw
                && matches!(
                    memory.model,
                    MemoryModel::VirtioMem | MemoryModel::VirtioPmem
                )
        }
        DeviceRef::Hostdev(hostdev) => match &hostdev.mode {
            HostdevMode::Subsystem(HostdevSubsys::ScsiHost { .. }) => is_ccw,
            HostdevMode::Subsystem(HostdevSubsys::Mdev { .. }) => {
                is_ccw && hostdev.mdev_model == Some(MdevModel::VfioCcw)
            }
            _ => false,
        },
        DeviceRef::Iommu(iommu) => is_ccw && iommu.model == IommuModel::Virtio,
        _ => false,
    }
}
