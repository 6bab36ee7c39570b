//! The machine and its features.

use virtbus_conf_base::common::{Arch, VirtType};
use virtbus_conf_base::{ConfError, OnOff, Result, YesNo};
use virtbus_conf_domain::domain::clock::{TickPolicy, Timer, TimerName, TimerTrack};
use virtbus_conf_domain::domain::features::Features;
use virtbus_conf_domain::domain::launch_security::LaunchSecurity;
use virtbus_conf_domain::domain::os::{AcpiTableType, ContainerInit};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};
use crate::machine;

const MIB: u64 = 1 << 20;

pub(super) fn check(of: Context<'_>) -> Result<()> {
    emulator(of)?;
    others(of)?;
    acpi(of)?;
    loader(of)?;
    if let Some(features) = &of.domain.features {
        switches(of, features)?;
    }
    for timer in of.domain.clock.iter().flat_map(|clock| &clock.timer) {
        self::timer(of, timer)?;
    }
    if let Some(pm) = &of.domain.pm
        && (pm.suspend_to_mem.is_some() || pm.suspend_to_disk.is_some())
        && !machine::is_x86(of.domain)
    {
        return unsupported("<pm> controls how guests of x86 machines suspend, and no others");
    }
    match of.domain.launch_security.as_deref() {
        Some(LaunchSecurity::Sev(_)) => of.need(Cap::SevGuest, "<launchSecurity type='sev'>"),
        Some(LaunchSecurity::SevSnp(_)) => {
            of.need(Cap::SevSnpGuest, "<launchSecurity type='sev-snp'>")
        }
        Some(LaunchSecurity::S390Pv) => {
            of.need(Cap::S390PvGuest, "<launchSecurity type='s390-pv'>")
        }
        None => Ok(()),
    }
}

/// Whether the emulator is one for such guests.
fn emulator(of: Context<'_>) -> Result<()> {
    let arch = machine::arch(of.domain);
    let emulator = of.domain.devices.emulator.as_deref().unwrap_or_default();
    if let Some(own) = Arch::from_name(&of.capabilities.arch) {
        let is_older = matches!(
            (own, arch),
            (Arch::X86_64, Arch::I686)
                | (Arch::Aarch64, Arch::Armv7l | Arch::Armv6l)
                | (Arch::Ppc64, Arch::Ppc64le)
                | (Arch::S390x, Arch::S390)
        );
        if own != arch && !is_older {
            return unsupported(format!(
                "emulator '{emulator}' does not support arch '{arch}'"
            ));
        }
    }
    let kvm = match of.domain.virt_type {
        VirtType::Qemu => false,
        VirtType::Kvm => true,
        VirtType::Hvf => return Ok(()),
        other => {
            return unsupported(format!(
                "QEMU runs domains of type 'kvm', 'qemu' and 'hvf', not '{other}'"
            ));
        }
    };
    let name = machine::name(of.domain);
    let accelerated = of.capabilities.accelerated(kvm).ok_or_else(|| {
        ConfError::unsupported(format!(
            "emulator '{emulator}' does not support domains of type '{}' here",
            of.domain.virt_type
        ))
    })?;
    if accelerated.machine(name).is_none() {
        return unsupported(format!(
            "emulator '{emulator}' does not support machine type '{name}'"
        ));
    }
    Ok(())
}

/// What other hypervisors have.
fn others(of: Context<'_>) -> Result<()> {
    let domain = of.domain;
    if domain.bootloader.is_some() {
        return unsupported(
            "<bootloader> is for Xen: QEMU's guests are started by firmware or <kernel>",
        );
    }
    let Some(os) = &domain.os else {
        return Ok(());
    };
    if *os.container != ContainerInit::default() {
        return unsupported(
            "<init> and what belongs to it in <os> are for containers, not for QEMU",
        );
    }
    let tables = os.acpi.as_ref().map_or(&[][..], |acpi| &acpi.table);
    if tables
        .iter()
        .any(|table| table.kind == AcpiTableType::Rawset)
    {
        return unsupported(
            "an ACPI <table type='rawset'> is for Xen: give QEMU each table, with type='raw'",
        );
    }
    Ok(())
}

