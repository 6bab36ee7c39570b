//! What is written about a domain.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::domain::{
    DefinedDetail, DomainDescription, DomainEvent, DomainId, DomainMessageTypes,
    DomainModificationImpact as Impact, Lifecycle, MetadataType, SecurityLabel, UndefinedDetail,
};
use virtbus_api::event::Event;
use virtbus_api::object::View;
use virtbus_api::typed::{TypedParameter, TypedParameters};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf::domain::{Domain as Definition, Metadata};
use virtbus_conf::{Fragment, Text};

use super::Domain;
use crate::driver::Test;
use crate::error;

#[async_trait]
impl DomainDescription for Test {
    async fn rename(&self, id: &DomainId, name: &str) -> Result<()> {
        if !virtbus_conf::common::is_valid_name(name) {
            return Err(Error::invalid_argument(format!(
                "'{name}' cannot be the name of a domain"
            )));
        }
        let mut state = self.lock();
        if state.domains.named(name).is_some() {
            return Err(error::failed(format!("domain '{name}' is there already")));
        }
        let domain = state
            .domains
            .get(id.uuid)
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
        self.with_domain(id, |domain| {
            let definition = domain.asked(impact)?;
            let found = match kind {
                MetadataType::Description => definition.description.as_deref().map(str::to_owned),
                MetadataType::Title => definition.title.as_deref().map(str::to_owned),
                MetadataType::Element => element(definition, wanted(uri)?),
            };
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
        if kind == MetadataType::Title && metadata.is_some_and(|title| title.contains('\n')) {
            return Err(Error::invalid_argument("a title must be one line"));
        }
        let owned = metadata.map(Text::from);
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                match kind {
                    MetadataType::Description => definition.description.clone_from(&owned),
                    MetadataType::Title => definition.title.clone_from(&owned),
                    MetadataType::Element => set_element(definition, metadata, key, wanted(uri)?)?,
                }
                Ok(())
            })?;
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
            let runs_foreign = domain.current()?.virt_type != virtbus_conf::domain::VirtType::Test;
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
                    "the launch of domain '{}' is not measured",
                    domain.name
                )));
            };
            let _ = launch;
            Ok(vec![TypedParameter::new("sev-measurement", "")])
        })
    }
}

fn wanted(uri: Option<&str>) -> Result<&str> {
    uri.ok_or_else(|| Error::invalid_argument("'uri' must name the element's name space"))
}

fn element(definition: &Definition, uri: &str) -> Option<String> {
    let all = definition.metadata.0.as_ref()?;
    let found = all
        .elements()
        .find(|child| child.namespace.as_deref() == Some(uri))?;
    Some(all.lift(found).to_text())
}

fn set_element(
    definition: &mut Definition,
    text: Option<&str>,
    key: Option<&str>,
    uri: &str,
) -> Result<()> {
    let mut all = definition.metadata.0.take().unwrap_or_else(|| {
        Box::new(Fragment {
            name: "metadata".to_owned(),
            namespace: None,
            declarations: Vec::new(),
            attributes: Vec::new(),
            children: Vec::new(),
        })
    });
    let kept = std::mem::take(&mut all.children);
    all.children = kept
        .into_iter()
        .filter(|child| match child {
            virtbus_conf::FragmentNode::Element(child) => child.namespace.as_deref() != Some(uri),
            _ => true,
        })
        .collect();
    if let Some(text) = text {
        let key =
            key.ok_or_else(|| Error::invalid_argument("'key' must name the element's prefix"))?;
        let mut new = Fragment::parse_document(text).map_err(|error| error::xml(&error))?;
        let name = new
            .name
            .split_once(':')
            .map_or(new.name.as_str(), |(_, name)| name);
        new.name = format!("{key}:{name}");
        new.namespace = Some(uri.to_owned());
        new.declarations.retain(|(prefix, _)| prefix != key);
        new.declarations.push((key.to_owned(), uri.to_owned()));
        all.children.push(virtbus_conf::FragmentNode::Element(new));
    }
    let empty = all.elements().next().is_none();
    definition.metadata = Metadata((!empty).then_some(all));
    Ok(())
}
