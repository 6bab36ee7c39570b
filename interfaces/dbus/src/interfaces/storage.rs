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
    /// A storage pool: where volumes are kept.
    STORAGE_POOL = "org.libvirt.StoragePool", view StoragePoolView;
    methods {
        /// Makes the pool's storage: directory, file system, volume group, ….
        write Build(flags: Flags<StoragePoolBuildFlags>) -> (): StoragePoolBuild => |c| c.storage_pools()?.build(c.id()?, flags).await;
        /// Starts the defined pool.
        write Create(flags: Flags<StoragePoolCreateFlags>) -> (): StoragePoolCreate => |c| c.storage_pools()?.create(c.id()?, flags).await;
        /// Frees the pool's storage, and what is in it.
        write Delete(flags: Flags<StoragePoolDeleteFlags>) -> (): StoragePoolDelete => |c| c.storage_pools()?.delete(c.id()?, flags).await;
        /// Stops the pool; its volumes stay where they are.
        write Destroy() -> (): StoragePoolDestroy => |c| c.storage_pools()?.destroy(c.id()?).await;
        /// Its state, and size, what volumes take, and what is left, in bytes.
        read GetInfo() -> (info: (One<StoragePoolState>, u64, u64, u64)): StoragePoolGetInfo => |c| {
            let info = c.storage_pools()?.info(c.id()?).await?;
            Ok((info.state.into(), info.capacity, info.allocation, info.available))
        };
        /// The pool as XML.
        read GetXMLDesc(flags: Flags<StorageXmlFlags>) -> (xml: String): StoragePoolGetXmlDesc => |c| c.storage_pools()?.xml_desc(c.id()?, flags).await;
        /// The pool's volumes.
        read ListStorageVolumes(flags: NoFlags) -> (storageVols: Paths): StoragePoolListAllVolumes => |c| {
            c.list_all(&c.storage_vols()?.views(c.id()?).await?.into()).await
        };
        /// Looks the volumes through anew.
        write Refresh(flags: NoFlags) -> (): StoragePoolRefresh => |c| {
            c.storage_pools()?.refresh(c.id()?).await
        };
        /// Makes a volume from XML.
        write StorageVolCreateXML(xml: String, flags: Flags<StorageVolCreateFlags>) -> (storageVol: OwnedObjectPath): StorageVolCreateXml defines StorageVol in xml => |c| {
            let pool = c.pool()?;
            c.path_of(c.storage_vols()?.create_xml(pool, &xml, flags).await?)
        };
        /// Makes a volume from XML with the content of the volume that has this key.
        write StorageVolCreateXMLFrom(xml: String, key: String, flags: Flags<StorageVolCreateFlags>) -> (storageVol: OwnedObjectPath): StorageVolCreateXmlFrom defines StorageVol in xml => |c| {
            let (pool, volumes) = (c.pool()?, c.storage_vols()?);
            let source = c.readable_volume(&key).await?;
            c.path_of(volumes.create_xml_from(pool, &xml, &source, flags).await?)
        };
        /// Finds the volume with this name.
        memory StorageVolLookupByName(name: String) -> (storageVol: OwnedObjectPath): StorageVolLookupByName finds StorageVol by name(name) => |c| c.path();
        /// Takes the definition away; a pool that is on vanishes when it stops.
        write Undefine() -> (): StoragePoolUndefine => |c| c.storage_pools()?.undefine(c.id()?).await;
    }
    properties {
        /// Whether the pool's volumes can be reached.
        Active: bool, emits Value: StoragePoolIsActive => |view| Ok(view.active.into());
        /// Whether it is started with the host.
        Autostart: bool, emits Value: StoragePoolGetAutostart => |view| Ok(view.autostart.into()), set StoragePoolSetAutostart => |c, autostart| {
            c.storage_pools()?.set_autostart(c.id()?, autostart).await
        };
        /// Its name, unique on the connection.
        Name: String, emits Const: StoragePoolLookupByUuid => |view| Ok((&*view.id.name).into());
        /// Whether its definition outlives its run.
        Persistent: bool, emits Value: StoragePoolIsPersistent => |view| Ok(view.persistent.into());
        /// Its UUID, unique for ever.
        UUID: String, emits Const: StoragePoolLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// The volumes were looked through anew.
        Refresh();
    }
}

interface! {
    /// A storage volume: what a guest's disk is kept in.
    STORAGE_VOL = "org.libvirt.StorageVol", view StorageVolView;
    methods {
        /// Takes the volume away.
        write Delete(flags: Flags<StorageVolDeleteFlags>) -> (): StorageVolDelete => |c| c.storage_vols()?.delete(c.id()?, flags).await;
        /// The volume's content from an offset on, at most `length` bytes (0: all), to be read from the descriptor.
        write Download(offset: u64, length: u64, flags: Flags<StorageVolTransferFlags>) -> (stream: zbus::OwnedFd): StorageVolDownload => |c| {
            Ok(c.storage_vols()?.download(c.id()?, offset, length, flags).await?.into())
        };
        /// What the volume is, its size and what it takes, in bytes.
        read GetInfo(flags: Flags<StorageVolInfoFlags>) -> (info: (One<StorageVolType>, u64, u64)): StorageVolGetInfoFlags => |c| {
            let info = c.storage_vols()?.info(c.id()?, flags).await?;
            Ok((info.kind.into(), info.capacity, info.allocation))
        };
        /// The volume as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): StorageVolGetXmlDesc => |c| {
            c.storage_vols()?.xml_desc(c.id()?).await
        };
        /// The path of the pool that the volume is in.
        read LookupPool() -> (storagePool: OwnedObjectPath): StoragePoolLookupByVolume => |c| {
            let volume: &StorageVolId = c.id()?;
            c.path_of(c.storage_pools()?.view(volume.pool.uuid).await?)
        };
        /// Changes the volume's size; bytes.
        write Resize(capacity: u64, flags: Flags<StorageVolResizeFlags>) -> (): StorageVolResize => |c| c.storage_vols()?.resize(c.id()?, capacity, flags).await;
        /// Takes content for the volume at an offset, at most `length` bytes (0: all that comes), written to the descriptor.
        write Upload(offset: u64, length: u64, flags: Flags<StorageVolUploadFlags>) -> (stream: zbus::OwnedFd): StorageVolUpload => |c| {
            Ok(c.storage_vols()?.upload(c.id()?, offset, length, flags).await?.into())
        };
        /// Destroys the volume's content.
        write Wipe(pattern: One<StorageVolWipeAlgorithm, u32>, flags: NoFlags) -> (): StorageVolWipePattern => |c| {
            c.storage_vols()?.wipe_pattern(c.id()?, pattern).await
        };
    }
    properties {
        /// Its key, unique on the host.
        Key: String, emits Const: StorageVolLookupByKey => |view| Ok((&*view.id.key).into());
        /// Its name, unique in the pool.
        Name: String, emits Const: StorageVolLookupByKey => |view| Ok((&*view.id.name).into());
        /// Where a guest's disk finds it.
        Path: String, emits Const: StorageVolGetPath => |view| Ok((&*view.path).into());
    }
    signals {}
}
