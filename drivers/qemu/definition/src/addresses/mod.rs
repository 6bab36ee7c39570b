//! Where devices are: an address for each device that has none, and controllers for those that are behind one.

mod pci;

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::Domain;

use crate::Facts;

/// Gives every device an address.
///
/// # Errors
/// No address is left, or two devices ask for the same.
pub(crate) fn assign(domain: &mut Domain, facts: &Facts<'_>, is_new: bool) -> Result<()> {
    pci::assign(domain, facts, is_new)
}
