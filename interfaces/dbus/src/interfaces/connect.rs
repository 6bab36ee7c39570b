//! `org.libvirt.Connect`: a connection to a hypervisor.

use futures_util::future::join_all;
use virtbus_api::connection::{Host, LIB_VERSION};
use virtbus_api::domain::{
    DomainCreateFlags, DomainDefineFlags, DomainSaveImageXmlFlags, DomainSaveRestoreFlags,
    DomainStatsFlags, DomainStatsTypes, ImageAccess, LifecycleKind, ListAllDomainsFlags,
    StatisticsFields,
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
    /// A connection to a hypervisor: where its domains and the host's objects are found, defined and listed, and where their lifecycle is announced.
    CONNECT = "org.libvirt.Connect", view ConnectView;
    methods {
        /// The best processor that every one of these hosts can give, as XML.
        read BaselineCPU(xmlCPUs: Vec<String>, flags: Flags<BaselineCpuFlags>) -> (cpu: String): ConnectBaselineCpu => |c| c.node()?.baseline_cpu(&xmlCPUs, flags).await;
        /// Whether the host can give a guest this processor.
        read CompareCPU(xmlDesc: String, flags: Flags<CompareCpuFlags>) -> (compareResult: One<CpuComparison>): ConnectCompareCpu => |c| {
            Ok(c.node()?.compare_cpu(&xmlDesc, flags).await?.into())
        };
        /// Starts a domain from XML. Without a stored definition of the same UUID it vanishes when it stops.
        write DomainCreateXML(xml: String, flags: Flags<DomainCreateFlags>) -> (domain: OwnedObjectPath): DomainCreateXml defines Domain in xml => |c| {
            c.path_of(c.lifecycle()?.create_xml(&xml, flags).await?)
        };
        /// The same, and hands these files to the domain's init (containers).
        write DomainCreateXMLWithFiles(xml: String, files: Vec<zbus::OwnedFd>, flags: Flags<DomainCreateFlags>) -> (domain: OwnedObjectPath): DomainCreateXmlWithFiles defines Domain in xml => |c| {
            let files = files.into_iter().map(std::os::fd::OwnedFd::from).collect();
            c.path_of(c.lifecycle()?.create_xml_with_files(&xml, files, flags).await?)
        };
        /// Stores a definition, new or in place of the one with the same UUID. A running domain goes on as it is and takes the definition when it is started next.
        write DomainDefineXML(xml: String) -> (domain: OwnedObjectPath): DomainDefineXml defines Domain in xml => |c| {
            c.path_of(c.domains()?.define_xml(&xml, DomainDefineFlags::empty()).await?)
        };
        /// The same.
        write DomainDefineXMLFlags(xml: String, flags: Flags<DomainDefineFlags>) -> (domain: OwnedObjectPath): DomainDefineXmlFlags defines Domain in xml => |c| {
            c.path_of(c.domains()?.define_xml(&xml, flags).await?)
        };
        /// Finds the running domain with this number.
        memory DomainLookupByID(id: Amount<i32>) -> (domain: OwnedObjectPath): DomainLookupById finds Domain by number(id) => |c| c.path();
        /// Finds the domain with this name.
        memory DomainLookupByName(name: String) -> (domain: OwnedObjectPath): DomainLookupByName finds Domain by name(name) => |c| c.path();
        /// Finds the domain with this UUID, with or without hyphens.
        memory DomainLookupByUUID(uuid: String) -> (domain: OwnedObjectPath): DomainLookupByUuid finds Domain by uuid(uuid) => |c| c.path();
        /// Starts a domain from a file that Save made. Empty XML keeps the definition in the file.
        write DomainRestore(from: String, xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainRestoreFlags => |c| {
            c.saved_image(&from, ImageAccess::Read).await?.restore(optional(&xml), flags).await
        };
        /// Changes the definition in a file that Save made.
        write DomainSaveImageDefineXML(file: String, xml: String, flags: Flags<DomainSaveRestoreFlags>) -> (): DomainSaveImageDefineXml => |c| {
            c.saved_image(&file, ImageAccess::Change).await?.define_xml(&xml, flags).await
        };
        /// The definition in a file that Save made.
        read DomainSaveImageGetXMLDesc(file: String, flags: Flags<DomainSaveImageXmlFlags>) -> (xml: String): DomainSaveImageGetXmlDesc => |c| {
            c.saved_image(&file, ImageAccess::Read).await?.xml_desc(flags).await
        };
        /// The storage pools that could be made of what is found, as XML; an empty source lets the daemon look everywhere.
        read FindStoragePoolSources(r#type: String, srcSpec: String, flags: NoFlags) -> (storagePoolSources: String): ConnectFindStoragePoolSources => |c| {
            c.storage_pools()?.find_sources(&r#type, optional(&srcSpec)).await
        };
        /// Statistics of every domain that passes the flags, by name: of these groups, or of all (0).
        read GetAllDomainStats(stats: AnyFlags<DomainStatsTypes>, flags: Flags<DomainStatsFlags>) -> (records: Vec<(String, Parameters<StatisticsFields>)>): ConnectGetAllDomainStats => |c| get_all_domain_stats(&c, stats, flags).await;
        /// Host and guest capabilities as XML.
        read GetCapabilities() -> (capabilities: String): ConnectGetCapabilities => |c| c.host().capabilities().await;
        /// Names of the CPU models known for an architecture.
        read GetCPUModelNames(arch: String, flags: NoFlags) -> (models: Vec<String>): ConnectGetCpuModelNames => |c| {
            c.host().cpu_model_names(&arch).await
        };
        /// What a domain of these properties can have, as XML. Empty strings leave the choice to the driver.
        read GetDomainCapabilities(emulatorbin: String, arch: String, machine: String, virttype: String, flags: NoFlags) -> (domCapabilities: String): ConnectGetDomainCapabilities => |c| {
            let (emulator, arch, machine, virt_type) = (optional(&emulatorbin), optional(&arch), optional(&machine), optional(&virttype));
            c.host().domain_capabilities(emulator, arch, machine, virt_type).await
        };
        /// The most virtual CPUs that a domain of this type can have; an empty type: of the driver's choice.
        read GetMaxVcpus(r#type: String) -> (vcpus: Amount<u32>): ConnectGetMaxVcpus => |c| Ok(c.host().max_vcpus(optional(&r#type)).await?.into());
        /// Which kinds of storage pools there are, as XML.
        read GetStoragePoolCapabilities(flags: NoFlags) -> (capabilities: String): ConnectGetStoragePoolCapabilities => |c| {
            c.storage_pools()?.capabilities().await
        };
        /// The host's SMBIOS information as XML.
        read GetSysinfo(flags: NoFlags) -> (sysinfo: String): ConnectGetSysinfo => |c| {
            c.node()?.sysinfo().await
        };
        /// Remembers how all host interfaces are configured, so that it can be restored.
        write InterfaceChangeBegin(flags: NoFlags) -> (): InterfaceChangeBegin => |c| {
            c.interfaces()?.change_begin().await
        };
        /// Keeps what was changed since.
        write InterfaceChangeCommit(flags: NoFlags) -> (): InterfaceChangeCommit => |c| {
            c.interfaces()?.change_commit().await
        };
        /// Restores what was remembered.
        write InterfaceChangeRollback(flags: NoFlags) -> (): InterfaceChangeRollback => |c| {
            c.interfaces()?.change_rollback().await
        };
        /// Stores the configuration of a host interface.
        write InterfaceDefineXML(xml: String, flags: Flags<InterfaceDefineFlags>) -> (interface: OwnedObjectPath): InterfaceDefineXml defines Interface in xml => |c| {
            c.path_of(c.interfaces()?.define_xml(&xml, flags).await?)
        };
        /// Finds the host interface with this MAC address.
        memory InterfaceLookupByMAC(mac: String) -> (interface: OwnedObjectPath): InterfaceLookupByMacString finds Interface by mac(mac) => |c| c.path();
        /// Finds the host interface with this name.
        memory InterfaceLookupByName(name: String) -> (interface: OwnedObjectPath): InterfaceLookupByName finds Interface by name(name) => |c| c.path();
        /// The domains that pass the flags; 0 lists all.
        memory ListDomains(flags: Flags<ListAllDomainsFlags>) -> (domains: Paths): ConnectListAllDomains => |c| {
            c.list(&c.domains()?.views().await?, flags).await
        };
        /// The host interfaces that pass the flags; 0 lists all.
        memory ListInterfaces(flags: Flags<ListAllInterfacesFlags>) -> (interfaces: Paths): ConnectListAllInterfaces => |c| c.list(&c.interfaces()?.views().await?, flags).await;
        /// The networks that pass the flags; 0 lists all.
        memory ListNetworks(flags: Flags<ListAllNetworksFlags>) -> (networks: Paths): ConnectListAllNetworks => |c| c.list(&c.networks()?.views().await?, flags).await;
        /// The host's devices that pass the flags; 0 lists all.
        memory ListNodeDevices(flags: Flags<ListAllNodeDevicesFlags>) -> (devs: Paths): ConnectListAllNodeDevices => |c| c.list(&c.node_devices()?.views().await?, flags).await;
        /// The bindings of network filters.
        memory ListNWFilterBindings(flags: NoFlags) -> (nwfilterBindings: Paths): ConnectListAllNwfilterBindings => |c| {
            c.list_all(&c.nwfilter_bindings()?.views().await?).await
        };
        /// The network filters.
        memory ListNWFilters(flags: NoFlags) -> (nwfilters: Paths): ConnectListAllNwfilters => |c| {
            c.list_all(&c.nwfilters()?.views().await?).await
        };
        /// The secrets that pass the flags; 0 lists all.
        memory ListSecrets(flags: Flags<ListAllSecretsFlags>) -> (secrets: Paths): ConnectListAllSecrets => |c| c.list(&c.secrets()?.views().await?, flags).await;
        /// The storage pools that pass the flags; 0 lists all.
        memory ListStoragePools(flags: Flags<ListAllStoragePoolsFlags>) -> (storagePools: Paths): ConnectListAllStoragePools => |c| c.list(&c.storage_pools()?.views().await?, flags).await;
        /// Starts a network from XML. Without a stored definition of the same UUID it vanishes when it stops.
        write NetworkCreateXML(xml: String) -> (network: OwnedObjectPath): NetworkCreateXml defines Network in xml => |c| {
            c.path_of(c.networks()?.create_xml(&xml, NetworkDefineFlags::empty()).await?)
        };
        /// The same.
        write NetworkCreateXMLFlags(xml: String, flags: Flags<NetworkCreateFlags>) -> (network: OwnedObjectPath): NetworkCreateXmlFlags defines Network in xml => |c| {
            c.path_of(c.networks()?.create_xml(&xml, flags).await?)
        };
        /// Stores a network's definition, new or in place of the one with the same UUID.
        write NetworkDefineXML(xml: String) -> (network: OwnedObjectPath): NetworkDefineXml defines Network in xml => |c| {
            c.path_of(c.networks()?.define_xml(&xml, NetworkDefineFlags::empty()).await?)
        };
        /// The same.
        write NetworkDefineXMLFlags(xml: String, flags: Flags<NetworkDefineFlags>) -> (network: OwnedObjectPath): NetworkDefineXmlFlags defines Network in xml => |c| {
            c.path_of(c.networks()?.define_xml(&xml, flags).await?)
        };
        /// Finds the network with this name.
        memory NetworkLookupByName(name: String) -> (network: OwnedObjectPath): NetworkLookupByName finds Network by name(name) => |c| c.path();
        /// Finds the network with this UUID, with or without hyphens.
        memory NetworkLookupByUUID(uuid: String) -> (network: OwnedObjectPath): NetworkLookupByUuid finds Network by uuid(uuid) => |c| c.path();
        /// Reserves memory pages, each a size (KiB) and a count: on cells from `startCell` (−1: the whole host) on; how many cells were changed.
        write NodeAllocPages(pages: Vec<(Amount<u32>, u64)>, startCell: Amount<i32>, cellCount: Amount<u32>, flags: Flags<NodeAllocPagesFlags>) -> (cells: Amount<u32>): NodeAllocPages => |c| {
            let set = flags.contains(NodeAllocPagesFlags::SET);
            Ok(c.node()?.alloc_pages(&pages, startCell, cellCount, set).await?.into())
        };
        /// Makes a virtual device of the host.
        write NodeDeviceCreateXML(xml: String, flags: Flags<NodeDeviceDefineFlags>) -> (dev: OwnedObjectPath): NodeDeviceCreateXml => |c| {
            c.path_of(c.node_devices()?.create_xml(&xml, flags).await?)
        };
        /// Stores the definition of a virtual device.
        write NodeDeviceDefineXML(xml: String, flags: Flags<NodeDeviceDefineXmlFlags>) -> (dev: OwnedObjectPath): NodeDeviceDefineXml => |c| {
            c.path_of(c.node_devices()?.define_xml(&xml, flags).await?)
        };
        /// Finds the host's device with this name.
        memory NodeDeviceLookupByName(name: String) -> (dev: OwnedObjectPath): NodeDeviceLookupByName finds NodeDevice by name(name) => |c| c.path();
        /// Finds the SCSI host with these world wide names.
        read NodeDeviceLookupSCSIHostByWWN(wwnn: String, wwpn: String, flags: NoFlags) -> (dev: OwnedObjectPath): NodeDeviceLookupScsiHostByWwn finds NodeDevice by wwn(wwnn, wwpn) => |c| {
            c.path()
        };
        /// Free memory of `maxCells` cells from `startCell` on, in bytes.
        read NodeGetCellsFreeMemory(startCell: Amount<u32>, maxCells: Amount<u32>) -> (freeMems: Vec<u64>): NodeGetCellsFreeMemory => |c| c.node()?.cells_free_memory(startCell, maxCells).await;
        /// Which of the host's processors are online.
        read NodeGetCPUMap(flags: NoFlags) -> (res: Vec<bool>): NodeGetCpuMap => |c| {
            c.node()?.cpu_map().await
        };
        /// What a processor (−1: all together) spent its time with, in nanoseconds.
        read NodeGetCPUStats(cpuNum: Amount<i32>, flags: NoFlags) -> (cpuStats: Dict<String, u64>): NodeGetCpuStats => |c| {
            Ok(Dict(c.node()?.cpu_stats(cpuNum).await?))
        };
        /// Free memory of the host in bytes.
        read NodeGetFreeMemory() -> (freemem: u64): NodeGetFreeMemory => |c| c.host().free_memory().await;
        /// Free pages of these sizes (KiB), for each cell from `startCell` (−1: the whole host) on.
        read NodeGetFreePages(pages: Vec<Amount<u32>>, startCell: Amount<i32>, cellCount: Amount<u32>, flags: NoFlags) -> (counts: Vec<u64>): NodeGetFreePages => |c| {
            c.node()?.free_pages(&pages, startCell, cellCount).await
        };
        /// The host: processor, memory (KiB), processors, MHz, NUMA cells, sockets of a cell, cores of a socket, threads of a core.
        read NodeGetInfo() -> (info: (String, u64, Amount<u32>, Amount<u32>, Amount<u32>, Amount<u32>, Amount<u32>, Amount<u32>)): NodeGetInfo => |c| {
            let info = c.host().node_info().await?;
            Ok((
                info.model, info.memory, info.cpus.into(), info.mhz.into(), info.nodes.into(), info.sockets.into(), info.cores.into(),
                info.threads.into(),
            ))
        };
        /// How the kernel shares equal memory pages.
        read NodeGetMemoryParameters(flags: ParameterFlags<NoFlags>) -> (memoryParameters: Parameters): NodeGetMemoryParameters => |c| {
            Ok(c.wrapped(c.node()?.memory_parameters().await?))
        };
        /// Memory of a NUMA cell (−1: of the host), KiB.
        read NodeGetMemoryStats(cellNum: Amount<i32>, flags: NoFlags) -> (stats: Dict<String, u64>): NodeGetMemoryStats => |c| {
            Ok(Dict(c.node()?.memory_stats(cellNum).await?))
        };
        /// The security driver: model, and domain of interpretation.
        read NodeGetSecurityModel() -> (secModel: (String, String)): NodeGetSecurityModel => |c| c.node()?.security_model().await;
        /// Sets how the kernel shares equal memory pages.
        write NodeSetMemoryParameters(params: Given, flags: NoFlags) -> (): NodeSetMemoryParameters => |c| {
            c.node()?.set_memory_parameters(arguments::set(params.0)?).await
        };
        /// Lets the host sleep, for so many seconds.
        write NodeSuspendForDuration(target: One<NodeSuspendTarget, u32>, duration: u64, flags: NoFlags) -> (): NodeSuspendForDuration => |c| {
            c.node()?.suspend_for_duration(target, duration).await
        };
        /// Lets a network filter hold at a port.
        write NWFilterBindingCreateXML(xml: String, flags: Flags<NwfilterBindingCreateFlags>) -> (nwfilterBinding: OwnedObjectPath): NwfilterBindingCreateXml => |c| {
            c.path_of(c.nwfilter_bindings()?.create_xml(&xml, flags).await?)
        };
        /// Finds the binding at the port with this network device.
        memory NWFilterBindingLookupByPortDev(portDev: String) -> (nwfilterBinding: OwnedObjectPath): NwfilterBindingLookupByPortDev finds NwfilterBinding by port_device(portDev) => |c| c.path();
        /// Stores a network filter, new or in place of the one with the same UUID.
        write NWFilterDefineXML(xml: String) -> (nwfilter: OwnedObjectPath): NwfilterDefineXml defines Nwfilter in xml => |c| {
            c.path_of(c.nwfilters()?.define_xml(&xml, NwfilterDefineFlags::empty()).await?)
        };
        /// The same.
        write NWFilterDefineXMLFlags(xml: String, flags: Flags<NwfilterDefineFlags>) -> (nwfilter: OwnedObjectPath): NwfilterDefineXmlFlags defines Nwfilter in xml => |c| {
            c.path_of(c.nwfilters()?.define_xml(&xml, flags).await?)
        };
        /// Finds the network filter with this name.
        memory NWFilterLookupByName(name: String) -> (nwfilter: OwnedObjectPath): NwfilterLookupByName finds Nwfilter by name(name) => |c| c.path();
        /// Finds the network filter with this UUID, with or without hyphens.
        memory NWFilterLookupByUUID(uuid: String) -> (nwfilter: OwnedObjectPath): NwfilterLookupByUuid finds Nwfilter by uuid(uuid) => |c| c.path();
        /// Stores a secret's definition.
        write SecretDefineXML(xml: String, flags: Flags<SecretDefineFlags>) -> (secret: OwnedObjectPath): SecretDefineXml defines Secret in xml => |c| {
            c.path_of(c.secrets()?.define_xml(&xml, flags).await?)
        };
        /// Finds the secret with this UUID, with or without hyphens.
        memory SecretLookupByUUID(uuid: String) -> (secret: OwnedObjectPath): SecretLookupByUuid finds Secret by uuid(uuid) => |c| c.path();
        /// Finds the secret for a thing: what it is for, and the thing's name.
        memory SecretLookupByUsage(usageType: One<SecretUsageType>, usageID: String) -> (secret: OwnedObjectPath): SecretLookupByUsage finds Secret by usage(usageType, usageID) => |c| c.path();
        /// Starts a storage pool from XML. Without a stored definition of the same UUID it vanishes when it stops.
        write StoragePoolCreateXML(xml: String, flags: Flags<StoragePoolCreateFlags>) -> (storagePool: OwnedObjectPath): StoragePoolCreateXml defines StoragePool in xml => |c| {
            c.path_of(c.storage_pools()?.create_xml(&xml, flags).await?)
        };
        /// Stores a storage pool's definition, new or in place of the one with the same UUID.
        write StoragePoolDefineXML(xml: String, flags: Flags<StoragePoolDefineFlags>) -> (storagePool: OwnedObjectPath): StoragePoolDefineXml defines StoragePool in xml => |c| {
            c.path_of(c.storage_pools()?.define_xml(&xml, flags).await?)
        };
        /// Finds the storage pool with this name.
        memory StoragePoolLookupByName(name: String) -> (storagePool: OwnedObjectPath): StoragePoolLookupByName finds StoragePool by name(name) => |c| c.path();
        /// Finds the storage pool whose target is this path.
        read StoragePoolLookupByTargetPath(path: String) -> (storagePool: OwnedObjectPath): StoragePoolLookupByTargetPath finds StoragePool by target_path(path) => |c| c.path();
        /// Finds the storage pool with this UUID, with or without hyphens.
        memory StoragePoolLookupByUUID(uuid: String) -> (storagePool: OwnedObjectPath): StoragePoolLookupByUuid finds StoragePool by uuid(uuid) => |c| c.path();
        /// Finds the volume with this key.
        memory StorageVolLookupByKey(key: String) -> (storageVol: OwnedObjectPath): StorageVolLookupByKey finds StorageVol by key(key) => |c| c.path();
        /// Finds the volume with this path.
        read StorageVolLookupByPath(path: String) -> (storageVol: OwnedObjectPath): StorageVolLookupByPath finds StorageVol by path(path) => |c| c.path();
    }
    properties {
        /// Whether the connection to the hypervisor is encrypted.
        Encrypted: bool, emits Const: ConnectGetVersion => |view| Ok(view.encrypted.into());
        /// The host's name.
        Hostname: String, emits Nothing: ConnectGetHostname => |view| Ok(prepared(&view.hostname)?.as_str().into());
        /// The libvirt release whose API this is: major × 1,000,000 + minor × 1,000 + micro.
        LibVersion: u64, emits Const: ConnectGetLibVersion => |_| Ok(LIB_VERSION.into());
        /// Whether the connection to the hypervisor is encrypted or does not leave the host.
        Secure: bool, emits Const: ConnectGetVersion => |view| Ok(view.secure.into());
        /// The hypervisor's version: major × 1,000,000 + minor × 1,000 + micro.
        Version: u64, emits Nothing: ConnectGetVersion => |view| Ok((*prepared(&view.version)?).into());
    }
    signals {
        /// A domain was defined, started, stopped, …, and how or why.
        DomainEvent(domain: OwnedObjectPath, event: One<LifecycleKind>, detail: Detail<LifecycleKind>);
        /// A network was defined, started, stopped, ….
        NetworkEvent(network: OwnedObjectPath, event: One<NetworkLifecycle>);
        /// A device of the host came, went, …; the detail is 0.
        NodeDeviceEvent(dev: OwnedObjectPath, event: One<NodeDeviceLifecycle>, detail: Amount<i32>);
        /// A secret was defined or undefined; the detail is 0.
        SecretEvent(secret: OwnedObjectPath, event: One<SecretLifecycle>, detail: Amount<i32>);
        /// A storage pool was defined, started, stopped, …; the detail is 0.
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
    let seen = c.seen(Kind::Domain, chosen.len(), id).await;
    let visible = (0..).zip(chosen).filter(|(at, _)| seen.has(*at));
    // At once: guests that do not answer are waited for together, and not one after the other.
    let collected = visible.map(async |(_, view)| {
        let parameters = statistics.stats(&view.id, groups, flags).await;
        (view.id.name.to_string(), parameters)
    });
    let mut records = Vec::with_capacity(views.len());
    for (name, parameters) in join_all(collected).await {
        match parameters {
            Ok(parameters) => records.push((name, c.wrapped(parameters))),
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NoDomain => {}
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}
