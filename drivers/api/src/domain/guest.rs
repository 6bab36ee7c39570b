//! What is asked of a guest, mostly by its agent; its keys, its processes, its screen.

use std::os::fd::OwnedFd;

use super::{CpuMap, DomainId, DomainProcessSignal};
use crate::declare::{flags, group, numbered};
use crate::storage::Transfer;
use crate::typed::TypedParameters;

/// A file system that the guest has mounted (`virDomainFSInfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsInfo {
    /// Where it is mounted.
    pub mountpoint: String,
    /// The guest's name of its device.
    pub name: String,
    /// Such as `ext4`.
    pub fs_type: String,
    /// Targets of the disks that it lies on.
    pub devices: Vec<String>,
}

/// A network interface of the guest (`virDomainInterface`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestInterface {
    /// Its name: the guest's or the host's, as asked for.
    pub name: String,
    /// Its MAC address, if known.
    pub mac: Option<String>,
    /// Its addresses.
    pub addresses: Vec<GuestAddress>,
}

/// One of its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestAddress {
    /// Its family.
    pub kind: IpAddressFamily,
    /// The address.
    pub address: String,
    /// The length of the network's prefix in bits.
    pub prefix: u32,
}

flags! {
    /// How a clock is set.
    DomainSetTimeFlags: virDomainSetTimeFlags, VIR_DOMAIN_TIME_ {
        /// From the guest's own hardware clock.
        SYNC = 1;
    }

    /// How a password is set.
    DomainSetUserPasswordFlags: virDomainSetUserPasswordFlags, VIR_DOMAIN_PASSWORD_ {
        /// It is encrypted already.
        ENCRYPTED = 1;
    }

    /// Where a name comes from.
    DomainGetHostnameFlags: virDomainGetHostnameFlags, VIR_DOMAIN_GET_HOSTNAME_ {
        /// Leases of a network.
        LEASE = 1;
        /// The guest agent.
        AGENT = 2;
    }

    /// What is asked about a guest.
    DomainGuestInfoTypes: virDomainGuestInfoTypes, VIR_DOMAIN_GUEST_INFO_ {
        /// Who is logged in.
        USERS = 1;
        /// Its operating system.
        OS = 2;
        /// Its time zone.
        TIMEZONE = 4;
        /// Its name.
        HOSTNAME = 8;
        /// Its file systems.
        FILESYSTEM = 16;
        /// Its disks.
        DISKS = 32;
        /// Its interfaces.
        INTERFACES = 64;
        /// How busy it is.
        LOAD = 128;
    }

    /// How authorized keys are set.
    DomainAuthorizedSshKeysSetFlags: virDomainAuthorizedSSHKeysSetFlags, VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_ {
        /// Add the keys to those that are there.
        APPEND = 1;
        /// Take the keys away from those that are there.
        REMOVE = 2;
    }

    /// How a console is opened.
    DomainConsoleFlags: virDomainConsoleFlags, VIR_DOMAIN_CONSOLE_ {
        /// Even if somebody else has it, who loses it.
        FORCE = 1;
        /// Only if it can be had for one alone.
        SAFE = 2;
    }

    /// How a channel is opened.
    DomainChannelFlags: virDomainChannelFlags, VIR_DOMAIN_CHANNEL_ {
        /// Even if somebody else has it, who loses it.
        FORCE = 1;
    }

    /// How a display is opened.
    DomainOpenGraphicsFlags: virDomainOpenGraphicsFlags, VIR_DOMAIN_OPEN_GRAPHICS_ {
        /// Without authentication.
        SKIPAUTH = 1;
    }

    /// Which memory is looked at.
    DomainMemoryPeekFlags: virDomainMemoryFlags, VIR_MEMORY_ {
        /// By the guest's virtual addresses.
        VIRTUAL = 1;
        /// By the guest's physical addresses.
        PHYSICAL = 2;
    }
}

numbered! {
    /// Where addresses come from.
    InterfaceAddressesSource: virDomainInterfaceAddressesSource, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ {
        /// Leases of networks.
        Lease = 0,
        /// The guest agent.
        Agent = 1,
        /// The host's neighbour table.
        Arp = 2,
    }

    /// Which numbers keys have.
    KeycodeSet: virKeycodeSet, VIR_KEYCODE_SET_ {
        /// Linux's.
        Linux = 0,
        /// The XT keyboard's.
        Xt = 1,
        /// The AT keyboard's, set 1.
        AtSet1 as VIR_KEYCODE_SET_ATSET1 = 2,
        /// The AT keyboard's, set 2.
        AtSet2 as VIR_KEYCODE_SET_ATSET2 = 3,
        /// The AT keyboard's, set 3.
        AtSet3 as VIR_KEYCODE_SET_ATSET3 = 4,
        /// macOS's.
        Osx = 5,
        /// XT as Linux's keyboard driver has it.
        XtKbd = 6,
        /// USB's.
        Usb = 7,
        /// Windows's.
        Win32 = 8,
        /// QEMU's.
        Qnum = 9,
    }
}

