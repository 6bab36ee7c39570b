//! Process capabilities of containers.

use virtbus_xml::{Content, Describe, Node, OnOff, Result, Value, Writer, xml_names};

xml_names! {
    /// What happens to capabilities that are not listed.
    pub enum CapabilitiesPolicy {
        Default = "default",
        Allow = "allow",
        Deny = "deny",
    }
}

xml_names! {
    /// A capability of Linux.
    pub enum Capability {
        AuditControl = "audit_control",
        AuditWrite = "audit_write",
        BlockSuspend = "block_suspend",
        Chown = "chown",
        DacOverride = "dac_override",
        DacReadSearch = "dac_read_search",
        Fowner = "fowner",
        Fsetid = "fsetid",
        IpcLock = "ipc_lock",
        IpcOwner = "ipc_owner",
        Kill = "kill",
        Lease = "lease",
        LinuxImmutable = "linux_immutable",
        MacAdmin = "mac_admin",
        MacOverride = "mac_override",
        Mknod = "mknod",
        NetAdmin = "net_admin",
        NetBindService = "net_bind_service",
        NetBroadcast = "net_broadcast",
        NetRaw = "net_raw",
        Setgid = "setgid",
        Setfcap = "setfcap",
        Setpcap = "setpcap",
        Setuid = "setuid",
        SysAdmin = "sys_admin",
        SysBoot = "sys_boot",
        SysChroot = "sys_chroot",
        SysModule = "sys_module",
        SysNice = "sys_nice",
        SysPacct = "sys_pacct",
        SysPtrace = "sys_ptrace",
        SysRawio = "sys_rawio",
        SysResource = "sys_resource",
        SysTime = "sys_time",
        SysTtyConfig = "sys_tty_config",
        Syslog = "syslog",
        WakeAlarm = "wake_alarm",
    }
}

/// One capability and whether the container has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapabilityFeature {
    /// Which.
    pub capability: Capability,
    /// Whether it has it.
    pub state: OnOff,
}

/// `<capabilities>`: Linux capabilities of a container; each is an element of its own, such as `<mknod state='on'/>`.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessCapabilities {
    /// What happens to capabilities that are not listed: `default` drops the dangerous ones, `allow` keeps all, `deny`
    /// drops all.
    #[xml(attr, absent = "default")]
    pub policy: Option<CapabilitiesPolicy>,
    /// Capabilities with a state of their own.
    #[xml(named = "state", value = Capability, many)]
    pub features: Vec<CapabilityFeature>,
}

impl Content for ProcessCapabilities {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut features = Vec::new();
        for child in node.elements() {
            if let Some(capability) = Capability::from_text(child.name()) {
                child.take();
                let state = child.attr_opt("state")?.unwrap_or(OnOff::On);
                features.push(CapabilityFeature { capability, state });
            }
        }
        features.sort_by_key(|f| f.capability);
        features.dedup_by_key(|f| f.capability);
        // That nothing is said about the others is said only beside those that are listed.
        let policy: Option<CapabilitiesPolicy> = node.attr_opt("policy")?;
        let policy = if features.is_empty() {
            policy.filter(|policy| *policy != CapabilitiesPolicy::Default)
        } else {
            Some(policy.unwrap_or(CapabilitiesPolicy::Default))
        };
        Ok(Self { policy, features })
    }

    fn attrs(&self, w: &mut Writer) {
        let policy = self.policy.unwrap_or(CapabilitiesPolicy::Default);
        if policy != CapabilitiesPolicy::Default || !self.features.is_empty() {
            w.attr("policy", &policy);
        }
    }

    fn children(&self, w: &mut Writer) {
        for feature in &self.features {
            w.attr_element(feature.capability.as_str(), "state", &feature.state);
        }
    }
}
