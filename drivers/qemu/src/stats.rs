//! Statistics, by libvirt's names (`virConnectGetAllDomainStats`).
//!
//! What the host knows is read from `/proc` and `/sys`, what only QEMU knows is asked of it. Nobody who polls may be held
//! up by a guest that does not answer, so QEMU has a second to answer and its part is left out if it does not, unless the caller
//! insists.

use std::time::Duration;

use virtbus_api::domain::{DomainId, DomainStatsFlags, DomainStatsTypes, VcpuState};
use virtbus_api::typed::{TypedParameter, TypedParameters, TypedValue};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::interface::InterfaceTarget;
use virtbus_qemu_monitor::commands::block::{
    BlockDeviceInfo, BlockStats, QueryBlockstats, QueryNamedBlockNodes,
};
use virtbus_qemu_monitor::commands::cpu::QueryCpusFast;
use virtbus_qemu_monitor::commands::memory::QueryBalloon;
use virtbus_qemu_monitor::{Command, Monitor, MonitorError};
use virtbus_util::process;

use crate::core::{Core, monitor_failed};
use crate::definition;
use crate::domain::Domain;
use crate::host;

/// QEMU has so long to answer somebody who only counts.
const PATIENCE: Duration = Duration::from_secs(1);

/// The groups that this driver has.
const KNOWN: DomainStatsTypes = DomainStatsTypes::STATE
    .union(DomainStatsTypes::CPU_TOTAL)
    .union(DomainStatsTypes::BALLOON)
    .union(DomainStatsTypes::VCPU)
    .union(DomainStatsTypes::INTERFACE)
    .union(DomainStatsTypes::BLOCK);

/// A list of parameters as it grows.
#[derive(Default)]
struct List(TypedParameters);

impl List {
    fn add(&mut self, field: impl Into<String>, value: impl Into<TypedValue>) {
        self.0.push(TypedParameter::new(field, value));
    }
}

/// Collects the groups that are asked for.
pub(crate) async fn collect(
    core: &Core,
    id: &DomainId,
    groups: DomainStatsTypes,
    flags: DomainStatsFlags,
) -> Result<TypedParameters> {
    let enforce = flags.contains(DomainStatsFlags::ENFORCE);
    if enforce && !KNOWN.contains(groups) {
        return Err(Error::new(
            ErrorCode::ArgumentUnsupported,
            ErrorDomain::Qemu,
            format!(
                "statistics of the groups {:#x} are not supported",
                groups.difference(KNOWN).bits()
            ),
        ));
    }
    let groups = if groups.is_empty() { KNOWN } else { groups };
    let domain = core.table.get_named(id)?;
    let snapshot = domain.snapshot();
    let current = snapshot.current().cloned();
    let source = Source {
        domain: &domain,
        monitor: domain.monitor().ok().map(|(monitor, _)| monitor),
        enforce,
    };
    let mut list = List::default();
    if groups.contains(DomainStatsTypes::STATE) {
        let (state, reason) = snapshot.view.state.numbers();
        list.add("state.state", state);
        list.add("state.reason", reason);
    }
    let Some(definition) = current else {
        return Ok(list.0);
    };
    let pid = domain.lock().live().ok().and_then(|live| live.status.pid);
    if groups.contains(DomainStatsTypes::CPU_TOTAL)
        && let Some(pid) = pid
    {
        cpu(&mut list, pid);
    }
    if groups.contains(DomainStatsTypes::BALLOON) {
        balloon(&mut list, &definition, pid, &source).await?;
    }
    if groups.contains(DomainStatsTypes::VCPU) {
        vcpu(&mut list, &definition, pid, &source).await?;
    }
    if groups.contains(DomainStatsTypes::INTERFACE) && pid.is_some() {
        interface(&mut list, &definition);
    }
    if groups.contains(DomainStatsTypes::BLOCK) {
        block(&mut list, &definition, &source).await?;
    }
    Ok(list.0)
}

/// The running guest, for what only it knows.
struct Source<'a> {
    domain: &'a Domain,
    monitor: Option<Monitor>,
    enforce: bool,
}

impl Source<'_> {
    /// QEMU's answer; `None` if it does not run or does not answer and nobody insists.
    async fn ask<C: Command>(&self, command: &C) -> Result<Option<C::Reply>> {
        let Some(monitor) = &self.monitor else {
            return Ok(None);
        };
        match monitor.execute_within(command, PATIENCE).await {
            Ok(reply) => Ok(Some(reply)),
            // Said of a guest that has no such device.
            Err(MonitorError::Command { .. }) => Ok(None),
            Err(error) if self.enforce => Err(monitor_failed(self.domain, &error)),
            Err(_) => Ok(None),
        }
    }
}

fn cpu(list: &mut List, pid: i32) {
    let Ok(stat) = process::stat(pid) else { return };
    list.add("cpu.time", host::nanoseconds(stat.utime + stat.stime));
    list.add("cpu.user", host::nanoseconds(stat.utime));
    list.add("cpu.system", host::nanoseconds(stat.stime));
}

