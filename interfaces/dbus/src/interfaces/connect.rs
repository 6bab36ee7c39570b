//! `org.libvirt.Connect`: a connection to a hypervisor.

use virtbus_api::access::{Call, Grant, Permission};
use virtbus_api::connection::{Host, LIB_VERSION, group};
use virtbus_api::domain::{
    DomainCreateFlags, DomainDefineFlags, DomainId, DomainLifecycle, DomainObject,
    DomainStatsFlags, Domains, ListAllDomainsFlags, check,
};
use virtbus_api::{Connection, Error, ErrorCode, Result, Uuid};
use zbus::OwnedObjectPath;

use crate::declare::{Property, interface};
use crate::invocation::Context;
use crate::quirks::optional;
use crate::tree::{Node, Sought, Target, View};
use crate::value::Parameters;

/// What the properties of a connection show.
pub(crate) struct ConnectView {
    encrypted: bool,
    secure: bool,
    /// The two that may have to ask the host, empty until [`View::prepare`] was told that they are wanted.
    hostname: Option<Result<String>>,
    version: Option<Result<u64>>,
}

impl ConnectView {
    /// The view of a connection, as far as nothing has to be waited for.
    pub(crate) fn of(connection: &dyn Connection) -> Self {
        let host = connection.host();
        Self {
            encrypted: host.is_encrypted(),
            secure: host.is_secure(),
            hostname: None,
            version: None,
        }
    }

    /// Asks the host for the properties that are wanted.
    pub(crate) async fn prepare(&mut self, host: &dyn Host, wanted: &[&'static Property]) {
        let wants = |name: &str| wanted.iter().any(|property| property.name == name);
        if wants("Hostname") {
            self.hostname = Some(host.hostname().await);
        }
        if wants("Version") {
            self.version = Some(host.version().await);
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
    /// A connection to a hypervisor: where its domains are found, defined and listed, and where their lifecycle is announced.
    CONNECT = "org.libvirt.Connect", view ConnectView, flags;
    methods {
        /// Starts a domain from XML. Without a stored definition of the same UUID it vanishes when it stops. Flags are those of virDomainCreateXML.
        write DomainCreateXML(xml: String, flags: u32) -> (domain: OwnedObjectPath): DomainCreateXml on domain_in(xml) => domain_create_xml;
        /// Stores a definition, new or in place of the one with the same UUID. A running domain goes on as it is and takes the definition when it is started next.
        write DomainDefineXML(xml: String) -> (domain: OwnedObjectPath): DomainDefineXml on domain_in(xml) => domain_define_xml;
        /// Finds the running domain with this number.
        read DomainLookupByID(id: i32) -> (domain: OwnedObjectPath): DomainLookupById on domain_numbered(id) => domain_lookup_by_id;
        /// Finds the domain with this name.
        read DomainLookupByName(name: String) -> (domain: OwnedObjectPath): DomainLookupByName on domain_named(name) => domain_lookup_by_name;
        /// Finds the domain with this UUID, with or without hyphens.
        read DomainLookupByUUID(uuid: String) -> (domain: OwnedObjectPath): DomainLookupByUuid on domain_with_uuid(uuid) => domain_lookup_by_uuid;
        /// Statistics of every domain that passes the flags (virConnectGetAllDomainStats), by name.
        read GetAllDomainStats(stats: u32, flags: u32) -> (records: Vec<(String, Parameters)>): ConnectGetAllDomainStats => get_all_domain_stats;
        /// Host and guest capabilities as XML.
        read GetCapabilities() -> (capabilities: String): ConnectGetCapabilities => get_capabilities;
        /// Names of the CPU models known for an architecture.
        read GetCPUModelNames(arch: String, flags: u32) -> (models: Vec<String>): ConnectGetCpuModelNames => get_cpu_model_names;
        /// What a domain of these properties can have, as XML. Empty strings leave the choice to the driver.
        read GetDomainCapabilities(emulatorbin: String, arch: String, machine: String, virttype: String, flags: u32) -> (domCapabilities: String): ConnectGetDomainCapabilities => get_domain_capabilities;
        /// The domains that pass the flags of virConnectListAllDomains; 0 lists all.
        read ListDomains(flags: u32) -> (domains: Vec<OwnedObjectPath>): ConnectListAllDomains => list_domains;
        /// Free memory of the host in bytes.
        read NodeGetFreeMemory() -> (freemem: u64): NodeGetFreeMemory => node_get_free_memory;
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
        /// A domain was defined, started, stopped, …: virDomainEventType and the event's detail.
        DomainEvent(domain: OwnedObjectPath, event: i32, detail: i32);
    }
}

fn domains<'a>(context: &Context<'a>, call: &str) -> Result<&'a dyn Domains> {
    group(context.connection.domains(), call)
}

fn lifecycle<'a>(context: &Context<'a>, call: &str) -> Result<&'a dyn DomainLifecycle> {
    group(context.connection.lifecycle(), call)
}

