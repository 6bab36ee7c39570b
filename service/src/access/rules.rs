//! Whether the administrator's rules can tell one guest from another.
//!
//! A rule sees an object's attributes by `action.lookup("domain_name")` and in no other way. If no installed rule looks one
//! of ours up, one question decides a whole list; ten thousand questions would keep polkit busy for ten seconds.

use std::fs;
use std::path::Path;

use virtbus_api::access::ObjectClass;

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

/// The text of all rules, with whatever keeps the answer from being sure.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    texts: Vec<String>,
    unreadable: bool,
}

impl Rules {
    /// Reads the installed rules.
    pub(crate) fn installed() -> Self {
        let mut rules = Self::default();
        for directory in DIRECTORIES {
            rules.read(Path::new(directory));
        }
        rules
    }

    fn read(&mut self, directory: &Path) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable |= error.kind() != std::io::ErrorKind::NotFound;
                return;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "rules")
            {
                match fs::read_to_string(&path) {
                    Ok(text) => self.texts.push(text),
                    Err(_) => self.unreadable = true,
                }
            }
        }
    }

    /// Whether a rule may answer differently for two objects of the class.
    pub(crate) fn tell_apart(&self, class: ObjectClass) -> bool {
        let looked_up = |class| {
            let prefix = attribute_prefix(class);
            self.texts.iter().any(|text| looks_up(text, prefix))
        };
        // A volume has the attributes of its pool besides.
        let of_pool = class == ObjectClass::StorageVol && looked_up(ObjectClass::StoragePool);
        self.unreadable || of_pool || looked_up(class)
    }
}

/// Whether a rule's text looks up an attribute that begins so, or one whose name is not plain to see.
fn looks_up(text: &str, prefix: &str) -> bool {
    text.match_indices("lookup").any(|(at, word)| {
        let argument = text[at + word.len()..].trim_start();
        let Some(argument) = argument.strip_prefix('(') else {
            return true;
        };
        let argument = argument.trim_start();
        match argument.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let name = &argument[1..];
                let end = name.find(quote).unwrap_or(name.len());
                let plain = name
                    .get(end + 1..)
                    .is_some_and(|rest| rest.trim_start().starts_with(')'));
                !plain || name.starts_with(prefix)
            }
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules {
            texts: vec![text.to_owned()],
            unreadable: false,
        }
    }

    #[test]
    fn only_a_rule_that_looks_at_a_guest_tells_guests_apart() {
        assert!(!Rules::default().tell_apart(ObjectClass::Domain));
        assert!(
            !rules("if (subject.isInGroup('libvirt')) return polkit.Result.YES;")
                .tell_apart(ObjectClass::Domain)
        );
        let unit = rules("if (action.lookup(\"unit\") == \"x\") return polkit.Result.YES;");
        assert!(!unit.tell_apart(ObjectClass::Domain));
        let guest = rules("if (action.lookup( 'domain_name' ) == 'web') return polkit.Result.YES;");
        assert!(guest.tell_apart(ObjectClass::Domain));
        assert!(!guest.tell_apart(ObjectClass::Network));
    }

    #[test]
    fn a_rule_that_looks_at_a_pool_tells_its_volumes_apart() {
        let pool = rules("if (action.lookup('pool_name') == 'private') return polkit.Result.NO;");
        assert!(pool.tell_apart(ObjectClass::StorageVol));
        let volume = rules("if (action.lookup('vol_name') == 'private') return polkit.Result.NO;");
        assert!(!volume.tell_apart(ObjectClass::StoragePool));
    }

    #[test]
    fn what_is_not_plain_to_see_may_tell_anything_apart() {
        for text in [
            "action.lookup(key)",
            "action['lookup'](x)",
            "action.lookup('domain' + '_name')",
        ] {
            assert!(rules(text).tell_apart(ObjectClass::Network), "{text}");
        }
        assert!(
            Rules {
                texts: Vec::new(),
                unreadable: true
            }
            .tell_apart(ObjectClass::Domain)
        );
    }
}
