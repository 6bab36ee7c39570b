//! What is on disk, as far as it is this driver's: definitions are libvirt's XML, and a status has a part that only QEMU's guests have.
//!
//! How files are written and read again is `virtbus_hypervisor::store`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use virtbus_api::{ErrorDomain, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_hypervisor::store::{self, Kept, NewRun, Places, Unusable};

use crate::config::Dirs;
use crate::definition;
use crate::definition::limits::{LARGEST_DEFINITION, LARGEST_STATUS};
use crate::record::{Prepared, Saving};

/// The files of this driver, by their forms.
#[derive(Debug)]
pub(crate) struct Files;

/// The driver's files.
pub(crate) type Store = store::Store<Files>;

/// All that a new daemon needs to know of a running guest.
pub(crate) type Status = store::Status<Own>;

/// What a status has that is QEMU's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Own {
    /// The emulator.
    pub(crate) emulator: PathBuf,
    /// Whether the guest's next power-off is to be a reboot.
    pub(crate) reboot_wanted: bool,
    /// The client that the guest ends with, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// The save that is under way.
    #[serde(default)]
    pub(crate) saving: Option<Saving>,
    /// What was done on the host for this run, to be undone after it.
    #[serde(default)]
    pub(crate) prepared: Prepared,
}

impl Own {
    /// A guest that is being saved or dumped is to stay halted afterwards. Returns whether that is new.
    pub(crate) fn stay_halted(&mut self) -> bool {
        self.saving.as_mut().is_some_and(Saving::stay_halted)
    }
}

/// The status of a guest that is about to be started with this emulator.
pub(crate) fn starting(run: NewRun, emulator: &Path) -> Status {
    let own = Own {
        emulator: emulator.to_owned(),
        reboot_wanted: false,
        client: None,
        saving: None,
        prepared: Prepared::default(),
    };
    Status::starting(run, own)
}

impl Kept for Files {
    type Definition = Definition;
    type Own = Own;

    const VERSION: u32 = 1;
    const ERRORS: ErrorDomain = ErrorDomain::Qemu;
    const LARGEST_DEFINITION: u64 = LARGEST_DEFINITION;
    const LARGEST_STATUS: u64 = LARGEST_STATUS;

    fn parse(text: &str) -> std::result::Result<Definition, Unusable> {
        Ok(definition::parse_stored(text)?)
    }

    fn format(definition: &Definition) -> String {
        definition::format_config(definition)
    }

    fn name(definition: &Definition) -> &str {
        definition::name(definition)
    }

    fn uuid(definition: &Definition) -> Result<Uuid> {
        definition::uuid(definition)
    }

    fn renamed(definition: &Definition, name: &str) -> Definition {
        Definition {
            name: name.into(),
            ..definition.clone()
        }
    }

    fn check_name(name: &str) -> Result<()> {
        definition::check_name(name)
    }
}

impl From<Dirs> for Places {
    fn from(dirs: Dirs) -> Self {
        Self {
            config: dirs.config,
            run: dirs.run,
        }
    }
}

/// The numbers of the runs whose folders are there ([`Dirs::guest`]). Blocks.
pub(crate) fn used_ids(dirs: &Dirs) -> Vec<u32> {
    let entries = std::fs::read_dir(&dirs.run).into_iter().flatten();
    let ids = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("domain-")?
            .split('-')
            .next()?
            .parse()
            .ok()
    });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::tests::{accepted, capabilities};
    use crate::record::Purpose;

    const XML: &str = "<domain type='qemu'><name>web</name><uuid>8c5ad8b3-0000-4000-8000-000000000001</uuid>\
                       <memory>65536</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";

    /// A status file of the release that came before the store was shared: member for member, and all in one.
    const EARLIER: &str = r#"{"version":1,"uuid":"8c5ad8b3-0000-4000-8000-000000000001","name":"web","id":4,
        "state":{"state":3,"reason":4},"release":false,"pid":4711,"start_time":18446744073709551615,"boot_id":"b",
        "emulator":"/usr/bin/qemu-system-x86_64","dir":"/run/virtbus/qemu/domain-4-8c5ad8b3","place":"virtbus-qemu-4.scope",
        "reboot_wanted":true,"saving":{"path":"/save/web.save","temporary":"/save/.web.part",
        "identity":"8c5ad8b3-0000-4000-8000-000000000002","guest":"00000000-0000-0000-0000-000000000000","rights":"Daemon",
        "room":{"This":[1,18446744073709551615]},"dir":[2,3],"running":true,"purpose":"ManagedSave"},
        "prepared":{"confined":"{\"a\":1}","taps":["vnet0"],"helpers":[{"pid":1,"start_time":2}],
        "tpms":[{"program":"/usr/bin/swtpm","state":"/s","process":null}],"ports":[5900]},"definition":"XML"}"#;

    #[test]
    fn status_files_of_earlier_releases_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = crate::Config::below(dir.path(), "").dirs;
        let store = Store::new(dirs.clone());
        std::fs::create_dir_all(&dirs.run).unwrap();
        let definition = accepted(XML, &capabilities()).unwrap();
        let xml = serde_json::to_string(&definition::format_status(&definition)).unwrap();
        let text = EARLIER.replace("\"XML\"", &xml);
        let uuid = definition::uuid(&definition).unwrap();
        std::fs::write(store.status_path(uuid), &text).unwrap();

        let mut found = store.read_statuses().unwrap();
        assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
        let (mut status, _) = found.read.pop().unwrap();
        let saving = status.saving.clone().unwrap();
        assert_eq!(saving.purpose, Purpose::ManagedSave);
        assert_eq!(saving.target.dir, Some((2, 3)));
        assert_eq!(status.prepared.ports, [5900]);
        assert_eq!(status.emulator, Path::new("/usr/bin/qemu-system-x86_64"));
        // And a daemon of that release would find what is written now.
        store.write_status(&status).unwrap();
        let written = std::fs::read_to_string(store.status_path(uuid)).unwrap();
        let members = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(members(&written), members(&text));

        assert!(status.stay_halted());
        assert!(!status.stay_halted());
    }
}
