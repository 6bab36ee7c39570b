//! Addresses of host interfaces: `<protocol>`.

use virtbus_conf_base::common::{Ip, IpFamily};
use virtbus_conf_base::{ConfError, Result as ConfResult};
use virtbus_xml::{Content, Describe, Node, Result, Text, Value, Writer, Xml, YesNo};

/// `<dhcp>`: the interface gets its address from a DHCP server.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dhcp {
    /// Whether the DHCP server's name servers are used.
    #[xml(attr)]
    pub peerdns: Option<YesNo>,
}

/// `<ip>`: an address that is set by hand.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// IP address, kept as written.
    #[xml(attr)]
    pub address: Text,
    /// Length of the network part in bits; 0 counts as absent.
    #[xml(attr, unset = 0)]
    pub prefix: Option<u32>,
}

/// `<protocol>`: the address settings of one family.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Address family: `ipv4` or `ipv6`.
    #[xml(attr)]
    pub family: IpFamily,
    /// Addresses are taken from router advertisements; IPv6 only.
    #[xml(flag)]
    pub autoconf: bool,
    /// Present if addresses come from a DHCP server.
    #[xml(child)]
    pub dhcp: Option<Dhcp>,
    /// Addresses that are set by hand.
    #[xml(child)]
    pub ip: Vec<InterfaceAddress>,
    /// Address of the default router, kept as written.
    #[xml(child_attr = "route/gateway")]
    pub gateway: Option<Text>,
}

impl Content for Protocol {
    fn parse(node: Node<'_>) -> Result<Self> {
        let family = node.attr_req("family")?;
        Ok(Self {
            family,
            autoconf: family == IpFamily::Ipv6 && node.child("autoconf").is_some(),
            dhcp: node.child_opt("dhcp")?,
            ip: node.child_vec("ip")?,
            gateway: node.child_attr_opt("route", "gateway")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("family", &self.family);
    }

    fn children(&self, w: &mut Writer) {
        if self.autoconf {
            w.flag("autoconf");
        }
        if let Some(dhcp) = &self.dhcp {
            w.element("dhcp", dhcp);
        }
        for ip in &self.ip {
            w.element("ip", ip);
        }
        if let Some(gateway) = &self.gateway {
            w.attr_element("route", "gateway", gateway);
        }
    }
}

impl Protocol {
    pub(super) fn validate(&self) -> ConfResult<()> {
        for ip in &self.ip {
            let bits = self.check(&ip.address)?.bits();
            if let Some(prefix) = ip.prefix.filter(|p| *p > bits) {
                return Err(ConfError::invalid(format!(
                    "the network part of '{}' cannot have {prefix} of {bits} bits",
                    ip.address
                )));
            }
        }
        self.gateway
            .iter()
            .try_for_each(|gateway| self.check(gateway).map(drop))
    }

    fn check(&self, address: &str) -> ConfResult<Ip> {
        Ip::from_text(address)
            .filter(|ip| ip.family() == self.family)
            .ok_or_else(|| {
                ConfError::invalid(format!("invalid {} address '{address}'", self.family))
            })
    }
}
