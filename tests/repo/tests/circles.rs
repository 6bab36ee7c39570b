//! Modules of a crate do not know each other in a circle.

use std::collections::BTreeSet;

use virtbus_repo_tests::circles::{circles, edges};
use virtbus_repo_tests::crates::crates;
use virtbus_repo_tests::tracked;

/// Crates with circles, by folder: how many modules may be in any, and why they are. All others have none. A number may only fall.
const KNOWN: &[(&str, usize, &str)] = &[
    (
        "drivers/api",
        21,
        "a connection names the calls of every kind of object, and these name what all kinds share",
    ),
    (
        "drivers/conf/storage",
        2,
        "documents of pools and volumes share types of both",
    ),
    (
        "drivers/conf/xml",
        7,
        "the tree, what reads and what writes it name its nodes and each other's errors",
    ),
    (
        "drivers/conf/xml-derive",
        2,
        "what a description tells of a field comes from the field, with its documentation",
    ),
    (
        "drivers/test",
        7,
        "one lock is around all kinds of objects: each module changes the host that it is a part of",
    ),
    (
        "drivers/util",
        2,
        "messages about files name users, and users are looked up in a file",
    ),
    (
        "interfaces/dbus",
        17,
        "the tables of members name what carries calls out, and that looks them up",
    ),
    (
        "tests/conformance",
        2,
        "suites are run by what they tell their results to",
    ),
    (
        "tests/e2e",
        2,
        "a client gives domains, and a domain is called by its client",
    ),
];

#[test]
fn modules_do_not_know_each_other_in_a_circle() {
    let crates = crates().unwrap();
    let mut wrong = Vec::new();
    for one in &crates {
        let sources = tracked::root().join(&one.folder).join("src");
        if !sources.is_dir() {
            continue;
        }
        let edges = edges(&sources).unwrap();
        let circles = circles(&edges);
        let inside: usize = circles.iter().map(BTreeSet::len).sum();
        let known = KNOWN.iter().find(|(folder, ..)| *folder == one.folder);
        let allowed = known.map_or(0, |(_, most, _)| *most);
        if inside > allowed {
            let told = circles
                .iter()
                .map(|circle| circle.iter().cloned().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
                .join("; ");
            wrong.push(format!(
                "{}: {inside} modules, {allowed} at most: {told}",
                one.folder
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "modules that know each other, by whatever way:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn crates_with_circles_are_those_that_there_are() {
    let crates = crates().unwrap();
    for (folder, most, reason) in KNOWN {
        assert!(crates.iter().any(|one| one.folder == *folder), "{folder}");
        assert!(*most > 1, "{folder}: no circle has {most} modules");
        assert!(!reason.is_empty(), "{folder} has no reason");
    }
}

#[test]
fn a_driver_has_modules_that_know_each_other() {
    // The test would hold as well if nothing were read.
    let sources = tracked::root().join("drivers/qemu/src");
    let edges = edges(&sources).unwrap();
    for (from, to) in [
        ("driver", "start"),
        ("start", "saving"),
        ("domain", "persist"),
    ] {
        assert!(edges[from].contains(to), "{from} -> {to}");
    }
}
