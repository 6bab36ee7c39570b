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

/// Opens all subsystems: what connections are opened with.
///
/// # Errors
/// The first one that cannot be opened.
pub(crate) async fn open(host: &Host<'_>) -> Result<Providers, Failed> {
    let mode = host.mode;
    let providers = Providers::default().with_placement(crate::placement::of_this_host(
        mode.is_session(),
        mode.is_private(),
    ));
    #[cfg(feature = "secret")]
    let providers = secrets(host, providers).await?;
    Ok(providers)
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
