//! The flags that the driver knows, call by call.

use virtbus_api::flags::KnownFlags;

/// The table. What stands here is obeyed, or is so in any case.
pub(crate) const FLAGS: &[KnownFlags] = virtbus_api::known_flags! {
    ConnectGetAllDomainStats, DomainGetState: DomainStatsFlags = NOWAIT | ENFORCE;
    DomainCoreDumpWithFormat: DomainCoreDumpFlags = CRASH | LIVE | RESET | MEMORY_ONLY;
    DomainCreate, DomainCreateWithFlags: DomainCreateFlags = PAUSED | AUTODESTROY | FORCE_BOOT;
    DomainCreateXml: DomainCreateFlags = PAUSED | AUTODESTROY | VALIDATE;
    DomainDefineXmlFlags: DomainDefineFlags = VALIDATE;
    DomainDestroy, DomainDestroyFlags: DomainDestroyFlags = GRACEFUL | REMOVE_LOGS;
    DomainGetJobStats: DomainGetJobStatsFlags = COMPLETED | KEEP_COMPLETED;
    DomainGetVcpusFlags: DomainVcpuFlags = LIVE | CONFIG | MAXIMUM;
    DomainGetXmlDesc: DomainXmlFlags = SECURE | INACTIVE | MIGRATABLE;
    DomainManagedSave, DomainSaveFlags, DomainRestoreFlags, DomainManagedSaveDefineXml, DomainSaveImageDefineXml:
        DomainSaveRestoreFlags = RUNNING | PAUSED;
    DomainManagedSaveGetXmlDesc, DomainSaveImageGetXmlDesc: DomainSaveImageXmlFlags = SECURE;
    DomainReboot: DomainRebootFlags = ACPI_POWER_BTN | GUEST_AGENT;
    DomainShutdownFlags: DomainShutdownFlags = ACPI_POWER_BTN | GUEST_AGENT;
    DomainUndefine, DomainUndefineFlags:
        DomainUndefineFlags = MANAGED_SAVE | SNAPSHOTS_METADATA | NVRAM | KEEP_NVRAM | CHECKPOINTS_METADATA | TPM | KEEP_TPM;
};
