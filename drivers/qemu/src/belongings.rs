//! What is on disk for a domain beside its stored definition: the image of a managed save, and the state of its TPM.

use std::path::PathBuf;

use virtbus_api::Result;
use virtbus_hypervisor::store::{Belonging, Whose};

use crate::core::Core;
use crate::{saving, tpm};

/// Images from which domains' next starts go on.
pub(crate) struct ManagedSave<'a>(pub(crate) &'a Core);

impl Belonging for ManagedSave<'_> {
    fn path(&self, whose: Whose<'_>) -> PathBuf {
        saving::managed_path(self.0, whose.name)
    }

    fn is_of(&self, whose: Whose<'_>) -> bool {
        saving::has_managed(self.0, whose.name, whose.uuid)
    }

    fn remove(&self, whose: Whose<'_>) -> Result<()> {
        let domain = self.0.table.get(whose.uuid)?;
        saving::remove_image(self.0, &domain)
    }
}

/// The states of domains' TPMs, which are called after UUIDs.
pub(crate) struct TpmState<'a>(pub(crate) &'a Core);

impl Belonging for TpmState<'_> {
    fn path(&self, whose: Whose<'_>) -> PathBuf {
        tpm::dir(&self.0.config, whose.uuid)
    }

    fn is_of(&self, whose: Whose<'_>) -> bool {
        self.path(whose).is_dir()
    }

    fn remove(&self, whose: Whose<'_>) -> Result<()> {
        tpm::remove_state(&self.0.config, whose.uuid)
    }
}
