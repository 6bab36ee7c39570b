//! Lists of everything that is known of one kind of objects.

use std::any::Any;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::event::{Event, EventHub, EventListener};
use crate::object::{ObjectView, View};

/// What is known of every object of a kind at one moment.
#[derive(Debug)]
pub struct Views<V>(Arc<Gathered<V>>);

#[derive(Debug)]
struct Gathered<V> {
    views: Box<[Arc<V>]>,
    worked_out: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl<V> Views<V> {
    /// What somebody works out from the list, at the first time only: it is kept as long as the list. A second somebody who wants
    /// something of another type gets it made anew.
    pub fn work_out<T>(&self, make: impl Fn(&[Arc<V>]) -> T) -> T
    where
        T: Any + Clone + Send + Sync,
    {
        let kept = self.0.worked_out.get_or_init(|| Box::new(make(self)));
        kept.downcast_ref()
            .map_or_else(|| make(self), |kept: &T| kept.clone())
    }
}

impl<V> Clone for Views<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> Deref for Views<V> {
    type Target = [Arc<V>];

    fn deref(&self) -> &[Arc<V>] {
        &self.0.views
    }
}

impl<V> AsRef<[Arc<V>]> for Views<V> {
    fn as_ref(&self) -> &[Arc<V>] {
        self
    }
}

impl<V> From<Vec<Arc<V>>> for Views<V> {
    fn from(views: Vec<Arc<V>>) -> Self {
        views.into_iter().collect()
    }
}

impl<V> FromIterator<Arc<V>> for Views<V> {
    fn from_iter<I: IntoIterator<Item = Arc<V>>>(views: I) -> Self {
        Self(Arc::new(Gathered {
            views: views.into_iter().collect(),
            worked_out: OnceLock::new(),
        }))
    }
}

/// Such a list, gathered when somebody asks and handed out until an object of its kind changes: whoever lists ten thousand objects
/// again and again locks none of them, and counts no references.
#[derive(Debug)]
pub struct Listing<V> {
    /// How many changes there were.
    changes: AtomicU64,
    /// What was gathered last, after how many changes.
    kept: Mutex<Option<(u64, Views<V>)>>,
}

impl<V: ObjectView + Send + Sync + 'static> Listing<V> {
    /// The list of a connection, which tells of changes on `hub`.
    pub fn on(hub: &EventHub) -> Arc<Self> {
        let listing = Arc::new(Self {
            changes: AtomicU64::new(0),
            kept: Mutex::new(None),
        });
        hub.subscribe(Arc::clone(&listing) as Arc<dyn EventListener>)
            .keep();
        listing
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
            return views.clone();
        }
        let views = gather();
        *self.kept() = Some((changes, views.clone()));
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
    use crate::secret::{SecretId, SecretUsageType, SecretView};

    fn domain(name: &str) -> Arc<DomainView> {
        Arc::new(DomainView {
            id: DomainId {
                uuid: crate::Uuid::nil(),
                name: name.into(),
                id: None,
            },
            state: DomainState::Shutoff(ShutoffReason::Unknown),
            os_type: "hvm".into(),
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
        let hub = EventHub::default();
        let listing = Listing::on(&hub);
        let gathered = std::cell::Cell::new(0);
        let list = || {
            listing.get(|| {
                gathered.set(gathered.get() + 1);
                [domain("web")].into_iter().collect()
            })
        };
        list();
        list();
        assert_eq!(gathered.get(), 1);
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
        let listing = Listing::on(&EventHub::default());
        let changed = Event::Changed {
            before: None,
            after: Some(domain("db").into()),
        };
        listing.get(|| {
            listing.event(&changed);
            Views::from_iter([])
        });
        let views = listing.get(|| Views::from_iter([domain("db")]));
        assert_eq!(views.len(), 1);
    }

    #[test]
    fn what_is_worked_out_is_kept_with_the_list() {
        let views = Views::from_iter([domain("web"), domain("db")]);
        let times = std::cell::Cell::new(0);
        let count = |views: &[Arc<DomainView>]| {
            times.set(times.get() + 1);
            views.len()
        };
        assert_eq!(
            (views.work_out(count), views.clone().work_out(count)),
            (2, 2)
        );
        assert_eq!(times.get(), 1);
        assert_eq!(views.work_out(|views| views[1].id.name.to_string()), "db");
        assert_eq!(Views::from_iter([domain("web")]).work_out(count), 1);
    }
}
