//! The XML of a test's guest: q35 under TCG, small, its serial console in a file.
//!
//! A template and no model: tests that want something unusual put it in as text, because the
//! model of the daemon is what they test.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::guest::{CMDLINE, GuestImage};

/// A guest to define or create.
#[derive(Debug, Clone)]
pub struct DomainXml {
    name: String,
    uuid: Uuid,
    memory_mib: u32,
    boot: Option<(GuestImage, String)>,
    serial: Option<PathBuf>,
    devices: String,
    extra: String,
}

impl DomainXml {
    /// A guest of 128 MiB without anything to boot: its firmware runs and finds nothing.
    #[must_use]
    pub fn new(name: &str) -> DomainXml {
        DomainXml {
            name: name.to_owned(),
            uuid: Uuid::new_v4(),
            memory_mib: 128,
            boot: None,
            serial: None,
            devices: String::new(),
            extra: String::new(),
        }
    }

    /// A guest that is up as soon as its emulator is, and small.
    #[must_use]
    pub fn small(name: &str) -> DomainXml {
        DomainXml::new(name).memory_mib(64)
    }

    /// Boots the test guest; `words` are added to its kernel command line.
    #[must_use]
    pub fn boot(mut self, image: &GuestImage, words: &str) -> DomainXml {
        self.boot = Some((
            image.clone(),
            format!("{CMDLINE} {words}").trim_end().to_owned(),
        ));
        self
    }

    /// Writes the serial console to a file.
    #[must_use]
    pub fn serial_file(mut self, path: &Path) -> DomainXml {
        self.serial = Some(path.to_owned());
        self
    }

    /// Gives the guest another amount of memory, in MiB.
    #[must_use]
    pub fn memory_mib(mut self, memory_mib: u32) -> DomainXml {
        self.memory_mib = memory_mib;
        self
    }

    /// Another UUID than the one made up.
    #[must_use]
    pub fn with_uuid(mut self, uuid: Uuid) -> DomainXml {
        self.uuid = uuid;
        self
    }

    /// Runs the guest by another program than the driver's choice.
    #[must_use]
    pub fn emulator(self, program: &Path) -> DomainXml {
        let program = escape(&program.to_string_lossy());
        self.device(&format!("<emulator>{program}</emulator>"))
    }

    /// Adds elements to `<devices>`.
    #[must_use]
    pub fn device(mut self, xml: &str) -> DomainXml {
        self.devices.push_str(xml);
        self
    }

    /// Adds elements to `<domain>`.
    #[must_use]
    pub fn element(mut self, xml: &str) -> DomainXml {
        self.extra.push_str(xml);
        self
    }

    /// The guest's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The guest's UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The path of the guest's object on the bus.
    #[must_use]
    pub fn object_path(&self) -> String {
        let uuid = self.uuid.to_string().replace('-', "_");
        format!("{}/domain/_{uuid}", crate::client::QEMU_PATH)
    }

    /// The document.
    #[must_use]
    pub fn xml(&self) -> String {
        let boot = self
            .boot
            .as_ref()
            .map_or_else(String::new, |(image, cmdline)| {
                format!(
                    "<kernel>{}</kernel><initrd>{}</initrd><cmdline>{}</cmdline>",
                    escape(&image.kernel.to_string_lossy()),
                    escape(&image.initrd.to_string_lossy()),
                    escape(cmdline),
                )
            });
        let serial = self.serial.as_ref().map_or_else(String::new, |path| {
            format!(
                "<serial type='file'><source path='{}'/><target port='0'/></serial>",
                escape(&path.to_string_lossy())
            )
        });
        format!(
            "<domain type='qemu'>\n\
             <name>{}</name><uuid>{}</uuid>\n\
             <memory unit='MiB'>{}</memory><vcpu>1</vcpu>\n\
             <os><type arch='x86_64' machine='q35'>hvm</type>{boot}</os>\n\
             <features><acpi/></features>{}\n\
             <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>\n\
             <devices>{serial}{}</devices>\n\
             </domain>\n",
            escape(&self.name),
            self.uuid,
            self.memory_mib,
            self.extra,
            self.devices,
        )
    }
}

/// Text as it stands in an XML document, also in attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&apos;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_path_is_the_uuid_with_underscores() {
        let uuid = "6e2f0f1e-7d0c-4b36-9f4c-c0ffee000001".parse().unwrap();
        let domain = DomainXml::new("web").with_uuid(uuid);
        assert_eq!(
            domain.object_path(),
            "/org/libvirt/QEMU/domain/_6e2f0f1e_7d0c_4b36_9f4c_c0ffee000001"
        );
    }

    #[test]
    fn names_are_escaped() {
        let xml = DomainXml::new("a<b>&'c'").xml();
        assert!(
            xml.contains("<name>a&lt;b&gt;&amp;&apos;c&apos;</name>"),
            "{xml}"
        );
    }
}
