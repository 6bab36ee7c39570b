//! Whether the administrator's rules can tell one guest from another.
//!
//! If no installed rule looks at what a call is about ([`script`] says how that is told), one question decides a whole list; ten
//! thousand questions would keep polkit busy for ten seconds. The files are read when they change ([`watch`]), never by a
//! caller.

mod script;
pub(super) mod watch;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use virtbus_api::access::ObjectClass;

use script::Looks;

/// Where polkit reads rules (polkit(8), and upstream's later additions).
const DIRECTORIES: [&str; 4] = [
    "/etc/polkit-1/rules.d",
    "/run/polkit-1/rules.d",
    "/usr/local/share/polkit-1/rules.d",
    "/usr/share/polkit-1/rules.d",
];

/// The rule file that polkit has to read last, by which a rule's answer is told from a default. It is installed with the daemon.
pub(crate) const LAST: &str = "zzz-virtbus.rules";

/// How the attributes begin that objects of a class have of their own.
pub(crate) const fn attribute_prefix(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::Connect => "connect_",
        ObjectClass::Domain => "domain_",
        ObjectClass::Interface => "interface_",
        ObjectClass::Network | ObjectClass::NetworkPort => "network_",
        ObjectClass::NodeDevice => "node_device_",
        ObjectClass::Nwfilter | ObjectClass::NwfilterBinding => "nwfilter_",
        ObjectClass::Secret => "secret_",
        ObjectClass::StoragePool => "pool_",
        ObjectClass::StorageVol => "vol_",
        ObjectClass::Manager => "manager_",
    }
}

/// The rules that are installed, as far as it matters what is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    looked_at: Rules,
    /// Why [`LAST`] is not the last of them; nothing if it is.
    why_not_last: Option<String>,
}

impl Installed {
    /// Reads the installed rules.
    pub(crate) fn read() -> Self {
        Self {
            looked_at: Rules::installed(),
            why_not_last: why_not_last(DIRECTORIES.map(Path::new)),
        }
    }

    /// What has to be taken for true where the rules cannot be read.
    pub(crate) fn unknown(cause: String) -> Self {
        Self {
            looked_at: Rules::LookAtAnything {
                cause: cause.clone(),
            },
            why_not_last: Some(cause),
        }
    }

    /// Whether a rule may answer differently for two objects of the class.
    pub(crate) fn tell_apart(&self, class: ObjectClass) -> bool {
        self.looked_at.tell_apart(class)
    }

    /// Why it is not certain what the rules look at; nothing if it is.
    pub(crate) fn why_anything(&self) -> Option<&str> {
        match &self.looked_at {
            Rules::LookAt(_) => None,
            Rules::LookAtAnything { cause } => Some(cause),
        }
    }

    /// Why it is not certain that [`LAST`] is asked when no other rule has decided; nothing if it is.
    pub(crate) fn why_not_last(&self) -> Option<&str> {
        self.why_not_last.as_deref()
    }
}

/// What all rules together look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rules {
    /// At the attributes of these names, and at no other.
    LookAt(BTreeSet<String>),
    /// At any, for all that can be told.
    LookAtAnything {
        /// What keeps it from being certain, as a sentence.
        cause: String,
    },
}

impl Rules {
    /// Reads the installed rules.
    pub(crate) fn installed() -> Self {
        let mut names = BTreeSet::new();
        for directory in DIRECTORIES {
            match names_in(Path::new(directory)) {
                Ok(found) => names.extend(found),
                Err(cause) => return Self::LookAtAnything { cause },
            }
        }
        Self::LookAt(names)
    }

    /// Whether a rule may answer differently for two objects of the class.
    pub(crate) fn tell_apart(&self, class: ObjectClass) -> bool {
        let Self::LookAt(names) = self else {
            return true;
        };
        let looked_at = |class| {
            let prefix = attribute_prefix(class);
            names.iter().any(|name| name.starts_with(prefix))
        };
        // A volume has the attributes of its pool besides.
        let of_pool = class == ObjectClass::StorageVol && looked_at(ObjectClass::StoragePool);
        of_pool || looked_at(class)
    }
}

/// The names that the rules in a directory look up, or why that is not certain.
fn names_in(directory: &Path) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let unlisted = |error| format!("'{}' cannot be listed: {error}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(unlisted(error)),
    };
    if let Some(link) = directory.ancestors().find(|above| above.is_symlink()) {
        return Err(behind(link));
    }
    for entry in entries {
        let path = entry.map_err(unlisted)?.path();
        if !is_rules(&path) {
            continue;
        }
        if path.is_symlink() {
            return Err(behind(&path));
        }
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("'{}' cannot be read: {error}", path.display()))?;
        match script::looks(&text) {
            Looks::At(found) => names.extend(found),
            Looks::Anything => {
                return Err(format!(
                    "a rule in '{}' does more with its action than .id and .lookup(\"...\")",
                    path.display()
                ));
            }
        }
    }
    Ok(names)
}

/// Why it is not certain what rules look at that a link leads to. polkit does not notice either when they change there: it has the old ones
/// until it reads all of them anew, so that the file is no evidence.
fn behind(link: &Path) -> String {
    format!(
        "'{}' is a symbolic link, and it is not noticed when polkit reads other rules there",
        link.display()
    )
}

/// Whether polkit reads a file of this name. The ending may be all there is, which is no extension to the library.
fn is_rules(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().ends_with(b".rules")
}

