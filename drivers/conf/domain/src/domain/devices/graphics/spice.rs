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

/// `<channel>` of a SPICE display.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpiceChannel {
    /// Which.
    #[xml(attr)]
    pub name: SpiceChannelName,
    /// Whether it is encrypted.
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

/// `<gl>`: rendering with the host's graphics card.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Gl {
    /// Whether to.
    #[xml(attr)]
    pub enable: Option<YesNo>,
    /// Device to render with.
    #[xml(attr)]
    pub rendernode: Option<Text>,
}

/// What stands in the element of a SPICE display after its channels.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SpiceOptions {
    /// Compression of images.
    #[xml(child_attr = "image/compression")]
    pub image: Option<ImageCompression>,
    /// Compression of images with loss.
    #[xml(child_attr = "jpeg/compression")]
    pub jpeg: Option<AutoCompression>,
    /// Compression of images again.
    #[xml(child_attr = "zlib/compression")]
    pub zlib: Option<AutoCompression>,
    /// Compression of sound.
    #[xml(child_attr = "playback/compression")]
    pub playback: Option<OnOff>,
    /// Parts sent as a video.
    #[xml(child_attr = "streaming/mode")]
    pub streaming: Option<StreamingMode>,
    /// Who draws the mouse pointer.
    #[xml(child_attr = "mouse/mode")]
    pub mouse: Option<MouseMode>,
    /// Whether the clipboard is shared.
    #[xml(child_attr = "clipboard/copypaste")]
    pub clipboard: Option<YesNo>,
    /// Whether clients may send files.
    #[xml(child_attr = "filetransfer/enable")]
    pub filetransfer: Option<YesNo>,
    /// Rendering.
    #[xml(child, skip_empty)]
    pub gl: Option<Gl>,
}

/// `type='spice'`.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Spice {
    /// Port; -1 is the old way to ask for any.
    #[xml(attr)]
    pub port: Option<i32>,
    /// Port for encrypted connections; -1 is the old way to ask for any.
    #[xml(attr = "tlsPort")]
    pub tls_port: Option<i32>,
    /// Whether the driver chooses the ports.
    #[xml(attr, absent = "no")]
    pub autoport: Option<YesNo>,
    /// Keyboard layout.
    #[xml(attr)]
    pub keymap: Option<Text>,
    /// Encryption of channels that are not listed.
    #[xml(attr = "defaultMode", conditional, absent = "any")]
    pub default_mode: Option<SpiceChannelMode>,
    /// Password.
    #[xml(flat)]
    pub auth: Rare<GraphicsAuth>,
    /// Encryption by channel.
    #[xml(child)]
    pub channel: Vec<SpiceChannel>,
    /// Everything else.
    #[xml(flat)]
    pub options: SpiceOptions,
}
