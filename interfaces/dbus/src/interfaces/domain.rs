//! `org.libvirt.Domain`: a virtual machine or container.

use std::os::fd::OwnedFd;
use virtbus_api::access::Call;
use virtbus_api::domain::{
    AgentReason, AgentState, BackupBeginFlags, BlockJobStatus, CheckpointCreateFlags,
    CheckpointListFlags, DiskChangeReason, DomainAbortJobFlags, DomainAuthorizedSshKeysSetFlags,
    DomainBlockCommitFlags, DomainBlockCopyFlags, DomainBlockJobAbortFlags,
    DomainBlockJobInfoFlags, DomainBlockJobSetSpeedFlags, DomainBlockJobType, DomainBlockPullFlags,
    DomainBlockRebaseFlags, DomainBlockResizeFlags, DomainChannelFlags, DomainConsoleFlags,
    DomainControlState, DomainCoreDumpFlags, DomainCoreDumpFormat, DomainCreateFlags,
    DomainDestroyFlags, DomainDeviceModifyFlags, DomainDiskErrorCode, DomainGetHostnameFlags,
    DomainGetJobStatsFlags, DomainGuestInfoTypes, DomainJobOperation, DomainJobType,
    DomainLifecycleAction, DomainLifecycleEvent, DomainMemoryFlags, DomainMemoryPeekFlags,
    DomainMemoryStatTag, DomainMessageTypes, DomainMigrateFlags, DomainMigrateMaxSpeedFlags,
    DomainModificationImpact, DomainOpenGraphicsFlags, DomainProcessSignal, DomainRebootFlags,
    DomainSaveImageXmlFlags, DomainSaveRestoreFlags, DomainSetTimeFlags,
    DomainSetUserPasswordFlags, DomainShutdownFlags, DomainStateKind, DomainStatsFlags,
    DomainStatsTypes, DomainUndefineFlags, DomainVcpuFlags, DomainView, DomainXmlFlags,
    GraphicsAddressFamily, GraphicsPhase, InterfaceAddressesSource, IoErrorAction, IpAddressFamily,
    JobFields, KeycodeSet, MetadataType, NumaFields, SnapshotCreateFlags, SnapshotListFlags,
    StatisticsFields, TrayChangeReason, WatchdogAction,
};

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, arguments};
use zbus::OwnedObjectPath;

use crate::declare::interface;
use crate::numbers::{Amount, AnyFlags, Detail, Flags, NoFlags, One, ParameterFlags};
use crate::paths::Paths;
use crate::quirks::{domain_id_property, optional};
use crate::value::{Dict, Given, Parameters};
use virtbus_api::domain::trees;

