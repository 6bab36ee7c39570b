//! Lists of what hangs on other objects.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use async_trait::async_trait;

use super::*;
use crate::Uuid;
use crate::connection::Host;
use crate::domain::{DomainSnapshots, DomainState, Domains, ShutoffReason, SnapshotKind};
use crate::event::EventHub;
use crate::flags::KnownFlags;
use crate::listing::Views;

/// Guests on another host, each with a snapshot. It answers when it was asked about all of them.
#[derive(Default)]
struct Slow {
    hub: EventHub,
    asked: AtomicUsize,
}

const GUESTS: usize = 5;

impl Host for Slow {}

#[async_trait]
impl Domains for Slow {
    async fn views(&self) -> Result<Views<DomainView>> {
        let domain = |number: usize| DomainView {
            id: DomainId {
                uuid: Uuid::from_u128(number as u128),
                name: format!("guest{number}").as_str().into(),
                id: None,
            },
            state: DomainState::Shutoff(ShutoffReason::Unknown),
            os_type: "hvm".into(),
            persistent: true,
            autostart: false,
            updated: false,
            managed_save: false,
            scheduler: None,
            snapshots: u32::from(number > 0),
            checkpoints: 0,
            job: None,
        };
        Ok((0..=GUESTS).map(domain).map(Arc::new).collect())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<DomainView>> {
        Err(Error::no_domain(uuid))
    }

    async fn view_by_name(&self, name: &str) -> Result<Arc<DomainView>> {
        Err(Error::no_domain_named(name))
    }

    async fn view_by_id(&self, id: u32) -> Result<Arc<DomainView>> {
        Err(Error::no_domain_numbered(id.into()))
    }
}

#[async_trait]
impl DomainSnapshots for Slow {
    async fn snapshots(&self, domain: &DomainId) -> Result<Vec<Arc<SnapshotView>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        std::future::poll_fn(|context| {
            if self.asked.load(Ordering::Relaxed) == GUESTS {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        if &*domain.name == "guest3" {
            return Err(Error::no_domain(domain.uuid));
        }
        let view = SnapshotView {
            id: SnapshotId {
                domain: domain.clone(),
                name: "before".into(),
            },
            parent: None,
            current: true,
            children: 0,
            kind: SnapshotKind::Inactive,
            external: false,
            metadata: true,
        };
        Ok(vec![Arc::new(view)])
    }
}

impl Connection for Slow {
    fn driver(&self) -> &str {
        "Slow"
    }

    fn flags(&self) -> &'static [KnownFlags] {
        &[]
    }

    fn uri(&self) -> &str {
        "slow:///"
    }

    fn events(&self) -> &EventHub {
        &self.hub
    }

    fn host(&self) -> &dyn Host {
        self
    }

    fn domains(&self) -> Option<&dyn Domains> {
        Some(self)
    }

    fn snapshots(&self) -> Option<&dyn DomainSnapshots> {
        Some(self)
    }

    fn is_idle(&self) -> bool {
        true
    }
}

#[test]
fn what_hangs_on_several_objects_is_asked_for_at_the_same_time() {
    let slow = Slow::default();
    let mut listing = Box::pin(views(&slow, Kind::DomainSnapshot));
    // One after the other, the first would wait for ever.
    let mut looks = (0..100).map(|_| (&mut listing).now_or_never());
    let found = looks.find_map(|look| look).expect("it ends").unwrap();
    let names: Vec<String> = found
        .iter()
        .map(|view| match view.id() {
            Id::DomainSnapshot(id) => id.domain.name.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    // In their order; what went away meanwhile is left out, and nobody is asked about what has none.
    assert_eq!(names, ["guest1", "guest2", "guest4", "guest5"]);
    assert_eq!(slow.asked.load(Ordering::Relaxed), GUESTS);
}
