//! `org.libvirt.Manager`: the connections, opened and closed at run time.

use virtbus_api::event::CloseReason;
use virtbus_api::session::Target;
use virtbus_api::{Error, Result};
use zbus::OwnedObjectPath;

use crate::declare::interface;
use crate::invocation::Context;
use crate::numbers::One;
use crate::tree::ROOT;
use crate::value::Given;

interface! {
    /// The connections to hypervisors. The daemon opens those of this host when it starts, and those of its settings when they are used first; administrators
    /// may open others, such as one to a host of VMware, and close them again. A connection that comes or goes is announced by the object manager's signals
    /// InterfacesAdded and InterfacesRemoved with the interface org.libvirt.Connect.
    MANAGER = "org.libvirt.Manager", view ();
    methods {
        /// Closes a connection. Calls that are under way on it end with an error, and its objects are gone from the bus; the guests themselves are not touched. A
        /// connection of the settings is opened again when it is used next. One that the daemon was started with cannot be closed.
        write CloseConnection(connection: OwnedObjectPath) -> (): ManagerCloseConnection => |c| {
            c.manager()?.close_connection(name_of(&connection)?).await
        };
        /// The connections that are served, open or not yet, as far as the caller may know of them.
        read ListConnections() -> (connections: Vec<OwnedObjectPath>): ManagerListConnections => |c| list(&c).await;
        /// Opens the connection that a URI of libvirt names, such as esx://host/, with options of the driver. What can be open only once, such as qemu:///system,
        /// is not opened a second time: the answer is the path of the connection that is there. Clients may have 64 connections open.
        read OpenConnection(uri: String, options: Given) -> (connection: OwnedObjectPath): ManagerOpenConnection => |c| {
            let opened = c.manager()?.open_connection(&uri, options.0, c.caller()).await?;
            path(opened.name())
        };
    }
    properties {}
    signals {
        /// A connection has ended: a client closed it, or its other side did, or that did not answer any more. InterfacesRemoved has told of it before.
        ConnectionClosed(connection: OwnedObjectPath, reason: One<CloseReason>);
    }
}

/// The path of a connection.
fn path(name: &str) -> Result<OwnedObjectPath> {
    OwnedObjectPath::try_from(format!("{ROOT}/{name}"))
        .map_err(|error| Error::internal(format!("a connection's path is wrong: {error}")))
}

/// The name of the connection at a path.
fn name_of(path: &OwnedObjectPath) -> Result<&str> {
    let below = path.as_str().strip_prefix(ROOT);
    let name = below.and_then(|below| below.strip_prefix('/'));
    name.filter(|name| !name.contains('/'))
        .ok_or_else(|| Error::invalid_argument(format!("'{path}' is not the path of a connection")))
}

async fn list(c: &Context<'_>) -> Result<Vec<OwnedObjectPath>> {
    let mut paths = Vec::new();
    for guarded in c.manager()?.connections().await? {
        if guarded
            .session(c.caller())
            .sees(&Target::connection())
            .await?
        {
            paths.push(path(guarded.name())?);
        }
    }
    Ok(paths)
}
