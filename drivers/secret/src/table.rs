//! What is known of each secret. The lock is held for moments only, and while what was changed is announced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use virtbus_api::event::{Event, EventHub};
use virtbus_api::listing::{Listing, Views};
use virtbus_api::object::{IdRef, View};
use virtbus_api::providers::{SecretKey, SecretValue};
use virtbus_api::secret::{SecretEvent, SecretId, SecretLifecycle, SecretUsageType, SecretView};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid, naming};
use virtbus_conf_host::secret::{Secret as Definition, Usage};

/// So many secrets there may be, as many as libvirt's protocol lists (`REMOTE_SECRET_LIST_MAX`).
const MOST: usize = 16_384;

/// A secret.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) view: Arc<SecretView>,
    pub(crate) definition: Arc<Definition>,
    /// The value of one that is kept in memory only.
    pub(crate) value: Option<SecretValue>,
}

/// What libvirt numbers the usage by, and what it is for.
fn usage(definition: &Definition) -> (SecretUsageType, Arc<str>) {
    let usage = definition.usage.as_ref().unwrap_or(&Usage::None);
    let kind = match usage {
        Usage::None => SecretUsageType::None,
        Usage::Volume(_) => SecretUsageType::Volume,
        Usage::Ceph(_) => SecretUsageType::Ceph,
        Usage::Iscsi(_) => SecretUsageType::Iscsi,
        Usage::Tls(_) => SecretUsageType::Tls,
        Usage::Vtpm(_) => SecretUsageType::Vtpm,
    };
    (kind, usage.id().unwrap_or_default().into())
}

impl Secret {
    /// A secret of a complete definition, without a value.
    pub(crate) fn new(definition: Definition) -> Self {
        let (usage_type, usage_id) = usage(&definition);
        let view = SecretView {
            id: SecretId {
                uuid: definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
                usage_type,
                usage_id,
            },
            ephemeral: definition.is_ephemeral(),
            private: definition.is_private(),
        };
        Self {
            view: Arc::new(view),
            definition: Arc::new(definition),
            value: None,
        }
    }
}

/// Every secret, by UUID.
pub(crate) struct Table {
    secrets: Mutex<BTreeMap<Uuid, Secret>>,
    pub(crate) hub: EventHub,
    listing: Arc<Listing<SecretView>>,
}

/// That there is no such secret.
pub(crate) fn absent(attribute: &str, value: impl std::fmt::Display) -> Error {
    Error::not_found(virtbus_api::object::Kind::Secret, attribute, value)
}

