//! Character devices: serial and parallel ports, consoles and channels, and the back ends that other devices share.

use virtbus_api::Result;
use virtbus_api::security::Access;
use virtbus_conf_base::{OnOff, Text, YesNo};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::Devices;
use virtbus_conf_domain::domain::devices::chardev::{
    ChannelTarget, Chardev, ChardevMode, ChardevProtocol, ChardevSource, ConsoleTargetType,
    SerialTargetModel,
};
use virtbus_conf_domain::domain::devices::info::DeviceInfo;
use virtbus_qemu_monitor::commands::chardev::QueryChardev;
use virtbus_qemu_monitor::{Monitor, MonitorError};

use super::{Builder, Props, alias, escape, unsupported};

/// Adds serial ports, parallel ports, consoles and channels.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    let devices = builder.devices;
    builder.try_each(&devices.serial, |builder, serial| {
        let alias = alias(&serial.info)?;
        backend(builder, &serial.chardev, alias)?;
        let target = serial.target.unwrap_or_default();
        let model = match target.model {
            None | Some(SerialTargetModel::IsaSerial | SerialTargetModel::Uart16550a) => {
                "isa-serial"
            }
            Some(SerialTargetModel::PciSerial) => "pci-serial",
            Some(SerialTargetModel::UsbSerial) => "usb-serial",
            Some(SerialTargetModel::IsaDebugcon) => "isa-debugcon",
            Some(model) => {
                return Err(unsupported(format!(
                    "serial ports of model '{model}' are not supported"
                )));
            }
        };
        builder.require_device(model)?;
        let index = (model == "isa-serial").then_some(target.port.unwrap_or(0));
        let props = Props::device(model)
            .set("chardev", format!("char{alias}"))
            .set("id", alias)
            .set_opt("index", index);
        let props = builder.place(props, &serial.info)?;
        builder.device(&props);
        Ok(())
    });
    builder.try_each(&devices.parallel, |builder, parallel| {
        let alias = alias(&parallel.info)?;
        backend(builder, &parallel.chardev, alias)?;
        let props = Props::device("isa-parallel")
            .set("chardev", format!("char{alias}"))
            .set("id", alias);
        let props = builder.place(props, &parallel.info)?;
        builder.device(&props);
        Ok(())
    });
    builder.try_each(&devices.channel, |builder, channel| {
        let alias = alias(&channel.info)?;
        match &channel.target {
            ChannelTarget::Virtio(target) => {
                backend(builder, &channel.chardev, alias)?;
                let props = Props::device("virtserialport");
                let props = builder.place(props, &channel.info)?;
                let props = props
                    .set("chardev", format!("char{alias}"))
                    .set("id", alias)
                    .set_opt("name", target.name.as_deref());
                builder.device(&props);
            }
            ChannelTarget::GuestFwd(_) | ChannelTarget::Xen(_) => {
                return Err(unsupported(
                    "channels other than those of type 'virtio' are not supported",
                ));
            }
        }
        Ok(())
    });
    builder.try_each(&devices.console, |builder, console| {
        match console.target.and_then(|target| target.kind) {
            // The first serial port under another name.
            None | Some(ConsoleTargetType::Serial) => {}
            Some(ConsoleTargetType::Virtio) => {
                let alias = alias(&console.info)?;
                backend(builder, &console.chardev, alias)?;
                let props = Props::device("virtconsole");
                let props = builder.place(props, &console.info)?;
                builder.device(
                    &props
                        .set("chardev", format!("char{alias}"))
                        .set("id", alias),
                );
            }
            Some(kind) => {
                return Err(unsupported(format!(
                    "consoles of type '{kind}' are not supported"
                )));
            }
        }
        Ok(())
    });
    Ok(())
}

/// The name under which SPICE knows the channel of its agent.
const AGENT: &str = "vdagent";

/// Adds the back end of a device with this alias; its id is `char` and the alias.
pub(super) fn backend(builder: &mut Builder<'_>, chardev: &Chardev, alias: &str) -> Result<()> {
    backend_called(builder, chardev, alias, AGENT)
}

/// The same for a device that SPICE knows by this name.
pub(super) fn backend_called(
    builder: &mut Builder<'_>,
    chardev: &Chardev,
    alias: &str,
    name: &str,
) -> Result<()> {
    let value = value(builder, chardev, alias, name)?;
    builder.option("-chardev", value);
    Ok(())
}

