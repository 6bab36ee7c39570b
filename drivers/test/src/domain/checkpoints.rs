//! Checkpoints: names of moments, with the definition of the domain then.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::domain::{
    CheckpointCreateFlags, CheckpointId, CheckpointView, CheckpointXmlFlags, DomainCheckpoints,
    DomainId, MomentDeleteFlags,
};
use virtbus_api::object::{IdRef, Kind};
use virtbus_api::{Error, Result, naming};
use virtbus_conf_base::Flags;
use virtbus_conf_domain::checkpoint::{Checkpoint, CheckpointName};
use virtbus_conf_domain::domain::CompleteFlags;
use virtbus_conf_domain::moment::{Definitions, Guest, Purpose};

use super::{Domain, definition, snapshots};
use crate::driver::{State, Test};
use crate::error;

fn view(domain: &Domain, name: &str) -> Option<CheckpointView> {
    let moment = domain.checkpoints.get(name)?;
    Some(CheckpointView {
        id: CheckpointId {
            domain: domain.view().id.clone(),
            name: Arc::clone(&moment.name),
        },
        parent: moment.parent.clone(),
        current: domain.checkpoints.is_current(name),
        children: domain.checkpoints.children(name),
    })
}

fn views(domain: &Domain) -> Vec<Arc<CheckpointView>> {
    let names = domain.checkpoints.iter().map(|moment| &moment.name);
    names
        .filter_map(|name| view(domain, name))
        .map(Arc::new)
        .collect()
}

fn not_found(name: &str) -> Error {
    Error::not_found(Kind::DomainCheckpoint, "name", name)
}

impl Test {
    fn change_checkpoints(
        &self,
        state: &mut State,
        id: &DomainId,
        change: impl FnOnce(&mut Domain) -> Result<()>,
    ) -> Result<()> {
        let seen = |state: &State| state.domains.get(id.uuid).map(views).unwrap_or_default();
        let before = seen(state);
        self.change_named(state, id, |domain, _| {
            change(domain).map(|()| ((), Vec::new()))
        })?;
        self.announce_all(&before, &seen(state), |view| &view.id.name);
        Ok(())
    }
}

#[async_trait]
impl DomainCheckpoints for Test {
    async fn checkpoints(&self, id: &DomainId) -> Result<Vec<Arc<CheckpointView>>> {
        self.with_domain(id, |domain| Ok(views(domain)))
    }

    async fn checkpoint(&self, id: &DomainId, name: &str) -> Result<Arc<CheckpointView>> {
        self.with_domain(id, |domain| {
            view(domain, name)
                .map(Arc::new)
                .ok_or_else(|| not_found(name))
        })
    }

    async fn create_xml(
        &self,
        id: &DomainId,
        xml: &str,
        flags: CheckpointCreateFlags,
    ) -> Result<Arc<CheckpointView>> {
        use CheckpointCreateFlags as F;
        let redefine = flags.contains(F::REDEFINE);
        if flags.contains(F::REDEFINE_VALIDATE) && !redefine {
            return Err(Error::invalid_argument(
                "flag REDEFINE_VALIDATE requires flag REDEFINE",
            ));
        }
        let mut checkpoint = Checkpoint::parse(xml).map_err(|error| error::xml(&error))?;
        let purpose = if redefine {
            Purpose::Redefine
        } else {
            Purpose::Create
        };
        definition::with_seams(CompleteFlags::empty(), |seams| {
            checkpoint.complete(purpose, snapshots::now(), seams)
        })
        .map_err(|error| error::conf(&error))?;
        let name: Arc<str> = checkpoint
            .name
            .as_ref()
            .map_or("", CheckpointName::as_str)
            .into();
        let named = CheckpointId {
            domain: id.clone(),
            name: Arc::clone(&name),
        };
        naming::claim(IdRef::DomainCheckpoint(&named), [])?;
        let mut state = self.lock();
        self.change_checkpoints(&mut state, id, |domain| {
            if redefine {
                let uuid = virtbus_conf_base::common::Uuid(domain.uuid);
                checkpoint
                    .redefine(uuid)
                    .map_err(|error| error::conf(&error))?;
                let parent = checkpoint
                    .parent
                    .as_ref()
                    .map(|parent| parent.as_str().to_owned());
                domain
                    .checkpoints
                    .insert(Arc::clone(&name), parent.as_deref(), checkpoint);
                return Ok(());
            }
            if domain.snapshots.len() > 0 {
                return Err(Error::operation_invalid(format!(
                    "domain '{}' has snapshots; checkpoints are not possible beside them",
                    domain.name
                )));
            }
            domain.check_active()?;
            if domain.checkpoints.get(&name).is_some() {
                return Err(error::failed(format!(
                    "domain '{}' already has a checkpoint '{name}'",
                    domain.name
                )));
            }
            let mut now = (**domain.current()?).clone();
            now.id = None;
            checkpoint.definitions.guest = Some(Guest::Definition(Box::new(now)));
            checkpoint
                .align_disks()
                .map_err(|error| error::conf(&error))?;
            let parent = domain.checkpoints.current().cloned();
            domain
                .checkpoints
                .insert(Arc::clone(&name), parent.as_deref(), checkpoint);
            domain.checkpoints.set_current(Some(Arc::clone(&name)));
            Ok(())
        })?;
        let domain = state
            .domains
            .get_as(id.uuid, &id.name)
            .ok_or_else(|| Error::no_domain(id.uuid))?;
        view(domain, &name)
            .map(Arc::new)
            .ok_or_else(|| not_found(&name))
    }

    async fn xml_desc(
        &self,
        checkpoint: &CheckpointId,
        flags: CheckpointXmlFlags,
    ) -> Result<String> {
        self.with_domain(&checkpoint.domain, |domain| {
            let moment = domain
                .checkpoints
                .get(&checkpoint.name)
                .ok_or_else(|| not_found(&checkpoint.name))?;
            let mut content = moment.content.clone();
            let parent = moment
                .parent
                .as_deref()
                .and_then(|parent| domain.checkpoints.get(parent));
            content.parent = parent.and_then(|parent| parent.content.name.clone());
            if flags.contains(CheckpointXmlFlags::NO_DOMAIN) {
                content.definitions = Definitions::default();
            }
            if flags.contains(CheckpointXmlFlags::SIZE) {
                for disk in &mut content.disks {
                    disk.size = Some(0);
                }
            }
            let secure = flags.contains(CheckpointXmlFlags::SECURE);
            Ok(content.format(if secure {
                Flags::SECURE
            } else {
                Flags::empty()
            }))
        })
    }

    async fn delete(&self, checkpoint: &CheckpointId, flags: MomentDeleteFlags) -> Result<()> {
        let mut state = self.lock();
        self.change_checkpoints(&mut state, &checkpoint.domain, |domain| {
            if domain.checkpoints.get(&checkpoint.name).is_none() {
                return Err(not_found(&checkpoint.name));
            }
            domain.checkpoints.delete(&checkpoint.name, flags);
            Ok(())
        })
    }
}
