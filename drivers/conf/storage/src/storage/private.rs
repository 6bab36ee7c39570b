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

/// `<nodename>`: the name of a block node.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct NodeName {
    /// What the node is for.
    #[xml(attr = "type")]
    pub kind: NodeNameKind,
    /// Its name.
    #[xml(attr)]
    pub name: Text,
    /// Group of limits, of a filter.
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
    /// What it is for.
    #[xml(attr = "type")]
    pub kind: ObjectSecretKind,
    /// Name of the object.
    #[xml(attr)]
    pub alias: Text,
}

/// `<objects>`: objects that stand beside the nodes.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceObjects {
    /// Secrets.
    #[xml(child)]
    pub secret: Vec<ObjectSecret>,
    /// TLS credentials.
    #[xml(child_attr = "TLSx509/alias")]
    pub tls: Option<Text>,
}

xml_names! {
    /// What a set of descriptors is for.
    pub enum FdSetKind {
        Storage = "storage",
    }
}

/// `<fdset>`: descriptors that were passed to the guest's process.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct FdSet {
    /// What they are for.
    #[xml(attr = "type")]
    pub kind: FdSetKind,
    /// Number of the set.
    #[xml(attr)]
    pub id: u32,
}

/// `<thresholdEvent>`: somebody waits for the image to grow.
#[derive(Xml, Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThresholdEvent {
    /// Whether the image was told by its number.
    #[xml(attr = "indexUsed")]
    pub index_used: YesNo,
}

/// `<nbdkit>`: a helper that serves the image.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct Nbdkit {
    /// File with its process number.
    #[xml(text_child)]
    pub pidfile: Option<Text>,
    /// Its socket.
    #[xml(text_child)]
    pub socketfile: Option<Text>,
}

/// `<privateData>` of an image.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcePrivate {
    /// Block nodes.
    #[xml(child = "nodename", wrap = "nodenames")]
    pub node_names: Vec<NodeName>,
    /// Object for persistent reservations.
    #[xml(child_attr = "reservations/mgralias")]
    pub reservations: Option<Text>,
    /// How the image above names this one.
    #[xml(text_child = "relPath")]
    pub rel_path: Option<Text>,
    /// Objects beside the nodes.
    #[xml(child, skip_empty)]
    pub objects: Option<SourceObjects>,
    /// Descriptors.
    #[xml(child = "fdset", wrap = "fdsets")]
    pub fd_sets: Vec<FdSet>,
    /// Who waits for it to grow.
    #[xml(child = "thresholdEvent")]
    pub threshold_event: Option<ThresholdEvent>,
    /// A helper that serves it.
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
