//! What a definition is told of the firmware that was found for it.

use virtbus_conf_base::{ConfError, OnOff, Result, YesNo, format_text};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::features::Smm;
use virtbus_conf_domain::domain::os::{
    Firmware, FirmwareFeature, FirmwareFeatureName, Loader, LoaderType, Nvram, NvramSource, Os,
};
use virtbus_conf_storage::storage::{ImageFormat, StorageSource};

use super::descriptor::{Descriptor, Feature, FlashMode, Image, Mapping};
use super::legacy;
use crate::Facts;

/// Tells a definition what its image is like.
///
/// # Errors
/// If the definition turns off what the image needs.
pub(super) fn descriptor(
    domain: &mut Domain,
    descriptor: &Descriptor,
    facts: &Facts<'_>,
    is_new: bool,
) -> Result<()> {
    let name = domain.name.clone();
    let Some(os) = &mut domain.os else {
        return Ok(());
    };
    let loader = &mut **os.loader.get_or_insert_with(Box::<Loader>::default);
    match &descriptor.mapping {
        Mapping::Flash {
            mode,
            executable,
            nvram_template,
        } => {
            loader.kind = Some(LoaderType::Pflash);
            loader.readonly = Some(YesNo::Yes);
            loader.format = Some(executable.format.into());
            loader.path = Some(executable.filename.as_str().into());
            os.firmware = Some(Firmware::Efi);
            if mode.unwrap_or_default() == FlashMode::Split
                && let Some(template) = nvram_template
            {
                from_template(os, &name, template, facts, is_new);
            }
        }
        Mapping::Memory { filename } => {
            loader.kind = Some(LoaderType::Rom);
            loader.format = Some(ImageFormat::Raw);
            loader.path = Some(filename.as_str().into());
            os.firmware.get_or_insert(Firmware::Bios);
        }
        Mapping::Kernel { .. } => return Ok(()),
    }
    features(os, descriptor);
    if descriptor.has(Feature::RequiresSmm) {
        system_management(domain)?;
    }
    Ok(())
}

/// Where variables are, and what they are made from.
fn from_template(os: &mut Os, name: &str, template: &Image, facts: &Facts<'_>, is_new: bool) {
    let format = ImageFormat::from(template.format);
    let nvram = os.nvram.get_or_insert_with(Box::<Nvram>::default);
    if is_local(nvram) {
        // Elsewhere somebody else makes them.
        nvram.template = Some(template.filename.as_str().into());
        nvram.template_format = Some(format);
    }
    let extension = match format {
        ImageFormat::Qcow2 => ".qcow2",
        _ if is_new => extension(&template.filename).unwrap_or(".fd"),
        _ => ".fd",
    };
    variables(nvram, name, format, extension, facts);
}

/// The end of a file's name from its last dot on.
fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rfind('.').map(|dot| &name[dot..])
}

fn is_local(nvram: &Nvram) -> bool {
    match &nvram.source {
        Some(NvramSource::Source(source)) => !matches!(**source, StorageSource::Network(_)),
        Some(NvramSource::Path(_)) | None => true,
    }
}

/// The file with the variables, unless the definition names one.
fn variables(
    nvram: &mut Nvram,
    name: &str,
    format: ImageFormat,
    extension: &str,
    facts: &Facts<'_>,
) {
    if nvram.source.is_none() {
        // A file that is to be made is like the template.
        nvram.format = Some(format);
    }
    nvram.format.get_or_insert(format);
    nvram.source.get_or_insert_with(|| {
        NvramSource::Path(format_text!(
            "{}/{name}_VARS{extension}",
            facts.nvram_folder
        ))
    });
}

/// What the firmware can do that a definition can ask for.
fn features(os: &mut Os, descriptor: &Descriptor) {
    // Which keys there are is known only if they come from the template.
    let knows_keys = os.nvram.as_deref().is_none_or(is_local);
    let info = os.firmware_info.get_or_insert_with(Default::default);
    for (name, feature) in [
        (FirmwareFeatureName::EnrolledKeys, Feature::EnrolledKeys),
        (FirmwareFeatureName::SecureBoot, Feature::SecureBoot),
    ] {
        let is_given = info.feature.iter().any(|given| given.name == name);
        if is_given || (name == FirmwareFeatureName::EnrolledKeys && !knows_keys) {
            continue;
        }
        info.feature.push(FirmwareFeature {
            enabled: YesNo::from(descriptor.has(feature)),
            name,
        });
    }
    info.feature.sort_by_key(|feature| feature.name);
}

/// Secure boot is safe only if the guest cannot change the variables but by the firmware.
fn system_management(domain: &mut Domain) -> Result<()> {
    let features = domain.features.get_or_insert_default();
    let smm = features.smm.get_or_insert_with(|| {
        Box::new(Smm {
            state: OnOff::On,
            tseg: None,
        })
    });
    if smm.state == OnOff::Off {
        return Err(ConfError::unsupported(
            "the firmware needs system management mode, but <smm> has state='off'",
        ));
    }
    if let Some(loader) = domain.os.as_mut().and_then(|os| os.loader.as_mut()) {
        loader.secure = Some(YesNo::Yes);
    }
    Ok(())
}

/// What is meant of an image without a description.
pub(super) fn unknown(domain: &mut Domain, facts: &Facts<'_>, is_chosen: bool) {
    let name = domain.name.clone();
    let Some(os) = &mut domain.os else { return };
    let Some(loader) = &mut os.loader else { return };
    let format = *loader.format.get_or_insert(ImageFormat::Raw);
    let is_writable = loader.readonly == Some(YesNo::No);
    let template = loader.path.as_deref().and_then(legacy::template);
    // If none can be chosen when the guest is to start, that is said then.
    let is_open = is_chosen && template.is_none();
    if is_open || is_writable || loader.stateless == Some(YesNo::Yes) {
        return;
    }
    let nvram = os.nvram.get_or_insert_with(Box::<Nvram>::default);
    if let Some(template) = template.filter(|_| format == ImageFormat::Raw)
        && is_local(nvram)
    {
        nvram.template.get_or_insert_with(|| template.into());
        nvram.template_format.get_or_insert(ImageFormat::Raw);
    }
    let extension = if format == ImageFormat::Qcow2 {
        ".qcow2"
    } else {
        ".fd"
    };
    variables(nvram, &name, format, extension, facts);
}
