//! Graphics cards.

use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::video::{Video, VideoModelType};
use virtbus_qemu_capabilities::{Cap, Capabilities};

use crate::{Facts, machine};

/// KiB of a QXL card's memory that show the screen.
const QXL_VGAMEM: u32 = 16 * 1024;

pub(super) fn complete(domain: &Domain, video: &mut Video, facts: &Facts<'_>) {
    let model = video.model.get_or_insert_default();
    if model.kind.is_none() {
        model.kind = usual(domain, facts.capabilities);
    }
    if model.kind == Some(VideoModelType::Qxl) {
        let memory = model.vgamem.unwrap_or(QXL_VGAMEM);
        model.vgamem = Some(memory.checked_next_power_of_two().unwrap_or(1 << 31));
    }
}

/// The card that a guest of this machine has always got.
fn usual(domain: &Domain, capabilities: &Capabilities) -> Option<VideoModelType> {
    if machine::is_ppc64(domain) {
        return Some(VideoModelType::Vga);
    }
    if machine::is_virt(domain) || machine::is_s390(domain) || machine::is_loongarch(domain) {
        return Some(VideoModelType::Virtio);
    }
    let known = [
        (Cap::CirrusVga, VideoModelType::Cirrus),
        (Cap::Vga, VideoModelType::Vga),
    ];
    let mut known = known.into_iter();
    known
        .find(|(cap, _)| capabilities.has(*cap))
        .map(|(_, kind)| kind)
}
