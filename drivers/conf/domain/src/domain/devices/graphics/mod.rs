//! `<graphics>`: how to see the guest's screens.

mod listen;
mod spice;

use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, Nothing, Rare, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

pub use self::listen::{AddressListen, Listen, ListenType, NetworkListen, SocketListen};
pub use self::spice::{
    AutoCompression, Gl, ImageCompression, Spice, SpiceChannel, SpiceChannelMode, SpiceChannelName,
    SpiceOptions, StreamingMode,
};

xml_names! {
    /// The name of a kind of display.
    pub enum GraphicsType {
        Sdl = "sdl",
        Vnc = "vnc",
        Rdp = "rdp",
        Desktop = "desktop",
        Spice = "spice",
        EglHeadless = "egl-headless",
        Dbus = "dbus",
    }
}

xml_names! {
    /// What happens to a client whose password changes.
    pub enum ConnectedAction {
        Fail = "fail",
        Disconnect = "disconnect",
        Keep = "keep",
    }
}

/// Password of a display, with its period of validity.
#[derive(Describe, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphicsAuth {
    /// Password that clients must give; left out unless secure information is asked for.
    #[xml(attr)]
    pub passwd: Option<Text>,
    /// Time when the password expires, in UTC; never if absent.
    #[xml(attr = "passwdValidTo", told = "a time such as 2010-04-09T15:51:00")]
    pub valid_to: Option<Text>,
    /// What happens to connected clients when the password changes: `keep`, `disconnect` or `fail`.
    #[xml(attr)]
    pub connected: Option<ConnectedAction>,
}

impl Content for GraphicsAuth {
    fn parse(node: Node<'_>) -> Result<Self> {
        let valid_to = node.attr_opt::<Text>("passwdValidTo")?;
        if let Some(text) = valid_to.as_deref().filter(|t| !is_time(t)) {
            return Err(node.bad_attr("passwdValidTo", text, "a time such as 2010-04-09T15:51:00"));
        }
        let auth = Self {
            passwd: node.attr_opt("passwd")?,
            valid_to,
            connected: node.attr_opt("connected")?,
        };
        // Without a password there is nothing to say about it.
        Ok(if auth.passwd.is_some() {
            auth
        } else {
            Self::NOTHING
        })
    }

    fn attrs(&self, w: &mut Writer) {
        if self.passwd.is_none() {
            return;
        }
        if w.flags().contains(Flags::SECURE) {
            w.attr_opt("passwd", &self.passwd);
        }
        w.attr_opt("passwdValidTo", &self.valid_to);
        w.attr_opt("connected", &self.connected);
    }

    fn children(&self, _: &mut Writer) {}
}

/// Whether `text` looks like `2010-04-09T15:51:00`.
fn is_time(text: &str) -> bool {
    let pattern = b"0000-00-00T00:00:00";
    let plain = text.strip_suffix('Z').unwrap_or(text).as_bytes();
    plain.len() == pattern.len()
        && plain.iter().zip(pattern).all(|(c, p)| {
            if *p == b'0' {
                c.is_ascii_digit()
            } else {
                c == p
            }
        })
}

xml_names! {
    /// Who may share a VNC display.
    pub enum SharePolicy {
        AllowExclusive = "allow-exclusive",
        ForceShared = "force-shared",
        Ignore = "ignore",
    }
}

