//! Numbers about domains. There is no hypervisor that counts; what grows, grows with the time that the domain runs.

use async_trait::async_trait;
use virtbus_api::domain::{
    BlockInfo, CpuMap, DomainCounters, DomainDiskErrorCode, DomainId, DomainMemoryStatTag,
    DomainStatistics, DomainStatsFlags, DomainStatsTypes, VcpuInfo, VcpuState,
};
use virtbus_api::typed::{TypedParameter, TypedParameters, TypedValue};
use virtbus_api::{Error, Result};
use virtbus_conf_domain::domain::devices::misc::{Memballoon, MemballoonModel};

use super::{Domain, tuning};
use crate::driver::Test;

/// Sizes of every disk, bytes.
const DISK: BlockInfo = BlockInfo {
    capacity: 1 << 40,
    allocation: 1 << 39,
    physical: 1 << 40,
};

/// The failures of disks, which have them in turn.
const DISK_ERRORS: &[DomainDiskErrorCode] = DomainDiskErrorCode::ALL;

/// When guests last told of their memory, seconds since 1970: long ago.
const BALLOON_TOLD: u64 = 627_319_920;

/// What the groups of statistics are called together when they are listed.
const SUPPORTED: DomainStatsTypes = DomainStatsTypes::STATE
    .union(DomainStatsTypes::CPU_TOTAL)
    .union(DomainStatsTypes::BALLOON)
    .union(DomainStatsTypes::VCPU)
    .union(DomainStatsTypes::INTERFACE)
    .union(DomainStatsTypes::BLOCK)
    .union(DomainStatsTypes::IOTHREAD);

struct Record(TypedParameters);

impl Record {
    fn put(&mut self, field: impl Into<String>, value: impl Into<TypedValue>) {
        self.0.push(TypedParameter::new(field, value));
    }
}

#[async_trait]
impl DomainStatistics for Test {
    async fn stats(
        &self,
        id: &DomainId,
        groups: DomainStatsTypes,
        flags: DomainStatsFlags,
    ) -> Result<TypedParameters> {
        if flags.contains(DomainStatsFlags::ENFORCE) && !SUPPORTED.contains(groups) {
            let missing = groups - SUPPORTED;
            return Err(Error::new(
                virtbus_api::ErrorCode::ArgumentUnsupported,
                virtbus_api::ErrorDomain::Test,
                format!("unsupported groups of statistics {:#x}", missing.bits()),
            ));
        }
        let groups = if groups.is_empty() { SUPPORTED } else { groups };
        self.with_domain(id, |domain| {
            let mut record = Record(Vec::new());
            for (group, write) in GROUPS {
                if groups.contains(*group) {
                    write(domain, &mut record)?;
                }
            }
            Ok(record.0)
        })
    }
}

type Write = fn(&Domain, &mut Record) -> Result<()>;

