//! Guests with firmware in flash memory: the file with its variables is made, kept, and removed as it is said.

use std::fs;

use virtbus_tests::domain::START_PAUSED;
use virtbus_tests::{DomainXml, Testbed, or_skip};

/// Flags of `Undefine`.
const NVRAM: u32 = 4;
const KEEP_NVRAM: u32 = 8;

/// The definition of a guest with this firmware.
fn with_firmware(guest: &DomainXml, firmware: &str) -> String {
    guest
        .xml()
        .replace("</type>", &format!("</type>{firmware}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_copied_from_their_template_and_go_or_stay_as_it_is_said() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let (code, template) = (testbed.path("code.fd"), testbed.path("template.fd"));
    fs::write(&code, vec![0_u8; 128 << 10]).unwrap();
    fs::write(&template, vec![0xab_u8; 64 << 10]).unwrap();
    let own = testbed.path("own.fd");
    let loader = format!(
        "<loader readonly='yes' type='pflash'>{}</loader>",
        code.display()
    );
    let template_shown = template.display();
    let guest = DomainXml::small("flashed");
    for (nvram, flags) in [
        (
            format!(
                "<nvram template='{template_shown}'>{}</nvram>",
                own.display()
            ),
            NVRAM,
        ),
        (format!("<nvram template='{template_shown}'/>"), KEEP_NVRAM),
        (format!("<nvram template='{template_shown}'/>"), NVRAM),
    ] {
        let xml = with_firmware(&guest, &format!("{loader}{nvram}"));
        let domain = testbed.client.define(&xml).await.unwrap();
        let shown = domain.xml(0).await.unwrap();
        let (_, rest) = shown.split_once("<nvram").unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let path = rest.split_once('<').unwrap().0.to_owned();
        assert!(
            path.ends_with("own.fd") || path.ends_with("/nvram/flashed_VARS.fd"),
            "{path}"
        );

        domain.act("Create", START_PAUSED).await.unwrap();
        let made = fs::read(&path).unwrap();
        assert!(made == fs::read(&template).unwrap());
        domain.act("Destroy", 0).await.unwrap();

        // What a guest wrote stays over the next start.
        fs::write(&path, vec![0xcd_u8; 64 << 10]).unwrap();
        domain.act("Create", START_PAUSED).await.unwrap();
        domain.act("Destroy", 0).await.unwrap();
        assert_eq!(fs::read(&path).unwrap()[0], 0xcd);

        let refused = domain.act("Undefine", 0).await.unwrap_err().to_string();
        assert!(refused.contains(&path), "{refused}");
        domain.act("Undefine", flags).await.unwrap();
        assert_eq!(fs::exists(&path).unwrap(), flags == KEEP_NVRAM, "{path}");
        let _ = fs::remove_file(&path);
    }
    testbed.assert_nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_for_variables_is_named_and_nothing_is_made() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let (code, store) = (testbed.path("code.fd"), testbed.path("vars.fd"));
    fs::write(&code, vec![0_u8; 128 << 10]).unwrap();
    let guest = DomainXml::small("lacking");
    for (template, missing) in [
        ("/nowhere/template.fd", "/nowhere/template.fd"),
        ("", "vars.fd"),
    ] {
        let attribute = match template {
            "" => String::new(),
            template => format!(" template='{template}'"),
        };
        let firmware = format!(
            "<loader readonly='yes' type='pflash'>{}</loader><nvram{attribute}>{}</nvram>",
            code.display(),
            store.display()
        );
        let xml = with_firmware(&guest, &firmware);
        let domain = testbed.client.define(&xml).await.unwrap();
        let refused = domain.act("Create", 0).await.unwrap_err().to_string();
        assert!(refused.contains(missing), "{refused}");
        assert!(!store.exists());
        domain.act("Undefine", 0).await.unwrap();
    }
    testbed.assert_nothing_left().await;
}
