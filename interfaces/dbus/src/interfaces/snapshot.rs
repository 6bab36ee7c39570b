//! `org.libvirt.DomainSnapshot`: a moment of a domain that can be returned to.

use virtbus_api::domain::{
    MomentDeleteFlags, SnapshotId, SnapshotListFlags, SnapshotRevertFlags, SnapshotView,
    SnapshotXmlFlags,
};
use zbus::OwnedObjectPath;

use crate::declare::interface;
use crate::numbers::{Flags, NoFlags};
use crate::paths::Paths;
use virtbus_api::domain::trees;

interface! {
    /// A snapshot: a state of a domain that it can be reverted to.
    DOMAIN_SNAPSHOT = "org.libvirt.DomainSnapshot", view SnapshotView;
    methods {
        /// Deletes the snapshot, and with flags its children or only the metadata. Data of the domain's present state stay.
        write Delete(flags: Flags<MomentDeleteFlags>) -> (): DomainSnapshotDelete => |c| c.snapshots()?.delete(c.id()?, flags).await;
        /// Parent of the snapshot: the one that was current when it was made. Refused if it has none.
        read GetParent(flags: NoFlags) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotGetParent => |c, view| {
            let name = view.parent.clone().ok_or_else(|| trees::no_parent("snapshot", &view.id.name))?;
            c.path_of_id(&SnapshotId { domain: view.id.domain.clone(), name }.into())
        };
        /// Description of the snapshot as XML.
        read GetXMLDesc(flags: Flags<SnapshotXmlFlags>) -> (xml: String): DomainSnapshotGetXmlDesc => |c| c.snapshots()?.xml_desc(c.id()?, flags).await;
        /// Whether it is the current snapshot of the domain.
        memory IsCurrent(flags: NoFlags) -> (domainSnapshot: bool): DomainSnapshotIsCurrent => |c, view| Ok(view.current);
        /// Children of the snapshot that match the flags; with the flag DESCENDANTS also their children. What the caller may not see is left out.
        read ListChildren(flags: Flags<SnapshotListFlags>) -> (domainSnapshots: Paths): DomainSnapshotListAllChildren => |c| {
            let id: &SnapshotId = c.id()?;
            let all = c.snapshots()?.snapshots(&id.domain).await?;
            c.list_all(&trees::below(all, Some(&id.name), flags).into()).await
        };
        /// Reverts the domain to the snapshot: disks and, if they were saved, memory and state. Changes since the last snapshot are lost. Refused if
        /// the domain would have to be replaced and the flag FORCE is not given.
        write Revert(flags: Flags<SnapshotRevertFlags>) -> (): DomainRevertToSnapshot => |c| c.snapshots()?.revert(c.id()?, flags).await;
    }
    properties {
        /// Whether it is the current snapshot of the domain.
        Current: bool, emits Value: DomainSnapshotIsCurrent => |view| Ok(view.current.into());
        /// UUID of the domain that the snapshot belongs to.
        Domain: String, emits Const: DomainSnapshotLookupByName => |view| Ok(view.id.domain.uuid.to_string().into());
        /// Name of the snapshot, unique among those of the domain.
        Name: String, emits Const: DomainSnapshotLookupByName => |view| Ok((&*view.id.name).into());
        /// Name of the parent snapshot; empty if it has none.
        Parent: String, emits Value: DomainSnapshotGetParent => |view| Ok(view.parent.as_deref().unwrap_or_default().into());
    }
    signals {}
}