const GROUPS: &[(DomainStatsTypes, Write)] = &[
    (DomainStatsTypes::STATE, |domain, record| {
        let (state, reason) = domain.state.numbers();
        record.put("state.state", state);
        record.put("state.reason", reason);
        Ok(())
    }),
    (DomainStatsTypes::CPU_TOTAL, |domain, record| {
        if domain.is_active() {
            let time = domain.cpu_time();
            record.put("cpu.time", time);
            record.put("cpu.user", time / 4 * 3);
            record.put("cpu.system", time / 4);
        }
        Ok(())
    }),
    (DomainStatsTypes::BALLOON, |domain, record| {
        let definition = domain.current()?;
        let most = definition.memory_total();
        record.put(
            "balloon.current",
            definition.current_memory.map_or(most, |memory| memory.0),
        );
        record.put("balloon.maximum", most);
        Ok(())
    }),
    (DomainStatsTypes::VCPU, |domain, record| {
        let definition = domain.current()?;
        let current = definition.vcpus();
        record.put("vcpu.current", current);
        record.put("vcpu.maximum", definition.vcpus_max());
        if domain.is_active() {
            for vcpu in 0..current {
                record.put(format!("vcpu.{vcpu}.state"), VcpuState::Running.number());
                record.put(
                    format!("vcpu.{vcpu}.time"),
                    domain.cpu_time() / u64::from(current.max(1)),
                );
            }
        }
        Ok(())
    }),
    (DomainStatsTypes::INTERFACE, |domain, record| {
        let Some(live) = &domain.live else {
            return Ok(());
        };
        let interfaces = &live.devices.interface;
        record.put("net.count", count(interfaces.len()));
        for (at, interface) in interfaces.iter().enumerate() {
            let target = interface.options.target.as_ref();
            let device = target.and_then(|target| target.dev.as_deref());
            record.put(format!("net.{at}.name"), device.unwrap_or_default());
            for (name, value) in traffic(domain) {
                record.put(format!("net.{at}.{}", name.replace('_', ".")), value);
            }
        }
        Ok(())
    }),
    (DomainStatsTypes::BLOCK, |domain, record| {
        let disks = &domain.current()?.devices.disk;
        record.put("block.count", count(disks.len()));
        for (at, disk) in disks.iter().enumerate() {
            record.put(format!("block.{at}.name"), disk.target.dev.as_str());
            if let Some(path) = disk.source.path() {
                record.put(format!("block.{at}.path"), path);
            }
            if domain.is_active() {
                let time = domain.cpu_time();
                record.put(format!("block.{at}.rd.reqs"), time / 1_000_000);
                record.put(format!("block.{at}.rd.bytes"), time / 1_000);
                record.put(format!("block.{at}.wr.reqs"), time / 2_000_000);
                record.put(format!("block.{at}.wr.bytes"), time / 2_000);
            }
            record.put(format!("block.{at}.allocation"), DISK.allocation);
            record.put(format!("block.{at}.capacity"), DISK.capacity);
            record.put(format!("block.{at}.physical"), DISK.physical);
        }
        Ok(())
    }),
    (DomainStatsTypes::IOTHREAD, |domain, record| {
        let definition = domain.current()?;
        let threads = definition
            .iothreadids
            .as_ref()
            .map_or(&[][..], |ids| &ids.iothread);
        record.put("iothread.count", count(threads.len()));
        for thread in threads {
            let poll = thread.poll.as_ref();
            let id = thread.id;
            record.put(
                format!("iothread.{id}.poll-max-ns"),
                poll.and_then(|poll| poll.max).unwrap_or(32768),
            );
            let grow = poll.and_then(|poll| poll.grow).unwrap_or(0);
            let shrink = poll.and_then(|poll| poll.shrink).unwrap_or(0);
            record.put(
                format!("iothread.{id}.poll-grow"),
                u32::try_from(grow).unwrap_or(u32::MAX),
            );
            record.put(
                format!("iothread.{id}.poll-shrink"),
                u32::try_from(shrink).unwrap_or(u32::MAX),
            );
        }
        Ok(())
    }),
];

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Traffic of an interface by libvirt's names, growing with time.
fn traffic(domain: &Domain) -> [(&'static str, u64); 8] {
    let time = domain.cpu_time() / 1_000_000;
    [
        ("rx_bytes", time * 5),
        ("rx_pkts", time / 100),
        ("rx_errs", time / 1000),
        ("rx_drop", 0),
        ("tx_bytes", time * 4),
        ("tx_pkts", time / 120),
        ("tx_errs", 0),
        ("tx_drop", time / 1500),
    ]
}

#[async_trait]
impl DomainCounters for Test {
    async fn memory_stats(&self, id: &DomainId) -> Result<Vec<(DomainMemoryStatTag, u64)>> {
        use DomainMemoryStatTag as Tag;

        self.with_domain(id, |domain| {
            domain.check_active()?;
            let definition = domain.current()?;
            let most = definition.memory_total();
            let actual = definition.current_memory.map_or(most, |memory| memory.0);
            let has_balloon = |balloon: &Memballoon| balloon.model != MemballoonModel::None;
            let mut stats = Vec::new();
            if definition
                .devices
                .memballoon
                .as_deref()
                .is_some_and(has_balloon)
            {
                stats.extend([
                    (Tag::SwapIn, 0),
                    (Tag::SwapOut, 0),
                    (Tag::MajorFault, 0),
                    (Tag::MinorFault, 0),
                    (Tag::Unused, actual / 2),
                    (Tag::Available, actual),
                    (Tag::ActualBalloon, actual),
                    (Tag::Usable, actual / 2),
                    (Tag::LastUpdate, BALLOON_TOLD),
                    (Tag::DiskCaches, actual / 8),
                    (Tag::HugetlbPgalloc, 0),
                    (Tag::HugetlbPgfail, 0),
                ]);
            }
            stats.push((Tag::Rss, actual / 2));
            stats.sort_unstable_by_key(|(tag, _)| tag.number());
            Ok(stats)
        })
    }

    async fn block_stats(&self, id: &DomainId, disk: &str) -> Result<TypedParameters> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            if !disk.is_empty() {
                tuning::disk_at(domain.current()?, disk)?;
            }
            let time = i64::try_from(domain.cpu_time()).unwrap_or(i64::MAX);
            let numbers = [
                ("rd_operations", time / 1_000_000),
                ("rd_bytes", time / 1_000),
                ("wr_operations", time / 2_000_000),
                ("wr_bytes", time / 2_000),
                ("errs", 0),
            ];
            Ok(numbers
                .map(|(name, value)| TypedParameter::new(name, value))
                .into())
        })
    }

    async fn interface_stats(&self, id: &DomainId, device: &str) -> Result<TypedParameters> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            tuning::interface_at(domain.current()?, device)?;
            let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            let numbers = traffic(domain).map(|(name, value)| {
                TypedParameter::new(name.replace("pkts", "packets"), signed(value))
            });
            Ok(numbers.into())
        })
    }

    async fn block_info(&self, id: &DomainId, disk: &str) -> Result<BlockInfo> {
        self.with_domain(id, |domain| {
            tuning::disk_at(domain.current()?, disk)?;
            Ok(DISK)
        })
    }

    async fn disk_errors(&self, id: &DomainId) -> Result<Vec<(String, DomainDiskErrorCode)>> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            let disks = domain.current()?.devices.disk.iter();
            // Every kind of failure in turn, so that clients can try them all. Disks without one are not listed.
            let errors = disks.zip(DISK_ERRORS.iter().cycle());
            Ok(errors
                .filter(|(_, error)| **error != DomainDiskErrorCode::None)
                .map(|(disk, error)| (disk.target.dev.to_string(), *error))
                .collect())
        })
    }

    async fn cpu_stats(
        &self,
        id: &DomainId,
        start: i32,
        cpus: u32,
    ) -> Result<Vec<TypedParameters>> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            let time = domain.cpu_time();
            let Ok(start) = u32::try_from(start) else {
                return Ok(vec![vec![
                    TypedParameter::new("cpu_time", time),
                    TypedParameter::new("user_time", time / 4 * 3),
                    TypedParameter::new("system_time", time / 4),
                ]]);
            };
            let last = start.saturating_add(cpus).min(self.info.cpus);
            if start >= self.info.cpus {
                return Err(Error::invalid_argument(format!(
                    "invalid host CPU {start} (0 to {})",
                    self.info.cpus - 1
                )));
            }
            let each = time / u64::from(self.info.cpus);
            Ok((start..last)
                .map(|_| vec![TypedParameter::new("cpu_time", each)])
                .collect())
        })
    }

    async fn vcpus(&self, id: &DomainId) -> Result<Vec<(VcpuInfo, CpuMap)>> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            let definition = domain.current()?;
            let host = self.info.cpus;
            let time = domain.cpu_time() / u64::from(definition.vcpus().max(1));
            let pins = definition.cputune.as_ref().map(|tune| &tune.vcpupin);
            Ok((0..definition.vcpus())
                .map(|vcpu| {
                    let pin = pins.into_iter().flatten().find(|pin| pin.vcpu == vcpu);
                    let map: CpuMap = (0..host)
                        .map(|cpu| pin.is_none_or(|pin| pin.cpuset.contains(cpu)))
                        .collect();
                    let cpu = map
                        .iter()
                        .position(|on| *on)
                        .and_then(|cpu| i32::try_from(cpu).ok());
                    let info = VcpuInfo {
                        number: vcpu,
                        state: VcpuState::Running,
                        cpu_time: time,
                        cpu: cpu.unwrap_or(-1),
                    };
                    (info, map)
                })
                .collect())
        })
    }
}
