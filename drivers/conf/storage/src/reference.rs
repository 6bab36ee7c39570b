//! The kinds of documents of this crate, with what they declare.

use virtbus_conf_base::reference::DocumentKind;

use crate::storage_pool::StoragePool;
use crate::storage_pool_capabilities::StoragePoolCapabilities;
use crate::storage_volume::StorageVolume;

/// Every kind of document of this crate.
pub const DOCUMENTS: &[DocumentKind] = &[
    DocumentKind::of::<StoragePool>("storage-pool", "pool"),
    DocumentKind::of::<StoragePoolCapabilities>(
        "storage-pool-capabilities",
        "storagepoolCapabilities",
    ),
    DocumentKind::of::<StorageVolume>("storage-volume", "volume"),
];
