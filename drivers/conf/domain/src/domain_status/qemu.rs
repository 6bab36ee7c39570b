//! What libvirt's QEMU driver keeps of a running guest: its process, paths, counters, and jobs.

use virtbus_conf_base::cpu::GuestCpu;
use virtbus_xml::{BitSet, Text, Xml, YesNo, xml_names};

use super::{BlockJobs, Job};
use crate::backup::Backup;

xml_names! {
    /// Kind of the monitor's connection.
    pub enum MonitorType {
        Unix = "unix",
        Pty = "pty",
    }
}

/// `<monitor>`: the monitor connection to QEMU.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Absolute path of the monitor's socket or terminal.
    #[xml(attr)]
    pub path: Text,
    /// Kind of connection: `unix` or `pty`.
    #[xml(attr = "type")]
    pub kind: Option<MonitorType>,
}

/// `<namespaces>`: Linux namespaces that QEMU's process has for itself.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// The process has a mount namespace of its own.
    #[xml(flag)]
    pub mount: bool,
}

/// `<vcpu>` in a status document: the thread of a virtual CPU.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct VcpuThread {
    /// Number of the virtual CPU.
    #[xml(attr)]
    pub id: Option<u32>,
    /// Thread ID on the host.
    #[xml(attr)]
    pub pid: u32,
}

/// `<vcpus>` in a status document: the threads of virtual CPUs.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VcpuThreads {
    /// Virtual CPUs that are online.
    #[xml(child)]
    pub vcpu: Vec<VcpuThread>,
}

/// `<qemuCaps>`: what the QEMU program supports that the guest was started with.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct QemuFlags {
    /// Names of capabilities, as libvirt defines them.
    #[xml(child_attr = "flag/name")]
    pub flags: Vec<Text>,
}

impl QemuFlags {
    /// Whether a capability is there.
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }
}

/// `<numad>`: where numad recommended to place the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Numad {
    /// NUMA nodes of the host that numad recommended.
    #[xml(attr)]
    pub nodeset: Option<BitSet>,
    /// Host CPUs that numad recommended.
    #[xml(attr)]
    pub cpuset: Option<BitSet>,
}

/// `<feature>`: something that the slirp process supports.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SlirpFeature {
    /// Name of the feature.
    #[xml(attr)]
    pub name: Text,
}

/// `<helper>`: a slirp process that connects an interface of `type='user'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SlirpHelper {
    /// Alias of the interface that it connects.
    #[xml(attr)]
    pub alias: Text,
    /// Process ID of the helper.
    #[xml(attr)]
    pub pid: u32,
    /// Features that the helper supports.
    #[xml(child)]
    pub feature: Vec<SlirpFeature>,
}

/// What the QEMU driver keeps of a running guest.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct QemuStatus {
    /// Monitor connection to QEMU.
    #[xml(child)]
    pub monitor: Option<Monitor>,
    /// The guest has a D-Bus daemon of its own.
    #[xml(flag = "dbusDaemon")]
    pub dbus_daemon: bool,
    /// The state of helper processes is migrated over D-Bus.
    #[xml(flag = "dbusVMState")]
    pub dbus_vm_state: bool,
    /// Linux namespaces that QEMU's process has for itself.
    #[xml(child, open)]
    pub namespaces: Option<Namespaces>,
    /// Threads of the virtual CPUs.
    #[xml(child, open)]
    pub vcpus: Option<VcpuThreads>,
    /// What the QEMU program supports that the guest was started with.
    #[xml(child = "qemuCaps", open)]
    pub capabilities: Option<QemuFlags>,
    /// State of the lock manager for the guest.
    #[xml(text_child)]
    pub lockstate: Option<Text>,
    /// Job that was running when the file was written.
    #[xml(child)]
    pub job: Option<Box<Job>>,
    /// The guest is reset instead of ended when it next powers off.
    #[xml(flag)]
    pub fakereboot: bool,
    /// Aliases of the devices that the guest has.
    #[xml(child_attr = "device/alias", wrap = "devices")]
    pub devices: Vec<Text>,
    /// Where numad recommended to place the guest.
    #[xml(child, skip_empty)]
    pub numad: Option<Numad>,
    /// Absolute path of the folder with the monitor socket and other files.
    #[xml(child_attr = "libDir/path")]
    pub lib_dir: Option<Text>,
    /// Absolute path of the folder with sockets of channels.
    #[xml(child_attr = "channelTargetDir/path")]
    pub channel_target_dir: Option<Text>,
    /// Absolute path of the folder with files behind the guest's memory.
    #[xml(child_attr = "memoryBackingDir/path")]
    pub memory_backing_dir: Option<Text>,
    /// Processor that the definition asked for, before it was matched with the host's.
    #[xml(child)]
    pub cpu: Option<Box<GuestCpu>>,
    /// Output of character devices is written by the log daemon (virtlogd).
    #[xml(flag = "chardevStdioLogd")]
    pub chardev_stdio_logd: bool,
    /// Owners of files were recorded before they were changed, and are restored later.
    #[xml(flag = "rememberOwner")]
    pub remember_owner: bool,
    /// Whether the guest may reboot, or is ended instead.
    #[xml(child_attr = "allowReboot/value")]
    pub allow_reboot: Option<YesNo>,
    /// A helper for SCSI persistent reservations (qemu-pr-helper) belongs to the guest.
    #[xml(flag = "prDaemon")]
    pub pr_daemon: bool,
    /// Number of the block node name that was used last.
    #[xml(child_attr = "nodename/index")]
    pub node_name_index: Option<u64>,
    /// Number of the descriptor set that was used last.
    #[xml(child_attr = "fdset/index")]
    pub fd_set_index: Option<u32>,
    /// The guest's memory was allocated at start.
    #[xml(flag = "memPrealloc")]
    pub mem_prealloc: bool,
    /// Block jobs of the guest.
    #[xml(child)]
    pub blockjobs: Option<Box<BlockJobs>>,
    /// slirp processes that connect interfaces.
    #[xml(child = "helper", wrap = "slirp")]
    pub slirp: Vec<SlirpHelper>,
    /// Seconds to wait for the guest agent; -2 waits for ever, -1 uses the default, 0 does not wait.
    #[xml(text_child = "agentTimeout")]
    pub agent_timeout: Option<i32>,
    /// Backup jobs of the guest.
    #[xml(child = "domainbackup", wrap = "backups")]
    pub backups: Vec<Backup>,
    /// Limit on locked memory before the driver raised it, in bytes.
    #[xml(text_child = "originalMemlock")]
    pub original_memlock: Option<u64>,
    /// Limit on locked memory before the driver raised it for a migration, in bytes.
    #[xml(text_child = "preMigrationMemlock")]
    pub pre_migration_memlock: Option<u64>,
}
