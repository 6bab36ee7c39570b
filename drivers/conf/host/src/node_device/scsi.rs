//! SCSI: host bus adapters, targets, units.

use virtbus_xml::{Content, Describe, Node, Result, Text, Writer, Xml};

use super::{nested, unknown_nested, write_nested};

/// Nested `type='fc_host'`: a Fibre Channel adapter.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FcHost {
    /// World wide node name.
    #[xml(text_child, absent = "made up")]
    pub wwnn: Option<Text>,
    /// World wide port name.
    #[xml(text_child, absent = "made up")]
    pub wwpn: Option<Text>,
    /// World wide name of the fabric it is connected to.
    #[xml(text_child)]
    pub fabric_wwn: Option<Text>,
}

/// Nested `type='vport_ops'`: the adapter can have virtual ports.
///
/// The numbers are what the host counts; a document that is read does not set them.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VportOps {
    /// How many there can be.
    #[xml(text_child)]
    pub max_vports: u32,
    /// How many there are.
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

/// `type='scsi_host'`.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct ScsiHost {
    /// Its number; absent from one that is still to be created.
    #[xml(text_child)]
    pub host: Option<u32>,
    /// A number that its driver gives it and that stays.
    #[xml(text_child)]
    pub unique_id: Option<u32>,
    /// If it is a Fibre Channel adapter.
    #[xml(child = "capability[type=fc_host]")]
    pub fc_host: Option<FcHost>,
    /// If it can have virtual ports.
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

/// Nested `type='fc_remote_port'`: a Fibre Channel port at the other end.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct FcRemotePort {
    /// Its name on the host.
    #[xml(text_child)]
    pub rport: Text,
    /// World wide port name.
    #[xml(text_child)]
    pub wwpn: Text,
}

/// `type='scsi_target'`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct ScsiTarget {
    /// Its name on the host.
    #[xml(text_child)]
    pub target: Text,
    /// The port it is reached by.
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

/// `type='scsi'`: a unit of a SCSI device.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Scsi {
    /// Adapter.
    #[xml(text_child)]
    pub host: u32,
    /// Bus.
    #[xml(text_child)]
    pub bus: u32,
    /// Target.
    #[xml(text_child)]
    pub target: u32,
    /// Unit.
    #[xml(text_child)]
    pub lun: u32,
    /// What it is: `disk`, `cdrom`, …
    #[xml(text_child = "type")]
    pub kind: Option<Text>,
}
