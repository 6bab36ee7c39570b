//! TCP ports for graphics that ask for one automatically.
//!
//! A port is free if nobody of ours has it and it can be bound; between that and QEMU's own binding somebody else may take it,
//! and then the start fails with QEMU's message. Names of hosts are resolved beforehand ([`Addresses`]): that asks servers, which
//! may not answer.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, TcpListener, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::file::acting::{self, ActError, Beneficiary};

use crate::outside::blocking;

/// A server of names that is well answers in much less.
const PATIENCE: Duration = Duration::from_secs(5);

/// The ports that guests have, and the range that they come from.
#[derive(Debug)]
pub(crate) struct Ports {
    range: (u16, u16),
    taken: Mutex<BTreeSet<u16>>,
}

impl Ports {
    pub(crate) const fn new(range: (u16, u16)) -> Self {
        Self {
            range,
            taken: Mutex::new(BTreeSet::new()),
        }
    }

    /// Takes the lowest free port on the address that is called `name`.
    ///
    /// # Errors
    /// If there is none left.
    pub(crate) fn acquire(&self, name: &str, addresses: &Addresses) -> Result<u16> {
        let address = addresses.of(name);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = self.range;
        for port in first..=last {
            if !taken.contains(&port) && address.is_none_or(|address| can_bind(address, port)) {
                taken.insert(port);
                return Ok(port);
            }
        }
        Err(Error::new(
            ErrorCode::InternalError,
            ErrorDomain::Qemu,
            format!("no port from {first} to {last} is free on {name}"),
        ))
    }

    /// Notes a port that a guest has which was found again.
    pub(crate) fn reserve(&self, ports: &[u16]) {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(ports);
    }

    /// Gives ports back.
    pub(crate) fn release(&self, ports: &[u16]) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for port in ports {
            taken.remove(port);
        }
    }
}

fn can_bind(address: IpAddr, port: u16) -> bool {
    TcpListener::bind((address, port)).is_ok()
}

/// The addresses of a definition's host names.
#[derive(Debug, Default)]
pub(crate) struct Addresses(HashMap<String, IpAddr>);

impl Addresses {
    /// Resolves the names among `hosts`. One that has no address here is left to QEMU, which says what is wrong with it.
    ///
    /// # Errors
    /// If no server answers in time.
    pub(crate) async fn resolve(
        whose: Beneficiary,
        hosts: impl Iterator<Item = String>,
    ) -> Result<Self> {
        let mut found = HashMap::new();
        for host in hosts.filter(|host| literal(host).is_none()) {
            let name = host.clone();
            let address = blocking(move || {
                let look = move || {
                    let addresses = (name.as_str(), 0).to_socket_addrs();
                    addresses.ok().and_then(|mut addresses| addresses.next())
                };
                acting::act(whose, None, PATIENCE, look).map_err(|error| match error {
                    ActError::Timeout { limit } => {
                        let seconds = limit.as_secs();
                        let message = format!("no name server answered within {seconds} seconds");
                        Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
                    }
                    error => Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error),
                })
            });
            let address = address.await.map_err(|error| {
                let message = format!("the address of '{host}' cannot be found: {}", error.message);
                Error { message, ..error }
            })?;
            found.extend(address.map(|address| (host, address.ip())));
        }
        Ok(Self(found))
    }

    fn of(&self, host: &str) -> Option<IpAddr> {
        literal(host).or_else(|| self.0.get(host).copied())
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over_and_one_given_back_comes_again() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let ports = Ports::new((port, port));
        assert!(ports.acquire("127.0.0.1", &Addresses::default()).is_err());
        drop(held);
        assert_eq!(
            ports.acquire("127.0.0.1", &Addresses::default()).unwrap(),
            port
        );
        assert!(ports.acquire("127.0.0.1", &Addresses::default()).is_err());
        ports.release(&[port]);
        assert_eq!(
            ports.acquire("127.0.0.1", &Addresses::default()).unwrap(),
            port
        );
    }

    #[tokio::test]
    async fn names_are_resolved_and_addresses_need_not_be() {
        let hosts = ["localhost", "127.0.0.1", "[::1]", "no-such-host.invalid"];
        let addresses =
            Addresses::resolve(Beneficiary::Daemon, hosts.into_iter().map(str::to_owned));
        let addresses = addresses.await.unwrap();
        assert!(addresses.of("localhost").unwrap().is_loopback());
        assert_eq!(addresses.of("[::1]"), Some("::1".parse().unwrap()));
        assert_eq!(addresses.of("no-such-host.invalid"), None);
    }
}
