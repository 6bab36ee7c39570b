//! The guest as a whole: names, memory, processors, firmware.

use virtbus_conf_base::Result;
use virtbus_xml::{OnOff, YesNo};

use super::{disk, invalid, unsupported};
use crate::domain::devices::iotune::IoTune;
use crate::domain::features::IoApicDriver;
use crate::domain::lifecycle::LifecycleAction;
use crate::domain::numatune::NumaMode;
use crate::domain::os::{Firmware, Loader, LoaderType};
use crate::domain::sysinfo::{SmbiosInfo, Sysinfo};
use crate::domain::vcpu::Placement;
use crate::domain::{Domain, DriverFeatures};

/// Smallest and largest weight against other guests.
const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;

pub(super) fn check(domain: &Domain, features: DriverFeatures) -> Result<()> {
    if domain.name.trim().is_empty() {
        return invalid("the name of a guest must not be empty");
    }
    if domain.name.contains('\n') || domain.title.as_ref().is_some_and(|t| t.contains('\n')) {
        return invalid("name and title of a guest have one line");
    }
    check_partition(domain)?;
    check_topology(domain)?;
    check_iommu(domain)?;
    check_actions(domain)?;
    check_hugepages(domain)?;
    check_loader(domain, features)?;
    check_tunables(domain)?;
    check_idmap(domain)?;
    check_numa(domain)?;
    check_pools(domain)?;
    check_numatune(domain)?;
    check_iothread_users(domain)?;
    for info in &domain.sysinfo {
        if let Sysinfo::Smbios(info) = info {
            check_smbios(domain, info)?;
        }
    }
    check_throttle_groups(domain)
}

fn check_partition(domain: &Domain) -> Result<()> {
    let resource = domain.resource.as_ref();
    if let Some(partition) = resource.and_then(|r| r.partition.as_ref())
        && !partition.starts_with('/')
    {
        return unsupported(format!(
            "partition '{partition}' is not a path from the root of the cgroup tree"
        ));
    }
    if let Some(id) = resource.and_then(|r| r.fibrechannel.as_ref()) {
        let printable = id.bytes().all(|b| matches!(b, b' '..=b'~'));
        if id.is_empty() || id.len() > 128 || !printable {
            return invalid("'appid' has 1 to 128 printable characters");
        }
    }
    Ok(())
}

fn check_topology(domain: &Domain) -> Result<()> {
    let Some(topology) = domain.cpu.as_ref().and_then(|c| c.topology) else {
        return Ok(());
    };
    match topology.count() {
        Some(count) if count == domain.vcpus_max() => Ok(()),
        Some(count) => unsupported(format!(
            "the topology has {count} processors, but the guest {}",
            domain.vcpus_max()
        )),
        None => unsupported("the topology has too many processors"),
    }
}

fn check_iommu(domain: &Domain) -> Result<()> {
    let Some(driver) = domain.devices.iommu.as_ref().and_then(|i| i.driver) else {
        return Ok(());
    };
    let ioapic = domain.features.as_ref().and_then(|f| f.ioapic);
    if driver.intremap == Some(OnOff::On) && ioapic != Some(IoApicDriver::Qemu) {
        return unsupported("interrupt remapping needs <ioapic driver='qemu'/>");
    }
    if driver.eim == Some(OnOff::On) && driver.intremap != Some(OnOff::On) {
        return unsupported("extended interrupts need interrupt remapping");
    }
    Ok(())
}

fn check_actions(domain: &Domain) -> Result<()> {
    for (when, action) in [
        ("on_poweroff", domain.on_poweroff),
        ("on_reboot", domain.on_reboot),
    ] {
        if matches!(
            action,
            Some(LifecycleAction::CoredumpDestroy | LifecycleAction::CoredumpRestart)
        ) {
            return invalid(format!(
                "<{when}>: there is something to dump after a crash only"
            ));
        }
    }
    Ok(())
}

fn check_hugepages(domain: &Domain) -> Result<()> {
    let pages = domain
        .memory_backing
        .as_ref()
        .and_then(|b| b.hugepages.as_ref());
    let pages = pages.map_or(&[][..], |p| &p.page);
    let cells = domain
        .cpu
        .as_ref()
        .and_then(|c| c.numa.as_ref())
        .map_or(0, |n| n.cell.len());
    for (i, page) in pages.iter().enumerate() {
        for other in &pages[..i] {
            let clash = match (&page.nodeset, &other.nodeset) {
                (None, None) => true,
                (Some(a), Some(b)) => a.overlaps(b),
                _ => false,
            };
            if clash {
                return invalid(format!(
                    "huge pages of {} and {} KiB are meant for the same guest nodes",
                    other.size.0, page.size.0
                ));
            }
        }
        if let Some(last) = page.nodeset.as_ref().and_then(virtbus_xml::BitSet::last)
            && last as usize >= cells
        {
            return invalid(format!(
                "huge pages are meant for guest node {last}, which is not there"
            ));
        }
    }
    Ok(())
}

