//! From a definition to dnsmasq's configuration.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;

use virtbus_conf_base::YesNo;
use virtbus_conf_base::common::Ip;
use virtbus_conf_host::network::{Dhcp, DhcpRange, Dns, DnsSrv, Network, NetworkIp};

use super::{hosts, text};

/// Where the server finds what it reads beside its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Hosts with fixed addresses.
    pub dhcp_hosts: PathBuf,
    /// Names that it answers with.
    pub dns_hosts: PathBuf,
}

/// The text of each file that dnsmasq reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The configuration, read when it starts.
    pub main: String,
    /// Hosts with fixed addresses, read again on a signal.
    pub dhcp_hosts: String,
    /// Names and addresses, read again on a signal.
    pub dns_hosts: String,
}

const HEADER: &str = "# Written by virtbusd when the network starts or changes; edits are lost.\n\
                      # Change the network's definition instead (NetworkUpdate, NetworkDefineXML).\n";

/// Whether a network has use for a server: to give addresses, to answer names, to announce itself to IPv6 guests, or to hand out files.
#[must_use]
pub fn is_needed(network: &Network) -> bool {
    let serves = |ip: &NetworkIp| {
        ip.is_ipv6() || ip.tftp.is_some() || ip.dhcp.as_ref().is_some_and(Dhcp::gives)
    };
    network.has_own_bridge()
        && !network.ip.is_empty()
        && (answers_names(network) || network.ip.iter().any(serves))
}

fn answers_names(network: &Network) -> bool {
    network.dns.as_ref().and_then(|dns| dns.enable) != Some(YesNo::No)
}

/// The configuration as it grows.
struct Lines(String);

impl Lines {
    fn flag(&mut self, name: &str) {
        self.0.push_str(name);
        self.0.push('\n');
    }

    fn set(&mut self, name: &str, value: impl Display) {
        writeln!(self.0, "{name}={value}").expect("writing to a String cannot fail");
    }
}

impl Configuration {
    /// The configuration of a network whose bridge has this name.
    #[must_use]
    pub fn of(network: &Network, bridge: &str, paths: &Paths) -> Self {
        let default = Dns::default();
        let dns = network.dns.as_ref().unwrap_or(&default);
        let with_names = answers_names(network);
        let mut lines = Lines(HEADER.to_owned());
        lines.flag("strict-order");
        if with_names {
            forwarders(dns, &mut lines);
        } else {
            lines.set("port", 0);
        }
        domain(network, dns, with_names, &mut lines);
        for ip in &network.ip {
            if let Some(zone) = reverse_zone(ip) {
                lines.set("local", format_args!("/{zone}/"));
            }
        }
        // It would listen there whatever it is told to.
        lines.set("except-interface", "lo");
        lines.flag("bind-dynamic");
        lines.set("interface", bridge);
        if network.forward.is_none() {
            isolated(network, &mut lines);
        }
        if with_names {
            records(dns, &mut lines);
        }
        for root in network.ip.iter().filter_map(|ip| ip.tftp.as_deref()) {
            lines.flag("enable-tftp");
            lines.set("tftp-root", text::value(root));
        }
        let dhcp_hosts = addresses(network, &mut lines);
        if gives(network) {
            lines.set("dhcp-hostsfile", paths.dhcp_hosts.display());
        }
        if with_names {
            lines.set("addn-hosts", paths.dns_hosts.display());
        }
        if let Some(mtu) = network.mtu {
            lines.set("dhcp-option", format_args!("option:mtu,{mtu}"));
        }
        announcements(network, &mut lines);
        for option in &network.dnsmasq.0 {
            lines.flag(option);
        }
        Self {
            main: lines.0,
            dhcp_hosts,
            dns_hosts: hosts::dns(dns),
        }
    }
}

fn gives(network: &Network) -> bool {
    serving(network).next().is_some()
}

/// The networks with DHCP, IPv4 first.
fn serving(network: &Network) -> impl Iterator<Item = &NetworkIp> {
    let gives = |ip: &&NetworkIp| ip.dhcp.as_ref().is_some_and(Dhcp::gives);
    let family = |ipv6: bool| {
        let ips = network.ip.iter();
        ips.filter(gives).filter(move |ip| ip.is_ipv6() == ipv6)
    };
    family(false).chain(family(true))
}

fn forwarders(dns: &Dns, lines: &mut Lines) {
    for forwarder in &dns.forwarder {
        let mut value = String::new();
        if let Some(domain) = &forwarder.domain {
            write!(value, "/{domain}/").expect("writing to a String cannot fail");
        }
        match forwarder.addr {
            Some(address) => write!(value, "{address}"),
            // As everything else is.
            None => write!(value, "#"),
        }
        .expect("writing to a String cannot fail");
        lines.set("server", value);
    }
    if dns.forwarder.iter().any(|one| one.domain.is_none()) {
        lines.flag("no-resolv");
    }
}

fn domain(network: &Network, dns: &Dns, with_names: bool, lines: &mut Lines) {
    if let Some(domain) = &network.domain {
        if domain.local_only == Some(YesNo::Yes) {
            lines.set("local", format_args!("/{}/", domain.name));
        }
        lines.set("domain", &domain.name);
        lines.flag("expand-hosts");
    }
    if with_names && dns.forward_plain_names == Some(YesNo::No) {
        lines.flag("domain-needed");
        lines.set("local", "//");
    }
}

