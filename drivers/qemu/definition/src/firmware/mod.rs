//! Firmware: which image a guest has, and where its variables are.
//!
//! A definition asks for a kind of firmware with features, or names an image. Either way its description says the rest: what the image is
//! loaded into, what the variables are made from, whether it needs system management mode. What is found is written into the definition,
//! so that a guest keeps its firmware when the host gets others.

mod apply;
mod choose;
mod descriptor;
mod legacy;

use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_domain::domain::os::{Firmware, Loader, LoaderType, Os};
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_conf_storage::storage::ImageFormat;

pub use self::descriptor::{
    Descriptor, Feature, FlashMode, Format, Image, Interface, Mapping, Target, in_order,
};
use crate::Facts;

/// Fills in what a definition leaves out of its firmware.
///
/// # Errors
/// What cannot be asked for.
pub(crate) fn complete(domain: &mut Domain, facts: &Facts<'_>, flags: CompleteFlags) -> Result<()> {
    let is_new = flags.contains(CompleteFlags::ABI_UPDATE);
    let Some(os) = &mut domain.os else {
        return Ok(());
    };
    check(os, is_new)?;
    let is_chosen = os.firmware.is_some();
    let by_loader = choose::by_loader(os);
    if !is_chosen && by_loader != Some(Firmware::Efi) {
        if let Some(loader) = os.loader.as_mut().filter(|loader| loader.path.is_some()) {
            loader.format.get_or_insert(ImageFormat::Raw);
        }
        return Ok(());
    }
    let Some(os) = &domain.os else { return Ok(()) };
    let found = facts
        .firmware
        .iter()
        .find(|descriptor| choose::fits(domain, os, is_new, descriptor));
    match found {
        Some(descriptor) => apply::descriptor(domain, descriptor, facts, is_new),
        None => {
            apply::unknown(domain, facts, is_chosen);
            Ok(())
        }
    }
}

fn check(os: &Os, is_new: bool) -> Result<()> {
    let asks = os
        .firmware_info
        .as_ref()
        .is_some_and(|info| !info.feature.is_empty());
    if os.firmware.is_none() && asks && is_new {
        return Err(ConfError::unsupported(
            "features in <firmware> choose a firmware, but none is to be chosen: <os> has no 'firmware'",
        ));
    }
    let is_unnamed = os
        .loader
        .as_ref()
        .is_some_and(|loader| loader.path.is_none() && **loader != Loader::default());
    if os.firmware.is_none() && is_unnamed {
        return Err(ConfError::invalid(
            "<loader> names no image, and none is to be chosen: <os> has no 'firmware'",
        ));
    }
    let formats = [
        os.loader.as_ref().and_then(|loader| loader.format),
        os.nvram.as_ref().and_then(|nvram| nvram.format),
        os.nvram.as_ref().and_then(|nvram| nvram.template_format),
    ];
    for format in formats.into_iter().flatten() {
        if !matches!(format, ImageFormat::Raw | ImageFormat::Qcow2) {
            return Err(ConfError::unsupported(format!(
                "images of firmware are 'raw' or 'qcow2', not '{format}'"
            )));
        }
    }
    let loader = os.loader.as_ref();
    if let Some(loader) = loader.filter(|loader| loader.kind == Some(LoaderType::Rom))
        && loader
            .format
            .is_some_and(|format| format != ImageFormat::Raw)
    {
        return Err(ConfError::unsupported(
            "a <loader> of type 'rom' is 'raw', not of another format",
        ));
    }
    Ok(())
}
