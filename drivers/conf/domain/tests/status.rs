//! Status of running guests from text to value and back: `data/domain_status`, in which [`check`] says what is what.

use std::fs;
use std::path::{Path, PathBuf};

use virtbus_conf_base::Flags;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain_status::{DomainStatus, StatusFolders};
use virtbus_conf_tests::{check, text};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/domain_status")
}

#[test]
fn domain_status() {
    let folders = StatusFolders {
        lib: "/lib",
        channel_target: "/channel",
        memory_backing: "/ram",
    };
    check(
        &folder(),
        |xml| {
            let mut status = DomainStatus::parse_strict(xml).map_err(text)?;
            status.complete(folders);
            Ok(status)
        },
        DomainStatus::format,
    );
}

#[test]
fn domain_status_keeps_what_other_drivers_have() {
    let xml = r#"<domstatus state='running' pid='7'>
  <init xmlns:c="urn:c" pid="8">
    <c:name>x</c:name>
  </init>
  <domain type='lxc' id='7'>
    <name>box</name>
    <devices>
    </devices>
  </domain>
</domstatus>
"#;
    let status = DomainStatus::parse_strict(xml).expect("it is known or kept");
    assert_eq!(status.format(), xml);
}

/// What a driver has made is not what a client says.
#[test]
fn private_data_of_clients_is_unknown() {
    let path = folder().join("migration.xml");
    let xml = fs::read_to_string(path).expect("the case can be read");
    let (start, end) = (xml.find("<domain "), xml.find("</domstatus>"));
    let domain = &xml[start.expect("it has one")..end.expect("it ends")];
    let error = Domain::parse_strict(domain).expect_err("not for clients");
    assert!(error.to_string().contains("privateData"), "{error}");
    let read = Domain::parse(domain).expect("what is unknown is ignored");
    assert!(read.devices.disk.iter().all(|disk| {
        disk.source.common().private_data.is_none() && disk.status.private_data.is_none()
    }));
    let stored = DomainStatus::parse(&xml)
        .expect("the case can be read")
        .domain;
    assert!(stored.format(Flags::STATUS).contains("<privateData>"));
    let public = stored.format(Flags::SECURE);
    assert!(!public.contains("privateData") && !public.contains("actualType"));
}
