//! `org.libvirt.Domain`: a virtual machine or container.

use virtbus_api::connection::group;
use virtbus_api::domain::{
    DomainCreateFlags, DomainDestroyFlags, DomainLifecycle, DomainModificationImpact,
    DomainRebootFlags, DomainShutdownFlags, DomainUndefineFlags, DomainView, DomainXmlFlags,
    Domains, check,
};
use virtbus_api::{Error, Result};

use super::connect::no_flags;
use crate::declare::interface;
use crate::invocation::Context;
use crate::quirks::domain_id_property;
use crate::value::Parameters;

interface! {
    /// A domain: a virtual machine or container, running or defined.
    DOMAIN = "org.libvirt.Domain", view DomainView, flags;
    methods {
        /// Starts the defined domain. Flags are those of virDomainCreate.
        write Create(flags: u32) -> (): DomainCreate => create;
        /// Ends the domain at once, as pulling the plug would. Never waits for another call. Flags are those of virDomainDestroy.
        write Destroy(flags: u32) -> (): DomainDestroy => destroy;
        /// What the domain is doing: virDomainState and the state's reason.
        read GetState(flags: u32) -> (state: (i32, i32)): DomainGetState => get_state;
        /// Statistics of the groups that are asked for (virDomainStatsTypes; 0: all), by libvirt's names.
        read GetStats(stats: u32, flags: u32) -> (records: Parameters): DomainGetState => get_stats;
        /// The number of virtual CPUs: of the state that counts now, the running (1) or the stored definition (2), the maximum (4).
        read GetVcpus(flags: u32) -> (vcpus: u32): DomainGetVcpusFlags => get_vcpus;
        /// The domain's XML. Flags are those of virDomainGetXMLDesc.
        read GetXMLDesc(flags: u32) -> (xml: String): DomainGetXmlDesc => get_xml_desc;
        /// Injects a non-maskable interrupt into the guest.
        write InjectNMI(flags: u32) -> (): DomainInjectNmi => inject_nmi;
        /// Wakes a guest that suspended itself to memory.
        write PMWakeup(flags: u32) -> (): DomainPmWakeup => pm_wakeup;
        /// Asks the guest to reboot, and returns when it was asked. Flags are those of virDomainReboot.
        write Reboot(flags: u32) -> (): DomainReboot => reboot;
        /// Resets the machine as its reset button would.
        write Reset(flags: u32) -> (): DomainReset => reset;
        /// Lets the virtual CPUs run again.
        write Resume() -> (): DomainResume => resume;
        /// Asks the guest to shut down, and returns when it was asked. Flags are those of virDomainShutdown.
        write Shutdown(flags: u32) -> (): DomainShutdown => shutdown;
        /// Halts the virtual CPUs. Memory stays allocated.
        write Suspend() -> (): DomainSuspend => suspend;
        /// Takes the stored definition away; a running domain vanishes when it stops. Flags are those of virDomainUndefine.
        write Undefine(flags: u32) -> (): DomainUndefine => undefine;
    }
    properties {
        /// Whether a hypervisor's process stands behind the domain.
        Active: bool, emits Value: DomainIsActive => |view| Ok(view.is_active().into());
        /// Whether the domain is started with the host.
        Autostart: bool, emits Value: DomainGetAutostart => |view| Ok(view.autostart.into()), set DomainSetAutostart => set_autostart;
        /// The number of the running domain, 0 when it is off.
        Id: u32, emits Value: DomainLookupByUuid => |view| Ok(domain_id_property(view.id.id).into());
        /// The name, unique on the connection.
        Name: String, emits Value: DomainLookupByUuid => |view| Ok((&*view.id.name).into());
        /// What kind of guest it is, such as hvm.
        OSType: String, emits Value: DomainGetOsType => |view| Ok((&*view.os_type).into());
        /// Whether its definition outlives its run.
        Persistent: bool, emits Value: DomainIsPersistent => |view| Ok(view.persistent.into());
        /// Whether the stored definition was changed while it runs.
        Updated: bool, emits Value: DomainIsUpdated => |view| Ok(view.updated.into());
        /// The UUID, unique for ever.
        UUID: String, emits Const: DomainLookupByUuid => |view| Ok(view.id.uuid.to_string().into());
    }
    signals {
        /// The guest agent came (1) or went (2): state and reason.
        AgentEvent(state: i32, reason: i32);
        /// The guest's memory changed; KiB.
        BalloonChange(actual: u64);
        /// A device was added.
        DeviceAdded(device: String);
        /// The guest did not let a device go.
        DeviceRemovalFailed(device: String);
        /// A device is gone.
        DeviceRemoved(device: String);
        /// A graphics client connected (0), authenticated (1) or left (2).
        Graphics(phase: i32, local: (i32, String, String), remote: (i32, String, String), authScheme: String, identities: Vec<(String, String)>);
        /// Reading or writing a disk failed.
        IOError(srcPath: String, device: String, action: i32, reason: String);
        /// The guest suspended itself to memory.
        PMSuspend(reason: i32);
        /// The guest suspended itself to disk.
        PMSuspendDisk(reason: i32);
        /// The guest woke up.
        PMWakeup(reason: i32);
        /// The guest rebooted.
        Reboot();
        /// The guest set its clock; seconds from UTC.
        RTCChange(utcoffset: i64);
        /// The tray of a removable medium was opened (0) or closed (1).
        TrayChange(device: String, reason: i32);
        /// The watchdog fired.
        Watchdog(action: i32);
    }
}

