//! What a document is about: the name and UUID in it, found without reading the rest.
//!
//! Whoever may be refused is asked about by these, so they are exactly those that the whole document would give. Documents
//! that cannot be gone through are refused; what is wrong behind the last of the two is not noticed here.

use virtbus_xml::{Document, Result, Text, XmlError};

use crate::checkpoint::Checkpoint;
use crate::common::Uuid;
use crate::domain::Domain;
use crate::interface::Interface;
use crate::network::Network;
use crate::network_port::NetworkPort;
use crate::node_device::NodeDevice;
use crate::nwfilter::NwFilter;
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::storage_pool::StoragePool;
use crate::storage_volume::StorageVolume;

/// The names by which a document tells what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Name, where the document has one.
    pub name: Option<Text>,
    /// UUID, where the document has one.
    pub uuid: Option<Uuid>,
    /// Ethernet address, of interfaces of the host.
    pub mac: Option<Text>,
}

/// Where the name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    /// In a child, which has to be there.
    Required,
    /// In a child, which may be absent.
    Optional,
    /// In an attribute of the root, which has to be there.
    Attribute,
    /// Nowhere.
    None,
}

fn identify(xml: &str, root: &str, name: Name, has_uuid: bool) -> Result<Identity> {
    let in_child = matches!(name, Name::Required | Name::Optional);
    let wanted: &[&str] = match (in_child, has_uuid) {
        (true, true) => &["name", "uuid"],
        (true, false) => &["name"],
        (false, true) => &["uuid"],
        (false, false) => &[],
    };
    let doc = Document::skim(xml, wanted)?;
    let node = doc.expect_root(root)?;
    Ok(Identity {
        name: match name {
            Name::Required => Some(node.text_child_req("name")?),
            Name::Optional => node.text_child_opt("name")?,
            Name::Attribute => Some(node.attr_req("name")?),
            Name::None => None,
        },
        uuid: if has_uuid {
            node.text_child_opt("uuid")?
        } else {
            None
        },
        mac: None,
    })
}

impl StoragePool {
    /// What a document is about. One without a name is called after its source, for which all of it is read.
    ///
    /// # Errors
    /// Malformed XML before name and UUID were found, or that they are missing or none.
    pub fn identify(xml: &str) -> Result<Identity, XmlError> {
        let found = identify(xml, "pool", Name::Optional, true)?;
        if found.name.is_some() {
            return Ok(found);
        }
        let pool = Self::parse(xml)?;
        Ok(Identity {
            name: pool.name.or(pool.source.name),
            ..found
        })
    }
}

impl Interface {
    /// What a document is about. One without a name is called after what it has, for which all of it is read.
    ///
    /// # Errors
    /// Malformed XML before name and address were found, or that they are missing.
    pub fn identify(xml: &str) -> Result<Identity, XmlError> {
        let doc = Document::skim(xml, &["mac"])?;
        let node = doc.expect_root("interface")?;
        let kind: Text = node.attr_req("type")?;
        let mut name = node.attr_opt("name")?;
        if name.is_none() {
            let mut whole = Self::parse(xml)?;
            whole.complete();
            name = whole.name;
        }
        let mac = match kind.as_str() {
            "ethernet" => node.child_attr_opt("mac", "address")?,
            _ => None,
        };
        Ok(Identity {
            name,
            uuid: None,
            mac,
        })
    }
}

macro_rules! identified {
    ($($type:ty: $root:literal, $name:expr, $uuid:literal;)+) => {$(
        impl $type {
            /// What a document is about, without reading the rest of it.
            ///
            /// # Errors
            /// Malformed XML before name and UUID were found, or that they are missing or none.
            pub fn identify(xml: &str) -> Result<Identity, XmlError> {
                identify(xml, $root, $name, $uuid)
            }
        }
    )+};
}

