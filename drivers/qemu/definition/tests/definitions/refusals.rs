//! What is refused, with the words that name it.

use crate::common::{arch_of, define, emulator};
use virtbus_qemu_capabilities::Cap;

/// A guest with `more` beside its devices, and `devices`.
fn guest(arch: &str, machine: &str, more: &str, devices: &str) -> String {
    format!(
        "<domain type='qemu'><name>g</name><memory>524288</memory>
           <os><type arch='{arch}' machine='{machine}'>hvm</type></os>{more}
           <devices>{devices}</devices>
         </domain>"
    )
}

/// Architecture and machine, what is beside the devices, the devices, and what the refusal must say.
const ROWS: &[(&str, &str, &str, &str, &str)] = &[
    // Places.
    (
        "x86_64", "pc", "",
        "<interface type='user'><model type='e1000'/><address type='pci' bus='0' slot='1' function='1'/></interface>
         <controller type='ide' index='0'/>",
        "0000:00:01.1",
    ),
    (
        "x86_64", "q35", "",
        "<controller type='sata' index='0'><address type='pci' bus='0' slot='3'/></controller>",
        "0000:00:1f.2",
    ),
    (
        "x86_64", "pc", "",
        "<controller type='pci' index='3' model='pcie-root'/>",
        "must have index 0",
    ),
    (
        "x86_64", "pc", "",
        "<input type='tablet' bus='usb'><address type='usb' bus='0' port='9'/></input>",
        "USB port 9 is not present on USB bus 0",
    ),
    (
        "x86_64", "isapc", "",
        "<controller type='usb' index='0' model='piix3-uhci'/>",
        "no PCI bus for a device of kind <controller>",
    ),
    (
        "ppc64", "pseries", "",
        "<interface type='user'><model type='spapr-vlan'/><address type='spapr-vio' reg='0x1000'/></interface>
         <interface type='user'><model type='spapr-vlan'/><address type='spapr-vio' reg='0x1000'/></interface>",
        "0x1000",
    ),
    (
        "x86_64", "pc", "",
        "<rng model='virtio'><backend model='random'/><address type='pci' bus='0' slot='5'><zpci uid='1'/></address></rng>",
        "<zpci>",
    ),
    // Machine and features.
    ("x86_64", "virt-9", "", "", "machine type 'virt-9'"),
    ("alpha", "clipper", "", "", "arch 'alpha'"),
    ("s390x", "s390-ccw-virtio", "<features><acpi/></features>", "", "does not support ACPI"),
    ("aarch64", "virt", "<features><acpi/></features>", "", "needs UEFI"),
    ("x86_64", "pc", "<features><gic version='2'/></features>", "", "'gic'"),
    ("x86_64", "pc", "<features><smm><tseg>8</tseg></smm></features>", "", "<tseg>"),
    ("aarch64", "virt", "<clock><timer name='tsc' present='yes'/></clock>", "", "timer 'tsc'"),
    ("x86_64", "pc", "<vcpu>300</vcpu>", "", "q35"),
    ("x86_64", "pc", "<vcpu>1000</vcpu>", "", "at most 512"),
    ("x86_64", "pc", "<cpu mode='custom'><model>qemu64</model><cache level='2' mode='emulate'/></cpu>", "", "level='3'"),
    ("x86_64", "pc", "<maxMemory slots='4' unit='GiB'>4</maxMemory><cpu mode='maximum'/>", "<memory model='dimm'><target><size unit='GiB'>1</size></target></memory>", "memory devices have more memory"),
    ("x86_64", "pc", "<bootloader>/b</bootloader>", "", "<bootloader>"),
    ("x86_64", "pc", "<features><viridian/></features>", "", "'viridian'"),
    // Devices.
    ("x86_64", "pc", "", "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>", "<graphics type='spice'>"),
    ("x86_64", "pc", "", "<redirdev bus='usb' type='spicevmc'/>", "<graphics type='spice'>"),
    ("x86_64", "pc", "", "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i'/><target dev='vda'/><shareable/></disk>", "<shareable/>"),
    ("x86_64", "pc", "", "<disk type='block'><source dev='/i'/><target dev='vda'/><transient/></disk>", "<transient/>"),
    ("x86_64", "pc", "", "<disk type='file'><source file='/i'/><target dev='vda'/><backenddomain name='d'/></disk>", "<backenddomain>"),
    ("x86_64", "pc", "", "<interface type='bridge'><source bridge='b'/><ip address='10.0.0.1'/></interface>", "<ip> addresses"),
    ("x86_64", "pc", "", "<disk type='file' device='cdrom'><target dev='sda' bus='usb'/></disk>", "'sda' on bus 'usb' must not be empty"),
    ("x86_64", "pc", "", "<disk type='file'><driver type='iso'/><source file='/i'/><target dev='vda'/></disk>", "format 'iso'"),
    ("x86_64", "pc", "", "<disk type='network'><source protocol='sheepdog' name='n'/><target dev='vda'/></disk>", "'sheepdog'"),
    ("x86_64", "pc", "", "<disk type='file'><driver type='raw' io='native'/><source file='/i'/><target dev='vda'/></disk>", "cache='none'"),
    ("x86_64", "pc", "", "<interface type='vhostuser'><source type='unix' path='/s' mode='client'/><model type='virtio'/><backend type='passt'/></interface>", "shared memory"),
    ("x86_64", "pc", "", "<filesystem type='mount'><driver type='virtiofs'/><source dir='/d'/><target dir='t'/></filesystem>", "file system 't': virtiofs requires shared memory"),
    ("x86_64", "pc", "", "<graphics type='sdl'/><graphics type='egl-headless'/>", "only supported together"),
    ("x86_64", "pc", "", "<graphics type='spice'><gl enable='yes'/></graphics><graphics type='egl-headless'/>", "OpenGL"),
    ("x86_64", "pc", "", "<video><model type='vga'/></video><video><model type='vga'/></video>", "primary"),
    ("x86_64", "pc", "", "<controller type='usb' index='0' model='nec-xhci' ports='16'/>", "at most 15 ports"),
    ("x86_64", "pc", "", "<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>", "<graphics>"),
    ("s390x", "s390-ccw-virtio", "", "<hostdev mode='subsystem' type='mdev' model='vfio-ap'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source><boot order='1'/></hostdev>", "cannot be booted from"),
    ("ppc64", "pseries", "", "<parallel type='pty'/>", "<parallel>"),
    ("x86_64", "pc", "", "<serial type='pty'><target type='system-serial'><model name='pl011'/></target></serial>", "'system-serial'"),
    ("riscv64", "virt", "", "<panic/>", "<panic> needs a model"),
    ("s390x", "s390-ccw-virtio", "", "<panic model='s390'><address type='isa' iobase='0x505'/></panic>", "<panic model='s390'>"),
    ("aarch64", "virt", "", "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>", "TPM 1.2"),
    ("x86_64", "pc", "", "<tpm model='tpm-crb'><backend type='emulator'/></tpm><tpm model='tpm-crb'><backend type='emulator'/></tpm>", "only one <tpm>"),
    ("x86_64", "q35", "", "<iommu model='virtio'/>", "<acpi/>"),
    ("x86_64", "pc", "", "<iommu model='intel'/>", "<iommu model='intel'>"),
    ("x86_64", "pc", "", "<shmem name='s'><model type='ivshmem'/></shmem>", "'ivshmem'"),
    ("x86_64", "pc", "", "<watchdog model='i6300esb' action='reset'/><watchdog model='ib700' action='none'/>", "same 'action'"),
    ("x86_64", "q35", "<features><acpi/><smm state='off'/></features><pm/>", "<watchdog model='diag288'/>", "<watchdog model='diag288'>"),
];

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let mut wrong = Vec::new();
    for (arch, machine, more, devices, says) in ROWS {
        let xml = guest(arch, machine, more, devices);
        let of = if *arch == "alpha" {
            virtbus_conf_base::common::Arch::X86_64
        } else {
            arch_of(&xml)
        };
        match define(&xml, &emulator(of), true) {
            Ok(_) => wrong.push(format!("accepted: {xml}")),
            Err(error) if error.contains(says) => {}
            Err(error) => wrong.push(format!("'{error}' says no '{says}': {xml}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is refused only by an emulator that lacks something.
const LACKING: &[(Cap, &str, &str, &str)] = &[
    (
        Cap::MachineI8042Opt,
        "<features><ps2 state='off'/></features>",
        "",
        "the feature 'ps2'",
    ),
    (
        Cap::Vmcoreinfo,
        "<features><vmcoreinfo state='on'/></features>",
        "",
        "the feature 'vmcoreinfo'",
    ),
    (Cap::UsbHub, "", "<hub type='usb'/>", "<hub>"),
    (Cap::UsbRedir, "", "<redirdev type='pty'/>", "<redirdev>"),
    (Cap::VhostVsock, "", "<vsock/>", "<vsock>"),
    (
        Cap::VirtioCrypto,
        "",
        "<crypto model='virtio' type='qemu'><backend model='builtin'/></crypto>",
        "<crypto>",
    ),
    (
        Cap::RngBuiltin,
        "",
        "<rng model='virtio'><backend model='builtin'/></rng>",
        "'builtin'",
    ),
    (Cap::Qxl, "", "<video><model type='qxl'/></video>", "'qxl'"),
    (
        Cap::Spice,
        "",
        "<graphics type='spice'/>",
        "<graphics type='spice'>",
    ),
    (
        Cap::VirtioSound,
        "",
        "<sound model='virtio'/>",
        "<sound model='virtio'>",
    ),
    (
        Cap::VfioPci,
        "",
        "<hostdev mode='subsystem' type='pci'><source><address bus='1'/></source></hostdev>",
        "<hostdev type='pci'>",
    ),
    (
        Cap::CcidPassthru,
        "",
        "<smartcard mode='passthrough' type='pty'/>",
        "<smartcard",
    ),
    (
        Cap::VirtioBlkPciScsi,
        "",
        "<disk type='block' device='lun'><source dev='/d'/><target dev='vda' bus='virtio'/></disk>",
        "device='lun'",
    ),
    (
        Cap::BlockdevNbdTlsHostname,
        "",
        "<disk type='network'><source protocol='nbd' name='n' tls='yes' tlsHostname='h'><host name='x'/></source><target dev='vda'/></disk>",
        "tlsHostname",
    ),
    (
        Cap::NetdevVhostVdpa,
        "",
        "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>",
        "'vdpa'",
    ),
    (
        Cap::Pvscsi,
        "",
        "<controller type='scsi' model='vmpvscsi'/>",
        "'vmpvscsi'",
    ),
];

#[test]
fn what_an_emulator_lacks_is_refused_with_its_version() {
    let mut wrong = Vec::new();
    for (cap, more, devices, says) in LACKING {
        let xml = guest("x86_64", "pc", more, devices);
        let mut capabilities = emulator(arch_of(&xml));
        if let Err(error) = define(&xml, &capabilities, true) {
            wrong.push(format!("refused with {cap}: {error}"));
        }
        capabilities.caps.clear(*cap);
        match define(&xml, &capabilities, true) {
            Ok(_) => wrong.push(format!("accepted without {cap}: {xml}")),
            Err(error) if error.contains(says) && error.contains("QEMU 9.0.0") => {}
            Err(error) => wrong.push(format!("'{error}' says no '{says}'")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
