//! `org.libvirt.Interface`: a network interface of the host.

use virtbus_api::interface::InterfaceView;

use crate::declare::interface;

interface! {
    /// A network interface of the host.
    INTERFACE = "org.libvirt.Interface", view InterfaceView, flags;
    methods {
        /// Brings the interface up.
        write Create(flags: u32) -> (): InterfaceCreate => |c| {
            c.no_flags(flags)?;
            c.interfaces()?.create(c.id()?).await
        };
        /// Brings the interface down.
        write Destroy(flags: u32) -> (): InterfaceDestroy => |c| {
            c.no_flags(flags)?;
            c.interfaces()?.destroy(c.id()?).await
        };
        /// The interface as XML: as it is or, with the flag 1, as it is configured.
        read GetXMLDesc(flags: u32) -> (xml: String): InterfaceGetXmlDesc => |c| c.interfaces()?.xml_desc(c.id()?, c.flags(flags)?).await;
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
