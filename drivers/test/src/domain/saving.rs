//! Saving domains to real files, dumping them, and what is known of jobs, which end as soon as they begin.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rustix::fs::OFlags;
use virtbus_api::domain::{
    CallerFile, ControlInfo, DomainControlErrorReason, DomainControlState, DomainCoreDumpFlags,
    DomainCoreDumpFormat, DomainEvent, DomainId, DomainJobs, DomainSaveImageXmlFlags,
    DomainSaveRestoreFlags, DomainSaving, DomainState, ImageAccess, Lifecycle, PausedReason,
    RunningReason, SavedImage, ShutoffReason, StartedDetail, StoppedDetail, SuspendedDetail,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::Flags;
use virtbus_conf_domain::domain::{AbiFlags, Domain as Definition};

use super::{Domain, Saved, definition, lifecycle};
use crate::driver::Test;
use crate::error;

/// What a saved image begins with, and a byte that tells whether the domain ran.
const MAGIC: &[u8] = b"virtbus test guest\n";

/// What a dump holds.
const DUMP: &[u8] = b"virtbus test core dump\n";

struct Image {
    definition: Definition,
    running: bool,
}

impl Image {
    fn parse(path: &str, content: &[u8]) -> Result<Self> {
        let wrong = || error::failed(format!("'{path}' is not a file that the test driver saved"));
        let (running, xml) = content
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first())
            .ok_or_else(wrong)?;
        let xml = std::str::from_utf8(xml).map_err(|_| wrong())?;
        Ok(Self {
            definition: definition::read(xml)?,
            running: *running == b'1',
        })
    }

    fn format(&self) -> Vec<u8> {
        let mut content = MAGIC.to_vec();
        content.push(if self.running { b'1' } else { b'0' });
        content.extend(self.definition.format(Flags::SECURE).bytes());
        content
    }
}

/// Opening a pipe must not wait for its other end.
const NEVER_WAIT: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// The same, and no link is followed.
const AS_IT_IS: i32 = OFlags::NONBLOCK
    .union(OFlags::NOFOLLOW)
    .bits()
    .cast_signed();

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(std::io::Error::other(
            "the work was interrupted by an internal error",
        ))
    })
}

/// No image is longer: one of another program is not read whole to find that out. Bytes.
const LONGEST: u64 = 32 << 20;

/// The path of a file, if the daemon's rights to it are the caller's as well. Nothing here is done with fewer rights than the daemon's.
///
/// # Errors
/// `AccessDenied` to others than root where the daemon is root's.
fn allowed(file: CallerFile<'_>) -> Result<&str> {
    if file.by_root || !rustix::process::geteuid().is_root() {
        return Ok(file.path);
    }
    Err(Error::new(
        ErrorCode::AccessDenied,
        ErrorDomain::Test,
        format!(
            "cannot use '{}': the test driver uses files for root only, as it would do so with root's rights",
            file.path
        ),
    ))
}

async fn read(path: &str, access: ImageAccess) -> Result<(File, Image)> {
    let file = path.to_owned();
    let (file, content) = blocking(move || {
        let file = File::options()
            .read(true)
            .write(access == ImageAccess::Change)
            .custom_flags(NEVER_WAIT)
            .open(file)?;
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        let mut content = Vec::new();
        (&file).take(LONGEST).read_to_end(&mut content)?;
        Ok((file, content))
    })
    .await
    .map_err(|problem| io(path, &problem))?;
    Ok((file, Image::parse(path, &content)?))
}

async fn write(path: &str, content: Vec<u8>) -> Result<()> {
    if !Path::new(path).is_absolute() {
        return Err(Error::invalid_argument(format!(
            "'{path}' is not an absolute path"
        )));
    }
    let file = path.to_owned();
    blocking(move || replace(&file, &content))
        .await
        .map_err(|problem| io(path, &problem))
}

/// Makes the file, or puts another content into one that the driver made.
fn replace(path: &str, content: &[u8]) -> std::io::Result<()> {
    let mut file = match File::options().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let file = File::options()
                .read(true)
                .write(true)
                .custom_flags(AS_IT_IS)
                .open(path)?;
            let mut beginning = Vec::new();
            (&file).take(64).read_to_end(&mut beginning)?;
            if !file.metadata()?.is_file()
                || ![MAGIC, DUMP].iter().any(|ours| beginning.starts_with(ours))
            {
                return Err(std::io::Error::other(
                    "the file exists and was not written by the test driver",
                ));
            }
            (&file).rewind()?;
            file.set_len(0)?;
            file
        }
        opened => opened?,
    };
    file.write_all(content)
}

