//! Limits on traffic, as commands of `tc`, and their running.
//!
//! What is sent *to* guests is queued on the bridge: class 1:1 is all of it, 1:2 what is guaranteed to nobody, and each guest with a
//! guaranteed rate has a class of its own below 1:1, from 1:3 on. What guests send is dropped beyond its rate as it comes in.

use virtbus_api::Result;
use virtbus_conf_base::common::{Bandwidth, BandwidthRate, Mac};
use virtbus_conf_host::network::{ForwardMode, Network};

use crate::config::Config;
use crate::error::while_doing;
use crate::firewall::Command;
use crate::host::filter::command;

/// The first class of a guest.
pub(crate) const FIRST_CLASS: u32 = 3;
/// The last one.
pub(crate) const LAST_CLASS: u32 = 0xffff;

/// Bytes of a packet by which the share of a class is counted.
const PACKET: u64 = 1500;

fn tc<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    Command::new("tc", words)
}

fn kbps(rate: u64) -> String {
    format!("{rate}kbps")
}

/// How much of a class is sent at a time, by its rate in KiB/s.
fn quantum(rate: u64) -> String {
    (rate.saturating_mul(1024) / 8 / PACKET).max(1).to_string()
}

/// The highest rate of what is sent to guests.
fn ceiling(rate: &BandwidthRate) -> u64 {
    rate.peak.or(rate.average).unwrap_or_default()
}

/// The bridge of the host that a network is, with its limits, if it has any.
pub(crate) fn of_host(network: &Network) -> Option<(&str, &Bandwidth)> {
    let is_bridge =
        network.forward.as_ref().map(|forward| forward.mode) == Some(ForwardMode::Bridge);
    let device = network.bridge_name().filter(|_| is_bridge)?;
    Some((device, network.bandwidth.as_ref()?))
}

/// Limits of all traffic between guests on a bridge and the host.
pub(crate) fn of_bridge(device: &str, limits: &Bandwidth) -> Vec<Command> {
    let mut commands = Vec::new();
    if let Some(rate) = limits
        .inbound
        .as_ref()
        .filter(|rate| rate.average.is_some())
    {
        let average = rate.average.unwrap_or_default();
        let (mean, most, share) = (kbps(average), kbps(ceiling(rate)), quantum(average));
        commands.push(tc([
            "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "2",
        ]));
        let all = [
            "class", "add", "dev", device, "parent", "1:", "classid", "1:1", "htb",
        ];
        let rates = ["rate", &mean, "ceil", &most, "quantum", &share];
        commands.push(tc(all.into_iter().chain(rates)));
        let rest = [
            "class", "add", "dev", device, "parent", "1:1", "classid", "1:2", "htb",
        ];
        let burst = rate.burst.map(|burst| format!("{burst}kb"));
        let burst = burst.iter().flat_map(|burst| ["burst", burst.as_str()]);
        commands.push(tc(rest.into_iter().chain(rates).chain(burst)));
        commands.push(tc([
            "qdisc", "add", "dev", device, "parent", "1:2", "handle", "2:", "sfq", "perturb", "10",
        ]));
        commands.push(tc([
            "filter", "add", "dev", device, "parent", "1:0", "protocol", "all", "prio", "1",
            "handle", "1", "fw", "flowid", "1",
        ]));
    }
    if let Some(rate) = limits
        .outbound
        .as_ref()
        .filter(|rate| rate.average.is_some())
    {
        let average = rate.average.unwrap_or_default();
        let mean = kbps(average);
        let burst = format!("{}kb", rate.burst.unwrap_or(average));
        commands.push(tc(["qdisc", "add", "dev", device, "ingress"]));
        let all = [
            "filter", "add", "dev", device, "parent", "ffff:", "protocol", "all",
        ];
        let beyond = [
            "u32", "match", "u32", "0", "0", "police", "rate", &mean, "burst", &burst, "mtu",
            "64kb", "drop", "flowid", ":1",
        ];
        commands.push(tc(all.into_iter().chain(beyond)));
    }
    commands
}

/// What is guaranteed to a guest on a network's bridge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guarantee<'a> {
    pub(crate) device: &'a str,
    /// The limits of the network.
    pub(crate) network: &'a BandwidthRate,
    /// The guest's class.
    pub(crate) class: u32,
    /// The guest's address.
    pub(crate) mac: Mac,
    /// KiB/s.
    pub(crate) floor: u64,
}

