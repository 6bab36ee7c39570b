//! The files of a made-up driver: a definition is two lines, and a status has a drawer beside what every status has.

mod configs;
mod rename;
mod statuses;

use std::sync::Mutex;

use serde::Deserialize;
use tempfile::TempDir;

use super::*;

/// What the made-up driver keeps.
pub(crate) struct Paper;

/// A definition: whose, and what else it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    pub(crate) rest: String,
}

/// What the made-up driver notes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drawer {
    pub(crate) number: u64,
    #[serde(default)]
    pub(crate) lid: Option<String>,
}

impl Kept for Paper {
    type Definition = Sheet;
    type Own = Drawer;

    const VERSION: u32 = 3;
    const ERRORS: ErrorDomain = ErrorDomain::Test;
    const LARGEST_DEFINITION: u64 = 256;
    const LARGEST_STATUS: u64 = 4096;

    fn parse(text: &str) -> std::result::Result<Sheet, Unusable> {
        let mut lines = text.splitn(3, '\n');
        let (Some(uuid), Some(name), Some(rest)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err("a sheet has three lines".into());
        };
        Ok(Sheet {
            uuid: uuid.parse()?,
            name: name.to_owned(),
            rest: rest.to_owned(),
        })
    }

    fn format(sheet: &Sheet) -> String {
        format!("{}\n{}\n{}", sheet.uuid, sheet.name, sheet.rest)
    }

    fn name(sheet: &Sheet) -> &str {
        &sheet.name
    }

    fn uuid(sheet: &Sheet) -> Result<Uuid> {
        Ok(sheet.uuid)
    }

    fn renamed(sheet: &Sheet, name: &str) -> Sheet {
        Sheet {
            name: name.to_owned(),
            ..sheet.clone()
        }
    }

    fn check_name(name: &str) -> Result<()> {
        if name.is_empty() || name.contains('/') {
            return Err(Error::invalid_argument("no name of a file"));
        }
        Ok(())
    }
}

pub(crate) fn sheet(number: u128, name: &str) -> Sheet {
    Sheet {
        uuid: Uuid::from_u128(number),
        name: name.to_owned(),
        rest: "black".to_owned(),
    }
}

/// A store in a directory of its own, which is removed with it.
pub(crate) fn store() -> (Store<Paper>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let places = Places {
        config: dir.path().join("etc"),
        run: dir.path().join("run"),
    };
    (Store::new(places), dir)
}

/// A status of a guest with this number.
pub(crate) fn status(number: u128, name: &str) -> Status<Drawer> {
    let run = NewRun {
        uuid: Uuid::from_u128(number),
        name: name.to_owned(),
        id: u32::try_from(number).unwrap(),
        dir: "/run/paper".into(),
        definition: Paper::format(&sheet(number, name)),
    };
    let number = 17;
    Status::starting(run, Drawer { number, lid: None })
}

/// A shadow that falls on the wall, called after its domain.
struct Shadow {
    dir: PathBuf,
    /// What is on disk when it is removed.
    seen: Mutex<Vec<bool>>,
    fails: bool,
}

impl Shadow {
    fn below(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            seen: Mutex::default(),
            fails: false,
        }
    }

    fn fall(&self, uuid: u128, name: &str) {
        let whose = Whose {
            uuid: Uuid::from_u128(uuid),
            name,
        };
        std::fs::write(self.path(whose), whose.uuid.to_string()).unwrap();
    }
}

impl Belonging for Shadow {
    fn path(&self, whose: Whose<'_>) -> PathBuf {
        self.dir.join(format!("{}.shadow", whose.name))
    }

    fn is_of(&self, whose: Whose<'_>) -> bool {
        std::fs::read_to_string(self.path(whose)).is_ok_and(|text| text == whose.uuid.to_string())
    }

    fn remove(&self, whose: Whose<'_>) -> Result<()> {
        if self.fails {
            return Err(Error::internal("a shadow stays"));
        }
        let definition = self.dir.join("etc").join(format!("{}.xml", whose.name));
        self.seen.lock().unwrap().push(definition.exists());
        file::remove(&self.path(whose))
            .map(drop)
            .map_err(Store::<Paper>::failed)
    }
}

/// What is below a directory, by path.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(below) = todo.pop() {
        for entry in std::fs::read_dir(below).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap();
                found.push(name.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}
