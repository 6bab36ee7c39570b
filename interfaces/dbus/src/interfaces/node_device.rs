//! `org.libvirt.NodeDevice`: a device of the host.

use virtbus_api::node_device::NodeDeviceView;

use crate::declare::interface;
use crate::quirks::optional;

interface! {
    /// A device of the host.
    NODE_DEVICE = "org.libvirt.NodeDevice", view NodeDeviceView, flags;
    methods {
        /// Starts the defined device.
        write Create(flags: u32) -> (): NodeDeviceCreate => |c| {
            c.no_flags(flags)?;
            c.node_devices()?.create(c.id()?).await
        };
        /// Ends a virtual device.
        write Destroy() -> (): NodeDeviceDestroy => |c| c.node_devices()?.destroy(c.id()?).await;
        /// Takes the device from the host's driver, so that a guest can have it. An empty driver's name leaves the choice to the daemon.
        write Detach(driverName: String, flags: u32) -> (): NodeDeviceDetachFlags => |c| {
            c.no_flags(flags)?;
            c.node_devices()?.detach(c.id()?, optional(&driverName)).await
        };
        /// The device as XML: as it is or, with the flag 1, as it is defined.
        read GetXMLDesc(flags: u32) -> (xml: String): NodeDeviceGetXmlDesc => |c| c.node_devices()?.xml_desc(c.id()?, c.flags(flags)?).await;
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
        write Undefine(flags: u32) -> (): NodeDeviceUndefine => |c| {
            c.no_flags(flags)?;
            c.node_devices()?.undefine(c.id()?).await
        };
        /// Changes a virtual device: the live (1) or the stored (2) one.
        write Update(xml: String, flags: u32) -> (): NodeDeviceUpdate => |c| c.node_devices()?.update(c.id()?, &xml, c.flags(flags)?).await;
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
