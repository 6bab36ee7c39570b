//! What can only be said when all devices are known: memory, boot order, implicit devices.

use std::collections::HashSet;

use virtbus_conf_base::Result;
use virtbus_conf_base::common::OsType;
use virtbus_xml::{Kib, YesNo};

use super::{
    CompleteFlags, DriverFeatures, Seams, consoles, controllers, devices, graphics, invalid,
    unsupported,
};
use crate::domain::Domain;
use crate::domain::clock::{TickPolicy, TimerName};
use crate::domain::devices::DeviceMut;
use crate::domain::devices::controller::ControllerKind;
use crate::domain::devices::video::{Video, VideoModel, VideoModelType};
use crate::domain::memory::MemorySize;
use crate::domain::os::{BootDevice, LoaderType};

pub(super) fn complete(domain: &mut Domain, seams: &mut Seams<'_>) -> Result<()> {
    if domain.os_type() == Some(OsType::Exe)
        && domain
            .os
            .as_ref()
            .is_none_or(|os| os.container.init.is_none())
    {
        return invalid("a container needs a first program, given by <init>");
    }
    vcpus(domain)?;
    memory(domain, seams.flags)?;
    if let Some(loader) = domain.os.as_mut().and_then(|os| os.loader.as_mut())
        && loader.path.is_some()
    {
        loader.kind.get_or_insert(LoaderType::Rom);
    }
    hugepages(domain);
    controllers::reject_duplicates(domain)?;
    reject_duplicate_panics(domain)?;
    let features = seams.driver.features();
    if domain.os_type() == Some(OsType::Hvm) && !features.contains(DriverFeatures::NO_BOOT_ORDER) {
        boot_order(domain)?;
    }
    timers(domain)?;
    if !features.contains(DriverFeatures::NO_STUB_CONSOLE) {
        consoles::link(domain);
    }
    controllers::add_implicit(domain)?;
    implicit_video(domain);
    primary_video(domain, seams)?;
    late_devices(domain, seams)?;
    graphics::without_ports(domain);
    if let Some(cpu) = &domain.cpu
        && cpu.mode.is_none()
        && cpu.model.is_none()
        && cpu.check.is_some()
    {
        return unsupported("<cpu> with a check requires a processor model");
    }
    Ok(())
}

/// What depends on addresses: the first console is its serial port under another name.
pub(super) fn after_addresses(domain: &mut Domain, seams: &Seams<'_>) {
    let features = seams.driver.features();
    if !features.contains(DriverFeatures::NO_STUB_CONSOLE) {
        consoles::link(domain);
    }
}

fn vcpus(domain: &mut Domain) -> Result<()> {
    let Some(vcpus) = &mut domain.vcpus else {
        return Ok(());
    };
    for vcpu in &mut vcpus.vcpu {
        let hotpluggable = *vcpu
            .hotpluggable
            .get_or_insert(YesNo::from(!vcpu.enabled.is_yes()));
        if !vcpu.enabled.is_yes() && !hotpluggable.is_yes() {
            return unsupported(format!(
                "virtual CPU {} is off and cannot be plugged either",
                vcpu.id
            ));
        }
    }
    Ok(())
}

