//! Definitions and autostart links.

use super::*;

fn whose(sheet: &Sheet) -> Whose<'_> {
    Whose {
        uuid: sheet.uuid,
        name: &sheet.name,
    }
}

#[test]
fn what_was_written_is_read_again() {
    let (store, dir) = store();
    assert!(store.read_configs().is_empty());
    assert!(store.find_config("one").unwrap().is_none());
    let sheets: Vec<Sheet> = (0..200)
        .map(|n| sheet(n, &format!("paper{n:03}")))
        .collect();
    for sheet in &sheets {
        store.write_config(sheet).unwrap();
    }
    store.write_autostart("paper007", true).unwrap();
    store.write_autostart("paper008", true).unwrap();
    store.write_autostart("paper008", false).unwrap();
    // Links that lead elsewhere, and what is no link, start nothing.
    let links = dir.path().join("etc/autostart");
    std::os::unix::fs::symlink("/elsewhere", links.join("paper009.xml")).unwrap();
    std::fs::write(links.join("paper010.xml"), "").unwrap();

    let read = store.read_configs();
    let marked = read.iter().filter(|stored| stored.autostart);
    let marked: Vec<&str> = marked.map(|stored| &*stored.definition.name).collect();
    assert_eq!(marked, ["paper007"]);
    assert_eq!(
        read.into_iter().map(|s| s.definition).collect::<Vec<_>>(),
        sheets
    );
    let one = store.find_config("paper007").unwrap().unwrap();
    assert!(one.autostart);
    assert_eq!(one.definition, sheets[7]);
}

#[test]
fn what_cannot_be_read_stays_and_hides_nothing() {
    let (store, dir) = store();
    store.write_config(&sheet(1, "good")).unwrap();
    let etc = dir.path().join("etc");
    std::fs::write(etc.join("bad.xml"), "one line").unwrap();
    std::fs::write(etc.join("long.xml"), "x".repeat(257)).unwrap();
    // The definition of one domain in the file of another one.
    std::fs::copy(etc.join("good.xml"), etc.join("other.xml")).unwrap();
    let read = store.read_configs();
    let names: Vec<&str> = read.iter().map(|stored| &*stored.definition.name).collect();
    assert_eq!(names, ["good"]);
    assert!(store.find_config("bad").is_err());
    assert_eq!(
        files(&etc),
        ["bad.xml", "good.xml", "long.xml", "other.xml"]
    );
}

#[test]
fn a_definition_goes_after_what_depends_on_it() {
    let (store, dir) = store();
    let good = sheet(1, "good");
    let first = Shadow::below(dir.path());
    let mut second = Shadow::below(dir.path());
    second.fails = true;
    store.write_config(&good).unwrap();
    store.write_autostart("good", true).unwrap();
    first.fall(1, "good");

    // If one stays, so does all that it depends on.
    store
        .remove_config(whose(&good), &[&first, &second])
        .unwrap_err();
    assert_eq!(
        files(dir.path()),
        ["etc/autostart/good.xml", "etc/good.xml"]
    );
    store.remove_config(whose(&good), &[&first]).unwrap();
    assert_eq!(*first.seen.lock().unwrap(), [true, true]);
    assert_eq!(files(dir.path()), [""; 0]);
    // Twice is as good as once.
    store.remove_config(whose(&good), &[&first]).unwrap();
    // What is not the daemon's link stays.
    std::fs::write(dir.path().join("etc/autostart/good.xml"), "").unwrap();
    store.remove_config(whose(&good), &[]).unwrap();
    assert_eq!(files(dir.path()), ["etc/autostart/good.xml"]);
}

#[test]
fn what_a_dead_daemon_was_writing_is_swept_away() {
    let (store, dir) = store();
    store.write_config(&sheet(1, "good")).unwrap();
    store.write_status(&status(1, "good")).unwrap();
    for left in ["etc/.good.xml.1.7.new", "run/.x.json.1.7.new"] {
        std::fs::write(dir.path().join(left), "").unwrap();
    }
    store.sweep();
    let status = format!("run/{}.json", Uuid::from_u128(1));
    assert_eq!(files(dir.path()), ["etc/good.xml".to_owned(), status]);
}
