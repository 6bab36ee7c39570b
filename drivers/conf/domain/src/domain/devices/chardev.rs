//! Character devices: serial and parallel ports, consoles, channels, and the sources that they share with
//! smart cards, redirected devices and random number generators.

use virtbus_conf_base::common::{DeviceLabel, DeviceLabels};
use virtbus_conf_storage::storage::Reconnect;
use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, OnOff, Rare, Result, Text, Writer, Xml, YesNo,
    xml_names,
};

use super::info::DeviceInfo;

xml_names! {
    /// The name of a kind of source.
    pub enum ChardevType {
        Null = "null",
        Vc = "vc",
        Pty = "pty",
        Dev = "dev",
        File = "file",
        Pipe = "pipe",
        Stdio = "stdio",
        Udp = "udp",
        Tcp = "tcp",
        Unix = "unix",
        Spicevmc = "spicevmc",
        Spiceport = "spiceport",
        Nmdm = "nmdm",
        QemuVdagent = "qemu-vdagent",
        Dbus = "dbus",
    }
}

xml_names! {
    /// Which end opens a connection.
    pub enum ChardevMode {
        Connect = "connect",
        Bind = "bind",
    }
}

xml_names! {
    /// What is spoken on a TCP connection.
    pub enum ChardevProtocol {
        Raw = "raw",
        Telnet = "telnet",
        Telnets = "telnets",
        Tls = "tls",
    }
}

xml_names! {
    /// Who draws the mouse pointer.
    pub enum MouseMode {
        Server = "server",
        Client = "client",
    }
}

/// A file, device or pipe of the host.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct PathSource {
    /// Absolute path of the file, device or pipe; of a pseudo terminal only while the guest runs.
    #[xml(attr, wrap = "source")]
    pub path: Option<Text>,
    /// Whether a file is continued when the guest starts (`on`) or emptied (`off`, the default).
    #[xml(attr, wrap = "source")]
    pub append: Option<OnOff>,
    /// Security labels of the file, instead of the guest's.
    #[xml(child, wrap = "source")]
    pub seclabel: Rare<Vec<DeviceLabel>>,
}

/// A UDP socket: where data is sent, and where it is received.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
#[xml(more(attr = "mode", wrap = "source", value = ChardevMode, optional, doc = "Whether this element has the remote end (`connect`) or the local end (`bind`); at most one of each."))]
pub struct UdpSource {
    /// Host name or address that data is sent to.
    #[xml(attr = "host", wrap = "source")]
    pub connect_host: Option<Text>,
    /// Port number or service name that data is sent to.
    #[xml(attr = "service", wrap = "source")]
    pub connect_service: Option<Text>,
    /// Local address that data is received on.
    #[xml(attr = "host", wrap = "source")]
    pub bind_host: Option<Text>,
    /// Local port number or service name that data is received on.
    #[xml(attr = "service", wrap = "source")]
    pub bind_service: Option<Text>,
}

/// A TCP socket: data goes over one connection.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct TcpSource {
    /// Which end opens the connection: `connect` the hypervisor, `bind` waits for a client.
    #[xml(attr, wrap = "source", absent = "connect")]
    pub mode: Option<ChardevMode>,
    /// Host name or address to connect to or to listen on.
    #[xml(attr, wrap = "source")]
    pub host: Option<Text>,
    /// Port number or service name to connect to or to listen on.
    #[xml(attr, wrap = "source")]
    pub service: Option<Text>,
    /// Whether the connection is encrypted by TLS; the driver's configuration decides if absent.
    #[xml(attr, wrap = "source")]
    pub tls: Option<YesNo>,
    /// 1 if `tls` was set from the driver's configuration, else 0; status only.
    #[xml(attr = "tlsFromConfig", wrap = "source")]
    pub tls_from_config: Option<u32>,
    /// Whether the hypervisor connects again after the connection is lost.
    #[xml(child, wrap = "source")]
    pub reconnect: Option<Reconnect>,
    /// What is spoken.
    #[xml(skip)]
    pub protocol: Option<ChardevProtocol>,
}

