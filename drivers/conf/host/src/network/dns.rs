//! `<dns>` and `<domain>`: names in a network.

use virtbus_conf_base::common::Ip;
use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, Xml, YesNo, xml_names};

/// `<domain>`: the DNS domain of the guests' names.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NetworkDomain {
    /// Name of the DNS domain.
    #[xml(attr)]
    pub name: Text,
    /// Whether names in the domain are answered by this network only, and never forwarded to other servers.
    #[xml(attr = "localOnly")]
    pub local_only: Option<YesNo>,
    /// Whether the domain is registered with the host's resolver (systemd-resolved), so that the host can resolve
    /// guests' names.
    #[xml(attr)]
    pub register: Option<YesNo>,
}

/// `<forwarder>`: a DNS server that other names are forwarded to.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Forwarder {
    /// Domain whose names are forwarded; absent means all.
    #[xml(attr)]
    pub domain: Option<Text>,
    /// IP address of the server; without one, names in the domain are answered locally or not at all.
    #[xml(attr)]
    pub addr: Option<Ip>,
}

/// `<txt>`: a DNS text record.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct DnsTxt {
    /// Name that the text record belongs to.
    #[xml(attr)]
    pub name: Text,
    /// Text of the record; absent means none.
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

/// `<srv>`: a DNS service record. To remove one, fewer attributes are needed than to add one.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsSrv {
    /// Name of the service, without the leading underscore.
    #[xml(attr)]
    pub service: Option<Text>,
    /// Transport protocol of the service: `tcp` or `udp`.
    #[xml(attr)]
    pub protocol: Option<SrvProtocol>,
    /// Domain that the service belongs to; the network's domain if absent.
    #[xml(attr)]
    pub domain: Option<Text>,
    /// Name of the host that offers the service; `.` for none.
    #[xml(attr)]
    pub target: Option<Text>,
    /// Port of the service, 1 to 65535; requires `target`.
    #[xml(attr)]
    pub port: Option<u16>,
    /// Priority of the target, 0 to 65535; the lowest is tried first.
    #[xml(attr)]
    pub priority: Option<u16>,
    /// Weight among targets of equal priority, 0 to 65535; higher gets more.
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

/// `<host>`: DNS names of an address. To remove an entry, address or names are enough.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsHost {
    /// IP address that the names resolve to.
    #[xml(attr)]
    pub ip: Option<Ip>,
    /// DNS names that resolve to the address.
    #[xml(text_child)]
    pub hostname: Vec<Text>,
}

/// `<dns>`: the network's DNS server and its records.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// Whether the network has a DNS server at all; it has if absent.
    #[xml(attr)]
    pub enable: Option<YesNo>,
    /// Whether names without a dot are forwarded to other servers; they are if absent.
    #[xml(attr = "forwardPlainNames")]
    pub forward_plain_names: Option<YesNo>,
    /// Servers that names are forwarded to; absent means those of the host.
    #[xml(child)]
    pub forwarder: Vec<Forwarder>,
    /// Text records that the server answers with.
    #[xml(child)]
    pub txt: Vec<DnsTxt>,
    /// Service records that the server answers with.
    #[xml(child)]
    pub srv: Vec<DnsSrv>,
    /// Names and addresses that the server answers with.
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