fn check_loader(domain: &Domain, features: DriverFeatures) -> Result<()> {
    let Some(os) = &domain.os else { return Ok(()) };
    let loader = os.loader.clone().unwrap_or_default();
    let wants_variables = os.nvram.is_some() || loader.stateless == Some(YesNo::No);
    let asked_features = os
        .firmware_info
        .as_ref()
        .is_some_and(|f| !f.feature.is_empty());
    if os.firmware.is_some() {
        if !features.contains(DriverFeatures::FIRMWARE_AUTOSELECT) {
            return invalid("this hypervisor cannot choose a firmware");
        }
        if os.firmware != Some(Firmware::Efi) && wants_variables {
            return invalid("only firmware of kind 'efi' has variables");
        }
    } else {
        if asked_features && features.contains(DriverFeatures::FIRMWARE_AUTOSELECT) {
            return invalid("features choose a firmware, but none is to be chosen");
        }
        if os.loader.is_some() && loader.path.is_none() && *loader != Loader::default() {
            return invalid("<loader> names no image, and none is to be chosen");
        }
        if wants_variables && loader.kind != Some(LoaderType::Pflash) && os.loader.is_some() {
            return invalid("only a loader of type 'pflash' has variables");
        }
    }
    if loader.stateless == Some(YesNo::Yes) && os.nvram.is_some() {
        return invalid("a stateless <loader> cannot have <nvram>");
    }
    Ok(())
}

fn check_tunables(domain: &Domain) -> Result<()> {
    let devices = domain.blkiotune.as_ref().map_or(&[][..], |t| &t.device);
    for (i, device) in devices.iter().enumerate() {
        if devices[..i].iter().any(|other| other.path == device.path) {
            return unsupported(format!("device '{}' is tuned twice", device.path));
        }
    }
    let shares = domain
        .cputune
        .as_ref()
        .and_then(|t| t.shares)
        .filter(|s| *s > 0);
    if shares.is_some_and(|s| !SHARES.contains(&s)) {
        return unsupported("<shares> must be from 2 to 262144");
    }
    Ok(())
}

fn check_idmap(domain: &Domain) -> Result<()> {
    let Some(map) = &domain.idmap else {
        return Ok(());
    };
    match (map.uid.first(), map.gid.first()) {
        (None, None) => Ok(()),
        (Some(uid), Some(gid)) if uid.start == 0 && gid.start == 0 => Ok(()),
        (Some(_), Some(_)) => {
            unsupported("the container's root must be mapped to a user of the host")
        }
        _ => unsupported("users and groups are mapped together"),
    }
}

fn check_numa(domain: &Domain) -> Result<()> {
    let Some(numa) = domain.cpu.as_ref().and_then(|c| c.numa.as_ref()) else {
        return Ok(());
    };
    let mut seen = virtbus_xml::BitSet::new();
    for cell in &numa.cell {
        if let Some(cpus) = &cell.cpus {
            if cpus.overlaps(&seen) {
                return unsupported("a virtual CPU is in two guest nodes");
            }
            if cpus.last().is_some_and(|last| last >= domain.vcpus_max()) {
                return unsupported("a guest node has a virtual CPU that the guest lacks");
            }
            seen.extend_from(cpus);
        }
        for distance in &cell.distances {
            let local = Some(distance.id) == cell.id;
            let fits = if local {
                distance.value == 10
            } else {
                (11..=255).contains(&distance.value)
            };
            if distance.id as usize >= numa.cell.len() || !fits {
                return invalid("distances are 10 to a node itself, and 11 to 255 to the others");
            }
        }
    }
    let links = numa.interconnects.as_ref();
    let latencies = links
        .map_or(&[][..], |l| &l.latency)
        .iter()
        .map(|l| (l.initiator, l.target, l.cache));
    let bandwidths = links
        .map_or(&[][..], |l| &l.bandwidth)
        .iter()
        .map(|b| (b.initiator, b.target, b.cache));
    for (initiator, target, cache) in latencies.chain(bandwidths) {
        let from = numa.cell.get(initiator as usize);
        let to = numa.cell.get(target as usize);
        let (Some(from), Some(to)) = (from, to) else {
            return invalid("an interconnect is between nodes that are not there");
        };
        if from.cpus.is_none() {
            return invalid(format!(
                "guest node {initiator} has no virtual CPU, so it cannot be an initiator"
            ));
        }
        if cache.is_some_and(|level| level > 0 && !to.cache.iter().any(|c| c.level == level)) {
            return invalid(format!("guest node {target} has no cache of this level"));
        }
    }
    Ok(())
}

fn check_pools(domain: &Domain) -> Result<()> {
    let threads = domain.iothreadids.as_ref().map_or(&[][..], |t| &t.iothread);
    let pools = threads
        .iter()
        .map(|t| (t.thread_pool_min, t.thread_pool_max));
    let default = domain
        .defaultiothread
        .iter()
        .map(|t| (t.thread_pool_min, t.thread_pool_max));
    for (min, max) in pools.chain(default) {
        if max == Some(0) {
            return unsupported("a thread pool has at least one thread");
        }
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            return unsupported("a thread pool has at most as many threads as it has at least");
        }
    }
    Ok(())
}

