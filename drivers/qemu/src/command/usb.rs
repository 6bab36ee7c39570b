//! Input devices, and what USB has beside its controllers: hubs, and devices of clients that are redirected.

use virtbus_api::Result;
use virtbus_conf_domain::domain::devices::misc::{Input, InputBus, InputType};
use virtbus_conf_domain::domain::devices::smartcard::{
    Hub, HubType, RedirFilter, RedirFilterUsbDev, Redirdev, RedirdevBus,
};

use super::misc::plain;
use super::{Builder, Props, alias, chardev, unsupported};

/// What redirected USB devices are called where they come from.
const REDIRECTION: &str = "usbredir";

/// Adds hubs, which must be there before what is on their ports.
pub(super) fn hubs(builder: &mut Builder<'_>) -> Result<()> {
    builder.try_each(builder.devices.hub.iter(), hub);
    Ok(())
}

/// Adds input devices and redirected devices.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    let devices = builder.devices;
    builder.try_each(&devices.input, input);
    builder.try_each(devices.redirdev.iter(), redirdev);
    Ok(())
}

fn hub(builder: &mut Builder<'_>, hub: &Hub) -> Result<()> {
    let Hub {
        kind: HubType::Usb,
        info,
    } = hub;
    builder.require_device("usb-hub")?;
    let props = Props::device("usb-hub").set("id", alias(info)?);
    plain(builder, props, info)
}

fn input(builder: &mut Builder<'_>, input: &Input) -> Result<()> {
    let driver = match (input.kind, input.bus) {
        // Part of the machine.
        (_, Some(InputBus::Ps2)) => return Ok(()),
        (InputType::Mouse, Some(InputBus::Usb)) => "usb-mouse",
        (InputType::Tablet, Some(InputBus::Usb)) => "usb-tablet",
        (InputType::Keyboard, Some(InputBus::Usb)) => "usb-kbd",
        (InputType::Mouse, Some(InputBus::Virtio)) => "virtio-mouse-pci",
        (InputType::Tablet, Some(InputBus::Virtio)) => "virtio-tablet-pci",
        (InputType::Keyboard, Some(InputBus::Virtio)) => "virtio-keyboard-pci",
        (kind, bus) => {
            let bus = bus.map_or("none", InputBus::as_str);
            return Err(unsupported(format!(
                "input of type '{kind}' on bus '{bus}' is not supported"
            )));
        }
    };
    builder.require_device(driver)?;
    let props = Props::device(driver).set("id", alias(&input.info)?);
    plain(builder, props, &input.info)
}

fn redirdev(builder: &mut Builder<'_>, redirdev: &Redirdev) -> Result<()> {
    let Redirdev {
        bus: None | Some(RedirdevBus::Usb),
        chardev: source,
        info,
    } = redirdev;
    builder.require_device("usb-redir")?;
    let alias = alias(info)?;
    chardev::backend_called(builder, source, alias, REDIRECTION)?;
    let filter = builder.devices.redirfilter.as_deref().map(filter);
    let props = Props::device("usb-redir")
        .set("chardev", format!("char{alias}"))
        .set("id", alias)
        .set_opt("filter", filter);
    let props = builder.boot(props, info);
    plain(builder, props, info)
}

/// Which devices may be redirected, as QEMU reads it: `class:vendor:product:version:allow`, the first rule that matches decides.
fn filter(filter: &RedirFilter) -> String {
    let number = |value: Option<u16>, width: usize| match value {
        Some(value) => format!("0x{value:0width$X}"),
        None => "-1".to_owned(),
    };
    let rule = |rule: &RedirFilterUsbDev| {
        let RedirFilterUsbDev {
            class,
            vendor,
            product,
            version,
            allow,
        } = rule;
        format!(
            "{}:{}:{}:{}:{}",
            number(class.and_then(|class| class.0), 2),
            number(vendor.and_then(|vendor| vendor.0), 4),
            number(product.and_then(|product| product.0), 4),
            number(version.and_then(|version| version.0), 4),
            u8::from(allow.is_yes()),
        )
    };
    let rules: Vec<_> = filter.usbdev.iter().map(rule).collect();
    rules.join("|")
}
