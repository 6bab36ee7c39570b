//! The host as this driver sees it: emulators, their version, capabilities, and facts for monitoring.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::connection::Host;
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::common::VirtType;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_qemu_capabilities::{Capabilities, Emulators, ProgramError, Programs};
use virtbus_util::process::{self, Stat};

use crate::core::Core;
use crate::host_xml;
use crate::outside::blocking;

impl Core {
    /// The emulators on this host.
    ///
    /// # Errors
    /// `SystemError` if the file systems that they are on do not answer.
    pub(crate) async fn emulators(&self) -> Result<Emulators> {
        let dirs = self.config.emulator_path.clone();
        // Named by the settings, together.
        let find = move || Emulators::find(&dirs);
        let found = self.capabilities.look(Path::new(""), find).await;
        found.map_err(|error| {
            let message = format!("emulators cannot be looked for: {error}");
            Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
        })
    }

    /// The emulator for a definition and what it can do: the one that is named, or the one for the architecture.
    ///
    /// # Errors
    /// `ConfigUnsupported` if there is none, or if KVM is asked for and guests do not run under it here.
    pub(crate) async fn capabilities_of(
        &self,
        definition: &Definition,
    ) -> Result<(PathBuf, Arc<Capabilities>)> {
        let named = definition.devices.emulator.as_ref().map(PathBuf::from);
        let arch = definition
            .os
            .as_ref()
            .and_then(|os| os.machine.arch)
            .map(virtbus_conf_base::common::Arch::as_str);
        let (path, capabilities) = self.emulator(named, arch).await?;
        if let Some(arch) = arch
            && capabilities.arch != arch
        {
            return Err(unsupported(format!(
                "'{}' emulates {}, not {arch}",
                path.display(),
                capabilities.arch
            )));
        }
        if definition.virt_type == VirtType::Kvm {
            let usable = self
                .capabilities
                .kvm(&path)
                .await
                .map_err(|error| probe_failed(&error))?;
            if let virtbus_qemu_capabilities::KvmUsability::Unusable(problem) = &*usable {
                return Err(unsupported(format!(
                    "<domain type='kvm'> is not available on this host: {problem}"
                )));
            }
        }
        Ok((path, capabilities))
    }

    /// The emulator at a path, or for an architecture, or for the host's own.
    pub(crate) async fn emulator(
        &self,
        named: Option<PathBuf>,
        arch: Option<&str>,
    ) -> Result<(PathBuf, Arc<Capabilities>)> {
        let path = match named {
            Some(path) => path,
            None => {
                let arch = arch.unwrap_or(virtbus_qemu_capabilities::host_arch());
                let found = self.emulators().await?;
                found.for_arch(arch).map(Path::to_owned).ok_or_else(|| {
                    unsupported(format!(
                        "no emulator for architecture '{arch}' is installed"
                    ))
                })?
            }
        };
        self.check_program(&path).await?;
        let capabilities = self
            .capabilities
            .get(&path)
            .await
            .map_err(|error| probe_failed(&error))?;
        Ok((path, capabilities))
    }
}

impl Core {
    /// Refuses a program that is not run as an emulator.
    async fn check_program(&self, path: &Path) -> Result<()> {
        let refused = |error: &ProgramError| {
            Error::chain(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, error)
        };
        let programs = Programs::new(&self.config.emulator_path, self.config.user.is_some());
        programs.check_path(path).map_err(|error| refused(&error))?;
        let wanted = path.to_owned();
        let look = move || programs.check(&wanted);
        let looked = self.capabilities.look(path, look).await;
        let checked = looked.map_err(|error| {
            let path = path.display();
            unsupported(format!("emulator '{path}' cannot be looked at: {error}"))
        })?;
        checked.map_err(|error| refused(&error))
    }
}

fn probe_failed(error: &virtbus_qemu_capabilities::ProbeError) -> Error {
    Error::chain(ErrorCode::InternalError, ErrorDomain::Qemu, error)
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}

#[async_trait]
impl Host for Core {
    async fn version(&self) -> Result<u64> {
        let (_, capabilities) = self.emulator(None, None).await?;
        Ok(capabilities.version.number())
    }

    async fn hostname(&self) -> Result<String> {
        blocking(|| {
            let name =
                std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(system_error)?;
            Ok(name.trim().to_owned())
        })
        .await
    }

