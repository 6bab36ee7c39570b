//! Committed files that are generated are what the generators give today, and the bus lets
//! everybody talk and only root own the names.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use virtbus_repo_tests::{bless, completions, man, policy, tracked};
use virtbus_skip::skip;

#[test]
fn the_polkit_actions_are_those_of_the_table() {
    if let Err(difference) =
        bless::compare("dbus-policy/org.libvirt.policy", &policy::polkit_policy())
    {
        panic!("{difference}");
    }
}

#[test]
fn the_sample_settings_and_their_page_are_what_the_daemon_prints() {
    const SAMPLE: &str = "data/virtbusd.toml";
    let daemon = built_daemon();
    let sample = match &daemon {
        Ok(daemon) => {
            let printed = Command::new(daemon).arg("--print-config").output().unwrap();
            let said = String::from_utf8_lossy(&printed.stderr);
            assert!(printed.status.success(), "{said}");
            let sample = String::from_utf8(printed.stdout).unwrap();
            if let Err(difference) = bless::compare(SAMPLE, &sample) {
                panic!("{difference}");
            }
            sample
        }
        Err(_) => fs::read_to_string(tracked::root().join(SAMPLE)).unwrap(),
    };
    // The page can be compared with what is committed at least.
    let page = man::settings_page(&sample).unwrap();
    let path = format!("{}/{}", man::FOLDER, man::SETTINGS);
    if let Err(difference) = bless::compare(&path, &page) {
        panic!("{difference}");
    }
    if let Err(reason) = daemon {
        skip!("{reason}");
    }
}

#[test]
fn the_page_of_permissions_is_what_the_tables_say() {
    let path = format!("{}/{}", man::FOLDER, man::PERMISSIONS);
    if let Err(difference) = bless::compare(&path, &man::permissions_page()) {
        panic!("{difference}");
    }
}

#[test]
fn the_page_of_numbers_is_what_the_declarations_say() {
    let path = format!("{}/{}", man::FOLDER, man::NUMBERS);
    if let Err(difference) = bless::compare(&path, &man::numbers_page()) {
        panic!("{difference}");
    }
}

#[test]
fn completions_are_those_of_the_options() {
    let generated = completions::completions();
    for completion in &generated {
        let path = format!("{}/{}", completions::FOLDER, completion.file);
        if let Err(difference) = bless::compare(&path, &completion.text) {
            panic!("{difference}");
        }
    }
    let known: BTreeSet<String> = generated.iter().map(|one| one.file.to_owned()).collect();
    assert_eq!(there(completions::FOLDER), known, "completions of no shell");
}

/// The files of a folder.
fn there(folder: &str) -> BTreeSet<String> {
    fs::read_dir(tracked::root().join(folder))
        .expect("the folder is there")
        .map(|entry| {
            entry
                .expect("it can be listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

/// The daemon beside this test's directory, or `VIRTBUSD`. One that is older than the settings'
/// declarations would tell of the past.
fn built_daemon() -> Result<PathBuf, String> {
    let changed = |path: PathBuf| -> Result<SystemTime, String> {
        fs::metadata(&path)
            .and_then(|facts| facts.modified())
            .map_err(|error| format!("cannot look at '{}': {error}", path.display()))
    };
    let given = std::env::var_os("VIRTBUSD").filter(|given| !given.is_empty());
    let test = std::env::current_exe().map_err(|error| format!("needs to know itself: {error}"))?;
    let daemon = given
        .map(PathBuf::from)
        .or_else(|| {
            test.ancestors()
                .skip(1)
                .take(2)
                .map(|dir| dir.join("virtbusd"))
                .find(|file| file.is_file())
        })
        .ok_or("needs a built virtbusd (cargo build -p virtbusd)")?;
    let settings = tracked::root().join("service/src/settings.rs");
    if changed(daemon.clone())? < changed(settings)? {
        return Err("needs a virtbusd built from these sources".to_owned());
    }
    Ok(daemon)
}

/// A rule of the bus: whom it is for, what it says, and about what.
#[derive(Debug, PartialEq, Eq)]
struct BusRule {
    whom: String,
    what: String,
    about: Vec<(String, String)>,
}

fn attributes(element: &BytesStart<'_>) -> Vec<(String, String)> {
    element
        .attributes()
        .map(|attribute| {
            let attribute = attribute.expect("attributes are well-formed");
            let name = attribute.key.as_ref().to_owned();
            (name, attribute.value.into_owned())
        })
        .collect()
}

fn bus_rules(text: &str) -> Vec<BusRule> {
    let mut reader = Reader::from_str(text);
    let mut whom = String::new();
    let mut rules = Vec::new();
    loop {
        let (element, is_policy) = match reader.read_event().expect("it is well-formed") {
            Event::Eof => return rules,
            Event::Start(element) | Event::Empty(element) => {
                let is_policy = element.name().as_ref() == "policy";
                (element, is_policy)
            }
            _ => continue,
        };
        let about = attributes(&element);
        if is_policy {
            let [(name, value)] = about.as_slice() else {
                panic!("a policy for whom? {about:?}");
            };
            whom = format!("{name}={value}");
        } else if !whom.is_empty() {
            let what = element.name().as_ref().to_owned();
            rules.push(BusRule {
                whom: whom.clone(),
                what,
                about,
            });
        }
    }
}

#[test]
fn only_root_owns_the_names_and_everybody_may_talk() {
    let path = tracked::root().join("dbus-policy/org.libvirt.conf");
    let mut rules = bus_rules(&fs::read_to_string(path).unwrap());
    for name in ["org.libvirt", "org.virtbus"] {
        for (whom, about) in [
            ("user=root", "own"),
            ("context=default", "send_destination"),
        ] {
            let wanted = BusRule {
                whom: whom.to_owned(),
                what: "allow".to_owned(),
                about: vec![(about.to_owned(), name.to_owned())],
            };
            let at = rules.iter().position(|rule| *rule == wanted);
            rules.remove(at.unwrap_or_else(|| panic!("missing: {wanted:?}")));
        }
    }
    assert_eq!(rules, [], "more is allowed than was meant");
}
