//! The object tree: how paths name objects, and which interfaces an object has.
//!
//! Nothing is registered here. A path is taken apart when a message comes, and what it names is looked up in its driver; so
//! ten thousand domains cost the bus side nothing. Paths are libvirt-dbus's.

use std::sync::Arc;

use virtbus_api::domain::{CheckpointView, DomainView, SnapshotView};
use virtbus_api::interface::InterfaceView;
use virtbus_api::network::{NetworkPortView, NetworkView};
use virtbus_api::node_device::NodeDeviceView;
use virtbus_api::nwfilter::{NwfilterBindingView, NwfilterView};
use virtbus_api::object::{self, Id, IdRef, Kind};
use virtbus_api::secret::SecretView;
use virtbus_api::session::{Granted, Guarded, Key};
use virtbus_api::storage::{StoragePoolView, StorageVolView};
use virtbus_api::{Error, Result, Uuid};

use crate::declare::{Interface, Property};
use crate::interfaces;
use crate::interfaces::connect::ConnectView;
use crate::standard::log_control;

/// Where the connections hang.
pub const ROOT: &str = "/org/libvirt";

/// A connection as served on the bus.
pub(crate) struct Node {
    /// Its object path.
    pub(crate) path: String,
    /// The connection, behind the guard.
    pub(crate) guarded: Arc<Guarded>,
}

impl Node {
    /// The node of a connection, whose name is the last element of the path.
    pub(crate) fn new(guarded: Arc<Guarded>) -> Self {
        Self {
            path: format!("{ROOT}/{}", guarded.name()),
            guarded,
        }
    }

    /// The node of the root itself.
    pub(crate) fn at_root(guarded: Guarded) -> Self {
        Self {
            path: ROOT.to_owned(),
            guarded: Arc::new(guarded),
        }
    }

    /// Whether it is this connection's.
    pub(crate) fn is_of(&self, guarded: &Arc<Guarded>) -> bool {
        Arc::ptr_eq(&self.guarded, guarded)
    }

    /// The connection's name.
    pub(crate) fn name(&self) -> &str {
        self.guarded.name()
    }
}

/// The longest path, bytes, that is looked at: a name has 4096 at most, each of which takes up to three here.
const LONGEST_PATH: usize = 16 << 10;

/// The element of the path below the connection, for each kind of objects, and their interface.
const KINDS: &[(Kind, &str, &Interface)] = &[
    (Kind::Domain, "domain", &interfaces::domain::DOMAIN),
    (
        Kind::DomainSnapshot,
        "domainsnapshot",
        &interfaces::snapshot::DOMAIN_SNAPSHOT,
    ),
    (
        Kind::DomainCheckpoint,
        "domaincheckpoint",
        &interfaces::checkpoint::DOMAIN_CHECKPOINT,
    ),
    (
        Kind::Interface,
        "interface",
        &interfaces::interface::INTERFACE,
    ),
    (Kind::Network, "network", &interfaces::network::NETWORK),
    (
        Kind::NetworkPort,
        "networkport",
        &interfaces::network::NETWORK_PORT,
    ),
    (
        Kind::NodeDevice,
        "nodedev",
        &interfaces::node_device::NODE_DEVICE,
    ),
    (Kind::Nwfilter, "nwfilter", &interfaces::nwfilter::NWFILTER),
    (
        Kind::NwfilterBinding,
        "nwfilterbinding",
        &interfaces::nwfilter::NWFILTER_BINDING,
    ),
    (Kind::Secret, "secret", &interfaces::secret::SECRET),
    (
        Kind::StoragePool,
        "storagepool",
        &interfaces::storage::STORAGE_POOL,
    ),
    (
        Kind::StorageVol,
        "storagevol",
        &interfaces::storage::STORAGE_VOL,
    ),
];

/// The row of a kind.
const fn row(kind: Kind) -> &'static (Kind, &'static str, &'static Interface) {
    // The table has the order of the kinds, which a test holds.
    &KINDS[kind as usize]
}

/// The element of the path in which a kind's objects are.
pub(crate) const fn segment(kind: Kind) -> &'static str {
    row(kind).1
}

/// The interface of a kind's objects.
pub(crate) const fn interface(kind: Kind) -> &'static Interface {
    row(kind).2
}

