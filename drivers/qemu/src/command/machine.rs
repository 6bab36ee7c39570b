//! The machine itself: name, accelerator, CPU, memory, clock, how it boots and how it ends.

use std::collections::HashSet;

use virtbus_api::Result;
use virtbus_api::security::Access;
use virtbus_conf_base::YesNo;
use virtbus_conf_base::common::{MemoryAccess, VirtType};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::clock::{
    ClockBasis, ClockOffset, TickPolicy, TimerName, TimerTrack,
};
use virtbus_conf_domain::domain::lifecycle::LifecycleAction;
use virtbus_conf_domain::domain::memory::{MemoryAllocation, MemorySource};
use virtbus_conf_domain::domain::os::{BootDevice, Os};
use virtbus_qemu_capabilities::{Cap, Machine};

use super::{Builder, Props, cpu, escape, firmware, sound, unsupported};
use crate::definition;

/// What comes before the machine: name, confinement, nothing of QEMU's own defaults.
pub(super) fn head(builder: &mut Builder<'_>) -> Result<()> {
    let name = escape(&builder.definition.name);
    builder.option("-name", format!("guest={name},debug-threads=on"));
    // Halted until everything is set up; the driver releases the CPUs.
    builder.switch("-S");
    if builder.host.incoming {
        builder.option("-incoming", "defer");
    }
    builder.switch("-no-user-config");
    builder.switch("-nodefaults");
    if builder.host.seccomp && builder.has(Cap::SeccompSandbox) {
        builder.option(
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        );
    }
    Ok(())
}

/// Machine, CPU, memory, clock, power, boot.
pub(super) fn platform(builder: &mut Builder<'_>) -> Result<()> {
    let definition = builder.definition;
    let machine = machine_of(builder)?.clone();
    let kvm = is_kvm(definition)?;
    let memory_id = memory_backend(builder, &machine)?;
    let flash = firmware::add(builder)?;
    let mut options = machine_options(builder, &machine, kvm, memory_id.as_deref());
    for (property, node) in flash {
        options.push_str(&format!(",{property}={node}"));
    }
    builder.option("-machine", options);
    builder.option("-accel", if kvm { "kvm" } else { "tcg" });
    if let Some(cpu) = cpu::options(builder, kvm)? {
        builder.option("-cpu", cpu);
    }
    builder.option("-m", memory_options(definition));
    if !memory_locked(definition) {
        builder.option("-overcommit", "mem-lock=off");
    } else {
        builder.option("-overcommit", "mem-lock=on");
    }
    builder.option("-smp", smp_options(definition));
    iothreads(builder);
    if let Some(uuid) = definition.uuid {
        builder.option("-uuid", uuid.to_string());
    }
    let folder = crate::folder::guest_dir(builder.host.dir);
    builder.option("-pidfile", format!("{}/pid", folder.display()));
    // No window of QEMU's own; servers for graphics are added later.
    builder.option("-display", "none");
    let monitor = format!(
        "socket,id=charmonitor,fd={},server=on,wait=off",
        builder.host.monitor_fd
    );
    builder.option("-chardev", monitor);
    builder.option("-mon", "chardev=charmonitor,id=monitor,mode=control");
    clock(builder)?;
    power(builder);
    boot(builder)
}

/// What has to come last: the user's own arguments.
pub(super) fn tail(builder: &mut Builder<'_>) -> Result<()> {
    let Some(namespaces) = &builder.definition.namespaces else {
        return Ok(());
    };
    let extra = &namespaces.qemu;
    for argument in &extra.arg {
        builder.switch(argument);
    }
    if !extra.env.is_empty() {
        return Err(unsupported("<qemu:env> is not supported"));
    }
    if !extra.overrides.is_empty()
        || !extra.capability_add.is_empty()
        || !extra.capability_del.is_empty()
    {
        return Err(unsupported(
            "<qemu:override> and <qemu:capabilities> are not supported",
        ));
    }
    Ok(())
}

fn machine_of<'a>(builder: &Builder<'a>) -> Result<&'a Machine> {
    let name = builder.os.machine.machine.as_deref();
    let found = match name {
        Some(name) => builder.capabilities.machine(name),
        None => builder
            .capabilities
            .best()
            .and_then(|accelerated| accelerated.default_machine()),
    };
    found.ok_or_else(|| {
        unsupported(match name {
            Some(name) => format!("this emulator has no machine '{name}'"),
            None => "this emulator has no default machine, so <type machine='…'> must name one"
                .to_owned(),
        })
    })
}

