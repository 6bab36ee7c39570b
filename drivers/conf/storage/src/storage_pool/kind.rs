//! The kinds of storage pools, what each needs to know about its source, and the formats in it.
//!
//! These tables are what pool capabilities tell, too.

use virtbus_xml::xml_names;

use crate::storage_volume::VolumeFormat;

xml_names! {
    /// Kind of a storage pool.
    pub enum PoolType {
        Dir = "dir",
        Fs = "fs",
        Netfs = "netfs",
        Logical = "logical",
        Disk = "disk",
        Iscsi = "iscsi",
        IscsiDirect = "iscsi-direct",
        Scsi = "scsi",
        Mpath = "mpath",
        Rbd = "rbd",
        Sheepdog = "sheepdog",
        Gluster = "gluster",
        Zfs = "zfs",
        Vstorage = "vstorage",
    }
}

xml_names! {
    /// Format of a pool's source: a file system, a partition table, a volume group.
    pub enum PoolFormat {
        Auto = "auto",
        Ext2 = "ext2",
        Ext3 = "ext3",
        Ext4 = "ext4",
        Ufs = "ufs",
        Iso9660 = "iso9660",
        Udf = "udf",
        Gfs = "gfs",
        Gfs2 = "gfs2",
        Vfat = "vfat",
        HfsPlus = "hfs+",
        Xfs = "xfs",
        Ocfs2 = "ocfs2",
        Vmfs = "vmfs",
        Nfs = "nfs",
        Glusterfs = "glusterfs",
        Cifs = "cifs",
        Unknown = "unknown",
        Dos = "dos",
        Dvh = "dvh",
        Gpt = "gpt",
        Mac = "mac",
        Bsd = "bsd",
        Pc98 = "pc98",
        Sun = "sun",
        Lvm2 = "lvm2",
    }
}

bitflags::bitflags! {
    /// What the source of a kind of pool consists of.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SourceParts: u8 {
        /// Hosts.
        const HOST = 1 << 0;
        /// Devices.
        const DEVICE = 1 << 1;
        /// A folder.
        const DIR = 1 << 2;
        /// A host bus adapter.
        const ADAPTER = 1 << 3;
        /// A name.
        const NAME = 1 << 4;
        /// The name we have as an iSCSI initiator.
        const INITIATOR = 1 << 5;
        /// Volumes are reached over the network and never appear on the host.
        const NETWORK = 1 << 6;
    }
}

/// The formats that something can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats<F: 'static> {
    /// The one that is meant if none is given.
    pub default: F,
    /// All of them, as capabilities list them.
    pub listed: &'static [F],
    /// Those that are read besides.
    pub accepted: &'static [F],
}

impl<F: Copy + PartialEq> Formats<F> {
    /// Whether `format` can be there.
    pub fn contains(&self, format: F) -> bool {
        self.listed.contains(&format) || self.accepted.contains(&format)
    }
}

const FILE_SYSTEMS: &[PoolFormat] = &[
    PoolFormat::Auto,
    PoolFormat::Ext2,
    PoolFormat::Ext3,
    PoolFormat::Ext4,
    PoolFormat::Ufs,
    PoolFormat::Iso9660,
    PoolFormat::Udf,
    PoolFormat::Gfs,
    PoolFormat::Gfs2,
    PoolFormat::Vfat,
    PoolFormat::HfsPlus,
    PoolFormat::Xfs,
    PoolFormat::Ocfs2,
    PoolFormat::Vmfs,
];

const NETWORK_FILE_SYSTEMS: &[PoolFormat] = &[
    PoolFormat::Auto,
    PoolFormat::Nfs,
    PoolFormat::Glusterfs,
    PoolFormat::Cifs,
];

const PARTITION_TABLES: &[PoolFormat] = &[
    PoolFormat::Unknown,
    PoolFormat::Dos,
    PoolFormat::Dvh,
    PoolFormat::Gpt,
    PoolFormat::Mac,
    PoolFormat::Bsd,
    PoolFormat::Pc98,
    PoolFormat::Sun,
    PoolFormat::Lvm2,
];

