//! Documents of clients: read, completed for this host and checked, on threads of their own.

use virtbus_api::Result;
use virtbus_api::domain::DomainId;
use virtbus_conf_domain::domain::Domain as Definition;

use crate::core::Core;
use crate::definition::{self, Emulator};

/// Texts up to this length are gone through where they are: it takes less than handing them over. Bytes.
const SHORT: usize = 8 << 10;

/// Reads a client's definition, completes it for this host, and checks it. What comes back is what will be read from the
/// file in which it is kept. The work is done on threads of its own, a few at a time, whatever documents have in them.
///
/// # Errors
/// `XmlError` or `XmlInvalidSchema` naming element and line for what cannot be read; `ConfigUnsupported` for what
/// cannot be had, and for what could not be read back.
pub(crate) async fn parse(core: &Core, xml: &str, strict: bool) -> Result<Definition> {
    definition::check_length(xml)?;
    let (text, bytes) = (xml.to_owned(), xml.len());
    let reading = core
        .readers
        .run(bytes, move || definition::read(&text, strict));
    let definition = reading.await?;
    let emulator = emulator_of(core, &definition).await?;
    core.readers
        .run(bytes, move || definition::finish(definition, &emulator))
        .await
}

/// The emulator for a definition, and what else it is completed by.
///
/// # Errors
/// `ConfigUnsupported` if there is none, or if KVM is asked for and guests do not run under it here.
pub(crate) async fn emulator_of(core: &Core, definition: &Definition) -> Result<Emulator> {
    let (path, capabilities) = core.capabilities_of(definition).await?;
    Ok(Emulator {
        path,
        capabilities,
        nvram: core.config.dirs.nvram(),
    })
}

/// As [`parse`], for a definition that takes the place of `like`, that of a guest which runs or was saved: a guest whose devices have no
/// addresses, as an earlier release started them, gets none.
///
/// # Errors
/// As [`parse`].
pub(crate) async fn parse_in_place(
    core: &Core,
    xml: &str,
    like: &Definition,
) -> Result<Definition> {
    definition::check_length(xml)?;
    let emulator = emulator_of(core, like).await?;
    let (text, like) = (xml.to_owned(), like.clone());
    core.readers
        .run(xml.len(), move || {
            let definition = definition::read(&text, false)?;
            if definition::is_placed(&like, &emulator) {
                definition::finish(definition, &emulator)
            } else {
                definition::finish_as_it_is(definition)
            }
        })
        .await
}

/// Which domain a client's definition is about, as [`definition::identify`] finds it.
///
/// # Errors
/// `XmlError` if that cannot be found.
pub(crate) async fn identify(core: &Core, xml: &str) -> Result<DomainId> {
    if xml.len() <= SHORT {
        return definition::identify(xml);
    }
    definition::check_length(xml)?;
    let text = xml.to_owned();
    let bytes = text.len();
    core.readers
        .run(bytes, move || definition::identify(&text))
        .await
}
