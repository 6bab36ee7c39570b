//! What every tracked file must keep to, whatever it is written in.

use std::path::{Path, PathBuf};
use std::process::Command;

use quick_xml::Reader;
use quick_xml::events::Event;
use virtbus_repo_tests::tracked::{self, File};
use virtbus_skip::skip;

/// Where clones commonly are; these say nothing of a machine.
const COMMON: [&str; 6] = ["/", "/home", "/tmp", "/var/tmp", "/usr/src", "/srv"];

/// Paths below a home directory that mean any such directory.
const HOME_EXCUSED: [(&str, &str); 1] = [(
    "drivers/util/src/cmd/tests.rs",
    "a directory that is nowhere, below one that is closed to others",
)];

/// A word that files must not have in them, and those that may.
struct Forbidden {
    word: String,
    except: Vec<&'static str>,
}

/// Paths of the machine that the tests run on, and the hosts that packages come from here.
fn forbidden() -> Vec<Forbidden> {
    let root = tracked::root();
    let mut words = Vec::new();
    let dirs = [Some(root.as_path()), root.parent()];
    for dir in dirs.into_iter().flatten() {
        let dir = dir.display().to_string();
        if !COMMON.contains(&dir.as_str()) {
            words.push(Forbidden {
                word: dir + "/",
                except: Vec::new(),
            });
        }
    }
    if let Some(home) = std::env::var_os("HOME").map(PathBuf::from) {
        words.push(Forbidden {
            word: format!("{}/", home.display()),
            except: HOME_EXCUSED.iter().map(|(path, _)| *path).collect(),
        });
    }
    // In two pieces, or this file would be the first to be found.
    for (name, domain) in [("crates", "io"), ("deb.debian", "org")] {
        words.push(Forbidden {
            word: format!("{name}.{domain}"),
            except: vec!["Cargo.lock"],
        });
    }
    words
}

/// Whether a text has a word in it; a path only where it begins, not in the middle of another.
fn finds(text: &str, word: &str) -> bool {
    let path = word.starts_with('/');
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !path || !before.is_some_and(|letter| letter.is_alphanumeric() || "}._-".contains(letter))
    })
}

#[test]
fn a_path_is_found_only_where_it_begins() {
    assert!(finds("cd /nowhere/alice/x", "/nowhere/alice/"));
    assert!(finds("(/nowhere/alice/x)", "/nowhere/alice/"));
    assert!(!finds("$root/srv/nowhere/alice/x", "/nowhere/alice/"));
    assert!(finds("https://index.example.org/x", "example.org"));
}

#[test]
fn no_file_names_this_machine_or_its_package_hosts() {
    let files = match tracked::files() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let mut wrong = Vec::new();
    for forbidden in forbidden() {
        for file in &files {
            if !forbidden.except.contains(&file.path.as_str()) && finds(&file.text, &forbidden.word)
            {
                wrong.push(format!("{} names {}", file.path, forbidden.word));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn scripts_are_scripts() {
    let files = match tracked::files() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let mut seen = 0;
    for file in files {
        let first = file.text.lines().next().unwrap_or_default();
        let shell = if first.starts_with("#!") {
            match Path::new(first.trim_end()).file_name() {
                Some(name) if name == "bash" => "bash",
                Some(name) if name == "sh" => "sh",
                _ => continue,
            }
        } else if file.path.ends_with(".sh") {
            "bash"
        } else {
            continue;
        };
        let parsed = Command::new(shell)
            .arg("-n")
            .arg(tracked::root().join(&file.path))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&parsed.stderr);
        assert!(parsed.status.success(), "{}: {said}", file.path);
        assert_eq!(said, "", "{}", file.path);
        seen += 1;
    }
    assert!(seen > 3, "only {seen} scripts");
}

#[test]
fn installed_xml_is_well_formed() {
    let files = match tracked::files() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let installed = |file: &&File| {
        (file.path.starts_with("dbus-policy/") || file.path.starts_with("data/"))
            && file.text.starts_with("<")
    };
    let mut seen = 0;
    for file in files.iter().filter(installed) {
        let mut reader = Reader::from_str(&file.text);
        reader.config_mut().check_comments = true;
        loop {
            match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(_) => {}
                Err(error) => {
                    panic!("{} at byte {}: {error}", file.path, reader.error_position());
                }
            }
        }
        seen += 1;
    }
    assert!(seen >= 2, "the bus policy and the actions are not there");
}

#[test]
fn licences_that_do_not_go_with_ours_are_refused() {
    let files = match tracked::files() {
        Ok(files) => files,
        Err(reason) => skip!("{reason}"),
    };
    let deny = files.iter().find(|file| file.path == "deny.toml");
    let deny = &deny.expect("there is a deny.toml").text;
    let start = deny.find("\nallow = [").expect("it lists licences");
    let allowed = &deny[start..start + deny[start..].find(']').expect("the list ends")];
    assert!(allowed.contains("\"MIT\""), "{allowed}");
    assert!(
        !allowed.contains("\"GPL-3") && !allowed.contains("AGPL"),
        "{allowed}"
    );
    for name in ["rustables", "serde-xdr", "xenctrl-sys"] {
        assert!(
            deny.contains(&format!("name = \"{name}\"")),
            "{name} is GPL-3"
        );
    }
}
