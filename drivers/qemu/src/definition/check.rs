//! What a definition must be for this driver, beyond what its document allows.

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf::domain::os::OsType;
use virtbus_conf::domain::{Domain as Definition, VirtType};

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
                "<domain type='{other}'> is not for QEMU: 'qemu' or 'kvm' is"
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
            "<os><type>{other}</type> is not for QEMU: 'hvm' is"
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

/// What must hold of a definition that has been completed.
pub(super) fn whole(definition: &Definition) -> Result<()> {
    limits::check(definition)?;
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

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::XmlError, ErrorDomain::Domain, message)
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}
