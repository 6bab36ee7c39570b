//! What a definition may say to this driver: what it cannot do is refused by name, and so is a text that another program would take for
//! something else than one value.
//!
//! Where and how such a text is written is the affair of the module that writes it. Nothing of the host is looked at.

use virtbus_conf_base::common::{Bandwidth, IpFamily};
use virtbus_conf_base::{ConfError, Result, YesNo};
use virtbus_conf_host::network::{Dhcp, DhcpHost, Dns, Network, NetworkIp};

use crate::dnsmasq::text::{is_dns_name, is_writable};
use crate::names;

/// The longest text of a TXT record, bytes (RFC 1035).
const LONGEST_TXT: usize = 255;
/// Entries of one list, such as hosts of a DHCP server.
const MOST_ENTRIES: usize = 65_536;

/// Options of dnsmasq that a definition must not set: they run programs, write files, change the packet filter, serve beyond the bridge, or make
/// it another server than the one that was started.
const NOT_OPTIONS: [&str; 28] = [
    "auth-server",
    "bind-interfaces",
    "conf-dir",
    "conf-file",
    "conf-script",
    "daemonize",
    "dhcp-leasefile",
    "dhcp-luascript",
    "dhcp-script",
    "dhcp-scriptuser",
    "dumpfile",
    "dumpmask",
    "enable-dbus",
    "enable-ubus",
    "group",
    "interface",
    "ipset",
    "keep-in-foreground",
    "leasefile-ro",
    "listen-address",
    "log-facility",
    "nftset",
    "no-daemon",
    "pid-file",
    "script-arp",
    "script-on-renewal",
    "test",
    "user",
];

/// Refuses what this driver cannot do, or must not.
///
/// # Errors
/// `Unsupported` or `Invalid`, naming the element.
pub fn check(network: &Network) -> Result<()> {
    bridge(network)?;
    if let Some(forward) = &network.forward {
        for interface in &forward.interfaces {
            device("<interface dev>", &interface.dev)?;
        }
        if let Some(pf) = &forward.pf {
            device("<pf dev>", &pf.dev)?;
        }
    }
    if let Some(domain) = &network.domain {
        name("<domain name>", &domain.name)?;
        if domain.register == Some(YesNo::Yes) {
            return Err(ConfError::unsupported(
                "<domain register='yes'> is not supported by this driver",
            ));
        }
    }
    if let Some(dns) = &network.dns {
        records(dns)?;
    }
    addresses(network)?;
    traffic(network)?;
    options(network)
}

/// Limits, switches and VLANs, by the network's mode.
fn traffic(network: &Network) -> Result<()> {
    let has_bridge = network.has_own_bridge() || network.bridge_name().is_some();
    let groups = network.portgroup.iter();
    let of_groups = groups.filter_map(|group| {
        let what = format!("<bandwidth> of <portgroup name='{}'>", group.name);
        Some((what, group.bandwidth.as_ref()?))
    });
    let own = network
        .bandwidth
        .as_ref()
        .map(|limits| ("<bandwidth>".to_owned(), limits));
    if own.is_some() && !has_bridge {
        return Err(ConfError::unsupported(
            "<bandwidth> of a network without a bridge is not supported; limit the interfaces of its guests",
        ));
    }
    let of_network = |limits: &Bandwidth| {
        own.as_ref()
            .is_some_and(|(_, own)| std::ptr::eq(*own, limits))
    };
    for (what, limits) in own.clone().into_iter().chain(of_groups) {
        for (way, rate) in [("inbound", &limits.inbound), ("outbound", &limits.outbound)] {
            let Some(rate) = rate else { continue };
            if rate.floor.is_some() && (way == "outbound" || of_network(limits)) {
                return Err(ConfError::unsupported(format!(
                    "{what}: 'floor' of <{way}> is for what is sent to single guests"
                )));
            }
            if rate.average.is_none() && rate.floor.is_none() {
                return Err(ConfError::invalid(format!(
                    "{what}: <{way}> needs an 'average'"
                )));
            }
        }
    }
    if network.has_own_bridge() && network.virtualport.is_some() {
        return Err(ConfError::unsupported(
            "<virtualport> is not supported on a network whose bridge is its own",
        ));
    }
    Ok(())
}

fn bridge(network: &Network) -> Result<()> {
    if let Some(name) = network.bridge_name() {
        device("<bridge name>", name)?;
    }
    let Some(bridge) = &network.bridge else {
        return Ok(());
    };
    if bridge.zone.is_some() {
        return Err(ConfError::unsupported(
            "<bridge zone> is not supported by this driver: it tells firewalld nothing",
        ));
    }
    Ok(())
}

/// The name of an interface of the host.
fn device(what: &str, name: &str) -> Result<()> {
    if names::is_interface(name) {
        return Ok(());
    }
    Err(ConfError::invalid(format!(
        "{what}: '{}' cannot be the name of a network interface (1 to 15 letters, digits, '.', '_' and '-')",
        name.escape_debug()
    )))
}

