//! Architectures: libvirt's names and QEMU's.
//!
//! Only those that QEMU 4.2 and later emulate as a whole machine and libvirt has a name for.

/// libvirt's name and QEMU's, where they differ.
const DIFFERENT: [(&str, &str); 5] = [
    ("i686", "i386"),
    ("armv7l", "arm"),
    ("or32", "or1k"),
    ("ppcle", "ppc"),
    ("ppc64le", "ppc64"),
];

/// QEMU's names of what it emulates.
pub(crate) const TARGETS: [&str; 28] = [
    "aarch64",
    "alpha",
    "arm",
    "cris",
    "hppa",
    "i386",
    "loongarch64",
    "m68k",
    "microblaze",
    "microblazeel",
    "mips",
    "mips64",
    "mips64el",
    "mipsel",
    "or1k",
    "ppc",
    "ppc64",
    "riscv32",
    "riscv64",
    "s390x",
    "sh4",
    "sh4eb",
    "sparc",
    "sparc64",
    "unicore32",
    "x86_64",
    "xtensa",
    "xtensaeb",
];

/// libvirt's name for what QEMU calls `target`.
pub(crate) fn from_qemu(target: &str) -> &str {
    let mut different = DIFFERENT.iter();
    different
        .find(|(_, qemu)| *qemu == target)
        .map_or(target, |(libvirt, _)| {
            // Either byte order runs on the same emulator; its own name is the older one.
            if libvirt.starts_with("ppc") {
                target
            } else {
                libvirt
            }
        })
}

/// QEMU's name for what libvirt calls `arch`.
pub(crate) fn to_qemu(arch: &str) -> &str {
    match arch {
        // 32-bit Arm of any age is one emulator.
        "armv6l" | "armv7b" => "arm",
        _ => DIFFERENT
            .iter()
            .find(|(libvirt, _)| *libvirt == arch)
            .map_or(arch, |(_, qemu)| qemu),
    }
}

/// libvirt's name of the architecture that this program runs on.
pub fn host() -> &'static str {
    match std::env::consts::ARCH {
        "x86" => "i686",
        "arm" => "armv7l",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{TARGETS, from_qemu, to_qemu};

    #[test]
    fn names_go_both_ways() {
        for target in TARGETS {
            assert_eq!(to_qemu(from_qemu(target)), target);
        }
        assert_eq!(from_qemu("i386"), "i686");
        assert_eq!(to_qemu("ppc64le"), "ppc64");
        assert_eq!(to_qemu("armv6l"), "arm");
    }
}
