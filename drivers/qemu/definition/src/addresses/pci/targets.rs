//! What the guest sees of PCI controllers: which device each is, and its numbers.

use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::controller::{ControllerKind, PciModel, PciModelName};
use virtbus_qemu_capabilities::{Cap, Capabilities};
use virtbus_xml::{AnyBase, Hex};

use crate::{Facts, machine};

/// The device that plays a controller.
fn model_name(model: PciModel, pseries: bool, capabilities: &Capabilities) -> Option<PciModelName> {
    Some(match model {
        PciModel::PciBridge => PciModelName::PciBridge,
        PciModel::DmiToPciBridge => PciModelName::I82801b11Bridge,
        PciModel::PcieRootPort if capabilities.has(Cap::PcieRootPort) => PciModelName::PcieRootPort,
        PciModel::PcieRootPort => PciModelName::Ioh3420,
        PciModel::PcieSwitchUpstreamPort => PciModelName::X3130Upstream,
        PciModel::PcieSwitchDownstreamPort => PciModelName::Xio3130Downstream,
        PciModel::PciExpanderBus => PciModelName::Pxb,
        PciModel::PcieExpanderBus => PciModelName::PxbPcie,
        PciModel::PcieToPciBridge => PciModelName::PciePciBridge,
        PciModel::PciRoot if pseries => PciModelName::SpaprPciHostBridge,
        PciModel::PciRoot | PciModel::PcieRoot => return None,
    })
}

/// Fills in what is left out.
pub(super) fn complete(domain: &mut Domain, facts: &Facts<'_>) {
    let pseries = machine::is_pseries(domain);
    for controller in &mut domain.devices.controller {
        let index = controller.index();
        let place = controller
            .info
            .address
            .as_ref()
            .and_then(Address::pci)
            .copied();
        let place = place.unwrap_or_default();
        let ControllerKind::Pci(pci) = &mut controller.kind else {
            continue;
        };
        let Some(model) = pci.model else { continue };
        if pci.model_name.is_none() {
            pci.model_name = model_name(model, pseries, facts.capabilities);
        }
        let number = AnyBase(index);
        let port = match model {
            PciModel::PcieRootPort => Some(place.slot << 3 | place.function),
            PciModel::PcieSwitchDownstreamPort => Some(place.slot),
            _ => None,
        };
        match model {
            PciModel::PciBridge => {
                pci.target
                    .get_or_insert_default()
                    .chassis_nr
                    .get_or_insert(number);
            }
            PciModel::PcieRootPort | PciModel::PcieSwitchDownstreamPort => {
                let target = pci.target.get_or_insert_default();
                target.chassis.get_or_insert(number);
                if let Some(port) = port {
                    target.port.get_or_insert(Hex(port.into()));
                }
            }
            PciModel::PciRoot
            | PciModel::PcieRoot
            | PciModel::DmiToPciBridge
            | PciModel::PcieToPciBridge
            | PciModel::PcieSwitchUpstreamPort
            | PciModel::PciExpanderBus
            | PciModel::PcieExpanderBus => {}
        }
    }
}
