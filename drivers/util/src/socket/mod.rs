//! Unix sockets: listening ones made ready to be handed to a program, connections, and descriptors
//! sent over them.
//!
//! Paths may be longer than the 107 bytes that a socket address holds. Abstract addresses are not
//! offered, since no file permission guards them.

mod fds;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::UnixStream;

use crate::file::{self, Owner, WalkError};

pub use fds::{MAX_FDS, Received, receive_with_fds, send_with_fds};

/// What failed with a socket, with its path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} socket '{path}'")]
pub struct SocketError {
    /// What was tried, such as "listen on".
    pub action: &'static str,
    /// The socket.
    pub path: PathBuf,
    /// The kernel's answer.
    pub source: io::Error,
}

impl SocketError {
    fn new(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// How a listening socket is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    /// How many connections may wait to be accepted.
    pub backlog: i32,
    /// Permission bits of the socket file; connecting needs the right to write.
    pub mode: u32,
    /// The socket file's owner, if not the daemon.
    pub owner: Option<Owner>,
}

impl Default for ListenOptions {
    /// For the owner only.
    fn default() -> Self {
        Self {
            backlog: 1,
            mode: 0o600,
            owner: None,
        }
    }
}

/// The longest path of a socket that programs other than this one can use, bytes: what an address holds, without the zero at its end.
pub const LONGEST_PATH: usize = 107;

/// Makes a stream socket that listens at `path`. A socket that is there already (left by a process
/// that died) is replaced; anything else is not.
///
/// Owner and mode are in force before the first connection can be made. The descriptor is blocking
/// and close-on-exec; [`crate::cmd::Cmd::pass_fd`] hands it on.
pub fn listen(path: &Path, options: ListenOptions) -> Result<OwnedFd, SocketError> {
    let failed = |source: io::Error| SocketError::new("listen on", path, source);
    remove_stale(path).map_err(failed)?;
    let place = Place::of(path).map_err(failed)?;
    let socket = stream_socket(SocketFlags::CLOEXEC).map_err(failed)?;
    // The file gets the socket's own mode, less the umask; exactly the wanted one comes below.
    rustix::fs::fchmod(&socket, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    rustix::net::bind(&socket, &place.address).map_err(|errno| failed(errno.into()))?;

    let opened = || -> io::Result<()> {
        if let Some(owner) = options.owner {
            let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(&place.dir, &place.name, Some(uid), Some(gid), flags)?;
        }
        let mode = Mode::from_raw_mode(options.mode);
        rustix::fs::chmodat(&place.dir, &place.name, mode, AtFlags::empty())?;
        rustix::net::listen(&socket, options.backlog)?;
        Ok(())
    };
    opened().map_err(|source| {
        // The first error is the one that counts.
        let _ = rustix::fs::unlinkat(&place.dir, &place.name, AtFlags::empty());
        failed(source)
    })?;
    Ok(socket)
}

/// Connects to the stream socket at `path`, absolute. Links of unprivileged users are not followed, none at the end, and the
/// socket that was looked at is the one that is connected to: where a lesser user may write to the directory, he could lead the
/// daemon to a socket that listens to root only. Put a timeout around it. May be dropped at any time.
pub async fn connect(path: &Path) -> Result<UnixStream, SocketError> {
    let failed = |source: io::Error| SocketError::new("connect to", path, source);
    let found = tokio::task::spawn_blocking({
        let path = path.to_owned();
        move || find(&path)
    });
    let socket = found
        .await
        .map_err(|error| failed(io::Error::other(error)))?
        .map_err(failed)?;
    UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd()))
        .await
        .map_err(failed)
}

/// Holds the socket at `path`.
fn find(path: &Path) -> io::Result<OwnedFd> {
    let walked = |error| match error {
        WalkError::Open { source, .. } => source,
        error @ (WalkError::ForeignLink { .. } | WalkError::LinkOnMedium { .. }) => {
            io::Error::other(error)
        }
    };
    let place = file::walk_to_place(path).map_err(walked)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let socket = rustix::fs::openat(&place.dir.fd, place.name.as_os_str(), flags, Mode::empty())?;
    let facts = rustix::fs::fstat(&socket)?;
    if FileType::from_raw_mode(facts.st_mode) != FileType::Socket {
        return Err(io::Error::other("it is not a socket"));
    }
    Ok(socket)
}

fn stream_socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    let kind = SocketType::STREAM;
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        kind,
        flags,
        None,
    )?)
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(facts) if facts.file_type().is_socket() => match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A socket's directory, its name there, and an address that leads to it.
struct Place {
    dir: OwnedFd,
    name: std::ffi::OsString,
    address: SocketAddrUnix,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(parent, flags, Mode::empty())?;
        let address = match SocketAddrUnix::new(path) {
            Ok(address) => address,
            Err(_) => SocketAddrUnix::new(detour(&dir, name))?,
        };
        Ok(Self {
            dir,
            name: name.to_owned(),
            address,
        })
    }
}

fn detour(dir: &OwnedFd, name: &std::ffi::OsStr) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name)
}

#[cfg(test)]
mod tests {
    use virtbus_skip::or_skip;

    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::test_utils::root;

    async fn talk(path: &Path, listener: OwnedFd) {
        let listener = UnixListener::from(listener);
        let (client, accepted) = tokio::join!(connect(path), async {
            tokio::task::spawn_blocking(move || listener.accept())
                .await
                .unwrap()
        });
        drop(client.unwrap());
        accepted.unwrap();
    }

    #[tokio::test]
    async fn listen_sets_the_mode_and_answers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monitor.sock");
        let options = ListenOptions {
            mode: 0o666,
            ..ListenOptions::default()
        };
        let listener = listen(&path, options).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o666);
        talk(&path, listener).await;
    }

    #[tokio::test]
    async fn stale_socket_is_replaced_and_files_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monitor.sock");
        drop(listen(&path, ListenOptions::default()).unwrap());
        assert!(connect(&path).await.is_err());
        let listener = listen(&path, ListenOptions::default()).unwrap();
        talk(&path, listener).await;

        let file = dir.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        let error = listen(&file, ListenOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen on socket '{}'", file.display())
        );
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn long_paths_work() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("monitor.sock");
        let listener = listen(&path, ListenOptions::default()).unwrap();
        talk(&path, listener).await;
        assert!(listen(&deep.join("none/x"), ListenOptions::default()).is_err());
        assert!(listen(&deep.join("x".repeat(120)), ListenOptions::default()).is_err());
    }

    #[tokio::test]
    async fn nobody_leads_a_connection_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, link) = (dir.path().join("socket"), dir.path().join("link"));
        let _listener = listen(&socket, ListenOptions::default()).unwrap();
        std::os::unix::fs::symlink(&socket, &link).unwrap();
        connect(&socket).await.unwrap();
        let error = connect(&link).await.unwrap_err();
        assert_eq!(error.source.to_string(), "it is not a socket");
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(connect(&dir.path().join("file")).await.is_err());
        let error = connect(&dir.path().join("none")).await.unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn root_listen_sets_the_owner() {
        or_skip!(root());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monitor.sock");
        let owner = Some(Owner {
            uid: 65501,
            gid: 65502,
        });
        let options = ListenOptions {
            owner,
            ..ListenOptions::default()
        };
        let _listener = listen(&path, options).unwrap();
        let facts = std::fs::metadata(&path).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (65501, 65502));
    }
}
