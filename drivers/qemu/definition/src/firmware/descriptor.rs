//! Descriptions of firmware images, as distributions install them beside the images (QEMU's `docs/interop/firmware.json`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::domain::os::Firmware;
use virtbus_conf_storage::storage::ImageFormat;

/// How a guest talks to its firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// That of old PCs.
    Bios,
    /// UEFI.
    Uefi,
    /// Open Firmware.
    Openfirmware,
    /// U-Boot.
    Uboot,
}

impl Interface {
    /// What definitions call it; `None` if they do not know it.
    #[must_use]
    pub const fn firmware(self) -> Option<Firmware> {
        match self {
            Self::Bios => Some(Firmware::Bios),
            Self::Uefi => Some(Firmware::Efi),
            Self::Openfirmware | Self::Uboot => None,
        }
    }
}

/// Format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// As it is.
    Raw,
    /// qcow2.
    Qcow2,
}

impl From<Format> for ImageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Raw => Self::Raw,
            Format::Qcow2 => Self::Qcow2,
        }
    }
}

/// An image in flash memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its path.
    pub filename: String,
    /// Its format.
    pub format: Format,
}

/// Where variables are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlashMode {
    /// In a file of their own, made from a template.
    #[default]
    Split,
    /// In the image.
    Combined,
    /// Nowhere.
    Stateless,
}

/// What an image is loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "device", rename_all = "kebab-case")]
pub enum Mapping {
    /// Flash memory.
    #[serde(rename_all = "kebab-case")]
    Flash {
        /// Where variables are kept; split if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<FlashMode>,
        /// The code.
        executable: Image,
        /// What variables are at first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nvram_template: Option<Image>,
    },
    /// Where a kernel is.
    Kernel {
        /// Path of the image.
        filename: String,
    },
    /// Read-only memory.
    Memory {
        /// Path of the image.
        filename: String,
    },
}

/// Machines that an image is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// QEMU's name of the architecture.
    pub architecture: String,
    /// Patterns of machine names.
    pub machines: Vec<String>,
}

/// What an image can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Suspending to memory.
    AcpiS3,
    /// Suspending to disk.
    AcpiS4,
    /// AMD's encrypted memory.
    AmdSev,
    /// With encrypted processor state.
    AmdSevEs,
    /// With protection of memory against changes.
    AmdSevSnp,
    /// The usual keys are in the template of the variables.
    EnrolledKeys,
    /// Intel's trust domains.
    IntelTdx,
    /// It needs system management mode.
    RequiresSmm,
    /// Secure boot.
    SecureBoot,
    /// Debug output can be turned on.
    VerboseDynamic,
    /// Debug output is on.
    VerboseStatic,
    /// Something of a newer version.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// A description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Descriptor {
    /// How guests talk to it.
    pub interface_types: Vec<Interface>,
    /// What it is loaded into.
    pub mapping: Mapping,
    /// Machines that it is for.
    pub targets: Vec<Target>,
    /// What it can do.
    pub features: Vec<Feature>,
}

impl Descriptor {
    /// Reads a description.
    ///
    /// # Errors
    /// What is wrong with the text, by line.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let mut descriptor: Self = serde_json::from_str(text)?;
        descriptor
            .features
            .retain(|feature| *feature != Feature::Unknown);
        Ok(descriptor)
    }

    /// Whether it is for a machine.
    #[must_use]
    pub fn is_for(&self, arch: Arch, machine: &str) -> bool {
        self.targets.iter().any(|target| {
            is_arch(&target.architecture, arch)
                && target
                    .machines
                    .iter()
                    .any(|pattern| matches(pattern, machine))
        })
    }

    /// Whether it can do something.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// Path of the code, and of the template of the variables if there is one.
    #[must_use]
    pub fn paths(&self) -> (&str, Option<&str>) {
        match &self.mapping {
            Mapping::Flash {
                executable,
                nvram_template,
                ..
            } => {
                let template = nvram_template.as_ref().map(|image| &*image.filename);
                (&executable.filename, template)
            }
            Mapping::Kernel { filename } | Mapping::Memory { filename } => (filename, None),
        }
    }
}

/// Whether an architecture is the one that QEMU has a name for.
fn is_arch(name: &str, arch: Arch) -> bool {
    match (name, arch) {
        ("i386", Arch::I686) | ("arm", Arch::Armv7l | Arch::Armv6l) => true,
        (name, arch) => name == arch.as_str(),
    }
}

/// Whether a name fits a pattern with `*` for anything and `?` for one letter.
fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = name;
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(after) = strip(rest, first) else {
        return false;
    };
    rest = after;
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            // What comes last must be at the end.
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            return ends
                .into_iter()
                .any(|at| strip(&rest[at..], part).is_some_and(str::is_empty));
        }
        let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        let found = starts.into_iter().find_map(|at| strip(&rest[at..], part));
        let Some(after) = found else { return false };
        rest = after;
    }
    true
}

/// What comes after a part, in which `?` is one letter.
fn strip<'t>(text: &'t str, part: &str) -> Option<&'t str> {
    let mut rest = text.chars();
    for wanted in part.chars() {
        let letter = rest.next()?;
        if wanted != '?' && wanted != letter {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Files of several folders in the order of their names: those of a later folder take the place of others of the same name.
///
/// What an empty file stands for, which hides one of the same name, is the caller's to drop afterwards.
pub fn in_order<T>(folders: impl IntoIterator<Item = Vec<(String, T)>>) -> Vec<(String, T)> {
    let mut files = BTreeMap::new();
    for folder in folders {
        files.extend(folder);
    }
    files.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, fits) in [
            ("pc-q35-*", "pc-q35-9.0", true),
            ("pc-q35-*", "pc-i440fx-9.0", false),
            ("virt", "virt", true),
            ("virt", "virt-9.0", false),
            ("*-9.?", "pc-q35-9.1", true),
            ("*-9.?", "pc-q35-9.10", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn unknown_features_are_left_out_and_other_unknown_things_refused() {
        let text = |interface: &str| {
            format!(
                r#"{{"interface-types": ["{interface}"], "mapping": {{"device": "memory", "filename": "/f"}},
                     "targets": [], "features": ["acpi-s3", "warp-drive"], "tags": []}}"#
            )
        };
        let read = Descriptor::parse(&text("bios")).unwrap();
        assert_eq!(read.features, [Feature::AcpiS3]);
        assert!(Descriptor::parse(&text("telepathy")).is_err());
    }

    #[test]
    fn later_folders_replace() {
        let file = |name: &str, content| (name.to_owned(), content);
        let files = in_order([
            vec![file("50-b", 1), file("20-a", 2)],
            vec![file("50-b", 3)],
        ]);
        assert_eq!(files, [file("20-a", 2), file("50-b", 3)]);
    }
}
