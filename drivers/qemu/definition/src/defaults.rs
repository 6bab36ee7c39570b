//! Devices that are there unless the definition says otherwise: what each kind of machine is never without, what somebody who looks at the
//! guest needs, and where its sound goes.

use virtbus_conf_base::common::Arch;
use virtbus_conf_base::{ConfError, Rare, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, ControllerType, PciModel, UsbModel,
};
use virtbus_conf_domain::domain::devices::misc::{
    Input, InputBus, InputType, Memballoon, MemballoonModel, Panic, PanicModel, Watchdog,
    WatchdogAction, WatchdogModel,
};
use virtbus_qemu_capabilities::{Cap, Capabilities};

use crate::devices::XHCI;
use crate::{Facts, machine};

/// What a machine has by itself, or is given.
#[derive(Debug, Clone, Copy)]
struct Defaults {
    /// A USB controller, of this model if one is preferred.
    usb: Option<Option<UsbModel>>,
    /// What is at the root of its PCI buses.
    root: Option<PciModel>,
    /// The SATA controller of its chipset.
    sata: bool,
    balloon: bool,
    usb_keyboard: bool,
    usb_mouse: bool,
    panic: Option<PanicModel>,
    /// The watchdog of its chipset.
    itco: bool,
}

impl Defaults {
    const NONE: Self = Self {
        usb: None,
        root: None,
        sata: false,
        balloon: true,
        usb_keyboard: false,
        usb_mouse: false,
        panic: None,
        itco: false,
    };

    fn of(domain: &Domain, capabilities: &Capabilities) -> Self {
        let usb = Self {
            usb: Some(None),
            ..Self::NONE
        };
        let pci = Self {
            root: Some(PciModel::PciRoot),
            ..usb
        };
        let none = Self::NONE;
        let virt_root = machine::is_virt(domain).then_some(PciModel::PcieRoot);
        match machine::arch(domain) {
            Arch::I686 | Arch::X86_64 => {
                if machine::is_q35(domain) {
                    Self {
                        // The newest that there is; without any, none.
                        usb: newest_usb(capabilities).map(Some),
                        root: Some(PciModel::PcieRoot),
                        sata: true,
                        itco: true,
                        ..none
                    }
                } else if machine::is_i440fx(domain) {
                    pci
                } else if machine::is_isapc(domain) || machine::is_microvm(domain) {
                    none
                } else {
                    usb
                }
            }
            Arch::Armv6l | Arch::Armv7l | Arch::Armv7b | Arch::Aarch64 => {
                // Boards with a USB controller of that kind.
                let is_versatile = machine::name(domain) == "versatilepb";
                let has_ohci = is_versatile || machine::name(domain).starts_with("realview-");
                let ohci = capabilities.has(Cap::PciOhci) && has_ohci;
                Self {
                    usb: ohci.then_some(Some(UsbModel::PciOhci)),
                    root: virt_root.or(is_versatile.then_some(PciModel::PciRoot)),
                    balloon: false,
                    ..none
                }
            }
            Arch::Ppc64 | Arch::Ppc64le if machine::is_pseries(domain) => Self {
                usb_keyboard: true,
                usb_mouse: true,
                // The firmware does what such a device would do.
                panic: Some(PanicModel::Pseries),
                ..pci
            },
            Arch::Ppc | Arch::Ppc64 | Arch::Ppc64le => Self {
                usb_keyboard: true,
                usb_mouse: true,
                ..pci
            },
            Arch::Alpha | Arch::Ppcemb | Arch::Sh4 | Arch::Sh4eb | Arch::Sparc64 => pci,
            Arch::Riscv32 | Arch::Riscv64 | Arch::Loongarch64 => Self {
                root: virt_root,
                ..none
            },
            Arch::S390 | Arch::S390x => Self {
                root: Some(PciModel::PciRoot),
                panic: Some(PanicModel::S390),
                ..none
            },
            Arch::Sparc => Self {
                balloon: false,
                ..none
            },
            _ => usb,
        }
    }
}

/// The newest USB controller that the emulator has.
fn newest_usb(capabilities: &Capabilities) -> Option<UsbModel> {
    let older = (Cap::Ich9UsbEhci1, UsbModel::Ich9Ehci1);
    let mut known = XHCI.into_iter().chain([older]);
    known
        .find(|(cap, _)| capabilities.has(*cap))
        .map(|(_, model)| model)
}

