//! Which drivers are built in, and how each is opened with its settings and the host's services.

#[cfg(feature = "qemu")]
use std::path::PathBuf;
use std::sync::Arc;

use virtbus_api::connections::Driver;
#[cfg(feature = "qemu")]
use virtbus_api::connections::Opening;
use virtbus_api::providers::Providers;
use virtbus_api::{Connection, Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::dirs::Dirs;

use crate::mode::Mode;
use crate::settings::Settings;

/// The drivers that this program has.
pub(crate) const BUILT_IN: &[&str] = &[
    #[cfg(feature = "qemu")]
    "qemu",
    #[cfg(feature = "test")]
    "test",
];

/// Whether a driver is served from the start. The test driver is not on the system's bus: whoever has rights to guests should not have them to its
/// domains as well.
fn is_usual(name: &str, mode: &Mode) -> bool {
    name != "test" || !mode.is_system()
}

/// The drivers that are served unless the command line names others.
pub(crate) fn usual(mode: &Mode) -> Vec<String> {
    let names = BUILT_IN.iter().filter(|name| is_usual(name, mode));
    names.map(|name| (*name).to_owned()).collect()
}

/// Those that are there beside them for whoever opens connections of theirs.
pub(crate) fn on_demand(mode: &Mode) -> Vec<Arc<dyn Driver>> {
    let others = BUILT_IN.iter().filter(|name| !is_usual(name, mode));
    let found = others.filter_map(|name| match *name {
        #[cfg(feature = "test")]
        "test" => Some(Arc::new(virtbus_test::TestDriver) as Arc<dyn Driver>),
        _ => None,
    });
    found.collect()
}

/// What drivers are opened with.
pub(crate) struct Host<'a> {
    pub(crate) mode: &'a Mode,
    pub(crate) settings: &'a Settings,
    pub(crate) dirs: &'a Dirs,
}

/// A driver with the connection that the daemon has of it, and what is to be done once the bus knows that.
pub(crate) struct Opened {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) connection: Arc<dyn Connection>,
    pub(crate) when_served: Box<dyn FnOnce() + Send>,
}

/// A driver of this host, of which there is one connection for as long as the daemon runs.
#[cfg(feature = "qemu")]
struct OfThisHost {
    schemes: &'static [&'static str],
    connection: Arc<dyn Connection>,
}

#[cfg(feature = "qemu")]
#[async_trait::async_trait]
impl Driver for OfThisHost {
    fn name(&self) -> &str {
        self.connection.driver()
    }

    fn schemes(&self) -> &[&str] {
        self.schemes
    }

    async fn open(&self, opening: Opening<'_>) -> Result<Arc<dyn Connection>> {
        let (served, uri) = (self.connection.uri(), opening.uri);
        if uri == served && opening.options.is_empty() {
            return Ok(Arc::clone(&self.connection));
        }
        let message = if uri == served {
            format!("{uri} is opened without options")
        } else {
            format!("this daemon has {served}, and cannot open '{uri}'")
        };
        Err(Error::new(ErrorCode::NoConnect, ErrorDomain::None, message))
    }
}

/// Opens the driver of this name.
///
/// # Errors
/// If there is none of this name, or it cannot be opened.
pub(crate) async fn open(name: &str, host: &Host<'_>, providers: Providers) -> Result<Opened> {
    match name {
        #[cfg(feature = "qemu")]
        "qemu" => qemu(host, providers).await,
        #[cfg(feature = "test")]
        "test" => Ok(Opened {
            driver: Arc::new(virtbus_test::TestDriver),
            connection: test(&host.settings.test.uri).await?,
            when_served: Box::new(|| {}),
        }),
        _ => Err(Error::new(
            ErrorCode::NoConnect,
            ErrorDomain::None,
            format!(
                "unknown driver '{name}' (built in: {})",
                BUILT_IN.join(", ")
            ),
        )),
    }
}

/// # Errors
/// `ConfigUnsupported` naming the setting: only another one helps.
#[cfg(feature = "test")]
async fn test(uri: &str) -> Result<Arc<virtbus_test::Test>> {
    let opened = virtbus_test::Test::open(uri).await;
    opened.map_err(|error| {
        let message = format!("setting test.uri, '{uri}': {}", error.message);
        Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::None, message)
    })
}