/// `type='vnc'`: a display that VNC clients connect to.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(attr = "socket", value = Text, optional, doc = "Path of the first `<listen>`'s socket, for older clients."))]
pub struct Vnc {
    /// TCP port, 5900 to 65535; -1 is the old form of `autoport='yes'`.
    #[xml(attr)]
    pub port: Option<i32>,
    /// Whether the driver chooses the port at start.
    #[xml(attr, absent = "no")]
    pub autoport: Option<YesNo>,
    /// TCP port for web sockets; -1 lets the driver choose at start.
    #[xml(attr)]
    pub websocket: Option<i32>,
    /// Whether the driver has chosen the web socket port; status only.
    #[xml(attr = "websocketGenerated", value = YesNo, optional)]
    pub websocket_generated: bool,
    /// Keyboard layout, such as `de`; the guest's own if absent.
    #[xml(attr)]
    pub keymap: Option<Text>,
    /// Who may connect at the same time: `allow-exclusive` (clients may ask for exclusive access), `force-shared`, or
    /// `ignore`.
    #[xml(attr = "sharePolicy")]
    pub share_policy: Option<SharePolicy>,
    /// Whether clients may shut down or reset the guest; `no` if absent.
    #[xml(attr = "powerControl")]
    pub power_control: Option<YesNo>,
    /// Password that clients must give.
    #[xml(flat)]
    pub auth: Rare<GraphicsAuth>,
    /// Number of the `<audio>` that clients hear.
    #[xml(child_attr = "audio/id")]
    pub audio: Option<u32>,
}

/// `type='sdl'`: a window on an X display of the host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Sdl {
    /// X display to open the window on, such as `:0.0`.
    #[xml(attr)]
    pub display: Option<Text>,
    /// Path of the X authority file.
    #[xml(attr)]
    pub xauth: Option<Text>,
    /// Whether the window fills the whole screen; `no` if absent.
    #[xml(attr)]
    pub fullscreen: Option<YesNo>,
    /// Whether the window uses OpenGL; `no` if absent.
    #[xml(child_attr = "gl/enable")]
    pub gl: Option<YesNo>,
}

/// `type='desktop'`: the window of VirtualBox or VMware on the host's desktop.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Desktop {
    /// X display to open the window on, such as `:0.0`.
    #[xml(attr)]
    pub display: Option<Text>,
    /// Whether the window fills the whole screen; `no` if absent.
    #[xml(attr)]
    pub fullscreen: Option<YesNo>,
}

/// `type='rdp'`: a display that RDP clients connect to.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Rdp {
    /// TCP port; 0 or -1 is the old form of `autoport='yes'`.
    #[xml(attr)]
    pub port: Option<i32>,
    /// Whether the driver chooses the port at start.
    #[xml(attr, conditional, absent = "no")]
    pub autoport: Option<YesNo>,
    /// Whether a new client replaces the one that is connected.
    #[xml(attr = "replaceUser", conditional, absent = "no")]
    pub replace_user: Option<YesNo>,
    /// Whether several clients may be connected at the same time.
    #[xml(attr = "multiUser", conditional, absent = "no")]
    pub multi_user: Option<YesNo>,
    /// User name that clients must give.
    #[xml(attr)]
    pub username: Option<Text>,
    /// Password that clients must give; left out unless secure information is asked for.
    #[xml(attr)]
    pub passwd: Option<Text>,
}

/// `type='egl-headless'`: OpenGL rendering for displays that cannot do it themselves.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct EglHeadless {
    /// Device of the host that renders.
    #[xml(child, skip_empty)]
    pub gl: Option<Gl>,
}

/// `type='dbus'`: a display that clients reach over D-Bus.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DbusDisplay {
    /// Whether clients connect directly, without a bus; `no` if absent.
    #[xml(attr)]
    pub p2p: Option<YesNo>,
    /// Address of the bus; one that the driver starts if absent.
    #[xml(attr)]
    pub address: Option<Text>,
    /// Rendering with the host's graphics card.
    #[xml(child, skip_empty)]
    pub gl: Option<Gl>,
    /// Number of the `<audio>` that clients hear.
    #[xml(child_attr = "audio/id")]
    pub audio: Option<u32>,
}