/// The name of a host or domain.
fn name(what: &str, name: &str) -> Result<()> {
    if is_dns_name(name) {
        return Ok(());
    }
    Err(ConfError::invalid(format!(
        "{what}: '{}' cannot be a DNS name (letters, digits, '.', '_', '-' and '*')",
        name.escape_debug()
    )))
}

/// A text that is written as it is.
fn text(what: &str, text: &str) -> Result<()> {
    if is_writable(text) {
        return Ok(());
    }
    Err(ConfError::invalid(format!(
        "{what}: '{}' must not contain line breaks or other control characters",
        text.escape_debug()
    )))
}

fn few(what: &str, count: usize) -> Result<()> {
    if count <= MOST_ENTRIES {
        return Ok(());
    }
    Err(ConfError::invalid(format!(
        "{count} {what} are too many (at most {MOST_ENTRIES})"
    )))
}

fn records(dns: &Dns) -> Result<()> {
    few("<forwarder>", dns.forwarder.len())?;
    few("<txt>", dns.txt.len())?;
    few("<srv>", dns.srv.len())?;
    few("<host> of <dns>", dns.host.len())?;
    for domain in dns.forwarder.iter().filter_map(|one| one.domain.as_ref()) {
        name("<forwarder domain>", domain)?;
    }
    for txt in &dns.txt {
        name("<txt name>", &txt.name)?;
        let Some(value) = &txt.value else { continue };
        text("<txt value>", value)?;
        if value.len() > LONGEST_TXT {
            return Err(ConfError::invalid(format!(
                "<txt value>: the text of '{}' has {} bytes (at most {LONGEST_TXT})",
                txt.name,
                value.len()
            )));
        }
    }
    for srv in &dns.srv {
        let parts = [
            ("<srv service>", &srv.service),
            ("<srv domain>", &srv.domain),
            ("<srv target>", &srv.target),
        ];
        for (what, part) in parts {
            part.as_deref().map_or(Ok(()), |part| name(what, part))?;
        }
    }
    for host in dns.host.iter().flat_map(|host| &host.hostname) {
        name("<hostname>", host)?;
    }
    Ok(())
}

fn addresses(network: &Network) -> Result<()> {
    few("<ip>", network.ip.len())?;
    for family in [IpFamily::Ipv4, IpFamily::Ipv6] {
        let gives = |ip: &&NetworkIp| {
            ip.is_ipv6() == (family == IpFamily::Ipv6) && ip.dhcp.as_ref().is_some_and(Dhcp::gives)
        };
        if network.ip.iter().filter(gives).count() > 1 {
            return Err(ConfError::unsupported(format!(
                "only one <ip> of the family '{family}' can have <dhcp>"
            )));
        }
    }
    if network.ip.iter().filter(|ip| ip.tftp.is_some()).count() > 1 {
        return Err(ConfError::unsupported(
            "only one <ip> of a network can have <tftp>",
        ));
    }
    for ip in &network.ip {
        reverse_zone(ip)?;
        if let Some(root) = &ip.tftp {
            text("<tftp root>", root)?;
            if !root.starts_with('/') {
                return Err(ConfError::invalid(format!(
                    "<tftp root>: '{root}' must be an absolute path"
                )));
            }
        }
        let Some(dhcp) = &ip.dhcp else { continue };
        few("<range>", dhcp.range.len())?;
        few("<host> of <dhcp>", dhcp.host.len())?;
        dhcp.host.iter().try_for_each(host)?;
        if let Some(bootp) = &dhcp.bootp {
            if ip.is_ipv6() {
                return Err(ConfError::unsupported("<bootp> is for IPv4 only"));
            }
            text("<bootp file>", &bootp.file)?;
            let server = bootp.server.as_deref();
            server.map_or(Ok(()), |server| name("<bootp server>", server))?;
        }
    }
    Ok(())
}

/// Zones of reverse lookups end between two digits of an address.
fn reverse_zone(ip: &NetworkIp) -> Result<()> {
    let Some((address, prefix)) = ip.network().filter(|_| ip.local_ptr == Some(YesNo::Yes)) else {
        return Ok(());
    };
    let digit = if ip.is_ipv6() { 4 } else { 8 };
    if prefix == 0 || prefix % digit != 0 {
        return Err(ConfError::unsupported(format!(
            "<ip localPtr='yes'>: the prefix of {address} must be a multiple of {digit} for a zone of reverse lookups, not {prefix}"
        )));
    }
    Ok(())
}

fn host(host: &DhcpHost) -> Result<()> {
    let called = host.name.as_deref();
    called.map_or(Ok(()), |called| name("<host name>", called))
}

