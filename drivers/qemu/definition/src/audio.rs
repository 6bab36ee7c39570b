//! Where sound goes if a definition does not say.

use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::graphics::{Graphics, GraphicsKind};
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
    let none = || Audio::new(1, AudioType::None);
    if devices.graphics.is_empty() {
        let heard = host.device().filter(|_| host.for_headless);
        devices.audio.push(heard.unwrap_or_else(none));
        return;
    }
    let heard = devices
        .graphics
        .iter()
        .find_map(|graphics| match &graphics.kind {
            GraphicsKind::Vnc(_) if host.for_vnc => host.device(),
            GraphicsKind::Spice(_) => Some(Audio::new(1, AudioType::Spice)),
            // What looks at the guest is on the host itself.
            GraphicsKind::Sdl(_) => host.device(),
            _ => None,
        });
    let is_vnc = |graphics: &Graphics| matches!(graphics.kind, GraphicsKind::Vnc(_));
    let has_vnc = devices.graphics.iter().any(is_vnc);
    devices.audio.extend(heard.or_else(|| has_vnc.then(none)));
}
