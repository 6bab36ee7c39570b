//! Steps of a start that make something on the host: tap devices, the emulator of a TPM, the log, QEMU's command, its monitor.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtbus_api::security::Prepared as HeldFiles;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::{Text, YesNo};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::interface::InterfaceSource;
use virtbus_conf_domain::domain::devices::tpm::{TpmBackend, TpmVersion};
use virtbus_hypervisor::log;
use virtbus_qemu_monitor::{Events, Monitor};
use virtbus_util::cmd::Cmd;
use virtbus_util::socket;

use super::Attempt;
use crate::command::Held;
use crate::folder::{MONITOR_SOCKET, guest_dir};
use crate::outside::blocking;
use crate::persist::Status;
use crate::tap::{self, Tap};
use crate::watch;
use crate::{command, networks, tpm};

impl Attempt {
    /// Makes the tap devices of the guest's interfaces, for which descriptors are given by name. Each is noted before it is made.
    pub(super) async fn make_taps(
        &mut self,
        live: &mut Definition,
        status: &mut Status,
    ) -> Result<Vec<(Text, OwnedFd)>> {
        let mut made = Vec::new();
        let core = Arc::clone(&self.core);
        for interface in &mut live.devices.interface {
            let bridge = match &interface.source {
                // The bridge of a network is known since the interface was plugged in.
                InterfaceSource::Bridge(source) | InterfaceSource::Network(source) => {
                    Some(source.bridge.clone().ok_or_else(|| {
                        Error::new(
                            ErrorCode::XmlError,
                            ErrorDomain::Domain,
                            "an interface of type 'bridge' names no bridge",
                        )
                    })?)
                }
                InterfaceSource::Ethernet(_) => None,
                _ => continue,
            };
            let target = interface.options.target.get_or_insert_default();
            if target.managed == Some(YesNo::No) {
                continue;
            }
            let taps = &core.preparer.taps;
            let name = match &target.dev {
                Some(name) => {
                    taps.take(name)?;
                    name.clone()
                }
                None => taps.take_free().into(),
            };
            target.dev = Some(name.clone());
            status.prepared.taps.push(name.to_string());
            core.store
                .write_status(status)
                .inspect_err(|_| taps.release(&name))?;
            // From here on it is given back with all that was prepared.
            self.status = Some(status.clone());
            self.check_cancelled()?;
            let wanted = Tap {
                name: &name,
                bridge: bridge.as_deref(),
                guest_mac: interface.mac.as_ref().map(|mac| mac.address.0),
                mtu: interface.tail.mtu,
            };
            let descriptor = tap::create(&wanted).await?;
            made.push((name, descriptor));
        }
        Ok(made)
    }

    /// Plugs the guest's interfaces into virtual networks. Each port is noted before it is made.
    pub(super) async fn plug_into_networks(
        &mut self,
        live: &mut Definition,
        status: &mut Status,
    ) -> Result<()> {
        let core = Arc::clone(&self.core);
        let note = |status: &mut Status| {
            core.store.write_status(status)?;
            // From here on it is given back with all that was prepared.
            self.status = Some(status.clone());
            self.check_cancelled()
        };
        networks::plug(&core.providers, live, status, note).await
    }

    /// Starts the TPM emulator, if the guest has one. It is noted before it runs.
    pub(super) async fn start_tpm(
        &mut self,
        live: &Definition,
        status: &mut Status,
        log: &File,
    ) -> Result<()> {
        for tpm in &live.devices.tpm {
            let TpmBackend::Emulator(emulator) = &tpm.backend else {
                continue;
            };
            let version2 = emulator.version != Some(TpmVersion::V1_2);
            let mut emulator = tpm::prepare(&self.core.config, self.domain.uuid, version2).await?;
            self.check_cancelled()?;
            status.prepared.tpms.push(emulator.clone());
            self.core.store.write_status(status)?;
            self.status = Some(status.clone());
            let started = tpm::start(&self.core.config, &emulator, &status.dir, duplicate(log)?)?;
            emulator.process = Some(started);
            status.prepared.tpms.pop();
            status.prepared.tpms.push(emulator);
            self.status = Some(status.clone());
            self.core.store.write_status(status)?;
        }
        Ok(())
    }

