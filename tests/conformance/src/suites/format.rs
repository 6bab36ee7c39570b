//! Small formats: JSON, URIs, addresses, the map of Ethernet addresses.

use serde_json::Value;
use virtbus_conf_base::common::{Ip, IpFamily};
use virtbus_util::json;
use virtbus_util::mac_map::MacMap;
use virtbus_util::uri::Uri;

use crate::case::{Case, Expectation};
use crate::compare;
use crate::outcome::{Held, Problem, Refusal};

/// `json`.
pub(crate) fn json(case: &Case) -> Held<()> {
    let input = json_input(case)?;
    let shown = String::from_utf8_lossy(&input).into_owned();
    let read = || serde_json::from_slice::<Value>(&input).map_err(Refusal::reading);
    let pretty = |value: Value| serde_json::to_string_pretty(&value).map_err(Refusal::later);
    match case.text_req("op")? {
        "parse-format" if case.field("expect_doc").is_some() => {
            let produced = read().map_err(|e| Problem::failed(e.to_string()))?;
            compare::value(
                "the document",
                case.text_req("expect_doc")?,
                &produced.to_string(),
            )
        }
        "parse-format" if case.field("expect").is_some() => {
            let expected: Value = parsed(&case.expected()?)?;
            let produced = read().map_err(|e| Problem::failed(e.to_string()))?;
            compare::text(&expected.to_string(), &produced.to_string())
        }
        "parse-format" => case.check_refused(read(), &shown),
        "deflatten" => {
            let produced = read().and_then(|value| json::deflatten(value).map_err(Refusal::later));
            if case.outcome == Expectation::Ok {
                let produced = produced.map_err(|e| Problem::failed(e.to_string()))?;
                let expected = parsed(&case.expected()?)?;
                return compare::text(&expected.to_string(), &produced.to_string());
            }
            case.check_refused(produced, &shown)
        }
        "add-remove" => {
            let changed = read().and_then(|mut value| {
                let members = value
                    .as_object_mut()
                    .ok_or_else(|| Refusal::later(format!("{shown} is not an object")))?;
                if members
                    .shift_remove("name")
                    .is_none_or(|name| name != "sample")
                {
                    return Err(Refusal::later("'name' is not 'sample'"));
                }
                members.insert("newname".to_owned(), "foo".into());
                Ok(value)
            });
            if case.outcome == Expectation::Ok {
                let produced = changed.map_err(|e| Problem::failed(e.to_string()))?;
                let expected = parsed(&case.expected()?)?;
                return compare::text(&expected.to_string(), &produced.to_string());
            }
            case.check_refused(changed.and_then(pretty), &shown)
        }
        other => Err(Problem::unsupported(format!("the operation '{other}'"))),
    }
}

