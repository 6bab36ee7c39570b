//! Storage volumes.

use std::sync::Arc;

use super::{StoragePoolId, Transfer};
use crate::declare::{also, flags, group, numbered};

/// Names a volume by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StorageVolId {
    /// The pool that it is in.
    pub pool: StoragePoolId,
    /// Unique in the pool.
    pub name: Arc<str>,
    /// Unique on the host.
    pub key: Arc<str>,
}

/// What is known of a volume at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageVolView {
    /// Which volume.
    pub id: StorageVolId,
    /// Where a guest's disk finds it.
    pub path: Arc<str>,
}

flags! {
    /// How a volume is made.
    StorageVolCreateFlags: virStorageVolCreateFlags, VIR_STORAGE_VOL_CREATE_ {
        /// Write the image's metadata in advance.
        PREALLOC_METADATA = 1;
        /// Share blocks with the volume that it is made from.
        REFLINK = 2;
        /// Refuse a document that the schema does not allow.
        VALIDATE = 4;
    }

    /// How a volume is taken away.
    StorageVolDeleteFlags: virStorageVolDeleteFlags, VIR_STORAGE_VOL_DELETE_ {
        /// Clear it.
        ZEROED = 1;
        /// With its snapshots.
        WITH_SNAPSHOTS = 2;
    }

    /// How a volume's size changes.
    StorageVolResizeFlags: virStorageVolResizeFlags, VIR_STORAGE_VOL_RESIZE_ {
        /// Allocate what is added.
        ALLOCATE = 1;
        /// The number is how much more or less.
        DELTA = 2;
        /// It may become smaller.
        SHRINK = 4;
    }

    /// What is told of a volume.
    StorageVolInfoFlags: virStorageVolInfoFlags, VIR_STORAGE_VOL_ {
        /// The size that it takes, in place of its allocation.
        GET_PHYSICAL = 1;
    }

    /// How content is read.
    StorageVolTransferFlags: virStorageVolDownloadFlags, VIR_STORAGE_VOL_DOWNLOAD_ {
        /// Holes stay holes: the stream consists of records, each a letter and a number of eight bytes, big-endian. `D`: so many bytes of data,
        /// which follow; `H`: a hole of so many bytes; `E`: the end, with the length of all runs together.
        SPARSE_STREAM = 1;
    }
}

also! {
    /// How content is written.
    StorageVolUploadFlags: virStorageVolUploadFlags, VIR_STORAGE_VOL_UPLOAD_ = StorageVolTransferFlags;
}

numbered! {
    /// What a volume is.
    StorageVolType: virStorageVolType, VIR_STORAGE_VOL_ {
        /// A file.
        File = 0,
        /// A block device.
        Block = 1,
        /// A directory.
        Dir = 2,
        /// Reached over a network.
        Network = 3,
        /// A directory reached over a network.
        NetDir as VIR_STORAGE_VOL_NETDIR = 4,
        /// A ploop image.
        Ploop = 5,
    }

    /// How a volume's content is destroyed.
    StorageVolWipeAlgorithm: virStorageVolWipeAlgorithm, VIR_STORAGE_VOL_WIPE_ALG_ {
        /// One pass of zeroes.
        Zero = 0,
        /// Four passes (NNSA).
        Nnsa = 1,
        /// Four passes (DoD 5220.22-M).
        Dod = 2,
        /// Nine passes (BSI).
        Bsi = 3,
        /// 35 passes (Gutmann).
        Gutmann = 4,
        /// Seven passes (Schneier).
        Schneier = 5,
        /// Seven passes (Pfitzner).
        Pfitzner7 = 6,
        /// 33 passes (Pfitzner).
        Pfitzner33 = 7,
        /// One pass of random numbers.
        Random = 8,
        /// The device is told that its content is not needed.
        Trim = 9,
    }
}

/// Numbers about a volume (`virStorageVolInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageVolInfo {
    /// What it is.
    pub kind: StorageVolType,
    /// Its size as a guest sees it, bytes.
    pub capacity: u64,
    /// What it takes, bytes.
    pub allocation: u64,
}

group! {
    /// Finding, listing, making and changing volumes.
    StorageVols {
        /// The volumes of a pool; `OperationInvalid` if it is off.
        fn views(pool: &StoragePoolId) -> Vec<Arc<StorageVolView>>: StoragePoolListAllVolumes;
        /// The volume with this name in the pool, `NoStorageVol` if there is none.
        fn view_by_name(pool: &StoragePoolId, name: &str) -> Arc<StorageVolView>: StorageVolLookupByName;
        /// The volume with this key, `NoStorageVol` if there is none.
        fn view_by_key(key: &str) -> Arc<StorageVolView>: StorageVolLookupByKey;
        /// The volume with this path, `NoStorageVol` if there is none.
        fn view_by_path(path: &str) -> Arc<StorageVolView>: StorageVolLookupByPath;
        /// Its XML.
        fn xml_desc(volume: &StorageVolId) -> String: StorageVolGetXmlDesc;
        /// Numbers about it.
        fn info(volume: &StorageVolId, flags: StorageVolInfoFlags) -> StorageVolInfo: StorageVolGetInfoFlags;
        /// Which volume a document for the pool is about; its key is empty.
        fn identify_xml(pool: &StoragePoolId, xml: &str) -> StorageVolId: StorageVolCreateXml;
        /// Makes a volume in the pool.
        fn create_xml(pool: &StoragePoolId, xml: &str, flags: StorageVolCreateFlags) -> Arc<StorageVolView>: StorageVolCreateXml;
        /// Makes a volume in the pool with the content of another one.
        fn create_xml_from(pool: &StoragePoolId, xml: &str, source: &StorageVolId, flags: StorageVolCreateFlags) -> Arc<StorageVolView>: StorageVolCreateXmlFrom;
        /// Takes it away.
        fn delete(volume: &StorageVolId, flags: StorageVolDeleteFlags) -> (): StorageVolDelete;
        /// Changes its size; bytes.
        fn resize(volume: &StorageVolId, capacity: u64, flags: StorageVolResizeFlags) -> (): StorageVolResize;
        /// Destroys its content.
        fn wipe_pattern(volume: &StorageVolId, algorithm: StorageVolWipeAlgorithm) -> (): StorageVolWipePattern;
        /// Its content from `offset` on, at most `length` bytes (0: to its end), to be read from the descriptor. Who reads gets an error and no end if the
        /// transfer breaks off.
        fn download(volume: &StorageVolId, offset: u64, length: u64, flags: StorageVolTransferFlags) -> Transfer: StorageVolDownload;
        /// Takes content at `offset`, at most `length` bytes (0: all that comes), written to the descriptor. Done when it is on disk.
        fn upload(volume: &StorageVolId, offset: u64, length: u64, flags: StorageVolTransferFlags) -> Transfer: StorageVolUpload;
    }
}
