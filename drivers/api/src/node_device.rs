//! Devices of the host.

use std::sync::Arc;

use crate::declare::{also, flags, group, numbered};
use crate::domain::DomainModificationImpact;
use crate::filter::{Filtered, passes};
use crate::listing::Views;

/// Names a device by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeDeviceId {
    /// Unique on the host, such as `pci_0000_00_1f_2`.
    pub name: Arc<str>,
}

/// What is known of a device at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDeviceView {
    /// Which device.
    pub id: NodeDeviceId,
    /// The device that it hangs on, none for the root.
    pub parent: Option<Arc<str>>,
    /// libvirt's names of what it can do, such as `scsi_host`.
    pub capabilities: Vec<Arc<str>>,
    /// Whether it is there.
    pub active: bool,
    /// Whether it has a definition.
    pub persistent: bool,
    /// Whether it is started with the host or with its parent.
    pub autostart: bool,
}

impl Filtered<ListAllNodeDevicesFlags> for NodeDeviceView {
    fn matches(&self, flags: ListAllNodeDevicesFlags) -> bool {
        use ListAllNodeDevicesFlags as F;
        let capabilities = flags & F::capabilities();
        let named = self
            .capabilities
            .iter()
            .fold(F::empty(), |all, name| all | F::capability(name));
        (capabilities.is_empty() || capabilities.intersects(named))
            && passes(
                flags,
                &[
                    &[
                        (F::PERSISTENT, self.persistent),
                        (F::TRANSIENT, !self.persistent),
                    ],
                    &[(F::ACTIVE, self.active), (F::INACTIVE, !self.active)],
                ],
            )
    }
}

/// Declares the flags that choose devices by capability, with the capabilities' names.
macro_rules! list_flags {
    ($($flag:ident = $bit:literal: $name:literal;)*) => {
        flags! {
            /// Which devices a list has.
            ListAllNodeDevicesFlags: virConnectListAllNodeDeviceFlags, VIR_CONNECT_LIST_NODE_DEVICES_ {
                $(#[doc = concat!("Those with the capability `", $name, "`.")] $flag = $bit;)*
                /// Those with a definition.
                PERSISTENT = 1 << 28;
                /// Those without a definition.
                TRANSIENT = 1 << 29;
                /// Those that are not there.
                INACTIVE = 1 << 30;
                /// Those that are there.
                ACTIVE = 1 << 31;
            }
        }

        impl ListAllNodeDevicesFlags {
            /// Every flag that is about a capability.
            const fn capabilities() -> Self {
                Self::from_bits_truncate($($bit |)* 0)
            }

            /// The flag of a capability, none if no flag is about it.
            fn capability(name: &str) -> Self {
                match name {
                    $($name => Self::$flag,)*
                    _ => Self::empty(),
                }
            }
        }
    };
}

list_flags! {
    CAP_SYSTEM = 1: "system";
    CAP_PCI_DEV = 2: "pci";
    CAP_USB_DEV = 4: "usb_device";
    CAP_USB_INTERFACE = 8: "usb";
    CAP_NET = 16: "net";
    CAP_SCSI_HOST = 32: "scsi_host";
    CAP_SCSI_TARGET = 64: "scsi_target";
    CAP_SCSI = 128: "scsi";
    CAP_STORAGE = 256: "storage";
    CAP_FC_HOST = 512: "fc_host";
    CAP_VPORTS = 1024: "vports";
    CAP_SCSI_GENERIC = 2048: "scsi_generic";
    CAP_DRM = 4096: "drm";
    CAP_MDEV_TYPES = 8192: "mdev_types";
    CAP_MDEV = 16_384: "mdev";
    CAP_CCW_DEV = 32_768: "ccw";
    CAP_CSS_DEV = 65_536: "css";
    CAP_VDPA = 131_072: "vdpa";
    CAP_AP_CARD = 262_144: "ap_card";
    CAP_AP_QUEUE = 524_288: "ap_queue";
    CAP_AP_MATRIX = 1_048_576: "ap_matrix";
    CAP_VPD = 2_097_152: "vpd";
    CAP_CCWGROUP_DEV = 4_194_304: "ccwgroup";
    CAP_CCWGROUP_MEMBER = 8_388_608: "ccwgroup_member";
}

flags! {
    /// What a device's XML shows.
    NodeDeviceXmlFlags: virNodeDeviceXMLFlags, VIR_NODE_DEVICE_XML_ {
        /// The definition, not what is now.
        INACTIVE = 1;
    }

    /// How a document is taken.
    NodeDeviceDefineFlags: virNodeDeviceCreateXMLFlags, VIR_NODE_DEVICE_CREATE_XML_ {
        /// Refuse a document that the schema does not allow.
        VALIDATE = 1;
    }
}

also! {
    /// How the definition of a device is taken.
    NodeDeviceDefineXmlFlags: virNodeDeviceDefineXMLFlags, VIR_NODE_DEVICE_DEFINE_XML_ = NodeDeviceDefineFlags;

    /// Which of a device's definitions is meant; 0: the running one while it is there, else the stored one.
    NodeDeviceUpdateFlags: virNodeDeviceUpdateFlags, VIR_NODE_DEVICE_UPDATE_AFFECT_ = DomainModificationImpact;
}

numbered! {
    /// What happened to a device.
    NodeDeviceLifecycle: virNodeDeviceEventLifecycleType, VIR_NODE_DEVICE_EVENT_ {
        /// It came.
        Created = 0,
        /// It went.
        Deleted = 1,
        /// A definition was stored.
        Defined = 2,
        /// Its definition was taken away.
        Undefined = 3,
    }
}

/// Something that happened to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeDeviceEvent {
    /// It came, went, ….
    Lifecycle(NodeDeviceLifecycle),
    /// What is known of it changed.
    Update,
}

