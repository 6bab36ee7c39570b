//! Tuning memory, scheduling, disks and interfaces.
//!
//! Parameters are kept in the definitions. Which there are, and where in the definition each is, is told in tables.

use async_trait::async_trait;
use virtbus_api::domain::{
    DomainEvent, DomainId, DomainLifecycleAction, DomainLifecycleEvent, DomainMemoryFlags,
    DomainModificationImpact as Impact, DomainTuning,
};
use virtbus_api::typed::{TypedParameter, TypedParameters, TypedValue};
use virtbus_api::{Error, Result};
use virtbus_conf_base::common::{Bandwidth, BandwidthRate};
use virtbus_conf_base::{BitSet, Kib, Value, YesNo};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::blkiotune::{BlkioDevice, BlkioTune};
use virtbus_conf_domain::domain::devices::iotune::IoTune;
use virtbus_conf_domain::domain::lifecycle::{LifecycleAction, PerfEvent, PerfEventName};
use virtbus_conf_domain::domain::memory::MemTune;
use virtbus_conf_domain::domain::numatune::{NumaMemory, NumaMode};

use super::definition;
use crate::driver::Test;

/// What stands for no limit of memory: `VIR_DOMAIN_MEMORY_PARAM_UNLIMITED`, KiB.
const UNLIMITED: u64 = 9_007_199_254_740_991;

/// A parameter of memory, and where it is.
type MemoryField = fn(&mut MemTune) -> &mut Option<Kib>;

const MEMORY: &[(&str, MemoryField)] = &[
    ("hard_limit", |tune| &mut tune.hard_limit),
    ("soft_limit", |tune| &mut tune.soft_limit),
    ("swap_hard_limit", |tune| &mut tune.swap_hard_limit),
];

/// A limit of a block device of the host, by which its list is written: `path,value,…`.
type BlkioRead = fn(&BlkioDevice) -> u64;
type BlkioWrite = fn(&mut BlkioDevice, Option<u64>);

const BLKIO: &[(&str, BlkioRead, BlkioWrite)] = &[
    (
        "device_weight",
        |d| d.weight.unwrap_or(0).into(),
        |d, n| d.weight = small(n),
    ),
    (
        "device_read_iops_sec",
        |d| d.read_iops_sec.unwrap_or(0).into(),
        |d, n| d.read_iops_sec = small(n),
    ),
    (
        "device_write_iops_sec",
        |d| d.write_iops_sec.unwrap_or(0).into(),
        |d, n| d.write_iops_sec = small(n),
    ),
    (
        "device_read_bytes_sec",
        |d| d.read_bytes_sec.unwrap_or(0),
        |d, n| d.read_bytes_sec = n,
    ),
    (
        "device_write_bytes_sec",
        |d| d.write_bytes_sec.unwrap_or(0),
        |d, n| d.write_bytes_sec = n,
    ),
];

