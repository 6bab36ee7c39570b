//! Changing one element of a network (`virNetworkUpdate`).
//!
//! A section is a list somewhere in the network. What makes two elements of it the same, what is needed of one to be
//! added or taken away, is told by its [`Entry`]; the commands are written once, for all of them.

use virtbus_conf_base::common::IpFamily;
use virtbus_conf_base::{ConfError, ConfErrorKind, Result};
use virtbus_xml::{Content, Document, xml_names};

use super::{
    DhcpHost, DhcpRange, DnsHost, DnsSrv, DnsTxt, ForwardInterface, Network, NetworkIp, PortGroup,
};

xml_names! {
    /// What is done to an element.
    pub enum UpdateCommand {
        /// An existing one gets this form.
        Modify = "modify",
        /// It is taken away.
        Delete = "delete",
        /// It is added behind the others.
        AddLast = "add-last",
        /// It is added before the others.
        AddFirst = "add-first",
    }
}

xml_names! {
    /// What is changed.
    pub enum UpdateSection {
        Bridge = "bridge",
        Domain = "domain",
        Ip = "ip",
        IpDhcpHost = "ip-dhcp-host",
        IpDhcpRange = "ip-dhcp-range",
        Forward = "forward",
        ForwardInterface = "forward-interface",
        ForwardPf = "forward-pf",
        PortGroup = "portgroup",
        DnsHost = "dns-host",
        DnsTxt = "dns-txt",
        DnsSrv = "dns-srv",
    }
}

/// An element of a list that can be updated.
trait Entry: Content + Clone {
    /// The element's name in XML.
    const ELEMENT: &'static str;
    /// Whether an element can be given another form, rather than be taken away and added.
    const MODIFIABLE: bool = false;
    /// Whether what is to be taken away may fit several, all but one being an error, or else the first is taken.
    const AMBIGUOUS_IS_ERROR: bool = false;

    /// Whether it stands in the way of adding `new`.
    fn collides(&self, new: &Self) -> bool;
    /// Whether `given` is about this one, to modify it.
    fn is_meant(&self, given: &Self) -> bool {
        self.collides(given)
    }
    /// Whether `given`, of which parts may be missing, is about this one, to take it away.
    fn fits(&self, given: &Self) -> bool {
        self.is_meant(given)
    }
    /// Whether it can be taken away now.
    fn removable(&self) -> Result<()> {
        Ok(())
    }
    /// What it is called in errors.
    fn shown(&self) -> String;
}

impl Entry for DhcpHost {
    const ELEMENT: &'static str = "host";
    const MODIFIABLE: bool = true;

    fn collides(&self, new: &Self) -> bool {
        self.same_guest(new)
            || (self.name.is_some() && self.name == new.name)
            || (self.ip.is_some() && self.ip == new.ip)
    }

    fn is_meant(&self, given: &Self) -> bool {
        self.same_guest(given)
    }

    fn fits(&self, given: &Self) -> bool {
        let mac = |host: &Self| host.mac.as_deref().map(str::to_ascii_lowercase);
        (given.mac.is_none() || mac(self) == mac(given))
            && (given.id.is_none() || self.id == given.id)
            && (given.name.is_none() || self.name == given.name)
            && (given.ip.is_none() || self.ip == given.ip)
    }

    fn shown(&self) -> String {
        let name = self
            .mac
            .as_deref()
            .or(self.id.as_deref())
            .or(self.name.as_deref());
        format!("the DHCP host '{}'", name.unwrap_or_default())
    }
}

impl Entry for DhcpRange {
    const ELEMENT: &'static str = "range";

    fn collides(&self, new: &Self) -> bool {
        self.start == new.start && self.end == new.end
    }

    fn shown(&self) -> String {
        format!("the DHCP range from {} to {}", self.start, self.end)
    }
}

impl Entry for ForwardInterface {
    const ELEMENT: &'static str = "interface";

    fn collides(&self, new: &Self) -> bool {
        self.dev == new.dev
    }

