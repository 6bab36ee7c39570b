//! `org.libvirt.Interface`: a network interface of the host.

use crate::declare::interface;
use crate::numbers::{Flags, NoFlags};
use virtbus_api::interface::{InterfaceView, InterfaceXmlFlags};

interface! {
    /// A network interface of the host.
    INTERFACE = "org.libvirt.Interface", view InterfaceView;
    methods {
        /// Brings the interface up.
        write Create(flags: NoFlags) -> (): InterfaceCreate => |c| {
            c.interfaces()?.create(c.id()?).await
        };
        /// Brings the interface down.
        write Destroy(flags: NoFlags) -> (): InterfaceDestroy => |c| {
            c.interfaces()?.destroy(c.id()?).await
        };
        /// The interface as XML.
        read GetXMLDesc(flags: Flags<InterfaceXmlFlags>) -> (xml: String): InterfaceGetXmlDesc => |c| c.interfaces()?.xml_desc(c.id()?, flags).await;
        /// Takes the interface's configuration away.
        write Undefine() -> (): InterfaceUndefine => |c| c.interfaces()?.undefine(c.id()?).await;
    }
    properties {
        /// Whether the interface is up.
        Active: bool, emits Value: InterfaceIsActive => |view| Ok(view.active.into());
        /// Its MAC address.
        MAC: String, emits Const: InterfaceLookupByName => |view| Ok((&*view.id.mac).into());
        /// Its name, unique on the host.
        Name: String, emits Const: InterfaceLookupByName => |view| Ok((&*view.id.name).into());
    }
    signals {}
}
