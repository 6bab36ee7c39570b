//! Who may know whom: the edges between crates, and which crates may speak on a bus.

use std::collections::BTreeSet;
use std::fs;

use virtbus_repo_tests::crates::{Crate, crates};
use virtbus_repo_tests::tracked;

/// What a crate is in the house, by its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Service,
    Interface,
    Api,
    Util,
    /// What documents share.
    ConfBase,
    ConfStorage,
    ConfHost,
    ConfDomain,
    /// Tests of all documents together, and what those of single ones share.
    ConfTests,
    Xml,
    XmlDerive,
    Format,
    /// What drivers of hypervisors on this host share. It is no driver itself.
    Hypervisor,
    /// What drivers of any kind share, and what knows nothing but the API. It is no driver itself.
    Library,
    Driver,
    /// A part of the host that many connections offer, such as networks: a driver that knows neither guests nor hypervisors.
    Subsystem,
    /// A part of one driver, below its folder: known to that driver and its other parts, and no driver itself.
    Part,
    /// What the tests of any crate may use, such as how a test says that it cannot run.
    TestAid,
    Tests,
}

impl Room {
    fn of(folder: &str) -> Option<Self> {
        let parts: Vec<&str> = folder.split('/').collect();
        Some(match parts.as_slice() {
            ["service"] => Self::Service,
            ["interfaces", _] => Self::Interface,
            ["drivers", "api"] => Self::Api,
            ["drivers", "util"] => Self::Util,
            ["drivers", "hypervisor"] => Self::Hypervisor,
            ["drivers", "mirror"] => Self::Library,
            ["drivers", "conf", "base"] => Self::ConfBase,
            ["drivers", "conf", "storage"] => Self::ConfStorage,
            ["drivers", "conf", "host"] => Self::ConfHost,
            ["drivers", "conf", "domain"] => Self::ConfDomain,
            ["drivers", "conf", "tests"] => Self::ConfTests,
            ["drivers", "conf", "xml"] => Self::Xml,
            ["drivers", "conf", "xml-derive"] => Self::XmlDerive,
            ["drivers", "formats", _] => Self::Format,
            ["drivers", "network" | "secret"] => Self::Subsystem,
            ["drivers", _] => Self::Driver,
            ["drivers", "qemu", "peer"] | ["tests", "e2e", "skip"] => Self::TestAid,
            ["drivers", "qemu", _] => Self::Part,
            ["tests", ..] => Self::Tests,
            _ => return None,
        })
    }

    /// Whether it has documents of its own.
    const fn has_documents(self) -> bool {
        matches!(self, Self::ConfStorage | Self::ConfHost | Self::ConfDomain)
    }

    /// Whom it may know.
    const fn may_know(self) -> &'static [Self] {
        match self {
            Self::Service => &[
                Self::Interface,
                Self::Api,
                Self::Util,
                Self::ConfBase,
                Self::ConfStorage,
                Self::ConfHost,
                Self::ConfDomain,
                Self::Format,
                Self::Driver,
                Self::Subsystem,
            ],
            Self::Interface => &[Self::Api],
            Self::ConfBase => &[Self::Xml],
            // Networks and what else the host has are compiled without a domain.
            Self::ConfStorage | Self::ConfHost => &[Self::ConfBase, Self::Xml],
            Self::ConfDomain => &[Self::ConfBase, Self::ConfStorage, Self::Xml],
            Self::ConfTests => &[
                Self::ConfBase,
                Self::ConfStorage,
                Self::ConfHost,
                Self::ConfDomain,
                Self::Xml,
            ],
            Self::Xml => &[Self::XmlDerive],
            Self::Format => &[Self::Xml, Self::Util],
            Self::Library => &[Self::Api],
            Self::Hypervisor => &[
                Self::Api,
                Self::ConfBase,
                Self::ConfStorage,
                Self::ConfHost,
                Self::ConfDomain,
                Self::Util,
            ],
            Self::Driver => &[
                Self::Api,
                Self::ConfBase,
                Self::ConfStorage,
                Self::ConfHost,
                Self::ConfDomain,
                Self::Util,
                Self::Format,
                Self::Hypervisor,
                Self::Library,
                Self::Part,
            ],
            Self::Subsystem => &[Self::Api, Self::ConfBase, Self::ConfHost, Self::Util],
            Self::Part => &[
                Self::Api,
                Self::ConfBase,
                Self::ConfStorage,
                Self::ConfHost,
                Self::ConfDomain,
                Self::Util,
                Self::Format,
                Self::Part,
            ],
            Self::Api | Self::Util | Self::XmlDerive | Self::TestAid => &[],
            Self::Tests => &[
                Self::Service,
                Self::Interface,
                Self::Api,
                Self::Util,
                Self::ConfBase,
                Self::ConfStorage,
                Self::ConfHost,
                Self::ConfDomain,
                Self::Xml,
                Self::Format,
                Self::Hypervisor,
                Self::Library,
                Self::Driver,
                Self::Subsystem,
                Self::Part,
                Self::TestAid,
                Self::Tests,
            ],
        }
    }
}

/// Crates of others that belong to one part of the house: what begins so, and who may use it.
const KEPT_APART: [(&str, &[Room], &str); 5] = [
    ("zbus", BUS_ROOMS, "the bus is an interface's affair"),
    ("zvariant", BUS_ROOMS, "the bus is an interface's affair"),
    ("polkit", &[Room::Service], "only the daemon asks polkit"),
    ("gio", &[Room::Service], "it is there for polkit"),
    ("glib", &[Room::Service], "it is there for polkit"),
];
const BUS_ROOMS: &[Room] = &[Room::Service, Room::Interface, Room::Tests];