async fn balloon(
    list: &mut List,
    definition: &Definition,
    pid: Option<i32>,
    source: &Source<'_>,
) -> Result<()> {
    let actual = source
        .ask(&QueryBalloon {})
        .await?
        .map(|balloon| balloon.actual / 1024);
    list.add(
        "balloon.current",
        actual.unwrap_or_else(|| definition::memory(definition)),
    );
    list.add("balloon.maximum", definition::max_memory(definition));
    if let Some(pid) = pid {
        list.add("balloon.rss", host::resident(pid));
    }
    Ok(())
}

async fn vcpu(
    list: &mut List,
    definition: &Definition,
    pid: Option<i32>,
    source: &Source<'_>,
) -> Result<()> {
    list.add("vcpu.current", definition::vcpus(definition, false));
    list.add("vcpu.maximum", definition::vcpus(definition, true));
    let Some(pid) = pid else { return Ok(()) };
    let Some(cpus) = source.ask(&QueryCpusFast {}).await? else {
        return Ok(());
    };
    for cpu in cpus {
        let number = cpu.cpu_index;
        // Running or waiting for the guest: both are "running" to libvirt.
        list.add(format!("vcpu.{number}.state"), VcpuState::Running.number());
        let thread = i32::try_from(cpu.thread_id).ok();
        if let Some(time) = thread.and_then(|thread| host::thread_time(pid, thread)) {
            list.add(format!("vcpu.{number}.time"), time);
        }
    }
    Ok(())
}

/// What passed through the host's ends of the guest's interfaces; sent and received as the guest sees it.
fn interface(list: &mut List, definition: &Definition) {
    let interfaces = &definition.devices.interface;
    list.add(
        "net.count",
        u32::try_from(interfaces.len()).unwrap_or(u32::MAX),
    );
    for (number, interface) in interfaces.iter().enumerate() {
        let device = interface
            .options
            .target
            .as_deref()
            .and_then(|target: &InterfaceTarget| target.dev.as_deref());
        let Some(device) = device else { continue };
        list.add(format!("net.{number}.name"), device);
        let read = |file: &str| host::network_counter(device, file);
        for (field, file) in [
            ("rx.bytes", "tx_bytes"),
            ("rx.pkts", "tx_packets"),
            ("rx.errs", "tx_errors"),
            ("rx.drop", "tx_dropped"),
            ("tx.bytes", "rx_bytes"),
            ("tx.pkts", "rx_packets"),
            ("tx.errs", "rx_errors"),
            ("tx.drop", "rx_dropped"),
        ] {
            if let Some(value) = read(file) {
                list.add(format!("net.{number}.{field}"), value);
            }
        }
    }
}

async fn block(list: &mut List, definition: &Definition, source: &Source<'_>) -> Result<()> {
    let disks = &definition.devices.disk;
    let counters: Vec<BlockStats> = source
        .ask(&QueryBlockstats { query_nodes: None })
        .await?
        .unwrap_or_default();
    let nodes: Vec<BlockDeviceInfo> = source
        .ask(&QueryNamedBlockNodes { flat: Some(true) })
        .await?
        .unwrap_or_default();
    list.add(
        "block.count",
        u32::try_from(disks.len()).unwrap_or(u32::MAX),
    );
    for (number, disk) in disks.iter().enumerate() {
        let mut add =
            |field: &str, value: TypedValue| list.add(format!("block.{number}.{field}"), value);
        add("name", disk.target.dev.as_str().into());
        if let Some(path) = disk.source.path() {
            add("path", path.into());
        }
        let Some(index) = disk.source.common().index else {
            continue;
        };
        add("backingIndex", index.into());
        let named =
            |name: &Option<String>| name.as_deref() == Some(&format!("libvirt-{index}-format"));
        if let Some(found) = counters.iter().find(|counter| named(&counter.node_name)) {
            let stats = &found.stats;
            for (field, value) in [
                ("rd.reqs", stats.rd_operations),
                ("rd.bytes", stats.rd_bytes),
                ("rd.times", stats.rd_total_time_ns),
                ("wr.reqs", stats.wr_operations),
                ("wr.bytes", stats.wr_bytes),
                ("wr.times", stats.wr_total_time_ns),
                ("fl.reqs", stats.flush_operations),
                ("fl.times", stats.flush_total_time_ns),
            ] {
                add(field, value.into());
            }
            let written = found
                .parent
                .as_ref()
                .map_or(stats.wr_highest_offset, |parent| {
                    parent.stats.wr_highest_offset
                });
            add("allocation", written.into());
        }
        let image = nodes
            .iter()
            .find(|node| named(&node.node_name))
            .and_then(|node| node.image.as_ref());
        if let Some(image) = image {
            add("capacity", image.virtual_size.into());
            if let Some(size) = image.actual_size {
                add("physical", size.into());
            }
        }
    }
    Ok(())
}
