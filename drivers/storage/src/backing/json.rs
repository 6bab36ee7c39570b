//! Names that are options of QEMU's block drivers.

use serde_json::{Map, Value};
use virtbus_conf_base::common::PciAddress;
use virtbus_conf_base::{Text, YesNo};
use virtbus_conf_storage::storage::{
    Cookie, Host, NetworkProtocol, NetworkSource, NvmeBus, NvmeSource, Slice, SliceKind,
    SourceCommon, StorageSource,
};
use virtbus_util::json::deflatten;

use super::words::{port, unix};
use super::{BackingError, Named, words};

/// Drivers of formats may stand upon each other so often.
const DEEPEST: usize = 8;

type Options = Map<String, Value>;

/// What options name.
pub(super) fn parse(text: &str) -> Result<Named, BackingError> {
    let no_object = || BackingError::Json {
        text: text.to_owned(),
    };
    let value: Value = serde_json::from_str(text).map_err(|_| no_object())?;
    let value =
        deflatten(value).map_err(|conflict| BackingError::Conflict { key: conflict.key })?;
    match value {
        Value::Object(options) => format(&options, DEEPEST),
        _ => Err(no_object()),
    }
}

/// Options of a format's driver, or of what is below it.
fn format(options: &Options, depth: usize) -> Result<Named, BackingError> {
    let Some(file) = options.get("file") else {
        return storage(options);
    };
    let missing = || BackingError::Missing {
        option: "file",
        within: "json:".to_owned(),
    };
    let file = file.as_object().filter(|_| depth > 0).ok_or_else(missing)?;
    let mut named = format(file, depth - 1)?;
    if let (Some(offset), Some(size)) = (number(options, "offset")?, number(options, "size")?) {
        let common = SourceCommon {
            slices: vec![Slice {
                kind: SliceKind::Storage,
                offset,
                size,
            }],
            ..SourceCommon::default()
        };
        *named.source.common_mut() = common.into();
    }
    Ok(named)
}

/// Options of a driver of storage.
fn storage(options: &Options) -> Result<Named, BackingError> {
    let driver = required(options, "driver", "json:")?;
    match driver.as_str() {
        "file" => Ok(Named::file(&required(options, "filename", &driver)?)),
        "host_device" | "host_cdrom" => Ok(Named::device(&required(options, "filename", &driver)?)),
        "http" | "https" | "ftp" | "ftps" | "tftp" => curl(options, &driver),
        "gluster" => gluster(options),
        "nbd" => nbd(options),
        "ssh" => ssh(options),
        "rbd" => rbd(options),
        "iscsi" => iscsi(options),
        "vxhs" => vxhs(options),
        "nvme" => nvme(options),
        _ => Err(BackingError::Unknown { what: driver }),
    }
}

