//! The `xml_names!` macro: enums whose spellings are written once.

/// Declares an enum with the name of each variant in XML, and gives it both directions, `ALL`,
/// `Display`, and [`crate::Value`].
///
/// The order of the variants is the order of `ALL`. A variant may have older spellings that are
/// read but never written: `Luks = "luks" | "LUKS"`.
#[macro_export]
macro_rules! xml_names {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$vmeta:meta])* $variant:ident = $text:literal $(| $alias:literal)* ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name {
            $( $(#[$vmeta])* #[doc = concat!("`", $text, "`")] $variant, )+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The name in XML.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }

            /// The value of a name in XML.
            pub fn from_name(text: &str) -> Option<Self> {
                match text {
                    $( $text $(| $alias)* => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::Value for $name {
            fn from_text(text: &str) -> Option<Self> {
                Self::from_name(text)
            }

            fn write_to(&self, out: &mut String) {
                out.push_str(self.as_str());
            }

            fn expected() -> ::std::borrow::Cow<'static, str> {
                $crate::one_of(&[$($text),+])
            }

            fn words() -> &'static [&'static str] {
                &[$($text),+]
            }
        }
    };
}

pub(crate) use xml_names;

/// "one of 'a', 'b'".
pub(crate) fn one_of(names: &[&str]) -> std::borrow::Cow<'static, str> {
    let quoted: Vec<String> = names.iter().map(|n| format!("'{n}'")).collect();
    match quoted.as_slice() {
        [one] => one.clone().into(),
        _ => format!("one of {}", quoted.join(", ")).into(),
    }
}