/// Why [`LAST`] is not what polkit, which goes by the names of files, reads last of these directories; nothing if it is.
fn why_not_last<'a>(directories: impl IntoIterator<Item = &'a Path>) -> Option<String> {
    let mut last: Option<OsString> = None;
    let mut is_there = false;
    for directory in directories {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Some(format!(
                    "'{}' cannot be listed: {error}",
                    directory.display()
                ));
            }
        };
        for name in entries.flatten().map(|entry| entry.file_name()) {
            if is_rules(Path::new(&name)) {
                is_there |= name == LAST;
                last = last.max(Some(name));
            }
        }
    }
    match last {
        _ if !is_there => Some(format!("the rule file {LAST} is not installed")),
        Some(name) if name != LAST => Some(format!(
            "polkit reads the rule file {} after {LAST}, which has to be the last",
            name.display()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        let dir = std::env::temp_dir().join(format!(
            "virtbus-rules-{}-{}",
            std::process::id(),
            text.len()
        ));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("50-test.rules"), text).unwrap();
        fs::write(dir.join("ignored.txt"), "polkit.addRule(f)").unwrap();
        let names = names_in(&dir);
        fs::remove_dir_all(&dir).unwrap();
        names.map_or_else(|cause| Rules::LookAtAnything { cause }, Rules::LookAt)
    }

    fn rule(condition: &str) -> Rules {
        rules(&format!(
            "polkit.addRule(function(action, subject) {{ if ({condition}) return polkit.Result.NO; }});"
        ))
    }

    #[test]
    fn only_a_rule_that_looks_at_a_guest_tells_guests_apart() {
        assert!(!rule("subject.isInGroup('libvirt')").tell_apart(ObjectClass::Domain));
        assert!(!rule("action.lookup(\"unit\") == \"x\"").tell_apart(ObjectClass::Domain));
        let guest = rule("action.lookup( 'domain_name' ) == 'web'");
        assert!(guest.tell_apart(ObjectClass::Domain));
        assert!(!guest.tell_apart(ObjectClass::Network));
    }

    #[test]
    fn a_rule_that_looks_at_a_pool_tells_its_volumes_apart() {
        let pool = rule("action.lookup('pool_name') == 'private'");
        assert!(pool.tell_apart(ObjectClass::StorageVol));
        assert!(!rule("action.lookup('vol_name') == 'x'").tell_apart(ObjectClass::StoragePool));
    }

    #[test]
    fn what_is_not_certain_may_tell_anything_apart() {
        assert!(rule("action.lookup(key)").tell_apart(ObjectClass::Network));
        assert_eq!(
            names_in(Path::new("/nonexistent/rules.d")),
            Ok(BTreeSet::new())
        );
        // A directory that is a file cannot be listed.
        let unlisted = names_in(Path::new("/proc/self/status")).unwrap_err();
        assert!(unlisted.contains("/proc/self/status"), "{unlisted}");
    }

    /// A directory of a test's own with these files, and what `look` says of it.
    fn with_files<T>(test: &str, files: &[(&str, &str)], look: impl Fn(&Path) -> T) -> T {
        let name = format!("virtbus-rules-{test}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
        let seen = look(&dir);
        fs::remove_dir_all(&dir).unwrap();
        seen
    }

    #[test]
    fn what_is_behind_a_link_may_look_at_anything() {
        let text = "polkit.addRule(function(action) { return null; });";
        let looked = with_files("link", &[("50-rules", text)], |dir| {
            assert_eq!(names_in(dir), Ok(BTreeSet::new()));
            std::os::unix::fs::symlink("50-rules", dir.join("50-a.rules")).unwrap();
            let file = names_in(dir).unwrap_err();
            fs::remove_file(dir.join("50-a.rules")).unwrap();
            fs::create_dir(dir.join("real")).unwrap();
            std::os::unix::fs::symlink("real", dir.join("link")).unwrap();
            assert_eq!(names_in(&dir.join("real")), Ok(BTreeSet::new()));
            (file, names_in(&dir.join("link")).unwrap_err())
        });
        assert!(
            looked.0.contains("50-a.rules' is a symbolic link"),
            "{looked:?}"
        );
        assert!(looked.1.contains("link' is a symbolic link"), "{looked:?}");
    }

    #[test]
    fn a_file_is_read_whose_name_is_the_ending_alone() {
        let text = "polkit.addRule(function(action) { return action.lookup('vol_name'); });";
        let names = with_files("ending", &[(".rules", text)], names_in);
        assert_eq!(names, Ok(BTreeSet::from(["vol_name".to_owned()])));
    }

    #[test]
    fn only_the_last_rule_tells_a_default_from_an_answer() {
        let why = |test: &str, names: &[&str]| {
            let files: Vec<_> = names.iter().map(|name| (*name, "")).collect();
            with_files(test, &files, |dir| {
                why_not_last([Path::new("/nonexistent"), dir])
            })
        };
        let missing = why("missing", &["50-alice.rules"]).unwrap();
        assert!(missing.contains("not installed"), "{missing}");
        assert_eq!(why("last", &["50-a.rules", LAST, "zzzz.txt"]), None);
        let later = why("later", &[LAST, "zzzz.rules"]).unwrap();
        assert!(later.contains("zzzz.rules"), "{later}");
        // A directory that is a file cannot be listed.
        assert!(why_not_last([Path::new("/proc/self/status")]).is_some());
    }

    #[test]
    fn the_last_rule_tells_nothing_apart() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dbus-policy");
        assert_eq!(why_not_last([&*shipped]), None);
        let names = names_in(&shipped).map(Rules::LookAt).unwrap();
        for class in [ObjectClass::Connect, ObjectClass::Domain] {
            assert!(!names.tell_apart(class), "{names:?}");
        }
    }

    #[test]
    fn the_examples_tell_apart_what_they_say() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dbus-policy/rules");
        let expected = BTreeSet::from(["domain_name".to_owned()]);
        assert_eq!(names_in(&examples), Ok(expected));
    }
}
