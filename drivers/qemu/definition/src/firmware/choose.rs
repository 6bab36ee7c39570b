//! Whether a firmware image is what a definition asks for.

use virtbus_conf_base::YesNo;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::launch_security::LaunchSecurity;
use virtbus_conf_domain::domain::os::{
    Firmware, FirmwareFeatureName, Loader, LoaderType, Nvram, Os,
};
use virtbus_conf_storage::storage::ImageFormat;

use super::descriptor::{Descriptor, Feature, FlashMode, Image, Mapping};
use crate::machine;

/// SEV's policy has this bit if the processor's state is to be encrypted as well.
const SEV_POLICY_ES: u32 = 1 << 2;

/// Whether an image fits. `is_new` is whether the guest is new; others had no images but raw ones.
pub(super) fn fits(domain: &Domain, os: &Os, is_new: bool, descriptor: &Descriptor) -> bool {
    let wanted = os.firmware.or_else(|| by_loader(os));
    let has_interface = descriptor
        .interface_types
        .iter()
        .any(|interface| wanted.is_some() && interface.firmware() == wanted);
    has_interface
        && descriptor.is_for(machine::arch(domain), machine::name(domain))
        && fits_power(domain, descriptor)
        && fits_features(os, descriptor)
        && fits_security(domain, descriptor)
        && fits_mapping(os, is_new, descriptor)
}

/// The kind of firmware that a loader without one is.
pub(super) fn by_loader(os: &Os) -> Option<Firmware> {
    let loader = os.loader.as_ref()?;
    Some(match loader.kind {
        Some(LoaderType::Pflash) => Firmware::Efi,
        Some(LoaderType::Rom) | None => Firmware::Bios,
    })
}

fn fits_power(domain: &Domain, descriptor: &Descriptor) -> bool {
    let Some(pm) = &domain.pm else { return true };
    let wants = |state: Option<YesNo>| state == Some(YesNo::Yes);
    (!wants(pm.suspend_to_mem) || descriptor.has(Feature::AcpiS3))
        && (!wants(pm.suspend_to_disk) || descriptor.has(Feature::AcpiS4))
}

fn fits_features(os: &Os, descriptor: &Descriptor) -> bool {
    let asked = os
        .firmware_info
        .as_ref()
        .map_or(&[][..], |info| &info.feature);
    let has_all = asked.iter().all(|asked| {
        let has = descriptor.has(match asked.name {
            FirmwareFeatureName::SecureBoot => Feature::SecureBoot,
            FirmwareFeatureName::EnrolledKeys => Feature::EnrolledKeys,
        });
        has == asked.enabled.is_yes()
    });
    let secure = os.loader.as_ref().and_then(|loader| loader.secure);
    has_all && secure.is_none_or(|secure| secure.is_yes() == descriptor.has(Feature::RequiresSmm))
}

fn fits_security(domain: &Domain, descriptor: &Descriptor) -> bool {
    match domain.launch_security.as_deref() {
        Some(LaunchSecurity::Sev(sev)) => {
            let encrypts_state = sev.policy.0 & SEV_POLICY_ES != 0;
            descriptor.has(Feature::AmdSev)
                && (!encrypts_state || descriptor.has(Feature::AmdSevEs))
        }
        Some(LaunchSecurity::SevSnp(_)) => descriptor.has(Feature::AmdSevSnp),
        Some(LaunchSecurity::S390Pv) | None => true,
    }
}

fn fits_mapping(os: &Os, is_new: bool, descriptor: &Descriptor) -> bool {
    let nothing = Loader::default();
    let Loader {
        readonly,
        secure: _,
        kind,
        stateless,
        format,
        path,
    } = os.loader.as_deref().unwrap_or(&nothing);
    let says_nothing = os.nvram.as_ref().is_none_or(|nvram| nvram.format.is_none());
    let format = format.or((!is_new && says_nothing).then_some(ImageFormat::Raw));
    let is_path = |file: &str| path.as_ref().is_none_or(|path| **path == *file);
    let is_kind =
        |wanted| kind.is_none_or(|kind| kind == wanted) || (kind.is_none() && path.is_none());
    match &descriptor.mapping {
        Mapping::Flash {
            mode,
            executable,
            nvram_template,
        } => {
            let wanted = if *stateless == Some(YesNo::Yes) {
                FlashMode::Stateless
            } else {
                FlashMode::Split
            };
            is_kind(LoaderType::Pflash)
                && mode.unwrap_or_default() == wanted
                && *readonly != Some(YesNo::No)
                && is_path(&executable.filename)
                && is_format(format, executable)
                && fits_variables(os, wanted, nvram_template.as_ref())
        }
        Mapping::Memory { filename } => {
            is_kind(LoaderType::Rom)
                && *readonly != Some(YesNo::No)
                && os.nvram.is_none()
                && *stateless != Some(YesNo::No)
                && format.is_none_or(|format| format == ImageFormat::Raw)
                && is_path(filename)
        }
        Mapping::Kernel { .. } => false,
    }
}

fn is_format(wanted: Option<ImageFormat>, image: &Image) -> bool {
    wanted.is_none_or(|wanted| wanted == ImageFormat::from(image.format))
}

fn fits_variables(os: &Os, mode: FlashMode, image: Option<&Image>) -> bool {
    let (Some(nvram), FlashMode::Split) = (os.nvram.as_deref(), mode) else {
        return true;
    };
    let Some(image) = image else { return false };
    let Nvram {
        template,
        template_format,
        source: _,
        // Variables are converted if they are to have another format than the template.
        format: _,
    } = nvram;
    let is_template = template
        .as_ref()
        .is_none_or(|template| **template == *image.filename);
    is_template && is_format(*template_format, image)
}
