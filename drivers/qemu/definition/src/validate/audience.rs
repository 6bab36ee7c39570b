//! Sound, and who may look and listen.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::sound::{Sound, SoundModel};
use virtbus_qemu_capabilities::Cap;

use super::{Context, graphics, unsupported};
use crate::machine;

pub(super) fn check(of: Context<'_>) -> Result<()> {
    graphics::together(of)
}

/// Which sound cards the emulator has.
pub(super) fn sound(of: Context<'_>, sound: &Sound) -> Result<()> {
    let model = sound.model;
    let what = format!("<sound model='{model}'>");
    match model {
        SoundModel::Usb => of.need(Cap::UsbAudio, &what)?,
        SoundModel::Ich9 => of.need(Cap::Ich9IntelHda, &what)?,
        SoundModel::Virtio => of.need(Cap::VirtioSound, &what)?,
        SoundModel::Ich7 => return unsupported(format!("QEMU has no {what}")),
        SoundModel::Pcspk if !machine::is_x86(of.domain) => {
            return unsupported(format!("{what} is for x86 machines"));
        }
        SoundModel::Sb16
        | SoundModel::Es1370
        | SoundModel::Pcspk
        | SoundModel::Ac97
        | SoundModel::Ich6 => {}
    }
    if sound.multichannel.is_some() && model != SoundModel::Usb {
        return unsupported(format!(
            "'multichannel' is not for {what}, but for model 'usb'"
        ));
    }
    if sound.streams.is_some() && model != SoundModel::Virtio {
        return unsupported(format!(
            "'streams' is not for {what}, but for model 'virtio'"
        ));
    }
    Ok(())
}
