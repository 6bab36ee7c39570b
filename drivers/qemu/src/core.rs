//! What every part of the driver shares: settings, files, the table of domains, and the host's services.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use virtbus_api::domain::{DomainEvent, DomainState, DomainView};
use virtbus_api::event::EventHub;
use virtbus_api::listing::Listing;
use virtbus_api::placement::Placement;
use virtbus_api::providers::{Offered, Providers};
use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_qemu_capabilities::{CapabilitiesStore, ProbeOptions};
use virtbus_qemu_monitor::MonitorError;

use crate::config::Config;
use crate::definition::Readers;
use crate::domain::{Domain, Inner, Live, Table};
use crate::persist::{Status, Store};
use crate::prepare::Preparer;
use crate::seal::SealKey;

/// So many guests have their statistics read from the host at the same time; it takes microseconds for each.
const HOST_READS: usize = 4;

/// The shared part of the driver.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) table: Arc<Table>,
    pub(crate) hub: EventHub,
    /// What others have that is shown as the connection's own.
    pub(crate) offered: Offered,
    /// What guests need of others.
    pub(crate) providers: Providers,
    /// All domains, between two changes.
    pub(crate) listing: Arc<Listing<DomainView>>,
    pub(crate) capabilities: CapabilitiesStore,
    /// Where documents of clients are read.
    pub(crate) readers: Readers,
    pub(crate) preparer: Preparer,
    /// By which saved guests are known again.
    pub(crate) seal_key: Arc<SealKey>,
    /// Guests that run or are being started: the daemon stays for them.
    pub(crate) watched: AtomicUsize,
    /// Whoever reads statistics of guests from the host: all of them may be asked for at once, and each would have a thread.
    pub(crate) host_reads: Semaphore,
    epochs: AtomicU64,
}

impl Core {
    pub(crate) fn new(config: Config, providers: Providers) -> Self {
        let hub = EventHub::default();
        let listing = Listing::on(&hub);
        Self {
            store: Store::new(config.dirs.clone()),
            preparer: Preparer::new(&config, Arc::clone(providers.security())),
            capabilities: CapabilitiesStore::new(
                Some(config.dirs.cache.clone()),
                probe_options(&config),
            ),
            readers: Readers::default(),
            seal_key: Arc::new(SealKey::new(&config.dirs.state)),
            config,
            table: Arc::default(),
            offered: Offered::on(&hub, &providers),
            hub,
            listing,
            providers,
            watched: AtomicUsize::new(0),
            host_reads: Semaphore::new(HOST_READS),
            epochs: AtomicU64::new(0),
        }
    }

    /// Where guests live.
    pub(crate) fn placement(&self) -> &dyn Placement {
        &**self.providers.placement()
    }

    /// Undoes all that `status` tells of.
    pub(crate) async fn undo(&self, status: &Status) {
        tokio::join!(
            self.preparer.undo(self.placement(), status),
            crate::networks::unplug(&self.providers, status)
        );
    }

    /// A number that no other run of any domain has.
    pub(crate) fn next_epoch(&self) -> u64 {
        self.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sets the state of a running guest, writes it down, and announces it with `events`. Does nothing if it has that state
    /// already or if the run is over.
    pub(crate) fn set_state(
        &self,
        domain: &Domain,
        epoch: u64,
        state: DomainState,
        events: Vec<DomainEvent>,
    ) {
        self.transition(domain, epoch, |live| {
            if live.status.state() == state {
                return None;
            }
            Some((state, events))
        });
    }

    /// Decides upon a new state while the domain is locked; see [`Core::set_state`].
    ///
    /// What QEMU reports is a fact: it is announced even if it cannot be written down. It is written later then, with the next change or
    /// by the guest's watcher.
    pub(crate) fn transition(
        &self,
        domain: &Domain,
        epoch: u64,
        decide: impl FnOnce(&mut Live) -> Option<(DomainState, Vec<DomainEvent>)>,
    ) {
        // Nothing to do is no failure, and there is no other.
        let _: Result<(), ()> = domain.change(&self.hub, |inner: &mut Inner| {
            let live = inner.live_mut(epoch).map_err(drop)?;
            let (state, events) = decide(live).ok_or(())?;
            live.status.set_state(state);
            self.store.try_status(&mut live.status);
            Ok(((), events))
        });
    }

    /// Tells of something that does not change what is known.
    pub(crate) fn tell(&self, domain: &Domain, events: Vec<DomainEvent>) {
        let told: Result<(), std::convert::Infallible> =
            domain.change(&self.hub, |_| Ok(((), events)));
        told.unwrap_or_else(|never| match never {});
    }
}

/// Emulators are asked as the user that guests run as, since what that user may do is what counts.
fn probe_options(config: &Config) -> ProbeOptions {
    ProbeOptions {
        user: config.user.clone(),
        ..ProbeOptions::default()
    }
}

/// A monitor's failure as the public API tells it.
pub(crate) fn monitor_failed(domain: &Domain, error: &MonitorError) -> Error {
    let code = if error.is_timeout() {
        ErrorCode::OperationTimeout
    } else {
        ErrorCode::OperationFailed
    };
    let mut error = Error::chain(code, ErrorDomain::Qemu, error);
    error.message = format!(
        "the monitor of domain '{}': {}",
        domain.name(),
        error.message
    );
    error
}
