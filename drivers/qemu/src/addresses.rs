//! The addresses of a guest's interfaces: as networks gave them, as its agent tells them, or as the host's neighbour table has them.
//!
//! The agent is a program of the guest's, so nothing that it says is taken for more than text, and there are limits to it.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use virtbus_api::domain::{
    DomainAgent, DomainId, GuestAddress, GuestInterface, InterfaceAddressesSource, IpAddressFamily,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::common::Mac;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_qemu_monitor::agent::commands::{NetworkGetInterfaces, NetworkInterface};

use crate::connection::Qemu;
use crate::{jobs, networks, shutdown, tap};

/// No guest has more interfaces and addresses together.
const MOST: usize = 4096;

#[async_trait]
impl DomainAgent for Qemu {
    async fn interface_addresses(
        &self,
        id: &DomainId,
        source: InterfaceAddressesSource,
    ) -> Result<Vec<GuestInterface>> {
        let domain = self.domain(id)?;
        let live = {
            let inner = domain.lock();
            Arc::clone(&inner.live()?.definition)
        };
        match source {
            InterfaceAddressesSource::Lease => networks::leases(&self.core.providers, &live).await,
            InterfaceAddressesSource::Agent => {
                let core = Arc::clone(&self.core);
                let asked = Arc::clone(&domain);
                let asking = async move {
                    let agent = shutdown::agent(&core, &asked).await?;
                    let told = agent.execute(&NetworkGetInterfaces {}).await;
                    let told = told.map_err(|error| shutdown::agent_failed(&asked, &error))?;
                    from_agent(told, &asked.name())
                };
                self.job(&domain, jobs::INTERFACE_ADDRESSES, asking).await
            }
            InterfaceAddressesSource::Arp => from_neighbours(&tap::neighbours().await?, &live),
        }
    }
}

/// What the agent says. Further addresses of an interface may have a name of their own, which is the interface's with a colon.
fn from_agent(told: Vec<NetworkInterface>, domain: &str) -> Result<Vec<GuestInterface>> {
    let wrong = |what: String| {
        let message = format!("the agent in domain '{domain}' tells {what}");
        Error::new(ErrorCode::AgentCommandFailed, ErrorDomain::Qemu, message)
    };
    let count: usize = told.iter().map(|one| 1 + one.ip_addresses.len()).sum();
    if count > MOST {
        return Err(wrong(format!(
            "{count} interfaces and addresses, and at most {MOST} are taken"
        )));
    }
    let mut interfaces: Vec<GuestInterface> = Vec::new();
    for one in told {
        let name = one.name.split(':').next().unwrap_or_default();
        if name.is_empty() || name.contains(char::is_control) {
            return Err(wrong(format!("of an interface called {:?}", one.name)));
        }
        let mut addresses = Vec::new();
        for address in &one.ip_addresses {
            let ip: IpAddr = address
                .ip_address
                .parse()
                .map_err(|_| wrong(format!("the address {:?}", address.ip_address)))?;
            addresses.push(guest_address(ip, address.prefix));
        }
        let mac = one
            .hardware_address
            .filter(|mac| mac.bytes().all(|byte| byte.is_ascii_graphic()));
        match interfaces.iter_mut().find(|other| other.name == name) {
            Some(interface) => {
                interface.mac = interface.mac.take().or(mac);
                interface.addresses.extend(addresses);
            }
            None => interfaces.push(GuestInterface {
                name: name.to_owned(),
                mac,
                addresses,
            }),
        }
    }
    Ok(interfaces)
}

fn guest_address(ip: IpAddr, prefix: u32) -> GuestAddress {
    let family = match ip {
        IpAddr::V4(_) => IpAddressFamily::Ipv4,
        IpAddr::V6(_) => IpAddressFamily::Ipv6,
    };
    GuestAddress {
        kind: family,
        address: ip.to_string(),
        prefix,
    }
}

/// A row of the host's neighbour table, as `ip -json neighbour` prints it.
#[derive(Debug, Deserialize)]
struct Neighbour {
    dst: String,
    #[serde(default)]
    lladdr: Option<String>,
    #[serde(default)]
    state: Vec<String>,
}

