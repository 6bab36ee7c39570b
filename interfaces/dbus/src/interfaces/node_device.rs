//! `org.libvirt.NodeDevice`: a device of the host.

use crate::declare::interface;
use crate::numbers::{Flags, NoFlags};
use crate::quirks::optional;
use virtbus_api::node_device::{NodeDeviceUpdateFlags, NodeDeviceView, NodeDeviceXmlFlags};

interface! {
    /// A device of the host.
    NODE_DEVICE = "org.libvirt.NodeDevice", view NodeDeviceView;
    methods {
        /// Starts the defined device.
        write Create(flags: NoFlags) -> (): NodeDeviceCreate => |c| {
            c.node_devices()?.create(c.id()?).await
        };
        /// Ends a virtual device.
        write Destroy() -> (): NodeDeviceDestroy => |c| c.node_devices()?.destroy(c.id()?).await;
        /// Takes the device from the host's driver, so that a guest can have it. An empty driver's name leaves the choice to the daemon.
        write Detach(driverName: String, flags: NoFlags) -> (): NodeDeviceDetachFlags => |c| {
            c.node_devices()?.detach(c.id()?, optional(&driverName)).await
        };
        /// The device as XML.
        read GetXMLDesc(flags: Flags<NodeDeviceXmlFlags>) -> (xml: String): NodeDeviceGetXmlDesc => |c| c.node_devices()?.xml_desc(c.id()?, flags).await;
        /// What the device can do, by libvirt's names.
        read ListCaps() -> (names: Vec<String>): NodeDeviceListCaps => |c| {
            let id: &virtbus_api::node_device::NodeDeviceId = c.id()?;
            let view = c.node_devices()?.view(&id.name).await?;
            Ok(view.capabilities.iter().map(ToString::to_string).collect())
        };
        /// Gives the device back to the host's driver.
        write ReAttach() -> (): NodeDeviceReAttach => |c| c.node_devices()?.re_attach(c.id()?).await;
        /// Resets the device.
        write Reset() -> (): NodeDeviceReset => |c| c.node_devices()?.reset(c.id()?).await;
        /// Takes the definition of a virtual device away.
        write Undefine(flags: NoFlags) -> (): NodeDeviceUndefine => |c| {
            c.node_devices()?.undefine(c.id()?).await
        };
        /// Changes a virtual device.
        write Update(xml: String, flags: Flags<NodeDeviceUpdateFlags>) -> (): NodeDeviceUpdate => |c| c.node_devices()?.update(c.id()?, &xml, flags).await;
    }
    properties {
        /// Whether the device is there.
        Active: bool, emits Value: NodeDeviceIsActive => |view| Ok(view.active.into());
        /// Whether it is started with the host or with its parent.
        Autostart: bool, emits Value: NodeDeviceGetAutostart => |view| Ok(view.autostart.into()), set NodeDeviceSetAutostart => |c, autostart| {
            c.node_devices()?.set_autostart(c.id()?, autostart).await
        };
        /// Its name, unique on the host.
        Name: String, emits Const: NodeDeviceLookupByName => |view| Ok((&*view.id.name).into());
        /// The name of the device that it hangs on, empty for the root.
        Parent: String, emits Const: NodeDeviceGetParent => |view| Ok(view.parent.as_deref().unwrap_or_default().into());
        /// Whether it has a definition.
        Persistent: bool, emits Value: NodeDeviceIsPersistent => |view| Ok(view.persistent.into());
    }
    signals {
        /// What is known of the device changed.
        Update();
    }
}