impl Guarantee<'_> {
    fn id(&self) -> String {
        format!("1:{:x}", self.class)
    }

    fn handle(&self) -> String {
        format!("800::{:x}", self.class)
    }

    /// Gives it.
    pub(crate) fn giving(&self) -> Vec<Command> {
        let (id, floor) = (self.id(), kbps(self.floor));
        let (most, share) = (kbps(ceiling(self.network)), quantum(self.floor));
        let queue = format!("{:x}:", self.class);
        let [a, b, c, d, e, f] = self.mac.0;
        let (front, back) = (
            format!("0x{a:02x}{b:02x}"),
            format!("0x{c:02x}{d:02x}{e:02x}{f:02x}"),
        );
        let class = [
            "class",
            "add",
            "dev",
            self.device,
            "parent",
            "1:1",
            "classid",
            &id,
        ];
        let rates = ["htb", "rate", &floor, "ceil", &most, "quantum", &share];
        let handle = self.handle();
        let filter = [
            "filter",
            "add",
            "dev",
            self.device,
            "protocol",
            "ip",
            "prio",
            "2",
            "handle",
            &handle,
        ];
        // Packets of IPv4 by the Ethernet address that they are sent to.
        let to = [
            "u32",
            "match",
            "u16",
            "0x0800",
            "0xffff",
            "at",
            "-2",
            "match",
            "u32",
            &back,
            "0xffffffff",
            "at",
            "-12",
            "match",
            "u16",
            &front,
            "0xffff",
            "at",
            "-14",
            "flowid",
            &id,
        ];
        vec![
            tc(class.into_iter().chain(rates)),
            tc([
                "qdisc",
                "add",
                "dev",
                self.device,
                "parent",
                &id,
                "handle",
                &queue,
                "sfq",
                "perturb",
                "10",
            ]),
            tc(filter.into_iter().chain(to)),
        ]
    }

    /// Takes it back.
    pub(crate) fn taking(&self) -> Vec<Command> {
        let (id, handle) = (self.id(), self.handle());
        let queue = format!("{:x}:", self.class);
        vec![
            tc([
                "qdisc",
                "del",
                "dev",
                self.device,
                "parent",
                &id,
                "handle",
                &queue,
            ]),
            tc([
                "filter",
                "del",
                "dev",
                self.device,
                "prio",
                "2",
                "handle",
                &handle,
                "u32",
            ]),
            tc(["class", "del", "dev", self.device, "classid", &id]),
        ]
    }

    /// Another rate for a guest that has one.
    pub(crate) fn changing(&self) -> Command {
        rate(self.device, &self.id(), self.floor, self.network)
    }
}

/// What is left for those to whom nothing is guaranteed, when `guaranteed` KiB/s are.
pub(crate) fn of_rest(device: &str, network: &BandwidthRate, guaranteed: u64) -> Command {
    let average = network.average.unwrap_or_default();
    // A class without any rate is not taken.
    let left = average.saturating_sub(guaranteed).max(1);
    rate(device, "1:2", left, network)
}

fn rate(device: &str, id: &str, rate: u64, network: &BandwidthRate) -> Command {
    let (floor, most, share) = (kbps(rate), kbps(ceiling(network)), quantum(rate));
    tc([
        "class", "change", "dev", device, "classid", id, "htb", "rate", &floor, "ceil", &most,
        "quantum", &share,
    ])
}

/// Runs the commands.
///
/// # Errors
/// The first that fails.
pub(crate) async fn apply(config: &Config, commands: &[Command]) -> Result<()> {
    for one in commands {
        let ran = command(config, one).await;
        ran.map_err(|error| while_doing("limiting bandwidth", error))?;
    }
    Ok(())
}

/// Removes all limits of an interface of the host. What it does not have cannot be removed, and is no failure.
pub(crate) async fn clear(config: &Config, device: &str) -> Result<()> {
    for what in ["root", "ingress"] {
        if let Err(error) = command(config, &tc(["qdisc", "del", "dev", device, what])).await {
            tracing::debug!(device, %error, "no limit of '{device}' was removed ({what}): {error}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(commands: &[Command]) -> Vec<String> {
        commands.iter().map(|one| one.arguments.join(" ")).collect()
    }

    fn rate(average: u64, peak: Option<u64>, burst: Option<u64>) -> BandwidthRate {
        BandwidthRate {
            average: Some(average),
            peak,
            floor: None,
            burst,
        }
    }

    #[test]
    fn both_directions_of_a_bridge() {
        let limits = Bandwidth {
            class_id: None,
            inbound: Some(rate(1024, Some(4096), Some(512))),
            outbound: Some(rate(128, None, None)),
        };
        assert_eq!(
            lines(&of_bridge("virbr0", &limits)),
            [
                "qdisc add dev virbr0 root handle 1: htb default 2",
                "class add dev virbr0 parent 1: classid 1:1 htb rate 1024kbps ceil 4096kbps quantum 87",
                "class add dev virbr0 parent 1:1 classid 1:2 htb rate 1024kbps ceil 4096kbps quantum 87 burst 512kb",
                "qdisc add dev virbr0 parent 1:2 handle 2: sfq perturb 10",
                "filter add dev virbr0 parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
                "qdisc add dev virbr0 ingress",
                "filter add dev virbr0 parent ffff: protocol all u32 match u32 0 0 police rate 128kbps burst 128kb mtu 64kb drop flowid :1",
            ]
        );
        assert!(of_bridge("virbr0", &Bandwidth::default()).is_empty());
    }

    #[test]
    fn a_guarantee_is_given_changed_and_taken_back() {
        let network = rate(1000, None, None);
        let guarantee = Guarantee {
            device: "virbr0",
            network: &network,
            class: 11,
            mac: Mac::parse("52:54:00:a1:b2:c3").unwrap(),
            floor: 200,
        };
        assert_eq!(
            lines(&guarantee.giving()),
            [
                "class add dev virbr0 parent 1:1 classid 1:b htb rate 200kbps ceil 1000kbps quantum 17",
                "qdisc add dev virbr0 parent 1:b handle b: sfq perturb 10",
                "filter add dev virbr0 protocol ip prio 2 handle 800::b u32 match u16 0x0800 0xffff at -2 match u32 0x00a1b2c3 0xffffffff at -12 match u16 0x5254 0xffff at -14 flowid 1:b",
            ]
        );
        assert_eq!(
            lines(&[guarantee.changing()]),
            ["class change dev virbr0 classid 1:b htb rate 200kbps ceil 1000kbps quantum 17"]
        );
        assert_eq!(lines(&guarantee.taking()).len(), 3);
        assert_eq!(
            lines(&[of_rest("virbr0", &network, 200)]),
            ["class change dev virbr0 classid 1:2 htb rate 800kbps ceil 1000kbps quantum 68"]
        );
    }
}
