//! Documents against the schemas: what a schema accepts is read, written, and accepted again; what it refuses, we refuse.
//!
//! `xmllint` knows Relax NG. All written documents of a schema go to it at once, since reading a large schema takes longer than
//! checking a document.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use virtbus_conf::backup::Backup;
use virtbus_conf::capabilities::Capabilities;
use virtbus_conf::checkpoint::Checkpoint;
use virtbus_conf::domain::Domain;
use virtbus_conf::domain_capabilities::DomainCapabilities;
use virtbus_conf::interface::Interface;
use virtbus_conf::network::Network;
use virtbus_conf::network_port::NetworkPort;
use virtbus_conf::node_device::NodeDevice;
use virtbus_conf::nwfilter::NwFilter;
use virtbus_conf::nwfilter_binding::NwFilterBinding;
use virtbus_conf::secret::Secret;
use virtbus_conf::snapshot::Snapshot;
use virtbus_conf::storage_pool::StoragePool;
use virtbus_conf::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf::storage_volume::StorageVolume;
use virtbus_conf::{Flags, XmlError};

use crate::case::{Case, Expectation};
use crate::outcome::{Held, Problem};
use crate::run;
use crate::seams::Counting;

/// How documents of a schema are read and written.
type Round = fn(&str) -> Result<String, XmlError>;

/// Everything is written, so that nothing that was read escapes the schema.
const ALL: Flags = Flags::SECURE;

macro_rules! round {
    ($type:ty) => {
        |xml| <$type>::parse(xml).map(|document| document.format(ALL))
    };
    ($type:ty, without flags) => {
        |xml| <$type>::parse(xml).map(|document| document.format())
    };
}

const ROUNDS: &[(&str, Round)] = &[
    ("capability.rng", round!(Capabilities, without flags)),
    ("domain.rng", round!(Domain)),
    ("domainbackup.rng", round!(Backup)),
    ("domaincaps.rng", round!(DomainCapabilities, without flags)),
    ("domaincheckpoint.rng", round!(Checkpoint)),
    ("domainsnapshot.rng", round!(Snapshot)),
    ("interface.rng", round!(Interface)),
    ("network.rng", round!(Network)),
    ("networkport.rng", round!(NetworkPort)),
    ("nodedev.rng", round!(NodeDevice)),
    ("nwfilter.rng", round!(NwFilter)),
    ("nwfilterbinding.rng", round!(NwFilterBinding)),
    ("secret.rng", round!(Secret)),
    ("storagepool.rng", |xml| {
        let mut pool = StoragePool::parse(xml)?;
        // The target of some pools follows from their name.
        pool.complete(&mut Counting);
        Ok(pool.format(ALL))
    }),
    ("storagepoolcaps.rng", round!(StoragePoolCapabilities)),
    ("storagevol.rng", round!(StorageVolume)),
];

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
    let (_, round) = ROUNDS
        .iter()
        .find(|(schema, _)| *schema == name)
        .ok_or_else(|| Problem::unsupported(format!("documents of {name}")))?;
    let xml = case.file("input")?;
    match (case.outcome, round(&xml)) {
        (Expectation::Ok, Ok(text)) => Ok(Some(text)),
        (Expectation::Ok, Err(error)) => Err(Problem::failed(format!("refused: {error}"))),
        (_, Err(_)) => Ok(None),
        (_, Ok(_)) => Err(Problem::failed("accepted, though the schema refuses it")),
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
