//! Bonds: several network cards used as one.

use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, Xml, xml_names};

use super::Port;

xml_names! {
    /// How a bond uses its interfaces.
    pub enum BondMode {
        BalanceRr = "balance-rr",
        ActiveBackup = "active-backup",
        BalanceXor = "balance-xor",
        Broadcast = "broadcast",
        Lacp = "802.3ad",
        BalanceTlb = "balance-tlb",
        BalanceAlb = "balance-alb",
    }
}

xml_names! {
    /// How the kernel finds out about a cable.
    pub enum Carrier {
        Ioctl = "ioctl",
        Netif = "netif",
    }
}

/// `<miimon>`: the bond watches whether its interfaces have a link.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MiiMonitor {
    /// Interval between two checks, in milliseconds.
    #[xml(attr)]
    pub freq: u32,
    /// Milliseconds without link before an interface counts as lost; 0 is not written.
    #[xml(attr, unset = 0)]
    pub downdelay: Option<u32>,
    /// Milliseconds with link before an interface counts as usable again; 0 is not written.
    #[xml(attr, unset = 0)]
    pub updelay: Option<u32>,
    /// How the link is detected: `ioctl` asks the driver by MII or ethtool, `netif` reads the carrier state.
    #[xml(attr)]
    pub carrier: Option<Carrier>,
}

xml_names! {
    /// On which interfaces answers to ARP are checked.
    pub enum ArpValidate {
        None = "none",
        Active = "active",
        Backup = "backup",
        All = "all",
    }
}

/// `<arpmon>`: the bond sends ARP requests to another machine.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ArpMonitor {
    /// Interval between two ARP requests, in milliseconds.
    #[xml(attr)]
    pub interval: u32,
    /// IP address that is asked for, kept as written.
    #[xml(attr)]
    pub target: Text,
    /// On which interfaces replies are checked: `none`, `active`, `backup` or `all`.
    #[xml(attr)]
    pub validate: Option<ArpValidate>,
}

/// How a bond finds out that one of its interfaces has failed.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum Monitor {
    /// It watches the link of each interface.
    #[xml(child = "miimon")]
    Mii(MiiMonitor),
    /// It sends ARP requests to another machine.
    #[xml(child = "arpmon")]
    Arp(ArpMonitor),
}

/// `<bond>`: several network cards that are used as one.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Bond {
    /// Bonding mode of the kernel, such as `active-backup`; the kernel's default if absent.
    #[xml(attr)]
    pub mode: Option<BondMode>,
    /// How the bond finds out that an interface has failed.
    #[xml(flat, value = Monitor, required)]
    pub monitor: Option<Monitor>,
    /// Network cards that the bond consists of.
    #[xml(child = "interface")]
    pub interfaces: Vec<Port>,
}

impl Content for Bond {
    fn parse(node: Node<'_>) -> Result<Self> {
        let monitor = match (node.child("miimon"), node.child("arpmon")) {
            (Some(mii), _) => Some(Monitor::Mii(MiiMonitor::parse(mii)?)),
            (None, Some(arp)) => Some(Monitor::Arp(ArpMonitor::parse(arp)?)),
            (None, None) => None,
        };
        Ok(Self {
            mode: node.attr_opt("mode")?,
            monitor,
            interfaces: Port::parse_all(node, &["ethernet"])?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr_opt("mode", &self.mode);
    }

    fn children(&self, w: &mut Writer) {
        match &self.monitor {
            Some(Monitor::Mii(mii)) => w.element("miimon", mii),
            Some(Monitor::Arp(arp)) => w.element("arpmon", arp),
            None => {}
        }
        Port::write_all(&self.interfaces, w);
    }
}
