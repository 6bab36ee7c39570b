//! Serial and parallel ports, consoles and channels.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::chardev::{
    Channel, ChannelTarget, Chardev, ChardevSource, Console, ConsoleTargetType, Parallel, Serial,
    SerialTargetModel as Model, SerialTargetType as Kind,
};
use virtbus_conf_domain::domain::devices::graphics::GraphicsKind;
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};
use crate::machine;

/// Whether the other end of a character device can be there.
pub(super) fn source(of: Context<'_>, chardev: &Chardev) -> Result<()> {
    let kind = chardev.source.kind();
    match &chardev.source {
        ChardevSource::Spicevmc | ChardevSource::Spiceport { .. } => {
            let has_spice = of
                .domain
                .devices
                .graphics
                .iter()
                .any(|graphics| matches!(graphics.kind, GraphicsKind::Spice(_)));
            if !has_spice {
                return unsupported(format!(
                    "a character device of type '{kind}' is for SPICE clients, but there is no <graphics type='spice'>"
                ));
            }
            Ok(())
        }
        ChardevSource::QemuVdagent { .. } => of.need(
            Cap::ChardevQemuVdagent,
            "a character device of type 'qemu-vdagent'",
        ),
        ChardevSource::Nmdm { .. } => {
            unsupported("a character device of type 'nmdm' is for FreeBSD, not for QEMU")
        }
        _ => Ok(()),
    }
}

pub(super) fn serial(of: Context<'_>, serial: &Serial) -> Result<()> {
    source(of, &serial.chardev)?;
    let Some(target) = &serial.target else {
        return Ok(());
    };
    let Some(kind) = target.kind else {
        return Ok(());
    };
    let domain = of.domain;
    let (x86, virt) = (machine::is_x86(domain), machine::is_virt(domain));
    let fits_model = match target.model {
        None => true,
        Some(model) => model_fits(kind, model),
    };
    if !fits_model {
        return unsupported(format!(
            "a <serial> of type '{kind}' cannot be of model '{}'",
            target.model.map_or("", Model::as_str)
        ));
    }
    let (fits_machine, cap) = match kind {
        Kind::IsaSerial => (x86, Some(Cap::IsaSerial)),
        Kind::IsaDebug => (x86, None),
        Kind::UsbSerial => (true, Some(Cap::UsbSerial)),
        Kind::PciSerial => (true, Some(Cap::PciSerial)),
        Kind::SpaprVioSerial => (machine::is_pseries(domain), Some(Cap::SpaprVty)),
        Kind::SclpSerial => (machine::is_s390(domain), Some(Cap::S390Sclp)),
        Kind::SystemSerial => (
            match target.model {
                Some(Model::Pl011) => virt && machine::is_arm(domain),
                Some(Model::Uart16550a) => virt && !machine::is_arm(domain),
                _ => virt,
            },
            None,
        ),
    };
    if !fits_machine {
        return unsupported(format!(
            "a <serial> of type '{kind}' is not supported for arch '{}' with machine type '{}'",
            machine::arch(domain),
            machine::name(domain)
        ));
    }
    if let Some(cap) = cap {
        of.need(cap, &format!("a <serial> of type '{kind}'"))?;
    }
    let fits_address = match (&serial.info.address, kind) {
        (None, _)
        | (Some(Address::Isa(_)), Kind::IsaSerial | Kind::IsaDebug)
        | (Some(Address::Usb(_)), Kind::UsbSerial)
        | (Some(Address::Pci(_)), Kind::PciSerial)
        | (Some(Address::SpaprVio(_)), Kind::SpaprVioSerial) => true,
        (Some(_), _) => false,
    };
    if !fits_address {
        return unsupported(format!(
            "a <serial> of type '{kind}' has an <address> of another type"
        ));
    }
    Ok(())
}

fn model_fits(kind: Kind, model: Model) -> bool {
    match kind {
        Kind::IsaSerial => model == Model::IsaSerial,
        Kind::UsbSerial => model == Model::UsbSerial,
        Kind::PciSerial => model == Model::PciSerial,
        Kind::SpaprVioSerial => model == Model::SpaprVty,
        Kind::SystemSerial => matches!(model, Model::Pl011 | Model::Uart16550a),
        Kind::SclpSerial => matches!(model, Model::SclpConsole | Model::SclplmConsole),
        Kind::IsaDebug => model == Model::IsaDebugcon,
    }
}

pub(super) fn parallel(of: Context<'_>, parallel: &Parallel) -> Result<()> {
    source(of, &parallel.chardev)?;
    if machine::is_s390(of.domain) || machine::is_pseries(of.domain) {
        return unsupported(format!(
            "<parallel> ports are not supported for machine type '{}'",
            machine::name(of.domain)
        ));
    }
    Ok(())
}

pub(super) fn console(of: Context<'_>, console: &Console) -> Result<()> {
    source(of, &console.chardev)?;
    let kind = console.target.and_then(|target| target.kind);
    match kind {
        None | Some(ConsoleTargetType::Serial | ConsoleTargetType::Virtio) => Ok(()),
        Some(kind @ (ConsoleTargetType::Sclp | ConsoleTargetType::Sclplm)) => {
            let what = format!("a <console> with a target of type '{kind}'");
            if !machine::is_s390(of.domain) {
                return unsupported(format!("{what} is for s390 machines"));
            }
            let cap = if kind == ConsoleTargetType::Sclp {
                Cap::S390Sclp
            } else {
                Cap::Sclplmconsole
            };
            of.need(cap, &what)
        }
        Some(
            kind @ (ConsoleTargetType::Xen
            | ConsoleTargetType::Uml
            | ConsoleTargetType::Lxc
            | ConsoleTargetType::Openvz),
        ) => unsupported(format!(
            "a <console> with a target of type '{kind}' is not supported by QEMU"
        )),
    }
}

pub(super) fn channel(of: Context<'_>, channel: &Channel) -> Result<()> {
    source(of, &channel.chardev)?;
    match &channel.target {
        ChannelTarget::GuestFwd(_) | ChannelTarget::Virtio(_) => Ok(()),
        ChannelTarget::Xen(_) => {
            unsupported("a <channel> with a target of type 'xen' is not supported by QEMU")
        }
    }
}
