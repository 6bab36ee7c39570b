//! Devices of the host.

use virtbus_conf_base::{OnOff, Result};
use virtbus_conf_domain::domain::devices::hostdev::{
    Hostdev, HostdevMode, HostdevSubsys, MdevModel,
};
use virtbus_conf_domain::domain::devices::smartcard::{Smartcard, SmartcardMode};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};

pub(super) fn hostdev(of: Context<'_>, hostdev: &Hostdev) -> Result<()> {
    let Hostdev {
        mode,
        managed: _,
        sgio: _,
        rawio: _,
        virtio_model: _,
        mdev_model,
        display,
        ramfb,
        teaming: _,
        readonly: _,
        shareable: _,
        info,
    } = hostdev;
    let boots = info.boot.is_some();
    let subsys = match mode {
        HostdevMode::Subsystem(subsys) => subsys,
        HostdevMode::Capabilities(_) => {
            return unsupported(
                "<hostdev mode='capabilities'> is for containers: QEMU takes mode='subsystem'",
            );
        }
    };
    match subsys {
        HostdevSubsys::Pci(_) => of.need(Cap::VfioPci, "<hostdev type='pci'>"),
        HostdevSubsys::Usb(usb) => {
            if usb.guest_reset.is_some() {
                of.need(
                    Cap::UsbHostGuestResetsAll,
                    "'guestReset' of <hostdev type='usb'>",
                )?;
            }
            Ok(())
        }
        HostdevSubsys::Scsi(_) => Ok(()),
        HostdevSubsys::ScsiHost { .. } => {
            of.need(Cap::VhostScsi, "<hostdev type='scsi_host'>")?;
            if boots {
                return unsupported("a <hostdev> of type 'scsi_host' cannot be booted from");
            }
            Ok(())
        }
        HostdevSubsys::Mdev { .. } => {
            let model = mdev_model.unwrap_or(MdevModel::VfioPci);
            let (cap, can_boot) = match model {
                MdevModel::VfioPci => (Cap::VfioPci, true),
                MdevModel::VfioCcw => (Cap::VfioCcw, true),
                MdevModel::VfioAp => (Cap::VfioAp, false),
            };
            of.need(cap, &format!("<hostdev type='mdev'> of model '{model}'"))?;
            if boots && !can_boot {
                return unsupported(format!(
                    "a <hostdev> of type 'mdev' and model '{model}' cannot be booted from"
                ));
            }
            screen(of, model, *display, *ramfb)
        }
    }
}

/// A mediated device can be a graphics card, if somebody can look at it.
fn screen(
    of: Context<'_>,
    model: MdevModel,
    display: Option<OnOff>,
    ramfb: Option<OnOff>,
) -> Result<()> {
    let shows = display == Some(OnOff::On);
    if model != MdevModel::VfioPci && (shows || ramfb == Some(OnOff::On)) {
        return unsupported(format!(
            "a <hostdev> of model '{model}' has no screen, so 'display' and 'ramfb' are not for it"
        ));
    }
    if shows && of.domain.devices.graphics.is_empty() {
        return unsupported("display='on' of a <hostdev> needs <graphics>, where it is shown");
    }
    if ramfb == Some(OnOff::On) && !shows {
        return unsupported("ramfb='on' of a <hostdev> needs display='on'");
    }
    Ok(())
}

pub(super) fn smartcard(of: Context<'_>, card: &Smartcard) -> Result<()> {
    match &card.mode {
        SmartcardMode::Host => of.need(Cap::CcidEmulated, "<smartcard mode='host'>"),
        SmartcardMode::HostCertificates(_) => {
            of.need(Cap::CcidEmulated, "<smartcard mode='host-certificates'>")
        }
        SmartcardMode::Passthrough(chardev) => {
            super::chardev::source(of, chardev)?;
            of.need(Cap::CcidPassthru, "<smartcard mode='passthrough'>")
        }
    }
}