/// Type of the display, with its settings.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum GraphicsKind {
    /// A window on an X display of the host.
    #[xml("sdl")]
    Sdl(Box<Sdl>),
    /// A display that VNC clients connect to.
    #[xml("vnc")]
    Vnc(Vnc),
    /// A display that RDP clients connect to.
    #[xml("rdp")]
    Rdp(Box<Rdp>),
    /// A window of VirtualBox or VMware on the host's desktop.
    #[xml("desktop")]
    Desktop(Box<Desktop>),
    /// A display that SPICE clients connect to.
    #[xml("spice")]
    Spice(Box<Spice>),
    /// OpenGL rendering for other displays.
    #[xml("egl-headless")]
    EglHeadless(Box<EglHeadless>),
    /// A display that clients reach over D-Bus.
    #[xml("dbus")]
    Dbus(Box<DbusDisplay>),
}

impl GraphicsKind {
    /// The kind without its settings.
    pub fn kind(&self) -> GraphicsType {
        match self {
            Self::Sdl(_) => GraphicsType::Sdl,
            Self::Vnc(_) => GraphicsType::Vnc,
            Self::Rdp(_) => GraphicsType::Rdp,
            Self::Desktop(_) => GraphicsType::Desktop,
            Self::Spice(_) => GraphicsType::Spice,
            Self::EglHeadless(_) => GraphicsType::EglHeadless,
            Self::Dbus(_) => GraphicsType::Dbus,
        }
    }
}

/// `<graphics>`: a display of the guest, and how it can be reached.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "listen", value = Text, optional, doc = "Address of the first `<listen>`, for older clients."))]
pub struct Graphics {
    /// Type and settings of the display.
    #[xml(flat)]
    pub kind: GraphicsKind,
    /// Where VNC, SPICE and RDP listen. The first is also in attributes, for older clients.
    #[xml(child)]
    pub listen: Vec<Listen>,
}

impl Graphics {
    /// Whether it listens at all.
    pub fn is_server(&self) -> bool {
        matches!(
            self.kind,
            GraphicsKind::Vnc(_) | GraphicsKind::Spice(_) | GraphicsKind::Rdp(_)
        )
    }

    fn parse_listen(node: Node<'_>, kind: GraphicsType) -> Result<Vec<Listen>> {
        let mut listen: Vec<Listen> = node.child_vec("listen")?;
        let address = node.attr_opt::<Text>("listen")?.filter(|a| !a.is_empty());
        let socket = node.attr_opt::<Text>("socket")?.filter(|s| !s.is_empty());
        if let Some(socket) = socket.filter(|_| kind == GraphicsType::Vnc) {
            if let Some(Listen::Socket(SocketListen {
                socket: Some(other),
                ..
            })) = listen.first()
                && *other != socket
            {
                return Err(mismatch(node, "socket"));
            }
            if let Some(Listen::Socket(first)) = listen.first_mut() {
                first.socket = Some(socket);
                return Ok(listen);
            }
            return Ok(vec![Listen::Socket(SocketListen {
                socket: Some(socket),
                ..SocketListen::default()
            })]);
        }
        match (listen.first_mut(), address) {
            (None, Some(address)) => {
                listen.push(Listen::Address(AddressListen {
                    address: Some(address),
                    from_config: false,
                }));
            }
            (Some(Listen::Address(first)), Some(address)) => match &first.address {
                Some(own) if *own != address => return Err(mismatch(node, "listen")),
                _ => first.address = Some(address),
            },
            _ => {}
        }
        Ok(listen)
    }

    pub(crate) fn ports_are_visible(&self) -> bool {
        !matches!(self.listen.first(), Some(Listen::None | Listen::Socket(_)))
    }

    /// The first address as an attribute, for old clients.
    fn write_listen_attr(&self, w: &mut Writer) {
        let flags = w.flags();
        let Some(first) = self.listen.first() else {
            return;
        };
        if flags.contains(Flags::MIGRATABLE) && first.is_from_config() {
            return;
        }
        if first.kind() == ListenType::Network
            && flags.intersects(Flags::INACTIVE | Flags::MIGRATABLE)
        {
            return;
        }
        if let Some(address) = first.address() {
            w.attr_str("listen", address);
        }
    }

