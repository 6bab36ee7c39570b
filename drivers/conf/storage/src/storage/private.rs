//! `<privateData>` of an image: what the driver has made for it in a running guest.
//!
//! Only status documents have it. In a client's document it is not known, so nobody can make the driver believe what it has not
//! made itself.

use virtbus_xml::{Flags, Node, Result, Text, Writer, Xml, YesNo, xml_names};

xml_names! {
    /// What a block node is for.
    pub enum NodeNameKind {
        /// Access to the image.
        Storage = "storage",
        /// Its format.
        Format = "format",
        /// The slice that is used.
        SliceStorage = "slice-storage",
        /// Copies what is read into the image.
        CopyOnRead = "copyOnRead",
        /// Limits shared with other disks.
        ThrottleFilter = "throttle-filter",
    }
}

/// `<nodename>`: the name of a block node in the running QEMU.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NodeName {
    /// Purpose of the block node: storage access, format or another layer.
    #[xml(attr = "type")]
    pub kind: NodeNameKind,
    /// Name of the block node, as QEMU's monitor knows it.
    #[xml(attr)]
    pub name: Text,
    /// Throttle group that a filter node belongs to.
    #[xml(attr)]
    pub group: Option<Text>,
}

xml_names! {
    /// What a secret object is for.
    pub enum ObjectSecretKind {
        /// The user's password.
        Auth = "auth",
        /// The image's encryption.
        Encryption = "encryption",
        /// Cookies of HTTP.
        HttpCookie = "httpcookie",
        /// The key of the TLS certificate.
        TlsKey = "tlskey",
    }
}

/// `<secret>`: a secret that was given to the guest's process.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct ObjectSecret {
    /// Purpose of the secret: authentication, encryption, cookies or TLS key.
    #[xml(attr = "type")]
    pub kind: ObjectSecretKind,
    /// Identifier of the secret object in QEMU.
    #[xml(attr)]
    pub alias: Text,
}

/// `<objects>`: objects in QEMU that the image needs besides block nodes.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceObjects {
    /// Secrets that were given to the guest's process for the image.
    #[xml(child)]
    pub secret: Vec<ObjectSecret>,
    /// Identifier of the object with the TLS credentials in QEMU.
    #[xml(child_attr = "TLSx509/alias")]
    pub tls: Option<Text>,
}

xml_names! {
    /// What a set of descriptors is for.
    pub enum FdSetKind {
        Storage = "storage",
    }
}

/// `<fdset>`: file descriptors that were passed to the guest's process.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct FdSet {
    /// Purpose of the descriptors in the set.
    #[xml(attr = "type")]
    pub kind: FdSetKind,
    /// Number of the descriptor set in QEMU.
    #[xml(attr)]
    pub id: u32,
}

/// `<thresholdEvent>`: a write threshold event was requested for the image.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThresholdEvent {
    /// Whether the request named the image by its number rather than by the disk.
    #[xml(attr = "indexUsed")]
    pub index_used: YesNo,
}

/// `<nbdkit>`: an nbdkit process that serves the image to QEMU.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Nbdkit {
    /// Path of the file with nbdkit's process ID.
    #[xml(text_child)]
    pub pidfile: Option<Text>,
    /// Path of the socket on which nbdkit serves.
    #[xml(text_child)]
    pub socketfile: Option<Text>,
}

/// `<privateData>` of an image: what the driver needs to find it again in the running guest.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcePrivate {
    /// Names of the image's block nodes in QEMU.
    #[xml(child = "nodename", wrap = "nodenames")]
    pub node_names: Vec<NodeName>,
    /// Identifier of QEMU's object for persistent reservations.
    #[xml(child_attr = "reservations/mgralias")]
    pub reservations: Option<Text>,
    /// Path by which the image above names this one in its header.
    #[xml(text_child = "relPath")]
    pub rel_path: Option<Text>,
    /// Secrets and TLS credentials that QEMU has for the image.
    #[xml(child, skip_empty)]
    pub objects: Option<SourceObjects>,
    /// Descriptor sets that were passed for the image.
    #[xml(child = "fdset", wrap = "fdsets")]
    pub fd_sets: Vec<FdSet>,
    /// Present if a write threshold event was requested.
    #[xml(child = "thresholdEvent")]
    pub threshold_event: Option<ThresholdEvent>,
    /// nbdkit process that serves the image, if there is one.
    #[xml(child, skip_empty)]
    pub nbdkit: Option<Nbdkit>,
}

impl SourcePrivate {
    /// What `source` has, if a driver has stored the document.
    ///
    /// # Errors
    /// What is there is not what drivers write.
    pub fn of(source: Node<'_>) -> Result<Option<Box<Self>>> {
        if source.is_stored() {
            source.child_filled("privateData")
        } else {
            Ok(None)
        }
    }

    /// Writes it, if the document is for a driver.
    pub fn write(private: &Option<Box<Self>>, w: &mut Writer) {
        if let Some(private) = private
            .as_deref()
            .filter(|_| w.flags().contains(Flags::STATUS))
        {
            w.element_unless_empty("privateData", private);
        }
    }

    /// Name of the object that holds a secret.
    pub fn secret(&self, kind: ObjectSecretKind) -> Option<&str> {
        let secrets = self.objects.iter().flat_map(|objects| &objects.secret);
        secrets
            .filter(|secret| secret.kind == kind)
            .map(|secret| secret.alias.as_str())
            .next()
    }

    /// Notes which object holds a secret, unless there is one already.
    pub fn add_secret(&mut self, kind: ObjectSecretKind, alias: Text) {
        if self.secret(kind).is_none() {
            let objects = self.objects.get_or_insert_default();
            objects.secret.push(ObjectSecret { kind, alias });
        }
    }
}
