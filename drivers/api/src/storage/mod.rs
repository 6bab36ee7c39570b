//! Storage: pools and the volumes in them.

mod pool;
mod volume;

pub use pool::{
    ListAllStoragePoolsFlags, StoragePoolBuildFlags, StoragePoolCreateFlags,
    StoragePoolDefineFlags, StoragePoolDeleteFlags, StoragePoolEvent, StoragePoolId,
    StoragePoolInfo, StoragePoolLifecycle, StoragePoolState, StoragePoolView, StoragePools,
    StorageXmlFlags,
};
pub use volume::{
    StorageVolCreateFlags, StorageVolDeleteFlags, StorageVolId, StorageVolInfo,
    StorageVolInfoFlags, StorageVolResizeFlags, StorageVolTransferFlags, StorageVolType,
    StorageVolUploadFlags, StorageVolView, StorageVolWipeAlgorithm, StorageVols,
};
