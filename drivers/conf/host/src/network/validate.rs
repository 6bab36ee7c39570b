//! One part of a network against another.

use std::collections::HashSet;

use virtbus_conf_base::common::{IpFamily, Route, is_valid_name};
use virtbus_conf_base::{ConfError, Result};
use virtbus_xml::YesNo;

use super::ip::default_prefix;
use super::{DhcpHost, Forward, ForwardMode, Network, NetworkIp};

impl Network {
    /// Checks what can be checked without a host.
    ///
    /// # Errors
    /// The name of the part, and what is wrong with it.
    pub fn validate(&self) -> Result<()> {
        if !is_valid_name(&self.name) {
            return Err(ConfError::invalid(format!(
                "'{}' cannot be the name of a network",
                self.name
            )));
        }
        self.validate_dns()?;
        self.ip.iter().try_for_each(validate_ip)?;
        self.route.iter().try_for_each(validate_route)?;
        if let Some(forward) = &self.forward {
            validate_forward(forward)?;
        }
        self.validate_mode()?;
        self.validate_port_groups()
    }

    fn validate_dns(&self) -> Result<()> {
        let Some(dns) = &self.dns else { return Ok(()) };
        if dns.enable == Some(YesNo::No) && (dns.has_records() || dns.forward_plain_names.is_some())
        {
            return Err(ConfError::invalid(
                "<dns enable='no'> must hold nothing else",
            ));
        }
        for forwarder in &dns.forwarder {
            if forwarder.addr.is_none() && forwarder.domain.is_none() {
                return Err(ConfError::invalid(
                    "a <forwarder> of <dns> needs an address or a domain",
                ));
            }
        }
        for txt in &dns.txt {
            if txt.name.contains(' ') {
                return Err(ConfError::invalid(format!(
                    "the name of <txt>, '{}', must have no space",
                    txt.name
                )));
            }
        }
        for srv in &dns.srv {
            srv.validate()?;
        }
        for host in &dns.host {
            host.validate()?;
        }
        Ok(())
    }

    /// What depends on how the network reaches the world.
    fn validate_mode(&self) -> Result<()> {
        let mode = self.forward.as_ref().map(|forward| forward.mode);
        let shown = mode.map_or("isolated", ForwardMode::as_str);
        let refuse = |part: &str| {
            Err(ConfError::invalid(format!(
                "{part} cannot be in a network of mode '{shown}'"
            )))
        };
        let bridge = self.bridge.as_ref();
        let interfaces = self
            .forward
            .as_ref()
            .map_or(0, |forward| forward.interfaces.len());
        if self.has_own_bridge() {
            if mode == Some(ForwardMode::Open) && interfaces > 0 {
                return refuse("an interface to forward to");
            }
        } else {
            if bridge.is_some_and(|bridge| bridge.stp.is_some() || bridge.delay.is_some()) {
                return refuse("'stp' or 'delay' of <bridge>");
            }
            if self.mtu.is_some() {
                return refuse("<mtu>");
            }
            if self.mac.is_some() {
                return refuse("<mac>");
            }
        }
        match mode {
            Some(ForwardMode::Bridge) => {
                if self.bridge_name().is_some() && interfaces > 0 {
                    return refuse("both a bridge and an interface to forward to");
                }
            }
            Some(
                ForwardMode::Private
                | ForwardMode::Vepa
                | ForwardMode::Passthrough
                | ForwardMode::Hostdev,
            ) => {
                if bridge.is_some() {
                    return refuse("<bridge>");
                }
            }
            // Where it has nothing inside, it was taken for no <forward> at all.
            Some(ForwardMode::None) => return refuse("what <forward> has inside"),
            Some(ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open) | None => {}
        }
        if mode != Some(ForwardMode::Nat)
            && self
                .forward
                .as_ref()
                .is_some_and(|forward| forward.nat.is_some())
        {
            return refuse("<nat>");
        }
        Ok(())
    }

