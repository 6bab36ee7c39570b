//! `org.freedesktop.DBus.Peer`: is anybody there, and on which machine.

use std::fs;

use virtbus_api::Error;
use zbus::Message;

use crate::dispatch::Received;
use crate::error::{Failure, Protocol};
use crate::invocation::reply;

pub(crate) const NAME: &str = "org.freedesktop.DBus.Peer";

/// Where the machine's id stands, first choice first (machine-id(5)).
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

pub(crate) fn answer(received: &Received, member: &str) -> Result<Message, Failure> {
    match member {
        "Ping" => Ok(reply(&received.message, &())?),
        "GetMachineId" => {
            let id = MACHINE_ID
                .iter()
                .find_map(|path| fs::read_to_string(path).ok())
                .ok_or_else(|| Error::internal("this host has no machine id"))?;
            Ok(reply(&received.message, &(id.trim(),))?)
        }
        _ => Err(Failure::protocol(
            Protocol::UnknownMethod,
            format!("{NAME} has no method {member}"),
        )),
    }
}
