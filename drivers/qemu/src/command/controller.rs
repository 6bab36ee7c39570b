//! Controllers, and the names of the buses that they provide.

use virtbus_api::Result;
use virtbus_conf_domain::domain::devices::Devices;
use virtbus_conf_domain::domain::devices::address::DriveAddress;
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, ControllerType, PciController, PciModel, PciModelName, ScsiModel,
    UsbModel,
};
use virtbus_conf_domain::domain::devices::disk::{DiskBus, VirtioModel};
use virtbus_conf_domain::domain::os::Os;

use super::{Builder, Props, alias, unsupported, virtio};
use crate::definition;

/// Adds every controller that is not part of the machine.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    // Bridges first and by number: a bus must be there before what is on it, and a USB 2 controller before its companions.
    let mut controllers: Vec<&Controller> = builder.devices.controller.iter().collect();
    controllers.sort_by_key(|controller| {
        (
            controller.kind.kind() != ControllerType::Pci,
            controller.info.master.is_some(),
            controller.index(),
        )
    });
    builder.try_each(controllers, device);
    Ok(())
}

fn device(builder: &mut Builder<'_>, controller: &Controller) -> Result<()> {
    let driver = controller.driver.clone().unwrap_or_default();
    let props = match &controller.kind {
        ControllerKind::Pci(pci) => match pci_device(controller, pci)? {
            Some(props) => props,
            None => return root(builder, controller),
        },
        ControllerKind::Usb(model, options) => {
            let Some(model) = usb_device(*model)? else {
                return Ok(());
            };
            let ports = matches!(model, "nec-usb-xhci" | "qemu-xhci")
                .then_some(options.ports)
                .flatten();
            let props = Props::device(model)
                .set_opt("p2", ports)
                .set_opt("p3", ports);
            match controller.info.master {
                // A companion serves ports of the controller whose number it shares.
                Some(port) => props
                    .set("masterbus", usb_bus(builder.devices, controller.index()))
                    .set("firstport", port),
                None => props.set("id", alias(&controller.info)?),
            }
        }
        ControllerKind::Scsi(model) => {
            let model = scsi_device(*model)?;
            let props = Props::device(model).set("id", alias(&controller.info)?);
            if model == "virtio-scsi-pci" {
                props
                    .set_opt("num_queues", driver.queues)
                    .set_opt("cmd_per_lun", driver.cmd_per_lun)
                    .set_opt("max_sectors", driver.max_sectors)
                    .set_opt("ioeventfd", driver.ioeventfd.map(bool::from))
                    .set_opt(
                        "iothread",
                        driver.iothread.map(|thread| format!("iothread{thread}")),
                    )
            } else {
                props
            }
        }
        ControllerKind::VirtioSerial(model, options) => {
            let model = virtio("virtio-serial", model.unwrap_or(VirtioModel::Virtio));
            Props::device(&model)
                .set("id", alias(&controller.info)?)
                .set_opt("max_ports", options.ports)
                .set_opt("vectors", options.vectors)
        }
        ControllerKind::Sata => {
            if is_q35(builder.os) && controller.index() == 0 {
                return Ok(());
            }
            Props::device("ahci").set("id", alias(&controller.info)?)
        }
        ControllerKind::Ccid => Props::device("usb-ccid").set("id", alias(&controller.info)?),
        ControllerKind::Ide(_) => {
            if is_q35(builder.os) {
                return Err(unsupported(
                    "machines of the q35 family have no IDE controller",
                ));
            }
            if controller.index() != 0 {
                return Err(unsupported(
                    "this machine has one IDE controller, which has index 0",
                ));
            }
            return Ok(());
        }
        // Part of the machine.
        ControllerKind::Fdc | ControllerKind::Isa => return Ok(()),
        ControllerKind::Nvme | ControllerKind::Xenbus(_) => {
            let kind = controller.kind.kind();
            return Err(unsupported(format!(
                "controllers of type '{kind}' are not supported"
            )));
        }
    };
    let props = builder.place(props, &controller.info)?;
    builder.device(&props);
    Ok(())
}

