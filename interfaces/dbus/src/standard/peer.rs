//! `org.freedesktop.DBus.Peer`: is anybody there, and on which machine.

use std::fs;
use std::sync::OnceLock;

use virtbus_api::Error;
use zbus::Message;

use crate::answer::Received;
use crate::error::{Failure, Protocol};
use crate::invocation::reply;

pub(crate) const NAME: &str = "org.freedesktop.DBus.Peer";

/// Where the machine's id stands, first choice first (machine-id(5)).
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

pub(crate) fn answer(received: &Received, member: &str) -> Result<Message, Failure> {
    match member {
        "Ping" => Ok(reply(&received.message, &())?),
        "GetMachineId" => {
            let read = || {
                MACHINE_ID
                    .iter()
                    .find_map(|path| fs::read_to_string(path).ok())
            };
            // It does not change while the host is up, and is read where other calls would wait for the disk.
            static ID: OnceLock<Option<String>> = OnceLock::new();
            let id = ID.get_or_init(read).as_deref();
            let id = id.ok_or_else(|| Error::internal("this host has no machine id"))?;
            Ok(reply(&received.message, &(id.trim(),))?)
        }
        _ => Err(Failure::protocol(
            Protocol::UnknownMethod,
            format!("{NAME} has no method {member}"),
        )),
    }
}
