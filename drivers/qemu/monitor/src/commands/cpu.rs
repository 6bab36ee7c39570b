//! Virtual CPUs and CPU models.

use serde_json::value::RawValue;

use crate::command::{commands, words};

use super::replies;

words! {
    /// How a CPU model is expanded.
    Expansion {
        /// To a static base model and the difference.
        Static = "static",
        /// To all features.
        Full = "full",
    }

    /// How two CPU models relate.
    Comparison {
        /// Neither holds the other.
        Incompatible = "incompatible",
        /// They are the same.
        Identical = "identical",
        /// The first holds the second.
        Superset = "superset",
        /// The second holds the first.
        Subset = "subset",
    }
}

commands! {
    /// The virtual CPUs.
    QueryCpusFast = "query-cpus-fast" -> Vec<Cpu>;
    /// The virtual CPUs that are, or can be plugged in.
    QueryHotpluggableCpus = "query-hotpluggable-cpus" -> Vec<HotpluggableCpu>;
    /// The CPU models.
    QueryCpuDefinitions = "query-cpu-definitions" -> Vec<CpuDefinition>;
    /// What a CPU model comes to.
    QueryCpuModelExpansion(
        /// How far.
        #[serde(rename = "type")]
        expansion: Expansion,
        /// The model.
        model: CpuModel,
    ) = "query-cpu-model-expansion" -> ExpandedModel;
    /// A model that all of the given ones can run (s390x).
    QueryCpuModelBaseline(
        /// First model.
        modela: CpuModel,
        /// Second model.
        modelb: CpuModel,
    ) = "query-cpu-model-baseline" -> ExpandedModel;
    /// How two models relate (s390x).
    QueryCpuModelComparison(
        /// First model.
        modela: CpuModel,
        /// Second model.
        modelb: CpuModel,
    ) = "query-cpu-model-comparison" -> ComparedModels;
}

/// A CPU model with properties: a name, and a JSON object of features.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct CpuModel {
    /// QEMU's name for it.
    pub name: String,
    /// Properties as a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub props: Option<Box<RawValue>>,
}

impl PartialEq for CpuModel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.props.as_deref().map(RawValue::get) == other.props.as_deref().map(RawValue::get)
    }
}

replies! {
    /// A virtual CPU.
    Cpu {
        /// Its number.
        cpu_index: u32,
        /// Its QOM path.
        qom_path: String,
        /// The kernel's thread id.
        thread_id: i64,
        /// Where it is in the topology.
        #[serde(default)]
        props: CpuProps,
        /// Its state (s390x).
        cpu_state: Option<String>,
    }
    /// A virtual CPU that is, or can be plugged in.
    HotpluggableCpu {
        /// Type for `device_add`.
        #[serde(rename = "type")]
        kind: String,
        /// How many virtual CPUs it brings.
        vcpus_count: u32,
        /// Properties for `device_add`.
        props: CpuProps,
        /// Its QOM path, if it is plugged in.
        qom_path: Option<String>,
    }
    /// A CPU model.
    CpuDefinition {
        /// Name for `-cpu`.
        name: String,
        /// QOM type.
        #[serde(default)]
        typename: String,
        /// Whether it means the same on every host, forever.
        #[serde(rename = "static", default)]
        is_static: bool,
        /// Whether a guest with it can be migrated safely.
        migration_safe: Option<bool>,
        /// What keeps it from running here; `None` if QEMU does not tell.
        unavailable_features: Option<Vec<String>>,
        /// The model that it stands for.
        alias_of: Option<String>,
        /// Whether QEMU is going to drop it.
        #[serde(default)]
        deprecated: bool,
        /// Which of its features should be turned off (s390x).
        deprecated_props: Option<Vec<String>>,
    }
    /// A model after expansion, or a common base.
    ExpandedModel {
        /// The model.
        model: CpuModel,
        /// Which of its features should be turned off.
        deprecated_props: Option<Vec<String>>,
    }
    /// How two models relate.
    ComparedModels {
        /// The result.
        result: Comparison,
        /// What differs.
        #[serde(default)]
        responsible_properties: Vec<String>,
    }
}

/// Where a virtual CPU is; only what the machine has is set.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case", default)]
pub struct CpuProps {
    /// NUMA node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<i64>,
    /// Drawer (s390x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawer_id: Option<i64>,
    /// Book (s390x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub book_id: Option<i64>,
    /// Socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket_id: Option<i64>,
    /// Die within the socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub die_id: Option<i64>,
    /// Cluster within the die.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<i64>,
    /// Module within the die.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<i64>,
    /// Core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_id: Option<i64>,
    /// Thread within the core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<i64>,
}
