//! The packet filter of the host, told of a network and made to forget it.

use std::path::Path;

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_util::cmd::Cmd;

use super::run;
use crate::config::{Backend, Config};
use crate::error::while_doing;
use crate::firewall::iptables::{self, Verb};
use crate::firewall::{Command, Family, Rule, nft};

/// What names of chains of iptables begin with.
const CHAINS: &str = "VIRTBUS_";

/// What names of tables of nftables begin with.
const TABLES: &str = "virtbus_";

/// The name of the tables that a network's rules are in.
fn table(bridge: &str) -> String {
    format!("{TABLES}{bridge}")
}

/// Whether a table of this name is a network's.
pub(crate) fn is_ours(table: &str) -> bool {
    table.starts_with(TABLES)
}

/// All rules of the host, as nftables lists them.
pub(crate) async fn ruleset(config: &Config) -> Result<String> {
    let program = &config.programs.nft;
    let list = ["-j", "list", "ruleset"];
    let ran = run(program, list, None, config.timeouts.program).await?;
    Ok(ran.stdout_text().into_owned())
}

/// Has the rules hold for the bridge, in place of those that did: `before`, where that is known.
pub(crate) async fn put(
    config: &Config,
    backend: Backend,
    rules: &[Rule],
    before: &[Rule],
    bridge: &str,
) -> Result<()> {
    let put = match backend {
        Backend::Nftables => script(config, nft::replacing(rules, bridge, &table(bridge))).await,
        Backend::Iptables => commands(config, rules, before, bridge).await,
    };
    put.map_err(|error| {
        while_doing(
            &format!("filtering packets of the bridge '{bridge}'"),
            error,
        )
    })
}

/// The tables that the rules of a bridge are in.
pub(crate) fn tables(backend: Backend, bridge: &str) -> Vec<String> {
    match backend {
        Backend::Nftables => vec![table(bridge)],
        // Those of iptables, which others use as well.
        Backend::Iptables => ["filter", "nat", "mangle"].map(str::to_owned).into(),
    }
}

