//! What a definition must be for this driver, beyond what its document allows.

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::common::{OsType, VirtType};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::chardev::ChardevSource;
use virtbus_conf_domain::domain::devices::disk::{Disk, DiskDevice};
use virtbus_conf_domain::domain::devices::graphics::Listen;
use virtbus_conf_storage::storage::StorageSource;
use virtbus_qemu_capabilities::Capabilities;
use virtbus_util::socket::LONGEST_PATH;

use super::effects;
use super::limits::{self, MOST_VCPUS};

/// The longest name, bytes: files are called after it.
const LONGEST_NAME: usize = 200;

/// What must hold before anything else is looked at.
pub(super) fn basics(definition: &Definition) -> Result<()> {
    name(&definition.name)?;
    limits::check(definition)?;
    match definition.virt_type {
        VirtType::Qemu | VirtType::Kvm => {}
        other => {
            return Err(unsupported(format!(
                "unsupported domain type '{other}' (supported: qemu, kvm)"
            )));
        }
    }
    let os = definition
        .os
        .as_ref()
        .ok_or_else(|| invalid("the element <os> is missing"))?;
    match os.machine.kind {
        Some(OsType::Hvm) => Ok(()),
        None => Err(invalid("<os> needs a <type>")),
        Some(other) => Err(unsupported(format!(
            "unsupported <os><type> '{other}' (supported: hvm)"
        ))),
    }
}

/// What a name must be: files are called after it.
pub(super) fn name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(invalid("<name> is empty"));
    }
    if name.len() > LONGEST_NAME {
        return Err(invalid(format!(
            "<name> is longer than {LONGEST_NAME} bytes"
        )));
    }
    if let Some(wrong) = name.chars().find(|c| *c == '/' || c.is_control()) {
        return Err(invalid(format!("<name> must not contain {wrong:?}")));
    }
    // Files are called after it, and hidden ones are no definitions to whoever looks for them.
    if name.starts_with('.') {
        return Err(invalid(format!(
            "<name> must not begin with '.', as '{name}' does"
        )));
    }
    if name.trim() != name {
        return Err(invalid(format!(
            "<name> must not begin or end with white space, as '{name}' does"
        )));
    }
    Ok(())
}

/// What every definition has that was completed, by whichever release.
pub(super) fn complete(definition: &Definition) -> Result<()> {
    if definition.memory.is_none() || definition.vcpu.is_none() {
        return Err(invalid("the definition lacks <memory> or <vcpu>"));
    }
    Ok(())
}

/// The machine must be one of the emulator's.
pub(super) fn machine(definition: &Definition, capabilities: &Capabilities) -> Result<()> {
    match super::os(definition).machine.machine.as_deref() {
        Some(name) if capabilities.machine(name).is_none() => Err(unsupported(format!(
            "this emulator has no machine '{name}'"
        ))),
        _ => Ok(()),
    }
}

/// A machine has room for so many processors.
pub(super) fn processors_of_machine(
    definition: &Definition,
    capabilities: &Capabilities,
) -> Result<()> {
    let name = super::os(definition).machine.machine.as_deref();
    let Some(machine) = name.and_then(|name| capabilities.machine(name)) else {
        return Ok(());
    };
    let (name, most) = (&machine.name, machine.max_cpus);
    let wanted = super::vcpus(definition, true);
    if wanted > most {
        return Err(unsupported(format!(
            "machine '{name}' has at most {most} virtual CPUs, and <vcpu> asks for {wanted}"
        )));
    }
    Ok(())
}

/// All that does not hold of a definition that has been completed.
pub(super) fn refusals(definition: &Definition) -> Vec<Error> {
    let checks = [limits::check, memory, processors, targets];
    let failed = checks
        .into_iter()
        .filter_map(|check| check(definition).err());
    let mut refusals: Vec<Error> = failed.collect();
    let disks = definition.devices.disk.iter();
    refusals.extend(disks.filter_map(|disk| source(disk).err()));
    refusals.extend(long_sockets(definition));
    refusals.extend(effects::missing(definition));
    refusals
}

