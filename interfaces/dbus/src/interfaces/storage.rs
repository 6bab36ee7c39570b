//! `org.libvirt.StoragePool` and `org.libvirt.StorageVol`: where disks are kept.

use virtbus_api::storage::{
    StoragePoolBuildFlags, StoragePoolCreateFlags, StoragePoolDeleteFlags, StoragePoolState,
    StoragePoolView, StorageVolCreateFlags, StorageVolDeleteFlags, StorageVolId,
    StorageVolInfoFlags, StorageVolResizeFlags, StorageVolTransferFlags, StorageVolType,
    StorageVolUploadFlags, StorageVolView, StorageVolWipeAlgorithm, StorageXmlFlags,
};
use zbus::OwnedObjectPath;

use crate::declare::interface;
use crate::numbers::{Flags, NoFlags, One};
use crate::paths::Paths;

interface! {
    /// A storage pool: a store of volumes.
    STORAGE_POOL = "org.libvirt.StoragePool", view StoragePoolView;
    methods {
        /// Creates the storage of a pool that is not active: folder, file system, volume group or partition table. Refused if there is something
        /// already, unless the flag OVERWRITE is given.
        write Build(flags: Flags<StoragePoolBuildFlags>) -> (): StoragePoolBuild => |c| c.storage_pools()?.build(c.id()?, flags).await;
        /// Starts the defined pool, so that its volumes can be used; flags can build it first. Refused if it is active.
        write Create(flags: Flags<StoragePoolCreateFlags>) -> (): StoragePoolCreate => |c| c.storage_pools()?.create(c.id()?, flags).await;
        /// Deletes the storage of a pool that is not active, with all volumes in it. The definition stays.
        write Delete(flags: Flags<StoragePoolDeleteFlags>) -> (): StoragePoolDelete => |c| c.storage_pools()?.delete(c.id()?, flags).await;
        /// Stops the pool; its volumes stay as they are, but can no longer be used. A transient pool is removed. Refused if it is not active.
        write Destroy() -> (): StoragePoolDestroy => |c| c.storage_pools()?.destroy(c.id()?).await;
        /// State of the pool, and sizes in bytes: total, taken by volumes, free.
        read GetInfo() -> (info: (One<StoragePoolState>, u64, u64, u64)): StoragePoolGetInfo => |c| {
            let info = c.storage_pools()?.info(c.id()?).await?;
            Ok((info.state.into(), info.capacity, info.allocation, info.available))
        };
        /// Definition of the pool as XML.
        read GetXMLDesc(flags: Flags<StorageXmlFlags>) -> (xml: String): StoragePoolGetXmlDesc => |c| c.storage_pools()?.xml_desc(c.id()?, flags).await;
        /// Volumes of the active pool. What the caller may not see is left out. Refused if the pool is not active.
        read ListStorageVolumes(flags: NoFlags) -> (storageVols: Paths): StoragePoolListAllVolumes => |c| {
            c.list_all(&c.storage_vols()?.views(c.id()?).await?.into()).await
        };
        /// Looks for the pool's volumes and sizes on its storage again. Refused if the pool is not active or a volume is being made.
        write Refresh(flags: NoFlags) -> (): StoragePoolRefresh => |c| {
            c.storage_pools()?.refresh(c.id()?).await
        };
        /// Creates a volume in the active pool from XML. Refused if there is one with this name, or not enough space.
        write StorageVolCreateXML(xml: String, flags: Flags<StorageVolCreateFlags>) -> (storageVol: OwnedObjectPath): StorageVolCreateXml defines StorageVol in xml => |c| {
            let pool = c.pool()?;
            c.path_of(c.storage_vols()?.create_xml(pool, &xml, flags).await?)
        };
        /// Creates a volume from XML with the content of the volume that has this key. Refused if there is one with this name, or if it is smaller
        /// than the content.
        write StorageVolCreateXMLFrom(xml: String, key: String, flags: Flags<StorageVolCreateFlags>) -> (storageVol: OwnedObjectPath): StorageVolCreateXmlFrom defines StorageVol in xml => |c| {
            let (pool, volumes) = (c.pool()?, c.storage_vols()?);
            let source = c.readable_volume(&key).await?;
            c.path_of(volumes.create_xml_from(pool, &xml, &source, flags).await?)
        };
        /// Finds the pool's volume with this name; an error if there is none.
        memory StorageVolLookupByName(name: String) -> (storageVol: OwnedObjectPath): StorageVolLookupByName finds StorageVol by name(name) => |c| c.path();
        /// Removes the stored definition; storage and volumes stay. Refused if the pool is active.
        write Undefine() -> (): StoragePoolUndefine => |c| c.storage_pools()?.undefine(c.id()?).await;
    }
    properties {
        /// Whether the pool is active, so that its volumes can be used.
        Active: bool, emits Value: StoragePoolIsActive => |view| Ok(view.active.into());
        /// Whether the pool is started when the daemon starts with the host. Setting it is refused for transient pools.
        Autostart: bool, emits Value: StoragePoolGetAutostart => |view| Ok(view.autostart.into()), set StoragePoolSetAutostart => |c, autostart| {
            c.storage_pools()?.set_autostart(c.id()?, autostart).await
        };
        /// Name of the pool, unique on the connection.
        Name: String, emits Const: StoragePoolLookupByUuid => |view| Ok((&*view.id.name).into());
        /// Whether the pool has a stored definition, and so still exists when it is stopped.
        Persistent: bool, emits Value: StoragePoolIsPersistent => |view| Ok(view.persistent.into());
        /// UUID of the pool, unique and never changed.
        UUID: String, emits Const: StoragePoolLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// Sent when the pool's volumes were looked for again, so that they may have changed.
        Refresh();
    }
}

