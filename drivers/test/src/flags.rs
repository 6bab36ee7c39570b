//! The flags that the driver knows, call by call.

use virtbus_api::flags::KnownFlags;

/// The table. What stands here is obeyed, or is so in any case: a guest that is only simulated ends gracefully, and its snapshots are atomic.
pub(crate) const FLAGS: &[KnownFlags] = virtbus_api::known_flags! {
    ConnectBaselineCpu: BaselineCpuFlags = EXPAND_FEATURES | MIGRATABLE;
    ConnectGetAllDomainStats, DomainGetState: DomainStatsFlags = NOWAIT | ENFORCE;
    DomainAttachDeviceFlags, DomainDetachDeviceFlags, DomainDetachDeviceAlias, DomainUpdateDeviceFlags:
        DomainDeviceModifyFlags = LIVE | CONFIG | FORCE;
    DomainAddIothread, DomainDelIothread, DomainSetIothreadParams, DomainGetIothreadInfo, DomainPinIothread,
    DomainPinVcpuFlags, DomainGetVcpuPinInfo, DomainPinEmulator, DomainGetEmulatorPinInfo, DomainSetVcpu,
    DomainGetSchedulerParametersFlags, DomainSetSchedulerParametersFlags,
    DomainGetMemoryParameters, DomainSetMemoryParameters, DomainSetMemoryStatsPeriod,
    DomainGetBlkioParameters, DomainSetBlkioParameters, DomainGetBlockIoTune, DomainSetBlockIoTune,
    DomainGetNumaParameters, DomainSetNumaParameters, DomainGetInterfaceParameters, DomainSetInterfaceParameters,
    DomainGetPerfEvents, DomainSetPerfEvents, DomainGetMetadata, DomainSetMetadata, DomainSetLifecycleAction:
        DomainModificationImpact = LIVE | CONFIG;
    DomainCheckpointCreateXml: CheckpointCreateFlags = REDEFINE | REDEFINE_VALIDATE;
    DomainCheckpointDelete, DomainSnapshotDelete: MomentDeleteFlags = CHILDREN | CHILDREN_ONLY;
    DomainCheckpointGetXmlDesc: CheckpointXmlFlags = SECURE | NO_DOMAIN | SIZE;
    DomainCoreDumpWithFormat: DomainCoreDumpFlags = CRASH | LIVE | RESET;
    DomainCreate, DomainCreateWithFlags, DomainCreateWithFiles: DomainCreateFlags = PAUSED | FORCE_BOOT;
    DomainCreateXml, DomainCreateXmlWithFiles: DomainCreateFlags = PAUSED | VALIDATE;
    DomainDefineXmlFlags: DomainDefineFlags = VALIDATE;
    DomainDestroy, DomainDestroyFlags: DomainDestroyFlags = GRACEFUL;
    DomainGetHostname: DomainGetHostnameFlags = AGENT;
    DomainGetVcpusFlags, DomainSetVcpusFlags: DomainVcpuFlags = LIVE | CONFIG | MAXIMUM;
    DomainGetXmlDesc: DomainXmlFlags = SECURE | INACTIVE | UPDATE_CPU | MIGRATABLE;
    DomainManagedSave, DomainSaveFlags, DomainRestoreFlags, DomainManagedSaveDefineXml, DomainSaveImageDefineXml:
        DomainSaveRestoreFlags = RUNNING | PAUSED;
    DomainManagedSaveGetXmlDesc, DomainSaveImageGetXmlDesc: DomainSaveImageXmlFlags = SECURE;
    DomainMemoryPeek: DomainMemoryPeekFlags = VIRTUAL | PHYSICAL;
    DomainReboot: DomainRebootFlags = ACPI_POWER_BTN | GUEST_AGENT | INITCTL | SIGNAL | PARAVIRT;
    DomainRevertToSnapshot: SnapshotRevertFlags = RUNNING | PAUSED | FORCE;
    DomainSetMemoryFlags: DomainMemoryFlags = LIVE | CONFIG | MAXIMUM;
    DomainSetTime: DomainSetTimeFlags = SYNC;
    DomainSetUserPassword: DomainSetUserPasswordFlags = ENCRYPTED;
    DomainSnapshotCreateXml: SnapshotCreateFlags = REDEFINE | CURRENT | HALT | DISK_ONLY | ATOMIC | VALIDATE;
    DomainSnapshotGetXmlDesc: SnapshotXmlFlags = SECURE;
    DomainUndefine, DomainUndefineFlags:
        DomainUndefineFlags = MANAGED_SAVE | SNAPSHOTS_METADATA | NVRAM | KEEP_NVRAM | CHECKPOINTS_METADATA | TPM | KEEP_TPM;
    InterfaceDefineXml: InterfaceDefineFlags = VALIDATE;
    NetworkCreateXmlFlags, NetworkDefineXmlFlags: NetworkDefineFlags = VALIDATE;
    NetworkGetMetadata, NetworkSetMetadata, NetworkUpdate: DomainModificationImpact = LIVE | CONFIG;
    NetworkGetXmlDesc: NetworkXmlFlags = INACTIVE;
    NodeDeviceCreateXml: NodeDeviceDefineFlags = VALIDATE;
    NodeDeviceGetXmlDesc: NodeDeviceXmlFlags = INACTIVE;
    StoragePoolBuild: StoragePoolBuildFlags = OVERWRITE | NO_OVERWRITE;
    StoragePoolDefineXml: StoragePoolDefineFlags = VALIDATE;
    StoragePoolGetXmlDesc: StorageXmlFlags = INACTIVE;
    StorageVolCreateXml, StorageVolCreateXmlFrom: StorageVolCreateFlags = VALIDATE;
    StorageVolDownload, StorageVolUpload: StorageVolTransferFlags = SPARSE_STREAM;
    StorageVolGetInfoFlags: StorageVolInfoFlags = GET_PHYSICAL;
};
