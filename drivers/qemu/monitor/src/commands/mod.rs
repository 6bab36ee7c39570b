//! The QMP commands that the driver uses, one module per family.
//!
//! A command is a struct whose members are its arguments; its reply is a struct that names only
//! what somebody here reads, so that older and newer QEMU both fit. Nothing is interpreted.

pub mod block;
pub mod chardev;
pub mod cpu;
pub mod device;
pub mod display;
pub mod introspect;
pub mod job;
pub mod memory;
pub mod migration;
pub mod qom;
pub mod system;

/// Declares replies and nested arguments: plain structs, spelled on the wire with `-` for `_`.
macro_rules! replies {
    ($( $(#[$meta:meta])* $name:ident { $( $(#[$field_meta:meta])* $field:ident : $type:ty ),* $(,)? } )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }
    )*};
}
use replies;
