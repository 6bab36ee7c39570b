//! `org.libvirt.NodeDevice`: a device of the host.

use crate::declare::interface;
use crate::numbers::{Flags, NoFlags};
use crate::quirks::optional;
use virtbus_api::node_device::{NodeDeviceUpdateFlags, NodeDeviceView, NodeDeviceXmlFlags};

interface! {
    /// A device of the host, physical or virtual.
    NODE_DEVICE = "org.libvirt.NodeDevice", view NodeDeviceView;
    methods {
        /// Starts the defined virtual device. Refused if it is active.
        write Create(flags: NoFlags) -> (): NodeDeviceCreate => |c| {
            c.node_devices()?.create(c.id()?).await
        };
        /// Removes the virtual device (mediated device, virtual HBA) from the host; a stored definition stays. Refused for physical devices.
        write Destroy() -> (): NodeDeviceDestroy => |c| c.node_devices()?.destroy(c.id()?).await;
        /// Detaches the PCI device from its driver on the host, so that it can be assigned to a guest. An empty driver name lets the daemon choose
        /// (VFIO). Refused if a guest uses the device.
        write Detach(driverName: String, flags: NoFlags) -> (): NodeDeviceDetachFlags => |c| {
            c.node_devices()?.detach(c.id()?, optional(&driverName)).await
        };
        /// Description of the device as XML.
        read GetXMLDesc(flags: Flags<NodeDeviceXmlFlags>) -> (xml: String): NodeDeviceGetXmlDesc => |c| c.node_devices()?.xml_desc(c.id()?, flags).await;
        /// Capabilities of the device, by libvirt's names, such as `pci` or `net`.
        read ListCaps() -> (names: Vec<String>): NodeDeviceListCaps => |c, view| {
            Ok(view.capabilities.iter().map(ToString::to_string).collect())
        };
        /// Returns the PCI device, which Detach has detached, to its driver on the host. Refused if a guest uses it.
        write ReAttach() -> (): NodeDeviceReAttach => |c| c.node_devices()?.re_attach(c.id()?).await;
        /// Resets the PCI device. Refused if the host or a guest uses it.
        write Reset() -> (): NodeDeviceReset => |c| c.node_devices()?.reset(c.id()?).await;
        /// Removes the stored definition of the virtual device. An active device stays until it is destroyed.
        write Undefine(flags: NoFlags) -> (): NodeDeviceUndefine => |c| {
            c.node_devices()?.undefine(c.id()?).await
        };
        /// Changes the virtual device, its stored definition, or both, to what the XML describes.
        write Update(xml: String, flags: Flags<NodeDeviceUpdateFlags>) -> (): NodeDeviceUpdate => |c| c.node_devices()?.update(c.id()?, &xml, flags).await;
    }
    properties {
        /// Whether the device exists on the host now.
        Active: bool, emits Value: NodeDeviceIsActive => |view| Ok(view.active.into());
        /// Whether the virtual device is started with the host or when its parent appears.
        Autostart: bool, emits Value: NodeDeviceGetAutostart => |view| Ok(view.autostart.into()), set NodeDeviceSetAutostart => |c, autostart| {
            c.node_devices()?.set_autostart(c.id()?, autostart).await
        };
        /// Name of the device, unique on the host.
        Name: String, emits Const: NodeDeviceLookupByName => |view| Ok((&*view.id.name).into());
        /// Name of the device that this one is attached to; empty for the root.
        Parent: String, emits Const: NodeDeviceGetParent => |view| Ok(view.parent.as_deref().unwrap_or_default().into());
        /// Whether the device has a stored definition, and so still exists when it is removed.
        Persistent: bool, emits Value: NodeDeviceIsPersistent => |view| Ok(view.persistent.into());
    }
    signals {
        /// Sent when something that is known of the device has changed.
        Update();
    }
}