fn small(value: Option<u64>) -> Option<u32> {
    value.map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

/// A direction of an interface's bandwidth.
type Direction = fn(&mut Bandwidth) -> &mut Option<BandwidthRate>;
type Rate = fn(&mut BandwidthRate) -> &mut Option<u64>;

const RATES: &[(&str, Direction, Rate)] = &[
    ("inbound.average", |b| &mut b.inbound, |r| &mut r.average),
    ("inbound.peak", |b| &mut b.inbound, |r| &mut r.peak),
    ("inbound.burst", |b| &mut b.inbound, |r| &mut r.burst),
    ("inbound.floor", |b| &mut b.inbound, |r| &mut r.floor),
    ("outbound.average", |b| &mut b.outbound, |r| &mut r.average),
    ("outbound.peak", |b| &mut b.outbound, |r| &mut r.peak),
    ("outbound.burst", |b| &mut b.outbound, |r| &mut r.burst),
];

type Limit = fn(&mut IoTune) -> &mut u64;

/// Declares the limits of disks, by the names that they have in the definition.
macro_rules! limits {
    ($($name:ident),* $(,)?) => {
        const LIMITS: &[(&str, Limit)] = &[$((stringify!($name), |tune| &mut tune.$name)),*];
    };
}

limits!(
    total_bytes_sec,
    read_bytes_sec,
    write_bytes_sec,
    total_iops_sec,
    read_iops_sec,
    write_iops_sec,
    total_bytes_sec_max,
    read_bytes_sec_max,
    write_bytes_sec_max,
    total_iops_sec_max,
    read_iops_sec_max,
    write_iops_sec_max,
    size_iops_sec,
    total_bytes_sec_max_length,
    read_bytes_sec_max_length,
    write_bytes_sec_max_length,
    total_iops_sec_max_length,
    read_iops_sec_max_length,
    write_iops_sec_max_length,
);

/// Memory alone must not be given more than memory and swap together.
fn check_limits(definition: &Definition) -> Result<()> {
    let limits = definition.memtune.as_ref();
    let limits = limits.and_then(|tune| Some((tune.hard_limit?, tune.swap_hard_limit?)));
    match limits {
        Some((memory, both)) if memory.0 > both.0 => Err(Error::invalid_argument(format!(
            "'hard_limit' ({} KiB) must not be above 'swap_hard_limit' ({} KiB)",
            memory.0, both.0
        ))),
        _ => Ok(()),
    }
}

fn unknown(what: &str, parameter: &TypedParameter) -> Error {
    Error::invalid_argument(format!(
        "unsupported parameter '{}' for {what}, or a value of the wrong type",
        parameter.field
    ))
}

impl Test {
    /// Sets parameters: all of them or none.
    fn set(
        &self,
        id: &DomainId,
        impact: Impact,
        parameters: &TypedParameters,
        set: impl Fn(&mut Definition, &TypedParameter) -> Result<()>,
    ) -> Result<()> {
        self.set_together(id, impact, parameters, set, |_| Ok(()))
    }

    /// The same, if what all of them come to passes `check`.
    fn set_together(
        &self,
        id: &DomainId,
        impact: Impact,
        parameters: &TypedParameters,
        set: impl Fn(&mut Definition, &TypedParameter) -> Result<()>,
        check: impl Fn(&Definition) -> Result<()>,
    ) -> Result<()> {
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                parameters
                    .iter()
                    .try_for_each(|parameter| set(definition, parameter))?;
                check(definition)?;
                definition::complete(definition)
            })?;
            Ok(((), Vec::new()))
        })
    }

    fn get(
        &self,
        id: &DomainId,
        impact: Impact,
        get: impl FnOnce(&Definition) -> Result<TypedParameters>,
    ) -> Result<TypedParameters> {
        self.with_domain(id, |domain| get(domain.asked(impact)?))
    }
}

#[async_trait]
impl DomainTuning for Test {
    async fn set_memory(&self, id: &DomainId, memory: u64, flags: DomainMemoryFlags) -> Result<()> {
        let maximum = flags.contains(DomainMemoryFlags::MAXIMUM);
        if memory == 0 {
            return Err(Error::invalid_argument("'memory' must be at least 1 KiB"));
        }
        self.change_domain(id, |domain, _| {
            if maximum && domain.is_active() && !flags.impact().contains(Impact::CONFIG) {
                return Err(Error::operation_invalid(
                    "the maximum memory of a running domain cannot be changed",
                ));
            }
            domain.edit(flags.impact(), |definition| {
                let most = definition.memory_total();
                if maximum {
                    if let Some(size) = &mut definition.memory {
                        size.size = Kib::new(memory);
                    }
                    if definition
                        .current_memory
                        .is_some_and(|current| current.0 > memory)
                    {
                        definition.current_memory = Some(Kib::new(memory));
                    }
                } else if memory > most {
                    return Err(Error::invalid_argument(format!(
                        "memory of {memory} KiB is above the domain's maximum of {most} KiB"
                    )));
                } else {
                    definition.current_memory = Some(Kib::new(memory));
                }
                Ok(())
            })?;
            let live = domain.is_active() && !maximum && flags.impact() != Impact::CONFIG;
            let events = if live {
                vec![DomainEvent::BalloonChange { actual: memory }]
            } else {
                Vec::new()
            };
            Ok(((), events))
        })
    }

