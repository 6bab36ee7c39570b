//! Storage pools.

use std::sync::Arc;

use crate::Uuid;
use crate::declare::{flags, group, numbered};
use crate::filter::{Filtered, passes};
use crate::listing::Views;

/// Names a pool by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoragePoolId {
    /// Unique for ever.
    pub uuid: Uuid,
    /// Unique on the connection.
    pub name: Arc<str>,
}

/// What is known of a pool at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoragePoolView {
    /// Which pool.
    pub id: StoragePoolId,
    /// Whether its volumes can be reached.
    pub active: bool,
    /// Whether it has a definition that outlives its run.
    pub persistent: bool,
    /// Whether it is started with the host.
    pub autostart: bool,
    /// The `type` of its definition, such as `dir`.
    pub pool_type: Arc<str>,
}

impl Filtered<ListAllStoragePoolsFlags> for StoragePoolView {
    fn matches(&self, flags: ListAllStoragePoolsFlags) -> bool {
        use ListAllStoragePoolsFlags as F;
        let types = flags & F::types();
        (types.is_empty() || types.intersects(F::of_type(&self.pool_type)))
            && passes(
                flags,
                &[
                    &[(F::ACTIVE, self.active), (F::INACTIVE, !self.active)],
                    &[
                        (F::PERSISTENT, self.persistent),
                        (F::TRANSIENT, !self.persistent),
                    ],
                    &[
                        (F::AUTOSTART, self.autostart),
                        (F::NO_AUTOSTART, !self.autostart),
                    ],
                ],
            )
    }
}

/// Declares the flags that choose pools by type, with the types' names.
macro_rules! list_flags {
    ($($flag:ident = $bit:literal: $name:literal;)*) => {
        flags! {
            /// Which pools a list has.
            ListAllStoragePoolsFlags: virConnectListAllStoragePoolsFlags, VIR_CONNECT_LIST_STORAGE_POOLS_ {
                /// Those that are off.
                INACTIVE = 1;
                /// Those that are on.
                ACTIVE = 2;
                /// Those whose definition outlives their run.
                PERSISTENT = 4;
                /// Those that vanish when they stop.
                TRANSIENT = 8;
                /// Those started with the host.
                AUTOSTART = 16;
                /// Those not started with the host.
                NO_AUTOSTART = 32;
                $(#[doc = concat!("Those of type `", $name, "`.")] $flag = $bit;)*
            }
        }

        impl ListAllStoragePoolsFlags {
            /// Every flag that is about a type.
            const fn types() -> Self {
                Self::from_bits_truncate($($bit |)* 0)
            }

            /// The flag of a type.
            fn of_type(name: &str) -> Self {
                match name {
                    $($name => Self::$flag,)*
                    _ => Self::empty(),
                }
            }
        }
    };
}

list_flags! {
    DIR = 64: "dir";
    FS = 128: "fs";
    NETFS = 256: "netfs";
    LOGICAL = 512: "logical";
    DISK = 1024: "disk";
    ISCSI = 2048: "iscsi";
    SCSI = 4096: "scsi";
    MPATH = 8192: "mpath";
    RBD = 16_384: "rbd";
    SHEEPDOG = 32_768: "sheepdog";
    GLUSTER = 65_536: "gluster";
    ZFS = 131_072: "zfs";
    VSTORAGE = 262_144: "vstorage";
    ISCSI_DIRECT = 524_288: "iscsi-direct";
}

flags! {
    /// What the XML of a pool shows.
    StorageXmlFlags: virStorageXMLFlags, VIR_STORAGE_XML_ {
        /// The definition, not what is now.
        INACTIVE = 1;
    }

    /// How a pool's definition is taken.
    StoragePoolDefineFlags: virStoragePoolDefineFlags, VIR_STORAGE_POOL_DEFINE_ {
        /// Refuse a definition that the schema does not allow.
        VALIDATE = 1;
    }

    /// How a pool is started.
    StoragePoolCreateFlags: virStoragePoolCreateFlags, VIR_STORAGE_POOL_CREATE_ {
        /// Build it first.
        WITH_BUILD = 1;
        /// Build it first, also over what is there.
        WITH_BUILD_OVERWRITE = 2;
        /// Build it first, unless something is there.
        WITH_BUILD_NO_OVERWRITE = 4;
    }

    /// How a pool is built.
    StoragePoolBuildFlags: virStoragePoolBuildFlags, VIR_STORAGE_POOL_BUILD_ {
        /// Repair it.
        REPAIR = 1;
        /// Make it larger.
        RESIZE = 2;
        /// Not if something is there.
        NO_OVERWRITE = 4;
        /// Also over what is there.
        OVERWRITE = 8;
    }

    /// How a pool's storage is freed.
    StoragePoolDeleteFlags: virStoragePoolDeleteFlags, VIR_STORAGE_POOL_DELETE_ {
        /// Clear it.
        ZEROED = 1;
    }
}

numbered! {
    /// What a pool is doing.
    StoragePoolState: virStoragePoolState, VIR_STORAGE_POOL_ {
        /// It is off.
        Inactive = 0,
        /// It is being built.
        Building = 1,
        /// It is on.
        Running = 2,
        /// It is on, with something missing.
        Degraded = 3,
        /// It is on and cannot be reached.
        Inaccessible = 4,
    }

    /// What happened to a pool.
    StoragePoolLifecycle: virStoragePoolEventLifecycleType, VIR_STORAGE_POOL_EVENT_ {
        /// A definition was stored.
        Defined = 0,
        /// Its definition was taken away.
        Undefined = 1,
        /// It was started.
        Started = 2,
        /// It was stopped.
        Stopped = 3,
        /// It was built.
        Created = 4,
        /// Its storage was freed.
        Deleted = 5,
    }
}

/// Something that happened to a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoragePoolEvent {
    /// It was defined, started, ….
    Lifecycle(StoragePoolLifecycle),
    /// Its volumes were looked through.
    Refresh,
}