fn json_input(case: &Case) -> Held<Vec<u8>> {
    match case.field("doc") {
        Some(Value::String(text)) => Ok(text.as_bytes().to_vec()),
        Some(Value::Object(encoded)) => {
            let text = encoded
                .get("base64")
                .and_then(Value::as_str)
                .unwrap_or_default();
            base64(text).ok_or_else(|| Problem::failed("'doc' is not in base64"))
        }
        Some(_) => Err(Problem::failed("'doc' in the manifest is not a text")),
        None => Ok(compare::joined(&case.file("input")?).into_bytes()),
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        bits = bits << 6 | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(out)
}

fn parsed(text: &str) -> Held<Value> {
    serde_json::from_str(text)
        .map_err(|e| Problem::failed(format!("what is expected is no JSON: {e}")))
}

/// `uri`.
pub(crate) fn uri(case: &Case) -> Held<()> {
    let text = case.text_req("uri")?;
    let mut uri = Uri::parse(text).map_err(|e| Problem::failed(e.to_string()))?;
    let optional = |name: &str| -> Held<Option<String>> { Ok(case.text(name)?.map(str::to_owned)) };
    compare::value("the scheme", case.text_req("scheme")?, &uri.scheme)?;
    compare::value("the server", optional("server")?, uri.server.clone())?;
    compare::value(
        "the port",
        case.number("port")?.unwrap_or(0),
        uri.port.into(),
    )?;
    compare::value("the path", optional("path")?, uri.path.clone())?;
    compare::value("the query", optional("query")?, uri.query.clone())?;
    compare::value("the fragment", optional("fragment")?, uri.fragment.clone())?;
    compare::value("the user", optional("user")?, uri.user.clone())?;
    if let Some(list) = case.field("params").and_then(Value::as_array) {
        let word = |pair: &Value, name: &str| {
            pair.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let expected: Vec<_> = list
            .iter()
            .map(|pair| (word(pair, "name"), word(pair, "value")))
            .collect();
        let produced: Vec<_> = uri
            .parameters
            .iter()
            .map(|p| (p.name.clone(), p.value.clone()))
            .collect();
        compare::value("the parameters", expected, produced)?;
    }
    compare::value("the text", text, &uri.to_string())?;
    if let Some(expected) = case.text("uri_out")? {
        if !uri.parameters.is_empty() {
            uri.query = Some(uri.format_parameters());
        }
        compare::value("the canonical text", expected, &uri.to_string())?;
    }
    Ok(())
}

/// `socketaddr`.
pub(crate) fn socket_address(case: &Case) -> Held<()> {
    let ip = |name: &str| -> Held<Result<Ip, Refusal>> {
        let text = case.text_req(name)?;
        Ok(Ip::from_numeric(text)
            .ok_or_else(|| Refusal::later(format!("'{text}' is not an address"))))
    };
    let shown = format!("{case:?}");
    match case.text_req("op")? {
        "parse" => {
            let family = case.text_req("family")?;
            let parsed = ip("addrstr")?.and_then(|ip| match (family, ip.family()) {
                ("af_unspec", _) | ("af_inet", IpFamily::Ipv4) | ("af_inet6", IpFamily::Ipv6) => {
                    Ok(ip)
                }
                (_, other) => Err(Refusal::later(format!("{ip} is of the family {other}"))),
            });
            if let Ok(ip) = &parsed {
                if let Some(expected) = case.text("formatted")? {
                    compare::value("the address", expected, &ip.to_string())?;
                }
                if case.text("formatted_is_not")? == Some(&ip.to_string()) {
                    return Err(Problem::failed(format!(
                        "the address is {ip}, which it must not be"
                    )));
                }
            }
            case.check_refused(parsed, &shown)
        }
        "range" => {
            let (start, end) = (ip("saddr")?, ip("eaddr")?);
            let prefix = case.number("prefix")?.unwrap_or(0);
            let prefix =
                u32::try_from(prefix).map_err(|_| Problem::failed("'prefix' is negative"))?;
            let network = match case.text("netaddr")? {
                Some(_) => Some(ip("netaddr")?.map(|ip| (ip, prefix))),
                None => None,
            };
            let size = start.and_then(|start| {
                let (end, network) = (end?, network.transpose()?);
                Ip::range(start, end, network).map_err(Refusal::later)
            });
            if let Ok(size) = &size {
                compare::value("the size", case.number("size")?, Some((*size).into()))?;
            }
            case.check_refused(size, &shown)
        }
        "netmask" => {
            let (one, other, mask) = (ip("addr1")?, ip("addr2")?, ip("netmask")?);
            let same = one.and_then(|one| {
                let (other, mask) = (other?, mask?);
                if one.masked(mask) == other.masked(mask) {
                    Ok(())
                } else {
                    Err(Refusal::later(format!(
                        "{one} and {other} are in different networks"
                    )))
                }
            });
            case.check_refused(same, &shown)
        }
        "mask-network" => {
            let prefix = case
                .number("prefix")?
                .and_then(|prefix| u32::try_from(prefix).ok())
                .unwrap_or(0);
            let network = ip("addr1")?.map(|ip| ip.network(prefix).to_string());
            if let Ok(network) = &network {
                compare::value("the network", case.text_req("network")?, network)?;
            }
            case.check_refused(network, &shown)
        }
        "wildcard" => {
            let wildcard = ip("addr")?.and_then(|ip| {
                if ip.is_wildcard() {
                    Ok(())
                } else {
                    Err(Refusal::later(format!("{ip} is a single address")))
                }
            });
            case.check_refused(wildcard, &shown)
        }
        "numeric" => {
            let family = ip("addr")?.ok().map(|ip| match ip.family() {
                IpFamily::Ipv4 => "af_inet",
                IpFamily::Ipv6 => "af_inet6",
            });
            let expected = case.field("expected").and_then(Value::as_str);
            compare::value("the family", expected, family)
        }
        "is-localhost" => {
            let local = ip("addr")?.is_ok_and(Ip::is_localhost);
            compare::value("whether it is this host", case.is("result")?, local)
        }
        other => Err(Problem::unsupported(format!("the operation '{other}'"))),
    }
}

/// `macmap`.
pub(crate) fn mac_map(case: &Case) -> Held<()> {
    let read = || -> Held<MacMap> {
        MacMap::parse(&case.file("input")?).map_err(|e| Problem::failed(e.to_string()))
    };
    match case.text_req("op")? {
        "lookup" => {
            let map = read()?;
            compare::value(
                "the list",
                case.words("macs")?,
                map.lookup(case.text_req("domain")?)
                    .iter()
                    .map(String::as_str)
                    .collect(),
            )
        }
        "remove" => {
            let mut map = read()?;
            let domain = case.text_req("domain")?;
            for mac in case.words("macs")? {
                map.remove(domain, mac);
            }
            compare::value(
                "the list",
                Vec::<String>::new(),
                map.lookup(domain).to_vec(),
            )
        }
        "flush" => {
            let mut map = MacMap::default();
            for entry in case
                .field("add")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let domain = entry
                    .get("domain")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                for mac in entry
                    .get("macs")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    map.add(domain, mac.as_str().unwrap_or_default());
                }
            }
            compare::text(&case.expected()?, &map.format())
        }
        other => Err(Problem::unsupported(format!("the operation '{other}'"))),
    }
}
