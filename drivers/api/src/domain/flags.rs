//! The flags of domain calls, with libvirt's values.
//!
//! A call takes its flags as a number from the wire and [`check`]s them against what it knows, so an unknown flag is an
//! error and never silently ignored.

use bitflags::Flags;

use crate::declare::flags;
use crate::{Error, Result};

flags! {
    /// How a domain is started.
    DomainCreateFlags: virDomainCreateFlags, VIR_DOMAIN_START_ {
        /// Leave its virtual CPUs halted.
        PAUSED = 1;
        /// Destroy it when the client that started it leaves the bus; also one that leaves while no daemon runs, as soon as the next one does.
        AUTODESTROY = 2;
        /// Do not let a saved image pass through the host's page cache.
        BYPASS_CACHE = 4;
        /// Boot anew even if there is a managed save image.
        FORCE_BOOT = 8;
        /// Refuse a definition that the schema does not allow.
        VALIDATE = 16;
        /// Make the NVRAM store anew from its template.
        RESET_NVRAM = 32;
    }

    /// What a domain's XML shows.
    DomainXmlFlags: virDomainXMLFlags, VIR_DOMAIN_XML_ {
        /// Secrets too.
        SECURE = 1;
        /// The definition for the next start, not the running one.
        INACTIVE = 2;
        /// The guest's CPU with all that the host's CPU brings.
        UPDATE_CPU = 4;
        /// Fit for another host.
        MIGRATABLE = 8;
    }

    /// How a definition is taken.
    DomainDefineFlags: virDomainDefineFlags, VIR_DOMAIN_DEFINE_ {
        /// Refuse a definition that the schema does not allow.
        VALIDATE = 1;
    }

    /// What is removed together with a definition, or kept.
    DomainUndefineFlags: virDomainUndefineFlagsValues, VIR_DOMAIN_UNDEFINE_ {
        /// Remove the managed save image; without this, a domain that has one is kept.
        MANAGED_SAVE = 1;
        /// Forget its snapshots.
        SNAPSHOTS_METADATA = 2;
        /// Remove the NVRAM store.
        NVRAM = 4;
        /// Keep the NVRAM store.
        KEEP_NVRAM = 8;
        /// Forget its checkpoints.
        CHECKPOINTS_METADATA = 16;
        /// Remove the TPM's state.
        TPM = 32;
        /// Keep the TPM's state.
        KEEP_TPM = 64;
    }

    /// How a domain is ended.
    DomainDestroyFlags: virDomainDestroyFlagsValues, VIR_DOMAIN_DESTROY_ {
        /// Only ask the hypervisor's process to end; fail if it does not.
        GRACEFUL = 1;
        /// Remove its log files.
        REMOVE_LOGS = 2;
    }

    /// How a guest is asked to shut down.
    DomainShutdownFlags: virDomainShutdownFlagValues, VIR_DOMAIN_SHUTDOWN_ {
        /// By the ACPI power button.
        ACPI_POWER_BTN = 1;
        /// By the guest agent.
        GUEST_AGENT = 2;
        /// By init's control pipe (containers).
        INITCTL = 4;
        /// By a signal to init (containers).
        SIGNAL = 8;
        /// By the hypervisor's own interface (Xen).
        PARAVIRT = 16;
    }

    /// How a guest is asked to reboot.
    DomainRebootFlags: virDomainRebootFlagValues, VIR_DOMAIN_REBOOT_ {
        /// By the ACPI power button, followed by a reset.
        ACPI_POWER_BTN = 1;
        /// By the guest agent.
        GUEST_AGENT = 2;
        /// By init's control pipe (containers).
        INITCTL = 4;
        /// By a signal to init (containers).
        SIGNAL = 8;
        /// By the hypervisor's own interface (Xen).
        PARAVIRT = 16;
    }

    /// Which domains a list has.
    ListAllDomainsFlags: virConnectListAllDomainsFlags, VIR_CONNECT_LIST_DOMAINS_ {
        /// Those that run or are paused.
        ACTIVE = 1;
        /// Those that are off.
        INACTIVE = 2;
        /// Those whose definition outlives their run.
        PERSISTENT = 4;
        /// Those that vanish when they stop.
        TRANSIENT = 8;
        /// Those in the state running.
        RUNNING = 16;
        /// Those in the state paused.
        PAUSED = 32;
        /// Those in the state shut off.
        SHUTOFF = 64;
        /// Those in any other state.
        OTHER = 128;
        /// Those with a managed save image.
        MANAGEDSAVE = 256;
        /// Those without a managed save image.
        NO_MANAGEDSAVE = 512;
        /// Those started with the host.
        AUTOSTART = 1024;
        /// Those not started with the host.
        NO_AUTOSTART = 2048;
        /// Those with snapshots.
        HAS_SNAPSHOT = 4096;
        /// Those without snapshots.
        NO_SNAPSHOT = 8192;
        /// Those with checkpoints.
        HAS_CHECKPOINT = 16384;
        /// Those without checkpoints.
        NO_CHECKPOINT = 32768;
    }

    /// Groups of statistics.
    DomainStatsTypes: virDomainStatsTypes, VIR_DOMAIN_STATS_ {
        /// What the domain is doing.
        STATE = 1;
        /// Processor time.
        CPU_TOTAL = 2;
        /// Memory.
        BALLOON = 4;
        /// Each virtual CPU.
        VCPU = 8;
        /// Each network interface.
        INTERFACE = 16;
        /// Each disk.
        BLOCK = 32;
        /// Performance counters.
        PERF = 64;
        /// Each I/O thread.
        IOTHREAD = 128;
        /// Memory bandwidth.
        MEMORY = 256;
        /// How fast memory is written to.
        DIRTYRATE = 512;
        /// What the hypervisor itself counts.
        VM = 1024;
    }

    /// Which domains' statistics, and how.
    DomainStatsFlags: virConnectGetAllDomainStatsFlags, VIR_CONNECT_GET_ALL_DOMAINS_STATS_ {
        /// Those that run or are paused.
        ACTIVE = 1;
        /// Those that are off.
        INACTIVE = 2;
        /// Those whose definition outlives their run.
        PERSISTENT = 4;
        /// Those that vanish when they stop.
        TRANSIENT = 8;
        /// Those in the state running.
        RUNNING = 16;
        /// Those in the state paused.
        PAUSED = 32;
        /// Those in the state shut off.
        SHUTOFF = 64;
        /// Those in any other state.
        OTHER = 128;
        /// Do not wait for a guest that is busy.
        NOWAIT = 0x2000_0000;
        /// Each image of a disk's chain, not only the top.
        BACKING = 0x4000_0000;
        /// Fail if a group that is asked for cannot be had.
        ENFORCE as VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS = 0x8000_0000;
    }

    /// Which of a domain's definitions is meant; 0: the running one while it runs, else the stored one.
    DomainModificationImpact: virDomainModificationImpact, VIR_DOMAIN_AFFECT_ {
        /// The running one.
        LIVE = 1;
        /// The one for the next start.
        CONFIG = 2;
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
        Error::invalid_argument(format!("unsupported flags {unknown:#x} for {call}"))
    })
}

/// The number from the wire as flags, with those that the call does not know.
#[must_use]
pub fn retain<F: Checked>(bits: u32) -> F {
    F::from_bits_retain(bits)
}
