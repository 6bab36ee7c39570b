//! Names of networks as names of files, and names of network interfaces.

use std::fmt::Write as _;

/// The kernel's limit for names of interfaces, bytes.
const LONGEST_INTERFACE: usize = 15;

/// A network's name as the stem of file names: the same for no two networks, and nothing in it that means something to dnsmasq's
/// configuration. Characters special in XML are written as there, other special ones as `%XX`.
#[must_use]
pub fn file_stem(name: &str) -> String {
    let mut stem = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => stem.push_str("&quot;"),
            '&' => stem.push_str("&amp;"),
            '<' => stem.push_str("&lt;"),
            '>' => stem.push_str("&gt;"),
            '\'' => stem.push_str("&apos;"),
            // A leading dot would hide the file, or name a directory.
            '.' if stem.is_empty() => stem.push_str("%2E"),
            c if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') => stem.push(c),
            c => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    write!(stem, "%{byte:02X}").expect("writing to a String cannot fail");
                }
            }
        }
    }
    stem
}

/// Whether this may be the name of a network interface. The kernel takes more; what is refused here would mean something else to one of the
/// programs that are told of it.
#[must_use]
pub fn is_interface(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= LONGEST_INTERFACE
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && name != "."
        && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_unique_and_mean_nothing_else() {
        assert_eq!(file_stem("default"), "default");
        assert_eq!(file_stem("büro-2.b_c"), "büro-2.b_c");
        assert_eq!(file_stem("a\"b"), "a&quot;b");
        assert_eq!(file_stem("a b#c"), "a%20b%23c");
        assert_eq!(file_stem(".x"), "%2Ex");
        let names = ["a b", "a%20b", "a&b", "a&amp;b", "a;b", "a\tb", "a,b"];
        for (at, one) in names.iter().enumerate() {
            for other in &names[at + 1..] {
                assert_ne!(file_stem(one), file_stem(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn interfaces_have_plain_names() {
        for name in ["virbr0", "br-lan", "eth0.7", "a_b"] {
            assert!(is_interface(name), "{name}");
        }
        for name in [
            "",
            "-x",
            "a b",
            "a/b",
            "a\nb",
            "a:b",
            "a\"b",
            "..",
            "sixteen-letters.",
            "a;b",
        ] {
            assert!(!is_interface(name), "{name}");
        }
    }
}
