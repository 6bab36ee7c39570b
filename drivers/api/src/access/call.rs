//! Every call of libvirt's public API, with the permissions that it needs, in one table.
//!
//! The rows are facts of libvirt's wire protocol (`remote_protocol.x`, libvirt 11.3): the
//! procedure's number, what is asked of the caller before the call (some only if flags are set, or
//! unless they are), and the permission by which a list leaves out what the caller may not see. Which bus
//! member makes a call is declared where the member is, in `interfaces/dbus`.

use super::{Permission, Rule, When};

/// Declares the calls and their lookup tables.
macro_rules! calls {
    (@when) => { When::Always };
    (@when if $mask:literal) => { When::AnyFlag($mask) };
    (@when unless $mask:literal) => { When::NoFlag($mask) };
    (@when when $arg:ident is $value:literal) => { When::Argument(stringify!($arg), $value) };
    ($($name:ident = $number:literal: [$($permission:ident
        $(if $any:literal)? $(unless $none:literal)? $(when $arg:ident is $value:literal)?),*] $(filter $filter:ident)?;)*) => {
        /// One call of the public API; the stem of its name everywhere, from the bus to the drivers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the calls are libvirt's API, documented there")]
        pub enum Call { $($name,)* }

        impl Call {
            /// Every call, by procedure number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in the spelling of this enum, such as `DomainCreate`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The number of the remote protocol's procedure.
            #[must_use]
            pub const fn procedure(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }

            /// What the caller is asked for.
            #[must_use]
            pub const fn rules(self) -> &'static [Rule] {
                match self {
                    $(Self::$name => &[$(Rule {
                        permission: Permission::$permission,
                        when: calls!(@when $(if $any)? $(unless $none)? $(when $arg is $value)?),
                    },)*],)*
                }
            }

            /// Whether what is asked for depends on flags.
            #[must_use]
            pub const fn looks_at_flags(self) -> bool {
                let rules = self.rules();
                let mut at = 0;
                while at < rules.len() {
                    if matches!(rules[at].when, When::AnyFlag(_) | When::NoFlag(_)) {
                        return true;
                    }
                    at += 1;
                }
                false
            }

            /// Whether what is asked for depends on no argument but flags, or else on the one of this name.
            #[must_use]
            pub const fn looks_at_argument(self, named: Option<&str>) -> bool {
                let rules = self.rules();
                let mut at = 0;
                while at < rules.len() {
                    if let When::Argument(name, _) = rules[at].when {
                        match named {
                            Some(named) if is_same(name, named) => {}
                            Some(_) | None => return false,
                        }
                    }
                    at += 1;
                }
                true
            }

            /// The permission by which the members of a list answer are filtered.
            #[must_use]
            pub const fn filter(self) -> Option<Permission> {
                match self {
                    $($(Self::$name => Some(Permission::$filter),)?)*
                    #[allow(unreachable_patterns, reason = "depends on the table")]
                    _ => None,
                }
            }
        }
    };
}

/// Whether two texts are the same, also while a program is compiled.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

