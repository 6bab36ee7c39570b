//! Who has which name, and for how long.

use virtbus_api::event::EventHub;

use super::super::published::tests::{Domain, domain};
use super::*;

/// A table with one domain, which is defined.
fn table(uuid: Uuid, name: &str) -> Arc<Table<Domain>> {
    let table = Arc::new(Table::default());
    let claim = table.claim(uuid, name, || domain(uuid, name)).unwrap();
    let hub = EventHub::default();
    claim.domain().adjust(&hub, |state| state.is_defined = true);
    table
}

#[test]
fn what_was_allowed_for_one_domain_does_not_reach_another_with_its_uuid() {
    let uuid = Uuid::new_v4();
    let asked = DomainId {
        uuid,
        name: "user-1".into(),
        id: None,
    };
    assert!(table(uuid, "user-1").get_named(&asked).is_ok());
    let refused = table(uuid, "bank").get_named(&asked).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NoDomain);
}

#[test]
fn a_domain_is_kept_while_it_is_claimed_or_shown_and_no_longer() {
    let (uuid, other) = (Uuid::new_v4(), Uuid::new_v4());
    let table: Arc<Table<Domain>> = Arc::default();
    let claim = table.claim(uuid, "web", || domain(uuid, "web")).unwrap();
    let never = || unreachable!("there is one");
    let again = table.claim(uuid, "web", never).unwrap();
    assert!(Arc::ptr_eq(claim.domain(), again.domain()));
    // Nobody may know of it yet, and nobody else may have either name.
    assert!(table.get(uuid).is_err() && table.views().is_empty());
    for (uuid, name) in [(uuid, "other"), (other, "web")] {
        let refused = table.claim(uuid, name, never).err().unwrap();
        assert_eq!(refused.code, ErrorCode::OperationFailed, "{refused}");
    }
    drop(claim);
    assert_eq!(table.all().len(), 1);
    let hub = EventHub::default();
    again.domain().adjust(&hub, |state| state.id = Some(7));
    let running = Arc::clone(again.domain());
    drop(again);
    assert!(Arc::ptr_eq(&table.get_by_id(7).unwrap(), &running));
    assert_eq!(table.views().len(), 1);
    running.adjust(&hub, |state| state.id = None);
    table.give_back(&running);
    assert!(table.all().is_empty());
    // One that is gone gives back nothing of the next one's.
    let next = table.claim(uuid, "web", || domain(uuid, "web")).unwrap();
    table.give_back(&running);
    assert_eq!(table.all().len(), 1);
    drop(next);
    drop(table.claim(other, "web", || domain(other, "web")).unwrap());
}

#[test]
fn a_reserved_name_is_nobody_elses_and_stays_with_the_domain_that_took_it() {
    let uuid = Uuid::new_v4();
    let table = table(uuid, "old");
    let renamed = table.get(uuid).unwrap();
    let other = Uuid::new_v4();
    let make = || domain(other, "new");
    assert!(table.reserve(&renamed, "old").is_err());
    let reserved = table.reserve(&renamed, "new").unwrap();
    assert!(table.claim(other, "new", make).is_err());
    assert!(table.reserve(&renamed, "new").is_err());
    assert!(table.get_by_name("new").is_err() && table.get_by_name("old").is_ok());
    drop(reserved);
    assert!(table.get_by_name("old").is_ok());
    drop(table.claim(other, "new", make).unwrap());

    let reserved = table.reserve(&renamed, "new").unwrap();
    renamed.rename(&EventHub::default(), |state| state.name = "new".into());
    assert!(table.get_by_name("new").is_ok() && table.get_by_name("old").is_err());
    drop(reserved);
    assert!(table.get_by_name("new").is_ok());
    let make = || domain(other, "old");
    drop(table.claim(other, "old", make).unwrap());
}

#[test]
fn a_guest_that_is_there_takes_the_domain_of_its_uuid_or_of_its_name() {
    let uuid = Uuid::new_v4();
    let table = table(uuid, "web");
    let never = || unreachable!("there is one");
    assert_eq!(table.claim_either(uuid, "other", never).domain().uuid, uuid);
    let other = Uuid::new_v4();
    assert_eq!(table.claim_either(other, "web", never).domain().uuid, uuid);
    let make = || domain(other, "new");
    assert_eq!(table.claim_either(other, "new", make).domain().uuid, other);
    assert_eq!(table.all().len(), 1, "given back");
}

#[test]
fn numbers_are_given_once() {
    let table: Table<Domain> = Table::default();
    assert_eq!((table.next_id(), table.next_id()), (1, 2));
    table.id_in_use(7);
    table.id_in_use(3);
    assert_eq!(table.next_id(), 8);
}
