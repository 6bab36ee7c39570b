//! `<server>`: where clients fetch the data of a backup.

use virtbus_xml::{
    Content, Describe, Description, ErrorKind, Kind, Node, Occurs, Part, Result, Text, Values, Way,
    Writer, Xml, YesNo, xml_names,
};

xml_names! {
    /// What carries the protocol, which is NBD.
    pub enum BackupTransport {
        Tcp = "tcp",
        Unix = "unix",
        /// Listening descriptors that a client passed.
        Fd = "fd",
    }
}

impl Describe for BackupTransport {
    fn describe() -> &'static Description {
        static DESCRIPTION: Description = Description {
            type_name: concat!(module_path!(), "::BackupTransport"),
            doc: "What carries the protocol.",
            alternatives: false,
            parts: &[Part {
                name: "transport",
                doc: "What carries the protocol.",
                occurs: Occurs::Optional,
                fixed: &[],
                within: &[],
                conditional: false,
                absent: "tcp",
                way: Way::Both,
                kind: Kind::Attribute(Values::of::<BackupTransport>()),
            }],
        };
        &DESCRIPTION
    }
}

/// The attribute `transport`, which is always written.
impl Content for BackupTransport {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(node.attr_opt("transport")?.unwrap_or(Self::Tcp))
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("transport", self);
    }

    fn children(&self, _: &mut Writer) {}
}

/// `<server>`: the NBD server from which clients fetch the data.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct BackupServer {
    /// How clients connect to the server: TCP, a socket or passed descriptors.
    #[xml(flat)]
    pub transport: BackupTransport,
    /// Whether the connection is encrypted by TLS with the driver's credentials.
    #[xml(attr)]
    pub tls: Option<YesNo>,
    /// Host name or IP address to listen on; with TCP only.
    #[xml(attr)]
    pub name: Option<Text>,
    /// TCP port to listen on, 1 to 65535; with TCP only.
    #[xml(attr, absent = "the driver's choice")]
    pub port: Option<u16>,
    /// Absolute path of the socket to listen on; with `unix` only.
    #[xml(attr, told = "an absolute path")]
    pub socket: Option<Text>,
    /// Name of a group of file descriptors that the client has passed.
    #[xml(attr)]
    pub fdgroup: Option<Text>,
}

impl BackupServer {
    /// Reads the element, and checks that it has what its transport needs and nothing else.
    pub(super) fn read(node: Node<'_>) -> Result<Self> {
        let wanted = match BackupTransport::parse(node)? {
            BackupTransport::Tcp => "name",
            BackupTransport::Unix => "socket",
            BackupTransport::Fd => "fdgroup",
        };
        if node.attr(wanted).is_none() {
            return Err(node.missing_attr(wanted));
        }
        for other in ["name", "port", "socket", "fdgroup"] {
            let fits = other == wanted || (wanted, other) == ("name", "port");
            if !fits && node.attr(other).is_some() {
                return Err(node.attr_error(
                    other,
                    ErrorKind::Invalid,
                    format!("'{other}' does not go with '{wanted}'"),
                ));
            }
        }
        if let Some(socket) = node.attr("socket").filter(|path| !path.starts_with('/')) {
            return Err(node.bad_attr("socket", socket, "an absolute path"));
        }
        Self::parse(node)
    }
}