fn domains<'a>(context: &Context<'a>, call: &str) -> Result<&'a dyn Domains> {
    group(context.connection.domains(), call)
}

fn lifecycle<'a>(context: &Context<'a>, call: &str) -> Result<&'a dyn DomainLifecycle> {
    group(context.connection.lifecycle(), call)
}

async fn create(context: Context<'_>, flags: u32) -> Result<()> {
    let flags: DomainCreateFlags = check(flags, "Create")?;
    lifecycle(&context, "DomainCreate")?
        .create(context.target.domain()?, flags)
        .await
}

async fn destroy(context: Context<'_>, flags: u32) -> Result<()> {
    let flags: DomainDestroyFlags = check(flags, "Destroy")?;
    lifecycle(&context, "DomainDestroy")?
        .destroy(context.target.domain()?, flags)
        .await
}

async fn get_state(context: Context<'_>, flags: u32) -> Result<(i32, i32)> {
    no_flags(flags, "GetState")?;
    let view = domains(&context, "DomainGetState")?
        .view(context.target.domain()?.uuid)
        .await?;
    Ok(view.state.numbers())
}

async fn get_stats(context: Context<'_>, groups: u32, flags: u32) -> Result<Parameters> {
    let (groups, flags) = (check(groups, "GetStats")?, check(flags, "GetStats")?);
    let statistics = group(context.connection.statistics(), "ConnectGetAllDomainStats")?;
    let parameters = statistics
        .stats(context.target.domain()?, groups, flags)
        .await?;
    Ok(Parameters(parameters, context.dialect.wrapping()))
}

async fn get_vcpus(context: Context<'_>, flags: u32) -> Result<u32> {
    const MAXIMUM: u32 = 4;
    const KNOWN: u32 = 3 | MAXIMUM;
    if flags & !KNOWN != 0 {
        return Err(Error::invalid_argument(format!(
            "GetVcpus does not know the flags {:#x}",
            flags & !KNOWN
        )));
    }
    let impact = DomainModificationImpact::from_bits_truncate(flags);
    let domain = context.target.domain()?;
    domains(&context, "DomainGetVcpusFlags")?
        .vcpus_flags(domain, impact, flags & MAXIMUM != 0)
        .await
}

async fn get_xml_desc(context: Context<'_>, flags: u32) -> Result<String> {
    let flags: DomainXmlFlags = check(flags, "GetXMLDesc")?;
    domains(&context, "DomainGetXmlDesc")?
        .xml_desc(context.target.domain()?, flags)
        .await
}

async fn inject_nmi(context: Context<'_>, flags: u32) -> Result<()> {
    no_flags(flags, "InjectNMI")?;
    lifecycle(&context, "DomainInjectNmi")?
        .inject_nmi(context.target.domain()?)
        .await
}

async fn pm_wakeup(context: Context<'_>, flags: u32) -> Result<()> {
    no_flags(flags, "PMWakeup")?;
    lifecycle(&context, "DomainPmWakeup")?
        .pm_wakeup(context.target.domain()?)
        .await
}

async fn reboot(context: Context<'_>, flags: u32) -> Result<()> {
    let flags: DomainRebootFlags = check(flags, "Reboot")?;
    lifecycle(&context, "DomainReboot")?
        .reboot(context.target.domain()?, flags)
        .await
}

async fn reset(context: Context<'_>, flags: u32) -> Result<()> {
    no_flags(flags, "Reset")?;
    lifecycle(&context, "DomainReset")?
        .reset(context.target.domain()?)
        .await
}

async fn resume(context: Context<'_>) -> Result<()> {
    lifecycle(&context, "DomainResume")?
        .resume(context.target.domain()?)
        .await
}

async fn shutdown(context: Context<'_>, flags: u32) -> Result<()> {
    let flags: DomainShutdownFlags = check(flags, "Shutdown")?;
    lifecycle(&context, "DomainShutdown")?
        .shutdown(context.target.domain()?, flags)
        .await
}

async fn suspend(context: Context<'_>) -> Result<()> {
    lifecycle(&context, "DomainSuspend")?
        .suspend(context.target.domain()?)
        .await
}

async fn undefine(context: Context<'_>, flags: u32) -> Result<()> {
    let flags: DomainUndefineFlags = check(flags, "Undefine")?;
    domains(&context, "DomainUndefine")?
        .undefine(context.target.domain()?, flags)
        .await
}

async fn set_autostart(context: Context<'_>, autostart: bool) -> Result<()> {
    domains(&context, "DomainSetAutostart")?
        .set_autostart(context.target.domain()?, autostart)
        .await
}
