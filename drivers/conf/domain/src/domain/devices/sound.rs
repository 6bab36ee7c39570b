//! `<sound>` and `<audio>`: sound cards, and where the sound goes.

use virtbus_xml::{Content, Describe, Node, Rare, Result, Text, Writer, Xml, YesNo, xml_names};

use super::info::{DeviceInfo, VirtioOptions};

xml_names! {
    /// Model of a sound card.
    pub enum SoundModel {
        Sb16 = "sb16",
        Es1370 = "es1370",
        Pcspk = "pcspk",
        Ac97 = "ac97",
        Ich6 = "ich6",
        Ich9 = "ich9",
        Usb = "usb",
        Ich7 = "ich7",
        Virtio = "virtio",
    }
}

xml_names! {
    /// What a sound card is connected to.
    pub enum CodecType {
        Duplex = "duplex",
        Micro = "micro",
        Output = "output",
    }
}

/// `<sound>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Model.
    #[xml(attr)]
    pub model: SoundModel,
    /// Whether a USB card has more than two channels.
    #[xml(attr)]
    pub multichannel: Option<YesNo>,
    /// Streams of a virtio card.
    #[xml(attr)]
    pub streams: Option<u32>,
    /// What it is connected to.
    #[xml(child_attr = "codec/type")]
    pub codec: Vec<CodecType>,
    /// The `<audio>` it plays on.
    #[xml(child_attr = "audio/id")]
    pub audio: Option<u32>,
    /// Alias, address.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Options of virtio.
    #[xml(child, skip_empty)]
    pub driver: Option<VirtioOptions>,
}

xml_names! {
    /// Where sound goes.
    pub enum AudioType {
        None = "none",
        Alsa = "alsa",
        Coreaudio = "coreaudio",
        Jack = "jack",
        Oss = "oss",
        Pulseaudio = "pulseaudio",
        Sdl = "sdl",
        Spice = "spice",
        File = "file",
        Dbus = "dbus",
        Pipewire = "pipewire",
    }
}

xml_names! {
    /// Where SDL's sound goes.
    pub enum SdlAudioDriver {
        Esd = "esd",
        Alsa = "alsa",
        Arts = "arts",
        Pulseaudio = "pulseaudio",
    }
}

xml_names! {
    /// Format of a sample.
    pub enum AudioFormat {
        S8 = "s8",
        U8 = "u8",
        S16 = "s16",
        U16 = "u16",
        S32 = "s32",
        U32 = "u32",
        F32 = "f32",
    }
}

/// `<settings>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioSettings {
    /// Samples per second.
    #[xml(attr)]
    pub frequency: Option<u32>,
    /// Channels.
    #[xml(attr)]
    pub channels: Option<u32>,
    /// Format.
    #[xml(attr)]
    pub format: Option<AudioFormat>,
}

/// `<input>` or `<output>`. Which of the later fields mean something depends on the kind.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct AudioIo {
    /// Whether QEMU mixes.
    #[xml(attr = "mixingEngine")]
    pub mixing_engine: Option<YesNo>,
    /// Whether the settings are fixed.
    #[xml(attr = "fixedSettings")]
    pub fixed_settings: Option<YesNo>,
    /// Streams at a time.
    #[xml(attr)]
    pub voices: Option<u32>,
    /// Length of the buffer in µs.
    #[xml(attr = "bufferLength")]
    pub buffer_length: Option<u32>,
    /// Device (alsa, oss).
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Buffers (coreaudio, oss, sdl).
    #[xml(attr = "bufferCount")]
    pub buffer_count: Option<u32>,
    /// Whether to poll (oss).
    #[xml(attr = "tryPoll")]
    pub try_poll: Option<YesNo>,
    /// Sink or source (pulseaudio, pipewire).
    #[xml(attr)]
    pub name: Option<Text>,
    /// Name of the stream (pulseaudio, pipewire).
    #[xml(attr = "streamName")]
    pub stream_name: Option<Text>,
    /// Latency in µs (pulseaudio, pipewire).
    #[xml(attr)]
    pub latency: Option<u32>,
    /// Server (jack).
    #[xml(attr = "serverName")]
    pub server_name: Option<Text>,
    /// Our name (jack).
    #[xml(attr = "clientName")]
    pub client_name: Option<Text>,
    /// Pattern of the ports (jack).
    #[xml(attr = "connectPorts")]
    pub connect_ports: Option<Text>,
    /// Whether our name must be free (jack).
    #[xml(attr = "exactName")]
    pub exact_name: Option<YesNo>,
    /// The settings.
    #[xml(flat)]
    pub settings: FixedSettings,
}

/// `<settings>`, which are there exactly if they are fixed.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[xml(more(attr = "fixedSettings", value = YesNo, optional, doc = "Whether the settings are fixed."))]
pub struct FixedSettings(#[xml(child = "settings")] pub Option<AudioSettings>);

impl Content for FixedSettings {
    fn parse(node: Node<'_>) -> Result<Self> {
        let settings = node.child_opt("settings")?;
        let fixed = node.attr_opt("fixedSettings")? == Some(YesNo::Yes);
        Ok(Self(fixed.then(|| settings.unwrap_or_default())))
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(settings) = &self.0 {
            w.element("settings", settings);
        }
    }
}

/// `<audio>`. Which of the later fields mean something depends on the kind.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// By which others name it, from 1.
    #[xml(attr)]
    pub id: u32,
    /// Where the sound goes.
    #[xml(attr = "type")]
    pub kind: AudioType,
    /// Period of the timer in µs.
    #[xml(attr = "timerPeriod")]
    pub timer_period: Option<u32>,
    /// Whether to map the device's buffer (oss).
    #[xml(attr = "tryMMap")]
    pub try_mmap: Option<YesNo>,
    /// Whether nobody else may use the device (oss).
    #[xml(attr)]
    pub exclusive: Option<YesNo>,
    /// Trade between latency and load, -1 to 10 (oss).
    #[xml(attr = "dspPolicy")]
    pub dsp_policy: Option<i32>,
    /// Folder of the server's socket (pipewire).
    #[xml(attr = "runtimeDir")]
    pub runtime_dir: Option<Text>,
    /// Server (pulseaudio).
    #[xml(attr = "serverName")]
    pub server_name: Option<Text>,
    /// Where SDL sends it (sdl).
    #[xml(attr)]
    pub driver: Option<SdlAudioDriver>,
    /// The file (file).
    #[xml(attr)]
    pub path: Option<Text>,
    /// Recording.
    #[xml(child, skip_empty)]
    pub input: Option<AudioIo>,
    /// Playing.
    #[xml(child, skip_empty)]
    pub output: Option<AudioIo>,
}

impl Audio {
    /// One of which nothing but number and kind is told.
    pub fn new(id: u32, kind: AudioType) -> Self {
        Self {
            id,
            kind,
            timer_period: None,
            try_mmap: None,
            exclusive: None,
            dsp_policy: None,
            runtime_dir: None,
            server_name: None,
            driver: None,
            path: None,
            input: None,
            output: None,
        }
    }
}
