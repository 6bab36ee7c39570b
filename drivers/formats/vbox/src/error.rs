//! Why a file was not read, or a change not made.

use uuid::Uuid;
use virtbus_xml::XmlError;

/// Why a file was not read, or a change not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no XML, or not the settings of a machine, or more than is read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// The bytes are not in the encoding that the file declares.
    #[error("line {line}: the file is not in the encoding {encoding}")]
    Undecodable {
        /// The encoding, which is UTF-8 if none is declared.
        encoding: &'static str,
        /// Line of the first wrong byte, from 1.
        line: usize,
    },
    /// The declared encoding is none that VirtualBox or libvirt writes.
    #[error("encoding '{0}' is not supported")]
    Encoding(String),
    /// No snapshot has this UUID.
    #[error("there is no snapshot {0}")]
    NoSnapshot(Uuid),
    /// No hard disk in the registry has this UUID.
    #[error("there is no hard disk {0} in the registry")]
    NoHardDisk(Uuid),
    /// A snapshot with this UUID is there already.
    #[error("there is a snapshot {0} already")]
    SnapshotExists(Uuid),
    /// A hard disk with this UUID is there already.
    #[error("there is a hard disk {0} in the registry already")]
    HardDiskExists(Uuid),
    /// A machine has one snapshot without a parent, and it is this one.
    #[error("only one snapshot can be without a parent, and that is {0}")]
    FirstSnapshotExists(Uuid),
    /// What depends on the snapshot has to be removed first.
    #[error("snapshot {0} has children")]
    SnapshotHasChildren(Uuid),
    /// What depends on the hard disk has to be removed first.
    #[error("hard disk {0} has children")]
    HardDiskHasChildren(Uuid),
    /// It is no time as the file has it.
    #[error("'{0}' is no time in the form 2006-01-02T15:04:05Z")]
    Time(String),
    /// A part of a new snapshot is not the element that belongs there.
    #[error("snapshot {uuid}: <{found}> was given where <{wanted}> belongs")]
    WrongPart {
        /// The snapshot.
        uuid: Uuid,
        /// The element that belongs there.
        wanted: &'static str,
        /// The element that was given.
        found: String,
    },
    /// The file would not be read again.
    #[error("the file could not be read again with {what}")]
    Unreadable {
        /// What was to be changed.
        what: String,
        /// What would be wrong with it; `None` if it would be read as something else.
        source: Option<XmlError>,
    },
}