    async fn set_memory_stats_period(
        &self,
        id: &DomainId,
        period: i32,
        impact: Impact,
    ) -> Result<()> {
        let period = u32::try_from(period)
            .map_err(|_| Error::invalid_argument("'period' must be 0 seconds or more"))?;
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                let Some(balloon) = &mut definition.devices.memballoon else {
                    return Err(Error::operation_invalid("the domain has no memory balloon"));
                };
                balloon.stats_period = (period > 0).then_some(period);
                Ok(())
            })?;
            Ok(((), Vec::new()))
        })
    }

    async fn scheduler_parameters(&self, id: &DomainId, impact: Impact) -> Result<TypedParameters> {
        self.with_domain(id, |domain| {
            domain.asked(impact)?;
            Ok(vec![TypedParameter::new("weight", domain.scheduler_weight)])
        })
    }

    async fn set_scheduler_parameters(
        &self,
        id: &DomainId,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        self.change_domain(id, |domain, _| {
            domain.asked(impact & Impact::LIVE)?;
            let mut weight = domain.scheduler_weight;
            for parameter in &parameters {
                match (parameter.field.as_str(), &parameter.value) {
                    ("weight", TypedValue::UInt(value)) => weight = *value,
                    _ => return Err(unknown("the scheduler", parameter)),
                }
            }
            domain.scheduler_weight = weight;
            Ok(((), Vec::new()))
        })
    }

    async fn memory_parameters(&self, id: &DomainId, impact: Impact) -> Result<TypedParameters> {
        self.get(id, impact, |definition| {
            let mut tune = definition.memtune.clone().unwrap_or_default();
            Ok(MEMORY
                .iter()
                .map(|(name, field)| {
                    TypedParameter::new(*name, field(&mut tune).map_or(UNLIMITED, |limit| limit.0))
                })
                .collect())
        })
    }

    async fn set_memory_parameters(
        &self,
        id: &DomainId,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        let set = |definition: &mut Definition, parameter: &TypedParameter| {
            let field = MEMORY.iter().find(|(name, _)| *name == parameter.field);
            match (field, &parameter.value) {
                (Some((_, field)), TypedValue::ULLong(limit)) => {
                    *field(definition.memtune.get_or_insert_default()) =
                        (*limit < UNLIMITED).then_some(Kib::new(*limit));
                    Ok(())
                }
                _ => Err(unknown("memory", parameter)),
            }
        };
        self.set_together(id, impact, &parameters, set, check_limits)
    }

    async fn blkio_parameters(&self, id: &DomainId, impact: Impact) -> Result<TypedParameters> {
        self.get(id, impact, |definition| {
            let none = BlkioTune::default();
            let tune = definition.blkiotune.as_deref().unwrap_or(&none);
            let mut parameters = vec![TypedParameter::new("weight", tune.weight.unwrap_or(0))];
            for (name, read, _) in BLKIO {
                let set = tune.device.iter().filter(|device| read(device) > 0);
                let list: Vec<String> = set
                    .map(|device| format!("{},{}", device.path, read(device)))
                    .collect();
                parameters.push(TypedParameter::new(*name, list.join(",")));
            }
            Ok(parameters)
        })
    }

    async fn set_blkio_parameters(
        &self,
        id: &DomainId,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        self.set(id, impact, &parameters, |definition, parameter| {
            let tune = definition.blkiotune.get_or_insert_default();
            let row = BLKIO.iter().find(|(name, ..)| *name == parameter.field);
            match (row, &parameter.value) {
                (None, TypedValue::UInt(weight)) if parameter.field == "weight" => {
                    tune.weight = (*weight > 0).then_some(*weight);
                    Ok(())
                }
                (Some((_, _, write)), TypedValue::String(list)) => set_devices(tune, list, *write),
                _ => Err(unknown("block I/O", parameter)),
            }
        })
    }

    async fn numa_parameters(&self, id: &DomainId, impact: Impact) -> Result<TypedParameters> {
        self.get(id, impact, |definition| {
            let memory = definition
                .numatune
                .as_ref()
                .and_then(|tune| tune.memory.as_ref());
            let mode = memory
                .and_then(|memory| memory.mode)
                .unwrap_or(NumaMode::Strict);
            let mode = NumaMode::ALL.iter().position(|known| *known == mode);
            let nodes = memory
                .and_then(|memory| memory.nodeset.as_ref())
                .map(ToString::to_string);
            Ok(vec![
                TypedParameter::new("numa_mode", i32::try_from(mode.unwrap_or(0)).unwrap_or(0)),
                TypedParameter::new("numa_nodeset", nodes.unwrap_or_default()),
            ])
        })
    }

    async fn set_numa_parameters(
        &self,
        id: &DomainId,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        self.set(id, impact, &parameters, |definition, parameter| {
            let tune = definition.numatune.get_or_insert_default();
            let memory = tune.memory.get_or_insert(NumaMemory {
                mode: None,
                nodeset: None,
                placement: None,
            });
            match (parameter.field.as_str(), &parameter.value) {
                ("numa_mode", TypedValue::Int(mode)) => {
                    let mode = usize::try_from(*mode)
                        .ok()
                        .and_then(|mode| NumaMode::ALL.get(mode));
                    memory.mode = Some(*mode.ok_or_else(|| unknown("NUMA", parameter))?);
                }
                ("numa_nodeset", TypedValue::String(nodes)) => {
                    let nodes = BitSet::from_text(nodes);
                    memory.nodeset = Some(nodes.ok_or_else(|| {
                        Error::invalid_argument(
                            "'numa_nodeset' must be a list of nodes such as 0,2-3",
                        )
                    })?);
                }
                _ => return Err(unknown("NUMA", parameter)),
            }
            Ok(())
        })
    }

    async fn block_io_tune(
        &self,
        id: &DomainId,
        disk: &str,
        impact: Impact,
    ) -> Result<TypedParameters> {
        self.get(id, impact, |definition| {
            let at = disk_at(definition, disk)?;
            let mut tune = definition.devices.disk[at]
                .iotune
                .clone()
                .unwrap_or_default();
            let mut parameters: TypedParameters = LIMITS
                .iter()
                .map(|(name, limit)| TypedParameter::new(*name, *limit(&mut tune)))
                .collect();
            parameters.push(TypedParameter::new(
                "group_name",
                tune.group_name.as_deref().unwrap_or_default(),
            ));
            Ok(parameters)
        })
    }

    async fn set_block_io_tune(
        &self,
        id: &DomainId,
        disk: &str,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        self.set(id, impact, &parameters, |definition, parameter| {
            let at = disk_at(definition, disk)?;
            let tune = definition.devices.disk[at].iotune.get_or_insert_default();
            let limit = LIMITS.iter().find(|(name, _)| *name == parameter.field);
            match (limit, &parameter.value) {
                (Some((_, limit)), TypedValue::ULLong(value)) => *limit(tune) = *value,
                (None, TypedValue::String(name)) if parameter.field == "group_name" => {
                    tune.group_name = (!name.is_empty()).then(|| name.into());
                }
                _ => return Err(unknown("a disk", parameter)),
            }
            if **tune == IoTune::default() {
                definition.devices.disk[at].iotune = None;
            }
            Ok(())
        })
    }

    async fn interface_parameters(
        &self,
        id: &DomainId,
        device: &str,
        impact: Impact,
    ) -> Result<TypedParameters> {
        self.get(id, impact, |definition| {
            let at = interface_at(definition, device)?;
            let connection = &definition.devices.interface[at].connection;
            let mut bandwidth = connection.bandwidth.clone().unwrap_or_default();
            Ok(RATES
                .iter()
                .map(|(name, direction, rate)| {
                    let value = direction(&mut bandwidth)
                        .as_mut()
                        .and_then(|rates| *rate(rates))
                        .unwrap_or(0);
                    TypedParameter::new(*name, small(Some(value)).unwrap_or(0))
                })
                .collect())
        })
    }

    async fn set_interface_parameters(
        &self,
        id: &DomainId,
        device: &str,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        self.set(id, impact, &parameters, |definition, parameter| {
            let at = interface_at(definition, device)?;
            let connection = &mut definition.devices.interface[at].connection;
            let bandwidth = connection.bandwidth.get_or_insert_default();
            let row = RATES.iter().find(|(name, ..)| *name == parameter.field);
            let (Some((_, direction, rate)), TypedValue::UInt(value)) = (row, &parameter.value)
            else {
                return Err(unknown("an interface", parameter));
            };
            let rates = direction(bandwidth).get_or_insert_default();
            *rate(rates) = (*value > 0).then_some((*value).into());
            for rates in [&mut bandwidth.inbound, &mut bandwidth.outbound] {
                *rates = rates
                    .take()
                    .filter(|rates| *rates != BandwidthRate::default());
            }
            if **bandwidth == Bandwidth::default() {
                connection.bandwidth = None;
            }
            Ok(())
        })
    }

    async fn perf_events(&self, id: &DomainId, impact: Impact) -> Result<TypedParameters> {
        self.get(id, impact, |definition| {
            let events = definition.perf.as_ref().map(|perf| &perf.event);
            let on = |name: PerfEventName| {
                let event = events
                    .into_iter()
                    .flatten()
                    .find(|event| event.name == name);
                event.is_some_and(|event| event.enabled == YesNo::Yes)
            };
            Ok(PerfEventName::ALL
                .iter()
                .map(|name| TypedParameter::new(name.as_str(), on(*name)))
                .collect())
        })
    }

    async fn set_perf_events(
        &self,
        id: &DomainId,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        self.set(id, impact, &parameters, |definition, parameter| {
            let (Some(name), TypedValue::Boolean(on)) =
                (PerfEventName::from_name(&parameter.field), &parameter.value)
            else {
                return Err(unknown("perf", parameter));
            };
            let events = &mut definition.perf.get_or_insert_default().event;
            events.retain(|event| event.name != name);
            events.push(PerfEvent {
                name,
                enabled: if *on { YesNo::Yes } else { YesNo::No },
            });
            Ok(())
        })
    }

    async fn set_lifecycle_action(
        &self,
        id: &DomainId,
        event: DomainLifecycleEvent,
        action: DomainLifecycleAction,
        impact: Impact,
    ) -> Result<()> {
        let dumps = matches!(
            action,
            DomainLifecycleAction::CoredumpDestroy | DomainLifecycleAction::CoredumpRestart
        );
        if dumps && event != DomainLifecycleEvent::Crash {
            return Err(Error::invalid_argument(
                "lifecycle actions with a core dump are supported for crashes only",
            ));
        }
        let action = match action {
            DomainLifecycleAction::Destroy => LifecycleAction::Destroy,
            DomainLifecycleAction::Restart => LifecycleAction::Restart,
            DomainLifecycleAction::RestartRename => LifecycleAction::RenameRestart,
            DomainLifecycleAction::Preserve => LifecycleAction::Preserve,
            DomainLifecycleAction::CoredumpDestroy => LifecycleAction::CoredumpDestroy,
            DomainLifecycleAction::CoredumpRestart => LifecycleAction::CoredumpRestart,
        };
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                match event {
                    DomainLifecycleEvent::Poweroff => definition.on_poweroff = Some(action),
                    DomainLifecycleEvent::Reboot => definition.on_reboot = Some(action),
                    DomainLifecycleEvent::Crash => definition.on_crash = Some(action),
                }
                Ok(())
            })?;
            Ok(((), Vec::new()))
        })
    }
}