const VOLUME_GROUPS: &[PoolFormat] = &[PoolFormat::Unknown, PoolFormat::Lvm2];

const IMAGES: &[VolumeFormat] = &[
    VolumeFormat::None,
    VolumeFormat::Raw,
    VolumeFormat::Dir,
    VolumeFormat::Bochs,
    VolumeFormat::Cloop,
    VolumeFormat::Dmg,
    VolumeFormat::Iso,
    VolumeFormat::Vpc,
    VolumeFormat::Vdi,
    VolumeFormat::Fat,
    VolumeFormat::Vhd,
    VolumeFormat::Ploop,
    VolumeFormat::Cow,
    VolumeFormat::Qcow,
    VolumeFormat::Qcow2,
    VolumeFormat::Qed,
    VolumeFormat::Vmdk,
];

const PARTITIONS: &[VolumeFormat] = &[
    VolumeFormat::None,
    VolumeFormat::Linux,
    VolumeFormat::Fat16,
    VolumeFormat::Fat32,
    VolumeFormat::LinuxSwap,
    VolumeFormat::LinuxLvm,
    VolumeFormat::LinuxRaid,
    VolumeFormat::Extended,
];

impl PoolType {
    /// What its source consists of. Parts that are not in here are neither read nor written.
    pub const fn source_parts(self) -> SourceParts {
        use SourceParts as P;
        match self {
            Self::Dir | Self::Mpath => P::empty(),
            Self::Fs | Self::Disk => P::DEVICE,
            Self::Netfs => P::HOST.union(P::DIR),
            Self::Logical | Self::Zfs => P::NAME.union(P::DEVICE),
            Self::Iscsi => P::HOST.union(P::DEVICE).union(P::INITIATOR),
            Self::IscsiDirect => P::HOST
                .union(P::DEVICE)
                .union(P::INITIATOR)
                .union(P::NETWORK),
            Self::Scsi => P::ADAPTER,
            Self::Rbd | Self::Sheepdog => P::HOST.union(P::NETWORK).union(P::NAME),
            Self::Gluster => P::HOST.union(P::NETWORK).union(P::NAME).union(P::DIR),
            Self::Vstorage => P::NAME,
        }
    }

    /// Formats of its source, if it has any.
    pub const fn source_formats(self) -> Option<Formats<PoolFormat>> {
        let (default, listed) = match self {
            Self::Fs => (PoolFormat::Auto, FILE_SYSTEMS),
            Self::Netfs => (PoolFormat::Auto, NETWORK_FILE_SYSTEMS),
            Self::Logical => (PoolFormat::Lvm2, VOLUME_GROUPS),
            Self::Disk => (PoolFormat::Unknown, PARTITION_TABLES),
            Self::Dir
            | Self::Iscsi
            | Self::IscsiDirect
            | Self::Scsi
            | Self::Mpath
            | Self::Rbd
            | Self::Sheepdog
            | Self::Gluster
            | Self::Zfs
            | Self::Vstorage => return None,
        };
        Some(Formats {
            default,
            listed,
            accepted: &[],
        })
    }

    /// Formats of its volumes, if they have any.
    pub const fn volume_formats(self) -> Option<Formats<VolumeFormat>> {
        let (default, listed, accepted): (_, _, &[VolumeFormat]) = match self {
            Self::Dir | Self::Fs | Self::Netfs | Self::Gluster | Self::Vstorage => {
                (VolumeFormat::Raw, IMAGES, &[VolumeFormat::Luks])
            }
            Self::Disk => (VolumeFormat::None, PARTITIONS, &[]),
            Self::Rbd => (VolumeFormat::Raw, &[], IMAGES),
            Self::Logical
            | Self::Iscsi
            | Self::IscsiDirect
            | Self::Scsi
            | Self::Mpath
            | Self::Sheepdog
            | Self::Zfs => return None,
        };
        Some(Formats {
            default,
            listed,
            accepted,
        })
    }
}