fn is_kvm(definition: &Definition) -> Result<bool> {
    match definition.virt_type {
        VirtType::Kvm => Ok(true),
        VirtType::Qemu => Ok(false),
        other => Err(unsupported(format!(
            "domains of type '{other}' are not QEMU's"
        ))),
    }
}

/// The memory backend, for machines whose memory has a name; gives that name.
fn memory_backend(builder: &mut Builder<'_>, machine: &Machine) -> Result<Option<String>> {
    let definition = builder.definition;
    let Some(id) = machine.default_ram_id.clone() else {
        return Ok(None);
    };
    let backing = definition.memory_backing.as_ref();
    let size = memory_bytes(definition);
    let shared = backing
        .and_then(|backing| backing.access)
        .map(|access| access == MemoryAccess::Shared);
    let huge = backing.and_then(|backing| backing.hugepages.as_ref());
    let source = backing.and_then(|backing| backing.source);
    let mut props = match (source, huge) {
        (None | Some(MemorySource::Anonymous), None) => Props::object("memory-backend-ram", &id),
        (Some(MemorySource::Memfd), huge) => {
            let props = Props::object("memory-backend-memfd", &id);
            match huge {
                Some(pages) => {
                    let first = pages.page.first();
                    let size = first.map(|page| page.size.0.saturating_mul(1024));
                    props.set("hugetlb", true).set_opt("hugetlbsize", size)
                }
                None => props,
            }
        }
        (Some(MemorySource::File), None) => {
            return Err(unsupported(
                "memory in files (<memoryBacking><source type='file'/>) is not supported",
            ));
        }
        (_, Some(_)) => {
            return Err(unsupported(
                "huge pages need <memoryBacking><source type='memfd'/>",
            ));
        }
    };
    props = props.set_opt("share", shared);
    if backing
        .and_then(|backing| backing.allocation)
        .and_then(|allocation| allocation.mode)
        == Some(MemoryAllocation::Immediate)
    {
        props = props.set("prealloc", true);
    }
    if backing.is_some_and(|backing| backing.nosharepages) {
        props = props.set("merge", false);
    }
    builder.object(&props.set("size", size));
    Ok(Some(id))
}

fn machine_options(
    builder: &Builder<'_>,
    machine: &Machine,
    kvm: bool,
    memory: Option<&str>,
) -> String {
    let definition = builder.definition;
    let features = definition.features.as_ref();
    let x86 = matches!(builder.capabilities.arch.as_str(), "x86_64" | "i686");
    let pc = x86 && !machine.name.starts_with("microvm") && machine.name != "none";
    let mut text = machine.name.clone();
    let mut add = |name: &str, value: &str| {
        text.push(',');
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    };
    let on_off = |on: bool| if on { "on" } else { "off" };
    if pc {
        // Controllers that the definition names are devices.
        add("usb", "off");
    }
    if let Some(vmport) = features.and_then(|features| features.vmport) {
        add("vmport", vmport.0.as_str());
    }
    if let Some(smm) = features.and_then(|features| features.smm.as_deref()) {
        add("smm", smm.state.as_str());
    }
    let dump = definition
        .memory
        .and_then(|memory| memory.dump_core)
        .map_or("off", |dump| dump.as_str());
    add("dump-guest-core", dump);
    if let Some(memory) = memory {
        add("memory-backend", memory);
    }
    if let Some(audiodev) = sound::speaker(builder) {
        add("pcspk-audiodev", &audiodev);
    }
    if let Some(driver) = features.and_then(|features| features.ioapic) {
        let split = driver == virtbus_conf_domain::domain::features::IoApicDriver::Qemu;
        if kvm {
            add("kernel-irqchip", if split { "split" } else { "on" });
        }
    }
    if builder.has(Cap::MachineHpet)
        && let Some(timer) = timer(definition, TimerName::Hpet)
    {
        add("hpet", on_off(timer.present != Some(YesNo::No)));
    }
    // A guest sees ACPI if its definition says so, as libvirt has it for x86.
    if x86 && machine.acpi != Some(false) {
        add(
            "acpi",
            on_off(features.is_some_and(|features| features.acpi)),
        );
    }
    text
}

/// What the definition says of a timer.
pub(super) fn timer(
    definition: &Definition,
    name: TimerName,
) -> Option<&virtbus_conf_domain::domain::clock::Timer> {
    definition
        .clock
        .as_ref()?
        .timer
        .iter()
        .find(|timer| timer.name == name)
}

fn memory_options(definition: &Definition) -> String {
    // Written in KiB, so that no size is rounded.
    let size = memory_bytes(definition) / 1024;
    match &definition.max_memory {
        Some(most) => {
            format!(
                "size={size}k,slots={},maxmem={}k",
                most.slots.unwrap_or(0),
                most.size.0
            )
        }
        None => format!("size={size}k"),
    }
}

