//! What is shared with others on the host: file systems and memory.

use virtbus_conf_base::Result;
use virtbus_conf_base::common::{MemoryAccess, VirtType};
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::filesystem::{
    AccessMode, Filesystem, FilesystemDriverType, FilesystemSource,
};
use virtbus_conf_domain::domain::devices::memory::{Shmem, ShmemModel};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};
use crate::machine;

/// Fails unless another process can be given the guest's memory.
pub(super) fn needs_shared_memory(of: Context<'_>, what: &str) -> Result<()> {
    let domain = of.domain;
    let backing = domain.memory_backing.as_ref();
    let shared = backing.and_then(|backing| backing.access) == Some(MemoryAccess::Shared);
    let numa = domain.cpu.as_ref().and_then(|cpu| cpu.numa.as_ref());
    let cells = numa.map_or(&[][..], |numa| &numa.cell);
    let how = "by <access mode='shared'/> in <memoryBacking>";
    if cells.is_empty() {
        let kvm = domain.virt_type == VirtType::Kvm;
        let accelerated = of.capabilities.accelerated(kvm);
        let machine = accelerated.and_then(|it| it.machine(machine::name(domain)));
        if machine.is_some_and(|machine| machine.default_ram_id.is_none()) {
            return unsupported(format!(
                "{what} requires shared memory {how}, and with this emulator a guest node"
            ));
        }
        if !shared {
            return unsupported(format!("{what} requires shared memory {how}"));
        }
        return Ok(());
    }
    for cell in cells {
        let is_shared = match cell.mem_access {
            Some(access) => access == MemoryAccess::Shared,
            None => shared,
        };
        if !is_shared {
            return unsupported(format!(
                "{what} requires shared memory in each guest node, {how} or by memAccess='shared'"
            ));
        }
    }
    Ok(())
}

pub(super) fn filesystem(of: Context<'_>, filesystem: &Filesystem) -> Result<()> {
    let Filesystem {
        head,
        source,
        accessmode,
        model: _,
        multidevs,
        fmode,
        dmode,
        target,
        readonly: _,
        info,
        space_hard_limit,
        space_soft_limit,
    } = filesystem;
    let target = target.as_deref().unwrap_or_default();
    let of_kind = |what: &str| format!("file system '{target}': {what}");
    if !matches!(source, FilesystemSource::Mount(_)) {
        return unsupported(of_kind(&format!(
            "QEMU has no <filesystem type='{}'>, only 'mount'",
            source.kind()
        )));
    }
    if space_hard_limit.is_some() || space_soft_limit.is_some() {
        return unsupported(of_kind("QEMU cannot limit the space of a file system"));
    }
    let kind = head.driver.as_ref().and_then(|driver| driver.kind);
    match kind {
        None | Some(FilesystemDriverType::Path | FilesystemDriverType::Handle) => {
            let has_modes = fmode.is_some() || dmode.is_some();
            if has_modes && *accessmode != Some(AccessMode::Mapped) {
                return unsupported(of_kind("'fmode' and 'dmode' need accessmode='mapped'"));
            }
            if multidevs.is_some() {
                of.need(Cap::FsdevMultidevs, &of_kind("'multidevs'"))?;
            }
        }
        Some(FilesystemDriverType::Virtiofs) => {
            of.need(Cap::VhostUserFs, &of_kind("the driver 'virtiofs'"))?;
            if matches!(accessmode, Some(AccessMode::Mapped | AccessMode::Squash)) {
                return unsupported(of_kind("virtiofs supports accessmode='passthrough' only"));
            }
            if multidevs.is_some() || fmode.is_some() || dmode.is_some() {
                return unsupported(of_kind(
                    "'multidevs', 'fmode' and 'dmode' are not for virtiofs",
                ));
            }
            needs_shared_memory(of, &of_kind("virtiofs"))?;
            if info.boot.is_some() {
                if !matches!(info.address, None | Some(Address::Pci(_))) {
                    return unsupported(of_kind(
                        "the boot order of virtiofs is supported only with addresses of type 'pci'",
                    ));
                }
                of.need(
                    Cap::VhostUserFsBootindex,
                    &of_kind("the boot order of virtiofs"),
                )?;
            }
        }
        Some(
            other @ (FilesystemDriverType::Loop
            | FilesystemDriverType::Nbd
            | FilesystemDriverType::Ploop
            | FilesystemDriverType::Mtp),
        ) => {
            return unsupported(of_kind(&format!("QEMU has no driver '{other}'")));
        }
    }
    Ok(())
}

pub(super) fn shmem(of: Context<'_>, shmem: &Shmem) -> Result<()> {
    let Shmem {
        name,
        role,
        model,
        size,
        server,
        msi,
        info,
    } = shmem;
    let what = |what: &str| format!("shared memory '{name}': {what}");
    if !matches!(info.address, None | Some(Address::Pci(_))) {
        return unsupported(what("its <address> must be of type 'pci'"));
    }
    match model {
        Some(ShmemModel::IvshmemDoorbell) => {
            of.need(Cap::IvshmemDoorbell, &what("model 'ivshmem-doorbell'"))?;
            if server.is_none() {
                return unsupported(what("model 'ivshmem-doorbell' needs a <server>"));
            }
            if size.is_some() {
                return unsupported(what("the <server> says which <size> there is"));
            }
            if role.is_some() {
                return unsupported(what("'role' is for model 'ivshmem-plain'"));
            }
            Ok(())
        }
        Some(ShmemModel::IvshmemPlain) => {
            of.need(Cap::IvshmemPlain, &what("model 'ivshmem-plain'"))?;
            if server.is_some() || msi.is_some() {
                return unsupported(what("<server> and <msi> need model 'ivshmem-doorbell'"));
            }
            Ok(())
        }
        Some(ShmemModel::Ivshmem) | None => unsupported(what(
            "QEMU does not have model 'ivshmem' any more; use 'ivshmem-plain' or 'ivshmem-doorbell'",
        )),
    }
}
