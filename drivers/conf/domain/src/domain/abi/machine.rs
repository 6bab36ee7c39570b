//! The machine without its devices.

use super::{AbiFlags, Domain, Result, differs, same, same_opt, same_xml, same_xml_opt};
use crate::domain::clock::{Timer, TimerName};
use crate::domain::features::Features;
use crate::domain::os::Os;

pub(super) fn check(ours: &Domain, theirs: &Domain, flags: AbiFlags) -> Result<()> {
    same("the kind of hypervisor", &ours.virt_type, &theirs.virt_type)?;
    same_opt("the UUID", &ours.uuid, &theirs.uuid)?;
    same_xml_opt("the generation", &ours.genid, &theirs.genid)?;
    // Not seen by the guest, but a guest is not to be renamed in passing.
    same("the name", &ours.name, &theirs.name)?;
    memory(ours, theirs, flags)?;
    nodes(ours, theirs)?;
    same(
        "the number of virtual CPUs",
        &ours.vcpus_max(),
        &theirs.vcpus_max(),
    )?;
    if !flags.contains(AbiFlags::SKIP_VOLATILE) {
        same(
            "the number of virtual CPUs that are on",
            &ours.vcpus(),
            &theirs.vcpus(),
        )?;
    }
    same(
        "the number of I/O threads",
        &ours.iothreads.unwrap_or(0),
        &theirs.iothreads.unwrap_or(0),
    )?;
    if let (Some(ours), Some(theirs)) = (&ours.os, &theirs.os) {
        boot(ours, theirs)?;
    }
    let none = Features::default();
    let features = |d: &Domain| d.features.clone().unwrap_or_else(|| none.clone());
    same_xml(
        "a feature of the machine",
        &guest_features(features(ours)),
        &guest_features(features(theirs)),
    )?;
    timers(ours, theirs)?;
    same_xml_opt("the processor", &processor(ours), &processor(theirs))?;
    if ours.sysinfo.len() != theirs.sysinfo.len() {
        return differs(
            "the number of <sysinfo>",
            ours.sysinfo.len(),
            theirs.sysinfo.len(),
        );
    }
    for (ours, theirs) in ours.sysinfo.iter().zip(&theirs.sysinfo) {
        same_xml("what the firmware tells", ours, theirs)?;
    }
    same_xml_opt("key wrapping", &ours.keywrap, &theirs.keywrap)
}

fn memory(ours: &Domain, theirs: &Domain, flags: AbiFlags) -> Result<()> {
    same(
        "memory at start in KiB",
        &ours.memory_initial(),
        &theirs.memory_initial(),
    )?;
    if !flags.contains(AbiFlags::SKIP_VOLATILE) {
        let current = |d: &Domain| d.current_memory.map_or(0, |m| m.0);
        same("current memory in KiB", &current(ours), &current(theirs))?;
    }
    let size = |d: &Domain| d.max_memory.map_or(0, |m| m.size.0);
    let slots = |d: &Domain| d.max_memory.and_then(|m| m.slots).unwrap_or(0);
    same("the maximum of memory in KiB", &size(ours), &size(theirs))?;
    same("the slots for memory", &slots(ours), &slots(theirs))
}

fn nodes(ours: &Domain, theirs: &Domain) -> Result<()> {
    let cells = |d: &Domain| {
        d.cpu
            .as_ref()
            .and_then(|c| c.numa.clone())
            .unwrap_or_default()
            .cell
    };
    let (ours, theirs) = (cells(ours), cells(theirs));
    same("the number of guest nodes", &ours.len(), &theirs.len())?;
    for (n, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        same(
            &format!("memory of guest node {n} in KiB"),
            &ours.memory.0,
            &theirs.memory.0,
        )?;
        same_opt(
            &format!("the virtual CPUs of guest node {n}"),
            &ours.cpus,
            &theirs.cpus,
        )?;
    }
    Ok(())
}

fn boot(ours: &Os, theirs: &Os) -> Result<()> {
    same_opt(
        "the kind of guest",
        &ours.machine.kind,
        &theirs.machine.kind,
    )?;
    same_opt("the architecture", &ours.machine.arch, &theirs.machine.arch)?;
    same_opt(
        "the machine type",
        &ours.machine.machine,
        &theirs.machine.machine,
    )?;
    same_opt("the source of SMBIOS tables", &ours.smbios, &theirs.smbios)
}

/// Features without those that a guest does not see.
fn guest_features(mut features: Features) -> Features {
    features.async_teardown = None;
    features.tcg = None;
    features
}

/// The processor without its nodes, which are compared before, and without how it is checked.
fn processor(domain: &Domain) -> Option<Box<virtbus_conf_base::cpu::GuestCpu>> {
    let mut cpu = domain.cpu.clone()?;
    cpu.numa = None;
    cpu.check = None;
    cpu.feature.sort_by(|a, b| a.name.cmp(&b.name));
    Some(cpu)
}

fn timers(ours: &Domain, theirs: &Domain) -> Result<()> {
    let list = |d: &Domain| {
        d.clock
            .as_ref()
            .map(|c| c.timer.clone())
            .unwrap_or_default()
    };
    let (ours, theirs) = (list(ours), list(theirs));
    same("the number of timers", &ours.len(), &theirs.len())?;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        timer(ours, theirs)?;
    }
    Ok(())
}

fn timer(ours: &Timer, theirs: &Timer) -> Result<()> {
    same("a timer", &ours.name, &theirs.name)?;
    let name = ours.name;
    same_opt(
        &format!("whether there is a timer {name}"),
        &ours.present,
        &theirs.present,
    )?;
    if name == TimerName::Tsc {
        same_opt(
            "the frequency of the time stamp counter",
            &ours.frequency,
            &theirs.frequency,
        )?;
        same_opt(
            "the mode of the time stamp counter",
            &ours.mode,
            &theirs.mode,
        )?;
    }
    Ok(())
}
