//! Texts and numbers of a definition that become part of something that is read again: an option of QEMU with a syntax of
//! its own, a name in a folder of the kernel, a port, a date. Where the syntax knows no way to write a character, the
//! character is refused here, by the name of what it stands in: when a client sends it, and once more before it is used.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::clock::ClockOffset;
use virtbus_conf_domain::domain::devices::DeviceRef;
use virtbus_conf_domain::domain::devices::graphics::{Graphics, GraphicsKind, Listen};
use virtbus_conf_domain::domain::devices::info::DeviceInfo;
use virtbus_conf_domain::domain::devices::interface::{Interface, InterfaceSource};

/// The longest alias, bytes: names of block nodes and back ends are made of it.
const LONGEST_ALIAS: usize = 64;

/// The longest name of a network device, bytes: that of the kernel without its end.
const LONGEST_DEVICE: usize = 15;

/// The lowest port of VNC, whose displays are numbered from there.
const VNC_BASE: i32 = 5900;

/// How far a guest's clock may be from the host's, seconds: some six thousand years.
const FARTHEST_CLOCK: i64 = 200_000_000_000;

/// The end of the year 9999, seconds since 1970: QEMU reads dates of four digits.
pub(crate) const LAST_DATE: i64 = 253_402_300_799;

/// Refuses what QEMU or the kernel would read as something else.
///
/// # Errors
/// `XmlError` naming element, text and what is allowed.
pub(crate) fn check(definition: &Definition) -> Result<()> {
    let devices = &definition.devices;
    let mut aliases = HashSet::new();
    for info in devices.iter().filter_map(DeviceRef::info) {
        alias(info, &mut aliases)?;
    }
    devices.graphics.iter().try_for_each(graphics)?;
    devices.interface.iter().try_for_each(interface)?;
    cpu(definition)?;
    clock(definition)?;
    let os = super::os(definition);
    match &os.direct.initrd {
        // For kernels of the multiboot format QEMU reads a list of files.
        Some(initrd) if initrd.contains(',') => Err(invalid(format!(
            "<initrd> must not contain ',', as '{initrd}' does"
        ))),
        _ => Ok(()),
    }
}

fn alias<'d>(info: &'d DeviceInfo, others: &mut HashSet<&'d str>) -> Result<()> {
    let Some(alias) = info.alias.as_deref().filter(|_| info.has_user_alias()) else {
        return Ok(());
    };
    if alias.len() > LONGEST_ALIAS {
        let message = format!("<alias name='{alias}'> is longer than {LONGEST_ALIAS} bytes");
        return Err(invalid(message));
    }
    only("<alias name='…'>", alias, "-_.")?;
    if !others.insert(alias) {
        return Err(invalid(format!("two devices have <alias name='{alias}'>")));
    }
    Ok(())
}

fn graphics(graphics: &Graphics) -> Result<()> {
    for listen in &graphics.listen {
        match listen {
            Listen::Address(listen) => address("<listen address='…'>", listen.address.as_deref())?,
            Listen::Network(listen) => address("<listen address='…'>", listen.address.as_deref())?,
            Listen::Socket(_) | Listen::None => {}
        }
    }
    match &graphics.kind {
        GraphicsKind::Vnc(vnc) => {
            port("<graphics port='…'>", vnc.port, VNC_BASE)?;
            port("<graphics websocket='…'>", vnc.websocket, 1)?;
            keymap(vnc.keymap.as_deref())
        }
        GraphicsKind::Spice(spice) => {
            port("<graphics port='…'>", spice.port, 1)?;
            port("<graphics tlsPort='…'>", spice.tls_port, 1)?;
            keymap(spice.keymap.as_deref())
        }
        GraphicsKind::Rdp(rdp) => port("<graphics port='…'>", rdp.port, 1),
        GraphicsKind::Sdl(_)
        | GraphicsKind::Desktop(_)
        | GraphicsKind::EglHeadless(_)
        | GraphicsKind::Dbus(_) => Ok(()),
    }
}

/// A port, or -1 or 0 where one is to be chosen.
fn port(what: &str, port: Option<i32>, lowest: i32) -> Result<()> {
    match port {
        Some(port) if !matches!(port, -1 | 0) && !(lowest..=65535).contains(&port) => {
            Err(invalid(format!(
                "{what} must be from {lowest} to 65535, or -1 for one that is chosen, not {port}"
            )))
        }
        _ => Ok(()),
    }
}

fn keymap(keymap: Option<&str>) -> Result<()> {
    // The name of a file in a folder of QEMU.
    keymap.map_or(Ok(()), |keymap| only("<graphics keymap='…'>", keymap, "-_"))
}

