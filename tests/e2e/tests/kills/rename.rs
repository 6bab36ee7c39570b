//! Renaming: a guest has its old name or its new one, with its managed save and its mark for autostart, and nothing has both.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use virtbus_tests::{Domain, DomainXml, Testbed, campaign, or_skip};
use zbus::Variant;

use crate::strike::{Moments, is_complete, only, strike};

/// `VIR_DOMAIN_UNDEFINE_MANAGED_SAVE`.
const MANAGED_SAVE: u32 = 1;

/// Where the files of a guest are.
struct Dirs(PathBuf);

impl Dirs {
    fn definitions(&self) -> PathBuf {
        self.0.join("config/qemu")
    }

    fn saves(&self) -> PathBuf {
        self.0.join("state/qemu/save")
    }

    fn definition(&self, name: &str) -> PathBuf {
        self.definitions().join(format!("{name}.xml"))
    }

    fn link(&self, name: &str) -> PathBuf {
        self.definitions().join(format!("autostart/{name}.xml"))
    }

    fn image(&self, name: &str) -> PathBuf {
        self.saves().join(format!("{name}.save"))
    }

    /// Nothing is there but what belongs to this name.
    async fn has_only(&self, name: &str) {
        let definition = format!("{name}.xml");
        only(&self.definitions(), &[&definition, "autostart"]).await;
        only(&self.definitions().join("autostart"), &[&definition]).await;
        only(&self.saves(), &[&format!("{name}.save")]).await;
        assert!(is_complete(&self.image(name)));
        let link = fs::read_link(self.link(name)).expect("a whole guest");
        assert_eq!(link, self.definition(name));
    }
}

/// A guest with everything that is called after it.
async fn saved(testbed: &Testbed, name: &str) -> Domain {
    let domain = testbed.run(&DomainXml::small(name)).await;
    domain.act("ManagedSave", 0).await.expect("a whole guest");
    domain
        .0
        .set("Autostart", Variant::from(true))
        .await
        .expect("a whole guest");
    domain
}

/// The guest's name, if it is whole.
async fn name_of(domain: &Domain) -> String {
    let name: String = domain.0.get("Name").await.expect("a whole guest");
    assert!(
        domain
            .0
            .get::<bool>("Autostart")
            .await
            .expect("a whole guest"),
        "{name}"
    );
    let has: bool = domain
        .0
        .call("HasManagedSaveImage", &(0_u32,))
        .await
        .expect("a whole guest");
    assert!(has, "{name}");
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_one_of_two_names_and_all_that_is_its_own() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let dirs = Dirs(testbed.daemon.state_dir().to_owned());
    let domain = saved(&testbed, "zero").await;
    let rename = |name: &str| {
        let (domain, name) = (domain.clone(), name.to_owned());
        async move { domain.0.call::<_, ()>("Rename", &(name, 0_u32)).await }
    };
    let mut moments = Moments::of(rename("first")).await;
    let mut now = "first".to_owned();
    for round in 0..campaign::rounds(20, 400) {
        let wanted = format!("name-{round}");
        let after = moments.next();
        let told = strike(&mut testbed, after, rename(&wanted)).await;
        let is = name_of(&domain).await;
        println!("round {round}: killed after {after:?}, called {is}, {told:?}");
        assert!(is == wanted || (is == now && told.is_err()), "{is}");
        dirs.has_only(&is).await;
        now = is;
    }
    domain.act("Undefine", MANAGED_SAVE).await.unwrap();
    testbed.end().await;
}

/// What is on disk after so many steps of a renaming.
fn steps(dirs: &Dirs, uuid: &str, steps: usize) {
    let note = format!(r#"{{"uuid": "{uuid}", "from": "old", "to": "new"}}"#);
    let remove = |path: &Path| fs::remove_file(path).expect("files can be changed");
    let each: [&dyn Fn(); 6] = [
        &|| {
            fs::write(dirs.definitions().join("old.renaming"), &note)
                .expect("files can be changed");
        },
        &|| {
            let old = fs::read_to_string(dirs.definition("old")).expect("files can be changed");
            let new = old.replace("<name>old</name>", "<name>new</name>");
            fs::write(dirs.definition("new"), new).expect("files can be changed");
        },
        &|| symlink(dirs.definition("new"), dirs.link("new")).expect("files can be changed"),
        &|| fs::rename(dirs.image("old"), dirs.image("new")).expect("files can be changed"),
        &|| remove(&dirs.link("old")),
        &|| remove(&dirs.definition("old")),
    ];
    for step in each.into_iter().take(steps) {
        step();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_daemon_goes_on_after_every_step() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let dirs = Dirs(testbed.daemon.state_dir().to_owned());
    for done in 1..=6 {
        let domain = saved(&testbed, "old").await;
        let uuid: String = domain.0.get("UUID").await.unwrap();
        testbed.daemon.kill();
        steps(&dirs, &uuid, done);
        testbed.daemon.start(&testbed.client).await;
        assert_eq!(name_of(&domain).await, "new", "after {done} steps");
        dirs.has_only("new").await;
        domain.act("Undefine", MANAGED_SAVE).await.unwrap();
    }
    testbed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_is_not_about_a_guest_renames_none() {
    let mut testbed = or_skip!(Testbed::with_qemu().await);
    let dirs = Dirs(testbed.daemon.state_dir().to_owned());
    let domain = testbed.define(&DomainXml::small("old")).await;
    let other = testbed.define(&DomainXml::small("new")).await;
    let own: String = domain.0.get("UUID").await.unwrap();
    let strange = uuid::Uuid::new_v4().to_string();
    // Of a domain that is gone; and of this one, to a name that another has taken.
    for uuid in [strange, own] {
        testbed.daemon.kill();
        steps(&dirs, &uuid, 1);
        testbed.daemon.start(&testbed.client).await;
        assert_eq!(domain.0.get::<String>("Name").await.unwrap(), "old");
        assert_eq!(other.0.get::<String>("Name").await.unwrap(), "new");
        only(&dirs.definitions(), &["old.xml", "new.xml", "autostart"]).await;
    }
    testbed.end().await;
}