/// What can be said of the root of the PCI buses, which is part of the machine.
fn root(builder: &mut Builder<'_>, controller: &Controller) -> Result<()> {
    let Some(hole) = controller.pcihole64.as_deref() else {
        return Ok(());
    };
    let host = if is_q35(builder.os) {
        "q35-pcihost"
    } else {
        "i440FX-pcihost"
    };
    builder.option("-global", format!("{host}.pci-hole64-size={}K", hole.0));
    Ok(())
}

/// The device of the emulator that plays a PCI controller; none for the root of the PCI buses.
fn pci_device(controller: &Controller, pci: &PciController) -> Result<Option<Props>> {
    let target = pci.target.unwrap_or_default();
    let index = controller.index();
    let usual = match pci.model {
        // The root buses are the machine's.
        None | Some(PciModel::PciRoot | PciModel::PcieRoot) => return Ok(None),
        Some(PciModel::PcieRootPort) => PciModelName::PcieRootPort,
        Some(PciModel::PciBridge) => PciModelName::PciBridge,
        Some(PciModel::DmiToPciBridge) => PciModelName::I82801b11Bridge,
        Some(PciModel::PcieToPciBridge) => PciModelName::PciePciBridge,
        Some(PciModel::PcieSwitchUpstreamPort) => PciModelName::X3130Upstream,
        Some(PciModel::PcieSwitchDownstreamPort) => PciModelName::Xio3130Downstream,
        Some(PciModel::PciExpanderBus) => PciModelName::Pxb,
        Some(PciModel::PcieExpanderBus) => PciModelName::PxbPcie,
    };
    let model = pci.model_name.unwrap_or(usual);
    let hotplug = target.hotplug.map(bool::from);
    let props = Props::device(model.as_str());
    let id = alias(&controller.info)?;
    Ok(Some(match model {
        PciModelName::PcieRootPort | PciModelName::Ioh3420 | PciModelName::Xio3130Downstream => {
            let reserved = target.mem_reserve.map(|kib| kib.saturating_mul(1024));
            props
                .set("port", target.port.map_or(0, |port| port.0))
                .set("chassis", target.chassis.map_or(index, |chassis| chassis.0))
                .set("id", id)
                .set_opt("mem-reserve", reserved)
                .set_opt("hotplug", hotplug)
        }
        PciModelName::PciBridge => props
            .set(
                "chassis_nr",
                target.chassis_nr.map_or(index, |number| number.0),
            )
            .set("id", id)
            .set_opt("shpc", hotplug),
        PciModelName::Pxb | PciModelName::PxbPcie => props
            .set_opt("bus_nr", target.bus_nr.map(|number| number.0))
            .set("id", id)
            .set_opt("numa_node", target.node),
        PciModelName::I82801b11Bridge
        | PciModelName::PciePciBridge
        | PciModelName::X3130Upstream => props.set("id", id),
        PciModelName::SpaprPciHostBridge => {
            return Err(unsupported(
                "PCI host bridges of pSeries machines are not supported",
            ));
        }
    }))
}

fn usb_device(model: Option<UsbModel>) -> Result<Option<&'static str>> {
    Ok(Some(match model {
        None | Some(UsbModel::QemuXhci) => "qemu-xhci",
        Some(UsbModel::NecXhci) => "nec-usb-xhci",
        Some(UsbModel::Piix3Uhci) => "piix3-usb-uhci",
        Some(UsbModel::Piix4Uhci) => "piix4-usb-uhci",
        Some(UsbModel::Ehci) => "usb-ehci",
        Some(UsbModel::Ich9Ehci1) => "ich9-usb-ehci1",
        Some(UsbModel::Ich9Uhci1) => "ich9-usb-uhci1",
        Some(UsbModel::Ich9Uhci2) => "ich9-usb-uhci2",
        Some(UsbModel::Ich9Uhci3) => "ich9-usb-uhci3",
        Some(UsbModel::Vt82c686bUhci) => "vt82c686b-usb-uhci",
        Some(UsbModel::PciOhci) => "pci-ohci",
        Some(UsbModel::None) => return Ok(None),
        Some(model @ (UsbModel::Qusb1 | UsbModel::Qusb2)) => {
            return Err(unsupported(format!(
                "USB controllers of model '{model}' are Xen's"
            )));
        }
    }))
}

