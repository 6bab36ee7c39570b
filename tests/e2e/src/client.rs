//! A client of the daemon, for tests: the calls that most of them make, and any other by name.
//!
//! Speaks libvirt-dbus's interface as it is on the wire. Every call has a limit, so that a
//! daemon that never answers fails a test instead of stopping the run. Decides nothing and
//! keeps nothing.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::names::OwnedErrorName;
use zbus::{
    Connection, DBusError, DynamicType, Message, OwnedObjectPath, OwnedVariant, Structure, Type,
    Variant,
};

use crate::domain::Domain;
use crate::wait::{LIMIT, patient};

/// The daemon's name on the bus.
pub const SERVICE: &str = "org.libvirt";
/// The object of the QEMU driver's connection.
pub const QEMU_PATH: &str = "/org/libvirt/QEMU";
/// The interface that opens and closes connections.
pub const MANAGER: &str = "org.libvirt.Manager";
/// The interface of connections.
pub const CONNECT: &str = "org.libvirt.Connect";
/// The interface of domains.
pub const DOMAIN: &str = "org.libvirt.Domain";
/// D-Bus's own interface for properties.
pub const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The other side answered with an error.
    #[error("{name}: {message}")]
    Reply {
        /// Its D-Bus name, such as `org.libvirt.Error`.
        name: String,
        /// Its text.
        message: String,
    },
    /// No answer came in time.
    #[error("no answer to {0}")]
    NoAnswer(String),
    /// The connection failed, or the reply was not of the type asked for.
    #[error("{0}")]
    Connection(String),
}

impl CallError {
    /// The D-Bus name of an error reply, empty for other failures.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            CallError::Reply { name, .. } => name,
            CallError::NoAnswer(_) | CallError::Connection(_) => "",
        }
    }

    /// Whether the bus did not hand the call on, because the daemon has not taken yet what others sent it before.
    #[must_use]
    pub fn is_of_a_full_bus(&self) -> bool {
        matches!(self, CallError::Reply { name, message }
            if name == "org.freedesktop.DBus.Error.LimitsExceeded" && message.starts_with("Rejected:"))
    }

    /// Whether libvirt's own code says no: not the bus, not the protocol, not polkit.
    ///
    /// libvirt-dbus has one name for all of these; ours may end in the code besides.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let rest = self.name().strip_prefix("org.libvirt.Error");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl From<zbus::Error> for CallError {
    fn from(error: zbus::Error) -> CallError {
        match error {
            zbus::Error::MethodError(name, message, _) => CallError::Reply {
                name: name.to_string(),
                message: message.unwrap_or_default(),
            },
            zbus::Error::FDO(error) => CallError::Reply {
                name: OwnedErrorName::from(error.name()).to_string(),
                message: error.description().unwrap_or_default().to_owned(),
            },
            other => CallError::Connection(other.to_string()),
        }
    }
}

