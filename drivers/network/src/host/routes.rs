//! Whether a network's addresses are somebody else's on this host. Blocks.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use virtbus_api::{ErrorCode, Result};
use virtbus_conf_base::common::{Ip, IpFamily};
use virtbus_conf_host::network::{ForwardMode, Network, NetworkIp};

use super::links::{self, HostAddress};
use crate::error::refused;

/// A route of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostRoute {
    interface: String,
    network: Ip,
    prefix: u32,
    /// Whether the kernel learnt it from a router's announcement.
    is_announced: bool,
}

const IPV4_ROUTES: &str = "/proc/thread-self/net/route";
const IPV6_ROUTES: &str = "/proc/thread-self/net/ipv6_route";

/// The kernel's mark of routes that it learnt from routers' announcements (`RTF_ADDRCONF`).
const ANNOUNCED: u32 = 0x0004_0000;

/// The interface by which the host reaches what it has no other route to, if there is one.
pub(crate) fn default_interface(family: IpFamily) -> Option<String> {
    let routes = match family {
        IpFamily::Ipv4 => read(IPV4_ROUTES, ipv4),
        IpFamily::Ipv6 => read(IPV6_ROUTES, ipv6),
    };
    let mut defaults = routes.into_iter().filter(|route| route.prefix == 0);
    // IPv6 has one on the loopback interface that refuses everything.
    let found = defaults.find(|route| route.interface != "lo");
    found.map(|route| route.interface)
}

/// Refuses to let the host forward IPv6 packets if it would lose its own routes: the kernel of a host that forwards takes no routes from routers'
/// announcements, and drops those that it has, unless an interface says otherwise.
///
/// # Errors
/// `OperationFailed`, naming the interface and the setting.
pub(crate) fn check_forwarding(network: &Network) -> Result<()> {
    let setting = |name: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/{name}");
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let mode = network.forward.as_ref().map(|forward| forward.mode);
    let forwards = mode.is_some_and(ForwardMode::has_own_bridge);
    let has_ipv6 = network.ip.iter().any(NetworkIp::is_ipv6);
    if !forwards || !has_ipv6 || setting("all/forwarding") == "1" {
        return Ok(());
    }
    let routes = read(IPV6_ROUTES, ipv6);
    let mut lost = routes
        .iter()
        .filter(|route| route.is_announced && route.prefix == 0);
    let lost = lost.find(|route| setting(&format!("{}/accept_ra", route.interface)) != "2");
    lost.map_or(Ok(()), |route| {
        let interface = &route.interface;
        Err(refused(
            ErrorCode::OperationFailed,
            format!(
                "network '{}' needs the host to forward IPv6 packets, by which the host would lose the default route that it learnt on '{interface}'; \
                 set net.ipv6.conf.{interface}.accept_ra to 2 first",
                network.name
            ),
        ))
    })
}

/// Refuses a network that the host has already: an address of the host is in it, or a route leads to it. What is on `bridge` is the network's
/// own.
///
/// # Errors
/// `OperationFailed`, naming the interface; `SystemError` if the host's addresses cannot be listed.
pub(crate) fn check_free(network: &Network, bridge: &str) -> Result<()> {
    let routes = [read(IPV4_ROUTES, ipv4), read(IPV6_ROUTES, ipv6)];
    collision(network, bridge, &links::addresses()?, &routes.concat())
}

fn collision(
    network: &Network,
    bridge: &str,
    addresses: &[HostAddress],
    routes: &[HostRoute],
) -> Result<()> {
    let taken = |subnet: (Ip, u32), how: String| {
        Err(refused(
            ErrorCode::OperationFailed,
            format!(
                "the addresses {}/{} of network '{}' are in use by this host: {how}",
                subnet.0, subnet.1, network.name
            ),
        ))
    };
    for (address, prefix) in network.ip.iter().filter_map(NetworkIp::network) {
        let subnet = (address.network(prefix), prefix);
        let others = addresses.iter().filter(|one| one.interface != bridge);
        for other in others.filter(|one| one.address.family() == address.family()) {
            if other.address.network(prefix) == subnet.0 {
                return taken(
                    subnet,
                    format!("{} has {}/{}", other.interface, other.address, other.prefix),
                );
            }
        }
    }
    let own = network.ip.iter().filter_map(NetworkIp::network);
    let wanted = network.route.iter().filter_map(|route| {
        let prefix = super::bridge::route_prefix(route);
        (prefix > 0).then_some((route.address, prefix))
    });
    for (address, prefix) in own.chain(wanted) {
        let subnet = (address.network(prefix), prefix);
        let others = routes.iter().filter(|one| one.interface != bridge);
        for other in others {
            if (other.network, other.prefix) == subnet {
                return taken(
                    subnet,
                    format!("a route leads there by {}", other.interface),
                );
            }
        }
    }
    Ok(())
}

