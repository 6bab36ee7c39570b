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

/// Declares types of flags with libvirt's values: behind a type's name stand libvirt's, and what libvirt's names of the flags begin
/// with. A flag that libvirt calls otherwise names it with `as`.
macro_rules! flags {
    ($($(#[doc = $meta:expr])* $name:ident: $libvirt:ident, $prefix:ident {
        $($(#[doc = $doc:expr])* $flag:ident $(as $($own:ident)|+)? = $bit:expr;)*
    })*) => { $(
        bitflags::bitflags! {
            $(#[doc = $meta])*
            #[doc = ""]
            #[doc = concat!("libvirt's `", stringify!($libvirt), "`.")]
            #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
            pub struct $name: u32 { $($(#[doc = $doc])* const $flag = $bit;)* }
        }

        impl $crate::numbers::Numbered for $name {
            type Value = Self;
            const NUMBERS: &'static $crate::numbers::Numbers = &$crate::numbers::Numbers {
                libvirt: stringify!($libvirt),
                prefix: stringify!($prefix),
                doc: &[$($meta),*],
                values: &[$($crate::numbers::Number {
                    declared: stringify!($flag),
                    names: &[$($(stringify!($own)),+)?],
                    value: Self::$flag.bits() as i64,
                    doc: &[$($doc),*],
                    detail: None,
                },)*],
            };
        }
    )* };
}

/// Declares enumerations with libvirt's numbers, named as those of `flags!`. Where a second number goes with a value, its
/// enumeration stands behind `with`.
macro_rules! numbered {
    ($($(#[doc = $meta:expr])* $name:ident: $libvirt:ident, $prefix:ident {
        $($(#[doc = $doc:expr])* $variant:ident $(as $own:ident)? = $number:literal $(with $detail:ident)?,)*
    })*) => { $(
        $(#[doc = $meta])*
        #[doc = ""]
        #[doc = concat!("libvirt's `", stringify!($libvirt), "`.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum $name { $($(#[doc = $doc])* $variant = $number,)* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The value with libvirt's number.
            ///
            /// # Errors
            /// `InvalidArg` for a number that libvirt does not have.
            pub fn from_number(number: i64) -> $crate::Result<Self> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err($crate::numbers::no_value(
                        <Self as $crate::numbers::Numbered>::NUMBERS,
                        number,
                    )),
                }
            }

            /// libvirt's number.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }
        }

        impl $crate::numbers::Choice for $name {
            fn from_number(number: i64) -> $crate::Result<Self> {
                Self::from_number(number)
            }

            fn number(&self) -> i32 {
                Self::number(*self)
            }
        }

        impl $crate::numbers::Numbered for $name {
            type Value = Self;
            const NUMBERS: &'static $crate::numbers::Numbers = &$crate::numbers::Numbers {
                libvirt: stringify!($libvirt),
                prefix: stringify!($prefix),
                doc: &[$($meta),*],
                values: &[$($crate::numbers::Number {
                    declared: stringify!($variant),
                    names: &[$(stringify!($own))?],
                    value: $number,
                    doc: &[$($doc),*],
                    detail: $crate::declare::numbered!(@detail $($detail)?),
                },)*],
            };
        }
    )* };
    (@detail) => { None };
    (@detail $detail:ident) => { Some(<$detail as $crate::numbers::Numbered>::NUMBERS) };
}

/// Declares other names of sets of numbers: those that libvirt has for the same numbers of other objects.
macro_rules! also {
    ($($(#[doc = $meta:expr])* $name:ident: $libvirt:ident, $prefix:ident = $set:ty;)*) => { $(
        $(#[doc = $meta])*
        #[doc = ""]
        #[doc = concat!("libvirt's `", stringify!($libvirt), "`; values are of the type [`", stringify!($set), "`].")]
        #[derive(Debug)]
        pub enum $name {}

        impl $crate::numbers::Numbered for $name {
            type Value = $set;
            const NUMBERS: &'static $crate::numbers::Numbers = &$crate::numbers::Numbers {
                libvirt: stringify!($libvirt),
                prefix: stringify!($prefix),
                doc: &[$($meta),*],
                values: <$set as $crate::numbers::Numbered>::NUMBERS.values,
            };
        }
    )* };
}

/// Declares which typed parameters of a list are numbers, and of which set: `is` one of it, or `details` the one before it.
macro_rules! fields {
    ($($(#[doc = $meta:expr])* $name:ident { $($field:literal $(is $one:ident)? $(details $of:ident)?;)* })*) => { $(
        $(#[doc = $meta])*
        #[derive(Debug)]
        pub enum $name {}

        impl $crate::numbers::Fields for $name {
            const FIELDS: &'static [$crate::numbers::Field] = &[$($crate::numbers::Field {
                name: $field,
                numbers: <$($one)? $($of)? as $crate::numbers::Numbered>::NUMBERS,
                is_detail: $crate::declare::fields!(@detail $($of)?),
            },)*];
        }
    )* };
    (@detail) => { false };
    (@detail $of:ident) => { true };
}

pub(crate) use {also, fields, flags, group, numbered};
