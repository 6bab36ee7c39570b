//! Another name for a domain that is off, with all that is called after it: its definition, its autostart link, its managed save.
//! Logs keep the name that their guest had.
//!
//! How files move, step by step and after any kill, is `virtbus_hypervisor::store`.

use std::sync::Arc;

use virtbus_api::{Error, Result};
use virtbus_hypervisor::store::Belonging;

use crate::belongings::ManagedSave;
use crate::core::Core;
use crate::domain::{Domain, Run};

/// Renames the domain. Blocks; to be run as a job of it.
pub(crate) fn rename(core: &Core, domain: &Arc<Domain>, to: &str) -> Result<()> {
    let from = domain.name();
    match &domain.lock().run {
        Run::Off(_) => {}
        Run::Stray(stray) => return Err(stray.refusal(&from)),
        Run::Starting(_) | Run::Live(_) => {
            return Err(Error::operation_invalid(format!(
                "domain '{from}' runs, and only one that is off can be renamed"
            )));
        }
    }
    let snapshot = domain.snapshot();
    let old = snapshot.config.as_deref().ok_or_else(|| {
        Error::operation_invalid(format!("domain '{from}' has no stored definition"))
    })?;
    // The name is the domain's for others from here on, and is given back if nothing comes of it.
    let reserved = core.table.reserve(domain, to)?;
    let image = ManagedSave(core);
    let image: Option<&dyn Belonging> = snapshot.view.managed_save.then_some(&image);
    let new = core
        .store
        .rename(old, to, snapshot.view.autostart, image.as_slice())?;
    domain.rename(&core.hub, |inner| {
        inner.name = new.name.as_str().into();
        inner.config = Some(Arc::new(new));
    });
    drop(reserved);
    Ok(())
}
