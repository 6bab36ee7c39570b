//! Names that are to become somebody's: nobody else gets them until they have.

use std::collections::HashSet;
use std::sync::Arc;

use virtbus_api::network::NetworkId;
use virtbus_api::{ErrorCode, Result, Uuid};

use super::{Entry, MOST, Port, Table, lock};
use crate::error::refused;

/// A port's UUID, which is nobody else's until this is dropped.
#[derive(Debug)]
pub(crate) struct ClaimedPort {
    table: Arc<Table>,
    uuid: Uuid,
}

/// What became of a wish for a port's UUID.
#[derive(Debug)]
pub(crate) enum PortClaim {
    /// Nobody has it.
    New(ClaimedPort),
    /// This port of this network has it.
    There(Arc<Entry>, Arc<Port>),
}

impl Drop for ClaimedPort {
    fn drop(&mut self) {
        lock(&self.table.names).ports.remove(&self.uuid);
    }
}

/// A bridge's name, which is nobody else's until this is dropped.
#[derive(Debug)]
pub(crate) struct ClaimedBridge {
    table: Arc<Table>,
    name: String,
}

impl Drop for ClaimedBridge {
    fn drop(&mut self) {
        lock(&self.table.names).bridges.remove(&self.name);
    }
}

impl Table {
    /// Has a port's UUID be nobody else's; whoever has it is told of.
    ///
    /// # Errors
    /// `NetworkPortExist` if it is being given to another port right now.
    pub(crate) fn claim_port(self: &Arc<Self>, uuid: Uuid) -> Result<PortClaim> {
        if !lock(&self.names).ports.insert(uuid) {
            return Err(refused(
                ErrorCode::NetworkPortExist,
                format!("the network port {uuid} is being made already"),
            ));
        }
        let claimed = ClaimedPort {
            table: Arc::clone(self),
            uuid,
        };
        Ok(match self.port(uuid) {
            Ok((owner, port)) => PortClaim::There(owner, port),
            Err(_) => PortClaim::New(claimed),
        })
    }

    /// Has a bridge's name be nobody else's: that which is wanted, or a free one of the form `virbrN`. `is_on_host` tells whether the host has
    /// an interface of a name.
    ///
    /// # Errors
    /// `OperationFailed` if another network has it.
    pub(crate) fn claim_bridge(
        self: &Arc<Self>,
        id: &NetworkId,
        wanted: Option<&str>,
        is_on_host: impl Fn(&str) -> bool,
    ) -> Result<ClaimedBridge> {
        let others = self.all();
        let mut names = lock(&self.names);
        let mut taken: HashSet<String> = names.bridges.clone();
        for entry in others.iter().filter(|entry| entry.id.uuid != id.uuid) {
            let snapshot = entry.snapshot();
            let live = snapshot.state.live.as_ref().map(|live| &live.definition);
            let definitions = live.into_iter().chain(&snapshot.state.stored);
            let own = definitions.filter(|definition| definition.has_own_bridge());
            taken.extend(own.filter_map(|one| one.bridge_name()).map(str::to_owned));
        }
        let name = match wanted {
            Some(wanted) if taken.contains(wanted) => {
                return Err(refused(
                    ErrorCode::OperationFailed,
                    format!("the bridge '{wanted}' belongs to another network"),
                ));
            }
            Some(wanted) => wanted.to_owned(),
            None => (0..=MOST)
                .map(|number| format!("virbr{number}"))
                .find(|name| !taken.contains(name) && !is_on_host(name))
                .ok_or_else(|| {
                    refused(
                        ErrorCode::OperationFailed,
                        "no name of the form virbrN is free for a bridge",
                    )
                })?,
        };
        names.bridges.insert(name.clone());
        Ok(ClaimedBridge {
            table: Arc::clone(self),
            name,
        })
    }
}

impl ClaimedBridge {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