interface! {
    /// A storage volume: the storage of a guest's disk.
    STORAGE_VOL = "org.libvirt.StorageVol", view StorageVolView;
    methods {
        /// Deletes the volume and its content. Refused if it is being made or transferred.
        write Delete(flags: Flags<StorageVolDeleteFlags>) -> (): StorageVolDelete => |c| c.storage_vols()?.delete(c.id()?, flags).await;
        /// Content of the volume from a byte offset on, at most `length` bytes (0: to the end), read from the descriptor, which is a socket. If the
        /// transfer breaks off, reading fails with ECONNRESET in place of the end; StreamFinish of the connection tells why. Holes are read as zeros, unless the
        /// flag asks for records.
        write Download(offset: u64, length: u64, flags: Flags<StorageVolTransferFlags>) -> (stream: zbus::OwnedFd): StorageVolDownload => |c| {
            c.stream(c.storage_vols()?.download(c.id()?, offset, length, flags)).await
        };
        /// Type of the volume, and sizes in bytes: what a guest sees, and what it takes on the host.
        read GetInfo(flags: Flags<StorageVolInfoFlags>) -> (info: (One<StorageVolType>, u64, u64)): StorageVolGetInfoFlags => |c| {
            let info = c.storage_vols()?.info(c.id()?, flags).await?;
            Ok((info.kind.into(), info.capacity, info.allocation))
        };
        /// Description of the volume as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): StorageVolGetXmlDesc => |c| {
            c.storage_vols()?.xml_desc(c.id()?).await
        };
        /// Path of the storage pool that the volume is in.
        read LookupPool() -> (storagePool: OwnedObjectPath): StoragePoolLookupByVolume => |c| {
            let volume: &StorageVolId = c.id()?;
            c.path_of_id(&volume.pool.clone().into())
        };
        /// Changes the size of the volume that a guest sees, in bytes; with the flag DELTA by so many bytes. Refused if it becomes smaller, unless
        /// the flag SHRINK is given.
        write Resize(capacity: u64, flags: Flags<StorageVolResizeFlags>) -> (): StorageVolResize => |c| c.storage_vols()?.resize(c.id()?, capacity, flags).await;
        /// Writes to the volume from a byte offset on what is written to the descriptor, which is a socket, at most `length` bytes (0: up to the end of
        /// the volume). The transfer ends when the descriptor is closed or shut down for writing, with the flag when the end record has come. When all is on disk,
        /// the descriptor yields eight bytes, the number of bytes that came (big-endian), and StreamFinish of the connection returns; if the transfer broke
        /// off, the descriptor yields nothing, and StreamFinish tells why.
        write Upload(offset: u64, length: u64, flags: Flags<StorageVolUploadFlags>) -> (stream: zbus::OwnedFd): StorageVolUpload => |c| {
            c.stream(c.storage_vols()?.upload(c.id()?, offset, length, flags)).await
        };
        /// Overwrites the volume's content by this algorithm, so that it cannot be read again. Refused if it is being made or transferred.
        write Wipe(pattern: One<StorageVolWipeAlgorithm, u32>, flags: NoFlags) -> (): StorageVolWipePattern => |c| {
            c.storage_vols()?.wipe_pattern(c.id()?, pattern).await
        };
    }
    properties {
        /// Key of the volume, unique on the host; often its path.
        Key: String, emits Const: StorageVolLookupByKey => |view| Ok((&*view.id.key).into());
        /// Name of the volume, unique in its pool.
        Name: String, emits Const: StorageVolLookupByKey => |view| Ok((&*view.id.name).into());
        /// Path or address of the volume, as a guest's disk names it.
        Path: String, emits Const: StorageVolGetPath => |view| Ok((&*view.path).into());
    }
    signals {}
}
