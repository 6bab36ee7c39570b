//! What is written about a domain.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::domain::{
    DefinedDetail, DomainDescription, DomainEvent, DomainId, DomainMessageTypes,
    DomainModificationImpact as Impact, Lifecycle, MetadataType, SecurityLabel, UndefinedDetail,
};
use virtbus_api::event::Event;
use virtbus_api::object::{IdRef, View};
use virtbus_api::typed::{TypedParameter, TypedParameters};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, naming};

use super::Domain;
use crate::driver::Test;
use crate::error;
use crate::notes::Note;
use crate::table::Named;

#[async_trait]
impl DomainDescription for Test {
    async fn rename(&self, id: &DomainId, name: &str) -> Result<()> {
        if !virtbus_conf_base::common::is_valid_name(name) {
            return Err(Error::invalid_argument(format!(
                "invalid domain name '{name}'"
            )));
        }
        let new = DomainId {
            name: name.into(),
            ..id.clone()
        };
        let mut state = self.lock();
        let there = state.domains.named(name);
        naming::claim(IdRef::Domain(&new), there.map(Named::id))?;
        if there.is_some() {
            return Err(error::failed(format!("domain '{name}' already exists")));
        }
        let domain = state
            .domains
            .get_as(id.uuid, &id.name)
            .ok_or_else(|| Error::no_domain(id.uuid))?;
        domain.check_inactive()?;
        if domain.snapshots.len() > 0 || domain.checkpoints.len() > 0 || domain.saved.is_some() {
            return Err(Error::operation_invalid(format!(
                "domain '{}' has snapshots, checkpoints or a managed save image",
                domain.name
            )));
        }
        let Some(mut domain) = state.domains.remove(id.uuid) else {
            return Err(Error::no_domain(id.uuid));
        };
        let before = domain.view();
        domain.name = name.into();
        if let Some(stored) = &domain.stored {
            let mut renamed = (**stored).clone();
            renamed.name = name.into();
            domain.stored = Some(Arc::new(renamed));
        }
        domain.publish();
        let after = domain.view();
        state.domains.insert(domain);
        state.touched = true;
        let lifecycle = |lifecycle| DomainEvent::Lifecycle(lifecycle);
        let gone = lifecycle(Lifecycle::Undefined(UndefinedDetail::Renamed));
        self.hub.publish(&Event::Domain(before.id.clone(), gone));
        self.hub.publish(&Event::Changed {
            before: Some(View::from(before)),
            after: Some(View::from(Arc::clone(&after))),
        });
        let came = lifecycle(Lifecycle::Defined(DefinedDetail::Renamed));
        self.hub.publish(&Event::Domain(after.id.clone(), came));
        Ok(())
    }

    async fn metadata(
        &self,
        id: &DomainId,
        kind: MetadataType,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<String> {
        let note = Note::of(kind, uri)?;
        self.with_domain(id, |domain| {
            let found = note.read(&**domain.asked(impact)?);
            found.ok_or_else(|| {
                Error::new(
                    ErrorCode::NoDomainMetadata,
                    ErrorDomain::Test,
                    format!("domain '{}' has no such metadata", domain.name),
                )
            })
        })
    }

    async fn set_metadata(
        &self,
        id: &DomainId,
        kind: MetadataType,
        metadata: Option<&str>,
        key: Option<&str>,
        uri: Option<&str>,
        impact: Impact,
    ) -> Result<()> {
        let note = Note::of(kind, uri)?;
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| note.write(definition, metadata, key))?;
            let namespace = uri.map(str::to_owned);
            Ok(((), vec![DomainEvent::MetadataChange { kind, namespace }]))
        })
    }

    async fn security_labels(&self, id: &DomainId) -> Result<Vec<SecurityLabel>> {
        self.with_domain(id, |_| {
            Ok(vec![SecurityLabel {
                label: "libvirt-test".to_owned(),
                enforcing: true,
            }])
        })
    }

    async fn messages(&self, id: &DomainId, types: DomainMessageTypes) -> Result<Vec<String>> {
        self.with_domain(id, |domain: &Domain| {
            let all = types.is_empty();
            let mut messages = Vec::new();
            let runs_foreign =
                domain.current()?.virt_type != virtbus_conf_base::common::VirtType::Test;
            if runs_foreign && (all || types.contains(DomainMessageTypes::TAINTING)) {
                messages.push("tainted: the definition is of another hypervisor".to_owned());
            }
            Ok(messages)
        })
    }

    async fn launch_security_info(&self, id: &DomainId) -> Result<TypedParameters> {
        self.with_domain(id, |domain| {
            let Some(launch) = &domain.current()?.launch_security else {
                return Err(Error::operation_invalid(format!(
                    "domain '{}' has no launch security",
                    domain.name
                )));
            };
            let _ = launch;
            Ok(vec![TypedParameter::new("sev-measurement", "")])
        })
    }
}