fn domain_path(context: &Context<'_>, uuid: Uuid) -> Result<OwnedObjectPath> {
    OwnedObjectPath::try_from(context.node.domain_path(uuid))
        .map_err(|error| Error::internal(format!("a domain's path is wrong: {error}")))
}

/// The domains of a connection, to find out which one a call is about.
fn identify<'a>(node: &'a Node, call: &str) -> Result<&'a dyn Domains> {
    group(node.connection.open(&Grant::identify()).domains(), call)
}

fn target(node: &Node, id: DomainId, sought: Sought) -> Target {
    Target::Domain {
        driver: node.name,
        id,
        sought,
    }
}

/// The domain that a definition is about. One that cannot be read is about none; what is wrong with it is told to those
/// only who may define domains.
async fn domain_in(node: &Node, xml: &str) -> Result<Target> {
    let domains = identify(node, "DomainDefineXml")?;
    Ok(match domains.identify_xml(xml).await {
        Ok(id) => target(node, id, Sought::Definition),
        Err(_) => Target::Connect { driver: node.name },
    })
}

async fn domain_numbered(node: &Node, id: &i32) -> Result<Target> {
    let number = u32::try_from(*id).map_err(|_| Error::no_domain_numbered((*id).into()))?;
    let view = identify(node, "DomainLookupById")?
        .view_by_id(number)
        .await?;
    Ok(target(node, view.id.clone(), Sought::Number))
}

async fn domain_named(node: &Node, name: &str) -> Result<Target> {
    let view = identify(node, "DomainLookupByName")?
        .view_by_name(name)
        .await?;
    Ok(target(node, view.id.clone(), Sought::Name))
}

async fn domain_with_uuid(node: &Node, uuid: &str) -> Result<Target> {
    let number = Uuid::try_parse(uuid)
        .map_err(|_| Error::invalid_argument(format!("'{uuid}' is not a UUID")))?;
    let view = identify(node, "DomainLookupByUuid")?.view(number).await?;
    Ok(target(node, view.id.clone(), Sought::Uuid))
}

async fn domain_create_xml(
    context: Context<'_>,
    xml: String,
    flags: u32,
) -> Result<OwnedObjectPath> {
    let flags: DomainCreateFlags = check(flags, "DomainCreateXML")?;
    let view = lifecycle(&context, "DomainCreateXml")?
        .create_xml(&xml, flags)
        .await?;
    domain_path(&context, view.id.uuid)
}

async fn domain_define_xml(context: Context<'_>, xml: String) -> Result<OwnedObjectPath> {
    let view = domains(&context, "DomainDefineXml")?
        .define_xml(&xml, DomainDefineFlags::empty())
        .await?;
    domain_path(&context, view.id.uuid)
}

/// The path of the domain that was found.
async fn domain_lookup_by_id(context: Context<'_>, _: i32) -> Result<OwnedObjectPath> {
    domain_path(&context, context.target.domain()?.uuid)
}