#[cfg(feature = "qemu")]
async fn qemu(host: &Host<'_>, providers: Providers) -> Result<Opened> {
    use std::time::Duration;

    use virtbus_qemu::{Config, Qemu, Timeouts};

    let settings = &host.settings.qemu;
    let dirs = host.dirs.driver("qemu");
    let user = if host.mode.is_system() {
        Some(guest_user(settings)?)
    } else {
        None
    };
    let security: Arc<dyn virtbus_api::security::Security> = match &user {
        Some(user) => {
            let identity = virtbus_security::dac::Identity {
                uid: user.uid,
                gid: user.gid,
                groups: user.groups.clone(),
            };
            Arc::new(virtbus_security::dac::Dac::new(
                identity,
                settings.dynamic_ownership,
            ))
        }
        None => Arc::new(virtbus_api::security::Unconfined),
    };
    let seconds = Duration::from_secs;
    let directories = |paths: &[String]| paths.iter().map(PathBuf::from).collect();
    let config = Config {
        uri: if host.mode.is_system() {
            "qemu:///system"
        } else {
            "qemu:///session"
        }
        .to_owned(),
        dirs: virtbus_qemu::Dirs {
            config: dirs.config,
            state: dirs.state,
            run: dirs.runtime,
            log: dirs.log,
            cache: dirs.cache,
        },
        user,
        seccomp: settings.seccomp,
        emulator_path: directories(&settings.emulator_path),
        vnc_listen: settings.vnc_listen.clone(),
        spice_listen: settings.spice_listen.clone(),
        graphics_ports: (settings.graphics_port_min, settings.graphics_port_max),
        save_dirs: save_dirs(settings, host.mode).await?,
        autostart: settings.autostart,
        timeouts: Timeouts {
            job: seconds(settings.job_timeout),
            start: seconds(settings.start_timeout),
            command: seconds(settings.command_timeout),
            quit: seconds(settings.quit_timeout),
            agent: seconds(settings.agent_timeout),
            ..Timeouts::default()
        },
    };
    let driver = Qemu::open(config, providers.with_security(security)).await?;
    let autostart = Arc::clone(&driver);
    Ok(Opened {
        driver: Arc::new(OfThisHost {
            schemes: &["qemu"],
            connection: driver.clone(),
        }),
        connection: driver,
        when_served: Box::new(move || autostart.autostart()),
    })
}

/// The directories in which clients may have files made. The driver trusts them by their names, so nobody who is not trusted may put
/// anything there: on the system bus that is everybody but root.
#[cfg(feature = "qemu")]
async fn save_dirs(settings: &crate::settings::Qemu, mode: &Mode) -> Result<Vec<PathBuf>> {
    let mut usable = Vec::new();
    for dir in settings.save_dirs.iter().map(PathBuf::from) {
        if !mode.is_system() {
            usable.push(dir);
            continue;
        }
        let looked_at = dir.clone();
        let look = tokio::task::spawn_blocking(move || why_not_closed(&looked_at));
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(Ok(None)) => usable.push(dir),
            Ok(Ok(Some(why))) => {
                return Err(Error::new(
                    ErrorCode::ConfigUnsupported,
                    ErrorDomain::Conf,
                    format!(
                        "the setting qemu.save_dirs has the directory '{}', {why}",
                        dir.display()
                    ),
                ));
            }
            Ok(Err(failed)) => return Err(Error::internal(failed.to_string())),
            Err(_) => {
                let dir = dir.display().to_string();
                tracing::warn!(
                    dir,
                    "the directory '{dir}' of the setting qemu.save_dirs does not answer, ignoring it until the next start"
                );
            }
        }
    }
    Ok(usable)
}

/// File systems of other hosts may not answer.
#[cfg(feature = "qemu")]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Why others than root could put something into the directory or in its place; nothing if they cannot. Blocks.
#[cfg(feature = "qemu")]
fn why_not_closed(dir: &std::path::Path) -> Option<String> {
    const OTHERS: &str = "into which, or in place of which, others than root can put files; it and all directories above it must be root's, and writable to root only";
    // Also of one that is not there yet: who makes it decides what it is.
    for place in [dir.to_owned(), dir.join("memory")] {
        match virtbus_util::file::walk_to_place(&place) {
            Ok(place) if place.is_closed => {}
            Ok(_) => return Some(OTHERS.to_owned()),
            Err(virtbus_util::file::WalkError::Open { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(virtbus_util::file::WalkError::Open { path, source }) => {
                return Some(format!("but '{}': {source}", path.display()));
            }
            Err(error) => return Some(format!("but {error}")),
        }
    }
    None
}

/// As whom guests run, so far as there is this user.
#[cfg(feature = "qemu")]
pub(crate) fn guests_user(settings: &Settings) -> Option<u32> {
    guest_user(&settings.qemu).ok().map(|user| user.uid)
}

/// As whom guests run: no driver that was built in has a user for them.
#[cfg(not(feature = "qemu"))]
pub(crate) fn guests_user(_: &Settings) -> Option<u32> {
    None
}

/// The user that the settings name, with the groups that guests need.
#[cfg(feature = "qemu")]
fn guest_user(settings: &crate::settings::Qemu) -> Result<virtbus_qemu::GuestUser> {
    use nix::unistd::{Group, User};

    let missing = |kind: &str, name: &str| {
        Error::new(
            ErrorCode::ConfigUnsupported,
            ErrorDomain::Conf,
            format!("unknown {kind} '{name}' for running guests (settings: qemu.user, qemu.group)"),
        )
    };
    let user = User::from_name(&settings.user)
        .ok()
        .flatten()
        .ok_or_else(|| missing("user", &settings.user))?;
    let group = Group::from_name(&settings.group)
        .ok()
        .flatten()
        .ok_or_else(|| missing("group", &settings.group))?;
    let kvm = Group::from_name("kvm").ok().flatten();
    Ok(virtbus_qemu::GuestUser {
        uid: user.uid.as_raw(),
        gid: group.gid.as_raw(),
        groups: kvm.map(|kvm| kvm.gid.as_raw()).into_iter().collect(),
    })
}
