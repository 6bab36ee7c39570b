//! Status documents of running guests.

use virtbus_conf_domain::domain_status::{DomainStatus, StatusFolders};

use crate::case::Case;
use crate::outcome::{Held, Refusal};

/// Where the driver keeps files of guests, as the corpus fixes it.
const FOLDERS: StatusFolders<'_> = StatusFolders {
    lib: "/var/lib/libvirt/qemu",
    channel_target: "/var/run/libvirt/qemu/channel",
    memory_backing: "/var/lib/libvirt/qemu/ram",
};

/// `qemustatusxml2xml`.
pub(crate) fn qemu(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let status = DomainStatus::parse(&xml).map(|mut status| {
        status.complete(FOLDERS);
        status.format()
    });
    case.check(status.map_err(Refusal::reading), &xml)
}