/// The routes in a file of the kernel's; none if there is no such file, as on a host without IPv6.
fn read(path: &str, parse: fn(&str) -> Option<HostRoute>) -> Vec<HostRoute> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// `IFACE DESTINATION GATEWAY FLAGS REFCNT USE METRIC MASK …`, numbers in the host's order of bytes.
fn ipv4(line: &str) -> Option<HostRoute> {
    let mut words = line.split_ascii_whitespace();
    let interface = words.next()?.to_owned();
    let number = |word: &str| u32::from_str_radix(word, 16).ok();
    let network = number(words.next()?)?;
    let mask = number(words.nth(5)?)?;
    let ip = |number: u32| Ip(IpAddr::V4(Ipv4Addr::from(number.to_ne_bytes())));
    Some(HostRoute {
        interface,
        network: ip(network),
        prefix: ip(mask).as_netmask()?,
        is_announced: false,
    })
}

/// `DESTINATION PREFIX SOURCE PREFIX GATEWAY METRIC REFCNT USE FLAGS IFACE`, all in hexadecimal digits.
fn ipv6(line: &str) -> Option<HostRoute> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [network, prefix, .., flags, interface] = *words.as_slice() else {
        return None;
    };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let network = Ipv6Addr::from(u128::from_str_radix(network, 16).ok()?);
    Some(HostRoute {
        interface: interface.to_owned(),
        network: Ip(IpAddr::V6(network)),
        prefix: u32::from_str_radix(prefix, 16).ok()?,
        is_announced: flags & ANNOUNCED != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(inner: &str) -> Network {
        Network::parse(&format!("<network><name>n</name>{inner}</network>")).unwrap()
    }

    fn ip(text: &str) -> Ip {
        Ip(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn routes_are_read_as_the_kernel_writes_them() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let routes: Vec<_> = text.lines().filter_map(ipv4).collect();
        if cfg!(target_endian = "little") {
            let expected = HostRoute {
                interface: "eth0".into(),
                network: ip("192.168.122.0"),
                prefix: 24,
                is_announced: false,
            };
            assert_eq!(routes, [expected]);
        }
        let line = "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 \
                    00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0";
        let expected = HostRoute {
            interface: "eth0".into(),
            network: ip("fd00::"),
            prefix: 64,
            is_announced: false,
        };
        assert_eq!(ipv6(line), Some(expected));
        let line = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                    fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0";
        assert!(ipv6(line).unwrap().is_announced);
        assert_eq!(ipv6(""), None);
    }

    #[test]
    fn what_the_host_has_is_refused_by_interface() {
        let wanted = network("<ip address='192.168.122.1' netmask='255.255.255.0'/>");
        let address = |interface: &str, address: &str, prefix| HostAddress {
            interface: interface.into(),
            address: ip(address),
            prefix,
        };
        let check = |addresses: &[HostAddress], routes: &[HostRoute]| {
            collision(&wanted, "virbr0", addresses, routes)
        };
        check(&[address("eth0", "192.168.121.9", 24)], &[]).unwrap();
        check(&[address("virbr0", "192.168.122.1", 24)], &[]).unwrap();
        // Within a larger network of the host, as long as the host itself is elsewhere.
        check(&[address("eth0", "192.168.1.1", 16)], &[]).unwrap();
        for prefix in [16, 24, 32] {
            let error = check(&[address("eth0", "192.168.122.9", prefix)], &[]).unwrap_err();
            assert!(error.message.contains("eth0 has 192.168.122.9"), "{error}");
        }
        let route = |network: &str, prefix| HostRoute {
            interface: "tun0".into(),
            network: ip(network),
            prefix,
            is_announced: false,
        };
        let error = check(&[], &[route("192.168.122.0", 24)]).unwrap_err();
        assert!(error.message.contains("tun0"), "{error}");
        check(&[], &[route("192.168.0.0", 16), route("0.0.0.0", 0)]).unwrap();
    }
}
