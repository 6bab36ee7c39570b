//! Settings of SPICE.

use virtbus_xml::{Describe, OnOff, Rare, Text, Xml, YesNo, xml_names};

use super::GraphicsAuth;
use crate::domain::devices::chardev::MouseMode;

xml_names! {
    /// A channel of SPICE.
    pub enum SpiceChannelName {
        Main = "main",
        Display = "display",
        Inputs = "inputs",
        Cursor = "cursor",
        Playback = "playback",
        Record = "record",
        Smartcard = "smartcard",
        Usbredir = "usbredir",
    }
}

xml_names! {
    /// Whether a channel is encrypted.
    pub enum SpiceChannelMode {
        Any = "any",
        Secure = "secure",
        Insecure = "insecure",
    }
}

/// `<channel>`: whether one channel of a SPICE display is encrypted.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpiceChannel {
    /// Name of the channel, such as `main` or `display`.
    #[xml(attr)]
    pub name: SpiceChannelName,
    /// Which connections the channel accepts: `secure` (TLS), `insecure` or `any`.
    #[xml(attr)]
    pub mode: SpiceChannelMode,
}

xml_names! {
    /// Compression of images.
    pub enum ImageCompression {
        AutoGlz = "auto_glz",
        AutoLz = "auto_lz",
        Quic = "quic",
        Glz = "glz",
        Lz = "lz",
        Off = "off",
    }
}

xml_names! {
    /// Whether to compress with loss, or with zlib.
    pub enum AutoCompression {
        Auto = "auto",
        Never = "never",
        Always = "always",
    }
}

xml_names! {
    /// Which parts of the screen are sent as a video.
    pub enum StreamingMode {
        Filter = "filter",
        All = "all",
        Off = "off",
    }
}

/// `<gl>`: OpenGL rendering with the host's graphics card.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Gl {
    /// Whether OpenGL rendering is used.
    #[xml(attr)]
    pub enable: Option<YesNo>,
    /// Path of the host's render device, such as `/dev/dri/renderD128`; chosen by the driver if absent.
    #[xml(attr)]
    pub rendernode: Option<Text>,
}

/// Children of a SPICE display that come after its channels.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SpiceOptions {
    /// Compression of images: `auto_glz`, `auto_lz`, `quic`, `glz`, `lz` or `off`.
    #[xml(child_attr = "image/compression")]
    pub image: Option<ImageCompression>,
    /// Lossy (JPEG) compression of images over slow connections: `auto`, `never` or `always`.
    #[xml(child_attr = "jpeg/compression")]
    pub jpeg: Option<AutoCompression>,
    /// Additional zlib compression of glz images over slow connections: `auto`, `never` or `always`.
    #[xml(child_attr = "zlib/compression")]
    pub zlib: Option<AutoCompression>,
    /// Whether sound is compressed; `on` if absent.
    #[xml(child_attr = "playback/compression")]
    pub playback: Option<OnOff>,
    /// Which parts of the screen are sent as video: `filter` (those that change often), `all` or `off`.
    #[xml(child_attr = "streaming/mode")]
    pub streaming: Option<StreamingMode>,
    /// Who draws the mouse pointer: `server` or `client`; the hypervisor decides if absent.
    #[xml(child_attr = "mouse/mode")]
    pub mouse: Option<MouseMode>,
    /// Whether the clipboard is shared between guest and client; `yes` if absent.
    #[xml(child_attr = "clipboard/copypaste")]
    pub clipboard: Option<YesNo>,
    /// Whether clients may send files to the guest; `yes` if absent.
    #[xml(child_attr = "filetransfer/enable")]
    pub filetransfer: Option<YesNo>,
    /// Rendering with the host's graphics card.
    #[xml(child, skip_empty)]
    pub gl: Option<Gl>,
}

/// `type='spice'`: a display that SPICE clients connect to.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Spice {
    /// TCP port for unencrypted connections; -1 is the old form of `autoport='yes'`.
    #[xml(attr)]
    pub port: Option<i32>,
    /// TCP port for encrypted connections; -1 is the old form of `autoport='yes'`.
    #[xml(attr = "tlsPort")]
    pub tls_port: Option<i32>,
    /// Whether the driver chooses the ports at start.
    #[xml(attr, absent = "no")]
    pub autoport: Option<YesNo>,
    /// Keyboard layout, such as `de`; the guest's own if absent.
    #[xml(attr)]
    pub keymap: Option<Text>,
    /// Which connections channels that are not listed accept: `secure`, `insecure` or `any`.
    #[xml(attr = "defaultMode", conditional, absent = "any")]
    pub default_mode: Option<SpiceChannelMode>,
    /// Password that clients must give.
    #[xml(flat)]
    pub auth: Rare<GraphicsAuth>,
    /// Which connections single channels accept.
    #[xml(child)]
    pub channel: Vec<SpiceChannel>,
    /// Compression, mouse, clipboard, file transfer and rendering.
    #[xml(flat)]
    pub options: SpiceOptions,
}
