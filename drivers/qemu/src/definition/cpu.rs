//! The processor of a guest whose definition names no model: what its machine has then by the emulator's own choice, written down so that
//! the guest keeps it.

use virtbus_conf_base::common::VirtType;
use virtbus_conf_base::cpu::{CpuCheck, CpuFallback, CpuMatch, CpuMode, CpuModel, GuestCpu};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_qemu_capabilities::{Accelerated, Capabilities, Machine};

/// Architectures whose default processor can be had under KVM as well as without it.
const SAME_WITH_KVM: [&str; 6] = ["i686", "x86_64", "s390", "s390x", "ppc64", "ppc64le"];

/// What the default processor is called that is the host's own.
const HOST: &str = "host";

/// Fills in `<cpu>`, or its model. A processor with features and no model is left as it is: nothing says what they are added to.
pub(super) fn complete(definition: &mut Definition, capabilities: &Capabilities) {
    let kvm = definition.virt_type == VirtType::Kvm;
    if kvm && !SAME_WITH_KVM.contains(&&*capabilities.arch) {
        return;
    }
    let says = |cpu: &GuestCpu| {
        let custom = matches!(cpu.mode, None | Some(CpuMode::Custom));
        let model = cpu.model.as_ref();
        !custom || model.is_some_and(|model| model.name.is_some()) || !cpu.feature.is_empty()
    };
    if definition.cpu.as_deref().is_some_and(says) {
        return;
    }
    let machine = definition
        .os
        .as_ref()
        .and_then(|os| os.machine.machine.as_deref());
    let default = capabilities.accelerated(kvm).and_then(|accelerated| {
        let machine = accelerated.machine(machine?)?;
        default_model(accelerated, machine, &capabilities.arch)
    });
    let Some(default) = default else { return };
    let cpu = definition.cpu.get_or_insert_with(Default::default);
    if default == HOST {
        cpu.mode = Some(CpuMode::HostPassthrough);
        cpu.check = Some(CpuCheck::None);
        return;
    }
    cpu.mode = Some(CpuMode::Custom);
    cpu.matching = Some(CpuMatch::Exact);
    cpu.check = Some(CpuCheck::None);
    let model = cpu.model.get_or_insert_with(CpuModel::default);
    model.fallback = Some(CpuFallback::Forbid);
    model.name = Some(default.into());
}

/// The model that a machine has by default, by the name that `-cpu` takes.
fn default_model<'c>(
    accelerated: &'c Accelerated,
    machine: &'c Machine,
    arch: &str,
) -> Option<&'c str> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::tests::{accepted, capabilities as one_machine};

    /// An emulator whose machine has a default processor.
    fn capabilities(arch: &str, default: &str) -> Capabilities {
        let mut capabilities = one_machine();
        capabilities.arch = arch.to_owned();
        let tcg = capabilities.tcg.as_mut().unwrap();
        tcg.machines[0].default_cpu = Some(format!("{default}-{arch}-cpu"));
        let typed = |name: &str, typename: String| {
            virtbus_qemu_capabilities::CpuModel::new(name.to_owned(), typename, None)
        };
        tcg.cpu_models
            .push(typed("qemu64", format!("qemu64-{arch}-cpu")));
        tcg.cpu_models.push(typed("untyped", String::new()));
        tcg.cpu_models
            .push(typed("host", format!("host-{arch}-cpu")));
        capabilities.kvm = capabilities.tcg.clone();
        capabilities
    }

    fn cpu(kind: &str, arch: &str, default: &str, cpu: &str) -> String {
        let xml = format!(
            "<domain type='{kind}'><name>one</name><memory>65536</memory><vcpu>2</vcpu>\
             <os><type arch='{arch}' machine='q35'>hvm</type></os>{cpu}</domain>"
        );
        let definition = accepted(&xml, &capabilities(arch, default)).unwrap();
        let text = crate::definition::format_config(&definition);
        let Some((_, rest)) = text.split_once("<cpu") else {
            return String::new();
        };
        let (inner, _) = rest.split_once("</cpu>").or(rest.split_once("/>")).unwrap();
        let lines: Vec<_> = inner.lines().map(str::trim).collect();
        lines.concat()
    }

    const QEMU64: &str =
        "mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model>";

    #[test]
    fn a_guest_without_a_model_gets_its_machines() {
        for kind in ["qemu", "kvm"] {
            assert_eq!(cpu(kind, "x86_64", "qemu64", ""), QEMU64);
        }
        assert!(cpu("qemu", "x86_64", "untyped", "").contains(">untyped<"));
        let topology = "<cpu><topology sockets='1' cores='2' threads='1'/></cpu>";
        let completed = cpu("qemu", "x86_64", "qemu64", topology);
        let rest = completed.strip_prefix(QEMU64).unwrap();
        assert!(rest.starts_with("<topology sockets='1'"), "{rest}");
        assert_eq!(
            cpu("kvm", "s390x", "host", ""),
            "mode='host-passthrough' check='none'"
        );
    }

    #[test]
    fn what_is_said_stays_and_what_is_not_known_is_not_made_up() {
        let named = "<cpu mode='custom' match='minimum'><model>known</model></cpu>";
        assert!(cpu("qemu", "x86_64", "qemu64", named).contains(">known</model>"));
        assert!(cpu("kvm", "x86_64", "qemu64", "<cpu mode='host-model'/>").contains("host-model"));
        assert!(!cpu("qemu", "x86_64", "other", "").contains("model"));
        // Not the default under KVM there.
        assert_eq!(cpu("kvm", "aarch64", "qemu64", ""), "");
        assert_eq!(cpu("qemu", "aarch64", "qemu64", ""), QEMU64);
        let features = "<cpu><feature policy='require' name='avx'/></cpu>";
        assert!(!cpu("qemu", "x86_64", "qemu64", features).contains("<model"));
    }
}
