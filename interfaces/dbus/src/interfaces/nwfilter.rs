//! `org.libvirt.NWFilter` and `org.libvirt.NWFilterBinding`: network filters, and where they hold.

use crate::declare::interface;
use crate::numbers::NoFlags;
use virtbus_api::nwfilter::{NwfilterBindingView, NwfilterView};

interface! {
    /// A network filter.
    NWFILTER = "org.libvirt.NWFilter", view NwfilterView;
    methods {
        /// The filter as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): NwfilterGetXmlDesc => |c| {
            c.nwfilters()?.xml_desc(c.id()?).await
        };
        /// Takes the filter away; one that is in use stays.
        write Undefine() -> (): NwfilterUndefine => |c| c.nwfilters()?.undefine(c.id()?).await;
    }
    properties {
        /// Its name, unique on the connection.
        Name: String, emits Const: NwfilterLookupByUuid => |view| Ok((&*view.id.name).into());
        /// Its UUID, unique for ever.
        UUID: String, emits Const: NwfilterLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {}
}

interface! {
    /// A network filter that holds at the port of a guest.
    NWFILTER_BINDING = "org.libvirt.NWFilterBinding", view NwfilterBindingView;
    methods {
        /// Ends the binding; the port is free.
        write Delete() -> (): NwfilterBindingDelete => |c| c.nwfilter_bindings()?.delete(c.id()?).await;
        /// The binding as XML.
        read GetXMLDesc(flags: NoFlags) -> (xml: String): NwfilterBindingGetXmlDesc => |c| {
            c.nwfilter_bindings()?.xml_desc(c.id()?).await
        };
    }
    properties {
        /// The name of the filter.
        FilterName: String, emits Const: NwfilterBindingLookupByPortDev => |view| Ok((&*view.id.filter).into());
        /// The network device of the port.
        PortDev: String, emits Const: NwfilterBindingLookupByPortDev => |view| Ok((&*view.id.port_dev).into());
    }
    signals {}
}
