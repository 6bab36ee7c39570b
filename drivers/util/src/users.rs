//! Names of users, for messages.
//!
//! Taken from the host's own list of users (`/etc/passwd`) only: other sources are asked by libraries that wait for servers, and a message
//! must not wait. Who is not in it is told by number.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::file;

const LIST: &str = "/etc/passwd";

/// A longer list is not looked at. Bytes.
const LONGEST: u64 = 1 << 20;

/// The list as it was read last, and the change that it was read after.
#[derive(Default)]
struct Names {
    read: Option<SystemTime>,
    by_number: HashMap<u32, String>,
}

impl Names {
    /// Reads the list if it was changed since.
    fn refresh(&mut self, list: &Path) {
        let changed = list.metadata().and_then(|facts| facts.modified()).ok();
        if changed.is_some() && changed == self.read {
            return;
        }
        let text = file::read_limited(list, LONGEST).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        self.by_number.clear();
        for line in text.lines() {
            let mut fields = line.split(':');
            let (name, uid) = (fields.next(), fields.nth(1));
            if let (Some(name), Some(Ok(uid))) = (name, uid.map(str::parse))
                && !name.is_empty()
                && !name.contains(char::is_control)
            {
                // Who has further names is known by the first.
                self.by_number.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        self.read = changed;
    }

    fn shown(&self, uid: u32) -> String {
        self.by_number
            .get(&uid)
            .map_or_else(|| uid.to_string(), |name| format!("'{name}'"))
    }
}

/// A user's name in quotes, or else the number.
pub fn shown(uid: u32) -> String {
    static NAMES: Mutex<Option<Names>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    names.refresh(Path::new(LIST));
    names.shown(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_list_is_called_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("passwd");
        let write = |text: &str, second: u64| {
            std::fs::write(&list, text).unwrap();
            let file = std::fs::File::options().append(true).open(&list).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            file.set_modified(time).unwrap();
        };
        let mut names = Names::default();
        names.refresh(&list);
        assert_eq!(names.shown(0), "0");
        write(
            "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\n:x:7:7\nguest:x:64055:1:\nbad:x:y:\n\u{7}:x:8:8\n",
            1,
        );
        names.refresh(&list);
        assert_eq!(names.shown(0), "'root'");
        assert_eq!(names.shown(64055), "'guest'");
        assert_eq!(
            (names.shown(7), names.shown(8)),
            ("7".to_owned(), "8".to_owned())
        );
        write("other:x:64055:1:\n", 2);
        names.refresh(&list);
        assert_eq!(names.shown(64055), "'other'");
        assert_eq!(names.shown(0), "0");
    }
}
