//! The guest agent's commands. As in [`crate::commands`], replies name only what
//! somebody reads, and nothing is interpreted.

use serde::{Deserialize, Serialize};

use crate::command::{commands, words};
use crate::{Nothing, Secret};

words! {
    /// How a guest is shut down.
    ShutdownMode {
        /// Stop the processors, stay on.
        Halt = "halt",
        /// Turn off.
        Powerdown = "powerdown",
        /// Boot again.
        Reboot = "reboot",
    }

    /// Whether file systems are frozen.
    FreezeStatus {
        /// They are not.
        Thawed = "thawed",
        /// At least one is.
        Frozen = "frozen",
    }
}

commands! {
    /// Does nothing.
    Ping = "guest-ping" -> Nothing;
    /// The agent's version and commands.
    Info = "guest-info" -> AgentInfo;
    /// Shuts the guest down. For [`super::Agent::execute_without_reply`].
    Shutdown(
        /// How.
        mode: ShutdownMode,
    ) = "guest-shutdown" -> Nothing;
    /// Hibernates the guest. For [`super::Agent::execute_without_reply`].
    SuspendDisk = "guest-suspend-disk" -> Nothing;
    /// Lets the guest sleep in memory. For [`super::Agent::execute_without_reply`].
    SuspendRam = "guest-suspend-ram" -> Nothing;
    /// Lets the guest sleep in memory with a copy on disk. For
    /// [`super::Agent::execute_without_reply`].
    SuspendHybrid = "guest-suspend-hybrid" -> Nothing;
    /// The operating system.
    GetOsinfo = "guest-get-osinfo" -> OsInfo;
    /// The time zone.
    GetTimezone = "guest-get-timezone" -> Timezone;
    /// The host name.
    GetHostName = "guest-get-host-name" -> HostName;
    /// Who is logged in.
    GetUsers = "guest-get-users" -> Vec<User>;
    /// The mounted file systems.
    GetFsinfo = "guest-get-fsinfo" within 60 -> Vec<Filesystem>;
    /// The disks and partitions.
    GetDisks = "guest-get-disks" -> Vec<Disk>;
    /// Whether file systems are frozen.
    FsfreezeStatus = "guest-fsfreeze-status" -> FreezeStatus;
    /// Freezes all file systems and gives their number. The guest's own hooks may take long.
    FsfreezeFreeze = "guest-fsfreeze-freeze" within 300 -> u64;
    /// Freezes some file systems and gives their number.
    FsfreezeFreezeList(
        /// Where they are mounted.
        mountpoints: Vec<String>,
    ) = "guest-fsfreeze-freeze-list" within 300 -> u64;
    /// Thaws all file systems and gives their number.
    FsfreezeThaw = "guest-fsfreeze-thaw" within 300 -> u64;
    /// Gives unused blocks back to the host.
    Fstrim[
        /// Shortest run of unused bytes that is worth it.
        minimum: u64,
    ] = "guest-fstrim" within 600 -> Nothing;
    /// The network interfaces.
    NetworkGetInterfaces = "guest-network-get-interfaces" -> Vec<NetworkInterface>;
    /// Nanoseconds since 1970 by the guest's clock.
    GetTime = "guest-get-time" -> i64;
    /// Sets the guest's clock, from its hardware clock if no time is given.
    SetTime[
        /// Nanoseconds since 1970.
        time: i64,
    ] = "guest-set-time" -> Nothing;
    /// The processors as the guest sees them.
    GetVcpus = "guest-get-vcpus" -> Vec<Vcpu>;
    /// Turns processors on or off; gives how many were done, from the first.
    SetVcpus(
        /// What is wanted.
        vcpus: Vec<VcpuState>,
    ) = "guest-set-vcpus" -> u64;
    /// The keys with which one may log in.
    SshGetAuthorizedKeys(
        /// Whose.
        username: String,
    ) = "guest-ssh-get-authorized-keys" -> AuthorizedKeys;
    /// Adds keys with which one may log in.
    SshAddAuthorizedKeys(
        /// Whose.
        username: String,
        /// The keys.
        keys: Vec<String>,
    )[
        /// Whether all others are dropped.
        reset: bool,
    ] = "guest-ssh-add-authorized-keys" -> Nothing;
    /// Drops keys with which one may log in.
    SshRemoveAuthorizedKeys(
        /// Whose.
        username: String,
        /// The keys.
        keys: Vec<String>,
    ) = "guest-ssh-remove-authorized-keys" -> Nothing;
    /// Sets a user's password; see [`SetUserPassword::new`].
    SetUserPassword(
        /// Whose.
        username: String,
        /// The password in base64.
        password: Secret,
        /// Whether it is hashed already.
        crypted: bool,
    ) = "guest-set-user-password" within 60 -> Nothing;
}

impl SetUserPassword {
    /// Encodes the password as the agent wants it.
    pub fn new(username: String, password: &[u8], crypted: bool) -> Self {
        Self {
            username,
            password: Secret(base64(password)),
            crypted,
        }
    }
}

/// A processor's wanted state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VcpuState {
    /// Its number in the guest.
    pub logical_id: i64,
    /// Whether it is to run.
    pub online: bool,
}

