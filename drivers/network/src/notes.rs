//! What people and other programs note in a network's definition: title, description, and elements of their own.

use virtbus_api::domain::MetadataType;
use virtbus_api::{ErrorCode, Result, arguments};
use virtbus_conf_base::Text;
use virtbus_conf_host::network::Network;

use crate::error::{self, refused};

/// What is noted.
///
/// # Errors
/// `InvalidArg` for a kind without the name space that it needs, or with one that it does not have; `NoNetworkMetadata`.
pub(crate) fn read(network: &Network, kind: MetadataType, uri: Option<&str>) -> Result<String> {
    arguments::get_metadata(kind, uri)?;
    let found = match kind {
        MetadataType::Title => network.title.as_deref().map(str::to_owned),
        MetadataType::Description => network.description.as_deref().map(str::to_owned),
        MetadataType::Element => uri.and_then(|uri| network.metadata.element(uri)),
    };
    found.ok_or_else(|| {
        refused(
            ErrorCode::NoNetworkMetadata,
            format!("network '{}' has no such metadata", network.name),
        )
    })
}

/// A note to be written, or removed.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    kind: MetadataType,
    text: Option<String>,
    key: String,
    uri: String,
}

impl Note {
    /// # Errors
    /// `InvalidArg` for a kind with or without a name space or prefix that it needs, and for a title of several lines.
    pub(crate) fn new(
        kind: MetadataType,
        text: Option<&str>,
        key: Option<&str>,
        uri: Option<&str>,
    ) -> Result<Self> {
        arguments::set_metadata(kind, text, key, uri)?;
        Ok(Self {
            kind,
            text: text.map(str::to_owned),
            key: key.unwrap_or_default().to_owned(),
            uri: uri.unwrap_or_default().to_owned(),
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// `XmlError` for an element that is none.
    pub(crate) fn write(&self, network: &mut Network) -> Result<()> {
        match self.kind {
            MetadataType::Title => network.title = self.text.as_deref().map(Text::from),
            MetadataType::Description => network.description = self.text.as_deref().map(Text::from),
            MetadataType::Element => match &self.text {
                Some(xml) => {
                    let set = network.metadata.set_element(xml, &self.key, &self.uri);
                    set.map_err(|error| error::xml(&error))?;
                }
                None => network.metadata.remove_element(&self.uri),
            },
        }
        Ok(())
    }
}
