//! Scheduling: sets of CPUs taken apart, lists put in order, groups checked against each other.

use std::collections::HashSet;

use virtbus_conf_base::Result;
use virtbus_xml::BitSet;

use super::{invalid, unsupported};
use crate::domain::Domain;
use crate::domain::cputune::{
    CacheTune, CpuTune, IoThreadSched, MemoryTune, SchedParam, VcpuSched,
};
use crate::domain::vcpu::Placement;

/// Shortest and longest period in µs.
const PERIOD: std::ops::RangeInclusive<u64> = 1000..=1_000_000;
/// Smallest and largest quota in µs; negative ones are none.
const QUOTA: std::ops::RangeInclusive<i64> = 1000..=17_592_186_044_415;

pub(super) fn settle(domain: &mut Domain) -> Result<()> {
    let count = domain.vcpu.as_ref().map_or(1, |v| v.count);
    let placement = domain.vcpu.as_ref().and_then(|v| v.placement);
    let Some(tune) = &mut domain.cputune else {
        return Ok(());
    };
    periods(tune)?;
    if placement == Some(Placement::Auto) {
        // Where the host's CPUs are chosen automatically, pinning has no say.
        tune.vcpupin.clear();
        tune.emulatorpin = None;
    }
    pins(tune)?;
    // Left over from when there were more, as management programs do; there is nothing to pin.
    tune.vcpupin.retain(|pin| pin.vcpu < count);
    tune.vcpusched = vcpu_schedulers(&tune.vcpusched, count)?;
    tune.iothreadsched = iothread_schedulers(&tune.iothreadsched)?;
    if let Some(param) = &tune.emulatorsched {
        check_scheduler(*param)?;
    }
    for cache in &mut tune.cachetune {
        settle_cache(cache)?;
    }
    for memory in &mut tune.memorytune {
        settle_memory(memory)?;
    }
    groups(tune)?;
    domain.cputune.take_if(|tune| **tune == CpuTune::default());
    Ok(())
}

fn periods(tune: &mut CpuTune) -> Result<()> {
    for (name, period) in [
        ("period", &mut tune.period),
        ("global_period", &mut tune.global_period),
        ("emulator_period", &mut tune.emulator_period),
        ("iothread_period", &mut tune.iothread_period),
    ] {
        *period = period.filter(|p| *p > 0);
        if period.is_some_and(|p| !PERIOD.contains(&p)) {
            return unsupported(format!("<{name}> must be from 1000 to 1000000 µs"));
        }
    }
    for (name, quota) in [
        ("quota", &mut tune.quota),
        ("global_quota", &mut tune.global_quota),
        ("emulator_quota", &mut tune.emulator_quota),
        ("iothread_quota", &mut tune.iothread_quota),
    ] {
        *quota = quota.filter(|q| *q != 0);
        if quota.is_some_and(|q| q > 0 && !QUOTA.contains(&q)) {
            return unsupported(format!(
                "<{name}> must be from 1000 to 17592186044415 µs, or negative"
            ));
        }
    }
    Ok(())
}

fn pins(tune: &mut CpuTune) -> Result<()> {
    tune.vcpupin.sort_by_key(|p| p.vcpu);
    for pair in tune.vcpupin.windows(2) {
        if pair[0].vcpu == pair[1].vcpu {
            return invalid(format!("virtual CPU {} is pinned twice", pair[0].vcpu));
        }
    }
    let mut pinned = HashSet::with_capacity(tune.iothreadpin.len());
    if let Some(pin) = tune.iothreadpin.iter().find(|p| !pinned.insert(p.iothread)) {
        return invalid(format!("I/O thread {} is pinned twice", pin.iothread));
    }
    Ok(())
}

fn check_scheduler(param: SchedParam) -> Result<()> {
    if param.scheduler.is_realtime() && param.priority.is_none() {
        return invalid(format!("scheduler '{}' needs a priority", param.scheduler));
    }
    Ok(())
}

fn plain(param: SchedParam) -> SchedParam {
    SchedParam {
        priority: param.priority.filter(|_| param.scheduler.is_realtime()),
        ..param
    }
}

/// One entry for each virtual CPU, in order.
fn vcpu_schedulers(schedulers: &[VcpuSched], count: u32) -> Result<Vec<VcpuSched>> {
    let mut single = Vec::new();
    let mut seen = BitSet::new();
    for sched in schedulers {
        check_scheduler(sched.param)?;
        if let Some(beyond) = sched.vcpus.last().filter(|id| *id >= count) {
            return invalid(format!(
                "virtual CPU {beyond} has a scheduler, but there are only {count}"
            ));
        }
        if seen.overlaps(&sched.vcpus) {
            return invalid("a virtual CPU has two schedulers: the 'vcpus' of <vcpusched> overlap");
        }
        seen.extend_from(&sched.vcpus);
        let each = sched.vcpus.iter().map(|id| VcpuSched {
            vcpus: [id].into_iter().collect(),
            param: plain(sched.param),
        });
        single.extend(each);
    }
    single.sort_by_key(|s| s.vcpus.last());
    Ok(single)
}

