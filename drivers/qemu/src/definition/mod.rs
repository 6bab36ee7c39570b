//! Domain definitions as this driver takes them: read, completed, checked, shown.
//!
//! What is here holds for QEMU only; the documents themselves and what every driver means by leaving something out are in
//! `virtbus-conf-domain`. A definition that has passed [`finish`] or [`parse_stored`] has `<os>`, memory and
//! virtual CPUs, which the accessors rely on.

mod check;
mod effects;
pub(crate) mod firmware;
pub(crate) mod limits;
mod live;
mod machine;
mod meaning;
mod readers;
pub(crate) mod scsi;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod values;

use std::path::PathBuf;

use virtbus_api::domain::{DomainId, DomainUndefineFlags, DomainXmlFlags};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_base::common::OsType;
use virtbus_conf_base::{Flags, Limits, XmlError, YesNo};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::chardev::{ChannelTarget, ChardevSource};
use virtbus_conf_domain::domain::devices::disk::Disk;
use virtbus_conf_domain::domain::devices::tpm::TpmBackend;
use virtbus_conf_domain::domain::lifecycle::LifecycleAction;
use virtbus_conf_domain::domain::os::Os;

pub(crate) use firmware::check_undefine;
pub(crate) use live::{Surroundings, listen_hosts, make_live};
pub(crate) use machine::{has_device_boot_order, is_q35};
pub(crate) use meaning::{Emulator, complete_stored, is_placed, lacks_places};
pub(crate) use readers::Readers;

use crate::refusals;

/// The guest agent's channel has this name in the guest.
const AGENT_CHANNEL: &str = "org.qemu.guest_agent.0";

/// What happens when the guest ends by itself, as far as this driver does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnLifecycle {
    /// The domain is ended.
    Destroy,
    /// The guest is started anew in the same process.
    Restart,
    /// Everything stays for a person to look at.
    Preserve,
}

impl From<Option<LifecycleAction>> for OnLifecycle {
    fn from(action: Option<LifecycleAction>) -> Self {
        match action {
            Some(
                LifecycleAction::Restart
                | LifecycleAction::CoredumpRestart
                | LifecycleAction::RenameRestart,
            ) => Self::Restart,
            Some(LifecycleAction::Preserve) => Self::Preserve,
            Some(LifecycleAction::Destroy | LifecycleAction::CoredumpDestroy) | None => {
                Self::Destroy
            }
        }
    }
}

/// Completes what [`read`] gave for this emulator, and checks it. What comes back is what will be read from the file in which it is kept.
///
/// # Errors
/// `ConfigUnsupported` for what cannot be had, and for what could not be read back.
pub(crate) fn finish(mut definition: Definition, emulator: &Emulator) -> Result<Definition> {
    let asked = effects::of_interfaces(&definition);
    let mut refusals = Vec::new();
    match meaning::complete(&mut definition, emulator) {
        Ok(()) => refusals.extend(check::refusals(&definition)),
        Err(error) => refusals.push(error),
    }
    if effects::of_interfaces(&definition).len() < asked.len() {
        // What some interfaces cannot have is taken out of them, as libvirt does it; here nothing is dropped unseen.
        refusals.extend(asked);
    }
    refusals::together(refusals)?;
    read_back(definition)
}

/// The same for a definition that takes the place of one of a guest whose devices have no addresses ([`is_placed`]): it gets none either.
///
/// # Errors
/// `ConfigUnsupported` for what cannot be had, and for what could not be read back.
pub(crate) fn finish_as_it_is(definition: Definition) -> Result<Definition> {
    check::complete(&definition)?;
    refusals::together(check::refusals(&definition))?;
    read_back(definition)
}

/// Reads a client's definition as it stands.
///
/// # Errors
/// `XmlError` or `XmlInvalidSchema` naming element and line.
pub(crate) fn read(xml: &str, strict: bool) -> Result<Definition> {
    let code = if strict {
        ErrorCode::XmlInvalidSchema
    } else {
        ErrorCode::XmlError
    };
    // Permission was asked for the domain that was found so: no other one is defined by the document, nor one that could
    // not be told.
    let asked_about = identify(xml)?;
    let mut definition = Definition::parse_within(xml, strict, &limits::CLIENT)
        .map_err(|error| xml_error(code, &error))?;
    // The number of a run is no part of a definition.
    definition.id = None;
    let uuid = definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0);
    if *definition.name != *asked_about.name || uuid != asked_about.uuid {
        return Err(Error::internal(
            "the definition reads as that of two domains",
        ));
    }
    check::basics(&definition)?;
    values::check(&definition)?;
    Ok(definition)
}

