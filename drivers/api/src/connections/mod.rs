//! The connections that are served: opened by the daemon, by its settings at their first use, or by clients; closed, or dead.
//!
//! Interfaces look connections up here, each is told when one comes, opens and goes ([`Follower`]), and all serve the same ones. A
//! connection that tells of its end ([`Event::Closed`](crate::event::Event::Closed)) is given up; nothing keeps it then but the calls that are under way.

mod driver;
mod manager;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

pub use driver::{Driver, Drivers, Opening};
pub use manager::{Manager, ManagerConnection};

use crate::access::{Caller, Guard};
use crate::event::{CloseReason, Event, EventListener, Subscription};
use crate::session::{Guarded, Opener};
use crate::typed::TypedParameters;
use crate::{Connection, Error, ErrorCode, ErrorDomain, Result};

/// So many connections clients may have opened at the same time.
const MOST: usize = 64;

/// Hears which connections are served. Must not block: it may be called while a driver publishes.
pub trait Follower: Send + Sync {
    /// There is a connection from now on. It may not be open yet.
    fn served(&self, guarded: &Arc<Guarded>);

    /// It was opened; its events can be subscribed to.
    fn opened(&self, guarded: &Arc<Guarded>, connection: &Arc<dyn Connection>);

    /// It is no longer there.
    fn gone(&self, guarded: &Arc<Guarded>, reason: CloseReason);
}

/// Who wants a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// The daemon, for as long as it runs.
    Daemon,
    /// The settings: it is opened at its first use, and again at the next one after it has ended.
    Settings { uri: String },
    /// A client.
    Client,
}

struct Entry {
    guarded: Arc<Guarded>,
    origin: Origin,
    /// To the connection's end; held for as long as it is served.
    end: OnceLock<Subscription>,
}