    fn removable(&self) -> Result<()> {
        match self.connections {
            Some(guests) if guests > 0 => Err(ConfError::new(
                ConfErrorKind::Operation,
                format!("{} is in use by {guests} guests", self.shown()),
            )),
            _ => Ok(()),
        }
    }

    fn shown(&self) -> String {
        format!("the interface '{}'", self.dev)
    }
}

impl Entry for PortGroup {
    const ELEMENT: &'static str = "portgroup";
    const MODIFIABLE: bool = true;

    fn collides(&self, new: &Self) -> bool {
        self.name == new.name
    }

    fn shown(&self) -> String {
        format!("the port group '{}'", self.name)
    }
}

impl Entry for DnsHost {
    const ELEMENT: &'static str = "host";
    const MODIFIABLE: bool = true;
    const AMBIGUOUS_IS_ERROR: bool = true;

    fn collides(&self, new: &Self) -> bool {
        self.ip.is_some() && self.ip == new.ip
    }

    fn fits(&self, given: &Self) -> bool {
        let names = !given.hostname.is_empty()
            && given
                .hostname
                .iter()
                .any(|name| self.hostname.contains(name));
        (given.ip.is_some() && self.ip == given.ip) || names
    }

    fn shown(&self) -> String {
        match self.ip {
            Some(ip) => format!("the DNS host {ip}"),
            None => format!("the DNS host '{}'", self.hostname.join("', '")),
        }
    }
}

impl Entry for DnsTxt {
    const ELEMENT: &'static str = "txt";
    const MODIFIABLE: bool = true;

    fn collides(&self, new: &Self) -> bool {
        self.name == new.name
    }

    fn shown(&self) -> String {
        format!("the DNS text record '{}'", self.name)
    }
}

impl Entry for DnsSrv {
    const ELEMENT: &'static str = "srv";
    const AMBIGUOUS_IS_ERROR: bool = true;

    fn collides(&self, new: &Self) -> bool {
        self.domain == new.domain
            && self.service == new.service
            && self.protocol == new.protocol
            && self.target == new.target
    }

    fn fits(&self, given: &Self) -> bool {
        (given.domain.is_none() || self.domain == given.domain)
            && (given.service.is_none() || self.service == given.service)
            && (given.protocol.is_none() || self.protocol == given.protocol)
            && (given.target.is_none() || self.target == given.target)
    }

    fn shown(&self) -> String {
        format!(
            "the DNS service record '{}'",
            self.service.as_deref().unwrap_or_default()
        )
    }
}

/// Reads the element that a section consists of.
fn read<E: Entry>(xml: &str) -> Result<E> {
    Document::parse(xml)
        .and_then(|document| document.read(E::ELEMENT))
        .map_err(|error| ConfError::invalid(error.to_string()))
}

/// Does `command` to a list.
fn apply<E: Entry>(list: &mut Vec<E>, command: UpdateCommand, given: E) -> Result<()> {
    let refuse = |what: String| Err(ConfError::new(ConfErrorKind::Operation, what));
    match command {
        UpdateCommand::AddFirst | UpdateCommand::AddLast => {
            if let Some(there) = list.iter().find(|entry| entry.collides(&given)) {
                return refuse(format!("{} is in the network already", there.shown()));
            }
            let at = if command == UpdateCommand::AddFirst {
                0
            } else {
                list.len()
            };
            list.insert(at, given);
        }
        UpdateCommand::Modify => {
            if !E::MODIFIABLE {
                return refuse(format!(
                    "<{}> cannot be modified here, only added and deleted",
                    E::ELEMENT
                ));
            }
            match list.iter_mut().find(|entry| entry.is_meant(&given)) {
                Some(entry) => *entry = given,
                None => return refuse(format!("{} is not in the network", given.shown())),
            }
        }
        UpdateCommand::Delete => {
            let mut fitting = list
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.fits(&given));
            let Some((at, entry)) = fitting.next() else {
                return refuse(format!("{} is not in the network", given.shown()));
            };
            if E::AMBIGUOUS_IS_ERROR && fitting.next().is_some() {
                return refuse(format!(
                    "{} could be more than one in the network",
                    given.shown()
                ));
            }
            entry.removable()?;
            list.remove(at);
        }
    }
    Ok(())
}

