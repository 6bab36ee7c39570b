//! Lists of everything that is known of one kind of objects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{Event, EventListener};
use crate::object::{ObjectView, View};

/// What is known of every object of a kind at one moment.
pub type Views<V> = Arc<[Arc<V>]>;

/// Such a list, gathered when somebody asks and handed out until an object of its kind changes: whoever lists ten thousand objects
/// again and again locks none of them, and counts no references.
///
/// It listens to the hub of its connection.
#[derive(Debug)]
pub struct Listing<V> {
    /// How many changes there were.
    changes: AtomicU64,
    /// What was gathered last, after how many changes.
    kept: Mutex<Option<(u64, Views<V>)>>,
}

impl<V> Default for Listing<V> {
    fn default() -> Self {
        Self {
            changes: AtomicU64::new(0),
            kept: Mutex::new(None),
        }
    }
}

impl<V> Listing<V> {
    /// The list, which `gather` makes if it has to be made. No lock is held meanwhile.
    pub fn get(&self, gather: impl FnOnce() -> Views<V>) -> Views<V> {
        // Read first: what changes from here on makes what is gathered out of date.
        let changes = self.changes.load(Ordering::Acquire);
        if let Some((after, views)) = &*self.kept()
            && *after == changes
        {
            return Arc::clone(views);
        }
        let views = gather();
        *self.kept() = Some((changes, Arc::clone(&views)));
        views
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(u64, Views<V>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: ObjectView + Send + Sync> EventListener for Listing<V> {
    fn event(&self, event: &Event) {
        if let Event::Changed { before, after } = event
            && before.as_ref().or(after.as_ref()).map(View::kind) == Some(V::KIND)
        {
            self.changes.fetch_add(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DomainId, DomainState, DomainView, ShutoffReason};
    use crate::event::EventHub;
    use crate::secret::{SecretId, SecretUsageType, SecretView};

    fn domain(name: &str) -> Arc<DomainView> {
        Arc::new(DomainView {
            id: DomainId {
                uuid: crate::Uuid::nil(),
                name: name.into(),
                id: None,
            },
            state: DomainState::Shutoff(ShutoffReason::Unknown),
            os_type: "hvm",
            persistent: true,
            autostart: false,
            updated: false,
            managed_save: false,
            scheduler: None,
            snapshots: 0,
            checkpoints: 0,
            job: None,
        })
    }

    #[test]
    fn it_is_gathered_again_after_a_change_of_its_kind_only() {
        let (hub, listing) = (EventHub::default(), Arc::new(Listing::default()));
        hub.subscribe(Arc::clone(&listing) as Arc<dyn EventListener>);
        let gathered = std::cell::Cell::new(0);
        let list = || {
            listing.get(|| {
                gathered.set(gathered.get() + 1);
                vec![domain("web")].into()
            })
        };
        assert!(Arc::ptr_eq(&list(), &list()));
        let secret = Arc::new(SecretView {
            id: SecretId {
                uuid: crate::Uuid::nil(),
                usage_type: SecretUsageType::None,
                usage_id: "".into(),
            },
            ephemeral: false,
            private: false,
        });
        for (event, times) in [
            (
                Event::Changed {
                    before: None,
                    after: Some(secret.into()),
                },
                1,
            ),
            (
                Event::Changed {
                    before: None,
                    after: Some(domain("db").into()),
                },
                2,
            ),
            (
                Event::Changed {
                    before: Some(domain("db").into()),
                    after: None,
                },
                3,
            ),
        ] {
            hub.publish(&event);
            list();
            assert_eq!(gathered.get(), times);
        }
    }

    #[test]
    fn what_changes_while_it_is_gathered_is_not_missed() {
        let listing = Listing::default();
        let changed = Event::Changed {
            before: None,
            after: Some(domain("db").into()),
        };
        listing.get(|| {
            listing.event(&changed);
            Arc::default()
        });
        let views = listing.get(|| vec![domain("db")].into());
        assert_eq!(views.len(), 1);
    }
}
