//! `<dns>` and `<domain>`: names in a network.

use virtbus_conf_base::common::Ip;
use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, Xml, YesNo, xml_names};

/// `<domain>`: the domain of the guests' names.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NetworkDomain {
    /// The name.
    #[xml(attr)]
    pub name: Text,
    /// Whether no other server is asked about names in it.
    #[xml(attr = "localOnly")]
    pub local_only: Option<YesNo>,
    /// Whether the host's resolver learns of it.
    #[xml(attr)]
    pub register: Option<YesNo>,
}

/// `<forwarder>`: whom to ask about other names.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Forwarder {
    /// Only about this domain.
    #[xml(attr)]
    pub domain: Option<Text>,
    /// The server; without one, names in the domain are not asked about.
    #[xml(attr)]
    pub addr: Option<Ip>,
}

/// `<txt>`: a text record.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DnsTxt {
    /// The name.
    #[xml(attr)]
    pub name: Text,
    /// The text.
    #[xml(attr)]
    pub value: Option<Text>,
}

xml_names! {
    /// What a service speaks.
    pub enum SrvProtocol {
        Tcp = "tcp",
        Udp = "udp",
    }
}

/// `<srv>`: a service record. To take one away, less is needed than to make one.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsSrv {
    /// The service's name.
    #[xml(attr)]
    pub service: Option<Text>,
    /// What it speaks.
    #[xml(attr)]
    pub protocol: Option<SrvProtocol>,
    /// The domain that it is for.
    #[xml(attr)]
    pub domain: Option<Text>,
    /// The host that has it; `.` for none.
    #[xml(attr)]
    pub target: Option<Text>,
    /// Its port, from 1.
    #[xml(attr)]
    pub port: Option<u16>,
    /// Lower comes first.
    #[xml(attr)]
    pub priority: Option<u16>,
    /// More gets more, among equals.
    #[xml(attr)]
    pub weight: Option<u16>,
}

impl Content for DnsSrv {
    fn parse(node: Node<'_>) -> Result<Self> {
        let srv = Self {
            service: node.attr_opt("service")?,
            protocol: node.attr_opt("protocol")?,
            domain: node.attr_opt("domain")?,
            target: node.attr_opt("target")?,
            port: node.attr_opt("port")?,
            priority: node.attr_opt("priority")?,
            weight: node.attr_opt("weight")?,
        };
        let service = srv.service.as_deref().unwrap_or_default();
        if service.len() > MOST_SERVICE {
            return Err(node.bad_attr("service", service, "at most 63 bytes"));
        }
        if srv.port == Some(0) {
            return Err(node.bad_attr("port", "0", "a number from 1 to 65535"));
        }
        Ok(srv)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("service", &self.service);
        w.attr_opt("protocol", &self.protocol);
        w.attr_opt("domain", &self.domain);
        w.attr_opt("target", &self.target);
        if self.target.is_some() {
            w.attr_opt("port", &self.port);
            w.attr_opt("priority", &self.priority);
            w.attr_opt("weight", &self.weight);
        }
    }

    fn children(&self, _: &mut Writer) {}
}

/// The longest name of a service, bytes (RFC 1035's label).
const MOST_SERVICE: usize = 63;

/// `<host>`: names of an address. To take one away, either is enough.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsHost {
    /// The address.
    #[xml(attr)]
    pub ip: Option<Ip>,
    /// Its names.
    #[xml(text_child)]
    pub hostname: Vec<Text>,
}

/// `<dns>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// Whether there is a name server at all.
    #[xml(attr)]
    pub enable: Option<YesNo>,
    /// Whether names without a domain are asked about outside.
    #[xml(attr = "forwardPlainNames")]
    pub forward_plain_names: Option<YesNo>,
    /// Whom to ask.
    #[xml(child)]
    pub forwarder: Vec<Forwarder>,
    /// Text records.
    #[xml(child)]
    pub txt: Vec<DnsTxt>,
    /// Service records.
    #[xml(child)]
    pub srv: Vec<DnsSrv>,
    /// Addresses.
    #[xml(child)]
    pub host: Vec<DnsHost>,
}

impl Dns {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there is anything that a name server would be needed for.
    pub fn has_records(&self) -> bool {
        !(self.forwarder.is_empty()
            && self.txt.is_empty()
            && self.srv.is_empty()
            && self.host.is_empty())
    }
}
