//! Network interfaces: which card the guest sees.

use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::interface::{
    Interface, InterfaceBackendType, InterfaceSource,
};
use virtbus_qemu_capabilities::{Cap, Capabilities};

use crate::{Facts, machine};

pub(super) fn complete(domain: &Domain, interface: &mut Interface, facts: &Facts<'_>) {
    if interface.options.model.is_some() {
        return;
    }
    let backend = interface.tail.backend.as_ref().and_then(|b| b.kind);
    let model = match &interface.source {
        InterfaceSource::Hostdev { .. } => return,
        InterfaceSource::Vdpa(_) => "virtio",
        InterfaceSource::Vhostuser(_) if backend == Some(InterfaceBackendType::Passt) => "virtio",
        _ => usual(domain, facts.capabilities),
    };
    interface.options.model = Some(model.into());
}

/// The card that a guest of this machine has always got.
fn usual(domain: &Domain, capabilities: &Capabilities) -> &'static str {
    if machine::is_s390(domain) || machine::is_virt(domain) || machine::is_loongarch(domain) {
        return "virtio";
    }
    if machine::is_arm(domain) {
        return if machine::name(domain) == "versatilepb" {
            "smc91c111"
        } else {
            "lan9118"
        };
    }
    let known = [
        (Cap::Rtl8139, "rtl8139"),
        (Cap::E1000, "e1000"),
        (Cap::VirtioNet, "virtio"),
    ];
    let mut known = known.into_iter();
    known
        .find(|(cap, _)| capabilities.has(*cap))
        .map_or("rtl8139", |(_, model)| model)
}
