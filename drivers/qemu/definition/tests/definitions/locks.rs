//! How much memory guests may lock.

use virtbus_qemu_definition::memory_lock::{MemoryLock, of};

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
