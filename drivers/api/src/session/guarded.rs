//! A connection as it is served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use futures_util::lock::Mutex;

use super::Session;
use crate::access::{Caller, Guard, ObjectClass};
use crate::{Connection, Error, ErrorCode, ErrorDomain, Result};

/// Opens a connection, for the one that it is given.
pub(crate) type Opener =
    Box<dyn Fn(Arc<Guarded>) -> BoxFuture<'static, Result<Arc<dyn Connection>>> + Send + Sync>;

/// A connection as it is served: behind the guard, under the name that interfaces know it by. It is opened once, at the latest when it is used, and ends
/// once.
pub struct Guarded {
    name: Arc<str>,
    driver: Arc<str>,
    guard: Guard,
    connection: OnceLock<Arc<dyn Connection>>,
    /// How it is opened, for who is the first to use it; itself, to hand to that.
    opener: Option<(Opener, std::sync::Weak<Guarded>)>,
    opening: Mutex<()>,
    has_ended: AtomicBool,
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Guarded {
    /// Puts a connection behind a guard.
    pub fn new(name: impl Into<Arc<str>>, connection: Arc<dyn Connection>, guard: Guard) -> Self {
        Self {
            name: name.into(),
            driver: connection.driver().into(),
            guard,
            connection: OnceLock::from(connection),
            opener: None,
            opening: Mutex::new(()),
            has_ended: AtomicBool::new(false),
        }
    }

    /// One that is opened at its first use.
    pub(crate) fn unopened(name: &str, driver: &str, opener: Opener, guard: Guard) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            name: name.into(),
            driver: driver.into(),
            guard,
            connection: OnceLock::new(),
            opener: Some((opener, std::sync::Weak::clone(me))),
            opening: Mutex::new(()),
            has_ended: AtomicBool::new(false),
        })
    }

    /// The name of the connection, unique among those that are served at the same time.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The driver's name, which rules of the administrator know it by.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Whether the guard's answers can differ between two objects of the class.
    #[must_use]
    pub fn tells_apart(&self, class: ObjectClass) -> bool {
        self.guard.tells_apart(class)
    }

    /// What `caller` may do with the connection.
    #[must_use]
    pub const fn session<'a>(&'a self, caller: &'a Caller) -> Session<'a> {
        Session {
            guarded: self,
            caller,
        }
    }

    pub(super) const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The connection, which is opened now if it is not yet.
    pub(super) async fn open(&self) -> Result<&dyn Connection> {
        loop {
            if self.has_ended.load(Ordering::Acquire) {
                return Err(Error::new(
                    ErrorCode::InvalidConn,
                    ErrorDomain::None,
                    format!("connection '{}' is closed", self.name),
                ));
            }
            if let Some(connection) = self.connection.get() {
                return Ok(&**connection);
            }
            let _turn = self.opening.lock().await;
            let opener = self.opener.as_ref();
            let opener = opener.and_then(|(open, me)| Some((open, me.upgrade()?)));
            let Some((open, me)) = opener.filter(|_| self.connection.get().is_none()) else {
                continue;
            };
            let connection = open(me).await?;
            // Nobody else does, in this turn.
            let _ = self.connection.set(connection);
        }
    }

    /// Whether it is open: if not, its next use opens it, which may take a while.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.connection.get().is_some()
    }

    /// The connection, if it is open.
    pub(super) fn opened(&self) -> Option<&Arc<dyn Connection>> {
        self.connection.get()
    }

    /// Whether it is this one.
    pub(crate) fn is_of(&self, connection: &Arc<dyn Connection>) -> bool {
        self.opened()
            .is_some_and(|opened| Arc::ptr_eq(opened, connection))
    }

    /// Whether nothing has to be watched on it for a client that may come later.
    pub(crate) fn is_idle(&self) -> bool {
        self.opened().is_none_or(|connection| connection.is_idle())
    }

    /// Ends it: no call enters the connection from now on. What was open.
    pub(crate) fn end(&self) -> Option<Arc<dyn Connection>> {
        self.has_ended.store(true, Ordering::Release);
        self.opened().cloned()
    }
}
