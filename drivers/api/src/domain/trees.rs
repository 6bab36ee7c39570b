//! Lists of snapshots and checkpoints, which are trees: which of them flags choose.

use std::collections::HashMap;
use std::sync::Arc;

use super::{CheckpointListFlags, CheckpointView, SnapshotKind, SnapshotListFlags, SnapshotView};
use crate::filter::passes;
use crate::{Error, ErrorCode, ErrorDomain};

/// What the trees of both kinds have in common.
pub trait Moment<F> {
    /// Its name, unique in its domain.
    fn name(&self) -> &Arc<str>;
    /// The name of the one that it follows.
    fn parent(&self) -> Option<&str>;
    /// Whether it passes the flags that look at the moment alone.
    fn chosen(&self, flags: F) -> bool;
}

/// Flags of lists, as far as they are about the tree.
pub trait TreeFlags: Copy {
    /// Only roots, or all descendants and not only children.
    fn deep(self) -> bool;
}

impl TreeFlags for SnapshotListFlags {
    fn deep(self) -> bool {
        self.contains(Self::ROOTS_OR_DESCENDANTS)
    }
}

impl TreeFlags for CheckpointListFlags {
    fn deep(self) -> bool {
        self.contains(Self::ROOTS_OR_DESCENDANTS)
    }
}

impl Moment<SnapshotListFlags> for SnapshotView {
    /// Its name, unique in its domain.
    fn name(&self) -> &Arc<str> {
        &self.id.name
    }

    /// The name of the one that it follows.
    fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    fn chosen(&self, flags: SnapshotListFlags) -> bool {
        use SnapshotListFlags as F;
        passes(
            flags,
            &[
                &[
                    (F::METADATA, self.metadata),
                    (F::NO_METADATA, !self.metadata),
                ],
                &[
                    (F::LEAVES, self.children == 0),
                    (F::NO_LEAVES, self.children > 0),
                ],
                &[
                    (F::INACTIVE, self.kind == SnapshotKind::Inactive),
                    (F::ACTIVE, self.kind == SnapshotKind::Active),
                    (F::DISK_ONLY, self.kind == SnapshotKind::DiskOnly),
                ],
                &[(F::INTERNAL, !self.external), (F::EXTERNAL, self.external)],
            ],
        )
    }
}

impl Moment<CheckpointListFlags> for CheckpointView {
    /// Its name, unique in its domain.
    fn name(&self) -> &Arc<str> {
        &self.id.name
    }

    /// The name of the one that it follows.
    fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    fn chosen(&self, flags: CheckpointListFlags) -> bool {
        use CheckpointListFlags as F;
        passes(
            flags,
            &[&[
                (F::LEAVES, self.children == 0),
                (F::NO_LEAVES, self.children > 0),
            ]],
        )
    }
}

/// Those that `flags` choose: of a domain's (`above` is none) all or the roots, of a moment's the children or all below.
/// Parents come before children, as drivers list them.
pub fn below<M: Moment<F>, F: TreeFlags>(
    all: Vec<Arc<M>>,
    above: Option<&str>,
    flags: F,
) -> Vec<Arc<M>> {
    let in_question: Vec<bool> = {
        // Parents come first, so one pass tells what is below.
        let mut under: HashMap<&str, bool> = HashMap::new();
        all.iter()
            .map(|moment| {
                let parent = moment.parent();
                let is_below = match above {
                    None => !flags.deep() || parent.is_none(),
                    Some(above) if flags.deep() => parent.is_some_and(|parent| {
                        parent == above || under.get(parent).copied().unwrap_or(false)
                    }),
                    Some(above) => parent == Some(above),
                };
                under.insert(moment.name(), is_below);
                is_below
            })
            .collect()
    };
    let mut at = in_question.into_iter();
    all.into_iter()
        .filter(|moment| at.next().unwrap_or(false) && moment.chosen(flags))
        .collect()
}

/// A root has no parent; libvirt-dbus's clients look for these words.
pub fn no_parent(noun: &str, name: &str) -> Error {
    let (code, domain) = match noun {
        "checkpoint" => (ErrorCode::NoDomainCheckpoint, ErrorDomain::DomainCheckpoint),
        _ => (ErrorCode::NoDomainSnapshot, ErrorDomain::DomainSnapshot),
    };
    Error::new(
        code,
        domain,
        format!("the {noun} '{name}' does not have a parent"),
    )
}
