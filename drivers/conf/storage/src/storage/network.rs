//! Images on other machines.

use virtbus_xml::{
    AnyBase, Content, Describe, ErrorKind, Flags, Node, Rare, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

use super::SourceCommon;

xml_names! {
    /// How to talk to the storage.
    pub enum NetworkProtocol {
        Nbd = "nbd",
        Rbd = "rbd",
        Sheepdog = "sheepdog",
        Gluster = "gluster",
        Iscsi = "iscsi",
        Http = "http",
        Https = "https",
        Ftp = "ftp",
        Ftps = "ftps",
        Tftp = "tftp",
        Ssh = "ssh",
        Vxhs = "vxhs",
        Nfs = "nfs",
    }
}

/// Ports of servers, of those protocols that have one.
const PORTS: &[(NetworkProtocol, u32)] = &[
    (NetworkProtocol::Nbd, 10809),
    (NetworkProtocol::Sheepdog, 7000),
    (NetworkProtocol::Gluster, 24007),
    (NetworkProtocol::Iscsi, 3260),
    (NetworkProtocol::Http, 80),
    (NetworkProtocol::Https, 443),
    (NetworkProtocol::Ftp, 21),
    (NetworkProtocol::Ftps, 990),
    (NetworkProtocol::Tftp, 69),
    (NetworkProtocol::Ssh, 22),
    (NetworkProtocol::Vxhs, 9999),
    (NetworkProtocol::Nfs, 2049),
];

xml_names! {
    /// What carries the protocol.
    pub enum HostTransport {
        Tcp = "tcp",
        Unix = "unix",
        Rdma = "rdma",
    }
}

/// `<host>`.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Name or address.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Port.
    #[xml(attr, absent = "the protocol's own")]
    pub port: Option<u32>,
    /// What carries the protocol.
    #[xml(attr, absent = "tcp")]
    pub transport: Option<HostTransport>,
    /// Path of the socket, with `unix`.
    #[xml(attr)]
    pub socket: Option<Text>,
}

/// `<identity>`: who we are to NFS or SSH servers.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// User, for NFS.
    #[xml(attr)]
    pub user: Option<Text>,
    /// Group, for NFS.
    #[xml(attr)]
    pub group: Option<Text>,
    /// User, for SSH.
    #[xml(attr)]
    pub username: Option<Text>,
    /// Key file, for SSH.
    #[xml(attr)]
    pub keyfile: Option<Text>,
    /// Agent's socket, for SSH.
    #[xml(attr)]
    pub agentsock: Option<Text>,
}

impl Identity {
    fn is_nfs(&self) -> bool {
        self.user.is_some() || self.group.is_some()
    }
}

/// `<reconnect>` of character devices and vhost-user sockets.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconnect {
    /// Whether to connect again.
    #[xml(attr)]
    pub enabled: Option<YesNo>,
    /// After how many seconds.
    #[xml(attr)]
    pub timeout: Option<u32>,
}

