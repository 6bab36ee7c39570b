//! Definitions that an earlier release stored, which completed less: completed as this one does, so that clients see the devices and addresses
//! that the guest gets by its next start. Their files stay as they are until the domain is defined again.

use std::sync::Arc;

use virtbus_api::Result;
use virtbus_conf_domain::domain::Domain as Definition;

use crate::core::Core;
use crate::domain::Domain;
use crate::{definition, reading};

/// Completes those that need it, one after the other. One that cannot be completed stays as it is; its start tells why.
pub(crate) async fn complete_stored(core: Arc<Core>) {
    for domain in core.table.all() {
        let stored = domain.snapshot().config.clone();
        let Some(stored) = stored.filter(|stored| definition::lacks_places(stored)) else {
            continue;
        };
        match completed(&core, &stored).await {
            Ok(completed) => put(&core, &domain, &stored, completed),
            Err(error) => {
                let name = domain.name();
                tracing::warn!(
                    domain = &*name, %error,
                    "the definition of domain '{name}' was stored by an earlier release and cannot be completed, ignoring: {error}"
                );
            }
        }
    }
}

async fn completed(core: &Core, stored: &Arc<Definition>) -> Result<Definition> {
    let emulator = reading::emulator_of(core, stored).await?;
    let mut definition = Definition::clone(stored);
    core.readers
        .run(0, move || {
            definition::complete_stored(&mut definition, &emulator)?;
            Ok(definition)
        })
        .await
}

/// Takes it in, unless the domain has got another definition meanwhile.
fn put(core: &Core, domain: &Domain, stored: &Arc<Definition>, completed: Definition) {
    domain.adjust(&core.hub, |inner| {
        let is_the_same = |now: &Arc<Definition>| Arc::ptr_eq(now, stored);
        if inner.config.as_ref().is_some_and(is_the_same) {
            inner.config = Some(Arc::new(completed));
        }
    });
}
