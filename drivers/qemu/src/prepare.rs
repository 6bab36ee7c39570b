//! What is done on the host before QEMU is started, and undone after it has ended.
//!
//! Each thing is noted in the guest's status before or as it is done, so that a daemon which finds the status of a guest that
//! is gone can undo all of it. Undoing goes on whatever fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FileType;
use virtbus_api::placement::Placement;
use virtbus_api::security::{Access, FileId, Prepared as HeldFiles, Resource, Security};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result, Uuid};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_util::file::acting::{self, ActError, ActingUser, Beneficiary, OpenAccess, OpenAs};
use virtbus_util::file::{self, Owner};
use virtbus_util::process::ProcessId;

use crate::command::ways;
use crate::config::Config;
use crate::definition::firmware::Store;
use crate::folder::{channel_dir, guest_dir};
use crate::outside::{blocking, failed};
use crate::persist::Status;
use crate::record::Helper;
use crate::{nvram, tpm};

/// All files of a guest are looked at within this time; a local one takes microseconds.
const LOOKING: Duration = Duration::from_secs(30);

/// The part of a guest's files that it starts with.
const AT_START: u32 = 0;

/// A guest that has ended is off after this time, even if the file system of its files hangs and they are given back later.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// Prepares hosts for guests.
pub(crate) struct Preparer {
    /// As whom guests run, if not as the daemon.
    user: Option<ActingUser>,
    security: Arc<dyn Security>,
    pub(crate) ports: crate::ports::Ports,
    pub(crate) taps: crate::tap::Names,
}

impl Preparer {
    pub(crate) fn new(config: &Config, security: Arc<dyn Security>) -> Self {
        let user = config.user.as_ref().map(|user| ActingUser {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups.clone(),
        });
        Self {
            user,
            security,
            ports: crate::ports::Ports::new(config.graphics_ports),
            taps: crate::tap::Names::default(),
        }
    }

    /// Makes the folder of a run. It is the daemon's, and so are the monitor's socket and others of ours in it: the guest can pass
    /// through and change nothing. What QEMU makes is in folders of the guest's own below it.
    pub(crate) fn make_dir(&self, dir: &Path) -> Result<()> {
        if let Some(parent) = dir.parent() {
            file::ensure_dir(parent, 0o711, None).map_err(failed)?;
        }
        let passed = self.user.as_ref().map(|user| Owner {
            uid: rustix::process::geteuid().as_raw(),
            gid: user.gid,
        });
        file::ensure_dir(dir, 0o710, passed).map_err(failed)?;
        for own in [guest_dir(dir), channel_dir(dir)] {
            file::ensure_dir(&own, 0o750, self.owner()).map_err(failed)?;
        }
        Ok(())
    }

    /// Whose a guest's files are, if not the daemon's.
    fn owner(&self) -> Option<Owner> {
        self.user.as_ref().map(|user| Owner {
            uid: user.uid,
            gid: user.gid,
        })
    }

    /// With whose rights what a guest writes is opened; `None`: the daemon's own.
    pub(crate) fn acting(&self) -> Option<&ActingUser> {
        self.user.as_ref()
    }

    /// Who confines guests.
    pub(crate) fn security(&self) -> Arc<dyn Security> {
        Arc::clone(&self.security)
    }