fn io(path: &str, problem: &std::io::Error) -> Error {
    Error::new(
        ErrorCode::SystemError,
        ErrorDomain::Test,
        format!("'{path}': {problem}"),
    )
}

/// A definition that a client gives in place of one in an image: the guest must not see a difference.
fn replaced(old: &Definition, xml: Option<&str>) -> Result<Definition> {
    let Some(xml) = xml else {
        return Ok(old.clone());
    };
    let mut new = definition::parse(xml, false)?;
    new.id = old.id;
    old.check_abi(&new, AbiFlags::empty())
        .map_err(|error| error::conf(&error))?;
    Ok(new)
}

/// Whether the domain shall run, by the flags or as it did.
fn runs(flags: DomainSaveRestoreFlags, ran: bool) -> Result<bool> {
    match (
        flags.contains(DomainSaveRestoreFlags::RUNNING),
        flags.contains(DomainSaveRestoreFlags::PAUSED),
    ) {
        (true, true) => Err(Error::invalid_argument(
            "flags RUNNING and PAUSED exclude each other",
        )),
        (running, paused) => Ok(running || (ran && !paused)),
    }
}

fn restore_events(
    domain: &mut Domain,
    definition: Definition,
    running: bool,
    next_id: &mut u32,
) -> Vec<DomainEvent> {
    let state = if running {
        DomainState::Running(RunningReason::Restored)
    } else {
        DomainState::Paused(PausedReason::User)
    };
    domain.start(Arc::new(definition), state, next_id);
    let mut events = vec![DomainEvent::Lifecycle(Lifecycle::Started(
        StartedDetail::Restored,
    ))];
    if !running {
        events.push(DomainEvent::Lifecycle(Lifecycle::Suspended(
            SuspendedDetail::Restored,
        )));
    }
    events
}

/// An image that was opened for a client.
struct Opened<'a> {
    test: &'a Test,
    path: String,
    file: File,
    image: Image,
    id: DomainId,
}

#[async_trait]
impl SavedImage for Opened<'_> {
    fn domain(&self) -> &DomainId {
        &self.id
    }

    async fn xml_desc(&self, flags: DomainSaveImageXmlFlags) -> Result<String> {
        Ok(self.image.definition.format(xml_flags(flags)))
    }

    async fn restore(
        self: Box<Self>,
        xml: Option<&str>,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()> {
        let running = runs(flags, self.image.running)?;
        let definition = replaced(&self.image.definition, xml)?;
        let mut state = self.test.lock();
        let uuid = lifecycle::claim(&mut state, &definition)?;
        self.test.change_in(&mut state, uuid, |domain, next_id| {
            domain.check_inactive()?;
            Ok(((), restore_events(domain, definition, running, next_id)))
        })
    }

    async fn define_xml(self: Box<Self>, xml: &str, flags: DomainSaveRestoreFlags) -> Result<()> {
        let changed = Image {
            definition: replaced(&self.image.definition, Some(xml))?,
            running: runs(flags, self.image.running)?,
        };
        let (file, content) = (self.file, changed.format());
        // There is no memory in it that could be lost.
        blocking(move || {
            file.write_all_at(&content, 0)?;
            file.set_len(content.len() as u64)
        })
        .await
        .map_err(|problem| io(&self.path, &problem))
    }
}

#[async_trait]
impl DomainSaving for Test {
    async fn save(
        &self,
        id: &DomainId,
        to: CallerFile<'_>,
        xml: Option<&str>,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()> {
        let image = self.with_domain(id, |domain| {
            domain.check_active()?;
            let mut definition = replaced(domain.current()?, xml)?;
            definition.id = None;
            let running = matches!(domain.state, DomainState::Running(_));
            Ok(Image {
                definition,
                running: runs(flags, running)?,
            })
        })?;
        write(allowed(to)?, image.format()).await?;
        self.change_domain(id, |domain, _| {
            domain.check_active()?;
            Ok((
                (),
                vec![domain.stop(ShutoffReason::Saved, StoppedDetail::Saved)],
            ))
        })
    }

    async fn open_image(
        &self,
        from: CallerFile<'_>,
        access: ImageAccess,
    ) -> Result<Box<dyn SavedImage + '_>> {
        let path = allowed(from)?;
        let (file, image) = read(path, access).await?;
        let id = DomainId {
            uuid: image
                .definition
                .uuid
                .map_or(virtbus_api::Uuid::nil(), |uuid| uuid.0),
            name: image.definition.name.as_str().into(),
            id: None,
        };
        Ok(Box::new(Opened {
            test: self,
            path: path.to_owned(),
            file,
            image,
            id,
        }))
    }

