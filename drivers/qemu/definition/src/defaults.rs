//! Devices that are there unless the definition says otherwise.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};

use crate::Facts;

/// Adds them.
pub(crate) fn add(_: &mut Domain, _: &Facts<'_>, _: CompleteFlags) -> Result<()> {
    Ok(())
}
