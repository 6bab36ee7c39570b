//! Where an image is: storage sources, their encryption, and chains of them.
//!
//! Used by disks, block jobs, snapshots, backups and firmware variables alike. Nothing here looks at
//! an image.

mod chain;
mod encryption;
mod network;
mod private;
mod source;

pub use chain::{BackingChain, BackingLayer, ChainEnd};
pub use encryption::{
    Auth, AuthSecret, Cipher, Encryption, EncryptionEngine, EncryptionFormat, EncryptionSecret,
    IvGen, SecretKind, SecretUsage,
};
pub use network::{
    Cookie, Host, HostTransport, HttpTimeouts, Identity, NetworkProtocol, NetworkSource, Reconnect,
    SourceReconnect,
};
pub use private::{
    FdSet, FdSetKind, Nbdkit, NodeName, NodeNameKind, ObjectSecret, ObjectSecretKind,
    SourceObjects, SourcePrivate, ThresholdEvent,
};
pub use source::{
    BlockSource, DataStore, DirSource, FileSource, Format, ImageFormat, MetadataCache, NvmeBus,
    NvmeSource, Reservations, ReservationsSocket, Slice, SliceKind, SocketKind, SourceCommon,
    StartupPolicy, StorageSource, StorageType, TranslatedVolume, VhostUserSource, VhostVdpaSource,
    VolumeMode, VolumeSource,
};
