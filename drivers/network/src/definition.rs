//! Definitions as the driver takes them from clients: read, checked, completed, and read back.

use virtbus_api::{Error, Result};
use virtbus_conf_base::{Flags, Text};
use virtbus_conf_host::network::Network;

use crate::check::check;
use crate::error;
use crate::random::{self, Random};

/// Reads a definition, and checks all of it that can be checked without a host. With `strict`, what is not known is refused.
///
/// # Errors
/// `XmlError`, `XmlInvalidSchema` or `ConfigUnsupported`, naming the element.
pub(crate) fn read(xml: &str, strict: bool) -> Result<Network> {
    let mut network = if strict {
        Network::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        Network::parse(xml).map_err(|error| error::xml(&error))?
    };
    network.complete(&mut Random);
    network.validate().map_err(|error| error::conf(&error))?;
    check(&network).map_err(|error| error::conf(&error))?;
    if network.uuid.is_some_and(|uuid| uuid.0.is_nil()) {
        return Err(error::refused(
            virtbus_api::ErrorCode::XmlError,
            "the UUID of a network cannot be all zeros",
        ));
    }
    Ok(network)
}

/// Fills in what the host gives: the name of the network's own bridge, and an address for it, which is that of the definition that was there.
///
/// # Errors
/// `InternalError` if the definition could not be read back.
pub(crate) fn complete(
    mut network: Network,
    bridge: Option<&str>,
    there: Option<&Network>,
) -> Result<Network> {
    if let Some(bridge) = bridge {
        let settings = network.bridge.get_or_insert_default();
        settings.name = Some(Text::from(bridge));
        let kept = there.and_then(|there| there.mac);
        network.mac = network.mac.or(kept).or_else(|| Some(random::mac()));
    }
    let again = Network::parse(&network.format(Flags::INACTIVE));
    if again.as_ref().ok() != Some(&network) {
        return Err(Error::internal(
            "the definition of the network could not be read back as it would be written",
        ));
    }
    Ok(network)
}