/// What a path names, before anybody looked whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// `/`, `/org` or `/org/freedesktop`: only on the way to somewhere.
    Above {
        /// What is below.
        children: &'static [&'static str],
    },
    /// [`log_control::PATH`].
    LogControl,
    /// [`ROOT`].
    Root,
    /// A connection, by its short name.
    Connection(&'a str),
    /// The folder of one kind of objects.
    Folder(&'a str, Kind),
    /// An object, by the last element of its path.
    Object(&'a str, Kind, &'a str),
}

impl<'a> Place<'a> {
    /// Takes a path apart; `None` if nothing can be there.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        if path.len() > LONGEST_PATH {
            return None;
        }
        match path {
            "/" => return Some(Self::Above { children: &["org"] }),
            "/org" => {
                return Some(Self::Above {
                    children: &["freedesktop", "libvirt"],
                });
            }
            "/org/freedesktop" => {
                return Some(Self::Above {
                    children: &["LogControl1"],
                });
            }
            log_control::PATH => return Some(Self::LogControl),
            ROOT => return Some(Self::Root),
            _ => {}
        }
        let mut elements = path.strip_prefix(ROOT)?.strip_prefix('/')?.splitn(3, '/');
        let connection = elements.next()?;
        let Some(folder) = elements.next() else {
            return Some(Self::Connection(connection));
        };
        let (kind, ..) = KINDS.iter().find(|(_, segment, _)| *segment == folder)?;
        match elements.next() {
            None => Some(Self::Folder(connection, *kind)),
            Some(name) if !name.contains('/') => Some(Self::Object(connection, *kind, name)),
            Some(_) => None,
        }
    }
}

/// What is known of an object, for its properties.
pub(crate) enum View {
    Connect(ConnectView),
    Object(object::View),
}

impl View {
    /// What is known of what a call is about, with what these properties need beyond what is in memory.
    pub(crate) async fn of(granted: &Granted<'_>, wanted: &[&'static Property]) -> Result<Self> {
        match granted.any_id() {
            Ok(_) => Ok(Self::Object(granted.view()?.clone())),
            Err(_) => Ok(Self::Connect(ConnectView::of(granted.host(), wanted).await)),
        }
    }
}

/// The view of one kind of object in [`View`].
pub(crate) trait OfView {
    /// Takes it out; another kind is a mistake of an interface table.
    fn of(view: &View) -> Result<&Self>;
}

impl OfView for ConnectView {
    fn of(view: &View) -> Result<&Self> {
        match view {
            View::Connect(view) => Ok(view),
            View::Object(_) => Err(Error::internal(
                "a connection's property was read from an object",
            )),
        }
    }
}

macro_rules! of_view {
    ($($view:ty),*) => { $(
        impl OfView for $view {
            fn of(view: &View) -> Result<&Self> {
                match view {
                    View::Object(view) => <&Arc<$view>>::try_from(view).map(|view| &**view),
                    View::Connect(_) => Err(Error::internal("an object's property was read from a connection")),
                }
            }
        }
    )* };
}

of_view!(
    DomainView,
    SnapshotView,
    CheckpointView,
    InterfaceView,
    NetworkView,
    NetworkPortView,
    NodeDeviceView,
    NwfilterView,
    NwfilterBindingView,
    SecretView,
    StoragePoolView,
    StorageVolView
);

/// The interface of a connection object.
pub(crate) const fn connect_interface() -> &'static Interface {
    &interfaces::connect::CONNECT
}

/// The last element of an object's path.
pub(crate) fn element(id: IdRef<'_>) -> String {
    let mut element = String::with_capacity(37);
    Element::of(id).write(&mut element);
    element
}