    fn write_vnc(&self, vnc: &Vnc, w: &mut Writer) {
        let flags = w.flags();
        if let Some(Listen::Socket(first)) = self.listen.first() {
            let ours = first.auto_generated || first.from_config;
            if !(ours && flags.contains(Flags::MIGRATABLE)) {
                w.attr_opt("socket", &first.socket);
            }
        } else if self.ports_are_visible() {
            let auto = vnc.autoport == Some(YesNo::Yes);
            match vnc.port {
                Some(port) if port > 0 && !(auto && flags.contains(Flags::INACTIVE)) => {
                    w.attr("port", &port);
                }
                _ if auto => w.attr_str("port", "-1"),
                port => w.attr_opt("port", &port),
            }
            w.attr_opt("autoport", &vnc.autoport);
            if vnc.websocket_generated && flags.contains(Flags::INACTIVE) {
                w.attr_str("websocket", "-1");
            } else {
                w.attr_opt("websocket", &vnc.websocket);
            }
            if flags.contains(Flags::STATUS) {
                w.attr("websocketGenerated", &YesNo::from(vnc.websocket_generated));
            }
            self.write_listen_attr(w);
        }
        w.attr_opt("keymap", &vnc.keymap);
        w.attr_opt("sharePolicy", &vnc.share_policy);
        w.attr_opt("powerControl", &vnc.power_control);
        vnc.auth.attrs(w);
    }

    fn write_spice(&self, spice: &Spice, w: &mut Writer) {
        let migratable = w.flags().contains(Flags::MIGRATABLE);
        match self.listen.first() {
            Some(Listen::None) if migratable => w.attr_str("autoport", "no"),
            Some(Listen::Socket(first)) if migratable && first.from_config => {
                w.attr_str("autoport", "yes");
            }
            Some(Listen::None | Listen::Socket(_)) => {}
            _ => {
                w.attr_opt("port", &spice.port.filter(|p| *p != 0));
                w.attr_opt("tlsPort", &spice.tls_port.filter(|p| *p != 0));
                w.attr_opt("autoport", &spice.autoport);
                self.write_listen_attr(w);
            }
        }
        w.attr_opt("keymap", &spice.keymap);
        w.attr_opt(
            "defaultMode",
            &spice.default_mode.filter(|m| *m != SpiceChannelMode::Any),
        );
        spice.auth.attrs(w);
    }

    fn write_rdp(&self, rdp: &Rdp, w: &mut Writer) {
        let auto = rdp.autoport == Some(YesNo::Yes);
        match rdp.port.filter(|p| *p != 0) {
            Some(port) => w.attr("port", &port),
            None if auto => w.attr_str("port", "0"),
            None => {}
        }
        let when_yes = |w: &mut Writer, name: &str, value: Option<YesNo>| {
            if value == Some(YesNo::Yes) {
                w.attr_str(name, "yes");
            }
        };
        when_yes(w, "autoport", rdp.autoport);
        when_yes(w, "replaceUser", rdp.replace_user);
        when_yes(w, "multiUser", rdp.multi_user);
        self.write_listen_attr(w);
        w.attr_opt("username", &rdp.username);
        if w.flags().contains(Flags::SECURE) {
            w.attr_opt("passwd", &rdp.passwd);
        }
    }

    /// Older releases know some kinds of `<listen>` by attributes only.
    fn listen_is_visible(&self, listen: &Listen, flags: Flags) -> bool {
        if !flags.contains(Flags::MIGRATABLE) {
            return true;
        }
        match (&self.kind, listen) {
            _ if listen.is_from_config() => false,
            (GraphicsKind::Vnc(_), Listen::Socket(l)) => l.socket.is_none() || l.auto_generated,
            (GraphicsKind::Spice(_), Listen::None) => false,
            _ => true,
        }
    }
}