    /// Opens a file that a character device writes to: with no more rights than the guest has where anybody but root may change what is
    /// in a directory on the way, as what is written is the guest's.
    ///
    /// # Errors
    /// What the file system has against it, and what would help; the file is as it was.
    pub(crate) async fn open_output(&self, guest: Uuid, path: &str, append: bool) -> Result<File> {
        let how = OpenAs {
            truncate: !append,
            devices: true,
            ..OpenAs::output(OpenAccess::Append)
        };
        let (user, path) = (self.acting().cloned(), PathBuf::from(path));
        blocking(move || {
            acting::open_named(of(guest), user.as_ref(), &path, how).map_err(|error| {
                let error = Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error);
                let shown = path.display();
                let message = format!("file '{shown}' of a character device: {}", error.message);
                Error { message, ..error }
            })
        })
        .await
    }

    /// Makes the file with the variables of the guest's firmware, unless it is there.
    ///
    /// # Errors
    /// `OperationFailed`, naming it.
    pub(crate) async fn make_nvram(&self, guest: Uuid, store: Store) -> Result<()> {
        let user = self.acting().cloned();
        blocking(move || nvram::make(of(guest), user.as_ref(), &store)).await
    }

    /// Removes it. Blocks.
    ///
    /// # Errors
    /// `OperationFailed`, naming it.
    pub(crate) fn remove_nvram(&self, guest: Uuid, store: &Store) -> Result<()> {
        nvram::remove(of(guest), self.acting(), &store.path)
    }

    /// Looks whether QEMU can be led to something of another guest's, by what it finds by its path. One that runs as the daemon's own user
    /// can be led nowhere where that user could not go.
    ///
    /// # Errors
    /// `OperationDenied` if somebody else than root can change the way; `ConfigUnsupported` for what QEMU goes through itself.
    pub(crate) async fn check_ways(
        &self,
        guest: Uuid,
        definition: &Definition,
        dir: &Path,
    ) -> Result<()> {
        let Some(guests) = self.user.as_ref().map(|user| user.uid) else {
            return Ok(());
        };
        let ways = ways::ways(definition, dir)?;
        if ways.is_empty() {
            return Ok(());
        }
        blocking(move || {
            let look = move || ways::check(&ways, guests);
            acting::act(of(guest), None, LOOKING, look).map_err(unanswered)?
        })
        .await
    }

    /// Finds out what has to be changed so that the guest can have its files, and holds them.
    pub(crate) async fn prepare_files(
        &self,
        guest: Uuid,
        resources: Vec<Resource>,
    ) -> Result<Box<dyn HeldFiles>> {
        let security = Arc::clone(&self.security);
        blocking(move || {
            if resources.is_empty() {
                return security.prepare(guest, AT_START, &resources);
            }
            // Of the daemon's own rights, but with a limit: files may be on a server that is gone.
            let look = move || {
                check_types(&resources)?;
                security.prepare(guest, AT_START, &resources)
            };
            acting::act(of(guest), None, LOOKING, look).map_err(unanswered)?
        })
        .await
    }

    /// Lets the guest have its files. The record of what was prepared must be on disk.
    pub(crate) async fn give_files(
        guest: Uuid,
        mut files: Box<dyn HeldFiles>,
    ) -> Result<Box<dyn HeldFiles>> {
        blocking(move || {
            let give = move || files.apply().map(|()| files);
            acting::act(of(guest), None, LOOKING, give).map_err(unanswered)?
        })
        .await
    }

    /// Looks whether QEMU has opened the guest's files, and not others to which somebody led it.
    pub(crate) async fn check_opened(
        guest: Uuid,
        files: Box<dyn HeldFiles>,
        process: i32,
        also: Vec<(FileId, Access)>,
    ) -> Result<Box<dyn HeldFiles>> {
        blocking(move || {
            let look = move || files.check_opened(process, &also).map(|()| files);
            acting::act(of(guest), None, LOOKING, look).map_err(unanswered)?
        })
        .await
    }

    /// Undoes all that `status` tells of.
    pub(crate) async fn undo(&self, placement: &dyn Placement, status: &Status) {
        for helper in &status.prepared.helpers {
            end_helper(*helper);
        }
        let tpms = async {
            for emulator in &status.prepared.tpms {
                tpm::end(emulator).await;
            }
        };
        let place = async {
            if let Some(place) = &status.place {
                placement.release(place).await;
            }
        };
        let taps = async {
            for tap in &status.prepared.taps {
                crate::tap::remove(tap).await;
                self.taps.release(tap);
            }
        };
        self.ports.release(&status.prepared.ports);
        let security = Arc::clone(&self.security);
        let (confined, dir) = (status.prepared.confined.clone(), status.dir.clone());
        let name = status.name.clone();
        let done = blocking(move || {
            if let Some(record) = confined {
                give_back(security, &name, record);
            }
            file::remove_dir(&dir).map(drop).map_err(failed)
        });
        // None of these needs another to be done.
        let ((), (), (), done) = tokio::join!(tpms, place, taps, done);
        if let Err(error) = done {
            tracing::warn!(domain = status.name, %error, "the folder of a guest cannot be removed, ignoring");
        }
    }
}

