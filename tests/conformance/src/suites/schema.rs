//! Documents against the schemas: what a schema accepts is read, written, and accepted again; what it refuses, we refuse.
//!
//! `xmllint` knows Relax NG. All written documents of a schema go to it at once, since reading a large schema takes longer than
//! checking a document.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use virtbus_conf_base::Flags;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::backup::Backup;
use virtbus_conf_domain::checkpoint::Checkpoint;
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams};
use virtbus_conf_domain::snapshot::Snapshot;
use virtbus_conf_host::capabilities::Capabilities;
use virtbus_conf_host::domain_capabilities::DomainCapabilities;
use virtbus_conf_host::interface::Interface;
use virtbus_conf_host::network::Network;
use virtbus_conf_host::network_port::NetworkPort;
use virtbus_conf_host::node_device::{NodeDevice, Purpose};
use virtbus_conf_host::nwfilter::NwFilter;
use virtbus_conf_host::nwfilter_binding::NwFilterBinding;
use virtbus_conf_host::secret::Secret;
use virtbus_conf_storage::storage_pool::StoragePool;
use virtbus_conf_storage::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf_storage::storage_volume::StorageVolume;

use super::domain::MAC_PREFIX;
use crate::case::{Case, Expectation};
use crate::outcome::{Held, Problem, Refusal};
use crate::run;
use crate::seams::Counting;

/// What the product does with the documents of a schema.
struct Product {
    schema: &'static str,
    /// Reads a document as a driver does that is asked to hold it against the schema, what is not known being refused, and
    /// writes it.
    round: fn(&str) -> Result<String, Refusal>,
    /// Reads it so, and completes and validates it where the type has that. What the schema accepts may need a driver of its
    /// own for that, so this is for what is to be refused.
    take: fn(&str) -> Result<(), Refusal>,
}

/// Everything is written, so that nothing that was read escapes the schema.
const ALL: Flags = Flags::SECURE;

/// How documents of a type are read, written and taken.
macro_rules! product {
    ($schema:literal, $type:ty, format($($flags:expr)?), $parse:ident, $complete:expr) => {
        Product {
            schema: $schema,
            round: |xml| {
                let document = <$type>::$parse(xml).map_err(Refusal::reading)?;
                Ok(document.format($($flags)?))
            },
            take: |xml| {
                let document = <$type>::$parse(xml).map_err(Refusal::reading)?;
                $complete(document)
            },
        }
    };
}

const PRODUCTS: &[Product] = &[
    product!(
        "capability.rng",
        Capabilities,
        format(),
        parse_strict,
        as_it_is
    ),
    product!("domain.rng", Domain, format(ALL), parse_strict, domain),
    product!("domainbackup.rng", Backup, format(ALL), parse, as_it_is),
    product!(
        "domaincaps.rng",
        DomainCapabilities,
        format(),
        parse_strict,
        as_it_is
    ),
    product!(
        "domaincheckpoint.rng",
        Checkpoint,
        format(ALL),
        parse,
        as_it_is
    ),
    product!(
        "domainsnapshot.rng",
        Snapshot,
        format(ALL),
        parse_strict,
        as_it_is
    ),
    product!(
        "interface.rng",
        Interface,
        format(ALL),
        parse_strict,
        interface
    ),
    product!("network.rng", Network, format(ALL), parse_strict, network),
    product!(
        "networkport.rng",
        NetworkPort,
        format(ALL),
        parse_strict,
        as_it_is
    ),
    product!(
        "nodedev.rng",
        NodeDevice,
        format(ALL),
        parse_strict,
        node_device
    ),
    product!(
        "nwfilter.rng",
        NwFilter,
        format(ALL),
        parse_strict,
        as_it_is
    ),
    product!(
        "nwfilterbinding.rng",
        NwFilterBinding,
        format(ALL),
        parse_strict,
        as_it_is
    ),
    product!("secret.rng", Secret, format(ALL), parse_strict, as_it_is),
    Product {
        schema: "storagepool.rng",
        round: |xml| {
            let mut pool = StoragePool::parse_strict(xml).map_err(Refusal::reading)?;
            // The target of some pools follows from their name.
            pool.complete(&mut Counting);
            Ok(pool.format(ALL))
        },
        take: |xml| {
            let mut pool = StoragePool::parse_strict(xml).map_err(Refusal::reading)?;
            pool.complete(&mut Counting);
            pool.validate().map_err(Refusal::reading)
        },
    },
    product!(
        "storagepoolcaps.rng",
        StoragePoolCapabilities,
        format(ALL),
        parse_strict,
        as_it_is
    ),
    product!(
        "storagevol.rng",
        StorageVolume,
        format(ALL),
        parse_strict,
        as_it_is
    ),
];

