//! What values settings may have: a rule stands with each declaration, and yields the check at the start and the words in the sample.
//!
//! Only what can be told from the value itself is looked at here. Whether a user or a directory is there is looked at where it is used.

use std::net::IpAddr;
use std::path::{Component, Path};

use toml::Value;

/// What a value must be, beyond its type. A value of another type passes: the reader of the file tells that, with the line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// Anything of its type.
    Any,
    /// A number in a range, both ends included.
    Within(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An IP address or a host's name.
    Host,
    /// The name of a user or group.
    Account,
    /// Absolute paths of directories, at least as many.
    Directories(usize),
    /// The test driver's URI.
    TestUri,
    /// Names with URIs.
    Connections,
}

/// A week: nobody waits longer for QEMU or an agent.
pub(super) const WEEK: i64 = 7 * 24 * 60 * 60;
/// A year.
pub(super) const YEAR: i64 = 365 * 24 * 60 * 60;

/// The longest name of a host, in bytes.
const LONGEST_HOST: usize = 253;

impl Rule {
    /// What is to be said of the rule where the setting is explained; nothing if its documentation says enough.
    pub(super) fn words(self) -> Option<String> {
        match self {
            Self::Any | Self::Account | Self::TestUri | Self::Connections => None,
            Self::Within(least, most) => Some(format!("From {least} to {most}.")),
            Self::OneOf(words) => Some(format!("One of: {}.", words.join(", "))),
            Self::Host => Some("An IP address or the name of a host.".to_owned()),
            Self::Directories(0) => Some("Absolute paths.".to_owned()),
            Self::Directories(least) => Some(format!("Absolute paths, at least {least}.")),
        }
    }

    /// What is wrong with a value, as what follows the setting's name.
    pub(super) fn refuse(self, value: &Value) -> Option<String> {
        match (self, value) {
            (Self::Within(least, most), Value::Integer(number)) => {
                let fits = (least..=most).contains(number);
                (!fits).then(|| format!("is {number}, but must be from {least} to {most}"))
            }
            (Self::OneOf(words), Value::String(word)) => {
                let fits = words.contains(&word.as_str());
                (!fits).then(|| format!("is '{word}', but must be one of: {}", words.join(", ")))
            }
            (Self::Host, Value::String(host)) => (!is_host(host)).then(|| {
                format!("is '{host}', which is neither an IP address nor the name of a host")
            }),
            (Self::Account, Value::String(name)) => {
                let fits = !name.is_empty() && !name.contains(['/', ':', '\0', '\n', ' ']);
                (!fits)
                    .then(|| format!("is '{name}', which is not a valid name of a user or group"))
            }
            (Self::Directories(least), Value::Array(paths)) => {
                if paths.len() < least {
                    return Some(format!("must name at least {least} directory"));
                }
                let texts = paths.iter().filter_map(Value::as_str);
                texts.into_iter().find_map(|path| {
                    let why = wrong_path(Path::new(path))?;
                    Some(format!("has the path '{path}', which {why}"))
                })
            }
            (Self::Connections, Value::Array(connections)) => {
                let mut texts = connections.iter().filter_map(Value::as_str);
                let wrong = texts.find(|text| named_uri(text).is_none())?;
                Some(format!(
                    "has '{wrong}', but must have NAME=URI, with a name of letters and digits, such as \"lab=test:///default\""
                ))
            }
            (Self::TestUri, Value::String(uri)) => {
                let fits = uri.starts_with("test:///");
                (!fits).then(|| {
                    format!(
                        "is '{uri}', but must be test:///default, or test:// and the absolute path of a file"
                    )
                })
            }
            _ => None,
        }
    }
}

/// The name and the URI in `NAME=URI`.
pub(crate) fn named_uri(text: &str) -> Option<(&str, &str)> {
    let (name, uri) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric());
    (is_name && uri.contains(':')).then_some((name, uri))
}

fn wrong_path(path: &Path) -> Option<&'static str> {
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        Some("has a zero byte in it")
    } else if !path.is_absolute() {
        Some("is not absolute")
    } else if path.components().any(|part| part == Component::ParentDir) {
        Some("must not have '..' in it")
    } else {
        None
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        !label.is_empty() && label.chars().all(fits) && !label.starts_with('-')
    };
    // Behind `%` the interface that an address of one link is on.
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    address.parse::<IpAddr>().is_ok()
        || (host.len() <= LONGEST_HOST && host.split('.').all(is_label) && !is_number_like(host))
}

/// Whether it is what somebody wrote who meant an IPv4 address: `10.0.0` or `10.0.0.256`.
fn is_number_like(host: &str) -> bool {
    let mut letters = host.chars();
    letters.all(|letter| letter.is_ascii_digit() || letter == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rule: Rule, value: &str) -> bool {
        let table: toml::Table = format!("value = {value}").parse().unwrap();
        rule.refuse(&table["value"]).is_some()
    }

    #[test]
    fn values_that_cannot_hold_are_refused() {
        let backend = Rule::OneOf(&["nftables", "iptables"]);
        assert!(refused(backend, "'ebtables'") && !refused(backend, "'iptables'"));
        for (rule, good, bad) in [
            (
                Rule::Within(1, 10),
                ["1", "10", "'of another type'"],
                ["0", "11", "-1"],
            ),
            (
                Rule::Host,
                ["'127.0.0.1'", "'fe80::1%eth0'", "'vnc.example.org'"],
                ["''", "'10.0.0.256'", "'a b'"],
            ),
            (
                Rule::Account,
                ["'virtbus-qemu'", "'root'", "'_x'"],
                ["''", "'a b'", "'/etc/passwd'"],
            ),
            (
                Rule::Directories(1),
                ["['/a']", "['/a', '/b/c']", "['/']"],
                ["[]", "['a']", "['/a', '/b/../c']"],
            ),
            (
                Rule::TestUri,
                ["'test:///default'", "'test:///a/b.xml'", "'test:///'"],
                ["''", "'test://relative'", "'qemu:///system'"],
            ),
            (
                Rule::Connections,
                [
                    "[]",
                    "['lab=test:///default']",
                    "['a=esx://host/?x=1', 'b2=test:///b']",
                ],
                [
                    "['test:///default']",
                    "['a/b=test:///']",
                    "['=test:///', 'x']",
                ],
            ),
        ] {
            for value in good {
                assert!(!refused(rule, value), "{rule:?}: {value}");
            }
            for value in bad {
                assert!(refused(rule, value), "{rule:?}: {value}");
            }
        }
    }
}
