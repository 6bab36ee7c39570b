//! What is known of a network at one moment.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use virtbus_api::Uuid;
use virtbus_api::network::{NetworkId, NetworkPortId, NetworkPortView, NetworkView};
use virtbus_conf_base::Flags;
use virtbus_conf_host::network::Network as Definition;
use virtbus_conf_host::network_port::NetworkPort;
use virtbus_util::process::ProcessId;

use crate::status::Step;

/// A port of a network.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) view: Arc<NetworkPortView>,
    /// Its document, complete.
    pub(crate) document: NetworkPort,
    /// The number of its traffic class, if bandwidth is guaranteed to it.
    pub(crate) class: Option<u32>,
}

impl Port {
    pub(crate) fn new(
        network: NetworkId,
        uuid: Uuid,
        document: NetworkPort,
        class: Option<u32>,
    ) -> Self {
        let id = NetworkPortId { network, uuid };
        Self {
            view: Arc::new(NetworkPortView { id }),
            document,
            class,
        }
    }
}

/// A network that is up.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// The definition that it runs with.
    pub(crate) definition: Arc<Definition>,
    /// What was done to the host, in this order.
    pub(crate) steps: Vec<Step>,
    /// Its DHCP and DNS server.
    pub(crate) server: Option<ProcessId>,
    pub(crate) ports: BTreeMap<Uuid, Arc<Port>>,
}

/// What is known of a network at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// The definition that is stored.
    pub(crate) stored: Option<Arc<Definition>>,
    pub(crate) live: Option<Live>,
    pub(crate) autostart: bool,
    /// What keeps guests' packets from passing, while it is up.
    pub(crate) problems: Arc<[String]>,
}

impl State {
    /// The definition that is shown: that of the run, or the stored one.
    pub(crate) fn definition(&self, inactive: bool) -> Option<&Arc<Definition>> {
        let live = self.live.as_ref().map(|live| &live.definition);
        let stored = self.stored.as_ref();
        if inactive {
            stored.or(live)
        } else {
            live.or(stored)
        }
    }

    pub(super) const fn is_shown(&self) -> bool {
        self.stored.is_some() || self.live.is_some()
    }
}

/// A state as it is published, with what is made of it for readers.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    pub(crate) view: Arc<NetworkView>,
    text: OnceLock<Option<Arc<str>>>,
}

impl Snapshot {
    pub(super) fn new(id: &NetworkId, state: State) -> Self {
        let view = NetworkView {
            id: id.clone(),
            active: state.live.is_some(),
            persistent: state.stored.is_some(),
            autostart: state.autostart,
            bridge: state
                .definition(false)
                .and_then(|definition| definition.bridge_name())
                .map(Into::into),
            problems: match state.live {
                Some(_) => Arc::clone(&state.problems),
                None => Arc::default(),
            },
        };
        Self {
            state,
            view: Arc::new(view),
            text: OnceLock::new(),
        }
    }

    /// The document of the network as it is now, made once.
    pub(crate) fn text(&self) -> Option<Arc<str>> {
        let make = || {
            let live = self.state.live.as_ref();
            let text = match live {
                Some(live) => with_connections(live).format(Flags::empty()),
                None => self.state.stored.as_ref()?.format(Flags::empty()),
            };
            Some(text.into())
        };
        self.text.get_or_init(make).clone()
    }
}

/// The definition with how many guests use what.
pub(crate) fn with_connections(live: &Live) -> Definition {
    let mut definition = (*live.definition).clone();
    let usage = crate::usage::Usage::of(live.ports.values().map(|port| &port.document));
    definition.connections = u32::try_from(live.ports.len()).ok();
    if let Some(forward) = &mut definition.forward {
        for interface in &mut forward.interfaces {
            interface.connections = Some(usage.of_device(&interface.dev));
        }
        for address in &mut forward.addresses {
            address.connections = Some(usage.of_address(address.pci));
        }
    }
    definition
}
