//! What a person sees and touches: graphics servers, video cards.

use virtbus_api::Result;
use virtbus_conf_base::{OnOff, YesNo};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::chardev::MouseMode;
use virtbus_conf_domain::domain::devices::graphics::{
    ConnectedAction, Graphics, GraphicsAuth, GraphicsKind, Listen, SharePolicy, Spice, Vnc,
};
use virtbus_conf_domain::domain::devices::video::VideoModelType;
use virtbus_qemu_monitor::commands::display::{ExpirePassword, SetPassword};
use virtbus_qemu_monitor::{Monitor, MonitorError, Secret};

use super::{Builder, Props, alias, before_port, escape, unsupported};

/// Adds graphics servers and video cards.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    builder.try_each(
        &builder.devices.graphics,
        |builder, graphics| match &graphics.kind {
            GraphicsKind::Vnc(vnc) => self::vnc(builder, graphics, vnc),
            GraphicsKind::Spice(spice) => self::spice(builder, graphics, spice),
            other => {
                let kind = other.kind();
                Err(unsupported(format!(
                    "graphics of type '{kind}' are not supported"
                )))
            }
        },
    );
    for (index, video) in builder.devices.video.iter().enumerate() {
        let card = video.model.clone().unwrap_or_default();
        let primary = index == 0;
        let model = match card.kind.unwrap_or(VideoModelType::Vga) {
            VideoModelType::None => continue,
            VideoModelType::Vga if primary => "VGA",
            VideoModelType::Cirrus if primary => "cirrus-vga",
            VideoModelType::Vmvga if primary => "vmware-svga",
            VideoModelType::Qxl if primary => "qxl-vga",
            VideoModelType::Qxl => "qxl",
            VideoModelType::Virtio if primary => "virtio-vga",
            VideoModelType::Virtio => "virtio-gpu-pci",
            VideoModelType::Bochs => "bochs-display",
            VideoModelType::Ramfb => "ramfb",
            other => {
                let place = if primary { "" } else { " as a further card" };
                return Err(unsupported(format!(
                    "video of model '{other}'{place} is not supported"
                )));
            }
        };
        builder.require_device(model)?;
        let mut props = Props::device(model).set("id", alias(&video.info)?);
        let mib = |kib: u32| kib / 1024;
        props = match model {
            "VGA" | "vmware-svga" => props.set_opt("vgamem_mb", card.vram.map(mib)),
            "bochs-display" => props.set_opt("vgamem", card.vram.map(|kib| u64::from(kib) * 1024)),
            "qxl-vga" | "qxl" => props
                .set_opt("ram_size", card.ram.map(|kib| u64::from(kib) * 1024))
                .set_opt("vram_size", card.vram.map(|kib| u64::from(kib) * 1024))
                .set_opt(
                    "vram64_size_mb",
                    card.vram64.filter(|kib| *kib > 0).map(mib),
                )
                .set_opt("vgamem_mb", card.vgamem.map(mib))
                .set_opt("max_outputs", card.heads),
            "virtio-vga" | "virtio-gpu-pci" => props.set_opt("max_outputs", card.heads),
            _ => props,
        };
        let props = builder.place(props, &video.info)?;
        builder.device(&props);
    }
    Ok(())
}

/// The address of a server, resolved before the start.
fn listen(graphics: &Graphics) -> Result<Option<&Listen>> {
    match graphics.listen.first() {
        Some(Listen::Network(listen)) if listen.address.is_none() => Err(unsupported(format!(
            "the host's address on network '{}' is not known, as this daemon has no network driver",
            listen.network
        ))),
        listen => Ok(listen),
    }
}

fn vnc(builder: &mut Builder<'_>, graphics: &Graphics, vnc: &Vnc) -> Result<()> {
    let mut text = match listen(graphics)? {
        Some(Listen::Socket(socket)) => {
            let path = socket
                .socket
                .as_deref()
                .ok_or_else(|| unsupported("a VNC socket has no path"))?;
            format!("unix:{}", escape(path))
        }
        Some(Listen::None) => "none".to_owned(),
        other => {
            let address = other.and_then(Listen::address).unwrap_or_default();
            let port = vnc
                .port
                .ok_or_else(|| unsupported("a VNC server has no port"))?;
            let display = port
                .checked_sub(5900)
                .filter(|display| (0..=65535 - 5900).contains(display));
            let display = display.ok_or_else(|| {
                unsupported(format!(
                    "VNC cannot listen on port {port}: it is not from 5900 to 65535"
                ))
            })?;
            format!("{}:{display}", escape(&before_port(address)))
        }
    };
    if vnc.websocket == Some(-1) {
        return Err(unsupported(
            "a port for WebSockets cannot be chosen automatically (<graphics websocket='-1'>)",
        ));
    }
    if let Some(websocket) = vnc.websocket.filter(|port| *port > 0) {
        text.push_str(&format!(",websocket={websocket}"));
    }
    match vnc.share_policy {
        Some(SharePolicy::AllowExclusive) => text.push_str(",share=allow-exclusive"),
        Some(SharePolicy::ForceShared) => text.push_str(",share=force-shared"),
        Some(SharePolicy::Ignore) => text.push_str(",share=ignore"),
        None => {}
    }
    if let Some(control) = vnc.power_control {
        text.push_str(if control.is_yes() {
            ",power-control=on"
        } else {
            ",power-control=off"
        });
    }
    if vnc.auth.passwd.is_some() {
        // Set by the monitor, so that it is on no command line.
        text.push_str(",password=on");
    }
    // With its name: a path may have a '=', and would be one itself.
    builder.option("-vnc", format!("vnc={text}"));
    if let Some(keymap) = &vnc.keymap {
        builder.option("-k", keymap.clone());
    }
    Ok(())
}

