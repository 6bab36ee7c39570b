//! Status files: their form, and what cannot be read or written.

use virtbus_api::domain::{DomainState, PausedReason, RunningReason};

use super::*;

#[test]
fn a_status_has_the_members_of_every_driver_and_those_of_its_own() {
    let (store, _dir) = store();
    let mut written = status(7, "seven");
    assert!(written.is_starting());
    written.pid = Some(4711);
    written.start_time = Some(u64::MAX);
    written.place = Some("paper.scope".to_owned());
    written.lid = Some("blue".to_owned());
    store.write_status(&written).unwrap();
    let text = std::fs::read_to_string(store.status_path(written.uuid)).unwrap();
    for member in [
        r#""version":3"#,
        r#""state":{"state":3,"reason":11}"#,
        r#""pid":4711"#,
        r#""number":17"#,
        r#""lid":"blue""#,
    ] {
        assert!(text.contains(member), "{member} is not in {text}");
    }
    let mut found = store.read_statuses().unwrap();
    assert!(found.unreadable.is_empty());
    let (read, definition) = found.read.pop().unwrap();
    assert_eq!(read, written);
    assert_eq!(*definition, sheet(7, "seven"));
    assert_eq!(read.process().unwrap().start_time, u64::MAX);
    store.remove_status(written.uuid);
    assert!(store.read_statuses().unwrap().read.is_empty());
}

#[test]
fn a_file_of_an_earlier_release_is_read() {
    let (store, dir) = store();
    let uuid = Uuid::from_u128(7);
    let text = format!(
        r#"{{"version":3,"uuid":"{uuid}","name":"seven","id":7,"state":{{"state":1,"reason":1}},"pid":null,"start_time":null,
        "boot_id":"b","dir":"/run/7","place":null,"definition":"{uuid}\nseven\nblack","number":4,"gone":[1,2]}}"#
    );
    std::fs::create_dir(dir.path().join("run")).unwrap();
    std::fs::write(store.status_path(uuid), text).unwrap();
    let (read, _) = store.read_statuses().unwrap().read.pop().unwrap();
    assert_eq!(read.state(), DomainState::Running(RunningReason::Booted));
    assert_eq!(
        read.own,
        Drawer {
            number: 4,
            lid: None
        }
    );
    assert!(!read.is_to_be_released() && read.process().is_none());
    assert!(read.may_be_in("b") && read.may_be_in("") && !read.may_be_in("c"));
}

#[test]
fn what_cannot_be_used_is_told_apart_and_put_aside() {
    let (store, dir) = store();
    let run = dir.path().join("run");
    for number in 1..=200 {
        store
            .write_status(&status(number, &format!("s{number}")))
            .unwrap();
    }
    let damage = |number: u128, from: &str, to: &str| {
        let path = store.status_path(Uuid::from_u128(number));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    // Another form need not have any of these members.
    std::fs::write(store.status_path(Uuid::from_u128(1)), r#"{"version":4}"#).unwrap();
    damage(2, "black", &"x".repeat(4097));
    damage(3, r#""number":17"#, r#""number":"many""#);
    damage(4, r"\n", "");
    std::fs::write(run.join("notes.json"), "{}").unwrap();

    let found = store.read_statuses().unwrap();
    assert_eq!(found.read.len(), 196);
    let why: Vec<(u128, String)> = found
        .unreadable
        .iter()
        .map(|file| (file.uuid.as_u128(), file.why.clone()))
        .collect();
    assert_eq!(
        why.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(why[0].1, "it has the form 4, not 3");
    assert!(why[1].1.contains("larger than 4096 bytes"), "{why:?}");
    assert!(why[2].1.contains("many"), "{why:?}");
    assert_eq!(why[3].1, "a sheet has three lines");

    let aside = store.set_aside(&found.unreadable[0].path).unwrap();
    assert!(aside.exists());
    assert_eq!(store.read_statuses().unwrap().unreadable.len(), 3);
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let (store, dir) = store();
    let run = dir.path().join("run");
    // Where the directory is to be is a file.
    std::fs::write(&run, "").unwrap();
    let mut status = status(1, "one");
    assert!(store.write_status(&status).is_err());
    store.write_again(&mut status);
    assert!(!status.unwritten, "what was refused is no fact");
    status.set_state(DomainState::Paused(PausedReason::IoError));
    store.try_status(&mut status);
    assert!(status.unwritten);
    store.write_again(&mut status);
    assert!(status.unwritten);
    std::fs::remove_file(&run).unwrap();
    store.write_again(&mut status);
    assert!(!status.unwritten);
    let (read, _) = store.read_statuses().unwrap().read.pop().unwrap();
    assert_eq!(read.state(), DomainState::Paused(PausedReason::IoError));
    // And not each time that it is looked.
    store.remove_status(status.uuid);
    store.write_again(&mut status);
    assert!(!store.status_path(status.uuid).exists());
}

#[test]
fn a_guest_is_released_once() {
    let mut status = status(1, "one");
    status.set_state(DomainState::Running(RunningReason::Booted));
    assert!(status.is_to_be_released() && !status.is_starting());
    assert!(status.released());
    assert!(!status.released());
    status.set_state(DomainState::Running(RunningReason::Unpaused));
    assert!(!status.is_to_be_released());
}

#[test]
fn every_state_of_a_guest_is_found_again() {
    let states = [
        DomainState::Running(RunningReason::Wakeup),
        DomainState::Paused(PausedReason::Watchdog),
        DomainState::Crashed { panicked: true },
        DomainState::Crashed { panicked: false },
        DomainState::PmSuspended,
    ];
    for state in states {
        let mut status = status(1, "one");
        status.set_state(state);
        let text = serde_json::to_string(&status).unwrap();
        let read: Status<Drawer> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.state(), state);
    }
}
