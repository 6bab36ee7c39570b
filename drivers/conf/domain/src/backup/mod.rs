//! The backup document: `<domainbackup>`, a copy of a guest's disks that is made while it runs.
//!
//! Nothing here copies; drivers keep the document, with what only they know, while the job runs.

mod align;
mod disk;
mod server;

use virtbus_xml::{
    Content, Describe, Document, ErrorKind, Flags, Node, Result, Text, Writer, XmlError, xml_names,
};

pub use disk::{BackupDisk, BackupDiskMode, BackupState};
pub use server::{BackupServer, BackupTransport};

xml_names! {
    /// Who moves the data.
    pub enum BackupMode {
        /// The hypervisor writes it.
        Push = "push",
        /// A client fetches it.
        Pull = "pull",
    }
}

/// `<privateData>`: identifiers of what the driver made for the backup job.
#[derive(Describe, Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupObjects {
    /// Identifier of the secret that opens the TLS key.
    #[xml(child_attr = "secret[type=tlskey]/alias", wrap = "objects")]
    pub tls_secret: Option<Text>,
    /// Identifier of the object with the TLS credentials.
    #[xml(child_attr = "TLSx509/alias", wrap = "objects")]
    pub tls: Option<Text>,
}

impl Content for BackupObjects {
    fn parse(node: Node<'_>) -> Result<Self> {
        let objects = node.child_or_absent("objects");
        let tls_secret = match objects.child("secret") {
            Some(secret) if secret.attr("type") == Some("tlskey") => secret.attr_opt("alias")?,
            _ => None,
        };
        Ok(Self {
            tls_secret,
            tls: objects.child_attr_opt("TLSx509", "alias")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        w.begin("objects");
        if let Some(alias) = &self.tls_secret {
            w.begin("secret");
            w.attr_str("type", "tlskey");
            w.attr_str("alias", alias);
            w.end("secret");
        }
        if let Some(alias) = &self.tls {
            w.attr_element("TLSx509", "alias", alias);
        }
        w.end("objects");
    }
}

/// `<domainbackup>`: a backup of a guest's disks that is made while the guest runs.
#[derive(Describe, Debug, Clone, PartialEq)]
pub struct Backup {
    /// Who moves the data: with `push` the hypervisor writes it, with `pull` clients fetch it over NBD.
    #[xml(attr, optional, absent = "push")]
    pub mode: BackupMode,
    /// Name of the checkpoint since which changes are copied; absent means a full backup.
    #[xml(text_child)]
    pub incremental: Option<Text>,
    /// NBD server from which clients fetch the data; pull mode only.
    #[xml(child)]
    pub server: Option<BackupServer>,
    /// Disks of the guest; those not listed are not backed up, without any list all are.
    #[xml(child = "disk", wrap = "disks")]
    pub disks: Vec<BackupDisk>,
    /// Identifiers of what the driver made for the job; in files of drivers only.
    #[xml(child = "privateData", optional)]
    pub objects: BackupObjects,
}

/// Reads and writes the document as drivers store it; what clients see is for [`Backup::parse`] and
/// [`Backup::format`].
impl Content for Backup {
    fn parse(node: Node<'_>) -> Result<Self> {
        Self::read(node, true)
    }

    fn attrs(&self, w: &mut Writer) {
        w.attr("mode", &self.mode);
    }

    fn children(&self, w: &mut Writer) {
        if let Some(incremental) = &self.incremental {
            w.text_element("incremental", incremental);
        }
        if let Some(server) = &self.server {
            w.element("server", server);
        }
        if !self.disks.is_empty() {
            w.begin("disks");
            for disk in &self.disks {
                disk.write(self.mode, w);
            }
            w.end("disks");
        }
        if w.flags().contains(Flags::STATUS) {
            w.element_unless_empty("privateData", &self.objects);
        }
    }
}

impl Backup {
    /// Reads a client's document. What is not known is an error: backups have always been checked.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing, anything unknown.
    pub fn parse(xml: &str) -> Result<Self, XmlError> {
        let doc = Document::parse(xml)?;
        let backup = Self::read(doc.expect_root("domainbackup")?, false)?;
        doc.check_no_leftovers()?;
        Ok(backup)
    }

    /// Reads a document as drivers store it.
    ///
    /// # Errors
    /// Malformed XML, values out of range, required parts that are missing.
    pub fn parse_status(xml: &str) -> Result<Self, XmlError> {
        Document::parse(xml)?.stored().read("domainbackup")
    }

    /// Writes the document; with [`Flags::STATUS`] as drivers store it.
    pub fn format(&self, flags: Flags) -> String {
        self.to_xml("domainbackup", flags)
    }

    fn read(node: Node<'_>, status: bool) -> Result<Self> {
        let mode = node.attr_opt("mode")?.unwrap_or(BackupMode::Push);
        let server = node.child("server");
        if let Some(server) = server.filter(|_| mode != BackupMode::Pull) {
            return Err(server.error(ErrorKind::Invalid, "only mode='pull' has a <server>"));
        }
        let disks = node
            .child_or_absent("disks")
            .children("disk")
            .map(|disk| BackupDisk::read(disk, mode, status))
            .collect::<Result<_>>()?;
        let objects = match status.then(|| node.child("privateData")).flatten() {
            Some(node) => BackupObjects::parse(node)?,
            None => BackupObjects::default(),
        };
        Ok(Self {
            mode,
            incremental: node.text_child_opt("incremental")?,
            server: server.map(BackupServer::read).transpose()?,
            disks,
            objects,
        })
    }
}
