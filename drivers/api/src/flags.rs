//! Which flags a driver knows for which call: declared in one table for each driver, so that a flag that nobody looks at is refused.

use crate::access::Call;
use crate::numbers::Numbers;
use crate::{Connection, Error, Result};

/// The flags that a driver knows for some calls.
#[derive(Debug)]
pub struct KnownFlags {
    /// The calls.
    pub calls: &'static [Call],
    /// The sum of the flags.
    pub flags: u32,
    /// The set that they are of.
    pub numbers: &'static Numbers,
}

/// Declares the table of a driver. A call that is not in it takes no flags.
///
/// ```
/// use virtbus_api::flags::KnownFlags;
///
/// const FLAGS: &[KnownFlags] = virtbus_api::known_flags! {
///     DomainCreate, DomainCreateXml: DomainCreateFlags = PAUSED | VALIDATE;
///     SecretDefineXml: SecretDefineFlags = VALIDATE;
/// };
/// assert_eq!(FLAGS.len(), 2);
/// ```
#[macro_export]
macro_rules! known_flags {
    ($($($call:ident),+: $set:ident = $($flag:ident)|+;)*) => {
        const {
            use $crate::flags::sets::*;
            &[$($crate::flags::KnownFlags {
                calls: &[$($crate::access::Call::$call),+],
                flags: 0 $(| $set::$flag.bits())+,
                numbers: <$set as $crate::numbers::Numbered>::NUMBERS,
            },)*]
        }
    };
}

/// The sets of flags, by their names.
pub mod sets {
    pub use crate::domain::{
        BackupBeginFlags, CheckpointCreateFlags, CheckpointDeleteFlags, CheckpointXmlFlags,
        DomainAbortJobFlags, DomainAuthorizedSshKeysSetFlags, DomainBlockCommitFlags,
        DomainBlockCopyFlags, DomainBlockJobAbortFlags, DomainBlockJobInfoFlags,
        DomainBlockJobSetSpeedFlags, DomainBlockPullFlags, DomainBlockRebaseFlags,
        DomainBlockResizeFlags, DomainChannelFlags, DomainConsoleFlags, DomainCoreDumpFlags,
        DomainCreateFlags, DomainDefineFlags, DomainDestroyFlags, DomainDeviceModifyFlags,
        DomainGetHostnameFlags, DomainGetJobStatsFlags, DomainMemoryFlags, DomainMemoryPeekFlags,
        DomainMessageTypes, DomainMigrateFlags, DomainMigrateMaxSpeedFlags,
        DomainModificationImpact, DomainOpenGraphicsFlags, DomainRebootFlags,
        DomainSaveImageXmlFlags, DomainSaveRestoreFlags, DomainSetTimeFlags,
        DomainSetUserPasswordFlags, DomainShutdownFlags, DomainStatsFlags, DomainUndefineFlags,
        DomainVcpuFlags, DomainXmlFlags, MomentDeleteFlags, SnapshotCreateFlags,
        SnapshotRevertFlags, SnapshotXmlFlags,
    };
    pub use crate::interface::{InterfaceDefineFlags, InterfaceXmlFlags};
    pub use crate::network::{
        NetworkCreateFlags, NetworkDefineFlags, NetworkPortCreateFlags, NetworkUpdateFlags,
        NetworkXmlFlags,
    };
    pub use crate::node::{BaselineCpuFlags, CompareCpuFlags, NodeAllocPagesFlags};
    pub use crate::node_device::{
        NodeDeviceDefineFlags, NodeDeviceDefineXmlFlags, NodeDeviceUpdateFlags, NodeDeviceXmlFlags,
    };
    pub use crate::nwfilter::{NwfilterBindingCreateFlags, NwfilterDefineFlags};
    pub use crate::secret::SecretDefineFlags;
    pub use crate::storage::{
        StoragePoolBuildFlags, StoragePoolCreateFlags, StoragePoolDefineFlags,
        StoragePoolDeleteFlags, StorageVolCreateFlags, StorageVolDeleteFlags, StorageVolInfoFlags,
        StorageVolResizeFlags, StorageVolTransferFlags, StorageVolUploadFlags, StorageXmlFlags,
    };
}

/// Flags that choose from a list. A session obeys them, whatever the driver.
fn choose_from_a_list(call: Call, flags: u32) -> bool {
    match call {
        // The lower half chooses, the upper one says how.
        Call::ConnectGetAllDomainStats => flags & 0xffff_0000 == 0,
        Call::DomainListAllSnapshots
        | Call::DomainSnapshotListAllChildren
        | Call::DomainListAllCheckpoints
        | Call::DomainCheckpointListAllChildren => true,
        call => call.filter().is_some(),
    }
}

/// Refuses flags that neither the driver of a connection nor a subsystem that it offers knows for a call.
///
/// # Errors
/// `InvalidArg`, naming the flags and the call.
pub(crate) fn check(connection: &dyn Connection, call: Call, flags: u32) -> Result<()> {
    if flags == 0 {
        return Ok(());
    }
    let own = connection.flags().iter();
    let own = own.into_iter().find(|row| row.calls.contains(&call));
    refuse_others(
        own.or_else(|| connection.offered().flags(call)),
        call,
        flags,
    )
}

/// Refuses flags that are not in the row of a call.
fn refuse_others(row: Option<&KnownFlags>, call: Call, flags: u32) -> Result<()> {
    let unknown = flags & !row.map_or(0, |row| row.flags);
    if unknown == 0 || choose_from_a_list(call, unknown) {
        return Ok(());
    }
    let named = row.map_or_else(String::new, |row| {
        let names = row.numbers.values.iter();
        let names = names.filter(|number| number.value & i64::from(unknown) != 0);
        let names: Vec<String> = names.map(|number| row.numbers.name(number)).collect();
        if names.is_empty() {
            String::new()
        } else {
            format!(" ({})", names.join(", "))
        }
    });
    Err(Error::invalid_argument(format!(
        "unsupported flags {unknown:#x}{named} for {}",
        call.name()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(known: &[KnownFlags], call: Call, flags: u32) -> Result<()> {
        let row = known.iter().find(|row| row.calls.contains(&call));
        refuse_others(row, call, flags)
    }

    const FLAGS: &[KnownFlags] = crate::known_flags! {
        DomainCreate, DomainCreateXml: DomainCreateFlags = PAUSED;
        ConnectGetAllDomainStats: DomainStatsFlags = NOWAIT;
    };

    #[test]
    fn what_a_driver_does_not_know_is_refused_by_name() {
        check(FLAGS, Call::DomainCreate, 1).unwrap();
        check(FLAGS, Call::DomainDestroy, 0).unwrap();
        let error = check(FLAGS, Call::DomainCreateXml, 5).unwrap_err();
        assert_eq!(
            error.message,
            "unsupported flags 0x4 (VIR_DOMAIN_START_BYPASS_CACHE) for DomainCreateXml"
        );
        let error = check(FLAGS, Call::DomainDestroy, 1).unwrap_err();
        assert_eq!(error.message, "unsupported flags 0x1 for DomainDestroy");
    }

    #[test]
    fn flags_that_choose_from_a_list_are_the_sessions() {
        check(FLAGS, Call::ConnectListAllDomains, 0x3).unwrap();
        check(FLAGS, Call::DomainListAllSnapshots, 0x3).unwrap();
        check(FLAGS, Call::ConnectGetAllDomainStats, 0x2000_0003).unwrap();
        check(FLAGS, Call::ConnectGetAllDomainStats, 0x4000_0000).unwrap_err();
    }
}
