//! Displays: ports, where they listen, and channels of SPICE.

use virtbus_conf_base::Result;
use virtbus_xml::YesNo;

use super::invalid;
use crate::domain::Domain;
use crate::domain::devices::graphics::{
    AddressListen, Graphics, GraphicsKind, Listen, ListenType, Rdp, Spice, SpiceChannelMode, Vnc,
};

pub(super) fn settle(graphics: &mut Graphics, inactive: bool) -> Result<()> {
    match &mut graphics.kind {
        GraphicsKind::Vnc(vnc) => settle_vnc(vnc, inactive),
        GraphicsKind::Spice(spice) => settle_spice(spice, inactive),
        GraphicsKind::Rdp(rdp) => settle_rdp(rdp, inactive),
        GraphicsKind::Sdl(_)
        | GraphicsKind::Desktop(_)
        | GraphicsKind::EglHeadless(_)
        | GraphicsKind::Dbus(_) => {}
    }
    if graphics.is_server() {
        if graphics.listen.is_empty() {
            graphics
                .listen
                .push(Listen::Address(AddressListen::default()));
        }
        for listen in &graphics.listen {
            check_listen(&graphics.kind, listen)?;
        }
        if inactive {
            forget_addresses(graphics);
        }
        if !graphics.ports_are_visible() {
            forget_ports(&mut graphics.kind);
        }
    }
    Ok(())
}

/// Drops what is not written of a guest that does not run.
pub(super) fn strip_live(graphics: &mut Graphics) {
    if let GraphicsKind::Vnc(vnc) = &mut graphics.kind {
        let auto = vnc.autoport == Some(YesNo::Yes);
        vnc.port = vnc.port.filter(|_| !auto);
        if vnc.websocket_generated {
            vnc.websocket = Some(-1);
        }
    }
    forget_addresses(graphics);
}

/// Forgets the addresses that virtual networks have on this host.
fn forget_addresses(graphics: &mut Graphics) {
    for listen in &mut graphics.listen {
        if let Listen::Network(network) = listen {
            network.address = None;
        }
    }
}

fn check_listen(kind: &GraphicsKind, listen: &Listen) -> Result<()> {
    let allowed = match listen.kind() {
        ListenType::Address | ListenType::Network => true,
        ListenType::Socket => matches!(kind, GraphicsKind::Vnc(_) | GraphicsKind::Spice(_)),
        ListenType::None => matches!(kind, GraphicsKind::Vnc(_) | GraphicsKind::Spice(_)),
    };
    if !allowed {
        return invalid(format!(
            "a display of kind {} cannot listen by '{}'",
            kind.kind(),
            listen.kind()
        ));
    }
    Ok(())
}

fn settle_vnc(vnc: &mut Vnc, inactive: bool) {
    // No port at all, 0, which is not written, and -1 mean that the driver chooses.
    if vnc.port.is_none_or(|p| matches!(p, 0 | -1)) {
        vnc.port = None;
        vnc.autoport = Some(YesNo::Yes);
    }
    if vnc.autoport.get_or_insert(YesNo::No).is_yes() {
        vnc.port = vnc.port.filter(|port| *port > 0 && !inactive);
    }
    vnc.websocket = vnc.websocket.filter(|p| *p != 0);
    if vnc.websocket == Some(-1) {
        vnc.websocket_generated = true;
    }
}

fn settle_spice(spice: &mut Spice, inactive: bool) {
    if spice.port == Some(-1) || spice.tls_port == Some(-1) {
        spice.autoport = Some(YesNo::Yes);
    }
    let auto = *spice.autoport.get_or_insert(YesNo::No);
    if auto.is_yes() && inactive {
        spice.port = None;
        spice.tls_port = None;
    }
    spice.port = spice.port.filter(|p| *p != 0);
    spice.tls_port = spice.tls_port.filter(|p| *p != 0);
    // The last word about each channel counts; what is not special is not said.
    let mut channels = std::mem::take(&mut spice.channel);
    channels.reverse();
    channels.sort_by_key(|c| c.name);
    channels.dedup_by_key(|c| c.name);
    channels.retain(|c| c.mode != SpiceChannelMode::Any);
    spice.channel = channels;
    spice.default_mode = spice.default_mode.filter(|m| *m != SpiceChannelMode::Any);
}

/// What does not listen on the network has no ports, and says nothing of them.
fn forget_ports(kind: &mut GraphicsKind) {
    match kind {
        GraphicsKind::Vnc(vnc) => {
            vnc.port = None;
            vnc.autoport = Some(YesNo::Yes);
            vnc.websocket = None;
            vnc.websocket_generated = false;
        }
        GraphicsKind::Spice(spice) => {
            spice.port = None;
            spice.tls_port = None;
            spice.autoport = Some(YesNo::No);
        }
        GraphicsKind::Rdp(_)
        | GraphicsKind::Sdl(_)
        | GraphicsKind::Desktop(_)
        | GraphicsKind::EglHeadless(_)
        | GraphicsKind::Dbus(_) => {}
    }
}

fn settle_rdp(rdp: &mut Rdp, inactive: bool) {
    if rdp.port == Some(-1) {
        rdp.autoport = Some(YesNo::Yes);
    }
    let auto = rdp.autoport.is_some_and(YesNo::is_yes);
    if auto && inactive {
        rdp.port = None;
    }
    rdp.port = rdp.port.filter(|p| *p != 0);
}

/// A SPICE display without any port does not listen.
pub(super) fn without_ports(domain: &mut Domain) {
    for graphics in &mut domain.devices.graphics {
        let GraphicsKind::Spice(spice) = &graphics.kind else {
            continue;
        };
        let none =
            spice.port.is_none() && spice.tls_port.is_none() && spice.autoport != Some(YesNo::Yes);
        if none && let Some(first @ Listen::Address(_)) = graphics.listen.first_mut() {
            *first = Listen::None;
        }
    }
}
