//! Volumes that are made: empty, or with the content of another one.
//!
//! A volume is made under a name of its own that no list shows, and gets its own name when it is whole and on the disk; so whatever happens in
//! between, there is no half volume, and nothing that has its name is touched. The file has its final owner and permissions before anything is in
//! it. `qemu-img` gets descriptors only.

use std::fs::File;
use std::io;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::io::Errno;
use virtbus_api::providers::SecretKey;
use virtbus_api::secret::SecretUsageType;
use virtbus_api::storage::{StorageVolCreateFlags, StorageVolId, StorageVolView};
use virtbus_api::{ErrorCode, Result};
use virtbus_conf_base::Bytes;
use virtbus_conf_storage::storage::SecretUsage;
use virtbus_conf_storage::storage_pool::PoolType;
use virtbus_conf_storage::storage_volume::{CapacityRule, StorageVolume, VolumeFormat};
use virtbus_image::Format;
use virtbus_util::cmd::Cmd;

use crate::chain::{Handed, described, header, open_named};
use crate::command::qemu_img::{self, Key, Making, Side};
use crate::copy::copy;
use crate::core::Core;
use crate::folder::{Access, Folder, check_name};
use crate::hands::{LONG, QUICK};
use crate::jobs::Held;
use crate::look::Volume;
use crate::mark;
use crate::pool::Pool;
use crate::{error, programs};

/// Permission bits of a volume, unless its document says others: its owner's only.
const MODE: u32 = 0o600;

/// A volume that is being made.
struct New {
    pool: Arc<Pool>,
    folder: Arc<Folder>,
    name: Arc<str>,
    temporary: String,
    definition: StorageVolume,
    making: Making,
    /// Whether the document says how much is to be allocated.
    allocates: bool,
}

/// The volume whose content another one gets.
struct Origin {
    pool: Arc<Pool>,
    volume: Arc<Volume>,
    /// Nobody changes it meanwhile.
    _held: Held,
}

/// Whether a volume is nothing but the bytes of the disk.
fn is_plain(definition: &StorageVolume) -> bool {
    let format = definition.target.format;
    let is_raw = matches!(
        format,
        None | Some(VolumeFormat::None | VolumeFormat::Raw | VolumeFormat::Iso)
    );
    is_raw && definition.target.encryption.is_none()
}

/// Reads a document, and completes it for its pool.
fn read(xml: &str, kind: PoolType, strict: bool, is_clone: bool) -> Result<(StorageVolume, bool)> {
    let mut definition = if strict {
        StorageVolume::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        StorageVolume::parse(xml).map_err(|error| error::xml(&error))?
    };
    let rule = if is_clone {
        CapacityRule::Optional
    } else {
        CapacityRule::OptionalWithBacking
    };
    check_name(&definition.name)?;
    definition
        .validate(kind, rule)
        .map_err(|error| error::conf(&error))?;
    let allocates = definition.allocation.is_some();
    definition.complete(kind);
    if definition
        .target
        .permissions
        .mode
        .is_some_and(|mode| mode.0 & !0o777 != 0)
    {
        return Err(error::refused(
            ErrorCode::InvalidArg,
            format!(
                "the <mode> of volume '{}' has other bits than those of reading, writing and executing",
                definition.name
            ),
        ));
    }
    if definition.target.permissions.label.is_some() {
        tracing::debug!(
            "the label of volume '{}' is the host's choice, ignoring it",
            definition.name
        );
    }
    Ok((definition, allocates))
}

