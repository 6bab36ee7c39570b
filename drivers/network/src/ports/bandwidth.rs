//! What is guaranteed to single guests (`floor`), out of what the network has.

use std::collections::BTreeMap;
use std::sync::Arc;

use virtbus_api::{ErrorCode, Result, Uuid};
use virtbus_conf_base::common::{Bandwidth, BandwidthRate};
use virtbus_conf_host::network_port::{NetworkPort, Plug};

use crate::bandwidth::{FIRST_CLASS, Guarantee, LAST_CLASS, of_rest};
use crate::error::refused;
use crate::firewall::Command;
use crate::table::{Live, Port};

/// KiB/s that are guaranteed to what has these limits.
fn floor(limits: Option<&Bandwidth>) -> Option<u64> {
    let inbound = limits?.inbound.as_ref()?;
    inbound.floor.filter(|floor| *floor > 0)
}

fn device(port: &NetworkPort) -> Option<&str> {
    match &port.plug {
        Some(Plug::Network(plug) | Plug::Bridge(plug)) => Some(&plug.bridge),
        Some(Plug::Direct(_) | Plug::HostdevPci(_)) | None => None,
    }
}

/// The limits of what is sent to all guests of a network.
fn inbound(live: &Live) -> Option<&BandwidthRate> {
    let limits = live.definition.bandwidth.as_ref()?;
    limits
        .inbound
        .as_ref()
        .filter(|rate| rate.average.is_some())
}

/// KiB/s that are guaranteed to ports together, without this one.
fn guaranteed(ports: &BTreeMap<Uuid, Arc<Port>>, without: Uuid) -> u64 {
    let others = ports.iter().filter(|(uuid, _)| **uuid != without);
    let floors = others.filter_map(|(_, port)| floor(port.document.bandwidth.as_ref()));
    floors.fold(0, u64::saturating_add)
}

/// How the queues of a bridge change when the port gets these limits, in place of those that it has in `live`, if it is there.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The port's class from then on.
    pub(super) class: Option<u32>,
    pub(super) commands: Vec<Command>,
}

/// Works that out. `port` is the port as it is to be.
///
/// # Errors
/// `OperationInvalid` or `OperationFailed` if that cannot be guaranteed.
pub(super) fn change(live: &Live, uuid: Uuid, port: &NetworkPort) -> Result<Change> {
    let there = live.ports.get(&uuid);
    let before =
        there.and_then(|port| Some((port.class?, floor(port.document.bandwidth.as_ref())?)));
    let after = floor(port.bandwidth.as_ref());
    let Some(device) = device(port) else {
        return Ok(Change::default());
    };
    let name = &live.definition.name;
    let network = match (inbound(live), after, before) {
        (Some(network), ..) => network,
        (None, None, _) => return Ok(Change::default()),
        (None, Some(_), _) => {
            return Err(refused(
                ErrorCode::OperationInvalid,
                format!(
                    "no bandwidth ('floor') can be guaranteed on network '{name}', which has no <inbound> of its own"
                ),
            ));
        }
    };
    let others = guaranteed(&live.ports, uuid);
    let all = others.saturating_add(after.unwrap_or(0));
    let most = network.peak.or(network.average).unwrap_or_default();
    if after.is_some() && all > most {
        return Err(refused(
            ErrorCode::OperationFailed,
            format!(
                "network '{name}' cannot guarantee {} KiB/s more: of {most} KiB/s, {others} are guaranteed already",
                after.unwrap_or(0)
            ),
        ));
    }
    let guarantee = |class, floor| Guarantee {
        device,
        network,
        class,
        mac: port.mac,
        floor,
    };
    let rest = of_rest(device, network, all);
    Ok(match (before, after) {
        (None, None) => Change::default(),
        (None, Some(floor)) => {
            let class = free_class(live)?;
            let mut commands = guarantee(class, floor).giving();
            commands.push(rest);
            Change {
                class: Some(class),
                commands,
            }
        }
        (Some((class, had)), Some(floor)) => Change {
            class: Some(class),
            commands: if had == floor {
                Vec::new()
            } else {
                vec![guarantee(class, floor).changing(), rest]
            },
        },
        (Some((class, had)), None) => {
            let mut commands = guarantee(class, had).taking();
            commands.push(rest);
            Change {
                class: None,
                commands,
            }
        }
    })
}

fn free_class(live: &Live) -> Result<u32> {
    let taken: Vec<u32> = live.ports.values().filter_map(|port| port.class).collect();
    let free = (FIRST_CLASS..=LAST_CLASS).find(|class| !taken.contains(class));
    free.ok_or_else(|| {
        refused(
            ErrorCode::OperationFailed,
            format!(
                "network '{}' has no more classes of traffic",
                live.definition.name
            ),
        )
    })
}
