//! Which suites there are here, and how the cases of each are run. A module for each family.

mod document;
mod domain;
mod format;
mod interface;
mod moments;
mod network;
mod node_device;
mod qemu;
mod schema;
mod status;
mod storage;
mod vbox;

use crate::case::Case;
use crate::outcome::Held;

/// How a suite is run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Runner {
    /// Case by case.
    Each(fn(&Case) -> Held<()>),
    /// All at once, for what is too slow one by one.
    Together(fn(&[Case]) -> Vec<Held<()>>),
}

const SUITES: &[(&str, Runner)] = &[
    ("checkpointxml2xml", Runner::Each(moments::checkpoint)),
    ("domainbackupxml2xml", Runner::Each(moments::backup)),
    ("genericxml2xml", Runner::Each(domain::generic)),
    ("interfacexml2xml", Runner::Each(interface::interface)),
    ("json", Runner::Each(format::json)),
    ("lxcxml2xml", Runner::Each(domain::lxc)),
    ("macmap", Runner::Each(format::mac_map)),
    ("networkportxml2xml", Runner::Each(document::network_port)),
    ("networkxml2conf", Runner::Each(network::dnsmasq)),
    ("networkxml2firewall", Runner::Each(network::firewall)),
    ("networkxml2xml", Runner::Each(document::network)),
    (
        "networkxml2xmlupdate",
        Runner::Each(document::network_update),
    ),
    ("nodedevxml2xml", Runner::Each(node_device::node_device)),
    (
        "nwfilterbindingxml2xml",
        Runner::Each(document::nwfilter_binding),
    ),
    ("nwfilterxml2xml", Runner::Each(document::nwfilter)),
    ("qemufirmware", Runner::Each(qemu::firmware)),
    ("qemumemlock", Runner::Each(qemu::memory_lock)),
    ("qemustatusxml2xml", Runner::Each(status::qemu)),
    ("qemuxml2xml", Runner::Each(qemu::xml)),
    ("qemuxmlactive2xml", Runner::Each(qemu::active)),
    ("schema", Runner::Together(schema::schema)),
    ("secretxml2xml", Runner::Each(document::secret)),
    ("snapshotxml2xml", Runner::Each(moments::snapshot)),
    ("socketaddr", Runner::Each(format::socket_address)),
    ("storagebacking", Runner::Each(storage::backing)),
    ("storagepoolcaps", Runner::Each(storage::capabilities)),
    ("storagepoolxml2argv", Runner::Each(storage::pool_command)),
    ("storagepoolxml2xml", Runner::Each(storage::pool)),
    ("storagevolxml2argv", Runner::Each(storage::volume_command)),
    ("storagevolxml2xml", Runner::Each(storage::volume)),
    ("uri", Runner::Each(format::uri)),
    ("vboxsnapshot", Runner::Each(vbox::settings)),
];

/// How the suite is run, if it can be.
pub(crate) fn find(name: &str) -> Option<Runner> {
    let (_, runner) = SUITES.iter().find(|(suite, _)| *suite == name)?;
    Some(*runner)
}