impl Core {
    /// Makes a volume, with the content of `source` if there is one.
    pub(crate) async fn make_volume(
        self: Arc<Self>,
        pool: Arc<Pool>,
        xml: &str,
        flags: StorageVolCreateFlags,
        source: Option<StorageVolId>,
    ) -> Result<Arc<StorageVolView>> {
        use StorageVolCreateFlags as F;
        let folder = pool.folder()?;
        let kind = pool.definition(false).kind;
        let strict = flags.contains(F::VALIDATE);
        let (definition, allocates) = read(xml, kind, strict, source.is_some())?;
        let name: Arc<str> = definition.name.as_str().into();
        let _making = pool.jobs.change(&name, "being made").await?;
        if pool.volumes()?.contains_key(&name) {
            return Err(exists(&pool, &name));
        }
        let source = match source {
            None => None,
            Some(id) => {
                let (of, _) = self.table.volume(&id)?;
                let held = of.jobs.read(&id.name, "being cloned").await?;
                Some(Origin {
                    volume: of.volume(&id.name)?,
                    pool: of,
                    _held: held,
                })
            }
        };
        let mut new = New {
            temporary: format!("{}{}", self.temporary, virtbus_api::Uuid::new_v4().simple()),
            making: Making {
                preallocate: flags.contains(F::PREALLOC_METADATA),
                backing_is_known: true,
            },
            pool,
            folder,
            name,
            definition,
            allocates,
        };
        self.size(&mut new, source.as_ref()).await?;
        let made = self
            .fill_volume(&new, source, flags.contains(F::REFLINK))
            .await;
        let made = match made {
            Ok(()) => self.publish(&new).await,
            Err(why) => Err(why),
        };
        if made.is_err() {
            let (folder, temporary) = (Arc::clone(&new.folder), new.temporary.clone());
            let removed = new
                .pool
                .hands
                .run("removing an unfinished volume", QUICK, move || {
                    folder.remove(&temporary)
                });
            if let Ok(Err(why)) = removed.await {
                tracing::error!(
                    "what was made of volume '{}' cannot be removed: {why}",
                    new.name
                );
            }
        }
        made
    }

    /// How large a volume becomes that does not say it, or less than what goes into it.
    async fn size(&self, new: &mut New, source: Option<&Origin>) -> Result<()> {
        if let Some(source) = source {
            let least = source.volume.definition.capacity();
            if new
                .definition
                .capacity
                .is_none_or(|wanted| wanted.0 < least.0)
            {
                new.definition.capacity = Some(least);
            }
            return Ok(());
        }
        let Some(backing) = &new.definition.backing_store else {
            return Ok(());
        };
        let (name, format) = (backing.path.to_string(), backing.format);
        let format = format.unwrap_or(VolumeFormat::Raw);
        let known = Format::from_name(format.as_str()).ok_or_else(|| {
            let message = format!("images of format '{format}' cannot be what others are based on");
            error::refused(ErrorCode::ConfigUnsupported, message)
        })?;
        // Whoever may make volumes names those of pools; what else is on the host is not for him.
        let others = self.table.folders();
        let folder = Arc::clone(&new.folder);
        let looked = new
            .pool
            .hands
            .run("looking at the backing image", QUICK, move || {
                let trusted: Vec<&Folder> = others.iter().map(|folder| &**folder).collect();
                let file = open_named(&name, &folder, &trusted)?;
                let size = header(&file, known, &name)?.virtual_size;
                let length = file.metadata().map(|facts| facts.len());
                match size {
                    Some(size) => Ok(size),
                    None => length.map_err(|why| error::system(format!("image '{name}'"), &why)),
                }
            });
        let size = looked.await??;
        new.definition.capacity.get_or_insert(Bytes::new(size));
        Ok(())
    }

    /// Makes the file under its own name, and fills it.
    async fn fill_volume(&self, new: &New, source: Option<Origin>, reflink: bool) -> Result<()> {
        if new.definition.target.format == Some(VolumeFormat::Dir) {
            return Err(error::unsupported(
                "volumes that are directories cannot be made",
            ));
        }
        let target = new.create().await?;
        let plain = is_plain(&new.definition);
        if new.making.preallocate && plain {
            let refusal = qemu_img::Refusal::Preallocation(VolumeFormat::Raw);
            return Err(error::making(&refusal));
        }
        match source {
            None if plain && new.definition.backing_store.is_none() => new.allocate(target).await,
            None => self.create_image(new, target).await,
            Some(source) if plain && is_plain(&source.volume.definition) => {
                new.copy(&source, target, reflink).await
            }
            Some(_) if reflink => Err(error::unsupported(
                "blocks can be shared by raw volumes only, which this one or its source is not",
            )),
            Some(source) => self.convert(new, &source, target).await,
        }
    }

    /// The key of an encrypted volume, in a file that is in memory only.
    async fn key(
        &self,
        definition: &StorageVolume,
        id: &str,
        handed: &mut Handed,
    ) -> Result<Option<Key>> {
        let Some(encryption) = &definition.target.encryption else {
            return Ok(None);
        };
        let secrets = self.secrets.as_ref().ok_or_else(|| {
            error::unsupported("this daemon has no secret driver, by which volumes are encrypted")
        })?;
        // One that was found has its own path for the usage of its secret.
        let path = definition.target.path.as_deref().unwrap_or_default();
        let key = match encryption.secret.first().map(|secret| &secret.secret) {
            Some(SecretUsage::Uuid(uuid)) => SecretKey::Uuid(uuid.0),
            Some(SecretUsage::Usage(usage)) => SecretKey::Usage(usage),
            None => SecretKey::Usage(path),
        };
        let value = secrets.value(key, SecretUsageType::Volume).await?;
        let made = memory(value.bytes());
        let file = made.map_err(|why| error::system("memory for a secret", &why))?;
        Ok(Some(Key {
            id: id.to_owned(),
            file: handed.add(file),
        }))
    }

