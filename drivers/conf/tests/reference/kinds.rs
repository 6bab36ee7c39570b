//! Reading and writing documents of every kind.

use std::fmt::Debug;
use std::sync::LazyLock;

use virtbus_conf_base::Flags;
use virtbus_conf_base::cpu::Cpu;
use virtbus_conf_base::reference::DocumentKind;
use virtbus_conf_domain::backup::Backup;
use virtbus_conf_domain::checkpoint::Checkpoint;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain_status::DomainStatus;
use virtbus_conf_domain::snapshot::Snapshot;
use virtbus_conf_host::capabilities::Capabilities;
use virtbus_conf_host::domain_capabilities::DomainCapabilities;
use virtbus_conf_host::interface::Interface;
use virtbus_conf_host::network::Network;
use virtbus_conf_host::network_port::NetworkPort;
use virtbus_conf_host::node_device::NodeDevice;
use virtbus_conf_host::nwfilter::NwFilter;
use virtbus_conf_host::nwfilter_binding::NwFilterBinding;
use virtbus_conf_host::secret::Secret;
use virtbus_conf_storage::storage_pool::StoragePool;
use virtbus_conf_storage::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf_storage::storage_volume::StorageVolume;
use virtbus_xml::{Content, Describe, Document, ErrorKind, XmlError};

use crate::make::Needed;

/// Every kind of document there is, by name.
pub(crate) static DOCUMENTS: LazyLock<Vec<DocumentKind>> = LazyLock::new(|| {
    let crates = [
        virtbus_conf_base::reference::DOCUMENTS,
        virtbus_conf_domain::reference::DOCUMENTS,
        virtbus_conf_host::reference::DOCUMENTS,
        virtbus_conf_storage::reference::DOCUMENTS,
    ];
    let mut all = crates.concat();
    all.sort_by_key(|kind| kind.name);
    all
});

/// What documents are written for, such that everything is written in one of them.
pub(crate) const PURPOSES: [Flags; 4] = [
    Flags::SECURE
        .union(Flags::CLOCK_ADJUST)
        .union(Flags::PCI_ORIG_STATES)
        .union(Flags::VOLUME_TRANSLATED),
    Flags::SECURE.union(Flags::STATUS).union(Flags::ACTUAL_NET),
    Flags::SECURE.union(Flags::INACTIVE),
    Flags::SECURE.union(Flags::MIGRATABLE),
];

/// Why a document is not what it should be.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is refused, as is right if parts of it do not go together: why, and what it lacks.
    Refused(String, Vec<Needed>),
    /// Something in it was not looked at.
    Unread(String),
    /// It is not what it was any more when it was written and read, which is never right.
    Changed(String),
}

/// A document that was read and written.
#[derive(Debug)]
pub(crate) struct Written {
    /// The texts, one for each purpose.
    pub(crate) texts: Vec<String>,
    /// How the value differs that reading the first text gives.
    pub(crate) differs: Option<String>,
}

/// Reads a document, writes it for each purpose, and reads that.
pub(crate) type Again = fn(&DocumentKind, &str) -> Result<Written, Failure>;

fn again<T: Content + Describe + PartialEq + Debug>(
    kind: &DocumentKind,
    xml: &str,
) -> Result<Written, Failure> {
    let value: T = read(kind, xml)?;
    let texts = PURPOSES.map(|flags| value.to_xml(kind.root, flags));
    let mut differs = None;
    for (flags, written) in PURPOSES.into_iter().zip(&texts) {
        let changed = |what: &str| {
            let text = format!("{what}, of\n{xml}\nwritten as\n{written}");
            Failure::Changed(text)
        };
        let second: T =
            read(kind, written).map_err(|e| changed(&format!("is not read again: {e:?}")))?;
        let third = second.to_xml(kind.root, flags);
        // What older releases get to see may be less each time.
        if third != *written && !flags.contains(Flags::MIGRATABLE) {
            return Err(changed(&format!("then {}", difference(written, &third))));
        }
        if flags == PURPOSES[0] && value != second {
            differs = Some(difference(&format!("{value:#?}"), &format!("{second:#?}")));
        }
    }
    Ok(Written {
        texts: texts.into(),
        differs,
    })
}

/// Clients' documents and those of drivers are read by different functions.
fn backup(_: &DocumentKind, xml: &str) -> Result<Written, Failure> {
    let refused = |e: XmlError| Failure::Refused(e.to_string(), missing(&e));
    let outcome = Backup::parse(xml);
    let is_status = outcome.is_err() && Backup::parse_status(xml).is_ok();
    let (flags, read): (_, fn(&str) -> _) = if is_status {
        (Flags::STATUS, Backup::parse_status)
    } else {
        (Flags::empty(), Backup::parse)
    };
    let value = read(xml).map_err(refused)?;
    let text = value.format(flags);
    let second = read(&text).map_err(|e| Failure::Changed(format!("{e}, of\n{text}")))?;
    if second.format(flags) != text {
        return Err(Failure::Changed(format!("{text}\nis written otherwise")));
    }
    Ok(Written {
        texts: vec![text],
        differs: (second != value)
            .then(|| difference(&format!("{value:#?}"), &format!("{second:#?}"))),
    })
}

fn read<T: Content>(kind: &DocumentKind, xml: &str) -> Result<T, Failure> {
    let doc = Document::parse(xml)
        .expect("documents are well formed")
        .stored();
    let value = doc
        .read(kind.root)
        .map_err(|e| Failure::Refused(e.to_string(), missing(&e)))?;
    match doc.leftovers(1).first() {
        Some(unread) => Err(Failure::Unread(format!("{unread:?}"))),
        None => Ok(value),
    }
}

/// The first line that differs.
fn difference(one: &str, other: &str) -> String {
    let lines = one.lines().zip(other.lines());
    let differ = lines.into_iter().find(|(one, other)| one != other);
    differ.map_or_else(
        || "longer or shorter".to_owned(),
        |(one, other)| format!("{one} is {other}"),
    )
}

/// What is missing, and the element that it is missing from, which may be missing itself.
fn missing(error: &XmlError) -> Vec<Needed> {
    let Some(element) = error
        .element()
        .filter(|_| error.kind() == ErrorKind::Missing)
    else {
        return Vec::new();
    };
    let needed = |within: Option<&str>, name: &str| Needed {
        within: within.map(str::to_owned),
        name: name.to_owned(),
    };
    let child = error.message().split(['<', '>']).nth(1);
    let mut all = vec![needed(None, element)];
    let parts = error.attribute().into_iter().chain(child);
    all.extend(parts.map(|name| needed(Some(element), name)));
    all
}

/// How to read and write documents of this kind.
pub(crate) fn of(kind: &DocumentKind) -> Again {
    match kind.name {
        "backup" => backup,
        "capabilities" => again::<Capabilities>,
        "checkpoint" => again::<Checkpoint>,
        "cpu" => again::<Cpu>,
        "domain" => again::<Domain>,
        "domain-capabilities" => again::<DomainCapabilities>,
        "domain-status" => again::<DomainStatus>,
        "interface" => again::<Interface>,
        "network" => again::<Network>,
        "network-port" => again::<NetworkPort>,
        "node-device" => again::<NodeDevice>,
        "nwfilter" => again::<NwFilter>,
        "nwfilter-binding" => again::<NwFilterBinding>,
        "secret" => again::<Secret>,
        "snapshot" => again::<Snapshot>,
        "storage-pool" => again::<StoragePool>,
        "storage-pool-capabilities" => again::<StoragePoolCapabilities>,
        "storage-volume" => again::<StorageVolume>,
        other => panic!("say here how '{other}' is read"),
    }
}
