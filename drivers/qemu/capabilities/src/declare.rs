//! How capabilities are declared: their names, numbers and rules in one row each.

/// Declares the capabilities: variant, libvirt's name, the rule by which it is found.
macro_rules! capabilities {
    ($( $variant:ident = $name:literal if $rule:expr; )*) => {
        /// Something that an emulator can do. The names are libvirt's where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum Cap {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
        }

        impl Cap {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];

            /// Its name, as in libvirt's capability cache.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// Finds a capability by its name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $( $name => Some(Self::$variant), )* _ => None }
            }

            /// How it is found out.
            pub(crate) fn rule(self) -> &'static Rule {
                match self { $( Self::$variant => &$rule, )* }
            }
        }
    };
}
pub(crate) use capabilities;
