//! Guest nodes: what a definition leaves out of them.

use virtbus_conf_base::cpu::{NumaCell, NumaTopology};
use virtbus_conf_base::{BitSet, Kib};
use virtbus_conf_domain::domain::devices::memory::MemoryModel;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};

/// Fills in what is left out.
pub(crate) fn complete(domain: &mut Domain, flags: CompleteFlags) {
    if flags.intersects(CompleteFlags::ABI_UPDATE | CompleteFlags::ABI_UPDATE_MIGRATION) {
        add_node(domain);
    }
    fill_node(domain);
}

fn cells(domain: &mut Domain) -> Option<&mut Vec<NumaCell>> {
    let numa = domain.cpu.as_mut()?.numa.as_mut()?;
    Some(&mut numa.cell).filter(|cells| !cells.is_empty())
}

/// Memory can only be plugged into a node: a guest without any gets one.
fn add_node(domain: &mut Domain) {
    if domain.max_memory.is_none() || cells(domain).is_some() {
        return;
    }
    let memory = domain.memory_initial();
    let cpus = (0..domain.vcpus_max()).collect::<BitSet>();
    let cpu = domain.cpu.get_or_insert_with(Default::default);
    let numa = cpu.numa.get_or_insert_with(NumaTopology::default);
    numa.cell.push(NumaCell {
        id: Some(0),
        cpus: Some(cpus),
        memory: Kib::new(memory),
        mem_access: None,
        discard: None,
        distances: Vec::new(),
        cache: Vec::new(),
    });
    for device in &mut domain.devices.memory {
        if device.model != MemoryModel::SgxEpc {
            device.target.node.get_or_insert(0);
        }
    }
}

/// Virtual CPUs that are in no node are in the first.
fn fill_node(domain: &mut Domain) {
    let most = domain.vcpus_max();
    let Some(cells) = cells(domain) else { return };
    let mut placed = BitSet::new();
    for cpu in cells
        .iter()
        .filter_map(|cell| cell.cpus.as_ref())
        .flat_map(BitSet::iter)
    {
        placed.insert(cpu);
    }
    let missing: Vec<u32> = (0..most).filter(|cpu| !placed.contains(*cpu)).collect();
    if missing.is_empty() {
        return;
    }
    let cpus = cells[0].cpus.get_or_insert_with(BitSet::new);
    for cpu in missing {
        cpus.insert(cpu);
    }
}
