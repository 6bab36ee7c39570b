//! `org.libvirt.Connect`: a connection to a hypervisor.

use virtbus_api::connection::{Host, LIB_VERSION};
use virtbus_api::domain::{
    DomainCreateFlags, DomainDefineFlags, DomainId, DomainSaveImageXmlFlags,
    DomainSaveRestoreFlags, DomainStatsFlags, DomainStatsTypes, ImageAccess, LifecycleKind,
    ListAllDomainsFlags, StatisticsFields,
};
use virtbus_api::filter::Filtered;
use virtbus_api::interface::{InterfaceDefineFlags, ListAllInterfacesFlags};
use virtbus_api::network::{
    ListAllNetworksFlags, NetworkCreateFlags, NetworkDefineFlags, NetworkLifecycle,
};
use virtbus_api::node::{
    BaselineCpuFlags, CompareCpuFlags, CpuComparison, NodeAllocPagesFlags, NodeSuspendTarget,
};
use virtbus_api::node_device::{
    ListAllNodeDevicesFlags, NodeDeviceDefineFlags, NodeDeviceDefineXmlFlags, NodeDeviceLifecycle,
};
use virtbus_api::nwfilter::{NwfilterBindingCreateFlags, NwfilterDefineFlags};
use virtbus_api::object::{IdRef, Kind};
use virtbus_api::secret::{
    ListAllSecretsFlags, SecretDefineFlags, SecretLifecycle, SecretUsageType,
};
use virtbus_api::storage::{
    ListAllStoragePoolsFlags, StoragePoolCreateFlags, StoragePoolDefineFlags, StoragePoolLifecycle,
};
use virtbus_api::{Error, ErrorCode, Result, arguments};
use zbus::OwnedObjectPath;

use crate::declare::{Property, interface};
use crate::invocation::Context;
use crate::numbers::{Amount, AnyFlags, Detail, Flags, NoFlags, One, ParameterFlags};
use crate::paths::Paths;
use crate::quirks::optional;
use crate::value::{Dict, Given, Parameters};

/// What the properties of a connection show.
pub(crate) struct ConnectView {
    encrypted: bool,
    secure: bool,
    /// The two that may have to ask the host, empty unless they are wanted.
    hostname: Option<Result<String>>,
    version: Option<Result<u64>>,
}