    async fn managed_save(&self, id: &DomainId, flags: DomainSaveRestoreFlags) -> Result<()> {
        self.change_domain(id, |domain, _| {
            domain.check_active()?;
            if domain.stored.is_none() {
                return Err(Error::operation_invalid(format!(
                    "domain '{}' is transient and cannot have a managed save image",
                    domain.name
                )));
            }
            let running = runs(flags, matches!(domain.state, DomainState::Running(_)))?;
            let mut saved = (**domain.current()?).clone();
            saved.id = None;
            domain.saved = Some(Saved {
                definition: Arc::new(saved),
                running,
            });
            Ok((
                (),
                vec![domain.stop(ShutoffReason::Saved, StoppedDetail::Saved)],
            ))
        })
    }

    async fn managed_save_remove(&self, id: &DomainId) -> Result<()> {
        self.change_domain(id, |domain, _| {
            domain.saved = None;
            Ok(((), Vec::new()))
        })
    }

    async fn managed_save_xml_desc(
        &self,
        id: &DomainId,
        flags: DomainSaveImageXmlFlags,
    ) -> Result<String> {
        self.with_domain(id, |domain| match &domain.saved {
            Some(saved) => Ok(saved.definition.format(xml_flags(flags))),
            None => Err(no_image(domain)),
        })
    }

    async fn managed_save_define_xml(
        &self,
        id: &DomainId,
        xml: &str,
        flags: DomainSaveRestoreFlags,
    ) -> Result<()> {
        self.change_domain(id, |domain, _| {
            let saved = domain.saved.as_ref().ok_or_else(|| no_image(domain))?;
            let changed = Saved {
                definition: Arc::new(replaced(&saved.definition, Some(xml))?),
                running: runs(flags, saved.running)?,
            };
            domain.saved = Some(changed);
            Ok(((), Vec::new()))
        })
    }

    async fn core_dump(
        &self,
        id: &DomainId,
        to: CallerFile<'_>,
        format: DomainCoreDumpFormat,
        flags: DomainCoreDumpFlags,
    ) -> Result<()> {
        use DomainCoreDumpFlags as F;
        if flags.contains(F::CRASH | F::LIVE)
            || flags.contains(F::CRASH | F::RESET)
            || flags.contains(F::LIVE | F::RESET)
        {
            return Err(Error::invalid_argument(
                "flags CRASH, LIVE and RESET exclude each other",
            ));
        }
        if format != DomainCoreDumpFormat::Raw {
            return Err(Error::new(
                ErrorCode::OperationUnsupported,
                ErrorDomain::Test,
                "unsupported core dump format (supported: raw)",
            ));
        }
        self.with_domain(id, Domain::check_active)?;
        write(allowed(to)?, DUMP.to_vec()).await?;
        if !flags.contains(F::CRASH) {
            return Ok(());
        }
        self.change_domain(id, |domain, _| {
            domain.check_active()?;
            Ok((
                (),
                vec![domain.stop(ShutoffReason::Crashed, StoppedDetail::Crashed)],
            ))
        })
    }
}

fn no_image(domain: &Domain) -> Error {
    Error::operation_invalid(format!(
        "domain '{}' has no managed save image",
        domain.name
    ))
}

fn xml_flags(flags: DomainSaveImageXmlFlags) -> Flags {
    if flags.contains(DomainSaveImageXmlFlags::SECURE) {
        Flags::SECURE | Flags::INACTIVE
    } else {
        Flags::INACTIVE
    }
}

#[async_trait]
impl DomainJobs for Test {
    async fn control_info(&self, id: &DomainId) -> Result<ControlInfo> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            Ok(ControlInfo {
                state: DomainControlState::Ok,
                details: DomainControlErrorReason::None,
                state_time: 0,
            })
        })
    }
}
