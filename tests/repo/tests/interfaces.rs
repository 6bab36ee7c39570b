//! What is served on the bus: the committed introspection and manual pages are what the daemon's tables give today, and every
//! member of libvirt-dbus is there, as clients know it.

use std::collections::BTreeSet;
use std::fs;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use virtbus_dbus::How;
use virtbus_repo_tests::{bless, man, tracked};

/// Where the introspection of each interface is.
const FOLDER: &str = "data/dbus/interfaces";

#[test]
fn the_introspection_is_that_of_the_tables() {
    let documents = virtbus_dbus::documents();
    for (name, xml) in &documents {
        if let Err(difference) = bless::compare(&format!("{FOLDER}/{name}"), xml) {
            panic!("{difference}");
        }
    }
    let known: BTreeSet<String> = documents.into_iter().map(|(name, _)| name).collect();
    let there: BTreeSet<String> = fs::read_dir(tracked::root().join(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(there, known, "files of interfaces that are no more");
}

#[test]
fn the_manual_pages_are_those_of_the_tables() {
    let pages = man::interface_pages();
    for (file, text) in &pages {
        if let Err(difference) = bless::compare(&format!("{}/{file}", man::FOLDER), text) {
            panic!("{difference}");
        }
    }
    let mut known: BTreeSet<String> = pages.into_iter().map(|(file, _)| file).collect();
    known.insert(man::SETTINGS.to_owned());
    // Generated are those of section 5, the others are written by hand.
    let there: BTreeSet<String> = fs::read_dir(tracked::root().join(man::FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|file| file.ends_with(".5"))
        .collect();
    assert_eq!(there, known, "pages of interfaces that are no more");
}

#[test]
fn every_member_is_documented_and_says_what_it_needs() {
    for (file, xml) in virtbus_dbus::documents() {
        for member in members(&xml) {
            let what = format!("{file}: {}", member.line);
            assert!(member.documented, "{what} is not documented");
            // Signals go to everybody, without values where rules tell objects apart.
            let told = member.line.contains(" signal ");
            assert!(member.needs || told, "{what} needs no permission");
        }
    }
}

/// `i` and `u`: what libvirt has its flags and enumerations in.
fn number_count(signature: &str) -> usize {
    signature
        .chars()
        .filter(|letter| "iu".contains(*letter))
        .count()
}

#[test]
fn every_number_says_what_it_is_and_every_flag_is_told() {
    let told = virtbus_dbus::numbers();
    for (file, xml) in virtbus_dbus::documents() {
        for member in members(&xml) {
            let [interface, kind, name] = member.key();
            let of_member = told
                .iter()
                .filter(|one| [one.interface, one.kind, one.member] == [interface, kind, name]);
            let of_member: Vec<_> = of_member.collect();
            for (argument, signature) in &member.arguments {
                let of_argument = of_member
                    .iter()
                    .filter(|one| one.argument == argument && one.told.field.is_none());
                let of_argument: Vec<_> = of_argument.collect();
                let places: BTreeSet<_> = of_argument.iter().map(|one| &one.told.place).collect();
                let what = format!("{file}: {name}, '{argument}'");
                assert_eq!(places.len(), number_count(signature), "{what}: {signature}");
                let are_flags = |how: &How| matches!(how, How::Flags(_) | How::NoFlags);
                let flags = of_argument.iter().any(|one| are_flags(&one.told.how));
                assert!(flags || argument != "flags", "{what}: which flags?");
            }
        }
    }
}

#[test]
fn every_number_has_a_name_of_libvirt_and_a_meaning_of_its_own() {
    let mut seen = 0;
    for one in virtbus_dbus::numbers() {
        let (How::Flags(numbers) | How::One(numbers) | How::Detail(numbers)) = one.told.how else {
            continue;
        };
        let of_values = numbers.values.iter().filter_map(|value| value.detail);
        for set in std::iter::once(numbers).chain(of_values) {
            assert!(set.libvirt.starts_with("vir"), "{}", set.libvirt);
            assert!(set.meaning().ends_with('.'), "{} is of what?", set.libvirt);
            let values: BTreeSet<i64> = set.values.iter().map(|value| value.value).collect();
            assert_eq!(values.len(), set.values.len(), "twice: {values:?}");
            for value in set.values {
                let name = set.name(value);
                assert!(name.starts_with("VIR_"), "{}: {name}", set.libvirt);
                assert!(value.meaning().ends_with('.'), "{name} means what?");
                seen += 1;
            }
        }
        if matches!(one.told.how, How::Detail(_)) {
            let each = numbers.values.iter().all(|value| value.detail.is_some());
            assert!(each, "a value of {} has no table", numbers.libvirt);
        }
    }
    assert!(seen > 500, "only {seen} numbers");
}

#[test]
fn every_member_of_libvirt_dbus_is_there() {
    let ours: BTreeSet<String> = virtbus_dbus::documents()
        .iter()
        .flat_map(|(_, xml)| members(xml))
        .map(|member| member.line)
        .collect();
    let file = tracked::root().join("tests/repo/data/libvirt-dbus.txt");
    let wanted = fs::read_to_string(file).unwrap();
    let wanted = wanted
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let missing: Vec<&str> = wanted.filter(|line| !ours.contains(*line)).collect();
    assert_eq!(missing, [] as [&str; 0]);
}

/// A member, written as in `libvirt-dbus.txt`.
struct Member {
    line: String,
    /// Names and types; of a property its value, which has no name.
    arguments: Vec<(String, String)>,
    documented: bool,
    needs: bool,
}

impl Member {
    /// Interface, kind and name.
    fn key(&self) -> [&str; 3] {
        let mut words = self.line.split(' ');
        [(); 3].map(|()| words.next().expect("a line begins with them"))
    }
}

/// The member that is being read.
struct Open {
    head: String,
    kind: String,
    ins: Vec<String>,
    outs: Vec<String>,
    rest: String,
    signature: String,
    documented: bool,
    needs: bool,
}

impl Open {
    fn close(self) -> Member {
        let (ins, outs) = (self.ins.join(" "), self.outs.join(" "));
        let line = match self.kind.as_str() {
            "method" => format!("{} ({ins}) -> ({outs})", self.head),
            "signal" => format!("{} ({ins})", self.head),
            _ => format!("{} {}", self.head, self.rest),
        };
        let arguments = match self.kind.as_str() {
            "property" => vec![(String::new(), self.signature)],
            _ => self
                .ins
                .iter()
                .chain(&self.outs)
                .filter_map(|argument| argument.split_once(':'))
                .map(|(name, signature)| (name.to_owned(), signature.to_owned()))
                .collect(),
        };
        Member {
            line,
            arguments,
            documented: self.documented,
            needs: self.needs,
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let found = element
        .attributes()
        .map(|attribute| attribute.expect("attributes are well-formed"));
    let mut found = found.filter(|attribute| attribute.key.as_ref() == name);
    found
        .next()
        .map(|attribute| attribute.value.into_owned())
        .unwrap_or_default()
}

fn members(xml: &str) -> Vec<Member> {
    let mut reader = Reader::from_str(xml);
    let mut interface = String::new();
    let mut open: Option<Open> = None;
    let mut in_argument = false;
    let mut members = Vec::new();
    loop {
        let (element, ended) = match reader.read_event().expect("it is well-formed") {
            Event::Eof => return members,
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::End(end) => {
                in_argument &= end.name().as_ref() != "arg";
                if ["method", "signal", "property"].contains(&end.name().as_ref()) {
                    members.extend(open.take().map(Open::close));
                }
                continue;
            }
            _ => continue,
        };
        let kind = element.name().as_ref().to_owned();
        match kind.as_str() {
            "interface" => interface = attribute(&element, "name"),
            "method" | "signal" | "property" => {
                let name = attribute(&element, "name");
                open = Some(Open {
                    head: format!("{interface} {kind} {name}"),
                    rest: format!(
                        "{} {}",
                        attribute(&element, "type"),
                        attribute(&element, "access")
                    ),
                    signature: attribute(&element, "type"),
                    kind,
                    ins: Vec::new(),
                    outs: Vec::new(),
                    documented: false,
                    needs: false,
                });
                if ended {
                    members.extend(open.take().map(Open::close));
                }
            }
            "arg" => {
                in_argument = !ended;
                let line = format!(
                    "{}:{}",
                    attribute(&element, "name"),
                    attribute(&element, "type")
                );
                if let Some(open) = &mut open {
                    match attribute(&element, "direction").as_str() {
                        "out" => open.outs.push(line),
                        _ => open.ins.push(line),
                    }
                }
            }
            "annotation" if in_argument => {}
            "annotation" => {
                if let Some(open) = &mut open {
                    match attribute(&element, "name").as_str() {
                        "org.gtk.GDBus.DocString" => open.documented = true,
                        "org.virtbus.Permissions" => open.needs = true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}
