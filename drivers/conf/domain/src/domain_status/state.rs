//! The state of a guest, why it is in it, and what of it is not supported, as status documents name them.

use virtbus_xml::xml_names;

xml_names! {
    /// State of a guest.
    pub enum DomainState {
        NoState = "nostate",
        Running = "running",
        Blocked = "blocked",
        Paused = "paused",
        Shutdown = "shutdown",
        Shutoff = "shutoff",
        Crashed = "crashed",
        PmSuspended = "pmsuspended",
    }
}

xml_names! {
    /// Why a guest is in its state. Which states have which reasons is for the driver.
    pub enum StateReason {
        Unknown = "unknown",
        Booted = "booted",
        Migrated = "migrated",
        Restored = "restored",
        FromSnapshot = "from snapshot",
        Unpaused = "unpaused",
        MigrationCanceled = "migration canceled",
        SaveCanceled = "save canceled",
        Wakeup = "wakeup",
        Crashed = "crashed",
        PostCopy = "post-copy",
        PostCopyFailed = "post-copy failed",
        User = "user",
        Migration = "migration",
        Save = "save",
        Dump = "dump",
        IoError = "ioerror",
        Watchdog = "watchdog",
        Shutdown = "shutdown",
        Snapshot = "snapshot",
        Panicked = "panicked",
        StartingUp = "starting up",
        ApiError = "api error",
        Destroyed = "destroyed",
        Saved = "saved",
        Failed = "failed",
        Daemon = "daemon",
    }
}

xml_names! {
    /// Something of a guest that nobody supports.
    pub enum Taint {
        CustomArgv = "custom-argv",
        CustomMonitor = "custom-monitor",
        HighPrivileges = "high-privileges",
        ShellScripts = "shell-scripts",
        DiskProbing = "disk-probing",
        ExternalLaunch = "external-launch",
        HostCpu = "host-cpu",
        HookScript = "hook-script",
        CdromPassthrough = "cdrom-passthrough",
        CustomDtb = "custom-dtb",
        CustomGuestAgentCommand = "custom-ga-command",
        CustomHypervisorFeature = "custom-hypervisor-feature",
        DeprecatedConfig = "deprecated-config",
        CustomDevice = "custom-device",
    }
}