identified! {
    Domain: "domain", Name::Required, true;
    Network: "network", Name::Required, true;
    NetworkPort: "networkport", Name::None, true;
    NwFilter: "filter", Name::Attribute, true;
    NodeDevice: "device", Name::Optional, false;
    Secret: "secret", Name::None, true;
    Snapshot: "domainsnapshot", Name::Optional, false;
    Checkpoint: "domaincheckpoint", Name::Optional, false;
    StorageVolume: "volume", Name::Required, false;
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "c7a5fdbd-edaf-9455-926a-d65c16db1809";

    /// What the whole document gives, and what is found by going through it.
    fn both(xml: &str) -> (Result<Identity, XmlError>, Result<Identity, XmlError>) {
        let whole = Domain::parse(xml).map(|domain| Identity {
            name: Some(domain.name),
            uuid: domain.uuid,
            mac: None,
        });
        (whole, Domain::identify(xml))
    }

    #[test]
    fn what_is_found_is_what_the_whole_document_gives() {
        let name = "<name>web</name>";
        let uuid = format!("<uuid>{UUID}</uuid>");
        let cases = [
            format!("{name}{uuid}"),
            format!("{uuid}{name}"),
            format!("{name}<name>vault</name>{uuid}"),
            format!("<name/>{name}{uuid}"),
            format!("<name></name>{name}"),
            format!("{name}<uuid/>{uuid}"),
            format!("<metadata><name>vault</name></metadata>{name}"),
            format!("<description><name>vault</name>{name}</description>{uuid}"),
            "<name>v<!-- a -->a<b>x</b>u&#108;t<![CDATA[<&>]]></name>".to_owned(),
            "<name>a&lt;&amp;&#10;b\r\nc</name>".to_owned(),
            "<name> spaced\n</name>".to_owned(),
            "<n:name xmlns:n='urn:n'>vault</n:name><name>web</name>".to_owned(),
            "<n:name>vault</n:name><name>web</name>".to_owned(),
            "<name xmlns='urn:n'>vault</name><name>web</name>".to_owned(),
            "<name xmlns=''>web</name>".to_owned(),
            "<name a='1' a='2'>web</name>".to_owned(),
            "<Name>vault</Name><name>web</name>".to_owned(),
            format!("<!-- <name>vault</name> -->{name}"),
            format!("<?name vault?>{name}"),
            format!("<![CDATA[<name>vault</name>]]>{name}"),
            "<name>&vault;</name>".to_owned(),
            "<name>]]></name>".to_owned(),
            "<uuid>nonsense</uuid><name>web</name>".to_owned(),
            String::new(),
        ];
        let roots = [
            ("<domain type='qemu'>", "</domain>"),
            ("\u{feff}<domain type='qemu'>", "</domain>"),
            (
                "<?xml version='1.0' encoding='UTF-16'?><domain type='qemu'>",
                "</domain>",
            ),
            ("<!-- a --><domain type='qemu'>", "</domain><!-- b -->"),
            ("<domain type='qemu' xmlns='urn:n'>", "</domain>"),
            (
                "<!DOCTYPE domain [<!ENTITY vault 'x'>]><domain type='qemu'>",
                "</domain>",
            ),
            ("<network>", "</network>"),
            ("<x><domain type='qemu'>", "</domain></x>"),
        ];
        for (open, close) in roots {
            for case in &cases {
                let xml = format!("{open}{case}{close}");
                match both(&xml) {
                    (Ok(whole), found) => assert_eq!(found.as_ref(), Ok(&whole), "{xml}"),
                    // Only what was gone through is known to be wrong.
                    (Err(_), Ok(found)) => assert!(found.name.is_some(), "{xml}"),
                    (Err(_), Err(_)) => {}
                }
            }
        }
    }

    #[test]
    fn documents_without_an_end_are_gone_through_once() {
        let many = [
            "<a>".repeat(200),
            "<a/>".repeat(900_000),
            "&lt;".repeat(3_000_000),
            "<!---->".repeat(900_000),
            format!("<a b='{}'/>", "&lt;".repeat(3_000_000)),
            format!("<a b='{}'/>", "x".repeat(15_000_000)),
            "<name/>".repeat(900_000),
            format!("<n>{}</n>", "x".repeat(15_000_000)),
        ];
        for filling in many {
            let start: String = filling.chars().take(12).collect();
            let closing = if start.starts_with("<a><a>") {
                "</a>".repeat(200)
            } else {
                String::new()
            };
            let xml = format!("<domain>{filling}{closing}<name>web</name></domain>");
            let found = Domain::identify(&xml);
            // The first name counts, also if it is empty.
            let first_is_empty = start.starts_with("<name/>");
            assert_eq!(found.is_err(), first_is_empty, "{start}: {found:?}");
        }
        let long = format!("<domain><name>{}</name></domain>", "x".repeat(100_000));
        assert_eq!(
            Domain::identify(&long).unwrap_err().kind(),
            virtbus_xml::ErrorKind::Limit
        );
        let long = format!("<domain><{0}/></domain>", "x".repeat(100_000));
        assert_eq!(
            Domain::identify(&long).unwrap_err().kind(),
            virtbus_xml::ErrorKind::Limit
        );
        // The same in the whole document, so that nothing is accepted whose subject nobody could tell.
        assert_eq!(
            Domain::parse(&long).unwrap_err().kind(),
            virtbus_xml::ErrorKind::Limit
        );
    }

    #[test]
    fn every_kind_is_found() {
        let uuid = Uuid::parse(UUID);
        let name = |name: &str| Some(Text::from(name));
        let children = format!("<name>n</name><uuid>{UUID}</uuid>");
        let named = Identity {
            name: name("n"),
            uuid,
            mac: None,
        };
        let only_named = Identity {
            uuid: None,
            ..named.clone()
        };
        let only_uuid = Identity {
            name: None,
            ..named.clone()
        };
        let of = |root: &str| format!("<{root}>{children}</{root}>");
        assert_eq!(Network::identify(&of("network")).unwrap(), named);
        assert_eq!(StoragePool::identify(&of("pool")).unwrap(), named);
        assert_eq!(StorageVolume::identify(&of("volume")).unwrap(), only_named);
        assert_eq!(Secret::identify(&of("secret")).unwrap(), only_uuid);
        assert_eq!(
            NetworkPort::identify(&of("networkport")).unwrap(),
            only_uuid
        );
        assert_eq!(NodeDevice::identify(&of("device")).unwrap(), only_named);
        assert_eq!(
            Snapshot::identify(&of("domainsnapshot")).unwrap(),
            only_named
        );
        assert_eq!(
            Checkpoint::identify(&of("domaincheckpoint")).unwrap(),
            only_named
        );
        let filter = format!("<filter name='n'><uuid>{UUID}</uuid></filter>");
        assert_eq!(NwFilter::identify(&filter).unwrap(), named);
        let card =
            "<interface type='ethernet' name='n'><mac address='52:54:00:00:00:01'/></interface>";
        let mac = name("52:54:00:00:00:01");
        assert_eq!(
            Interface::identify(card).unwrap(),
            Identity {
                mac,
                ..only_named.clone()
            }
        );
        let vlan =
            "<interface type='vlan'><vlan tag='7'><interface name='eth0'/></vlan></interface>";
        assert_eq!(Interface::identify(vlan).unwrap().name, name("eth0.7"));
        let pool = "<pool type='logical'><source><name>vg</name></source></pool>";
        assert_eq!(StoragePool::identify(pool).unwrap().name, name("vg"));
    }
}
