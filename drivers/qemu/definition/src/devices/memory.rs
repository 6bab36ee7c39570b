//! Memory devices: sizes that a machine can have.

use virtbus_conf_domain::domain::devices::memory::MemoryDevice;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};

use crate::{machine, memory_size};

/// Rounds the size of a new guest's device on pSeries, where the guest tells its owner what it got; those of other guests cannot change any
/// more.
pub(super) fn complete(domain: &Domain, memory: &mut MemoryDevice, flags: CompleteFlags) {
    if flags.contains(CompleteFlags::ABI_UPDATE) && machine::is_pseries(domain) {
        memory.target.size = memory_size::of_device(memory, memory_size::block(domain));
    }
}