/// The definition as it will be read from its file. One that would be lost or be another one then is refused now, while
/// its author can be told. No more than two forms of it are held at a time.
fn read_back(definition: Definition) -> Result<Definition> {
    let refused = |why: String| {
        let message = format!("the definition cannot be kept: {why}");
        Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Domain, message)
    };
    let kept = format_config(&definition);
    drop(definition);
    let again = parse_kept(&kept, &limits::KEPT).map_err(|error| refused(error.to_string()))?;
    if let Some(line) = difference(&kept, &format_config(&again)) {
        return Err(refused(format!("{line:?} would not be read as written")));
    }
    drop(kept);
    // A run writes down what is hidden from clients besides; the rest that it adds has room by the limits.
    let (again, running) = as_running(again, |running| running.format(STATUS).len());
    if running > limits::KEPT.bytes {
        return Err(refused(format!(
            "it would have {running} bytes while it runs, and at most {} can be kept",
            limits::KEPT.bytes
        )));
    }
    Ok(again)
}

/// What a definition of a running guest is written for that only this driver shall see.
const STATUS: Flags = Flags::SECURE
    .union(Flags::STATUS)
    .union(Flags::ACTUAL_NET)
    .union(Flags::CLOCK_ADJUST);

/// Does something with a definition that has the number of a run.
fn as_running<T>(
    mut definition: Definition,
    with: impl FnOnce(&Definition) -> T,
) -> (Definition, T) {
    definition.id = Some(0);
    let done = with(&definition);
    definition.id = None;
    (definition, done)
}

/// The first line that is another in `second`.
fn difference<'t>(first: &'t str, second: &'t str) -> Option<&'t str> {
    if first == second {
        return None;
    }
    let (mut lines, mut others) = (first.lines(), second.lines());
    loop {
        match (lines.next(), others.next()) {
            (Some(line), Some(other)) if line == other => {}
            (Some(line), _) | (None, Some(line)) => return Some(line),
            // Only white space at the end.
            (None, None) => return Some(""),
        }
    }
}

/// Which domain a definition is about; its UUID is nil if it names none. Nothing but that is read of it.
///
/// # Errors
/// `XmlError` if they cannot be found.
pub(crate) fn identify(xml: &str) -> Result<DomainId> {
    let found =
        Definition::identify(xml).map_err(|error| xml_error(ErrorCode::XmlError, &error))?;
    Ok(DomainId {
        uuid: found.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
        name: found.name.unwrap_or_default().as_str().into(),
        id: None,
    })
}

/// Refuses a document for its length, before it is copied.
///
/// # Errors
/// `XmlError`, telling the most that is read.
pub(crate) fn check_length(xml: &str) -> Result<()> {
    let (bytes, most) = (xml.len(), limits::CLIENT.bytes);
    if bytes <= most {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::XmlError,
        ErrorDomain::Domain,
        format!("the definition has {bytes} bytes; at most {most} are read"),
    ))
}

/// Reads a definition that was stored by this driver, completed then.
pub(crate) fn parse_stored(xml: &str) -> std::result::Result<Definition, XmlOrShape> {
    parse_kept(xml, &limits::STORED)
}

fn parse_kept(xml: &str, limits: &Limits) -> std::result::Result<Definition, XmlOrShape> {
    let definition = Definition::parse_within(xml, false, limits)?;
    check::basics(&definition).map_err(|error| XmlOrShape::Shape(error.message))?;
    check::complete(&definition).map_err(|error| XmlOrShape::Shape(error.message))?;
    Ok(definition)
}

/// Why a stored definition cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XmlOrShape {
    #[error("{0}")]
    Xml(#[from] XmlError),
    #[error("{0}")]
    Shape(String),
}

fn xml_error(code: ErrorCode, error: &XmlError) -> Error {
    Error::new(code, ErrorDomain::Domain, error.to_string())
}

/// The definition as it is kept on disk.
pub(crate) fn format_config(definition: &Definition) -> String {
    definition.format(Flags::INACTIVE | Flags::SECURE)
}

/// The definition as it runs, with all that only this driver shall see.
pub(crate) fn format_status(definition: &Definition) -> String {
    let (_, text) = as_running(definition.clone(), |running| running.format(STATUS));
    text
}

/// The definition as a client sees it; with the number of the run if it is a running one.
pub(crate) fn format(definition: &Definition, id: Option<u32>, flags: DomainXmlFlags) -> String {
    let mut wanted = Flags::empty();
    if id.is_none() {
        wanted |= Flags::INACTIVE;
    }
    if flags.contains(DomainXmlFlags::SECURE) {
        wanted |= Flags::SECURE;
    }
    if flags.contains(DomainXmlFlags::MIGRATABLE) {
        wanted |= Flags::MIGRATABLE;
    }
    match id {
        // The number is no part of the definition that is kept, so it is put in for the reader.
        Some(id) => Definition {
            id: Some(id),
            ..definition.clone()
        }
        .format(wanted),
        None => definition.format(wanted),
    }
}

