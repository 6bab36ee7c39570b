//! Virtual CPUs and I/O threads: how many, and where they run.

use async_trait::async_trait;
use virtbus_api::domain::{
    CpuMap, DomainEvent, DomainId, DomainModificationImpact as Impact, DomainVcpuFlags,
    DomainVcpus, IoThreadInfo,
};
use virtbus_api::typed::{TypedParameter, TypedParameters, TypedValue};
use virtbus_api::{Error, Result};
use virtbus_conf_base::BitSet;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::cputune::{CpuTune, IoThreadPin, VcpuPin};
use virtbus_conf_domain::domain::vcpu::{IoThread, Poll, VcpuCount};

use super::definition;
use crate::driver::Test;
use crate::host::CPU_MAP;

/// Processors in a map that a client gives.
fn bits(cpus: &CpuMap) -> Result<BitSet> {
    let mut set = BitSet::default();
    for (cpu, _) in cpus.iter().enumerate().filter(|(_, on)| **on) {
        let cpu = u32::try_from(cpu).unwrap_or(u32::MAX);
        if !set.insert(cpu) {
            return Err(Error::invalid_argument(format!("invalid CPU number {cpu}")));
        }
    }
    if set.is_empty() {
        return Err(Error::invalid_argument(
            "a CPU map must have at least one CPU",
        ));
    }
    Ok(set)
}

impl Test {
    /// The map of these processors, or of all of the host's; as wide as the host's own.
    fn map(&self, set: Option<&BitSet>) -> CpuMap {
        (0..)
            .take(CPU_MAP.len())
            .map(|cpu| set.is_none_or(|set| set.contains(cpu)))
            .collect()
    }
}

fn tune(definition: &mut Definition) -> &mut CpuTune {
    definition.cputune.get_or_insert_default()
}

fn threads(definition: &Definition) -> Vec<u32> {
    match &definition.iothreadids {
        Some(ids) if !ids.iothread.is_empty() => {
            ids.iothread.iter().map(|thread| thread.id).collect()
        }
        _ => (1..=definition.iothreads.unwrap_or(0)).collect(),
    }
}

/// The I/O threads one by one, as a list that can be changed.
fn thread_list(definition: &mut Definition) -> &mut Vec<IoThread> {
    let ids = threads(definition);
    let list = &mut definition.iothreadids.get_or_insert_default().iothread;
    if list.is_empty() {
        *list = ids.into_iter().map(new_thread).collect();
    }
    list
}

fn new_thread(id: u32) -> IoThread {
    IoThread {
        id,
        thread_pool_min: None,
        thread_pool_max: None,
        poll: None,
    }
}

fn no_thread(id: u32) -> Error {
    Error::invalid_argument(format!("the domain has no I/O thread {id}"))
}

#[async_trait]
impl DomainVcpus for Test {
    async fn vcpus_flags(&self, id: &DomainId, flags: DomainVcpuFlags) -> Result<u32> {
        self.with_domain(id, |domain| {
            let definition = domain.asked(flags.impact())?;
            Ok(if flags.contains(DomainVcpuFlags::MAXIMUM) {
                definition.vcpus_max()
            } else {
                definition.vcpus()
            })
        })
    }

    async fn set_vcpus(&self, id: &DomainId, vcpus: u32, flags: DomainVcpuFlags) -> Result<()> {
        use DomainVcpuFlags as F;
        if flags.contains(F::MAXIMUM) && flags.contains(F::LIVE) {
            return Err(Error::invalid_argument(
                "the maximum number of virtual CPUs can only be set for the next start (flag CONFIG)",
            ));
        }
        if vcpus == 0 || vcpus > crate::host::MAX_VCPUS {
            return Err(Error::invalid_argument(format!(
                "the number of virtual CPUs must be 1 to {}, not {vcpus}",
                crate::host::MAX_VCPUS
            )));
        }
        self.change_domain(id, |domain, _| {
            if flags.contains(F::MAXIMUM) && flags.impact().is_empty() && domain.is_active() {
                return Err(Error::operation_invalid(
                    "the maximum number of virtual CPUs of a running domain cannot be changed",
                ));
            }
            domain.edit(flags.impact(), |definition| {
                let count = definition.vcpu.get_or_insert(VcpuCount {
                    placement: None,
                    cpuset: None,
                    current: None,
                    count: 1,
                });
                if vcpus > count.count {
                    return Err(Error::invalid_argument(format!(
                        "the domain has a maximum of {} virtual CPUs, which {vcpus} exceeds",
                        count.count
                    )));
                }
                if flags.contains(F::MAXIMUM) {
                    count.count = vcpus;
                    count.current = count.current.filter(|current| *current < vcpus);
                } else {
                    count.current = (vcpus < count.count).then_some(vcpus);
                }
                if let Some(list) = &mut definition.vcpus {
                    list.vcpu.clear();
                }
                Ok(())
            })?;
            Ok(((), Vec::new()))
        })
    }

