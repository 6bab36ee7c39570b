//! What is made up when a device is created, and what a device must have to be one.

use virtbus_conf_base::{ConfError, Entropy, Result};
use virtbus_xml::{Text, format_text};

use super::{Capability, NodeDevice};

/// What a document about a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It tells about a device that is there.
    Existing,
    /// It asks for a new one.
    New,
}

impl NodeDevice {
    /// Makes up the world wide names that a new virtual HBA lacks.
    ///
    /// They begin with `vendor`, the 24 bits that the IEEE gave the hypervisor's vendor.
    pub fn complete(&mut self, entropy: &mut dyn Entropy, vendor: u32) {
        for capability in &mut self.capabilities {
            if let Capability::ScsiHost(host) = capability
                && let Some(fc) = &mut host.fc_host
            {
                for name in [&mut fc.wwnn, &mut fc.wwpn] {
                    name.get_or_insert_with(|| made_up(entropy, vendor));
                }
            }
        }
    }

    /// Checks what depends on the document's purpose.
    ///
    /// # Errors
    /// A device without a name or number, or a new one of a kind that cannot be created.
    pub fn validate(&self, purpose: Purpose) -> Result<()> {
        match purpose {
            Purpose::Existing => self.validate_existing(),
            Purpose::New => self.validate_new(),
        }
    }

    fn validate_existing(&self) -> Result<()> {
        let Some(name) = &self.name else {
            return Err(ConfError::invalid("a device needs a <name>"));
        };
        if self.scsi_host().is_some_and(|host| host.host.is_none()) {
            return Err(ConfError::invalid(format!(
                "device '{name}': a SCSI host needs a <host> number"
            )));
        }
        Ok(())
    }

    fn validate_new(&self) -> Result<()> {
        let creatable = |c: &Capability| matches!(c, Capability::Mdev(_) | Capability::ScsiHost(_));
        if let Some(other) = self.capabilities.iter().find(|c| !creatable(c)) {
            return Err(ConfError::unsupported(format!(
                "a device of type '{}' cannot be created",
                other.kind()
            )));
        }
        let parent = self.parent.as_ref().is_some_and(|p| p.name.is_some());
        if self.mdev().is_some() && !parent {
            return Err(ConfError::invalid("a mediated device needs a <parent>"));
        }
        Ok(())
    }
}

/// A world wide name of the form that locally assigned ones have.
fn made_up(entropy: &mut dyn Entropy, vendor: u32) -> Text {
    format_text!("5{:06x}{:09x}", vendor & 0xff_ffff, entropy.bits(36))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(u8);

    impl Entropy for Count {
        fn fill(&mut self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0;
                self.0 += 1;
            }
        }
    }

    const HBA: &str = "<device><parent>scsi_host5</parent><capability type='scsi_host'>\
        <capability type='fc_host'><wwpn>2001001b32a9da4e</wwpn></capability></capability></device>";

    #[test]
    fn missing_names_are_made_up() {
        let mut device = NodeDevice::parse(HBA).unwrap();
        device.complete(&mut Count(0), 0x52_5400);
        let fc = device.scsi_host().unwrap().fc_host.as_ref().unwrap();
        assert_eq!(fc.wwnn.as_deref(), Some("5525400403020100"));
        assert_eq!(fc.wwpn.as_deref(), Some("2001001b32a9da4e"));
    }

    #[test]
    fn purpose_decides_what_is_needed() {
        let device = NodeDevice::parse(HBA).unwrap();
        assert!(device.validate(Purpose::New).is_ok());
        let e = device.validate(Purpose::Existing).unwrap_err();
        assert_eq!(e.to_string(), "a device needs a <name>");
        let orphan = "<device><capability type='mdev'><type id='x'/></capability></device>";
        let e = NodeDevice::parse(orphan).unwrap().validate(Purpose::New);
        assert!(e.unwrap_err().to_string().contains("<parent>"));
    }
}
