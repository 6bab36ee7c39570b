//! Statistics, by libvirt's names (`virConnectGetAllDomainStats`).
//!
//! What only QEMU knows is asked of it, all questions at once; what the host knows is read from `/proc` and `/sys`, on threads where that
//! may block. Nobody who polls may be held up by a guest that does not answer, so QEMU has a second to answer and its part is left out if
//! it does not, unless the caller insists.

use std::time::Duration;

use tokio::sync::Semaphore;
use virtbus_api::domain::{DomainId, DomainStatsFlags, DomainStatsTypes, VcpuState};
use virtbus_api::typed::{TypedParameter, TypedParameters, TypedValue};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::interface::InterfaceTarget;
use virtbus_qemu_monitor::commands::block::{
    BlockDeviceInfo, BlockStats, QueryBlockstats, QueryNamedBlockNodes,
};
use virtbus_qemu_monitor::commands::cpu::{Cpu, QueryCpusFast};
use virtbus_qemu_monitor::commands::memory::{BalloonInfo, QueryBalloon};
use virtbus_qemu_monitor::{Command, Monitor, MonitorError};
use virtbus_util::process::{self, Stat};

use crate::core::{Core, monitor_failed};
use crate::definition;
use crate::domain::Domain;
use crate::host;
use crate::outside::blocking;

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
    let mut list = List::default();
    if groups.contains(DomainStatsTypes::STATE) {
        let (state, reason) = snapshot.view.state.numbers();
        list.add("state.state", state);
        list.add("state.reason", reason);
    }
    let Some(definition) = snapshot.current() else {
        return Ok(list.0);
    };
    let pid = domain.lock().live().ok().and_then(|live| live.status.pid);
    let source = Source {
        domain: &domain,
        monitor: domain.monitor().ok().map(|(monitor, _)| monitor),
        enforce,
    };
    let answers = Answers::ask(&source, groups, pid.is_some()).await?;
    let facts = Facts::find(&core.host_reads, groups, definition, pid, &answers).await?;
    if groups.contains(DomainStatsTypes::CPU_TOTAL) {
        cpu(&mut list, &facts);
    }
    if groups.contains(DomainStatsTypes::BALLOON) {
        balloon(&mut list, definition, pid.is_some(), &answers, &facts);
    }
    if groups.contains(DomainStatsTypes::VCPU) {
        vcpu(&mut list, definition, &answers, &facts);
    }
    if groups.contains(DomainStatsTypes::INTERFACE) && pid.is_some() {
        interface(&mut list, definition, &facts);
    }
    if groups.contains(DomainStatsTypes::BLOCK) {
        block(&mut list, definition, &answers);
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
    /// QEMU's answer; `None` if it is not `wanted`, if QEMU does not run, or does not answer and nobody insists.
    async fn ask<C: Command>(&self, wanted: bool, command: C) -> Result<Option<C::Reply>> {
        let Some(monitor) = self.monitor.as_ref().filter(|_| wanted) else {
            return Ok(None);
        };
        match monitor.execute_within(&command, PATIENCE).await {
            Ok(reply) => Ok(Some(reply)),
            // Said of a guest that has no such device.
            Err(MonitorError::Command { .. }) => Ok(None),
            Err(error) if self.enforce => Err(monitor_failed(self.domain, &error)),
            Err(_) => Ok(None),
        }
    }
}

/// What QEMU answered; what was not asked, or not answered, is none.
#[derive(Debug, Default)]
struct Answers {
    balloon: Option<BalloonInfo>,
    cpus: Option<Vec<Cpu>>,
    counters: Option<Vec<BlockStats>>,
    nodes: Option<Vec<BlockDeviceInfo>>,
}

impl Answers {
    /// Asks all questions before the first is answered: all of them together take as long as the slowest.
    async fn ask(source: &Source<'_>, groups: DomainStatsTypes, runs: bool) -> Result<Self> {
        let block = groups.contains(DomainStatsTypes::BLOCK);
        let counters = QueryBlockstats { query_nodes: None };
        let nodes = QueryNamedBlockNodes { flat: Some(true) };
        let (balloon, cpus, counters, nodes) = tokio::try_join!(
            source.ask(groups.contains(DomainStatsTypes::BALLOON), QueryBalloon {}),
            source.ask(
                runs && groups.contains(DomainStatsTypes::VCPU),
                QueryCpusFast {}
            ),
            source.ask(block, counters),
            source.ask(block, nodes),
        )?;
        Ok(Self {
            balloon,
            cpus,
            counters,
            nodes,
        })
    }
}

