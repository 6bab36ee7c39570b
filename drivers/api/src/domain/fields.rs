//! Which of the typed parameters about domains are numbers of sets.

use super::{DomainJobOperation, DomainStateKind};
use crate::declare::{fields, numbered};

numbered! {
    /// What a virtual CPU is doing.
    VcpuState: virVcpuState, VIR_VCPU_ {
        /// It is offline.
        Offline = 0,
        /// It runs.
        Running = 1,
        /// It waits for a resource.
        Blocked = 2,
    }

    /// How memory is taken from the NUMA cells that are named.
    NumaMode: virDomainNumatuneMemMode, VIR_DOMAIN_NUMATUNE_MEM_ {
        /// Only from these.
        Strict = 0,
        /// From these, and from others if these have none left.
        Preferred = 1,
        /// From these in turn.
        Interleave = 2,
        /// As the host's kernel decides among these; they can be changed while the guest runs.
        Restrictive = 3,
    }
}

fields! {
    /// Those of statistics.
    StatisticsFields {
        "state.state" is DomainStateKind;
        "state.reason" details DomainStateKind;
        "vcpu.N.state" is VcpuState;
    }

    /// Those of a long job's statistics.
    JobFields {
        "operation" is DomainJobOperation;
    }

    /// Those of where memory is taken from.
    NumaFields {
        "numa_mode" is NumaMode;
    }
}
