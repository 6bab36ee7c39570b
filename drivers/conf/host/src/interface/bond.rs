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

/// `<miimon>`: the cable is watched.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct MiiMonitor {
    /// Milliseconds between looks.
    #[xml(attr)]
    pub freq: u32,
    /// Milliseconds before an interface counts as lost; 0 is not told.
    #[xml(attr, unset = 0)]
    pub downdelay: Option<u32>,
    /// Milliseconds before an interface counts as back; 0 is not told.
    #[xml(attr, unset = 0)]
    pub updelay: Option<u32>,
    /// How the kernel finds out.
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

/// `<arpmon>`: another machine is asked.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ArpMonitor {
    /// Milliseconds between questions.
    #[xml(attr)]
    pub interval: u32,
    /// Address of the machine, as written.
    #[xml(attr)]
    pub target: Text,
    /// Where answers are checked.
    #[xml(attr)]
    pub validate: Option<ArpValidate>,
}

/// How a bond finds out that an interface is lost.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub enum Monitor {
    /// By the cable.
    #[xml(child = "miimon")]
    Mii(MiiMonitor),
    /// By asking another machine.
    #[xml(child = "arpmon")]
    Arp(ArpMonitor),
}

/// `<bond>`.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct Bond {
    /// How it uses its interfaces.
    #[xml(attr)]
    pub mode: Option<BondMode>,
    /// How it finds out that one is lost.
    #[xml(flat, value = Monitor, required)]
    pub monitor: Option<Monitor>,
    /// Its interfaces, all of them network cards.
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
