//! Block I/O limits of the hypervisor process, and where it is in the cgroup tree.

use virtbus_xml::{Text, Xml};

/// `<device>`: block I/O limits of the guest on one device of the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BlkioDevice {
    /// Absolute path of the host's device.
    #[xml(text_child)]
    pub path: Text,
    /// Relative weight of the guest's I/O on the device, 100 to 1000 (10 to 1000 since Linux 2.6.39).
    #[xml(text_child)]
    pub weight: Option<u32>,
    /// Limit on read operations per second.
    #[xml(text_child)]
    pub read_iops_sec: Option<u32>,
    /// Limit on write operations per second.
    #[xml(text_child)]
    pub write_iops_sec: Option<u32>,
    /// Limit on reads in bytes per second.
    #[xml(text_child)]
    pub read_bytes_sec: Option<u64>,
    /// Limit on writes in bytes per second.
    #[xml(text_child)]
    pub write_bytes_sec: Option<u64>,
}

impl BlkioDevice {
    /// Whether any limit is set: a device with none is as good as absent.
    pub fn has_any(&self) -> bool {
        let numbers = [self.weight, self.read_iops_sec, self.write_iops_sec];
        let rates = [self.read_bytes_sec, self.write_bytes_sec];
        numbers.iter().any(|n| n.is_some_and(|n| n > 0))
            || rates.iter().any(|n| n.is_some_and(|n| n > 0))
    }
}

/// `<blkiotune>`: block I/O of the guest as the host's cgroups limit it.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct BlkioTune {
    /// Relative weight of the guest's I/O on all devices, 100 to 1000 (10 to 1000 since Linux 2.6.39).
    #[xml(text_child)]
    pub weight: Option<u32>,
    /// Weights and limits for single devices of the host.
    #[xml(child)]
    pub device: Vec<BlkioDevice>,
}

/// `<resource>`: where the guest's resources are accounted.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Absolute path of the cgroup that the guest is put in, below the cgroup root; `/machine` if absent.
    #[xml(text_child)]
    pub partition: Option<Text>,
    /// Application identifier of the guest's Fibre Channel traffic, up to 128 bytes.
    #[xml(child_attr = "fibrechannel/appid")]
    pub fibrechannel: Option<Text>,
}