    fn validate_port_groups(&self) -> Result<()> {
        let mut names = HashSet::new();
        let mut default: Option<&str> = None;
        for group in &self.portgroup {
            if !names.insert(group.name.as_str()) {
                return Err(ConfError::invalid(format!(
                    "there are two <portgroup> of the name '{}'",
                    group.name
                )));
            }
            if group.default == Some(YesNo::Yes)
                && let Some(first) = default.replace(&group.name)
            {
                return Err(ConfError::invalid(format!(
                    "both <portgroup> '{first}' and '{}' are the default",
                    group.name
                )));
            }
        }
        Ok(())
    }
}

fn validate_forward(forward: &Forward) -> Result<()> {
    let mut devices = HashSet::new();
    if let Some(twice) = forward
        .interfaces
        .iter()
        .find(|interface| !devices.insert(&interface.dev))
    {
        return Err(ConfError::invalid(format!(
            "<forward> has the interface '{}' twice",
            twice.dev
        )));
    }
    let mut addresses = HashSet::new();
    if let Some(twice) = forward
        .addresses
        .iter()
        .find(|address| !addresses.insert(address.pci))
    {
        return Err(ConfError::invalid(format!(
            "<forward> has the PCI address {} twice",
            twice.pci
        )));
    }
    if !forward.interfaces.is_empty() && !forward.addresses.is_empty() {
        return Err(ConfError::invalid(
            "<forward> cannot have both <interface> and <address>",
        ));
    }
    if let Some(nat) = &forward.nat {
        if let Some(range) = &nat.address {
            if range.start.family() != IpFamily::Ipv4 || range.end.family() != IpFamily::Ipv4 {
                return Err(ConfError::invalid("<address> of <nat> must be IPv4"));
            }
            if range.start > range.end {
                return Err(ConfError::invalid("<address> of <nat> is backwards"));
            }
        }
        if nat.port.is_some_and(|port| port.start > port.end) {
            return Err(ConfError::invalid("<port> of <nat> is backwards"));
        }
    }
    Ok(())
}

pub(super) fn validate_ip(ip: &NetworkIp) -> Result<()> {
    let Some(address) = ip.address else {
        if ip.netmask.is_some() || ip.prefix.is_some() || ip.family.is_some() {
            return Err(ConfError::invalid(
                "an <ip> with family, netmask or prefix needs an address",
            ));
        }
        return Ok(());
    };
    let said = ip.family.unwrap_or(IpFamily::Ipv4);
    if address.family() != said {
        return Err(ConfError::invalid(format!(
            "the address {address} of <ip> is not of the family '{said}'"
        )));
    }
    if let Some(mask) = ip.netmask {
        if said == IpFamily::Ipv6 {
            return Err(ConfError::invalid(format!(
                "<ip> of {address} must have a prefix in place of a netmask"
            )));
        }
        if ip.prefix.is_some() {
            return Err(ConfError::invalid(format!(
                "<ip> of {address} has both a netmask and a prefix"
            )));
        }
        if mask.family() != said || mask.as_netmask().is_none() {
            return Err(ConfError::invalid(format!(
                "invalid netmask {mask} for {address}"
            )));
        }
    }
    if ip.prefix.is_some_and(|prefix| prefix > address.bits()) {
        return Err(ConfError::invalid(format!(
            "the prefix of {address} must be at most {}",
            address.bits()
        )));
    }
    let Some(dhcp) = &ip.dhcp else { return Ok(()) };
    for range in &dhcp.range {
        virtbus_conf_base::common::Ip::range(range.start, range.end, ip.network())?;
    }
    dhcp.host.iter().try_for_each(|host| host.validate(ip))
}

