//! A running guest's definition as clients see it, kept with its snapshot: it is asked for over and over, and writing it takes a copy of it.

use std::sync::OnceLock;

use virtbus_api::domain::DomainXmlFlags;

use super::Snapshot;
use crate::definition;

/// Texts without secrets. Each is made when somebody asks for it first.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    plain: OnceLock<Box<str>>,
    migratable: OnceLock<Box<str>>,
}

impl Texts {
    /// Where the text for these flags is kept; `None` for one with secrets, which stays in memory for no longer than it is needed.
    fn place(&self, flags: DomainXmlFlags) -> Option<&OnceLock<Box<str>>> {
        if flags.contains(DomainXmlFlags::SECURE) {
            None
        } else if flags.contains(DomainXmlFlags::MIGRATABLE) {
            Some(&self.migratable)
        } else {
            Some(&self.plain)
        }
    }
}

impl Snapshot {
    /// The running definition as a client sees it with these flags; `None` if the guest does not run.
    pub(crate) fn live_xml(&self, flags: DomainXmlFlags) -> Option<String> {
        let (live, id) = (self.live.as_ref()?, self.view.id.id?);
        let make = || definition::format(live, Some(id), flags);
        Some(match self.texts.place(flags) {
            Some(place) => String::from(&**place.get_or_init(|| make().into())),
            None => make(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use virtbus_api::Uuid;
    use virtbus_api::domain::{DomainXmlFlags as F, ShutoffReason};

    use super::super::Domain;
    use super::*;
    use crate::definition::tests::{accepted, capabilities};

    #[test]
    fn a_text_is_made_once_and_none_with_secrets_is_kept() {
        let xml = "<domain type='qemu'><name>shown</name><memory>65536</memory><vcpu>1</vcpu>\
                   <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>\
                   <graphics type='vnc' port='-1' autoport='yes' passwd='secret'/></devices></domain>";
        let definition = Arc::new(accepted(xml, &capabilities()).unwrap());
        let domain = Domain::new(Uuid::nil(), "shown", ShutoffReason::Unknown);
        let mut snapshot = Snapshot::clone(&domain.snapshot());
        assert_eq!(snapshot.live_xml(F::empty()), None);
        let mut view = virtbus_api::domain::DomainView::clone(&snapshot.view);
        view.id.id = Some(7);
        snapshot.view = Arc::new(view);
        snapshot.live = Some(Arc::clone(&definition));

        let secret = snapshot.live_xml(F::SECURE).unwrap();
        assert!(secret.contains("'secret'"), "{secret}");
        assert!(snapshot.texts.plain.get().is_none());
        for flags in [F::empty(), F::MIGRATABLE] {
            let text = snapshot.live_xml(flags).unwrap();
            assert_eq!(text, definition::format(&definition, Some(7), flags));
            assert!(!text.contains("'secret'"), "{text}");
            let kept = snapshot.texts.place(flags).unwrap().get().unwrap();
            assert_eq!(**kept, *text);
            let kept = kept.as_ptr();
            assert_eq!(snapshot.live_xml(flags).as_deref(), Some(&*text));
            let again = snapshot.texts.place(flags).unwrap().get().unwrap();
            assert_eq!(kept, again.as_ptr(), "made once");
        }
        let all = F::SECURE | F::MIGRATABLE;
        assert!(snapshot.live_xml(all).unwrap().contains("'secret'"));
        // The next snapshot, whatever has changed, begins without.
        assert!(domain.snapshot().texts.plain.get().is_none());
    }
}
