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

/// `<monitor>`: the connection to the guest's process.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Path of the socket or terminal.
    #[xml(attr)]
    pub path: Text,
    /// What it is.
    #[xml(attr = "type")]
    pub kind: Option<MonitorType>,
}

/// `<namespaces>`: the kernel's name spaces that the process has for itself.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Whether it has file systems of its own.
    #[xml(flag)]
    pub mount: bool,
}

/// `<vcpu>` in a status document: the thread of a virtual CPU.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct VcpuThread {
    /// Number of the virtual CPU.
    #[xml(attr)]
    pub id: Option<u32>,
    /// Number of the thread.
    #[xml(attr)]
    pub pid: u32,
}

/// `<vcpus>` in a status document.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VcpuThreads {
    /// Those that are on.
    #[xml(child)]
    pub vcpu: Vec<VcpuThread>,
}

/// `<qemuCaps>`: what the program could do that the guest was started with.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct QemuFlags {
    /// Names of capabilities, which are libvirt's.
    #[xml(child_attr = "flag/name")]
    pub flags: Vec<Text>,
}

impl QemuFlags {
    /// Whether a capability is there.
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }
}

/// `<numad>`: where automatic placement has put the guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Numad {
    /// Nodes of the host.
    #[xml(attr)]
    pub nodeset: Option<BitSet>,
    /// Processors of the host.
    #[xml(attr)]
    pub cpuset: Option<BitSet>,
}

/// `<feature>` of a slirp helper.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SlirpFeature {
    /// Its name.
    #[xml(attr)]
    pub name: Text,
}

/// `<helper>`: a process that connects an interface of `type='user'`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct SlirpHelper {
    /// Alias of the interface.
    #[xml(attr)]
    pub alias: Text,
    /// Number of the process.
    #[xml(attr)]
    pub pid: u32,
    /// What it can do.
    #[xml(child)]
    pub feature: Vec<SlirpFeature>,
}

/// What the QEMU driver keeps of a guest.
#[derive(Xml, Debug, Clone, Default, PartialEq)]
pub struct QemuStatus {
    /// The connection to the process.
    #[xml(child)]
    pub monitor: Option<Monitor>,
    /// Whether the guest has a D-Bus daemon.
    #[xml(flag = "dbusDaemon")]
    pub dbus_daemon: bool,
    /// Whether state of helpers goes over that.
    #[xml(flag = "dbusVMState")]
    pub dbus_vm_state: bool,
    /// Name spaces of its own.
    #[xml(child, open)]
    pub namespaces: Option<Namespaces>,
    /// Threads of virtual CPUs.
    #[xml(child, open)]
    pub vcpus: Option<VcpuThreads>,
    /// What the program can do.
    #[xml(child = "qemuCaps", open)]
    pub capabilities: Option<QemuFlags>,
    /// What the lock manager keeps.
    #[xml(text_child)]
    pub lockstate: Option<Text>,
    /// What is being done to the guest.
    #[xml(child)]
    pub job: Option<Box<Job>>,
    /// Whether the guest is to be reset rather than ended when it powers off.
    #[xml(flag)]
    pub fakereboot: bool,
    /// Aliases of the devices that there are.
    #[xml(child_attr = "device/alias", wrap = "devices")]
    pub devices: Vec<Text>,
    /// Where automatic placement has put it.
    #[xml(child, skip_empty)]
    pub numad: Option<Numad>,
    /// Folder of its monitor and other files.
    #[xml(child_attr = "libDir/path")]
    pub lib_dir: Option<Text>,
    /// Folder of the sockets of its channels.
    #[xml(child_attr = "channelTargetDir/path")]
    pub channel_target_dir: Option<Text>,
    /// Folder of files that back its memory.
    #[xml(child_attr = "memoryBackingDir/path")]
    pub memory_backing_dir: Option<Text>,
    /// The processor that was asked for, before it was held against what the host has.
    #[xml(child)]
    pub cpu: Option<Box<GuestCpu>>,
    /// Whether a daemon writes what character devices put out.
    #[xml(flag = "chardevStdioLogd")]
    pub chardev_stdio_logd: bool,
    /// Whether owners of files were noted before they were changed.
    #[xml(flag = "rememberOwner")]
    pub remember_owner: bool,
    /// Whether the guest may reboot.
    #[xml(child_attr = "allowReboot/value")]
    pub allow_reboot: Option<YesNo>,
    /// Whether it has a helper for persistent reservations.
    #[xml(flag = "prDaemon")]
    pub pr_daemon: bool,
    /// The last number of a block node.
    #[xml(child_attr = "nodename/index")]
    pub node_name_index: Option<u64>,
    /// The last number of a set of descriptors.
    #[xml(child_attr = "fdset/index")]
    pub fd_set_index: Option<u32>,
    /// Whether memory was allocated at start.
    #[xml(flag = "memPrealloc")]
    pub mem_prealloc: bool,
    /// Jobs of disks.
    #[xml(child)]
    pub blockjobs: Option<Box<BlockJobs>>,
    /// Helpers of interfaces.
    #[xml(child = "helper", wrap = "slirp")]
    pub slirp: Vec<SlirpHelper>,
    /// Seconds to wait for the guest's agent; below zero, what is told in that way.
    #[xml(text_child = "agentTimeout")]
    pub agent_timeout: Option<i32>,
    /// Backups that are being made.
    #[xml(child = "domainbackup", wrap = "backups")]
    pub backups: Vec<Backup>,
    /// Limit of locked memory before it was raised, in bytes.
    #[xml(text_child = "originalMemlock")]
    pub original_memlock: Option<u64>,
    /// The same, before a migration.
    #[xml(text_child = "preMigrationMemlock")]
    pub pre_migration_memlock: Option<u64>,
}