    /// The program with everything that is not in the definition.
    pub(super) fn command(&self, binary: &PathBuf, dir: &Path) -> Result<Cmd> {
        let mut cmd = Cmd::new(binary);
        cmd.new_session().umask(0o022).current_dir("/");
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
            cmd.env(name, guest_dir(dir));
        }
        cmd.env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        if let Some(user) = &self.core.config.user {
            cmd.user(user.uid, user.gid, &user.groups);
        }
        Ok(cmd)
    }

    /// Passes descriptors of the files that QEMU opens itself; the first one gets this number.
    pub(super) async fn pass_held(
        &mut self,
        cmd: &mut Cmd,
        files: Box<dyn HeldFiles>,
        wanted: Vec<Held>,
        first: i32,
    ) -> Result<Box<dyn HeldFiles>> {
        let (files, wanted, descriptors) = blocking(move || {
            let descriptors = wanted.iter().map(|wanted| match wanted {
                Held::Resource(path) => files.descriptor(path),
                Held::Layer(path, file) => file.try_clone().map_err(|error| {
                    let message = format!("cannot hold '{}': {error}", path.display());
                    Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
                }),
            });
            let descriptors = descriptors.collect::<Result<Vec<_>>>()?;
            Ok((files, wanted, descriptors))
        })
        .await?;
        for ((wanted, descriptor), number) in wanted.into_iter().zip(descriptors).zip(first..) {
            if cmd.pass_fd(descriptor) != number {
                return Err(Error::internal("descriptors for QEMU are out of order"));
            }
            let path = wanted.path().to_owned();
            self.held.push((command::held_name(number), path));
        }
        Ok(files)
    }

    /// An error in which files that QEMU has as descriptors are called by their paths.
    pub(super) fn with_paths(&self, error: Error) -> Error {
        // The longest names first: each may begin with another one.
        let by_path = |message: String, (name, path): &(String, PathBuf)| {
            message.replace(name, &path.to_string_lossy())
        };
        let message = self.held.iter().rev().fold(error.message.clone(), by_path);
        Error { message, ..error }
    }

    /// Opens the guest's log, writes the command to it, and lets QEMU write there.
    pub(super) async fn open_log(&self, cmd: &mut Cmd) -> Result<(File, u64)> {
        let path = self.core.config.dirs.guest_log(&self.domain.name());
        let mut text = format!("{} virtbusd: starting\n", log::now());
        for (name, path) in &self.held {
            text.push_str(&format!("{name} is {path:?}\n"));
        }
        text.push_str(&format!("{}\n", cmd.display()));
        let (log, start) = blocking(move || {
            let open = || -> std::io::Result<(File, u64)> {
                use std::io::Write;
                let mut log = log::begin(&path)?;
                log.write_all(text.as_bytes())?;
                let start = log.metadata()?.len();
                Ok((log, start))
            };
            open().map_err(|error| {
                Error::new(
                    ErrorCode::SystemError,
                    ErrorDomain::Qemu,
                    format!("cannot write '{}': {error}", path.display()),
                )
            })
        })
        .await?;
        cmd.stdout(duplicate(&log)?);
        cmd.stderr(duplicate(&log)?);
        Ok((log, start))
    }

    /// Connects to the monitor, or says why QEMU ended instead.
    pub(super) async fn reach_monitor(
        &mut self,
        dir: &Path,
        mut log: File,
        log_start: u64,
    ) -> Result<(Monitor, Events)> {
        let path = dir.join(MONITOR_SOCKET);
        let limits = watch::limits(&self.core);
        let open = async {
            // The socket listens since before QEMU was started, so there is nothing to wait for but QEMU.
            let stream = socket::connect(&path)
                .await
                .map_err(|error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error))?;
            Monitor::open(stream, limits)
                .await
                .map_err(|error| crate::core::monitor_failed(&self.domain, &error))
        };
        let child = self
            .child
            .as_mut()
            .ok_or_else(|| Error::internal("QEMU was not started"))?;
        let failure = |status: String, log: &mut File| {
            let said = log::since(log, log_start);
            let said = if said.is_empty() {
                String::new()
            } else {
                format!(": {said}")
            };
            Error::new(
                ErrorCode::InternalError,
                ErrorDomain::Qemu,
                format!("QEMU ended while it started ({status}){said}"),
            )
        };
        let starting = Arc::clone(&self.starting);
        tokio::select! {
            biased;
            () = starting.cancelled() => Err(self.called_off()),
            status = child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(failure(status, &mut log))
            }
            opened = open => match opened {
                Ok(opened) => Ok(opened),
                // A connection that breaks off belongs to a QEMU that is about to end; its message says more.
                Err(error) => match tokio::time::timeout(std::time::Duration::from_secs(1), child.wait()).await {
                    Ok(Ok(status)) => Err(failure(status.to_string(), &mut log)),
                    _ => Err(error),
                },
            },
        }
    }
}

/// The same open file once more.
fn duplicate(log: &File) -> Result<File> {
    log.try_clone()
        .map_err(|error| Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, error.to_string()))
}
