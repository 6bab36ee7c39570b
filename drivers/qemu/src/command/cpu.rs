//! The processor (`-cpu`): its model, its features, and the interfaces of hypervisors and clocks that the guest finds in it.

use virtbus_api::Result;
use virtbus_conf_base::YesNo;
use virtbus_conf_base::cpu::{CpuMode, FeaturePolicy, GuestCpu};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::clock::TimerName;
use virtbus_conf_domain::domain::features::{HyperV, HyperVMode, State};
use virtbus_qemu_capabilities::Cap;

use super::machine::timer;
use super::{Builder, escape, unsupported};

/// Tries of a lock before the guest tells its hypervisor that it waits, where the definition names none: the fewest that QEMU documents.
const SPINLOCK_RETRIES: u32 = 4095;

/// The value of `-cpu`; `None` leaves the machine's own.
pub(super) fn options(builder: &Builder<'_>, kvm: bool) -> Result<Option<String>> {
    let definition = builder.definition;
    let properties = properties(builder)?;
    let text = match definition.cpu.as_deref() {
        Some(cpu) => model(builder, cpu, kvm)?,
        None => None,
    };
    let Some(mut text) = text else {
        if properties.is_empty() {
            return Ok(None);
        }
        return Err(unsupported(
            "<hyperv>, <kvm>, <pmu> and timers of the processor need a <cpu> with a model",
        ));
    };
    for property in properties {
        text.push(',');
        text.push_str(&property);
    }
    Ok(Some(text))
}

/// Model, vendor and features.
fn model(builder: &Builder<'_>, cpu: &GuestCpu, kvm: bool) -> Result<Option<String>> {
    let mut text = match cpu.mode {
        Some(CpuMode::HostPassthrough | CpuMode::HostModel) if !kvm => {
            return Err(unsupported(
                "the host's CPU can be had with type='kvm' only",
            ));
        }
        Some(CpuMode::HostPassthrough) => {
            let migratable = cpu
                .migratable
                .map_or("on", |migratable| migratable.as_str());
            if builder.has(Cap::CpuMigratable) {
                format!("host,migratable={migratable}")
            } else {
                "host".to_owned()
            }
        }
        // The host's features under the name that KVM gives them; a named model is the CPU driver's affair.
        Some(CpuMode::HostModel) => "host".to_owned(),
        Some(CpuMode::Maximum) => "max".to_owned(),
        Some(CpuMode::Custom) | None => match model_name(builder, cpu, kvm)? {
            Some(model) => model,
            None if cpu.feature.is_empty() => return Ok(None),
            None => {
                return Err(unsupported(
                    "CPU features need a model that they are added to",
                ));
            }
        },
    };
    if let Some(vendor) = cpu
        .model
        .as_ref()
        .and_then(|model| model.vendor_id.as_ref())
    {
        text.push_str(&format!(",vendor={}", escape(vendor)));
    }
    for feature in &cpu.feature {
        let on = match feature.policy {
            None
            | Some(FeaturePolicy::Require | FeaturePolicy::Force | FeaturePolicy::Optional) => "on",
            Some(FeaturePolicy::Disable | FeaturePolicy::Forbid) => "off",
        };
        text.push_str(&format!(",{}={on}", escape(&feature.name)));
    }
    Ok(Some(text))
}

fn model_name(builder: &Builder<'_>, cpu: &GuestCpu, kvm: bool) -> Result<Option<String>> {
    let Some(name) = cpu.model.as_ref().and_then(|model| model.name.as_deref()) else {
        return Ok(None);
    };
    let known = builder
        .capabilities
        .accelerated(kvm)
        .is_some_and(|accelerated| accelerated.cpu_model(name).is_some());
    if known {
        Ok(Some(name.to_owned()))
    } else {
        Err(unsupported(format!(
            "this emulator has no CPU model '{name}'"
        )))
    }
}

