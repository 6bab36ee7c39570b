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

/// `<host>`: a server that has the image.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Host name or IP address of the server.
    #[xml(attr)]
    pub name: Option<Text>,
    /// TCP port of the server, 0 to 65535.
    #[xml(attr, absent = "the protocol's own")]
    pub port: Option<u32>,
    /// How the server is reached: `tcp`, `rdma` or `unix`.
    #[xml(attr, absent = "tcp")]
    pub transport: Option<HostTransport>,
    /// Path of the server's socket; with transport `unix` only.
    #[xml(attr)]
    pub socket: Option<Text>,
}

/// `<identity>`: the user as whom NFS or SSH servers are accessed.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// User name or UID for NFS; `+` before a number forces a UID.
    #[xml(attr)]
    pub user: Option<Text>,
    /// Group name or GID for NFS; `+` before a number forces a GID.
    #[xml(attr)]
    pub group: Option<Text>,
    /// User name for logging in by SSH.
    #[xml(attr)]
    pub username: Option<Text>,
    /// Path of the private key file for SSH.
    #[xml(attr)]
    pub keyfile: Option<Text>,
    /// Path of the SSH agent's socket.
    #[xml(attr)]
    pub agentsock: Option<Text>,
}

impl Identity {
    fn is_nfs(&self) -> bool {
        self.user.is_some() || self.group.is_some()
    }
}

/// `<reconnect>`: whether a broken connection of a character device or vhost-user socket is opened again.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconnect {
    /// Whether to connect again after the connection is lost; client mode only.
    #[xml(attr)]
    pub enabled: Option<YesNo>,
    /// Seconds between attempts to connect again.
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

/// `<reconnect>` of a network image: what happens after the connection to the server is lost.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceReconnect {
    /// Seconds for which requests wait for a new connection before they fail (NBD); 0 fails them at once.
    #[xml(attr)]
    pub delay: Option<AnyBase>,
}

/// `<cookie>`: a cookie that is sent to an HTTP server.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Name of the HTTP cookie.
    #[xml(attr)]
    pub name: Text,
    /// Value of the cookie; left out unless secure information is asked for.
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

/// `<readahead>` and `<timeout>`: options of HTTP and FTP images.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HttpTimeouts {
    /// Size of the read-ahead buffer in bytes.
    #[xml(child_attr = "readahead/size")]
    pub readahead: Option<u64>,
    /// Seconds to wait for the server's response before a request fails.
    #[xml(child_attr = "timeout/seconds")]
    pub timeout: Option<u64>,
}

/// `<source>` of `type='network'`: an image on another machine.
#[derive(Describe, Debug, Clone, PartialEq)]
pub struct NetworkSource {
    /// Protocol by which the image is reached, such as `nbd`, `rbd`, `iscsi` or `https`.
    #[xml(attr)]
    pub protocol: NetworkProtocol,
    /// Name of the image in the form of its protocol, such as `POOL/IMAGE`, an export name or a path.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Query string that is appended to the URL, for HTTP and HTTPS.
    #[xml(attr)]
    pub query: Option<Text>,
    /// Whether the connection is encrypted by TLS (NBD); the driver's configuration decides if absent.
    #[xml(attr)]
    pub tls: Option<YesNo>,
    /// Host name that the server's TLS certificate must have, if it differs from that of `<host>`.
    #[xml(attr = "tlsHostname")]
    pub tls_hostname: Option<Text>,
    /// 1 if `tls` was set from the driver's configuration, else 0; status only.
    #[xml(attr = "tlsFromConfig")]
    pub tls_from_config: Option<u32>,
    /// Servers that have the image; some protocols take several.
    #[xml(child)]
    pub host: Vec<Host>,
    /// User as whom the server is accessed, for NFS and SSH.
    #[xml(child)]
    pub identity: Option<Identity>,
    /// How long requests wait for a lost server to return, for NBD.
    #[xml(child)]
    pub reconnect: Option<SourceReconnect>,
    /// Name of an internal snapshot that is used instead of the image itself (rbd, sheepdog).
    #[xml(child_attr = "snapshot/name")]
    pub snapshot: Option<Text>,
    /// Path of the client library's configuration file (rbd).
    #[xml(child_attr = "config/file")]
    pub config: Option<Text>,
    /// Initiator name (IQN) with which the iSCSI target is accessed.
    #[xml(child_attr = "iqn/name", wrap = "initiator")]
    pub initiator: Option<Text>,
    /// Whether the server's certificate is verified, for HTTPS and FTPS; it is if absent.
    #[xml(child_attr = "ssl/verify")]
    pub ssl_verify: Option<YesNo>,
    /// Cookies that are sent to an HTTP or HTTPS server.
    #[xml(child = "cookie", wrap = "cookies")]
    pub cookies: Vec<Cookie>,
    /// Read-ahead and timeout of HTTP and FTP images.
    #[xml(flat)]
    pub http: HttpTimeouts,
    /// Path of the file with the public keys of known SSH servers.
    #[xml(child_attr = "knownHosts/path")]
    pub known_hosts: Option<Text>,
    /// Parts that every kind of source may have.
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
