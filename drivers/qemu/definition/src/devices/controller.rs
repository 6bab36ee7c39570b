//! Controllers: which device each is.

use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, PciModel, ScsiModel, UsbModel,
};
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_qemu_capabilities::{Cap, Capabilities};

use crate::{Facts, machine};

pub(super) fn complete(
    domain: &Domain,
    controller: &mut Controller,
    facts: &Facts<'_>,
    flags: CompleteFlags,
) -> Result<()> {
    let index = controller.index();
    match &mut controller.kind {
        ControllerKind::Usb(model @ None, _) => *model = usb(domain, facts.capabilities, flags),
        ControllerKind::Scsi(model @ None) => *model = Some(scsi(domain, facts.capabilities)?),
        ControllerKind::Pci(pci)
            if index != 0
                && match pci.model {
                    Some(PciModel::PcieRoot) => true,
                    Some(PciModel::PciRoot) => !machine::is_pseries(domain),
                    _ => false,
                } =>
        {
            return Err(ConfError::invalid(format!(
                "a PCI controller of model '{}' must have index 0, not {index}",
                pci.model.map_or("", PciModel::as_str)
            )));
        }
        _ => {}
    }
    Ok(())
}

/// The first of those that the emulator has.
fn first<T: Copy>(capabilities: &Capabilities, known: &[(Cap, T)]) -> Option<T> {
    let mut known = known.iter();
    known
        .find(|(cap, _)| capabilities.has(*cap))
        .map(|(_, model)| *model)
}

/// The SCSI controller that a guest of this machine has always got.
fn scsi(domain: &Domain, capabilities: &Capabilities) -> Result<ScsiModel> {
    if machine::is_pseries(domain) {
        return Ok(ScsiModel::Ibmvscsi);
    }
    if machine::is_s390(domain) {
        return Ok(ScsiModel::VirtioScsi);
    }
    if machine::has_esp(domain) {
        return Ok(ScsiModel::Ncr53c90);
    }
    let known = [
        (Cap::Lsi, ScsiModel::Lsilogic),
        (Cap::VirtioScsiPci, ScsiModel::VirtioScsi),
    ];
    first(capabilities, &known).ok_or_else(|| {
        ConfError::unsupported(
            "the emulator has no usual SCSI controller: give the controller of type 'scsi' a model",
        )
    })
}

/// The USB controllers with USB 3, the best first.
pub(crate) const XHCI: [(Cap, UsbModel); 2] = [
    (Cap::QemuXhci, UsbModel::QemuXhci),
    (Cap::NecUsbXhci, UsbModel::NecXhci),
];

/// The USB controller that a guest of this machine has always got; a new guest of some machines gets a newer one.
fn usb(domain: &Domain, capabilities: &Capabilities, flags: CompleteFlags) -> Option<UsbModel> {
    let has = |cap, model| capabilities.has(cap).then_some(model);
    let ohci = || has(Cap::PciOhci, UsbModel::PciOhci);
    let piix3 = || has(Cap::Piix3UsbUhci, UsbModel::Piix3Uhci);
    let xhci = || first(capabilities, &XHCI);
    match machine::arch(domain) {
        Arch::S390 | Arch::S390x => Some(UsbModel::None),
        Arch::I686 | Arch::X86_64 => piix3(),
        Arch::Ppc64 | Arch::Ppc64le if flags.contains(CompleteFlags::ABI_UPDATE) => {
            xhci().or_else(ohci)
        }
        Arch::Ppc64 | Arch::Ppc64le => ohci(),
        Arch::Aarch64 | Arch::Loongarch64 => xhci(),
        _ => piix3().or_else(ohci),
    }
}
