//! Which subsystems of the host are built in, and what drivers are handed of them and of the host.

use virtbus_api::Error;
use virtbus_api::providers::Providers;

use crate::drivers::Host;

/// A subsystem that cannot be opened.
pub(crate) struct Failed {
    pub(crate) name: &'static str,
    pub(crate) source: Error,
}

/// The name by which the service asks systemd for the key that secrets are encrypted with (`LoadCredentialEncrypted=`).
#[cfg(feature = "secret")]
const SECRET_KEY: &str = "virtbus.secret-key";

/// The subsystems of the host, opened.
pub(crate) struct Opened {
    /// What connections are opened with.
    pub(crate) providers: Providers,
    /// What is to be done once the bus knows them.
    pub(crate) when_served: Vec<Box<dyn FnOnce() + Send>>,
}

/// Opens all subsystems.
///
/// # Errors
/// The first one that cannot be opened.
pub(crate) async fn open(host: &Host<'_>) -> Result<Opened, Failed> {
    let mode = host.mode;
    let providers = Providers::default().with_placement(crate::placement::of_this_host(
        mode.is_session(),
        mode.is_private(),
    ));
    #[cfg(feature = "secret")]
    let providers = secrets(host, providers).await?;
    let opened = Opened {
        providers,
        when_served: Vec::new(),
    };
    #[cfg(feature = "network")]
    let opened = networks(host, opened).await?;
    #[cfg(feature = "storage")]
    let opened = storage(host, opened).await?;
    Ok(opened)
}

#[cfg(feature = "storage")]
async fn storage(host: &Host<'_>, mut opened: Opened) -> Result<Opened, Failed> {
    let dirs = host.dirs.driver("storage");
    let config = virtbus_storage::Config {
        config: dirs.config,
        run: dirs.runtime,
    };
    // Volumes can be made without any secret driver, only not encrypted ones.
    let secrets = opened.providers.secrets().ok().cloned();
    let driver = virtbus_storage::StorageDriver::open(config, secrets).await;
    let driver = driver.map_err(|source| Failed {
        name: "storage",
        source,
    })?;
    let starting = driver.clone();
    opened
        .when_served
        .push(Box::new(move || starting.autostart()));
    let providers = opened.providers.with_storage(driver.clone());
    opened.providers = providers.with_subsystem(driver);
    Ok(opened)
}

#[cfg(feature = "network")]
async fn networks(host: &Host<'_>, mut opened: Opened) -> Result<Opened, Failed> {
    use std::time::Duration;

    use virtbus_network::{Backend, Config, Dirs, NetworkDriver, Timeouts};

    let settings = &host.settings.network;
    let dirs = host.dirs.driver("network");
    let dirs = Dirs {
        config: dirs.config,
        state: dirs.state,
        run: dirs.runtime,
    };
    let config = Config {
        backend: match settings.firewall_backend.as_str() {
            "iptables" => Backend::Iptables,
            _ => Backend::Nftables,
        },
        timeouts: Timeouts {
            job: Duration::from_secs(settings.job_timeout),
            program: Duration::from_secs(settings.program_timeout),
            ..Timeouts::default()
        },
        default_network: settings.default_network && host.mode.is_system(),
        ..Config::new(dirs)
    };
    let driver = NetworkDriver::open(config).await;
    let driver = driver.map_err(|source| Failed {
        name: "network",
        source,
    })?;
    if settings.autostart {
        let driver = driver.clone();
        opened
            .when_served
            .push(Box::new(move || driver.autostart()));
    }
    let providers = opened.providers.with_networks(driver.clone());
    opened.providers = providers.with_subsystem(driver);
    Ok(opened)
}

#[cfg(feature = "secret")]
async fn secrets(host: &Host<'_>, providers: Providers) -> Result<Providers, Failed> {
    let dirs = host.dirs.driver("secrets");
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    let config = virtbus_secret::Config {
        dir: dirs.config,
        key_file: dirs.state.join("secret.key"),
        credential: credentials.map(|dir| std::path::Path::new(&dir).join(SECRET_KEY)),
    };
    let opened = virtbus_secret::SecretDriver::open(config).await;
    let driver = opened.map_err(|source| Failed {
        name: "secret",
        source,
    })?;
    Ok(providers
        .with_secrets(driver.clone())
        .with_subsystem(driver))
}
