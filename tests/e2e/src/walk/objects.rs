//! One object of each interface, for a walk: found, or made if a driver can make one.

use std::collections::BTreeMap;
use std::path::Path;

use zbus::OwnedObjectPath;

use super::introspection::Members;
use super::{ROOT, children, introspect, managed};
use crate::client::{CONNECT, CallError, Client, DOMAIN};

/// The connection whose driver has objects without a host.
pub const TEST: &str = "/org/libvirt/Test";

/// The interfaces of which there are objects only with a driver for them.
const OPTIONAL: [&str; 4] = [
    "org.libvirt.NWFilter",
    "org.libvirt.NWFilterBinding",
    "org.libvirt.NetworkPort",
    "org.libvirt.Secret",
];

/// Every interface's members, by its name, from the documents in a directory.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn documents(directory: &Path) -> BTreeMap<String, Members> {
    let entries = std::fs::read_dir(directory).expect("the documents are there");
    let documents = entries.map(|entry| {
        let path = entry.expect("a directory can be read").path();
        let text = std::fs::read_to_string(&path).expect("a document can be read");
        let name = path.file_stem().expect("a file has a name");
        let name = name.to_string_lossy().into_owned();
        let members = Members::of(&text, &name);
        (name, members)
    });
    documents.collect()
}

/// Makes what the test driver does not begin with, as root: snapshots, a checkpoint, a volume, more domains, and
/// what else any driver offers.
///
/// # Errors
/// The daemon's refusal, but for what the driver does not support.
pub async fn make(client: &Client) -> Result<(), CallError> {
    let connection = client.object(TEST, CONNECT);
    let define = async |name: &str| -> Result<OwnedObjectPath, CallError> {
        let xml = format!(
            "<domain type='test'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os><devices>\
             <disk type='file'><driver type='qcow2'/><source file='/srv/{name}.img'/><target dev='vda'/></disk>\
             </devices></domain>"
        );
        connection.call("DomainDefineXML", &(xml,)).await
    };
    let other = define("other").await?;
    let test: OwnedObjectPath = connection.call("DomainLookupByName", &("test",)).await?;
    for (domain, name) in [(&test, "seen"), (&other, "unseen")] {
        let domain = client.object(domain.as_str(), DOMAIN);
        let snapshot = format!("<domainsnapshot><name>{name}</name></domainsnapshot>");
        let _: OwnedObjectPath = domain.call("SnapshotCreateXML", &(snapshot, 0_u32)).await?;
    }
    // A domain with snapshots has no checkpoints.
    let marked = define("marked").await?;
    let marked = client.object(marked.as_str(), DOMAIN);
    marked.call::<_, ()>("Create", &(0_u32,)).await?;
    let checkpoint = "<domaincheckpoint><name>mark</name></domaincheckpoint>";
    let _: OwnedObjectPath = marked
        .call("CheckpointCreateXML", &(checkpoint, 0_u32))
        .await?;
    let pool: OwnedObjectPath = connection
        .call("StoragePoolLookupByName", &("default-pool",))
        .await?;
    let pool = client.object(pool.as_str(), "org.libvirt.StoragePool");
    let volume = "<volume><name>disk</name><capacity>1024</capacity></volume>";
    let _: OwnedObjectPath = pool.call("StorageVolCreateXML", &(volume, 0_u32)).await?;

    let network: OwnedObjectPath = connection
        .call("NetworkLookupByName", &("default",))
        .await?;
    let network = client.object(network.as_str(), "org.libvirt.Network");
    let port = "<networkport><owner><name>test</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid></owner>\
         <mac address='52:54:00:00:00:01'/></networkport>";
    if_supported(network.call("PortCreateXML", &(port, 0_u32)).await)?;
    let filter = "<filter name='walked'/>";
    if_supported(connection.call("NWFilterDefineXML", &(filter,)).await)?;
    let secret = "<secret ephemeral='no' private='no'/>";
    if_supported(connection.call("SecretDefineXML", &(secret, 0_u32)).await)?;
    let binding = "<filterbinding><owner><name>test</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid></owner>\
                   <portdev name='vnet0'/><mac address='52:54:00:00:00:01'/><filterref filter='walked'/></filterbinding>";
    if_supported(
        connection
            .call("NWFilterBindingCreateXML", &(binding, 0_u32))
            .await,
    )
}

fn if_supported(made: Result<OwnedObjectPath, CallError>) -> Result<(), CallError> {
    match made {
        Err(error) if !error.name().ends_with(".NoSupport") => Err(error),
        _ => Ok(()),
    }
}

/// Every object that the caller sees: interface and path.
///
/// # Errors
/// The daemon's refusal.
pub async fn all(client: &Client) -> Result<Vec<(String, String)>, CallError> {
    let objects = managed(client, ROOT).await?;
    let named = objects.into_iter().flat_map(|(path, interfaces)| {
        let interfaces = interfaces.into_keys();
        interfaces.map(move |interface| (interface, path.clone()))
    });
    // The manager of objects does not tell of itself.
    let root = ("org.libvirt.Manager".to_owned(), ROOT.to_owned());
    Ok(named.chain([root]).collect())
}

/// One object of each interface on each connection, of all that there are. Says which interfaces have none.
///
/// # Panics
/// When there is none of an interface that every daemon has objects of.
#[must_use]
pub fn one_of_each(
    all: &[(String, String)],
    documents: &BTreeMap<String, Members>,
) -> (Vec<(String, String)>, Vec<String>) {
    let mut chosen: Vec<(String, String)> = Vec::new();
    let connection = |path: &str| path.split('/').nth(3).unwrap_or_default().to_owned();
    for (interface, path) in all {
        let has = chosen
            .iter()
            .any(|(other, there)| other == interface && connection(there) == connection(path));
        if !has {
            chosen.push((interface.clone(), path.clone()));
        }
    }
    let without = |name: &&String| !chosen.iter().any(|(interface, _)| interface == *name);
    let without: Vec<String> = documents.keys().filter(without).cloned().collect();
    for name in &without {
        assert!(OPTIONAL.contains(&name.as_str()), "there is no {name}");
    }
    (chosen, without)
}

/// All that can be seen and must not change by what others are refused: one line for each property and description.
///
/// # Errors
/// The daemon's refusal.
pub async fn state(client: &Client) -> Result<String, CallError> {
    let mut lines = Vec::new();
    for (path, interfaces) in managed(client, ROOT).await? {
        for (interface, properties) in interfaces {
            for (name, value) in properties {
                lines.push(format!("{path} {interface}.{name} = {:?}", *value));
            }
            if interface != CONNECT {
                let object = client.object(&path, &interface);
                let description: Result<String, CallError> =
                    object.call("GetXMLDesc", &(0_u32,)).await;
                lines.push(format!("{path} {description:?}"));
            }
        }
    }
    for node in children(client, ROOT).await? {
        for folder in children(client, &node).await? {
            lines.push(introspect(client, &folder).await?);
        }
    }
    Ok(lines.join("\n"))
}
