//! `<smartcard>`, `<redirdev>`, `<redirfilter>` and `<hub>`: readers, and USB from elsewhere.

use std::borrow::Cow;
use std::fmt::Write as _;

use virtbus_xml::{
    Content, Describe, ErrorKind, Node, Rare, Result, Text, Value, Writer, Xml, YesNo, xml_names,
};

use super::chardev::Chardev;
use super::info::DeviceInfo;

/// Certificates of a smart card that the hypervisor emulates.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct SmartcardCertificates {
    /// Names of the three certificates in the database.
    #[xml(text_child, many, value = Text)]
    pub certificate: [Text; 3],
    /// Absolute path of the folder with the certificate database; `/etc/pki/nssdb` if absent.
    #[xml(text_child)]
    pub database: Option<Text>,
}

/// Where the card in the reader comes from.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "mode")]
pub enum SmartcardMode {
    /// A card in a reader of the host.
    #[xml("host")]
    Host,
    /// A card that the hypervisor emulates, with certificates of the host.
    #[xml("host-certificates")]
    HostCertificates(SmartcardCertificates),
    /// A card at the other end of a character device, such as that of a SPICE client.
    #[xml("passthrough")]
    Passthrough(Chardev),
}

/// `<smartcard>`: a smart card reader of the guest.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Smartcard {
    /// Where the card in the reader comes from.
    #[xml(flat)]
    pub mode: SmartcardMode,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

impl Content for Smartcard {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mode = match node.attr("mode") {
            Some("host") => SmartcardMode::Host,
            Some("host-certificates") => {
                let names: Vec<Text> = node.text_child_vec("certificate")?;
                let certificate = names.try_into().map_err(|_| {
                    node.error(
                        ErrorKind::Invalid,
                        "exactly three certificates must be given",
                    )
                })?;
                SmartcardMode::HostCertificates(SmartcardCertificates {
                    certificate,
                    database: node.text_child_opt("database")?,
                })
            }
            Some("passthrough") => {
                if node.attr("type").is_none() {
                    return Err(node.missing_attr("type"));
                }
                SmartcardMode::Passthrough(Chardev::parse(node)?)
            }
            Some(other) => {
                return Err(node.bad_attr(
                    "mode",
                    other,
                    "one of 'host', 'host-certificates', 'passthrough'",
                ));
            }
            None => return Err(node.missing_attr("mode")),
        };
        Ok(Self {
            mode,
            info: Rare::parse(node)?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        match &self.mode {
            SmartcardMode::Host => w.attr_str("mode", "host"),
            SmartcardMode::HostCertificates(_) => w.attr_str("mode", "host-certificates"),
            SmartcardMode::Passthrough(chardev) => {
                w.attr_str("mode", "passthrough");
                chardev.attrs(w);
            }
        }
    }

    fn children(&self, w: &mut Writer) {
        match &self.mode {
            SmartcardMode::Host => {}
            SmartcardMode::HostCertificates(token) => {
                for name in &token.certificate {
                    w.text_element("certificate", name);
                }
                if let Some(database) = &token.database {
                    w.text_element("database", database);
                }
            }
            SmartcardMode::Passthrough(chardev) => chardev.children(w),
        }
        self.info.children(w);
    }
}

xml_names! {
    /// What a redirected device is attached to.
    pub enum RedirdevBus {
        Usb = "usb",
    }
}

/// `<redirdev>`: a USB device of a client that is redirected to the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Redirdev {
    /// Bus that the device is attached to: always `usb`.
    #[xml(attr, absent = "usb")]
    pub bus: Option<RedirdevBus>,
    /// How the client is reached: a character device, usually `spicevmc`.
    #[xml(flat)]
    pub chardev: Chardev,
    /// Boot order, alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

/// An identifier in a filter, or any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbMatch<const WIDTH: usize>(pub Option<u16>);

impl<const WIDTH: usize> Value for UsbMatch<WIDTH> {
    fn from_text(text: &str) -> Option<Self> {
        if text == "-1" {
            return Some(Self(None));
        }
        let number = virtbus_xml::Hex::<1>::from_text(text)?.0;
        let most = if WIDTH == 2 { 0xff } else { 0xffff };
        u16::try_from(number)
            .ok()
            .filter(|n| *n <= most)
            .map(|n| Self(Some(n)))
    }

