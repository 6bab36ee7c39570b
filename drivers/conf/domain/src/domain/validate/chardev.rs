//! Character devices: their other end must be complete.

use virtbus_conf_base::Result;
use virtbus_conf_storage::storage::Reconnect;
use virtbus_xml::YesNo;

use super::{invalid, unsupported};
use crate::domain::devices::address::Address;
use crate::domain::devices::chardev::{
    Channel, ChannelTarget, Chardev, ChardevMode, ChardevSource, UnixSource,
};
use crate::domain::devices::misc::{Rng, RngBackend};
use crate::domain::devices::smartcard::{Redirdev, Smartcard, SmartcardMode};

pub(super) fn check(chardev: &Chardev) -> Result<()> {
    check_source(chardev, false)
}

pub(super) fn check_channel(channel: &Channel) -> Result<()> {
    // The driver chooses where such a channel ends on the host.
    let own_path = matches!(
        channel.target,
        ChannelTarget::Virtio(_) | ChannelTarget::Xen(_)
    );
    check_source(&channel.chardev, own_path)
}

pub(super) fn check_smartcard(card: &Smartcard) -> Result<()> {
    if card
        .info
        .address
        .as_ref()
        .is_some_and(|a| !matches!(a, Address::Ccid(_)))
    {
        return unsupported("a smart card reader has an address of type 'ccid'");
    }
    match &card.mode {
        SmartcardMode::Passthrough(chardev) => check(chardev),
        SmartcardMode::HostCertificates(token) => match &token.database {
            Some(path) if !path.starts_with('/') => {
                invalid("the path of a certificate database is absolute")
            }
            _ => Ok(()),
        },
        SmartcardMode::Host => Ok(()),
    }
}

pub(super) fn check_redirdev(redirdev: &Redirdev) -> Result<()> {
    check(&redirdev.chardev)
}

pub(super) fn check_rng(rng: &Rng) -> Result<()> {
    match &rng.backend {
        RngBackend::Egd(chardev) => check(chardev),
        RngBackend::Random { .. } | RngBackend::Builtin => Ok(()),
    }
}

fn check_source(chardev: &Chardev, may_lack_path: bool) -> Result<()> {
    let kind = chardev.source.kind();
    let missing = |what: &str| {
        invalid(format!(
            "a character device of type '{kind}' needs the {what} of its source"
        ))
    };
    match &chardev.source {
        ChardevSource::Null
        | ChardevSource::Vc
        | ChardevSource::Pty(_)
        | ChardevSource::Stdio
        | ChardevSource::Spicevmc
        | ChardevSource::QemuVdagent { .. } => Ok(()),
        ChardevSource::Dev(source) | ChardevSource::File(source) | ChardevSource::Pipe(source) => {
            if source.path.is_none() {
                missing("path")
            } else {
                Ok(())
            }
        }
        ChardevSource::Udp(udp) => {
            if udp.connect_service.is_none() {
                missing("'service' to connect to")
            } else {
                Ok(())
            }
        }
        ChardevSource::Tcp(tcp) => {
            if tcp.host.is_none() {
                return missing("host");
            }
            if tcp.service.is_none() {
                return missing("service");
            }
            check_reconnect(tcp.mode, tcp.reconnect)
        }
        ChardevSource::Unix(unix) => check_unix(unix, may_lack_path),
        ChardevSource::Spiceport { channel } | ChardevSource::Dbus { channel } => match channel {
            None => missing("channel"),
            Some(name) if !is_channel_name(name) => {
                invalid(format!("invalid channel name '{name}'"))
            }
            Some(_) => Ok(()),
        },
        ChardevSource::Nmdm { master, slave } => {
            if master.is_some() == slave.is_some() {
                Ok(())
            } else {
                missing("master and slave")
            }
        }
    }
}

fn check_unix(unix: &UnixSource, may_lack_path: bool) -> Result<()> {
    if unix.path.is_none() && !may_lack_path {
        return invalid("a character device of type 'unix' needs the path of its source");
    }
    check_reconnect(unix.mode, unix.reconnect)
}

fn check_reconnect(mode: Option<ChardevMode>, reconnect: Option<Reconnect>) -> Result<()> {
    let asked = reconnect.and_then(|r| r.enabled).is_some_and(YesNo::is_yes);
    if asked && mode == Some(ChardevMode::Bind) {
        return invalid("<reconnect> is for a source that connects, not for one that is bound");
    }
    if asked && reconnect.and_then(|r| r.timeout) == Some(0) {
        return invalid("the time after which to connect again must not be 0");
    }
    Ok(())
}

fn is_channel_name(name: &str) -> bool {
    name.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