/// What the kernel tells of the guest's process and of the host's ends of its interfaces.
#[derive(Debug, Default)]
struct Facts {
    process: Option<Stat>,
    /// Processor time of each thread of a virtual CPU, nanoseconds, in the order of QEMU's answer.
    threads: Vec<Option<u64>>,
    /// For each interface, its counters in the order of [`COUNTERS`].
    interfaces: Vec<Vec<Option<u64>>>,
}

impl Facts {
    /// Reads what these groups need, where it may block; not for very many guests at the same time.
    async fn find(
        reads: &Semaphore,
        groups: DomainStatsTypes,
        definition: &Definition,
        pid: Option<i32>,
        answers: &Answers,
    ) -> Result<Self> {
        let wants = |group| groups.contains(group);
        let of_process = wants(DomainStatsTypes::CPU_TOTAL) || wants(DomainStatsTypes::BALLOON);
        let threads: Vec<_> = answers
            .cpus
            .iter()
            .flatten()
            .map(|cpu| i32::try_from(cpu.thread_id).ok())
            .collect();
        let devices: Vec<_> = if wants(DomainStatsTypes::INTERFACE) {
            devices(definition)
                .map(|one| one.map(str::to_owned))
                .collect()
        } else {
            Vec::new()
        };
        let Some(pid) = pid.filter(|_| of_process || !threads.is_empty() || !devices.is_empty())
        else {
            return Ok(Self::default());
        };
        let turn = reads.acquire().await;
        let _turn = turn.map_err(|_| Error::internal("the host is not looked at any more"))?;
        blocking(move || {
            let threads = threads.into_iter();
            let devices = devices.into_iter();
            Ok(Self {
                process: of_process.then(|| process::stat(pid).ok()).flatten(),
                threads: threads
                    .map(|thread| host::thread_time(pid, thread?))
                    .collect(),
                interfaces: devices
                    .map(|device| device.as_deref().map_or_else(Vec::new, counters))
                    .collect(),
            })
        })
        .await
    }
}

fn cpu(list: &mut List, facts: &Facts) {
    let Some(stat) = &facts.process else { return };
    list.add("cpu.time", host::nanoseconds(stat.utime + stat.stime));
    list.add("cpu.user", host::nanoseconds(stat.utime));
    list.add("cpu.system", host::nanoseconds(stat.stime));
}

fn balloon(list: &mut List, definition: &Definition, runs: bool, answers: &Answers, facts: &Facts) {
    let actual = answers.balloon.as_ref();
    let actual = actual.map(|balloon| balloon.actual / 1024);
    list.add(
        "balloon.current",
        actual.unwrap_or_else(|| definition::memory(definition)),
    );
    list.add("balloon.maximum", definition::max_memory(definition));
    if runs {
        let resident = facts.process.as_ref().map_or(0, host::resident);
        list.add("balloon.rss", resident);
    }
}

fn vcpu(list: &mut List, definition: &Definition, answers: &Answers, facts: &Facts) {
    list.add("vcpu.current", definition::vcpus(definition, false));
    list.add("vcpu.maximum", definition::vcpus(definition, true));
    for (cpu, time) in answers.cpus.iter().flatten().zip(&facts.threads) {
        let number = cpu.cpu_index;
        // Running or waiting for the guest: both are "running" to libvirt.
        list.add(format!("vcpu.{number}.state"), VcpuState::Running.number());
        if let Some(time) = time {
            list.add(format!("vcpu.{number}.time"), *time);
        }
    }
}

/// Counters of interfaces: by libvirt's name, as the guest sees them, and by the kernel's, which counts at the host's end.
const COUNTERS: [(&str, &str); 8] = [
    ("rx.bytes", "tx_bytes"),
    ("rx.pkts", "tx_packets"),
    ("rx.errs", "tx_errors"),
    ("rx.drop", "tx_dropped"),
    ("tx.bytes", "rx_bytes"),
    ("tx.pkts", "rx_packets"),
    ("tx.errs", "rx_errors"),
    ("tx.drop", "rx_dropped"),
];

/// The host's ends of the guest's interfaces.
fn devices(definition: &Definition) -> impl Iterator<Item = Option<&str>> {
    definition.devices.interface.iter().map(|interface| {
        let target = interface.options.target.as_deref();
        target.and_then(|target: &InterfaceTarget| target.dev.as_deref())
    })
}

