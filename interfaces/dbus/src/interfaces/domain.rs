//! `org.libvirt.Domain`: a virtual machine or container.

use std::os::fd::OwnedFd;

use virtbus_api::access::Call;
use virtbus_api::domain::{
    DomainCoreDumpFormat, DomainLifecycleAction, DomainLifecycleEvent, DomainStatsTypes,
    DomainView, InterfaceAddressesSource, KeycodeSet, MetadataType, SnapshotListFlags,
};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, arguments};
use zbus::OwnedObjectPath;

use super::lookup::{checkpoint_named, snapshot_named};
use crate::declare::interface;
use crate::moments;
use crate::paths::Paths;
use crate::quirks::{domain_id_property, optional};
use crate::value::{Dict, Given, Parameters};

interface! {
    /// A domain: a virtual machine or container, running or defined.
    DOMAIN = "org.libvirt.Domain", view DomainView, flags;
    methods {
        /// Ends the domain's job that is under way.
        write AbortJob() -> (): DomainAbortJob => |c| c.jobs()?.abort_job(c.id()?, c.flags(0)?).await;
        /// Ends the domain's job that is under way. Flags are those of virDomainAbortJobFlags.
        write AbortJobFlags(flags: u32) -> (): DomainAbortJobFlags => |c| c.jobs()?.abort_job(c.id()?, c.flags(flags)?).await;
        /// Adds an I/O thread with this number, to the running domain (1) or its definition (2).
        write AddIOThread(iothreadId: u32, flags: u32) -> (): DomainAddIothread => |c| c.vcpus()?.add_iothread(c.id()?, iothreadId, c.flags(flags)?).await;
        /// How long the guest agent's answers are waited for, in seconds: −2 for ever, −1 as set up, 0 not at all.
        write AgentSetResponseTimeout(timeout: i32, flags: u32) -> (): DomainAgentSetResponseTimeout => |c| {
            c.no_flags(flags)?;
            c.agent()?.agent_set_response_timeout(c.id()?, timeout).await
        };
        /// Adds a device. Flags are those of virDomainAttachDeviceFlags.
        write AttachDevice(xml: String, flags: u32) -> (): DomainAttachDeviceFlags => |c| c.devices()?.attach_device(c.id()?, &xml, c.flags(flags)?).await;
        /// The SSH keys that may log in as this user, from the guest agent.
        read AuthorizedSSHKeysGet(user: String, flags: u32) -> (keys: Vec<String>): DomainAuthorizedSshKeysGet => |c| {
            c.no_flags(flags)?;
            c.agent()?.authorized_ssh_keys(c.id()?, &user).await
        };
        /// Sets, adds (1) or takes away (2) SSH keys that may log in as this user, by the guest agent.
        write AuthorizedSSHKeysSet(user: String, keys: Vec<String>, flags: u32) -> (): DomainAuthorizedSshKeysSet => |c| {
            c.agent()?.set_authorized_ssh_keys(c.id()?, &user, &keys, c.flags(flags)?).await
        };
        /// Begins a backup, with a checkpoint if there is XML for one. Flags are those of virDomainBackupBegin.
        write BackupBegin(backupXML: String, checkpointXML: String, flags: u32) -> (): DomainBackupBegin => |c| {
            c.checkpoints()?.backup_begin(c.id()?, &backupXML, optional(&checkpointXML), c.flags(flags)?).await
        };
        /// The backup that is under way, as XML.
        read BackupGetXMLDesc(flags: u32) -> (xml: String): DomainBackupGetXmlDesc => |c| {
            c.no_flags(flags)?;
            c.checkpoints()?.backup_xml_desc(c.id()?).await
        };
        /// Merges images of a disk downwards. Empty names leave the choice to the daemon. Flags are those of virDomainBlockCommit.
        write BlockCommit(disk: String, base: String, top: String, bandwidth: u64, flags: u32) -> (): DomainBlockCommit => |c| {
            c.block_jobs()?.block_commit(c.id()?, &disk, optional(&base), optional(&top), bandwidth, c.flags(flags)?).await
        };
        /// Copies a disk to the one that the XML describes. Flags and parameters are those of virDomainBlockCopy.
        write BlockCopy(disk: String, destxml: String, params: Given, flags: u32) -> (): DomainBlockCopy => |c| {
            c.block_jobs()?.block_copy(c.id()?, &disk, &destxml, params.0, c.flags(flags)?).await
        };
        /// Ends a disk's job, or goes on with its copy. Flags are those of virDomainBlockJobAbort.
        write BlockJobAbort(disk: String, flags: u32) -> (): DomainBlockJobAbort => |c| c.block_jobs()?.block_job_abort(c.id()?, &disk, c.flags(flags)?).await;
        /// Limits a disk's job. Flags are those of virDomainBlockJobSetSpeed.
        write BlockJobSetSpeed(disk: String, bandwidth: u64, flags: u32) -> (): DomainBlockJobSetSpeed => |c| {
            c.block_jobs()?.block_job_set_speed(c.id()?, &disk, bandwidth, c.flags(flags)?).await
        };
        /// Content of a disk, at most 65536 bytes at once.
        read BlockPeek(disk: String, offset: u64, size: u64, flags: u32) -> (buffer: Vec<u8>): DomainBlockPeek => |c| {
            c.no_flags(flags)?;
            c.console()?.block_peek(c.id()?, &disk, offset, peeked(size)?).await
        };
        /// Takes a disk's whole backing chain in. Flags are those of virDomainBlockPull.
        write BlockPull(disk: String, bandwidth: u64, flags: u32) -> (): DomainBlockPull => |c| c.block_jobs()?.block_pull(c.id()?, &disk, bandwidth, c.flags(flags)?).await;
        /// Takes a disk's backing chain above `base` in, or copies the disk. Flags are those of virDomainBlockRebase.
        write BlockRebase(disk: String, base: String, bandwidth: u64, flags: u32) -> (): DomainBlockRebase => |c| {
            c.block_jobs()?.block_rebase(c.id()?, &disk, optional(&base), bandwidth, c.flags(flags)?).await
        };
        /// Changes a disk's size. Flags are those of virDomainBlockResize.
        write BlockResize(disk: String, size: u64, flags: u32) -> (): DomainBlockResize => |c| c.block_jobs()?.block_resize(c.id()?, &disk, size, c.flags(flags)?).await;
        /// Reads and writes of a disk; an empty name: of all of them.
        read BlockStats(disk: String, flags: u32) -> (stats: Parameters): DomainBlockStatsFlags => |c| {
            c.no_parameter_flags(flags)?;
            Ok(c.parameters(c.counters()?.block_stats(c.id()?, &disk).await?))
        };
        /// Makes a checkpoint. Flags are those of virDomainCheckpointCreateXML.
        write CheckpointCreateXML(xml: String, flags: u32) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointCreateXml => |c| {
            c.path_of(c.checkpoints()?.create_xml(c.id()?, &xml, c.flags(flags)?).await?)
        };
        /// Finds the checkpoint with this name.
        memory CheckpointLookupByName(name: String, flags: u32) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointLookupByName on checkpoint_named(name) => |c| {
            c.no_flags(flags)?;
            c.path()
        };
        /// Dumps the guest's memory to a file. Format and flags are those of virDomainCoreDumpWithFormat.
        write CoreDump(to: String, dumpformat: u32, flags: u32) -> (): DomainCoreDumpWithFormat => |c| {
            let format = DomainCoreDumpFormat::from_number(dumpformat.into())?;
            c.saving()?.core_dump(c.id()?, c.caller_file(&to), format, c.flags(flags)?).await
        };
        /// Starts the defined domain. Flags are those of virDomainCreate.
        write Create(flags: u32) -> (): DomainCreate => |c| c.lifecycle()?.create(c.id()?, c.flags(flags)?).await;
        /// Starts the defined domain and hands these files to its init (containers).
        write CreateWithFiles(files: Vec<zbus::OwnedFd>, flags: u32) -> (): DomainCreateWithFiles => |c| {
            c.lifecycle()?.create_with_files(c.id()?, files.into_iter().map(OwnedFd::from).collect(), c.flags(flags)?).await
        };
        /// Takes an I/O thread away, from the running domain (1) or its definition (2).
        write DelIOThread(iothreadId: u32, flags: u32) -> (): DomainDelIothread => |c| c.vcpus()?.del_iothread(c.id()?, iothreadId, c.flags(flags)?).await;
        /// Ends the domain at once, as pulling the plug would. Never waits for another call. Flags are those of virDomainDestroy.
        write Destroy(flags: u32) -> (): DomainDestroy => |c| c.lifecycle()?.destroy(c.id()?, c.flags(flags)?).await;
        /// Takes a device away, or asks the guest to let it go. Flags are those of virDomainDetachDeviceFlags.
        write DetachDevice(xml: String, flags: u32) -> (): DomainDetachDeviceFlags => |c| c.devices()?.detach_device(c.id()?, &xml, c.flags(flags)?).await;
        /// The same for the device with this alias.
        write DetachDeviceAlias(alias: String, flags: u32) -> (): DomainDetachDeviceAlias => |c| c.devices()?.detach_device_alias(c.id()?, &alias, c.flags(flags)?).await;
        /// Freezes the guest's file systems (none named: all) by its agent; how many.
        write FSFreeze(mountpoints: Vec<String>, flags: u32) -> (frozenFilesystems: u32): DomainFsfreeze => |c| {
            c.no_flags(flags)?;
            c.agent()?.fs_freeze(c.id()?, &mountpoints).await
        };
        /// Thaws them; how many.
        write FSThaw(mountpoints: Vec<String>, flags: u32) -> (thawedFilesystems: u32): DomainFsthaw => |c| {
            c.no_flags(flags)?;
            c.agent()?.fs_thaw(c.id()?, &mountpoints).await
        };
        /// Lets the guest give unused blocks back, in runs of at least `minimum` bytes.
        write FSTrim(mountpoint: String, minimum: u64, flags: u32) -> (): DomainFstrim => |c| {
            c.no_flags(flags)?;
            c.agent()?.fs_trim(c.id()?, optional(&mountpoint), minimum).await
        };
        /// Sizes of a disk in bytes: as the guest sees it, what its content takes, of its file or device.
        read GetBlockInfo(disk: String, flags: u32) -> (info: (u64, u64, u64)): DomainGetBlockInfo => |c| {
            c.no_flags(flags)?;
            let info = c.counters()?.block_info(c.id()?, &disk).await?;
            Ok((info.capacity, info.allocation, info.physical))
        };
        /// Weights and limits of the host's block devices.
        read GetBlockIOParameters(flags: u32) -> (BlkioParameters: Parameters): DomainGetBlkioParameters => |c| {
            Ok(c.wrapped(c.tuning()?.blkio_parameters(c.id()?, c.parameter_flags(flags)?).await?))
        };
        /// Limits of a disk.
        read GetBlockIOTune(disk: String, flags: u32) -> (blockIOTune: Parameters): DomainGetBlockIoTune => |c| {
            Ok(c.wrapped(c.tuning()?.block_io_tune(c.id()?, &disk, c.parameter_flags(flags)?).await?))
        };
        /// How far a disk's job is: kind (0: there is none), bandwidth, now, end. Flags are those of virDomainGetBlockJobInfo.
        read GetBlockJobInfo(disk: String, flags: u32) -> (blockJobInfo: (i32, u64, u64, u64)): DomainGetBlockJobInfo => |c| {
            let info = c.block_jobs()?.block_job_info(c.id()?, &disk, c.flags(flags)?).await?;
            Ok(info.map_or((0, 0, 0, 0), |info| (info.kind, info.bandwidth, info.cur, info.end)))
        };
        /// Whether the hypervisor can be reached: state, details, and since when (milliseconds).
        read GetControlInfo(flags: u32) -> (controlInfo: (u32, u32, u64)): DomainGetControlInfo => |c| {
            c.no_flags(flags)?;
            let info = c.jobs()?.control_info(c.id()?).await?;
            Ok((info.state, info.details, info.state_time))
        };
        /// Processor time in all (`startCpu` −1) or of `ncpus` host processors.
        read GetCPUStats(startCpu: i32, ncpus: u32, flags: u32) -> (stats: Vec<Parameters>): DomainGetCpuStats => |c| {
            c.no_parameter_flags(flags)?;
            let stats = c.counters()?.cpu_stats(c.id()?, startCpu, ncpus).await?;
            Ok(stats.into_iter().map(|stats| c.parameters(stats)).collect())
        };
        /// Disks that failed: target, and virDomainDiskErrorCode.
        read GetDiskErrors(flags: u32) -> (diskErrors: Vec<(String, i32)>): DomainGetDiskErrors => |c| {
            c.no_flags(flags)?;
            c.counters()?.disk_errors(c.id()?).await
        };
        /// Where the hypervisor's own threads may run.
        read GetEmulatorPinInfo(flags: u32) -> (cpumap: Vec<bool>): DomainGetEmulatorPinInfo => |c| c.vcpus()?.emulator_pin_info(c.id()?, c.flags(flags)?).await;
        /// The guest's file systems: where they are mounted, name, type, and the disks that they lie on.
        read GetFSInfo(flags: u32) -> (fsInfo: Vec<(String, String, String, Vec<String>)>): DomainGetFsinfo => |c| {
            c.no_flags(flags)?;
            let found = c.agent()?.fs_info(c.id()?).await?;
            Ok(found.into_iter().map(|fs| (fs.mountpoint, fs.name, fs.fs_type, fs.devices)).collect())
        };
        /// Facts about the guest from its agent, of the kinds of virDomainGuestInfoTypes (0: all).
        read GetGuestInfo(types: u32, flags: u32) -> (info: Parameters): DomainGetGuestInfo => |c| {
            c.no_parameter_flags(flags)?;
            Ok(c.parameters(c.agent()?.guest_info(c.id()?, c.flags(types)?).await?))
        };
        /// The processors as the guest sees them.
        read GetGuestVcpus(flags: u32) -> (vcpus: Parameters): DomainGetGuestVcpus => |c| {
            c.no_parameter_flags(flags)?;
            Ok(c.wrapped(c.agent()?.guest_vcpus(c.id()?).await?))
        };
        /// The guest's name. Flags are those of virDomainGetHostname.
        read GetHostname(flags: u32) -> (hostname: String): DomainGetHostname => |c| c.agent()?.hostname(c.id()?, c.flags(flags)?).await;
        /// State, most memory and memory (KiB), virtual CPUs, processor time (nanoseconds).
        read GetInfo() -> (info: (i32, u64, u64, u32, u64)): DomainGetInfo => |c| {
            let info = c.domains()?.info(c.id()?).await?;
            Ok((info.state.numbers().0, info.max_memory, info.memory, info.vcpus, info.cpu_time))
        };
        /// Bandwidth of an interface.
        read GetInterfaceParameters(device: String, flags: u32) -> (interfaceParameters: Parameters): DomainGetInterfaceParameters => |c| {
            Ok(c.wrapped(c.tuning()?.interface_parameters(c.id()?, &device, c.parameter_flags(flags)?).await?))
        };
        /// The I/O threads: number, and where they may run.
        read GetIOThreadInfo(flags: u32) -> (ioThreadInfo: Vec<(u32, Vec<bool>)>): DomainGetIothreadInfo => |c| {
            let threads = c.vcpus()?.iothread_info(c.id()?, c.flags(flags)?).await?;
            Ok(threads.into_iter().map(|thread| (thread.id, thread.cpus)).collect())
        };
        /// How far the domain's job is: virDomainJobInfo.
        read GetJobInfo() -> (jobInfo: JobInfo): DomainGetJobInfo => |c| {
            let info = c.jobs()?.job_info(c.id()?).await?;
            Ok((
                info.kind, info.time_elapsed, info.time_remaining, info.data_total, info.data_processed, info.data_remaining,
                info.mem_total, info.mem_processed, info.mem_remaining, info.file_total, info.file_processed, info.file_remaining,
            ))
        };
        /// The same in full: virDomainJobType, and what is known by name. Flags are those of virDomainGetJobStats.
        read GetJobStats(flags: u32) -> (stats: (i32, Parameters)): DomainGetJobStats => |c| {
            let (kind, stats) = c.jobs()?.job_stats(c.id()?, c.flags(flags)?).await?;
            Ok((kind, c.wrapped(stats)))
        };
        /// How the domain's launch is measured.
        read GetLaunchSecurityInfo(flags: u32) -> (info: Parameters): DomainGetLaunchSecurityInfo => |c| {
            c.no_parameter_flags(flags)?;
            Ok(c.parameters(c.description()?.launch_security_info(c.id()?).await?))
        };
        /// Limits of memory.
        read GetMemoryParameters(flags: u32) -> (memoryParameters: Parameters): DomainGetMemoryParameters => |c| {
            Ok(c.wrapped(c.tuning()?.memory_parameters(c.id()?, c.parameter_flags(flags)?).await?))
        };
        /// What the driver has to say about the domain, of the kinds of virDomainMessageType (0: all).
        read GetMessages(flags: u32) -> (messages: Vec<String>): DomainGetMessages => |c| c.description()?.messages(c.id()?, c.flags(flags)?).await;
        /// Description (0), title (1) or an element of the metadata (2) by its namespace. Flags: of the running (1) or the stored (2) definition.
        read GetMetadata(r#type: i32, uri: String, flags: u32) -> (metadata: String): DomainGetMetadata => |c| {
            let kind = MetadataType::from_number(r#type.into())?;
            arguments::get_metadata(kind, optional(&uri))?;
            c.description()?.metadata(c.id()?, kind, optional(&uri), c.flags(flags)?).await
        };
        /// Where memory is taken from.
        read GetNumaParameters(flags: u32) -> (numaParameters: Parameters): DomainGetNumaParameters => |c| {
            Ok(c.wrapped(c.tuning()?.numa_parameters(c.id()?, c.parameter_flags(flags)?).await?))
        };
        /// Which performance counters are on.
        read GetPerfEvents(flags: u32) -> (perfEvents: Parameters): DomainGetPerfEvents => |c| {
            Ok(c.wrapped(c.tuning()?.perf_events(c.id()?, c.parameter_flags(flags)?).await?))
        };
        /// Scheduling.
        read GetSchedulerParameters(flags: u32) -> (SchedulerParameters: Parameters): DomainGetSchedulerParametersFlags => |c| {
            Ok(c.wrapped(c.tuning()?.scheduler_parameters(c.id()?, c.parameter_flags(flags)?).await?))
        };
        /// The security labels that the domain runs with, and whether the host holds it to them.
        read GetSecurityLabelList() -> (securityLabels: Vec<(String, bool)>): DomainGetSecurityLabelList => |c| {
            let labels = c.description()?.security_labels(c.id()?).await?;
            Ok(labels.into_iter().map(|label| (label.label, label.enforcing)).collect())
        };
        /// What the domain is doing: virDomainState and the state's reason.
        memory GetState(flags: u32) -> (state: (i32, i32)): DomainGetState => |c| {
            c.no_flags(flags)?;
            let id: &virtbus_api::domain::DomainId = c.id()?;
            Ok(c.domains()?.view(id.uuid).await?.state.numbers())
        };
        /// Statistics of the groups that are asked for (virDomainStatsTypes; 0: all), by libvirt's names.
        read GetStats(stats: u32, flags: u32) -> (records: Parameters): DomainGetState => |c| {
            let stats = c.statistics()?.stats(c.id()?, DomainStatsTypes::from_bits_retain(stats), c.flags(flags)?).await?;
            Ok(c.wrapped(stats))
        };
        /// The guest's clock: seconds since 1970, and nanoseconds.
        read GetTime(flags: u32) -> (time: (u64, u32)): DomainGetTime => |c| {
            c.no_flags(flags)?;
            let (seconds, nanoseconds) = c.agent()?.time(c.id()?).await?;
            Ok((seconds.max(0).unsigned_abs(), nanoseconds))
        };
        /// Where each virtual CPU may run.
        read GetVcpuPinInfo(flags: u32) -> (vcpuPinInfo: Vec<Vec<bool>>): DomainGetVcpuPinInfo => |c| c.vcpus()?.vcpu_pin_info(c.id()?, c.flags(flags)?).await;
        /// The number of virtual CPUs. Flags are those of virDomainGetVcpusFlags.
        memory GetVcpus(flags: u32) -> (vcpus: u32): DomainGetVcpusFlags => |c| c.vcpus()?.vcpus_flags(c.id()?, c.flags(flags)?).await;
        /// The domain's XML. Flags are those of virDomainGetXMLDesc.
        read GetXMLDesc(flags: u32) -> (xml: String): DomainGetXmlDesc => |c| c.domains()?.xml_desc(c.id()?, c.flags(flags)?).await;
        /// Whether the next start finds a saved image of the memory.
        memory HasManagedSaveImage(flags: u32) -> (managedSaveImage: bool): DomainHasManagedSaveImage => |c| {
            c.no_flags(flags)?;
            let id: &virtbus_api::domain::DomainId = c.id()?;
            Ok(c.domains()?.view(id.uuid).await?.managed_save)
        };
        /// Injects a non-maskable interrupt into the guest.
        write InjectNMI(flags: u32) -> (): DomainInjectNmi => |c| {
            c.no_flags(flags)?;
            c.lifecycle()?.inject_nmi(c.id()?).await
        };
        /// The addresses of the guest's interfaces, from leases (0), its agent (1) or the host's neighbours (2): name, MAC address, and addresses
        /// (0 for IPv4 or 1 for IPv6, address, length of the prefix).
        read InterfaceAddresses(source: u32, flags: u32) -> (ifaces: Vec<(String, String, Vec<(i32, String, u32)>)>): DomainInterfaceAddresses [source] => |c| {
            c.no_flags(flags)?;
            let source = InterfaceAddressesSource::from_number(source.into())?;
            let found = c.agent()?.interface_addresses(c.id()?, source).await?;
            Ok(found
                .into_iter()
                .map(|interface| {
                    let addresses = interface.addresses.into_iter();
                    let addresses = addresses.map(|address| (address.kind, address.address, address.prefix));
                    (interface.name, interface.mac.unwrap_or_default(), addresses.collect())
                })
                .collect())
        };
        /// Traffic of an interface.
        read InterfaceStats(device: String) -> (stats: Parameters): DomainInterfaceStats => |c| {
            Ok(c.parameters(c.counters()?.interface_stats(c.id()?, &device).await?))
        };
        /// The domain's checkpoints. Flags are those of virDomainListAllCheckpoints.
        read ListDomainCheckpoints(flags: u32) -> (domainCheckpoints: Paths): DomainListAllCheckpoints => |c| {
            let flags: virtbus_api::domain::CheckpointListFlags = c.flags(flags)?;
            let all = c.checkpoints()?.checkpoints(c.id()?).await?;
            c.list_all(&moments::below(all, None, flags).into()).await
        };
        /// The domain's snapshots. Flags are those of virDomainListAllSnapshots.
        read ListDomainSnapshots(flags: u32) -> (domainSnapshots: Paths): DomainListAllSnapshots => |c| {
            let flags: SnapshotListFlags = c.flags(flags)?;
            let all = c.snapshots_or_none(c.id()?).await?;
            c.list_all(&moments::below(all, None, flags).into()).await
        };
        /// Saves the memory where the next start finds it, and stops the domain. Flags are those of virDomainManagedSave.
        write ManagedSave(flags: u32) -> (): DomainManagedSave => |c| c.saving()?.managed_save(c.id()?, c.flags(flags)?).await;
        /// Changes the definition in the saved image.
        write ManagedSaveDefineXML(xml: String, flags: u32) -> (): DomainManagedSaveDefineXml => |c| c.saving()?.managed_save_define_xml(c.id()?, &xml, c.flags(flags)?).await;
        /// The definition in the saved image.
        read ManagedSaveGetXMLDesc(flags: u32) -> (xml: String): DomainManagedSaveGetXmlDesc => |c| c.saving()?.managed_save_xml_desc(c.id()?, c.flags(flags)?).await;
        /// Removes the saved image.
        write ManagedSaveRemove(flags: u32) -> (): DomainManagedSaveRemove => |c| {
            c.no_flags(flags)?;
            c.saving()?.managed_save_remove(c.id()?).await
        };
        /// Memory of the guest, at most 65536 bytes at once. Flags are those of virDomainMemoryPeek.
        read MemoryPeek(offset: u64, size: u64, flags: u32) -> (buffer: Vec<u8>): DomainMemoryPeek => |c| {
            c.console()?.memory_peek(c.id()?, offset, peeked(size)?, arguments::memory_peek(c.flags(flags)?)?).await
        };
        /// Memory as the guest sees it, by virDomainMemoryStatTags.
        read MemoryStats(flags: u32) -> (stats: Dict<i32, u64>): DomainMemoryStats => |c| {
            c.no_flags(flags)?;
            Ok(Dict(c.counters()?.memory_stats(c.id()?).await?))
        };
        /// The cache for a compressed migration, bytes.
        read MigrateGetCompressionCache(flags: u32) -> (cacheSize: u64): DomainMigrateGetCompressionCache => |c| {
            c.no_flags(flags)?;
            c.migration()?.migrate_get_compression_cache(c.id()?).await
        };
        /// The longest pause of a migration, milliseconds.
        read MigrateGetMaxDowntime(flags: u32) -> (downtime: u64): DomainMigrateGetMaxDowntime => |c| {
            c.no_flags(flags)?;
            c.migration()?.migrate_get_max_downtime(c.id()?).await
        };
        /// The limit of a migration, MiB/s. Flags are those of virDomainMigrateGetMaxSpeed.
        read MigrateGetMaxSpeed(flags: u32) -> (bandwidth: u64): DomainMigrateGetMaxSpeed => |c| c.migration()?.migrate_get_max_speed(c.id()?, c.flags(flags)?).await;
        /// Sets the cache for a compressed migration, bytes.
        write MigrateSetCompressionCache(cacheSize: u64, flags: u32) -> (): DomainMigrateSetCompressionCache => |c| {
            c.no_flags(flags)?;
            c.migration()?.migrate_set_compression_cache(c.id()?, cacheSize).await
        };
        /// Sets the longest pause of a migration, milliseconds.
        write MigrateSetMaxDowntime(downtime: u64, flags: u32) -> (): DomainMigrateSetMaxDowntime => |c| {
            c.no_flags(flags)?;
            c.migration()?.migrate_set_max_downtime(c.id()?, downtime).await
        };
        /// Sets the limit of a migration, MiB/s.
        write MigrateSetMaxSpeed(bandwidth: u64, flags: u32) -> (): DomainMigrateSetMaxSpeed => |c| c.migration()?.migrate_set_max_speed(c.id()?, bandwidth, c.flags(flags)?).await;
        /// Switches a migration over now.
        write MigrateStartPostCopy(flags: u32) -> (): DomainMigrateStartPostCopy => |c| {
            c.no_flags(flags)?;
            c.migration()?.migrate_start_post_copy(c.id()?).await
        };
        /// Migrates to another host. Parameters and flags are those of virDomainMigrateToURI3.
        write MigrateToURI3(dconuri: String, params: Given, flags: u32) -> (): DomainMigratePerform3Params => |c| {
            c.migration()?.migrate_to_uri3(c.id()?, optional(&dconuri), params.0, c.flags(flags)?).await
        };
        /// A channel, to read and write; an empty name: the first. Flags are those of virDomainOpenChannel.
        write OpenChannel(name: String, flags: u32) -> (stream: zbus::OwnedFd): DomainOpenChannel => |c| {
            Ok(c.console()?.open_channel(c.id()?, optional(&name), c.flags(flags)?).await?.into())
        };
        /// A console, to read and write; an empty name: the first. Flags are those of virDomainOpenConsole.
        write OpenConsole(devname: String, flags: u32) -> (stream: zbus::OwnedFd): DomainOpenConsole => |c| {
            Ok(c.console()?.open_console(c.id()?, optional(&devname), c.flags(flags)?).await?.into())
        };
        /// A display by its number, to speak its protocol. Flags are those of virDomainOpenGraphicsFD.
        write OpenGraphicsFD(idx: u32, flags: u32) -> (fd: zbus::OwnedFd): DomainOpenGraphicsFd => |c| {
            Ok(c.console()?.open_graphics_fd(c.id()?, idx, c.flags(flags)?).await?.into())
        };
        /// Pins the hypervisor's own threads.
        write PinEmulator(cpumap: Vec<bool>, flags: u32) -> (): DomainPinEmulator => |c| c.vcpus()?.pin_emulator(c.id()?, cpumap, c.flags(flags)?).await;
        /// Pins an I/O thread.
        write PinIOThread(iothreadId: u32, cpumap: Vec<bool>, flags: u32) -> (): DomainPinIothread => |c| c.vcpus()?.pin_iothread(c.id()?, iothreadId, cpumap, c.flags(flags)?).await;
        /// Pins a virtual CPU.
        write PinVcpu(vcpu: u32, cpumap: Vec<bool>, flags: u32) -> (): DomainPinVcpuFlags => |c| c.vcpus()?.pin_vcpu(c.id()?, vcpu, cpumap, c.flags(flags)?).await;
        /// Wakes a guest that suspended itself to memory.
        write PMWakeup(flags: u32) -> (): DomainPmWakeup => |c| {
            c.no_flags(flags)?;
            c.lifecycle()?.pm_wakeup(c.id()?).await
        };
        /// Asks the guest to reboot, and returns when it was asked. Flags are those of virDomainReboot.
        write Reboot(flags: u32) -> (): DomainReboot => |c| c.lifecycle()?.reboot(c.id()?, c.flags(flags)?).await;
        /// Gives the domain, which must be off, another name.
        write Rename(name: String, flags: u32) -> (): DomainRename => |c| {
            c.no_flags(flags)?;
            c.description()?.rename(c.id()?, &name).await
        };
        /// Resets the machine as its reset button would.
        write Reset(flags: u32) -> (): DomainReset => |c| {
            c.no_flags(flags)?;
            c.lifecycle()?.reset(c.id()?).await
        };
        /// Lets the virtual CPUs run again.
        write Resume() -> (): DomainResume => |c| c.lifecycle()?.resume(c.id()?).await;
        /// Saves the memory to a file and stops the domain. Empty XML keeps the definition; another one needs `domain.write` besides. Flags are those of virDomainSaveFlags.
        write Save(to: String, xml: String, flags: u32) -> (): DomainSaveFlags => |c| {
            // libvirt asks for nothing more; but whoever restores it later runs what stands there.
            if !xml.is_empty() {
                c.require_also(Call::DomainSaveImageDefineXml).await?;
            }
            c.saving()?.save(c.id()?, c.caller_file(&to), optional(&xml), c.flags(flags)?).await
        };
        /// What a screen shows: media type, and the image to be read.
        read Screenshot(screen: u32, flags: u32) -> (mimeType: String, stream: zbus::OwnedFd): DomainScreenshot => |c| {
            c.no_flags(flags)?;
            let (media_type, image) = c.console()?.screenshot(c.id()?, screen).await?;
            Ok((media_type, image.into()))
        };
        /// Presses keys together, for so many milliseconds. The code set is virKeycodeSet.
        write SendKey(codeset: u32, holdtime: u32, keycodes: Vec<u32>, flags: u32) -> (): DomainSendKey => |c| {
            c.no_flags(flags)?;
            let codeset = KeycodeSet::from_number(codeset.into())?;
            c.console()?.send_key(c.id()?, codeset, holdtime, arguments::keys(&keycodes)?).await
        };
        /// Signals a process of the guest. Signals are those of virDomainProcessSignal.
        write SendProcessSignal(pidValue: i64, sigNum: u32, flags: u32) -> (): DomainSendProcessSignal => |c| {
            c.no_flags(flags)?;
            arguments::signal(pidValue, sigNum)?;
            c.console()?.send_process_signal(c.id()?, pidValue, sigNum).await
        };
        /// Sets weights and limits of the host's block devices.
        write SetBlockIOParameters(params: Given, flags: u32) -> (): DomainSetBlkioParameters => |c| c.tuning()?.set_blkio_parameters(c.id()?, arguments::set(params.0)?, c.flags(flags)?).await;
        /// Sets limits of a disk.
        write SetBlockIOTune(disk: String, params: Given, flags: u32) -> (): DomainSetBlockIoTune => |c| c.tuning()?.set_block_io_tune(c.id()?, &disk, arguments::set(params.0)?, c.flags(flags)?).await;
        /// Lets BlockThreshold tell when writing to an image reaches this offset, in bytes.
        write SetBlockThreshold(dev: String, threshold: u64, flags: u32) -> (): DomainSetBlockThreshold => |c| {
            c.no_flags(flags)?;
            c.block_jobs()?.set_block_threshold(c.id()?, &dev, threshold).await
        };
        /// Switches processors in the guest on (1) or off (0), by its agent.
        write SetGuestVcpus(vcpumap: Vec<bool>, state: i32, flags: u32) -> (): DomainSetGuestVcpus => |c| {
            c.no_flags(flags)?;
            c.agent()?.set_guest_vcpus(c.id()?, vcpumap, switched(state)?).await
        };
        /// Sets the bandwidth of an interface.
        write SetInterfaceParameters(device: String, params: Given, flags: u32) -> (): DomainSetInterfaceParameters => |c| {
            c.tuning()?.set_interface_parameters(c.id()?, &device, arguments::set(params.0)?, c.flags(flags)?).await
        };
        /// Tunes the polling of an I/O thread.
        write SetIOThreadParams(iothreadId: u32, params: Given, flags: u32) -> (): DomainSetIothreadParams => |c| {
            c.vcpus()?.set_iothread_params(c.id()?, iothreadId, arguments::set(params.0)?, c.flags(flags)?).await
        };
        /// What happens when the guest powers off (0), reboots (1) or crashes (2): virDomainLifecycleAction.
        write SetLifecycleAction(r#type: u32, action: u32, flags: u32) -> (): DomainSetLifecycleAction => |c| {
            let event = DomainLifecycleEvent::from_number(r#type.into())?;
            let action = DomainLifecycleAction::from_number(action.into())?;
            c.tuning()?.set_lifecycle_action(c.id()?, event, action, c.flags(flags)?).await
        };
        /// Sets the memory, KiB. Flags are those of virDomainSetMemoryFlags.
        write SetMemory(memory: u64, flags: u32) -> (): DomainSetMemoryFlags => |c| c.tuning()?.set_memory(c.id()?, memory, c.flags(flags)?).await;
        /// Sets limits of memory.
        write SetMemoryParameters(params: Given, flags: u32) -> (): DomainSetMemoryParameters => |c| c.tuning()?.set_memory_parameters(c.id()?, arguments::memory_limits(params.0)?, c.flags(flags)?).await;
        /// How often memory statistics are collected, in seconds; 0: never.
        write SetMemoryStatsPeriod(period: i32, flags: u32) -> (): DomainSetMemoryStatsPeriod => |c| c.tuning()?.set_memory_stats_period(c.id()?, period, c.flags(flags)?).await;
        /// Sets description (0), title (1) or an element of the metadata (2), which takes the prefix `key`; empty removes it.
        write SetMetadata(r#type: i32, metadata: String, key: String, uri: String, flags: u32) -> (): DomainSetMetadata => |c| {
            let kind = MetadataType::from_number(r#type.into())?;
            arguments::set_metadata(kind, optional(&metadata), optional(&key), optional(&uri))?;
            c.description()?.set_metadata(c.id()?, kind, optional(&metadata), optional(&key), optional(&uri), c.flags(flags)?).await
        };
        /// Sets where memory is taken from.
        write SetNumaParameters(params: Given, flags: u32) -> (): DomainSetNumaParameters => |c| c.tuning()?.set_numa_parameters(c.id()?, arguments::set(params.0)?, c.flags(flags)?).await;
        /// Switches performance counters.
        write SetPerfEvents(params: Given, flags: u32) -> (): DomainSetPerfEvents => |c| c.tuning()?.set_perf_events(c.id()?, arguments::set(params.0)?, c.flags(flags)?).await;
        /// Sets scheduling.
        write SetSchedulerParameters(params: Given, flags: u32) -> (): DomainSetSchedulerParametersFlags => |c| c.tuning()?.set_scheduler_parameters(c.id()?, arguments::set(params.0)?, c.flags(flags)?).await;
        /// Sets the guest's clock: seconds since 1970, and nanoseconds. Flags are those of virDomainSetTime.
        write SetTime(seconds: u64, nseconds: u32, flags: u32) -> (): DomainSetTime => |c| {
            let seconds = i64::try_from(seconds)
                .map_err(|_| Error::invalid_argument("SetTime: 'seconds' is above 9223372036854775807"))?;
            c.agent()?.set_time(c.id()?, seconds, nseconds, c.flags(flags)?).await
        };
        /// Sets a user's password. Flags are those of virDomainSetUserPassword.
        write SetUserPassword(user: String, password: String, flags: u32) -> (): DomainSetUserPassword => |c| c.agent()?.set_user_password(c.id()?, &user, &password, c.flags(flags)?).await;
        /// Plugs (1) or unplugs (0) virtual CPUs, such as `1,3-4`.
        write SetVcpu(vcpumap: String, state: i32, flags: u32) -> (): DomainSetVcpu => |c| c.vcpus()?.set_vcpu(c.id()?, &vcpumap, switched(state)?, c.flags(flags)?).await;
        /// Sets the number of virtual CPUs. Flags are those of virDomainSetVcpusFlags.
        write SetVcpus(vcpus: u32, flags: u32) -> (): DomainSetVcpusFlags => |c| c.vcpus()?.set_vcpus(c.id()?, vcpus, arguments::set_vcpus(vcpus, c.flags(flags)?)?).await;
        /// Asks the guest to shut down, and returns when it was asked. Flags are those of virDomainShutdown.
        write Shutdown(flags: u32) -> (): DomainShutdownFlags => |c| c.lifecycle()?.shutdown(c.id()?, c.flags(flags)?).await;
        /// Makes a snapshot. Flags are those of virDomainSnapshotCreateXML.
        write SnapshotCreateXML(xml: String, flags: u32) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotCreateXml => |c| {
            c.path_of(c.snapshots()?.create_xml(c.id()?, &xml, c.flags(flags)?).await?)
        };
        /// The current snapshot: what the domain returns to by default.
        read SnapshotCurrent(flags: u32) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotCurrent => |c| {
            c.no_flags(flags)?;
            let mut all = c.snapshots()?.snapshots(c.id()?).await?.into_iter();
            c.path_of(all.find(|snapshot| snapshot.current).ok_or_else(no_current)?)
        };
        /// Finds the snapshot with this name.
        memory SnapshotLookupByName(name: String, flags: u32) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotLookupByName on snapshot_named(name) => |c| {
            c.no_flags(flags)?;
            c.path()
        };
        /// Halts the virtual CPUs. Memory stays allocated.
        write Suspend() -> (): DomainSuspend => |c| c.lifecycle()?.suspend(c.id()?).await;
        /// Takes the stored definition away; a running domain vanishes when it stops. Flags are those of virDomainUndefine.
        write Undefine(flags: u32) -> (): DomainUndefineFlags => |c| c.domains()?.undefine(c.id()?, c.flags(flags)?).await;
        /// Changes a device, such as the medium in a drive. Flags are those of virDomainUpdateDeviceFlags.
        write UpdateDevice(xml: String, flags: u32) -> (): DomainUpdateDeviceFlags => |c| c.devices()?.update_device(c.id()?, &xml, c.flags(flags)?).await;
    }
    properties {
        /// Whether a hypervisor's process stands behind the domain.
        Active: bool, emits Value: DomainIsActive => |view| Ok(view.is_active().into());
        /// Whether the domain is started with the host.
        Autostart: bool, emits Value: DomainGetAutostart => |view| Ok(view.autostart.into()), set DomainSetAutostart => |c, autostart| {
            c.domains()?.set_autostart(c.id()?, autostart).await
        };
        /// The number of the running domain, 0 when it is off.
        Id: u32, emits Value: DomainLookupByUuid => |view| Ok(domain_id_property(view.id.id).into());
        /// The long job that is under way: what it does (virDomainJobOperation), and how much of it is done, 0 to 100; (0, 0) if
        /// there is none. `AbortJob` ends it.
        Job: (i32, u32), emits Value: DomainGetJobInfo => |view| {
            Ok(view.job.map_or((0, 0), |job| (job.operation.number(), job.percent)).into())
        };
        /// The name, unique on the connection.
        Name: String, emits Value: DomainLookupByUuid => |view| Ok((&*view.id.name).into());
        /// What kind of guest it is, such as hvm.
        OSType: String, emits Value: DomainGetOsType => |view| Ok(view.os_type.into());
        /// Whether its definition outlives its run.
        Persistent: bool, emits Value: DomainIsPersistent => |view| Ok(view.persistent.into());
        /// The scheduler of its processor time, and how many parameters that has.
        SchedulerType: (String, i32), emits Value: DomainGetSchedulerType => |view| {
            let (name, parameters) = view.scheduler.ok_or_else(|| Error::no_support("DomainGetSchedulerType"))?;
            Ok((name, i32::try_from(parameters).unwrap_or(i32::MAX)).into())
        };
        /// Whether the stored definition was changed while it runs.
        Updated: bool, emits Value: DomainIsUpdated => |view| Ok(view.updated.into());
        /// The UUID, unique for ever.
        UUID: String, emits Const: DomainLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// The guest agent came (1) or went (2): state and reason.
        AgentEvent(state: i32, reason: i32);
        /// The guest's memory changed; KiB.
        BalloonChange(actual: u64);
        /// A job on a disk completed (0), failed (1), was cancelled (2) or is ready (3).
        BlockJob(disk: String, r#type: i32, status: i32);
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
        DiskChange(oldSrcPath: String, newSrcPath: String, device: String, reason: i32);
        /// A graphics client connected (0), authenticated (1) or left (2).
        Graphics(phase: i32, local: (i32, String, String), remote: (i32, String, String), authScheme: String, identities: Vec<(String, String)>);
        /// Reading or writing a disk failed.
        IOError(srcPath: String, device: String, action: i32, reason: String);
        /// A job ended; its statistics.
        JobCompleted(params: Parameters);
        /// The size of a memory device changed; KiB.
        MemoryDeviceSizeChange(device: String, size: u64);
        /// Title, description or an element of the metadata changed.
        MetadataChange(r#type: i32, nsuri: String);
        /// A migration copies memory once more.
        MigrationIteration(iteration: i32);
        /// The guest suspended itself to memory.
        PMSuspend(reason: i32);
        /// The guest suspended itself to disk.
        PMSuspendDisk(reason: i32);
        /// The guest woke up.
        PMWakeup(reason: i32);
        /// The guest rebooted.
        Reboot();
        /// The guest set its clock; seconds from UTC.
        RTCChange(utcoffset: i64);
        /// The tray of a removable medium was opened (0) or closed (1).
        TrayChange(device: String, reason: i32);
        /// Something was tuned; what is so now.
        Tunable(params: Parameters);
        /// The watchdog fired.
        Watchdog(action: i32);
    }
}

/// Kind; time elapsed and remaining; data, memory and file, each total, processed and remaining.
type JobInfo = (i32, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);

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
