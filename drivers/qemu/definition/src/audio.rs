//! Where sound goes if a definition does not say.

use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::graphics::GraphicsKind;
use virtbus_conf_domain::domain::devices::sound::{Audio, AudioType, SdlAudioDriver};

use crate::Facts;

/// The host's sound, and who may hear guests by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostAudio {
    /// Which it is.
    pub kind: Option<AudioType>,
    /// SDL's own choice, if it is that.
    pub sdl: Option<SdlAudioDriver>,
    /// Whether guests that are seen by VNC are heard there.
    pub for_vnc: bool,
    /// Whether guests without any display are heard there.
    pub for_headless: bool,
}

impl HostAudio {
    fn device(self) -> Option<Audio> {
        let kind = self.kind?;
        let mut audio = Audio::new(1, kind);
        if kind == AudioType::Sdl {
            audio.driver = self.sdl;
        }
        Some(audio)
    }
}

/// Adds it: to whoever looks at the guest, if that is possible.
pub(crate) fn add(domain: &mut Domain, facts: &Facts<'_>) {
    let devices = &mut domain.devices;
    if !devices.audio.is_empty() {
        return;
    }
    let host = facts.audio;
    let none = || Some(Audio::new(1, AudioType::None));
    let allowed = |is_allowed: bool| {
        if is_allowed { host.device() } else { none() }
    };
    if devices.graphics.is_empty() {
        devices.audio.extend(allowed(host.for_headless));
        return;
    }
    let audio = devices
        .graphics
        .iter()
        .find_map(|graphics| match &graphics.kind {
            GraphicsKind::Vnc(_) => allowed(host.for_vnc),
            GraphicsKind::Spice(_) => Some(Audio::new(1, AudioType::Spice)),
            // What looks at the guest is on the host itself.
            GraphicsKind::Sdl(_) => host.device(),
            _ => None,
        });
    devices.audio.extend(audio);
}
