//! Options of single kinds of pools, in name spaces of their own.

use virtbus_xml::{Node, Result, Text, Writer};

use super::PoolType;

/// An option for `mount` or for the RBD library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOption {
    /// Its name.
    pub name: Text,
    /// Its value; only RBD's have one.
    pub value: Option<Text>,
}

/// Where the options of a kind of pool are.
struct Place {
    prefix: &'static str,
    uri: &'static str,
    element: &'static str,
    valued: bool,
}

const MOUNT: Place = Place {
    prefix: "fs",
    uri: "http://libvirt.org/schemas/storagepool/fs/1.0",
    element: "mount_opts",
    valued: false,
};

const RBD: Place = Place {
    prefix: "rbd",
    uri: "http://libvirt.org/schemas/storagepool/rbd/1.0",
    element: "config_opts",
    valued: true,
};

const fn place(kind: PoolType) -> Option<Place> {
    match kind {
        PoolType::Fs | PoolType::Netfs => Some(MOUNT),
        PoolType::Rbd => Some(RBD),
        PoolType::Dir
        | PoolType::Logical
        | PoolType::Disk
        | PoolType::Iscsi
        | PoolType::IscsiDirect
        | PoolType::Scsi
        | PoolType::Mpath
        | PoolType::Sheepdog
        | PoolType::Gluster
        | PoolType::Zfs
        | PoolType::Vstorage => None,
    }
}

pub(super) fn parse(node: Node<'_>, kind: PoolType) -> Result<Vec<PoolOption>> {
    let Some(place) = place(kind) else {
        return Ok(Vec::new());
    };
    let mut options = Vec::new();
    for group in node.children_in(place.uri, place.element) {
        for option in group.children_in(place.uri, "option") {
            let value = if place.valued {
                Some(option.attr_req("value")?)
            } else {
                None
            };
            options.push(PoolOption {
                name: option.attr_req("name")?,
                value,
            });
        }
    }
    Ok(options)
}

/// Declares the name space, if there are options.
pub(super) fn write_declaration(options: &[PoolOption], kind: PoolType, w: &mut Writer) {
    if let Some(place) = place(kind).filter(|_| !options.is_empty()) {
        w.attr_str(&format!("xmlns:{}", place.prefix), place.uri);
    }
}

pub(super) fn write(options: &[PoolOption], kind: PoolType, w: &mut Writer) {
    let Some(place) = place(kind).filter(|_| !options.is_empty()) else {
        return;
    };
    let group = format!("{}:{}", place.prefix, place.element);
    let name = format!("{}:option", place.prefix);
    w.begin(&group);
    for option in options {
        w.begin(&name);
        w.attr("name", &option.name);
        w.attr_opt("value", &option.value);
        w.end(&name);
    }
    w.end(&group);
}