fn spice(builder: &mut Builder<'_>, graphics: &Graphics, spice: &Spice) -> Result<()> {
    if !builder.has(virtbus_qemu_capabilities::Cap::Spice) {
        return Err(unsupported("this emulator has no SPICE"));
    }
    let mut options = Vec::new();
    match listen(graphics)? {
        Some(Listen::Socket(socket)) => {
            let path = socket
                .socket
                .as_deref()
                .ok_or_else(|| unsupported("a SPICE socket has no path"))?;
            options.push(format!("unix=on,addr={}", escape(path)));
        }
        Some(Listen::None) => {}
        other => {
            if let Some(port) = spice.port.filter(|port| *port > 0) {
                options.push(format!("port={port}"));
            }
            if spice.tls_port.is_some_and(|port| port > 0) {
                return Err(unsupported("SPICE with TLS is not supported"));
            }
            let address = other.and_then(Listen::address).unwrap_or_default();
            if !address.is_empty() {
                options.push(format!("addr={}", escape(address)));
            }
        }
    }
    if spice.auth.passwd.is_none() {
        options.push("disable-ticketing=on".to_owned());
    }
    let choices = &spice.options;
    if let Some(image) = choices.image {
        options.push(format!("image-compression={image}"));
    }
    if let Some(jpeg) = choices.jpeg {
        options.push(format!("jpeg-wan-compression={jpeg}"));
    }
    if let Some(zlib) = choices.zlib {
        options.push(format!("zlib-glz-wan-compression={zlib}"));
    }
    if let Some(playback) = choices.playback {
        options.push(format!("playback-compression={playback}"));
    }
    if let Some(streaming) = choices.streaming {
        options.push(format!("streaming-video={streaming}"));
    }
    if choices.clipboard == Some(YesNo::No) {
        options.push("disable-copy-paste=on".to_owned());
    }
    if choices.filetransfer == Some(YesNo::No) {
        options.push("disable-agent-file-xfer=on".to_owned());
    }
    if let Some(mouse) = choices.mouse {
        // Where the agent moves the pointer, the client draws it.
        let client = OnOff::from(mouse == MouseMode::Client);
        options.push(format!("agent-mouse={client}"));
    }
    options.push("seamless-migration=on".to_owned());
    builder.option("-spice", options.join(","));
    if let Some(keymap) = &spice.keymap {
        builder.option("-k", keymap.clone());
    }
    Ok(())
}

/// Sets the passwords of graphics servers. One that is empty lets nobody in.
pub(super) async fn set_passwords(
    monitor: &Monitor,
    definition: &Definition,
) -> std::result::Result<(), MonitorError> {
    for graphics in &definition.devices.graphics {
        let (protocol, auth) = match &graphics.kind {
            GraphicsKind::Vnc(vnc) => ("vnc", &vnc.auth),
            GraphicsKind::Spice(spice) => ("spice", &spice.auth),
            _ => continue,
        };
        let Some(password) = &auth.passwd else {
            continue;
        };
        // The end first, so that an expired password never holds. One that is empty is not set at all: an emulator that is told to ask
        // for a password lets nobody in until it has one.
        let expire = ExpirePassword {
            protocol: protocol.to_owned(),
            time: expiry(auth),
            display: None,
        };
        monitor.execute(&expire).await?;
        if password.is_empty() {
            continue;
        }
        let set = SetPassword {
            protocol: protocol.to_owned(),
            password: Secret(password.to_string()),
            connected: auth.connected.map(connected),
            display: None,
        };
        monitor.execute(&set).await?;
    }
    Ok(())
}

fn connected(action: ConnectedAction) -> String {
    action.as_str().to_owned()
}

/// When the password ends, as QEMU reads it: seconds since 1970, or `never`.
fn expiry(auth: &GraphicsAuth) -> String {
    auth.valid_to
        .as_deref()
        .and_then(seconds)
        .map_or_else(|| "never".to_owned(), |seconds| seconds.to_string())
}

/// `YYYY-MM-DDThh:mm:ss` in UTC as seconds since 1970; the definition was checked to have this form.
fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * 86400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times() {
        assert_eq!(seconds("1970-01-01T00:00:00"), Some(0));
        assert_eq!(seconds("2000-02-29T12:34:56"), Some(951_827_696));
        assert_eq!(seconds("not a time"), None);
    }
}
