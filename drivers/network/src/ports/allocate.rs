//! What a guest's interface is connected to, by the network's mode and what other ports use. Nothing of the host is looked at.

use virtbus_api::{ErrorCode, Result};
use virtbus_conf_base::YesNo;
use virtbus_conf_base::common::{PciAddress, VirtualPort, VirtualPortParameters, VirtualPortType};
use virtbus_conf_host::network::{ForwardMode, Network, PortGroup};
use virtbus_conf_host::network_port::{
    BridgePlug, DirectMode, DirectPlug, HostdevPciPlug, NetworkPort, Plug,
};

use crate::error::refused;
use crate::usage::Usage;

/// What a network has that guests can be given, one by one.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    /// Interfaces of the host.
    pub(super) devices: Vec<String>,
    /// PCI devices of the host.
    pub(super) addresses: Vec<PciAddress>,
}

fn unsupported(message: String) -> virtbus_api::Error {
    refused(ErrorCode::ConfigUnsupported, message)
}

/// Fills in what a port gets of its network and its group, and chooses what it is connected to.
///
/// # Errors
/// `ConfigUnsupported` for what such a network cannot do; `OperationFailed` if nothing is free.
pub(super) fn allocate(
    network: &Network,
    mut port: NetworkPort,
    usage: &Usage,
    pool: &Pool,
) -> Result<NetworkPort> {
    let group = group(network, &port)?;
    inherit(network, group, &mut port)?;
    let mode = network.forward.as_ref().map(|forward| forward.mode);
    check_virtual_port(network, mode, &port)?;
    check_vlan(network, mode, &port)?;
    let plug = plug(network, mode, &port, usage, pool)?;
    let is_bridge = matches!(plug, Plug::Network(_) | Plug::Bridge(_));
    let inbound = port
        .bandwidth
        .as_ref()
        .and_then(|limits| limits.inbound.as_ref());
    if !is_bridge && inbound.is_some_and(|rate| rate.floor.is_some()) {
        return Err(unsupported(format!(
            "network '{}' has no bridge, so no bandwidth ('floor') can be guaranteed on it",
            network.name
        )));
    }
    port.plug = Some(plug);
    Ok(port)
}

/// The group of a port: the one that it names, or the default one.
fn group<'a>(network: &'a Network, port: &NetworkPort) -> Result<Option<&'a PortGroup>> {
    let mut groups = network.portgroup.iter();
    match &port.group {
        None => Ok(groups.find(|group| group.default == Some(YesNo::Yes))),
        Some(name) => match groups.find(|group| group.name == *name) {
            Some(group) => Ok(Some(group)),
            None => Err(unsupported(format!(
                "network '{}' has no port group '{name}'",
                network.name
            ))),
        },
    }
}

fn inherit(network: &Network, group: Option<&PortGroup>, port: &mut NetworkPort) -> Result<()> {
    if port.bandwidth.is_none() {
        port.bandwidth = group.and_then(|group| group.bandwidth.clone());
    }
    if port.vlan.as_ref().is_none_or(|vlan| vlan.tag.is_empty()) {
        let of_group = group.and_then(|group| group.vlan.clone());
        port.vlan = of_group.or_else(|| network.vlan.clone());
    }
    port.trust_guest = port
        .trust_guest
        .or_else(|| group.and_then(|group| group.trust_guest_rx_filters))
        .or(network.trust_guest_rx_filters);
    if port.port.is_none() {
        port.port.clone_from(&network.port);
    }
    let of_group = group.and_then(|group| group.virtualport.as_ref());
    for more in [network.virtualport.as_ref(), of_group]
        .into_iter()
        .flatten()
    {
        merge(&mut port.virtualport, more)?;
    }
    Ok(())
}

/// Adds what `more` says to what is said already; both must not say different things.
fn merge(into: &mut Option<VirtualPort>, more: &VirtualPort) -> Result<()> {
    let Some(into) = into else {
        *into = Some(more.clone());
        return Ok(());
    };
    both("type", &mut into.kind, &more.kind)?;
    let Some(more) = &more.parameters else {
        return Ok(());
    };
    let into = into.parameters.get_or_insert_default();
    let VirtualPortParameters {
        managerid,
        typeid,
        typeidversion,
        instanceid,
        interfaceid,
        profileid,
    } = more;
    both("managerid", &mut into.managerid, managerid)?;
    both("typeid", &mut into.typeid, typeid)?;
    both("typeidversion", &mut into.typeidversion, typeidversion)?;
    both("instanceid", &mut into.instanceid, instanceid)?;
    both("interfaceid", &mut into.interfaceid, interfaceid)?;
    both("profileid", &mut into.profileid, profileid)
}

