//! Values at the edges of what is allowed, and beyond.

use crate::rng::Rng;

/// Numbers around which something changes: widths of integers, limits of devices, signs.
const EDGES: &[i128] = &[
    0,
    1,
    2,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    100,
    127,
    128,
    255,
    256,
    511,
    512,
    1023,
    1024,
    4095,
    4096,
    16383,
    16384,
    32767,
    32768,
    65535,
    65536,
    1 << 20,
    i32::MAX as i128,
    u32::MAX as i128,
    i64::MAX as i128,
    i64::MAX as i128 / 1024,
    u64::MAX as i128,
    u64::MAX as i128 / 1024,
    1 << 64,
    i128::MAX,
];

/// Texts that are read as something by somebody.
const TEXTS: &[&str] = &[
    "",
    " ",
    "-",
    "0x",
    "0xff",
    "0XFF",
    "0x0000000000000001",
    "07",
    "08",
    "0777",
    "+1",
    "-0",
    " 1",
    "1 ",
    "1.5",
    "1e3",
    "yes",
    "no",
    "on",
    "off",
    "default",
    "none",
    "auto",
    "unknown",
    "KiB",
    "EiB",
    "bytes",
    "0-3",
    "0-4095",
    "3-0",
    "^1",
    "0-3,^1",
    "0,,1",
    "4294967295-4294967296",
    ",",
    ":",
    "::",
    "::1",
    "fe80::1",
    "::ffff:1.2.3.4",
    "0.0.0.0",
    "255.255.255.255",
    "10.0.0.0",
    "1.2.3",
    "01.2.3.4",
    "52:54:00:00:00:01",
    "00:00:00:00:00:00",
    "ff:ff:ff:ff:ff:ff",
    "52-54-00-00-00-01",
    "0000:00:1f.7",
    "ffff:ff:1f.8",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "12345678123456781234567812345678",
    "/",
    "//",
    "/a/../b",
    ".",
    "..",
    "vda",
    "vdz",
    "vdaa",
    "hdzzzzzzzzzz",
    "sda1",
    "$X",
    "$X[1]",
    "$X[@1]",
    "%s",
    "%d",
    "<&>'\"",
    "]]>",
    "--",
    "\t",
    "\n",
    "\r",
    "a\nb",
    "\u{a0}",
    "\u{301}",
    "\u{feff}",
    "\u{fffd}",
    "\u{1f980}",
    "ä",
    "İ",
    "ß",
];

/// A value at an edge.
pub(crate) fn odd_value(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 | 1 => {
            let edge = rng.pick(EDGES).copied().unwrap_or(0);
            let near = edge.saturating_add(i128::try_from(rng.below(3)).unwrap_or(0) - 1);
            match rng.below(6) {
                0 if near >= 0 => format!("{near:#x}"),
                1 => format!("-{near}"),
                2 => format!("{near:03}"),
                _ => near.to_string(),
            }
        }
        2 => rng.pick(TEXTS).map_or(String::new(), |t| (*t).to_owned()),
        _ => {
            let unit = rng.pick(TEXTS).map_or("a", |t| *t);
            unit.repeat(1 << rng.below(11))
        }
    }
}

/// A value that differs a little from `value`.
pub(crate) fn tweaked(value: &str, rng: &mut Rng) -> String {
    let at = rng.below(value.chars().count() + 1);
    let split = value.char_indices().nth(at).map_or(value.len(), |(i, _)| i);
    let (before, after) = value.split_at(split);
    let mut rest = after.chars();
    match rng.below(8) {
        0 => match value.parse::<i128>() {
            Ok(number) if rng.once_in(2) => number.saturating_add(1).to_string(),
            Ok(number) => number.saturating_sub(1).to_string(),
            Err(_) => value.to_uppercase(),
        },
        1 => before.to_owned(),
        2 => after.to_owned(),
        3 => {
            rest.next();
            format!("{before}{}", rest.as_str())
        }
        4 => format!("{before}{}{after}", odd_value(rng)),
        5 => format!("{value}{value}"),
        6 => format!("{value},{value}"),
        _ => {
            let other = ['0', '1', '9', 'f', 'z', '-', '.', ':', '/', ' ', 'é'];
            rest.next();
            let new = rng.pick(&other).copied().unwrap_or('0');
            format!("{before}{new}{}", rest.as_str())
        }
    }
}
