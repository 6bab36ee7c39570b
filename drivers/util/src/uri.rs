//! URIs as connections and network disks have them.
//!
//! Taken apart by a library that knows RFC 3986; here is what parameters in a query mean: `name=value` pairs separated
//! by `&` or `;`, in an order that is kept, of names that may come more than once.

use std::fmt;

use fluent_uri::UriRef;
use fluent_uri::pct_enc::{EStr, EString, encoder};

/// A parameter of the query, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriParameter {
    /// Its name, never empty.
    pub name: String,
    /// Its value, empty if there is none.
    pub value: String,
}

/// A URI, in parts that are decoded but for `path` and `query`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uri {
    /// Such as `qemu+ssh`; empty if it is only a path.
    pub scheme: String,
    /// Who logs in, with `:` and a password if there is one.
    pub user: Option<String>,
    /// The host; IPv6 addresses without brackets.
    pub server: Option<String>,
    /// The port, 0 if there is none.
    pub port: u16,
    /// The path as written.
    pub path: Option<String>,
    /// The query as written.
    pub query: Option<String>,
    /// What is behind `#`.
    pub fragment: Option<String>,
    /// The query's parameters.
    pub parameters: Vec<UriParameter>,
}

/// Why a text is no URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a URI: {reason}")]
pub struct UriError {
    text: String,
    reason: String,
}

impl Uri {
    /// Takes a text apart.
    ///
    /// # Errors
    /// It is no URI.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let error = |reason: String| UriError {
            text: text.to_owned(),
            reason,
        };
        let uri = UriRef::parse(text).map_err(|reason| error(reason.to_string()))?;
        let mut parts = Self {
            scheme: uri
                .scheme()
                .map(|scheme| scheme.as_str().to_owned())
                .unwrap_or_default(),
            ..Self::default()
        };
        if let Some(authority) = uri.authority() {
            parts.user = authority.userinfo().map(decoded);
            let host = authority.host();
            let host = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'))
                .unwrap_or(host);
            parts.server = (!host.is_empty()).then(|| host.to_owned());
            let port = authority
                .port()
                .map(EStr::as_str)
                .filter(|port| !port.is_empty());
            if let Some(port) = port {
                parts.port = port
                    .parse()
                    .map_err(|_| error(format!("invalid port '{port}'")))?;
            }
        }
        let path = uri.path().as_str();
        parts.path = (!path.is_empty()).then(|| path.to_owned());
        if let Some(query) = uri.query() {
            parts.parameters = parameters(query.as_str());
            parts.query = Some(query.as_str().to_owned());
        }
        parts.fragment = uri.fragment().map(decoded);
        Ok(parts)
    }

    /// The query that the parameters are.
    #[must_use]
    pub fn format_parameters(&self) -> String {
        let pairs: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| format!("{}={}", encoded(&parameter.name), encoded(&parameter.value)))
            .collect();
        pairs.join("&")
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        if let Some(server) = &self.server {
            f.write_str("//")?;
            if let Some(user) = &self.user {
                write!(f, "{}@", encoded_user(user))?;
            }
            if server.contains(':') {
                write!(f, "[{server}]")?;
            } else {
                f.write_str(server)?;
            }
            if self.port != 0 {
                write!(f, ":{}", self.port)?;
            }
        } else if !self.scheme.is_empty() {
            f.write_str("//")?;
        }
        f.write_str(self.path.as_deref().unwrap_or_default())?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        if let Some(fragment) = &self.fragment {
            write!(f, "#{}", encoded(fragment))?;
        }
        Ok(())
    }
}

fn parameters(query: &str) -> Vec<UriParameter> {
    let pairs = query.split(['&', ';']).filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (!name.is_empty()).then(|| UriParameter {
            name: decoded_text(name),
            value: decoded_text(value),
        })
    });
    pairs.collect()
}

fn decoded<E: fluent_uri::pct_enc::Encoder>(text: &EStr<E>) -> String {
    text.decode().to_string_lossy().into_owned()
}

/// A part of a valid query, so that what is not encoded can be decoded as it is.
fn decoded_text(text: &str) -> String {
    EStr::<encoder::Query>::new(text).map_or_else(|| text.to_owned(), decoded)
}

/// Every byte but letters, digits and `-._~` as a percent sign and two digits.
fn encoded(text: &str) -> String {
    let mut out = EString::<encoder::Data>::new();
    out.encode_str::<encoder::Data>(text);
    out.into_string()
}

fn encoded_user(text: &str) -> String {
    let mut out = EString::<encoder::Userinfo>::new();
    out.encode_str::<encoder::Userinfo>(text);
    out.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_apart_and_put_together() {
        let text = "qemu+ssh://root@[fd00::2]:2222/system?socket=%2Frun%2Fx&no_verify=1;socket=b";
        let uri = Uri::parse(text).unwrap();
        assert_eq!(uri.scheme, "qemu+ssh");
        assert_eq!(uri.user.as_deref(), Some("root"));
        assert_eq!(uri.server.as_deref(), Some("fd00::2"));
        assert_eq!(uri.port, 2222);
        assert_eq!(uri.path.as_deref(), Some("/system"));
        let values: Vec<&str> = uri.parameters.iter().map(|p| p.value.as_str()).collect();
        assert_eq!(values, ["/run/x", "1", "b"]);
        assert_eq!(uri.to_string(), text);
        assert_eq!(
            uri.format_parameters(),
            "socket=%2Frun%2Fx&no_verify=1&socket=b"
        );
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in ["a b", "x://h:99999/", "://", "x://[::1"] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_without_values_and_values_without_names() {
        let uri = Uri::parse("esx:///?a&=b&c=&&").unwrap();
        let names: Vec<&str> = uri.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(uri.server, None);
    }
}
