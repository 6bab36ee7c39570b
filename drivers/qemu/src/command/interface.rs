//! Network interfaces: what they are connected to (`-netdev`) and the card in the guest.

use virtbus_api::Result;
use virtbus_conf_base::{Text, YesNo};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::interface::{
    Interface, InterfaceBackendType, InterfaceDriverName, InterfaceSource, LinkState,
    PortForwardProtocol, TxMode,
};
use virtbus_qemu_monitor::commands::device::SetLink;
use virtbus_qemu_monitor::{Monitor, MonitorError};

use super::{Builder, Props, alias, before_port, unsupported};

/// Adds every interface. Taps have been made before, and their names stand in the definition.
pub(super) fn add(builder: &mut Builder<'_>) -> Result<()> {
    builder.try_each(&builder.devices.interface, |builder, interface| {
        let alias = alias(&interface.info)?;
        let netdev = netdev(interface, alias, builder.host.taps)?;
        builder.netdev(&netdev);
        card(builder, interface, alias)
    });
    Ok(())
}

fn netdev(interface: &Interface, alias: &str, taps: &[(Text, i32)]) -> Result<Props> {
    let id = format!("host{alias}");
    let start = |kind: &str| Props::new().set("type", kind);
    let vhost = interface.driver.as_ref().and_then(|driver| driver.name)
        == Some(InterfaceDriverName::Vhost);
    let props = match &interface.source {
        InterfaceSource::User(_) => {
            let passt = interface
                .tail
                .backend
                .as_ref()
                .and_then(|backend| backend.kind);
            if passt == Some(InterfaceBackendType::Passt) {
                return Err(unsupported(format!(
                    "passt for interface '{alias}' is not supported"
                )));
            }
            let forwards = forwards(interface)?;
            let props = start("user");
            if forwards.is_empty() {
                props
            } else {
                props.set("hostfwd", forwards)
            }
        }
        InterfaceSource::Bridge(_) | InterfaceSource::Network(_) | InterfaceSource::Ethernet(_) => {
            let device = interface
                .options
                .target
                .as_ref()
                .and_then(|target| target.dev.as_deref());
            let device = device.ok_or_else(|| {
                unsupported(format!("interface '{alias}' has no <target dev='…'>"))
            })?;
            let props = start("tap");
            let props = match taps.iter().find(|(name, _)| name == device) {
                Some((_, fd)) => props.set("fd", fd.to_string()),
                None => props
                    .set("ifname", device)
                    .set("script", "no")
                    .set("downscript", "no"),
            };
            props
                .set_opt("vhost", vhost.then_some(true))
                .set_opt("sndbuf", interface.tail.tune.and_then(|tune| tune.sndbuf))
        }
        InterfaceSource::Server(source) => {
            let address = source.address.as_deref().unwrap_or_default();
            start("socket").set(
                "listen",
                format!("{}:{}", before_port(address), source.port),
            )
        }
        InterfaceSource::Client(source) => {
            let address = source.address.as_deref().unwrap_or_default();
            start("socket").set(
                "connect",
                format!("{}:{}", before_port(address), source.port),
            )
        }
        InterfaceSource::Mcast(source) => {
            let address = source.address.as_deref().unwrap_or_default();
            start("socket").set("mcast", format!("{}:{}", before_port(address), source.port))
        }
        InterfaceSource::Udp(source) => start("socket")
            .set(
                "udp",
                format!("{}:{}", before_port(&source.address), source.port),
            )
            .set(
                "localaddr",
                format!(
                    "{}:{}",
                    before_port(&source.local.address),
                    source.local.port
                ),
            ),
        InterfaceSource::Null => start("hubport").set("hubid", 0),
        other => {
            let kind = other.kind();
            return Err(unsupported(format!(
                "interfaces of type '{kind}' ('{alias}') are not supported"
            )));
        }
    };
    Ok(props.set("id", id))
}

