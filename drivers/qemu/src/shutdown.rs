//! Asking a guest to shut down or reboot: by its agent or by the ACPI power button.
//!
//! Nothing here waits for the guest to obey; that it did is told by events. A reboot by the power button is a
//! power-off followed by a reset, which is noted before the button is pressed.

use std::sync::Arc;

use virtbus_api::domain::{DomainRebootFlags, DomainShutdownFlags};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_hypervisor::jobs::Job;
use virtbus_qemu_monitor::agent::commands::{Shutdown, ShutdownMode};
use virtbus_qemu_monitor::agent::{Agent, AgentLimits};
use virtbus_qemu_monitor::commands::system::SystemPowerdown;
use virtbus_util::socket;

use crate::core::{Core, monitor_failed};
use crate::definition;
use crate::domain::Domain;
use crate::{jobs, stop};

/// How a guest is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its agent.
    Agent,
    /// By the ACPI power button.
    PowerButton,
}

/// What a guest is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To power itself off.
    Shutdown,
    /// To start anew.
    Reboot,
}

impl Wish {
    /// The job that asking for it in this way is.
    pub(crate) const fn job(self, way: Way) -> Job {
        match (self, way) {
            (Self::Shutdown, Way::Agent) => jobs::SHUTDOWN_BY_AGENT,
            (Self::Shutdown, Way::PowerButton) => jobs::SHUTDOWN,
            (Self::Reboot, Way::Agent) => jobs::REBOOT_BY_AGENT,
            (Self::Reboot, Way::PowerButton) => jobs::REBOOT,
        }
    }
}

/// The ways in which the guest may be asked to shut down: those that `flags` name; none named: the agent if there is one, then the
/// button.
pub(crate) fn ways_to_shut_down(domain: &Domain, flags: DomainShutdownFlags) -> Vec<Way> {
    ways(
        domain,
        flags.contains(DomainShutdownFlags::GUEST_AGENT),
        flags.contains(DomainShutdownFlags::ACPI_POWER_BTN),
    )
}

/// The ways in which it may be asked to reboot, likewise.
pub(crate) fn ways_to_reboot(domain: &Domain, flags: DomainRebootFlags) -> Vec<Way> {
    ways(
        domain,
        flags.contains(DomainRebootFlags::GUEST_AGENT),
        flags.contains(DomainRebootFlags::ACPI_POWER_BTN),
    )
}

fn ways(domain: &Domain, agent: bool, button: bool) -> Vec<Way> {
    match (agent, button) {
        (true, true) => vec![Way::Agent, Way::PowerButton],
        (true, false) => vec![Way::Agent],
        (false, true) => vec![Way::PowerButton],
        (false, false) => {
            let has_agent = domain
                .snapshot()
                .live
                .as_deref()
                .is_some_and(definition::has_agent);
            if has_agent {
                vec![Way::Agent, Way::PowerButton]
            } else {
                vec![Way::PowerButton]
            }
        }
    }
}

/// Asks the guest in one way. To be run as the job that [`Wish::job`] says.
pub(crate) async fn ask(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    wish: Wish,
    way: Way,
) -> Result<()> {
    match way {
        Way::Agent => {
            let epoch = domain.lock().live()?.epoch;
            let mode = match wish {
                Wish::Shutdown => ShutdownMode::Powerdown,
                Wish::Reboot => ShutdownMode::Reboot,
            };
            // The agent reboots by itself; what follows its power-off must not be taken for the button's.
            stop::reboot_wanted(core, domain, epoch, false);
            ask_agent(core, domain, mode).await
        }
        Way::PowerButton => {
            let (monitor, epoch) = domain.monitor()?;
            stop::reboot_wanted(core, domain, epoch, wish == Wish::Reboot);
            monitor
                .execute(&SystemPowerdown {})
                .await
                .map(drop)
                .map_err(|error| monitor_failed(domain, &error))
        }
    }
}

async fn ask_agent(core: &Arc<Core>, domain: &Arc<Domain>, mode: ShutdownMode) -> Result<()> {
    let agent = agent(core, domain).await?;
    let within = core.config.timeouts.agent;
    let asked = agent
        .execute_without_reply(&Shutdown { mode }, within)
        .await;
    asked.map_err(|error| agent_failed(domain, &error))
}

/// Connects to the agent within the guest.
pub(crate) async fn agent(core: &Arc<Core>, domain: &Arc<Domain>) -> Result<Agent> {
    let live = domain.snapshot().live.clone().ok_or_else(|| {
        Error::operation_invalid(format!("domain '{}' is not running", domain.name()))
    })?;
    let path = definition::agent_socket(&live).ok_or_else(|| {
        Error::new(
            ErrorCode::ArgumentUnsupported,
            ErrorDomain::Qemu,
            format!(
                "domain '{}' has no channel for a guest agent",
                domain.name()
            ),
        )
    })?;
    let stream = socket::connect(&path).await.map_err(|error| {
        Error::new(
            ErrorCode::AgentUnresponsive,
            ErrorDomain::Qemu,
            format!(
                "the agent's channel of domain '{}' cannot be reached: {}",
                domain.name(),
                error.source
            ),
        )
    })?;
    let within = core.config.timeouts.agent;
    Ok(Agent::open(
        stream,
        AgentLimits {
            sync: within,
            command: within,
            ..AgentLimits::default()
        },
    ))
}

/// An agent's failure as the public API tells it.
pub(crate) fn agent_failed(domain: &Domain, error: &virtbus_qemu_monitor::MonitorError) -> Error {
    let code = if error.is_timeout() || error.is_closed() {
        ErrorCode::AgentUnresponsive
    } else {
        ErrorCode::AgentCommandFailed
    };
    let mut told = Error::chain(code, ErrorDomain::Qemu, error);
    told.message = format!("the agent in domain '{}': {}", domain.name(), told.message);
    told
}