    fn write_to(&self, out: &mut String) {
        match self.0 {
            None => out.push_str("-1"),
            Some(n) => write!(out, "0x{n:0WIDTH$X}").expect("writing to a String cannot fail"),
        }
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("-1 or a number in hexadecimal with 0x")
    }
}

/// Version of a USB device in a filter, or any: `1.1`, as binary-coded decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbVersion(pub Option<u16>);

impl Value for UsbVersion {
    fn from_text(text: &str) -> Option<Self> {
        if text == "-1" {
            return Some(Self(None));
        }
        let (major, minor) = text.split_once('.')?;
        let bcd = |part: &str| {
            let digits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| u16::from_str_radix(part, 16).ok()).flatten()
        };
        // One digit after the point counts as tenths.
        let minor_bcd = bcd(minor)?;
        let minor_bcd = if minor.len() == 1 {
            minor_bcd << 4
        } else {
            minor_bcd
        };
        Some(Self(Some(bcd(major)? << 8 | minor_bcd)))
    }

    fn write_to(&self, out: &mut String) {
        match self.0 {
            None => out.push_str("-1"),
            Some(bcd) => {
                let decimal = |byte: u16| (byte >> 4) * 10 + (byte & 0xf);
                write!(out, "{}.{:02}", decimal(bcd >> 8), decimal(bcd & 0xff))
                    .expect("writing to a String cannot fail");
            }
        }
    }

    fn expected() -> Cow<'static, str> {
        Cow::Borrowed("-1 or a version such as 1.10")
    }
}

/// `<usbdev>`: a rule of the filter; what is absent matches every device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct RedirFilterUsbDev {
    /// USB device class, such as `0x08` for storage; -1 matches all.
    #[xml(attr)]
    pub class: Option<UsbMatch<2>>,
    /// Vendor number, such as `0x1234`; -1 matches all.
    #[xml(attr)]
    pub vendor: Option<UsbMatch<4>>,
    /// Product number, such as `0xbeef`; -1 matches all.
    #[xml(attr)]
    pub product: Option<UsbMatch<4>>,
    /// Version of the device, such as `1.10`; -1 matches all.
    #[xml(attr)]
    pub version: Option<UsbVersion>,
    /// Whether matching devices may be redirected.
    #[xml(attr)]
    pub allow: YesNo,
}

/// `<redirfilter>`: rules for which USB devices may be redirected. The first rule that matches decides.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct RedirFilter {
    /// Rules, in the order in which they are tried.
    #[xml(child)]
    pub usbdev: Vec<RedirFilterUsbDev>,
}

xml_names! {
    /// Kind of a hub.
    pub enum HubType {
        Usb = "usb",
    }
}

/// `<hub>`: a hub that adds ports to a bus of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// Kind of hub: always `usb`.
    #[xml(attr = "type")]
    pub kind: HubType,
    /// Alias and address of the device.
    #[xml(flat)]
    pub info: Rare<DeviceInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_binary_coded_decimals() {
        let text = |t: &str| {
            let mut out = String::new();
            UsbVersion::from_text(t).unwrap().write_to(&mut out);
            out
        };
        assert_eq!(text("1.10"), "1.10");
        assert_eq!(text("1.1"), "1.10");
        assert_eq!(text("10.01"), "10.01");
        assert_eq!(text("-1"), "-1");
        for bad in ["", "1", "1.", ".1", "1.a", "100.1", "1.100"] {
            assert_eq!(UsbVersion::from_text(bad), None, "{bad}");
        }
    }
}
