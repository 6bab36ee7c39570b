//! What a definition may ask for and QEMU would not be told of. It is refused by name: somebody may rely on it for a guest's data, its
//! isolation, its performance, or for what the guest sees of its machine.
//!
//! What only this driver's command line lacks is listed here; what an emulator lacks is refused where the command line is made.

mod devices;
#[cfg(test)]
mod tests;

use virtbus_api::{Error, ErrorCode, ErrorDomain};
use virtbus_conf_base::YesNo;
use virtbus_conf_base::common::{SecLabel, SecLabelType, VirtType};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::clock::{Clock, TickPolicy, Timer, TimerName, TimerTrack};
use virtbus_conf_domain::domain::features::{Features, IoApicDriver};
use virtbus_conf_domain::domain::lifecycle::{LifecycleAction, LockFailureAction};
use virtbus_conf_domain::domain::os::{Os, SmbiosMode};
use virtbus_conf_domain::domain::vcpu::Placement;

use super::firmware::{flash, is_copy, path};

/// What is not supported, as it is written in the document, and how it is found.
type Unsupported<T> = (&'static str, fn(&T) -> bool);

/// The partition of guests that name none.
const DEFAULT_PARTITION: &str = "/machine";

/// All that is asked for in vain, each as a refusal.
pub(super) fn missing(definition: &Definition) -> Vec<Error> {
    let mut refusals = Vec::new();
    collect(&mut refusals, "", definition, GUEST);
    if let Some(os) = &definition.os {
        collect(&mut refusals, "", os, BOOT);
    }
    if let Some(features) = &definition.features {
        collect(&mut refusals, "", features, FEATURES);
    }
    if let Some(clock) = &definition.clock {
        timers(&mut refusals, clock);
    }
    devices::missing(&mut refusals, &definition.devices);
    refusals
}

/// What interfaces ask for in vain, be the definition complete or not.
pub(super) fn of_interfaces(definition: &Definition) -> Vec<Error> {
    let mut refusals = Vec::new();
    devices::interfaces(&mut refusals, &definition.devices);
    refusals
}

/// Adds what is found of a table, with what it belongs to.
fn collect<T>(refusals: &mut Vec<Error>, owner: &str, of: &T, table: &[Unsupported<T>]) {
    let found = table.iter().filter(|(_, asked)| asked(of));
    refusals.extend(found.map(|(name, _)| {
        let message = format!("{owner}{name} is not supported");
        Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
    }));
}

/// Whether an element is there and says anything.
fn says<T: Default + PartialEq>(element: Option<&T>) -> bool {
    element.is_some_and(|element| *element != T::default())
}

const GUEST: &[Unsupported<Definition>] = &[
    ("<launchSecurity>", |d| d.launch_security.is_some()),
    ("<genid>", |d| d.genid.is_some()),
    ("<blkiotune>", |d| says(d.blkiotune.as_deref())),
    ("<memtune>", |d| says(d.memtune.as_deref())),
    ("<cputune>", |d| says(d.cputune.as_deref())),
    ("<numatune>", |d| says(d.numatune.as_deref())),
    ("<throttlegroups>", |d| says(d.throttlegroups.as_deref())),
    ("<defaultiothread>", |d| says(d.defaultiothread.as_ref())),
    ("<vcpu placement='auto'>", |d| {
        let vcpu = d.vcpu.as_ref();
        vcpu.and_then(|vcpu| vcpu.placement) == Some(Placement::Auto)
    }),
    ("<vcpu cpuset='…'>", |d| {
        d.vcpu.as_ref().is_some_and(|vcpu| vcpu.cpuset.is_some())
    }),
    ("<vcpus> with a <vcpu> that is not enabled", |d| {
        let mut vcpus = d.vcpus.iter().flat_map(|vcpus| &vcpus.vcpu);
        vcpus.any(|vcpu| !vcpu.enabled.is_yes())
    }),
    ("<iothread> with a size of its thread pool or <poll>", |d| {
        let mut threads = d.iothreadids.iter().flat_map(|ids| &ids.iothread);
        threads
            .any(|t| t.thread_pool_min.is_some() || t.thread_pool_max.is_some() || t.poll.is_some())
    }),
    ("<memoryBacking><discard/>", |d| {
        d.memory_backing.as_ref().is_some_and(|b| b.discard)
    }),
    ("<memoryBacking><allocation threads='…'>", |d| {
        let backing = d.memory_backing.as_ref();
        let allocation = backing.and_then(|backing| backing.allocation);
        allocation.is_some_and(|allocation| allocation.threads.is_some())
    }),
    (
        "<hugepages> with several sizes or with nodes of its own",
        |d| {
            let backing = d.memory_backing.as_ref();
            let pages = backing.and_then(|backing| backing.hugepages.as_ref());
            pages.is_some_and(|pages| {
                pages.page.len() > 1 || pages.page.iter().any(|page| page.nodeset.is_some())
            })
        },
    ),
    ("<resource><partition> other than '/machine'", |d| {
        let partition = d.resource.as_ref().and_then(|r| r.partition.as_deref());
        partition.is_some_and(|partition| partition != DEFAULT_PARTITION)
    }),
    ("<resource><fibrechannel>", |d| {
        let resource = d.resource.as_ref();
        resource.is_some_and(|resource| resource.fibrechannel.is_some())
    }),
    ("<sysinfo>", |d| !d.sysinfo.is_empty()),
    ("<bootloader>", |d| {
        d.bootloader.is_some() || d.bootloader_args.is_some()
    }),
    ("<idmap>", |d| says(d.idmap.as_deref())),
    ("<keywrap>", |d| d.keywrap.is_some()),
    ("<perf> with an enabled event", |d| {
        let mut events = d.perf.iter().flat_map(|perf| &perf.event);
        events.any(|event| event.enabled.is_yes())
    }),
    ("<on_lockfailure>", |d| {
        d.on_lockfailure
            .is_some_and(|action| action != LockFailureAction::Ignore)
    }),
    ("a core dump of a guest that ended (coredump-…)", |d| {
        ends(d, LifecycleAction::CoredumpDestroy) || ends(d, LifecycleAction::CoredumpRestart)
    }),
    ("a new name for a guest that ended (rename-restart)", |d| {
        ends(d, LifecycleAction::RenameRestart)
    }),
    ("<on_reboot>preserve</on_reboot>", |d| {
        d.on_reboot == Some(LifecycleAction::Preserve)
    }),
    (
        "<seclabel> other than of type 'none', or of type 'dynamic' with model 'dac' and nothing else",
        |d| d.seclabel.iter().any(is_own_label),
    ),
    ("<cpu><numa>", |d| {
        d.cpu.as_ref().is_some_and(|cpu| cpu.numa.is_some())
    }),
    ("<cpu><cache>", |d| {
        d.cpu.as_ref().is_some_and(|cpu| cpu.cache.is_some())
    }),
    ("<cpu><maxphysaddr>", |d| {
        d.cpu.as_ref().is_some_and(|cpu| cpu.maxphysaddr.is_some())
    }),
    ("<cpu deprecated_features='…'>", |d| {
        let cpu = d.cpu.as_ref();
        cpu.is_some_and(|cpu| cpu.deprecated_features.is_some())
    }),
    ("<ioapic driver='kvm'/> without KVM", |d| {
        let driver = d.features.as_ref().and_then(|features| features.ioapic);
        driver == Some(IoApicDriver::Kvm) && d.virt_type != VirtType::Kvm
    }),
];

fn ends(definition: &Definition, action: LifecycleAction) -> bool {
    let ends = [
        definition.on_poweroff,
        definition.on_reboot,
        definition.on_crash,
    ];
    ends.contains(&Some(action))
}

/// Whether a label is more than what every guest gets: a user of the daemon's choice, who owns the guest's files while it runs.
fn is_own_label(label: &SecLabel) -> bool {
    match label.kind {
        Some(SecLabelType::None) => false,
        Some(SecLabelType::Static) => true,
        Some(SecLabelType::Dynamic) | None => {
            let dac = matches!(label.model.as_deref(), None | Some("dac" | "none"));
            !dac || label.baselabel.is_some() || label.relabel == Some(YesNo::No)
        }
    }
}

const BOOT: &[Unsupported<Os>] = &[
    ("<os firmware='…'> without the path of a <loader>", |os| {
        let path = os.loader.as_ref().and_then(|loader| loader.path.as_ref());
        os.firmware.is_some() && path.is_none()
    }),
    ("<firmware> with an enabled <feature>", |os| {
        let mut features = os.firmware_info.iter().flat_map(|info| &info.feature);
        features.any(|feature| feature.enabled.is_yes())
    }),
    (
        "<loader secure='yes'> of another type than 'pflash'",
        |os| {
            let loader = os.loader.as_ref();
            let is_secure = loader.is_some_and(|loader| loader.secure == Some(YesNo::Yes));
            is_secure && flash(os).is_none()
        },
    ),
    ("<loader readonly='no'>", |os| {
        let loader = os.loader.as_ref();
        loader.is_some_and(|loader| loader.readonly == Some(YesNo::No))
    }),
    ("<nvram> without a <loader> of type 'pflash'", |os| {
        os.nvram.is_some() && flash(os).is_none()
    }),
    ("<nvram> that is not a file of the host", |os| {
        let nvram = os.nvram.as_deref();
        nvram.is_some_and(|nvram| path(nvram).is_none())
    }),
    ("<nvram> of another format than its template", |os| {
        os.nvram.as_deref().is_some_and(|nvram| !is_copy(nvram))
    }),
    ("<shim>", |os| os.direct.shim.is_some()),
    ("<os><root>", |os| os.direct.root.is_some()),
    ("<os><acpi>", |os| os.acpi.is_some()),
    ("<bios useserial='yes'>", |os| {
        let bios = os.bios.as_ref();
        bios.is_some_and(|bios| bios.useserial == Some(YesNo::Yes))
    }),
    ("<smbios> with a mode other than 'emulate'", |os| {
        os.smbios.is_some_and(|mode| mode != SmbiosMode::Emulate)
    }),
];

const FEATURES: &[Unsupported<Features>] = &[
    ("<hap>", |f| f.hap.is_some()),
    ("<viridian>", |f| f.viridian),
    ("<privnet>", |f| f.privnet),
    ("<capabilities>", |f| f.capabilities.is_some()),
    ("<gic>", |f| says(f.gic.as_ref())),
    ("<tseg>", |f| {
        f.smm.as_ref().is_some_and(|smm| smm.tseg.is_some())
    }),
    ("<hpt>", |f| says(f.hpt.as_deref())),
    ("<vmcoreinfo state='on'>", |f| {
        f.vmcoreinfo.is_some_and(|switch| switch.0.is_on())
    }),
    ("<htm>", |f| f.htm.is_some()),
    ("<nested-hv>", |f| f.nested_hv.is_some()),
    ("<msrs>", |f| f.msrs.is_some()),
    ("<ccf-assist>", |f| f.ccf_assist.is_some()),
    ("<xen>", |f| says(f.xen.as_ref())),
    ("<cfpc>", |f| f.cfpc.is_some()),
    ("<sbbc>", |f| f.sbbc.is_some()),
    ("<ibs>", |f| f.ibs.is_some()),
    ("<tb-cache>", |f| says(f.tcg.as_deref())),
    ("<async-teardown enabled='yes'>", |f| {
        f.async_teardown.is_some_and(|switch| switch.0.is_yes())
    }),
    ("<ras>", |f| f.ras.is_some()),
    ("<ps2 state='off'>", |f| {
        f.ps2.is_some_and(|ps2| !ps2.state.is_on())
    }),
    ("<aia>", |f| f.aia.is_some()),
    ("<dirty-ring state='on'>", |f| {
        let ring = f.kvm.as_ref().and_then(|kvm| kvm.dirty_ring);
        ring.is_some_and(|ring| ring.state.is_on())
    }),
];

/// The settings of timers that QEMU is told of, or that are what it does anyway, are left; all others are refused.
fn timers(refusals: &mut Vec<Error>, clock: &Clock) {
    for timer in &clock.timer {
        let owner = format!("<timer name='{}'> ", timer.name);
        if matches!(timer.name, TimerName::Platform | TimerName::Armvtimer) {
            collect(refusals, owner.trim_end(), timer, &[("", |_| true)]);
        } else {
            collect(refusals, &format!("{owner}with "), timer, TIMER);
        }
    }
}

const TIMER: &[Unsupported<Timer>] = &[
    ("present='no'", |t| {
        let fixed = matches!(t.name, TimerName::Pit | TimerName::Rtc | TimerName::Tsc);
        fixed && t.present == Some(YesNo::No)
    }),
    ("this tickpolicy", |t| match (t.name, t.tickpolicy) {
        (_, None) => false,
        (TimerName::Rtc, Some(policy)) => {
            !matches!(policy, TickPolicy::Delay | TickPolicy::Catchup)
        }
        (TimerName::Pit, Some(policy)) => policy == TickPolicy::Merge,
        (_, Some(_)) => true,
    }),
    ("this track", |t| {
        let boot = t.track == Some(TimerTrack::Boot);
        boot || (t.track.is_some() && t.name != TimerName::Rtc)
    }),
    ("<catchup>", |t| says(t.catchup.as_deref())),
    ("a mode", |t| t.mode.is_some()),
    ("a frequency", |t| {
        t.frequency.is_some() && t.name != TimerName::Tsc
    }),
];