/// Gives the files of a guest back that has ended. Where their file system hangs that is done when it answers again, if the daemon still
/// runs then, and nobody waits for it.
fn give_back(security: Arc<dyn Security>, name: &str, record: String) {
    let restore = move || security.restore(&record);
    if let Err(error) = acting::act(Beneficiary::Daemon, None, GIVING_BACK, restore) {
        let error: &dyn std::error::Error = &error;
        tracing::error!(
            domain = name,
            error,
            "files are given back only when their file system answers again"
        );
    }
}

fn of(guest: Uuid) -> Beneficiary {
    Beneficiary::Guest(guest.into_bytes())
}

/// Refuses what no guest can have as a file, before QEMU waits for somebody at its other end.
fn check_types(resources: &[Resource]) -> Result<()> {
    for resource in resources {
        // What cannot be walked to is the security driver's to explain.
        let Ok(found) = file::walk(&resource.path) else {
            continue;
        };
        let kind = FileType::from_raw_mode(found.facts.st_mode);
        if matches!(
            kind,
            FileType::Fifo | FileType::Socket | FileType::Directory
        ) {
            let message = format!(
                "'{}' is a {}, where a file or device is wanted",
                resource.path.display(),
                acting::type_name(kind)
            );
            let code = ErrorCode::ConfigUnsupported;
            return Err(Error::new(code, ErrorDomain::Qemu, message));
        }
    }
    Ok(())
}

/// The file system of a guest's files does not answer.
fn unanswered(error: ActError) -> Error {
    let error = Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error);
    let message = format!("files of the guest: {}", error.message);
    Error { message, ..error }
}

fn end_helper(helper: Helper) {
    let id = ProcessId {
        pid: helper.pid,
        start_time: helper.start_time,
    };
    if let Ok(Some(process)) = id.open() {
        // Helpers hold no data that is not written; most end by themselves when QEMU does.
        let _ = process.signal(rustix::process::Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    /// Gives files back when it is told to.
    struct Slow {
        told: Mutex<mpsc::Receiver<()>>,
        done: mpsc::Sender<String>,
    }

    impl Security for Slow {
        fn prepare(&self, _: Uuid, _: u32, _: &[Resource]) -> Result<Box<dyn HeldFiles>> {
            Err(Error::internal("nothing is prepared here"))
        }

        fn restore(&self, record: &str) {
            self.told.lock().unwrap().recv().unwrap();
            self.done.send(record.to_owned()).unwrap();
        }
    }

    #[test]
    fn files_that_cannot_be_given_back_now_are_given_back_later() {
        let limit = Duration::from_secs(60);
        let ((tell, told), (done, is_done)) = (mpsc::channel(), mpsc::channel());
        let told = Mutex::new(told);
        let security: Arc<dyn Security> = Arc::new(Slow { told, done });
        let (returned, has_returned) = mpsc::channel();
        std::thread::spawn(move || {
            give_back(security, "slow", "record".to_owned());
            returned.send(()).unwrap();
        });
        has_returned.recv_timeout(limit).unwrap();
        assert!(is_done.try_recv().is_err());
        tell.send(()).unwrap();
        assert_eq!(is_done.recv_timeout(limit).unwrap(), "record");
    }

    #[test]
    fn pipes_and_sockets_are_no_files_of_guests() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| Resource {
            path: dir.path().join(name),
            access: Access::ReadWrite,
        };
        let mode = rustix::fs::Mode::RWXU;
        for (name, kind) in [("pipe", FileType::Fifo), ("socket", FileType::Socket)] {
            rustix::fs::mknodat(rustix::fs::CWD, at(name).path, kind, mode, 0).unwrap();
            let refused = check_types(&[at("absent"), at(name)]).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ConfigUnsupported);
            assert!(refused.message.contains(name), "{}", refused.message);
        }
        std::fs::create_dir(at("folder").path).unwrap();
        let refused = check_types(&[at("folder")]).unwrap_err();
        assert!(refused.message.contains("is a directory"));
        std::fs::write(at("file").path, "").unwrap();
        check_types(&[at("file"), at("absent")]).unwrap();
    }
}
