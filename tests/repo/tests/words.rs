//! What administrators read says something: no entry of the XML reference or of the bus documentation is a single word, a
//! pointer to another one, or its name again.

use std::fs;

use virtbus_repo_tests::tracked;
use virtbus_repo_tests::words::{self, Entry};

/// What is wrong with the entries, one line each.
fn faults(entries: &[Entry]) -> Vec<String> {
    let faults = entries.iter().filter_map(|entry| {
        let fault = entry.fault()?;
        let Entry { place, name, text } = entry;
        Some(format!("{place}: {name}: '{text}': {fault}"))
    });
    faults.collect()
}

#[test]
fn every_entry_of_the_xml_reference_says_something() {
    let folder = tracked::root().join("data/xml");
    let mut entries = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let page = path.file_name().unwrap().to_string_lossy();
        let text = fs::read_to_string(&path).unwrap();
        entries.extend(words::of_page(&page, &text));
    }
    assert!(entries.len() > 2000, "only {} entries", entries.len());
    assert_eq!(faults(&entries), [] as [String; 0]);
}

#[test]
fn every_entry_of_the_bus_documentation_says_something() {
    let documents = virtbus_dbus::documents();
    let entries: Vec<Entry> = documents
        .iter()
        .flat_map(|(file, xml)| words::of_introspection(file, xml))
        .collect();
    assert!(entries.len() > 300, "only {} entries", entries.len());
    assert_eq!(faults(&entries), [] as [String; 0]);
}
