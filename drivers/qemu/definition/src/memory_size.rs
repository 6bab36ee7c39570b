//! Sizes of memory that a machine can have.
//!
//! A guest that is started gets no less memory than its definition asks for, in pieces that the machine can have. The stored definition keeps
//! what its owner wrote.

use virtbus_conf_base::Kib;
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::memory::{MemoryDevice, MemoryModel};

use crate::machine;

/// KiB that memory comes in, on most machines and on pSeries.
const BLOCK: u64 = 1024;
const PSERIES_BLOCK: u64 = 256 * 1024;

/// KiB that memory of the guest's machine comes in.
#[must_use]
pub fn block(domain: &Domain) -> u64 {
    if machine::is_pseries(domain) {
        PSERIES_BLOCK
    } else {
        BLOCK
    }
}

/// The size of a memory device, in pieces of `block` KiB.
#[must_use]
pub fn of_device(memory: &MemoryDevice, block: u64) -> Kib {
    let label = memory.target.label.map_or(0, |label| label.size.0);
    let size = memory.target.size.0;
    Kib::new(match memory.model {
        // On pSeries the label is behind the memory, which is only as large as the file has room.
        MemoryModel::Nvdimm if block == PSERIES_BLOCK => {
            let usable = size.saturating_sub(label) / block * block;
            usable.max(block).saturating_add(label)
        }
        _ => rounded(size, block),
    })
}

fn rounded(size: u64, block: u64) -> u64 {
    size.checked_next_multiple_of(block).unwrap_or(size)
}

/// Rounds all memory of a guest that is to be started.
pub fn round(domain: &mut Domain) {
    let block = block(domain);
    let mut initial = 0_u64;
    let numa = domain.cpu.as_mut().and_then(|cpu| cpu.numa.as_mut());
    for cell in numa.into_iter().flat_map(|numa| &mut numa.cell) {
        cell.memory = Kib::new(rounded(cell.memory.0, block));
        initial = initial.saturating_add(cell.memory.0);
    }
    if initial == 0 {
        initial = rounded(domain.memory_initial(), block);
    }
    if let Some(max) = &mut domain.max_memory {
        max.size = Kib::new(rounded(max.size.0, block));
    }
    let mut total = initial;
    for memory in &mut domain.devices.memory {
        memory.target.size = of_device(memory, block);
        total = total.saturating_add(memory.target.size.0);
    }
    if let Some(memory) = &mut domain.memory {
        memory.size = Kib::new(total);
    }
}