    async fn vcpu_pin_info(&self, id: &DomainId, impact: Impact) -> Result<Vec<CpuMap>> {
        self.with_domain(id, |domain| {
            let definition = domain.asked(impact)?;
            let pins = definition.cputune.as_ref().map(|tune| &tune.vcpupin);
            let general = definition
                .vcpu
                .as_ref()
                .and_then(|count| count.cpuset.as_deref());
            Ok((0..definition.vcpus())
                .map(|vcpu| {
                    let pin = pins.into_iter().flatten().find(|pin| pin.vcpu == vcpu);
                    self.map(pin.map(|pin| &pin.cpuset).or(general))
                })
                .collect())
        })
    }

    async fn pin_vcpu(&self, id: &DomainId, vcpu: u32, cpus: CpuMap, impact: Impact) -> Result<()> {
        let cpuset = bits(&cpus)?;
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                // One that is off now may be on at the next start.
                let there = if definition.id.is_some() {
                    definition.vcpus()
                } else {
                    definition.vcpus_max()
                };
                if vcpu >= there {
                    return Err(Error::invalid_argument(format!(
                        "invalid virtual CPU {vcpu}: the domain has {there}"
                    )));
                }
                let pins = &mut tune(definition).vcpupin;
                pins.retain(|pin| pin.vcpu != vcpu);
                pins.push(VcpuPin {
                    vcpu,
                    cpuset: cpuset.clone(),
                });
                pins.sort_by_key(|pin| pin.vcpu);
                Ok(())
            })?;
            let event = tuned(&format!("cputune.vcpupin{vcpu}"), cpuset.to_string());
            Ok(((), live_only(domain, impact, event)))
        })
    }

    async fn emulator_pin_info(&self, id: &DomainId, impact: Impact) -> Result<CpuMap> {
        self.with_domain(id, |domain| {
            let definition = domain.asked(impact)?;
            let pin = definition
                .cputune
                .as_ref()
                .and_then(|tune| tune.emulatorpin.as_ref());
            let general = definition
                .vcpu
                .as_ref()
                .and_then(|count| count.cpuset.as_deref());
            Ok(self.map(pin.or(general)))
        })
    }

    async fn pin_emulator(&self, id: &DomainId, cpus: CpuMap, impact: Impact) -> Result<()> {
        let cpuset = bits(&cpus)?;
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                tune(definition).emulatorpin = Some(cpuset.clone());
                Ok(())
            })?;
            let event = tuned("cputune.emulatorpin", cpuset.to_string());
            Ok(((), live_only(domain, impact, event)))
        })
    }

    async fn iothread_info(&self, id: &DomainId, impact: Impact) -> Result<Vec<IoThreadInfo>> {
        self.with_domain(id, |domain| {
            let definition = domain.asked(impact)?;
            let pins = definition.cputune.as_ref().map(|tune| &tune.iothreadpin);
            let info = |id: u32| IoThreadInfo {
                id,
                cpus: self.map(
                    pins.into_iter()
                        .flatten()
                        .find(|pin| pin.iothread == id)
                        .map(|pin| &pin.cpuset),
                ),
            };
            Ok(threads(definition).into_iter().map(info).collect())
        })
    }

    async fn pin_iothread(
        &self,
        id: &DomainId,
        iothread: u32,
        cpus: CpuMap,
        impact: Impact,
    ) -> Result<()> {
        let cpuset = bits(&cpus)?;
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                if !threads(definition).contains(&iothread) {
                    return Err(no_thread(iothread));
                }
                let pins = &mut tune(definition).iothreadpin;
                pins.retain(|pin| pin.iothread != iothread);
                pins.push(IoThreadPin {
                    iothread,
                    cpuset: cpuset.clone(),
                });
                Ok(())
            })?;
            let event = tuned(
                &format!("cputune.iothreadpin{iothread}"),
                cpuset.to_string(),
            );
            Ok(((), live_only(domain, impact, event)))
        })
    }

    async fn add_iothread(&self, id: &DomainId, iothread: u32, impact: Impact) -> Result<()> {
        if iothread == 0 {
            return Err(Error::invalid_argument(
                "invalid I/O thread 0: numbers begin with 1",
            ));
        }
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                if threads(definition).contains(&iothread) {
                    return Err(Error::operation_invalid(format!(
                        "I/O thread {iothread} already exists"
                    )));
                }
                let list = thread_list(definition);
                list.push(new_thread(iothread));
                let count = list.len();
                definition.iothreads = u32::try_from(count).ok();
                Ok(())
            })?;
            Ok(((), Vec::new()))
        })
    }

    async fn del_iothread(&self, id: &DomainId, iothread: u32, impact: Impact) -> Result<()> {
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                if !threads(definition).contains(&iothread) {
                    return Err(no_thread(iothread));
                }
                let used = definition.devices.disk.iter().any(|disk| {
                    disk.head.driver.as_ref().and_then(|driver| driver.iothread) == Some(iothread)
                });
                if used {
                    return Err(Error::operation_invalid(format!(
                        "I/O thread {iothread} is used by a disk"
                    )));
                }
                let list = thread_list(definition);
                list.retain(|thread| thread.id != iothread);
                let count = list.len();
                definition.iothreads = u32::try_from(count).ok();
                if let Some(tune) = &mut definition.cputune {
                    tune.iothreadpin.retain(|pin| pin.iothread != iothread);
                }
                Ok(())
            })?;
            Ok(((), Vec::new()))
        })
    }

    async fn set_iothread_params(
        &self,
        id: &DomainId,
        iothread: u32,
        parameters: TypedParameters,
        impact: Impact,
    ) -> Result<()> {
        self.change_domain(id, |domain, _| {
            domain.edit(impact, |definition| {
                if !threads(definition).contains(&iothread) {
                    return Err(no_thread(iothread));
                }
                let thread = thread_list(definition)
                    .iter_mut()
                    .find(|thread| thread.id == iothread);
                let thread = thread.ok_or_else(|| no_thread(iothread))?;
                for TypedParameter { field, value } in &parameters {
                    let mut poll = thread.poll.take().unwrap_or_default();
                    match (field.as_str(), value) {
                        ("poll_max_ns", TypedValue::ULLong(value)) => poll.max = Some(*value),
                        ("poll_grow", TypedValue::UInt(value)) => poll.grow = Some((*value).into()),
                        ("poll_shrink", TypedValue::UInt(value)) => {
                            poll.shrink = Some((*value).into());
                        }
                        ("thread_pool_min", TypedValue::Int(value)) => {
                            thread.thread_pool_min = u32::try_from(*value).ok();
                        }
                        ("thread_pool_max", TypedValue::Int(value)) => {
                            thread.thread_pool_max = u32::try_from(*value).ok();
                        }
                        _ => {
                            return Err(Error::invalid_argument(format!(
                                "unsupported parameter '{field}' for I/O threads, or a value of the wrong type"
                            )));
                        }
                    }
                    thread.poll = (*poll != Poll::default()).then_some(poll);
                }
                definition::complete(definition)
            })?;
            Ok(((), Vec::new()))
        })
    }
}

/// The event of something tuned.
fn tuned(name: &str, value: String) -> DomainEvent {
    DomainEvent::Tunable(vec![TypedParameter::new(name, value)])
}

/// Only a running domain tells of it.
fn live_only(domain: &super::Domain, impact: Impact, event: DomainEvent) -> Vec<DomainEvent> {
    let live = impact.contains(Impact::LIVE) || impact.is_empty();
    if live && domain.is_active() {
        vec![event]
    } else {
        Vec::new()
    }
}