/// A text, or a number as text.
fn text(options: &Options, name: &str) -> Option<String> {
    match options.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn required(options: &Options, name: &'static str, within: &str) -> Result<String, BackingError> {
    text(options, name).ok_or_else(|| BackingError::Missing {
        option: name,
        within: within.to_owned(),
    })
}

fn number(options: &Options, name: &'static str) -> Result<Option<u64>, BackingError> {
    let Some(value) = text(options, name) else {
        return Ok(None);
    };
    let number = value.parse().ok();
    number.map(Some).ok_or(BackingError::Value {
        option: name,
        value,
    })
}

/// A server, by its own options.
fn host(options: &Options) -> Result<Host, BackingError> {
    let kind = text(options, "type");
    if kind.as_deref() == Some("unix") {
        let socket = text(options, "path").or_else(|| text(options, "socket"));
        let socket = socket.ok_or_else(|| BackingError::Missing {
            option: "path",
            within: "server".to_owned(),
        })?;
        return Ok(unix(&socket));
    }
    let number = text(options, "port").map(|text| port(&text)).transpose()?;
    Ok(Host {
        name: Some(required(options, "host", "server")?.as_str().into()),
        port: number.filter(|port| *port > 0),
        ..Host::default()
    })
}

/// The servers of a driver that may have several, or one.
fn hosts(options: &Options) -> Result<Vec<Host>, BackingError> {
    let of = |value: &Value| match value.as_object() {
        Some(server) => host(server),
        None => Err(BackingError::Value {
            option: "server",
            value: value.to_string(),
        }),
    };
    match options.get("server") {
        None => Ok(Vec::new()),
        Some(Value::Array(servers)) => servers.iter().map(of).collect(),
        Some(server) => Ok(vec![of(server)?]),
    }
}

/// The server of a driver that has one, which may stand among its options.
fn one_host(options: &Options, within: &str) -> Result<Vec<Host>, BackingError> {
    let mut hosts = hosts(options)?;
    if hosts.is_empty() && options.contains_key("host") {
        hosts.push(host(options)?);
    }
    if hosts.len() == 1 {
        return Ok(hosts);
    }
    Err(BackingError::Missing {
        option: "server",
        within: within.to_owned(),
    })
}

fn curl(options: &Options, driver: &str) -> Result<Named, BackingError> {
    let mut named = words::uri(&required(options, "url", driver)?)?;
    let StorageSource::Network(source) = &mut named.source else {
        return Ok(named);
    };
    for cookie in text(options, "cookie")
        .iter()
        .flat_map(|all| all.split(';'))
    {
        let (name, value) = cookie
            .trim()
            .split_once('=')
            .ok_or_else(|| BackingError::Value {
                option: "cookie",
                value: cookie.to_owned(),
            })?;
        source.cookies.push(Cookie {
            name: name.into(),
            value: value.into(),
        });
    }
    source.ssl_verify = match options.get("sslverify") {
        Some(Value::Bool(verify)) => Some(YesNo::from(*verify)),
        Some(Value::String(verify)) => Some(YesNo::from(verify != "off")),
        _ => None,
    };
    source.http.readahead = number(options, "readahead")?;
    source.http.timeout = number(options, "timeout")?;
    Ok(named)
}

fn gluster(options: &Options) -> Result<Named, BackingError> {
    if let Some(uri) = text(options, "filename") {
        return words::uri(&uri);
    }
    let (volume, path) = (
        required(options, "volume", "gluster")?,
        required(options, "path", "gluster")?,
    );
    let mut source = NetworkSource::new(NetworkProtocol::Gluster);
    source.name = Some(
        format!("{volume}/{}", path.trim_start_matches('/'))
            .as_str()
            .into(),
    );
    source.host = hosts(options)?;
    if source.host.is_empty() {
        return Err(BackingError::Missing {
            option: "server",
            within: "gluster".to_owned(),
        });
    }
    Ok(Named::network(source))
}

fn nbd(options: &Options) -> Result<Named, BackingError> {
    let mut source = NetworkSource::new(NetworkProtocol::Nbd);
    source.name = text(options, "export").as_deref().map(Text::from);
    source.host = match text(options, "path") {
        Some(socket) => vec![unix(&socket)],
        None => one_host(options, "nbd")?,
    };
    Ok(Named::network(source))
}

fn ssh(options: &Options) -> Result<Named, BackingError> {
    let mut source = NetworkSource::new(NetworkProtocol::Ssh);
    source.name = Some(required(options, "path", "ssh")?.as_str().into());
    source.host = one_host(options, "ssh")?;
    Ok(Named::network(source))
}

fn rbd(options: &Options) -> Result<Named, BackingError> {
    let (pool, image) = (
        required(options, "pool", "rbd")?,
        required(options, "image", "rbd")?,
    );
    let mut source = NetworkSource::new(NetworkProtocol::Rbd);
    source.name = Some(format!("{pool}/{image}").as_str().into());
    source.snapshot = text(options, "snapshot").as_deref().map(Text::from);
    source.config = text(options, "conf").as_deref().map(Text::from);
    source.host = hosts(options)?;
    Ok(Named::network(source))
}

fn iscsi(options: &Options) -> Result<Named, BackingError> {
    let transport = required(options, "transport", "iscsi")?;
    if transport != "tcp" {
        return Err(BackingError::Value {
            option: "transport",
            value: transport,
        });
    }
    let portal = required(options, "portal", "iscsi")?;
    let target = required(options, "target", "iscsi")?;
    let lun = number(options, "lun")?.unwrap_or(0);
    // The port is behind the last colon, unless that is in the brackets of an address.
    let (server, number) = match portal.rsplit_once(':') {
        Some((server, number)) if !number.contains(']') => (server, Some(port(number)?)),
        _ => (portal.as_str(), None),
    };
    let mut source = NetworkSource::new(NetworkProtocol::Iscsi);
    source.name = Some(format!("{target}/{lun}").as_str().into());
    source.host.push(Host {
        name: Some(server.into()),
        port: number,
        ..Host::default()
    });
    let mut named = Named::network(source);
    named.ignored = ["user", "password"]
        .iter()
        .any(|name| options.contains_key(*name));
    Ok(named)
}

fn vxhs(options: &Options) -> Result<Named, BackingError> {
    let mut source = NetworkSource::new(NetworkProtocol::Vxhs);
    source.name = Some(required(options, "vdisk-id", "vxhs")?.as_str().into());
    source.host = one_host(options, "vxhs")?;
    Ok(Named::network(source))
}

fn nvme(options: &Options) -> Result<Named, BackingError> {
    let device = required(options, "device", "nvme")?;
    let address = pci(&device).ok_or_else(|| BackingError::Value {
        option: "device",
        value: device.clone(),
    })?;
    let namespace = number(options, "namespace")?.ok_or_else(|| BackingError::Missing {
        option: "namespace",
        within: "nvme".to_owned(),
    })?;
    Ok(Named::of(StorageSource::Nvme(NvmeSource {
        kind: NvmeBus::Pci,
        managed: None,
        namespace,
        startup_policy: None,
        address,
        common: Default::default(),
    })))
}

/// An address like `0000:01:00.0`.
fn pci(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (slot, function) = rest.split_once('.')?;
    let byte = |text: &str, most: u8| u8::from_str_radix(text, 16).ok().filter(|it| *it <= most);
    Some(PciAddress {
        domain: u32::from_str_radix(domain, 16).ok()?,
        bus: byte(bus, u8::MAX)?,
        slot: byte(slot, 0x1f)?,
        function: byte(function, 7)?,
    })
}