/// The connections; see the [module](self).
pub struct Connections {
    me: Weak<Self>,
    guard: Guard,
    drivers: Arc<Drivers>,
    entries: Mutex<Vec<Entry>>,
    followers: RwLock<Vec<Weak<dyn Follower>>>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// None yet. All that will be served is behind `guard`; clients may open what `drivers` can.
    #[must_use]
    pub fn new(guard: Guard, drivers: Arc<Drivers>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            guard,
            drivers,
            entries: Mutex::default(),
            followers: RwLock::default(),
        })
    }

    /// Has a follower hear what is served from now on.
    pub fn follow(&self, follower: Weak<dyn Follower>) {
        let followers = self.followers.write();
        followers
            .unwrap_or_else(PoisonError::into_inner)
            .push(follower);
    }

    /// What decides about callers.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followers(&self) -> Vec<Arc<dyn Follower>> {
        let followers = self
            .followers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        followers.iter().filter_map(Weak::upgrade).collect()
    }

    /// Every connection, in the order in which they came.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Guarded>> {
        let entries = self.entries();
        entries
            .iter()
            .map(|entry| Arc::clone(&entry.guarded))
            .collect()
    }

    /// The connection of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Guarded>> {
        let entries = self.entries();
        let found = entries.iter().find(|entry| entry.guarded.name() == name);
        found.map(|entry| Arc::clone(&entry.guarded))
    }

    /// Whether nothing has to be watched on any of them for a client that may come later, and none was opened by a client, who would miss it.
    #[must_use]
    pub fn are_idle(&self) -> bool {
        let entries = self.entries();
        let mut entries = entries.iter();
        entries.all(|entry| entry.origin != Origin::Client && entry.guarded.is_idle())
    }

    /// Serves a connection of the daemon's, under its driver's name, for as long as it lives.
    pub fn serve(&self, connection: Arc<dyn Connection>) -> Arc<Guarded> {
        let name: Arc<str> = connection.driver().into();
        let guarded = Arc::new(Guarded::new(
            name,
            Arc::clone(&connection),
            self.guard.clone(),
        ));
        self.add(Arc::clone(&guarded), Origin::Daemon);
        self.has_opened(&guarded, &connection);
        guarded
    }

    /// Serves a connection that is opened at its first use.
    ///
    /// # Errors
    /// `InvalidArg` for a name that is taken or of other characters than letters and digits; that no driver opens the URI.
    pub fn serve_later(&self, name: &str, uri: &str) -> Result<Arc<Guarded>> {
        let driver = self.drivers.find(uri)?;
        let is_name = !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric());
        if !is_name || self.get(name).is_some() {
            return Err(Error::invalid_argument(format!(
                "a connection cannot be called '{name}': the name is taken, or has other characters than letters and digits"
            )));
        }
        let guarded = self.closed(name, &driver, uri);
        let uri = uri.to_owned();
        self.add(Arc::clone(&guarded), Origin::Settings { uri });
        Ok(guarded)
    }

    /// A connection that is not open yet.
    fn closed(&self, name: &str, driver: &Arc<dyn Driver>, uri: &str) -> Arc<Guarded> {
        let (me, opening, uri) = (Weak::clone(&self.me), Arc::clone(driver), uri.to_owned());
        let open: Opener = Box::new(move |guarded| {
            let (me, driver, uri) = (Weak::clone(&me), Arc::clone(&opening), uri.clone());
            Box::pin(async move {
                let gone =
                    || Error::new(ErrorCode::InvalidConn, ErrorDomain::None, "the daemon ends");
                let drivers = Arc::clone(&me.upgrade().ok_or_else(gone)?.drivers);
                let options = TypedParameters::new();
                let connection = drivers.open_by(&*driver, &uri, &options, None).await?;
                if let Some(me) = me.upgrade() {
                    me.has_opened(&guarded, &connection);
                }
                Ok(connection)
            })
        });
        Guarded::unopened(name, driver.name(), open, self.guard.clone())
    }

    fn add(&self, guarded: Arc<Guarded>, origin: Origin) {
        self.entries().push(Entry {
            guarded: Arc::clone(&guarded),
            origin,
            end: OnceLock::new(),
        });
        for follower in self.followers() {
            follower.served(&guarded);
        }
    }

    fn has_opened(&self, guarded: &Arc<Guarded>, connection: &Arc<dyn Connection>) {
        let end = connection.events().subscribe(Arc::new(End {
            connections: Weak::clone(&self.me),
            guarded: Arc::downgrade(guarded),
        }));
        {
            let entries = self.entries();
            let mut entries = entries.iter();
            if let Some(entry) = entries.find(|entry| Arc::ptr_eq(&entry.guarded, guarded)) {
                // It opens only once.
                let _ = entry.end.set(end);
            }
        }
        for follower in self.followers() {
            follower.opened(guarded, connection);
        }
        if !connection.is_alive() {
            // It ended before anybody could hear of it.
            self.end(guarded, CloseReason::Error);
        }
    }

    /// Opens a connection for a client, which may call [`Session`](crate::session::Session)s of it by the name that it gets: the driver's and a number.
    ///
    /// # Errors
    /// Those of [`Driver::open`]; that no driver opens the URI; `ResourceBusy` if clients have opened as many as they may.
    pub(crate) async fn open(
        &self,
        uri: &str,
        options: &TypedParameters,
        by: &Caller,
    ) -> Result<Arc<Guarded>> {
        self.require_room()?;
        let driver = self.drivers.find(uri)?;
        let opening = self.drivers.open_by(&*driver, uri, options, Some(by));
        let connection = opening.await?;
        self.require_room()?;
        let is_this = |guarded: &&Arc<Guarded>| guarded.is_of(&connection);
        if let Some(served) = self.all().iter().find(is_this) {
            return Ok(Arc::clone(served));
        }
        let guarded = {
            let mut entries = self.entries();
            let mut numbers = 1_u32..;
            let name = numbers.find_map(|number| {
                let name = format!("{}{number}", driver.name());
                let is_taken = entries.iter().any(|entry| entry.guarded.name() == name);
                (!is_taken).then_some(name)
            });
            let name = name.ok_or_else(|| Error::internal("all names of connections are taken"))?;
            let guard = self.guard.clone();
            let guarded = Arc::new(Guarded::new(name, Arc::clone(&connection), guard));
            entries.push(Entry {
                guarded: Arc::clone(&guarded),
                origin: Origin::Client,
                end: OnceLock::new(),
            });
            guarded
        };
        for follower in self.followers() {
            follower.served(&guarded);
        }
        self.has_opened(&guarded, &connection);
        Ok(guarded)
    }

    fn require_room(&self) -> Result<()> {
        let entries = self.entries();
        let opened = entries
            .iter()
            .filter(|entry| entry.origin == Origin::Client);
        if opened.count() < MOST {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::ResourceBusy,
            ErrorDomain::None,
            format!("{MOST} connections were opened by clients already; close one of them first"),
        ))
    }

    /// Closes the connection of this name.
    ///
    /// # Errors
    /// `NoConnect` if there is none; `OperationDenied` for one that the daemon was started with.
    pub(crate) async fn close(&self, name: &str) -> Result<()> {
        let guarded = {
            let entries = self.entries();
            let mut entries = entries.iter();
            let entry = entries
                .find(|entry| entry.guarded.name() == name)
                .ok_or_else(|| no_connection(name))?;
            if entry.origin == Origin::Daemon {
                return Err(Error::new(
                    ErrorCode::OperationDenied,
                    ErrorDomain::None,
                    format!(
                        "connection '{name}' is one that the daemon was started with; it ends with the daemon"
                    ),
                ));
            }
            Arc::clone(&entry.guarded)
        };
        if let Some(connection) = self.end(&guarded, CloseReason::Client) {
            connection.close().await;
        }
        Ok(())
    }

    /// Gives a connection up; what was open of it, if it was there.
    fn end(&self, guarded: &Arc<Guarded>, reason: CloseReason) -> Option<Arc<dyn Connection>> {
        let origin = {
            let mut entries = self.entries();
            let at = entries
                .iter()
                .position(|entry| Arc::ptr_eq(&entry.guarded, guarded))?;
            entries.remove(at).origin
        };
        let connection = guarded.end();
        for follower in self.followers() {
            follower.gone(guarded, reason);
        }
        if let Origin::Settings { uri } = &origin {
            // Its next use opens it again.
            if let Ok(driver) = self.drivers.find(uri) {
                self.add(self.closed(guarded.name(), &driver, uri), origin);
            }
        }
        connection
    }
}

/// That there is no connection of this name.
fn no_connection(name: &str) -> Error {
    Error::new(
        ErrorCode::NoConnect,
        ErrorDomain::None,
        format!("unknown connection '{name}'"),
    )
}

/// Waits for a connection's end.
struct End {
    connections: Weak<Connections>,
    guarded: Weak<Guarded>,
}

impl EventListener for End {
    fn event(&self, event: &Event) {
        if let Event::Closed(reason) = event
            && let (Some(connections), Some(guarded)) =
                (self.connections.upgrade(), self.guarded.upgrade())
        {
            let name = guarded.name();
            tracing::warn!(
                connection = name,
                ?reason,
                "connection '{name}' ended by itself: {reason:?}"
            );
            connections.end(&guarded, *reason);
        }
    }
}