fn acpi(of: Context<'_>) -> Result<()> {
    let has_acpi = of.has_acpi();
    if has_acpi {
        let name = machine::name(of.domain);
        let kvm = of.domain.virt_type == VirtType::Kvm;
        let accelerated = of.capabilities.accelerated(kvm);
        let told = accelerated.and_then(|it| it.machine(name)?.acpi);
        let arch = machine::arch(of.domain);
        // Where the emulator does not tell, most machines have taken it.
        let usual = !machine::is_s390(of.domain);
        if !told.unwrap_or(usual) {
            return unsupported(format!("machine type '{name}' does not support ACPI"));
        }
        if arch == Arch::Aarch64 && !of.has_uefi() {
            return unsupported(
                "<acpi/> needs UEFI on aarch64: give <os> firmware='efi', or a <loader> of type 'pflash'",
            );
        }
    } else if of.has_uefi() && machine::is_x86(of.domain) {
        return unsupported("UEFI needs ACPI on x86: add <acpi/> to <features>");
    }
    Ok(())
}

fn loader(of: Context<'_>) -> Result<()> {
    let loader = of.domain.os.as_ref().and_then(|os| os.loader.as_ref());
    if loader.is_none_or(|loader| loader.secure != Some(YesNo::Yes)) {
        return Ok(());
    }
    if !machine::is_q35(of.domain) || machine::arch(of.domain) != Arch::X86_64 {
        return unsupported("a <loader> with secure='yes' needs an x86_64 machine of type q35");
    }
    let smm = of
        .domain
        .features
        .as_ref()
        .and_then(|features| features.smm.as_ref());
    if smm.is_none_or(|smm| smm.state == OnOff::Off) {
        return unsupported("a <loader> with secure='yes' needs <smm state='on'/> in <features>");
    }
    Ok(())
}

/// Features that are for certain machines, or that not every emulator has.
fn switches(of: Context<'_>, features: &Features) -> Result<()> {
    let Features {
        // Every machine and emulator that can has them.
        acpi: _,
        apic: _,
        pae: _,
        hap: _,
        kvm: _,
        pvspinlock: _,
        pmu: _,
        msrs: _,
        tcg: _,
        viridian,
        privnet,
        hyperv,
        capabilities,
        vmport,
        gic,
        smm,
        ioapic,
        hpt,
        vmcoreinfo,
        htm,
        nested_hv,
        ccf_assist,
        xen,
        cfpc,
        sbbc,
        ibs,
        async_teardown,
        ras,
        ps2,
        aia,
    } = features;
    let domain = of.domain;
    let (x86, pseries) = (machine::is_x86(domain), machine::is_pseries(domain));
    let arm = machine::is_arm(domain) && machine::is_virt(domain);
    let riscv = machine::is_riscv(domain) && machine::is_virt(domain);
    let has_hyperv = x86 || machine::is_arm(domain);
    let tears_down = async_teardown.is_some_and(|it| it.0.is_yes());
    let rows = [
        ("viridian", *viridian, false, None),
        ("privnet", *privnet, false, None),
        ("capabilities", capabilities.is_some(), false, None),
        ("xen", xen.is_some(), false, None),
        ("hyperv", hyperv.is_some(), has_hyperv, None),
        ("ioapic", ioapic.is_some(), x86, None),
        ("hpt", hpt.is_some(), pseries, None),
        ("htm", htm.is_some(), pseries, None),
        ("nested-hv", nested_hv.is_some(), pseries, None),
        ("ccf-assist", ccf_assist.is_some(), pseries, None),
        ("cfpc", cfpc.is_some(), pseries, None),
        ("sbbc", sbbc.is_some(), pseries, None),
        ("ibs", ibs.is_some(), pseries, None),
        ("gic", gic.is_some(), arm, None),
        ("smm", smm.is_some(), x86, None),
        ("vmport", vmport.is_some(), x86, Some(Cap::MachineVmportOpt)),
        ("ps2", ps2.is_some(), x86, Some(Cap::MachineI8042Opt)),
        (
            "vmcoreinfo",
            vmcoreinfo.is_some(),
            true,
            Some(Cap::Vmcoreinfo),
        ),
        ("ras", ras.is_some(), arm, Some(Cap::MachineVirtRas)),
        ("aia", aia.is_some(), riscv, Some(Cap::MachineVirtAia)),
        (
            "async-teardown",
            tears_down,
            true,
            Some(Cap::RunWithAsyncTeardown),
        ),
    ];
    for (name, is_given, fits, cap) in rows {
        if !is_given {
            continue;
        }
        if !fits {
            return unsupported(format!(
                "the feature '{name}' is not supported by QEMU for arch '{}' with machine type '{}'",
                machine::arch(domain),
                machine::name(domain)
            ));
        }
        if let Some(cap) = cap {
            of.need(cap, &format!("the feature '{name}'"))?;
        }
    }
    let Some(tseg) = smm.as_ref().and_then(|smm| smm.tseg) else {
        return Ok(());
    };
    if !machine::is_q35(domain) {
        return unsupported("<tseg> in <smm> is only supported with machine type q35");
    }
    of.need(Cap::MchExtendedTsegMbytes, "<tseg> in <smm>")?;
    if !tseg.0.is_multiple_of(MIB) {
        return unsupported("the size of <tseg> in <smm> must be a multiple of 1 MiB");
    }
    Ok(())
}

