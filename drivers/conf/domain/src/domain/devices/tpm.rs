//! `<tpm>`: trusted platform modules.

use virtbus_conf_base::common::Uuid;
use virtbus_xml::{
    Content, Describe, ErrorKind, Node, Rare, Result, Text, Value, Writer, Xml, YesNo, xml_names,
};

use super::info::DeviceInfo;
use super::status::TpmStatus;

xml_names! {
    /// Model of the device.
    pub enum TpmModel {
        Tis = "tpm-tis",
        Crb = "tpm-crb",
        Spapr = "tpm-spapr",
        SpaprProxy = "spapr-tpm-proxy",
    }
}

xml_names! {
    /// Version of the specification.
    pub enum TpmVersion {
        V1_2 = "1.2",
        V2_0 = "2.0",
    }
}

xml_names! {
    /// A bank of platform configuration registers, by its hash.
    pub enum PcrBank {
        Sha1 = "sha1",
        Sha256 = "sha256",
        Sha384 = "sha384",
        Sha512 = "sha512",
    }
}

/// A trusted platform module of the host.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct TpmPassthrough {
    /// Absolute path of the host's device, such as `/dev/tpm0`.
    #[xml(child_attr = "device/path", absent = "the host's first module")]
    pub device: Option<Text>,
}

xml_names! {
    /// What the state is kept in.
    pub enum TpmStateKind {
        File = "file",
        Dir = "dir",
    }
}

/// `<source>`: where an emulated module keeps its state.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct TpmStateSource {
    /// What the state is kept in: `file` or `dir`.
    #[xml(attr = "type")]
    pub kind: TpmStateKind,
    /// Absolute path of the file or folder with the state.
    #[xml(attr)]
    pub path: Text,
}

xml_names! {
    /// What is taken out of a profile.
    pub enum ProfileRemoveDisabled {
        Check = "check",
        FipsHost = "fips-host",
    }
}

/// `<profile>`: which algorithms a new emulated module supports.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct TpmProfile {
    /// Name of the built-in or local profile that the module is created from.
    #[xml(attr)]
    pub source: Option<Text>,
    /// What happens to algorithms of the profile that the host's crypto library has disabled: `check` or `fips-host`
    /// removes them.
    #[xml(attr = "removeDisabled")]
    pub remove_disabled: Option<ProfileRemoveDisabled>,
    /// Name of the profile that the module was created with; written, not set.
    #[xml(attr)]
    pub name: Option<Text>,
}

/// A module that a program (swtpm) emulates.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct TpmEmulator {
    /// Version of the TPM specification: `1.2` or `2.0`.
    #[xml(attr)]
    pub version: Option<TpmVersion>,
    /// Whether the state is kept when a transient guest stops.
    #[xml(attr, conditional, absent = "no")]
    pub persistent_state: Option<YesNo>,
    /// Log level of the emulator; its default if absent.
    #[xml(attr)]
    pub debug: Option<u32>,
    /// UUID of the secret with which the state is encrypted.
    #[xml(child_attr = "encryption/secret")]
    pub encryption: Option<Uuid>,
    /// Hash banks that are activated at creation, such as `<sha256/>`; the emulator's default if absent.
    #[xml(named, wrap = "active_pcr_banks", many, value = PcrBank)]
    pub active_pcr_banks: Vec<PcrBank>,
    /// Where the state is kept; chosen by the driver if absent.
    #[xml(child)]
    pub source: Option<TpmStateSource>,
    /// Algorithms that a new module supports.
    #[xml(child)]
    pub profile: Option<TpmProfile>,
}

impl Content for TpmEmulator {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut active_pcr_banks = Vec::new();
        for bank in node.child_or_absent("active_pcr_banks").elements() {
            if let Some(name) = PcrBank::from_text(bank.name()) {
                bank.take();
                active_pcr_banks.push(name);
            }
        }
        active_pcr_banks.sort_unstable();
        active_pcr_banks.dedup();
        Ok(Self {
            version: node.attr_opt("version")?,
            persistent_state: node.attr_opt("persistent_state")?,
            debug: node.attr_opt("debug")?,
            encryption: node.child_attr_opt("encryption", "secret")?,
            active_pcr_banks,
            source: node.child_opt("source")?,
            profile: node.child_filled("profile")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("version", &self.version);
        w.attr_opt(
            "persistent_state",
            &self.persistent_state.filter(|p| p.is_yes()),
        );
        w.attr_opt("debug", &self.debug);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(secret) = &self.encryption {
            w.attr_element("encryption", "secret", secret);
        }
        if !self.active_pcr_banks.is_empty() {
            w.begin("active_pcr_banks");
            for bank in &self.active_pcr_banks {
                w.flag(bank.as_str());
            }
            w.end("active_pcr_banks");
        }
        if let Some(source) = &self.source {
            w.element("source", source);
        }
        if let Some(profile) = &self.profile {
            w.element_unless_empty("profile", profile);
        }
    }
}

/// A module emulator that somebody else has started.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(more(attr = "type", wrap = "source", value = Text,
    told = "'unix'", doc = "Kind of the socket: always `unix`."))]
#[xml(more(
    attr = "mode",
    wrap = "source",
    value = Text,
    told = "'connect'",
    optional,
    doc = "What the hypervisor does with the socket: always `connect`."
))]
pub struct TpmExternal {
    /// Absolute path of the emulator's socket.
    #[xml(attr, wrap = "source")]
    pub path: Text,
}

impl Content for TpmExternal {
    fn parse(node: Node<'_>) -> Result<Self> {
        let source = node
            .child("source")
            .ok_or_else(|| node.missing_child("source"))?;
        if source.attr("type") != Some("unix") {
            return Err(source.attr_error("type", ErrorKind::Invalid, "must be 'unix'"));
        }
        if let Some(other) = source.attr("mode").filter(|m| *m != "connect") {
            return Err(source.bad_attr("mode", other, "'connect'"));
        }
        Ok(Self {
            path: source.attr_req("path")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.begin("source");
        w.attr_str("type", "unix");
        w.attr_str("mode", "connect");
        w.attr("path", &self.path);
        w.end("source");
    }
}

/// `<backend>`: what implements the module on the host.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "type")]
pub enum TpmBackend {
    /// A trusted platform module of the host, used by this guest only.
    #[xml("passthrough")]
    Passthrough(TpmPassthrough),
    /// A program (swtpm) that the driver starts.
    #[xml("emulator")]
    Emulator(TpmEmulator),
    /// An emulator that somebody else has started.
    #[xml("external")]
    External(TpmExternal),
}

/// `<tpm>`: a trusted platform module of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Tpm {
    /// Interface that the guest sees: `tpm-tis`, `tpm-crb`, `tpm-spapr` or `spapr-tpm-proxy`; chosen by machine type if
    /// absent.
    #[xml(attr)]
    pub model: Option<TpmModel>,
    /// What implements the module on the host.
    #[xml(child)]
    pub backend: TpmBackend,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
    /// What only the driver knows of the running module; status only.
    #[xml(flat)]
    pub status: TpmStatus,
}
