//! What all work of the driver needs: its settings, its files, and what is known of networks.

use std::sync::Arc;

use virtbus_api::Result;
use virtbus_conf_base::Flags;
use virtbus_util::process;

use crate::config::Config;
use crate::host::on_disk;
use crate::status::{Phase, PortStatus, Status};
use crate::store::Store;
use crate::table::{Entry, Live, Table};

/// The driver's insides.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Arc<Store>,
    pub(crate) table: Arc<Table>,
    /// The boot of the host; empty if that is not known.
    pub(crate) boot: String,
    /// Has it be looked what keeps guests' packets from passing.
    pub(crate) look_for_problems: Arc<tokio::sync::Notify>,
}

impl Core {
    pub(crate) fn new(config: Config) -> Self {
        let store = Store::new(config.dirs.clone());
        Self {
            config: Arc::new(config),
            store: Arc::new(store),
            table: Arc::new(Table::new()),
            boot: process::boot_id().unwrap_or_default(),
            look_for_problems: Arc::default(),
        }
    }

    /// Work on the driver's files, on a thread that may block.
    ///
    /// # Errors
    /// Those of the work, and `OperationTimeout`.
    pub(crate) async fn stored<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        on_disk(&self.config, move || work(&store)).await
    }

    /// The status of a network that is up, or on its way.
    pub(crate) fn status(&self, entry: &Entry, live: &Live, phase: Phase) -> Status {
        let definition = live.definition.format(Flags::INACTIVE);
        let mut status = Status::new(self.boot.clone(), entry.id.uuid, &entry.id.name, definition);
        status.phase = phase;
        status.steps.clone_from(&live.steps);
        status.server = live.server.map(Into::into);
        status.ports = live
            .ports
            .values()
            .map(|port| PortStatus {
                xml: port.document.format(Flags::empty()),
                class: port.class,
            })
            .collect();
        status
    }

    /// Writes down how a network is.
    ///
    /// # Errors
    /// `SystemError`; then the file is as it was.
    pub(crate) async fn note(&self, entry: &Entry, live: &Live, phase: Phase) -> Result<()> {
        let status = self.status(entry, live, phase);
        self.stored(move |store| store.write_status(&status)).await
    }
}
