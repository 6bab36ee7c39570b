//! An emulator that can do everything, and definitions for it.

use virtbus_conf_base::common::{Arch, PciAddress};
use virtbus_conf_base::{Entropy, Flags};
use virtbus_conf_domain::domain::devices::tpm::TpmVersion;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_qemu_capabilities::{Accelerated, Cap, Capabilities, CpuModel, Gic, Machine, Version};
use virtbus_qemu_definition::firmware::Descriptor;
use virtbus_qemu_definition::{Facts, Host, HostAudio, complete, validate};

/// Machines by architecture: name, alias, default processor.
const MACHINES: [(Arch, &str, Option<&str>, &str); 9] = [
    (Arch::X86_64, "pc-i440fx-9.0", Some("pc"), "qemu64"),
    (Arch::X86_64, "pc-q35-9.0", Some("q35"), "qemu64"),
    (Arch::X86_64, "microvm", None, "qemu64"),
    (Arch::X86_64, "isapc", None, "486"),
    (Arch::Aarch64, "virt-9.0", Some("virt"), "cortex-a15"),
    (Arch::Aarch64, "versatilepb", None, "arm926"),
    (Arch::Ppc64, "pseries", None, "POWER9"),
    (Arch::S390x, "s390-ccw-virtio", None, "qemu"),
    (Arch::Riscv64, "virt", None, "rv64"),
];

/// An emulator of an architecture, with every capability.
pub(crate) fn emulator(arch: Arch) -> Capabilities {
    let of_arch = || MACHINES.iter().filter(|(of, ..)| *of == arch);
    let machine =
        |(at, (_, name, alias, cpu)): (usize, &(Arch, &str, Option<&str>, &str))| Machine {
            name: (*name).to_owned(),
            alias: alias.map(str::to_owned),
            max_cpus: 512,
            default_cpu: Some(format!("{cpu}-{arch}-cpu")),
            default_ram_id: Some("ram".to_owned()),
            acpi: Some(!matches!(arch, Arch::S390x | Arch::Ppc64) && *name != "isapc"),
            is_default: at == 0,
            hotplug_cpus: true,
            numa_mem: true,
            deprecated: false,
        };
    let model = |(_, _, _, cpu): &(Arch, &str, Option<&str>, &str)| {
        CpuModel::new(
            (*cpu).to_owned(),
            format!("{cpu}-{arch}-cpu"),
            Some(Vec::new()),
        )
    };
    let accelerated = Accelerated {
        machines: of_arch().enumerate().map(machine).collect(),
        cpu_models: of_arch().map(model).collect(),
        ..Accelerated::default()
    };
    Capabilities {
        binary: "/usr/bin/qemu".into(),
        version: Version {
            major: 9,
            minor: 0,
            micro: 0,
        },
        package: String::new(),
        target: arch.to_string(),
        arch: arch.to_string(),
        caps: Cap::ALL.iter().copied().collect(),
        kvm: Some(accelerated.clone()),
        tcg: Some(accelerated),
        gic: vec![Gic {
            version: 3,
            emulated: true,
            kernel: true,
        }],
        sev: None,
        sgx: None,
        devices: Vec::new(),
        commands: Vec::new(),
        events: Vec::new(),
        tpm_models: Vec::new(),
        tpm_types: Vec::new(),
    }
}

/// Two firmware images for PCs with UEFI: one with secure boot, and one without.
pub(crate) fn firmware() -> Vec<Descriptor> {
    let text = |name: &str, features: &str| {
        format!(
            r#"{{"interface-types": ["uefi"],
                "mapping": {{"device": "flash",
                    "executable": {{"filename": "/fw/{name}.fd", "format": "raw"}},
                    "nvram-template": {{"filename": "/fw/{name}.vars", "format": "raw"}}}},
                "targets": [{{"architecture": "x86_64", "machines": ["pc-q35-*"]}}],
                "features": [{features}]}}"#
        )
    };
    let secure = text(
        "secure",
        r#""secure-boot", "enrolled-keys", "requires-smm""#,
    );
    [secure, text("plain", r#""acpi-s3""#)]
        .iter()
        .map(|text| Descriptor::parse(text).unwrap())
        .collect()
}

/// A host with two devices that it cannot keep apart.
#[derive(Debug)]
pub(crate) struct TwoDevices;

impl Host for TwoDevices {
    fn iommu_group(&self, address: PciAddress) -> Option<u32> {
        (address.bus == 1).then_some(7)
    }

    fn is_express(&self, address: PciAddress) -> Option<bool> {
        Some(address.slot != 2)
    }
}

/// Counts instead of making numbers up.
pub(crate) struct Counting;

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (byte, n) in bytes.iter_mut().zip(0..) {
            *byte = n;
        }
    }
}

/// What the driver would know of the emulator and the host.
pub(crate) fn facts<'a>(capabilities: &'a Capabilities, firmware: &'a [Descriptor]) -> Facts<'a> {
    Facts {
        capabilities,
        emulator: "/usr/bin/qemu",
        host_arch: Arch::X86_64,
        host: &TwoDevices,
        audio: HostAudio::default(),
        tpm_versions: &[TpmVersion::V1_2, TpmVersion::V2_0],
        firmware,
        nvram_folder: "/nvram",
        security: "none",
    }
}

/// Completes and checks a definition for an emulator.
pub(crate) fn define(
    xml: &str,
    capabilities: &Capabilities,
    is_new: bool,
) -> Result<Domain, String> {
    let mut domain = Domain::parse(xml).map_err(|error| error.to_string())?;
    let firmware = firmware();
    let facts = facts(capabilities, &firmware);
    let mut flags = CompleteFlags::INACTIVE;
    if is_new {
        flags |= CompleteFlags::ABI_UPDATE;
    }
    complete(&mut domain, facts, &mut Counting, flags).map_err(|error| error.to_string())?;
    validate(&domain, &facts).map_err(|error| error.to_string())?;
    Ok(domain)
}

/// The text of a definition.
pub(crate) fn text(domain: &Domain) -> String {
    domain.format(Flags::INACTIVE | Flags::SECURE)
}

/// The architecture that a text names.
pub(crate) fn arch_of(xml: &str) -> Arch {
    let domain = Domain::parse(xml).unwrap();
    domain.arch().unwrap_or(Arch::X86_64)
}