/// What the last element of an object's path is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Element<'a> {
    /// A UUID.
    Uuid(Uuid),
    /// A domain's UUID, and the name of something of the domain's.
    Moment(Uuid, &'a str),
    /// A name.
    Name(&'a str),
}

impl<'a> Element<'a> {
    pub(crate) fn of(id: IdRef<'a>) -> Self {
        match id {
            IdRef::Domain(id) => Self::Uuid(id.uuid),
            IdRef::DomainSnapshot(id) => Self::Moment(id.domain.uuid, &id.name),
            IdRef::DomainCheckpoint(id) => Self::Moment(id.domain.uuid, &id.name),
            IdRef::Interface(id) => Self::Name(&id.mac),
            IdRef::Network(id) => Self::Uuid(id.uuid),
            IdRef::NetworkPort(id) => Self::Uuid(id.uuid),
            IdRef::NodeDevice(id) => Self::Name(&id.name),
            IdRef::Nwfilter(id) => Self::Uuid(id.uuid),
            IdRef::NwfilterBinding(id) => Self::Name(&id.port_dev),
            IdRef::Secret(id) => Self::Uuid(id.uuid),
            IdRef::StoragePool(id) => Self::Uuid(id.uuid),
            IdRef::StorageVol(id) => Self::Name(&id.key),
        }
    }

    /// Adds it to a path.
    pub(crate) fn write(self, out: &mut String) {
        match self {
            Self::Uuid(uuid) => write_uuid(uuid, out),
            Self::Moment(domain, name) => {
                write_uuid(domain, out);
                out.push('_');
                write_encoded(name, out);
            }
            Self::Name(name) => write_encoded(name, out),
        }
    }
}

/// What a path's last element names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Uuid(Uuid),
    Moment(Uuid, String),
    Name(String),
}

impl Named {
    /// Takes it apart; `None` if the element is not spelt as [`element`] would for an object of this kind.
    pub(crate) fn by(kind: Kind, element: &str) -> Option<Self> {
        match kind {
            Kind::Domain
            | Kind::Network
            | Kind::NetworkPort
            | Kind::Nwfilter
            | Kind::Secret
            | Kind::StoragePool => element_uuid(element).map(Self::Uuid),
            Kind::DomainSnapshot | Kind::DomainCheckpoint => {
                element_moment(element).map(|(domain, name)| Self::Moment(domain, name))
            }
            Kind::Interface | Kind::NodeDevice | Kind::NwfilterBinding | Kind::StorageVol => {
                decode(element).map(Self::Name)
            }
        }
    }

    /// The key by which the object is looked for.
    pub(crate) fn key(&self, kind: Kind) -> Key<'_> {
        match self {
            Self::Uuid(uuid) => Key::Uuid(*uuid),
            Self::Moment(domain, name) => Key::Moment(*domain, name),
            Self::Name(name) => match kind {
                Kind::Interface => Key::Mac(name),
                Kind::NwfilterBinding => Key::PortDevice(name),
                Kind::StorageVol => Key::Key(name),
                _ => Key::Name(name),
            },
        }
    }
}

/// A UUID as an element of a path: `_` and the UUID with `_` in place of `-`.
fn write_uuid(uuid: Uuid, out: &mut String) {
    let mut text = [b'_'; 37];
    uuid.hyphenated().encode_lower(&mut text[1..]);
    for place in [9, 14, 19, 24] {
        text[place] = b'_';
    }
    out.push_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"));
}

fn uuid_element(uuid: Uuid) -> String {
    let mut element = String::with_capacity(37);
    write_uuid(uuid, &mut element);
    element
}

/// The UUID that a path's last element names, if it is spelt as [`write_uuid`] would.
fn element_uuid(element: &str) -> Option<Uuid> {
    let text = element.strip_prefix('_')?;
    if text.len() != 36 || text.contains('-') {
        return None;
    }
    let uuid = Uuid::try_parse(&text.replace('_', "-")).ok()?;
    (uuid_element(uuid) == element).then_some(uuid)
}

/// A domain's snapshot or checkpoint: the domain's element, `_`, and the encoded name.
fn element_moment(element: &str) -> Option<(Uuid, String)> {
    let (domain, name) = element.split_at_checked(37)?;
    Some((element_uuid(domain)?, decode(name.strip_prefix('_')?)?))
}