impl Content for Reconnect {
    fn parse(node: Node<'_>) -> Result<Self> {
        let enabled = node.attr_opt("enabled")?;
        let timeout: Option<u32> = node.attr_opt("timeout")?;
        let reconnects = enabled == Some(YesNo::Yes);
        if reconnects && timeout.is_none() {
            return Err(node.missing_attr("timeout"));
        }
        Ok(Self {
            enabled,
            timeout: timeout.filter(|_| reconnects),
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("enabled", &self.enabled);
        w.attr_opt("timeout", &self.timeout);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<reconnect>` of a network image.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceReconnect {
    /// Seconds before giving up on the server.
    #[xml(attr)]
    pub delay: Option<AnyBase>,
}

/// `<cookie>` for HTTP servers.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Name.
    #[xml(attr)]
    pub name: Text,
    /// Value; secret.
    #[xml(text)]
    pub value: Text,
}

impl Content for Cookie {
    fn parse(node: Node<'_>) -> Result<Self> {
        let cookie = Self {
            name: node.attr_req("name")?,
            value: node.text_opt()?.unwrap_or_default(),
        };
        if cookie.name.is_empty() {
            return Err(node.bad_attr("name", "", "the name of a cookie"));
        }
        Ok(cookie)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("name", &self.name);
    }

    fn children(&self, w: &mut Writer) {
        w.text(&self.value);
    }
}

/// `<readahead>` and `<timeout>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HttpTimeouts {
    /// Bytes to read ahead.
    #[xml(child_attr = "readahead/size")]
    pub readahead: Option<u64>,
    /// Seconds to wait for the server.
    #[xml(child_attr = "timeout/seconds")]
    pub timeout: Option<u64>,
}

/// `<source>` of `type='network'`.
#[derive(Describe, Debug, Clone, PartialEq)]
pub struct NetworkSource {
    /// How to talk to the storage.
    #[xml(attr)]
    pub protocol: NetworkProtocol,
    /// Name of the image, as the protocol has it.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Query part of a URL.
    #[xml(attr)]
    pub query: Option<Text>,
    /// Whether to encrypt the connection.
    #[xml(attr)]
    pub tls: Option<YesNo>,
    /// Name that the server's certificate must have.
    #[xml(attr = "tlsHostname")]
    pub tls_hostname: Option<Text>,
    /// `tls` comes from the driver's configuration; status only.
    #[xml(attr = "tlsFromConfig")]
    pub tls_from_config: Option<u32>,
    /// The servers.
    #[xml(child)]
    pub host: Vec<Host>,
    /// Who we are.
    #[xml(child)]
    pub identity: Option<Identity>,
    /// Time to connect again.
    #[xml(child)]
    pub reconnect: Option<SourceReconnect>,
    /// Snapshot of the image.
    #[xml(child_attr = "snapshot/name")]
    pub snapshot: Option<Text>,
    /// Configuration file of the client.
    #[xml(child_attr = "config/file")]
    pub config: Option<Text>,
    /// Our name towards an iSCSI target.
    #[xml(child_attr = "iqn/name", wrap = "initiator")]
    pub initiator: Option<Text>,
    /// Whether to check the server's certificate.
    #[xml(child_attr = "ssl/verify")]
    pub ssl_verify: Option<YesNo>,
    /// Cookies.
    #[xml(child = "cookie", wrap = "cookies")]
    pub cookies: Vec<Cookie>,
    /// Read-ahead and timeout.
    #[xml(flat)]
    pub http: HttpTimeouts,
    /// File of known SSH hosts.
    #[xml(child_attr = "knownHosts/path")]
    pub known_hosts: Option<Text>,
    /// What every source has.
    #[xml(flat)]
    pub common: Rare<SourceCommon>,
}

impl NetworkSource {
    /// Gives hosts that are reached by TCP and name no port that of the protocol.
    pub fn assign_ports(&mut self) {
        let of_protocol = PORTS.iter().find(|(it, _)| *it == self.protocol);
        let on_tcp = |host: &&mut Host| matches!(host.transport, None | Some(HostTransport::Tcp));
        if let Some((_, port)) = of_protocol {
            for host in self.host.iter_mut().filter(on_tcp) {
                host.port.get_or_insert(*port);
            }
        }
    }
}

impl NetworkSource {
    /// A source with only a protocol.
    pub fn new(protocol: NetworkProtocol) -> Self {
        Self {
            protocol,
            name: None,
            query: None,
            tls: None,
            tls_hostname: None,
            tls_from_config: None,
            host: Vec::new(),
            identity: None,
            reconnect: None,
            snapshot: None,
            config: None,
            initiator: None,
            ssl_verify: None,
            cookies: Vec::new(),
            http: HttpTimeouts::default(),
            known_hosts: None,
            common: Rare::default(),
        }
    }
}

impl Content for NetworkSource {
    fn parse(node: Node<'_>) -> Result<Self> {
        let source = Self {
            protocol: node.attr_req("protocol")?,
            name: node.attr_opt("name")?,
            query: node.attr_opt("query")?,
            tls: node.attr_opt("tls")?,
            tls_hostname: node.attr_opt("tlsHostname")?,
            // Drivers always write it, with 0 for what older releases left out.
            tls_from_config: node
                .attr_opt("tlsFromConfig")?
                .or(node.is_stored().then_some(0)),
            host: node.child_vec("host")?,
            identity: node.child_filled("identity")?,
            reconnect: node.child_filled("reconnect")?,
            snapshot: node.child_attr_opt("snapshot", "name")?,
            config: node.child_attr_opt("config", "file")?,
            initiator: node
                .child_or_absent("initiator")
                .child_attr_opt("iqn", "name")?,
            ssl_verify: node.child_attr_opt("ssl", "verify")?,
            cookies: node.child_or_absent("cookies").child_vec("cookie")?,
            http: HttpTimeouts::parse(node)?,
            known_hosts: node.child_attr_opt("knownHosts", "path")?,
            common: Rare::parse(node)?,
        };
        for (i, cookie) in source.cookies.iter().enumerate() {
            if source.cookies[..i]
                .iter()
                .any(|other| other.name == cookie.name)
            {
                return Err(node.error(
                    ErrorKind::Invalid,
                    format!("cookie '{}' is given twice", cookie.name),
                ));
            }
        }
        Ok(source)
    }

    fn attrs(&self, w: &mut Writer) {
        let flags = w.flags();
        w.attr("protocol", &self.protocol);
        w.attr_opt("name", &self.name);
        w.attr_opt("query", &self.query);
        if !(flags.contains(Flags::MIGRATABLE)
            && self.tls_from_config.is_some_and(|from| from != 0))
        {
            w.attr_opt("tls", &self.tls);
        }
        w.attr_opt("tlsHostname", &self.tls_hostname);
        if flags.contains(Flags::STATUS) {
            w.attr("tlsFromConfig", &self.tls_from_config.unwrap_or(0));
        }
        self.common.attrs(w);
    }

    fn children(&self, w: &mut Writer) {
        for host in &self.host {
            w.element("host", host);
        }
        let (nfs, ssh) = match &self.identity {
            Some(identity) if identity.is_nfs() => (Some(identity), None),
            other => (None, other.as_ref()),
        };
        if let Some(identity) = nfs {
            w.element("identity", identity);
        }
        if let Some(reconnect) = &self.reconnect {
            w.element_unless_empty("reconnect", reconnect);
        }
        if let Some(name) = &self.snapshot {
            w.attr_element("snapshot", "name", name);
        }
        if let Some(file) = &self.config {
            w.attr_element("config", "file", file);
        }
        if let Some(iqn) = &self.initiator {
            w.begin("initiator");
            w.attr_element("iqn", "name", iqn);
            w.end("initiator");
        }
        if let Some(verify) = &self.ssl_verify {
            w.attr_element("ssl", "verify", verify);
        }
        if !self.cookies.is_empty() && w.flags().contains(Flags::SECURE) {
            w.begin("cookies");
            for cookie in &self.cookies {
                w.element("cookie", cookie);
            }
            w.end("cookies");
        }
        self.http.children(w);
        if let Some(path) = &self.known_hosts {
            w.attr_element("knownHosts", "path", path);
        }
        if let Some(identity) = ssh {
            w.element_unless_empty("identity", identity);
        }
        self.common.children(w);
    }
}
