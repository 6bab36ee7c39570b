//! What each permission amounts to on the host: how far a local user gets with it who has nothing else, in words for an administrator
//! who writes rules.

use virtbus_api::access::Permission;

/// Until storage and the rest have drivers of their own, only the test driver answers.
const MEMORY_ONLY: &str = "So far only the test driver has these objects, in memory.";

/// What somebody can do who has this permission on an object.
pub(super) const fn reach(permission: Permission) -> &'static str {
    use Permission as P;
    match permission {
        P::ConnectGetattr => {
            "Needed for anything else. It shows the kind of driver, its version and the name of the host."
        }
        P::ConnectRead => {
            "It shows the hardware of the host, the emulators that are installed and what they can do, and how busy the host is. \
             Asking about an emulator starts it for a moment, as the guests\u{2019} user and without a guest; only programs of the \
             setting `emulator_path` are started."
        }
        P::ConnectWrite => {
            "It changes nothing of a guest. Of the host it changes what the members below say."
        }
        P::ConnectSearchDomains
        | P::ConnectSearchNetworks
        | P::ConnectSearchStoragePools
        | P::ConnectSearchNodeDevices
        | P::ConnectSearchInterfaces
        | P::ConnectSearchSecrets
        | P::ConnectSearchNwfilters
        | P::ConnectSearchNwfilterBindings => {
            "A list holds only the objects that the same user may see (`getattr`)."
        }
        P::ConnectDetectStoragePools => {
            "The daemon looks at disks and asks servers on the network as root."
        }
        P::ConnectPmControl => "The host sleeps, with all its guests.",
        P::ConnectInterfaceTransaction => {
            "Changes to the network of the host are taken back, which may cut it off."
        }

        P::DomainGetattr => {
            "Without it the guest is in no list, and calls are answered as if it were not there. Its signals are not sent to \
             whoever lacks it."
        }
        P::DomainRead => {
            "It shows the whole definition but for passwords: paths of disks, addresses, ports of screens. Statistics ask QEMU, which \
             costs it a moment."
        }
        P::DomainWrite => {
            "Together with `start`, or with `save` if somebody else starts the guest, it is as good as root for the files of the host: \
             a definition names any file as a disk, which is given to the guest\u{2019}s user while the guest runs, and so can be read and \
             written from inside. Programs that a definition names are run as the guests\u{2019} user, from `emulator_path` only."
        }
        P::DomainReadSecure => {
            "It shows the passwords of screens and disks, and so opens the screen."
        }
        P::DomainStart => {
            "It runs what the stored definition says, with the files that it names, and nothing else. Files are given to the guests\u{2019} user \
             as the definition says; links that an ordinary user made are not followed, so that somebody who owns the directory of a disk gets no \
             other file in its place. A guest that is started uses memory and processors."
        }
        P::DomainStop => {
            "The guest ends at once, like a machine whose plug is pulled. Data that it had not written is lost."
        }
        P::DomainReset => "The guest begins anew at once. Data that it had not written is lost.",
        P::DomainSave => "It is asked together with `write` and does nothing alone; see there.",
        P::DomainDelete => {
            "The definition is gone for good, and, with the flags for it, what was saved of the guest: memory, firmware variables, TPM. \
             Disks stay."
        }
        P::DomainMigrate => "The guest is moved to a host that the caller names, with its memory.",
        P::DomainCheckpoint => "Bitmaps are written into the images of the guest\u{2019}s disks.",
        P::DomainSnapshot => {
            "Going back loses what the guest has done since. New images are made where the caller says."
        }
        P::DomainSuspend => "The guest stands still for as long as the caller likes.",
        P::DomainHibernate => {
            "The memory of the guest, with whatever secrets it holds, goes to a file that the caller names, and the guest ends. The file is made \
             with the rights of the guests\u{2019} user, or in one of the directories of the setting `save_dirs`. Of what is there \
             already, only an older saved image of the same guest is replaced."
        }
        P::DomainCoreDump => {
            "The memory of the guest, with whatever secrets it holds, goes to a file that the caller names: with the rights of the guests\u{2019} user, \
             or in one of the directories of the setting `save_dirs`. Nothing that is there already is overwritten. With the flags for it the \
             guest ends or is reset besides."
        }
        P::DomainPmControl => "The guest sleeps or wakes.",
        P::DomainInitControl => {
            "The guest is asked, and may refuse. A guest that turns off when asked ends."
        }
        P::DomainInjectNmi => "Most guests write a dump and restart.",
        P::DomainSendInput => {
            "It types at the console of the guest: where somebody is logged in there, it acts as that user."
        }
        P::DomainSendSignal => "It ends processes in the guest.",
        P::DomainFsTrim => "The agent in the guest is asked. It gives unused blocks back.",
        P::DomainFsFreeze => {
            "Writes in the guest stand still until they are thawed; a caller who never thaws stops the guest\u{2019}s services."
        }
        P::DomainBlockRead => "It reads every file of the guest.",
        P::DomainBlockWrite => {
            "It changes, resizes or copies the disks of the guest; copies go where the caller says."
        }
        P::DomainMemRead => "It reads every secret that the guest has in memory.",
        P::DomainOpenGraphics => {
            "It sees and operates the screen of the guest, past the password of VNC or SPICE."
        }
        P::DomainOpenDevice => {
            "It reads and writes the consoles and channels of the guest, past whoever uses them."
        }
        P::DomainScreenshot => "It sees what is on the screen of the guest.",
        P::DomainOpenNamespace => "It enters a container, as root of that container.",
        P::DomainSetTime => "The clock of the guest is set, on which certificates and logs depend.",
        P::DomainSetPassword => "It becomes any user in the guest, root included.",

        P::InterfaceGetattr
        | P::NetworkGetattr
        | P::NetworkPortGetattr
        | P::NodeDeviceGetattr
        | P::NwfilterGetattr
        | P::NwfilterBindingGetattr
        | P::SecretGetattr
        | P::StoragePoolGetattr
        | P::StorageVolGetattr => {
            "Without it the object is in no list, and calls are answered as if it were not there."
        }
        P::SecretReadSecure => "It shows the value of a secret, such as the key of a disk.",
        P::NetworkRead => {
            "It shows the whole definition, the addresses and names that guests were given, and which rules of the host drop their packets."
        }
        P::NetworkWrite | P::NetworkSave => {
            "Together with `start` it changes how this host is connected, as root: it makes bridges with addresses and routes, lets the host \
             forward packets, translates addresses, and serves DHCP, DNS and, by TFTP, any directory that everybody can read. Addresses that the host \
             has already, and bridges of others, are refused. Programs are not run: options of dnsmasq that would do so are refused."
        }
        P::NetworkDelete => "The stored definition is gone; guests on the network go on.",
        P::NetworkStart => "It does to the host what the stored definition says, and nothing else.",
        P::NetworkStop => "Guests on the network are cut off, whoever they belong to.",
        P::NetworkSearchPorts => {
            "A list holds only the ports that the same user may see (`getattr`)."
        }
        P::NetworkPortRead => {
            "It shows which guest is connected to what, with its Ethernet address."
        }
        P::NetworkPortWrite => "It changes the bandwidth that a guest is guaranteed.",
        P::NetworkPortCreate => {
            "It takes a share of what the network has: an interface or device of the host that is given to one guest only, guaranteed bandwidth. \
             It connects nothing by itself."
        }
        P::NetworkPortDelete => {
            "It gives back what a guest still uses, so that another one may be given it at the same time."
        }
        P::InterfaceRead
        | P::InterfaceWrite
        | P::InterfaceSave
        | P::InterfaceDelete
        | P::InterfaceStart
        | P::InterfaceStop
        | P::NodeDeviceRead
        | P::NodeDeviceWrite
        | P::NodeDeviceStart
        | P::NodeDeviceStop
        | P::NodeDeviceDetach
        | P::NodeDeviceDelete
        | P::NodeDeviceSave
        | P::NwfilterRead
        | P::NwfilterWrite
        | P::NwfilterSave
        | P::NwfilterDelete
        | P::NwfilterBindingRead
        | P::NwfilterBindingCreate
        | P::NwfilterBindingDelete
        | P::SecretRead
        | P::SecretWrite
        | P::SecretSave
        | P::SecretDelete
        | P::StoragePoolRead
        | P::StoragePoolWrite
        | P::StoragePoolSave
        | P::StoragePoolDelete
        | P::StoragePoolStart
        | P::StoragePoolStop
        | P::StoragePoolRefresh
        | P::StoragePoolSearchStorageVols
        | P::StoragePoolFormat
        | P::StorageVolRead
        | P::StorageVolCreate
        | P::StorageVolDelete
        | P::StorageVolFormat
        | P::StorageVolResize
        | P::StorageVolDataRead
        | P::StorageVolDataWrite => MEMORY_ONLY,
        P::ManagerOpenConnection => {
            "The daemon opens connections to other hosts as root, up to 64 at a time, and shows them to everybody whom rules let see them. \
             Files of this host are read for root only."
        }
        P::ManagerCloseConnection => {
            "Others who use the connection are cut off. The guests are not touched, nor is anything of this host."
        }
    }
}