impl ConnectView {
    /// The view of a connection, for the properties that are wanted.
    pub(crate) async fn of(host: &dyn Host, wanted: &[&'static Property]) -> Self {
        let wants = |name: &str| wanted.iter().any(|property| property.name == name);
        Self {
            encrypted: host.is_encrypted(),
            secure: host.is_secure(),
            hostname: if wants("Hostname") {
                Some(host.hostname().await)
            } else {
                None
            },
            version: if wants("Version") {
                Some(host.version().await)
            } else {
                None
            },
        }
    }
}

fn prepared<T>(value: &Option<Result<T>>) -> Result<&T> {
    match value {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(error.clone()),
        None => Err(Error::internal(
            "a property was read before it was prepared",
        )),
    }
}

interface! {
    /// A connection to a hypervisor: domains and objects of the host are looked up, defined and listed here, and signals announce what happens to
    /// them.
    CONNECT = "org.libvirt.Connect", view ConnectView;
    methods {
        /// Computes the processor with the most features that all of these processors have, as XML; each is a `<cpu>` document. Refused if they have
        /// nothing in common.
        read BaselineCPU(xmlCPUs: Vec<String>, flags: Flags<BaselineCpuFlags>) -> (cpu: String): ConnectBaselineCpu => |c| c.node()?.baseline_cpu(&xmlCPUs, flags).await;
        /// Compares the processor of the XML with the host's: identical, the host has more, or incompatible. An incompatible one is an error with the
        /// flag FAIL_INCOMPATIBLE.
        read CompareCPU(xmlDesc: String, flags: Flags<CompareCpuFlags>) -> (compareResult: One<CpuComparison>): ConnectCompareCpu => |c| {
            Ok(c.node()?.compare_cpu(&xmlDesc, flags).await?.into())
        };
        /// Starts a domain from XML. It is transient, and vanishes when it stops, unless a definition with the same UUID is stored. Refused if a
        /// domain with this name or UUID is running.
        write DomainCreateXML(xml: String, flags: Flags<DomainCreateFlags>) -> (domain: OwnedObjectPath): DomainCreateXml defines Domain in xml => |c| {
            c.path_of(c.lifecycle()?.create_xml(&xml, flags, c.caller().client()).await?)
        };
        /// Starts a domain from XML as DomainCreateXML does, and passes these file descriptors to its init process. Containers only.
        write DomainCreateXMLWithFiles(xml: String, files: Vec<zbus::OwnedFd>, flags: Flags<DomainCreateFlags>) -> (domain: OwnedObjectPath): DomainCreateXmlWithFiles defines Domain in xml => |c| {
            let files = files.into_iter().map(std::os::fd::OwnedFd::from).collect();
            c.path_of(c.lifecycle()?.create_xml_with_files(&xml, files, flags, c.caller().client()).await?)
        };
        /// Stores a definition: a new domain, or a new definition of the one with the same UUID. A running domain is not changed before its next
        /// start. Refused if another domain has this name.
        write DomainDefineXML(xml: String) -> (domain: OwnedObjectPath): DomainDefineXml defines Domain in xml => |c| {
            c.path_of(c.domains()?.define_xml(&xml, DomainDefineFlags::empty()).await?)
        };
        /// Stores a definition, as DomainDefineXML does, with flags.
        write DomainDefineXMLFlags(xml: String, flags: Flags<DomainDefineFlags>) -> (domain: OwnedObjectPath): DomainDefineXmlFlags defines Domain in xml => |c| {
            c.path_of(c.domains()?.define_xml(&xml, flags).await?)
        };
        /// Finds the running domain with this number; an error if there is none.
        memory DomainLookupByID(id: Amount<i32>) -> (domain: OwnedObjectPath): DomainLookupById finds Domain by number(id) => |c| c.path();
        /// Finds the domain with this name; an error if there is none.
        memory DomainLookupByName(name: String) -> (domain: OwnedObjectPath): DomainLookupByName finds Domain by name(name) => |c| c.path();
        /// Finds the domain with this UUID, written with or without hyphens; an error if there is none.
        memory DomainLookupByUUID(uuid: String) -> (domain: OwnedObjectPath): DomainLookupByUuid finds Domain by uuid(uuid) => |c| c.path();
        /// Starts a domain from a file that Save has written. Empty XML keeps the definition in the file. Refused if the domain is running.
        write DomainRestore(from: String, xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainRestoreFlags => |c| {
            c.saved_image(&from, ImageAccess::Read).await?.restore(optional(&xml), flags).await
        };
        /// Replaces the definition in a file that Save has written. Only changes that the guest cannot see, such as paths of disks, are possible.
        write DomainSaveImageDefineXML(file: String, xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainSaveImageDefineXml => |c| {
            c.saved_image(&file, ImageAccess::Change).await?.define_xml(&xml, flags).await
        };
        /// Definition in a file that Save has written, as XML.
        read DomainSaveImageGetXMLDesc(file: String, flags: Flags<DomainSaveImageXmlFlags>) -> (xml: String): DomainSaveImageGetXmlDesc => |c| {
            c.saved_image(&file, ImageAccess::Read).await?.xml_desc(flags).await
        };
        /// Looks for sources of which pools of this type could be made, such as exports of a server or volume groups, as XML. srcSpec says where to
        /// look; empty means everywhere on the host.
        read FindStoragePoolSources(r#type: String, srcSpec: String, flags: NoFlags) -> (storagePoolSources: String): ConnectFindStoragePoolSources => |c| {
            c.storage_pools()?.find_sources(&r#type, optional(&srcSpec)).await
        };
        /// Statistics of all domains that match the flags: name of the domain, and statistics of these groups (0: of all) under libvirt's names.
        read GetAllDomainStats(stats: AnyFlags<DomainStatsTypes>, flags: Flags<DomainStatsFlags>) -> (records: Vec<(String, Parameters<StatisticsFields>)>): ConnectGetAllDomainStats => |c| get_all_domain_stats(&c, stats, flags).await;
        /// Capabilities of the host, and the kinds of guests that it can run, as XML.
        read GetCapabilities() -> (capabilities: String): ConnectGetCapabilities => |c| c.host().capabilities().await;
        /// Names of the processor models that the driver knows for this architecture.
        read GetCPUModelNames(arch: String, flags: NoFlags) -> (models: Vec<String>): ConnectGetCpuModelNames => |c| {
            c.host().cpu_model_names(&arch).await
        };
        /// What a domain can have with this emulator, architecture, machine type and hypervisor type, as XML. Empty strings take the driver's
        /// defaults. Refused if they do not go together.
        read GetDomainCapabilities(emulatorbin: String, arch: String, machine: String, virttype: String, flags: NoFlags) -> (domCapabilities: String): ConnectGetDomainCapabilities => |c| {
            let (emulator, arch, machine, virt_type) = (optional(&emulatorbin), optional(&arch), optional(&machine), optional(&virttype));
            c.host().domain_capabilities(emulator, arch, machine, virt_type).await
        };
        /// Largest number of virtual CPUs of a domain with this hypervisor type; an empty type is the driver's default.
        read GetMaxVcpus(r#type: String) -> (vcpus: Amount<u32>): ConnectGetMaxVcpus => |c| Ok(c.host().max_vcpus(optional(&r#type)).await?.into());
        /// Types of storage pools that the host supports, with their formats, as XML.
        read GetStoragePoolCapabilities(flags: NoFlags) -> (capabilities: String): ConnectGetStoragePoolCapabilities => |c| {
            c.storage_pools()?.capabilities().await
        };
        /// SMBIOS information of the host, as XML.
        read GetSysinfo(flags: NoFlags) -> (sysinfo: String): ConnectGetSysinfo => |c| {
            c.node()?.sysinfo().await
        };
        /// Records the configuration of all host interfaces, so that InterfaceChangeRollback can restore it. Refused if a change is under way.
        write InterfaceChangeBegin(flags: NoFlags) -> (): InterfaceChangeBegin => |c| {
            c.interfaces()?.change_begin().await
        };
        /// Keeps the changes of host interfaces since InterfaceChangeBegin, and forgets the recorded configuration.
        write InterfaceChangeCommit(flags: NoFlags) -> (): InterfaceChangeCommit => |c| {
            c.interfaces()?.change_commit().await
        };
        /// Restores the configuration of host interfaces that InterfaceChangeBegin has recorded.
        write InterfaceChangeRollback(flags: NoFlags) -> (): InterfaceChangeRollback => |c| {
            c.interfaces()?.change_rollback().await
        };
        /// Stores the configuration of a host interface; it takes effect when the interface is next started.
        write InterfaceDefineXML(xml: String, flags: Flags<InterfaceDefineFlags>) -> (interface: OwnedObjectPath): InterfaceDefineXml defines Interface in xml => |c| {
            c.path_of(c.interfaces()?.define_xml(&xml, flags).await?)
        };
        /// Finds the host interface with this MAC address; an error if there is none, or several.
        memory InterfaceLookupByMAC(mac: String) -> (interface: OwnedObjectPath): InterfaceLookupByMacString finds Interface by mac(mac) => |c| c.path();
        /// Finds the host interface with this name; an error if there is none.
        memory InterfaceLookupByName(name: String) -> (interface: OwnedObjectPath): InterfaceLookupByName finds Interface by name(name) => |c| c.path();
        /// Domains that match the flags; 0 lists all. What the caller may not see is left out.
        memory ListDomains(flags: Flags<ListAllDomainsFlags>) -> (domains: Paths): ConnectListAllDomains => |c| {
            c.list(&c.domains()?.views().await?, flags).await
        };
        /// Interfaces of the host that match the flags; 0 lists all. What the caller may not see is left out.
        memory ListInterfaces(flags: Flags<ListAllInterfacesFlags>) -> (interfaces: Paths): ConnectListAllInterfaces => |c| c.list(&c.interfaces()?.views().await?, flags).await;
        /// Virtual networks that match the flags; 0 lists all. What the caller may not see is left out.
        memory ListNetworks(flags: Flags<ListAllNetworksFlags>) -> (networks: Paths): ConnectListAllNetworks => |c| c.list(&c.networks()?.views().await?, flags).await;
        /// Devices of the host that match the flags; 0 lists all. What the caller may not see is left out.
        memory ListNodeDevices(flags: Flags<ListAllNodeDevicesFlags>) -> (devs: Paths): ConnectListAllNodeDevices => |c| c.list(&c.node_devices()?.views().await?, flags).await;
        /// Bindings of network filters to guest interfaces. What the caller may not see is left out.
        memory ListNWFilterBindings(flags: NoFlags) -> (nwfilterBindings: Paths): ConnectListAllNwfilterBindings => |c| {
            c.list_all(&c.nwfilter_bindings()?.views().await?).await
        };
        /// Network filters that are defined. What the caller may not see is left out.
        memory ListNWFilters(flags: NoFlags) -> (nwfilters: Paths): ConnectListAllNwfilters => |c| {
            c.list_all(&c.nwfilters()?.views().await?).await
        };
        /// Secrets that match the flags; 0 lists all. What the caller may not see is left out.
        memory ListSecrets(flags: Flags<ListAllSecretsFlags>) -> (secrets: Paths): ConnectListAllSecrets => |c| c.list(&c.secrets()?.views().await?, flags).await;
        /// Storage pools that match the flags; 0 lists all. What the caller may not see is left out.
        memory ListStoragePools(flags: Flags<ListAllStoragePoolsFlags>) -> (storagePools: Paths): ConnectListAllStoragePools => |c| c.list(&c.storage_pools()?.views().await?, flags).await;
        /// Starts a network from XML. It is transient, and vanishes when it stops, unless a definition with the same UUID is stored. Refused if a
        /// network with this name or UUID is active.
        write NetworkCreateXML(xml: String) -> (network: OwnedObjectPath): NetworkCreateXml defines Network in xml => |c| {
            c.path_of(c.networks()?.create_xml(&xml, NetworkDefineFlags::empty()).await?)
        };
        /// Starts a network from XML, as NetworkCreateXML does, with flags.
        write NetworkCreateXMLFlags(xml: String, flags: Flags<NetworkCreateFlags>) -> (network: OwnedObjectPath): NetworkCreateXmlFlags defines Network in xml => |c| {
            c.path_of(c.networks()?.create_xml(&xml, flags).await?)
        };
        /// Stores the definition of a network: a new one, or in place of that with the same UUID. An active network is not changed before its next
        /// start.
        write NetworkDefineXML(xml: String) -> (network: OwnedObjectPath): NetworkDefineXml defines Network in xml => |c| {
            c.path_of(c.networks()?.define_xml(&xml, NetworkDefineFlags::empty()).await?)
        };
        /// Stores the definition of a network, as NetworkDefineXML does, with flags.
        write NetworkDefineXMLFlags(xml: String, flags: Flags<NetworkDefineFlags>) -> (network: OwnedObjectPath): NetworkDefineXmlFlags defines Network in xml => |c| {
            c.path_of(c.networks()?.define_xml(&xml, flags).await?)
        };
        /// Finds the network with this name; an error if there is none.
        memory NetworkLookupByName(name: String) -> (network: OwnedObjectPath): NetworkLookupByName finds Network by name(name) => |c| c.path();
        /// Finds the network with this UUID, written with or without hyphens; an error if there is none.
        memory NetworkLookupByUUID(uuid: String) -> (network: OwnedObjectPath): NetworkLookupByUuid finds Network by uuid(uuid) => |c| c.path();
        /// Reserves huge pages of the host, each as size (KiB) and count, on `cellCount` NUMA nodes from `startCell` on (−1: on the host as a whole).
        /// Counts are added to or, with the flag SET, replace those there are. Returns the number of nodes that were changed.
        write NodeAllocPages(pages: Vec<(Amount<u32>, u64)>, startCell: Amount<i32>, cellCount: Amount<u32>, flags: Flags<NodeAllocPagesFlags>) -> (cells: Amount<u32>): NodeAllocPages => |c| {
            let set = flags.contains(NodeAllocPagesFlags::SET);
            Ok(c.node()?.alloc_pages(&pages, startCell, cellCount, set).await?.into())
        };
        /// Creates a virtual device of the host (mediated device, virtual HBA) from XML; it is gone after the next boot of the host.
        write NodeDeviceCreateXML(xml: String, flags: Flags<NodeDeviceDefineFlags>) -> (dev: OwnedObjectPath): NodeDeviceCreateXml => |c| {
            c.path_of(c.node_devices()?.create_xml(&xml, flags).await?)
        };
        /// Stores the definition of a virtual device of the host (mediated device), which Create of the device can start.
        write NodeDeviceDefineXML(xml: String, flags: Flags<NodeDeviceDefineXmlFlags>) -> (dev: OwnedObjectPath): NodeDeviceDefineXml => |c| {
            c.path_of(c.node_devices()?.define_xml(&xml, flags).await?)
        };
        /// Finds the device of the host with this name; an error if there is none.
        memory NodeDeviceLookupByName(name: String) -> (dev: OwnedObjectPath): NodeDeviceLookupByName finds NodeDevice by name(name) => |c| c.path();
        /// Finds the SCSI host adapter with this world wide node name and port name; an error if there is none.
        read NodeDeviceLookupSCSIHostByWWN(wwnn: String, wwpn: String, flags: NoFlags) -> (dev: OwnedObjectPath): NodeDeviceLookupScsiHostByWwn finds NodeDevice by wwn(wwnn, wwpn) => |c| {
            c.path()
        };
        /// Free memory of `maxCells` NUMA nodes from `startCell` on, in bytes.
        read NodeGetCellsFreeMemory(startCell: Amount<u32>, maxCells: Amount<u32>) -> (freeMems: Vec<u64>): NodeGetCellsFreeMemory => |c| c.node()?.cells_free_memory(startCell, maxCells).await;
        /// CPUs of the host, one value for each: whether it is online.
        read NodeGetCPUMap(flags: NoFlags) -> (res: Vec<bool>): NodeGetCpuMap => |c| {
            c.node()?.cpu_map().await
        };
        /// Time that a CPU of the host (−1: all together) has spent, in nanoseconds: `kernel`, `user`, `idle`, `iowait`.
        read NodeGetCPUStats(cpuNum: Amount<i32>, flags: NoFlags) -> (cpuStats: Dict<String, u64>): NodeGetCpuStats => |c| {
            Ok(Dict(c.node()?.cpu_stats(cpuNum).await?))
        };
        /// Free memory of the host, in bytes.
        read NodeGetFreeMemory() -> (freemem: u64): NodeGetFreeMemory => |c| c.host().free_memory().await;
        /// Numbers of free pages of these sizes (KiB), for `cellCount` NUMA nodes from `startCell` on (−1: the host as a whole), node by node.
        read NodeGetFreePages(pages: Vec<Amount<u32>>, startCell: Amount<i32>, cellCount: Amount<u32>, flags: NoFlags) -> (counts: Vec<u64>): NodeGetFreePages => |c| {
            c.node()?.free_pages(&pages, startCell, cellCount).await
        };
        /// The host: processor model, memory (KiB), active CPUs, frequency (MHz), NUMA nodes, sockets per node, cores per socket, threads per core.
        read NodeGetInfo() -> (info: (String, u64, Amount<u32>, Amount<u32>, Amount<u32>, Amount<u32>, Amount<u32>, Amount<u32>)): NodeGetInfo => |c| {
            let info = c.host().node_info().await?;
            Ok((
                info.model, info.memory, info.cpus.into(), info.mhz.into(), info.nodes.into(), info.sockets.into(), info.cores.into(),
                info.threads.into(),
            ))
        };
        /// Settings and counters of the kernel's merging of equal memory pages (KSM), such as `shm_pages_to_scan`.
        read NodeGetMemoryParameters(flags: ParameterFlags<NoFlags>) -> (memoryParameters: Parameters): NodeGetMemoryParameters => |c| {
            Ok(c.wrapped(c.node()?.memory_parameters().await?))
        };
        /// Memory of a NUMA node (−1: of the host), in KiB: `total`, `free`, `buffers`, `cached`.
        read NodeGetMemoryStats(cellNum: Amount<i32>, flags: NoFlags) -> (stats: Dict<String, u64>): NodeGetMemoryStats => |c| {
            Ok(Dict(c.node()?.memory_stats(cellNum).await?))
        };
        /// Security model that confines domains: its name, such as `selinux`, and domain of interpretation; both empty if there is none.
        read NodeGetSecurityModel() -> (secModel: (String, String)): NodeGetSecurityModel => |c| c.node()?.security_model().await;
        /// Sets how the kernel merges equal memory pages (KSM), under the names that NodeGetMemoryParameters returns.
        write NodeSetMemoryParameters(params: Given, flags: NoFlags) -> (): NodeSetMemoryParameters => |c| {
            c.node()?.set_memory_parameters(arguments::set(params.0)?).await
        };
        /// Suspends the host to memory, disk or both, and wakes it after so many seconds, at least 60.
        write NodeSuspendForDuration(target: One<NodeSuspendTarget, u32>, duration: u64, flags: NoFlags) -> (): NodeSuspendForDuration => |c| {
            c.node()?.suspend_for_duration(target, duration).await
        };
        /// Applies a network filter to the guest interface that the XML names. Refused if the interface has a binding.
        write NWFilterBindingCreateXML(xml: String, flags: Flags<NwfilterBindingCreateFlags>) -> (nwfilterBinding: OwnedObjectPath): NwfilterBindingCreateXml => |c| {
            c.path_of(c.nwfilter_bindings()?.create_xml(&xml, flags).await?)
        };
        /// Finds the binding of the guest interface with this device name on the host; an error if there is none.
        memory NWFilterBindingLookupByPortDev(portDev: String) -> (nwfilterBinding: OwnedObjectPath): NwfilterBindingLookupByPortDev finds NwfilterBinding by port_device(portDev) => |c| c.path();
        /// Stores a network filter: a new one, or in place of that with the same UUID; interfaces that use it get the new rules at once. Refused if
        /// the rules cannot be applied, or filters would include each other in a circle.
        write NWFilterDefineXML(xml: String) -> (nwfilter: OwnedObjectPath): NwfilterDefineXml defines Nwfilter in xml => |c| {
            c.path_of(c.nwfilters()?.define_xml(&xml, NwfilterDefineFlags::empty()).await?)
        };
        /// Stores a network filter, as NWFilterDefineXML does, with flags.
        write NWFilterDefineXMLFlags(xml: String, flags: Flags<NwfilterDefineFlags>) -> (nwfilter: OwnedObjectPath): NwfilterDefineXmlFlags defines Nwfilter in xml => |c| {
            c.path_of(c.nwfilters()?.define_xml(&xml, flags).await?)
        };
        /// Finds the network filter with this name; an error if there is none.
        memory NWFilterLookupByName(name: String) -> (nwfilter: OwnedObjectPath): NwfilterLookupByName finds Nwfilter by name(name) => |c| c.path();
        /// Finds the network filter with this UUID, written with or without hyphens; an error if there is none.
        memory NWFilterLookupByUUID(uuid: String) -> (nwfilter: OwnedObjectPath): NwfilterLookupByUuid finds Nwfilter by uuid(uuid) => |c| c.path();
        /// Stores the definition of a secret: a new one, or in place of that with the same UUID. The value is set by SetValue of the secret. Refused
        /// if another secret has this usage.
        write SecretDefineXML(xml: String, flags: Flags<SecretDefineFlags>) -> (secret: OwnedObjectPath): SecretDefineXml defines Secret in xml => |c| {
            c.path_of(c.secrets()?.define_xml(&xml, flags).await?)
        };
        /// Finds the secret with this UUID, written with or without hyphens; an error if there is none.
        memory SecretLookupByUUID(uuid: String) -> (secret: OwnedObjectPath): SecretLookupByUuid finds Secret by uuid(uuid) => |c| c.path();
        /// Finds the secret with this usage: type (volume, Ceph, iSCSI, TLS, vTPM), and path or name; an error if there is none.
        memory SecretLookupByUsage(usageType: One<SecretUsageType>, usageID: String) -> (secret: OwnedObjectPath): SecretLookupByUsage finds Secret by usage(usageType, usageID) => |c| c.path();
        /// Starts a storage pool from XML. It is transient, and vanishes when it stops, unless a definition with the same UUID is stored. Refused if
        /// a pool with this name, UUID or source is active.
        write StoragePoolCreateXML(xml: String, flags: Flags<StoragePoolCreateFlags>) -> (storagePool: OwnedObjectPath): StoragePoolCreateXml defines StoragePool in xml => |c| {
            c.path_of(c.storage_pools()?.create_xml(&xml, flags).await?)
        };
        /// Stores the definition of a storage pool: a new one, or in place of that with the same UUID. Refused if another pool has this name or
        /// source.
        write StoragePoolDefineXML(xml: String, flags: Flags<StoragePoolDefineFlags>) -> (storagePool: OwnedObjectPath): StoragePoolDefineXml defines StoragePool in xml => |c| {
            c.path_of(c.storage_pools()?.define_xml(&xml, flags).await?)
        };
        /// Finds the storage pool with this name; an error if there is none.
        memory StoragePoolLookupByName(name: String) -> (storagePool: OwnedObjectPath): StoragePoolLookupByName finds StoragePool by name(name) => |c| c.path();
        /// Finds the active storage pool whose target is this path; an error if there is none.
        read StoragePoolLookupByTargetPath(path: String) -> (storagePool: OwnedObjectPath): StoragePoolLookupByTargetPath finds StoragePool by target_path(path) => |c| c.path();
        /// Finds the storage pool with this UUID, written with or without hyphens; an error if there is none.
        memory StoragePoolLookupByUUID(uuid: String) -> (storagePool: OwnedObjectPath): StoragePoolLookupByUuid finds StoragePool by uuid(uuid) => |c| c.path();
        /// Finds the volume with this key in any active pool; an error if there is none.
        memory StorageVolLookupByKey(key: String) -> (storageVol: OwnedObjectPath): StorageVolLookupByKey finds StorageVol by key(key) => |c| c.path();
        /// Finds the volume with this path in any active pool; an error if there is none.
        read StorageVolLookupByPath(path: String) -> (storageVol: OwnedObjectPath): StorageVolLookupByPath finds StorageVol by path(path) => |c| c.path();
        /// Breaks off a stream of this client: a transfer that Download, Upload or Screenshot has begun. The stream is the inode number of its descriptor
        /// (`st_ino` of fstat). What was transferred stays. Refused if the stream has ended.
        write StreamAbort(stream: u64) -> (): ConnectOpen => |c| c.streams().abort(stream);
        /// Waits until a stream of this client has ended, and returns how many bytes were transferred, including holes; fails if it broke off, and says
        /// why. Data of an upload are on disk then. The stream is the inode number of its descriptor (`st_ino` of fstat), also if that is closed by now. Known
        /// are those that are under way, and the last 64.
        read StreamFinish(stream: u64) -> (bytes: u64): ConnectOpen => |c| c.streams().finish(stream).await;
    }
    properties {
        /// Whether the connection from the daemon to the hypervisor is encrypted.
        Encrypted: bool, emits Const: ConnectGetVersion => |view| Ok(view.encrypted.into());
        /// Host name of the machine that the hypervisor runs on.
        Hostname: String, emits Nothing: ConnectGetHostname => |view| Ok(prepared(&view.hostname)?.as_str().into());
        /// Version of libvirt's API that the daemon implements: major × 1,000,000 + minor × 1,000 + micro.
        LibVersion: u64, emits Const: ConnectGetLibVersion => |_| Ok(LIB_VERSION.into());
        /// Whether the connection from the daemon to the hypervisor is encrypted, or does not leave the host.
        Secure: bool, emits Const: ConnectGetVersion => |view| Ok(view.secure.into());
        /// Version of the hypervisor: major × 1,000,000 + minor × 1,000 + micro; 0 if it is not known.
        Version: u64, emits Nothing: ConnectGetVersion => |view| Ok((*prepared(&view.version)?).into());
    }
    signals {
        /// Sent when a domain was defined, undefined, started, suspended, resumed, stopped, shut down or has crashed: which, what, and how or why.
        DomainEvent(domain: OwnedObjectPath, event: One<LifecycleKind>, detail: Detail<LifecycleKind>);
        /// Sent when a network was defined, undefined, started or stopped: which, and what.
        NetworkEvent(network: OwnedObjectPath, event: One<NetworkLifecycle>);
        /// Sent when a device of the host has appeared or disappeared, or was defined or undefined; the detail is always 0.
        NodeDeviceEvent(dev: OwnedObjectPath, event: One<NodeDeviceLifecycle>, detail: Amount<i32>);
        /// Sent when a secret was defined or undefined; the detail is always 0.
        SecretEvent(secret: OwnedObjectPath, event: One<SecretLifecycle>, detail: Amount<i32>);
        /// Sent when a storage pool was defined, undefined, started, stopped, created or deleted; the detail is always 0.
        StoragePoolEvent(storagePool: OwnedObjectPath, event: One<StoragePoolLifecycle>, detail: Amount<i32>);
    }
}

async fn get_all_domain_stats(
    c: &Context<'_>,
    groups: DomainStatsTypes,
    flags: DomainStatsFlags,
) -> Result<Vec<(String, Parameters<StatisticsFields>)>> {
    let which = ListAllDomainsFlags::from_bits_truncate(flags.bits());
    let statistics = c.statistics()?;
    let views = c.domains()?.views().await?;
    let chosen = views
        .iter()
        .filter(|view| view.matches(which) && IdRef::Domain(&view.id).can_be_named());
    let chosen: Vec<_> = chosen.collect();
    let id = |at: usize| IdRef::Domain(&chosen[at].id);
    let seen = c.seen(Kind::Domain, chosen.len(), id).await?;
    let visible = (0..).zip(chosen).filter(|(at, _)| seen.has(*at));
    let visible: Vec<&DomainId> = visible.map(|(_, view)| &view.id).collect();
    let collected = statistics.stats_of(&visible, groups, flags).await;
    let mut records = Vec::with_capacity(visible.len());
    for (id, parameters) in visible.into_iter().zip(collected) {
        match parameters {
            Ok(parameters) => records.push((id.name.to_string(), c.wrapped(parameters))),
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NoDomain => {}
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}
