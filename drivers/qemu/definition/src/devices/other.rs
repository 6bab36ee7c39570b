//! Smaller devices: crash notifiers, TPMs, sockets, shared memory, devices of the host.

use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{Bytes, ConfError, OnOff, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::chardev::ChardevSource;
use virtbus_conf_domain::domain::devices::disk::VirtioModel;
use virtbus_conf_domain::domain::devices::hostdev::{Hostdev, MdevModel};
use virtbus_conf_domain::domain::devices::memory::{Shmem, ShmemModel, ShmemSize};
use virtbus_conf_domain::domain::devices::misc::{Panic, PanicModel, Vsock};
use virtbus_conf_domain::domain::devices::smartcard::Redirdev;
use virtbus_conf_domain::domain::devices::tpm::{Tpm, TpmBackend, TpmModel, TpmVersion};
use virtbus_qemu_capabilities::Cap;

use crate::{Facts, machine};

/// Bytes of shared memory that does not say.
const SHMEM: u64 = 4 << 20;

/// The crash notifier that a machine has.
pub(super) fn panic(domain: &Domain, panic: &mut Panic, facts: &Facts<'_>) -> Result<()> {
    if panic.model.is_some() {
        return Ok(());
    }
    let model = match machine::arch(domain) {
        Arch::I686 | Arch::X86_64 => Some(PanicModel::Isa),
        Arch::S390 | Arch::S390x => Some(PanicModel::S390),
        _ if machine::is_pseries(domain) => Some(PanicModel::Pseries),
        _ if machine::is_virt(domain) && machine::is_arm(domain) => facts
            .capabilities
            .has(Cap::PvpanicPci)
            .then_some(PanicModel::Pvpanic),
        _ => None,
    };
    panic.model = Some(model.ok_or_else(|| {
        ConfError::unsupported(
            "<panic> needs a model, as this architecture and machine have no usual crash notifier",
        )
    })?);
    Ok(())
}

/// A TPM of an old version and a newer one are not the same for a guest, so one is chosen for good.
pub(super) fn tpm(domain: &Domain, tpm: &mut Tpm, facts: &Facts<'_>) {
    let usual = if machine::is_pseries(domain) {
        TpmModel::Spapr
    } else {
        TpmModel::Tis
    };
    let model = *tpm.model.get_or_insert(usual);
    if let TpmBackend::Emulator(emulator) = &mut tpm.backend {
        let is_old = model == TpmModel::Tis && machine::is_x86(domain);
        let version = if is_old && facts.tpm_versions.contains(&TpmVersion::V1_2) {
            TpmVersion::V1_2
        } else {
            TpmVersion::V2_0
        };
        emulator.version.get_or_insert(version);
    }
}

pub(super) fn vsock(vsock: &mut Vsock) {
    vsock.model.get_or_insert(VirtioModel::Virtio);
}

/// Mediated devices show nothing unless they are told to.
pub(super) fn hostdev(hostdev: &mut Hostdev) {
    if hostdev.mdev_model == Some(MdevModel::VfioPci) {
        hostdev.display.get_or_insert(OnOff::Off);
    }
}

/// Whoever listens on the bus knows redirection by this channel.
pub(super) fn redirdev(redirdev: &mut Redirdev) {
    if let ChardevSource::Dbus { channel } = &mut redirdev.chardev.source {
        channel.get_or_insert_with(|| "org.qemu.usbredir".into());
    }
}

pub(super) fn shmem(shmem: &mut Shmem) {
    if shmem.model == Some(ShmemModel::IvshmemDoorbell) {
        if shmem.server.is_some() {
            // Who rings does it by an interrupt.
            let msi = shmem.msi.get_or_insert_default();
            msi.ioeventfd.get_or_insert(OnOff::On);
        }
    } else {
        shmem.size.get_or_insert(ShmemSize(Bytes::new(SHMEM)));
    }
}