/// A UNIX socket in the host's file system.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct UnixSource {
    /// Which end opens the connection: `connect` the hypervisor, `bind` waits for a client.
    #[xml(attr, wrap = "source", absent = "connect")]
    pub mode: Option<ChardevMode>,
    /// Absolute path of the socket.
    #[xml(attr, wrap = "source", absent = "the driver's choice")]
    pub path: Option<Text>,
    /// Whether the hypervisor connects again after the connection is lost.
    #[xml(child, wrap = "source")]
    pub reconnect: Option<Reconnect>,
    /// Security labels of the socket, instead of the guest's.
    #[xml(child, wrap = "source")]
    pub seclabel: Rare<Vec<DeviceLabel>>,
}

/// What a character device is connected to on the host.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum ChardevSource {
    /// Nothing: output is discarded, and there is no input.
    #[xml("null")]
    Null,
    /// A text console in the hypervisor's own window.
    #[xml("vc")]
    Vc,
    /// A new pseudo terminal of the host.
    #[xml("pty", default)]
    Pty(PathSource),
    /// A character device of the host.
    #[xml("dev")]
    Dev(PathSource),
    /// A file that output is written to; there is no input.
    #[xml("file")]
    File(PathSource),
    /// A named pipe of the host, or a pair of them.
    #[xml("pipe")]
    Pipe(PathSource),
    /// Standard input and output of the hypervisor.
    #[xml("stdio")]
    Stdio,
    /// A UDP socket of the host.
    #[xml("udp")]
    Udp(Box<UdpSource>),
    /// A TCP socket of the host.
    #[xml("tcp")]
    Tcp(Box<TcpSource>),
    /// A UNIX socket in the host's file system.
    #[xml("unix")]
    Unix(UnixSource),
    /// The agent channel of a SPICE client.
    #[xml("spicevmc")]
    Spicevmc,
    /// A named channel of a SPICE client.
    #[xml("spiceport")]
    Spiceport {
        /// Name of the SPICE channel.
        #[xml(attr, wrap = "source")]
        channel: Option<Text>,
    },
    /// A null modem device of FreeBSD.
    #[xml("nmdm")]
    Nmdm {
        /// Path of the guest's end of the null modem.
        #[xml(attr, wrap = "source")]
        master: Option<Text>,
        /// Path of the host's end of the null modem.
        #[xml(attr, wrap = "source")]
        slave: Option<Text>,
    },
    /// QEMU's built-in implementation of the SPICE agent.
    #[xml("qemu-vdagent")]
    QemuVdagent {
        /// Whether the clipboard is shared between guest and client.
        #[xml(child_attr = "clipboard/copypaste", wrap = "source")]
        clipboard: Option<YesNo>,
        /// Who draws the mouse pointer: `client` or `server`.
        #[xml(child_attr = "mouse/mode", wrap = "source")]
        mouse: Option<MouseMode>,
    },
    /// A named channel of the D-Bus display.
    #[xml("dbus")]
    Dbus {
        /// Name of the D-Bus channel.
        #[xml(attr, wrap = "source")]
        channel: Option<Text>,
    },
}

impl ChardevSource {
    /// The kind.
    pub fn kind(&self) -> ChardevType {
        match self {
            Self::Null => ChardevType::Null,
            Self::Vc => ChardevType::Vc,
            Self::Pty(_) => ChardevType::Pty,
            Self::Dev(_) => ChardevType::Dev,
            Self::File(_) => ChardevType::File,
            Self::Pipe(_) => ChardevType::Pipe,
            Self::Stdio => ChardevType::Stdio,
            Self::Udp(_) => ChardevType::Udp,
            Self::Tcp(_) => ChardevType::Tcp,
            Self::Unix(_) => ChardevType::Unix,
            Self::Spicevmc => ChardevType::Spicevmc,
            Self::Spiceport { .. } => ChardevType::Spiceport,
            Self::Nmdm { .. } => ChardevType::Nmdm,
            Self::QemuVdagent { .. } => ChardevType::QemuVdagent,
            Self::Dbus { .. } => ChardevType::Dbus,
        }
    }

