//! Slots of memory modules.

use std::collections::BTreeSet;

use virtbus_conf_base::{ConfError, Result};
use virtbus_conf_domain::domain::Domain;
use virtbus_conf_domain::domain::devices::address::{Address, DimmAddress};
use virtbus_conf_domain::domain::devices::memory::MemoryModel;

/// Gives every memory module a slot.
///
/// # Errors
/// If two modules ask for the same slot, or none is left.
pub(super) fn assign(domain: &mut Domain) -> Result<()> {
    let slots = domain.max_memory.as_ref().and_then(|max| max.slots);
    let modules = &mut domain.devices.memory;
    let mut taken: BTreeSet<u32> = BTreeSet::new();
    for module in modules.iter() {
        if let Some(Address::Dimm(DimmAddress {
            slot: Some(slot), ..
        })) = module.info.address
        {
            if !taken.insert(slot) {
                return Err(ConfError::invalid(format!(
                    "memory slot {slot} is used by several memory devices"
                )));
            }
            if slots.is_some_and(|slots| slot >= slots) {
                return Err(ConfError::invalid(format!(
                    "memory slot {slot} is beyond the slots that <maxMemory> gives"
                )));
            }
        }
    }
    let mut free = (0..slots.unwrap_or(0)).filter(|slot| !taken.contains(slot));
    for module in modules.iter_mut() {
        let has_slot = matches!(module.model, MemoryModel::Dimm | MemoryModel::Nvdimm);
        let base = match module.info.address {
            None => None,
            Some(Address::Dimm(DimmAddress { slot: None, base })) => base,
            Some(_) => continue,
        };
        if !has_slot {
            continue;
        }
        let slot = free.next().ok_or_else(|| {
            ConfError::invalid(
                "no slot is left for a memory device: <maxMemory> has too few 'slots'",
            )
        })?;
        module.info.address = Some(Address::Dimm(DimmAddress {
            slot: Some(slot),
            base,
        }));
    }
    Ok(())
}
