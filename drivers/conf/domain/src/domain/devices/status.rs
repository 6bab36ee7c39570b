//! `<privateData>` of devices: what the status document of a running guest tells of them, beside what it tells of images.

use virtbus_conf_storage::storage::NodeName;
use virtbus_xml::{
    Content, Describe, Flags, Node, Nothing, Result, Text, Writer, Xml, YesNo, xml_names,
};

/// `<privateData>` of a disk: what the driver needs to find it again in the running guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskPrivate {
    /// Path of the device in QEMU's object tree.
    #[xml(child_attr = "qom/name")]
    pub qom_name: Option<Text>,
    /// Names of the block nodes between the device and the image.
    #[xml(child = "nodename", wrap = "nodenames")]
    pub node_names: Vec<NodeName>,
}

xml_names! {
    /// Whether something stands in the disk itself.
    pub enum InDisk {
        True = "true",
        False = "false",
    }
}

/// `<diskSecretsPlacement>`: which elements are in `<disk>`, as in older documents, instead of in `<source>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecretsPlacement {
    /// Where `<auth>` is: in `<disk>` if present.
    #[xml(attr)]
    pub auth: Option<InDisk>,
    /// Where `<encryption>` is: in `<disk>` if present.
    #[xml(attr = "enc")]
    pub encryption: Option<InDisk>,
}

/// What a disk has in status documents only.
#[derive(Describe, Nothing, Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskStatus {
    /// Names of the disk's parts in the running guest.
    #[xml(child = "privateData", conditional)]
    pub private_data: Option<DiskPrivate>,
    /// Whether `<auth>` and `<encryption>` are in `<disk>` instead of in `<source>`.
    #[xml(child = "diskSecretsPlacement", conditional)]
    pub secrets_placement: Option<SecretsPlacement>,
}

impl Content for DiskStatus {
    fn parse(node: Node<'_>) -> Result<Self> {
        if !node.is_stored() {
            return Ok(Self::default());
        }
        Ok(Self {
            private_data: node.child_filled("privateData")?,
            secrets_placement: node.child_filled("diskSecretsPlacement")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if !w.flags().contains(Flags::STATUS) {
            return;
        }
        if let Some(private) = &self.private_data {
            w.element_unless_empty("privateData", private);
        }
        if let Some(placement) = &self.secrets_placement {
            w.element_unless_empty("diskSecretsPlacement", placement);
        }
    }
}

/// What an interface has in status documents only.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterfaceStatus {
    /// Whether the driver has created the device on the host, and removes it when the guest stops.
    #[xml(child_attr = "created/value", wrap = "privateData", conditional)]
    pub created: Option<YesNo>,
}

impl Content for InterfaceStatus {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            created: switch(node, "created", "value")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        write_switch(self.created, "created", "value", w);
    }
}

/// What a TPM has in status documents only.
#[derive(Describe, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TpmStatus {
    /// Whether the emulator can release its state for a migration on storage that both hosts share.
    #[xml(
        child_attr = "swtpm/can_migrate_shared_storage",
        wrap = "privateData",
        conditional
    )]
    pub can_migrate_shared_storage: Option<YesNo>,
}

impl Content for TpmStatus {
    fn parse(node: Node<'_>) -> Result<Self> {
        Ok(Self {
            can_migrate_shared_storage: switch(node, "swtpm", "can_migrate_shared_storage")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        let switch = self.can_migrate_shared_storage;
        write_switch(switch, "swtpm", "can_migrate_shared_storage", w);
    }
}

/// The attribute of a child of `<privateData>`, if a driver has stored the document.
fn switch(node: Node<'_>, child: &str, attribute: &str) -> Result<Option<YesNo>> {
    if node.is_stored() {
        let private = node.child_or_absent("privateData");
        private.child_attr_opt(child, attribute)
    } else {
        Ok(None)
    }
}

fn write_switch(switch: Option<YesNo>, child: &str, attribute: &str, w: &mut Writer) {
    if let Some(switch) = switch
        && w.flags().contains(Flags::STATUS)
    {
        w.begin("privateData");
        w.attr_element(child, attribute, &switch);
        w.end("privateData");
    }
}
