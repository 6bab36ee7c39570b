//! What a caller may see and do of everything that the daemon serves, found out by trying: the parts of the program
//! `virtbus-walk`, which runs as that caller in a booted system.
//!
//! What is expected comes from the interfaces' documents and the installed policy, and not from the daemon's code.

pub mod introspection;
pub mod members;
pub mod objects;
pub mod one;
pub mod page;
pub mod policy;
pub mod values;

use std::collections::{BTreeMap, HashMap};

use zbus::{OwnedObjectPath, OwnedVariant};

use crate::client::{CallError, Client};

/// Where all connections hang.
pub const ROOT: &str = "/org/libvirt";
/// D-Bus's own interface for what an object offers.
pub const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
/// D-Bus's own interface for many objects at once.
pub const OBJECT_MANAGER: &str = "org.freedesktop.DBus.ObjectManager";

/// Objects by path, each with its properties by name and interface.
pub type Managed = BTreeMap<String, BTreeMap<String, BTreeMap<String, OwnedVariant>>>;

/// What is found wrong, each with a line.
#[derive(Debug, Default)]
pub struct Findings(Vec<String>);

impl Findings {
    /// Notes what is wrong unless it holds.
    pub fn expect(&mut self, holds: bool, wrong: impl FnOnce() -> String) {
        if !holds {
            self.0.push(wrong());
        }
    }

    /// Takes over what another one has.
    pub fn append(&mut self, other: Findings) {
        self.0.extend(other.0);
    }

    /// All of it, if there is any.
    ///
    /// # Errors
    /// What was found wrong.
    pub fn into_result(self) -> Result<(), String> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.0.join("\n"))
        }
    }
}

/// How a call ended, as far as rights are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was let in, whatever came of it.
    LetIn,
    /// Refused for want of rights.
    Denied,
    /// Answered as if the object were not there.
    Absent,
    /// It did not get so far: no such member or object, or no answer.
    Lost,
}

impl Outcome {
    /// The outcome of a call.
    pub fn of<T>(answer: &Result<T, CallError>) -> Outcome {
        let Err(error) = answer else {
            return Outcome::LetIn;
        };
        match error.name() {
            "org.freedesktop.DBus.Error.AccessDenied" => Outcome::Denied,
            name if name.starts_with("org.libvirt.Error.No") && !name.ends_with(".NoSupport") => {
                Outcome::Absent
            }
            name if name.starts_with("org.libvirt.Error") => Outcome::LetIn,
            _ => Outcome::Lost,
        }
    }
}

/// Everything that an object manager shows.
///
/// # Errors
/// The daemon's refusal.
pub async fn managed(client: &Client, path: &str) -> Result<Managed, CallError> {
    type Answer = HashMap<OwnedObjectPath, BTreeMap<String, BTreeMap<String, OwnedVariant>>>;
    let manager = client.object(path, OBJECT_MANAGER);
    let answer: Answer = manager.call("GetManagedObjects", &()).await?;
    Ok(answer
        .into_iter()
        .map(|(path, interfaces)| (path.to_string(), interfaces))
        .collect())
}

/// The introspection of a path.
///
/// # Errors
/// The daemon's refusal.
pub async fn introspect(client: &Client, path: &str) -> Result<String, CallError> {
    let object = client.object(path, INTROSPECTABLE);
    object.call("Introspect", &()).await
}

/// The children of a path, by their full paths.
///
/// # Errors
/// The daemon's refusal.
pub async fn children(client: &Client, path: &str) -> Result<Vec<String>, CallError> {
    let document = introspect(client, path).await?;
    let names = document.split("<node name=\"").skip(1);
    let names = names.filter_map(|rest| rest.split('"').next());
    Ok(names.map(|name| format!("{path}/{name}")).collect())
}