async fn domain_lookup_by_name(context: Context<'_>, _: String) -> Result<OwnedObjectPath> {
    domain_path(&context, context.target.domain()?.uuid)
}

async fn domain_lookup_by_uuid(context: Context<'_>, _: String) -> Result<OwnedObjectPath> {
    domain_path(&context, context.target.domain()?.uuid)
}

async fn get_all_domain_stats(
    context: Context<'_>,
    groups: u32,
    flags: u32,
) -> Result<Vec<(String, Parameters)>> {
    let call = Call::ConnectGetAllDomainStats;
    let groups = check(groups, "GetAllDomainStats")?;
    let flags: DomainStatsFlags = check(flags, "GetAllDomainStats")?;
    let which = ListAllDomainsFlags::from_bits_truncate(flags.bits());
    let statistics = group(context.connection.statistics(), call.name())?;
    let mut records = Vec::new();
    for object in visible_domains(&context, call, which).await? {
        match statistics.stats(&object.id, groups, flags).await {
            Ok(parameters) => {
                let parameters = Parameters(parameters, context.dialect.wrapping());
                records.push((object.id.name.to_string(), parameters));
            }
            // Gone since it was listed.
            Err(error) if error.code == ErrorCode::NoDomain => {}
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

/// The domains that pass the flags and that the caller may see in the answer of `call`.
async fn visible_domains<'a>(
    context: &Context<'a>,
    call: Call,
    flags: ListAllDomainsFlags,
) -> Result<Vec<DomainObject<'a>>> {
    let views = domains(context, call.name())?.views().await?;
    let objects = views
        .iter()
        .filter(|view| view.matches(flags))
        .map(|view| DomainObject {
            driver: context.node.name,
            id: view.id.clone(),
        })
        .collect();
    // What may be read of a domain that may not be seen makes no difference.
    let seen = context
        .guard
        .visible(context.caller, Permission::DomainGetattr, objects)
        .await;
    Ok(context.guard.filter(context.caller, call, seen).await)
}

async fn get_capabilities(context: Context<'_>) -> Result<String> {
    context.connection.host().capabilities().await
}

async fn get_cpu_model_names(
    context: Context<'_>,
    arch: String,
    flags: u32,
) -> Result<Vec<String>> {
    no_flags(flags, "GetCPUModelNames")?;
    context.connection.host().cpu_model_names(&arch).await
}

async fn get_domain_capabilities(
    context: Context<'_>,
    emulator: String,
    arch: String,
    machine: String,
    virt_type: String,
    flags: u32,
) -> Result<String> {
    no_flags(flags, "GetDomainCapabilities")?;
    let host = context.connection.host();
    host.domain_capabilities(
        optional(&emulator),
        optional(&arch),
        optional(&machine),
        optional(&virt_type),
    )
    .await
}

async fn list_domains(context: Context<'_>, flags: u32) -> Result<Vec<OwnedObjectPath>> {
    let flags: ListAllDomainsFlags = check(flags, "ListDomains")?;
    let visible = visible_domains(&context, Call::ConnectListAllDomains, flags).await?;
    visible
        .iter()
        .map(|object| domain_path(&context, object.id.uuid))
        .collect()
}

async fn node_get_free_memory(context: Context<'_>) -> Result<u64> {
    context.connection.host().free_memory().await
}

/// Refuses flags of a call that knows none.
pub(crate) fn no_flags(flags: u32, call: &str) -> Result<()> {
    if flags == 0 {
        Ok(())
    } else {
        Err(Error::invalid_argument(format!(
            "{call} does not know the flags {flags:#x}"
        )))
    }
}

impl View {
    /// Asks for what the wanted properties need beyond what is in memory.
    pub(crate) async fn prepare(&mut self, host: &dyn Host, wanted: &[&'static Property]) {
        match self {
            Self::Connect(view) => view.prepare(host, wanted).await,
            Self::Domain(_) => {}
        }
    }
}
