//! What the guest sees of PCI controllers: which device each is, and its numbers.

use virtbus_conf_base::{AnyBase, ConfError, Hex, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::controller::{ControllerKind, PciModel, PciModelName};
use virtbus_qemu_capabilities::{Cap, Capabilities};

use crate::{Facts, machine};

/// The highest number of a root of a pSeries machine.
const MOST_ROOT: u32 = 30;

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
///
/// # Errors
/// If no number is left for one of them.
pub(super) fn complete(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    let pseries = machine::is_pseries(domain);
    let mut numbers = Numbers::of(domain);
    for controller in &mut domain.devices.controller {
        let index = controller.index();
        let address = controller.info.address.as_ref();
        let place = address.and_then(Address::pci).copied().unwrap_or_default();
        let ControllerKind::Pci(pci) = &mut controller.kind else {
            continue;
        };
        let Some(model) = pci.model else { continue };
        if pci.model_name.is_none() {
            pci.model_name = model_name(model, pseries, facts.capabilities);
        }
        let target = &mut pci.target;
        let port = match model {
            PciModel::PciBridge => {
                let target = target.get_or_insert_default();
                target.chassis_nr.get_or_insert(AnyBase(index));
                continue;
            }
            PciModel::PciExpanderBus | PciModel::PcieExpanderBus => {
                let target = target.get_or_insert_default();
                if target.bus_nr.is_none() {
                    target.bus_nr = Some(AnyBase(numbers.next_bus()?));
                }
                continue;
            }
            PciModel::PciRoot => {
                if pseries {
                    let target = target.get_or_insert_default();
                    if target.index.is_none() {
                        target.index = Some(AnyBase(numbers.next_root(index)?));
                    }
                }
                continue;
            }
            PciModel::PcieRootPort => place.slot << 3 | place.function,
            PciModel::PcieSwitchDownstreamPort => place.slot,
            PciModel::PcieRoot
            | PciModel::DmiToPciBridge
            | PciModel::PcieToPciBridge
            | PciModel::PcieSwitchUpstreamPort => continue,
        };
        let target = target.get_or_insert_default();
        target.chassis.get_or_insert(AnyBase(index));
        target.port.get_or_insert(Hex(port.into()));
    }
    Ok(())
}

/// Numbers of buses that are in use.
struct Numbers {
    /// The lowest that an expander bus begins with.
    lowest_bus: u32,
    /// Those of the roots of pSeries machines, bit by bit.
    roots: u32,
}

impl Numbers {
    fn of(domain: &Domain) -> Self {
        let mut numbers = Self {
            lowest_bus: 256,
            roots: 1,
        };
        for controller in &domain.devices.controller {
            let ControllerKind::Pci(pci) = &controller.kind else {
                continue;
            };
            let Some(target) = &pci.target else { continue };
            if let Some(AnyBase(number)) = target.bus_nr {
                numbers.lowest_bus = numbers.lowest_bus.min(number);
            }
            if let Some(AnyBase(number)) = target.index {
                numbers.roots |= 1_u32.checked_shl(number).unwrap_or(0);
            }
        }
        numbers
    }

    /// From above down, with one left for a bus behind it.
    fn next_bus(&mut self) -> Result<u32> {
        if self.lowest_bus <= 2 {
            return Err(ConfError::invalid(
                "no bus number is left for an expander bus: give each a 'busNr' in <target>",
            ));
        }
        self.lowest_bus -= 2;
        Ok(self.lowest_bus)
    }

    fn next_root(&mut self, index: u32) -> Result<u32> {
        if index == 0 {
            return Ok(0);
        }
        let next = self.roots.trailing_ones();
        if next > MOST_ROOT {
            return Err(ConfError::invalid(format!(
                "a pSeries guest has at most {} PCI controllers of model 'pci-root'",
                MOST_ROOT + 1
            )));
        }
        self.roots |= 1 << next;
        Ok(next)
    }
}
