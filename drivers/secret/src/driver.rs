//! The calls, and values for drivers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;
use virtbus_api::event::EventHub;
use virtbus_api::flags::KnownFlags;
use virtbus_api::listing::Views;
use virtbus_api::providers::{SecretKey, SecretValue, SecretValues, Subsystem};
use virtbus_api::secret::{SecretDefineFlags, SecretId, SecretUsageType, SecretView, Secrets};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_base::{Entropy, XmlError};
use virtbus_conf_host::secret::Secret as Definition;

use crate::store::Store;
use crate::table::{Secret, Table, refused};
use crate::vault::{self, Vault};

/// A value is not longer than this, bytes, as in libvirt's protocol (`REMOTE_SECRET_VALUE_MAX`).
const LONGEST_VALUE: usize = 64 << 10;

/// A disk has so long to take or give a file, and those who wait for it as long.
const DISK: Duration = Duration::from_secs(30);

/// So many values are read from the disk at the same time: one that does not answer has no more threads.
const READS: usize = 4;

/// Bytes of a UUID.
const UUID: usize = 16;

/// Where the driver keeps its files.
#[derive(Debug, Clone)]
pub struct Config {
    /// Definitions and encrypted values: `/etc/virtbus/secrets`.
    pub dir: PathBuf,
    /// This host's key, made when it is needed first: `/var/lib/virtbus/secrets/secret.key`.
    pub key_file: PathBuf,
    /// A key of [`KEY_BYTES`](crate::KEY_BYTES) bytes that systemd hands over, which is taken instead if it is there.
    pub credential: Option<PathBuf>,
}

/// Secrets of this host.
pub struct SecretDriver {
    table: Arc<Table>,
    store: Arc<Store>,
    /// One change at a time, from the look whether it may be until it is announced.
    writing: Arc<Mutex<()>>,
    reading: Arc<Semaphore>,
}

impl std::fmt::Debug for SecretDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretDriver").finish_non_exhaustive()
    }
}

/// Bytes that were drawn for one UUID.
struct Drawn([u8; UUID]);

impl Drawn {
    fn draw() -> Result<Self> {
        let mut bytes = [0; UUID];
        vault::fill(&mut bytes)
            .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Secret, &error))?;
        Ok(Self(bytes))
    }
}

impl Entropy for Drawn {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (to, from) in bytes.iter_mut().zip(self.0) {
            *to = from;
        }
    }
}

fn wrong_document(code: ErrorCode, error: &XmlError) -> Error {
    refused(code, error.to_string())
}

/// A complete definition from a document; whatever is in it is kept, so what is not known is refused where the caller wants that.
fn parse(xml: &str, flags: SecretDefineFlags) -> Result<Secret> {
    let mut definition = if flags.contains(SecretDefineFlags::VALIDATE) {
        Definition::parse_strict(xml)
            .map_err(|error| wrong_document(ErrorCode::XmlInvalidSchema, &error))?
    } else {
        Definition::parse(xml).map_err(|error| wrong_document(ErrorCode::XmlError, &error))?
    };
    definition.complete(&mut Drawn::draw()?);
    if definition.uuid.is_some_and(|uuid| uuid.0.is_nil()) {
        return Err(refused(
            ErrorCode::XmlError,
            "the UUID of a secret cannot be all zeros".to_owned(),
        ));
    }
    let again = Definition::parse(&definition.format(virtbus_conf_base::Flags::default()));
    if again.as_ref().ok() != Some(&definition) {
        return Err(refused(
            ErrorCode::XmlError,
            "the definition of a secret could not be read back as it was written".to_owned(),
        ));
    }
    Ok(Secret::new(definition))
}

/// Runs work for which a disk is waited, with a deadline. It goes on when nobody waits for it any more.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match timeout(DISK, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failed)) => Err(Error::internal(format!(
            "a task of the secret driver failed: {failed}"
        ))),
        Err(_) => Err(slow()),
    }
}

fn slow() -> Error {
    refused(
        ErrorCode::OperationTimeout,
        format!(
            "the disk with the secrets has not answered for {} s",
            DISK.as_secs()
        ),
    )
}

impl SecretDriver {
    /// Opens the driver: reads its definitions.
    ///
    /// # Errors
    /// If its directory cannot be made or read.
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        let vault = Vault::new(config.credential, config.key_file);
        let store = Arc::new(Store::new(config.dir, vault));
        let loading = Arc::clone(&store);
        let definitions = on_disk(move || loading.load()).await?;
        Ok(Arc::new(Self {
            table: Arc::new(Table::new(definitions)),
            store,
            writing: Arc::default(),
            reading: Arc::new(Semaphore::new(READS)),
        }))
    }

    /// Changes something, alone. A caller that goes away does not leave half of it.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Table, &Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = timeout(DISK, Arc::clone(&self.writing).lock_owned()).await;
        let turn = turn.map_err(|_| slow())?;
        let (table, store) = (Arc::clone(&self.table), Arc::clone(&self.store));
        on_disk(move || {
            let answer = change(&table, &store);
            drop(turn);
            answer
        })
        .await
    }

    /// The value of a secret, whoever may have it.
    async fn value_of(&self, secret: Secret) -> Result<SecretValue> {
        let uuid = secret.view.id.uuid;
        let value = if secret.view.ephemeral {
            secret.value
        } else {
            let turn = timeout(DISK, Arc::clone(&self.reading).acquire_owned()).await;
            let (turn, store) = (turn.map_err(|_| slow())?, Arc::clone(&self.store));
            on_disk(move || {
                let value = store.read_value(uuid);
                drop(turn);
                value
            })
            .await?
        };
        value.ok_or_else(|| {
            refused(
                ErrorCode::NoSecret,
                format!("secret {uuid} does not have a value; set one first"),
            )
        })
    }
}

