//! What documents of this crate are about, found without reading the rest of them.

use virtbus_conf_base::identified;

use crate::checkpoint::Checkpoint;
use crate::domain::Domain;
use crate::snapshot::Snapshot;

identified! {
    Domain: "domain", Required, true;
    Snapshot: "domainsnapshot", Optional, false;
    Checkpoint: "domaincheckpoint", Optional, false;
}

#[cfg(test)]
mod tests {
    use virtbus_conf_base::{Identity, Text, XmlError};

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
    fn moments_are_found_by_their_names() {
        let children = format!("<name>n</name><uuid>{UUID}</uuid>");
        let named = Identity {
            name: Some(Text::from("n")),
            ..Identity::default()
        };
        let of = |root: &str| format!("<{root}>{children}</{root}>");
        assert_eq!(Snapshot::identify(&of("domainsnapshot")).unwrap(), named);
        assert_eq!(
            Checkpoint::identify(&of("domaincheckpoint")).unwrap(),
            named
        );
    }
}
