//! The firmware of a definition, and the store of its variables: where it is, what it is made from, and what becomes of it.

use virtbus_api::domain::DomainUndefineFlags;
use virtbus_api::{Error, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::os::{Loader, LoaderType, Nvram, NvramSource, Os};
use virtbus_conf_storage::storage::{ImageFormat, StorageSource};

/// A file with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    /// Where it is.
    pub(crate) path: String,
    /// The file that it is copied from if it is not there.
    pub(crate) template: Option<String>,
}

/// The image that is loaded into flash memory.
pub(crate) fn flash(os: &Os) -> Option<&Loader> {
    let loader = os.loader.as_deref()?;
    (loader.kind == Some(LoaderType::Pflash)).then_some(loader)
}

/// The path of a store that is a file.
pub(crate) fn path(nvram: &Nvram) -> Option<&str> {
    match nvram.source.as_ref()? {
        NvramSource::Path(path) => Some(path),
        NvramSource::Source(source) => match &**source {
            StorageSource::File(file) => file.file.as_deref(),
            _ => None,
        },
    }
}

/// The file with a definition's variables, if its firmware has some.
pub(crate) fn store(definition: &Definition) -> Option<Store> {
    let nvram = definition.os.as_ref()?.nvram.as_deref()?;
    Some(Store {
        path: path(nvram)?.to_owned(),
        template: nvram.template.as_deref().map(str::to_owned),
    })
}

/// Whether a store could be made as its definition has it: a copy has the form of what it is copied from.
pub(crate) fn is_copy(nvram: &Nvram) -> bool {
    let format = nvram.format.unwrap_or(ImageFormat::Raw);
    nvram.template.is_none() || nvram.template_format.unwrap_or(format) == format
}

/// Whether the definition can be taken away with these flags. Blocks.
///
/// # Errors
/// `OperationInvalid` if something would be left over that the caller did not decide upon.
pub(crate) fn check_undefine(definition: &Definition, flags: DomainUndefineFlags) -> Result<()> {
    let nvram = definition.os.as_ref().and_then(|os| os.nvram.as_deref());
    let Some(store) = nvram.and_then(left_over) else {
        return Ok(());
    };
    if !flags.intersects(DomainUndefineFlags::NVRAM | DomainUndefineFlags::KEEP_NVRAM) {
        return Err(Error::operation_invalid(format!(
            "the domain has an NVRAM store, '{store}'; say with a flag whether it is to be kept (VIR_DOMAIN_UNDEFINE_KEEP_NVRAM, {}) or removed (VIR_DOMAIN_UNDEFINE_NVRAM, {})",
            DomainUndefineFlags::KEEP_NVRAM.bits(),
            DomainUndefineFlags::NVRAM.bits()
        )));
    }
    Ok(())
}

/// The store that is there, or may be there: one on the network cannot be looked for. Blocks.
fn left_over(nvram: &Nvram) -> Option<String> {
    let path = match nvram.source.as_ref()? {
        NvramSource::Path(path) => path.as_str(),
        NvramSource::Source(source) => match source.path() {
            Some(path) => path,
            None => return Some("on the network".to_owned()),
        },
    };
    may_be_there(path).then(|| path.to_owned())
}

/// Whether a store is there, or may be. Blocks.
pub(crate) fn is_there(store: &Store) -> bool {
    may_be_there(&store.path)
}

fn may_be_there(path: &str) -> bool {
    let found = std::fs::metadata(path);
    !found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}