/// Whether all of the guest's memory is to stay in the host's.
pub(super) fn memory_locked(definition: &Definition) -> bool {
    definition
        .memory_backing
        .as_ref()
        .is_some_and(|backing| backing.locked)
}

fn smp_options(definition: &Definition) -> String {
    let most = definition::vcpus(definition, true);
    let now = definition::vcpus(definition, false);
    let mut text = if now < most {
        format!("{now},maxcpus={most}")
    } else {
        most.to_string()
    };
    let topology = definition.cpu.as_ref().and_then(|cpu| cpu.topology);
    match topology {
        Some(topology) => {
            text.push_str(&format!(",sockets={}", topology.sockets));
            for (name, value) in [("dies", topology.dies), ("clusters", topology.clusters)] {
                if let Some(value) = value.filter(|value| *value > 1) {
                    text.push_str(&format!(",{name}={value}"));
                }
            }
            text.push_str(&format!(
                ",cores={},threads={}",
                topology.cores, topology.threads
            ));
        }
        None => text.push_str(&format!(",sockets={most},cores=1,threads=1")),
    }
    text
}

fn iothreads(builder: &mut Builder<'_>) {
    for id in iothread_numbers(builder.definition) {
        builder.object(&Props::object("iothread", &format!("iothread{id}")));
    }
}

fn clock(builder: &mut Builder<'_>) -> Result<()> {
    let definition = builder.definition;
    let offset = definition.clock.as_ref().map(|clock| &clock.offset);
    let mut text = match offset {
        None | Some(ClockOffset::Utc(_)) => "base=utc".to_owned(),
        Some(ClockOffset::Localtime(_)) => "base=localtime".to_owned(),
        Some(ClockOffset::Variable(clock)) => {
            let basis = clock.basis.unwrap_or(ClockBasis::Utc);
            match (clock.adjustment.unwrap_or(0), basis) {
                (0, ClockBasis::Utc) => "base=utc".to_owned(),
                (0, ClockBasis::Localtime) => "base=localtime".to_owned(),
                (seconds, ClockBasis::Utc) => {
                    format!("base={}", shown(now().checked_add(seconds))?)
                }
                (_, ClockBasis::Localtime) => {
                    return Err(unsupported(
                        "a clock cannot be adjusted relative to local time",
                    ));
                }
            }
        }
        Some(ClockOffset::Timezone(_)) => {
            return Err(unsupported(
                "clocks of a time zone of their own (<clock offset='timezone'>) are not supported",
            ));
        }
        Some(ClockOffset::Absolute(clock)) => {
            format!("base={}", shown(i64::try_from(clock.start).ok())?)
        }
    };
    if let Some(rtc) = timer(definition, TimerName::Rtc) {
        match rtc.track {
            Some(TimerTrack::Guest) => text.push_str(",clock=vm"),
            Some(TimerTrack::Realtime) => text.push_str(",clock=rt"),
            // The host's, as without a word.
            Some(TimerTrack::Wall | TimerTrack::Boot) | None => {}
        }
        if rtc.tickpolicy == Some(TickPolicy::Catchup) {
            text.push_str(",driftfix=slew");
        }
    }
    builder.option("-rtc", text);
    let ticks = timer(definition, TimerName::Pit).and_then(|pit| pit.tickpolicy);
    if let Some(policy @ (TickPolicy::Delay | TickPolicy::Discard)) = ticks
        && builder.has(Cap::KvmPitLostTickPolicy)
    {
        builder.option("-global", format!("kvm-pit.lost_tick_policy={policy}"));
    }
    let hpet = timer(definition, TimerName::Hpet).and_then(|hpet| hpet.present);
    if hpet == Some(YesNo::No) && !builder.has(Cap::MachineHpet) && chipset(builder.os).is_some() {
        // An option of its own before it was a property of the machine.
        builder.switch("-no-hpet");
    }
    Ok(())
}

/// The beginning of the year 1, seconds since 1970.
const FIRST_DATE: i64 = -62_135_596_800;

/// A date that QEMU can read: it has four digits for the year.
fn shown(seconds: Option<i64>) -> Result<String> {
    match seconds {
        Some(seconds) if (FIRST_DATE..=definition::values::LAST_DATE).contains(&seconds) => {
            Ok(date(seconds))
        }
        _ => Err(unsupported(
            "<clock> leads beyond the years that a clock can show",
        )),
    }
}