    /// Path of a file, device, pipe, terminal or socket.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Pty(s) | Self::Dev(s) | Self::File(s) | Self::Pipe(s) => s.path.as_deref(),
            Self::Unix(s) => s.path.as_deref(),
            _ => None,
        }
    }
}

/// `<log>`: a file that gets a copy of the guest's output.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ChardevLog {
    /// Absolute path of the log file.
    #[xml(attr)]
    pub file: Text,
    /// Whether the log is continued when the guest starts (`on`) or emptied (`off`).
    #[xml(attr)]
    pub append: Option<OnOff>,
}

/// What a character device is connected to on the host: `type=`, `<source>`, `<protocol>` and `<log>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(child_attr = "protocol/type", value = ChardevProtocol, optional, doc = "Protocol on a TCP connection: `raw` or `telnet`, `telnets`, `tls`; read for other sources, and not written."))]
pub struct Chardev {
    /// What the device is connected to on the host.
    #[xml(flat)]
    pub source: ChardevSource,
    /// File that gets a copy of the guest's output.
    #[xml(child)]
    pub log: Option<Box<ChardevLog>>,
}

impl Chardev {
    /// A device with this other end and no log.
    pub fn new(source: ChardevSource) -> Self {
        Self { source, log: None }
    }
}

/// What a `<source>` may say whatever its kind is, and has no meaning for most.
const SOURCE_ATTRIBUTES: [&str; 9] = [
    "mode", "path", "host", "service", "channel", "master", "slave", "append", "tls",
];

/// At most one `<source>`.
fn only_source<'d>(sources: &[Node<'d>], node: Node<'d>) -> Result<Node<'d>> {
    match sources {
        [] => Ok(node.absent_child("source")),
        [one] => Ok(*one),
        [_, second, ..] => {
            Err(second.error(ErrorKind::Invalid, "only one source may be given here"))
        }
    }
}

fn parse_path(node: Node<'_>) -> Result<PathSource> {
    Ok(PathSource {
        path: node.attr_opt("path")?,
        append: node.attr_opt("append")?,
        seclabel: Rare::new(DeviceLabels::parse(node)?.0),
    })
}

