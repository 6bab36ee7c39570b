//! Formats of volumes: images, partitions, and what file systems were called in old documents.

use virtbus_xml::xml_names;

use crate::storage::ImageFormat;

xml_names! {
    /// Format of a volume. Which ones there are depends on the pool.
    pub enum VolumeFormat {
        None = "none",
        Raw = "raw",
        Dir = "dir",
        Bochs = "bochs",
        Cloop = "cloop",
        Dmg = "dmg",
        Iso = "iso",
        Vpc = "vpc",
        Vdi = "vdi",
        Fat = "fat",
        Vhd = "vhd",
        Ploop = "ploop",
        Luks = "luks",
        Cow = "cow",
        Qcow = "qcow",
        Qcow2 = "qcow2",
        Qed = "qed",
        Vmdk = "vmdk",
        Linux = "linux",
        Fat16 = "fat16",
        Fat32 = "fat32",
        LinuxSwap = "linux-swap",
        LinuxLvm = "linux-lvm",
        LinuxRaid = "linux-raid",
        Extended = "extended",
        Unknown = "unknown",
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
    }
}

impl VolumeFormat {
    /// The format as that of an image, if it is one.
    pub fn image(self) -> Option<ImageFormat> {
        ImageFormat::from_name(self.as_str())
    }
}

impl From<ImageFormat> for VolumeFormat {
    fn from(format: ImageFormat) -> Self {
        Self::from_name(format.as_str()).expect("every image format is a volume format too")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_go_both_ways() {
        for format in ImageFormat::ALL {
            assert_eq!(VolumeFormat::from(format).image(), Some(format));
        }
        assert_eq!(VolumeFormat::LinuxLvm.image(), None);
    }
}
