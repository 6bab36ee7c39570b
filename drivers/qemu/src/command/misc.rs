//! Small devices: watchdog, balloon, random numbers, TPM, panic, vsock, and those that are refused.

use virtbus_api::Result;
use virtbus_api::security::Access;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::disk::VirtioModel;
use virtbus_conf_domain::domain::devices::info::DeviceInfo;
use virtbus_conf_domain::domain::devices::misc::{
    Memballoon, MemballoonModel, Panic, PanicModel, Rng, RngBackend, Vsock, Watchdog,
    WatchdogAction, WatchdogModel,
};
use virtbus_conf_domain::domain::devices::tpm::{Tpm, TpmBackend, TpmModel};
use virtbus_qemu_monitor::commands::memory::Balloon;
use virtbus_qemu_monitor::{Monitor, MonitorError};

use crate::definition;

use super::{Builder, Props, alias, chardev, unsupported, virtio};

/// Adds the devices that no other module has.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    refuse(builder);
    let devices = builder.devices;
    builder.try_each(&devices.watchdog, watchdog);
    builder.try_each(devices.watchdog.first(), watchdog_action);
    builder.try_each(devices.memballoon.as_deref(), memballoon);
    builder.try_each(&devices.rng, rng);
    builder.try_each(&devices.tpm, tpm);
    builder.try_each(&devices.panic, panic);
    builder.try_each(devices.vsock.as_deref(), vsock);
    Ok(())
}

/// Refuses by name what this driver cannot give a guest.
fn refuse(builder: &mut Builder<'_>) {
    let devices = builder.devices;
    let refused = [
        ("lease", !devices.lease.is_empty()),
        ("filesystem", !devices.filesystem.is_empty()),
        ("smartcard", !devices.smartcard.is_empty()),
        ("hostdev", !devices.hostdev.is_empty()),
        ("nvram", devices.nvram.is_some()),
        ("shmem", !devices.shmem.is_empty()),
        ("memory", !devices.memory.is_empty()),
        ("crypto", !devices.crypto.is_empty()),
        ("iommu", devices.iommu.is_some()),
        ("pstore", devices.pstore.is_some()),
    ];
    builder.try_each(refused, |_, (element, there)| {
        if there {
            return Err(unsupported(format!(
                "<{element}> devices are not supported"
            )));
        }
        Ok(())
    });
}

pub(super) fn plain(builder: &mut Builder<'_>, props: Props, info: &DeviceInfo) -> Result<()> {
    let props = builder.place(props, info)?;
    builder.device(&props);
    Ok(())
}

fn watchdog(builder: &mut Builder<'_>, watchdog: &Watchdog) -> Result<()> {
    match watchdog.model {
        WatchdogModel::I6300esb => {
            let props = Props::device("i6300esb").set("id", alias(&watchdog.info)?);
            plain(builder, props, &watchdog.info)?;
        }
        WatchdogModel::Ib700 => {
            builder.device(&Props::device("ib700").set("id", alias(&watchdog.info)?));
        }
        // Part of the chipset; its pin strap keeps it from resetting the machine until it is told otherwise.
        WatchdogModel::Itco => builder.option("-global", "ICH9-LPC.noreboot=off"),
        WatchdogModel::Diag288 => {
            return Err(unsupported(
                "watchdogs of model 'diag288' are not supported",
            ));
        }
    }
    Ok(())
}

/// What becomes of the guest when a watchdog barks: all of a guest's do the same.
fn watchdog_action(builder: &mut Builder<'_>, watchdog: &Watchdog) -> Result<()> {
    let action = match watchdog.action.unwrap_or(WatchdogAction::Reset) {
        // The driver would dump a guest that is halted.
        WatchdogAction::Dump => {
            return Err(unsupported(
                "a watchdog that dumps the guest is not supported",
            ));
        }
        action => action.as_str(),
    };
    builder.option("-watchdog-action", action);
    Ok(())
}

fn memballoon(builder: &mut Builder<'_>, balloon: &Memballoon) -> Result<()> {
    let model = match balloon.model {
        MemballoonModel::None => return Ok(()),
        MemballoonModel::Virtio => VirtioModel::Virtio,
        MemballoonModel::VirtioTransitional => VirtioModel::VirtioTransitional,
        MemballoonModel::VirtioNonTransitional => VirtioModel::VirtioNonTransitional,
        MemballoonModel::Xen => return Err(unsupported("a balloon of model 'xen' is Xen's")),
    };
    let props = Props::device(&virtio("virtio-balloon", model))
        .set("id", alias(&balloon.info)?)
        .set_opt("deflate-on-oom", balloon.autodeflate.map(bool::from))
        .set_opt(
            "free-page-reporting",
            balloon.free_page_reporting.map(bool::from),
        );
    plain(builder, props, &balloon.info)
}

