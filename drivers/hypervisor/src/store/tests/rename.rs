//! Another name, whole or not at all, whenever the daemon is killed.

use super::*;

/// A store with a domain that has all there is, and that is called `old`.
fn with_old() -> (Store<Paper>, TempDir, Shadow) {
    let (store, dir) = store();
    let shadow = Shadow::below(dir.path());
    store.write_config(&sheet(1, "old")).unwrap();
    store.write_autostart("old", true).unwrap();
    shadow.fall(1, "old");
    (store, dir, shadow)
}

const OLD: [&str; 3] = ["etc/autostart/old.xml", "etc/old.xml", "old.shadow"];
const NEW: [&str; 3] = ["etc/autostart/new.xml", "etc/new.xml", "new.shadow"];

#[test]
fn all_that_is_called_after_it_moves() {
    let (store, dir, shadow) = with_old();
    let new = store
        .rename(&sheet(1, "old"), "new", true, &[&shadow])
        .unwrap();
    assert_eq!(new, sheet(1, "new"));
    assert_eq!(files(dir.path()), NEW);
    let stored = store.find_config("new").unwrap().unwrap();
    assert!(stored.autostart);
    assert_eq!(stored.definition, new);
}

#[test]
fn what_is_in_the_way_stays_and_so_does_all_else() {
    for taken in ["etc/new.xml", "new.shadow"] {
        let (store, dir, shadow) = with_old();
        std::fs::write(dir.path().join(taken), "another's").unwrap();
        let refused = store.rename(&sheet(1, "old"), "new", true, &[&shadow]);
        assert_eq!(refused.unwrap_err().code, ErrorCode::OperationInvalid);
        let mut all: Vec<&str> = OLD.into_iter().chain([taken]).collect();
        all.sort_unstable();
        assert_eq!(files(dir.path()), all);
    }
}

/// What has a place under the old name only.
struct Stuck(PathBuf);

impl Belonging for Stuck {
    fn path(&self, whose: Whose<'_>) -> PathBuf {
        let below = if whose.name == "old" { "" } else { "nowhere" };
        self.0.join(below).join(format!("{}.shadow", whose.name))
    }

    fn is_of(&self, _: Whose<'_>) -> bool {
        true
    }

    fn remove(&self, _: Whose<'_>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn what_fails_is_undone() {
    let (store, dir, _) = with_old();
    let stuck = Stuck(dir.path().to_owned());
    store
        .rename(&sheet(1, "old"), "new", true, &[&stuck])
        .unwrap_err();
    assert_eq!(files(dir.path()), OLD);
    assert!(store.find_config("old").unwrap().unwrap().autostart);
}

/// Each step of a renaming, as a daemon leaves it that is killed after it.
#[test]
fn the_next_daemon_goes_on_from_every_step() {
    let renaming = r#"{"uuid":"00000000-0000-0000-0000-000000000001","from":"old","to":"new"}"#;
    for steps in 0..=5 {
        let (store, dir, shadow) = with_old();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("etc/old.renaming"), renaming).unwrap();
        let done: [&dyn Fn(); 5] = [
            &|| store.write_config(&sheet(1, "new")).unwrap(),
            &|| store.write_autostart("new", true).unwrap(),
            &|| std::fs::rename(at("old.shadow"), at("new.shadow")).unwrap(),
            &|| std::fs::remove_file(at("etc/autostart/old.xml")).unwrap(),
            &|| std::fs::remove_file(at("etc/old.xml")).unwrap(),
        ];
        for step in &done[..steps] {
            step();
        }
        store.finish_renaming(&[&shadow]);
        assert_eq!(files(dir.path()), NEW, "killed after step {steps}");
    }
}

#[test]
fn what_is_anothers_is_not_taken() {
    let renaming = r#"{"uuid":"00000000-0000-0000-0000-000000000001","from":"old","to":"new"}"#;
    // A domain of another UUID has the new name by now.
    let (store, dir, shadow) = with_old();
    store.write_config(&sheet(2, "new")).unwrap();
    std::fs::write(dir.path().join("etc/old.renaming"), renaming).unwrap();
    store.finish_renaming(&[&shadow]);
    assert_eq!(
        store.find_config("new").unwrap().unwrap().definition,
        sheet(2, "new")
    );
    assert_eq!(
        store.find_config("old").unwrap().unwrap().definition,
        sheet(1, "old")
    );
    assert!(!dir.path().join("etc/old.renaming").exists());

    // A shadow of another domain that had the name before does not move.
    let (store, dir, shadow) = with_old();
    shadow.fall(9, "old");
    std::fs::write(dir.path().join("etc/old.renaming"), renaming).unwrap();
    store.finish_renaming(&[&shadow]);
    assert_eq!(
        files(dir.path()),
        ["etc/autostart/new.xml", "etc/new.xml", "old.shadow"]
    );

    // Notes that are no notes of this domain stay for a person.
    for text in [
        "",
        "{}",
        &renaming.replace("new", "../new"),
        &renaming.replace("old", "other"),
    ] {
        let (store, dir, shadow) = with_old();
        std::fs::write(dir.path().join("etc/old.renaming"), text).unwrap();
        store.finish_renaming(&[&shadow]);
        assert!(dir.path().join("etc/old.renaming").exists(), "{text}");
        assert!(dir.path().join("etc/old.xml").exists(), "{text}");
    }

    // Nor does what stands in the note of another domain move this one.
    let (store, dir, shadow) = with_old();
    std::fs::write(dir.path().join("etc/other.renaming"), renaming).unwrap();
    store.finish_renaming(&[&shadow]);
    let mut all = OLD.to_vec();
    all.insert(2, "etc/other.renaming");
    assert_eq!(files(dir.path()), all);
}