fn parse_udp(sources: &[Node<'_>]) -> Result<UdpSource> {
    let mut udp = UdpSource::default();
    let (mut connect, mut bind) = (false, false);
    for source in sources {
        let mode = source.attr_opt("mode")?.unwrap_or(ChardevMode::Connect);
        let (seen, host, service) = match mode {
            ChardevMode::Connect => (
                &mut connect,
                &mut udp.connect_host,
                &mut udp.connect_service,
            ),
            ChardevMode::Bind => (&mut bind, &mut udp.bind_host, &mut udp.bind_service),
        };
        if std::mem::replace(seen, true) {
            return Err(source.error(
                ErrorKind::Invalid,
                format!("a source with mode '{mode}' is given twice"),
            ));
        }
        *host = source.attr_opt("host")?;
        *service = source.attr_opt("service")?;
    }
    Ok(udp)
}

impl Content for Chardev {
    fn parse(node: Node<'_>) -> Result<Self> {
        let kind = node.attr_opt("type")?.unwrap_or(ChardevType::Pty);
        let sources: Vec<Node<'_>> = node.children("source").collect();
        // Only TCP has a choice, but clients give one to others as well.
        let protocol = node.child_or_absent("protocol").attr_opt("type")?;
        for source in &sources {
            for name in SOURCE_ATTRIBUTES {
                source.attr(name);
            }
        }
        if kind == ChardevType::Udp {
            let source = ChardevSource::Udp(Box::new(parse_udp(&sources)?));
            return Ok(Self {
                source,
                log: node.child_opt("log")?,
            });
        }
        let from = only_source(&sources, node)?;
        let source = match kind {
            ChardevType::Null => ChardevSource::Null,
            ChardevType::Vc => ChardevSource::Vc,
            ChardevType::Pty => ChardevSource::Pty(parse_path(from)?),
            ChardevType::Dev => ChardevSource::Dev(parse_path(from)?),
            ChardevType::File => ChardevSource::File(parse_path(from)?),
            ChardevType::Pipe => ChardevSource::Pipe(parse_path(from)?),
            ChardevType::Stdio => ChardevSource::Stdio,
            ChardevType::Udp => ChardevSource::Udp(Box::default()),
            ChardevType::Tcp => ChardevSource::Tcp(Box::new(TcpSource {
                mode: from.attr_opt("mode")?,
                host: from.attr_opt("host")?,
                service: from.attr_opt("service")?,
                tls: from.attr_opt("tls")?,
                tls_from_config: from.attr_opt("tlsFromConfig")?,
                reconnect: from.child_filled("reconnect")?,
                protocol,
            })),
            ChardevType::Unix => ChardevSource::Unix(UnixSource {
                mode: from.attr_opt("mode")?,
                path: from.attr_opt("path")?,
                reconnect: from.child_filled("reconnect")?,
                seclabel: Rare::new(DeviceLabels::parse(from)?.0),
            }),
            ChardevType::Spicevmc => ChardevSource::Spicevmc,
            ChardevType::Spiceport => ChardevSource::Spiceport {
                channel: from.attr_opt("channel")?,
            },
            ChardevType::Nmdm => ChardevSource::Nmdm {
                master: from.attr_opt("master")?,
                slave: from.attr_opt("slave")?,
            },
            ChardevType::QemuVdagent => ChardevSource::QemuVdagent {
                clipboard: from.child_attr_opt("clipboard", "copypaste")?,
                mouse: from.child_attr_opt("mouse", "mode")?,
            },
            ChardevType::Dbus => ChardevSource::Dbus {
                channel: from.attr_opt("channel")?,
            },
        };
        Ok(Self {
            source,
            log: node.child_opt("log")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("type", &self.source.kind());
    }

    fn children(&self, w: &mut Writer) {
        self.source.write(w);
        if let Some(log) = &self.log {
            w.element("log", log);
        }
    }
}

impl ChardevSource {
    fn write(&self, w: &mut Writer) {
        match self {
            Self::Null | Self::Vc | Self::Stdio | Self::Spicevmc => {}
            Self::Pty(pty) => {
                if pty.path.is_some() && !w.flags().contains(Flags::INACTIVE) {
                    write_path(pty, w);
                }
            }
            Self::Dev(source) | Self::File(source) | Self::Pipe(source) => write_path(source, w),
            Self::Udp(udp) => udp.write(w),
            Self::Tcp(tcp) => tcp.write(w),
            Self::Unix(unix) => unix.write(w),
            Self::Spiceport { channel } | Self::Dbus { channel } => {
                if let Some(channel) = channel {
                    w.attr_element("source", "channel", channel);
                }
            }
            Self::Nmdm { master, slave } => {
                w.begin("source");
                w.attr_opt("master", master);
                w.attr_opt("slave", slave);
                w.end("source");
            }
            Self::QemuVdagent { clipboard, mouse } => {
                if clipboard.is_none() && mouse.is_none() {
                    return;
                }
                w.begin("source");
                if let Some(clipboard) = clipboard {
                    w.attr_element("clipboard", "copypaste", clipboard);
                }
                if let Some(mouse) = mouse {
                    w.attr_element("mouse", "mode", mouse);
                }
                w.end("source");
            }
        }
    }
}

fn write_path(source: &PathSource, w: &mut Writer) {
    let labelled = DeviceLabel::any_visible(&source.seclabel, w.flags());
    if source.path.is_none() && source.append.is_none() && !labelled {
        return;
    }
    w.begin("source");
    w.attr_opt("path", &source.path);
    w.attr_opt("append", &source.append);
    DeviceLabel::write_all(&source.seclabel, w);
    w.end("source");
}

impl UdpSource {
    fn write(&self, w: &mut Writer) {
        for (mode, host, service) in [
            (ChardevMode::Bind, &self.bind_host, &self.bind_service),
            (
                ChardevMode::Connect,
                &self.connect_host,
                &self.connect_service,
            ),
        ] {
            if host.is_some() || service.is_some() {
                w.begin("source");
                w.attr("mode", &mode);
                w.attr_opt("host", host);
                w.attr_opt("service", service);
                w.end("source");
            }
        }
    }
}

impl TcpSource {
    fn write(&self, w: &mut Writer) {
        let flags = w.flags();
        w.begin("source");
        w.attr_opt("mode", &self.mode);
        w.attr_opt("host", &self.host);
        w.attr_opt("service", &self.service);
        if !(flags.contains(Flags::MIGRATABLE)
            && self.tls_from_config.is_some_and(|from| from != 0))
        {
            w.attr_opt("tls", &self.tls);
        }
        if flags.contains(Flags::STATUS) {
            w.attr("tlsFromConfig", &self.tls_from_config.unwrap_or(0));
        }
        if let Some(reconnect) = &self.reconnect {
            w.element_unless_empty("reconnect", reconnect);
        }
        w.end("source");
        if let Some(protocol) = &self.protocol {
            w.attr_element("protocol", "type", protocol);
        }
    }
}

impl UnixSource {
    fn write(&self, w: &mut Writer) {
        let labelled = DeviceLabel::any_visible(&self.seclabel, w.flags());
        let bare = self.mode.is_none() && self.reconnect.is_none() && !labelled;
        if self.path.is_none() && bare {
            return;
        }
        w.begin("source");
        w.attr_opt("mode", &self.mode);
        w.attr_opt("path", &self.path);
        DeviceLabel::write_all(&self.seclabel, w);
        if let Some(reconnect) = &self.reconnect {
            w.element_unless_empty("reconnect", reconnect);
        }
        w.end("source");
    }
}

xml_names! {
    /// What a serial port is attached to.
    pub enum SerialTargetType {
        IsaSerial = "isa-serial",
        UsbSerial = "usb-serial",
        PciSerial = "pci-serial",
        SpaprVioSerial = "spapr-vio-serial",
        SystemSerial = "system-serial",
        SclpSerial = "sclp-serial",
        IsaDebug = "isa-debug",
    }
}

xml_names! {
    /// The device that plays a serial port.
    pub enum SerialTargetModel {
        IsaSerial = "isa-serial",
        UsbSerial = "usb-serial",
        PciSerial = "pci-serial",
        SpaprVty = "spapr-vty",
        Pl011 = "pl011",
        SclpConsole = "sclpconsole",
        SclplmConsole = "sclplmconsole",
        Uart16550a = "16550a",
        IsaDebugcon = "isa-debugcon",
    }
}

/// `<target>`: what the guest sees of a serial port.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SerialTarget {
    /// Bus or kind of the serial port, such as `isa-serial` or `usb-serial`.
    #[xml(attr = "type")]
    pub kind: Option<SerialTargetType>,
    /// Number of the port, from 0; absent means that the driver chooses.
    #[xml(attr)]
    pub port: Option<u32>,
    /// Device model that implements the port; chosen by type if absent.
    #[xml(child_attr = "model/name")]
    pub model: Option<SerialTargetModel>,
}

/// `<serial>`: a serial port of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Serial {
    /// What the port is connected to on the host.
    #[xml(flat)]
    pub chardev: Chardev,
    /// Kind and number of the port in the guest.
    #[xml(child, skip_empty)]
    pub target: Option<SerialTarget>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// `<target>`: what the guest sees of a parallel port.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParallelTarget {
    /// Number of the port, from 0; absent means that the driver chooses.
    #[xml(attr)]
    pub port: Option<u32>,
}

/// `<parallel>`: a parallel port of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Parallel {
    /// What the port is connected to on the host.
    #[xml(flat)]
    pub chardev: Chardev,
    /// Number of the port in the guest.
    #[xml(child, skip_empty)]
    pub target: Option<ParallelTarget>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

xml_names! {
    /// What a console is.
    pub enum ConsoleTargetType {
        Serial = "serial",
        Xen = "xen",
        Uml = "uml",
        Virtio = "virtio",
        Lxc = "lxc",
        Openvz = "openvz",
        Sclp = "sclp",
        Sclplm = "sclplm",
    }
}

/// `<target>`: what the guest sees of a console.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConsoleTarget {
    /// Kind of console, such as `serial` (the first serial port), `virtio` or `sclp`.
    #[xml(attr = "type")]
    pub kind: Option<ConsoleTargetType>,
    /// Number of the console, from 0; absent means that the driver chooses.
    #[xml(attr)]
    pub port: Option<u32>,
}

