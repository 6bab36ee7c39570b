//! From what QEMU answered to what the driver wants to know: which questions to ask, and what the
//! answers come to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use serde_json::value::RawValue;
use virtbus_qemu_monitor::commands::cpu::{
    CpuModel as QmpCpuModel, ExpandedModel, Expansion, QueryCpuDefinitions, QueryCpuModelExpansion,
};
use virtbus_qemu_monitor::commands::introspect::{
    DeviceListProperties, QueryCommandLineOptions, QueryGicCapabilities, QueryMachines,
    QueryMigrateCapabilities, QueryQmpSchema, QuerySevCapabilities, QuerySgxCapabilities,
    QueryTarget, QueryTpmModels, QueryTpmTypes,
};
use virtbus_qemu_monitor::commands::qom::{ObjectProperty, QomListProperties, QomListTypes};
use virtbus_qemu_monitor::commands::system::{QueryKvm, QueryVersion};

use super::Capabilities;
use super::answers::{Answers, Question};
use super::arch;
use super::model::{
    Accelerated, CpuModel, Gic, HostModel, Machine, PropertyValue, Sev, Sgx, Version,
};
use super::rule::Facts;
use super::schema::Schema;
use super::table::Cap;

/// What QEMU's answers lack for them to make sense.
#[derive(Debug, thiserror::Error)]
pub enum DistillError {
    /// A question that every QEMU answers has no usable answer.
    #[error("no usable answer to '{0}'")]
    Missing(&'static str),
    /// The schema is not one.
    #[error("cannot read the QMP schema")]
    Schema(#[source] serde_json::Error),
    /// A question cannot be written; never happens with the questions of this module.
    #[error("cannot write a question")]
    Question(#[source] serde_json::Error),
}

/// An accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accelerator {
    Kvm,
    Tcg,
}

impl Accelerator {
    /// The CPU model that stands for everything that this accelerator can offer.
    fn best_model(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "max",
        }
    }
}

const ALL_TYPES: QomListTypes = QomListTypes {
    implements: None,
    also_abstract: None,
};

/// What is asked of any QEMU.
pub(crate) fn first_questions() -> Result<Vec<Question>, DistillError> {
    fn all() -> Result<Vec<Question>, serde_json::Error> {
        Ok(vec![
            Question::of(&QueryVersion {})?,
            Question::of(&QueryTarget {})?,
            Question::of(&QueryKvm {})?,
            Question::of(&QueryQmpSchema {})?,
            Question::of(&ALL_TYPES)?,
            Question::of(&QueryCommandLineOptions {})?,
            Question::of(&QueryTpmModels {})?,
            Question::of(&QueryTpmTypes {})?,
            Question::of(&QueryMigrateCapabilities {})?,
            Question::of(&QueryGicCapabilities {})?,
            Question::of(&QuerySevCapabilities {})?,
            Question::of(&QuerySgxCapabilities {})?,
        ])
    }
    let mut questions = all().map_err(DistillError::Question)?;
    questions.extend(accelerator_questions()?);
    Ok(questions)
}

/// What depends on the accelerator and is asked before anything is known.
pub(crate) fn accelerator_questions() -> Result<Vec<Question>, DistillError> {
    let questions = [
        Question::of(&QueryMachines {}),
        Question::of(&QueryCpuDefinitions {}),
    ];
    let questions: Result<_, _> = questions.into_iter().collect();
    questions.map_err(DistillError::Question)
}

/// What it emulates, by QEMU's name, and whether it took KVM.
pub(crate) fn target(answers: &Answers) -> Result<(String, bool), DistillError> {
    let target = answers
        .get(&QueryTarget {})
        .ok_or(DistillError::Missing("query-target"))?;
    let kvm = answers.get(&QueryKvm {}).is_some_and(|kvm| kvm.enabled);
    Ok((target.arch, kvm))
}

/// What is asked once the types are known: the properties that some rule looks at.
pub(crate) fn property_questions(answers: &Answers) -> Result<Vec<Question>, DistillError> {
    let types = type_names(answers)?;
    wanted_types()
        .into_iter()
        .filter(|(name, _)| types.contains(*name))
        .map(|(name, device)| {
            let typename = name.to_owned();
            if device {
                Question::of(&DeviceListProperties { typename })
            } else {
                Question::of(&QomListProperties { typename })
            }
        })
        .collect::<Result<_, _>>()
        .map_err(DistillError::Question)
}

/// What is asked about the best CPU. QEMU of other architectures refuses, which is an answer.
pub(crate) fn model_questions(
    target: &str,
    accelerator: Accelerator,
) -> Result<Vec<Question>, DistillError> {
    let x86 = matches!(target, "x86_64" | "i386");
    let s390 = target == "s390x";
    let mut expansions = Vec::new();
    if x86 || s390 {
        expansions.push(expansion(Expansion::Static, accelerator, None));
    }
    if x86 {
        expansions.push(expansion(Expansion::Static, accelerator, Some(MIGRATE)));
        if accelerator == Accelerator::Kvm {
            expansions.push(expansion(Expansion::Full, accelerator, Some(HYPERV)));
        }
    } else {
        expansions.push(expansion(Expansion::Full, accelerator, None));
    }
    expansions
        .iter()
        .map(Question::of)
        .collect::<Result<_, _>>()
        .map_err(DistillError::Question)
}

/// Also what does not survive migration.
const MIGRATE: &str = r#"{"migratable":false}"#;
/// The same with all of Hyper-V's enlightenments that the host can provide.
const HYPERV: &str = r#"{"migratable":false,"hv-passthrough":true}"#;

fn expansion(
    expansion: Expansion,
    accelerator: Accelerator,
    props: Option<&str>,
) -> QueryCpuModelExpansion {
    let props = props
        .map(|text| RawValue::from_string(text.to_owned()).expect("the constants above are JSON"));
    QueryCpuModelExpansion {
        expansion,
        model: QmpCpuModel {
            name: accelerator.best_model().to_owned(),
            props,
        },
    }
}

/// Types whose properties are asked for, and whether they are devices.
fn wanted_types() -> BTreeSet<(&'static str, bool)> {
    let mut wanted = BTreeSet::new();
    for cap in Cap::ALL {
        cap.rule().visit_types(&mut |name, device| {
            wanted.insert((name, device));
        });
    }
    wanted
}

fn type_names(answers: &Answers) -> Result<BTreeSet<String>, DistillError> {
    let types = answers
        .get(&ALL_TYPES)
        .ok_or(DistillError::Missing("qom-list-types"))?;
    Ok(types.into_iter().map(|kind| kind.name).collect())
}

/// Understands a conversation with an emulator.
///
/// `answers` are those of an emulator that took the best accelerator it could get; `tcg` those of
/// a second one that had to emulate, if the first took KVM and emulation is built in.
pub(crate) fn distill(
    binary: PathBuf,
    answers: &Answers,
    tcg: Option<&Answers>,
) -> Result<Capabilities, DistillError> {
    let version = answers
        .get(&QueryVersion {})
        .ok_or(DistillError::Missing("query-version"))?;
    let (target, _) = target(answers)?;
    let facts = facts(answers)?;
    let caps = Cap::ALL
        .iter()
        .copied()
        .filter(|cap| cap.rule().holds(&facts))
        .collect();
    let kvm = facts
        .kvm_enabled
        .then(|| accelerated(answers, Accelerator::Kvm, &target));
    let tcg = match (facts.kvm_enabled, tcg) {
        (false, _) => Some(accelerated(answers, Accelerator::Tcg, &target)),
        (true, Some(tcg)) => Some(accelerated(tcg, Accelerator::Tcg, &target)),
        (true, None) => None,
    };
    Ok(Capabilities {
        binary,
        version: Version {
            major: version.qemu.major,
            minor: version.qemu.minor,
            micro: version.qemu.micro,
        },
        package: version.package,
        arch: arch::from_qemu(&target).to_owned(),
        target,
        caps,
        kvm: kvm.transpose()?,
        tcg: tcg.transpose()?,
        gic: gic(answers),
        sev: answers.get(&QuerySevCapabilities {}).map(|sev| Sev {
            pdh: sev.pdh,
            cert_chain: sev.cert_chain,
            cpu0_id: sev.cpu0_id,
            cbitpos: sev.cbitpos,
            reduced_phys_bits: sev.reduced_phys_bits,
        }),
        sgx: sgx(answers),
        devices: devices(&facts),
        commands: facts.schema.commands(),
        events: facts.schema.events(),
        tpm_models: facts.tpm_models,
        tpm_types: facts.tpm_types,
    })
}

fn facts(answers: &Answers) -> Result<Facts, DistillError> {
    let schema = answers
        .get(&QueryQmpSchema {})
        .ok_or(DistillError::Missing("query-qmp-schema"))?;
    let options = answers.get(&QueryCommandLineOptions {}).unwrap_or_default();
    let migration = answers
        .get(&QueryMigrateCapabilities {})
        .unwrap_or_default();
    let models = answers.get(&QueryCpuDefinitions {}).unwrap_or_default();
    let mut answered = BTreeSet::new();
    if answers.get(&QuerySevCapabilities {}).is_some() {
        answered.insert("query-sev-capabilities");
    }
    if answers
        .get(&QuerySgxCapabilities {})
        .is_some_and(|sgx| sgx.sgx)
    {
        answered.insert("query-sgx-capabilities");
    }
    Ok(Facts {
        types: type_names(answers)?,
        properties: properties(answers),
        options: options
            .into_iter()
            .map(|option| {
                let names = option.parameters.into_iter().map(|p| p.name);
                (option.option, names.collect())
            })
            .collect(),
        schema: Schema::parse(schema.get()).map_err(DistillError::Schema)?,
        migration: migration.into_iter().map(|c| c.capability).collect(),
        tpm_models: answers.get(&QueryTpmModels {}).unwrap_or_default(),
        tpm_types: answers.get(&QueryTpmTypes {}).unwrap_or_default(),
        cpu_models: models.into_iter().map(|model| model.name).collect(),
        answered,
        kvm_enabled: answers.get(&QueryKvm {}).is_some_and(|kvm| kvm.enabled),
    })
}

fn properties(answers: &Answers) -> HashMap<String, Vec<ObjectProperty>> {
    let mut all = HashMap::new();
    for (name, device) in wanted_types() {
        let typename = name.to_owned();
        let properties = if device {
            answers.get(&DeviceListProperties { typename })
        } else {
            answers.get(&QomListProperties { typename })
        };
        if let Some(properties) = properties {
            all.insert(name.to_owned(), properties);
        }
    }
    all
}

/// Types that may be devices: QEMU lists CPUs, machines and its own machinery among them.
fn devices(facts: &Facts) -> Vec<String> {
    let other = |name: &str| {
        name.ends_with("-cpu") || name.ends_with("-machine") || name.ends_with("-accel-ops")
    };
    let names = facts.types.iter().filter(|name| !other(name));
    names.cloned().collect()
}

fn accelerated(
    answers: &Answers,
    accelerator: Accelerator,
    target: &str,
) -> Result<Accelerated, DistillError> {
    let machines = answers
        .get(&QueryMachines {})
        .ok_or(DistillError::Missing("query-machines"))?;
    let models = answers.get(&QueryCpuDefinitions {}).unwrap_or_default();
    let ppc64 = target == "ppc64";
    Ok(Accelerated {
        machines: machines
            .into_iter()
            .filter(|machine| machine.name != "none")
            .map(|machine| Machine {
                name: machine.name,
                alias: machine.alias,
                max_cpus: machine.cpu_max,
                default_cpu: machine.default_cpu_type,
                default_ram_id: machine.default_ram_id,
                acpi: machine.acpi,
                is_default: machine.is_default,
                hotplug_cpus: machine.hotpluggable_cpus,
                numa_mem: machine.numa_mem_supported,
                deprecated: machine.deprecated,
            })
            .collect(),
        cpu_models: models
            .into_iter()
            .map(|definition| {
                let mut model = CpuModel::new(
                    model_name(definition.name, ppc64),
                    definition.typename,
                    definition.unavailable_features,
                );
                model.alias_of = definition.alias_of;
                model.deprecated = definition.deprecated;
                model.set_deprecated_features(&definition.deprecated_props.unwrap_or_default());
                model
            })
            .collect(),
        host_model: host_model(answers, accelerator),
        hyperv: hyperv(answers, accelerator),
    })
}

/// QEMU lists `power9` and the like in small letters and takes both; definitions that exist have
/// capitals.
fn model_name(name: String, ppc64: bool) -> String {
    match name.strip_prefix("power") {
        Some(number) if ppc64 && number.bytes().all(|b| b.is_ascii_digit()) => {
            format!("POWER{number}")
        }
        _ => name,
    }
}

fn host_model(answers: &Answers, accelerator: Accelerator) -> Option<HostModel> {
    let get = |kind, props| answers.get(&expansion(kind, accelerator, props));
    let migratable = get(Expansion::Static, None);
    let everything = get(Expansion::Static, Some(MIGRATE));
    let full = get(Expansion::Full, None);
    let told_apart = everything.is_some() && migratable.is_some();
    let found = everything
        .or_else(|| migratable.clone())
        .or_else(|| full.clone())?;
    let properties = property_values(&found);
    let unmigratable = told_apart.then(|| {
        let safe = migratable.as_ref().map(property_values).unwrap_or_default();
        let on = |values: &BTreeMap<String, PropertyValue>, name: &str| {
            values.get(name) == Some(&PropertyValue::Bool(true))
        };
        let names = properties.keys();
        names
            .filter(|name| on(&properties, name) && !on(&safe, name))
            .cloned()
            .collect()
    });
    // Only the full expansion of s390x tells what it consists of that is going away.
    let deprecated_properties = full
        .or(migratable)
        .and_then(|model| model.deprecated_props)
        .unwrap_or_default();
    Some(HostModel {
        name: found.model.name,
        properties,
        unmigratable,
        deprecated_properties,
    })
}

fn property_values(model: &ExpandedModel) -> BTreeMap<String, PropertyValue> {
    let Some(props) = &model.model.props else {
        return BTreeMap::new();
    };
    let raw: BTreeMap<String, &RawValue> = serde_json::from_str(props.get()).unwrap_or_default();
    raw.into_iter()
        .filter_map(|(name, value)| Some((name, serde_json::from_str(value.get()).ok()?)))
        .collect()
}

fn hyperv(answers: &Answers, accelerator: Accelerator) -> Vec<String> {
    let Some(model) = answers.get(&expansion(Expansion::Full, accelerator, Some(HYPERV))) else {
        return Vec::new();
    };
    property_values(&model)
        .into_iter()
        .filter(|(_, value)| *value == PropertyValue::Bool(true))
        .filter_map(|(name, _)| name.strip_prefix("hv-").map(ToOwned::to_owned))
        .filter(|name| name != "passthrough")
        .collect()
}

fn gic(answers: &Answers) -> Vec<Gic> {
    let all = answers.get(&QueryGicCapabilities {}).unwrap_or_default();
    all.into_iter()
        .map(|gic| Gic {
            version: gic.version,
            emulated: gic.emulated,
            kernel: gic.kernel,
        })
        .collect()
}

fn sgx(answers: &Answers) -> Option<Sgx> {
    let sgx = answers
        .get(&QuerySgxCapabilities {})
        .filter(|sgx| sgx.sgx)?;
    let sections: Vec<(i64, u64)> = sgx.sections.iter().map(|s| (s.node, s.size)).collect();
    let sum = sections
        .iter()
        .fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
    Some(Sgx {
        flc: sgx.flc,
        sgx1: sgx.sgx1,
        sgx2: sgx.sgx2,
        section_size: sgx.section_size.unwrap_or(sum),
        sections,
    })
}
