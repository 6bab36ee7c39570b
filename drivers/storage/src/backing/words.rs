//! Names that are URIs, or words between colons.

use virtbus_conf_base::Text;
use virtbus_conf_storage::storage::{Host, HostTransport, NetworkProtocol, NetworkSource};
use virtbus_util::uri::Uri;

use super::{BackingError, Named, protocol};

/// What stands between a server and the export of NBD.
const EXPORT: &str = ":exportname=";

/// A name like `PROTOCOL[+TRANSPORT]://SERVER[:PORT]/NAME?QUERY`.
pub(super) fn uri(text: &str) -> Result<Named, BackingError> {
    let uri = Uri::parse(text)?;
    let (name, transport) = match uri.scheme.split_once('+') {
        Some((name, transport)) => {
            let known = HostTransport::from_name(transport);
            let known = known.ok_or_else(|| BackingError::Unknown {
                what: uri.scheme.clone(),
            })?;
            (name, Some(known))
        }
        None => (uri.scheme.as_str(), None),
    };
    let protocol = protocol(name)?;
    let mut source = NetworkSource::new(protocol);
    let path = uri.path.as_deref().unwrap_or_default();
    let path = decoded(path.strip_prefix('/').unwrap_or(path));
    source.name =
        (protocol != NetworkProtocol::Nbd || !path.is_empty()).then(|| path.as_str().into());
    if transport == Some(HostTransport::Unix) {
        let socket = uri.parameters.iter().find(|one| one.name == "socket");
        let socket = socket.ok_or_else(|| BackingError::Missing {
            option: "socket",
            within: text.to_owned(),
        })?;
        source.host.push(unix(&socket.value));
    } else {
        source.host.push(Host {
            name: uri.server.as_deref().map(Text::from),
            port: (uri.port != 0).then(|| u32::from(uri.port)),
            transport,
            socket: None,
        });
        source.query = uri
            .query
            .as_deref()
            .filter(|_| has_query(protocol))
            .map(Text::from);
    }
    let mut named = Named::network(source);
    // Who asks and his password are a secret's affair.
    named.ignored = uri.user.is_some();
    Ok(named)
}

const fn has_query(protocol: NetworkProtocol) -> bool {
    matches!(protocol, NetworkProtocol::Http | NetworkProtocol::Https)
}

/// A path with `%XX` as the bytes that these are, if it is text then.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| *first == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

pub(super) fn unix(socket: &str) -> Host {
    Host {
        transport: Some(HostTransport::Unix),
        socket: Some(socket.into()),
        ..Host::default()
    }
}

/// A name like `nbd:SERVER:PORT[:exportname=NAME]` or `nbd:unix:SOCKET[:exportname=NAME]`.
pub(super) fn legacy(text: &str) -> Result<Named, BackingError> {
    let Some(rest) = text.strip_prefix("nbd:") else {
        let what = text.split(':').next().unwrap_or(text).to_owned();
        return Err(BackingError::Unknown { what });
    };
    let mut source = NetworkSource::new(NetworkProtocol::Nbd);
    let (place, export) = match rest.split_once(EXPORT) {
        Some((place, export)) => (place, Some(export)),
        None => (rest, None),
    };
    source.name = export.map(Text::from);
    if let Some(socket) = place.strip_prefix("unix:") {
        source.host.push(unix(socket));
        return Ok(Named::network(source));
    }
    let missing = || BackingError::Missing {
        option: "port",
        within: text.to_owned(),
    };
    let (server, port) = match place.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once("]:").ok_or_else(missing)?,
        None => place.split_once(':').ok_or_else(missing)?,
    };
    source.host.push(Host {
        name: Some(server.into()),
        port: Some(self::port(port)?),
        ..Host::default()
    });
    Ok(Named::network(source))
}

/// The number of a port.
pub(super) fn port(text: &str) -> Result<u32, BackingError> {
    let number = text.parse::<u16>().ok();
    number.map(u32::from).ok_or_else(|| BackingError::Value {
        option: "port",
        value: text.to_owned(),
    })
}