fn both<T: Clone + PartialEq>(what: &str, into: &mut Option<T>, more: &Option<T>) -> Result<()> {
    match (&*into, more) {
        (Some(one), Some(other)) if one != other => Err(unsupported(format!(
            "interface, network and port group say different things of '{what}' of <virtualport>"
        ))),
        (None, more) => {
            into.clone_from(more);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_virtual_port(
    network: &Network,
    mode: Option<ForwardMode>,
    port: &NetworkPort,
) -> Result<()> {
    let Some(virtual_port) = &port.virtualport else {
        return Ok(());
    };
    let Some(kind) = virtual_port.kind else {
        return Err(unsupported(format!(
            "<virtualport> of an interface on network '{}' needs a type",
            network.name
        )));
    };
    let on_switch = matches!(
        kind,
        VirtualPortType::Openvswitch | VirtualPortType::Midonet
    );
    let fits = match mode {
        None
        | Some(ForwardMode::None | ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open) => {
            false
        }
        Some(ForwardMode::Bridge) if network.bridge_name().is_some() => on_switch,
        Some(
            ForwardMode::Bridge
            | ForwardMode::Private
            | ForwardMode::Vepa
            | ForwardMode::Passthrough,
        ) => !on_switch,
        Some(ForwardMode::Hostdev) => kind == VirtualPortType::Qbh,
    };
    if fits {
        return Ok(());
    }
    Err(unsupported(format!(
        "<virtualport type='{kind}'> is not supported on network '{}', by its mode",
        network.name
    )))
}

fn check_vlan(network: &Network, mode: Option<ForwardMode>, port: &NetworkPort) -> Result<()> {
    if port.vlan.as_ref().is_none_or(|vlan| vlan.tag.is_empty()) {
        return Ok(());
    }
    let fits = match mode {
        Some(ForwardMode::Hostdev | ForwardMode::Passthrough) => true,
        _ => network.bridge_name().is_some(),
    };
    if fits {
        return Ok(());
    }
    Err(unsupported(format!(
        "interfaces on network '{}' cannot have a <vlan>, by its mode",
        network.name
    )))
}

fn plug(
    network: &Network,
    mode: Option<ForwardMode>,
    port: &NetworkPort,
    usage: &Usage,
    pool: &Pool,
) -> Result<Plug> {
    let bridge = || {
        let settings = network.bridge.as_ref()?;
        Some(BridgePlug {
            bridge: settings.name.clone()?,
            mac_table_manager: settings.mac_table_manager,
        })
    };
    let direct = |mode, is_exclusive| direct(network, mode, is_exclusive, usage, pool);
    let missing = || {
        refused(
            ErrorCode::InternalError,
            format!("network '{}' lacks its bridge", network.name),
        )
    };
    match mode {
        None
        | Some(ForwardMode::None | ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open) => {
            bridge().map(Plug::Network).ok_or_else(missing)
        }
        Some(ForwardMode::Bridge) => match bridge() {
            Some(bridge) => Ok(Plug::Bridge(bridge)),
            None => direct(DirectMode::Bridge, false),
        },
        Some(ForwardMode::Private) => {
            let kind = port.virtualport.as_ref().and_then(|port| port.kind);
            // The switch knows a port by its interface then.
            direct(DirectMode::Private, kind == Some(VirtualPortType::Qbh))
        }
        Some(ForwardMode::Vepa) => direct(DirectMode::Vepa, false),
        Some(ForwardMode::Passthrough) => direct(DirectMode::Passthrough, true),
        Some(ForwardMode::Hostdev) => {
            let forward = network.forward.as_ref();
            let free = pool
                .addresses
                .iter()
                .find(|one| usage.of_address(**one) == 0);
            let address = *free.ok_or_else(|| {
                refused(
                    ErrorCode::OperationFailed,
                    format!(
                        "all {} PCI devices of network '{}' are in use",
                        pool.addresses.len(),
                        network.name
                    ),
                )
            })?;
            Ok(Plug::HostdevPci(HostdevPciPlug {
                managed: forward.and_then(|forward| forward.managed),
                driver: forward.and_then(|forward| forward.driver.clone()),
                address,
            }))
        }
    }
}

/// The interface of the host that the fewest guests use; one that nobody uses, if it is for one guest only.
fn direct(
    network: &Network,
    mode: DirectMode,
    is_exclusive: bool,
    usage: &Usage,
    pool: &Pool,
) -> Result<Plug> {
    let by_use = pool.devices.iter().min_by_key(|one| usage.of_device(one));
    let free = by_use.filter(|one| !is_exclusive || usage.of_device(one) == 0);
    let dev = free.ok_or_else(|| {
        let why = if pool.devices.is_empty() {
            "has no interface of the host to connect guests to"
        } else {
            "gives each interface of the host to one guest, and all are in use"
        };
        refused(
            ErrorCode::OperationFailed,
            format!("network '{}' {why}", network.name),
        )
    })?;
    Ok(Plug::Direct(DirectPlug {
        dev: dev.as_str().into(),
        mode,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(inner: &str) -> Network {
        Network::parse(&format!("<network><name>n</name>{inner}</network>")).unwrap()
    }

    fn port(inner: &str) -> NetworkPort {
        NetworkPort::parse(&format!(
            "<networkport><owner><name>g</name><uuid>6a4a1b8e-62d5-4e1b-9a3c-0b7d3f0a5c11</uuid></owner>\
             <mac address='52:54:00:00:00:01'/>{inner}</networkport>"
        ))
        .unwrap()
    }

    fn pool(devices: &[&str]) -> Pool {
        Pool {
            devices: devices.iter().map(|one| (*one).to_owned()).collect(),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn ports_get_what_their_group_and_network_say() {
        let network = network(
            "<bridge name='virbr0'/><port isolated='yes'/>\
             <portgroup name='fast' default='yes'><bandwidth><inbound average='100'/></bandwidth></portgroup>\
             <portgroup name='tagged'><vlan><tag id='7'/></vlan></portgroup>",
        );
        let given =
            |inner: &str| allocate(&network, port(inner), &Usage::default(), &Pool::default());
        let fast = given("").unwrap();
        assert_eq!(fast.bandwidth.unwrap().inbound.unwrap().average, Some(100));
        assert_eq!(fast.port.unwrap().isolated, Some(YesNo::Yes));
        assert!(matches!(fast.plug, Some(Plug::Network(plug)) if plug.bridge == "virbr0"));
        assert_eq!(
            given("<group>tagged</group>").unwrap().vlan.unwrap().tag[0].id,
            7
        );
        let error = given("<group>none</group>").unwrap_err();
        assert!(error.message.contains("no port group 'none'"), "{error}");
        let error = given("<virtualport type='openvswitch'/>").unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigUnsupported);
    }

    #[test]
    fn interfaces_are_shared_evenly_or_given_to_one() {
        let shared =
            network("<forward mode='vepa'><interface dev='a'/><interface dev='b'/></forward>");
        let mut ports: Vec<NetworkPort> = Vec::new();
        let both = pool(&["a", "b"]);
        for expected in ["a", "b", "a"] {
            let usage = Usage::of(&ports);
            let made = allocate(&shared, port(""), &usage, &both).unwrap();
            assert!(matches!(&made.plug, Some(Plug::Direct(plug)) if plug.dev == expected));
            ports.push(made);
        }
        let alone = network("<forward mode='passthrough'><interface dev='a'/></forward>");
        let one = pool(&["a"]);
        let first = allocate(&alone, port(""), &Usage::default(), &one).unwrap();
        let error = allocate(&alone, port(""), &Usage::of([&first]), &one).unwrap_err();
        assert!(error.message.contains("all are in use"), "{error}");
        let floor = "<bandwidth><inbound average='1' floor='1'/></bandwidth>";
        assert!(allocate(&alone, port(floor), &Usage::default(), &one).is_err());
    }

    #[test]
    fn parameters_of_switches_are_put_together() {
        let network = network(
            "<forward mode='bridge'/><bridge name='ovs0'/><virtualport type='openvswitch'/>\
             <portgroup name='p' default='yes'><virtualport><parameters profileid='x'/></virtualport></portgroup>",
        );
        let none = (Usage::default(), Pool::default());
        let made = allocate(&network, port(""), &none.0, &none.1).unwrap();
        let merged = made.virtualport.unwrap();
        assert_eq!(merged.kind, Some(VirtualPortType::Openvswitch));
        assert_eq!(merged.parameters.unwrap().profileid.as_deref(), Some("x"));
        let other = port("<virtualport type='802.1Qbh'/>");
        assert!(allocate(&network, other, &none.0, &none.1).is_err());
    }
}