/// What `<features>` and `<clock>` say of the processor. All of it but `pmu` is of x86.
fn properties(builder: &Builder<'_>) -> Result<Vec<String>> {
    let definition = builder.definition;
    let mut properties = clocks(definition);
    let features = definition.features.as_ref();
    if let Some(features) = features {
        let kvm = features.kvm.as_deref().copied().unwrap_or_default();
        let is_on = |state: Option<State>| state.is_some_and(|state| state.state.is_on());
        let is_off = |state: Option<State>| state.is_some_and(|state| !state.state.is_on());
        let switched = [
            ("kvm=off", is_on(kvm.hidden)),
            ("kvm-hint-dedicated=on", is_on(kvm.hint_dedicated)),
            ("kvm-poll-control=on", is_on(kvm.poll_control)),
            ("kvm-pv-ipi=off", is_off(kvm.pv_ipi)),
        ];
        let switched = switched.into_iter().filter(|(_, asked)| *asked);
        properties.extend(switched.map(|(property, _)| property.to_owned()));
        let eoi = features.apic.and_then(|apic| apic.eoi);
        let unhalt = features.pvspinlock.map(|switch| switch.0);
        for (name, state) in [("kvm-pv-eoi", eoi), ("kvm-pv-unhalt", unhalt)] {
            properties.extend(state.map(|state| format!("{name}={state}")));
        }
        if let Some(hyperv) = &features.hyperv {
            enlightenments(hyperv, &mut properties);
        }
    }
    let x86 = matches!(builder.capabilities.arch.as_str(), "x86_64" | "i686");
    if !x86 && !properties.is_empty() {
        return Err(unsupported(
            "<hyperv>, <kvm>, <pvspinlock>, <apic eoi='…'> and timers of the processor are not supported for other architectures than x86",
        ));
    }
    let pmu = features.and_then(|features| features.pmu);
    properties.extend(pmu.map(|pmu| format!("pmu={}", pmu.0)));
    Ok(properties)
}

fn clocks(definition: &Definition) -> Vec<String> {
    let mut properties = Vec::new();
    let present = |name| timer(definition, name).and_then(|timer| timer.present);
    if let Some(present) = present(TimerName::Kvmclock) {
        let state = if present.is_yes() { "on" } else { "off" };
        properties.push(format!("kvmclock={state}"));
    }
    if present(TimerName::Hypervclock) == Some(YesNo::Yes) {
        properties.push("hv-time=on".to_owned());
    }
    let frequency = timer(definition, TimerName::Tsc).and_then(|timer| timer.frequency);
    properties.extend(frequency.map(|frequency| format!("tsc-frequency={frequency}")));
    properties
}

/// The interfaces of Microsoft's hypervisor.
fn enlightenments(hyperv: &HyperV, properties: &mut Vec<String>) {
    if hyperv.mode == Some(HyperVMode::Passthrough) {
        // All that the host has; nothing is said of single ones then.
        properties.push("hv-passthrough=on".to_owned());
        return;
    }
    let direct = hyperv.stimer.filter(|stimer| stimer.state.is_on());
    let flush = hyperv.tlbflush.filter(|flush| flush.state.is_on());
    let state = |state| State { state };
    let switches = [
        ("relaxed", hyperv.relaxed),
        ("vapic", hyperv.vapic),
        ("vpindex", hyperv.vpindex),
        ("runtime", hyperv.runtime),
        ("synic", hyperv.synic),
        ("stimer", hyperv.stimer.map(|stimer| state(stimer.state))),
        ("stimer-direct", direct.and_then(|stimer| stimer.direct)),
        ("reset", hyperv.reset),
        ("frequencies", hyperv.frequencies),
        ("reenlightenment", hyperv.reenlightenment),
        ("tlbflush", hyperv.tlbflush.map(|flush| state(flush.state))),
        ("tlbflush-direct", flush.and_then(|flush| flush.direct)),
        ("tlbflush-ext", flush.and_then(|flush| flush.extended)),
        ("ipi", hyperv.ipi),
        ("evmcs", hyperv.evmcs),
        ("avic", hyperv.avic),
        ("emsr-bitmap", hyperv.emsr_bitmap),
        ("xmm-input", hyperv.xmm_input),
    ];
    let on = switches
        .into_iter()
        .filter(|(_, state)| state.is_some_and(|state| state.state.is_on()));
    properties.extend(on.map(|(name, _)| format!("hv-{name}=on")));
    if let Some(spinlocks) = hyperv.spinlocks.filter(|spinlocks| spinlocks.state.is_on()) {
        let retries = spinlocks.retries.unwrap_or(SPINLOCK_RETRIES);
        properties.push(format!("hv-spinlocks={retries:#x}"));
    }
    let vendor = hyperv.vendor_id.as_ref();
    if let Some(vendor) = vendor.filter(|vendor| vendor.state.is_on())
        && let Some(value) = &vendor.value
    {
        properties.push(format!("hv-vendor-id={}", escape(value)));
    }
}

