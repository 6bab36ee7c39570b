//! How groups of methods, flags and numbered values are declared: as tables, so that a row is all that a new one takes.

/// Declares a group of methods: a trait whose methods all have libvirt's `NoSupport` as their default, since hardly a
/// driver has all of a group.
///
/// ```text
/// group! {
///     /// What the group is about.
///     Secrets {
///         /// What the method does.
///         fn undefine(secret: &SecretId) -> (): SecretUndefine;
///     }
/// }
/// ```
macro_rules! group {
    ($($(#[$meta:meta])* $name:ident { $(
        $(#[$doc:meta])*
        fn $method:ident($($arg:ident: $type:ty),* $(,)?) -> $answer:ty: $call:ident;
    )* })*) => { $(
        $(#[$meta])*
        #[async_trait::async_trait]
        pub trait $name: Send + Sync { $(
            $(#[$doc])*
            async fn $method(&self, $($arg: $type),*) -> $crate::Result<$answer> {
                $(let _ = $arg;)*
                Err($crate::Error::no_support($crate::access::Call::$call.name()))
            }
        )* }
    )* };
}

/// Declares types of flags with libvirt's values.
macro_rules! flags {
    ($($(#[$($meta:tt)*])* $name:ident { $($(#[$($doc:tt)*])* $flag:ident = $bit:expr;)* })*) => { bitflags::bitflags! { $(
        $(#[$($meta)*])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name: u32 { $($(#[$($doc)*])* const $flag = $bit;)* }
    )* } };
}

/// Declares enumerations with libvirt's numbers.
macro_rules! numbered {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal,)* })*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant = $number,)* }

        impl $name {
            /// The value with libvirt's number.
            ///
            /// # Errors
            /// `InvalidArg` for a number that libvirt does not have.
            pub fn from_number(number: i64) -> $crate::Result<Self> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err($crate::Error::invalid_argument(format!(concat!("{} is no ", stringify!($name)), number))),
                }
            }

            /// libvirt's number.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }
        }
    )* };
}

pub(crate) use {flags, group, numbered};
