//! Asking a guest to shut down or reboot: by its agent or by the ACPI power button.
//!
//! Nothing here waits for the guest to obey; that it did is told by events. A reboot by the power button is a
//! power-off followed by a reset, which is noted before the button is pressed.

use std::sync::Arc;

use virtbus_api::domain::{DomainRebootFlags, DomainShutdownFlags};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_qemu_monitor::agent::commands::{Shutdown, ShutdownMode};
use virtbus_qemu_monitor::agent::{Agent, AgentLimits};
use virtbus_qemu_monitor::commands::system::SystemPowerdown;
use virtbus_util::socket;

use crate::core::{Core, monitor_failed};
use crate::definition;
use crate::domain::Domain;
use crate::stop;

/// How a guest is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Agent,
    PowerButton,
}

/// Asks the guest to shut down, in the ways that `flags` allow; none named: the agent if there is one, else the button.
pub(crate) async fn shutdown(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    flags: DomainShutdownFlags,
) -> Result<()> {
    let known = DomainShutdownFlags::ACPI_POWER_BTN | DomainShutdownFlags::GUEST_AGENT;
    only(flags.bits(), known.bits(), "Shutdown")?;
    let ways = ways(
        domain,
        flags.contains(DomainShutdownFlags::GUEST_AGENT),
        flags.contains(DomainShutdownFlags::ACPI_POWER_BTN),
    );
    ask(core, domain, &ways, false).await
}

/// Asks the guest to reboot, likewise.
pub(crate) async fn reboot(
    core: &Arc<Core>,
    domain: &Arc<Domain>,
    flags: DomainRebootFlags,
) -> Result<()> {
    let known = DomainRebootFlags::ACPI_POWER_BTN | DomainRebootFlags::GUEST_AGENT;
    only(flags.bits(), known.bits(), "Reboot")?;
    let ways = ways(
        domain,
        flags.contains(DomainRebootFlags::GUEST_AGENT),
        flags.contains(DomainRebootFlags::ACPI_POWER_BTN),
    );
    ask(core, domain, &ways, true).await
}

fn only(flags: u32, known: u32, call: &str) -> Result<()> {
    if flags & !known == 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::ArgumentUnsupported,
        ErrorDomain::Qemu,
        format!(
            "{call} of a QEMU guest does not know the ways {:#x}",
            flags & !known
        ),
    ))
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

/// Tries one way after the other, and tells the last failure.
async fn ask(core: &Arc<Core>, domain: &Arc<Domain>, ways: &[Way], reboot: bool) -> Result<()> {
    let (monitor, epoch) = domain.monitor()?;
    let mut failure = Error::internal("no way to ask the guest was given");
    for way in ways {
        let asked = match way {
            Way::Agent => {
                let mode = if reboot {
                    ShutdownMode::Reboot
                } else {
                    ShutdownMode::Powerdown
                };
                // The agent reboots by itself; what follows its power-off must not be taken for the button's.
                stop::reboot_wanted(core, domain, epoch, false);
                ask_agent(core, domain, mode).await
            }
            Way::PowerButton => {
                stop::reboot_wanted(core, domain, epoch, reboot);
                monitor
                    .execute(&SystemPowerdown {})
                    .await
                    .map(drop)
                    .map_err(|error| monitor_failed(domain, &error))
            }
        };
        match asked {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
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
