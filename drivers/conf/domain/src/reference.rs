//! The kinds of documents of this crate, with what they declare.

use virtbus_conf_base::reference::DocumentKind;

use crate::backup::Backup;
use crate::checkpoint::Checkpoint;
use crate::domain::Domain;
use crate::domain_status::DomainStatus;
use crate::snapshot::Snapshot;

/// Every kind of document of this crate.
pub const DOCUMENTS: &[DocumentKind] = &[
    DocumentKind::of::<Backup>("backup", "domainbackup"),
    DocumentKind::of::<Checkpoint>("checkpoint", "domaincheckpoint"),
    DocumentKind::of::<Domain>("domain", "domain"),
    DocumentKind::of::<DomainStatus>("domain-status", "domstatus"),
    DocumentKind::of::<Snapshot>("snapshot", "domainsnapshot"),
];
