//! Network interfaces of the host.

use std::sync::Arc;

use crate::declare::{flags, group};
use crate::filter::{Filtered, passes};
use crate::listing::Views;

/// Names an interface by value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InterfaceId {
    /// Unique on the host.
    pub name: Arc<str>,
    /// Its MAC address, `aa:bb:cc:dd:ee:ff`, unique among the interfaces: its path on the bus is made of it.
    pub mac: Arc<str>,
}

/// What is known of an interface at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceView {
    /// Which interface.
    pub id: InterfaceId,
    /// Whether it is up.
    pub active: bool,
}

impl Filtered<ListAllInterfacesFlags> for InterfaceView {
    fn matches(&self, flags: ListAllInterfacesFlags) -> bool {
        use ListAllInterfacesFlags as F;
        passes(
            flags,
            &[&[(F::ACTIVE, self.active), (F::INACTIVE, !self.active)]],
        )
    }
}

flags! {
    /// Which interfaces a list has.
    ListAllInterfacesFlags: virConnectListAllInterfacesFlags, VIR_CONNECT_LIST_INTERFACES_ {
        /// Those that are down.
        INACTIVE = 1;
        /// Those that are up.
        ACTIVE = 2;
    }

    /// What an interface's XML shows.
    InterfaceXmlFlags: virInterfaceXMLFlags, VIR_INTERFACE_XML_ {
        /// The configuration, not what is now.
        INACTIVE = 1;
    }

    /// How a configuration is taken.
    InterfaceDefineFlags: virInterfaceDefineFlags, VIR_INTERFACE_DEFINE_ {
        /// Refuse a configuration that the schema does not allow.
        VALIDATE = 1;
    }
}

group! {
    /// Finding, listing, configuring host interfaces.
    Interfaces {
        /// What is known of every interface.
        fn views() -> Views<InterfaceView>: ConnectListAllInterfaces;
        /// The interface with this name, `NoInterface` if there is none.
        fn view(name: &str) -> Arc<InterfaceView>: InterfaceLookupByName;
        /// The interface with this MAC address: `NoInterface` if there is none, `MultipleInterfaces` if there are several.
        fn view_by_mac(mac: &str) -> Arc<InterfaceView>: InterfaceLookupByMacString;
        /// Its XML.
        fn xml_desc(interface: &InterfaceId, flags: InterfaceXmlFlags) -> String: InterfaceGetXmlDesc;
        /// Which interface a configuration is about.
        fn identify_xml(xml: &str) -> InterfaceId: InterfaceDefineXml;
        /// Stores a configuration.
        fn define_xml(xml: &str, flags: InterfaceDefineFlags) -> Arc<InterfaceView>: InterfaceDefineXml;
        /// Takes the configuration away.
        fn undefine(interface: &InterfaceId) -> (): InterfaceUndefine;
        /// Brings it up.
        fn create(interface: &InterfaceId) -> (): InterfaceCreate;
        /// Brings it down.
        fn destroy(interface: &InterfaceId) -> (): InterfaceDestroy;
        /// Remembers how all interfaces are configured, so that it can be restored.
        fn change_begin() -> (): InterfaceChangeBegin;
        /// Keeps what was changed since.
        fn change_commit() -> (): InterfaceChangeCommit;
        /// Restores what was remembered.
        fn change_rollback() -> (): InterfaceChangeRollback;
    }
}
