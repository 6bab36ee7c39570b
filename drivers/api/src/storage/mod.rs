//! Storage: pools and the volumes in them, and how content goes in and out.

mod pool;
mod transfer;
mod volume;

pub use pool::{
    ListAllStoragePoolsFlags, StoragePoolBuildFlags, StoragePoolCreateFlags,
    StoragePoolDefineFlags, StoragePoolDeleteFlags, StoragePoolEvent, StoragePoolId,
    StoragePoolInfo, StoragePoolLifecycle, StoragePoolState, StoragePoolView, StoragePools,
    StorageXmlFlags,
};
pub use transfer::{Completion, Transfer};
pub use volume::{
    StorageVolCreateFlags, StorageVolDeleteFlags, StorageVolId, StorageVolInfo,
    StorageVolInfoFlags, StorageVolResizeFlags, StorageVolTransferFlags, StorageVolType,
    StorageVolUploadFlags, StorageVolView, StorageVolWipeAlgorithm, StorageVols,
};