/// Takes from the guest what it is not to have at the start.
pub(super) async fn inflate_balloon(
    monitor: &Monitor,
    definition: &Definition,
) -> std::result::Result<(), MonitorError> {
    let (now, most) = (
        definition::memory(definition),
        definition::max_memory(definition),
    );
    let has_balloon = definition
        .devices
        .memballoon
        .as_ref()
        .is_some_and(|balloon| balloon.model != MemballoonModel::None);
    if now < most && has_balloon {
        let value = now.saturating_mul(1024);
        monitor.execute(&Balloon { value }).await?;
    }
    Ok(())
}

fn rng(builder: &mut Builder<'_>, rng: &Rng) -> Result<()> {
    let alias = alias(&rng.info)?;
    let id = format!("obj{alias}");
    match &rng.backend {
        RngBackend::Random { path } => {
            let path = path.as_deref().unwrap_or("/dev/random");
            builder.needs(path, Access::ReadOnly);
            builder.object(&Props::object("rng-random", &id).set("filename", path));
        }
        RngBackend::Builtin => builder.object(&Props::object("rng-builtin", &id)),
        RngBackend::Egd(source) => {
            chardev::backend(builder, source, alias)?;
            builder.object(&Props::object("rng-egd", &id).set("chardev", format!("char{alias}")));
        }
    }
    let rate = rng
        .rate
        .map(|rate| (rate.bytes, rate.period.unwrap_or(1000)));
    let props = Props::device(&virtio("virtio-rng", rng.model))
        .set("rng", id)
        .set("id", alias)
        .set_opt("max-bytes", rate.map(|(bytes, _)| bytes))
        .set_opt("period", rate.map(|(_, period)| period));
    plain(builder, props, &rng.info)
}

fn tpm(builder: &mut Builder<'_>, tpm: &Tpm) -> Result<()> {
    let alias = alias(&tpm.info)?;
    let id = format!("tpm-{alias}");
    match &tpm.backend {
        TpmBackend::Passthrough(backend) => {
            let device = backend.device.as_deref().unwrap_or("/dev/tpm0");
            builder.needs(device, Access::ReadWrite);
            builder.option(
                "-tpmdev",
                format!("passthrough,id={id},path={}", super::escape(device)),
            );
        }
        TpmBackend::External(backend) => {
            let socket = super::escape(&backend.path);
            builder.option("-chardev", format!("socket,id=chrtpm,path={socket}"));
            builder.option("-tpmdev", format!("emulator,id={id},chardev=chrtpm"));
        }
        TpmBackend::Emulator(_) => {
            // Started before QEMU; see `crate::tpm`.
            let socket = crate::folder::tpm_socket(builder.host.dir);
            builder.option(
                "-chardev",
                format!(
                    "socket,id=chrtpm,path={}",
                    super::escape(&socket.display().to_string())
                ),
            );
            builder.option("-tpmdev", format!("emulator,id={id},chardev=chrtpm"));
        }
    }
    let driver = match tpm.model.unwrap_or(TpmModel::Tis) {
        TpmModel::Tis => "tpm-tis",
        TpmModel::Crb => "tpm-crb",
        model => {
            return Err(unsupported(format!(
                "a TPM of model '{model}' is not supported"
            )));
        }
    };
    builder.require_device(driver)?;
    builder.device(&Props::device(driver).set("tpmdev", id).set("id", alias));
    Ok(())
}

fn panic(builder: &mut Builder<'_>, panic: &Panic) -> Result<()> {
    match panic.model {
        None | Some(PanicModel::Isa) => {
            let props = Props::device("pvpanic");
            let port = match &panic.info.address {
                Some(Address::Isa(address)) => address.iobase.map(|base| u64::from(base.0)),
                _ => None,
            };
            builder.device(&props.set_opt("ioport", port));
            Ok(())
        }
        Some(PanicModel::Pvpanic) => {
            let props = Props::device("pvpanic-pci").set("id", alias(&panic.info)?);
            plain(builder, props, &panic.info)
        }
        Some(model) => Err(unsupported(format!(
            "a panic device of model '{model}' is not supported"
        ))),
    }
}

fn vsock(builder: &mut Builder<'_>, vsock: &Vsock) -> Result<()> {
    let cid = vsock.cid.and_then(|cid| cid.address).filter(|cid| *cid > 2);
    let cid =
        cid.ok_or_else(|| unsupported("a vsock device needs <cid address='…'/> of 3 or more"))?;
    let model = virtio("vhost-vsock", vsock.model.unwrap_or(VirtioModel::Virtio));
    let props = Props::device(&model)
        .set("id", alias(&vsock.info)?)
        .set("guest-cid", cid);
    plain(builder, props, &vsock.info)
}
