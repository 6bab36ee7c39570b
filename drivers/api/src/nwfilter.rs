//! Network filters, and their bindings to ports of guests.

use std::sync::Arc;

use crate::Uuid;
use crate::declare::{flags, group};
use crate::listing::Views;

/// Names a network filter by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NwfilterId {
    /// Unique for ever.
    pub uuid: Uuid,
    /// Unique on the connection.
    pub name: Arc<str>,
}

/// What is known of a network filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NwfilterView {
    /// Which filter.
    pub id: NwfilterId,
}

/// Names a binding by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NwfilterBindingId {
    /// The network device of the guest's port.
    pub port_dev: Arc<str>,
    /// The filter that holds there.
    pub filter: Arc<str>,
}

/// What is known of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NwfilterBindingView {
    /// Which binding.
    pub id: NwfilterBindingId,
}

flags! {
    /// How a filter's definition is taken.
    NwfilterDefineFlags: virNWFilterDefineFlags, VIR_NWFILTER_DEFINE_ {
        /// Refuse a definition that the schema does not allow.
        VALIDATE = 1;
    }

    /// How a binding is made.
    NwfilterBindingCreateFlags: virNWFilterBindingCreateFlags, VIR_NWFILTER_BINDING_CREATE_ {
        /// Refuse a document that the schema does not allow.
        VALIDATE = 1;
    }
}

group! {
    /// Finding, listing and defining network filters.
    Nwfilters {
        /// What is known of every filter.
        fn views() -> Views<NwfilterView>: ConnectListAllNwfilters;
        /// The filter with this UUID, `NoNwfilter` if there is none.
        fn view(uuid: Uuid) -> Arc<NwfilterView>: NwfilterLookupByUuid;
        /// The filter with this name, `NoNwfilter` if there is none.
        fn view_by_name(name: &str) -> Arc<NwfilterView>: NwfilterLookupByName;
        /// Its XML.
        fn xml_desc(filter: &NwfilterId) -> String: NwfilterGetXmlDesc;
        /// Which filter a definition is about; the UUID is nil if it names none.
        fn identify_xml(xml: &str) -> NwfilterId: NwfilterDefineXml;
        /// Stores a definition, new or in place of the one with the same UUID.
        fn define_xml(xml: &str, flags: NwfilterDefineFlags) -> Arc<NwfilterView>: NwfilterDefineXml;
        /// Takes it away.
        fn undefine(filter: &NwfilterId) -> (): NwfilterUndefine;
    }

    /// Bindings of filters to ports.
    NwfilterBindings {
        /// What is known of every binding.
        fn views() -> Views<NwfilterBindingView>: ConnectListAllNwfilterBindings;
        /// The binding of this port, `NoNwfilterBinding` if there is none.
        fn view(port_dev: &str) -> Arc<NwfilterBindingView>: NwfilterBindingLookupByPortDev;
        /// Its XML.
        fn xml_desc(binding: &NwfilterBindingId) -> String: NwfilterBindingGetXmlDesc;
        /// Binds.
        fn create_xml(xml: &str, flags: NwfilterBindingCreateFlags) -> Arc<NwfilterBindingView>: NwfilterBindingCreateXml;
        /// Ends the binding; the port is free.
        fn delete(binding: &NwfilterBindingId) -> (): NwfilterBindingDelete;
    }
}