/// The [`COUNTERS`] of a network device. Blocks.
fn counters(device: &str) -> Vec<Option<u64>> {
    let files = COUNTERS.iter().map(|(_, file)| file);
    files
        .map(|file| host::network_counter(device, file))
        .collect()
}

/// What passed through the guest's interfaces.
fn interface(list: &mut List, definition: &Definition, facts: &Facts) {
    list.add(
        "net.count",
        u32::try_from(definition.devices.interface.len()).unwrap_or(u32::MAX),
    );
    for (number, (device, values)) in devices(definition).zip(&facts.interfaces).enumerate() {
        let Some(device) = device else { continue };
        list.add(format!("net.{number}.name"), device);
        for ((field, _), value) in COUNTERS.iter().zip(values) {
            if let Some(value) = value {
                list.add(format!("net.{number}.{field}"), *value);
            }
        }
    }
}

fn block(list: &mut List, definition: &Definition, answers: &Answers) {
    let disks = &definition.devices.disk;
    let counters = answers.counters.as_deref().unwrap_or_default();
    let nodes = answers.nodes.as_deref().unwrap_or_default();
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
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;
    use virtbus_api::Uuid;
    use virtbus_api::domain::ShutoffReason;
    use virtbus_qemu_monitor::Limits;
    use virtbus_qemu_peer::{Step, hello, play, reply_to, send};

    use super::*;
    use crate::definition::tests::{accepted, capabilities};

    const QUESTIONS: [&str; 4] = [
        "query-balloon",
        "query-cpus-fast",
        "query-blockstats",
        "query-named-block-nodes",
    ];

    /// What QEMU is asked, and what it is taken to have answered.
    async fn asked(answers: Vec<Step>, enforce: bool) -> (Result<Answers>, Vec<String>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let questions = QUESTIONS.map(Step::Expect);
        let script = hello().into_iter().chain(questions).chain(answers);
        let peer = tokio::spawn(play(theirs, script.chain([Step::Drain]).collect()));
        let (monitor, events) = Monitor::open(ours, Limits::default()).await.unwrap();
        let domain = Domain::new(Uuid::nil(), "counted", ShutoffReason::Unknown);
        let source = Source {
            domain: &domain,
            monitor: Some(monitor),
            enforce,
        };
        let answers = Answers::ask(&source, KNOWN, true).await;
        drop((source, events));
        (answers, peer.await.unwrap())
    }

    #[tokio::test]
    async fn all_is_asked_before_anything_is_answered() {
        let cpu =
            r#"[{"cpu-index": 0, "thread-id": 7, "qom-path": "/machine/unattached/device[0]"}]"#;
        let answers = vec![
            reply_to(3, r#"{"actual": 1048576}"#),
            reply_to(2, cpu),
            reply_to(1, "[]"),
            reply_to(0, "[]"),
        ];
        let (answers, lines) = asked(answers, true).await;
        let answers = answers.unwrap();
        assert_eq!(answers.balloon.unwrap().actual, 1 << 20);
        assert_eq!(answers.cpus.unwrap().len(), 1);
        assert!(answers.counters.is_some() && answers.nodes.is_some());
        assert_eq!(lines.len(), 1 + QUESTIONS.len());
    }

    #[tokio::test]
    async fn what_is_refused_is_left_out() {
        let refusal =
            send(r#"{"error": {"class": "DeviceNotActive", "desc": "no balloon"}, "id": $ID[3]}"#);
        let rest = [2, 1, 0].map(|back| reply_to(back, "[]"));
        let (answers, _) = asked([refusal].into_iter().chain(rest).collect(), true).await;
        let answers = answers.unwrap();
        assert!(answers.balloon.is_none());
        assert!(answers.cpus.is_some() && answers.nodes.is_some());
    }

    #[tokio::test]
    async fn the_kernel_tells_of_this_process() {
        let xml = "<domain type='qemu'><name>counted</name><memory>65536</memory><vcpu>1</vcpu>\
                   <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";
        let definition = accepted(xml, &capabilities()).unwrap();
        let (reads, answers) = (Semaphore::new(1), Answers::default());
        let pid = i32::try_from(std::process::id()).unwrap();
        let facts = Facts::find(&reads, KNOWN, &definition, Some(pid), &answers);
        let facts = facts.await.unwrap();
        assert!(host::resident(facts.process.as_ref().unwrap()) > 0);
        assert!(facts.threads.is_empty() && facts.interfaces.is_empty());
        let none = Facts::find(&reads, KNOWN, &definition, None, &answers);
        assert!(none.await.unwrap().process.is_none());
    }
}