impl Subsystem for SecretDriver {
    fn flags(&self) -> &'static [KnownFlags] {
        virtbus_api::known_flags! {
            SecretDefineXml: SecretDefineFlags = VALIDATE;
        }
    }

    fn events(&self) -> &EventHub {
        &self.table.hub
    }

    fn is_idle(&self) -> bool {
        // Those in memory only would be lost.
        self.table.is_on_disk()
    }

    fn secrets(&self) -> Option<&dyn Secrets> {
        Some(self)
    }
}

#[async_trait]
impl Secrets for SecretDriver {
    async fn views(&self) -> Result<Views<SecretView>> {
        Ok(self.table.views())
    }

    async fn view(&self, uuid: Uuid) -> Result<Arc<SecretView>> {
        Ok(self.table.get(uuid)?.view)
    }

    async fn view_by_usage(
        &self,
        usage_type: SecretUsageType,
        usage_id: &str,
    ) -> Result<Arc<SecretView>> {
        Ok(self.table.by_usage(usage_type, usage_id)?.view)
    }

    async fn xml_desc(&self, secret: &SecretId) -> Result<String> {
        let definition = self.table.get_same(secret)?.definition;
        Ok(definition.format(virtbus_conf_base::Flags::default()))
    }

    async fn identify_xml(&self, xml: &str) -> Result<SecretId> {
        let found = Definition::identify(xml)
            .map_err(|error| wrong_document(ErrorCode::XmlError, &error))?;
        Ok(SecretId {
            uuid: found.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
            usage_type: SecretUsageType::None,
            usage_id: "".into(),
        })
    }

    async fn define_xml(&self, xml: &str, flags: SecretDefineFlags) -> Result<Arc<SecretView>> {
        let xml = xml.to_owned();
        self.change(move |table, store| {
            let mut secret = parse(&xml, flags)?;
            let uuid = secret.view.id.uuid;
            let there = table.admit(&secret)?;
            let was_on_disk = there.as_ref().is_some_and(|there| !there.view.ephemeral);
            // What has a value keeps it, wherever it is from now on.
            let value = match there {
                Some(there) if there.view.ephemeral => there.value,
                Some(_) if secret.view.ephemeral => store.read_value(uuid)?,
                _ => None,
            };
            if secret.view.ephemeral {
                if was_on_disk {
                    store.remove(uuid)?;
                }
                secret.value = value;
            } else {
                store.write(uuid, &secret.definition)?;
                if let Some(value) = value {
                    store.write_value(uuid, &value)?;
                }
            }
            let view = Arc::clone(&secret.view);
            table.put(secret);
            Ok(view)
        })
        .await
    }

    async fn undefine(&self, secret: &SecretId) -> Result<()> {
        let id = secret.clone();
        self.change(move |table, store| {
            if !table.get_same(&id)?.view.ephemeral {
                store.remove(id.uuid)?;
            }
            table.remove(id.uuid);
            Ok(())
        })
        .await
    }

    async fn value(&self, secret: &SecretId) -> Result<Vec<u8>> {
        let secret = self.table.get_same(secret)?;
        if secret.view.private {
            return Err(refused(
                ErrorCode::InvalidSecret,
                format!(
                    "secret {} is private: its value is used by drivers and told to nobody",
                    secret.view.id.uuid
                ),
            ));
        }
        Ok(self.value_of(secret).await?.bytes().to_vec())
    }

    async fn set_value(&self, secret: &SecretId, value: &[u8]) -> Result<()> {
        if value.len() > LONGEST_VALUE {
            return Err(Error::new(
                ErrorCode::InvalidArg,
                ErrorDomain::Secret,
                format!(
                    "the value of a secret has at most {LONGEST_VALUE} bytes, and this one has {}",
                    value.len()
                ),
            ));
        }
        let (id, value) = (secret.clone(), SecretValue::new(value.to_vec()));
        self.change(move |table, store| {
            let kept = if table.get_same(&id)?.view.ephemeral {
                Some(value)
            } else {
                store.write_value(id.uuid, &value)?;
                None
            };
            table.has_value(id.uuid, kept);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl SecretValues for SecretDriver {
    async fn value(&self, key: SecretKey<'_>, usage_type: SecretUsageType) -> Result<SecretValue> {
        self.value_of(self.table.by_key(key, usage_type)?).await
    }
}