    async fn capabilities(&self) -> Result<String> {
        let mut guests = Vec::new();
        for (_, path) in self.emulators().await?.iter() {
            if let Err(error) = self.check_program(path).await {
                tracing::warn!(%error, "an emulator cannot be used, ignoring");
                continue;
            }
            match self.capabilities.get(path).await {
                Ok(capabilities) => {
                    let kvm = capabilities.kvm.is_some()
                        && self
                            .capabilities
                            .kvm(path)
                            .await
                            .is_ok_and(|usable| usable.is_usable());
                    guests.push((capabilities, kvm));
                }
                Err(error) => tracing::warn!(%error, "an emulator cannot be used, ignoring"),
            }
        }
        let security = self.providers.security().models();
        blocking(move || Ok(host_xml::capabilities(&guests, &security))).await
    }

    async fn domain_capabilities(
        &self,
        emulator: Option<&str>,
        arch: Option<&str>,
        machine: Option<&str>,
        virt_type: Option<&str>,
    ) -> Result<String> {
        let (path, capabilities) = self.emulator(emulator.map(PathBuf::from), arch).await?;
        let kvm = match virt_type {
            Some("kvm") => true,
            Some("qemu") => false,
            Some(other) => {
                return Err(Error::invalid_argument(format!(
                    "unsupported virttype '{other}' (supported: qemu, kvm)"
                )));
            }
            None => {
                capabilities.kvm.is_some()
                    && self
                        .capabilities
                        .kvm(&path)
                        .await
                        .is_ok_and(|usable| usable.is_usable())
            }
        };
        let accelerated = capabilities.accelerated(kvm).ok_or_else(|| {
            Error::invalid_argument(format!("'{}' has no such accelerator", path.display()))
        })?;
        let machine = match machine {
            Some(name) => accelerated.machine(name),
            None => accelerated.default_machine(),
        };
        let machine =
            machine.ok_or_else(|| Error::invalid_argument("this emulator has no such machine"))?;
        Ok(host_xml::domain_capabilities(
            &path,
            &capabilities,
            accelerated,
            machine,
            kvm,
        ))
    }

    async fn max_vcpus(&self, _: Option<&str>) -> Result<u32> {
        let (_, capabilities) = self.emulator(None, None).await?;
        let machine = capabilities
            .best()
            .and_then(|accelerated| accelerated.default_machine());
        Ok(machine.map_or(1, |machine| machine.max_cpus))
    }

    async fn free_memory(&self) -> Result<u64> {
        blocking(|| {
            let text = std::fs::read_to_string("/proc/meminfo").map_err(system_error)?;
            let line = text.lines().find_map(|line| line.strip_prefix("MemFree:"));
            let kib =
                line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            kib.map(|kib| kib * 1024)
                .ok_or_else(|| Error::internal("the kernel tells no free memory"))
        })
        .await
    }

    async fn cpu_model_names(&self, arch: &str) -> Result<Vec<String>> {
        let (_, capabilities) = self.emulator(None, Some(arch)).await?;
        let models = capabilities
            .best()
            .map(|accelerated| accelerated.cpu_models.as_slice())
            .unwrap_or_default();
        Ok(models.iter().map(|model| model.name.clone()).collect())
    }
}

fn system_error(error: std::io::Error) -> Error {
    Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error)
}

/// Clock ticks of `/proc` as nanoseconds.
pub(crate) fn nanoseconds(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

/// Processor time of a process, nanoseconds.
pub(crate) fn cpu_time(pid: i32) -> u64 {
    process::stat(pid).map_or(0, |stat| nanoseconds(stat.utime + stat.stime))
}

/// Processor time of a thread, nanoseconds, as the scheduler counts it. Blocks.
pub(crate) fn thread_time(pid: i32, thread: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Resident memory of a process, KiB.
pub(crate) fn resident(process: &Stat) -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096) / 1024;
    process.rss_pages * page
}

/// A counter of a network device. Blocks.
pub(crate) fn network_counter(device: &str, counter: &str) -> Option<u64> {
    let text =
        std::fs::read_to_string(format!("/sys/class/net/{device}/statistics/{counter}")).ok()?;
    text.trim().parse().ok()
}