fn memory(definition: &Definition) -> Result<()> {
    let memory = super::max_memory(definition);
    if memory == 0 {
        return Err(invalid("<memory> must be more than 0"));
    }
    if memory > (1 << 43) {
        return Err(invalid(format!(
            "<memory> of {memory} KiB is more than any machine has"
        )));
    }
    if super::memory(definition) > memory {
        return Err(invalid("<currentMemory> is more than <memory>"));
    }
    Ok(())
}

fn processors(definition: &Definition) -> Result<()> {
    let most = super::vcpus(definition, true);
    if most == 0 || most > MOST_VCPUS {
        return Err(invalid(format!(
            "<vcpu> must be from 1 to {MOST_VCPUS}, not {most}"
        )));
    }
    let now = super::vcpus(definition, false);
    if now == 0 || now > most {
        return Err(invalid(format!(
            "<vcpu current='{now}'> must be from 1 to {most}"
        )));
    }
    if let Some(topology) = definition.cpu.as_ref().and_then(|cpu| cpu.topology)
        && topology.count() != Some(most)
    {
        return Err(unsupported(format!(
            "<topology> does not make up the {most} virtual CPUs of <vcpu>"
        )));
    }
    Ok(())
}

fn targets(definition: &Definition) -> Result<()> {
    let mut targets: Vec<&str> = definition
        .devices
        .disk
        .iter()
        .map(|disk| disk.target.dev.as_str())
        .collect();
    targets.sort_unstable();
    if let Some(twice) = targets.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(invalid(format!(
            "two disks have <target dev='{}'>",
            twice[0]
        )));
    }
    Ok(())
}

/// Refuses a disk that has nothing to read. A drive may be empty.
pub(super) fn source(disk: &Disk) -> Result<()> {
    let drive = matches!(disk.device(), DiskDevice::Cdrom | DiskDevice::Floppy);
    if drive || !disk.source.is_empty() {
        return Ok(());
    }
    let message = format!(
        "disk '{}' has no <source> that names a file, block device or directory",
        disk.target.dev
    );
    Err(Error::new(
        ErrorCode::NoSource,
        ErrorDomain::Domain,
        message,
    ))
}

/// Sockets whose paths no socket can have, each as a refusal.
pub(super) fn long_sockets(definition: &Definition) -> Vec<Error> {
    let devices = &definition.devices;
    let serial = devices.serial.iter().map(|one| ("serial", &one.chardev));
    let parallel = devices.parallel.iter();
    let parallel = parallel.map(|one| ("parallel", &one.chardev));
    let console = devices.console.iter().map(|one| ("console", &one.chardev));
    let channel = devices.channel.iter().map(|one| ("channel", &one.chardev));
    let chardevs = serial.chain(parallel).chain(console).chain(channel);
    let named = chardevs.filter_map(|(element, chardev)| match &chardev.source {
        ChardevSource::Unix(source) => Some((element, source.path.as_deref()?)),
        _ => None,
    });
    let screens = devices.graphics.iter().flat_map(|screen| &screen.listen);
    let listening = screens.filter_map(|listen| match listen {
        Listen::Socket(socket) => Some(("listen", socket.socket.as_deref()?)),
        Listen::Address(_) | Listen::Network(_) | Listen::None => None,
    });
    let hosts = devices.disk.iter().flat_map(|disk| match &disk.source {
        StorageSource::Network(network) => network.host.as_slice(),
        _ => &[],
    });
    let served = hosts.filter_map(|host| Some(("host", host.socket.as_deref()?)));
    let all = named.chain(listening).chain(served);
    let long = all.filter(|(_, path)| path.len() > LONGEST_PATH);
    let refused = long.map(|(element, path)| {
        unsupported(format!(
            "the socket '{path}' of <{element}> has a path of {} bytes, and {LONGEST_PATH} is the most that a socket can have",
            path.len()
        ))
    });
    refused.collect()
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::XmlError, ErrorDomain::Domain, message)
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}