/// Sets one limit of each device in `path,value,path,value,…`; 0 takes it away.
fn set_devices(tune: &mut BlkioTune, list: &str, write: BlkioWrite) -> Result<()> {
    let wrong = || {
        Error::invalid_argument(format!(
            "invalid list '{list}': the form is path,value,path,value"
        ))
    };
    for device in &mut tune.device {
        write(device, None);
    }
    let mut words = list.split(',').filter(|word| !word.is_empty());
    while let Some(path) = words.next() {
        let value: u64 = words
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or_else(wrong)?;
        let value = (value > 0).then_some(value);
        match tune.device.iter_mut().find(|device| device.path == path) {
            Some(device) => write(device, value),
            None => {
                let mut device = BlkioDevice {
                    path: path.into(),
                    weight: None,
                    read_iops_sec: None,
                    write_iops_sec: None,
                    read_bytes_sec: None,
                    write_bytes_sec: None,
                };
                write(&mut device, value);
                tune.device.push(device);
            }
        }
    }
    tune.device.retain(BlkioDevice::has_any);
    Ok(())
}

/// The disk with this target or source.
pub(super) fn disk_at(definition: &Definition, name: &str) -> Result<usize> {
    let mut disks = definition.devices.disk.iter();
    disks
        .position(|disk| disk.target.dev == name || disk.source.path() == Some(name))
        .ok_or_else(|| Error::invalid_argument(format!("the domain has no disk '{name}'")))
}

/// The interface with this device of the host or MAC address.
pub(super) fn interface_at(definition: &Definition, name: &str) -> Result<usize> {
    let mut interfaces = definition.devices.interface.iter();
    interfaces
        .position(|interface| {
            let device = interface
                .options
                .target
                .as_ref()
                .and_then(|target| target.dev.as_deref());
            let mac = interface.mac.as_ref().map(|mac| mac.address.to_string());
            device == Some(name) || mac.as_deref() == Some(name)
        })
        .ok_or_else(|| Error::invalid_argument(format!("the domain has no interface '{name}'")))
}