/// An address or the name of a host. What has a colon is an IPv6 address, perhaps with a zone, and stands in brackets before
/// a port.
fn address(what: &str, address: Option<&str>) -> Result<()> {
    let Some(address) = address else {
        return Ok(());
    };
    if !address.contains(':') {
        return only(what, address, "-_.");
    }
    let (number, zone) = address.split_once('%').unwrap_or((address, "0"));
    if number.parse::<Ipv6Addr>().is_err() {
        let message = format!("{what} must be an address or the name of a host, not {address:?}");
        return Err(invalid(message));
    }
    only(what, zone, "-_.")
}

fn interface(interface: &Interface) -> Result<()> {
    let target = interface.options.target.as_ref();
    device(
        "<target dev='…'>",
        target.and_then(|target| target.dev.as_deref()),
    )?;
    if let Some(model) = &interface.options.model {
        only("<model type='…'>", model, "-_.")?;
    }
    let place = "<source address='…'>";
    match &interface.source {
        InterfaceSource::Bridge(source) | InterfaceSource::Network(source) => {
            device("<source bridge='…'>", source.bridge.as_deref())
        }
        InterfaceSource::Direct(source) => device("<source dev='…'>", source.dev.as_deref()),
        InterfaceSource::Server(source)
        | InterfaceSource::Client(source)
        | InterfaceSource::Mcast(source) => address(place, source.address.as_deref()),
        InterfaceSource::Udp(source) => {
            address(place, Some(&source.address))?;
            address("<local address='…'>", Some(&source.local.address))
        }
        InterfaceSource::User(_)
        | InterfaceSource::Ethernet(_)
        | InterfaceSource::Vhostuser(_)
        | InterfaceSource::Internal(_)
        | InterfaceSource::Hostdev { .. }
        | InterfaceSource::Vdpa(_)
        | InterfaceSource::Null
        | InterfaceSource::Vds(_) => Ok(()),
    }
}

/// The name of a network device, by the kernel's rules.
fn device(what: &str, name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    let wrong = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    if name.is_empty()
        || name.len() > LONGEST_DEVICE
        || name.contains(wrong)
        || name == "."
        || name == ".."
    {
        return Err(invalid(format!(
            "{what} must be the name of a network device, of 1 to {LONGEST_DEVICE} bytes without '/', ':' and white space, not '{name}'"
        )));
    }
    Ok(())
}

/// What goes into `-cpu`, whose values cannot have a comma.
fn cpu(definition: &Definition) -> Result<()> {
    let Some(cpu) = &definition.cpu else {
        return Ok(());
    };
    for feature in &cpu.feature {
        only("<feature name='…'>", &feature.name, "-_.")?;
        // QEMU takes a '-' before a feature for one to leave out.
        if !feature
            .name
            .starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            let message = format!(
                "<feature name='{}'> must begin with a letter or digit",
                feature.name
            );
            return Err(invalid(message));
        }
    }
    let model = cpu.model.as_ref();
    if let Some(vendor) = model.and_then(|model| model.vendor_id.as_deref()) {
        let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, ',' | '=');
        if vendor.len() != 12 || !vendor.chars().all(plain) {
            return Err(invalid(format!(
                "<model vendor_id='…'> must be 12 characters of ASCII without ',' and '=', not '{vendor}'"
            )));
        }
    }
    Ok(())
}

fn clock(definition: &Definition) -> Result<()> {
    let offset = definition.clock.as_ref().map(|clock| &clock.offset);
    let wrong = match offset {
        Some(ClockOffset::Variable(clock)) => {
            let seconds = clock.adjustment.unwrap_or(0);
            let near = (-FARTHEST_CLOCK..=FARTHEST_CLOCK).contains(&seconds);
            (!near).then(|| format!("adjustment='{seconds}'"))
        }
        Some(ClockOffset::Absolute(clock)) => {
            let known = i64::try_from(clock.start).is_ok_and(|start| start <= LAST_DATE);
            (!known).then(|| format!("start='{}'", clock.start))
        }
        Some(ClockOffset::Utc(_) | ClockOffset::Localtime(_) | ClockOffset::Timezone(_)) | None => {
            None
        }
    };
    match wrong {
        Some(what) => Err(invalid(format!(
            "<clock {what}> leads beyond the years that a clock can show"
        ))),
        None => Ok(()),
    }
}

/// Refuses a text with anything but ASCII letters, digits and `others`.
fn only(what: &str, text: &str, others: &str) -> Result<()> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    match text.chars().find(|c| !is_allowed(*c)) {
        None => Ok(()),
        Some(wrong) => Err(invalid(format!(
            "{what} must not contain {wrong:?}, as {text:?} does: letters, digits and {others:?} are allowed"
        ))),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::XmlError, ErrorDomain::Domain, message)
}