/// Sockets whose paths no socket can have, each as a refusal: those that the definition names, or those of a run.
pub(crate) fn long_sockets(definition: &Definition) -> Vec<Error> {
    check::long_sockets(definition)
}

/// What the definition asks for and QEMU would not be told of, each as a refusal.
pub(crate) fn without_effect(definition: &Definition) -> Vec<Error> {
    effects::missing(definition)
}

/// Refuses a disk that has nothing to read.
///
/// # Errors
/// `NoSource`, naming it.
pub(crate) fn check_source(disk: &Disk) -> Result<()> {
    check::source(disk)
}

/// Refuses what no domain can be called.
///
/// # Errors
/// `InvalidArg`, saying why.
pub(crate) fn check_name(name: &str) -> Result<()> {
    check::name(name)
        .map_err(|error| Error::invalid_argument(format!("not a domain's name: {}", error.message)))
}

pub(crate) fn name(definition: &Definition) -> &str {
    &definition.name
}

/// The UUID. Completed definitions have one.
pub(crate) fn uuid(definition: &Definition) -> Result<Uuid> {
    definition
        .uuid
        .map(|uuid| uuid.0)
        .ok_or_else(|| Error::internal("a definition has no uuid"))
}

/// `<os>`, which every definition of this driver has.
pub(crate) fn os(definition: &Definition) -> &Os {
    definition
        .os
        .as_ref()
        .expect("a definition without <os> is refused when it is read")
}

pub(crate) fn os_type(definition: &Definition) -> &'static str {
    definition
        .os
        .as_ref()
        .and_then(|os| os.machine.kind)
        .map_or("hvm", OsType::as_str)
}

pub(crate) fn on_poweroff(definition: &Definition) -> OnLifecycle {
    definition.on_poweroff.into()
}

pub(crate) fn on_crash(definition: &Definition) -> OnLifecycle {
    definition.on_crash.into()
}

/// The most memory, KiB.
pub(crate) fn max_memory(definition: &Definition) -> u64 {
    definition.memory.map_or(0, |memory| memory.size.0)
}

/// The memory at the start, KiB.
pub(crate) fn memory(definition: &Definition) -> u64 {
    definition
        .current_memory
        .map_or_else(|| max_memory(definition), |memory| memory.0)
}

/// Virtual CPUs: the most there can be, or those that are in use.
pub(crate) fn vcpus(definition: &Definition, maximum: bool) -> u32 {
    let Some(vcpu) = &definition.vcpu else {
        return 1;
    };
    if maximum {
        vcpu.count
    } else {
        vcpu.current.unwrap_or(vcpu.count)
    }
}

/// Whether there is a channel for a guest agent.
pub(crate) fn has_agent(definition: &Definition) -> bool {
    agent_socket(definition).is_some()
}

/// The socket of the guest agent's channel.
pub(crate) fn agent_socket(definition: &Definition) -> Option<PathBuf> {
    let channel = definition.devices.channel.iter().find(|channel| {
        matches!(&channel.target, ChannelTarget::Virtio(target) if target.name.as_deref() == Some(AGENT_CHANNEL))
    })?;
    match &channel.chardev.source {
        ChardevSource::Unix(unix) => unix.path.as_ref().map(PathBuf::from),
        _ => None,
    }
}

/// The path of the disk with this alias, or whose top node has this name.
pub(crate) fn disk_source(
    definition: &Definition,
    alias: &str,
    node: Option<&str>,
) -> Option<String> {
    let disk = definition.devices.disk.iter().find(|disk| {
        let index = disk.source.common().index;
        disk.info.alias.as_deref() == Some(alias)
            || node.is_some_and(|node| {
                index.is_some_and(|index| node == format!("libvirt-{index}-format"))
            })
    })?;
    disk.source.path().map(ToOwned::to_owned)
}

/// Whether the state of the domain's TPM goes with its definition when that is taken away with these flags.
pub(crate) fn drops_tpm_state(definition: &Definition, flags: DomainUndefineFlags) -> bool {
    let persistent = definition.devices.tpm.iter().any(|tpm| {
        matches!(&tpm.backend, TpmBackend::Emulator(emulator) if emulator.persistent_state == Some(YesNo::Yes))
    });
    let keep = flags.contains(DomainUndefineFlags::KEEP_TPM)
        || (persistent && !flags.contains(DomainUndefineFlags::TPM));
    !keep && !definition.devices.tpm.is_empty()
}
