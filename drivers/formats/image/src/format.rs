//! The formats.

/// Declares the formats with their names.
macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Format of an image.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Format { $($(#[$doc])* $variant,)* }

        impl Format {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, as in documents and for QEMU.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The format of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|format| format.as_str() == name)
            }
        }
    };
}

formats! {
    /// The bytes of the disk.
    Raw = "raw",
    /// Bochs.
    Bochs = "bochs",
    /// A compressed loop device.
    Cloop = "cloop",
    /// Copy on write of user mode Linux.
    Cow = "cow",
    /// Apple's.
    Dmg = "dmg",
    /// An ISO 9660 file system.
    Iso = "iso",
    /// LUKS, of either version.
    Luks = "luks",
    /// The first version of QEMU's own.
    Qcow = "qcow",
    /// QEMU's own.
    Qcow2 = "qcow2",
    /// QEMU's enhanced disk.
    Qed = "qed",
    /// VirtualBox's.
    Vdi = "vdi",
    /// Hyper-V's.
    Vhdx = "vhdx",
    /// VMware's.
    Vmdk = "vmdk",
    /// Virtual PC's.
    Vpc = "vpc",
}