fn value(builder: &mut Builder<'_>, chardev: &Chardev, alias: &str, name: &str) -> Result<String> {
    let id = format!("id=char{}", escape(alias));
    let missing = |what: &str| unsupported(format!("the source of device '{alias}' has no {what}"));
    let reconnect = |reconnect: &Option<virtbus_conf_storage::storage::Reconnect>| {
        reconnect
            .as_ref()
            .filter(|reconnect| reconnect.enabled == Some(YesNo::Yes))
            .map(|reconnect| format!(",reconnect={}", reconnect.timeout.unwrap_or(0)))
            .unwrap_or_default()
    };
    let mut text = match &chardev.source {
        ChardevSource::Null => format!("null,{id}"),
        ChardevSource::Vc => format!("vc,{id}"),
        ChardevSource::Pty(_) => format!("pty,{id}"),
        ChardevSource::Stdio => {
            return Err(unsupported(
                "a guest has no standard input and output to be used",
            ));
        }
        ChardevSource::Dev(source) => {
            let path = source.path.as_deref().ok_or_else(|| missing("path"))?;
            builder.needs(path, Access::ReadWrite);
            let kind = if path.starts_with("/dev/parport") {
                "parallel"
            } else {
                "serial"
            };
            format!("{kind},{id},path={}", escape(path))
        }
        ChardevSource::File(source) => {
            let path = source.path.as_deref().ok_or_else(|| missing("path"))?;
            let path = builder.opened(path)?;
            // Whether to append was decided when it was opened.
            format!("file,{id},path={path},append=on")
        }
        ChardevSource::Pipe(source) => {
            let path = source.path.as_deref().ok_or_else(|| missing("path"))?;
            format!("pipe,{id},path={}", escape(path))
        }
        ChardevSource::Udp(source) => {
            let part = |name: &str, value: &Option<Text>| {
                value
                    .as_ref()
                    .map(|value| format!(",{name}={}", escape(value)))
                    .unwrap_or_default()
            };
            format!(
                "udp,{id}{}{}{}{}",
                part("host", &source.connect_host),
                part("port", &source.connect_service),
                part("localaddr", &source.bind_host),
                part("localport", &source.bind_service),
            )
        }
        ChardevSource::Tcp(source) => {
            if source.tls == Some(YesNo::Yes) {
                return Err(unsupported(format!(
                    "TLS for device '{alias}' is not supported"
                )));
            }
            let host = source.host.as_deref().unwrap_or_default();
            let port = source
                .service
                .as_deref()
                .ok_or_else(|| missing("service"))?;
            let mut text = format!("socket,{id},host={},port={}", escape(host), escape(port));
            if source.protocol == Some(ChardevProtocol::Telnet) {
                text.push_str(",telnet=on");
            }
            text.push_str(server(source.mode));
            text + &reconnect(&source.reconnect)
        }
        ChardevSource::Unix(source) => {
            let path = source.path.as_deref().ok_or_else(|| missing("path"))?;
            let text = format!("socket,{id},path={}{}", escape(path), server(source.mode));
            text + &reconnect(&source.reconnect)
        }
        ChardevSource::Spicevmc => format!("spicevmc,{id},name={name}"),
        ChardevSource::Spiceport { channel } => {
            let channel = channel.as_deref().ok_or_else(|| missing("channel"))?;
            format!("spiceport,{id},name={}", escape(channel))
        }
        ChardevSource::QemuVdagent { clipboard, mouse } => {
            let mut text = format!("qemu-vdagent,{id},name=vdagent");
            if let Some(clipboard) = clipboard {
                text.push_str(&format!(",clipboard={}", OnOff::from(clipboard.is_yes())));
            }
            if let Some(mouse) = mouse {
                let client =
                    *mouse == virtbus_conf_domain::domain::devices::chardev::MouseMode::Client;
                text.push_str(&format!(",mouse={}", OnOff::from(client)));
            }
            text
        }
        ChardevSource::Nmdm { .. } | ChardevSource::Dbus { .. } => {
            let kind = chardev.source.kind();
            return Err(unsupported(format!(
                "sources of type '{kind}' (device '{alias}') are not supported"
            )));
        }
    };
    if let Some(log) = &chardev.log {
        let path = builder.opened(&log.file)?;
        text.push_str(&format!(",logfile={path},logappend=on"));
    }
    Ok(text)
}

