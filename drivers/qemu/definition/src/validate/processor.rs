//! The processor and its number.

use virtbus_conf_base::common::VirtType;
use virtbus_conf_base::cpu::{CpuCacheMode, CpuMode};
use virtbus_conf_base::{OnOff, Result};

use super::{Context, unsupported};
use crate::machine;

/// How many processors a PC can have without extended interrupts.
const MOST_WITHOUT_EIM: u32 = 255;

pub(super) fn check(of: Context<'_>) -> Result<()> {
    let domain = of.domain;
    let most = domain.vcpus_max();
    let kvm = domain.virt_type == VirtType::Kvm;
    let accelerated = of.capabilities.accelerated(kvm);
    let machine_most = accelerated
        .and_then(|it| it.machine(machine::name(domain)))
        .map_or(0, |machine| machine.max_cpus);
    if machine_most > 0 && most > machine_most {
        return unsupported(format!(
            "<vcpu> {most}: machine type '{}' has at most {machine_most} virtual CPUs",
            machine::name(domain)
        ));
    }
    if machine::is_x86(domain) && most > MOST_WITHOUT_EIM {
        let iommu = domain.devices.iommu.as_ref();
        let eim = iommu.and_then(|iommu| iommu.driver.as_ref()?.eim);
        if !machine::is_q35(domain) || eim != Some(OnOff::On) {
            return unsupported(format!(
                "<vcpu> {most}: more than {MOST_WITHOUT_EIM} virtual CPUs need machine type q35 with an <iommu> whose driver has eim='on'"
            ));
        }
    }
    let Some(cpu) = &domain.cpu else {
        return Ok(());
    };
    if machine::is_pseries(domain)
        && let Some(threads) = cpu.topology.map(|topology| topology.threads)
        && threads > 0
        && !domain.vcpus().is_multiple_of(threads)
    {
        return unsupported(format!(
            "virtual CPUs of pSeries machines are plugged by cores, so the number that <vcpu> has at start must be a multiple of {threads}"
        ));
    }
    let whole_host = matches!(cpu.mode, Some(CpuMode::HostPassthrough | CpuMode::Maximum));
    if let Some(cache) = cpu.cache {
        match cache.mode {
            CpuCacheMode::Emulate if cache.level != Some(3) => {
                return unsupported("<cache mode='emulate'> is only supported with level='3'");
            }
            CpuCacheMode::Passthrough if !whole_host => {
                return unsupported(
                    "<cache mode='passthrough'> is only supported with the CPU modes 'host-passthrough' and 'maximum'",
                );
            }
            CpuCacheMode::Passthrough if cache.level.is_some() => {
                return unsupported("<cache mode='passthrough'> is for all levels at once");
            }
            CpuCacheMode::Emulate | CpuCacheMode::Passthrough | CpuCacheMode::Disable => {}
        }
    }
    if machine::is_x86(domain) || cpu.migratable.is_none() {
        return Ok(());
    }
    unsupported("'migratable' of <cpu> is supported on x86 only")
}