/// `<console>`: a text console of the guest; the first one may be the same device as the first serial port.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "tty", value = Text, optional, doc = "Path of the pseudo terminal, for older clients."))]
pub struct Console {
    /// What the console is connected to on the host.
    #[xml(flat)]
    pub chardev: Chardev,
    /// Kind and number of the console in the guest.
    #[xml(child)]
    pub target: Option<ConsoleTarget>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

impl Content for Console {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut chardev = Chardev::parse(node)?;
        // Very old clients look for the terminal here.
        let tty = node.attr_opt("tty")?;
        if let ChardevSource::Pty(pty) = &mut chardev.source {
            pty.path = pty.path.take().or(tty);
        }
        Ok(Self {
            chardev,
            target: node.child_filled("target")?,
            info: Rare::parse(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        self.chardev.attrs(w);
        let first = self.target.and_then(|t| t.port).unwrap_or(0) == 0;
        if let ChardevSource::Pty(PathSource {
            path: Some(path), ..
        }) = &self.chardev.source
            && first
            && !w.flags().contains(Flags::INACTIVE)
        {
            w.attr_str("tty", path);
        }
    }

    fn children(&self, w: &mut Writer) {
        self.chardev.children(w);
        if let Some(target) = &self.target {
            w.element_unless_empty("target", target);
        }
        self.info.children(w);
    }
}

/// A TCP port of the guest's user network that is forwarded to the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct GuestFwdTarget {
    /// Address in the guest's network that the guest connects to.
    #[xml(attr)]
    pub address: virtbus_conf_base::common::Ip,
    /// TCP port that the guest connects to.
    #[xml(attr)]
    pub port: u16,
}

xml_names! {
    /// Whether a program in the guest has opened a channel.
    pub enum ChannelState {
        Connected = "connected",
        Disconnected = "disconnected",
    }
}

/// A port of a virtio serial device.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtioTarget {
    /// Name that the guest finds the port by, such as `org.qemu.guest_agent.0`.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Whether a program in the guest has opened the port; running guests only.
    #[xml(attr, when = target_live)]
    pub state: Option<ChannelState>,
}

fn target_live(_: &VirtioTarget, flags: Flags) -> bool {
    !flags.contains(Flags::INACTIVE)
}

/// A channel of a Xen guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct XenTarget {
    /// Name that the guest finds the channel by.
    #[xml(attr)]
    pub name: Option<Text>,
}

/// `<target>`: the guest's end of a channel.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum ChannelTarget {
    /// A TCP port of the guest's user network.
    #[xml("guestfwd")]
    GuestFwd(GuestFwdTarget),
    /// A port of a virtio serial device.
    #[xml("virtio")]
    Virtio(VirtioTarget),
    /// A channel of a Xen guest.
    #[xml("xen")]
    Xen(XenTarget),
}

/// `<channel>`: a private connection between guest and host, such as that of the guest agent.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What the channel is connected to on the host.
    #[xml(flat)]
    pub chardev: Chardev,
    /// What the guest sees of the channel.
    #[xml(child)]
    pub target: ChannelTarget,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtbus_xml::Document;

    #[test]
    fn a_source_may_say_what_other_kinds_have() {
        let xml = "<backend type='unix'><source path='/run/egd' host='h' service='1' colour='red'/></backend>";
        let document = Document::parse(xml).unwrap();
        let chardev = document.read::<Chardev>("backend").unwrap();
        assert_eq!(chardev.source.path(), Some("/run/egd"));
        let left = document.leftovers(9);
        let left: Vec<_> = left.iter().map(|it| it.attribute.as_deref()).collect();
        assert_eq!(left, [Some("colour")]);
    }
}