impl Network {
    /// Changes one element. `parent` says which `<ip>` is meant, counted from 0; a negative number leaves the choice to us.
    /// The network is as it was if that fails.
    ///
    /// # Errors
    /// The element cannot be read, is there already, or is not there; or the network would not be valid.
    pub fn update(
        &mut self,
        command: UpdateCommand,
        section: UpdateSection,
        parent: i32,
        xml: &str,
    ) -> Result<()> {
        let mut changed = self.clone();
        match section {
            UpdateSection::IpDhcpHost => {
                let host = read(xml)?;
                let ip = changed.ip_at(parent)?;
                apply(&mut ip.dhcp.get_or_insert_default().host, command, host)?;
            }
            UpdateSection::IpDhcpRange => {
                let range = read(xml)?;
                let ip = changed.ip_at(parent)?;
                apply(&mut ip.dhcp.get_or_insert_default().range, command, range)?;
            }
            UpdateSection::ForwardInterface => {
                let interface: ForwardInterface = read(xml)?;
                let Some(forward) = &mut changed.forward else {
                    return Err(ConfError::new(
                        ConfErrorKind::Operation,
                        "the network is isolated and has no interfaces to forward to",
                    ));
                };
                apply(&mut forward.interfaces, command, interface)?;
            }
            UpdateSection::PortGroup => apply(&mut changed.portgroup, command, read(xml)?)?,
            UpdateSection::DnsHost => {
                apply(
                    &mut changed.dns.get_or_insert_default().host,
                    command,
                    read(xml)?,
                )?;
            }
            UpdateSection::DnsTxt => {
                apply(
                    &mut changed.dns.get_or_insert_default().txt,
                    command,
                    read(xml)?,
                )?;
            }
            UpdateSection::DnsSrv => {
                apply(
                    &mut changed.dns.get_or_insert_default().srv,
                    command,
                    read(xml)?,
                )?;
            }
            UpdateSection::Bridge
            | UpdateSection::Domain
            | UpdateSection::Ip
            | UpdateSection::Forward
            | UpdateSection::ForwardPf => {
                return Err(ConfError::unsupported(format!(
                    "the section '{section}' of a network cannot be updated"
                )));
            }
        }
        changed.check_updatable()?;
        changed.validate()?;
        *self = changed;
        Ok(())
    }

    /// The `<ip>` that an update is about.
    fn ip_at(&mut self, parent: i32) -> Result<&mut NetworkIp> {
        let at = match usize::try_from(parent) {
            Ok(at) => at,
            // One that gives addresses already, or else the first of IPv4, or else the first.
            Err(_) => {
                let gives = |ip: &NetworkIp| ip.dhcp.as_ref().is_some_and(super::Dhcp::gives);
                let ips = &self.ip;
                ips.iter()
                    .position(gives)
                    .or_else(|| ips.iter().position(|ip| !ip.is_ipv6()))
                    .unwrap_or(0)
            }
        };
        self.ip.get_mut(at).ok_or_else(|| {
            ConfError::new(
                ConfErrorKind::Operation,
                format!("the network has no <ip> number {at}"),
            )
        })
    }

    /// One server gives addresses of a family, so one `<ip>` of each may.
    fn check_updatable(&self) -> Result<()> {
        let gives = |family: IpFamily| {
            let ips = self.ip.iter();
            ips.filter(|ip| ip.family.unwrap_or(IpFamily::Ipv4) == family)
                .filter(|ip| ip.dhcp.as_ref().is_some_and(super::Dhcp::gives))
                .count()
        };
        for family in IpFamily::ALL {
            if gives(family) > 1 {
                return Err(ConfError::new(
                    ConfErrorKind::Operation,
                    format!("only one <ip> of the family '{family}' can have <dhcp>"),
                ));
            }
        }
        Ok(())
    }
}