/// Nothing is completed or validated.
fn as_it_is<T>(_: T) -> Result<(), Refusal> {
    Ok(())
}

fn domain(mut domain: Domain) -> Result<(), Refusal> {
    let features = DriverFeatures::all();
    let mut seams = Seams {
        driver: &mut NoDefaults(features),
        entropy: &mut Counting,
        mac_prefix: MAC_PREFIX,
        host_arch: Arch::X86_64,
        flags: CompleteFlags::INACTIVE,
    };
    domain.complete(&mut seams).map_err(Refusal::reading)?;
    domain.validate(features).map_err(Refusal::reading)
}

fn interface(mut interface: Interface) -> Result<(), Refusal> {
    interface.complete();
    interface.validate().map_err(Refusal::reading)
}

fn network(mut network: Network) -> Result<(), Refusal> {
    network.complete(&mut Counting);
    network.validate().map_err(Refusal::reading)
}

fn node_device(device: NodeDevice) -> Result<(), Refusal> {
    device.validate(Purpose::Existing).map_err(Refusal::reading)
}

/// `schema`.
pub(crate) fn schema(cases: &[Case]) -> Vec<Held<()>> {
    let mut written = run::each(cases, write);
    let mut by_schema: BTreeMap<PathBuf, Vec<(usize, String)>> = BTreeMap::new();
    for (at, (case, written)) in cases.iter().zip(&written).enumerate() {
        if let (Ok(Some(text)), Ok(schema)) = (written, case.path("schema")) {
            by_schema
                .entry(schema)
                .or_default()
                .push((at, text.clone()));
        }
    }
    for (schema, documents) in by_schema {
        match refused(&schema, &documents) {
            Ok(refused) => {
                for (at, reason) in refused {
                    written[at] = Err(Problem::failed(format!(
                        "the schema refuses what was written: {reason}"
                    )));
                }
            }
            Err(problem) => {
                for (at, _) in documents {
                    written[at] = Err(Problem::unsupported(problem.clone()));
                }
            }
        }
    }
    written.into_iter().map(|result| result.map(drop)).collect()
}

/// Reads and writes a document; `None` if it is refused, as it should be.
fn write(case: &Case) -> Held<Option<String>> {
    let schema = case.path("schema")?;
    let name = schema
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let product = PRODUCTS
        .iter()
        .find(|product| product.schema == name)
        .ok_or_else(|| Problem::unsupported(format!("documents of {name}")))?;
    let xml = case.file("input")?;
    if case.outcome == Expectation::Ok {
        let refused = |refusal| Problem::failed(format!("refused {refusal}"));
        return (product.round)(&xml).map(Some).map_err(refused);
    }
    match (product.take)(&xml) {
        Ok(()) => Err(Problem::failed("accepted, though the schema refuses it")),
        Err(_) => Ok(None),
    }
}

/// Which documents the schema refuses, each with the first reason.
fn refused(schema: &Path, documents: &[(usize, String)]) -> Result<Vec<(usize, String)>, String> {
    let folder = tempfile::tempdir().map_err(|e| format!("no folder for documents: {e}"))?;
    let mut command = Command::new("xmllint");
    command
        .args(["--noout", "--nonet", "--relaxng"])
        .arg(schema)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for (at, text) in documents {
        let name = format!("{at}.xml");
        fs::write(folder.path().join(&name), text)
            .map_err(|e| format!("cannot write a document: {e}"))?;
        command.arg(name);
    }
    let mut child = command.spawn().map_err(|e| format!("needs xmllint: {e}"))?;
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr
            .read_to_string(&mut said)
            .map_err(|e| format!("xmllint: {e}"))?;
    }
    child.wait().map_err(|e| format!("xmllint: {e}"))?;
    let mut refused = Vec::new();
    for (at, _) in documents {
        let (file, fails) = (format!("{at}.xml:"), format!("{at}.xml fails to validate"));
        let valid = format!("{at}.xml validates");
        if said.lines().any(|line| line == fails) {
            let reason = said
                .lines()
                .rfind(|line| line.starts_with(&file))
                .unwrap_or(&fails);
            refused.push((*at, reason.to_owned()));
        } else if !said.lines().any(|line| line == valid) {
            return Err(format!(
                "xmllint says nothing about a document: {}",
                said.lines().next().unwrap_or_default()
            ));
        }
    }
    Ok(refused)
}
