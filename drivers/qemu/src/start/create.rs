//! `Create`: a domain's start from its stored definition, or from its managed save image if it has one.

use std::sync::Arc;

use virtbus_api::access::Client;
use virtbus_api::domain::{DomainCreateFlags, DomainJobOperation};
use virtbus_api::{Error, Result};
use virtbus_hypervisor::jobs::Turn;

use super::Origin;
use crate::core::Core;
use crate::domain::Domain;
use crate::jobs::{self, Abort};
use crate::saving::{self, Managed};

/// Starts the domain from its definition, or from its managed save image if it has one. To be run as a job of `domain`.
pub(crate) async fn create(
    core: Arc<Core>,
    domain: Arc<Domain>,
    turn: &Turn,
    flags: DomainCreateFlags,
    client: Option<Client>,
) -> Result<()> {
    let snapshot = domain.snapshot();
    if snapshot.config.is_none() {
        let message = format!("domain '{}' is running already", domain.name());
        return Err(Error::operation_invalid(message));
    }
    if !snapshot.view.managed_save || snapshot.live.is_some() {
        return super::start(core, domain, None, flags, Origin::Boot, client).await;
    }
    if flags.contains(DomainCreateFlags::FORCE_BOOT) {
        saving::remove_managed(&core, &domain).await?;
        return super::start(core, domain, None, flags, Origin::Boot, client).await;
    }
    let (definition, origin) = match saving::find_managed(&core, &domain).await? {
        Managed::Image(opened) => {
            let running = opened.running();
            let origin = Origin::Saved {
                state: opened.state,
                running,
                managed: Some(opened.path),
            };
            (Some(Arc::new(opened.definition)), origin)
        }
        Managed::Strangers => {
            return super::start(core, domain, None, flags, Origin::Boot, client).await;
        }
        Managed::Incomplete => (None, Origin::Boot),
    };
    let (core_after, domain_after) = (Arc::clone(&core), Arc::clone(&domain));
    let restoring = DomainJobOperation::Restore;
    let job = jobs::progress(&core, &domain, turn, restoring, Abort::Impossible);
    let started = super::start(core, domain, definition, flags, origin, client).await;
    drop(job);
    saving::after_start(&core_after, &domain_after, started.is_ok()).await;
    started
}
