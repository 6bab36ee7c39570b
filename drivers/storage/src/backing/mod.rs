//! What an image names by a text in its header: a file, a device, something on a server. QEMU has three ways to write that: a path, a URI or
//! something like it, and `json:` with options.
//!
//! Nothing is looked at or opened. A name says where something would be, and nothing of whether it may be had.

mod json;
mod words;

use virtbus_conf_storage::storage::{
    BlockSource, DirSource, FileSource, NetworkProtocol, NetworkSource, StorageSource,
};

/// Why a text names nothing that is known.
#[derive(Debug, thiserror::Error)]
pub enum BackingError {
    /// It is not JSON behind `json:`.
    #[error("'{text}' has no JSON object behind 'json:'")]
    Json {
        /// The text.
        text: String,
    },
    /// Two options contradict each other.
    #[error("'{key}' is used both for a value and for an object")]
    Conflict {
        /// The option.
        key: String,
    },
    /// An option is missing.
    #[error("option '{option}' is missing in '{within}'")]
    Missing {
        /// The option.
        option: &'static str,
        /// Where: the driver, or the text itself.
        within: String,
    },
    /// An option has a value that it cannot have.
    #[error("option '{option}' cannot be '{value}'")]
    Value {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
    },
    /// Something that is not known here.
    #[error("'{what}' is not supported in names of images")]
    Unknown {
        /// A driver, or the beginning of the text.
        what: String,
    },
    /// It looks like a URI and is none.
    #[error(transparent)]
    Uri(#[from] virtbus_util::uri::UriError),
}

/// What a text names.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Where it is.
    pub source: StorageSource,
    /// Whether the text has something that a source cannot have here, such as a password, which is left out.
    pub ignored: bool,
}

impl Named {
    fn of(source: StorageSource) -> Self {
        Self {
            source,
            ignored: false,
        }
    }

    fn file(path: &str) -> Self {
        Self::of(StorageSource::File(FileSource {
            file: Some(path.into()),
            ..FileSource::default()
        }))
    }

    fn device(path: &str) -> Self {
        Self::of(StorageSource::Block(BlockSource {
            dev: Some(path.into()),
            ..BlockSource::default()
        }))
    }

    fn directory(path: &str) -> Self {
        Self::of(StorageSource::Dir(DirSource {
            dir: Some(path.into()),
            ..DirSource::default()
        }))
    }

    fn network(mut source: NetworkSource) -> Self {
        source.assign_ports();
        Self::of(StorageSource::Network(Box::new(source)))
    }
}

/// Whether a text begins with a protocol, as QEMU has it: a colon that no slash is before.
fn has_protocol(text: &str) -> bool {
    let first = text.find([':', '/']);
    first.is_some_and(|at| text.as_bytes().get(at) == Some(&b':'))
}

/// What a text names.
///
/// # Errors
/// [`BackingError`].
pub fn parse(text: &str) -> Result<Named, BackingError> {
    if let Some(options) = text.strip_prefix("json:") {
        return json::parse(options);
    }
    if !has_protocol(text) {
        return Ok(Named::file(text));
    }
    if let Some(path) = text.strip_prefix("fat:") {
        return Ok(Named::directory(path));
    }
    if text.contains("://") {
        return words::uri(text);
    }
    words::legacy(text)
}

/// The protocol of this name.
fn protocol(name: &str) -> Result<NetworkProtocol, BackingError> {
    NetworkProtocol::from_name(name).ok_or_else(|| BackingError::Unknown {
        what: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    #[test]
    fn paths_are_told_from_protocols() {
        for (text, is_path) in [
            ("/a:b", true),
            ("a/b:c", true),
            ("base.img", true),
            ("nbd:host:1", false),
            ("http://h/", false),
            ("odd:x", false),
        ] {
            let named = parse(text);
            let found = matches!(
                named,
                Ok(Named {
                    source: StorageSource::File(_),
                    ..
                })
            );
            assert_eq!(found, is_path, "{text}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_is_not_known_is_refused() {
        for text in [
            "json:{",
            "json:[]",
            r#"json:{"file":"x"}"#,
            r#"json:{"file":{"driver":"file"},"file.driver":"nbd"}"#,
            r#"json:{"file":{"driver":"odd"}}"#,
            r#"json:{"driver":"nbd","host":"h","port":"99999999"}"#,
            r#"json:{"driver":"nvme","device":"0000:zz:00.0","namespace":1}"#,
            "rbd:pool/image:id=x",
            "nbd:host:port",
            "nbd:[::1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", bytes in any::<[u8; 24]>(), beginning in 0_usize..6) {
            let beginning = ["", "json:", "nbd:", "http://", "json:{\"file\":{\"driver\":\"nbd\",", "nbd:["][beginning];
            let _ = parse(&format!("{beginning}{text}"));
            let named = parse(&format!("{beginning}{}", String::from_utf8_lossy(&bytes)));
            prop_assert!(named.is_ok() || named.is_err());
        }
    }
}
