//! What an emulator binary can do.
//!
//! [`Emulators`] finds binaries; [`CapabilitiesStore`] gives the [`Capabilities`] of one, from
//! memory, from disk, or by starting it and asking; [`kvm`] finds out whether guests really run
//! under KVM. What a guest needs, what is offered to callers as XML, and which capability a
//! domain definition requires are decided elsewhere.

mod answers;
mod arch;
mod cache;
mod cap;
mod declare;
mod distill;
mod emulators;
mod kvm;
mod looks;
mod model;
mod probe;
mod programs;
#[cfg(test)]
mod replay_tests;
mod rule;
mod schema;
mod store;
mod table;
mod user;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use answers::Answers;
pub use arch::host as host_arch;
pub use cap::CapSet;
pub use distill::DistillError;
pub use emulators::Emulators;
pub use kvm::{KvmProblem, KvmUsability};
pub use model::{Accelerated, CpuModel, Gic, HostModel, Machine, PropertyValue, Sev, Sgx, Version};
pub use probe::{ProbeError, ProbeFailure, ProbeOptions};
pub use programs::{ProgramError, Programs};
pub use store::CapabilitiesStore;
pub use table::Cap;
pub use user::GuestUser;

/// What one emulator binary can do on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The binary.
    pub binary: PathBuf,
    /// Its version.
    pub version: Version,
    /// What the distribution calls it; may be empty.
    pub package: String,
    /// libvirt's name of the architecture that it emulates.
    pub arch: String,
    /// QEMU's name of it.
    pub target: String,
    /// Single capabilities.
    pub caps: CapSet,
    /// Under KVM; `None` if KVM is not built in or not there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kvm: Option<Accelerated>,
    /// By emulation; `None` if that is not built in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tcg: Option<Accelerated>,
    /// Interrupt controllers (Arm).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gic: Vec<Gic>,
    /// AMD's encrypted guests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sev: Option<Sev>,
    /// Intel's enclaves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sgx: Option<Sgx>,
    /// QOM types that devices and objects are made of, sorted.
    pub devices: Vec<String>,
    /// QMP commands, sorted.
    pub commands: Vec<String>,
    /// QMP events, sorted.
    pub events: Vec<String>,
    /// Front ends for trusted platform modules.
    pub tpm_models: Vec<String>,
    /// Back ends for trusted platform modules.
    pub tpm_types: Vec<String>,
}

impl Capabilities {
    /// Understands a recorded conversation with an emulator. `answers` are those of one that took
    /// the best accelerator it could get; `tcg` those of a second that had to emulate, if the
    /// first took KVM.
    ///
    /// # Errors
    /// If what every QEMU answers is not there.
    pub fn from_answers(
        binary: PathBuf,
        answers: &Answers,
        tcg: Option<&Answers>,
    ) -> Result<Self, DistillError> {
        distill::distill(binary, answers, tcg)
    }

    /// Whether it has a capability.
    pub fn has(&self, cap: Cap) -> bool {
        self.caps.has(cap)
    }

    /// Whether a QOM type exists that a device or object can be made of.
    pub fn has_device(&self, name: &str) -> bool {
        has(&self.devices, name)
    }

    /// Whether a QMP command exists.
    pub fn has_command(&self, name: &str) -> bool {
        has(&self.commands, name)
    }

    /// Whether a QMP event exists.
    pub fn has_event(&self, name: &str) -> bool {
        has(&self.events, name)
    }

    /// What it can do under KVM or by emulation.
    pub fn accelerated(&self, kvm: bool) -> Option<&Accelerated> {
        if kvm {
            self.kvm.as_ref()
        } else {
            self.tcg.as_ref()
        }
    }

    /// What it can do with the best accelerator that it has.
    pub fn best(&self) -> Option<&Accelerated> {
        self.kvm.as_ref().or(self.tcg.as_ref())
    }

    /// Finds a machine type by its name or alias, whatever the accelerator.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        let both = [self.kvm.as_ref(), self.tcg.as_ref()];
        both.into_iter().flatten().find_map(|a| a.machine(name))
    }
}

fn has(sorted: &[String], name: &str) -> bool {
    sorted
        .binary_search_by(|found| found.as_str().cmp(name))
        .is_ok()
}
