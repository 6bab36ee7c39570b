//! Features of the machine: what each machine has without being told.

use virtbus_conf_base::OnOff;
use virtbus_conf_base::common::VirtType;
use virtbus_conf_domain::domain::features::{Gic, GicVersion, IoApicDriver};
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_qemu_capabilities::Capabilities;

use crate::{Facts, machine};

/// Fills in what is left out.
pub(crate) fn complete(domain: &mut Domain, facts: &Facts<'_>, flags: CompleteFlags) {
    if machine::is_s390(domain)
        && !flags.contains(CompleteFlags::ABI_UPDATE)
        && let Some(features) = &mut domain.features
    {
        // Tools used to ask for it though there never was any.
        features.acpi = false;
    }
    interrupts(domain, facts.capabilities);
    let remaps =
        domain.devices.iommu.iter().any(|iommu| {
            iommu.driver.as_ref().and_then(|driver| driver.intremap) == Some(OnOff::On)
        });
    if remaps {
        // Only QEMU's own controller can remap interrupts.
        let features = domain.features.get_or_insert_default();
        features.ioapic.get_or_insert(IoApicDriver::Qemu);
    }
    domain
        .features
        .take_if(|features| *features == Default::default());
}

/// Arm's virtual machine has an interrupt controller, the newest that KVM can have.
fn interrupts(domain: &mut Domain, capabilities: &Capabilities) {
    let given = domain.features.as_ref().and_then(|features| features.gic);
    let is_wanted = match given {
        None => machine::is_virt(domain) && machine::is_arm(domain),
        Some(gic) => gic.version.is_none(),
    };
    if !is_wanted {
        return;
    }
    let is_there = |number: u32| {
        let mut known = capabilities.gic.iter();
        known.any(|gic| gic.version == number && gic.kernel)
    };
    // The newer one that QEMU emulates cannot take the messages of PCI devices.
    let is_kvm = domain.virt_type == VirtType::Kvm;
    let version = if is_kvm && is_there(3) {
        GicVersion::V3
    } else {
        GicVersion::V2
    };
    domain.features.get_or_insert_default().gic = Some(Gic {
        version: Some(version),
    });
}