interface! {
    /// A domain: a virtual machine or container, running or defined.
    DOMAIN = "org.libvirt.Domain", view DomainView;
    methods {
        /// Ends the domain's job that is under way.
        write AbortJob() -> (): DomainAbortJob => |c| c.jobs()?.abort_job(c.id()?, DomainAbortJobFlags::empty()).await;
        /// Ends the domain's job that is under way.
        write AbortJobFlags(flags: Flags<DomainAbortJobFlags>) -> (): DomainAbortJobFlags => |c| c.jobs()?.abort_job(c.id()?, flags).await;
        /// Adds an I/O thread with this number.
        write AddIOThread(iothreadId: Amount<u32>, flags: Flags<DomainModificationImpact>) -> (): DomainAddIothread => |c| c.vcpus()?.add_iothread(c.id()?, iothreadId, flags).await;
        /// How long the guest agent's answers are waited for, in seconds: −2 for ever, −1 as set up, 0 not at all.
        write AgentSetResponseTimeout(timeout: Amount<i32>, flags: NoFlags) -> (): DomainAgentSetResponseTimeout => |c| {
            c.agent()?.agent_set_response_timeout(c.id()?, timeout).await
        };
        /// Adds a device.
        write AttachDevice(xml: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainAttachDeviceFlags => |c| c.devices()?.attach_device(c.id()?, &xml, flags).await;
        /// The SSH keys that may log in as this user, from the guest agent.
        read AuthorizedSSHKeysGet(user: String, flags: NoFlags) -> (keys: Vec<String>): DomainAuthorizedSshKeysGet => |c| {
            c.agent()?.authorized_ssh_keys(c.id()?, &user).await
        };
        /// Sets the SSH keys that may log in as this user, by the guest agent, or adds or takes away these.
        write AuthorizedSSHKeysSet(user: String, keys: Vec<String>, flags: Flags<DomainAuthorizedSshKeysSetFlags>) -> (): DomainAuthorizedSshKeysSet => |c| {
            c.agent()?.set_authorized_ssh_keys(c.id()?, &user, &keys, flags).await
        };
        /// Begins a backup, with a checkpoint if there is XML for one.
        write BackupBegin(backupXML: String, checkpointXML: String, flags: Flags<BackupBeginFlags>) -> (): DomainBackupBegin => |c| {
            c.checkpoints()?.backup_begin(c.id()?, &backupXML, optional(&checkpointXML), flags).await
        };
        /// The backup that is under way, as XML.
        read BackupGetXMLDesc(flags: NoFlags) -> (xml: String): DomainBackupGetXmlDesc => |c| {
            c.checkpoints()?.backup_xml_desc(c.id()?).await
        };
        /// Merges images of a disk downwards. Empty names leave the choice to the daemon.
        write BlockCommit(disk: String, base: String, top: String, bandwidth: u64, flags: Flags<DomainBlockCommitFlags>) -> (): DomainBlockCommit => |c| {
            c.block_jobs()?.block_commit(c.id()?, &disk, optional(&base), optional(&top), bandwidth, flags).await
        };
        /// Copies a disk to the one that the XML describes. Parameters are those of virDomainBlockCopy.
        write BlockCopy(disk: String, destxml: String, params: Given, flags: Flags<DomainBlockCopyFlags>) -> (): DomainBlockCopy => |c| {
            c.block_jobs()?.block_copy(c.id()?, &disk, &destxml, params.0, flags).await
        };
        /// Ends a disk's job, or goes on with its copy.
        write BlockJobAbort(disk: String, flags: Flags<DomainBlockJobAbortFlags>) -> (): DomainBlockJobAbort => |c| c.block_jobs()?.block_job_abort(c.id()?, &disk, flags).await;
        /// Limits a disk's job.
        write BlockJobSetSpeed(disk: String, bandwidth: u64, flags: Flags<DomainBlockJobSetSpeedFlags>) -> (): DomainBlockJobSetSpeed => |c| {
            c.block_jobs()?.block_job_set_speed(c.id()?, &disk, bandwidth, flags).await
        };
        /// Content of a disk, at most 65536 bytes at once.
        read BlockPeek(disk: String, offset: u64, size: u64, flags: NoFlags) -> (buffer: Vec<u8>): DomainBlockPeek => |c| {
            c.console()?.block_peek(c.id()?, &disk, offset, peeked(size)?).await
        };
        /// Takes a disk's whole backing chain in.
        write BlockPull(disk: String, bandwidth: u64, flags: Flags<DomainBlockPullFlags>) -> (): DomainBlockPull => |c| c.block_jobs()?.block_pull(c.id()?, &disk, bandwidth, flags).await;
        /// Takes a disk's backing chain above `base` in, or copies the disk.
        write BlockRebase(disk: String, base: String, bandwidth: u64, flags: Flags<DomainBlockRebaseFlags>) -> (): DomainBlockRebase => |c| {
            c.block_jobs()?.block_rebase(c.id()?, &disk, optional(&base), bandwidth, flags).await
        };
        /// Changes a disk's size.
        write BlockResize(disk: String, size: u64, flags: Flags<DomainBlockResizeFlags>) -> (): DomainBlockResize => |c| c.block_jobs()?.block_resize(c.id()?, &disk, size, flags).await;
        /// Reads and writes of a disk; an empty name: of all of them.
        read BlockStats(disk: String, flags: ParameterFlags<NoFlags>) -> (stats: Parameters): DomainBlockStatsFlags => |c| {
            Ok(c.parameters(c.counters()?.block_stats(c.id()?, &disk).await?))
        };
        /// Makes a checkpoint.
        write CheckpointCreateXML(xml: String, flags: Flags<CheckpointCreateFlags>) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointCreateXml => |c| {
            c.path_of(c.checkpoints()?.create_xml(c.id()?, &xml, flags).await?)
        };
        /// Finds the checkpoint with this name.
        memory CheckpointLookupByName(name: String, flags: NoFlags) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointLookupByName finds DomainCheckpoint by name(name) => |c| {
            c.path()
        };
        /// Dumps the guest's memory to a file.
        write CoreDump(to: String, dumpformat: One<DomainCoreDumpFormat, u32>, flags: Flags<DomainCoreDumpFlags>) -> (): DomainCoreDumpWithFormat => |c| {
            c.saving()?.core_dump(c.id()?, c.caller_file(&to), dumpformat, flags).await
        };
        /// Starts the defined domain.
        write Create(flags: Flags<DomainCreateFlags>) -> (): DomainCreate => |c| c.lifecycle()?.create(c.id()?, flags).await;
        /// Starts the defined domain and hands these files to its init (containers).
        write CreateWithFiles(files: Vec<zbus::OwnedFd>, flags: Flags<DomainCreateFlags>) -> (): DomainCreateWithFiles => |c| {
            c.lifecycle()?.create_with_files(c.id()?, files.into_iter().map(OwnedFd::from).collect(), flags).await
        };
        /// Takes an I/O thread away.
        write DelIOThread(iothreadId: Amount<u32>, flags: Flags<DomainModificationImpact>) -> (): DomainDelIothread => |c| c.vcpus()?.del_iothread(c.id()?, iothreadId, flags).await;
        /// Ends the domain at once, as pulling the plug would. Never waits for another call.
        write Destroy(flags: Flags<DomainDestroyFlags>) -> (): DomainDestroy => |c| c.lifecycle()?.destroy(c.id()?, flags).await;
        /// Takes a device away, or asks the guest to let it go.
        write DetachDevice(xml: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainDetachDeviceFlags => |c| c.devices()?.detach_device(c.id()?, &xml, flags).await;
        /// The same for the device with this alias.
        write DetachDeviceAlias(alias: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainDetachDeviceAlias => |c| c.devices()?.detach_device_alias(c.id()?, &alias, flags).await;
        /// Freezes the guest's file systems (none named: all) by its agent; how many.
        write FSFreeze(mountpoints: Vec<String>, flags: NoFlags) -> (frozenFilesystems: Amount<u32>): DomainFsfreeze => |c| {
            Ok(c.agent()?.fs_freeze(c.id()?, &mountpoints).await?.into())
        };
        /// Thaws them; how many.
        write FSThaw(mountpoints: Vec<String>, flags: NoFlags) -> (thawedFilesystems: Amount<u32>): DomainFsthaw => |c| {
            Ok(c.agent()?.fs_thaw(c.id()?, &mountpoints).await?.into())
        };
        /// Lets the guest give unused blocks back, in runs of at least `minimum` bytes.
        write FSTrim(mountpoint: String, minimum: u64, flags: NoFlags) -> (): DomainFstrim => |c| {
            c.agent()?.fs_trim(c.id()?, optional(&mountpoint), minimum).await
        };
        /// Sizes of a disk in bytes: as the guest sees it, what its content takes, of its file or device.
        read GetBlockInfo(disk: String, flags: NoFlags) -> (info: (u64, u64, u64)): DomainGetBlockInfo => |c| {
            let info = c.counters()?.block_info(c.id()?, &disk).await?;
            Ok((info.capacity, info.allocation, info.physical))
        };
        /// Weights and limits of the host's block devices.
        read GetBlockIOParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (BlkioParameters: Parameters): DomainGetBlkioParameters => |c| {
            Ok(c.wrapped(c.tuning()?.blkio_parameters(c.id()?, flags).await?))
        };
        /// Limits of a disk.
        read GetBlockIOTune(disk: String, flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (blockIOTune: Parameters): DomainGetBlockIoTune => |c| {
            Ok(c.wrapped(c.tuning()?.block_io_tune(c.id()?, &disk, flags).await?))
        };
        /// How far a disk's job is: what it does (0 if there is none), bandwidth, now, end.
        read GetBlockJobInfo(disk: String, flags: Flags<DomainBlockJobInfoFlags>) -> (blockJobInfo: (One<DomainBlockJobType>, u64, u64, u64)): DomainGetBlockJobInfo => |c| {
            let info = c.block_jobs()?.block_job_info(c.id()?, &disk, flags).await?;
            let none = (DomainBlockJobType::Unknown, 0, 0, 0);
            let (kind, bandwidth, now, end) = info.map_or(none, |info| (info.kind, info.bandwidth, info.cur, info.end));
            Ok((kind.into(), bandwidth, now, end))
        };
        /// Whether the hypervisor can be reached: state, why not, and for how long that has been so (milliseconds).
        read GetControlInfo(flags: NoFlags) -> (controlInfo: (One<DomainControlState, u32>, Detail<DomainControlState, u32>, u64)): DomainGetControlInfo => |c| {
            let info = c.jobs()?.control_info(c.id()?).await?;
            Ok((info.state.into(), info.details.number().unsigned_abs().into(), info.state_time))
        };
        /// Processor time in all (`startCpu` −1) or of `ncpus` host processors.
        read GetCPUStats(startCpu: Amount<i32>, ncpus: Amount<u32>, flags: ParameterFlags<NoFlags>) -> (stats: Vec<Parameters>): DomainGetCpuStats => |c| {
            let stats = c.counters()?.cpu_stats(c.id()?, startCpu, ncpus).await?;
            Ok(stats.into_iter().map(|stats| c.parameters(stats)).collect())
        };
        /// Disks that failed: target, and what failed.
        read GetDiskErrors(flags: NoFlags) -> (diskErrors: Vec<(String, One<DomainDiskErrorCode>)>): DomainGetDiskErrors => |c| {
            let errors = c.counters()?.disk_errors(c.id()?).await?;
            Ok(errors.into_iter().map(|(target, error)| (target, error.into())).collect())
        };
        /// Where the hypervisor's own threads may run.
        read GetEmulatorPinInfo(flags: Flags<DomainModificationImpact>) -> (cpumap: Vec<bool>): DomainGetEmulatorPinInfo => |c| c.vcpus()?.emulator_pin_info(c.id()?, flags).await;
        /// The guest's file systems: where they are mounted, name, type, and the disks that they lie on.
        read GetFSInfo(flags: NoFlags) -> (fsInfo: Vec<(String, String, String, Vec<String>)>): DomainGetFsinfo => |c| {
            let found = c.agent()?.fs_info(c.id()?).await?;
            Ok(found.into_iter().map(|fs| (fs.mountpoint, fs.name, fs.fs_type, fs.devices)).collect())
        };
        /// Facts about the guest from its agent, of these kinds (0: of all).
        read GetGuestInfo(types: Flags<DomainGuestInfoTypes>, flags: ParameterFlags<NoFlags>) -> (info: Parameters): DomainGetGuestInfo => |c| {
            Ok(c.parameters(c.agent()?.guest_info(c.id()?, types).await?))
        };
        /// The processors as the guest sees them.
        read GetGuestVcpus(flags: ParameterFlags<NoFlags>) -> (vcpus: Parameters): DomainGetGuestVcpus => |c| {
            Ok(c.wrapped(c.agent()?.guest_vcpus(c.id()?).await?))
        };
        /// The guest's name.
        read GetHostname(flags: Flags<DomainGetHostnameFlags>) -> (hostname: String): DomainGetHostname => |c| c.agent()?.hostname(c.id()?, flags).await;
        /// State, most memory and memory (KiB), virtual CPUs, processor time (nanoseconds).
        read GetInfo() -> (info: (One<DomainStateKind>, u64, u64, Amount<u32>, u64)): DomainGetInfo => |c| {
            let info = c.domains()?.info(c.id()?).await?;
            Ok((One::given(info.state.numbers().0), info.max_memory, info.memory, info.vcpus.into(), info.cpu_time))
        };
        /// Bandwidth of an interface.
        read GetInterfaceParameters(device: String, flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (interfaceParameters: Parameters): DomainGetInterfaceParameters => |c| {
            Ok(c.wrapped(c.tuning()?.interface_parameters(c.id()?, &device, flags).await?))
        };
        /// The I/O threads: number, and where they may run.
        read GetIOThreadInfo(flags: Flags<DomainModificationImpact>) -> (ioThreadInfo: Vec<(Amount<u32>, Vec<bool>)>): DomainGetIothreadInfo => |c| {
            let threads = c.vcpus()?.iothread_info(c.id()?, flags).await?;
            Ok(threads.into_iter().map(|thread| (thread.id.into(), thread.cpus)).collect())
        };
        /// How far the domain's job is: how it is doing; time elapsed and remaining, milliseconds; data, memory and files, each in total, processed and
        /// remaining, bytes.
        read GetJobInfo() -> (jobInfo: JobInfo): DomainGetJobInfo => |c| {
            let info = c.jobs()?.job_info(c.id()?).await?;
            Ok((
                info.kind.into(), info.time_elapsed, info.time_remaining, info.data_total, info.data_processed, info.data_remaining,
                info.mem_total, info.mem_processed, info.mem_remaining, info.file_total, info.file_processed, info.file_remaining,
            ))
        };
        /// The same in full: how it is doing, and what is known by name.
        read GetJobStats(flags: Flags<DomainGetJobStatsFlags>) -> (stats: (One<DomainJobType>, Parameters<JobFields>)): DomainGetJobStats => |c| {
            let (kind, stats) = c.jobs()?.job_stats(c.id()?, flags).await?;
            Ok((kind.into(), c.wrapped(stats)))
        };
        /// How the domain's launch is measured.
        read GetLaunchSecurityInfo(flags: ParameterFlags<NoFlags>) -> (info: Parameters): DomainGetLaunchSecurityInfo => |c| {
            Ok(c.parameters(c.description()?.launch_security_info(c.id()?).await?))
        };
        /// Limits of memory.
        read GetMemoryParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (memoryParameters: Parameters): DomainGetMemoryParameters => |c| {
            Ok(c.wrapped(c.tuning()?.memory_parameters(c.id()?, flags).await?))
        };
        /// What the driver has to say about the domain (flags 0: about anything).
        read GetMessages(flags: Flags<DomainMessageTypes>) -> (messages: Vec<String>): DomainGetMessages => |c| c.description()?.messages(c.id()?, flags).await;
        /// Description, title or an element of the metadata by its namespace.
        read GetMetadata(r#type: One<MetadataType>, uri: String, flags: Flags<DomainModificationImpact>) -> (metadata: String): DomainGetMetadata => |c| {
            let kind = r#type;
            arguments::get_metadata(kind, optional(&uri))?;
            c.description()?.metadata(c.id()?, kind, optional(&uri), flags).await
        };
        /// Where memory is taken from.
        read GetNumaParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (numaParameters: Parameters<NumaFields>): DomainGetNumaParameters => |c| {
            Ok(c.wrapped(c.tuning()?.numa_parameters(c.id()?, flags).await?))
        };
        /// Which performance counters are on.
        read GetPerfEvents(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (perfEvents: Parameters): DomainGetPerfEvents => |c| {
            Ok(c.wrapped(c.tuning()?.perf_events(c.id()?, flags).await?))
        };
        /// Scheduling.
        read GetSchedulerParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (SchedulerParameters: Parameters): DomainGetSchedulerParametersFlags => |c| {
            Ok(c.wrapped(c.tuning()?.scheduler_parameters(c.id()?, flags).await?))
        };
        /// The security labels that the domain runs with, and whether the host holds it to them.
        read GetSecurityLabelList() -> (securityLabels: Vec<(String, bool)>): DomainGetSecurityLabelList => |c| {
            let labels = c.description()?.security_labels(c.id()?).await?;
            Ok(labels.into_iter().map(|label| (label.label, label.enforcing)).collect())
        };
        /// What the domain is doing, and why.
        memory GetState(flags: NoFlags) -> (state: (One<DomainStateKind>, Detail<DomainStateKind>)): DomainGetState => |c| {
            let id: &virtbus_api::domain::DomainId = c.id()?;
            let (state, reason) = c.domains()?.view(id.uuid).await?.state.numbers();
            Ok((One::given(state), reason.into()))
        };
        /// Statistics of these groups, or of all (0), by libvirt's names.
        read GetStats(stats: AnyFlags<DomainStatsTypes>, flags: Flags<DomainStatsFlags>) -> (records: Parameters<StatisticsFields>): DomainGetState => |c| {
            let stats = c.statistics()?.stats(c.id()?, stats, flags).await?;
            Ok(c.wrapped(stats))
        };
        /// The guest's clock: seconds since 1970, and nanoseconds.
        read GetTime(flags: NoFlags) -> (time: (u64, Amount<u32>)): DomainGetTime => |c| {
            let (seconds, nanoseconds) = c.agent()?.time(c.id()?).await?;
            Ok((seconds.max(0).unsigned_abs(), nanoseconds.into()))
        };
        /// Where each virtual CPU may run.
        read GetVcpuPinInfo(flags: Flags<DomainModificationImpact>) -> (vcpuPinInfo: Vec<Vec<bool>>): DomainGetVcpuPinInfo => |c| c.vcpus()?.vcpu_pin_info(c.id()?, flags).await;
        /// The number of virtual CPUs.
        memory GetVcpus(flags: Flags<DomainVcpuFlags>) -> (vcpus: Amount<u32>): DomainGetVcpusFlags => |c| Ok(c.vcpus()?.vcpus_flags(c.id()?, flags).await?.into());
        /// The domain's XML.
        read GetXMLDesc(flags: Flags<DomainXmlFlags>) -> (xml: String): DomainGetXmlDesc => |c| c.domains()?.xml_desc(c.id()?, flags).await;
        /// Whether the next start finds a saved image of the memory.
        memory HasManagedSaveImage(flags: NoFlags) -> (managedSaveImage: bool): DomainHasManagedSaveImage => |c| {
            let id: &virtbus_api::domain::DomainId = c.id()?;
            Ok(c.domains()?.view(id.uuid).await?.managed_save)
        };
        /// Injects a non-maskable interrupt into the guest.
        write InjectNMI(flags: NoFlags) -> (): DomainInjectNmi => |c| {
            c.lifecycle()?.inject_nmi(c.id()?).await
        };
        /// The addresses of the guest's interfaces, from such a source: name, MAC address, and addresses
        /// (family, address, length of the prefix).
        read InterfaceAddresses(source: One<InterfaceAddressesSource, u32>, flags: NoFlags) -> (ifaces: Vec<(String, String, Vec<(One<IpAddressFamily>, String, Amount<u32>)>)>): DomainInterfaceAddresses [source] => |c| {
            let found = c.agent()?.interface_addresses(c.id()?, source).await?;
            Ok(found
                .into_iter()
                .map(|interface| {
                    let addresses = interface.addresses.into_iter();
                    let addresses = addresses.map(|address| (address.kind.into(), address.address, address.prefix.into()));
                    (interface.name, interface.mac.unwrap_or_default(), addresses.collect())
                })
                .collect())
        };
        /// Traffic of an interface.
        read InterfaceStats(device: String) -> (stats: Parameters): DomainInterfaceStats => |c| {
            Ok(c.parameters(c.counters()?.interface_stats(c.id()?, &device).await?))
        };
        /// The domain's checkpoints.
        read ListDomainCheckpoints(flags: Flags<CheckpointListFlags>) -> (domainCheckpoints: Paths): DomainListAllCheckpoints => |c| {
            let all = c.checkpoints()?.checkpoints(c.id()?).await?;
            c.list_all(&trees::below(all, None, flags).into()).await
        };
        /// The domain's snapshots.
        read ListDomainSnapshots(flags: Flags<SnapshotListFlags>) -> (domainSnapshots: Paths): DomainListAllSnapshots => |c| {
            let all = c.snapshots_or_none(c.id()?).await?;
            c.list_all(&trees::below(all, None, flags).into()).await
        };
        /// Saves the memory where the next start finds it, and stops the domain.
        write ManagedSave(flags: Flags<DomainSaveRestoreFlags>) -> (): DomainManagedSave => |c| c.saving()?.managed_save(c.id()?, flags).await;
        /// Changes the definition in the saved image.
        write ManagedSaveDefineXML(xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainManagedSaveDefineXml => |c| c.saving()?.managed_save_define_xml(c.id()?, &xml, flags).await;
        /// The definition in the saved image.
        read ManagedSaveGetXMLDesc(flags: Flags<DomainSaveImageXmlFlags>) -> (xml: String): DomainManagedSaveGetXmlDesc => |c| c.saving()?.managed_save_xml_desc(c.id()?, flags).await;
        /// Removes the saved image.
        write ManagedSaveRemove(flags: NoFlags) -> (): DomainManagedSaveRemove => |c| {
            c.saving()?.managed_save_remove(c.id()?).await
        };
        /// Memory of the guest, at most 65536 bytes at once.
        read MemoryPeek(offset: u64, size: u64, flags: Flags<DomainMemoryPeekFlags>) -> (buffer: Vec<u8>): DomainMemoryPeek => |c| {
            c.console()?.memory_peek(c.id()?, offset, peeked(size)?, arguments::memory_peek(flags)?).await
        };
        /// Memory as the guest sees it: what a number is about, and the number.
        read MemoryStats(flags: NoFlags) -> (stats: Dict<One<DomainMemoryStatTag>, u64>): DomainMemoryStats => |c| {
            let stats = c.counters()?.memory_stats(c.id()?).await?;
            Ok(Dict(stats.into_iter().map(|(tag, value)| (tag.into(), value)).collect()))
        };
        /// The cache for a compressed migration, bytes.
        read MigrateGetCompressionCache(flags: NoFlags) -> (cacheSize: u64): DomainMigrateGetCompressionCache => |c| {
            c.migration()?.migrate_get_compression_cache(c.id()?).await
        };
        /// The longest pause of a migration, milliseconds.
        read MigrateGetMaxDowntime(flags: NoFlags) -> (downtime: u64): DomainMigrateGetMaxDowntime => |c| {
            c.migration()?.migrate_get_max_downtime(c.id()?).await
        };
        /// The limit of a migration, MiB/s.
        read MigrateGetMaxSpeed(flags: Flags<DomainMigrateMaxSpeedFlags>) -> (bandwidth: u64): DomainMigrateGetMaxSpeed => |c| c.migration()?.migrate_get_max_speed(c.id()?, flags).await;
        /// Sets the cache for a compressed migration, bytes.
        write MigrateSetCompressionCache(cacheSize: u64, flags: NoFlags) -> (): DomainMigrateSetCompressionCache => |c| {
            c.migration()?.migrate_set_compression_cache(c.id()?, cacheSize).await
        };
        /// Sets the longest pause of a migration, milliseconds.
        write MigrateSetMaxDowntime(downtime: u64, flags: NoFlags) -> (): DomainMigrateSetMaxDowntime => |c| {
            c.migration()?.migrate_set_max_downtime(c.id()?, downtime).await
        };
        /// Sets the limit of a migration, MiB/s.
        write MigrateSetMaxSpeed(bandwidth: u64, flags: Flags<DomainMigrateMaxSpeedFlags>) -> (): DomainMigrateSetMaxSpeed => |c| c.migration()?.migrate_set_max_speed(c.id()?, bandwidth, flags).await;
        /// Switches a migration over now.
        write MigrateStartPostCopy(flags: NoFlags) -> (): DomainMigrateStartPostCopy => |c| {
            c.migration()?.migrate_start_post_copy(c.id()?).await
        };
        /// Migrates to another host. Parameters are those of virDomainMigrateToURI3.
        write MigrateToURI3(dconuri: String, params: Given, flags: Flags<DomainMigrateFlags>) -> (): DomainMigratePerform3Params => |c| {
            c.migration()?.migrate_to_uri3(c.id()?, optional(&dconuri), params.0, flags).await
        };
        /// A channel, to read and write; an empty name: the first.
        write OpenChannel(name: String, flags: Flags<DomainChannelFlags>) -> (stream: zbus::OwnedFd): DomainOpenChannel => |c| {
            Ok(c.console()?.open_channel(c.id()?, optional(&name), flags).await?.into())
        };
        /// A console, to read and write; an empty name: the first.
        write OpenConsole(devname: String, flags: Flags<DomainConsoleFlags>) -> (stream: zbus::OwnedFd): DomainOpenConsole => |c| {
            Ok(c.console()?.open_console(c.id()?, optional(&devname), flags).await?.into())
        };
        /// A display by its number, to speak its protocol.
        write OpenGraphicsFD(idx: Amount<u32>, flags: Flags<DomainOpenGraphicsFlags>) -> (fd: zbus::OwnedFd): DomainOpenGraphicsFd => |c| {
            Ok(c.console()?.open_graphics_fd(c.id()?, idx, flags).await?.into())
        };
        /// Pins the hypervisor's own threads.
        write PinEmulator(cpumap: Vec<bool>, flags: Flags<DomainModificationImpact>) -> (): DomainPinEmulator => |c| c.vcpus()?.pin_emulator(c.id()?, cpumap, flags).await;
        /// Pins an I/O thread.
        write PinIOThread(iothreadId: Amount<u32>, cpumap: Vec<bool>, flags: Flags<DomainModificationImpact>) -> (): DomainPinIothread => |c| c.vcpus()?.pin_iothread(c.id()?, iothreadId, cpumap, flags).await;
        /// Pins a virtual CPU.
        write PinVcpu(vcpu: Amount<u32>, cpumap: Vec<bool>, flags: Flags<DomainModificationImpact>) -> (): DomainPinVcpuFlags => |c| c.vcpus()?.pin_vcpu(c.id()?, vcpu, cpumap, flags).await;
        /// Wakes a guest that suspended itself to memory.
        write PMWakeup(flags: NoFlags) -> (): DomainPmWakeup => |c| {
            c.lifecycle()?.pm_wakeup(c.id()?).await
        };
        /// Asks the guest to reboot, and returns when it was asked.
        write Reboot(flags: Flags<DomainRebootFlags>) -> (): DomainReboot => |c| c.lifecycle()?.reboot(c.id()?, flags).await;
        /// Gives the domain, which must be off, another name.
        write Rename(name: String, flags: NoFlags) -> (): DomainRename => |c| {
            c.description()?.rename(c.id()?, &name).await
        };
        /// Resets the machine as its reset button would.
        write Reset(flags: NoFlags) -> (): DomainReset => |c| {
            c.lifecycle()?.reset(c.id()?).await
        };
        /// Lets the virtual CPUs run again.
        write Resume() -> (): DomainResume => |c| c.lifecycle()?.resume(c.id()?).await;
        /// Saves the memory to a file and stops the domain. Empty XML keeps the definition; another one needs `domain.write` besides.
        write Save(to: String, xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainSaveFlags => |c| {
            // libvirt asks for nothing more; but whoever restores it later runs what stands there.
            if !xml.is_empty() {
                c.require_also(Call::DomainSaveImageDefineXml).await?;
            }
            c.saving()?.save(c.id()?, c.caller_file(&to), optional(&xml), flags).await
        };
        /// What a screen shows: media type, and the image to be read.
        read Screenshot(screen: Amount<u32>, flags: NoFlags) -> (mimeType: String, stream: zbus::OwnedFd): DomainScreenshot => |c| {
            let (media_type, image) = c.console()?.screenshot(c.id()?, screen).await?;
            Ok((media_type, image.into()))
        };
        /// Presses keys together, for so many milliseconds; the code set says which numbers they have.
        write SendKey(codeset: One<KeycodeSet, u32>, holdtime: Amount<u32>, keycodes: Vec<Amount<u32>>, flags: NoFlags) -> (): DomainSendKey => |c| {
            c.console()?.send_key(c.id()?, codeset, holdtime, arguments::keys(&keycodes)?).await
        };
        /// Signals a process of the guest.
        write SendProcessSignal(pidValue: i64, sigNum: One<DomainProcessSignal, u32>, flags: NoFlags) -> (): DomainSendProcessSignal => |c| {
            arguments::signalled(pidValue)?;
            c.console()?.send_process_signal(c.id()?, pidValue, sigNum).await
        };
        /// Sets weights and limits of the host's block devices.
        write SetBlockIOParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetBlkioParameters => |c| c.tuning()?.set_blkio_parameters(c.id()?, arguments::set(params.0)?, flags).await;
        /// Sets limits of a disk.
        write SetBlockIOTune(disk: String, params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetBlockIoTune => |c| c.tuning()?.set_block_io_tune(c.id()?, &disk, arguments::set(params.0)?, flags).await;
        /// Lets BlockThreshold tell when writing to an image reaches this offset, in bytes.
        write SetBlockThreshold(dev: String, threshold: u64, flags: NoFlags) -> (): DomainSetBlockThreshold => |c| {
            c.block_jobs()?.set_block_threshold(c.id()?, &dev, threshold).await
        };
        /// Switches processors in the guest on (1) or off (0), by its agent.
        write SetGuestVcpus(vcpumap: Vec<bool>, state: Amount<i32>, flags: NoFlags) -> (): DomainSetGuestVcpus => |c| {
            c.agent()?.set_guest_vcpus(c.id()?, vcpumap, switched(state)?).await
        };
        /// Sets the bandwidth of an interface.
        write SetInterfaceParameters(device: String, params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetInterfaceParameters => |c| {
            c.tuning()?.set_interface_parameters(c.id()?, &device, arguments::set(params.0)?, flags).await
        };
        /// Tunes the polling of an I/O thread.
        write SetIOThreadParams(iothreadId: Amount<u32>, params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetIothreadParams => |c| {
            c.vcpus()?.set_iothread_params(c.id()?, iothreadId, arguments::set(params.0)?, flags).await
        };
        /// What happens when the guest powers itself off, reboots or crashes.
        write SetLifecycleAction(r#type: One<DomainLifecycleEvent, u32>, action: One<DomainLifecycleAction, u32>, flags: Flags<DomainModificationImpact>) -> (): DomainSetLifecycleAction => |c| {
            c.tuning()?.set_lifecycle_action(c.id()?, r#type, action, flags).await
        };
        /// Sets the memory, KiB.
        write SetMemory(memory: u64, flags: Flags<DomainMemoryFlags>) -> (): DomainSetMemoryFlags => |c| c.tuning()?.set_memory(c.id()?, memory, flags).await;
        /// Sets limits of memory.
        write SetMemoryParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetMemoryParameters => |c| c.tuning()?.set_memory_parameters(c.id()?, arguments::memory_limits(params.0)?, flags).await;
        /// How often memory statistics are collected, in seconds; 0: never.
        write SetMemoryStatsPeriod(period: Amount<i32>, flags: Flags<DomainModificationImpact>) -> (): DomainSetMemoryStatsPeriod => |c| c.tuning()?.set_memory_stats_period(c.id()?, period, flags).await;
        /// Sets description, title or an element of the metadata, which takes the prefix `key`; empty removes it.
        write SetMetadata(r#type: One<MetadataType>, metadata: String, key: String, uri: String, flags: Flags<DomainModificationImpact>) -> (): DomainSetMetadata => |c| {
            let kind = r#type;
            arguments::set_metadata(kind, optional(&metadata), optional(&key), optional(&uri))?;
            c.description()?.set_metadata(c.id()?, kind, optional(&metadata), optional(&key), optional(&uri), flags).await
        };
        /// Sets where memory is taken from.
        write SetNumaParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetNumaParameters => |c| c.tuning()?.set_numa_parameters(c.id()?, arguments::set(params.0)?, flags).await;
        /// Switches performance counters.
        write SetPerfEvents(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetPerfEvents => |c| c.tuning()?.set_perf_events(c.id()?, arguments::set(params.0)?, flags).await;
        /// Sets scheduling.
        write SetSchedulerParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetSchedulerParametersFlags => |c| c.tuning()?.set_scheduler_parameters(c.id()?, arguments::set(params.0)?, flags).await;
        /// Sets the guest's clock: seconds since 1970, and nanoseconds.
        write SetTime(seconds: u64, nseconds: Amount<u32>, flags: Flags<DomainSetTimeFlags>) -> (): DomainSetTime => |c| {
            let seconds = i64::try_from(seconds)
                .map_err(|_| Error::invalid_argument("SetTime: 'seconds' is above 9223372036854775807"))?;
            c.agent()?.set_time(c.id()?, seconds, nseconds, flags).await
        };
        /// Sets a user's password.
        write SetUserPassword(user: String, password: String, flags: Flags<DomainSetUserPasswordFlags>) -> (): DomainSetUserPassword => |c| c.agent()?.set_user_password(c.id()?, &user, &password, flags).await;
        /// Plugs (1) or unplugs (0) virtual CPUs, such as `1,3-4`.
        write SetVcpu(vcpumap: String, state: Amount<i32>, flags: Flags<DomainModificationImpact>) -> (): DomainSetVcpu => |c| c.vcpus()?.set_vcpu(c.id()?, &vcpumap, switched(state)?, flags).await;
        /// Sets the number of virtual CPUs.
        write SetVcpus(vcpus: Amount<u32>, flags: Flags<DomainVcpuFlags>) -> (): DomainSetVcpusFlags => |c| c.vcpus()?.set_vcpus(c.id()?, vcpus, arguments::set_vcpus(vcpus, flags)?).await;
        /// Asks the guest to shut down, and returns when it was asked.
        write Shutdown(flags: Flags<DomainShutdownFlags>) -> (): DomainShutdownFlags => |c| c.lifecycle()?.shutdown(c.id()?, flags).await;
        /// Makes a snapshot.
        write SnapshotCreateXML(xml: String, flags: Flags<SnapshotCreateFlags>) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotCreateXml => |c| {
            c.path_of(c.snapshots()?.create_xml(c.id()?, &xml, flags).await?)
        };
        /// The current snapshot: what the domain returns to by default.
        read SnapshotCurrent(flags: NoFlags) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotCurrent => |c| {
            let mut all = c.snapshots()?.snapshots(c.id()?).await?.into_iter();
            c.path_of(all.find(|snapshot| snapshot.current).ok_or_else(no_current)?)
        };
        /// Finds the snapshot with this name.
        memory SnapshotLookupByName(name: String, flags: NoFlags) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotLookupByName finds DomainSnapshot by name(name) => |c| {
            c.path()
        };
        /// Halts the virtual CPUs. Memory stays allocated.
        write Suspend() -> (): DomainSuspend => |c| c.lifecycle()?.suspend(c.id()?).await;
        /// Takes the stored definition away; a running domain vanishes when it stops.
        write Undefine(flags: Flags<DomainUndefineFlags>) -> (): DomainUndefineFlags => |c| c.domains()?.undefine(c.id()?, flags).await;
        /// Changes a device, such as the medium in a drive.
        write UpdateDevice(xml: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainUpdateDeviceFlags => |c| c.devices()?.update_device(c.id()?, &xml, flags).await;
    }
    properties {
        /// Whether a hypervisor's process stands behind the domain.
        Active: bool, emits Value: DomainIsActive => |view| Ok(view.is_active().into());
        /// Whether the domain is started with the host.
        Autostart: bool, emits Value: DomainGetAutostart => |view| Ok(view.autostart.into()), set DomainSetAutostart => |c, autostart| {
            c.domains()?.set_autostart(c.id()?, autostart).await
        };
        /// The number of the running domain, 0 when it is off.
        Id: Amount<u32>, emits Value: DomainLookupByUuid => |view| Ok(domain_id_property(view.id.id).into());
        /// The long job that is under way: what it does, and how much of it is done, 0 to 100; (0, 0) if
        /// there is none. `AbortJob` ends it.
        Job: (One<DomainJobOperation>, Amount<u32>), emits Value: DomainGetJobInfo => |view| {
            Ok(view.job.map_or((0, 0), |job| (job.operation.number(), job.percent)).into())
        };
        /// The name, unique on the connection.
        Name: String, emits Value: DomainLookupByUuid => |view| Ok((&*view.id.name).into());
        /// What kind of guest it is, such as hvm.
        OSType: String, emits Value: DomainGetOsType => |view| Ok(view.os_type.into());
        /// Whether its definition outlives its run.
        Persistent: bool, emits Value: DomainIsPersistent => |view| Ok(view.persistent.into());
        /// The scheduler of its processor time, and how many parameters that has.
        SchedulerType: (String, Amount<i32>), emits Value: DomainGetSchedulerType => |view| {
            let (name, parameters) = view.scheduler.ok_or_else(|| Error::no_support("DomainGetSchedulerType"))?;
            Ok((name, i32::try_from(parameters).unwrap_or(i32::MAX)).into())
        };
        /// Whether the stored definition was changed while it runs.
        Updated: bool, emits Value: DomainIsUpdated => |view| Ok(view.updated.into());
        /// The UUID, unique for ever.
        UUID: String, emits Const: DomainLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// The guest agent came or went, and why.
        AgentEvent(state: One<AgentState>, reason: One<AgentReason>);
        /// The guest's memory changed; KiB.
        BalloonChange(actual: u64);
        /// A job on a disk completed, failed, was ended or is ready.
        BlockJob(disk: String, r#type: One<DomainBlockJobType>, status: One<BlockJobStatus>);
        /// Writing to an image reached the threshold: by how many bytes it is exceeded.
        BlockThreshold(device: String, devPath: String, threshold: u64, excess: u64);
        /// The hypervisor cannot be reached.
        ControlError();
        /// A device was added.
        DeviceAdded(device: String);
        /// The guest did not let a device go.
        DeviceRemovalFailed(device: String);
        /// A device is gone.
        DeviceRemoved(device: String);
        /// A disk has another source, or none.
        DiskChange(oldSrcPath: String, newSrcPath: String, device: String, reason: One<DiskChangeReason>);
        /// A graphics client connected, authenticated or left: the host's end and the client's (family, host or path, port), how it authenticated, and as whom.
        Graphics(phase: One<GraphicsPhase>, local: (One<GraphicsAddressFamily>, String, String), remote: (One<GraphicsAddressFamily>, String, String), authScheme: String, identities: Vec<(String, String)>);
        /// Reading or writing a disk failed.
        IOError(srcPath: String, device: String, action: One<IoErrorAction>, reason: String);
        /// A job ended; its statistics.
        JobCompleted(params: Parameters<JobFields>);
        /// The size of a memory device changed; KiB.
        MemoryDeviceSizeChange(device: String, size: u64);
        /// Title, description or an element of the metadata changed.
        MetadataChange(r#type: One<MetadataType>, nsuri: String);
        /// A migration copies memory once more, for so often.
        MigrationIteration(iteration: Amount<i32>);
        /// The guest suspended itself to memory; the reason is 0.
        PMSuspend(reason: Amount<i32>);
        /// The guest suspended itself to disk; the reason is 0.
        PMSuspendDisk(reason: Amount<i32>);
        /// The guest woke up; the reason is 0.
        PMWakeup(reason: Amount<i32>);
        /// The guest rebooted.
        Reboot();
        /// The guest set its clock; seconds from UTC.
        RTCChange(utcoffset: i64);
        /// The tray of a removable medium was opened or closed.
        TrayChange(device: String, reason: One<TrayChangeReason>);
        /// Something was tuned; what is so now.
        Tunable(params: Parameters);
        /// The watchdog fired, and did this.
        Watchdog(action: One<WatchdogAction>);
    }
}

/// How the job is doing; time elapsed and remaining; data, memory and files, each total, processed and remaining.
type JobInfo = (
    One<DomainJobType>,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
);

/// How much may be looked at in one call: `VIR_DOMAIN_…_PEEK`'s documentation has 64 KiB.
fn peeked(size: u64) -> Result<u32> {
    const MOST: u64 = 65_536;
    u32::try_from(size)
        .ok()
        .filter(|_| (1..=MOST).contains(&size))
        .ok_or_else(|| {
            Error::invalid_argument(format!("'size' must be 1 to {MOST} bytes, not {size}"))
        })
}

fn switched(state: i32) -> Result<bool> {
    match state {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::invalid_argument(format!(
            "'state' must be 0 (off) or 1 (on), not {state}"
        ))),
    }
}

fn no_current() -> Error {
    Error::new(
        ErrorCode::NoDomainSnapshot,
        ErrorDomain::DomainSnapshot,
        "the domain has no current snapshot",
    )
}
