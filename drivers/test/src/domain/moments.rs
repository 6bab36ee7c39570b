//! Trees of snapshots or checkpoints, with one that is current.

use std::sync::Arc;

use virtbus_api::domain::MomentDeleteFlags;

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Moment<T> {
    pub(crate) name: Arc<str>,
    pub(crate) parent: Option<Arc<str>>,
    pub(crate) content: T,
}

/// All of a domain, parents before children. Few domains have any, so it takes the room of a pointer until one does.
#[derive(Debug, Clone)]
pub(crate) struct Tree<T>(Option<Box<Grown<T>>>);

#[derive(Debug, Clone)]
struct Grown<T> {
    moments: Vec<Moment<T>>,
    current: Option<Arc<str>>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Tree<T> {
    fn moments(&self) -> &[Moment<T>] {
        self.0.as_ref().map_or(&[], |grown| &grown.moments)
    }

    fn grown(&mut self) -> &mut Grown<T> {
        self.0.get_or_insert_with(|| {
            Box::new(Grown {
                moments: Vec::new(),
                current: None,
            })
        })
    }

    /// The name of the one that is current.
    pub(crate) fn current(&self) -> Option<&Arc<str>> {
        self.0.as_ref()?.current.as_ref()
    }

    pub(crate) fn set_current(&mut self, name: Option<Arc<str>>) {
        self.grown().current = name;
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.moments().len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Moment<T>> {
        self.moments().iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Moment<T>> {
        self.moments().iter().find(|moment| *moment.name == *name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Moment<T>> {
        self.0
            .as_mut()?
            .moments
            .iter_mut()
            .find(|moment| *moment.name == *name)
    }

    pub(crate) fn is_current(&self, name: &str) -> bool {
        self.current().is_some_and(|current| **current == *name)
    }

    /// How many have it as their parent.
    pub(crate) fn children(&self, name: &str) -> u32 {
        let children = self
            .moments()
            .iter()
            .filter(|moment| moment.parent.as_deref() == Some(name));
        u32::try_from(children.count()).unwrap_or(u32::MAX)
    }

    /// Adds one, in place of another of the same name. A parent that is not there is none.
    pub(crate) fn insert(&mut self, name: Arc<str>, parent: Option<&str>, content: T) {
        let parent = parent
            .and_then(|parent| self.get(parent))
            .map(|parent| Arc::clone(&parent.name));
        match self.get_mut(&name) {
            Some(there) => {
                there.parent = parent;
                there.content = content;
                self.sort();
            }
            None => self.grown().moments.push(Moment {
                name,
                parent,
                content,
            }),
        }
    }

    /// Parents before children again, otherwise as they were.
    fn sort(&mut self) {
        let mut sorted: Vec<Moment<T>> = Vec::with_capacity(self.moments().len());
        let mut rest = std::mem::take(&mut self.grown().moments);
        while !rest.is_empty() {
            let before = rest.len();
            let (ready, waiting): (Vec<_>, Vec<_>) = rest.into_iter().partition(|moment| {
                moment
                    .parent
                    .as_ref()
                    .is_none_or(|parent| sorted.iter().any(|there| there.name == *parent))
            });
            sorted.extend(ready);
            rest = waiting;
            if rest.len() == before {
                // A ring of parents; whoever comes first in it loses its own.
                if let Some(first) = rest.first_mut() {
                    first.parent = None;
                }
            }
        }
        self.grown().moments = sorted;
    }

    /// Whether `name` is `ancestor` or below it.
    pub(crate) fn is_below(&self, name: &str, ancestor: &str) -> bool {
        let mut at = Some(name);
        // No way up is longer than the tree is large.
        for _ in 0..=self.moments().len() {
            match at {
                Some(name) if name == ancestor => return true,
                Some(name) => at = self.get(name).and_then(|moment| moment.parent.as_deref()),
                None => return false,
            }
        }
        false
    }

    /// Takes one away, with or without what is below, or only that. Children of one that goes get its parent; if the current
    /// one goes, its parent is it.
    pub(crate) fn delete(&mut self, name: &str, flags: MomentDeleteFlags) {
        let children_only = flags.contains(MomentDeleteFlags::CHILDREN_ONLY);
        let below = children_only || flags.contains(MomentDeleteFlags::CHILDREN);
        let parent = self.get(name).and_then(|moment| moment.parent.clone());
        let goes: Vec<Arc<str>> = self
            .moments()
            .iter()
            .map(|moment| &moment.name)
            .filter(|there| {
                let itself = ***there == *name;
                (itself && !children_only) || (below && !itself && self.is_below(there, name))
            })
            .map(Arc::clone)
            .collect();
        if self.current().is_some_and(|current| goes.contains(current)) {
            let current = if children_only {
                self.get(name).map(|moment| Arc::clone(&moment.name))
            } else {
                parent.clone()
            };
            self.set_current(current);
        }
        let moments = &mut self.grown().moments;
        moments.retain(|moment| !goes.contains(&moment.name));
        for moment in moments {
            if moment.parent.as_deref() == Some(name) && !children_only {
                moment.parent.clone_from(&parent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree<u32> {
        let mut tree = Tree::default();
        tree.insert("a".into(), None, 1);
        tree.insert("b".into(), Some("a"), 2);
        tree.insert("c".into(), Some("b"), 3);
        tree.insert("d".into(), Some("a"), 4);
        tree.set_current(Some("c".into()));
        tree
    }

    fn names(tree: &Tree<u32>) -> String {
        tree.iter()
            .map(|moment| {
                format!(
                    "{}<{} ",
                    moment.name,
                    moment.parent.as_deref().unwrap_or("-")
                )
            })
            .collect()
    }

    #[test]
    fn deleting_gives_children_the_parent() {
        let mut tree = tree();
        tree.delete("b", MomentDeleteFlags::empty());
        assert_eq!(names(&tree), "a<- c<a d<a ");
        assert!(tree.is_current("c"));
    }

    #[test]
    fn deleting_with_children_moves_what_is_current_up() {
        let mut tree = tree();
        tree.delete("b", MomentDeleteFlags::CHILDREN);
        assert_eq!(names(&tree), "a<- d<a ");
        assert!(tree.is_current("a"));
    }

    #[test]
    fn deleting_only_children_keeps_it() {
        let mut tree = tree();
        tree.delete("a", MomentDeleteFlags::CHILDREN_ONLY);
        assert_eq!(names(&tree), "a<- ");
        assert!(tree.is_current("a"));
    }

    #[test]
    fn a_ring_is_broken() {
        let mut tree = tree();
        tree.insert("a".into(), Some("c"), 1);
        assert_eq!(tree.len(), 4);
        assert!(!tree.is_below("d", "nothing"));
    }
}