/// A connection to the bus, from which the daemon's objects are reached.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Connects to the bus at `address`.
    ///
    /// # Errors
    /// When the bus does not take the connection.
    pub async fn connect(address: &str) -> Result<Client, CallError> {
        let connection = zbus::connection::Builder::address(address).build().await?;
        Ok(Client { connection })
    }

    /// The connection itself, for what this type does not offer.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection object of the QEMU driver.
    #[must_use]
    pub fn qemu(&self) -> Object {
        self.object(QEMU_PATH, CONNECT)
    }

    /// The bus itself.
    #[must_use]
    pub fn bus(&self) -> Object {
        let bus = "org.freedesktop.DBus";
        self.object("/org/freedesktop/DBus", bus).of(bus)
    }

    /// Any object of the daemon, with the interface its calls go to.
    #[must_use]
    pub fn object(&self, path: &str, interface: &str) -> Object {
        Object {
            client: self.clone(),
            service: SERVICE.to_owned(),
            path: path.to_owned(),
            interface: interface.to_owned(),
        }
    }

    /// The domain at an object path.
    #[must_use]
    pub fn domain(&self, path: &str) -> Domain {
        Domain(self.object(path, DOMAIN))
    }

    /// Defines a domain.
    ///
    /// # Errors
    /// The daemon's refusal.
    pub async fn define(&self, xml: &str) -> Result<Domain, CallError> {
        let path: OwnedObjectPath = self.qemu().call("DomainDefineXML", &(xml,)).await?;
        Ok(self.domain(path.as_str()))
    }

    /// Starts a domain that is not defined.
    ///
    /// # Errors
    /// The daemon's refusal.
    pub async fn create(&self, xml: &str, flags: u32) -> Result<Domain, CallError> {
        let path: OwnedObjectPath = self.qemu().call("DomainCreateXML", &(xml, flags)).await?;
        Ok(self.domain(path.as_str()))
    }

    /// The object paths of the domains that `flags` select; 0 selects all.
    ///
    /// # Errors
    /// The daemon's refusal.
    pub async fn list(&self, flags: u32) -> Result<Vec<String>, CallError> {
        let paths: Vec<OwnedObjectPath> = self.qemu().call("ListDomains", &(flags,)).await?;
        Ok(paths.iter().map(ToString::to_string).collect())
    }

    /// The process that owns a name on the bus, or `None` when nobody does.
    ///
    /// # Errors
    /// Other failures than that nobody owns it.
    pub async fn owner_pid(&self, name: &str) -> Result<Option<u32>, CallError> {
        let bus = self.bus();
        match bus.call("GetConnectionUnixProcessID", &(name,)).await {
            Ok(pid) => Ok(Some(pid)),
            Err(error) if error.name() == "org.freedesktop.DBus.Error.NameHasNoOwner" => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An object of the daemon.
#[derive(Debug, Clone)]
pub struct Object {
    client: Client,
    service: String,
    path: String,
    interface: String,
}

impl Object {
    /// The object's path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same object, asked for by another name on the bus than [`SERVICE`].
    #[must_use]
    pub fn of(mut self, service: &str) -> Object {
        service.clone_into(&mut self.service);
        self
    }

    /// Calls a method of the object's interface.
    ///
    /// # Errors
    /// The error reply, silence beyond the limit, or a reply of another type.
    pub async fn call<B, R>(&self, method: &str, body: &B) -> Result<R, CallError>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        decode(&self.send(&self.interface, method, body).await?)
    }

    /// Calls a method with arguments whose types are known at run time only; what it answers is not looked at.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn call_values(
        &self,
        method: &str,
        arguments: Vec<Variant<'static>>,
    ) -> Result<(), CallError> {
        if arguments.is_empty() {
            return self.send(&self.interface, method, &()).await.map(drop);
        }
        let mut body = Structure::builder();
        for argument in arguments {
            body.push_value(argument);
        }
        let body = body.build()?;
        self.send(&self.interface, method, &body).await.map(drop)
    }

    /// Reads a property as it is on the wire.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn get<T>(&self, property: &str) -> Result<T, CallError>
    where
        T: TryFrom<OwnedVariant>,
        T::Error: std::fmt::Display,
    {
        let value: OwnedVariant = decode(
            &self
                .send(PROPERTIES, "Get", &(&self.interface, property))
                .await?,
        )?;
        T::try_from(value).map_err(|error| CallError::Connection(error.to_string()))
    }

    /// Writes a property.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn set(&self, property: &str, value: Variant<'_>) -> Result<(), CallError> {
        decode(
            &self
                .send(PROPERTIES, "Set", &(&self.interface, property, value))
                .await?,
        )
    }

    /// All properties of the object's interface, as they are on the wire.
    ///
    /// # Errors
    /// As [`Object::call`].
    pub async fn get_all(&self) -> Result<HashMap<String, OwnedVariant>, CallError> {
        decode(&self.send(PROPERTIES, "GetAll", &(&self.interface,)).await?)
    }

    async fn send<B>(&self, interface: &str, method: &str, body: &B) -> Result<Message, CallError>
    where
        B: Serialize + DynamicType,
    {
        let call = self.client.connection.call_method(
            Some(self.service.as_str()),
            self.path.as_str(),
            Some(interface),
            method,
            body,
        );
        match tokio::time::timeout(patient(LIMIT), call).await {
            Ok(reply) => Ok(reply?),
            Err(_) => Err(CallError::NoAnswer(format!("{interface}.{method}"))),
        }
    }
}

fn decode<R: DeserializeOwned + Type>(reply: &Message) -> Result<R, CallError> {
    Ok(reply.body().deserialize()?)
}
