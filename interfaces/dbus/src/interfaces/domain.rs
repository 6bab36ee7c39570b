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
    /// A domain: a virtual machine or container, defined or running.
    DOMAIN = "org.libvirt.Domain", view DomainView;
    methods {
        /// Aborts the long job of the domain (save, dump, migration). Returns once the job is being aborted; JobCompleted and the property Job tell
        /// when it has ended. Refused if there is no job, or if this one cannot be aborted.
        write AbortJob() -> (): DomainAbortJob => |c| c.jobs()?.abort_job(c.id()?, DomainAbortJobFlags::empty()).await;
        /// Aborts the long job of the domain, as AbortJob does, with flags that choose which one.
        write AbortJobFlags(flags: Flags<DomainAbortJobFlags>) -> (): DomainAbortJobFlags => |c| c.jobs()?.abort_job(c.id()?, flags).await;
        /// Adds an I/O thread with this number (from 1), to the running domain, to its stored definition, or both. Refused if there is one with this
        /// number.
        write AddIOThread(iothreadId: Amount<u32>, flags: Flags<DomainModificationImpact>) -> (): DomainAddIothread => |c| c.vcpus()?.add_iothread(c.id()?, iothreadId, flags).await;
        /// Sets how long calls wait for an answer of the guest agent, in seconds: −2 waits for ever, −1 for the default (5 s), 0 does not wait.
        write AgentSetResponseTimeout(timeout: Amount<i32>, flags: NoFlags) -> (): DomainAgentSetResponseTimeout => |c| {
            c.agent()?.agent_set_response_timeout(c.id()?, timeout).await
        };
        /// Adds the device that the XML describes to the running domain, to its stored definition, or both. Refused if the hypervisor cannot plug
        /// such a device while the domain runs.
        write AttachDevice(xml: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainAttachDeviceFlags => |c| c.devices()?.attach_device(c.id()?, &xml, flags).await;
        /// The SSH public keys with which this user of the guest may log in, one line each; asks the guest agent.
        read AuthorizedSSHKeysGet(user: String, flags: NoFlags) -> (keys: Vec<String>): DomainAuthorizedSshKeysGet => |c| {
            c.agent()?.authorized_ssh_keys(c.id()?, &user).await
        };
        /// Replaces, extends or reduces the SSH public keys with which this user of the guest may log in, by the guest agent. Without flags, the list
        /// replaces what there is.
        write AuthorizedSSHKeysSet(user: String, keys: Vec<String>, flags: Flags<DomainAuthorizedSshKeysSetFlags>) -> (): DomainAuthorizedSshKeysSet => |c| {
            c.agent()?.set_authorized_ssh_keys(c.id()?, &user, &keys, flags).await
        };
        /// Begins a backup of the running domain's disks as the XML says, and makes a checkpoint at the same time if checkpointXML is not empty.
        /// Returns when the job has begun; BlockJob and JobCompleted tell when it has ended. Refused if a backup is under way.
        write BackupBegin(backupXML: String, checkpointXML: String, flags: Flags<BackupBeginFlags>) -> (): DomainBackupBegin => |c| {
            c.checkpoints()?.backup_begin(c.id()?, &backupXML, optional(&checkpointXML), flags).await
        };
        /// The description of the backup that is under way, as XML. Refused if there is none.
        read BackupGetXMLDesc(flags: NoFlags) -> (xml: String): DomainBackupGetXmlDesc => |c| {
            c.checkpoints()?.backup_xml_desc(c.id()?).await
        };
        /// Begins a block job that merges the data of the images from `top` down to `base` into `base`. An empty `top` is the active image, an empty
        /// `base` the last one of the chain. bandwidth in MiB/s, or bytes/s with the flag; 0 is no limit.
        write BlockCommit(disk: String, base: String, top: String, bandwidth: u64, flags: Flags<DomainBlockCommitFlags>) -> (): DomainBlockCommit => |c| {
            c.block_jobs()?.block_commit(c.id()?, &disk, optional(&base), optional(&top), bandwidth, flags).await
        };
        /// Begins a block job that copies the disk to the destination that the XML describes, and then keeps the copy up to date until BlockJobAbort
        /// ends it. Parameters are those of virDomainBlockCopy: `bandwidth` (bytes/s), `granularity` (bytes), `buf-size` (bytes).
        write BlockCopy(disk: String, destxml: String, params: Given, flags: Flags<DomainBlockCopyFlags>) -> (): DomainBlockCopy => |c| {
            c.block_jobs()?.block_copy(c.id()?, &disk, &destxml, params.0, flags).await
        };
        /// Aborts the block job of the disk, or, with the flag PIVOT, makes its finished copy the disk's image. Refused if the disk has no job.
        write BlockJobAbort(disk: String, flags: Flags<DomainBlockJobAbortFlags>) -> (): DomainBlockJobAbort => |c| c.block_jobs()?.block_job_abort(c.id()?, &disk, flags).await;
        /// Limits the speed of the disk's block job, in MiB/s, or bytes/s with the flag; 0 is no limit.
        write BlockJobSetSpeed(disk: String, bandwidth: u64, flags: Flags<DomainBlockJobSetSpeedFlags>) -> (): DomainBlockJobSetSpeed => |c| {
            c.block_jobs()?.block_job_set_speed(c.id()?, &disk, bandwidth, flags).await
        };
        /// Reads up to 65536 bytes of a disk's content, from a byte offset; the disk is named by target or path.
        read BlockPeek(disk: String, offset: u64, size: u64, flags: NoFlags) -> (buffer: Vec<u8>): DomainBlockPeek => |c| {
            c.console()?.block_peek(c.id()?, &disk, offset, peeked(size)?).await
        };
        /// Begins a block job that copies the data of all backing images into the disk's active image, so that it no longer needs them. bandwidth in
        /// MiB/s, or bytes/s with the flag; 0 is no limit.
        write BlockPull(disk: String, bandwidth: u64, flags: Flags<DomainBlockPullFlags>) -> (): DomainBlockPull => |c| c.block_jobs()?.block_pull(c.id()?, &disk, bandwidth, flags).await;
        /// Begins a block job that copies the data of the backing images above `base` into the active image, or copies the disk to the path `base`
        /// with the flag COPY. An empty `base` means the whole chain. bandwidth in MiB/s, or bytes/s with the flag.
        write BlockRebase(disk: String, base: String, bandwidth: u64, flags: Flags<DomainBlockRebaseFlags>) -> (): DomainBlockRebase => |c| {
            c.block_jobs()?.block_rebase(c.id()?, &disk, optional(&base), bandwidth, flags).await
        };
        /// Changes the size of a running domain's disk, in KiB, or bytes with the flag. A smaller size can destroy data of the guest.
        write BlockResize(disk: String, size: u64, flags: Flags<DomainBlockResizeFlags>) -> (): DomainBlockResize => |c| c.block_jobs()?.block_resize(c.id()?, &disk, size, flags).await;
        /// Counters of a disk since the domain started: operations, bytes and times (ns) of reads, writes and flushes. An empty name sums all disks.
        /// Refused if the domain is not running.
        read BlockStats(disk: String, flags: ParameterFlags<NoFlags>) -> (stats: Parameters): DomainBlockStatsFlags => |c| {
            Ok(c.parameters(c.counters()?.block_stats(c.id()?, &disk).await?))
        };
        /// Makes a checkpoint of the running domain's disks as the XML says: from now on it is recorded which blocks change. Refused if the domain
        /// has snapshots.
        write CheckpointCreateXML(xml: String, flags: Flags<CheckpointCreateFlags>) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointCreateXml => |c| {
            c.path_of(c.checkpoints()?.create_xml(c.id()?, &xml, flags).await?)
        };
        /// Finds the domain's checkpoint with this name; an error if there is none.
        memory CheckpointLookupByName(name: String, flags: NoFlags) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointLookupByName finds DomainCheckpoint by name(name) => |c| {
            c.path()
        };
        /// Writes the memory of the running domain to a file on the host, in this format. The domain is paused meanwhile unless the flag LIVE is
        /// given; flags can end or reset it afterwards.
        write CoreDump(to: String, dumpformat: One<DomainCoreDumpFormat, u32>, flags: Flags<DomainCoreDumpFlags>) -> (): DomainCoreDumpWithFormat => |c| {
            c.saving()?.core_dump(c.id()?, c.caller_file(&to), dumpformat, flags).await
        };
        /// Starts the defined domain; with a managed save image, restores it from that. Refused if it is already running. When the call returns, the
        /// guest runs (or is paused, with the flag).
        write Create(flags: Flags<DomainCreateFlags>) -> (): DomainCreate => |c| c.lifecycle()?.create(c.id()?, flags, c.caller().client()).await;
        /// Starts the defined domain as Create does, and passes these file descriptors to its init process. Containers only.
        write CreateWithFiles(files: Vec<zbus::OwnedFd>, flags: Flags<DomainCreateFlags>) -> (): DomainCreateWithFiles => |c| {
            c.lifecycle()?.create_with_files(c.id()?, files.into_iter().map(OwnedFd::from).collect(), flags, c.caller().client()).await
        };
        /// Removes the I/O thread with this number. Refused if a device uses it.
        write DelIOThread(iothreadId: Amount<u32>, flags: Flags<DomainModificationImpact>) -> (): DomainDelIothread => |c| c.vcpus()?.del_iothread(c.id()?, iothreadId, flags).await;
        /// Ends the domain at once, as if its power was cut; unsaved data of the guest are lost. It does not wait for other calls or jobs. Refused if
        /// the domain is not running. The stored definition stays; a transient domain is removed.
        write Destroy(flags: Flags<DomainDestroyFlags>) -> (): DomainDestroy => |c| c.lifecycle()?.destroy(c.id()?, flags).await;
        /// Removes the device that the XML describes from the running domain, from its stored definition, or both. The call can return before the
        /// guest has released the device; DeviceRemoved or DeviceRemovalFailed tell how that ended.
        write DetachDevice(xml: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainDetachDeviceFlags => |c| c.devices()?.detach_device(c.id()?, &xml, flags).await;
        /// Removes the device with this alias. The call can return before the guest has released the device; DeviceRemoved or DeviceRemovalFailed
        /// tell how that ended.
        write DetachDeviceAlias(alias: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainDetachDeviceAlias => |c| c.devices()?.detach_device_alias(c.id()?, &alias, flags).await;
        /// Freezes these file systems of the guest by its agent, so that their content on disk is consistent; an empty list freezes all. Returns the
        /// number of frozen file systems. They stay frozen until FSThaw.
        write FSFreeze(mountpoints: Vec<String>, flags: NoFlags) -> (frozenFilesystems: Amount<u32>): DomainFsfreeze => |c| {
            Ok(c.agent()?.fs_freeze(c.id()?, &mountpoints).await?.into())
        };
        /// Thaws file systems that FSFreeze has frozen; an empty list thaws all. Returns the number of thawed file systems.
        write FSThaw(mountpoints: Vec<String>, flags: NoFlags) -> (thawedFilesystems: Amount<u32>): DomainFsthaw => |c| {
            Ok(c.agent()?.fs_thaw(c.id()?, &mountpoints).await?.into())
        };
        /// Lets the guest agent discard unused blocks of this mount point (empty: of all file systems) in runs of at least `minimum` bytes; 0 leaves
        /// the size to the guest.
        write FSTrim(mountpoint: String, minimum: u64, flags: NoFlags) -> (): DomainFstrim => |c| {
            c.agent()?.fs_trim(c.id()?, optional(&mountpoint), minimum).await
        };
        /// Sizes of a disk in bytes: the size that the guest sees, the space that its data take on the host, and the size of the file or device.
        read GetBlockInfo(disk: String, flags: NoFlags) -> (info: (u64, u64, u64)): DomainGetBlockInfo => |c| {
            let info = c.counters()?.block_info(c.id()?, &disk).await?;
            Ok((info.capacity, info.allocation, info.physical))
        };
        /// Block I/O weights and limits by cgroups: `weight`, and lists by host device such as `device_weight` and `device_read_bytes_sec`.
        read GetBlockIOParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (BlkioParameters: Parameters): DomainGetBlkioParameters => |c| {
            Ok(c.wrapped(c.tuning()?.blkio_parameters(c.id()?, flags).await?))
        };
        /// Throughput limits of a disk: bytes and operations per second, bursts and their lengths in seconds; 0 is no limit.
        read GetBlockIOTune(disk: String, flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (blockIOTune: Parameters): DomainGetBlockIoTune => |c| {
            Ok(c.wrapped(c.tuning()?.block_io_tune(c.id()?, &disk, flags).await?))
        };
        /// The block job of a disk: its type (0 if there is none), its speed limit in MiB/s (bytes/s with the flag), how far it is, and how far it
        /// has to go; the last two are of no fixed unit.
        read GetBlockJobInfo(disk: String, flags: Flags<DomainBlockJobInfoFlags>) -> (blockJobInfo: (One<DomainBlockJobType>, u64, u64, u64)): DomainGetBlockJobInfo => |c| {
            let info = c.block_jobs()?.block_job_info(c.id()?, &disk, flags).await?;
            let none = (DomainBlockJobType::Unknown, 0, 0, 0);
            let (kind, bandwidth, now, end) = info.map_or(none, |info| (info.kind, info.bandwidth, info.cur, info.end));
            Ok((kind.into(), bandwidth, now, end))
        };
        /// The state of the connection to the hypervisor's process: state, detail of an error, and milliseconds since it is in this state.
        read GetControlInfo(flags: NoFlags) -> (controlInfo: (One<DomainControlState, u32>, Detail<DomainControlState, u32>, u64)): DomainGetControlInfo => |c| {
            let info = c.jobs()?.control_info(c.id()?).await?;
            Ok((info.state.into(), info.details.number().unsigned_abs().into(), info.state_time))
        };
        /// CPU time used by the domain, in nanoseconds: with startCpu −1 and ncpus 1 of all host CPUs together, otherwise of `ncpus` host CPUs from
        /// `startCpu` on.
        read GetCPUStats(startCpu: Amount<i32>, ncpus: Amount<u32>, flags: ParameterFlags<NoFlags>) -> (stats: Vec<Parameters>): DomainGetCpuStats => |c| {
            let stats = c.counters()?.cpu_stats(c.id()?, startCpu, ncpus).await?;
            Ok(stats.into_iter().map(|stats| c.parameters(stats)).collect())
        };
        /// Disks on which I/O errors have occurred since the domain was started or resumed: target name and kind of error.
        read GetDiskErrors(flags: NoFlags) -> (diskErrors: Vec<(String, One<DomainDiskErrorCode>)>): DomainGetDiskErrors => |c| {
            let errors = c.counters()?.disk_errors(c.id()?).await?;
            Ok(errors.into_iter().map(|(target, error)| (target, error.into())).collect())
        };
        /// Host CPUs on which the emulator threads (neither virtual CPUs nor I/O threads) may run: one value for each host CPU.
        read GetEmulatorPinInfo(flags: Flags<DomainModificationImpact>) -> (cpumap: Vec<bool>): DomainGetEmulatorPinInfo => |c| c.vcpus()?.emulator_pin_info(c.id()?, flags).await;
        /// File systems that are mounted in the guest, from its agent: mount point, device name, type, and targets of the disks that they are on.
        read GetFSInfo(flags: NoFlags) -> (fsInfo: Vec<(String, String, String, Vec<String>)>): DomainGetFsinfo => |c| {
            let found = c.agent()?.fs_info(c.id()?).await?;
            Ok(found.into_iter().map(|fs| (fs.mountpoint, fs.name, fs.fs_type, fs.devices)).collect())
        };
        /// Information of the guest agent by kinds: users, operating system, time zone, host name, file systems, disks, interfaces, load. Types 0
        /// returns every kind that the agent supports.
        read GetGuestInfo(types: Flags<DomainGuestInfoTypes>, flags: ParameterFlags<NoFlags>) -> (info: Parameters): DomainGetGuestInfo => |c| {
            Ok(c.parameters(c.agent()?.guest_info(c.id()?, types).await?))
        };
        /// State of the virtual CPUs as the guest agent sees them: `vcpus`, `online` and `offlinable`, each a list of numbers.
        read GetGuestVcpus(flags: ParameterFlags<NoFlags>) -> (vcpus: Parameters): DomainGetGuestVcpus => |c| {
            Ok(c.wrapped(c.agent()?.guest_vcpus(c.id()?).await?))
        };
        /// Host name of the guest, from its agent or the DHCP leases of its networks, by flags. Refused if neither knows one.
        read GetHostname(flags: Flags<DomainGetHostnameFlags>) -> (hostname: String): DomainGetHostname => |c| c.agent()?.hostname(c.id()?, flags).await;
        /// State, maximum memory (KiB), memory now (KiB), number of virtual CPUs, and CPU time used (ns).
        read GetInfo() -> (info: (One<DomainStateKind>, u64, u64, Amount<u32>, u64)): DomainGetInfo => |c| {
            let info = c.domains()?.info(c.id()?).await?;
            Ok((One::given(info.state.numbers().0), info.max_memory, info.memory, info.vcpus.into(), info.cpu_time))
        };
        /// Bandwidth limits of an interface (device name or MAC address): `inbound` and `outbound` `.average`, `.peak`, `.floor` (KiB/s) and `.burst`
        /// (KiB).
        read GetInterfaceParameters(device: String, flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (interfaceParameters: Parameters): DomainGetInterfaceParameters => |c| {
            Ok(c.wrapped(c.tuning()?.interface_parameters(c.id()?, &device, flags).await?))
        };
        /// I/O threads of the domain: number, and host CPUs on which each may run, one value for each host CPU.
        read GetIOThreadInfo(flags: Flags<DomainModificationImpact>) -> (ioThreadInfo: Vec<(Amount<u32>, Vec<bool>)>): DomainGetIothreadInfo => |c| {
            let threads = c.vcpus()?.iothread_info(c.id()?, flags).await?;
            Ok(threads.into_iter().map(|thread| (thread.id.into(), thread.cpus)).collect())
        };
        /// Progress of the domain's long job: type of progress; time elapsed and remaining (ms); then data, memory and files, each in total,
        /// processed and remaining (bytes). All 0 if there is no job.
        read GetJobInfo() -> (jobInfo: JobInfo): DomainGetJobInfo => |c| {
            let info = c.jobs()?.job_info(c.id()?).await?;
            Ok((
                info.kind.into(), info.time_elapsed, info.time_remaining, info.data_total, info.data_processed, info.data_remaining,
                info.mem_total, info.mem_processed, info.mem_remaining, info.file_total, info.file_processed, info.file_remaining,
            ))
        };
        /// Progress of the domain's long job, or with the flag statistics of the last one that completed: type of progress, and typed parameters such
        /// as `time_elapsed` (ms) and `memory_total` (bytes).
        read GetJobStats(flags: Flags<DomainGetJobStatsFlags>) -> (stats: (One<DomainJobType>, Parameters<JobFields>)): DomainGetJobStats => |c| {
            let (kind, stats) = c.jobs()?.job_stats(c.id()?, flags).await?;
            Ok((kind.into(), c.wrapped(stats)))
        };
        /// What the guest's owner needs for verifying the launch of a domain with launchSecurity: for SEV `sev-measurement`, API version, build and
        /// policy.
        read GetLaunchSecurityInfo(flags: ParameterFlags<NoFlags>) -> (info: Parameters): DomainGetLaunchSecurityInfo => |c| {
            Ok(c.parameters(c.description()?.launch_security_info(c.id()?).await?))
        };
        /// Memory limits by cgroups in KiB: `hard_limit`, `soft_limit`, `swap_hard_limit`; 9007199254740991 means no limit.
        read GetMemoryParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (memoryParameters: Parameters): DomainGetMemoryParameters => |c| {
            Ok(c.wrapped(c.tuning()?.memory_parameters(c.id()?, flags).await?))
        };
        /// Warnings of the driver about the domain, such as taints and deprecated settings; flags choose kinds, 0 means all.
        read GetMessages(flags: Flags<DomainMessageTypes>) -> (messages: Vec<String>): DomainGetMessages => |c| c.description()?.messages(c.id()?, flags).await;
        /// Description, title, or the metadata element with this namespace URI. Refused if the domain has none.
        read GetMetadata(r#type: One<MetadataType>, uri: String, flags: Flags<DomainModificationImpact>) -> (metadata: String): DomainGetMetadata => |c| {
            let kind = r#type;
            arguments::get_metadata(kind, optional(&uri))?;
            c.description()?.metadata(c.id()?, kind, optional(&uri), flags).await
        };
        /// NUMA memory policy: `numa_mode`, and `numa_nodeset`, the host's nodes that memory is taken from.
        read GetNumaParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (numaParameters: Parameters<NumaFields>): DomainGetNumaParameters => |c| {
            Ok(c.wrapped(c.tuning()?.numa_parameters(c.id()?, flags).await?))
        };
        /// Performance events of the domain, by name: whether each is enabled.
        read GetPerfEvents(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (perfEvents: Parameters): DomainGetPerfEvents => |c| {
            Ok(c.wrapped(c.tuning()?.perf_events(c.id()?, flags).await?))
        };
        /// CPU scheduler parameters: `cpu_shares` (weight), and periods and quotas in microseconds, such as `vcpu_period` and `vcpu_quota` (−1 is no
        /// limit).
        read GetSchedulerParameters(flags: ParameterFlags<Flags<DomainModificationImpact>>) -> (SchedulerParameters: Parameters): DomainGetSchedulerParametersFlags => |c| {
            Ok(c.wrapped(c.tuning()?.scheduler_parameters(c.id()?, flags).await?))
        };
        /// Security labels of the running domain, one for each security driver, and whether the host enforces it.
        read GetSecurityLabelList() -> (securityLabels: Vec<(String, bool)>): DomainGetSecurityLabelList => |c| {
            let labels = c.description()?.security_labels(c.id()?).await?;
            Ok(labels.into_iter().map(|label| (label.label, label.enforcing)).collect())
        };
        /// State of the domain, and the reason for it; the reason's meaning depends on the state.
        memory GetState(flags: NoFlags) -> (state: (One<DomainStateKind>, Detail<DomainStateKind>)): DomainGetState => |c, view| {
            let (state, reason) = view.state.numbers();
            Ok((One::given(state), reason.into()))
        };
        /// Statistics of the domain by groups, under libvirt's names, such as `cpu.time` (ns) and `balloon.current` (KiB); 0 means all groups that
        /// the driver supports.
        read GetStats(stats: AnyFlags<DomainStatsTypes>, flags: Flags<DomainStatsFlags>) -> (records: Parameters<StatisticsFields>): DomainGetState => |c| {
            let stats = c.statistics()?.stats(c.id()?, stats, flags).await?;
            Ok(c.wrapped(stats))
        };
        /// Time of the guest's clock, from its agent: seconds since 1970 UTC, and nanoseconds.
        read GetTime(flags: NoFlags) -> (time: (u64, Amount<u32>)): DomainGetTime => |c| {
            let (seconds, nanoseconds) = c.agent()?.time(c.id()?).await?;
            Ok((seconds.max(0).unsigned_abs(), nanoseconds.into()))
        };
        /// Host CPUs on which each virtual CPU may run: for each virtual CPU a list with one value for each host CPU.
        read GetVcpuPinInfo(flags: Flags<DomainModificationImpact>) -> (vcpuPinInfo: Vec<Vec<bool>>): DomainGetVcpuPinInfo => |c| c.vcpus()?.vcpu_pin_info(c.id()?, flags).await;
        /// Number of virtual CPUs: by flags of the running domain or the stored definition, current or maximum, or as the guest agent counts them.
        memory GetVcpus(flags: Flags<DomainVcpuFlags>) -> (vcpus: Amount<u32>): DomainGetVcpusFlags => |c| Ok(c.vcpus()?.vcpus_flags(c.id()?, flags).await?.into());
        /// Definition of the domain as XML: the running one, or the stored one if it is off or the flag INACTIVE is given. Secrets are included only
        /// with the flag SECURE, which requires a permission of its own.
        read GetXMLDesc(flags: Flags<DomainXmlFlags>) -> (xml: String): DomainGetXmlDesc => |c| c.domains()?.xml_desc(c.id()?, flags).await;
        /// Whether there is a managed save image, from which the next Create restores the domain.
        memory HasManagedSaveImage(flags: NoFlags) -> (managedSaveImage: bool): DomainHasManagedSaveImage => |c, view| {
            Ok(view.managed_save)
        };
        /// Sends a non-maskable interrupt to the guest, as debugging requires. Refused if the domain is not running.
        write InjectNMI(flags: NoFlags) -> (): DomainInjectNmi => |c| {
            c.lifecycle()?.inject_nmi(c.id()?).await
        };
        /// IP addresses of the guest's interfaces from this source (DHCP leases, guest agent, ARP table): name, MAC address, and addresses (family,
        /// address, length of the prefix in bits).
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
        /// Counters of an interface (device name or MAC address) since it was created: received and sent bytes, packets, errors and drops.
        read InterfaceStats(device: String) -> (stats: Parameters): DomainInterfaceStats => |c| {
            Ok(c.parameters(c.counters()?.interface_stats(c.id()?, &device).await?))
        };
        /// Checkpoints of the domain that match the flags; 0 lists all. What the caller may not see is left out.
        read ListDomainCheckpoints(flags: Flags<CheckpointListFlags>) -> (domainCheckpoints: Paths): DomainListAllCheckpoints => |c| {
            let all = c.checkpoints()?.checkpoints(c.id()?).await?;
            c.list_all(&trees::below(all, None, flags).into()).await
        };
        /// Snapshots of the domain that match the flags; 0 lists all. What the caller may not see is left out.
        read ListDomainSnapshots(flags: Flags<SnapshotListFlags>) -> (domainSnapshots: Paths): DomainListAllSnapshots => |c| {
            let all = c.snapshots_or_none(c.id()?).await?;
            c.list_all(&trees::below(all, None, flags).into()).await
        };
        /// Saves the memory of the running domain to a file that the daemon manages, and stops the domain; the next Create restores it. Refused if
        /// the domain is transient or has devices that cannot be saved.
        write ManagedSave(flags: Flags<DomainSaveRestoreFlags>) -> (): DomainManagedSave => |c| c.saving()?.managed_save(c.id()?, flags).await;
        /// Replaces the definition in the managed save image. Only changes that the guest cannot see, such as paths of disks, are possible. Refused
        /// if there is no image.
        write ManagedSaveDefineXML(xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainManagedSaveDefineXml => |c| c.saving()?.managed_save_define_xml(c.id()?, &xml, flags).await;
        /// Definition in the managed save image as XML. Refused if there is no image.
        read ManagedSaveGetXMLDesc(flags: Flags<DomainSaveImageXmlFlags>) -> (xml: String): DomainManagedSaveGetXmlDesc => |c| c.saving()?.managed_save_xml_desc(c.id()?, flags).await;
        /// Removes the managed save image, so that the next Create boots the guest. Refused if there is no image.
        write ManagedSaveRemove(flags: NoFlags) -> (): DomainManagedSaveRemove => |c| {
            c.saving()?.managed_save_remove(c.id()?).await
        };
        /// Reads up to 65536 bytes of the guest's memory, from a virtual or physical address by flags.
        read MemoryPeek(offset: u64, size: u64, flags: Flags<DomainMemoryPeekFlags>) -> (buffer: Vec<u8>): DomainMemoryPeek => |c| {
            c.console()?.memory_peek(c.id()?, offset, peeked(size)?, arguments::memory_peek(flags)?).await
        };
        /// Memory statistics of the guest, by number of the statistic; sizes in KiB. Those from the balloon driver require a guest that has one.
        read MemoryStats(flags: NoFlags) -> (stats: Dict<One<DomainMemoryStatTag>, u64>): DomainMemoryStats => |c| {
            let stats = c.counters()?.memory_stats(c.id()?).await?;
            Ok(Dict(stats.into_iter().map(|(tag, value)| (tag.into(), value)).collect()))
        };
        /// Size of the cache for compressed migrations, in bytes.
        read MigrateGetCompressionCache(flags: NoFlags) -> (cacheSize: u64): DomainMigrateGetCompressionCache => |c| {
            c.migration()?.migrate_get_compression_cache(c.id()?).await
        };
        /// Longest time for which a live migration may pause the guest at its end, in milliseconds.
        read MigrateGetMaxDowntime(flags: NoFlags) -> (downtime: u64): DomainMigrateGetMaxDowntime => |c| {
            c.migration()?.migrate_get_max_downtime(c.id()?).await
        };
        /// Speed limit for migrations of the domain, in MiB/s.
        read MigrateGetMaxSpeed(flags: Flags<DomainMigrateMaxSpeedFlags>) -> (bandwidth: u64): DomainMigrateGetMaxSpeed => |c| c.migration()?.migrate_get_max_speed(c.id()?, flags).await;
        /// Sets the size of the cache for compressed migrations, in bytes; the hypervisor may round it.
        write MigrateSetCompressionCache(cacheSize: u64, flags: NoFlags) -> (): DomainMigrateSetCompressionCache => |c| {
            c.migration()?.migrate_set_compression_cache(c.id()?, cacheSize).await
        };
        /// Sets the longest time for which a live migration may pause the guest at its end, in milliseconds.
        write MigrateSetMaxDowntime(downtime: u64, flags: NoFlags) -> (): DomainMigrateSetMaxDowntime => |c| {
            c.migration()?.migrate_set_max_downtime(c.id()?, downtime).await
        };
        /// Sets the speed limit for migrations of the domain, in MiB/s; takes effect at once on one under way.
        write MigrateSetMaxSpeed(bandwidth: u64, flags: Flags<DomainMigrateMaxSpeedFlags>) -> (): DomainMigrateSetMaxSpeed => |c| c.migration()?.migrate_set_max_speed(c.id()?, bandwidth, flags).await;
        /// Switches a migration under way, which was begun with the flag POSTCOPY, to post-copy: the guest runs on the destination while the rest of
        /// its memory is copied.
        write MigrateStartPostCopy(flags: NoFlags) -> (): DomainMigrateStartPostCopy => |c| {
            c.migration()?.migrate_start_post_copy(c.id()?).await
        };
        /// Migrates the domain to the host with this connection URI; an empty one is a direct migration to the `migrate_uri` of the parameters.
        /// Parameters are those of virDomainMigrateToURI3.
        write MigrateToURI3(dconuri: String, params: Given, flags: Flags<DomainMigrateFlags>) -> (): DomainMigratePerform3Params => |c| {
            c.migration()?.migrate_to_uri3(c.id()?, optional(&dconuri), params.0, flags).await
        };
        /// Opens a channel of the running domain for reading and writing; an empty name is the first one. Refused if another client has it open,
        /// unless the flag FORCE is given.
        write OpenChannel(name: String, flags: Flags<DomainChannelFlags>) -> (stream: zbus::OwnedFd): DomainOpenChannel => |c| {
            Ok(c.console()?.open_channel(c.id()?, optional(&name), flags).await?.into())
        };
        /// Opens a console or serial port of the running domain for reading and writing; an empty name is the first one. Refused if another client
        /// has it open, unless a flag takes it over.
        write OpenConsole(devname: String, flags: Flags<DomainConsoleFlags>) -> (stream: zbus::OwnedFd): DomainOpenConsole => |c| {
            Ok(c.console()?.open_console(c.id()?, optional(&devname), flags).await?.into())
        };
        /// Opens a connection to a graphical display of the running domain, by its number from 0; the descriptor speaks the display's protocol (VNC
        /// or SPICE).
        write OpenGraphicsFD(idx: Amount<u32>, flags: Flags<DomainOpenGraphicsFlags>) -> (fd: zbus::OwnedFd): DomainOpenGraphicsFd => |c| {
            Ok(c.console()?.open_graphics_fd(c.id()?, idx, flags).await?.into())
        };
        /// Sets the host CPUs on which the emulator threads (neither virtual CPUs nor I/O threads) may run: one value for each host CPU.
        write PinEmulator(cpumap: Vec<bool>, flags: Flags<DomainModificationImpact>) -> (): DomainPinEmulator => |c| c.vcpus()?.pin_emulator(c.id()?, cpumap, flags).await;
        /// Sets the host CPUs on which the I/O thread with this number may run: one value for each host CPU.
        write PinIOThread(iothreadId: Amount<u32>, cpumap: Vec<bool>, flags: Flags<DomainModificationImpact>) -> (): DomainPinIothread => |c| c.vcpus()?.pin_iothread(c.id()?, iothreadId, cpumap, flags).await;
        /// Sets the host CPUs on which the virtual CPU with this number (from 0) may run: one value for each host CPU.
        write PinVcpu(vcpu: Amount<u32>, cpumap: Vec<bool>, flags: Flags<DomainModificationImpact>) -> (): DomainPinVcpuFlags => |c| c.vcpus()?.pin_vcpu(c.id()?, vcpu, cpumap, flags).await;
        /// Wakes a guest that has suspended itself to memory (state pmsuspended). Refused in any other state.
        write PMWakeup(flags: NoFlags) -> (): DomainPmWakeup => |c| {
            c.lifecycle()?.pm_wakeup(c.id()?).await
        };
        /// Asks the guest to reboot, by ACPI, by the guest agent or as the flags say, and returns when the request was sent; the signal Reboot tells
        /// that the guest has rebooted. Refused if the domain is not running.
        write Reboot(flags: Flags<DomainRebootFlags>) -> (): DomainReboot => |c| c.lifecycle()?.reboot(c.id()?, flags).await;
        /// Gives the domain another name. Refused if it is running, has snapshots or a managed save image, or if the name is in use.
        write Rename(name: String, flags: NoFlags) -> (): DomainRename => |c| {
            c.description()?.rename(c.id()?, &name).await
        };
        /// Resets the machine as its reset button would, without asking the guest; unsaved data of the guest are lost. Refused if the domain is not
        /// running.
        write Reset(flags: NoFlags) -> (): DomainReset => |c| {
            c.lifecycle()?.reset(c.id()?).await
        };
        /// Lets the virtual CPUs of a paused domain run again. Refused if the domain is off or suspended by its guest (use PMWakeup).
        write Resume() -> (): DomainResume => |c| c.lifecycle()?.resume(c.id()?).await;
        /// Saves the memory of the running domain to this file on the host, and stops the domain; DomainRestore of the connection starts it from
        /// there. Empty XML keeps the definition; another one needs the permission `domain.write` besides.
        write Save(to: String, xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainSaveFlags => |c| {
            // libvirt asks for nothing more; but whoever restores it later runs what stands there.
            if !xml.is_empty() {
                c.require_also(Call::DomainSaveImageDefineXml).await?;
            }
            c.saving()?.save(c.id()?, c.caller_file(&to), optional(&xml), flags).await
        };
        /// Takes a picture of a screen, by its number from 0: media type, and a descriptor from which the image is read. If the image breaks off, reading
        /// fails with ECONNRESET in place of the end; StreamFinish of the connection tells why.
        read Screenshot(screen: Amount<u32>, flags: NoFlags) -> (mimeType: String, stream: zbus::OwnedFd): DomainScreenshot => |c| {
            let mut media_type = String::new();
            let image = async {
                let image;
                (media_type, image) = c.console()?.screenshot(c.id()?, screen).await?;
                Ok(image)
            };
            let image = c.stream(image).await?;
            Ok((media_type, image))
        };
        /// Presses these keys together for `holdtime` milliseconds, and releases them; the code set says how keys are numbered. At most 16 keys.
        write SendKey(codeset: One<KeycodeSet, u32>, holdtime: Amount<u32>, keycodes: Vec<Amount<u32>>, flags: NoFlags) -> (): DomainSendKey => |c| {
            c.console()?.send_key(c.id()?, codeset, holdtime, arguments::keys(&keycodes)?).await
        };
        /// Sends a signal to a process of the guest: a positive number is one process, −1 all of them, another negative number a process group.
        /// Containers only; process 1 is the init process.
        write SendProcessSignal(pidValue: i64, sigNum: One<DomainProcessSignal, u32>, flags: NoFlags) -> (): DomainSendProcessSignal => |c| {
            arguments::signalled(pidValue)?;
            c.console()?.send_process_signal(c.id()?, pidValue, sigNum).await
        };
        /// Sets block I/O weights and limits by cgroups, under the names that GetBlockIOParameters returns; those not given stay.
        write SetBlockIOParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetBlkioParameters => |c| c.tuning()?.set_blkio_parameters(c.id()?, arguments::set(params.0)?, flags).await;
        /// Sets throughput limits of a disk, under the names that GetBlockIOTune returns; 0 is no limit, those not given stay.
        write SetBlockIOTune(disk: String, params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetBlockIoTune => |c| c.tuning()?.set_block_io_tune(c.id()?, &disk, arguments::set(params.0)?, flags).await;
        /// Asks for one signal BlockThreshold when the guest writes to an image at or above this byte offset. The image is named by disk target, or
        /// target and number such as `vda[1]`.
        write SetBlockThreshold(dev: String, threshold: u64, flags: NoFlags) -> (): DomainSetBlockThreshold => |c| {
            c.block_jobs()?.set_block_threshold(c.id()?, &dev, threshold).await
        };
        /// Sets virtual CPUs online (state 1) or offline (0) within the guest, by its agent; one value for each virtual CPU, true for those to
        /// change.
        write SetGuestVcpus(vcpumap: Vec<bool>, state: Amount<i32>, flags: NoFlags) -> (): DomainSetGuestVcpus => |c| {
            c.agent()?.set_guest_vcpus(c.id()?, vcpumap, switched(state)?).await
        };
        /// Sets bandwidth limits of an interface (device name or MAC address), under the names that GetInterfaceParameters returns; 0 is no limit.
        write SetInterfaceParameters(device: String, params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetInterfaceParameters => |c| {
            c.tuning()?.set_interface_parameters(c.id()?, &device, arguments::set(params.0)?, flags).await
        };
        /// Sets how an I/O thread polls: `poll_max_ns` (ns; 0 turns polling off), `poll_grow`, `poll_shrink`, and limits of its thread pool.
        write SetIOThreadParams(iothreadId: Amount<u32>, params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetIothreadParams => |c| {
            c.vcpus()?.set_iothread_params(c.id()?, iothreadId, arguments::set(params.0)?, flags).await
        };
        /// Sets what happens when the guest powers off, reboots or crashes.
        write SetLifecycleAction(r#type: One<DomainLifecycleEvent, u32>, action: One<DomainLifecycleAction, u32>, flags: Flags<DomainModificationImpact>) -> (): DomainSetLifecycleAction => |c| {
            c.tuning()?.set_lifecycle_action(c.id()?, r#type, action, flags).await
        };
        /// Sets the memory of the domain in KiB: that of the running guest by its balloon, or that of the stored definition, or with the flag MAXIMUM
        /// the maximum. Refused above the maximum. The guest needs time to follow; BalloonChange tells.
        write SetMemory(memory: u64, flags: Flags<DomainMemoryFlags>) -> (): DomainSetMemoryFlags => |c| c.tuning()?.set_memory(c.id()?, memory, flags).await;
        /// Sets memory limits by cgroups in KiB, under the names that GetMemoryParameters returns; a limit of −1 is none.
        write SetMemoryParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetMemoryParameters => |c| c.tuning()?.set_memory_parameters(c.id()?, arguments::memory_limits(params.0)?, flags).await;
        /// Sets how often the balloon driver of the guest updates its memory statistics, in seconds; 0 turns that off.
        write SetMemoryStatsPeriod(period: Amount<i32>, flags: Flags<DomainModificationImpact>) -> (): DomainSetMemoryStatsPeriod => |c| c.tuning()?.set_memory_stats_period(c.id()?, period, flags).await;
        /// Sets description, title, or the metadata element with this namespace URI, which gets the prefix `key`. Empty metadata removes it.
        write SetMetadata(r#type: One<MetadataType>, metadata: String, key: String, uri: String, flags: Flags<DomainModificationImpact>) -> (): DomainSetMetadata => |c| {
            let kind = r#type;
            arguments::set_metadata(kind, optional(&metadata), optional(&key), optional(&uri))?;
            c.description()?.set_metadata(c.id()?, kind, optional(&metadata), optional(&key), optional(&uri), flags).await
        };
        /// Sets the NUMA memory policy: `numa_mode` (not while the domain runs) and `numa_nodeset`.
        write SetNumaParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetNumaParameters => |c| c.tuning()?.set_numa_parameters(c.id()?, arguments::set(params.0)?, flags).await;
        /// Enables or disables performance events of the domain, by name.
        write SetPerfEvents(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetPerfEvents => |c| c.tuning()?.set_perf_events(c.id()?, arguments::set(params.0)?, flags).await;
        /// Sets CPU scheduler parameters, under the names that GetSchedulerParameters returns; those not given stay.
        write SetSchedulerParameters(params: Given, flags: Flags<DomainModificationImpact>) -> (): DomainSetSchedulerParametersFlags => |c| c.tuning()?.set_scheduler_parameters(c.id()?, arguments::set(params.0)?, flags).await;
        /// Sets the guest's clock by its agent: seconds since 1970 UTC and nanoseconds, or with the flag SYNC from the guest's hardware clock.
        write SetTime(seconds: u64, nseconds: Amount<u32>, flags: Flags<DomainSetTimeFlags>) -> (): DomainSetTime => |c| {
            let seconds = i64::try_from(seconds)
                .map_err(|_| Error::invalid_argument("SetTime: 'seconds' is above 9223372036854775807"))?;
            c.agent()?.set_time(c.id()?, seconds, nseconds, flags).await
        };
        /// Sets the password of a user of the guest, by its agent.
        write SetUserPassword(user: String, password: String, flags: Flags<DomainSetUserPasswordFlags>) -> (): DomainSetUserPassword => |c| c.agent()?.set_user_password(c.id()?, &user, &password, flags).await;
        /// Plugs (state 1) or unplugs (0) single virtual CPUs, given as a list such as `1,3-4`.
        write SetVcpu(vcpumap: String, state: Amount<i32>, flags: Flags<DomainModificationImpact>) -> (): DomainSetVcpu => |c| c.vcpus()?.set_vcpu(c.id()?, &vcpumap, switched(state)?, flags).await;
        /// Sets the number of virtual CPUs: of the running domain, of the stored definition, the maximum, or those online in the guest, by flags.
        /// Refused above the maximum.
        write SetVcpus(vcpus: Amount<u32>, flags: Flags<DomainVcpuFlags>) -> (): DomainSetVcpusFlags => |c| c.vcpus()?.set_vcpus(c.id()?, vcpus, arguments::set_vcpus(vcpus, flags)?).await;
        /// Asks the guest to shut down, by ACPI, by the guest agent or as the flags say, and returns when the request was sent; the domain may take
        /// long or refuse. Refused if the domain is not running.
        write Shutdown(flags: Flags<DomainShutdownFlags>) -> (): DomainShutdownFlags => |c| c.lifecycle()?.shutdown(c.id()?, flags).await;
        /// Makes a snapshot of the domain, of its disks and with flags and XML of its memory. An empty `<domainsnapshot/>` leaves name and details to
        /// the daemon.
        write SnapshotCreateXML(xml: String, flags: Flags<SnapshotCreateFlags>) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotCreateXml => |c| {
            c.path_of(c.snapshots()?.create_xml(c.id()?, &xml, flags).await?)
        };
        /// The current snapshot: the one that was made or reverted to last. Refused if there is none.
        read SnapshotCurrent(flags: NoFlags) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotCurrent => |c| {
            let mut all = c.snapshots()?.snapshots(c.id()?).await?.into_iter();
            c.path_of(all.find(|snapshot| snapshot.current).ok_or_else(no_current)?)
        };
        /// Finds the domain's snapshot with this name; an error if there is none.
        memory SnapshotLookupByName(name: String, flags: NoFlags) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotLookupByName finds DomainSnapshot by name(name) => |c| {
            c.path()
        };
        /// Pauses the domain: its virtual CPUs stop, its memory stays allocated. Refused if the domain is off.
        write Suspend() -> (): DomainSuspend => |c| c.lifecycle()?.suspend(c.id()?).await;
        /// Removes the stored definition. A running domain becomes transient, and vanishes when it stops. Refused if there is a managed save image,
        /// snapshots, checkpoints or NVRAM, unless flags say what to do with them.
        write Undefine(flags: Flags<DomainUndefineFlags>) -> (): DomainUndefineFlags => |c| c.domains()?.undefine(c.id()?, flags).await;
        /// Changes a device to what the XML describes, such as the medium of a drive or the link of an interface. Refused if the change is not
        /// possible while the domain runs.
        write UpdateDevice(xml: String, flags: Flags<DomainDeviceModifyFlags>) -> (): DomainUpdateDeviceFlags => |c| c.devices()?.update_device(c.id()?, &xml, flags).await;
    }
    properties {
        /// Whether the domain is active: running, paused, or in another state in which its process exists.
        Active: bool, emits Value: DomainIsActive => |view| Ok(view.is_active().into());
        /// Whether the domain is started when the daemon starts with the host. Setting it is refused for transient domains.
        Autostart: bool, emits Value: DomainGetAutostart => |view| Ok(view.autostart.into()), set DomainSetAutostart => |c, autostart| {
            c.domains()?.set_autostart(c.id()?, autostart).await
        };
        /// Number of the active domain; 0 if it is off.
        Id: Amount<u32>, emits Value: DomainLookupByUuid => |view| Ok(domain_id_property(view.id.id).into());
        /// Long job of the domain: operation, and progress in percent (0 to 100); (0, 0) if there is none. AbortJob ends it.
        Job: (One<DomainJobOperation>, Amount<u32>), emits Value: DomainGetJobInfo => |view| {
            Ok(view.job.map_or((0, 0), |job| (job.operation.number(), job.percent)).into())
        };
        /// Name of the domain, unique on the connection. It changes by Rename only.
        Name: String, emits Value: DomainLookupByUuid => |view| Ok((&*view.id.name).into());
        /// Kind of operating system interface that the guest gets: `hvm` (full virtualization), `exe` (container), ….
        OSType: String, emits Value: DomainGetOsType => |view| Ok((&*view.os_type).into());
        /// Whether the domain has a stored definition, and so still exists when it is stopped.
        Persistent: bool, emits Value: DomainIsPersistent => |view| Ok(view.persistent.into());
        /// Name of the CPU scheduler, and number of its parameters; refused by drivers that have none.
        SchedulerType: (String, Amount<i32>), emits Value: DomainGetSchedulerType => |view| {
            let (name, parameters) = view.scheduler.as_ref().ok_or_else(|| Error::no_support("DomainGetSchedulerType"))?;
            Ok((&**name, i32::try_from(*parameters).unwrap_or(i32::MAX)).into())
        };
        /// Whether the stored definition was changed while the domain runs, so that the next start differs.
        Updated: bool, emits Value: DomainIsUpdated => |view| Ok(view.updated.into());
        /// UUID of the domain, unique and never changed.
        UUID: String, emits Const: DomainLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// Sent when the guest agent has connected or disconnected: new state, and the reason.
        AgentEvent(state: One<AgentState>, reason: One<AgentReason>);
        /// Sent when the guest's memory balloon has changed: memory of the guest now, in KiB.
        BalloonChange(actual: u64);
        /// Sent when a block job has completed, failed, was aborted, or is ready to be finished: disk, type and status.
        BlockJob(disk: String, r#type: One<DomainBlockJobType>, status: One<BlockJobStatus>);
        /// Sent once when the guest has written at or above the offset that SetBlockThreshold has set: device, path, offset, and by how many bytes it
        /// was exceeded.
        BlockThreshold(device: String, devPath: String, threshold: u64, excess: u64);
        /// Sent when the connection to the hypervisor's process is broken, so that the domain can no longer be controlled.
        ControlError();
        /// Sent when a device was added to the running domain, with its alias.
        DeviceAdded(device: String);
        /// Sent when the guest has refused to release a device, with its alias; the device stays.
        DeviceRemovalFailed(device: String);
        /// Sent when the guest has released a device and it is removed, with its alias.
        DeviceRemoved(device: String);
        /// Sent when the medium or image of a disk was changed: old path, new path (empty if none), alias, and the reason.
        DiskChange(oldSrcPath: String, newSrcPath: String, device: String, reason: One<DiskChangeReason>);
        /// Sent when a client of a graphical display has connected, authenticated or disconnected: phase; local and remote end (family, host or path,
        /// port); method of authentication; and identities.
        Graphics(phase: One<GraphicsPhase>, local: (One<GraphicsAddressFamily>, String, String), remote: (One<GraphicsAddressFamily>, String, String), authScheme: String, identities: Vec<(String, String)>);
        /// Sent when reading or writing a disk has failed: path, alias, what the hypervisor did (report, pause), and the reason if it is known, such
        /// as `enospc`.
        IOError(srcPath: String, device: String, action: One<IoErrorAction>, reason: String);
        /// Sent when a long job of the domain has ended, with the statistics that GetJobStats returns.
        JobCompleted(params: Parameters<JobFields>);
        /// Sent when the guest has plugged or unplugged memory of a memory device: alias, and size now in KiB.
        MemoryDeviceSizeChange(device: String, size: u64);
        /// Sent when description, title or a metadata element has changed: which, and the namespace URI of the element.
        MetadataChange(r#type: One<MetadataType>, nsuri: String);
        /// Sent when a migration begins to copy changed memory another time, with the number of the iteration.
        MigrationIteration(iteration: Amount<i32>);
        /// Sent when the guest has suspended itself to memory (S3); the reason is always 0.
        PMSuspend(reason: Amount<i32>);
        /// Sent when the guest has suspended itself to disk (S4); the reason is always 0.
        PMSuspendDisk(reason: Amount<i32>);
        /// Sent when the guest has woken up from suspension to memory; the reason is always 0.
        PMWakeup(reason: Amount<i32>);
        /// Sent when the guest has rebooted.
        Reboot();
        /// Sent when the guest has set its hardware clock, with the difference from UTC in seconds.
        RTCChange(utcoffset: i64);
        /// Sent when the tray of a removable drive was opened or closed: alias, and which.
        TrayChange(device: String, reason: One<TrayChangeReason>);
        /// Sent when tunable settings of the running domain were changed, with their new values.
        Tunable(params: Parameters);
        /// Sent when the watchdog has expired, with the action that was taken.
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
