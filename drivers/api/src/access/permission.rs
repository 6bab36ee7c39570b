//! Every permission, in one table: object class, verb, and whether anybody may by default.
//!
//! Classes and verbs are libvirt's access control vocabulary (`viraccessperm`, libvirt 11.3), so
//! that polkit rules which administrators already have go on to work; the class `manager` is ours. Who is granted what is
//! not decided here; see [`super::Guard`].

use super::ObjectClass;

/// Declares the permissions and their lookup tables.
macro_rules! permissions {
    ($($name:ident = $class:ident $verb:literal $default:ident,)*) => {
        /// The right to do one kind of thing to one class of object.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "class and verb are the documentation")]
        pub enum Permission { $($name,)* }

        impl Permission {
            /// Every permission, grouped by class.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The class of objects that it is about.
            #[must_use]
            pub const fn class(self) -> ObjectClass {
                match self { $(Self::$name => ObjectClass::$class,)* }
            }

            /// What may be done, such as `core-dump`.
            #[must_use]
            pub const fn verb(self) -> &'static str {
                match self { $(Self::$name => $verb,)* }
            }

            /// Who has it where no rule says otherwise.
            #[must_use]
            pub const fn default(self) -> Default {
                match self { $(Self::$name => Default::$default,)* }
            }
        }
    };
}

/// Who has a permission where no rule of the administrator says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Every local user: libvirt answers these on its read-only socket, too.
    Anybody,
    /// Whoever authenticates as an administrator.
    Administrator,
}

impl Permission {
    /// The polkit action, such as `org.libvirt.api.domain.core-dump`.
    #[must_use]
    pub fn action(self) -> String {
        format!("org.libvirt.api.{}.{}", self.class().name(), self.verb())
    }
}