/// A name as an element of a path: ASCII letters and digits stand for themselves, every other byte is `_` and two lower-case
/// hexadecimal digits.
fn write_encoded(name: &str, out: &mut String) {
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.push('_');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

fn encode(name: &str) -> String {
    let mut element = String::with_capacity(name.len() + 16);
    write_encoded(name, &mut element);
    element
}

/// The name that an element stands for, if it is spelt as [`write_encoded`] would.
fn decode(element: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(element.len());
    let mut rest = element.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'_' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (!name.is_empty() && encode(&name) == element).then_some(name)
}

impl Node {
    /// The path of one of the connection's objects.
    pub(crate) fn path_of(&self, id: &Id) -> String {
        let mut path = String::with_capacity(80);
        self.write_path(id.borrowed(), &mut path);
        path
    }

    /// Adds that path to a text.
    pub(crate) fn write_path(&self, id: IdRef<'_>, out: &mut String) {
        self.write_folder(id.kind(), out);
        Element::of(id).write(out);
    }

    /// Adds what all paths of a kind begin with.
    pub(crate) fn write_folder(&self, kind: Kind, out: &mut String) {
        for part in [&*self.path, segment(kind)] {
            out.push_str(part);
            out.push('/');
        }
    }
}

#[cfg(test)]
mod tests {
    use virtbus_api::domain::{DomainId, SnapshotId};

    use super::*;

    #[test]
    fn paths_are_libvirt_dbus_s() {
        let uuid = Uuid::try_parse("8c5a0c1e-1b1f-4a47-9d2b-2f4a3a6f0d11").unwrap();
        let element = uuid_element(uuid);
        assert_eq!(element, "_8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11");
        assert_eq!(element_uuid(&element), Some(uuid));
        for wrong in [
            "",
            "_",
            "8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11",
            "_8C5A0C1E_1b1f_4a47_9d2b_2f4a3a6f0d11",
            "__c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11",
        ] {
            assert_eq!(element_uuid(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn places() {
        assert_eq!(Place::of("/org/libvirt"), Some(Place::Root));
        assert_eq!(
            Place::of("/org/libvirt/QEMU"),
            Some(Place::Connection("QEMU"))
        );
        assert_eq!(
            Place::of("/org/libvirt/QEMU/domain"),
            Some(Place::Folder("QEMU", Kind::Domain))
        );
        assert_eq!(
            Place::of("/org/libvirt/QEMU/domain/_a"),
            Some(Place::Object("QEMU", Kind::Domain, "_a"))
        );
        assert_eq!(Place::of("/org/libvirt/QEMU/domain/_a/b"), None);
        assert_eq!(Place::of("/org/libvirt/QEMU/nothing"), None);
        assert_eq!(Place::of("/org/libvirtx"), None);
        let name = encode(&"/".repeat(4096));
        assert!(Place::of(&format!("/org/libvirt/QEMU/storagevol/{name}")).is_some());
        let long = format!("/org/libvirt/QEMU/domain/_{}", "a".repeat(900_000));
        assert_eq!(Place::of(&long), None);
        assert_eq!(
            Place::of("/org/freedesktop/LogControl1"),
            Some(Place::LogControl)
        );
        assert_eq!(Place::of("/org/freedesktop/LogControl2"), None);
        assert_eq!(Place::of("/com"), None);
    }

    #[test]
    fn the_table_of_kinds_has_their_order() {
        for kind in Kind::ALL {
            assert_eq!(row(*kind).0, *kind);
        }
        assert_eq!(KINDS.len(), Kind::ALL.len());
    }

    #[test]
    fn names_are_encoded_byte_by_byte() {
        assert_eq!(encode("pci_0000"), "pci_5f0000");
        assert_eq!(encode("aa:bb"), "aa_3abb");
        assert_eq!(encode("ä"), "_c3_a4");
        for name in ["pci_0000_00_1f_2", "/var/lib/x y.img", "ä", "5"] {
            assert_eq!(decode(&encode(name)).as_deref(), Some(name));
        }
        for wrong in ["", "_", "_4", "_41", "a-b", "_C3_A4", "_ff", "_+1"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
        let uuid = Uuid::try_parse("8c5a0c1e-1b1f-4a47-9d2b-2f4a3a6f0d11").unwrap();
        let domain = DomainId {
            uuid,
            name: "web".into(),
            id: None,
        };
        let name = "before update".into();
        let element = element(IdRef::DomainSnapshot(&SnapshotId { domain, name }));
        assert_eq!(
            element,
            "_8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11_before_20update"
        );
        assert_eq!(
            element_moment(&element),
            Some((uuid, "before update".to_owned()))
        );
        assert_eq!(
            element_moment("_8c5a0c1e_1b1f_4a47_9d2b_2f4a3a6f0d11"),
            None
        );
    }
}
