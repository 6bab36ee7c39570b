//! Tuning domains: processors, memory, scheduling, disks and interfaces.

use super::{DomainId, DomainModificationImpact};
use crate::declare::{flags, group, numbered};
use crate::typed::TypedParameters;

/// Which of the host's processors, by number.
pub type CpuMap = Vec<bool>;

/// An I/O thread, and where it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoThreadInfo {
    /// Its number, from 1 on.
    pub id: u32,
    /// The processors that it may run on.
    pub cpus: CpuMap,
}

flags! {
    /// Which virtual CPUs are meant; 0: those of the running domain while it runs, else those of the definition.
    DomainVcpuFlags: virDomainVcpuFlags, VIR_DOMAIN_VCPU_ {
        /// Of the running domain.
        LIVE = 1;
        /// Of the definition.
        CONFIG = 2;
        /// The most that there may be.
        MAXIMUM = 4;
        /// By the guest agent.
        GUEST = 8;
        /// They can be unplugged again.
        HOTPLUGGABLE = 16;
    }

    /// Which memory is meant; 0: that of the running domain while it runs, else that of the definition.
    DomainMemoryFlags: virDomainMemoryModFlags, VIR_DOMAIN_MEM_ {
        /// Of the running domain.
        LIVE = 1;
        /// Of the definition.
        CONFIG = 2;
        /// The most that there may be.
        MAXIMUM = 4;
    }

    /// Where a device is changed; 0: in the running domain while it runs, else in the definition.
    DomainDeviceModifyFlags: virDomainDeviceModifyFlags, VIR_DOMAIN_DEVICE_MODIFY_ {
        /// In the running domain.
        LIVE = 1;
        /// In the definition.
        CONFIG = 2;
        /// Even if the guest does not agree.
        FORCE = 4;
    }
}

impl DomainVcpuFlags {
    /// Which definition they are about.
    #[must_use]
    pub const fn impact(self) -> DomainModificationImpact {
        DomainModificationImpact::from_bits_truncate(self.bits())
    }
}

impl DomainMemoryFlags {
    /// Which definition they are about.
    #[must_use]
    pub const fn impact(self) -> DomainModificationImpact {
        DomainModificationImpact::from_bits_truncate(self.bits())
    }
}

impl DomainDeviceModifyFlags {
    /// Which definition they are about.
    #[must_use]
    pub const fn impact(self) -> DomainModificationImpact {
        DomainModificationImpact::from_bits_truncate(self.bits())
    }
}

numbered! {
    /// What a guest does that its definition answers.
    DomainLifecycleEvent: virDomainLifecycle, VIR_DOMAIN_LIFECYCLE_ {
        /// It powered itself off.
        Poweroff = 0,
        /// It rebooted.
        Reboot = 1,
        /// It crashed.
        Crash = 2,
    }

    /// How that is answered.
    DomainLifecycleAction: virDomainLifecycleAction, VIR_DOMAIN_LIFECYCLE_ACTION_ {
        /// End the domain.
        Destroy = 0,
        /// Start it again.
        Restart = 1,
        /// Start it again under another name.
        RestartRename = 2,
        /// Keep it as it is.
        Preserve = 3,
        /// Dump it and end it.
        CoredumpDestroy = 4,
        /// Dump it and start it again.
        CoredumpRestart = 5,
    }
}