/// The zone of reverse lookups that is answered here, if there is to be one.
fn reverse_zone(ip: &NetworkIp) -> Option<String> {
    if ip.local_ptr != Some(YesNo::Yes) {
        return None;
    }
    let (address, prefix) = ip.network()?;
    let labels = |digits: &[String], count: u32, zone: &str| {
        let used = digits.iter().take(count as usize).rev();
        let mut labels: Vec<&str> = used.map(String::as_str).collect();
        labels.push(zone);
        labels.join(".")
    };
    Some(match address.0 {
        IpAddr::V4(v4) => {
            let digits = v4.octets().map(|octet| octet.to_string());
            labels(&digits, prefix / 8, "in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits: Vec<String> = v6
                .octets()
                .iter()
                .flat_map(|octet| [octet >> 4, octet & 15].map(|digit| format!("{digit:x}")))
                .collect();
            labels(&digits, prefix / 4, "ip6.arpa")
        }
    })
}

/// Nothing leads out of such a network: no default route is told, and no names are asked for elsewhere, which would be a way out.
fn isolated(network: &Network, lines: &mut Lines) {
    lines.set("dhcp-option", 3);
    lines.flag("no-resolv");
    if network.ip.iter().any(NetworkIp::is_ipv6) {
        lines.set("ra-param", "*,0,0");
    }
}

fn records(dns: &Dns, lines: &mut Lines) {
    for txt in &dns.txt {
        match txt.value.as_deref() {
            Some(value) => {
                lines.set(
                    "txt-record",
                    format_args!("{},{}", txt.name, text::value(value)),
                );
            }
            None => lines.set("txt-record", &txt.name),
        }
    }
    for srv in &dns.srv {
        lines.set("srv-host", service(srv));
    }
}

/// A service: its name, and where it is offered. What stands behind something must have it before, so that defaults are filled in.
fn service(srv: &DnsSrv) -> String {
    let protocol = srv.protocol.map_or("", |protocol| protocol.as_str());
    let mut value = format!(
        "_{}._{protocol}",
        srv.service.as_deref().unwrap_or_default()
    );
    if let Some(domain) = &srv.domain {
        value = format!("{value}.{domain}");
    }
    let Some(target) = &srv.target else {
        return value;
    };
    value = format!("{value},{target}");
    let fields = [(srv.port, 1), (srv.priority, 0), (srv.weight, 0)];
    let told = fields.iter().rposition(|(given, _)| given.is_some());
    for (given, default) in fields.iter().take(told.map_or(0, |last| last + 1)) {
        write!(value, ",{}", given.unwrap_or(*default)).expect("writing to a String cannot fail");
    }
    value
}

/// What is given to guests. Answers the hosts with fixed addresses.
fn addresses(network: &Network, lines: &mut Lines) -> String {
    let mut fixed = String::new();
    let mut leases: u64 = 0;
    for ip in serving(network) {
        let (Some(dhcp), Some((address, prefix))) = (&ip.dhcp, ip.network()) else {
            continue;
        };
        for range in &dhcp.range {
            let length = if ip.is_ipv6() {
                prefix.to_string()
            } else {
                netmask(prefix)
            };
            let lease = range.lease.map(|lease| format!(",{}", hosts::time(lease)));
            let lease = lease.unwrap_or_default();
            lines.set(
                "dhcp-range",
                format_args!("{},{},{length}{lease}", range.start, range.end),
            );
            leases = leases.saturating_add(count(*range));
        }
        if dhcp.range.is_empty() {
            // Without any range, there would be no service.
            if ip.is_ipv6() {
                lines.set("dhcp-range", format_args!("{address},static,{prefix}"));
            } else {
                lines.set("dhcp-range", format_args!("{address},static"));
            }
        }
        hosts::dhcp(dhcp, ip.is_ipv6(), &mut fixed);
        if ip.is_ipv6() {
            continue;
        }
        lines.flag("dhcp-no-override");
        lines.flag("dhcp-authoritative");
        if let Some(bootp) = &dhcp.bootp {
            let file = text::value(&bootp.file);
            match &bootp.server {
                Some(server) => lines.set("dhcp-boot", format_args!("{file},,{server}")),
                None => lines.set("dhcp-boot", file),
            }
        }
    }
    if leases > 0 {
        lines.set("dhcp-lease-max", leases);
    }
    fixed
}

/// How many addresses a range has.
fn count(range: DhcpRange) -> u64 {
    let number = |ip: Ip| match ip.0 {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let beyond_first = number(range.end).saturating_sub(number(range.start));
    u64::try_from(beyond_first.saturating_add(1)).unwrap_or(u64::MAX)
}

fn netmask(prefix: u32) -> String {
    let bits = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
    std::net::Ipv4Addr::from(bits).to_string()
}

/// By what IPv6 guests find their network and router.
fn announcements(network: &Network, lines: &mut Lines) {
    if serving(network).any(NetworkIp::is_ipv6) {
        lines.flag("enable-ra");
        return;
    }
    for ip in network.ip.iter().filter(|ip| ip.is_ipv6()) {
        if let Some(address) = ip.address {
            lines.set("dhcp-range", format_args!("{address},ra-only"));
        }
    }
}
