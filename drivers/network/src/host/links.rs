//! Interfaces that the host has, with their addresses. Each look is one question to the kernel.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::common::{Ip, Mac};

/// An address of an interface of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostAddress {
    pub(crate) interface: String,
    pub(crate) address: Ip,
    pub(crate) prefix: u32,
}

/// Whether the host has an interface of this name.
pub(crate) fn exists(name: &str) -> bool {
    nix::net::if_::if_nametoindex(name).is_ok()
}

fn all() -> Result<nix::ifaddrs::InterfaceAddressIterator> {
    getifaddrs().map_err(|error| {
        Error::new(
            ErrorCode::SystemError,
            ErrorDomain::Network,
            format!("the interfaces of the host cannot be listed: {error}"),
        )
    })
}

/// The Ethernet address of an interface; nothing if there is no such interface.
pub(crate) fn mac(name: &str) -> Result<Option<Mac>> {
    let found = all()?.filter(|one| one.interface_name == name);
    let macs = found.filter_map(|one| one.address?.as_link_addr()?.addr());
    Ok(macs.map(Mac).next())
}

/// Every address that the host has.
pub(crate) fn addresses() -> Result<Vec<HostAddress>> {
    let of = |one: nix::ifaddrs::InterfaceAddress| {
        let address = ip(one.address.as_ref()?)?;
        let prefix = one.netmask.as_ref().and_then(ip).and_then(Ip::as_netmask);
        Some(HostAddress {
            interface: one.interface_name,
            address,
            prefix: prefix.unwrap_or_else(|| address.bits()),
        })
    };
    Ok(all()?.filter_map(of).collect())
}

fn ip(address: &SockaddrStorage) -> Option<Ip> {
    match address.family()? {
        AddressFamily::Inet => {
            let v4 = address.as_sockaddr_in()?.ip();
            Some(Ip(IpAddr::V4(v4)))
        }
        AddressFamily::Inet6 => {
            let v6 = address.as_sockaddr_in6()?.ip();
            Some(Ip(IpAddr::V6(v6)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found() {
        assert!(exists("lo"));
        assert!(!exists("no-such-link"));
        assert_eq!(mac("no-such-link").unwrap(), None);
        // It may have no address in a namespace in which it is down.
        let all = addresses().unwrap();
        let local: Ip = Ip("127.0.0.1".parse::<IpAddr>().unwrap());
        assert!(
            all.iter()
                .filter(|one| one.address == local)
                .all(|one| one.prefix == 8)
        );
    }
}
