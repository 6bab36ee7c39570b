//! What is written about domains: their names, and under which labels they run.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::Result;
use virtbus_api::domain::{DomainDescription, DomainId, SecurityLabel};

use crate::connection::Qemu;
use crate::outside::blocking;
use crate::{definition, jobs, rename};

#[async_trait]
impl DomainDescription for Qemu {
    async fn rename(&self, id: &DomainId, name: &str) -> Result<()> {
        definition::check_name(name)?;
        let domain = self.domain(id)?;
        let (core, job_domain) = (Arc::clone(&self.core), Arc::clone(&domain));
        let to = name.to_owned();
        let work = blocking(move || rename::rename(&core, &job_domain, &to));
        self.job(&domain, jobs::RENAME, work).await
    }

    async fn security_labels(&self, id: &DomainId) -> Result<Vec<SecurityLabel>> {
        let domain = self.domain(id)?;
        // One that is off has none yet.
        domain.lock().live()?;
        Ok(self.core.providers.security().labels(domain.uuid))
    }
}
