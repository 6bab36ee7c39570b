//! What several documents share: identifiers, addresses, labels, sockets, kinds of guests.

mod bandwidth;
mod guest;
mod host_address;
mod ip;
mod label;
mod mac;
mod memory;
mod metadata;
mod pci;
mod socket_address;
mod uuid;
mod virtualport;
mod vlan;

pub use bandwidth::{Bandwidth, BandwidthRate};
pub use guest::{Arch, OsType, VirtType};
pub use host_address::{Wwn, is_valid_name};
pub use ip::{Ip, IpAddress, IpFamily, IpInfo, Route};
pub use label::{DeviceLabel, DeviceLabels, Implicit, SecLabel, SecLabelType};
pub use mac::{Mac, MacTableManager};
pub use memory::{MemoryAccess, scaled_attr};
pub use metadata::Metadata;
pub use pci::{HostdevDriver, PciAddress, PciBackend, Zpci};
pub use uuid::Uuid;
pub use virtualport::{VirtualPort, VirtualPortParameters, VirtualPortType};
pub use vlan::{NativeVlanMode, PortOptions, Vlan, VlanTag};