/// Adds them.
///
/// # Errors
/// If the definition has another device in the place of one that is built into the machine.
pub(crate) fn add(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    let defaults = Defaults::of(domain, facts.capabilities);
    controllers(domain, &defaults)?;
    let devices = &mut domain.devices;
    if defaults.balloon {
        devices.memballoon.get_or_insert_with(|| {
            Box::new(Memballoon {
                model: MemballoonModel::Virtio,
                autodeflate: None,
                free_page_reporting: None,
                stats_period: None,
                info: Rare::default(),
                driver: None,
            })
        });
    }
    if let Some(model) = defaults.panic {
        let is_one = |panic: &Panic| panic.model.is_none() || panic.model == Some(model);
        if !devices.panic.iter().any(is_one) {
            devices.panic.push(Panic {
                model: Some(model),
                info: Rare::default(),
            });
        }
    }
    let has_itco = |watchdog: &Watchdog| watchdog.model == WatchdogModel::Itco;
    if defaults.itco && !devices.watchdog.iter().any(has_itco) {
        // All watchdogs of a guest do the same.
        let action = devices.watchdog.first().and_then(|other| other.action);
        devices.watchdog.push(Watchdog {
            model: WatchdogModel::Itco,
            action: Some(action.unwrap_or(WatchdogAction::Reset)),
            info: Rare::default(),
        });
    }
    if !devices.graphics.is_empty() {
        // A tablet points as well.
        let is_tablet = |input: &Input| {
            input.kind == InputType::Tablet && matches!(input.bus, None | Some(InputBus::Usb))
        };
        let has_tablet = devices.input.iter().any(is_tablet);
        for (wanted, kind) in [
            (defaults.usb_keyboard, InputType::Keyboard),
            (defaults.usb_mouse && !has_tablet, InputType::Mouse),
        ] {
            if wanted {
                input(domain, kind, InputBus::Usb);
            }
        }
    }
    if has_ps2(domain) {
        input(domain, InputType::Mouse, InputBus::Ps2);
        input(domain, InputType::Keyboard, InputBus::Ps2);
    }
    crate::audio::add(domain, facts);
    Ok(())
}

/// Whether the machine has the ports of old keyboards and mice.
fn has_ps2(domain: &Domain) -> bool {
    machine::is_x86(domain) && !machine::is_microvm(domain)
}

/// Adds an input device unless there is one of its kind on the same bus.
fn input(domain: &mut Domain, kind: InputType, bus: InputBus) {
    let inputs = &mut domain.devices.input;
    let is_there = inputs
        .iter()
        .any(|input| input.kind == kind && input.bus == Some(bus));
    if !is_there {
        inputs.push(Input {
            kind,
            bus: Some(bus),
            model: None,
            driver: None,
            source: None,
            info: Rare::default(),
        });
    }
}

fn controllers(domain: &mut Domain, defaults: &Defaults) -> Result<()> {
    if let Some(model) = defaults.usb {
        let has_usb = |one: &Controller| one.kind.kind() == ControllerType::Usb;
        if !domain.devices.controller.iter().any(has_usb) {
            let mut controller = Controller::new(ControllerType::Usb, 0);
            if let ControllerKind::Usb(of, _) = &mut controller.kind {
                *of = model;
            }
            put(domain, controller);
        }
    }
    if defaults.sata {
        let is_it = |one: &Controller| one.kind.kind() == ControllerType::Sata && one.index() == 0;
        if !domain.devices.controller.iter().any(is_it) {
            put(domain, Controller::new(ControllerType::Sata, 0));
        }
    }
    if let Some(root) = defaults.root {
        pci_root(domain, root)?;
    }
    Ok(())
}

fn put(domain: &mut Domain, controller: Controller) {
    domain.devices.insert_controller(controller);
}

/// The root of the PCI buses is controller 0.
fn pci_root(domain: &mut Domain, root: PciModel) -> Result<()> {
    for controller in &mut domain.devices.controller {
        let index = controller.index();
        let ControllerKind::Pci(pci) = &mut controller.kind else {
            continue;
        };
        if index != 0 {
            continue;
        }
        return match pci.model {
            None => {
                pci.model = Some(root);
                Ok(())
            }
            Some(model) if model == root => Ok(()),
            Some(model) => Err(ConfError::invalid(format!(
                "the PCI controller with index 0 must be model='{root}' for this machine, not '{model}'"
            ))),
        };
    }
    let mut controller = Controller::new(ControllerType::Pci, 0);
    if let ControllerKind::Pci(pci) = &mut controller.kind {
        pci.model = Some(root);
    }
    put(domain, controller);
    Ok(())
}