numbered! {
    /// The family of an address.
    IpAddressFamily: virIPAddrType, VIR_IP_ADDR_TYPE_ {
        /// IPv4.
        Ipv4 = 0,
        /// IPv6.
        Ipv6 = 1,
    }
}

group! {
    /// What the guest agent does.
    DomainAgent {
        /// Freezes file systems (none named: all); how many.
        fn fs_freeze(domain: &DomainId, mountpoints: &[String]) -> u32: DomainFsfreeze;
        /// Thaws them; how many.
        fn fs_thaw(domain: &DomainId, mountpoints: &[String]) -> u32: DomainFsthaw;
        /// Gives unused blocks back, in runs of at least `minimum` bytes.
        fn fs_trim(domain: &DomainId, mountpoint: Option<&str>, minimum: u64) -> (): DomainFstrim;
        /// Mounted file systems.
        fn fs_info(domain: &DomainId) -> Vec<FsInfo>: DomainGetFsinfo;
        /// The guest's name.
        fn hostname(domain: &DomainId, flags: DomainGetHostnameFlags) -> String: DomainGetHostname;
        /// The guest's clock: seconds since 1970, and nanoseconds.
        fn time(domain: &DomainId) -> (i64, u32): DomainGetTime;
        /// Sets the guest's clock.
        fn set_time(domain: &DomainId, seconds: i64, nseconds: u32, flags: DomainSetTimeFlags) -> (): DomainSetTime;
        /// Sets a user's password.
        fn set_user_password(domain: &DomainId, user: &str, password: &str, flags: DomainSetUserPasswordFlags) -> (): DomainSetUserPassword;
        /// The processors as the guest sees them.
        fn guest_vcpus(domain: &DomainId) -> TypedParameters: DomainGetGuestVcpus;
        /// Switches processors in the guest.
        fn set_guest_vcpus(domain: &DomainId, cpus: CpuMap, enabled: bool) -> (): DomainSetGuestVcpus;
        /// Facts about the guest, of the kinds asked for (none: all).
        fn guest_info(domain: &DomainId, types: DomainGuestInfoTypes) -> TypedParameters: DomainGetGuestInfo;
        /// The keys that may log in as a user.
        fn authorized_ssh_keys(domain: &DomainId, user: &str) -> Vec<String>: DomainAuthorizedSshKeysGet;
        /// Sets those keys.
        fn set_authorized_ssh_keys(domain: &DomainId, user: &str, keys: &[String], flags: DomainAuthorizedSshKeysSetFlags) -> (): DomainAuthorizedSshKeysSet;
        /// How long its answers are waited for, seconds; −2 for ever, −1 as set up, 0 not at all.
        fn agent_set_response_timeout(domain: &DomainId, timeout: i32) -> (): DomainAgentSetResponseTimeout;
        /// Its interfaces' addresses.
        fn interface_addresses(domain: &DomainId, source: InterfaceAddressesSource) -> Vec<GuestInterface>: DomainInterfaceAddresses;
    }

    /// What a person at the machine does, and sees.
    DomainConsole {
        /// Presses keys together, for `hold_time` milliseconds.
        fn send_key(domain: &DomainId, codeset: KeycodeSet, hold_time: u32, keycodes: &[u32]) -> (): DomainSendKey;
        /// Signals a process of the guest (containers).
        fn send_process_signal(domain: &DomainId, pid: i64, signal: DomainProcessSignal) -> (): DomainSendProcessSignal;
        /// A console, to read and write; none named: the first.
        fn open_console(domain: &DomainId, device: Option<&str>, flags: DomainConsoleFlags) -> OwnedFd: DomainOpenConsole;
        /// A channel, to read and write; none named: the first.
        fn open_channel(domain: &DomainId, name: Option<&str>, flags: DomainChannelFlags) -> OwnedFd: DomainOpenChannel;
        /// A display by its number.
        fn open_graphics_fd(domain: &DomainId, index: u32, flags: DomainOpenGraphicsFlags) -> OwnedFd: DomainOpenGraphicsFd;
        /// What a screen shows: an image's media type, and the image to be read.
        fn screenshot(domain: &DomainId, screen: u32) -> (String, Transfer): DomainScreenshot;
        /// Memory of the guest, at most 65536 bytes at once.
        fn memory_peek(domain: &DomainId, offset: u64, size: u32, flags: DomainMemoryPeekFlags) -> Vec<u8>: DomainMemoryPeek;
        /// Content of a disk, at most 65536 bytes at once.
        fn block_peek(domain: &DomainId, disk: &str, offset: u64, size: u32) -> Vec<u8>: DomainBlockPeek;
    }
}