group! {
    /// Finding and listing devices of the host; making virtual ones; lending real ones to guests.
    NodeDevices {
        /// What is known of every device.
        fn views() -> Views<NodeDeviceView>: ConnectListAllNodeDevices;
        /// The device with this name, `NoNodeDevice` if there is none.
        fn view(name: &str) -> Arc<NodeDeviceView>: NodeDeviceLookupByName;
        /// The SCSI host with these world wide names, `NoNodeDevice` if there is none.
        fn view_by_wwn(wwnn: &str, wwpn: &str) -> Arc<NodeDeviceView>: NodeDeviceLookupScsiHostByWwn;
        /// Its XML.
        fn xml_desc(device: &NodeDeviceId, flags: NodeDeviceXmlFlags) -> String: NodeDeviceGetXmlDesc;
        /// Makes a virtual device, such as a virtual port of a fibre channel adapter or a mediated device.
        fn create_xml(xml: &str, flags: NodeDeviceDefineFlags) -> Arc<NodeDeviceView>: NodeDeviceCreateXml;
        /// Stores the definition of a virtual device.
        fn define_xml(xml: &str, flags: NodeDeviceDefineFlags) -> Arc<NodeDeviceView>: NodeDeviceDefineXml;
        /// Takes the definition away.
        fn undefine(device: &NodeDeviceId) -> (): NodeDeviceUndefine;
        /// Starts a defined device.
        fn create(device: &NodeDeviceId) -> (): NodeDeviceCreate;
        /// Ends a virtual device.
        fn destroy(device: &NodeDeviceId) -> (): NodeDeviceDestroy;
        /// Whether it is started with the host or with its parent.
        fn set_autostart(device: &NodeDeviceId, autostart: bool) -> (): NodeDeviceSetAutostart;
        /// Changes a virtual device.
        fn update(device: &NodeDeviceId, xml: &str, impact: DomainModificationImpact) -> (): NodeDeviceUpdate;
        /// Takes it from the host's driver, so that a guest can have it; with a driver's name that one takes it.
        fn detach(device: &NodeDeviceId, driver: Option<&str>) -> (): NodeDeviceDetachFlags;
        /// Gives it back to the host's driver.
        fn re_attach(device: &NodeDeviceId) -> (): NodeDeviceReAttach;
        /// Resets it.
        fn reset(device: &NodeDeviceId) -> (): NodeDeviceReset;
    }
}