/// Edges between parts of one driver that are not there, whatever their rooms say, with the reason.
const NOT_BETWEEN_PARTS: [(&str, &str, &str); 1] = [(
    "drivers/qemu/monitor",
    "drivers/qemu/capabilities",
    "what is said to QEMU does not depend on what it can do",
)];

/// Whether two folders belong to the same driver.
fn of_one_driver(from: &str, to: &str) -> bool {
    let driver = |folder: &str| folder.split('/').nth(1).map(ToOwned::to_owned);
    driver(from) == driver(to)
}

/// Whether a crate may know another by the rooms that they are in.
fn may_know(from: &str, to: &str) -> bool {
    let (Some(knowing), Some(known)) = (Room::of(from), Room::of(to)) else {
        return false;
    };
    knowing.may_know().contains(&known)
        && (known != Room::Part || knowing == Room::Tests || of_one_driver(from, to))
        && !NOT_BETWEEN_PARTS
            .iter()
            .any(|(one, other, _)| (*one, *other) == (from, to))
}

fn room(one: &Crate) -> Room {
    Room::of(&one.folder).unwrap_or_else(|| panic!("{} is in no known folder", one.folder))
}

#[test]
fn crates_depend_only_on_those_they_may_know() {
    let crates = crates().unwrap();
    assert!(crates.len() > 5, "{crates:?}");
    let mut wrong = Vec::new();
    for from in &crates {
        for dependency in &from.dependencies {
            let Some(to) = crates.iter().find(|one| one.name == dependency.name) else {
                continue;
            };
            let for_tests = dependency.kind.as_deref() == Some("dev");
            let allowed = may_know(&from.folder, &to.folder)
                || (for_tests && room(to) == Room::TestAid)
                || (for_tests && room(from).has_documents() && room(to) == Room::ConfTests)
                // Examples of a derive need what it derives for.
                || (for_tests && (room(from), room(to)) == (Room::XmlDerive, Room::Xml));
            if !allowed {
                wrong.push(format!("{} -> {}", from.folder, to.folder));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "forbidden edges");
}

#[test]
fn libraries_of_the_bus_and_of_polkit_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for from in crates().unwrap() {
        for dependency in &from.dependencies {
            for (name, rooms, reason) in KEPT_APART {
                if dependency.name.starts_with(name) && !rooms.contains(&room(&from)) {
                    wrong.push(format!("{} -> {}: {reason}", from.folder, dependency.name));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_driver_is_a_feature_of_the_service_that_is_on_by_default() {
    let crates = crates().unwrap();
    let service = crates.iter().find(|one| room(one) == Room::Service);
    let service = service.expect("there is a service");
    let mut on = BTreeSet::new();
    let mut todo = vec!["default".to_owned()];
    while let Some(feature) = todo.pop() {
        if on.insert(feature.clone()) {
            todo.extend(service.features.get(&feature).cloned().unwrap_or_default());
        }
    }
    let is_driver = |one: &&Crate| matches!(room(one), Room::Driver | Room::Subsystem);
    for driver in crates.iter().filter(is_driver) {
        let name = &driver.name;
        let dependency = service
            .dependencies
            .iter()
            .find(|one| one.name == *name && one.kind.is_none());
        let dependency = dependency.unwrap_or_else(|| panic!("the service leaves out {name}"));
        assert!(dependency.optional, "{name} cannot be left out");
        assert!(
            on.contains(&format!("dep:{name}")),
            "no feature on by default turns on {name}"
        );
    }
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    for one in crates().unwrap() {
        let manifest = tracked::root().join(&one.folder).join("Cargo.toml");
        let text = fs::read_to_string(manifest).unwrap();
        assert!(
            text.contains("[lints]\nworkspace = true\n"),
            "{} has lints of its own or none",
            one.folder
        );
    }
}

#[test]
fn rooms_are_told_by_their_folders() {
    assert_eq!(Room::of("drivers/qemu"), Some(Room::Driver));
    assert_eq!(Room::of("drivers/conf/xml"), Some(Room::Xml));
    assert_eq!(Room::of("drivers/formats/vmx"), Some(Room::Format));
    assert_eq!(Room::of("drivers/qemu/monitor"), Some(Room::Part));
    assert_eq!(Room::of("drivers/hypervisor"), Some(Room::Hypervisor));
    assert_eq!(Room::of("drivers/mirror"), Some(Room::Library));
    assert_eq!(Room::Library.may_know(), [Room::Api]);
    assert_eq!(Room::of("elsewhere"), None);
    assert_eq!(Room::of("drivers/conf/host"), Some(Room::ConfHost));
    assert!(!Room::Driver.may_know().contains(&Room::Driver));
    assert!(!Room::Driver.may_know().contains(&Room::Subsystem));
    for guests in [
        Room::Driver,
        Room::Subsystem,
        Room::Hypervisor,
        Room::ConfDomain,
    ] {
        assert!(!Room::Subsystem.may_know().contains(&guests));
    }
    assert_eq!(Room::Format.may_know(), [Room::Xml, Room::Util]);
    assert!(Room::Driver.may_know().contains(&Room::Format));
}

#[test]
fn parts_of_a_driver_are_known_to_that_driver_and_below() {
    let monitor = "drivers/qemu/monitor";
    let capabilities = "drivers/qemu/capabilities";
    assert!(may_know("drivers/qemu", monitor));
    assert!(may_know(capabilities, monitor));
    assert!(may_know("tests/fuzz", monitor));
    for (from, to) in [
        (monitor, capabilities),
        (monitor, "drivers/qemu"),
        ("drivers/test", monitor),
        ("service", monitor),
    ] {
        assert!(!may_know(from, to), "{from} -> {to}");
    }
}
