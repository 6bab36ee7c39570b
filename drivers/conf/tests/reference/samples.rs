//! Values for attributes and texts, by what descriptions tell of them.

use virtbus_xml::Values;

use crate::dice::Dice;

/// Samples of each kind of value that is neither words nor a number, in the form in which it is written.
const SAMPLES: &[(&str, &[&str])] = &[
    (
        "text",
        &["/a", "b", "it's <\"&>", "ü 1", "x  y", "1", "true"],
    ),
    (
        "a unit such as bytes, kB, KiB, MB or MiB",
        &["KiB", "b", "MB", "GiB"],
    ),
    ("a name that begins with a letter", &["a", "b c"]),
    (
        "the name of a variable: letters, digits and underscores",
        &["A", "_b1"],
    ),
    ("letters, digits and '_'", &["IP", "a_1"]),
    ("an absolute path", &["/a", "/b c"]),
    ("a name without '/'", &["a", "it's <\"&>"]),
    ("a number of seconds, with a fraction", &["1.000000001"]),
    (
        "Ethernet addresses joined by commas",
        &["52:54:00:12:34:56", "52:54:00:12:34:56,52:54:00:12:34:57"],
    ),
    (
        "hexadecimal numbers of one or two digits joined by ':'",
        &["0:1:a:ff"],
    ),
    ("one digit or upper case letter", &["0", "Z"]),
    (
        "a time such as 2010-04-09T15:51:00",
        &["2010-04-09T15:51:00"],
    ),
    (
        "up to 12 letters, digits, '_', '.', ':' and '-'",
        &["root", "ipv4-a"],
    ),
    ("'0', 'false', '1' or 'true'", &["0", "1"]),
    (
        "a UUID",
        &[
            "c7a5fdbd-edaf-9455-926a-d65c16db1809",
            "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
        ],
    ),
    ("a version such as 1.1", &["1.1", "0.10"]),
    ("-1 or a version such as 1.10", &["1.10", "-1"]),
    ("-1 or a number in hexadecimal with 0x", &["0x1", "-1"]),
    ("a number of seconds, at least 0", &["1.5", "0"]),
    ("'reset' or a number of seconds", &["-3600", "reset"]),
    (
        "an Ethernet address such as 52:54:00:12:34:56",
        &["52:54:00:12:34:56", "52:54:00:ab:cd:ef"],
    ),
    ("an IPv4 or IPv6 address", &["192.0.2.1", "2001:db8::1"]),
    (
        "a world wide name of 16 hexadecimal digits",
        &["2101001b32a9da4e", "2001001b32a9da4e"],
    ),
    (
        "a name of letters, digits, '_', '-' and inner '.'",
        &["a", "b-1.c"],
    ),
    ("an octal file mode up to 0777", &["0750", "0644"]),
    (
        "a list of numbers and ranges such as 0-3,^2,8, each below 16384 and not all excluded",
        &["0-3", "1", "0,2,8-9"],
    ),
    (
        "an Ethernet address, or a variable",
        &["52:54:00:12:34:56", "$MAC"],
    ),
    (
        "a mask of an Ethernet address, or a variable",
        &["ff:ff:ff:ff:ff:00", "$MASK"],
    ),
    ("an IPv4 address, or a variable", &["192.0.2.1", "$IP"]),
    (
        "a number from 0 to 32, an IPv4 netmask, or a variable",
        &["24", "$MASK"],
    ),
    ("an IPv6 address, or a variable", &["2001:db8::1", "$IPV6"]),
    (
        "a number from 0 to 128, an IPv6 netmask, or a variable",
        &["64", "$MASK"],
    ),
    (
        "a list of NEW, ESTABLISHED, RELATED, INVALID, or NONE, or a variable",
        &["NEW,ESTABLISHED", "NONE"],
    ),
    (
        "two lists of TCP flags such as 'SYN,ACK/SYN', or a variable",
        &["SYN,ACK/SYN", "ALL/NONE"],
    ),
    (
        "the name of an ipset, up to 31 characters, or a variable",
        &["set", "$SET"],
    ),
    (
        "a list of up to six 'src' and 'dst', or a variable",
        &["src,dst", "dst"],
    ),
    ("text, or a variable", &["a comment", "$TEXT"]),
];

/// A value that `values` allows.
pub(crate) fn sample(values: &Values, dice: &mut Dice) -> String {
    let words = values.words();
    if !words.is_empty() {
        return dice.pick(&words).to_owned();
    }
    let expected = values.expected();
    if let Some((_, samples)) = SAMPLES.iter().find(|(told, _)| *told == expected) {
        return dice.pick(samples).to_owned();
    }
    if let Some(words) = expected.strip_prefix("one of '") {
        let words: Vec<&str> = words.split('\'').step_by(2).collect();
        return dice.pick(&words).to_owned();
    }
    if let Some(bits) = expected.strip_prefix("a number of at most ") {
        assert!(bits.ends_with(" bits, decimal or hexadecimal with 0x"));
        return dice.pick(&["1", "0", "0x1f", "255"]).to_owned();
    }
    if expected.starts_with("a hexadecimal number of at most ") {
        return dice.pick(&["0x1", "0x00", "0xfe"]).to_owned();
    }
    if let Some(most) = expected.strip_prefix("a number from 0 to ") {
        let most: u64 = most
            .trim_end_matches(", or a variable")
            .parse()
            .expect("an end is a number");
        return dice.pick(&[1, 0, 17, most]).min(most).to_string();
    }
    if let Some(range) = expected.strip_prefix("a whole number from ") {
        let (least, most) = range.split_once(" to ").expect("a range has two ends");
        let least: i128 = least.parse().expect("an end is a number");
        let most: u64 = most.parse().expect("an end is a number");
        let small = [1, 2, 0, 3, 7, 200, most];
        let number = i128::from(dice.pick(&small).min(most)).max(least);
        return number.to_string();
    }
    panic!("no sample for what is told as '{expected}'");
}