fn now() -> i64 {
    let elapsed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds since 1970 as `YYYY-MM-DDThh:mm:ss` in UTC (civil-from-days, proleptic Gregorian calendar).
fn date(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// The machine stays when the guest powers off, and the driver decides what becomes of it.
fn power(builder: &mut Builder<'_>) {
    builder.switch("-no-shutdown");
    if builder.definition.on_reboot == Some(LifecycleAction::Destroy) {
        builder.switch("-no-reboot");
    }
    let Some(pm) = &builder.definition.pm else {
        return;
    };
    let Some(chipset) = chipset(builder.os) else {
        return;
    };
    for (name, state) in [
        ("disable_s3", pm.suspend_to_mem),
        ("disable_s4", pm.suspend_to_disk),
    ] {
        if let Some(state) = state {
            builder.option(
                "-global",
                format!("{chipset}.{name}={}", u32::from(!state.is_yes())),
            );
        }
    }
}

fn chipset(os: &Os) -> Option<&'static str> {
    let machine = os.machine.machine.as_deref().unwrap_or("pc");
    if definition::is_q35(machine) {
        Some("ICH9-LPC")
    } else if machine == "pc" || machine.starts_with("pc-i440fx") {
        Some("PIIX4_PM")
    } else {
        None
    }
}

/// Memory comes in pieces of this size, bytes.
const MEMORY_UNIT: u64 = 1 << 20;

/// Memory at the start, bytes: whole pieces, which QEMU would round a machine's memory to but not what backs it.
fn memory_bytes(definition: &Definition) -> u64 {
    let bytes = definition::max_memory(definition).saturating_mul(1024);
    bytes.checked_next_multiple_of(MEMORY_UNIT).unwrap_or(bytes)
}

/// The numbers of the I/O threads.
fn iothread_numbers(definition: &Definition) -> Vec<u32> {
    let named = definition
        .iothreadids
        .as_ref()
        .map(|ids| ids.iothread.iter().map(|thread| thread.id).collect());
    let mut numbers: Vec<u32> = named.unwrap_or_default();
    let taken: HashSet<u32> = numbers.iter().copied().collect();
    let wanted = usize::try_from(definition.iothreads.unwrap_or(0)).unwrap_or(0);
    let more = wanted.saturating_sub(numbers.len());
    numbers.extend((1..).filter(|number| !taken.contains(number)).take(more));
    numbers
}

fn boot(builder: &mut Builder<'_>) -> Result<()> {
    let os = builder.os;
    let mut options = Vec::new();
    if let Some(menu) = &os.bootmenu {
        options.push(format!(
            "menu={}",
            if menu.enable.is_yes() { "on" } else { "off" }
        ));
        if let Some(timeout) = menu.timeout {
            options.push(format!("splash-time={timeout}"));
        }
    }
    if let Some(timeout) = os.bios.as_ref().and_then(|bios| bios.reboot_timeout) {
        options.push(format!("reboot-timeout={timeout}"));
    }
    let per_device = definition::has_device_boot_order(builder.definition);
    if !per_device && !os.boot.is_empty() && os.direct.kernel.is_none() {
        let order: String = os
            .boot
            .iter()
            .map(|device| match device {
                BootDevice::Fd => 'a',
                BootDevice::Hd => 'c',
                BootDevice::Cdrom => 'd',
                BootDevice::Network => 'n',
            })
            .collect();
        options.push(format!("order={order}"));
    }
    options.push("strict=on".to_owned());
    builder.option("-boot", options.join(","));
    let (kernel, initrd, dtb) = (
        os.direct.kernel.clone(),
        os.direct.initrd.clone(),
        os.direct.dtb.clone(),
    );
    for (name, file) in [("-kernel", kernel), ("-initrd", initrd), ("-dtb", dtb)] {
        if let Some(file) = file {
            let file = builder.holds(&file, Access::ReadOnly);
            builder.option(name, file);
        }
    }
    if let Some(cmdline) = os.direct.cmdline.clone() {
        builder.option("-append", cmdline);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{date, shown};

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01T00:00:00");
        assert_eq!(date(951_827_696), "2000-02-29T12:34:56");
        assert_eq!(date(-1), "1969-12-31T23:59:59");
        assert_eq!(date(1_795_132_800), "2026-11-20T00:00:00");
        assert_eq!(shown(Some(-62_135_596_800)).unwrap(), "0001-01-01T00:00:00");
        let last = crate::definition::values::LAST_DATE;
        assert_eq!(shown(Some(last)).unwrap(), "9999-12-31T23:59:59");
        for beyond in [None, Some(last + 1), Some(-62_135_596_801), Some(i64::MIN)] {
            shown(beyond).unwrap_err();
        }
    }
}
