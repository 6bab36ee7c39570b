//! What a reader of the text alone can say, before any driver.

use virtbus_conf_base::Result;
use virtbus_conf_base::common::{OsType, SecLabel, SecLabelType, VirtType};
use virtbus_conf_base::cpu::{
    CpuFallback, CpuMatch, CpuMode, CpuModel, Distance, FeaturePolicy, GuestCpu, NumaCell,
};
use virtbus_xml::{BitSet, Kib, OnOff, YesNo};

use super::{Seams, cputune, devices, invalid, unsupported};
use crate::domain::Domain;
use crate::domain::clock::{Clock, ClockBasis, ClockOffset};
use crate::domain::features::HyperVMode;
use crate::domain::lifecycle::LifecycleAction;
use crate::domain::memory::MemTune;
use crate::domain::numatune::NumaMode;
use crate::domain::os::{GenId, NvramSource};
use crate::domain::validate::check_labels;
use crate::domain::vcpu::{IoThread, IoThreadIds, Placement, Vcpu, VcpuCount};

/// A limit from here on, in KiB, is none.
const MEMORY_UNLIMITED: u64 = 9_007_199_254_740_991;

/// How far a node is from itself.
const LOCAL_DISTANCE: u32 = 10;

/// Most virtual CPUs that are ever listed one by one.
const MOST_VCPUS: u32 = 16_384;

/// Most I/O threads.
const MOST_IOTHREADS: u32 = 8_192;

pub(super) fn settle(domain: &mut Domain, seams: &mut Seams<'_>) -> Result<()> {
    seclabels(&mut domain.seclabel, seams.is_inactive())?;
    if seams.is_inactive() || domain.id.is_none() {
        // Also labels that are not kept must be allowed.
        for disk in &domain.devices.disk {
            check_labels(domain, disk)?;
        }
        strip_live(domain, seams.is_inactive());
    }
    identity(domain, seams);
    domain.metadata.keep_one_of_each();
    limits(domain);
    vcpus(domain)?;
    iothreads(domain)?;
    numatune(domain)?;
    cputune::settle(domain)?;
    machine(domain, seams)?;
    features(domain);
    if let Some(cpu) = &mut domain.cpu {
        guest_cpu(cpu)?;
    }
    domain.cpu = domain.cpu.take().filter(|cpu| **cpu != GuestCpu::default());
    clock(domain.clock.get_or_insert_with(Clock::default));
    domain.on_poweroff.get_or_insert(LifecycleAction::Destroy);
    domain.on_reboot.get_or_insert(LifecycleAction::Restart);
    domain.on_crash.get_or_insert(LifecycleAction::Destroy);
    for rule in domain
        .devices
        .redirfilter
        .iter_mut()
        .flat_map(|f| &mut f.usbdev)
    {
        // "Any" is what a rule says by saying nothing.
        rule.class = rule.class.filter(|m| m.0.is_some());
        rule.vendor = rule.vendor.filter(|m| m.0.is_some());
        rule.product = rule.product.filter(|m| m.0.is_some());
        rule.version = rule.version.filter(|m| m.0.is_some());
    }
    devices::order(domain);
    devices::number_consoles(&mut domain.devices.console);
    for mut device in domain.devices.iter_mut() {
        devices::settle(device.reborrow(), seams)?;
    }
    Ok(())
}

/// Drops what only a running guest has.
fn strip_live(domain: &mut Domain, inactive: bool) {
    domain.id = None;
    if let Some(tune) = &mut domain.cputune {
        tune.cachetune.iter_mut().for_each(|t| t.id = None);
        tune.memorytune.iter_mut().for_each(|t| t.id = None);
    }
    let nvram = domain.os.as_mut().and_then(|os| os.nvram.as_mut());
    if let Some(NvramSource::Source(source)) = nvram.and_then(|nvram| nvram.source.as_mut()) {
        devices::strip_source(source, inactive);
    }
    for mut device in domain.devices.iter_mut() {
        devices::strip_live(device.reborrow(), inactive);
    }
}