fn memory(domain: &mut Domain, flags: CompleteFlags) -> Result<()> {
    let may_infer =
        flags.intersects(CompleteFlags::ABI_UPDATE | CompleteFlags::ABI_UPDATE_MIGRATION);
    let cells = domain
        .cpu
        .as_ref()
        .and_then(|c| c.numa.as_ref())
        .map_or(&[][..], |n| &n.cell);
    let of_cells = cells
        .iter()
        .map(|c| c.memory.0)
        .fold(0, u64::saturating_add);
    let plugged = domain
        .devices
        .memory
        .iter()
        .map(|m| m.target.size.0)
        .fold(0, u64::saturating_add);
    let total = domain.memory_total();
    if of_cells > 0 && (total == 0 || may_infer) {
        let size = Kib::new(of_cells.saturating_add(plugged));
        domain.memory = Some(MemorySize {
            size,
            ..domain.memory.unwrap_or_default()
        });
    } else if plugged > total {
        return invalid("memory devices have more memory than the guest as a whole");
    }
    if domain.memory_initial() == 0 {
        return invalid("the size of memory must be given by <memory> or by guest nodes");
    }
    let total = domain.memory_total();
    let current = domain.current_memory.map_or(0, |c| c.0);
    if current == 0 || current > total {
        domain.current_memory = Some(Kib::new(total));
    }
    if let Some(max) = &domain.max_memory {
        let size = max.size.0;
        if size == 0 && max.slots.unwrap_or(0) > 0 {
            return invalid("slots for memory devices need a maximum of memory");
        }
        if size > 0 && size < total {
            return invalid("the maximum of memory is below the memory of the guest");
        }
        if size == 0 {
            domain.max_memory = None;
        } else if let Some(max) = &mut domain.max_memory {
            max.slots = max.slots.filter(|s| *s > 0);
        }
    }
    Ok(())
}

/// Without guest nodes, pages for "node 0" are pages for all.
fn hugepages(domain: &mut Domain) {
    let has_nodes = domain
        .cpu
        .as_ref()
        .and_then(|c| c.numa.as_ref())
        .is_some_and(|n| !n.cell.is_empty());
    if has_nodes {
        return;
    }
    let pages = domain
        .memory_backing
        .as_mut()
        .and_then(|b| b.hugepages.as_mut());
    for page in pages.into_iter().flat_map(|p| &mut p.page) {
        if page
            .nodeset
            .as_ref()
            .is_some_and(|n| n.last().is_none_or(|last| last == 0))
        {
            page.nodeset = None;
        }
    }
}

fn reject_duplicate_panics(domain: &Domain) -> Result<()> {
    let mut seen = HashSet::new();
    for panic in &domain.devices.panic {
        if !seen.insert(panic.model) {
            let model = panic.model.map_or("default", |m| m.as_str());
            return invalid(format!(
                "there are several crash notifiers of model '{model}'"
            ));
        }
    }
    Ok(())
}

fn boot_order(domain: &mut Domain) -> Result<()> {
    let mut seen = HashSet::new();
    for order in domain
        .devices
        .iter()
        .filter_map(|d| d.info()?.boot.as_ref())
        .map(|b| b.order)
    {
        if order == 0 {
            return invalid("boot order begins with 1");
        }
        if !seen.insert(order) {
            return unsupported(format!("boot order {order} is used by several devices"));
        }
    }
    let Some(os) = &mut domain.os else {
        return Ok(());
    };
    if !os.boot.is_empty() && !seen.is_empty() {
        return unsupported("boot order is either by device or by kind of device");
    }
    if os.boot.is_empty() && seen.is_empty() && domain.bootloader.is_none() {
        os.boot.push(BootDevice::Hd);
    }
    Ok(())
}

fn timers(domain: &Domain) -> Result<()> {
    for timer in domain.clock.iter().flat_map(|c| &c.timer) {
        let name = timer.name;
        let refuse = |what: &str| unsupported(format!("timer {name} does not support {what}"));
        if timer.tickpolicy.is_some()
            && matches!(name, TimerName::Kvmclock | TimerName::Hypervclock)
        {
            return refuse("'tickpolicy'");
        }
        if timer.catchup.is_some() && timer.tickpolicy != Some(TickPolicy::Catchup) {
            return invalid("<catchup> needs tickpolicy='catchup'");
        }
        if name != TimerName::Tsc && timer.frequency.is_some() {
            return refuse("'frequency'");
        }
        if name != TimerName::Tsc && timer.mode.is_some() {
            return refuse("'mode'");
        }
        if timer.track.is_some() && !matches!(name, TimerName::Platform | TimerName::Rtc) {
            return refuse("'track'");
        }
    }
    Ok(())
}

/// A guest with a display has a graphics card.
fn implicit_video(domain: &mut Domain) {
    if !domain.devices.graphics.is_empty() && domain.devices.video.is_empty() {
        let model = VideoModel {
            heads: Some(1),
            ..VideoModel::default()
        };
        domain.devices.video.push(Video {
            model: Some(model),
            ..Video::default()
        });
    }
}