/// Numbers about a pool (`virStoragePoolInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoragePoolInfo {
    /// What it is doing.
    pub state: StoragePoolState,
    /// Its size, bytes.
    pub capacity: u64,
    /// What its volumes take, bytes.
    pub allocation: u64,
    /// What is left, bytes.
    pub available: u64,
}

group! {
    /// Finding, listing, defining, starting and building pools.
    StoragePools {
        /// What is known of every pool.
        fn views() -> Views<StoragePoolView>: ConnectListAllStoragePools;
        /// The pool with this UUID, `NoStoragePool` if there is none.
        fn view(uuid: Uuid) -> Arc<StoragePoolView>: StoragePoolLookupByUuid;
        /// The pool with this name, `NoStoragePool` if there is none.
        fn view_by_name(name: &str) -> Arc<StoragePoolView>: StoragePoolLookupByName;
        /// The pool whose target is this path, `NoStoragePool` if there is none.
        fn view_by_target_path(path: &str) -> Arc<StoragePoolView>: StoragePoolLookupByTargetPath;
        /// Its XML.
        fn xml_desc(pool: &StoragePoolId, flags: StorageXmlFlags) -> String: StoragePoolGetXmlDesc;
        /// Numbers about it.
        fn info(pool: &StoragePoolId) -> StoragePoolInfo: StoragePoolGetInfo;
        /// Which pool a definition is about; the UUID is nil if it names none.
        fn identify_xml(xml: &str) -> StoragePoolId: StoragePoolDefineXml;
        /// Stores a definition, new or in place of the one with the same UUID.
        fn define_xml(xml: &str, flags: StoragePoolDefineFlags) -> Arc<StoragePoolView>: StoragePoolDefineXml;
        /// Starts a pool from XML; without a stored definition it vanishes when it stops.
        fn create_xml(xml: &str, flags: StoragePoolCreateFlags) -> Arc<StoragePoolView>: StoragePoolCreateXml;
        /// Takes the definition away.
        fn undefine(pool: &StoragePoolId) -> (): StoragePoolUndefine;
        /// Starts it.
        fn create(pool: &StoragePoolId, flags: StoragePoolCreateFlags) -> (): StoragePoolCreate;
        /// Stops it; its volumes stay where they are.
        fn destroy(pool: &StoragePoolId) -> (): StoragePoolDestroy;
        /// Makes its storage: directory, file system, volume group, ….
        fn build(pool: &StoragePoolId, flags: StoragePoolBuildFlags) -> (): StoragePoolBuild;
        /// Frees its storage, and what is in it.
        fn delete(pool: &StoragePoolId, flags: StoragePoolDeleteFlags) -> (): StoragePoolDelete;
        /// Looks its volumes through.
        fn refresh(pool: &StoragePoolId) -> (): StoragePoolRefresh;
        /// Whether it is started with the host.
        fn set_autostart(pool: &StoragePoolId, autostart: bool) -> (): StoragePoolSetAutostart;
        /// The sources of this type that can be found, as XML.
        fn find_sources(pool_type: &str, source: Option<&str>) -> String: ConnectFindStoragePoolSources;
        /// Which types of pools there are, as XML.
        fn capabilities() -> String: ConnectGetStoragePoolCapabilities;
    }
}
