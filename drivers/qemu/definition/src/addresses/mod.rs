//! Where devices are: an address for each device that has none, and controllers for those that are behind one.

mod ccw;
mod dimm;
mod pci;
mod spapr;
mod usb;
mod virtio;
mod virtio_serial;
mod zpci;

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::Domain;

use self::usb::Ports;
use crate::Facts;

/// Gives every device an address.
///
/// # Errors
/// No address is left, or two devices ask for the same.
pub(crate) fn assign(domain: &mut Domain, facts: &Facts<'_>, is_new: bool) -> Result<()> {
    virtio_serial::assign(domain)?;
    spapr::assign(domain)?;
    virtio::choose(domain, facts);
    ccw::assign(domain)?;
    pci::assign(domain, facts)?;
    zpci::assign(domain, facts)?;
    usb::assign(domain, if is_new { Ports::All } else { Ports::Kept })?;
    dimm::assign(domain)
}

/// Gives the last device of a running guest an address that is free; nothing is added for it.
///
/// # Errors
/// No address is left, or two devices ask for the same.
pub(crate) fn plug(domain: &mut Domain, facts: &Facts<'_>) -> Result<()> {
    virtio_serial::assign(domain)?;
    spapr::assign(domain)?;
    virtio::choose(domain, facts);
    ccw::assign(domain)?;
    pci::plug(domain, facts)?;
    zpci::assign(domain, facts)?;
    usb::assign(domain, Ports::ForOneMore)?;
    dimm::assign(domain)
}