/// One entry for each I/O thread, in order.
fn iothread_schedulers(schedulers: &[IoThreadSched]) -> Result<Vec<IoThreadSched>> {
    let mut single = Vec::new();
    let mut seen = BitSet::new();
    for sched in schedulers {
        check_scheduler(sched.param)?;
        if seen.overlaps(&sched.iothreads) {
            return invalid(
                "an I/O thread has two schedulers: the 'iothreads' of <iothreadsched> overlap",
            );
        }
        seen.extend_from(&sched.iothreads);
        let each = sched.iothreads.iter();
        single.extend(each.map(|id| IoThreadSched {
            iothreads: [id].into_iter().collect(),
            param: plain(sched.param),
        }));
    }
    single.sort_by_key(|s| s.iothreads.last());
    Ok(single)
}

fn settle_cache(tune: &mut CacheTune) -> Result<()> {
    tune.cache.sort_by_key(|c| (c.level, c.kind, c.id));
    for (i, cache) in tune.cache.iter().enumerate() {
        let others = &tune.cache[..i];
        let same = |other: &&crate::domain::cputune::CacheAllocation| {
            other.level == cache.level && other.id == cache.id
        };
        if others
            .iter()
            .filter(same)
            .any(|o| o.kind == cache.kind || both(o.kind) || both(cache.kind))
        {
            return invalid(format!(
                "cache {} of level {} is given to virtual CPUs {} twice",
                cache.id, cache.level, tune.vcpus
            ));
        }
    }
    let vcpus = &tune.vcpus;
    for (i, monitor) in tune.monitor.iter().enumerate() {
        if monitor.level != 3 {
            return invalid("only caches of level 3 can be watched");
        }
        check_monitor(
            &monitor.vcpus,
            vcpus,
            tune.monitor[..i].iter().map(|m| &m.vcpus),
        )?;
    }
    Ok(())
}

fn both(kind: crate::domain::cputune::CacheKind) -> bool {
    kind == crate::domain::cputune::CacheKind::Both
}

fn settle_memory(tune: &mut MemoryTune) -> Result<()> {
    tune.node.sort_by_key(|n| n.id);
    for pair in tune.node.windows(2) {
        if pair[0].id == pair[1].id {
            return invalid(format!(
                "memory bandwidth {} is given to virtual CPUs {} twice",
                pair[0].id, tune.vcpus
            ));
        }
    }
    let vcpus = &tune.vcpus;
    for (i, monitor) in tune.monitor.iter().enumerate() {
        check_monitor(
            &monitor.vcpus,
            vcpus,
            tune.monitor[..i].iter().map(|m| &m.vcpus),
        )?;
    }
    Ok(())
}

/// A monitor watches the whole group or a part of it, and parts do not overlap.
fn check_monitor<'a>(
    watched: &BitSet,
    group: &BitSet,
    others: impl Iterator<Item = &'a BitSet>,
) -> Result<()> {
    if !watched.is_subset(group) {
        return invalid(format!(
            "virtual CPUs {watched} are watched, but are not all among {group}"
        ));
    }
    let part = watched != group;
    for other in others {
        if other == watched || (part && other != group && other.overlaps(watched)) {
            return invalid(format!("virtual CPUs {watched} are watched twice"));
        }
    }
    Ok(())
}

/// Groups for caches do not overlap, and neither do those for memory; one of each may be the same.
fn groups(tune: &CpuTune) -> Result<()> {
    let caches: Vec<&BitSet> = tune.cachetune.iter().map(|t| &t.vcpus).collect();
    let memories: Vec<&BitSet> = tune.memorytune.iter().map(|t| &t.vcpus).collect();
    for sets in [&caches, &memories] {
        let mut seen = BitSet::new();
        for set in sets {
            if seen.overlaps(set) {
                return invalid(format!("virtual CPUs {set} overlap with another group"));
            }
            seen.extend_from(set);
        }
    }
    for memory in &memories {
        if caches
            .iter()
            .any(|cache| cache != memory && cache.overlaps(memory))
        {
            return invalid(format!("virtual CPUs {memory} overlap with another group"));
        }
    }
    Ok(())
}
