//! Values of attributes and texts.

use std::borrow::Cow;

/// The text of a definition: most are names of a few letters, and up to 24 bytes are held in place instead of in an
/// allocation each.
pub use compact_str::CompactString as Text;
/// `format!` that makes a [`Text`].
pub use compact_str::format_compact as format_text;

use crate::names::xml_names;

/// Something written in one attribute or as the text of one element.
pub trait Value: Sized {
    /// Reads the value, or says that it is none.
    fn from_text(text: &str) -> Option<Self>;

    /// Appends the value as it is written, not escaped.
    fn write_to(&self, out: &mut String);

    /// What should have been written, to complete "'x' is not …".
    fn expected() -> Cow<'static, str>;

    /// All values, if they are words.
    fn words() -> &'static [&'static str] {
        &[]
    }
}

impl Value for Text {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }

    fn write_to(&self, out: &mut String) {
        out.push_str(self);
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("text")
    }
}

/// What is rare, and takes the room of a pointer where it is not.
impl<T: Value> Value for Box<T> {
    fn from_text(text: &str) -> Option<Self> {
        T::from_text(text).map(Self::new)
    }

    fn write_to(&self, out: &mut String) {
        (**self).write_to(out);
    }

    fn expected() -> Cow<'static, str> {
        T::expected()
    }

    fn words() -> &'static [&'static str] {
        T::words()
    }
}

xml_names! {
    /// `yes` or `no`.
    pub enum YesNo {
        Yes = "yes",
        No = "no",
    }
}

xml_names! {
    /// `on` or `off`.
    pub enum OnOff {
        On = "on",
        Off = "off",
    }
}

impl From<bool> for YesNo {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<YesNo> for bool {
    fn from(value: YesNo) -> Self {
        value == YesNo::Yes
    }
}

impl From<bool> for OnOff {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<OnOff> for bool {
    fn from(value: OnOff) -> Self {
        value == OnOff::On
    }
}

impl YesNo {
    /// Whether it is `yes`.
    pub fn is_yes(self) -> bool {
        self.into()
    }
}

impl OnOff {
    /// Whether it is `on`.
    pub fn is_on(self) -> bool {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for value in YesNo::ALL {
            assert_eq!(YesNo::from_text(value.as_str()), Some(value));
        }
        assert_eq!(OnOff::from_text("On"), None);
        assert_eq!(OnOff::expected(), "one of 'on', 'off'");
        assert!(bool::from(OnOff::from(true)));
        assert_eq!(YesNo::No.to_string(), "no");
    }
}
