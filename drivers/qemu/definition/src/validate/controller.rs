//! Controllers.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::controller::{
    Controller, ControllerKind, PciController, PciModelName, ScsiModel, UsbModel,
};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};
use crate::machine;

/// Most ports of a USB 3 controller.
const USB_PORTS: u32 = 15;

pub(super) fn check(of: Context<'_>, controller: &Controller) -> Result<()> {
    let index = controller.index();
    match &controller.kind {
        ControllerKind::Usb(model, settings) => {
            if matches!(model, Some(UsbModel::Qusb1 | UsbModel::Qusb2)) {
                return unsupported(format!(
                    "USB controller {index}: models 'qusb1' and 'qusb2' are Xen's, not QEMU's"
                ));
            }
            if let Some(ports) = settings.ports {
                let model = model.map_or("default", UsbModel::as_str);
                if ports > USB_PORTS {
                    return unsupported(format!(
                        "USB controller {index} of model '{model}' has at most {USB_PORTS} ports, not {ports}"
                    ));
                }
            }
        }
        ControllerKind::Scsi(model) => scsi(of, *model)?,
        ControllerKind::Pci(pci) => self::pci(of, pci, index)?,
        ControllerKind::Sata if !machine::is_q35(of.domain) || index > 0 => {
            of.need(Cap::Ich9Ahci, "a <controller type='sata'>")?;
        }
        ControllerKind::Xenbus(_) | ControllerKind::Isa => {
            return unsupported(format!(
                "QEMU has no <controller type='{}'>",
                controller.kind.kind()
            ));
        }
        ControllerKind::Nvme => {
            return unsupported("a <controller type='nvme'> is not supported yet");
        }
        ControllerKind::Sata
        | ControllerKind::Ide(_)
        | ControllerKind::Fdc
        | ControllerKind::VirtioSerial(..)
        | ControllerKind::Ccid => {}
    }
    let Some(driver) = &controller.driver else {
        return Ok(());
    };
    let is_virtio_scsi =
        matches!(controller.kind, ControllerKind::Scsi(Some(model)) if model.is_virtio());
    let given = [
        ("queues", driver.queues.is_some()),
        ("cmd_per_lun", driver.cmd_per_lun.is_some()),
        ("max_sectors", driver.max_sectors.is_some()),
        ("ioeventfd", driver.ioeventfd.is_some()),
    ];
    if let Some((name, _)) = given.into_iter().find(|(_, given)| *given)
        && !is_virtio_scsi
    {
        return unsupported(format!(
            "'{name}' is for SCSI controllers of the virtio models, not for {} controller {index}",
            controller.kind.kind()
        ));
    }
    if !driver.iothreads.is_empty() {
        of.need(
            Cap::VirtioScsiIothreadMapping,
            "<iothreads> of a <controller type='scsi'>",
        )?;
    }
    Ok(())
}

fn scsi(of: Context<'_>, model: Option<ScsiModel>) -> Result<()> {
    let Some(model) = model else {
        return Ok(());
    };
    let has_cap = match model {
        ScsiModel::Lsilogic => of.has(Cap::Lsi),
        ScsiModel::VirtioScsi
        | ScsiModel::VirtioTransitional
        | ScsiModel::VirtioNonTransitional => of.has(Cap::VirtioScsiPci),
        ScsiModel::Lsisas1068 => of.has(Cap::Mptsas1068),
        ScsiModel::Lsisas1078 => of.has(Cap::Megasas),
        ScsiModel::Vmpvscsi => of.has(Cap::Pvscsi),
        ScsiModel::Am53c974 => of.has(Cap::Am53c974),
        ScsiModel::Dc390 => of.has(Cap::Dc390),
        ScsiModel::Ncr53c90 => machine::has_esp(of.domain),
        ScsiModel::Ibmvscsi | ScsiModel::Auto => true,
        ScsiModel::Buslogic => false,
    };
    if has_cap {
        Ok(())
    } else {
        Err(of.lacks(&format!("a <controller type='scsi'> of model '{model}'")))
    }
}

fn pci(of: Context<'_>, pci: &PciController, index: u32) -> Result<()> {
    let PciController {
        model: _,
        model_name,
        target,
    } = pci;
    if let Some(name) = model_name {
        let cap = match name {
            PciModelName::PciBridge => Cap::PciBridge,
            PciModelName::I82801b11Bridge => Cap::DmiToPciBridge,
            PciModelName::Ioh3420 => Cap::Ioh3420,
            PciModelName::X3130Upstream => Cap::X3130Upstream,
            PciModelName::Xio3130Downstream => Cap::Xio3130Downstream,
            PciModelName::Pxb => Cap::Pxb,
            PciModelName::PxbPcie => Cap::PxbPcie,
            PciModelName::PcieRootPort => Cap::PcieRootPort,
            PciModelName::SpaprPciHostBridge => Cap::SpaprPciHostBridge,
            PciModelName::PciePciBridge => Cap::PciePciBridge,
        };
        of.need(
            cap,
            &format!("PCI controller {index}: <model name='{name}'>"),
        )?;
    }
    let node = target.and_then(|target| target.node);
    let numa = of.domain.cpu.as_ref().and_then(|cpu| cpu.numa.as_ref());
    let nodes = numa.map_or(0, |numa| numa.cell.len());
    if let Some(node) = node.filter(|node| *node as usize >= nodes) {
        return unsupported(format!(
            "PCI controller {index} is in guest <node> {node}, but the guest has only {nodes}"
        ));
    }
    Ok(())
}
