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
    /// A checkpoint: a moment of a domain from which on changes of its disks are known, for backups of what changed.
    DOMAIN_CHECKPOINT = "org.libvirt.DomainCheckpoint", view CheckpointView;
    methods {
        /// Takes the checkpoint away.
        write Delete(flags: Flags<CheckpointDeleteFlags>) -> (): DomainCheckpointDelete => |c| c.checkpoints()?.delete(c.id()?, flags).await;
        /// The checkpoint that this one follows.
        read GetParent(flags: NoFlags) -> (domainCheckpoint: OwnedObjectPath): DomainCheckpointGetParent => |c| {
            let id: &CheckpointId = c.id()?;
            let checkpoints = c.checkpoints()?;
            let view = checkpoints.checkpoint(&id.domain, &id.name).await?;
            let parent = view.parent.as_deref().ok_or_else(|| trees::no_parent("checkpoint", &id.name))?;
            c.path_of(checkpoints.checkpoint(&id.domain, parent).await?)
        };
        /// The checkpoint as XML.
        read GetXMLDesc(flags: Flags<CheckpointXmlFlags>) -> (xml: String): DomainCheckpointGetXmlDesc => |c| c.checkpoints()?.xml_desc(c.id()?, flags).await;
        /// The checkpoints that follow this one.
        read ListChildren(flags: Flags<CheckpointListFlags>) -> (domainCheckpoints: Paths): DomainCheckpointListAllChildren => |c| {
            let id: &CheckpointId = c.id()?;
            let all = c.checkpoints()?.checkpoints(&id.domain).await?;
            c.list_all(&trees::below(all, Some(&id.name), flags).into()).await
        };
    }
    properties {
        /// The UUID of the domain.
        Domain: String, emits Const: DomainCheckpointLookupByName => |view| Ok(view.id.domain.uuid.to_string().into());
        /// Its name, unique among the domain's checkpoints.
        Name: String, emits Const: DomainCheckpointLookupByName => |view| Ok((&*view.id.name).into());
        /// The name of the checkpoint that it follows, empty for a root.
        Parent: String, emits Value: DomainCheckpointGetParent => |view| Ok(view.parent.as_deref().unwrap_or_default().into());
    }
    signals {}
}
