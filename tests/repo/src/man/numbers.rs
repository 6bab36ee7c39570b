//! Numbers on the pages: the flags and values of a member on its interface's page, and a page with all values that are not flags.

use std::collections::BTreeMap;
use std::fmt::Write;

use virtbus_api::numbers::Numbers;
use virtbus_dbus::{Explanation, How};

use super::roff::{bold, italic, plain, text};

/// A set with more values than these has its table on the page of numbers only.
const MOST_VALUES: usize = 16;

/// What precedes the sets.
const HEAD: &str = r#".\" Generated from the declarations in drivers/api and interfaces/dbus by the tests in tests/repo (VIRTBUS_BLESS=1 writes it anew).
.TH VIRTBUS\-NUMBERS 7 "" "Virtbus" "D\-Bus interfaces"
.\" Names are long: lines cannot be filled.
.ad l
.SH NAME
virtbus\-numbers \- the states, reasons, events and other numbers on the bus
.SH DESCRIPTION
What the numbers mean that
.BR virtbusd (8)
takes and tells, in the order of libvirt\(aqs names for the sets: the numbers are libvirt\(aqs.
Each set has the members that it is used by; where a second number says more (the reason of a state, the detail of an event), its table
is below that of the first.
Flags, which can be added up, are on the pages of the interfaces with each member that takes them.
.PP
Names are those of libvirt\(aqs API, for looking them up elsewhere; only the numbers cross the bus.
"#;

const TAIL: &str = r#".SH "SEE ALSO"
.BR virtbus\-dbus (7),
.BR virtbusd (8),
.BR org.libvirt.Connect (5),
.BR org.libvirt.Domain (5)
"#;

/// The page with all sets of which there is one value at a time.
pub(super) fn page(all: &[Explanation]) -> String {
    // By name in small letters: so they are found in a list that is read by people.
    let mut sets: BTreeMap<String, (&'static Numbers, Vec<String>)> = BTreeMap::new();
    for one in all {
        if let How::One(numbers) | How::Detail(numbers) = one.told.how {
            let name = one.interface.trim_start_matches("org.libvirt.");
            let member = format!("{name}.{}", one.member);
            let (_, members) = sets
                .entry(numbers.libvirt.to_lowercase())
                .or_insert((numbers, Vec::new()));
            if !members.contains(&member) {
                members.push(member);
            }
        }
    }
    let mut page = HEAD.to_owned();
    for (numbers, members) in sets.values() {
        let _ = writeln!(
            page,
            ".SH {}\n{}\n.br\nUsed by: {}.",
            plain(numbers.libvirt),
            text(&numbers.meaning()),
            plain(&members.join(", "))
        );
        write_table(&mut page, numbers);
        for value in numbers.values {
            let Some(detail) = value.detail else {
                continue;
            };
            let _ = writeln!(
                page,
                ".SS {} \\- {}\nWith {} (\\c\n{}): {}",
                value.value,
                plain(detail.libvirt),
                value.value,
                bold(&numbers.name(value)),
                text(&lower(&detail.meaning()))
            );
            write_table(&mut page, detail);
        }
    }
    page.push_str(TAIL);
    page
}

/// What the numbers of a member are, behind what it does.
pub(super) fn write_member(page: &mut String, all: &[&Explanation]) {
    let mut told = all.to_vec();
    // Flags come last in calls as in libvirt's documentation, and their tables are the longest.
    told.sort_by_key(|one| matches!(one.told.how, How::Flags(_) | How::NoFlags));
    for one in told {
        let subject = subject(one);
        let (numbers, how) = match one.told.how {
            How::Amount => continue,
            How::NoFlags => {
                let _ = writeln!(page, ".br\n{subject} must be 0: no flags are defined.");
                continue;
            }
            How::Detail(numbers) => {
                let _ = writeln!(
                    page,
                    ".br\n{subject} depends on the number before it;\n.BR virtbus\\-numbers (7)\nhas the tables, below {}.",
                    bold(numbers.libvirt)
                );
                continue;
            }
            How::Flags(numbers) => (numbers, "a sum of"),
            How::One(numbers) => (numbers, "one of"),
        };
        let _ = write!(
            page,
            ".br\n{subject}, {how} {}: {}",
            bold(numbers.libvirt),
            text(&lower(&numbers.meaning()))
        );
        page.push('\n');
        if matches!(one.told.how, How::One(_)) && numbers.values.len() > MOST_VALUES {
            page.push_str("The table is in\n.BR virtbus\\-numbers (7).\n");
        } else {
            page.push_str(".RS\n");
            write_table(page, numbers);
            page.push_str(".RE\n.IP\n");
        }
    }
    // What follows belongs to the member again.
    while page.ends_with(".IP\n.br\n") {
        page.truncate(page.len() - ".br\n".len());
    }
}

/// The names of the flags in a mask, which is written in hexadecimal digits; where it is not known what they are, the bits.
pub(super) fn named_flags(mask: &str, all: &[&Explanation]) -> Vec<String> {
    let mask = u32::from_str_radix(mask, 16).expect("a mask is a number");
    let sets: Vec<&Numbers> = all
        .iter()
        .filter_map(|one| match one.told.how {
            How::Flags(numbers) => Some(numbers),
            _ => None,
        })
        .collect();
    let bits = (0..u32::BITS).map(|bit| 1_u32 << bit);
    bits.filter(|bit| mask & bit != 0)
        .map(|bit| {
            name_of(bit.into(), &sets).map_or_else(|| format!("{bit:#x}"), |name| bold(&name))
        })
        .collect()
}

/// The value that an argument has, with its name if it is known.
pub(super) fn named_value(argument: &str, value: &str, all: &[&Explanation]) -> String {
    let of_argument = all.iter().filter(|one| one.argument == argument);
    let sets: Vec<&Numbers> = of_argument
        .filter_map(|one| match one.told.how {
            How::One(numbers) => Some(numbers),
            _ => None,
        })
        .collect();
    let name = value.parse().ok().and_then(|value| name_of(value, &sets));
    match name {
        Some(name) => format!("{value} ({})", bold(&name)),
        None => plain(value),
    }
}

fn name_of(value: i64, sets: &[&Numbers]) -> Option<String> {
    sets.iter().find_map(|numbers| {
        let found = numbers.values.iter().find(|number| number.value == value);
        found.map(|number| numbers.name(number))
    })
}

/// What an explanation is about, as the beginning of a sentence.
fn subject(one: &Explanation) -> String {
    let argument = match one.argument {
        "" => "the property".to_owned(),
        argument => italic(argument),
    };
    match (one.told.field, one.told.ordinal()) {
        (Some(field), _) => format!("{} in {argument}", bold(field)),
        (None, None) if one.argument.is_empty() => "The value".to_owned(),
        (None, None) => argument,
        (None, Some(ordinal)) => format!("Value {ordinal} of {argument}"),
    }
}

/// The numbers of a set, one below the other: number, libvirt's name, meaning.
fn write_table(page: &mut String, numbers: &Numbers) {
    let widths = numbers.values.iter();
    let widest = widths.map(|value| value.value.to_string().len()).max();
    let indent = widest.unwrap_or_default() + 2;
    page.push_str(".PD 0\n");
    for (at, value) in numbers.values.iter().enumerate() {
        let request = if at == 0 {
            format!(".TP {indent}")
        } else {
            ".TP".to_owned()
        };
        let _ = writeln!(
            page,
            "{request}\n{}\n{}:\n{}",
            value.value,
            bold(&numbers.name(value)),
            text(&lower(&value.meaning()))
        );
    }
    page.push_str(".PD\n");
}

/// A sentence as what follows a colon. Names keep their capitals.
fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let (first, second) = (letters.next(), letters.clone().next());
    match (first, second) {
        (Some(first), Some(second)) if !second.is_uppercase() && !second.is_ascii_digit() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use virtbus_dbus::Told;

    use super::*;

    /// What the numbers of a method of the domain are.
    fn of_method(member: &str) -> Vec<Explanation> {
        let all = virtbus_dbus::numbers().into_iter();
        let of_method = all.filter(|one| {
            [one.interface, one.kind, one.member] == ["org.libvirt.Domain", "method", member]
        });
        of_method.collect()
    }

    fn written(all: &[Explanation]) -> String {
        let mut page = String::new();
        write_member(&mut page, &all.iter().collect::<Vec<_>>());
        page
    }

    #[test]
    fn flags_are_a_table_of_numbers_names_and_meanings() {
        let page = written(&of_method("Create"));
        for part in [
            "\\fIflags\\fR, a sum of \\fBvirDomainCreateFlags\\fR: how a domain is started.\n",
            ".TP 4\n1\n\\fBVIR_DOMAIN_START_PAUSED\\fR:\nleave its virtual CPUs halted.\n",
            ".TP\n16\n\\fBVIR_DOMAIN_START_VALIDATE\\fR:\n",
        ] {
            assert!(page.contains(part), "no {part:?} in {page}");
        }
        let none = written(&of_method("PMWakeup"));
        assert_eq!(
            none,
            ".br\n\\fIflags\\fR must be 0: no flags are defined.\n"
        );
    }

    #[test]
    fn values_in_structures_are_told_by_their_places() {
        let page = written(&of_method("GetState"));
        let state =
            "Value 1 of \\fIstate\\fR, one of \\fBvirDomainState\\fR: what a domain is doing.\n";
        assert!(page.contains(state), "{page}");
        let reason = "Value 2 of \\fIstate\\fR depends on the number before it;\n";
        assert!(page.contains(reason), "{page}");
    }

    #[test]
    fn typed_parameters_are_told_by_their_names() {
        let page = written(&of_method("GetStats"));
        let state = "\\fBstate.state\\fR in \\fIrecords\\fR, one of \\fBvirDomainState\\fR:";
        assert!(page.contains(state), "{page}");
    }

    #[test]
    fn a_long_table_is_on_the_page_of_numbers_only() {
        let page = written(&of_method("SendProcessSignal"));
        assert!(page.contains("The table is in\n"), "{page}");
        assert!(!page.contains("SIGHUP"), "{page}");
        let all = virtbus_dbus::numbers();
        let numbers = super::page(&all);
        assert!(numbers.contains("\\fBVIR_DOMAIN_PROCESS_SIGNAL_HUP\\fR:\n"));
    }

    #[test]
    fn conditions_are_told_by_names() {
        let pinned = of_method("PinVcpu");
        let pinned: Vec<&Explanation> = pinned.iter().collect();
        let names = ["LIVE", "CONFIG"].map(|name| format!("\\fBVIR_DOMAIN_AFFECT_{name}\\fR"));
        assert_eq!(named_flags("3", &pinned), names);
        assert_eq!(named_flags("40", &pinned), ["0x40"]);
        let asked = of_method("InterfaceAddresses");
        let asked: Vec<&Explanation> = asked.iter().collect();
        let agent = named_value("source", "1", &asked);
        assert_eq!(
            agent,
            "1 (\\fBVIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT\\fR)"
        );
        assert_eq!(named_value("flags", "1", &asked), "1");
    }

    #[test]
    fn amounts_are_left_to_the_members_documentation() {
        let amount = Explanation {
            interface: "org.example.Cup",
            kind: "method",
            member: "Fill",
            argument: "level",
            told: Told {
                place: Vec::new(),
                field: None,
                how: How::Amount,
            },
        };
        assert_eq!(written(&[amount]), "");
    }
}
