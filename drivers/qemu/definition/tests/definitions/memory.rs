//! How much memory guests have, and may lock.

use virtbus_qemu_definition::memory_lock::{MemoryLock, of};
use virtbus_qemu_definition::memory_size::round;

use crate::common::{arch_of, define, emulator};

/// Virtualization, architecture, machine, what is beside the devices, the devices, and what may be locked.
const ROWS: &[(&str, &str, &str, &str, &str, MemoryLock)] = &[
    ("kvm", "x86_64", "q35", "", "", MemoryLock::Usual),
    (
        "kvm",
        "x86_64",
        "q35",
        "<memtune><hard_limit>7</hard_limit></memtune><memoryBacking><locked/></memoryBacking>",
        "",
        MemoryLock::Kib(7),
    ),
    (
        "kvm",
        "x86_64",
        "q35",
        "<memoryBacking><locked/></memoryBacking>",
        "",
        MemoryLock::Unlimited,
    ),
    // All devices share a view of the memory, unless the guest can tell each which parts it sees.
    (
        "kvm",
        "x86_64",
        "q35",
        "",
        "HOSTDEVS",
        MemoryLock::Kib((1 << 19) + (1 << 20)),
    ),
    (
        "kvm",
        "x86_64",
        "q35",
        "",
        "HOSTDEVS<iommu model='intel'/>",
        MemoryLock::Kib(2 * (1 << 19) + (1 << 20)),
    ),
    // The table of pages, addresses for two roots, and what is beside.
    (
        "kvm",
        "ppc64",
        "pseries",
        "",
        "<controller type='pci' index='1' model='pci-root'/>",
        MemoryLock::Kib((1 << 19) / 128 + 2 * 4096 + 8192),
    ),
    ("qemu", "ppc64", "pseries", "", "", MemoryLock::Usual),
];

#[test]
fn memory_is_locked_for_those_that_need_it() {
    let hostdevs =
        "<hostdev mode='subsystem' type='pci'><source><address bus='1'/></source></hostdev>
         <hostdev mode='subsystem' type='pci'><source><address bus='2'/></source></hostdev>";
    for (kind, arch, machine, more, devices, lock) in ROWS {
        let xml = format!(
            "<domain type='{kind}'><name>g</name><memory>524288</memory>
               <os><type arch='{arch}' machine='{machine}'>hvm</type></os>{more}
               <devices>{}</devices>
             </domain>",
            devices.replace("HOSTDEVS", hostdevs)
        );
        let domain = define(&xml, &emulator(arch_of(&xml)), true).unwrap();
        assert_eq!(of(&domain), *lock, "{xml}");
    }
}

/// Memory in all, the most, and that of the first device, in KiB.
type Sizes = (u64, Option<u64>, Option<u64>);

/// Architecture, machine, what is beside the devices, the devices, and what is rounded.
const SIZES: &[(&str, &str, &str, &str, Sizes)] = &[
    ("x86_64", "pc", "<memory>1000001</memory>", "", (1_000_448, None, None)),
    // Guest nodes are rounded each.
    (
        "x86_64",
        "pc",
        "<maxMemory slots='2'>4000001</maxMemory><memory>2000</memory>
         <cpu><numa><cell id='0' cpus='0' memory='900'/></numa></cpu>",
        "<memory model='dimm'><target><size>1025</size><node>0</node></target></memory>",
        (1024 + 2048, Some(4_000_768), Some(2048)),
    ),
    (
        "ppc64",
        "pseries",
        "<maxMemory slots='2'>4000001</maxMemory><memory>1000000</memory>",
        "<memory model='nvdimm'><source><path>/n</path></source>
           <target><size>300000</size><node>0</node><label><size>128</size></label></target></memory>",
        (
            786_432 + 262_144 + 128,
            Some(4_194_304),
            Some(262_144 + 128),
        ),
    ),
];

#[test]
fn started_guests_have_memory_in_whole_pieces() {
    for (arch, machine, more, devices, sizes) in SIZES {
        let xml = format!(
            "<domain type='qemu'><name>g</name>
               <os><type arch='{arch}' machine='{machine}'>hvm</type></os>{more}
               <devices>{devices}</devices>
             </domain>"
        );
        let mut domain = define(&xml, &emulator(arch_of(&xml)), false).unwrap();
        round(&mut domain);
        let max = domain.max_memory.map(|max| max.size.0);
        let first = domain
            .devices
            .memory
            .first()
            .map(|memory| memory.target.size.0);
        assert_eq!((domain.memory_total(), max, first), *sizes, "{xml}");
        let once = domain.clone();
        round(&mut domain);
        assert_eq!(domain, once);
    }
}
