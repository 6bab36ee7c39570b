//! `org.libvirt.DomainCheckpoint`: a moment of a domain from which on changes of its disks are known.

use virtbus_api::domain::{
    CheckpointDeleteFlags, CheckpointId, CheckpointListFlags, CheckpointView, CheckpointXmlFlags,
};
use zbus::OwnedObjectPath;

use crate::declare::interface;
use crate::numbers::{Flags, NoFlags};
use crate::paths::Paths;
use virtbus_api::domain::trees;

interface! {
    /// A checkpoint: a point in time since which changes of a domain's disks are recorded, for incremental backups.
    DOMAIN_CHECKPOINT = "org.libvirt.DomainCheckpoint", view CheckpointView;
    methods {
        /// Deletes the checkpoint, and with flags its children or only the metadata. Its record of changes is merged into that of its parent.
        write Delete(flags: Flags<CheckpointDeleteFlags>) -> (): DomainCheckpointDelete => |c| c.checkpoints()?.delete(c.id()?, flags).await;
        /// Parent of the checkpoint: the one before it. Refused if it has none.
        read GetParent(flags: NoFlags) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointGetParent => |c, view| {
            let name = view.parent.clone().ok_or_else(|| trees::no_parent("checkpoint", &view.id.name))?;
            c.path_of_id(&CheckpointId { domain: view.id.domain.clone(), name }.into())
        };
        /// Description of the checkpoint as XML; with a flag also the sizes of changes in bytes.
        read GetXMLDesc(flags: Flags<CheckpointXmlFlags>) -> (xml: String): DomainCheckpointGetXmlDesc => |c| c.checkpoints()?.xml_desc(c.id()?, flags).await;
        /// Children of the checkpoint that match the flags; with the flag DESCENDANTS also their children. What the caller may not see is left out.
        read ListChildren(flags: Flags<CheckpointListFlags>) -> (domainCheckpoints: Paths): DomainCheckpointListAllChildren => |c| {
            let id: &CheckpointId = c.id()?;
            let all = c.checkpoints()?.checkpoints(&id.domain).await?;
            c.list_all(&trees::below(all, Some(&id.name), flags).into()).await
        };
    }
    properties {
        /// UUID of the domain that the checkpoint belongs to.
        Domain: String, emits Const: DomainCheckpointLookupByName => |view| Ok(view.id.domain.uuid.to_string().into());
        /// Name of the checkpoint, unique among those of the domain.
        Name: String, emits Const: DomainCheckpointLookupByName => |view| Ok((&*view.id.name).into());
        /// Name of the parent checkpoint; empty if it has none.
        Parent: String, emits Value: DomainCheckpointGetParent => |view| Ok(view.parent.as_deref().unwrap_or_default().into());
    }
    signals {}
}
