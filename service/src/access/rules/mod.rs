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
    for entry in entries {
        let path = entry.map_err(unlisted)?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != "rules")
        {
            continue;
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

    #[test]
    fn the_examples_tell_apart_what_they_say() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dbus-policy/rules");
        let expected = BTreeSet::from(["domain_name".to_owned()]);
        assert_eq!(names_in(&examples), Ok(expected));
    }
}