    async fn create_image(&self, new: &New, target: File) -> Result<()> {
        let mut handed = Handed::default();
        let path = handed.add(target);
        let key = self.key(&new.definition, "target", &mut handed).await?;
        let side = Side {
            volume: &new.definition,
            path: &path,
            key,
        };
        let line = qemu_img::create(&side, new.making).map_err(|why| error::making(&why))?;
        run(&new.what("made"), vec![line], &handed).await
    }

    async fn convert(&self, new: &New, source: &Origin, target: File) -> Result<()> {
        let mut handed = Handed::default();
        let path = handed.add(
            target
                .try_clone()
                .map_err(|why| error::system(&new.name, &why))?,
        );
        let key = self.key(&new.definition, "target", &mut handed).await?;
        let from = &source.volume.definition;
        let source_key = self.key(from, "source", &mut handed).await?;
        let keyed = key.is_some() || source_key.is_some();
        let folder = source.pool.folder()?;
        let name = Arc::clone(&source.volume.view.id.name);
        let format = match from.target.format {
            Some(VolumeFormat::Raw) if from.target.encryption.is_some() => Some(Format::Luks),
            Some(format) => Format::from_name(format.as_str()),
            None => Some(Format::Raw),
        };
        let format = format.ok_or_else(|| {
            error::unsupported(format!("volume '{name}' has a format that cannot be read"))
        })?;
        let opened = source.pool.hands.run("opening the source", QUICK, move || {
            let file = folder.file(&name, Access::Read)?;
            if keyed {
                let image = header(&file, format, &name)?;
                if image.backing.is_some() || image.data_file.is_some() {
                    return Err(error::unsupported(format!(
                        "volume '{name}' consists of several images, which cannot be cloned with encryption"
                    )));
                }
                let path = handed.add(file);
                return Ok((path, handed));
            }
            let described = described(file, format, (&folder, &[&folder]), &mut handed)?;
            Ok((format!("json:{described}"), handed))
        });
        let (source_path, handed) = opened.await??;
        let to = Side {
            volume: &new.definition,
            path: &path,
            key,
        };
        let from = Side {
            volume: from,
            path: &source_path,
            key: source_key,
        };
        let lines = qemu_img::convert(&to, &from, new.making).map_err(|why| error::making(&why))?;
        run(&new.what("cloned"), lines, &handed).await?;
        self.grow(new, source, target).await
    }

    /// A clone may be larger than what it was made from.
    async fn grow(&self, new: &New, source: &Origin, target: File) -> Result<()> {
        let capacity = new.definition.capacity().0;
        if capacity <= source.volume.definition.capacity().0
            || new.definition.target.encryption.is_some()
        {
            return Ok(());
        }
        if is_plain(&new.definition) {
            let grown = new
                .pool
                .hands
                .run("making the volume larger", QUICK, move || {
                    target.set_len(capacity)
                });
            return grown.await?.map_err(|why| error::system(&new.name, &why));
        }
        let format = new.definition.target.format.unwrap_or(VolumeFormat::Raw);
        let mut handed = Handed::default();
        let path = handed.add(target);
        let line = [
            "resize",
            "-q",
            "-f",
            format.as_str(),
            &path,
            &capacity.to_string(),
        ];
        run(
            &new.what("made larger"),
            vec![line.map(String::from).to_vec()],
            &handed,
        )
        .await
    }

