//! What a caller is expected to be allowed: the installed policy, with what a rule of the test adds or takes away.

use std::collections::HashSet;
use std::path::Path;

use super::introspection::{Need, Way};

/// The actions that a caller has without being asked for a password.
#[derive(Debug, Clone, Default)]
pub struct Policy(HashSet<String>);

impl Policy {
    /// What the policy file gives anybody.
    ///
    /// # Panics
    /// When the file cannot be read, or gives nothing.
    #[must_use]
    pub fn of_anybody(file: &Path) -> Policy {
        let text = std::fs::read_to_string(file).expect("the policy is installed");
        let actions = text.split("<action ").skip(1).filter_map(|action| {
            let id = action.strip_prefix("id=\"")?.split('"').next()?;
            let any = action.split("<allow_any>").nth(1)?.split('<').next()?;
            (any == "yes").then(|| id.to_owned())
        });
        let policy = Policy(actions.collect());
        assert!(!policy.0.is_empty(), "the policy gives nothing to anybody");
        policy
    }

    /// The same with one action given (`+ACTION`) or taken (`-ACTION`).
    ///
    /// # Panics
    /// When the word is neither, or changes nothing.
    pub fn change(&mut self, word: &str) {
        let changed = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(action), _) => self.0.insert(action.to_owned()),
            (None, Some(action)) => self.0.remove(action),
            (None, None) => panic!("'{word}' neither gives nor takes"),
        };
        assert!(changed, "{word} changes nothing");
    }

    /// Whether one action is allowed.
    #[must_use]
    pub fn has(&self, action: &str) -> bool {
        self.0.contains(action)
    }

    /// Whether all is allowed that is needed on this way.
    #[must_use]
    pub fn allows(&self, needs: &[Need], way: &Way) -> bool {
        let mut needed = needs.iter().filter(|need| way.needs(need));
        needed.all(|need| self.has(&need.action))
    }
}
