//! What is served on the bus: the committed introspection and manual pages are what the daemon's tables give today, and every
//! member of libvirt-dbus is there, as clients know it.

use std::collections::BTreeSet;
use std::fs;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
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
    documented: bool,
    needs: bool,
}

/// The member that is being read.
struct Open {
    head: String,
    kind: String,
    ins: Vec<String>,
    outs: Vec<String>,
    rest: String,
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
        Member {
            line,
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
    let mut members = Vec::new();
    loop {
        let (element, ended) = match reader.read_event().expect("it is well-formed") {
            Event::Eof => return members,
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::End(end) => {
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