fn options(network: &Network) -> Result<()> {
    for option in &network.dnsmasq.0 {
        text("<dnsmasq:option value>", option)?;
        let key = option.split('=').next().unwrap_or_default().trim();
        if NOT_OPTIONS.contains(&key) || key.starts_with(['#', '-', '"']) {
            return Err(ConfError::unsupported(format!(
                "<dnsmasq:option value>: '{key}' is not allowed: it would run programs, write files, change the packet filter, or serve beyond the network's bridge"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(inner: &str) -> Network {
        let namespace = "xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'";
        Network::parse(&format!(
            "<network {namespace}><name>n</name>{inner}</network>"
        ))
        .unwrap()
    }

    fn refused(inner: &str) -> String {
        check(&network(inner)).unwrap_err().to_string()
    }

    #[test]
    fn texts_that_would_be_syntax_are_refused_by_name() {
        for hostile in [
            "a&#10;b", "a&#13;b", "a,b", "a=b", "a:b", "a&quot;b", "a`b", "a$b", "a;b", "a#b",
            "a b", "a/b",
        ] {
            let cases = [
                (format!("<domain name='{hostile}'/>"), "<domain name>"),
                (
                    format!("<dns><forwarder domain='{hostile}'/></dns>"),
                    "<forwarder domain>",
                ),
                (
                    format!("<dns><srv service='{hostile}' protocol='tcp'/></dns>"),
                    "<srv service>",
                ),
                (
                    format!("<dns><host ip='1.2.3.4'><hostname>{hostile}</hostname></host></dns>"),
                    "<hostname>",
                ),
                (
                    format!(
                        "<ip address='10.0.0.1'><dhcp><host name='{hostile}' ip='10.0.0.2'/></dhcp></ip>"
                    ),
                    "<host name>",
                ),
                (format!("<bridge name='{hostile}'/>"), "<bridge name>"),
                (format!("<forward dev='{hostile}'/>"), "<interface dev>"),
            ];
            for (inner, named) in cases {
                assert!(refused(&inner).starts_with(named), "{inner}");
            }
        }
        for hostile in ["a&#10;b", "a&#13;b", "a&#9;b"] {
            let txt = format!("<dns><txt name='n' value='{hostile}'/></dns>");
            assert!(refused(&txt).starts_with("<txt value>"));
            let boot =
                format!("<ip address='10.0.0.1'><dhcp><bootp file='{hostile}'/></dhcp></ip>");
            assert!(refused(&boot).starts_with("<bootp file>"));
        }
        check(&network(
            "<dns><txt name='n' value='a, \"b\" # c = &apos;d&apos; $(e)'/></dns>",
        ))
        .unwrap();
    }

    #[test]
    fn options_that_run_programs_are_refused() {
        for option in [
            "dhcp-script=/tmp/x",
            "conf-file = /tmp/x",
            "user=root",
            "--dhcp-script=/tmp/x",
            "log-dhcp&#10;dhcp-script=/x",
        ] {
            let inner =
                format!("<dnsmasq:options><dnsmasq:option value='{option}'/></dnsmasq:options>");
            assert!(
                refused(&inner).starts_with("<dnsmasq:option value>"),
                "{option}"
            );
        }
        check(&network(
            "<dnsmasq:options><dnsmasq:option value='log-dhcp'/></dnsmasq:options>",
        ))
        .unwrap();
    }

    #[test]
    fn traffic_that_cannot_be_limited_is_refused() {
        let limits = "<bandwidth><inbound average='100'/></bandwidth>";
        check(&network(limits)).unwrap();
        check(&network(&format!(
            "<forward mode='bridge'/><bridge name='b'/>{limits}"
        )))
        .unwrap();
        let direct = format!("<forward mode='vepa' dev='eth0'/>{limits}");
        assert!(refused(&direct).starts_with("<bandwidth> of a network without a bridge"));
        let group =
            |inner: &str| format!("<portgroup name='g'><bandwidth>{inner}</bandwidth></portgroup>");
        check(&network(&group("<inbound average='1' floor='1'/>"))).unwrap();
        assert!(refused(&group("<outbound average='1' floor='1'/>")).contains("'floor'"));
        assert!(refused(&group("<inbound peak='1'/>")).contains("needs an 'average'"));
        assert!(
            refused("<bandwidth><inbound average='1' floor='1'/></bandwidth>").contains("'floor'")
        );
        assert!(refused("<virtualport type='openvswitch'/>").starts_with("<virtualport>"));
    }

    #[test]
    fn what_one_server_cannot_do_is_refused() {
        let ip = |number: u8| {
            format!(
                "<ip address='10.0.{number}.1' prefix='24'><dhcp><range start='10.0.{number}.2' end='10.0.{number}.9'/></dhcp></ip>"
            )
        };
        assert!(refused(&format!("{}{}", ip(1), ip(2))).contains("only one <ip>"));
        check(&network(&ip(1))).unwrap();
        assert!(
            refused("<ip address='10.0.0.1' prefix='22' localPtr='yes'/>").contains("localPtr")
        );
    }
}
