//! What a typed command is, and a few types that many commands share.
//!
//! The commands themselves are in `commands`; how they travel is `connection`'s affair.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

/// A QMP or guest agent command. The value itself serializes to the command's `arguments`.
pub trait Command: Serialize {
    /// The command's name on the wire.
    const NAME: &'static str;
    /// What the command returns. Members that are not named in it are ignored.
    type Reply: DeserializeOwned;
    /// How long this command may take, where the connection's own default does not fit.
    const DEADLINE: Option<Duration> = None;
}

/// The reply of a command that returns nothing of interest; takes any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nothing;

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// When something happened, by the host's clock as QEMU read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub struct Timestamp {
    /// Seconds since 1970; −1 if QEMU could not tell.
    pub seconds: i64,
    /// Microseconds within the second; −1 if QEMU could not tell.
    pub microseconds: i64,
}

/// A string that must not show up in logs. Written to the wire as it is.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Declares commands: documentation, name, members that are always sent, members that are sent
/// only if set, name on the wire, reply.
///
/// Members are spelled on the wire with `-` for `_`; say `#[serde(rename = …)]` where QEMU differs.
macro_rules! commands {
    ($(
        $(#[$meta:meta])*
        $name:ident
        $(( $( $(#[$always_meta:meta])* $always:ident : $always_type:ty ),* $(,)? ))?
        $([ $( $(#[$set_meta:meta])* $set:ident : $set_type:ty ),* $(,)? ])?
        = $wire:literal $(within $seconds:literal)? -> $reply:ty ;
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $name {
            $($( $(#[$always_meta])* pub $always: $always_type, )*)?
            $($(
                $(#[$set_meta])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $set: Option<$set_type>,
            )*)?
        }
        impl $crate::Command for $name {
            const NAME: &'static str = $wire;
            type Reply = $reply;
            $( const DEADLINE: Option<std::time::Duration> =
                Some(std::time::Duration::from_secs($seconds)); )?
        }
    )*};
}
pub(crate) use commands;

/// Declares an enumeration of words: variants and spellings, both directions, with one variant
/// for words that this version of ours does not know.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal ),* $(,)? }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
            /// A word that is not known here, as it came.
            Other(String),
        }
        impl $name {
            /// The spelling on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $word, )*
                    Self::Other(word) => word,
                }
            }
        }
        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $( $word => Self::$variant, )*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Ok(Self::from(word.as_ref()))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}
pub(crate) use words;
