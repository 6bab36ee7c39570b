//! Sound cards, and where their sound goes.

use virtbus_api::Result;
use virtbus_conf_domain::domain::devices::graphics::GraphicsKind;
use virtbus_conf_domain::domain::devices::sound::{AudioType, CodecType, Sound, SoundModel};

use super::misc::plain;
use super::{Builder, Props, alias, unsupported};

/// Adds back ends and cards.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    builder.try_each([()], |builder, ()| audio(builder));
    builder.try_each(&builder.devices.sound, sound);
    Ok(())
}

/// The id of the back end that sound goes to where the definition names none.
const DEFAULT_AUDIO: u32 = 1;

/// Adds the back ends of sound. QEMU would look for one of its own, on the host.
fn audio(builder: &mut Builder<'_>) -> Result<()> {
    let devices = builder.devices;
    for audio in &devices.audio {
        let driver = match audio.kind {
            AudioType::None => "none",
            AudioType::Spice => "spice",
            kind => {
                return Err(unsupported(format!(
                    "audio of type '{kind}' is not supported"
                )));
            }
        };
        builder.option("-audiodev", format!("{driver},id=audio{}", audio.id));
    }
    if devices.audio.is_empty() {
        let spice = devices
            .graphics
            .iter()
            .any(|graphics| matches!(graphics.kind, GraphicsKind::Spice(_)));
        let driver = if spice && !devices.sound.is_empty() {
            "spice"
        } else {
            "none"
        };
        builder.option("-audiodev", format!("{driver},id=audio{DEFAULT_AUDIO}"));
    }
    Ok(())
}

/// The back end that the speaker of the machine plays on, if the guest has one.
pub(super) fn speaker(builder: &Builder<'_>) -> Option<String> {
    let sounds = &builder.devices.sound;
    let speaker = sounds
        .iter()
        .find(|sound| sound.model == SoundModel::Pcspk)?;
    Some(audiodev(builder, speaker))
}

/// The back end of a sound card.
fn audiodev(builder: &Builder<'_>, sound: &Sound) -> String {
    let first = builder
        .devices
        .audio
        .first()
        .map_or(DEFAULT_AUDIO, |audio| audio.id);
    format!("audio{}", sound.audio.unwrap_or(first))
}

fn sound(builder: &mut Builder<'_>, sound: &Sound) -> Result<()> {
    let driver = match sound.model {
        SoundModel::Ich6 => "intel-hda",
        SoundModel::Ich9 => "ich9-intel-hda",
        SoundModel::Ac97 => "AC97",
        SoundModel::Es1370 => "ES1370",
        SoundModel::Sb16 => "sb16",
        SoundModel::Usb => "usb-audio",
        SoundModel::Virtio => "virtio-sound-pci",
        // Part of the machine, which is told where it plays.
        SoundModel::Pcspk => return Ok(()),
        model => {
            return Err(unsupported(format!(
                "sound of model '{model}' is not supported"
            )));
        }
    };
    builder.require_device(driver)?;
    let id = alias(&sound.info)?.to_owned();
    let audiodev = audiodev(builder, sound);
    let hda = matches!(sound.model, SoundModel::Ich6 | SoundModel::Ich9);
    let props = Props::device(driver)
        .set("id", id.as_str())
        .set_opt("multi", sound.multichannel.map(bool::from))
        .set_opt("streams", sound.streams)
        .set_opt("audiodev", (!hda).then(|| audiodev.clone()));
    plain(builder, props, &sound.info)?;
    if hda {
        let codecs = match &*sound.codec {
            [] => &[CodecType::Duplex],
            codecs => codecs,
        };
        for (number, codec) in codecs.iter().enumerate() {
            let driver = format!("hda-{codec}");
            builder.require_device(&driver)?;
            let codec = Props::device(&driver)
                .set("id", format!("{id}-codec{number}"))
                .set("bus", format!("{id}.0"))
                .set("cad", number)
                .set("audiodev", audiodev.as_str());
            builder.device(&codec);
        }
    }
    Ok(())
}
