//! What kind of guest there can be: hypervisor, processor architecture, and what its kernel runs on.

use virtbus_xml::xml_names;

xml_names! {
    /// The hypervisor of a guest.
    pub enum VirtType {
        Qemu = "qemu",
        Kqemu = "kqemu",
        Kvm = "kvm",
        Xen = "xen",
        Lxc = "lxc",
        Uml = "uml",
        Openvz = "openvz",
        Test = "test",
        Vmware = "vmware",
        Hyperv = "hyperv",
        Vbox = "vbox",
        Phyp = "phyp",
        Parallels = "parallels",
        Bhyve = "bhyve",
        Vz = "vz",
        Hvf = "hvf",
    }
}

xml_names! {
    /// What kind of interface the guest's kernel runs on.
    pub enum OsType {
        Hvm = "hvm",
        Xen = "xen",
        Linux = "linux",
        Exe = "exe",
        Uml = "uml",
        Xenpvh = "xenpvh",
    }
}

xml_names! {
    /// Processor architecture.
    pub enum Arch {
        Alpha = "alpha",
        Armv6l = "armv6l",
        Armv7l = "armv7l",
        Armv7b = "armv7b",
        Aarch64 = "aarch64",
        Cris = "cris",
        I686 = "i686",
        Ia64 = "ia64",
        Lm32 = "lm32",
        Loongarch64 = "loongarch64",
        M68k = "m68k",
        Microblaze = "microblaze",
        Microblazeel = "microblazeel",
        Mips = "mips",
        Mipsel = "mipsel",
        Mips64 = "mips64",
        Mips64el = "mips64el",
        Openrisc = "openrisc",
        Parisc = "parisc",
        Parisc64 = "parisc64",
        Ppc = "ppc",
        Ppc64 = "ppc64",
        Ppc64le = "ppc64le",
        Ppcemb = "ppcemb",
        Riscv32 = "riscv32",
        Riscv64 = "riscv64",
        S390 = "s390",
        S390x = "s390x",
        Sh4 = "sh4",
        Sh4eb = "sh4eb",
        Sparc = "sparc",
        Sparc64 = "sparc64",
        Unicore32 = "unicore32",
        X86_64 = "x86_64",
        Xtensa = "xtensa",
        Xtensaeb = "xtensaeb",
    }
}

impl Arch {
    /// i686 or x86_64.
    pub fn is_x86(self) -> bool {
        matches!(self, Self::I686 | Self::X86_64)
    }

    /// Any ARM.
    pub fn is_arm(self) -> bool {
        matches!(
            self,
            Self::Armv6l | Self::Armv7l | Self::Armv7b | Self::Aarch64
        )
    }

    /// s390 or s390x.
    pub fn is_s390(self) -> bool {
        matches!(self, Self::S390 | Self::S390x)
    }

    /// Any PowerPC of 64 bits.
    pub fn is_ppc64(self) -> bool {
        matches!(self, Self::Ppc64 | Self::Ppc64le)
    }

    /// Any RISC-V.
    pub fn is_riscv(self) -> bool {
        matches!(self, Self::Riscv32 | Self::Riscv64)
    }

    /// Any LoongArch.
    pub fn is_loongarch(self) -> bool {
        matches!(self, Self::Loongarch64)
    }
}