fn identity(domain: &mut Domain, seams: &mut Seams<'_>) {
    if domain.uuid.is_none() {
        domain.uuid = Some(seams.new_uuid());
    }
    if let Some(GenId(id @ None)) = &mut domain.genid {
        *id = Some(seams.new_uuid());
    }
}

fn limits(domain: &mut Domain) {
    if let Some(tune) = &mut domain.memtune {
        let MemTune {
            hard_limit,
            soft_limit,
            min_guarantee,
            swap_hard_limit,
        } = &mut **tune;
        for limit in [hard_limit, soft_limit, swap_hard_limit] {
            *limit = limit.filter(|l| l.0 < MEMORY_UNLIMITED);
        }
        *min_guarantee = min_guarantee.filter(|l| l.0 > 0);
    }
    domain.memtune.take_if(|tune| **tune == Default::default());
    if let Some(tune) = &mut domain.blkiotune {
        tune.weight = tune.weight.filter(|w| *w > 0);
        tune.device
            .retain(crate::domain::blkiotune::BlkioDevice::has_any);
        for device in &mut tune.device {
            for number in [
                &mut device.weight,
                &mut device.read_iops_sec,
                &mut device.write_iops_sec,
            ] {
                *number = number.filter(|n| *n > 0);
            }
            for number in [&mut device.read_bytes_sec, &mut device.write_bytes_sec] {
                *number = number.filter(|n| *n > 0);
            }
        }
    }
    domain
        .blkiotune
        .take_if(|tune| **tune == Default::default());
    if let Some(backing) = &mut domain.memory_backing
        && let Some(pages) = &mut backing.hugepages
    {
        // A single entry without a size says no more than the element itself.
        if let [only] = pages.page.as_slice()
            && only.size == Kib::new(0)
        {
            pages.page.clear();
        }
    }
}

fn vcpus(domain: &mut Domain) -> Result<()> {
    let listed = domain.vcpus.as_mut().filter(|v| !v.vcpu.is_empty());
    let vcpu = domain.vcpu.get_or_insert(VcpuCount {
        placement: None,
        cpuset: None,
        current: None,
        count: 1,
    });
    if vcpu.count == 0 {
        return invalid("a guest needs at least one virtual CPU");
    }
    if vcpu.current == Some(0) {
        return invalid("at least one virtual CPU must be on at start");
    }
    if let Some(current) = vcpu.current.filter(|c| *c > vcpu.count) {
        return unsupported(format!(
            "{current} virtual CPUs cannot be on at start: there are only {}",
            vcpu.count
        ));
    }
    let placement = *vcpu.placement.get_or_insert(Placement::Static);
    if placement == Placement::Auto {
        vcpu.cpuset = None;
    }
    let current = vcpu.current.unwrap_or(vcpu.count);
    if let Some(listed) = listed {
        if vcpu.count > MOST_VCPUS {
            return unsupported(format!(
                "more than {MOST_VCPUS} virtual CPUs cannot be listed one by one"
            ));
        }
        settle_listed(&mut listed.vcpu, vcpu.count, current)?;
    }
    vcpu.current = vcpu.current.filter(|c| *c < vcpu.count);
    Ok(())
}

/// Sorts the listed CPUs, adds those that are not listed, and checks them against the counts.
fn settle_listed(listed: &mut Vec<Vcpu>, count: u32, current: u32) -> Result<()> {
    listed.sort_by_key(|v| v.id);
    for pair in listed.windows(2) {
        if pair[0].id == pair[1].id {
            return invalid(format!("virtual CPU {} is listed twice", pair[0].id));
        }
    }
    if let Some(beyond) = listed.iter().find(|v| v.id >= count) {
        return invalid(format!(
            "virtual CPU {} is listed, but there are only {count}",
            beyond.id
        ));
    }
    for id in 0..count {
        if listed.get(id as usize).is_none_or(|v| v.id != id) {
            let off = Vcpu {
                id,
                enabled: YesNo::No,
                hotpluggable: None,
                order: None,
            };
            listed.insert(id as usize, off);
        }
    }
    let on = listed.iter().filter(|v| v.enabled.is_yes()).count();
    if on != current as usize {
        return invalid(format!(
            "{on} virtual CPUs are listed as on, but {current} shall be"
        ));
    }
    Ok(())
}