fn mismatch(node: Node<'_>, attribute: &str) -> virtbus_xml::XmlError {
    node.attr_error(
        attribute,
        ErrorKind::Invalid,
        "differs from the first <listen>",
    )
}

impl Content for Graphics {
    fn parse(node: Node<'_>) -> Result<Self> {
        let name: GraphicsType = node.attr_req("type")?;
        let kind = match name {
            GraphicsType::Sdl => GraphicsKind::Sdl(Content::parse(node)?),
            GraphicsType::Vnc => GraphicsKind::Vnc(Vnc {
                port: node.attr_opt("port")?,
                autoport: node.attr_opt("autoport")?,
                websocket: node.attr_opt("websocket")?,
                websocket_generated: node.attr_opt("websocketGenerated")? == Some(YesNo::Yes),
                keymap: node.attr_opt("keymap")?,
                share_policy: node.attr_opt("sharePolicy")?,
                power_control: node.attr_opt("powerControl")?,
                auth: Rare::parse(node)?,
                audio: node.child_attr_opt("audio", "id")?,
            }),
            GraphicsType::Rdp => GraphicsKind::Rdp(Box::new(Rdp {
                port: node.attr_opt("port")?,
                autoport: node.attr_opt("autoport")?,
                replace_user: node.attr_opt("replaceUser")?,
                multi_user: node.attr_opt("multiUser")?,
                username: node.attr_opt("username")?,
                passwd: node.attr_opt("passwd")?,
            })),
            GraphicsType::Desktop => GraphicsKind::Desktop(Content::parse(node)?),
            GraphicsType::Spice => GraphicsKind::Spice(Box::new(Spice {
                port: node.attr_opt("port")?,
                tls_port: node.attr_opt("tlsPort")?,
                autoport: node.attr_opt("autoport")?,
                keymap: node.attr_opt("keymap")?,
                default_mode: node.attr_opt("defaultMode")?,
                auth: Rare::parse(node)?,
                channel: node.child_vec("channel")?,
                options: SpiceOptions::parse(node)?,
            })),
            GraphicsType::EglHeadless => GraphicsKind::EglHeadless(Content::parse(node)?),
            GraphicsType::Dbus => GraphicsKind::Dbus(Content::parse(node)?),
        };
        let mut graphics = Self {
            kind,
            listen: Vec::new(),
        };
        if graphics.is_server() {
            graphics.listen = Self::parse_listen(node, name)?;
        }
        Ok(graphics)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.kind.kind());
        match &self.kind {
            GraphicsKind::Sdl(sdl) => sdl.attrs(w),
            GraphicsKind::Vnc(vnc) => self.write_vnc(vnc, w),
            GraphicsKind::Rdp(rdp) => self.write_rdp(rdp, w),
            GraphicsKind::Desktop(desktop) => desktop.attrs(w),
            GraphicsKind::Spice(spice) => self.write_spice(spice, w),
            GraphicsKind::EglHeadless(egl) => egl.attrs(w),
            GraphicsKind::Dbus(dbus) => dbus.attrs(w),
        }
    }

    fn children(&self, w: &mut Writer) {
        match &self.kind {
            GraphicsKind::Sdl(sdl) => sdl.children(w),
            GraphicsKind::EglHeadless(egl) => egl.children(w),
            GraphicsKind::Dbus(dbus) => dbus.children(w),
            _ => {}
        }
        let flags = w.flags();
        for listen in self
            .listen
            .iter()
            .filter(|l| self.listen_is_visible(l, flags))
        {
            w.element("listen", listen);
        }
        match &self.kind {
            GraphicsKind::Spice(spice) => {
                for channel in &spice.channel {
                    w.element("channel", channel);
                }
                spice.options.children(w);
            }
            GraphicsKind::Vnc(vnc) => {
                if let Some(id) = &vnc.audio {
                    w.attr_element("audio", "id", id);
                }
            }
            _ => {}
        }
    }
}
