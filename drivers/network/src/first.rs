//! The network that a host has from the beginning: `default`, with address translation and DHCP, in a subnet that is free here.
//!
//! It is made once. Whoever undefines it does not get it again, which a file beside the definitions says. It is not started with the host, but
//! with the first guest that is plugged into it.

use virtbus_api::Result;
use virtbus_conf_host::network::Network;

use crate::core::Core;
use crate::definition;
use crate::firewall::Subnet;
use crate::host::{on_disk, routes};

/// The first subnet that is tried, 192.168.122.0/24, and the last.
const SUBNETS: std::ops::RangeInclusive<u8> = 122..=254;

fn document(subnet: u8) -> String {
    format!(
        "<network><name>default</name><forward mode='nat'/>\
         <ip address='192.168.{subnet}.1' netmask='255.255.255.0'>\
         <dhcp><range start='192.168.{subnet}.2' end='192.168.{subnet}.254'/></dhcp></ip></network>"
    )
}

/// The document of that network, if it is to be made now.
///
/// # Errors
/// If the disk or the host's addresses cannot be looked at.
pub(crate) async fn network(core: &Core) -> Result<Option<String>> {
    let is_first = core.stored(|store| Ok(store.is_first_use())).await?;
    if !is_first || core.table.named("default").is_ok() {
        return Ok(None);
    }
    let mut taken: Vec<Subnet> = Vec::new();
    for (_, snapshot) in core.table.shown() {
        let state = &snapshot.state;
        let live = state.live.as_ref().map(|live| &live.definition);
        for definition in live.into_iter().chain(&state.stored) {
            taken.extend(definition.ip.iter().filter_map(Subnet::of));
        }
    }
    on_disk(&core.config, move || {
        for number in SUBNETS {
            let xml = document(number);
            let network = definition::read(&xml, true)?;
            if !overlaps(&network, &taken) && routes::check_free(&network, "").is_ok() {
                return Ok(Some(xml));
            }
        }
        tracing::warn!("no network 'default' is made, since all subnets from 192.168.122.0/24 to 192.168.254.0/24 are in use");
        Ok(None)
    })
    .await
}

fn overlaps(network: &Network, taken: &[Subnet]) -> bool {
    let own = network.ip.iter().filter_map(Subnet::of);
    let mut pairs = own.flat_map(|own| taken.iter().map(move |other| (own, *other)));
    pairs.any(|(own, other)| {
        let common = own.prefix.min(other.prefix);
        own.family() == other.family()
            && own.address.network(common) == other.address.network(common)
    })
}
