//! The flags of domain calls, with libvirt's values.
//!
//! A call takes its flags as a number from the wire and [`check`]s them against what it knows, so an unknown flag is an
//! error and never silently ignored.

use bitflags::{Flags, bitflags};

use crate::{Error, Result};

bitflags! {
    /// How a domain is started (`virDomainCreateFlags`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainCreateFlags: u32 {
        /// Leave its virtual CPUs halted.
        const PAUSED = 1;
        /// Destroy it when the client that started it goes away.
        const AUTODESTROY = 2;
        /// Do not let a saved image pass through the host's page cache.
        const BYPASS_CACHE = 4;
        /// Boot anew even if there is a managed save image.
        const FORCE_BOOT = 8;
        /// Refuse a definition that the schema does not allow.
        const VALIDATE = 16;
        /// Make the NVRAM store anew from its template.
        const RESET_NVRAM = 32;
    }

    /// What a domain's XML shows (`virDomainXMLFlags`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainXmlFlags: u32 {
        /// Secrets too.
        const SECURE = 1;
        /// The definition for the next start, not the running one.
        const INACTIVE = 2;
        /// The guest's CPU with all that the host's CPU brings.
        const UPDATE_CPU = 4;
        /// Fit for another host.
        const MIGRATABLE = 8;
    }

    /// How a definition is taken (`virDomainDefineFlags`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainDefineFlags: u32 {
        /// Refuse a definition that the schema does not allow.
        const VALIDATE = 1;
    }

    /// What goes with a definition that is taken away (`virDomainUndefineFlagsValues`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainUndefineFlags: u32 {
        /// The managed save image.
        const MANAGED_SAVE = 1;
        /// What is known of its snapshots.
        const SNAPSHOTS_METADATA = 2;
        /// The NVRAM store.
        const NVRAM = 4;
        /// Not the NVRAM store.
        const KEEP_NVRAM = 8;
        /// What is known of its checkpoints.
        const CHECKPOINTS_METADATA = 16;
        /// The TPM's state.
        const TPM = 32;
        /// Not the TPM's state.
        const KEEP_TPM = 64;
    }

    /// How a domain is ended (`virDomainDestroyFlagsValues`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainDestroyFlags: u32 {
        /// Only ask the hypervisor's process to end; fail if it does not.
        const GRACEFUL = 1;
        /// Remove its log files.
        const REMOVE_LOGS = 2;
    }

    /// How a guest is asked to shut down (`virDomainShutdownFlagValues`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainShutdownFlags: u32 {
        /// By the ACPI power button.
        const ACPI_POWER_BTN = 1;
        /// By the guest agent.
        const GUEST_AGENT = 2;
        /// By init's control pipe (containers).
        const INITCTL = 4;
        /// By a signal to init (containers).
        const SIGNAL = 8;
        /// By the hypervisor's own interface (Xen).
        const PARAVIRT = 16;
    }

    /// How a guest is asked to reboot (`virDomainRebootFlagValues`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainRebootFlags: u32 {
        /// By the ACPI power button, followed by a reset.
        const ACPI_POWER_BTN = 1;
        /// By the guest agent.
        const GUEST_AGENT = 2;
        /// By init's control pipe (containers).
        const INITCTL = 4;
        /// By a signal to init (containers).
        const SIGNAL = 8;
        /// By the hypervisor's own interface (Xen).
        const PARAVIRT = 16;
    }

    /// Which domains a list has (`virConnectListAllDomainsFlags`).
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct ListAllDomainsFlags: u32 {
        /// Those that run or are paused.
        const ACTIVE = 1;
        /// Those that are off.
        const INACTIVE = 2;
        /// Those whose definition outlives their run.
        const PERSISTENT = 4;
        /// Those that vanish when they stop.
        const TRANSIENT = 8;
        /// Those in the state *running*.
        const RUNNING = 16;
        /// Those in the state *paused*.
        const PAUSED = 32;
        /// Those in the state *shut off*.
        const SHUTOFF = 64;
        /// Those in any other state.
        const OTHER = 128;
        /// Those with a managed save image.
        const MANAGEDSAVE = 256;
        /// Those without a managed save image.
        const NO_MANAGEDSAVE = 512;
        /// Those started with the host.
        const AUTOSTART = 1024;
        /// Those not started with the host.
        const NO_AUTOSTART = 2048;
        /// Those with snapshots.
        const HAS_SNAPSHOT = 4096;
        /// Those without snapshots.
        const NO_SNAPSHOT = 8192;
        /// Those with checkpoints.
        const HAS_CHECKPOINT = 16384;
        /// Those without checkpoints.
        const NO_CHECKPOINT = 32768;
    }

    /// Groups of statistics (`virDomainStatsTypes`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainStatsTypes: u32 {
        /// What the domain is doing.
        const STATE = 1;
        /// Processor time.
        const CPU_TOTAL = 2;
        /// Memory.
        const BALLOON = 4;
        /// Each virtual CPU.
        const VCPU = 8;
        /// Each network interface.
        const INTERFACE = 16;
        /// Each disk.
        const BLOCK = 32;
        /// Performance counters.
        const PERF = 64;
        /// Each I/O thread.
        const IOTHREAD = 128;
        /// Memory bandwidth.
        const MEMORY = 256;
        /// How fast memory is written to.
        const DIRTYRATE = 512;
        /// What the hypervisor itself counts.
        const VM = 1024;
    }

    /// Which domains' statistics, and how (`virConnectGetAllDomainStatsFlags`). The low bits are those of
    /// [`ListAllDomainsFlags`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainStatsFlags: u32 {
        /// Those that run or are paused.
        const ACTIVE = 1;
        /// Those that are off.
        const INACTIVE = 2;
        /// Those whose definition outlives their run.
        const PERSISTENT = 4;
        /// Those that vanish when they stop.
        const TRANSIENT = 8;
        /// Those in the state *running*.
        const RUNNING = 16;
        /// Those in the state *paused*.
        const PAUSED = 32;
        /// Those in the state *shut off*.
        const SHUTOFF = 64;
        /// Those in any other state.
        const OTHER = 128;
        /// Do not wait for a guest that is busy.
        const NOWAIT = 0x2000_0000;
        /// Each image of a disk's chain, not only the top.
        const BACKING = 0x4000_0000;
        /// Fail if a group that is asked for cannot be had.
        const ENFORCE = 0x8000_0000;
    }

    /// Which of a domain's definitions a change is for (`virDomainModificationImpact`); none of them: the one that counts now.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DomainModificationImpact: u32 {
        /// The running one.
        const LIVE = 1;
        /// The one for the next start.
        const CONFIG = 2;
    }
}

/// Flags that a call has looked at.
pub trait Checked: Flags<Bits = u32> {}

impl<F: Flags<Bits = u32>> Checked for F {}

/// The number from the wire as flags of the call.
///
/// # Errors
/// `InvalidArg`, with the bits that the call does not know.
pub fn check<F: Checked>(bits: u32, call: &str) -> Result<F> {
    F::from_bits(bits).ok_or_else(|| {
        let unknown = bits & !F::all().bits();
        Error::invalid_argument(format!("{call} does not know the flags {unknown:#x}"))
    })
}