fn iothreads(domain: &mut Domain) -> Result<()> {
    let count = domain.iothreads.unwrap_or(0);
    if count > MOST_IOTHREADS {
        return unsupported(format!(
            "more than {MOST_IOTHREADS} I/O threads are not possible"
        ));
    }
    let mut listed = domain.iothreadids.take().unwrap_or_default().iothread;
    let mut used = BitSet::new();
    for thread in &listed {
        if thread.id == 0 {
            return invalid("I/O threads are numbered from 1");
        }
        if used.contains(thread.id) {
            return invalid(format!("I/O thread {} is listed twice", thread.id));
        }
        used.insert(thread.id);
    }
    let total = (count as usize).max(listed.len());
    let any_listed = !listed.is_empty();
    let mut next = 1;
    if any_listed {
        listed.reserve_exact(total - listed.len());
    }
    while any_listed && listed.len() < total {
        while used.contains(next) {
            next += 1;
        }
        used.insert(next);
        listed.push(IoThread {
            id: next,
            thread_pool_min: None,
            thread_pool_max: None,
            poll: None,
        });
    }
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    domain.iothreads = (total > 0).then_some(total);
    domain.iothreadids = any_listed.then(|| Box::new(IoThreadIds { iothread: listed }));
    Ok(())
}

fn numatune(domain: &mut Domain) -> Result<()> {
    let placement = domain.vcpu.as_ref().and_then(|v| v.placement);
    if placement == Some(Placement::Auto) {
        // Where virtual CPUs are placed automatically, their memory is.
        let tune = domain.numatune.get_or_insert_default();
        let memory = tune.memory.get_or_insert_default();
        if memory.nodeset.is_none() {
            memory.placement.get_or_insert(Placement::Auto);
        }
    }
    let vcpu_static = domain.vcpu.as_ref().and_then(|v| v.placement) != Some(Placement::Auto);
    if let Some(tune) = &mut domain.numatune {
        if let Some(memory) = &mut tune.memory {
            memory.mode.get_or_insert(NumaMode::Strict);
            let implied = if memory.nodeset.is_some() || vcpu_static {
                Placement::Static
            } else {
                Placement::Auto
            };
            let placement = *memory.placement.get_or_insert(implied);
            match placement {
                Placement::Static if memory.nodeset.is_none() => {
                    return invalid("memory with static placement needs a set of host nodes");
                }
                Placement::Static => {}
                Placement::Auto => memory.nodeset = None,
            }
        }
        tune.memnode.sort_by_key(|n| n.cellid);
        for pair in tune.memnode.windows(2) {
            if pair[0].cellid == pair[1].cellid {
                return invalid(format!(
                    "guest node {} is bound to host nodes twice",
                    pair[0].cellid
                ));
            }
        }
        for node in &mut tune.memnode {
            node.mode.get_or_insert(NumaMode::Strict);
        }
    }
    let auto_memory = domain
        .numatune
        .as_ref()
        .and_then(|t| t.memory.as_ref())
        .is_some_and(|m| m.placement == Some(Placement::Auto));
    let pinned = domain.cputune.as_ref().is_some_and(|t| {
        !t.vcpupin.is_empty() || t.emulatorpin.is_some() || !t.iothreadpin.is_empty()
    });
    if let Some(vcpu) = domain
        .vcpu
        .as_mut()
        .filter(|v| auto_memory && v.cpuset.is_none() && !pinned)
    {
        vcpu.placement = Some(Placement::Auto);
    }
    Ok(())
}