impl DhcpHost {
    /// Whether enough is there to give the guest its address.
    pub(super) fn validate(&self, ip: &NetworkIp) -> Result<()> {
        let shown = self
            .mac
            .as_deref()
            .or(self.id.as_deref())
            .or(self.name.as_deref())
            .unwrap_or("<host>");
        if ip.is_ipv6() {
            if self.mac.is_some() {
                return Err(ConfError::invalid(format!(
                    "the DHCP host '{shown}' must be named by 'id' or 'name', since its network is IPv6"
                )));
            }
            if self.id.is_none() && self.name.is_none() {
                return Err(ConfError::invalid(
                    "a DHCP host of IPv6 needs an 'id' or a 'name'",
                ));
            }
        } else {
            if self.id.is_some() {
                return Err(ConfError::invalid(format!(
                    "the DHCP host '{shown}' must be named by 'mac' or 'name', since its network is IPv4"
                )));
            }
            if self.mac.is_none() && self.name.is_none() {
                return Err(ConfError::invalid(
                    "a DHCP host of IPv4 needs a 'mac' or a 'name'",
                ));
            }
        }
        match self.ip {
            None => Err(ConfError::invalid(format!(
                "the DHCP host '{shown}' needs an 'ip'"
            ))),
            Some(address) if (address.family() == IpFamily::Ipv6) != ip.is_ipv6() => {
                Err(ConfError::invalid(format!(
                    "the address {address} of the DHCP host '{shown}' is not of its network's family"
                )))
            }
            Some(_) => Ok(()),
        }
    }
}

fn validate_route(route: &Route) -> Result<()> {
    let shown = route.address;
    let said = route.family.unwrap_or(IpFamily::Ipv4);
    if shown.family() != said || route.gateway.family() != said {
        return Err(ConfError::invalid(format!(
            "address and gateway of the <route> to {shown} must be of the family '{said}'"
        )));
    }
    let prefix = match (route.netmask, route.prefix) {
        (Some(_), Some(_)) => {
            return Err(ConfError::invalid(format!(
                "the <route> to {shown} has both a netmask and a prefix"
            )));
        }
        (Some(mask), None) if said == IpFamily::Ipv6 || mask.family() != said => {
            return Err(ConfError::invalid(format!(
                "invalid netmask {mask} for the <route> to {shown}"
            )));
        }
        (Some(mask), None) => mask.as_netmask().ok_or_else(|| {
            ConfError::invalid(format!("invalid netmask {mask} for the <route> to {shown}"))
        })?,
        (None, Some(prefix)) if prefix > shown.bits() => {
            return Err(ConfError::invalid(format!(
                "the prefix of the <route> to {shown} must be at most {}",
                shown.bits()
            )));
        }
        (None, Some(prefix)) => prefix,
        (None, None) if shown.is_wildcard() => 0,
        (None, None) => default_prefix(shown).unwrap_or_else(|| shown.bits()),
    };
    if shown.network(prefix) != shown {
        return Err(ConfError::invalid(format!(
            "{shown} of <route> has bits beyond its prefix of {prefix}"
        )));
    }
    if route.metric == Some(0) {
        return Err(ConfError::invalid(format!(
            "the metric of the <route> to {shown} must be at least 1"
        )));
    }
    Ok(())
}

impl super::DnsSrv {
    pub(super) fn validate(&self) -> Result<()> {
        if self.service.as_deref().is_none_or(str::is_empty) || self.protocol.is_none() {
            return Err(ConfError::invalid(
                "a <srv> of <dns> needs a service and a protocol",
            ));
        }
        if self.target.is_none()
            && (self.port.is_some() || self.priority.is_some() || self.weight.is_some())
        {
            return Err(ConfError::invalid(
                "a <srv> of <dns> with port, priority or weight needs a target",
            ));
        }
        Ok(())
    }
}

impl super::DnsHost {
    pub(super) fn validate(&self) -> Result<()> {
        if self.ip.is_none() || self.hostname.is_empty() {
            return Err(ConfError::invalid(
                "a <host> of <dns> needs an 'ip' and a <hostname>",
            ));
        }
        Ok(())
    }
}