/// Whether all rules of a bridge are there.
pub(crate) async fn holds(
    config: &Config,
    backend: Backend,
    rules: &[Rule],
    bridge: &str,
) -> Result<bool> {
    match backend {
        Backend::Nftables => {
            for listing in nft::listing(rules, &table(bridge)) {
                let listed = output(config, &listing.command).await?;
                let counters = listed.split_whitespace().filter(|word| *word == "counter");
                if counters.count() != listing.rules {
                    return Ok(false);
                }
            }
        }
        Backend::Iptables => {
            for check in iptables::commands(rules, bridge, CHAINS, Verb::Check) {
                if !succeeds(config, &check).await? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Removes the rules of a bridge, which may be there or not.
pub(crate) async fn remove(
    config: &Config,
    backend: Backend,
    rules: &[Rule],
    bridge: &str,
) -> Result<()> {
    let removed = match backend {
        Backend::Nftables => script(config, nft::removing(&table(bridge))).await,
        Backend::Iptables => delete(config, rules, bridge).await,
    };
    removed.map_err(|error| {
        while_doing(
            &format!("removing the packet filter of the bridge '{bridge}'"),
            error,
        )
    })
}

/// Has DHCP answers on the bridge get checksums, where the packet filter has no rule for that. `is_queued` is whether what is sent there is
/// queued already, if that is known. A kernel that cannot do so is no reason against the network: few clients need them.
pub(crate) async fn fix_checksums(
    config: &Config,
    backend: Backend,
    rules: &[Rule],
    bridge: &str,
    is_queued: Option<bool>,
) {
    if backend != Backend::Nftables || !rules.contains(&Rule::FixChecksums) {
        return;
    }
    let fixed = async {
        let is_queued = match is_queued {
            Some(known) => known,
            None => {
                let found = command(config, &nft::finding_checksums(bridge)).await?;
                !found.trim().is_empty()
            }
        };
        let queue = (!is_queued).then(|| nft::making_queue(bridge));
        let all = queue.into_iter().chain([nft::fixing_checksums(bridge)]);
        let lines: String = all.map(|one| one.arguments.join(" ") + "\n").collect();
        let program = &config.programs.tc;
        run(
            program,
            ["-batch", "-"],
            Some(lines),
            config.timeouts.program,
        )
        .await
    };
    if let Err(error) = fixed.await {
        tracing::info!(
            bridge,
            "DHCP answers on the bridge '{bridge}' are sent without checksums, which few old guests mind, ignoring: {error}"
        );
    }
}

async fn script(config: &Config, script: String) -> Result<()> {
    let program = &config.programs.nft;
    let ran = run(program, ["-f", "-"], Some(script), config.timeouts.program).await;
    ran.map(drop)
}

fn path<'a>(config: &'a Config, program: &str) -> &'a Path {
    match program {
        "iptables" => &config.programs.iptables,
        "ip6tables" => &config.programs.ip6tables,
        "tc" => &config.programs.tc,
        _ => &config.programs.nft,
    }
}

/// Runs a command; what it wrote.
pub(crate) async fn command(config: &Config, command: &Command) -> Result<String> {
    let program = path(config, command.program);
    let ran = run(program, &command.arguments, None, config.timeouts.program).await?;
    Ok(ran.stdout_text().into_owned())
}

/// What a command wrote, whether it succeeded or not.
///
/// # Errors
/// If it could not be run to its end.
async fn output(config: &Config, command: &Command) -> Result<String> {
    let mut cmd = Cmd::new(path(config, command.program));
    cmd.args(&command.arguments);
    let output = cmd.output(config.timeouts.program).await;
    let output = output
        .map_err(|error| Error::chain(ErrorCode::OperationFailed, ErrorDomain::Network, &error))?;
    Ok(output.stdout_text().into_owned())
}

/// Whether a command ended with success.
///
/// # Errors
/// If it could not be run to its end.
async fn succeeds(config: &Config, command: &Command) -> Result<bool> {
    let mut cmd = Cmd::new(path(config, command.program));
    cmd.args(&command.arguments);
    let output = cmd.output(config.timeouts.program).await;
    let output = output
        .map_err(|error| Error::chain(ErrorCode::OperationFailed, ErrorDomain::Network, &error))?;
    Ok(output.status.is_success())
}

/// With iptables, rules that are there already are left alone, so that traffic goes on when a new daemon takes a network in.
async fn commands(config: &Config, rules: &[Rule], before: &[Rule], bridge: &str) -> Result<()> {
    let of = |verb| iptables::commands(rules, bridge, CHAINS, verb);
    let mut programs: Vec<Family> = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        let name = iptables::program(family);
        if of(Verb::Insert).iter().any(|one| one.program == name) {
            programs.push(family);
        }
    }
    for family in programs {
        let mut listed: [String; 3] = Default::default();
        for (text, list) in listed.iter_mut().zip(iptables::listing(family)) {
            *text = command(config, &list).await?;
        }
        for make in iptables::making(family, CHAINS, &listed) {
            command(config, &make).await?;
        }
    }
    let mut all_there = before == rules;
    for check in of(Verb::Check) {
        all_there = all_there && succeeds(config, &check).await?;
    }
    if all_there {
        return Ok(());
    }
    delete(config, before, bridge).await?;
    delete(config, rules, bridge).await?;
    for insert in of(Verb::Insert) {
        if let Err(error) = command(config, &insert).await {
            delete(config, rules, bridge).await?;
            return Err(error);
        }
    }
    Ok(())
}

/// Removes rules of iptables, whichever are there.
async fn delete(config: &Config, rules: &[Rule], bridge: &str) -> Result<()> {
    for delete in iptables::commands(rules, bridge, CHAINS, Verb::Delete) {
        succeeds(config, &delete).await?;
    }
    Ok(())
}