fn machine(domain: &mut Domain, seams: &Seams<'_>) -> Result<()> {
    let has_bootloader = domain.bootloader.is_some();
    let Some(os) = &mut domain.os else {
        if has_bootloader {
            domain.os = Some(bootloader_os(seams));
            return Ok(());
        }
        return invalid("the kind of guest must be given by <os> and <type>");
    };
    if os.machine.kind.is_none() {
        if !has_bootloader {
            return invalid("the kind of guest must be given by <type> in <os>");
        }
        os.machine.kind = Some(OsType::Xen);
    }
    os.machine.arch.get_or_insert(seams.host_arch);
    // Older clients of Xen call paravirtual guests by their kernel.
    if domain.virt_type == VirtType::Xen
        && matches!(os.machine.kind, Some(OsType::Linux | OsType::Xen))
    {
        os.machine.kind = Some(OsType::Linux);
    }
    if os.machine.kind != Some(OsType::Hvm) || has_bootloader {
        os.boot.clear();
        os.bootmenu = None;
        os.bios = None;
    }
    if let Some(menu) = &mut os.bootmenu
        && !menu.enable.is_yes()
    {
        menu.timeout = None;
    }
    if let Some(features) = &mut os.firmware_info {
        features.feature.sort_by_key(|f| f.name);
        features.feature.dedup_by_key(|f| f.name);
    }
    if os.acpi.as_ref().is_some_and(|a| a.table.is_empty()) {
        os.acpi = None;
    }
    Ok(())
}

fn bootloader_os(seams: &Seams<'_>) -> crate::domain::os::Os {
    crate::domain::os::Os::new(Some(seams.host_arch), OsType::Xen)
}

fn features(domain: &mut Domain) {
    let Some(features) = &mut domain.features else {
        return;
    };
    if let Some(hyperv) = &mut features.hyperv {
        hyperv.mode.get_or_insert(HyperVMode::Custom);
        let off = OnOff::Off;
        if let Some(spinlocks) = hyperv.spinlocks.as_mut().filter(|s| s.state == off) {
            spinlocks.retries = None;
        }
        if let Some(vendor) = hyperv.vendor_id.as_mut().filter(|v| v.state == off) {
            vendor.value = None;
        }
        if let Some(stimer) = &mut hyperv.stimer {
            stimer.direct = stimer
                .direct
                .filter(|d| stimer.state.is_on() && d.state.is_on());
        }
        if let Some(flush) = &mut hyperv.tlbflush {
            for part in [&mut flush.direct, &mut flush.extended] {
                *part = part.filter(|d| flush.state.is_on() && d.state.is_on());
            }
        }
    }
    if let Some(xen) = &mut features.xen
        && let Some(passthrough) = xen.passthrough.as_mut().filter(|p| !p.state.is_on())
    {
        passthrough.mode = None;
    }
    if let Some(hpt) = &mut features.hpt {
        hpt.maxpagesize = hpt.maxpagesize.filter(|s| s.0 > 0);
    }
    if let Some(tcg) = &mut features.tcg {
        tcg.tb_cache = tcg.tb_cache.filter(|s| s.0 > 0);
    }
}

