//! `org.libvirt.NWFilter` and `org.libvirt.NWFilterBinding`: network filters, and where they hold.

use crate::declare::interface;
use crate::numbers::NoFlags;
use virtbus_api::nwfilter::{NwfilterBindingView, NwfilterView};

interface! {
    /// A network filter: firewall rules that guest interfaces can refer to.
    NWFILTER = "org.libvirt.NWFilter", view NwfilterView;
    methods {
        /// Definition of the filter as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): NwfilterGetXmlDesc => |c| {
            c.nwfilters()?.xml_desc(c.id()?).await
        };
        /// Removes the filter. Refused if a guest interface or another filter uses it.
        write Undefine() -> (): NwfilterUndefine => |c| c.nwfilters()?.undefine(c.id()?).await;
    }
    properties {
        /// Name of the filter, unique on the connection.
        Name: String, emits Const: NwfilterLookupByUuid => |view| Ok((&*view.id.name).into());
        /// UUID of the filter, unique and never changed.
        UUID: String, emits Const: NwfilterLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {}
}

interface! {
    /// A binding: a network filter that applies to one guest interface.
    NWFILTER_BINDING = "org.libvirt.NWFilterBinding", view NwfilterBindingView;
    methods {
        /// Deletes the binding; the rules no longer apply to the guest interface.
        write Delete() -> (): NwfilterBindingDelete => |c| c.nwfilter_bindings()?.delete(c.id()?).await;
        /// Description of the binding as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): NwfilterBindingGetXmlDesc => |c| {
            c.nwfilter_bindings()?.xml_desc(c.id()?).await
        };
    }
    properties {
        /// Name of the filter that applies.
        FilterName: String, emits Const: NwfilterBindingLookupByPortDev => |view| Ok((&*view.id.filter).into());
        /// Name of the guest interface's device on the host.
        PortDev: String, emits Const: NwfilterBindingLookupByPortDev => |view| Ok((&*view.id.port_dev).into());
    }
    signals {}
}
