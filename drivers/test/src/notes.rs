//! What people and other programs note in a definition: title, description, and elements of their own.

use virtbus_api::domain::MetadataType;
use virtbus_api::{Error, Result};
use virtbus_conf_base::Text;
use virtbus_conf_base::common::Metadata;

use crate::error;

/// The notes in a definition.
pub(crate) struct Notes<'a> {
    title: &'a mut Option<Text>,
    description: &'a mut Option<Text>,
    metadata: &'a mut Metadata,
}

/// A definition with notes.
pub(crate) trait Noted {
    fn title(&self) -> Option<&str>;
    fn description(&self) -> Option<&str>;
    fn metadata(&self) -> &Metadata;
    fn notes(&mut self) -> Notes<'_>;
}

macro_rules! noted {
    ($($definition:ty),*) => { $(
        impl Noted for $definition {
            fn title(&self) -> Option<&str> {
                self.title.as_deref()
            }

            fn description(&self) -> Option<&str> {
                self.description.as_deref()
            }

            fn metadata(&self) -> &Metadata {
                &self.metadata
            }

            fn notes(&mut self) -> Notes<'_> {
                Notes {
                    title: &mut self.title,
                    description: &mut self.description,
                    metadata: &mut self.metadata,
                }
            }
        }
    )* };
}

noted!(
    virtbus_conf_domain::domain::Domain,
    virtbus_conf_host::network::Network
);

/// Which note is meant, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Note<'a> {
    Title,
    Description,
    /// The element of this name space.
    Element(&'a str),
}

impl<'a> Note<'a> {
    /// # Errors
    /// `InvalidArg` for a kind without the name space that it needs, or with one that it does not have.
    pub(crate) fn of(kind: MetadataType, uri: Option<&'a str>) -> Result<Self> {
        match (kind, uri) {
            (MetadataType::Title, None) => Ok(Self::Title),
            (MetadataType::Description, None) => Ok(Self::Description),
            (MetadataType::Element, Some(uri)) => Ok(Self::Element(uri)),
            (MetadataType::Element, None) => Err(Error::invalid_argument(
                "'uri' must be the namespace of the metadata element",
            )),
            (MetadataType::Title | MetadataType::Description, Some(_)) => Err(
                Error::invalid_argument("'uri' must be empty for titles and descriptions"),
            ),
        }
    }

    /// What the definition says.
    pub(crate) fn read(self, definition: &impl Noted) -> Option<String> {
        match self {
            Self::Title => definition.title().map(str::to_owned),
            Self::Description => definition.description().map(str::to_owned),
            Self::Element(uri) => definition.metadata().element(uri),
        }
    }

    /// Sets it, or with no text removes it. An element takes the prefix `key`.
    ///
    /// # Errors
    /// `InvalidArg` for a title of several lines and an element without a prefix, `XmlError` for an element that is none.
    pub(crate) fn write(
        self,
        definition: &mut impl Noted,
        text: Option<&str>,
        key: Option<&str>,
    ) -> Result<()> {
        let notes = definition.notes();
        match self {
            Self::Title if text.is_some_and(|title| title.contains('\n')) => {
                return Err(Error::invalid_argument(
                    "a title must not contain a line break",
                ));
            }
            Self::Title => *notes.title = text.map(Text::from),
            Self::Description => *notes.description = text.map(Text::from),
            Self::Element(uri) => match text {
                Some(xml) => {
                    let key = key.ok_or_else(|| {
                        Error::invalid_argument(
                            "'key' must be the namespace prefix of the metadata element",
                        )
                    })?;
                    let set = notes.metadata.set_element(xml, key, uri);
                    set.map_err(|error| error::xml(&error))?;
                }
                None => notes.metadata.remove_element(uri),
            },
        }
        Ok(())
    }
}
