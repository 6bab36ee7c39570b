//! Processors: the models that are known by name, and what several descriptions have in common.
//!
//! What a model's name stands for is not known here.

use virtbus_api::{Error, Result};
use virtbus_conf_base::Text;
use virtbus_conf_base::cpu::{
    Cpu, CpuFallback, CpuFeature, CpuMatch, CpuMode, CpuModel, FeaturePolicy, GuestCpu,
};

use crate::error;

/// Models of 32 and 64 bit PCs.
const X86: &str = "\
    486 486-v1 Broadwell Broadwell-IBRS Broadwell-noTSX Broadwell-noTSX-IBRS Broadwell-v1 Broadwell-v2 \
    Broadwell-v3 Broadwell-v4 Cascadelake-Server Cascadelake-Server-noTSX Cascadelake-Server-v1 Cascadelake- \
    Server-v2 Cascadelake-Server-v3 Cascadelake-Server-v4 Cascadelake-Server-v5 Conroe Conroe-v1 Cooperlake \
    Cooperlake-v1 Cooperlake-v2 Denverton Denverton-v1 Denverton-v2 Denverton-v3 Dhyana Dhyana-v1 Dhyana-v2 EPYC \
    EPYC-Genoa EPYC-Genoa-v1 EPYC-IBPB EPYC-Milan EPYC-Milan-v1 EPYC-Milan-v2 EPYC-Rome EPYC-Rome-v1 EPYC- \
    Rome-v2 EPYC-Rome-v3 EPYC-Rome-v4 EPYC-v1 EPYC-v2 EPYC-v3 EPYC-v4 GraniteRapids GraniteRapids-v1 \
    GraniteRapids-v2 Haswell Haswell-IBRS Haswell-noTSX Haswell-noTSX-IBRS Haswell-v1 Haswell-v2 Haswell-v3 \
    Haswell-v4 Icelake-Client Icelake-Client-noTSX Icelake-Server Icelake-Server-noTSX Icelake-Server-v1 \
    Icelake-Server-v2 Icelake-Server-v3 Icelake-Server-v4 Icelake-Server-v5 Icelake-Server-v6 Icelake-Server-v7 \
    IvyBridge IvyBridge-IBRS IvyBridge-v1 IvyBridge-v2 KnightsMill KnightsMill-v1 Nehalem Nehalem-IBRS \
    Nehalem-v1 Nehalem-v2 Opteron_G1 Opteron_G1-v1 Opteron_G2 Opteron_G2-v1 Opteron_G3 Opteron_G3-v1 Opteron_G4 \
    Opteron_G4-v1 Opteron_G5 Opteron_G5-v1 Penryn Penryn-v1 SandyBridge SandyBridge-IBRS SandyBridge-v1 \
    SandyBridge-v2 SapphireRapids SapphireRapids-v1 SapphireRapids-v2 SapphireRapids-v3 SierraForest \
    SierraForest-v1 Skylake-Client Skylake-Client-IBRS Skylake-Client-noTSX-IBRS Skylake-Client-v1 Skylake- \
    Client-v2 Skylake-Client-v3 Skylake-Client-v4 Skylake-Server Skylake-Server-IBRS Skylake-Server-noTSX-IBRS \
    Skylake-Server-v1 Skylake-Server-v2 Skylake-Server-v3 Skylake-Server-v4 Skylake-Server-v5 Snowridge \
    Snowridge-v1 Snowridge-v2 Snowridge-v3 Snowridge-v4 Westmere Westmere-IBRS Westmere-v1 Westmere-v2 athlon \
    athlon-v1 core2duo core2duo-v1 coreduo coreduo-v1 cpu64-rhel5 cpu64-rhel6 kvm32 kvm32-v1 kvm64 kvm64-v1 n270 \
    n270-v1 pentium pentium-v1 pentium2 pentium2-v1 pentium3 pentium3-v1 pentiumpro phenom phenom-v1 qemu32 \
    qemu32-v1 qemu64 qemu64-v1";