/// The neighbours that have the address of one of the guest's interfaces and were heard of, as libvirt counts them.
fn from_neighbours(table: &str, live: &Definition) -> Result<Vec<GuestInterface>> {
    let rows: Vec<Neighbour> = serde_json::from_str(table).map_err(|error| {
        Error::internal(format!(
            "the host's neighbour table cannot be read: {error}"
        ))
    })?;
    let heard_of = |row: &&Neighbour| {
        let state = row.state.iter();
        row.state.is_empty()
            || state
                .into_iter()
                .any(|at| at == "REACHABLE" || at == "STALE")
    };
    let rows: Vec<(Mac, IpAddr)> = rows
        .iter()
        .filter(heard_of)
        .filter_map(|row| Some((Mac::parse(row.lladdr.as_deref()?)?, row.dst.parse().ok()?)))
        .collect();
    let mut interfaces = Vec::new();
    for interface in &live.devices.interface {
        let Some(mac) = interface.mac.as_ref().map(|mac| mac.address) else {
            continue;
        };
        let its = rows.iter().filter(|(other, _)| *other == mac);
        // The table says nothing of networks.
        let addresses: Vec<_> = its.map(|(_, ip)| guest_address(*ip, 0)).collect();
        let target = interface.options.target.as_ref();
        let device = target.and_then(|target| target.dev.as_deref());
        if let (Some(device), false) = (device, addresses.is_empty()) {
            interfaces.push(GuestInterface {
                name: device.to_owned(),
                mac: Some(mac.to_string()),
                addresses,
            });
        }
    }
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(json: &str) -> Result<Vec<GuestInterface>> {
        from_agent(serde_json::from_str(json).unwrap(), "web")
    }

    fn v4(address: &str, prefix: u32) -> GuestAddress {
        guest_address(address.parse().unwrap(), prefix)
    }

    #[test]
    fn what_the_agent_says_is_told_and_aliases_are_the_interface_itself() {
        let told = agent(
            r#"[{"name": "lo", "ip-addresses": [{"ip-address": "::1", "ip-address-type": "ipv6", "prefix": 128}]},
                {"name": "eth0", "hardware-address": "52:54:00:01:02:03",
                 "ip-addresses": [{"ip-address": "192.0.2.7", "ip-address-type": "ipv4", "prefix": 24}]},
                {"name": "eth0:1",
                 "ip-addresses": [{"ip-address": "192.0.2.8", "ip-address-type": "ipv4", "prefix": 24}]},
                {"name": "eth1", "hardware-address": "52:54:00:01:02:04"}]"#,
        );
        let told = told.unwrap();
        let names: Vec<_> = told.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["lo", "eth0", "eth1"]);
        assert_eq!(told[0].addresses[0].kind, IpAddressFamily::Ipv6);
        assert_eq!(told[1].mac.as_deref(), Some("52:54:00:01:02:03"));
        assert_eq!(
            told[1].addresses,
            [v4("192.0.2.7", 24), v4("192.0.2.8", 24)]
        );
        assert!(told[2].addresses.is_empty());
    }

    #[test]
    fn what_no_guest_has_is_refused() {
        let address = r#"{"ip-address": "10.0.0.1", "ip-address-type": "ipv4", "prefix": 8}"#;
        let many = vec![address; MOST].join(",");
        for wrong in [
            r#"[{"name": ""}]"#.to_owned(),
            r#"[{"name": "eth\u0000"}]"#.to_owned(),
            format!(r#"[{{"name": "eth0", "ip-addresses": [{many}]}}]"#),
            r#"[{"name": "eth0", "ip-addresses": [{"ip-address": "here", "ip-address-type": "ipv4", "prefix": 8}]}]"#.to_owned(),
        ] {
            let error = agent(&wrong).unwrap_err();
            assert_eq!(error.code, ErrorCode::AgentCommandFailed, "{error}");
            assert!(error.message.len() < 200, "{}", error.message);
        }
    }

    #[test]
    fn neighbours_are_found_by_the_guests_addresses() {
        let xml = "<domain type='qemu'><name>web</name><devices>\
                   <interface type='bridge'><mac address='52:54:00:AA:00:01'/><source bridge='br0'/><target dev='vnet0'/></interface>\
                   <interface type='bridge'><mac address='52:54:00:aa:00:02'/><source bridge='br0'/><target dev='vnet1'/></interface>\
                   <interface type='user'><mac address='52:54:00:aa:00:03'/></interface></devices></domain>";
        let live = Definition::parse(xml).unwrap();
        let table = r#"[
            {"dst": "192.0.2.1", "dev": "br0", "lladdr": "52:54:00:aa:00:01", "state": ["REACHABLE"]},
            {"dst": "fe80::1", "dev": "br0", "lladdr": "52:54:00:aa:00:01", "state": ["STALE"]},
            {"dst": "192.0.2.9", "dev": "br0", "lladdr": "52:54:00:aa:00:01", "state": ["FAILED"]},
            {"dst": "192.0.2.2", "dev": "br0", "lladdr": "52:54:00:aa:00:02", "state": ["FAILED"]},
            {"dst": "192.0.2.3", "dev": "br0", "lladdr": "52:54:00:aa:00:09", "state": ["REACHABLE"]},
            {"dst": "192.0.2.4", "dev": "br0", "state": ["INCOMPLETE"]}]"#;
        let found = from_neighbours(table, &live).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "vnet0");
        assert_eq!(found[0].mac.as_deref(), Some("52:54:00:aa:00:01"));
        assert_eq!(found[0].addresses, [v4("192.0.2.1", 0), v4("fe80::1", 0)]);
        from_neighbours("{}", &live).unwrap_err();
    }
}