    /// Gives a whole volume its name, and tells of it.
    async fn publish(&self, new: &New) -> Result<Arc<StorageVolView>> {
        let _look = new.pool.look_turn().await?;
        let (folder, temporary) = (Arc::clone(&new.folder), new.temporary.clone());
        let (name, format) = (Arc::clone(&new.name), mark::of(&new.definition));
        let named = new.pool.hands.run("naming the volume", LONG, move || {
            let file = folder.file(&temporary, Access::Write)?;
            if let Some(format) = format {
                mark::set(&file, format);
            }
            file.sync_all().map_err(|why| error::system(&name, &why))?;
            Ok(folder.rename_new(&temporary, &name))
        });
        match named.await?? {
            Ok(()) => {}
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
                return Err(exists(&new.pool, &new.name));
            }
            Err(why) => {
                return Err(error::system(
                    format!("volume '{}' cannot be named", new.name),
                    &why,
                ));
            }
        }
        self.look_now(&new.pool, vec![Arc::clone(&new.name)])
            .await?;
        Ok(Arc::clone(&new.pool.volume(&new.name)?.view))
    }
}

fn exists(pool: &Pool, name: &str) -> virtbus_api::Error {
    let message = format!(
        "storage pool '{}' already has a file '{name}'",
        pool.id.name
    );
    error::refused(ErrorCode::StorageVolExist, message)
}

/// A file in memory with a secret in it, which nobody can change.
fn memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("secret", MemfdFlags::CLOEXEC)?);
    io::Write::write_all(&mut file, bytes)?;
    Ok(file)
}

/// Runs `qemu-img`, once for each line, with files handed to it.
pub(crate) async fn run(what: &str, lines: Vec<Vec<String>>, handed: &Handed) -> Result<()> {
    for line in lines {
        let mut cmd: Cmd = programs::command(qemu_img::PROGRAM)?;
        cmd.args(line);
        let copies = handed.copies();
        for file in copies.map_err(|why| error::system(what, &why))? {
            cmd.pass_fd(file);
        }
        programs::run(what, cmd, LONG).await?;
    }
    Ok(())
}

impl New {
    fn what(&self, done: &str) -> String {
        format!(
            "volume '{}' of storage pool '{}' cannot be {done}",
            self.name, self.pool.id.name
        )
    }

    /// The file, empty.
    async fn create(&self) -> Result<File> {
        let (folder, temporary) = (Arc::clone(&self.folder), self.temporary.clone());
        let permissions = &self.definition.target.permissions;
        let mode = permissions.mode.map_or(MODE, |mode| mode.0);
        let owners = (permissions.owner, permissions.group);
        let nocow = self.definition.target.nocow;
        let created = self.pool.hands.run("making the file", QUICK, move || {
            let file = folder.create(&temporary, mode, owners)?;
            if nocow && let Ok(flags) = rustix::fs::ioctl_getflags(&file) {
                // Only some file systems copy on write at all.
                let _ = rustix::fs::ioctl_setflags(&file, flags | rustix::fs::IFlags::NOCOW);
            }
            Ok::<_, io::Error>(file)
        });
        created
            .await?
            .map_err(|why| error::system(self.what("made"), &why))
    }

    /// Gives an empty raw volume its size, and as much space as it is to have at once.
    async fn allocate(&self, file: File) -> Result<()> {
        let capacity = self.definition.capacity().0;
        let allocation = self.definition.allocation().0.min(capacity);
        let allocated = self.pool.hands.run("allocating space", LONG, move || {
            file.set_len(capacity)?;
            allocate(&file, allocation)
        });
        allocated
            .await?
            .map_err(|why| error::system(self.what("made"), &why))
    }

    /// Copies a raw volume.
    async fn copy(&self, source: &Origin, target: File, reflink: bool) -> Result<()> {
        let folder = source.pool.folder()?;
        let name = Arc::clone(&source.volume.view.id.name);
        let capacity = self.definition.capacity().0;
        let allocation = self.definition.allocation().0.min(capacity);
        let allocation = if self.allocates { allocation } else { 0 };
        let copied = self.pool.hands.run("copying the content", LONG, move || {
            let from = folder.file(&name, Access::Read)?;
            let copied = copy(&from, &target, reflink).and_then(|shared| {
                target.set_len(capacity)?;
                if shared { Ok(()) } else { allocate(&target, allocation) }
            });
            copied.map_err(|why| match why.kind() {
                io::ErrorKind::Unsupported | io::ErrorKind::CrossesDevices => error::unsupported(format!(
                    "volume '{name}' and its clone cannot share blocks: the file system cannot, or there are two"
                )),
                _ => error::system(format!("volume '{name}' cannot be copied"), &why),
            })
        });
        copied.await?
    }
}

/// Takes space for the first bytes of a file.
pub(crate) fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        // A file system that cannot: what is written is allocated.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => crate::copy::write_zeroes(file, 0, bytes),
        Err(errno) => Err(errno.into()),
    }
}
