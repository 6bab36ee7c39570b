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
    /// A snapshot: a moment of a domain that can be returned to.
    DOMAIN_SNAPSHOT = "org.libvirt.DomainSnapshot", view SnapshotView;
    methods {
        /// Takes the snapshot away.
        write Delete(flags: Flags<MomentDeleteFlags>) -> (): DomainSnapshotDelete => |c| c.snapshots()?.delete(c.id()?, flags).await;
        /// The snapshot that this one follows.
        read GetParent(flags: NoFlags) -> (domainSnapshot: OwnedObjectPath): DomainSnapshotGetParent => |c| {
            let id: &SnapshotId = c.id()?;
            let snapshots = c.snapshots()?;
            let view = snapshots.snapshot(&id.domain, &id.name).await?;
            let parent = view.parent.as_deref().ok_or_else(|| trees::no_parent("snapshot", &id.name))?;
            c.path_of(snapshots.snapshot(&id.domain, parent).await?)
        };
        /// The snapshot as XML.
        read GetXMLDesc(flags: Flags<SnapshotXmlFlags>) -> (xml: String): DomainSnapshotGetXmlDesc => |c| c.snapshots()?.xml_desc(c.id()?, flags).await;
        /// Whether it is the domain's current snapshot.
        memory IsCurrent(flags: NoFlags) -> (domainSnapshot: bool): DomainSnapshotIsCurrent => |c| {
            let id: &SnapshotId = c.id()?;
            Ok(c.snapshots()?.snapshot(&id.domain, &id.name).await?.current)
        };
        /// The snapshots that follow this one.
        read ListChildren(flags: Flags<SnapshotListFlags>) -> (domainSnapshots: Paths): DomainSnapshotListAllChildren => |c| {
            let id: &SnapshotId = c.id()?;
            let all = c.snapshots()?.snapshots(&id.domain).await?;
            c.list_all(&trees::below(all, Some(&id.name), flags).into()).await
        };
        /// Returns the domain to this moment.
        write Revert(flags: Flags<SnapshotRevertFlags>) -> (): DomainRevertToSnapshot => |c| c.snapshots()?.revert(c.id()?, flags).await;
    }
    properties {
        /// Whether it is the domain's current snapshot.
        Current: bool, emits Value: DomainSnapshotIsCurrent => |view| Ok(view.current.into());
        /// The UUID of the domain.
        Domain: String, emits Const: DomainSnapshotLookupByName => |view| Ok(view.id.domain.uuid.to_string().into());
        /// Its name, unique among the domain's snapshots.
        Name: String, emits Const: DomainSnapshotLookupByName => |view| Ok((&*view.id.name).into());
        /// The name of the snapshot that it follows, empty for a root.
        Parent: String, emits Value: DomainSnapshotGetParent => |view| Ok(view.parent.as_deref().unwrap_or_default().into());
    }
    signals {}
}
