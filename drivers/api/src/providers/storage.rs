//! Volumes, as disks of guests.

use async_trait::async_trait;

use crate::Result;
use crate::storage::StorageVolType;

/// Where a volume is, as a guest's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSource {
    /// What it is: a file, a block device, a directory, something on the network.
    pub kind: StorageVolType,
    /// Its path on this host, or its name on the server.
    pub path: String,
    /// The format of its content, such as `qcow2`; `raw` for block devices.
    pub format: String,
    /// The pool's document, which has servers and authentication of what is on the network.
    pub pool: String,
}

/// Storage pools, as guests need them.
#[async_trait]
pub trait GuestStorage: Send + Sync {
    /// The volume of this name in the pool of this name.
    ///
    /// # Errors
    /// `NoStoragePool`, `NoStorageVol`; `OperationInvalid` if the pool is not active.
    async fn volume(&self, pool: &str, volume: &str) -> Result<VolumeSource>;
}
