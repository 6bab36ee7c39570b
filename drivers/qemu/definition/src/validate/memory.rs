//! Memory devices.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::address::Address;
use virtbus_conf_domain::domain::devices::memory::{MemoryDevice, MemoryModel};
use virtbus_qemu_capabilities::Cap;

use super::{Context, unsupported};
use crate::machine;

/// How many guest nodes there are.
fn nodes(of: Context<'_>) -> usize {
    let cpu = of.domain.cpu.as_ref();
    cpu.and_then(|cpu| cpu.numa.as_ref())
        .map_or(0, |numa| numa.cell.len())
}

pub(super) fn check(of: Context<'_>) -> Result<()> {
    let devices = &of.domain.devices.memory;
    let Some(max) = of.domain.max_memory else {
        return Ok(());
    };
    if !machine::is_ppc64(of.domain) && nodes(of) == 0 {
        return unsupported(
            "<maxMemory> needs at least one guest node, which is a <cell> in <numa>: QEMU would make one of all memory",
        );
    }
    let slots = max.slots.unwrap_or(0);
    let has_slot =
        |device: &&MemoryDevice| matches!(device.model, MemoryModel::Dimm | MemoryModel::Nvdimm);
    let modules = devices.iter().filter(has_slot).count();
    if modules > slots as usize {
        return unsupported(format!(
            "{modules} memory devices need slots, but <maxMemory> has only {slots}"
        ));
    }
    let plugged = devices.iter().map(|device| device.target.size.0);
    let plugged = plugged.fold(0, u64::saturating_add);
    if plugged > max.size.0.saturating_sub(of.domain.memory_initial()) {
        return unsupported("the memory devices have more memory than <maxMemory> leaves to them");
    }
    Ok(())
}

pub(super) fn device(of: Context<'_>, memory: &MemoryDevice) -> Result<()> {
    let model = memory.model;
    let what = format!("<memory model='{model}'>");
    let address = memory.info.address.as_ref();
    let (has_cap, fits) = match model {
        MemoryModel::Dimm => (
            of.has(Cap::PcDimm),
            matches!(address, None | Some(Address::Dimm(_))),
        ),
        MemoryModel::Nvdimm => (
            of.has(Cap::Nvdimm),
            matches!(address, None | Some(Address::Dimm(_))),
        ),
        MemoryModel::VirtioPmem => (
            of.has(Cap::VirtioPmemPci),
            matches!(address, None | Some(Address::Pci(_) | Address::Ccw(_))),
        ),
        MemoryModel::VirtioMem => (
            of.has(Cap::VirtioMemPci) || of.has(Cap::VirtioMemCcw),
            matches!(address, None | Some(Address::Pci(_) | Address::Ccw(_))),
        ),
        MemoryModel::SgxEpc => (of.has(Cap::SgxEpc), address.is_none()),
    };
    if !has_cap {
        return Err(of.lacks(&what));
    }
    if !fits {
        return unsupported(format!("{what} has an <address> of another type"));
    }
    let is_plugged = matches!(model, MemoryModel::Dimm | MemoryModel::Nvdimm);
    if is_plugged && of.domain.max_memory.is_none() {
        return unsupported(format!("{what} needs <maxMemory> with slots for it"));
    }
    let nodes = nodes(of);
    match memory.target.node {
        Some(node) if node as usize >= nodes && nodes > 0 => unsupported(format!(
            "{what} is in guest node {node}, but the guest has only {nodes}"
        )),
        None if is_plugged && nodes > 0 => {
            unsupported(format!("{what} needs a guest node, by <node> in <target>"))
        }
        _ => Ok(()),
    }
}