calls! {
    ConnectOpen = 1: [ConnectGetattr];
    ConnectClose = 2: [];
    ConnectGetType = 3: [ConnectGetattr];
    ConnectGetVersion = 4: [ConnectGetattr];
    ConnectGetMaxVcpus = 5: [ConnectRead];
    NodeGetInfo = 6: [ConnectRead];
    ConnectGetCapabilities = 7: [ConnectRead];
    DomainAttachDevice = 8: [DomainWrite];
    DomainCreate = 9: [DomainStart];
    DomainCreateXml = 10: [DomainWrite, DomainStart];
    DomainDefineXml = 11: [DomainWrite, DomainSave];
    DomainDestroy = 12: [DomainStop];
    DomainDetachDevice = 13: [DomainWrite];
    DomainGetXmlDesc = 14: [DomainRead, DomainReadSecure if 0x1, DomainReadSecure if 0x8];
    DomainGetAutostart = 15: [DomainRead];
    DomainGetInfo = 16: [DomainRead];
    DomainGetMaxMemory = 17: [DomainRead];
    DomainGetMaxVcpus = 18: [DomainRead];
    DomainGetOsType = 19: [DomainRead];
    DomainGetVcpus = 20: [DomainRead];
    ConnectListDefinedDomains = 21: [ConnectSearchDomains] filter DomainGetattr;
    DomainLookupById = 22: [DomainGetattr];
    DomainLookupByName = 23: [DomainGetattr];
    DomainLookupByUuid = 24: [DomainGetattr];
    ConnectNumOfDefinedDomains = 25: [ConnectSearchDomains] filter DomainGetattr;
    DomainPinVcpu = 26: [DomainWrite];
    DomainReboot = 27: [DomainInitControl, DomainWrite if 0x2];
    DomainResume = 28: [DomainSuspend];
    DomainSetAutostart = 29: [DomainWrite];
    DomainSetMaxMemory = 30: [DomainWrite];
    DomainSetMemory = 31: [DomainWrite];
    DomainSetVcpus = 32: [DomainWrite];
    DomainShutdown = 33: [DomainInitControl];
    DomainSuspend = 34: [DomainSuspend];
    DomainUndefine = 35: [DomainDelete];
    ConnectListDefinedNetworks = 36: [ConnectSearchNetworks] filter NetworkGetattr;
    ConnectListDomains = 37: [ConnectSearchDomains] filter DomainGetattr;
    ConnectListNetworks = 38: [ConnectSearchNetworks] filter NetworkGetattr;
    NetworkCreate = 39: [NetworkStart];
    NetworkCreateXml = 40: [NetworkWrite, NetworkStart];
    NetworkDefineXml = 41: [NetworkWrite, NetworkSave];
    NetworkDestroy = 42: [NetworkStop];
    NetworkGetXmlDesc = 43: [NetworkRead];
    NetworkGetAutostart = 44: [NetworkRead];
    NetworkGetBridgeName = 45: [NetworkRead];
    NetworkLookupByName = 46: [NetworkGetattr];
    NetworkLookupByUuid = 47: [NetworkGetattr];
    NetworkSetAutostart = 48: [NetworkWrite];
    NetworkUndefine = 49: [NetworkDelete];
    ConnectNumOfDefinedNetworks = 50: [ConnectSearchNetworks] filter NetworkGetattr;
    ConnectNumOfDomains = 51: [ConnectSearchDomains] filter DomainGetattr;
    ConnectNumOfNetworks = 52: [ConnectSearchNetworks] filter NetworkGetattr;
    DomainCoreDump = 53: [DomainCoreDump];
    DomainRestore = 54: [DomainStart, DomainWrite];
    DomainSave = 55: [DomainHibernate];
    DomainGetSchedulerType = 56: [DomainRead];
    DomainGetSchedulerParameters = 57: [DomainRead];
    // libvirt's table asks for reading only, which would let anybody do it; its call with flags asks for this.
    DomainSetSchedulerParameters = 58: [DomainWrite, DomainSave];
    ConnectGetHostname = 59: [ConnectGetattr];
    ConnectSupportsFeature = 60: [ConnectGetattr];
    DomainMigratePrepare = 61: [DomainMigrate, DomainStart, DomainWrite];
    DomainMigratePerform = 62: [DomainMigrate];
    DomainMigrateFinish = 63: [DomainMigrate];
    DomainBlockStats = 64: [DomainRead];
    DomainInterfaceStats = 65: [DomainRead];
    AuthList = 66: [];
    AuthSaslInit = 67: [];
    AuthSaslStart = 68: [];
    AuthSaslStep = 69: [];
    AuthPolkit = 70: [];
    ConnectNumOfStoragePools = 71: [ConnectSearchStoragePools] filter StoragePoolGetattr;
    ConnectListStoragePools = 72: [ConnectSearchStoragePools] filter StoragePoolGetattr;
    ConnectNumOfDefinedStoragePools = 73: [ConnectSearchStoragePools] filter StoragePoolGetattr;
    ConnectListDefinedStoragePools = 74: [ConnectSearchStoragePools] filter StoragePoolGetattr;
    ConnectFindStoragePoolSources = 75: [ConnectDetectStoragePools];
    StoragePoolCreateXml = 76: [StoragePoolStart, StoragePoolWrite];
    StoragePoolDefineXml = 77: [StoragePoolWrite, StoragePoolSave];
    StoragePoolCreate = 78: [StoragePoolStart];
    StoragePoolBuild = 79: [StoragePoolFormat];
    StoragePoolDestroy = 80: [StoragePoolStop];
    StoragePoolDelete = 81: [StoragePoolFormat];
    StoragePoolUndefine = 82: [StoragePoolDelete];
    StoragePoolRefresh = 83: [StoragePoolRefresh];
    StoragePoolLookupByName = 84: [StoragePoolGetattr];
    StoragePoolLookupByUuid = 85: [StoragePoolGetattr];
    StoragePoolLookupByVolume = 86: [StoragePoolGetattr];
    StoragePoolGetInfo = 87: [StoragePoolRead];
    StoragePoolGetXmlDesc = 88: [StoragePoolRead];
    StoragePoolGetAutostart = 89: [StoragePoolRead];
    StoragePoolSetAutostart = 90: [StoragePoolWrite];
    StoragePoolNumOfVolumes = 91: [StoragePoolSearchStorageVols] filter StorageVolGetattr;
    StoragePoolListVolumes = 92: [StoragePoolSearchStorageVols] filter StorageVolGetattr;
    StorageVolCreateXml = 93: [StorageVolCreate];
    StorageVolDelete = 94: [StorageVolDelete];
    StorageVolLookupByName = 95: [StorageVolGetattr];
    StorageVolLookupByKey = 96: [StorageVolGetattr];
    StorageVolLookupByPath = 97: [StorageVolGetattr];
    StorageVolGetInfo = 98: [StorageVolRead];
    StorageVolGetXmlDesc = 99: [StorageVolRead];
    StorageVolGetPath = 100: [StorageVolRead];
    NodeGetCellsFreeMemory = 101: [ConnectRead];
    NodeGetFreeMemory = 102: [ConnectRead];
    DomainBlockPeek = 103: [DomainBlockRead];
    DomainMemoryPeek = 104: [DomainMemRead];
    ConnectDomainEventRegister = 105: [ConnectSearchDomains] filter DomainGetattr;
    ConnectDomainEventDeregister = 106: [ConnectRead];
    DomainMigratePrepare2 = 108: [DomainMigrate, DomainStart, DomainWrite];
    DomainMigrateFinish2 = 109: [DomainMigrate];
    ConnectGetUri = 110: [ConnectGetattr];
    NodeNumOfDevices = 111: [ConnectSearchNodeDevices] filter NodeDeviceGetattr;
    NodeListDevices = 112: [ConnectSearchNodeDevices] filter NodeDeviceGetattr;
    NodeDeviceLookupByName = 113: [NodeDeviceGetattr];
    NodeDeviceGetXmlDesc = 114: [NodeDeviceRead];
    NodeDeviceGetParent = 115: [NodeDeviceRead];
    NodeDeviceNumOfCaps = 116: [NodeDeviceRead];
    NodeDeviceListCaps = 117: [NodeDeviceRead];
    NodeDeviceDettach = 118: [NodeDeviceDetach];
    NodeDeviceReAttach = 119: [NodeDeviceDetach];
    NodeDeviceReset = 120: [NodeDeviceDetach];
    DomainGetSecurityLabel = 121: [DomainRead];
    NodeGetSecurityModel = 122: [ConnectRead];
    NodeDeviceCreateXml = 123: [NodeDeviceWrite, NodeDeviceStart];
    NodeDeviceDestroy = 124: [NodeDeviceStop];
    StorageVolCreateXmlFrom = 125: [StorageVolCreate];
    ConnectNumOfInterfaces = 126: [ConnectSearchInterfaces] filter InterfaceGetattr;
    ConnectListInterfaces = 127: [ConnectSearchInterfaces] filter InterfaceGetattr;
    InterfaceLookupByName = 128: [InterfaceGetattr];
    InterfaceLookupByMacString = 129: [InterfaceGetattr];
    InterfaceGetXmlDesc = 130: [InterfaceRead];
    InterfaceDefineXml = 131: [InterfaceWrite, InterfaceSave];
    InterfaceUndefine = 132: [InterfaceDelete];
    InterfaceCreate = 133: [InterfaceStart];
    InterfaceDestroy = 134: [InterfaceStop];
    ConnectDomainXmlFromNative = 135: [ConnectWrite];
    ConnectDomainXmlToNative = 136: [ConnectWrite];
    ConnectNumOfDefinedInterfaces = 137: [ConnectSearchInterfaces] filter InterfaceGetattr;
    ConnectListDefinedInterfaces = 138: [ConnectSearchInterfaces] filter InterfaceGetattr;
    ConnectNumOfSecrets = 139: [ConnectSearchSecrets] filter SecretGetattr;
    ConnectListSecrets = 140: [ConnectSearchSecrets] filter SecretGetattr;
    SecretLookupByUuid = 141: [SecretGetattr];
    SecretDefineXml = 142: [SecretWrite, SecretSave];
    SecretGetXmlDesc = 143: [SecretRead];
    SecretSetValue = 144: [SecretWrite];
    SecretGetValue = 145: [SecretReadSecure];
    SecretUndefine = 146: [SecretDelete];
    SecretLookupByUsage = 147: [SecretGetattr];
    DomainMigratePrepareTunnel = 148: [DomainMigrate, DomainStart, DomainWrite];
    ConnectIsSecure = 149: [];
    DomainIsActive = 150: [DomainRead];
    DomainIsPersistent = 151: [DomainRead];
    NetworkIsActive = 152: [NetworkRead];
    NetworkIsPersistent = 153: [NetworkRead];
    StoragePoolIsActive = 154: [StoragePoolRead];
    StoragePoolIsPersistent = 155: [StoragePoolRead];
    InterfaceIsActive = 156: [InterfaceRead];
    ConnectGetLibVersion = 157: [ConnectGetattr];
    ConnectCompareCpu = 158: [ConnectRead];
    DomainMemoryStats = 159: [DomainRead];
    DomainAttachDeviceFlags = 160: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainDetachDeviceFlags = 161: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    ConnectBaselineCpu = 162: [ConnectRead];
    DomainGetJobInfo = 163: [DomainRead];
    DomainAbortJob = 164: [DomainWrite];
    StorageVolWipe = 165: [StorageVolFormat];
    DomainMigrateSetMaxDowntime = 166: [DomainMigrate];
    ConnectDomainEventRegisterAny = 167: [ConnectSearchDomains] filter DomainGetattr;
    ConnectDomainEventDeregisterAny = 168: [ConnectRead];
    DomainUpdateDeviceFlags = 174: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    NwfilterLookupByName = 175: [NwfilterGetattr];
    NwfilterLookupByUuid = 176: [NwfilterGetattr];
    NwfilterGetXmlDesc = 177: [NwfilterRead];
    ConnectNumOfNwfilters = 178: [ConnectSearchNwfilters] filter NwfilterGetattr;
    ConnectListNwfilters = 179: [ConnectSearchNwfilters] filter NwfilterGetattr;
    NwfilterDefineXml = 180: [NwfilterWrite, NwfilterSave];
    NwfilterUndefine = 181: [NwfilterDelete];
    DomainManagedSave = 182: [DomainHibernate];
    DomainHasManagedSaveImage = 183: [DomainRead];
    DomainManagedSaveRemove = 184: [DomainHibernate];
    DomainSnapshotCreateXml = 185: [DomainSnapshot, DomainFsFreeze if 0x40];
    DomainSnapshotGetXmlDesc = 186: [DomainRead, DomainReadSecure if 0x1];
    DomainSnapshotNum = 187: [DomainRead];
    DomainSnapshotListNames = 188: [DomainRead];
    DomainSnapshotLookupByName = 189: [DomainRead];
    DomainHasCurrentSnapshot = 190: [DomainRead];
    DomainSnapshotCurrent = 191: [DomainRead];
    DomainRevertToSnapshot = 192: [DomainSnapshot];
    DomainSnapshotDelete = 193: [DomainSnapshot];
    DomainGetBlockInfo = 194: [DomainRead];
    DomainCreateWithFlags = 196: [DomainStart];
    DomainSetMemoryParameters = 197: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainGetMemoryParameters = 198: [DomainRead];
    DomainSetVcpusFlags = 199: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2, DomainWrite if 0x8];
    DomainGetVcpusFlags = 200: [DomainRead, DomainWrite if 0x8];
    DomainOpenConsole = 201: [DomainOpenDevice];
    DomainIsUpdated = 202: [DomainRead];
    ConnectGetSysinfo = 203: [ConnectRead];
    DomainSetMemoryFlags = 204: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainSetBlkioParameters = 205: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainGetBlkioParameters = 206: [DomainRead];
    DomainMigrateSetMaxSpeed = 207: [DomainMigrate];
    StorageVolUpload = 208: [StorageVolDataWrite];
    StorageVolDownload = 209: [StorageVolDataRead];
    DomainInjectNmi = 210: [DomainInjectNmi];
    DomainScreenshot = 211: [DomainScreenshot];
    DomainGetState = 212: [DomainRead];
    DomainMigrateBegin3 = 213: [DomainMigrate];
    DomainMigratePrepare3 = 214: [DomainMigrate, DomainStart, DomainWrite];
    DomainMigratePrepareTunnel3 = 215: [DomainMigrate, DomainStart, DomainWrite];
    DomainMigratePerform3 = 216: [DomainMigrate];
    DomainMigrateFinish3 = 217: [DomainMigrate];
    DomainMigrateConfirm3 = 218: [DomainMigrate];
    DomainSetSchedulerParametersFlags = 219: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    InterfaceChangeBegin = 220: [ConnectInterfaceTransaction];
    InterfaceChangeCommit = 221: [ConnectInterfaceTransaction];
    InterfaceChangeRollback = 222: [ConnectInterfaceTransaction];
    DomainGetSchedulerParametersFlags = 223: [DomainRead];
    DomainPinVcpuFlags = 225: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainSendKey = 226: [DomainSendInput];
    NodeGetCpuStats = 227: [ConnectRead];
    NodeGetMemoryStats = 228: [ConnectRead];
    DomainGetControlInfo = 229: [DomainRead];
    DomainGetVcpuPinInfo = 230: [DomainRead];
    DomainUndefineFlags = 231: [DomainDelete];
    DomainSaveFlags = 232: [DomainHibernate];
    DomainRestoreFlags = 233: [DomainStart, DomainWrite];
    DomainDestroyFlags = 234: [DomainStop];
    DomainSaveImageGetXmlDesc = 235: [DomainWrite];
    DomainSaveImageDefineXml = 236: [DomainWrite, DomainHibernate];
    DomainBlockJobAbort = 237: [DomainWrite];
    DomainGetBlockJobInfo = 238: [DomainRead];
    DomainBlockJobSetSpeed = 239: [DomainWrite];
    DomainBlockPull = 240: [DomainBlockWrite];
    DomainMigrateGetMaxSpeed = 242: [DomainMigrate];
    DomainBlockStatsFlags = 243: [DomainRead];
    DomainSnapshotGetParent = 244: [DomainRead];
    DomainReset = 245: [DomainReset];
    DomainSnapshotNumChildren = 246: [DomainRead];
    DomainSnapshotListChildrenNames = 247: [DomainRead];
    DomainOpenGraphics = 249: [DomainOpenGraphics];
    NodeSuspendForDuration = 250: [ConnectPmControl];
    DomainBlockResize = 251: [DomainBlockWrite];
    DomainSetBlockIoTune = 252: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainGetBlockIoTune = 253: [DomainRead];
    DomainSetNumaParameters = 254: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainGetNumaParameters = 255: [DomainRead];
    DomainSetInterfaceParameters = 256: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainGetInterfaceParameters = 257: [DomainRead];
    DomainShutdownFlags = 258: [DomainInitControl, DomainWrite if 0x2];
    StorageVolWipePattern = 259: [StorageVolFormat];
    StorageVolResize = 260: [StorageVolResize];
    DomainPmSuspendForDuration = 261: [DomainPmControl];
    DomainGetCpuStats = 262: [DomainRead];
    DomainGetDiskErrors = 263: [DomainRead];
    DomainSetMetadata = 264: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainGetMetadata = 265: [DomainRead];
    DomainBlockRebase = 266: [DomainBlockWrite];
    DomainPmWakeup = 267: [DomainPmControl];
    DomainSnapshotIsCurrent = 271: [DomainRead];
    DomainSnapshotHasMetadata = 272: [DomainRead];
    ConnectListAllDomains = 273: [ConnectSearchDomains] filter DomainGetattr;
    DomainListAllSnapshots = 274: [DomainRead];
    DomainSnapshotListAllChildren = 275: [DomainRead];
    DomainGetHostname = 277: [DomainWrite];
    DomainGetSecurityLabelList = 278: [DomainRead];
    DomainPinEmulator = 279: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainGetEmulatorPinInfo = 280: [DomainRead];
    ConnectListAllStoragePools = 281: [ConnectSearchStoragePools] filter StoragePoolGetattr;
    StoragePoolListAllVolumes = 282: [StoragePoolSearchStorageVols] filter StorageVolGetattr;
    ConnectListAllNetworks = 283: [ConnectSearchNetworks] filter NetworkGetattr;
    ConnectListAllInterfaces = 284: [ConnectSearchInterfaces] filter InterfaceGetattr;
    ConnectListAllNodeDevices = 285: [ConnectSearchNodeDevices] filter NodeDeviceGetattr;
    ConnectListAllNwfilters = 286: [ConnectSearchNwfilters] filter NwfilterGetattr;
    ConnectListAllSecrets = 287: [ConnectSearchSecrets] filter SecretGetattr;
    NodeSetMemoryParameters = 288: [ConnectWrite];
    NodeGetMemoryParameters = 289: [ConnectRead];
    DomainBlockCommit = 290: [DomainBlockWrite];
    NetworkUpdate = 291: [NetworkWrite, NetworkSave unless 0x3, NetworkSave if 0x2];
    NodeGetCpuMap = 293: [ConnectRead];
    DomainFstrim = 294: [DomainFsTrim];
    DomainSendProcessSignal = 295: [DomainSendSignal];
    DomainOpenChannel = 296: [DomainOpenDevice];
    NodeDeviceLookupScsiHostByWwn = 297: [NodeDeviceGetattr];
    DomainGetJobStats = 298: [DomainRead];
    DomainMigrateGetCompressionCache = 299: [DomainMigrate];
    DomainMigrateSetCompressionCache = 300: [DomainMigrate];
    NodeDeviceDetachFlags = 301: [NodeDeviceDetach];
    DomainMigrateBegin3Params = 302: [DomainMigrate];
    DomainMigratePrepare3Params = 303: [DomainMigrate, DomainStart, DomainWrite];
    DomainMigratePrepareTunnel3Params = 304: [DomainMigrate, DomainStart, DomainWrite];
    DomainMigratePerform3Params = 305: [DomainMigrate];
    DomainMigrateFinish3Params = 306: [DomainMigrate];
    DomainMigrateConfirm3Params = 307: [DomainMigrate];
    DomainSetMemoryStatsPeriod = 308: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainCreateXmlWithFiles = 309: [DomainWrite, DomainStart];
    DomainCreateWithFiles = 310: [DomainStart];
    ConnectGetCpuModelNames = 312: [ConnectRead];
    ConnectNetworkEventRegisterAny = 313: [ConnectSearchNetworks] filter NetworkGetattr;
    ConnectNetworkEventDeregisterAny = 314: [ConnectRead];
    ConnectDomainEventCallbackRegisterAny = 316: [ConnectSearchDomains] filter DomainGetattr;
    ConnectDomainEventCallbackDeregisterAny = 317: [ConnectRead];
    DomainCoreDumpWithFormat = 334: [DomainCoreDump];
    DomainFsfreeze = 335: [DomainFsFreeze];
    DomainFsthaw = 336: [DomainFsFreeze];
    DomainGetTime = 337: [DomainWrite];
    DomainSetTime = 338: [DomainSetTime];
    NodeGetFreePages = 340: [ConnectRead];
    NetworkGetDhcpLeases = 341: [NetworkRead];
    ConnectGetDomainCapabilities = 342: [ConnectWrite];
    DomainOpenGraphicsFd = 343: [DomainOpenGraphics];
    ConnectGetAllDomainStats = 344: [ConnectSearchDomains] filter DomainRead;
    DomainBlockCopy = 345: [DomainBlockWrite];
    NodeAllocPages = 347: [ConnectWrite];
    DomainGetFsinfo = 349: [DomainFsFreeze];
    DomainDefineXmlFlags = 350: [DomainWrite, DomainSave];
    DomainGetIothreadInfo = 351: [DomainRead];
    DomainPinIothread = 352: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainInterfaceAddresses = 353: [DomainRead, DomainWrite when source is 0x1];
    DomainAddIothread = 355: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainDelIothread = 356: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainSetUserPassword = 357: [DomainSetPassword];
    DomainRename = 358: [DomainWrite, DomainSave];
    ConnectRegisterCloseCallback = 360: [ConnectGetattr];
    ConnectUnregisterCloseCallback = 361: [ConnectGetattr];
    DomainMigrateStartPostCopy = 364: [DomainMigrate];
    DomainGetPerfEvents = 365: [DomainRead];
    DomainSetPerfEvents = 366: [DomainWrite];
    ConnectStoragePoolEventRegisterAny = 368: [ConnectSearchStoragePools] filter StoragePoolGetattr;
    ConnectStoragePoolEventDeregisterAny = 369: [ConnectRead];
    DomainGetGuestVcpus = 371: [DomainWrite];
    DomainSetGuestVcpus = 372: [DomainWrite];
    ConnectNodeDeviceEventRegisterAny = 374: [ConnectSearchNodeDevices] filter NodeDeviceGetattr;
    ConnectNodeDeviceEventDeregisterAny = 375: [ConnectRead];
    StorageVolGetInfoFlags = 378: [StorageVolRead];
    ConnectSecretEventRegisterAny = 380: [ConnectSearchSecrets] filter SecretGetattr;
    ConnectSecretEventDeregisterAny = 381: [ConnectRead];
    DomainSetVcpu = 384: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainSetBlockThreshold = 386: [DomainWrite];
    DomainMigrateGetMaxDowntime = 387: [DomainMigrate];
    DomainManagedSaveGetXmlDesc = 388: [DomainRead, DomainReadSecure if 0x1];
    DomainManagedSaveDefineXml = 389: [DomainWrite, DomainHibernate];
    DomainSetLifecycleAction = 390: [DomainWrite];
    StoragePoolLookupByTargetPath = 391: [StoragePoolGetattr];
    DomainDetachDeviceAlias = 392: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    ConnectCompareHypervisorCpu = 393: [ConnectWrite];
    ConnectBaselineHypervisorCpu = 394: [ConnectWrite];
    NodeGetSevInfo = 395: [ConnectRead];
    DomainGetLaunchSecurityInfo = 396: [DomainRead];
    NwfilterBindingLookupByPortDev = 397: [NwfilterBindingGetattr];
    NwfilterBindingGetXmlDesc = 398: [NwfilterBindingRead];
    NwfilterBindingCreateXml = 399: [NwfilterBindingCreate];
    NwfilterBindingDelete = 400: [NwfilterBindingDelete];
    ConnectListAllNwfilterBindings = 401: [ConnectSearchNwfilterBindings] filter NwfilterBindingGetattr;
    DomainSetIothreadParams = 402: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    ConnectGetStoragePoolCapabilities = 403: [ConnectRead];
    NetworkListAllPorts = 404: [NetworkSearchPorts] filter NetworkPortGetattr;
    NetworkPortLookupByUuid = 405: [NetworkPortGetattr];
    NetworkPortCreateXml = 406: [NetworkPortCreate];
    NetworkPortGetParameters = 407: [NetworkPortRead];
    NetworkPortSetParameters = 408: [NetworkPortWrite];
    NetworkPortGetXmlDesc = 409: [NetworkPortRead];
    NetworkPortDelete = 410: [NetworkPortDelete];
    DomainCheckpointCreateXml = 411: [DomainCheckpoint, DomainFsFreeze if 0x2];
    DomainCheckpointGetXmlDesc = 412: [DomainRead, DomainReadSecure if 0x1];
    DomainListAllCheckpoints = 413: [DomainRead];
    DomainCheckpointListAllChildren = 414: [DomainRead];
    DomainCheckpointLookupByName = 415: [DomainRead];
    DomainCheckpointGetParent = 416: [DomainRead];
    DomainCheckpointDelete = 417: [DomainCheckpoint];
    DomainGetGuestInfo = 418: [DomainWrite];
    ConnectSetIdentity = 419: [ConnectWrite];
    DomainAgentSetResponseTimeout = 420: [DomainWrite];
    DomainBackupBegin = 421: [DomainCheckpoint, DomainBlockWrite];
    DomainBackupGetXmlDesc = 422: [DomainRead];
    DomainAuthorizedSshKeysGet = 424: [DomainWrite];
    DomainAuthorizedSshKeysSet = 425: [DomainWrite];
    // Calls that libvirt does not have, with numbers that it will not use.
    ManagerOpenConnection = 1_000_001: [ManagerOpenConnection];
    ManagerCloseConnection = 1_000_002: [ManagerCloseConnection];
    ManagerListConnections = 1_000_003: [ConnectGetattr] filter ConnectGetattr;
    DomainGetMessages = 426: [DomainRead];
    DomainStartDirtyRateCalc = 427: [DomainWrite];
    NodeDeviceDefineXml = 428: [NodeDeviceWrite, NodeDeviceSave];
    NodeDeviceUndefine = 429: [NodeDeviceDelete];
    NodeDeviceCreate = 430: [NodeDeviceStart];
    NwfilterDefineXmlFlags = 431: [NwfilterWrite, NwfilterSave];
    NetworkDefineXmlFlags = 432: [NetworkWrite, NetworkSave];
    NodeDeviceGetAutostart = 433: [NodeDeviceRead];
    NodeDeviceSetAutostart = 434: [NodeDeviceWrite];
    NodeDeviceIsPersistent = 435: [NodeDeviceRead];
    NodeDeviceIsActive = 436: [NodeDeviceRead];
    NetworkCreateXmlFlags = 437: [NetworkWrite, NetworkStart];
    DomainSetLaunchSecurityState = 439: [DomainWrite];
    DomainSaveParams = 440: [DomainHibernate];
    DomainRestoreParams = 441: [DomainStart, DomainWrite];
    DomainAbortJobFlags = 442: [DomainWrite];
    DomainFdAssociate = 443: [DomainWrite];
    NetworkSetMetadata = 444: [NetworkWrite, NetworkSave unless 0x3, NetworkSave if 0x2];
    NetworkGetMetadata = 445: [NetworkRead];
    NodeDeviceUpdate = 447: [NodeDeviceWrite, NodeDeviceSave unless 0x3, NodeDeviceSave if 0x2];
    DomainGraphicsReload = 448: [DomainWrite];
    DomainGetAutostartOnce = 449: [DomainRead];
    DomainSetAutostartOnce = 450: [DomainWrite];
    DomainSetThrottleGroup = 451: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
    DomainDelThrottleGroup = 452: [DomainWrite, DomainSave unless 0x3, DomainSave if 0x2];
}