/// Declares replies: plain structs, spelled on the wire with `-` for `_`.
macro_rules! replies {
    ($( $(#[$meta:meta])* $name:ident { $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* $(,)? } )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }
    )*};
}

replies! {
    /// The agent.
    AgentInfo {
        /// Its version.
        version: String,
        /// Its commands.
        #[serde(rename = "supported_commands", default)]
        supported_commands: Vec<AgentCommand>,
    }
    /// A command of the agent's.
    AgentCommand {
        /// Its name.
        name: String,
        /// Whether the guest's administrator allows it.
        enabled: bool,
        /// Whether it answers when it succeeds.
        #[serde(default = "yes")]
        success_response: bool,
    }
    /// The operating system, in the words of the guest's `os-release`.
    OsInfo {
        /// `ID`, such as `debian`.
        id: Option<String>,
        /// `NAME`.
        name: Option<String>,
        /// `PRETTY_NAME`.
        pretty_name: Option<String>,
        /// `VERSION`.
        version: Option<String>,
        /// `VERSION_ID`.
        version_id: Option<String>,
        /// `VARIANT`.
        variant: Option<String>,
        /// `VARIANT_ID`.
        variant_id: Option<String>,
        /// The kernel's release.
        kernel_release: Option<String>,
        /// The kernel's version.
        kernel_version: Option<String>,
        /// The machine's architecture.
        machine: Option<String>,
    }
    /// A time zone.
    Timezone {
        /// Its name.
        zone: Option<String>,
        /// Seconds east of Greenwich.
        offset: i64,
    }
    /// The host name.
    HostName {
        /// The name.
        host_name: String,
    }
    /// Somebody who is logged in.
    User {
        /// Who.
        user: String,
        /// Windows domain.
        domain: Option<String>,
        /// Since when, in seconds since 1970.
        login_time: f64,
    }
    /// A mounted file system.
    Filesystem {
        /// The device's name.
        name: String,
        /// Where it is mounted.
        mountpoint: String,
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// Bytes used.
        used_bytes: Option<u64>,
        /// Bytes altogether.
        total_bytes: Option<u64>,
        /// What disks it is on.
        #[serde(default)]
        disk: Vec<DiskAddress>,
    }
    /// Where a disk is connected.
    DiskAddress {
        /// `virtio`, `scsi`, `ide`, `sata`, `nvme`, …
        bus_type: String,
        /// Bus.
        bus: i64,
        /// Target.
        target: i64,
        /// Unit.
        unit: i64,
        /// The controller.
        pci_controller: PciAddress,
        /// Serial number.
        serial: Option<String>,
        /// Device node.
        dev: Option<String>,
        /// Address on a channel (s390x).
        ccw_address: Option<CcwAddress>,
    }
    /// A PCI address; −1 where the agent could not tell.
    PciAddress {
        /// Domain.
        domain: i64,
        /// Bus.
        bus: i64,
        /// Slot.
        slot: i64,
        /// Function.
        function: i64,
    }
    /// A channel device's address.
    CcwAddress {
        /// Channel subsystem image.
        cssid: u32,
        /// Subchannel set.
        ssid: u32,
        /// Subchannel.
        subchno: u32,
        /// Device number.
        devno: u32,
    }
    /// A disk or partition.
    Disk {
        /// Device node.
        name: String,
        /// Whether it is a partition.
        partition: bool,
        /// What it is made of.
        #[serde(default)]
        dependencies: Vec<String>,
        /// Where it is connected.
        address: Option<DiskAddress>,
        /// What it is called above, such as an LVM name.
        alias: Option<String>,
    }
    /// A network interface.
    NetworkInterface {
        /// Its name.
        name: String,
        /// Its hardware address.
        hardware_address: Option<String>,
        /// Its addresses.
        #[serde(default)]
        ip_addresses: Vec<IpAddress>,
    }
    /// An address of a network interface.
    IpAddress {
        /// The address.
        ip_address: String,
        /// `ipv4` or `ipv6`.
        ip_address_type: String,
        /// Bits of the network part.
        prefix: u32,
    }
    /// A processor as the guest sees it.
    Vcpu {
        /// Its number in the guest.
        logical_id: i64,
        /// Whether it runs.
        online: bool,
        /// Whether it can be turned off.
        can_offline: Option<bool>,
    }
    /// Keys with which one may log in.
    AuthorizedKeys {
        /// The keys.
        keys: Vec<String>,
    }
}

fn yes() -> bool {
    true
}

/// Standard base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .chain(&[0, 0])
            .take(3)
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        for place in 0..4 {
            let digit = word >> (18 - 6 * place) & 63;
            text.push(if place <= group.len() {
                char::from(ALPHABET[digit as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{AgentInfo, Filesystem, SetUserPassword, base64};

    #[test]
    fn base64_pads() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}\u{3fe}", "w7/Ivg=="),
        ] {
            if plain.is_ascii() {
                assert_eq!(base64(plain.as_bytes()), coded);
            }
        }
        assert_eq!(base64(&[0xff, 0xfb]), "//s=");
    }

    #[test]
    fn a_password_is_not_shown() {
        let command = SetUserPassword::new("root".to_owned(), b"secret", false);
        assert!(!format!("{command:?}").contains(&base64(b"secret")));
        let json = serde_json::to_string(&command).unwrap();
        assert_eq!(
            json,
            r#"{"username":"root","password":"c2VjcmV0","crypted":false}"#
        );
    }

    #[test]
    fn old_agents_leave_members_out() {
        let info: AgentInfo = serde_json::from_str(
            r#"{"version": "1.0", "supported_commands": [{"name": "guest-ping", "enabled": true}]}"#,
        )
        .unwrap();
        assert!(info.supported_commands[0].success_response);
        let filesystems: Vec<Filesystem> = serde_json::from_str(
            r#"[{"name": "vda1", "mountpoint": "/", "type": "ext4", "disk":
                [{"bus-type": "virtio", "bus": 0, "target": 0, "unit": 0,
                  "pci-controller": {"domain": 0, "bus": 0, "slot": 5, "function": 0}}]}]"#,
        )
        .unwrap();
        assert_eq!(filesystems[0].disk[0].pci_controller.slot, 5);
        assert_eq!(filesystems[0].total_bytes, None);
    }
}