/// Models of POWER.
const POWER: &str = "POWER6 POWER7 POWER8 POWER9 POWER10 POWER11 POWERPC_e5500 POWERPC_e6500";

/// Models of 64 bit ARM.
const ARM: &str = "cortex-a53 cortex-a57 cortex-a72 Neoverse-N1 Neoverse-N2 Neoverse-V1 Falkor ThunderX299xx FT-2000plus \
    Tengyun-S2500 Kunpeng-920 A64FX";

/// The names of an architecture's models, none if it is known but its models are not.
///
/// # Errors
/// `InvalidArg` for an architecture that is not known.
pub(crate) fn models(arch: &str) -> Result<Vec<String>> {
    let names = match arch {
        "x86_64" | "i686" => X86,
        "ppc64" | "ppc64le" => POWER,
        "aarch64" => ARM,
        "armv7l" | "s390" | "s390x" | "riscv64" | "loongarch64" => "",
        _ => {
            return Err(Error::invalid_argument(format!(
                "unsupported architecture '{arch}': no processor models are known"
            )));
        }
    };
    Ok(names.split_ascii_whitespace().map(str::to_owned).collect())
}

/// What is compared of a description.
struct Described {
    model: Option<Text>,
    vendor: Option<Text>,
    /// Features that it has for certain.
    features: Vec<Text>,
}

impl Described {
    fn of(cpu: Cpu) -> Self {
        let (model, vendor, features) = match cpu {
            Cpu::Host(cpu) => (cpu.model, cpu.vendor, cpu.feature),
            Cpu::Guest(cpu) => (cpu.model, cpu.vendor, cpu.feature),
        };
        let is_there = |feature: &CpuFeature| {
            let policy = feature.policy.unwrap_or(FeaturePolicy::Require);
            matches!(policy, FeaturePolicy::Force | FeaturePolicy::Require)
        };
        let features = features.into_iter().filter(is_there);
        Self {
            model: model.and_then(|model| model.name),
            vendor,
            features: features.map(|feature| feature.name).collect(),
        }
    }
}

/// The processor that a guest can have wherever one of these is.
///
/// # Errors
/// `XmlError` for what is no description, `InvalidArg` for none at all, `OperationFailed` for different models.
pub(crate) fn baseline(xmls: &[String]) -> Result<String> {
    let mut all = Vec::with_capacity(xmls.len());
    for xml in xmls {
        let cpu = Cpu::parse(xml).map_err(|error| error::xml(&error))?;
        all.push(Described::of(cpu));
    }
    let Some((first, others)) = all.split_first() else {
        return Err(Error::invalid_argument(
            "at least one processor must be given",
        ));
    };
    if first.model.is_none() {
        return Err(Error::invalid_argument(
            "the first processor has no <model>",
        ));
    }
    // What all have is known here only where all are of one model.
    if let Some(other) = others.iter().find(|other| other.model != first.model) {
        return Err(error::failed(format!(
            "no processor model known to the test driver is common to '{}' and '{}'",
            first.model.as_deref().unwrap_or_default(),
            other.model.as_deref().unwrap_or_default(),
        )));
    }
    let in_all = |name: &&Text| others.iter().all(|other| other.features.contains(name));
    let feature = |name: &Text| CpuFeature {
        policy: Some(FeaturePolicy::Require),
        name: name.clone(),
    };
    let is_one_vendor = others.iter().all(|other| other.vendor == first.vendor);
    let cpu = GuestCpu {
        mode: Some(CpuMode::Custom),
        matching: Some(CpuMatch::Exact),
        model: Some(CpuModel {
            fallback: Some(CpuFallback::Forbid),
            vendor_id: None,
            name: first.model.clone(),
        }),
        vendor: first.vendor.clone().filter(|_| is_one_vendor),
        feature: first.features.iter().filter(in_all).map(feature).collect(),
        ..GuestCpu::default()
    };
    Ok(Cpu::Guest(cpu).format())
}
