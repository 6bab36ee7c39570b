//! What guests need of virtual networks and of filters.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::network::{DhcpLease, NetworkPortId};
use crate::typed::TypedParameters;
use crate::{Result, Uuid};

/// A guest's interface on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugged {
    /// The port that was made for it.
    pub port: NetworkPortId,
    /// The port's document (`<networkport>`), whose `<plug>` says what the interface is to be connected to: a bridge, a device of the host to
    /// sit on, or a device to be given to the guest.
    pub xml: String,
}

/// Virtual networks, as guests need them.
#[async_trait]
pub trait GuestNetworks: Send + Sync {
    /// Makes a port of the network of this name for an interface. The network is started if it is not active. `port` is a `<networkport>` with
    /// its UUID, which the driver has noted before, the guest as its owner, and what the interface asks for.
    ///
    /// # Errors
    /// `NoNetwork`; `OperationInvalid` if the network cannot be started; what is wrong with the document.
    async fn plug(&self, network: &str, port: &str) -> Result<Plugged>;

    /// As [`GuestNetworks::plug`], for an interface that is plugged in already: a guest that an earlier daemon started.
    ///
    /// # Errors
    /// Those of [`GuestNetworks::plug`].
    async fn reclaim(&self, network: &str, port: &str) -> Result<Plugged>;

    /// Removes the port with this UUID. One that is not there, or not there any more, is as good as removed.
    ///
    /// # Errors
    /// If something of it is left.
    async fn unplug(&self, port: Uuid) -> Result<()>;

    /// Sets the bandwidth of a port (`inbound.average` and so on, KiB/s and KiB).
    ///
    /// # Errors
    /// `NoNetworkPort`; `OperationUnsupported` where the network cannot limit it.
    async fn set_bandwidth(&self, port: Uuid, bandwidth: TypedParameters) -> Result<()>;

    /// The host's address on a network, for what listens there (`<listen type='network'>`). The network is started if it is not active.
    ///
    /// # Errors
    /// `NoNetwork`; `OperationInvalid` if it cannot be started; `ConfigUnsupported` if the host has no address on it.
    async fn listen_address(&self, network: &str) -> Result<IpAddr>;

    /// The addresses that a network's DHCP server gave to a MAC address.
    ///
    /// # Errors
    /// `NoNetwork`.
    async fn leases(&self, network: &str, mac: &str) -> Result<Vec<DhcpLease>>;
}

/// Filters of guests' traffic.
#[async_trait]
pub trait GuestFilters: Send + Sync {
    /// Puts the rules of a filter in front of a guest's interface, before any traffic passes. `binding` is a `<filterbinding>`. One that is
    /// there already for the same interface is replaced: nothing passes unfiltered in between.
    ///
    /// # Errors
    /// `NoNwfilter`; what is wrong with the filter or its variables. No rule is left behind then.
    async fn bind(&self, binding: &str) -> Result<()>;

    /// Removes the rules of the interface with this name on the host's side. One without rules is as good as unbound.
    ///
    /// # Errors
    /// If a rule is left.
    async fn unbind(&self, device: &str) -> Result<()>;
}