group! {
    /// Adding, removing and changing devices.
    DomainDevices {
        /// Adds a device.
        fn attach_device(domain: &DomainId, xml: &str, flags: DomainDeviceModifyFlags) -> (): DomainAttachDeviceFlags;
        /// Takes a device away, or asks the guest to let it go.
        fn detach_device(domain: &DomainId, xml: &str, flags: DomainDeviceModifyFlags) -> (): DomainDetachDeviceFlags;
        /// The same by alias.
        fn detach_device_alias(domain: &DomainId, alias: &str, flags: DomainDeviceModifyFlags) -> (): DomainDetachDeviceAlias;
        /// Changes a device, such as the medium in a drive.
        fn update_device(domain: &DomainId, xml: &str, flags: DomainDeviceModifyFlags) -> (): DomainUpdateDeviceFlags;
    }

    /// Tuning processors and threads.
    DomainVcpus {
        /// How many virtual CPUs.
        fn vcpus_flags(domain: &DomainId, flags: DomainVcpuFlags) -> u32: DomainGetVcpusFlags;
        /// Sets how many.
        fn set_vcpus(domain: &DomainId, vcpus: u32, flags: DomainVcpuFlags) -> (): DomainSetVcpusFlags;
        /// Plugs or unplugs those of `vcpus` (such as `1,3-4`).
        fn set_vcpu(domain: &DomainId, vcpus: &str, enabled: bool, impact: DomainModificationImpact) -> (): DomainSetVcpu;
        /// Where each virtual CPU may run.
        fn vcpu_pin_info(domain: &DomainId, impact: DomainModificationImpact) -> Vec<CpuMap>: DomainGetVcpuPinInfo;
        /// Pins one.
        fn pin_vcpu(domain: &DomainId, vcpu: u32, cpus: CpuMap, impact: DomainModificationImpact) -> (): DomainPinVcpuFlags;
        /// Where the hypervisor's own threads may run.
        fn emulator_pin_info(domain: &DomainId, impact: DomainModificationImpact) -> CpuMap: DomainGetEmulatorPinInfo;
        /// Pins them.
        fn pin_emulator(domain: &DomainId, cpus: CpuMap, impact: DomainModificationImpact) -> (): DomainPinEmulator;
        /// The I/O threads.
        fn iothread_info(domain: &DomainId, impact: DomainModificationImpact) -> Vec<IoThreadInfo>: DomainGetIothreadInfo;
        /// Pins one.
        fn pin_iothread(domain: &DomainId, iothread: u32, cpus: CpuMap, impact: DomainModificationImpact) -> (): DomainPinIothread;
        /// Adds one.
        fn add_iothread(domain: &DomainId, iothread: u32, impact: DomainModificationImpact) -> (): DomainAddIothread;
        /// Takes one away.
        fn del_iothread(domain: &DomainId, iothread: u32, impact: DomainModificationImpact) -> (): DomainDelIothread;
        /// Tunes its polling.
        fn set_iothread_params(domain: &DomainId, iothread: u32, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetIothreadParams;
    }

    /// Tuning scheduling, memory, disks, interfaces.
    DomainTuning {
        /// Sets the memory, KiB.
        fn set_memory(domain: &DomainId, memory: u64, flags: DomainMemoryFlags) -> (): DomainSetMemoryFlags;
        /// How often memory statistics are collected, seconds; 0 never.
        fn set_memory_stats_period(domain: &DomainId, period: i32, impact: DomainModificationImpact) -> (): DomainSetMemoryStatsPeriod;
        /// Scheduling.
        fn scheduler_parameters(domain: &DomainId, impact: DomainModificationImpact) -> TypedParameters: DomainGetSchedulerParametersFlags;
        /// Sets scheduling.
        fn set_scheduler_parameters(domain: &DomainId, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetSchedulerParametersFlags;
        /// Limits of memory.
        fn memory_parameters(domain: &DomainId, impact: DomainModificationImpact) -> TypedParameters: DomainGetMemoryParameters;
        /// Sets limits of memory.
        fn set_memory_parameters(domain: &DomainId, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetMemoryParameters;
        /// Weights and limits of block devices of the host.
        fn blkio_parameters(domain: &DomainId, impact: DomainModificationImpact) -> TypedParameters: DomainGetBlkioParameters;
        /// Sets them.
        fn set_blkio_parameters(domain: &DomainId, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetBlkioParameters;
        /// Where memory is taken from.
        fn numa_parameters(domain: &DomainId, impact: DomainModificationImpact) -> TypedParameters: DomainGetNumaParameters;
        /// Sets it.
        fn set_numa_parameters(domain: &DomainId, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetNumaParameters;
        /// Limits of a disk.
        fn block_io_tune(domain: &DomainId, disk: &str, impact: DomainModificationImpact) -> TypedParameters: DomainGetBlockIoTune;
        /// Sets limits of a disk.
        fn set_block_io_tune(domain: &DomainId, disk: &str, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetBlockIoTune;
        /// Bandwidth of an interface.
        fn interface_parameters(domain: &DomainId, device: &str, impact: DomainModificationImpact) -> TypedParameters: DomainGetInterfaceParameters;
        /// Sets it.
        fn set_interface_parameters(domain: &DomainId, device: &str, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetInterfaceParameters;
        /// Which performance counters are on.
        fn perf_events(domain: &DomainId, impact: DomainModificationImpact) -> TypedParameters: DomainGetPerfEvents;
        /// Switches them.
        fn set_perf_events(domain: &DomainId, parameters: TypedParameters, impact: DomainModificationImpact) -> (): DomainSetPerfEvents;
        /// What happens when the guest powers off, reboots or crashes.
        fn set_lifecycle_action(domain: &DomainId, event: DomainLifecycleEvent, action: DomainLifecycleAction, impact: DomainModificationImpact) -> (): DomainSetLifecycleAction;
    }
}
