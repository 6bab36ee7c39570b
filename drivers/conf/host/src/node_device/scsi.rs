//! SCSI: host bus adapters, targets, units.

use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, Xml};

use super::{nested, unknown_nested, write_nested};

/// Nested `type='fc_host'`: the adapter is a Fibre Channel adapter.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FcHost {
    /// World wide node name of the adapter.
    #[xml(text_child, absent = "generated")]
    pub wwnn: Option<Text>,
    /// World wide port name of the adapter.
    #[xml(text_child, absent = "generated")]
    pub wwpn: Option<Text>,
    /// World wide name of the fabric that the adapter is connected to.
    #[xml(text_child)]
    pub fabric_wwn: Option<Text>,
}

/// Nested `type='vport_ops'`: the adapter can have virtual ports (NPIV).
///
/// The numbers are what the host reports; a document that is read does not set them.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VportOps {
    /// Largest number of virtual ports.
    #[xml(text_child)]
    pub max_vports: u32,
    /// Number of virtual ports that exist.
    #[xml(text_child)]
    pub vports: u32,
}

impl Content for VportOps {
    fn parse(node: Node<'_>) -> Result<Self> {
        node.take_all();
        Ok(Self::default())
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("max_vports", &self.max_vports);
        w.text_element("vports", &self.vports);
    }
}

/// `type='scsi_host'`: a SCSI host bus adapter.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct ScsiHost {
    /// Number of the adapter on the host; absent from one that is still to be created.
    #[xml(text_child)]
    pub host: Option<u32>,
    /// Number that the adapter's driver gives it, which does not change.
    #[xml(text_child)]
    pub unique_id: Option<u32>,
    /// Fibre Channel names, if it is a Fibre Channel adapter.
    #[xml(child = "capability[type=fc_host]")]
    pub fc_host: Option<FcHost>,
    /// Numbers of virtual ports, if the adapter can have them.
    #[xml(child = "capability[type=vport_ops]")]
    pub vport_ops: Option<VportOps>,
}

impl Content for ScsiHost {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut host = Self {
            host: node.text_child_opt("host")?,
            unique_id: node.text_child_opt("unique_id")?,
            ..Self::default()
        };
        for (kind, child) in nested(node)? {
            match kind {
                "fc_host" => host.fc_host = Some(FcHost::parse(child)?),
                "vport_ops" => host.vport_ops = Some(VportOps::parse(child)?),
                _ => return Err(unknown_nested(child, kind, &["fc_host", "vport_ops"])),
            }
            child.take();
        }
        Ok(host)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if let Some(host) = &self.host {
            w.text_element("host", host);
        }
        if let Some(id) = &self.unique_id {
            w.text_element("unique_id", id);
        }
        if let Some(fc) = &self.fc_host {
            write_nested(w, "fc_host", fc);
        }
        if let Some(ports) = &self.vport_ops {
            write_nested(w, "vport_ops", ports);
        }
    }
}

/// Nested `type='fc_remote_port'`: the remote Fibre Channel port of the target.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct FcRemotePort {
    /// Name of the remote port on the host.
    #[xml(text_child)]
    pub rport: Text,
    /// World wide port name of the remote port.
    #[xml(text_child)]
    pub wwpn: Text,
}

/// `type='scsi_target'`: a target on a SCSI bus.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct ScsiTarget {
    /// Name of the target on the host.
    #[xml(text_child)]
    pub target: Text,
    /// Remote Fibre Channel port by which the target is reached.
    #[xml(child = "capability[type=fc_remote_port]")]
    pub fc_remote_port: Option<FcRemotePort>,
}

impl Content for ScsiTarget {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut target = Self {
            target: node.text_child_req("target")?,
            fc_remote_port: None,
        };
        for (kind, child) in nested(node)? {
            if kind != "fc_remote_port" {
                return Err(unknown_nested(child, kind, &["fc_remote_port"]));
            }
            child.take();
            target.fc_remote_port = Some(FcRemotePort::parse(child)?);
        }
        Ok(target)
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        w.text_element("target", &self.target);
        if let Some(port) = &self.fc_remote_port {
            write_nested(w, "fc_remote_port", port);
        }
    }
}

/// `type='scsi'`: a logical unit of a SCSI target.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Scsi {
    /// Number of the SCSI adapter.
    #[xml(text_child)]
    pub host: u32,
    /// Number of the adapter's bus.
    #[xml(text_child)]
    pub bus: u32,
    /// Number of the target on the bus.
    #[xml(text_child)]
    pub target: u32,
    /// Number of the logical unit (LUN).
    #[xml(text_child)]
    pub lun: u32,
    /// SCSI type of the unit: `disk`, `cdrom`, …
    #[xml(text_child = "type")]
    pub kind: Option<Text>,
}
