//! Block I/O limits of the hypervisor process, and where it is in the cgroup tree.

use virtbus_xml::{Text, Xml};

/// `<device>`: limits on one host device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BlkioDevice {
    /// The host device.
    #[xml(text_child)]
    pub path: Text,
    /// Weight, 100 to 1000 (10 to 1000 on newer kernels).
    #[xml(text_child)]
    pub weight: Option<u32>,
    /// Reads per second.
    #[xml(text_child)]
    pub read_iops_sec: Option<u32>,
    /// Writes per second.
    #[xml(text_child)]
    pub write_iops_sec: Option<u32>,
    /// Bytes read per second.
    #[xml(text_child)]
    pub read_bytes_sec: Option<u64>,
    /// Bytes written per second.
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

/// `<blkiotune>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct BlkioTune {
    /// Weight on all devices.
    #[xml(text_child)]
    pub weight: Option<u32>,
    /// Limits by device.
    #[xml(child)]
    pub device: Vec<BlkioDevice>,
}

/// `<resource>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Path of the cgroup partition, from its root.
    #[xml(text_child)]
    pub partition: Option<Text>,
    /// Application identifier for Fibre Channel fabrics.
    #[xml(child_attr = "fibrechannel/appid")]
    pub fibrechannel: Option<Text>,
}