impl Table {
    /// A table with the secrets of these definitions. Those of which another one has a name already are left out, and logged.
    pub(crate) fn new(definitions: Vec<Definition>) -> Self {
        let hub = EventHub::default();
        let listing = Listing::on(&hub);
        let table = Self {
            secrets: Mutex::default(),
            hub,
            listing,
        };
        for definition in definitions {
            let secret = Secret::new(definition);
            let uuid = secret.view.id.uuid;
            match table.admit(&secret) {
                Ok(_) => {
                    table.lock().insert(uuid, secret);
                }
                Err(error) => {
                    tracing::error!(secret = %uuid, "secret {uuid} cannot be used, ignoring it: {error}");
                }
            }
        }
        table
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a secret may be defined so; the one in whose place it comes, if there is one.
    ///
    /// # Errors
    /// `OperationFailed` if another secret has its UUID or usage, `OperationDenied` if a private one would be private no longer.
    pub(crate) fn admit(&self, new: &Secret) -> Result<Option<Secret>> {
        let secrets = self.lock();
        let id = &new.view.id;
        let there = secrets.get(&id.uuid);
        if let Some(there) = there {
            if there.view.id != *id {
                return Err(refused(
                    ErrorCode::OperationFailed,
                    format!(
                        "secret {} is defined for another usage already, which cannot be changed; undefine it first",
                        id.uuid
                    ),
                ));
            }
            if there.view.private && !new.view.private {
                return Err(refused(
                    ErrorCode::OperationDenied,
                    format!(
                        "secret {} is private and stays so; undefine it first",
                        id.uuid
                    ),
                ));
            }
        } else if secrets.len() >= MOST {
            return Err(refused(
                ErrorCode::OperationFailed,
                format!("there are {MOST} secrets already, and no more are taken"),
            ));
        }
        let others = secrets.values().map(|other| IdRef::Secret(&other.view.id));
        naming::claim(IdRef::Secret(id), others)?;
        Ok(there.cloned())
    }

    /// Puts a secret in, which is on disk if it has to be, and tells of that.
    pub(crate) fn put(&self, secret: Secret) {
        let mut secrets = self.lock();
        let after = Arc::clone(&secret.view);
        let before = secrets.insert(after.id.uuid, secret);
        let before = before.map(|before| before.view);
        if before.as_ref() != Some(&after) {
            self.hub.publish(&Event::Changed {
                before: before.map(View::from),
                after: Some(View::from(Arc::clone(&after))),
            });
        }
        let event = SecretEvent::Lifecycle(SecretLifecycle::Defined);
        self.hub.publish(&Event::Secret(after.id.clone(), event));
    }

    /// Takes a secret out and tells of that.
    pub(crate) fn remove(&self, uuid: Uuid) {
        let mut secrets = self.lock();
        if let Some(gone) = secrets.remove(&uuid) {
            let event = SecretEvent::Lifecycle(SecretLifecycle::Undefined);
            self.hub
                .publish(&Event::Secret(gone.view.id.clone(), event));
            self.hub.publish(&Event::Changed {
                before: Some(View::from(gone.view)),
                after: None,
            });
        }
    }

    /// The value of a secret was set: it is on disk, or is kept here if it is in memory only.
    pub(crate) fn has_value(&self, uuid: Uuid, kept: Option<SecretValue>) {
        let mut secrets = self.lock();
        if let Some(secret) = secrets.get_mut(&uuid) {
            secret.value = kept;
            let id = secret.view.id.clone();
            self.hub
                .publish(&Event::Secret(id, SecretEvent::ValueChanged));
        }
    }

    /// The secret with this UUID.
    ///
    /// # Errors
    /// `NoSecret`.
    pub(crate) fn get(&self, uuid: Uuid) -> Result<Secret> {
        let secrets = self.lock();
        secrets
            .get(&uuid)
            .cloned()
            .ok_or_else(|| absent("uuid", uuid))
    }

    /// The very secret: not another one that has its UUID since.
    ///
    /// # Errors
    /// `NoSecret`.
    pub(crate) fn get_same(&self, id: &SecretId) -> Result<Secret> {
        let secret = self.get(id.uuid)?;
        if secret.view.id == *id {
            return Ok(secret);
        }
        Err(absent("uuid", id.uuid))
    }

    /// The secret that is used for this.
    ///
    /// # Errors
    /// `NoSecret`.
    pub(crate) fn by_usage(&self, usage_type: SecretUsageType, usage_id: &str) -> Result<Secret> {
        let secrets = self.lock();
        let is_it = |secret: &&Secret| {
            let id = &secret.view.id;
            id.usage_type == usage_type && &*id.usage_id == usage_id && !usage_id.is_empty()
        };
        let found = secrets.values().find(is_it).cloned();
        found.ok_or_else(|| absent("usage", usage_id))
    }

    /// The secret that a document means.
    ///
    /// # Errors
    /// `NoSecret`; `InvalidSecret` if it is meant for something else.
    pub(crate) fn by_key(&self, key: SecretKey<'_>, usage_type: SecretUsageType) -> Result<Secret> {
        match key {
            SecretKey::Usage(usage) => self.by_usage(usage_type, usage),
            SecretKey::Uuid(uuid) => {
                let secret = self.get(uuid)?;
                let is = secret.view.id.usage_type;
                // One that is for nothing in particular is for everything.
                if is == usage_type || is == SecretUsageType::None {
                    return Ok(secret);
                }
                Err(refused(
                    ErrorCode::InvalidSecret,
                    format!("secret {uuid} is for usage {is:?}, and not for {usage_type:?}"),
                ))
            }
        }
    }

    /// Every secret.
    pub(crate) fn views(&self) -> Views<SecretView> {
        self.listing.get(|| {
            let secrets = self.lock();
            let views = secrets.values();
            views.map(|secret| Arc::clone(&secret.view)).collect()
        })
    }

    /// Whether none is in memory only.
    pub(crate) fn is_on_disk(&self) -> bool {
        !self.views().iter().any(|view| view.ephemeral)
    }
}

/// A refusal of the driver.
pub(crate) fn refused(code: ErrorCode, message: String) -> Error {
    Error::new(code, ErrorDomain::Secret, message)
}
