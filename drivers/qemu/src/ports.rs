//! TCP ports for graphics that ask for one automatically.
//!
//! A port is free if nobody of ours has it and it can be bound; between that and QEMU's own binding somebody else may take it,
//! and then the start fails with QEMU's message.

use std::collections::BTreeSet;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};

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

    /// Takes the lowest free port on `address`.
    ///
    /// # Errors
    /// If there is none left.
    pub(crate) fn acquire(&self, address: &str) -> Result<u16> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = self.range;
        for port in first..=last {
            if !taken.contains(&port) && can_bind(address, port) {
                taken.insert(port);
                return Ok(port);
            }
        }
        Err(Error::new(
            ErrorCode::InternalError,
            ErrorDomain::Qemu,
            format!("no port from {first} to {last} is free on {address}"),
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

fn can_bind(address: &str, port: u16) -> bool {
    let Ok(mut addresses) = (address, port).to_socket_addrs() else {
        // Not an address of this host's form; QEMU will say what is wrong with it.
        return true;
    };
    addresses
        .next()
        .is_some_and(|address| TcpListener::bind(address).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_passed_over_and_one_given_back_comes_again() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let ports = Ports::new((port, port));
        assert!(ports.acquire("127.0.0.1").is_err());
        drop(held);
        assert_eq!(ports.acquire("127.0.0.1").unwrap(), port);
        assert!(ports.acquire("127.0.0.1").is_err());
        ports.release(&[port]);
        assert_eq!(ports.acquire("127.0.0.1").unwrap(), port);
    }
}
