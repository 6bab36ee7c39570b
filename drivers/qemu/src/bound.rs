//! Guests that end with a client (`VIR_DOMAIN_START_AUTODESTROY`).
//!
//! Whose guest it is stands in its status, so that a new daemon waits for the same client: one that has left meanwhile is found to be gone.

use std::sync::Arc;

use virtbus_api::access::Client;
use virtbus_api::domain::DomainCreateFlags;

use crate::core::Core;
use crate::domain::{Domain, Ending};
use crate::stop;

/// The client that a guest is to end with, if it is started so.
pub(crate) fn asked_for(flags: DomainCreateFlags, client: &Client) -> Option<Client> {
    let bound = flags.contains(DomainCreateFlags::AUTODESTROY);
    bound.then(|| client.clone())
}

/// Ends this run of the domain when the client has left.
pub(crate) fn bind(core: &Arc<Core>, domain: &Arc<Domain>, epoch: u64, client: Client) {
    let (core, domain) = (Arc::clone(core), Arc::clone(domain));
    tokio::spawn(async move {
        let mut ended = domain.ended.subscribe();
        let over = async {
            while domain.is_current(epoch) {
                if ended.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = over => return,
            () = client.gone() => {}
        }
        let name = domain.name();
        tracing::info!(
            domain = %name,
            "the client that domain '{name}' was started for has left; ending the guest"
        );
        if let Err(error) = stop::end(&core, &domain, epoch, Ending::Destroyed).await
            && domain.is_current(epoch)
        {
            tracing::error!(domain = %name, "domain '{name}' cannot be ended: {error}");
        }
    });
}

/// The same for a guest that an earlier daemon started for the client of this name.
pub(crate) fn bind_again(core: &Arc<Core>, domain: &Arc<Domain>, epoch: u64, client: &str) {
    match core.providers.clients() {
        Ok(clients) => bind(core, domain, epoch, clients.client(client)),
        Err(error) => {
            let name = domain.name();
            tracing::warn!(
                domain = %name,
                "domain '{name}' is not ended with its client: {error}"
            );
        }
    }
}
