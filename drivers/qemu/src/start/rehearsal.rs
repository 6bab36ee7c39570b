//! What is against a start, found out before anything of the host is changed, and told together: what the driver or the emulator cannot
//! do, and what the host does not have.
//!
//! What is found here may be another by the time when it is needed, so nothing later relies on it: it is there for the message.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD};
use virtbus_api::security::{Access, Resource};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::interface::InterfaceSource;
use virtbus_qemu_capabilities::Capabilities;
use virtbus_util::file::acting::{self, Beneficiary};
use virtbus_util::file::{WalkError, walk};
use virtbus_util::users;

use super::Attempt;
use crate::definition::firmware::Store;
use crate::outside::blocking;
use crate::{command, definition, refusals, tap};

/// All files of a guest are looked at within this time; a local one takes microseconds.
const LOOKING: Duration = Duration::from_secs(30);

impl Attempt {
    /// Looks what is against a live definition.
    ///
    /// # Errors
    /// All of it in one message.
    pub(super) async fn rehearse(
        &self,
        live: &Definition,
        capabilities: &Capabilities,
        dir: &Path,
        incoming: bool,
    ) -> Result<()> {
        let mut refusals = definition::long_sockets(live);
        let resources = match command::rehearse(live, capabilities, dir, incoming) {
            Ok(resources) => resources,
            Err(error) => {
                refusals.push(error);
                Vec::new()
            }
        };
        for bridge in bridges(live) {
            if let Err(error) = tap::check_bridge(bridge).await {
                refusals.push(error);
            }
        }
        let whose = Beneficiary::Guest(self.domain.uuid.into_bytes());
        // Of guests with a user of their own, what they may open is the security driver's to find out and to change.
        let own = self.core.preparer.acting().is_none();
        let store = definition::firmware::store(live);
        let look = move || missing(&instead(resources, store), own);
        let looked = blocking(move || {
            acting::act(whose, None, LOOKING, look)
                .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))
        });
        match looked.await {
            Ok(missing) => refusals.extend(missing),
            Err(error) => refusals.push(error),
        }
        refusals::together(refusals)
    }
}

/// What has to be there, where a store of variables that is not there is made from its template.
fn instead(mut resources: Vec<Resource>, store: Option<Store>) -> Vec<Resource> {
    if let Some(store) = store
        && absent(Path::new(&store.path)).is_some()
        && let Some(template) = store.template
    {
        resources.retain(|resource| resource.path != Path::new(&store.path));
        resources.push(Resource {
            path: template.into(),
            access: Access::ReadOnly,
        });
    }
    resources
}

/// The bridges that interfaces name.
fn bridges(live: &Definition) -> BTreeSet<&str> {
    let interfaces = live.devices.interface.iter();
    let named = interfaces.filter_map(|interface| match &interface.source {
        InterfaceSource::Bridge(source) => source.bridge.as_deref(),
        _ => None,
    });
    named.collect()
}

/// Files that are not there and, if the guest is to have them as this daemon's `own` user, that it may not use. Blocks.
fn missing(resources: &[Resource], own: bool) -> Vec<Error> {
    let refused = resources.iter().filter_map(|resource| {
        let path = &resource.path;
        let error = if own {
            reach(path, resource.access).err()?
        } else {
            absent(path)?
        };
        let shown = path.display();
        let user = || users::shown(rustix::process::geteuid().as_raw());
        let what = if error.kind() == io::ErrorKind::PermissionDenied {
            match closed(path) {
                Some(dir) => format!(
                    "user {} may not search directory '{}'",
                    user(),
                    dir.display()
                ),
                None => format!("user {} may not use it so: {}", user(), told(&error)),
            }
        } else {
            told(&error)
        };
        let message = format!("the guest's file '{shown}' cannot be used: {what}");
        Some(Error::new(
            ErrorCode::SystemError,
            ErrorDomain::Qemu,
            message,
        ))
    });
    refused.collect()
}

/// The kernel's answer without its number, which says nothing to people.
fn told(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// That a file is not there. A link on the way that somebody may have made for the daemon to follow tells nothing of where it leads.
fn absent(path: &Path) -> Option<io::Error> {
    match walk(path) {
        Err(WalkError::Open { source, .. }) => matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
        .then_some(source),
        Err(WalkError::ForeignLink { .. } | WalkError::LinkOnMedium { .. }) | Ok(_) => None,
    }
}

/// Whether a file is there, and may be used by whoever asks.
fn reach(path: &Path, access: Access) -> io::Result<()> {
    let wanted = match access {
        Access::ReadOnly => rustix::fs::Access::READ_OK,
        Access::ReadWrite | Access::Shared => {
            rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK
        }
    };
    match rustix::fs::accessat(CWD, path, wanted, AtFlags::EACCESS) {
        // Of a file system that is read-only, such as an image that is not written to; QEMU decides upon that.
        Ok(()) | Err(rustix::io::Errno::ROFS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The first directory on the way that lets nobody through who asks.
fn closed(path: &Path) -> Option<&Path> {
    let mut dirs: Vec<&Path> = path.ancestors().skip(1).collect();
    dirs.reverse();
    let refuses = |dir: &&Path| {
        let beyond = fs::metadata(dir.join("."));
        beyond.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    dirs.into_iter().find(refuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &Path) -> Resource {
        Resource {
            path: path.to_owned(),
            access: Access::ReadWrite,
        }
    }

    #[test]
    fn root_where_a_users_link_leads_is_not_told() {
        if !rustix::process::geteuid().is_root() {
            virtbus_skip::skip!("needs root");
        }
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nothing"), &link).unwrap();
        assert_eq!(missing(&[resource(&link)], false).len(), 1);
        std::os::unix::fs::lchown(&link, Some(60_001), None).unwrap();
        assert_eq!(missing(&[resource(&link)], false).len(), 0);
    }

    #[test]
    fn each_file_that_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there");
        fs::write(&there, "").unwrap();
        let (one, two) = (dir.path().join("one"), there.join("two"));
        let found = missing(&[resource(&one), resource(&there), resource(&two)], false);
        assert_eq!(found.len(), 2);
        for (error, path) in found.iter().zip([&one, &two]) {
            assert!(error.message.contains(path.to_str().unwrap()), "{error}");
        }
        assert!(
            found[0].message.ends_with("No such file or directory"),
            "{}",
            found[0].message
        );
    }
}
