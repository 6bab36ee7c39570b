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

/// `<sound>`: a sound card of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Device model, such as `ich9`, `usb` or `virtio`.
    #[xml(attr)]
    pub model: SoundModel,
    /// Whether a USB sound card has more than two channels; `no` if absent.
    #[xml(attr)]
    pub multichannel: Option<YesNo>,
    /// Number of streams of a virtio sound card.
    #[xml(attr)]
    pub streams: Option<u32>,
    /// Codecs of an `ich6` or `ich9` card: `duplex`, `micro` or `output`; `duplex` if absent.
    #[xml(child_attr = "codec/type")]
    pub codec: Vec<CodecType>,
    /// Number of the `<audio>` that the card plays on; the first if absent.
    #[xml(child_attr = "audio/id")]
    pub audio: Option<u32>,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// Options that all virtio devices have.
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

/// `<settings>`: fixed audio format, converted by the hypervisor if necessary.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioSettings {
    /// Sampling frequency in Hz.
    #[xml(attr)]
    pub frequency: Option<u32>,
    /// Number of channels, such as 2 for stereo.
    #[xml(attr)]
    pub channels: Option<u32>,
    /// Sample format: `s8`, `u8`, `s16`, `u16`, `s32`, `u32` or `f32`.
    #[xml(attr)]
    pub format: Option<AudioFormat>,
}

/// `<input>` or `<output>`: recording or playing. Which attributes apply depends on the type of the backend.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct AudioIo {
    /// Whether QEMU's mixing engine is used; `yes` if absent.
    #[xml(attr = "mixingEngine")]
    pub mixing_engine: Option<YesNo>,
    /// Whether the format in `<settings>` is used instead of that of the guest's card.
    #[xml(attr = "fixedSettings")]
    pub fixed_settings: Option<YesNo>,
    /// Number of streams at the same time.
    #[xml(attr)]
    pub voices: Option<u32>,
    /// Length of the buffer, in microseconds.
    #[xml(attr = "bufferLength")]
    pub buffer_length: Option<u32>,
    /// Path or name of the host's device; alsa and oss only.
    #[xml(attr)]
    pub dev: Option<Text>,
    /// Number of buffers; coreaudio, oss and sdl only.
    #[xml(attr = "bufferCount")]
    pub buffer_count: Option<u32>,
    /// Whether the device is polled; oss only.
    #[xml(attr = "tryPoll")]
    pub try_poll: Option<YesNo>,
    /// Name of the sink or source on the sound server; pulseaudio and pipewire only.
    #[xml(attr)]
    pub name: Option<Text>,
    /// Name of the stream on the sound server; pulseaudio and pipewire only.
    #[xml(attr = "streamName")]
    pub stream_name: Option<Text>,
    /// Desired latency in microseconds; pulseaudio and pipewire only.
    #[xml(attr)]
    pub latency: Option<u32>,
    /// Name of the sound server; jack only.
    #[xml(attr = "serverName")]
    pub server_name: Option<Text>,
    /// Name of the guest at the sound server; jack only.
    #[xml(attr = "clientName")]
    pub client_name: Option<Text>,
    /// Regular expression for the ports to connect to; jack only.
    #[xml(attr = "connectPorts")]
    pub connect_ports: Option<Text>,
    /// Whether opening fails if the name is already in use; jack only.
    #[xml(attr = "exactName")]
    pub exact_name: Option<YesNo>,
    /// Fixed audio format; requires `fixedSettings='yes'`.
    #[xml(flat)]
    pub settings: FixedSettings,
}

/// `<settings>`: present exactly if `fixedSettings` is `yes`.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[xml(more(attr = "fixedSettings", value = YesNo, optional, doc = "Whether the format in `<settings>` is used instead of that of the guest's card."))]
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

/// `<audio>`: where the guest's sound goes on the host. Which attributes apply depends on the type.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Number by which sound cards and displays refer to it, from 1.
    #[xml(attr)]
    pub id: u32,
    /// Audio backend of the host, such as `pipewire`, `alsa`, `spice` or `none`.
    #[xml(attr = "type")]
    pub kind: AudioType,
    /// Period of the hypervisor's audio timer, in microseconds; the hypervisor's default if absent.
    #[xml(attr = "timerPeriod")]
    pub timer_period: Option<u32>,
    /// Whether the device's buffer is mapped into memory; oss only.
    #[xml(attr = "tryMMap")]
    pub try_mmap: Option<YesNo>,
    /// Whether the device is opened exclusively; oss only.
    #[xml(attr)]
    pub exclusive: Option<YesNo>,
    /// Balance between latency and CPU load, -1 to 10: higher means more latency; oss only.
    #[xml(attr = "dspPolicy")]
    pub dsp_policy: Option<i32>,
    /// Absolute path of the folder with the server's socket; pipewire only.
    #[xml(attr = "runtimeDir")]
    pub runtime_dir: Option<Text>,
    /// Name of the sound server; pulseaudio only.
    #[xml(attr = "serverName")]
    pub server_name: Option<Text>,
    /// Audio driver of SDL, such as `alsa`; sdl only.
    #[xml(attr)]
    pub driver: Option<SdlAudioDriver>,
    /// Absolute path of the file that sound is written to; file only.
    #[xml(attr)]
    pub path: Option<Text>,
    /// Settings for recording from the host.
    #[xml(child, skip_empty)]
    pub input: Option<AudioIo>,
    /// Settings for playing on the host.
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
