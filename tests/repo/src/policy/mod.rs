//! The polkit actions, generated from the table of permissions.
//!
//! Besides an action for each permission there are the two coarse ones of the days before
//! permissions, which administrators' rules name most often. Who is allowed what by whom is
//! not decided here beyond the defaults: see the daemon's authorizer for how the coarse and the
//! fine actions work together, and `dbus-policy/rules` for examples of rules.

mod reach;
mod texts;

use quick_xml::escape::escape;
use virtbus_api::access::{Default as Who, Permission};

/// What precedes the first action.
const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD polkit Policy Configuration 1.0//EN"
  "http://www.freedesktop.org/software/polkit/policyconfig-1.dtd">
<!-- Generated from the table of permissions in drivers/api by the tests in tests/repo
     (VIRTBUS_BLESS=1 writes it anew). Do not edit: rules change who may do what. -->
<policyconfig>
  <vendor>Virtbus</vendor>
"#;

/// One polkit action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The action's name, such as `org.libvirt.api.domain.start`.
    pub id: String,
    /// What it allows, in words that follow "to".
    pub phrase: &'static str,
    /// Who has it where no rule says otherwise.
    pub default: Who,
}

impl Action {
    /// What is shown in lists of actions.
    #[must_use]
    pub fn description(&self) -> String {
        sentence(self.phrase)
    }

    /// What a person is told who is asked for a password.
    #[must_use]
    pub fn message(&self) -> String {
        format!("Authentication is required to {}", self.phrase)
    }

    /// The same for whoever asks: a session at the machine, one that is not in front, one from
    /// elsewhere (by ssh, or a service). A write wants an administrator's password, which is then
    /// good for a few minutes.
    const fn implicit(&self) -> &'static str {
        match self.default {
            Who::Anybody => "yes",
            Who::Administrator => "auth_admin_keep",
        }
    }

    fn write(&self, xml: &mut String) {
        let lines = [
            format!("  <action id=\"{}\">", escape(&self.id)),
            format!(
                "    <description>{}</description>",
                escape(self.description())
            ),
            format!("    <message>{}</message>", escape(self.message())),
            "    <defaults>".to_owned(),
            format!("      <allow_any>{}</allow_any>", self.implicit()),
            format!("      <allow_inactive>{}</allow_inactive>", self.implicit()),
            format!("      <allow_active>{}</allow_active>", self.implicit()),
            "    </defaults>".to_owned(),
            "  </action>".to_owned(),
        ];
        xml.push('\n');
        for line in lines {
            xml.push_str(&line);
            xml.push('\n');
        }
    }
}

/// Every action: the two coarse ones, then one for each permission.
#[must_use]
pub fn actions() -> Vec<Action> {
    let coarse = [
        Action {
            id: "org.libvirt.unix.monitor".to_owned(),
            phrase: "look at virtual machines and what belongs to them",
            default: Who::Anybody,
        },
        Action {
            id: "org.libvirt.unix.manage".to_owned(),
            phrase: "manage virtual machines and what belongs to them",
            default: Who::Administrator,
        },
    ];
    let fine = Permission::ALL.iter().map(|&permission| Action {
        id: permission.action(),
        phrase: texts::phrase(permission),
        default: permission.default(),
    });
    coarse.into_iter().chain(fine).collect()
}

/// What a permission allows, as a sentence without its end.
#[must_use]
pub fn description(permission: Permission) -> String {
    sentence(texts::phrase(permission))
}

/// How far a permission reaches on the host.
#[must_use]
pub fn reach(permission: Permission) -> &'static str {
    reach::reach(permission)
}

fn sentence(phrase: &str) -> String {
    let mut letters = phrase.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The policy file that polkit reads.
#[must_use]
pub fn polkit_policy() -> String {
    let mut xml = HEAD.to_owned();
    for action in actions() {
        action.write(&mut xml);
    }
    xml.push_str("</policyconfig>\n");
    xml
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_has_a_name_and_words_of_its_own() {
        let actions = actions();
        assert_eq!(actions.len(), Permission::ALL.len() + 2);
        let ids: BTreeSet<&str> = actions.iter().map(|action| action.id.as_str()).collect();
        let phrases: BTreeSet<&str> = actions.iter().map(|action| action.phrase).collect();
        assert_eq!(ids.len(), actions.len());
        assert_eq!(phrases.len(), actions.len());
    }

    #[test]
    fn texts_are_sentences_without_an_end() {
        for action in actions() {
            let first = action.phrase.chars().next().unwrap();
            assert!(first.is_ascii_lowercase(), "{action:?}");
            assert!(!action.phrase.ends_with('.'), "{action:?}");
            assert!(action.message().len() < 110, "{action:?}");
        }
    }

    #[test]
    fn a_write_wants_a_password_that_is_kept_wherever_the_user_sits() {
        let xml = polkit_policy();
        let start = xml.find("org.libvirt.api.domain.start").unwrap();
        let action = &xml[start..start + xml[start..].find("</action>").unwrap()];
        assert_eq!(action.matches(">auth_admin_keep<").count(), 3, "{action}");
        assert!(action.contains(">Start a virtual machine<"));
        assert!(action.contains(">Authentication is required to start a virtual machine<"));
    }
}
