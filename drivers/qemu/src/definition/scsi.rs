//! Places on SCSI buses, which not all controllers count in the same way.

use virtbus_conf_domain::domain::devices::controller::{Controller, ControllerKind, ScsiModel};

/// Whether the disks of this SCSI controller have a unit only, which is the number of their target: others have units below their targets.
pub(crate) fn has_only_units(controllers: &[Controller], index: u32) -> bool {
    controllers.iter().any(|controller| {
        matches!(
            controller.kind,
            ControllerKind::Scsi(Some(ScsiModel::Lsilogic))
        ) && controller.index() == index
    })
}
