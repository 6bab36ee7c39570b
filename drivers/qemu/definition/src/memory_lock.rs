//! How much memory a guest's process may have to lock, so that none of it is moved or swapped out.
//!
//! Devices of the host that access memory by themselves need all of the guest's at a fixed place. How much the emulator has beside that
//! cannot be known; what is said here is what libvirt allows, which has been enough.

use virtbus_conf_base::common::VirtType;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::controller::{ControllerKind, PciModel};
use virtbus_conf_domain::domain::devices::hostdev::HostdevSubsys;
use virtbus_conf_domain::domain::devices::interface::InterfaceSource;
use virtbus_conf_storage::storage::StorageSource;

use crate::machine;

const MIB: u64 = 1 << 10;
const GIB: u64 = 1 << 20;

/// How much may be locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLock {
    /// As much as any process may: nothing needs it.
    Usual,
    /// This many KiB.
    Kib(u64),
    /// Whatever there is: the definition asks for all memory to be locked.
    Unlimited,
}

/// What a guest needs, of which the definition is complete.
#[must_use]
pub fn of(domain: &Domain) -> MemoryLock {
    let tune = domain.memtune.as_ref();
    if let Some(limit) = tune.and_then(|tune| tune.hard_limit) {
        return MemoryLock::Kib(limit.0);
    }
    if domain
        .memory_backing
        .as_ref()
        .is_some_and(|backing| backing.locked)
    {
        return MemoryLock::Unlimited;
    }
    let users = Users::of(domain);
    if machine::is_ppc64(domain) && domain.virt_type == VirtType::Kvm {
        return MemoryLock::Kib(on_power(domain, &users));
    }
    let shared = if domain.devices.iommu.is_some() {
        // Each has a view of the memory of its own.
        users.vfio
    } else {
        users.vfio.min(1)
    };
    match shared + users.vdpa + users.nvme {
        0 => MemoryLock::Usual,
        views => {
            let memory = domain.memory_total().saturating_mul(views);
            MemoryLock::Kib(memory.saturating_add(GIB))
        }
    }
}

/// How many devices access the guest's memory by themselves.
struct Users {
    vfio: u64,
    vdpa: u64,
    nvme: u64,
}

impl Users {
    fn of(domain: &Domain) -> Self {
        let is_vfio = |subsys: &HostdevSubsys| {
            matches!(subsys, HostdevSubsys::Pci(_) | HostdevSubsys::Mdev { .. })
        };
        let devices = &domain.devices;
        let hostdevs = devices
            .hostdev
            .iter()
            .filter_map(|hostdev| hostdev.subsys());
        let interfaces = devices
            .interface
            .iter()
            .filter_map(|interface| match &interface.source {
                InterfaceSource::Hostdev { subsys, .. } => Some(&**subsys),
                _ => None,
            });
        let vdpa = devices.interface.iter();
        let vdpa = vdpa.filter(|it| matches!(it.source, InterfaceSource::Vdpa(_)));
        let nvme = devices.disk.iter();
        let nvme = nvme.filter(|disk| matches!(disk.source, StorageSource::Nvme(_)));
        Self {
            vfio: hostdevs.chain(interfaces).filter(|it| is_vfio(it)).count() as u64,
            vdpa: vdpa.count() as u64,
            nvme: nvme.count() as u64,
        }
    }
}

/// On POWER the tables of pages, and of addresses for devices, are locked by the kernel for the guest.
fn on_power(domain: &Domain, users: &Users) -> u64 {
    let is_root = |kind: &ControllerKind| matches!(kind, ControllerKind::Pci(pci) if pci.model == Some(PciModel::PciRoot));
    let controllers = domain.devices.controller.iter();
    let roots = controllers
        .filter(|controller| is_root(&controller.kind))
        .count() as u64;
    let memory = domain.memory_total();
    let most = domain.max_memory.map_or(memory, |max| max.size.0);
    let tables = most / 128 + 4 * MIB * roots + 8 * MIB;
    let devices = if users.vfio > 0 {
        let windows = 2 * GIB * roots;
        windows.max(memory.saturating_add(memory / 512 * roots + 8 * MIB))
    } else {
        0
    };
    tables.saturating_add(devices)
}
