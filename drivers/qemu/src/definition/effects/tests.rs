//! What has no effect is refused by its name; what definitions usually carry is not.

use crate::definition::tests::{accepted, capabilities};

/// A guest with these elements, in `<os>`, `<features>` and `<devices>` too.
fn guest(elements: &str, os: &str, features: &str, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>one</name><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type>{os}</os>\
         <features><acpi/>{features}</features>{elements}<devices>{devices}</devices></domain>"
    )
}

/// What is said against a guest.
fn refused(xml: &str) -> String {
    match accepted(xml, &capabilities()) {
        Ok(_) => panic!("this was accepted: {xml}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_has_no_effect_is_refused_by_name() {
    let elements = [
        (
            "<launchSecurity>",
            "<launchSecurity type='sev'><policy>0x3</policy></launchSecurity>",
        ),
        (
            "<genid>",
            "<genid>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</genid>",
        ),
        (
            "<memtune>",
            "<memtune><hard_limit>1048576</hard_limit></memtune>",
        ),
        ("<blkiotune>", "<blkiotune><weight>800</weight></blkiotune>"),
        ("<cputune>", "<cputune><shares>512</shares></cputune>"),
        (
            "<cputune>",
            "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>",
        ),
        ("<cputune>", "<cputune><emulatorpin cpuset='0'/></cputune>"),
        ("<vcpu cpuset", "<vcpu cpuset='0'>1</vcpu>"),
        ("<vcpu placement='auto'>", "<vcpu placement='auto'>1</vcpu>"),
        (
            "<numatune>",
            "<numatune><memory mode='strict' nodeset='0'/></numatune>",
        ),
        (
            "<cpu><numa>",
            "<cpu><numa><cell id='0' cpus='0' memory='65536'/></numa></cpu>",
        ),
        (
            "<cpu><maxphysaddr>",
            "<cpu><maxphysaddr mode='emulate' bits='42'/></cpu>",
        ),
        (
            "<memoryBacking><discard/>",
            "<memoryBacking><discard/></memoryBacking>",
        ),
        (
            "<partition>",
            "<resource><partition>/guests</partition></resource>",
        ),
        (
            "<sysinfo>",
            "<sysinfo type='smbios'><system><entry name='serial'>1</entry></system></sysinfo>",
        ),
        (
            "<perf>",
            "<perf><event name='cpu_cycles' enabled='yes'/></perf>",
        ),
        ("coredump", "<on_crash>coredump-destroy</on_crash>"),
        (
            "<seclabel>",
            "<seclabel type='static' model='dac'><label>root:root</label></seclabel>",
        ),
        ("<seclabel>", "<seclabel type='dynamic' model='selinux'/>"),
        (
            "<timer name='rtc'> with this track",
            "<clock offset='utc'><timer name='rtc' track='boot'/></clock>",
        ),
        (
            "<timer name='platform'>",
            "<clock offset='utc'><timer name='platform'/></clock>",
        ),
        (
            "<timer name='pit'> with present='no'",
            "<clock offset='utc'><timer name='pit' present='no'/></clock>",
        ),
    ];
    for (name, xml) in elements {
        let said = refused(&guest(xml, "", "", ""));
        assert!(
            said.contains(name) && said.contains("not supported"),
            "{name}: {said}"
        );
    }
    let os = [
        ("<os firmware=", "<loader secure='no'/>"),
        ("<loader secure='yes'>", "<loader secure='yes'>/fw</loader>"),
        (
            "<loader readonly='no'>",
            "<loader type='pflash' readonly='no'>/fw</loader>",
        ),
        (
            "<nvram> of another format",
            "<loader type='pflash'>/fw</loader><nvram template='/t' templateFormat='raw' format='qcow2'>/vars</nvram>",
        ),
        (
            "<nvram> that is not a file",
            "<loader type='pflash'>/fw</loader><nvram type='block'><source dev='/dev/vars'/></nvram>",
        ),
        ("<smbios>", "<smbios mode='sysinfo'/>"),
        (
            "<os><acpi>",
            "<acpi><table type='slic'>/slic</table></acpi>",
        ),
        (
            "<firmware>",
            "<firmware><feature name='secure-boot' enabled='yes'/></firmware><loader>/fw</loader>",
        ),
    ];
    for (name, xml) in os {
        let mut guest = guest("", xml, "", "");
        if name.contains("firmware") {
            guest = guest.replace("<os>", "<os firmware='efi'>");
        }
        let said = refused(&guest);
        assert!(said.contains(name), "{name}: {said}");
    }
    for (name, xml) in [
        ("<gic>", "<gic version='3'/>"),
        ("<tseg>", "<smm state='on'><tseg unit='MiB'>48</tseg></smm>"),
        (
            "<dirty-ring",
            "<kvm><dirty-ring state='on' size='4096'/></kvm>",
        ),
        ("<msrs>", "<msrs unknown='ignore'/>"),
        ("<vmcoreinfo", "<vmcoreinfo/>"),
        ("<ioapic", "<ioapic driver='kvm'/>"),
    ] {
        let said = refused(&guest("", "", xml, ""));
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[test]
fn what_has_no_effect_on_a_device_is_refused_with_the_device() {
    let disk = |inner: &str| {
        format!(
            "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/>{inner}</disk>"
        )
    };
    let card = |inner: &str| {
        format!("<interface type='user'><mac address='52:54:00:00:00:01'/>{inner}</interface>")
    };
    let spice = |attribute: &str, inner: &str| {
        format!("<graphics type='spice' port='5998' {attribute}>{inner}</graphics>")
    };
    let tpm = |inner: &str| {
        format!(
            "<tpm model='tpm-crb'><backend type='emulator' version='2.0'>{inner}</backend></tpm>"
        )
    };
    let secret = "<encryption secret='43dc0cf8-809b-4adb-9bea-a9abb5f3d90e'/>";
    let cases = [
        ("disk 'vda': <transient>", disk("<transient/>")),
        ("disk 'vda': <iotune>", disk("<iotune><total_iops_sec>9</total_iops_sec></iotune>")),
        ("disk 'vda': <geometry>", disk("<geometry cyls='9' heads='9' secs='9'/>")),
        ("disk 'vda': <driver> with iommu", disk("<driver iommu='on'/>")),
        (
            "disk 'vda': <slices>",
            disk("").replace("'/a'/>", "'/a'><slices><slice type='storage' offset='0' size='9'/></slices></source>"),
        ),
        (
            "disk 'vda': <source> with a <seclabel>",
            disk("").replace("'/a'/>", "'/a'><seclabel model='dac' relabel='no'/></source>"),
        ),
        (
            "disk 'vdb': <source tls='yes'>",
            "<disk type='network'><source protocol='nbd' name='e' tls='yes'><host name='h'/></source><target dev='vdb'/></disk>".into(),
        ),
        ("52:54:00:00:00:01': <filterref>", card("<filterref filter='clean-traffic'/>")),
        ("52:54:00:00:00:01': <bandwidth>", card("<bandwidth><inbound average='9'/></bandwidth>")),
        ("52:54:00:00:00:01': <port isolated", card("<port isolated='yes'/>")),
        ("52:54:00:00:00:01': <script>", card("<script path='/s'/>")),
        ("<tpm>: <encryption>", tpm(secret)),
        ("<tpm>: <active_pcr_banks>", tpm("<active_pcr_banks><sha256/></active_pcr_banks>")),
        ("defaultMode='secure'", spice("defaultMode='secure'", "")),
        ("<channel mode='secure'>", spice("", "<channel name='main' mode='secure'/>")),
        ("tlsPort", spice("tlsPort='5999'", "")),
        ("<gl enable='yes'>", spice("", "<gl enable='yes'/>")),
        ("<acceleration>", "<video><model type='virtio'><acceleration accel3d='yes'/></model></video>".into()),
        ("<audio>: a back end with settings", "<audio id='1' type='none' timerPeriod='9'/>".into()),
        ("<memballoon>: <stats", "<memballoon model='virtio'><stats period='5'/></memballoon>".into()),
        ("SPICE without", "<channel type='spicevmc'><target type='virtio'/></channel>".into()),
        (
            "<protocol type='telnets'>",
            "<serial type='tcp'><source mode='bind' host='h' service='1'/><protocol type='telnets'/></serial>".into(),
        ),
        (
            "controller pci: this <model name",
            "<controller type='pci' index='1' model='dmi-to-pci-bridge'><model name='pci-bridge'/></controller>".into(),
        ),
        ("more than 8 characters", "<graphics type='vnc' passwd='123456789'/>".into()),
    ];
    for (name, device) in cases {
        let said = refused(&guest("", "", "", &device));
        assert!(
            said.contains(name) && said.contains("not supported"),
            "{name}: {said}"
        );
    }
    let eight = "<graphics type='vnc' passwd='12345678'/>";
    accepted(&guest("", "", "", eight), &capabilities()).unwrap();
    let stale = "<graphics type='spice' port='5998' tlsPort='5999' autoport='yes'/>";
    accepted(&guest("", "", "", stale), &capabilities()).unwrap();
}

#[test]
fn all_of_it_is_told_at_once() {
    let said = refused(&guest(
        "<cputune><shares>9</shares></cputune><genid/>",
        "<smbios mode='host'/>",
        "<hap/>",
        "<disk type='file'><source file='/a'/><target dev='vda'/><transient/></disk>",
    ));
    for name in ["<cputune>", "<genid>", "<smbios>", "<hap>", "<transient>"] {
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[test]
fn what_definitions_usually_carry_is_accepted() {
    let elements = "<resource><partition>/machine</partition></resource>\
        <vcpu placement='static'>1</vcpu><cpu mode='custom' match='exact' check='partial'><model fallback='allow'>known</model></cpu>\
        <clock offset='utc'><timer name='rtc' tickpolicy='catchup' track='wall'/><timer name='pit' tickpolicy='delay'/>\
          <timer name='hpet' present='no'/><timer name='kvmclock' present='yes'/><timer name='hypervclock' present='yes'/>\
          <timer name='tsc' frequency='1000000000'/></clock>\
        <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>\
        <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>\
        <perf><event name='cpu_cycles' enabled='no'/></perf>\
        <seclabel type='dynamic' model='dac' relabel='yes'><label>+1:+1</label></seclabel><seclabel type='none'/>";
    let features = "<apic eoi='on'/><pae/><vmport state='off'/><smm state='on'/><pmu state='off'/><pvspinlock state='on'/>\
        <hyperv mode='custom'><relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='8191'/></hyperv>\
        <kvm><hidden state='on'/></kvm><async-teardown enabled='no'/><vmcoreinfo state='off'/>";
    let devices = "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda' bus='sata'/><readonly/></disk>\
        <disk type='file' snapshot='no' model='virtio-transitional'><source file='/a' startupPolicy='mandatory'/><target dev='vda' bus='virtio'/></disk>\
        <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>\
        <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
        <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>\
        <console type='pty'/><input type='tablet' bus='usb'/><tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>\
        <graphics type='spice' port='-1' tlsPort='-1' autoport='yes' defaultMode='any'><image compression='off'/><gl enable='no'/></graphics>\
        <sound model='ich9'><codec type='micro'/></sound><audio id='1' type='spice'/>\
        <video><model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='1' primary='yes'><acceleration accel3d='no'/></model></video>\
        <memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><watchdog model='itco' action='reset'/>";
    let os = "<loader readonly='yes' secure='no' type='rom'>/fw</loader><bios useserial='no'/><smbios mode='emulate'/>";
    accepted(&guest(elements, os, features, devices), &capabilities()).unwrap();
}