fn primary_video(domain: &mut Domain, seams: &mut Seams<'_>) -> Result<()> {
    let Some(first) = domain.devices.video.first_mut() else {
        return Ok(());
    };
    if first
        .model
        .as_ref()
        .is_some_and(|m| m.kind == Some(VideoModelType::None))
    {
        let alias = first.info.alias.take();
        let model = VideoModel {
            kind: Some(VideoModelType::None),
            ..VideoModel::default()
        };
        *first = Video {
            model: Some(model),
            ..Video::default()
        };
        first.info.alias = alias;
        return Ok(());
    }
    if let Some(model) = &mut first.model {
        model.primary = Some(YesNo::Yes);
    }
    let mut video = first.clone();
    seams
        .driver
        .device(domain, DeviceMut::Video(&mut video), seams.flags)?;
    devices::video_memory(domain, &mut video);
    domain.devices.video[0] = video;
    for other in domain
        .devices
        .video
        .iter_mut()
        .skip(1)
        .filter_map(|v| v.model.as_mut())
    {
        other.primary = None;
    }
    Ok(())
}

/// Devices that were added after the drivers had looked at the others.
fn late_devices(domain: &mut Domain, seams: &mut Seams<'_>) -> Result<()> {
    if let Some(serial) = domain.devices.serial.first() {
        let mut serial = serial.clone();
        seams
            .driver
            .device(domain, DeviceMut::Serial(&mut serial), seams.flags)?;
        devices::complete(domain, DeviceMut::Serial(&mut serial), seams)?;
        domain.devices.serial[0] = serial;
    }
    for i in 0..domain.devices.controller.len() {
        if matches!(
            domain.devices.controller[i].kind,
            ControllerKind::Scsi(None)
        ) {
            let mut controller = domain.devices.controller[i].clone();
            seams
                .driver
                .device(domain, DeviceMut::Controller(&mut controller), seams.flags)?;
            domain.devices.controller[i] = controller;
        }
    }
    Ok(())
}

/// Refuses what the driver cannot do at all.
pub(super) fn check_features(domain: &mut Domain, features: DriverFeatures) -> Result<()> {
    let lacks = |feature| !features.contains(feature);
    if lacks(DriverFeatures::MEMORY_HOTPLUG) {
        if domain.max_memory.is_some() {
            return unsupported("this hypervisor cannot plug memory: <maxMemory> is not supported");
        }
        if !domain.devices.memory.is_empty() {
            return unsupported("memory devices are not supported by this hypervisor");
        }
    }
    if lacks(DriverFeatures::OFFLINE_VCPUPIN) {
        let on = domain.vcpus();
        let listed = domain.vcpus.as_ref().map_or(&[][..], |v| &v.vcpu);
        if let Some(tune) = &mut domain.cputune {
            tune.vcpupin
                .retain(|pin| match listed.get(pin.vcpu as usize) {
                    Some(vcpu) => vcpu.enabled.is_yes(),
                    None => pin.vcpu < on,
                });
        }
    }
    if lacks(DriverFeatures::NAME_SLASH) && domain.name.contains('/') {
        return invalid(format!("the name '{}' contains a '/'", domain.name));
    }
    if lacks(DriverFeatures::INDIVIDUAL_VCPUS) && domain.vcpus.is_some() {
        return unsupported("this hypervisor cannot handle virtual CPUs one by one");
    }
    if lacks(DriverFeatures::DISK_FD)
        && let Some(disk) = domain.devices.disk.iter().find(|d| d.uses_fdgroup())
    {
        return unsupported(format!(
            "disk '{}' is to be opened by descriptors, which is not supported",
            disk.target.dev
        ));
    }
    if lacks(DriverFeatures::USER_ALIAS) {
        for mut device in domain.devices.iter_mut() {
            if let Some(info) = device.info_mut()
                && info.has_user_alias()
                && domain.id.is_none()
            {
                info.alias = None;
            }
        }
    }
    Ok(())
}
