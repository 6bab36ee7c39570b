//! Storage as clients and drivers have it, over the directories of a daemon that comes and goes, with the real `qemu-img`.

#![expect(clippy::unwrap_used, reason = "a failure of a test is told by a panic")]

mod hostile;
mod pools;
mod volumes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use virtbus_api::ErrorCode;
use virtbus_api::event::{Event, EventListener};
use virtbus_api::object::View;
use virtbus_api::providers::Subsystem;
use virtbus_api::storage::{
    StoragePoolBuildFlags, StoragePoolCreateFlags, StoragePoolDefineFlags, StoragePoolId,
    StoragePoolView, StoragePools, StorageVolCreateFlags, StorageVolView, StorageVols,
};
use virtbus_storage::{Config, StorageDriver};

const UUID: &str = "11111111-2222-4333-8444-555555555555";

/// The directories of a daemon, and of pools.
struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    async fn open(&self) -> Arc<StorageDriver> {
        let config = Config {
            config: self.path("etc"),
            run: self.path("run"),
        };
        for dir in [&config.config, &config.run] {
            std::fs::create_dir_all(dir).unwrap();
        }
        StorageDriver::open(config, None).await.unwrap()
    }

    /// The document of a pool in a directory of its name.
    fn pool(&self, name: &str, uuid: &str) -> String {
        let path = self.path(name);
        format!(
            "<pool type='dir'><name>{name}</name><uuid>{uuid}</uuid><target><path>{}</path></target></pool>",
            path.display()
        )
    }

    /// A pool that is active.
    async fn active(&self, driver: &StorageDriver, name: &str, uuid: &str) -> StoragePoolId {
        let flags = StoragePoolDefineFlags::empty();
        let view = driver
            .define_xml(&self.pool(name, uuid), flags)
            .await
            .unwrap();
        let build = StoragePoolCreateFlags::WITH_BUILD;
        driver.create(&view.id, build).await.unwrap();
        view.id.clone()
    }
}

/// What happened, in words.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl EventListener for Diary {
    fn event(&self, event: &Event) {
        let name = |view: &View| match view {
            View::StorageVol(view) => format!("volume {}", view.id.name),
            View::StoragePool(view) => format!("pool active={}", view.active),
            other => format!("{other:?}"),
        };
        let text = match event {
            Event::Changed { before, after } => match (before, after) {
                (None, Some(new)) => format!("new {}", name(new)),
                (Some(old), None) => format!("gone {}", name(old)),
                (_, Some(now)) => format!("changed {}", name(now)),
                (None, None) => "nothing".to_owned(),
            },
            Event::StoragePool(_, event) => format!("{event:?}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

impl Diary {
    fn of(driver: &StorageDriver) -> Arc<Self> {
        let diary = Arc::new(Self::default());
        driver.events().subscribe(diary.clone()).keep();
        diary
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Waits until something holds, which it does soon unless something is wrong.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

async fn names(driver: &StorageDriver, pool: &StoragePoolId) -> Vec<String> {
    let views = StorageVols::views(driver, pool).await.unwrap();
    views.iter().map(|view| view.id.name.to_string()).collect()
}

fn volume(name: &str, format: &str, more: &str) -> String {
    format!(
        "<volume><name>{name}</name><capacity unit='MiB'>2</capacity>{more}<target><format type='{format}'/></target></volume>"
    )
}

async fn make(
    driver: &StorageDriver,
    pool: &StoragePoolId,
    xml: &str,
) -> Result<Arc<StorageVolView>, virtbus_api::Error> {
    StorageVols::create_xml(driver, pool, xml, StorageVolCreateFlags::empty()).await
}

/// Whether a directory has files of volumes that are not whole.
fn has_unfinished(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.any(|name| name.starts_with(".virtbus-"))
}