#[cfg(test)]
mod tests {
    use crate::command::tests::command_line;

    /// The arguments of a guest with these features and this clock.
    fn arguments(features: &str, clock: &str, devices: &str) -> Vec<String> {
        let xml = format!(
            "<domain type='qemu'><name>one</name><memory unit='GB'>1</memory>\
             <os><type arch='x86_64' machine='q35'>hvm</type></os><features>{features}</features>\
             <cpu><model>known</model></cpu><clock offset='utc'>{clock}</clock><devices>{devices}</devices></domain>"
        );
        let arguments = command_line(&xml, true).unwrap();
        let arguments = arguments.into_iter();
        arguments
            .map(|argument| argument.into_string().unwrap())
            .collect()
    }

    fn cpu(features: &str, clock: &str) -> String {
        let arguments = arguments(features, clock, "");
        let place = arguments.iter().position(|argument| argument == "-cpu");
        arguments[place.unwrap() + 1].clone()
    }

    #[test]
    fn interfaces_of_hypervisors() {
        assert_eq!(cpu("", ""), "known");
        let hyperv = "<hyperv><relaxed state='on'/><vapic state='off'/><spinlocks state='on' retries='8191'/>\
            <stimer state='on'><direct state='on'/></stimer><vendor_id state='on' value='a,b'/><tlbflush state='off'/></hyperv>";
        let hidden = "<kvm><hidden state='on'/><pv-ipi state='off'/></kvm><apic eoi='on'/><pvspinlock state='off'/><pmu state='off'/>";
        assert_eq!(
            cpu(&format!("{hyperv}{hidden}"), ""),
            "known,kvm=off,kvm-pv-ipi=off,kvm-pv-eoi=on,kvm-pv-unhalt=off,hv-relaxed=on,hv-stimer=on,hv-stimer-direct=on,\
             hv-spinlocks=0x1fff,hv-vendor-id=a,,b,pmu=off"
        );
        let through = "<hyperv mode='passthrough'><relaxed state='on'/></hyperv>";
        assert_eq!(cpu(through, ""), "known,hv-passthrough=on");
    }

    #[test]
    fn timers() {
        let clock = "<timer name='kvmclock' present='no'/><timer name='hypervclock' present='yes'/><timer name='tsc' frequency='9'/>";
        assert_eq!(
            cpu("", clock),
            "known,kvmclock=off,hv-time=on,tsc-frequency=9"
        );
        let clock = "<timer name='hpet' present='no'/><timer name='rtc' track='realtime' tickpolicy='catchup'/>";
        let all = arguments("", clock, "");
        assert!(all.contains(&"-no-hpet".to_owned()), "{all:?}");
        assert!(
            all.contains(&"base=utc,clock=rt,driftfix=slew".to_owned()),
            "{all:?}"
        );
    }

    #[test]
    fn memory_comes_in_whole_pieces() {
        let all = arguments("", "", "");
        assert!(all.contains(&"size=976896k".to_owned()), "{all:?}");
    }

    #[test]
    fn codecs_and_companions() {
        let devices = "<sound model='ich9'><codec type='micro'/><codec type='output'/></sound>\
            <controller type='usb' index='0' model='ich9-uhci1'><master startport='2'/></controller>\
            <controller type='usb' index='0' model='ich9-ehci1'/>";
        let all = arguments("", "", devices);
        let place = |word: &str| {
            let found = all.iter().position(|argument| argument.contains(word));
            found.unwrap_or_else(|| panic!("no {word:?}: {all:?}"))
        };
        let codec = &all[place("hda-output")];
        assert!(codec.contains("-codec1\""), "{codec}");
        assert!(place("hda-micro") < place("hda-output"));
        assert!(!all.iter().any(|argument| argument.contains("hda-duplex")));
        let companion = &all[place("ich9-usb-uhci1")];
        assert!(place("ich9-usb-ehci1") < place("ich9-usb-uhci1"));
        assert!(companion.contains(r#""firstport":2"#), "{companion}");
        assert!(companion.contains("masterbus") && !companion.contains(r#""id""#));
    }
}
