//! Controllers: which device each is.

use virtbus_conf_base::Result;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::domain::devices::controller::{Controller, ControllerKind, UsbModel};
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_qemu_capabilities::{Cap, Capabilities};

use crate::{Facts, machine};

pub(super) fn complete(
    domain: &Domain,
    controller: &mut Controller,
    facts: &Facts<'_>,
    flags: CompleteFlags,
) -> Result<()> {
    if let ControllerKind::Usb(model, _) = &mut controller.kind
        && model.is_none()
    {
        *model = usb(domain, facts.capabilities, flags);
    }
    Ok(())
}

/// The USB controller that a guest of this machine has always got; a new guest of some machines gets a newer one.
fn usb(domain: &Domain, capabilities: &Capabilities, flags: CompleteFlags) -> Option<UsbModel> {
    let first = |known: &[(Cap, UsbModel)]| {
        let mut known = known.iter();
        known
            .find(|(cap, _)| capabilities.has(*cap))
            .map(|(_, model)| *model)
    };
    let xhci = [
        (Cap::QemuXhci, UsbModel::QemuXhci),
        (Cap::NecUsbXhci, UsbModel::NecXhci),
    ];
    let ohci = [(Cap::PciOhci, UsbModel::PciOhci)];
    match machine::arch(domain) {
        Arch::S390 | Arch::S390x => Some(UsbModel::None),
        _ if machine::is_pseries(domain) => {
            if flags.contains(CompleteFlags::ABI_UPDATE) {
                first(&xhci).or_else(|| first(&ohci))
            } else {
                first(&ohci)
            }
        }
        Arch::Ppc | Arch::Ppc64 | Arch::Ppc64le => first(&ohci),
        _ if machine::is_virt(domain) => first(&xhci),
        _ => first(&[(Cap::Piix3UsbUhci, UsbModel::Piix3Uhci)]),
    }
}
