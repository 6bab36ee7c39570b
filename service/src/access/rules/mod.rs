//! Whether the administrator's rules can tell one guest from another.
//!
//! If no installed rule looks at what a call is about ([`script`] says how that is told), one question decides a whole list; ten
//! thousand questions would keep polkit busy for ten seconds. The files are read when they change ([`watch`]), never by a
//! caller.

mod script;
pub(super) mod watch;

use std::collections::BTreeSet;
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
    }
}

/// What all rules together look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rules {
    /// At the attributes of these names, and at no other.
    LookAt(BTreeSet<String>),
    /// At any, for all that can be told: a rule does more than look attributes up by name, or a file cannot be read.
    LookAtAnything,
}

impl Rules {
    /// Reads the installed rules.
    pub(crate) fn installed() -> Self {
        let mut names = BTreeSet::new();
        for directory in DIRECTORIES {
            match Self::in_directory(Path::new(directory)) {
                Self::LookAt(found) => names.extend(found),
                Self::LookAtAnything => return Self::LookAtAnything,
            }
        }
        Self::LookAt(names)
    }

    fn in_directory(directory: &Path) -> Self {
        let mut names = BTreeSet::new();
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Self::LookAt(names);
            }
            Err(error) => {
                tracing::warn!(
                    "the rules of polkit in '{}' cannot be listed, so it is asked about each object by itself: {error}",
                    directory.display()
                );
                return Self::LookAtAnything;
            }
        };
        for entry in entries {
            let Ok(path) = entry.map(|entry| entry.path()) else {
                return Self::LookAtAnything;
            };
            if path
                .extension()
                .is_none_or(|extension| extension != "rules")
            {
                continue;
            }
            let looks = fs::read_to_string(&path).map(|text| script::looks(&text));
            match looks {
                Ok(Looks::At(found)) => names.extend(found),
                Ok(Looks::Anything) => {
                    tracing::info!(
                        "the rules in '{}' may look at any attribute, so polkit is asked about each object by itself",
                        path.display()
                    );
                    return Self::LookAtAnything;
                }
                Err(error) => {
                    tracing::warn!(
                        "the rules in '{}' cannot be read, so polkit is asked about each object by itself: {error}",
                        path.display()
                    );
                    return Self::LookAtAnything;
                }
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
        let rules = Rules::in_directory(&dir);
        fs::remove_dir_all(&dir).unwrap();
        rules
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
        assert!(Rules::LookAtAnything.tell_apart(ObjectClass::Domain));
        let missing = Rules::in_directory(Path::new("/nonexistent/rules.d"));
        assert_eq!(missing, Rules::LookAt(BTreeSet::new()));
        // A directory that is a file cannot be listed.
        assert_eq!(
            Rules::in_directory(Path::new("/proc/self/status")),
            Rules::LookAtAnything
        );
    }

    #[test]
    fn the_examples_tell_apart_what_they_say() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dbus-policy/rules");
        let rules = Rules::in_directory(&examples);
        assert_eq!(
            rules,
            Rules::LookAt(BTreeSet::from(["domain_name".to_owned()]))
        );
    }
}
