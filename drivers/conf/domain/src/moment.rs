//! What snapshots and checkpoints have in common: the definitions they keep, and which of their disks is
//! which of the guest's.
//!
//! Lists and trees of them are kept by the drivers.

use std::collections::HashMap;

use virtbus_conf_base::common::Uuid;
use virtbus_conf_base::{ConfError, Result as ConfResult};
use virtbus_xml::{Content, Describe, Flags, Node, Result, Writer};

use crate::domain::{CompleteFlags, Domain, Seams};

/// What a document about a moment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It asks for a new one.
    Create,
    /// It tells about one that was made before.
    Redefine,
}

/// `<domain>`: the guest.
#[derive(Debug, Clone, PartialEq)]
pub enum Guest {
    /// Only its UUID is known.
    Uuid(Option<Uuid>),
    /// Its definition at that time.
    Definition(Box<Domain>),
}

impl Guest {
    /// The definition, if there is one.
    pub fn definition(&self) -> Option<&Domain> {
        match self {
            Self::Uuid(_) => None,
            Self::Definition(domain) => Some(domain),
        }
    }

    /// The UUID, if there is one.
    pub fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Uuid(uuid) => *uuid,
            Self::Definition(domain) => domain.uuid,
        }
    }
}

/// `<domain>` and `<inactiveDomain>`: the guest's definitions at that time.
#[derive(Describe, Debug, Clone, Default, PartialEq)]
pub struct Definitions {
    /// Definition that the guest had at that time.
    #[xml(child = "domain", value = Domain)]
    pub guest: Option<Guest>,
    /// Definition for the next start, if it was different.
    #[xml(child = "inactiveDomain")]
    pub inactive: Option<Box<Domain>>,
}

impl Content for Definitions {
    fn parse(node: Node<'_>) -> Result<Self> {
        let guest = match node.child("domain") {
            Some(node) if node.attr("type").is_some() => {
                Some(Guest::Definition(Content::parse(node)?))
            }
            Some(node) => (node.text_child_opt("uuid")?).map(|uuid| Guest::Uuid(Some(uuid))),
            None => None,
        };
        Ok(Self {
            guest,
            inactive: node.child_opt("inactiveDomain")?,
        })
    }

    fn attrs(&self, _: &mut Writer) {}

    fn children(&self, w: &mut Writer) {
        let flags = w.flags();
        w.set_flags((flags & Flags::SECURE) | Flags::INACTIVE);
        match &self.guest {
            None | Some(Guest::Uuid(None)) => {}
            Some(Guest::Uuid(Some(uuid))) => {
                w.begin("domain");
                w.text_element("uuid", uuid);
                w.end("domain");
            }
            Some(Guest::Definition(domain)) => domain.write_as("domain", w),
        }
        if let Some(domain) = &self.inactive {
            domain.write_as("inactiveDomain", w);
        }
        w.set_flags(flags);
    }
}

impl Definitions {
    /// The definition in use, if it is known.
    pub fn definition(&self) -> Option<&Domain> {
        self.guest.as_ref()?.definition()
    }

    /// Completes both definitions as those of a guest that is off.
    ///
    /// # Errors
    /// Those of [`Domain::complete`].
    pub fn complete(&mut self, seams: &mut Seams<'_>) -> ConfResult<()> {
        let flags = seams.flags;
        seams.flags |= CompleteFlags::INACTIVE;
        let in_use = match &mut self.guest {
            Some(Guest::Definition(domain)) => Some(&mut **domain),
            _ => None,
        };
        let result = in_use
            .into_iter()
            .chain(self.inactive.as_deref_mut())
            .try_for_each(|domain| domain.complete(seams));
        seams.flags = flags;
        result
    }
}

/// Checks that `name` can be the name of a file.
///
/// # Errors
/// It has a `/` in it or begins with a dot.
pub fn check_file_name(name: &str) -> ConfResult<()> {
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(ConfError::invalid(format!(
            "the name '{name}' is empty, contains '/', or begins with '.'"
        )));
    }
    Ok(())
}

/// Sorts `requests` by the guest's disks: each disk's request, if there is one, stands at its index.
///
/// # Errors
/// A request for no disk of the guest, or two for one.
pub(crate) fn sort_by_disk<T>(
    requests: Vec<T>,
    name: fn(&T) -> &str,
    domain: &Domain,
) -> ConfResult<Vec<Option<T>>> {
    let mut sorted: Vec<Option<T>> = domain.devices.disk.iter().map(|_| None).collect();
    let index = DiskIndex::new(domain);
    for request in requests {
        let wanted = name(&request);
        let place = index.find(wanted)?;
        if sorted[place].is_some() {
            return Err(ConfError::unsupported(format!(
                "disk '{wanted}' is given twice"
            )));
        }
        sorted[place] = Some(request);
    }
    Ok(sorted)
}

/// The disks of a guest by target and by path.
struct DiskIndex<'d> {
    targets: HashMap<&'d str, usize>,
    /// `None` where several disks have the same path.
    paths: HashMap<&'d str, Option<usize>>,
}

impl<'d> DiskIndex<'d> {
    fn new(domain: &'d Domain) -> Self {
        let mut index = Self {
            targets: HashMap::new(),
            paths: HashMap::new(),
        };
        for (place, disk) in domain.devices.disk.iter().enumerate() {
            index.targets.insert(&disk.target.dev, place);
            if let Some(path) = disk.source.path() {
                index
                    .paths
                    .entry(path)
                    .and_modify(|known| *known = None)
                    .or_insert(Some(place));
            }
        }
        index
    }

    fn find(&self, name: &str) -> ConfResult<usize> {
        let by_path = || {
            self.paths
                .get(name)
                .copied()
                .filter(|_| name.starts_with('/'))
        };
        match self.targets.get(name).copied().map(Some).or_else(by_path) {
            Some(Some(place)) => Ok(place),
            Some(None) => Err(ConfError::unsupported(format!(
                "several disks have the path '{name}'"
            ))),
            None => Err(ConfError::unsupported(format!(
                "the guest has no disk '{name}'"
            ))),
        }
    }
}