fn check_throttle_groups(domain: &Domain) -> Result<()> {
    let groups: &[IoTune] = domain
        .throttlegroups
        .as_ref()
        .map_or(&[], |g| &g.throttlegroup);
    for (i, group) in groups.iter().enumerate() {
        let Some(name) = &group.group_name else {
            return invalid("a throttle group needs a name");
        };
        if groups[..i]
            .iter()
            .any(|other| other.group_name.as_ref() == Some(name))
        {
            return invalid(format!("throttle group '{name}' is defined twice"));
        }
        disk::check_iotune(group)?;
    }
    for disk in &domain.devices.disk {
        if let Some(missing) = disk
            .throttlefilters
            .iter()
            .find(|f| !groups.iter().any(|g| g.group_name.as_ref() == Some(*f)))
        {
            return invalid(format!(
                "disk '{}' is in throttle group '{missing}', which is not there",
                disk.target.dev
            ));
        }
        if !disk.throttlefilters.is_empty() && disk.iotune.is_some() {
            return unsupported(format!(
                "disk '{}' is limited either by groups or by itself",
                disk.target.dev
            ));
        }
    }
    Ok(())
}

fn check_numatune(domain: &Domain) -> Result<()> {
    let Some(tune) = &domain.numatune else {
        return Ok(());
    };
    let cells = domain
        .cpu
        .as_ref()
        .and_then(|c| c.numa.as_ref())
        .map_or(0, |n| n.cell.len());
    if tune.memnode.is_empty() {
        return Ok(());
    }
    if cells == 0 {
        return invalid("<memnode> needs guest nodes");
    }
    let memory = tune.memory.as_ref();
    if memory.is_some_and(|m| m.placement == Some(Placement::Auto)) {
        return unsupported(
            "guest nodes cannot be bound by <memnode> where the host's nodes are chosen automatically by placement='auto'",
        );
    }
    let restrictive = memory.is_some_and(|m| m.mode == Some(NumaMode::Restrictive));
    for node in &tune.memnode {
        if node.cellid as usize >= cells {
            return invalid(format!(
                "guest node {} is bound to host nodes, but is not there",
                node.cellid
            ));
        }
        if restrictive != (node.mode == Some(NumaMode::Restrictive)) && memory.is_some() {
            return invalid("mode 'restrictive' holds for the guest and its nodes alike");
        }
    }
    Ok(())
}

fn check_iothread_users(domain: &Domain) -> Result<()> {
    let count = domain.iothreads.unwrap_or(0);
    let exists = |id: u32| match &domain.iothreadids {
        Some(listed) => listed.iothread.iter().any(|t| t.id == id),
        None => (1..=count).contains(&id),
    };
    let Some(tune) = &domain.cputune else {
        return Ok(());
    };
    let pinned = tune.iothreadpin.iter().map(|p| p.iothread);
    let scheduled = tune.iothreadsched.iter().flat_map(|s| s.iothreads.iter());
    for id in pinned.chain(scheduled) {
        if !exists(id) {
            return unsupported(format!("I/O thread {id} is not defined"));
        }
    }
    Ok(())
}

/// Whether `text` is a date such as `01/31/2024` or `01/31/24`.
fn is_bios_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let [month, day, year] = parts.as_slice() else {
        return false;
    };
    let number = |part: &str, lengths: &[usize]| {
        (lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    let month = number(month, &[1, 2]).is_some_and(|m| (1..=12).contains(&m));
    let day = number(day, &[1, 2]).is_some_and(|d| (1..=31).contains(&d));
    let year = number(year, &[2, 4]).is_some_and(|y| !(100..1900).contains(&y));
    month && day && year
}

fn check_smbios(domain: &Domain, info: &SmbiosInfo) -> Result<()> {
    if let Some(date) = info.bios.as_ref().and_then(|b| b.get("date"))
        && !is_bios_date(date)
    {
        return invalid(format!(
            "invalid BIOS date '{date}': the form is month/day/year"
        ));
    }
    if let Some(text) = info.system.as_ref().and_then(|s| s.get("uuid")) {
        let Some(uuid) = virtbus_conf_base::common::Uuid::parse(text) else {
            return invalid(format!("invalid UUID '{text}'"));
        };
        if domain.uuid != Some(uuid) {
            return invalid("the guest's UUID differs from the one its firmware tells");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_a_bios() {
        for good in ["01/31/2024", "1/1/24", "12/31/1999"] {
            assert!(is_bios_date(good), "{good}");
        }
        for bad in [
            "",
            "13/01/2024",
            "01/32/2024",
            "1/1/1899",
            "2024-01-01",
            "1/1/123",
            "+1/1/2024",
            "1/1",
        ] {
            assert!(!is_bios_date(bad), "{bad}");
        }
    }
}
