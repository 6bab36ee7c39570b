//! What a document is about is found without reading it, and is what reading it gives: for documents at random.

use virtbus_conf_base::Identity;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::snapshot::Snapshot;
use virtbus_conf_host::interface::Interface;
use virtbus_conf_host::network::Network;
use virtbus_conf_host::network_port::NetworkPort;
use virtbus_conf_host::node_device::NodeDevice;
use virtbus_conf_host::nwfilter::NwFilter;
use virtbus_conf_host::secret::Secret;
use virtbus_conf_storage::storage_pool::StoragePool;
use virtbus_conf_storage::storage_volume::StorageVolume;
use virtbus_xml::XmlError;

use crate::coverage::attempt;
use crate::declared::Way;
use crate::dice::Dice;
use crate::kinds::DOCUMENTS;

/// How many documents of each kind are made, and how many of all have to be read.
const MADE: u64 = 200;
const READ: usize = 500;

/// What reading a document gives, and what is found; none for kinds that are not asked about.
fn both(kind: &str, xml: &str) -> Option<(Result<Identity, XmlError>, Result<Identity, XmlError>)> {
    macro_rules! of {
        ($type:ty, $document:ident => $identity:expr) => {{
            let whole = <$type>::parse(xml).map(|$document| $identity);
            (whole, <$type>::identify(xml))
        }};
    }
    let identity = |name, uuid| Identity {
        name,
        uuid,
        mac: None,
    };
    Some(match kind {
        "domain" => of!(Domain, it => identity(Some(it.name), it.uuid)),
        "network" => of!(Network, it => identity(Some(it.name), it.uuid)),
        "network-port" => of!(NetworkPort, it => identity(None, it.uuid)),
        "nwfilter" => of!(NwFilter, it => identity(Some(it.name), it.uuid)),
        "node-device" => of!(NodeDevice, it => identity(it.name, None)),
        "secret" => of!(Secret, it => identity(None, it.uuid)),
        "snapshot" => of!(Snapshot, it => identity(it.name, None)),
        "storage-volume" => of!(StorageVolume, it => identity(Some(it.name), None)),
        "storage-pool" => of!(StoragePool, it => identity(it.name.or(it.source.name), it.uuid)),
        "interface" => {
            let whole = Interface::parse(xml).map(|mut it| {
                it.complete();
                identity(it.name, None)
            });
            let found = Interface::identify(xml).map(|it| identity(it.name, it.uuid));
            (whole, found)
        }
        _ => return None,
    })
}

#[test]
fn what_a_document_is_about_is_what_reading_it_gives() {
    let mut read = 0;
    for kind in DOCUMENTS.iter() {
        for seed in 0..MADE {
            let (xml, _) = attempt(&Way::root(kind), &Dice::Thrown(seed << 20 | 7));
            let Some((Ok(whole), found)) = both(kind.name, &xml) else {
                continue;
            };
            assert_eq!(found, Ok(whole), "{xml}");
            read += 1;
        }
    }
    assert!(read > READ, "only {read}");
}
