//! How texts of a definition stand in dnsmasq's configuration: verbatim, whatever is in them.
//!
//! A line ends a setting, a comma a value, and `#` after a blank begins a comment. A text in which something would be taken for syntax is
//! put into quotation marks, in which dnsmasq takes everything as it is. What no quotation marks help against (line breaks and other
//! control characters) is refused before, when a network is defined ([`crate::check`]).

use std::borrow::Cow;

/// Whether the text can stand in the configuration at all.
#[must_use]
pub fn is_writable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Whether the text is the name of a host or domain, in which nothing is syntax.
#[must_use]
pub fn is_dns_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '*');
    !name.is_empty() && name.len() <= 255 && !name.starts_with('-') && name.chars().all(allowed)
}

/// A text as one value of a setting.
#[must_use]
pub fn value(text: &str) -> Cow<'_, str> {
    let is_syntax = |c: char| matches!(c, ',' | '"' | '\\' | '#');
    let has_outer_blank = text.trim() != text;
    if !text.contains(is_syntax) && !has_outer_blank && !text.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_syntax_is_quoted() {
        assert_eq!(value("example value"), "example value");
        assert_eq!(value("/var/lib/tftproot"), "/var/lib/tftproot");
        assert_eq!(value("a,b"), "\"a,b\"");
        assert_eq!(value("a #b"), "\"a #b\"");
        assert_eq!(value(" a"), "\" a\"");
        assert_eq!(value(r#"say "hi" \ bye"#), r#""say \"hi\" \\ bye""#);
        assert_eq!(value(""), "\"\"");
    }

    #[test]
    fn names_hold_no_syntax() {
        for name in ["a.example.com", "_x._tcp", "höhle", "*.a"] {
            assert!(is_dns_name(name), "{name}");
        }
        for name in [
            "", "-a", "a b", "a,b", "a/b", "a\nb", "a#b", "a\"", "a=b", "a:b", "a\0", "a$b", "a;b",
            "a'b", "a`b", "a\rb",
        ] {
            assert!(!is_dns_name(name), "{name:?}");
        }
        assert!(!is_writable("a\nb") && !is_writable("a\rb") && !is_writable("\u{7f}"));
        assert!(is_writable("a = 'b'; $(c) `d`"));
    }
}
