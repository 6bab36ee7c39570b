//! `org.libvirt.StoragePool` and `org.libvirt.StorageVol`: where disks are kept.

use virtbus_api::storage::{
    StoragePoolView, StorageVolId, StorageVolView, StorageVolWipeAlgorithm,
};
use zbus::OwnedObjectPath;

use super::lookup::{storage_vol_in, storage_vol_named};
use crate::declare::interface;
use crate::paths::Paths;

interface! {
    /// A storage pool: where volumes are kept.
    STORAGE_POOL = "org.libvirt.StoragePool", view StoragePoolView, flags;
    methods {
        /// Makes the pool's storage: directory, file system, volume group, …. Flags are those of virStoragePoolBuild.
        write Build(flags: u32) -> (): StoragePoolBuild => |c| c.storage_pools()?.build(c.id()?, c.flags(flags)?).await;
        /// Starts the defined pool. Flags are those of virStoragePoolCreate.
        write Create(flags: u32) -> (): StoragePoolCreate => |c| c.storage_pools()?.create(c.id()?, c.flags(flags)?).await;
        /// Frees the pool's storage, and what is in it. Flags are those of virStoragePoolDelete.
        write Delete(flags: u32) -> (): StoragePoolDelete => |c| c.storage_pools()?.delete(c.id()?, c.flags(flags)?).await;
        /// Stops the pool; its volumes stay where they are.
        write Destroy() -> (): StoragePoolDestroy => |c| c.storage_pools()?.destroy(c.id()?).await;
        /// Its state (virStoragePoolState), and size, what volumes take, and what is left, in bytes.
        read GetInfo() -> (info: (i32, u64, u64, u64)): StoragePoolGetInfo => |c| {
            let info = c.storage_pools()?.info(c.id()?).await?;
            Ok((info.state.number(), info.capacity, info.allocation, info.available))
        };
        /// The pool as XML; with the flag 1 its stored definition.
        read GetXMLDesc(flags: u32) -> (xml: String): StoragePoolGetXmlDesc => |c| c.storage_pools()?.xml_desc(c.id()?, c.flags(flags)?).await;
        /// The pool's volumes.
        read ListStorageVolumes(flags: u32) -> (storageVols: Paths): StoragePoolListAllVolumes => |c| {
            c.no_flags(flags)?;
            c.list_all(&c.storage_vols()?.views(c.id()?).await?.into()).await
        };
        /// Looks the volumes through anew.
        write Refresh(flags: u32) -> (): StoragePoolRefresh => |c| {
            c.no_flags(flags)?;
            c.storage_pools()?.refresh(c.id()?).await
        };
        /// Makes a volume from XML. Flags are those of virStorageVolCreateXML.
        write StorageVolCreateXML(xml: String, flags: u32) -> (storageVol: OwnedObjectPath): StorageVolCreateXml on storage_vol_in(xml) => |c| {
            let pool = c.pool()?;
            c.path_of(c.storage_vols()?.create_xml(pool, &xml, c.flags(flags)?).await?)
        };
        /// Makes a volume from XML with the content of the volume that has this key. Flags are those of virStorageVolCreateXMLFrom.
        write StorageVolCreateXMLFrom(xml: String, key: String, flags: u32) -> (storageVol: OwnedObjectPath): StorageVolCreateXmlFrom on storage_vol_in(xml) => |c| {
            let (pool, volumes) = (c.pool()?, c.storage_vols()?);
            let source = c.readable_volume(&key).await?;
            c.path_of(volumes.create_xml_from(pool, &xml, &source, c.flags(flags)?).await?)
        };
        /// Finds the volume with this name.
        memory StorageVolLookupByName(name: String) -> (storageVol: OwnedObjectPath): StorageVolLookupByName on storage_vol_named(name) => |c| c.path();
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
    STORAGE_VOL = "org.libvirt.StorageVol", view StorageVolView, flags;
    methods {
        /// Takes the volume away. Flags are those of virStorageVolDelete.
        write Delete(flags: u32) -> (): StorageVolDelete => |c| c.storage_vols()?.delete(c.id()?, c.flags(flags)?).await;
        /// The volume's content from an offset on, at most `length` bytes (0: all), to be read from the descriptor.
        write Download(offset: u64, length: u64, flags: u32) -> (stream: zbus::OwnedFd): StorageVolDownload => |c| {
            Ok(c.storage_vols()?.download(c.id()?, offset, length, c.flags(flags)?).await?.into())
        };
        /// What the volume is (virStorageVolType), its size and what it takes, in bytes. Flags are those of virStorageVolGetInfoFlags.
        read GetInfo(flags: u32) -> (info: (i32, u64, u64)): StorageVolGetInfoFlags => |c| {
            let info = c.storage_vols()?.info(c.id()?, c.flags(flags)?).await?;
            Ok((info.kind.number(), info.capacity, info.allocation))
        };
        /// The volume as XML.
        read GetXMLDesc(flags: u32) -> (xml: String): StorageVolGetXmlDesc => |c| {
            c.no_flags(flags)?;
            c.storage_vols()?.xml_desc(c.id()?).await
        };
        /// The path of the pool that the volume is in.
        read LookupPool() -> (storagePool: OwnedObjectPath): StoragePoolLookupByVolume => |c| {
            let volume: &StorageVolId = c.id()?;
            c.path_of(c.storage_pools()?.view(volume.pool.uuid).await?)
        };
        /// Changes the volume's size; bytes. Flags are those of virStorageVolResize.
        write Resize(capacity: u64, flags: u32) -> (): StorageVolResize => |c| c.storage_vols()?.resize(c.id()?, capacity, c.flags(flags)?).await;
        /// Takes content for the volume at an offset, at most `length` bytes (0: all that comes), written to the descriptor.
        write Upload(offset: u64, length: u64, flags: u32) -> (stream: zbus::OwnedFd): StorageVolUpload => |c| {
            Ok(c.storage_vols()?.upload(c.id()?, offset, length, c.flags(flags)?).await?.into())
        };
        /// Destroys the volume's content, by virStorageVolWipeAlgorithm.
        write Wipe(pattern: u32, flags: u32) -> (): StorageVolWipePattern => |c| {
            c.no_flags(flags)?;
            let algorithm = StorageVolWipeAlgorithm::from_number(pattern.into())?;
            c.storage_vols()?.wipe_pattern(c.id()?, algorithm).await
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