fn scsi_device(model: Option<ScsiModel>) -> Result<&'static str> {
    Ok(match model {
        None | Some(ScsiModel::VirtioScsi | ScsiModel::Auto) => "virtio-scsi-pci",
        Some(ScsiModel::VirtioTransitional) => "virtio-scsi-pci-transitional",
        Some(ScsiModel::VirtioNonTransitional) => "virtio-scsi-pci-non-transitional",
        Some(ScsiModel::Lsilogic) => "lsi",
        Some(ScsiModel::Lsisas1068) => "mptsas1068",
        Some(ScsiModel::Lsisas1078) => "megasas",
        Some(ScsiModel::Vmpvscsi) => "pvscsi",
        Some(ScsiModel::Am53c974) => "am53c974",
        Some(ScsiModel::Dc390) => "dc390",
        Some(model @ (ScsiModel::Buslogic | ScsiModel::Ibmvscsi | ScsiModel::Ncr53c90)) => {
            return Err(unsupported(format!(
                "SCSI controllers of model '{model}' are not supported"
            )));
        }
    })
}

/// Whether the machine is of the q35 family.
pub(super) fn is_q35(os: &Os) -> bool {
    os.machine
        .machine
        .as_deref()
        .is_some_and(definition::is_q35)
}

/// The name of a PCI bus by its number: that of the controller with this index.
pub(super) fn pci_bus(os: &Os, devices: &Devices, bus: u8) -> String {
    if bus == 0 {
        let root = if is_q35(os) { "pcie.0" } else { "pci.0" };
        return root.to_owned();
    }
    let controller = devices.controller.iter().find(|controller| {
        controller.kind.kind() == ControllerType::Pci && controller.index() == u32::from(bus)
    });
    let alias = controller.and_then(|controller| controller.info.alias.as_deref());
    alias.map_or_else(|| format!("pci.{bus}"), str::to_owned)
}

/// The name of a USB bus by its number: that of the controller with this index.
pub(super) fn usb_bus(devices: &Devices, bus: u32) -> String {
    let controller = devices.controller.iter().find(|controller| {
        controller.kind.kind() == ControllerType::Usb
            && controller.index() == bus
            && controller.info.master.is_none()
    });
    let alias = controller.and_then(|controller| controller.info.alias.as_deref());
    match alias {
        Some(alias) => format!("{alias}.0"),
        None => "usb.0".to_owned(),
    }
}

/// Where a drive address is: the bus's name, and the unit on it.
pub(super) fn drive_bus(
    devices: &Devices,
    bus: DiskBus,
    address: DriveAddress,
    q35: bool,
) -> Option<(String, u32)> {
    let by_index = |kind: ControllerType| {
        devices
            .controller
            .iter()
            .find(|controller| {
                controller.kind.kind() == kind && controller.index() == address.controller
            })
            .and_then(|controller| controller.info.alias.clone())
    };
    match bus {
        DiskBus::Ide => (address.bus < 2 && address.unit < 2)
            .then(|| (format!("ide.{}", address.bus), address.unit)),
        DiskBus::Sata if q35 && address.controller == 0 => {
            (address.unit < 6).then(|| (format!("ide.{}", address.unit), 0))
        }
        DiskBus::Sata => Some((
            format!("{}.{}", by_index(ControllerType::Sata)?, address.unit),
            0,
        )),
        DiskBus::Scsi => Some((
            format!("{}.0", by_index(ControllerType::Scsi)?),
            address.unit,
        )),
        DiskBus::Fdc => Some(("floppy-bus.0".to_owned(), address.unit)),
        _ => None,
    }
}
