//! What networks and storage pools are alike in: a definition in use, perhaps another for the next start, on or off.

use std::sync::Arc;

use virtbus_api::domain::DomainModificationImpact as Impact;
use virtbus_api::{Error, Result, Uuid};

/// The definitions of an object that is on or off.
#[derive(Debug)]
pub(crate) struct Kept<D> {
    /// What such an object is called in errors.
    noun: &'static str,
    pub(crate) uuid: Uuid,
    pub(crate) name: Arc<str>,
    /// The definition in use: that of the run, or else the stored one.
    pub(crate) definition: Arc<D>,
    /// The definition for the next start, where it is another.
    next: Option<Arc<D>>,
    pub(crate) persistent: bool,
    pub(crate) active: bool,
    pub(crate) autostart: bool,
}

impl<D: Clone> Kept<D> {
    /// One that is off.
    pub(crate) fn new(
        noun: &'static str,
        (uuid, name): (Uuid, Arc<str>),
        definition: D,
        persistent: bool,
    ) -> Self {
        Self {
            noun,
            uuid,
            name,
            definition: Arc::new(definition),
            next: None,
            persistent,
            active: false,
            autostart: false,
        }
    }

    /// Whether it is in lists: defined or on.
    pub(crate) const fn is_shown(&self) -> bool {
        self.persistent || self.active
    }

    /// The definition that is shown: the one in use, or what is stored for the next start.
    pub(crate) fn shown(&self, inactive: bool) -> &Arc<D> {
        let next = self.next.as_ref().filter(|_| inactive);
        next.unwrap_or(&self.definition)
    }

    fn wrong(&self, what: &str) -> Error {
        Error::operation_invalid(format!("{} '{}' {what}", self.noun, self.name))
    }

    /// `OperationInvalid` unless it is on.
    pub(crate) fn check_active(&self) -> Result<()> {
        self.active
            .then_some(())
            .ok_or_else(|| self.wrong("is not active"))
    }

    /// `OperationInvalid` unless it is off.
    pub(crate) fn check_inactive(&self) -> Result<()> {
        (!self.active)
            .then_some(())
            .ok_or_else(|| self.wrong("is already active"))
    }

    /// `OperationInvalid` unless it has a stored definition.
    pub(crate) fn check_persistent(&self) -> Result<()> {
        self.persistent
            .then_some(())
            .ok_or_else(|| self.wrong("is transient"))
    }

    /// The definition that a question is about.
    pub(crate) fn asked(&self, impact: Impact) -> Result<&Arc<D>> {
        if impact.contains(Impact::LIVE) {
            self.check_active()?;
        }
        if impact.contains(Impact::CONFIG) {
            self.check_persistent()?;
        }
        Ok(self.shown(impact.contains(Impact::CONFIG)))
    }

    /// Stores a definition.
    pub(crate) fn define(&mut self, definition: D) {
        self.persistent = true;
        if self.active {
            self.next = Some(Arc::new(definition));
        } else {
            self.definition = Arc::new(definition);
        }
    }

    /// Takes the stored definition away.
    pub(crate) fn undefine(&mut self) -> Result<()> {
        self.check_persistent()?;
        self.persistent = false;
        self.autostart = false;
        self.next = None;
        Ok(())
    }

    /// Begins a run, of another definition than the stored one if one is given.
    pub(crate) fn start(&mut self, other: Option<D>) -> Result<()> {
        self.check_inactive()?;
        if let Some(other) = other {
            if self.persistent {
                self.next = Some(Arc::clone(&self.definition));
            }
            self.definition = Arc::new(other);
        }
        self.active = true;
        Ok(())
    }

    /// Ends the run; what was stored meanwhile takes effect.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.check_active()?;
        self.active = false;
        if let Some(next) = self.next.take() {
            self.definition = next;
        }
        Ok(())
    }

    /// Whether it is started with the host.
    pub(crate) fn set_autostart(&mut self, autostart: bool) -> Result<()> {
        self.check_persistent()?;
        self.autostart = autostart;
        Ok(())
    }

    /// Changes the definitions that `impact` means, all or none.
    pub(crate) fn edit(
        &mut self,
        impact: Impact,
        edit: impl Fn(&mut D) -> Result<()>,
    ) -> Result<()> {
        self.asked(impact)?;
        let current = impact.is_empty();
        let live = impact.contains(Impact::LIVE) || current && self.active;
        let stored = impact.contains(Impact::CONFIG) || current && !self.active;
        let edited = |wanted: bool, definition: &Arc<D>| {
            let mut changed = wanted.then(|| (**definition).clone());
            changed.as_mut().map_or(Ok(()), &edit)?;
            Ok::<_, Error>(changed.map(Arc::new))
        };
        let new_live = edited(live, &self.definition)?;
        let new_stored = edited(stored, self.shown(true))?;
        if !self.active {
            self.definition = new_stored.unwrap_or_else(|| Arc::clone(&self.definition));
            return Ok(());
        }
        if let Some(new) = new_live {
            // What is stored stays as it was.
            if self.persistent && self.next.is_none() {
                self.next = Some(Arc::clone(&self.definition));
            }
            self.definition = new;
        }
        self.next = new_stored.or(self.next.take());
        Ok(())
    }
}
