//! Memory devices: sizes that a machine can have.

use virtbus_conf_base::Kib;
use virtbus_conf_domain::domain::devices::memory::{MemoryDevice, MemoryModel};
use virtbus_conf_domain::domain::{CompleteFlags, Domain};

use crate::machine;

/// Memory of pSeries machines comes in pieces of this many KiB.
const PSERIES_BLOCK: u64 = 256 * 1024;

/// Rounds the size of a new guest's device; those of other guests cannot change any more.
pub(super) fn complete(domain: &Domain, memory: &mut MemoryDevice, flags: CompleteFlags) {
    if !flags.contains(CompleteFlags::ABI_UPDATE) || !machine::is_ppc64(domain) {
        return;
    }
    let label = memory.target.label.map_or(0, |label| label.size.0);
    let size = memory.target.size.0;
    let rounded = match memory.model {
        // The label is behind the memory, which is only as large as the file has room.
        MemoryModel::Nvdimm => {
            let usable = size.saturating_sub(label) / PSERIES_BLOCK * PSERIES_BLOCK;
            usable.max(PSERIES_BLOCK) + label
        }
        _ => size.next_multiple_of(PSERIES_BLOCK),
    };
    memory.target.size = Kib::new(rounded);
}