fn timer(of: Context<'_>, timer: &Timer) -> Result<()> {
    let Timer {
        name,
        present,
        tickpolicy,
        track,
        frequency: _,
        mode: _,
        catchup: _,
    } = timer;
    let is_there = *present != Some(YesNo::No);
    let x86 = machine::is_x86(of.domain);
    let elsewhere = || {
        unsupported(format!(
            "timer '{name}' is not supported for domains of type '{}' with arch '{}' and machine type '{}'",
            of.domain.virt_type,
            machine::arch(of.domain),
            machine::name(of.domain)
        ))
    };
    let policies: &[TickPolicy] = match name {
        TimerName::Platform => {
            return unsupported("timer 'platform' is not supported by QEMU");
        }
        TimerName::Tsc | TimerName::Kvmclock | TimerName::Hypervclock => {
            if *present == Some(YesNo::Yes) && !x86 {
                return elsewhere();
            }
            return Ok(());
        }
        TimerName::Rtc => {
            if *track == Some(TimerTrack::Boot) {
                return unsupported("track='boot' of timer 'rtc' is not supported by QEMU");
            }
            &[TickPolicy::Delay, TickPolicy::Catchup]
        }
        TimerName::Pit => &[TickPolicy::Delay, TickPolicy::Catchup, TickPolicy::Discard],
        TimerName::Hpet => {
            if *present == Some(YesNo::Yes) && !x86 {
                return elsewhere();
            }
            return Ok(());
        }
        TimerName::Armvtimer => {
            let fits = machine::is_arm(of.domain) && machine::is_virt(of.domain);
            if is_there && !(fits && of.domain.virt_type == VirtType::Kvm) {
                return elsewhere();
            }
            of.need(Cap::CpuKvmNoAdjvtime, "timer 'armvtimer'")?;
            &[TickPolicy::Delay, TickPolicy::Discard]
        }
    };
    if let Some(policy) = tickpolicy.filter(|policy| is_there && !policies.contains(policy)) {
        return unsupported(format!(
            "tickpolicy='{policy}' of timer '{name}' is not supported by QEMU"
        ));
    }
    Ok(())
}