fn forwards(interface: &Interface) -> Result<Vec<serde_json::Value>> {
    let mut rules = Vec::new();
    for forward in &interface.options.port_forward {
        let proto = match forward.proto {
            PortForwardProtocol::Tcp => "tcp",
            PortForwardProtocol::Udp => "udp",
        };
        let address = forward
            .address
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        for range in &forward.range {
            if range.exclude.is_some_and(YesNo::is_yes) {
                return Err(unsupported(
                    "ports that are left out of <portForward> are not supported",
                ));
            }
            let Some(start) = range.start else { continue };
            let end = range.end.unwrap_or(start);
            let to = range.to.unwrap_or(start);
            for (offset, port) in (start..=end).enumerate() {
                let guest = u16::try_from(usize::from(to) + offset)
                    .map_err(|_| unsupported("a forwarded range ends beyond port 65535"))?;
                rules.push(
                    serde_json::json!({ "str": format!("{proto}:{address}:{port}-:{guest}") }),
                );
            }
        }
    }
    Ok(rules)
}

fn card(builder: &mut Builder<'_>, interface: &Interface, alias: &str) -> Result<()> {
    let model = interface.options.model.as_deref().unwrap_or("rtl8139");
    let device = match model {
        "virtio" => "virtio-net-pci",
        "virtio-transitional" => "virtio-net-pci-transitional",
        "virtio-non-transitional" => "virtio-net-pci-non-transitional",
        other => other,
    };
    builder.require_device(device)?;
    let mut props = Props::device(device);
    if interface.is_virtio() {
        let driver = interface.driver.clone().unwrap_or_default();
        let host = driver.host.unwrap_or_default();
        let guest = driver.guest.unwrap_or_default();
        props = props
            .set_opt(
                "tx",
                driver
                    .txmode
                    .map(|mode| if mode == TxMode::Timer { "timer" } else { "bh" }),
            )
            .set_opt("ioeventfd", driver.ioeventfd.map(bool::from))
            .set_opt("event_idx", driver.event_idx.map(bool::from))
            .set_opt("csum", host.csum.map(bool::from))
            .set_opt("gso", host.gso.map(bool::from))
            .set_opt("host_tso4", host.tso4.map(bool::from))
            .set_opt("host_tso6", host.tso6.map(bool::from))
            .set_opt("host_ecn", host.ecn.map(bool::from))
            .set_opt("host_ufo", host.ufo.map(bool::from))
            .set_opt("mrg_rxbuf", host.mrg_rxbuf.map(bool::from))
            .set_opt("guest_csum", guest.csum.map(bool::from))
            .set_opt("guest_tso4", guest.tso4.map(bool::from))
            .set_opt("guest_tso6", guest.tso6.map(bool::from))
            .set_opt("guest_ecn", guest.ecn.map(bool::from))
            .set_opt("guest_ufo", guest.ufo.map(bool::from))
            .set_opt("rx_queue_size", driver.rx_queue_size)
            .set_opt("tx_queue_size", driver.tx_queue_size);
        if driver.queues.is_some_and(|queues| queues > 1) {
            return Err(unsupported(format!(
                "more than one queue for interface '{alias}' is not supported"
            )));
        }
        props = props.set_opt("host_mtu", interface.tail.mtu);
    }
    let mac = interface.mac.as_ref().map(|mac| mac.address.to_string());
    props = props
        .set("netdev", format!("host{alias}"))
        .set("id", alias)
        .set_opt("mac", mac);
    props = builder.boot(props, &interface.info);
    let props = builder.place(props, &interface.info)?;
    builder.device(&props);
    Ok(())
}

/// Unplugs the cables that the definition has unplugged.
pub(super) async fn set_links(
    monitor: &Monitor,
    definition: &Definition,
) -> std::result::Result<(), MonitorError> {
    for interface in &definition.devices.interface {
        if interface.tail.link == Some(LinkState::Down)
            && let Some(alias) = &interface.info.alias
        {
            monitor
                .execute(&SetLink {
                    name: alias.to_string(),
                    up: false,
                })
                .await?;
        }
    }
    Ok(())
}