permissions! {
    ConnectGetattr = Connect "getattr" Anybody,
    ConnectRead = Connect "read" Anybody,
    ConnectWrite = Connect "write" Administrator,
    ConnectSearchDomains = Connect "search-domains" Anybody,
    ConnectSearchNetworks = Connect "search-networks" Anybody,
    ConnectSearchStoragePools = Connect "search-storage-pools" Anybody,
    ConnectSearchNodeDevices = Connect "search-node-devices" Anybody,
    ConnectSearchInterfaces = Connect "search-interfaces" Anybody,
    ConnectSearchSecrets = Connect "search-secrets" Anybody,
    ConnectSearchNwfilters = Connect "search-nwfilters" Anybody,
    ConnectSearchNwfilterBindings = Connect "search-nwfilter-bindings" Anybody,
    ConnectDetectStoragePools = Connect "detect-storage-pools" Administrator,
    ConnectPmControl = Connect "pm-control" Administrator,
    ConnectInterfaceTransaction = Connect "interface-transaction" Administrator,
    DomainGetattr = Domain "getattr" Anybody,
    DomainRead = Domain "read" Anybody,
    DomainWrite = Domain "write" Administrator,
    DomainReadSecure = Domain "read-secure" Administrator,
    DomainStart = Domain "start" Administrator,
    DomainStop = Domain "stop" Administrator,
    DomainReset = Domain "reset" Administrator,
    DomainSave = Domain "save" Administrator,
    DomainDelete = Domain "delete" Administrator,
    DomainMigrate = Domain "migrate" Administrator,
    DomainCheckpoint = Domain "checkpoint" Administrator,
    DomainSnapshot = Domain "snapshot" Administrator,
    DomainSuspend = Domain "suspend" Administrator,
    DomainHibernate = Domain "hibernate" Administrator,
    DomainCoreDump = Domain "core-dump" Administrator,
    DomainPmControl = Domain "pm-control" Administrator,
    DomainInitControl = Domain "init-control" Administrator,
    DomainInjectNmi = Domain "inject-nmi" Administrator,
    DomainSendInput = Domain "send-input" Administrator,
    DomainSendSignal = Domain "send-signal" Administrator,
    DomainFsTrim = Domain "fs-trim" Administrator,
    DomainFsFreeze = Domain "fs-freeze" Administrator,
    DomainBlockRead = Domain "block-read" Administrator,
    DomainBlockWrite = Domain "block-write" Administrator,
    DomainMemRead = Domain "mem-read" Administrator,
    DomainOpenGraphics = Domain "open-graphics" Administrator,
    DomainOpenDevice = Domain "open-device" Administrator,
    DomainScreenshot = Domain "screenshot" Administrator,
    DomainOpenNamespace = Domain "open-namespace" Administrator,
    DomainSetTime = Domain "set-time" Administrator,
    DomainSetPassword = Domain "set-password" Administrator,
    InterfaceGetattr = Interface "getattr" Anybody,
    InterfaceRead = Interface "read" Anybody,
    InterfaceWrite = Interface "write" Administrator,
    InterfaceSave = Interface "save" Administrator,
    InterfaceDelete = Interface "delete" Administrator,
    InterfaceStart = Interface "start" Administrator,
    InterfaceStop = Interface "stop" Administrator,
    NetworkGetattr = Network "getattr" Anybody,
    NetworkRead = Network "read" Anybody,
    NetworkWrite = Network "write" Administrator,
    NetworkSave = Network "save" Administrator,
    NetworkDelete = Network "delete" Administrator,
    NetworkStart = Network "start" Administrator,
    NetworkStop = Network "stop" Administrator,
    NetworkSearchPorts = Network "search-ports" Administrator,
    NetworkPortGetattr = NetworkPort "getattr" Anybody,
    NetworkPortRead = NetworkPort "read" Anybody,
    NetworkPortWrite = NetworkPort "write" Administrator,
    NetworkPortCreate = NetworkPort "create" Administrator,
    NetworkPortDelete = NetworkPort "delete" Administrator,
    NodeDeviceGetattr = NodeDevice "getattr" Anybody,
    NodeDeviceRead = NodeDevice "read" Anybody,
    NodeDeviceWrite = NodeDevice "write" Administrator,
    NodeDeviceStart = NodeDevice "start" Administrator,
    NodeDeviceStop = NodeDevice "stop" Administrator,
    NodeDeviceDetach = NodeDevice "detach" Administrator,
    NodeDeviceDelete = NodeDevice "delete" Administrator,
    NodeDeviceSave = NodeDevice "save" Administrator,
    NwfilterGetattr = Nwfilter "getattr" Anybody,
    NwfilterRead = Nwfilter "read" Anybody,
    NwfilterWrite = Nwfilter "write" Administrator,
    NwfilterSave = Nwfilter "save" Administrator,
    NwfilterDelete = Nwfilter "delete" Administrator,
    NwfilterBindingGetattr = NwfilterBinding "getattr" Anybody,
    NwfilterBindingRead = NwfilterBinding "read" Anybody,
    NwfilterBindingCreate = NwfilterBinding "create" Administrator,
    NwfilterBindingDelete = NwfilterBinding "delete" Administrator,
    SecretGetattr = Secret "getattr" Anybody,
    SecretRead = Secret "read" Anybody,
    SecretWrite = Secret "write" Administrator,
    SecretReadSecure = Secret "read-secure" Administrator,
    SecretSave = Secret "save" Administrator,
    SecretDelete = Secret "delete" Administrator,
    StoragePoolGetattr = StoragePool "getattr" Anybody,
    StoragePoolRead = StoragePool "read" Anybody,
    StoragePoolWrite = StoragePool "write" Administrator,
    StoragePoolSave = StoragePool "save" Administrator,
    StoragePoolDelete = StoragePool "delete" Administrator,
    StoragePoolStart = StoragePool "start" Administrator,
    StoragePoolStop = StoragePool "stop" Administrator,
    StoragePoolRefresh = StoragePool "refresh" Administrator,
    StoragePoolSearchStorageVols = StoragePool "search-storage-vols" Administrator,
    StoragePoolFormat = StoragePool "format" Administrator,
    StorageVolGetattr = StorageVol "getattr" Anybody,
    StorageVolRead = StorageVol "read" Anybody,
    StorageVolCreate = StorageVol "create" Administrator,
    StorageVolDelete = StorageVol "delete" Administrator,
    StorageVolFormat = StorageVol "format" Administrator,
    StorageVolResize = StorageVol "resize" Administrator,
    StorageVolDataRead = StorageVol "data-read" Administrator,
    StorageVolDataWrite = StorageVol "data-write" Administrator,
    ManagerOpenConnection = Manager "open-connection" Administrator,
    ManagerCloseConnection = Manager "close-connection" Administrator,
}
