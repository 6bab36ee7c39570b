//! `org.libvirt.Interface`: a network interface of the host.

use crate::declare::interface;
use crate::numbers::{Flags, NoFlags};
use virtbus_api::interface::{InterfaceView, InterfaceXmlFlags};

interface! {
    /// A network interface of the host.
    INTERFACE = "org.libvirt.Interface", view InterfaceView;
    methods {
        /// Starts the interface: it is brought up with its stored configuration. Refused if it is active.
        write Create(flags: NoFlags) -> (): InterfaceCreate => |c| {
            c.interfaces()?.create(c.id()?).await
        };
        /// Stops the interface: it is brought down; connections over it break. Refused if it is not active.
        write Destroy(flags: NoFlags) -> (): InterfaceDestroy => |c| {
            c.interfaces()?.destroy(c.id()?).await
        };
        /// Configuration of the interface as XML: the stored one, or the present state by flags.
        read GetXMLDesc(flags: Flags<InterfaceXmlFlags>) -> (xml: String): InterfaceGetXmlDesc => |c| c.interfaces()?.xml_desc(c.id()?, flags).await;
        /// Removes the stored configuration of the interface.
        write Undefine() -> (): InterfaceUndefine => |c| c.interfaces()?.undefine(c.id()?).await;
    }
    properties {
        /// Whether the interface is up.
        Active: bool, emits Value: InterfaceIsActive => |view| Ok(view.active.into());
        /// MAC address of the interface.
        MAC: String, emits Const: InterfaceLookupByName => |view| Ok((&*view.id.mac).into());
        /// Name of the interface, unique on the host.
        Name: String, emits Const: InterfaceLookupByName => |view| Ok((&*view.id.name).into());
    }
    signals {}
}
