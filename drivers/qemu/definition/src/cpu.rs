//! The processor: the one that the machine has by the emulator's own choice if the definition names none, and what is checked of it.

use virtbus_conf_base::common::{Arch, VirtType};
use virtbus_conf_base::cpu::{
    CpuCheck, CpuFallback, CpuFeature, CpuMatch, CpuMode, CpuModel, FeaturePolicy, GuestCpu,
};
use virtbus_conf_base::{ConfError, OnOff, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_qemu_capabilities::{Accelerated, Cap, Capabilities, Machine};

use crate::{Facts, machine};

/// What the default processor is called that is the host's own.
const HOST: &str = "host";
/// Arm's vector extension.
const VECTORS: &str = "sve";

/// Fills in what is left out.
pub(crate) fn complete(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    default(domain, facts.capabilities);
    let is_kvm = domain.virt_type == VirtType::Kvm;
    let is_x86 = machine::is_x86(domain);
    let is_arm = machine::is_arm(domain);
    let Some(cpu) = domain.cpu.as_deref_mut() else {
        return Ok(());
    };
    if is_arm {
        vectors(cpu)?;
    }
    if matches!(cpu.mode, Some(CpuMode::HostPassthrough | CpuMode::Maximum))
        && is_x86
        && cpu.migratable.is_none()
    {
        let has = facts.capabilities.has(Cap::CpuMigratable);
        cpu.migratable = Some(if has { OnOff::On } else { OnOff::Off });
    }
    if cpu.check.is_none() {
        cpu.check = match cpu.mode {
            Some(CpuMode::HostPassthrough | CpuMode::Maximum) => Some(CpuCheck::None),
            Some(CpuMode::HostModel) => Some(CpuCheck::Partial),
            None | Some(CpuMode::Custom) => {
                let has_model = cpu.model.as_ref().is_some_and(|model| model.name.is_some());
                // A processor that is emulated is not compared with the host's.
                has_model.then_some(if is_kvm {
                    CpuCheck::Partial
                } else {
                    CpuCheck::None
                })
            }
        };
    }
    Ok(())
}

/// Lengths of vectors mean that there are vectors.
fn vectors(cpu: &mut GuestCpu) -> Result<()> {
    let is_length = |name: &str| {
        let digits = name.strip_prefix(VECTORS);
        digits
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    if !cpu.feature.iter().any(|feature| is_length(&feature.name)) {
        return Ok(());
    }
    let policy = cpu.feature.iter().find(|feature| *feature.name == *VECTORS);
    match policy {
        None => cpu.feature.push(CpuFeature {
            policy: Some(FeaturePolicy::Require),
            name: VECTORS.into(),
        }),
        Some(feature) if feature.policy != Some(FeaturePolicy::Require) => {
            return Err(ConfError::unsupported(
                "lengths of SVE vectors are given as features of the processor, but its feature 'sve' is not required",
            ));
        }
        Some(_) => {}
    }
    Ok(())
}

/// The machine's own processor, if the definition says nothing of one.
fn default(domain: &mut Domain, capabilities: &Capabilities) {
    let says = domain.cpu.as_deref().is_some_and(|cpu| {
        let custom = matches!(cpu.mode, None | Some(CpuMode::Custom));
        !custom || cpu.model.as_ref().is_some_and(|model| model.name.is_some())
    });
    let kvm = domain.virt_type == VirtType::Kvm;
    let emulated = domain.virt_type == VirtType::Qemu;
    let same_for_all = matches!(
        machine::arch(domain),
        Arch::I686 | Arch::X86_64 | Arch::S390 | Arch::S390x | Arch::Ppc64 | Arch::Ppc64le
    );
    let is_known = !matches!(
        machine::arch(domain),
        Arch::Ppc | Arch::Ppcemb | Arch::Sparc | Arch::Sparc64 | Arch::M68k | Arch::Alpha
    );
    if says || !is_known || (!emulated && !same_for_all) {
        return;
    }
    let default = capabilities.accelerated(kvm).and_then(|accelerated| {
        let machine = accelerated.machine(machine::name(domain))?;
        model_of(accelerated, machine, &capabilities.arch)
    });
    let Some(default) = default else { return };
    let is_s390 = machine::is_s390(domain);
    let cpu = domain.cpu.get_or_insert_with(Default::default);
    if default == HOST {
        // On mainframes a model of the host is as good, and can be migrated.
        cpu.mode = Some(if is_s390 {
            CpuMode::HostModel
        } else {
            CpuMode::HostPassthrough
        });
        return;
    }
    cpu.mode = Some(CpuMode::Custom);
    cpu.matching.get_or_insert(CpuMatch::Exact);
    cpu.check = Some(CpuCheck::None);
    let model = cpu.model.get_or_insert_with(CpuModel::default);
    model.fallback = Some(CpuFallback::Forbid);
    model.name = Some(default.into());
}

/// The model that a machine has by default, by the name that `-cpu` takes.
fn model_of<'c>(accelerated: &'c Accelerated, machine: &'c Machine, arch: &str) -> Option<&'c str> {
    let kind = machine.default_cpu.as_deref()?;
    let mut models = accelerated.cpu_models.iter();
    let by_type = models.find(|model| model.typename == kind);
    by_type.map(|model| &*model.name).or_else(|| {
        // An emulator that tells no types of its models calls them so.
        let name = kind.strip_suffix("-cpu")?.strip_suffix(arch)?;
        let name = name.strip_suffix('-')?;
        accelerated.cpu_model(name).map(|model| &*model.name)
    })
}