fn guest_cpu(cpu: &mut GuestCpu) -> Result<()> {
    let has_model = cpu.model.as_ref().is_some_and(|m| m.name.is_some());
    let mode = cpu.mode.unwrap_or(CpuMode::Custom);
    if mode == CpuMode::Custom && !has_model {
        // Without a model only topology, NUMA nodes and the like are left to say something.
        cpu.mode = None;
        cpu.matching = None;
        if cpu.model.is_some() && cpu.model.as_ref().is_some_and(|m| m.vendor_id.is_some()) {
            return unsupported("a vendor to show needs a processor model");
        }
        cpu.model = None;
    } else {
        cpu.mode = Some(mode);
    }
    if mode == CpuMode::Custom && has_model {
        cpu.matching.get_or_insert(CpuMatch::Exact);
    } else {
        cpu.matching = None;
    }
    if let Some(model) = &mut cpu.model {
        if mode == CpuMode::Custom || (mode == CpuMode::HostModel && has_model) {
            model.fallback.get_or_insert(CpuFallback::Allow);
        } else {
            model.fallback = None;
            model.name = None;
        }
    }
    cpu.model = cpu.model.take().filter(|m| *m != CpuModel::default());
    if let Some(topology) = &mut cpu.topology {
        topology.dies.get_or_insert(1);
        topology.clusters.get_or_insert(1);
        if topology.count().is_none_or(|n| n == 0) {
            return invalid(
                "sockets, dies, clusters, cores and threads must all be at least one, and not too many",
            );
        }
    }
    for feature in &mut cpu.feature {
        feature.policy.get_or_insert(FeaturePolicy::Require);
    }
    for (i, feature) in cpu.feature.iter().enumerate() {
        if cpu.feature[..i].iter().any(|f| f.name == feature.name) {
            return invalid(format!(
                "processor feature '{}' is given twice",
                feature.name
            ));
        }
    }
    if let Some(numa) = &mut cpu.numa {
        for (place, cell) in numa.cell.iter_mut().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            cell.id.get_or_insert(place);
        }
        numa.cell.sort_by_key(|c| c.id);
        for (place, cell) in numa.cell.iter().enumerate() {
            if cell.id.is_none_or(|id| id as usize != place) {
                return invalid("guest nodes must be numbered from 0 without a gap, each once");
            }
        }
        complete_distances(&mut numa.cell);
    }
    Ok(())
}

/// It is as far back as there, unless that is given as well, and nearest to itself.
fn complete_distances(cells: &mut [NumaCell]) {
    let given: Vec<(u32, Distance)> = cells
        .iter()
        .flat_map(|cell| cell.distances.iter().map(|to| (cell.id.unwrap_or(0), *to)))
        .collect();
    for (from, to) in given {
        let back = Distance {
            id: from,
            value: to.value,
        };
        for (at, distance) in [
            (to.id, back),
            (from, nearest(from)),
            (to.id, nearest(to.id)),
        ] {
            if let Some(cell) = cells.get_mut(at as usize)
                && !cell.distances.iter().any(|known| known.id == distance.id)
            {
                cell.distances.push(distance);
            }
        }
    }
    for cell in cells {
        cell.distances.sort_by_key(|d| d.id);
    }
}

fn nearest(id: u32) -> Distance {
    Distance {
        id,
        value: LOCAL_DISTANCE,
    }
}

fn clock(clock: &mut Clock) {
    if let ClockOffset::Variable(variable) = &mut clock.offset {
        variable.adjustment.get_or_insert(0);
        variable.basis.get_or_insert(ClockBasis::Utc);
    }
}

fn seclabels(labels: &mut [SecLabel], inactive: bool) -> Result<()> {
    for label in labels.iter_mut() {
        let kind = *label.kind.get_or_insert(SecLabelType::Dynamic);
        let relabel = match kind {
            SecLabelType::Dynamic => YesNo::Yes,
            SecLabelType::Static | SecLabelType::None => YesNo::No,
        };
        let relabel = *label.relabel.get_or_insert(relabel);
        match kind {
            SecLabelType::Dynamic if !relabel.is_yes() => {
                return unsupported("a dynamic label means that files are labelled");
            }
            SecLabelType::None if relabel.is_yes() => {
                return unsupported("without a label files cannot be labelled");
            }
            SecLabelType::Static if label.label.is_none() => {
                return invalid("a static label must be given");
            }
            _ => {}
        }
        if kind == SecLabelType::None {
            label.label = None;
        }
        if kind == SecLabelType::Static {
            label.baselabel = None;
        }
        if inactive || relabel == YesNo::No {
            label.imagelabel = None;
        }
        if inactive && kind == SecLabelType::Dynamic {
            label.label = None;
        }
    }
    for (i, label) in labels.iter().enumerate() {
        if labels[..i].iter().any(|other| other.model == label.model) {
            return invalid(match &label.model {
                Some(model) => format!("security driver '{model}' has two labels"),
                None => "each of several labels must name its security driver".to_owned(),
            });
        }
    }
    Ok(())
}