/// How the back end of a socket behaves: QEMU must not wait for a client, or the guest would not start.
fn server(mode: Option<ChardevMode>) -> &'static str {
    match mode {
        Some(ChardevMode::Bind) => ",server=on,wait=off",
        Some(ChardevMode::Connect) | None => "",
    }
}

/// Asks which terminals QEMU opened, and notes them in the definition.
pub(super) async fn learn_terminals(
    monitor: &Monitor,
    definition: &mut Definition,
) -> std::result::Result<(), MonitorError> {
    let devices = &mut definition.devices;
    if !terminals(devices).any(|(_, source)| matches!(source, ChardevSource::Pty(_))) {
        return Ok(());
    }
    let open = monitor.execute(&QueryChardev {}).await?;
    for (alias, source) in terminals(devices) {
        let ChardevSource::Pty(pty) = source else {
            continue;
        };
        let label = format!("char{}", alias.as_deref().unwrap_or_default());
        let name = open
            .iter()
            .find(|open| open.label == label)
            .map(|open| open.filename.as_str());
        pty.path = name
            .and_then(|name| name.strip_prefix("pty:"))
            .filter(|path| is_terminal(path))
            .map(Text::from);
    }
    // The first console is the first serial port under another name.
    if let (Some(serial), Some(console)) = (devices.serial.first(), devices.console.first_mut())
        && serial.info.alias == console.info.alias
    {
        console.chardev = serial.chardev.clone();
    }
    Ok(())
}

/// Whether a path is that of a terminal. QEMU says what it opened, and may be in the guest's hands: clients open it with more rights.
fn is_terminal(path: &str) -> bool {
    path.strip_prefix("/dev/pts/")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}

/// The files that character devices write to, and whether to go on at their ends.
pub(crate) fn files(definition: &Definition) -> Vec<(Text, bool)> {
    let devices = &definition.devices;
    let alias = |info: &DeviceInfo| info.alias.clone();
    let first_serial = devices
        .serial
        .first()
        .and_then(|serial| alias(&serial.info));
    let consoles = devices
        .console
        .iter()
        // The first serial port under another name opens no file of its own.
        .filter(|console| first_serial.is_none() || alias(&console.info) != first_serial)
        .map(|console| &console.chardev);
    let chardevs = devices
        .serial
        .iter()
        .map(|serial| &serial.chardev)
        .chain(devices.parallel.iter().map(|parallel| &parallel.chardev))
        .chain(devices.channel.iter().map(|channel| &channel.chardev))
        .chain(consoles);
    let mut files = Vec::new();
    for chardev in chardevs {
        if let ChardevSource::File(source) = &chardev.source
            && let Some(path) = &source.path
        {
            files.push((path.clone(), source.append == Some(OnOff::On)));
        }
        if let Some(log) = &chardev.log {
            files.push((log.file.clone(), log.append != Some(OnOff::Off)));
        }
    }
    files
}

/// The sources that may be terminals, with the aliases of their devices.
fn terminals(devices: &mut Devices) -> impl Iterator<Item = (&Option<Text>, &mut ChardevSource)> {
    let serial = devices
        .serial
        .iter_mut()
        .map(|device| (&device.info.alias, &mut device.chardev.source));
    let parallel = devices
        .parallel
        .iter_mut()
        .map(|device| (&device.info.alias, &mut device.chardev.source));
    let console = devices
        .console
        .iter_mut()
        .map(|device| (&device.info.alias, &mut device.chardev.source));
    let channel = devices
        .channel
        .iter_mut()
        .map(|device| (&device.info.alias, &mut device.chardev.source));
    serial.chain(parallel).chain(console).chain(channel)
}

#[cfg(test)]
mod tests {
    use super::is_terminal;

    #[test]
    fn only_terminals_are_believed_to_be_such() {
        assert!(is_terminal("/dev/pts/0"));
        assert!(is_terminal("/dev/pts/123"));
        for path in [
            "/dev/pts/",
            "/dev/pts/ptmx",
            "/dev/pts/1/../../sda",
            "/dev/pts/1 ",
            "/dev/sda",
            "/etc/shadow",
            "pts/1",
            "",
        ] {
            assert!(!is_terminal(path), "{path}");
        }
    }
}
