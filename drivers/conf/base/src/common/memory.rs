//! Sizes of memory, and who sees it.

use virtbus_xml::{Node, Result, Scaled, scale_factor, xml_names};

xml_names! {
    /// Whether other processes see the guest's memory.
    pub enum MemoryAccess {
        Shared = "shared",
        Private = "private",
    }
}

/// Reads the attribute `name`, a number in the unit of the attribute `unit`, or of `default` bytes.
///
/// # Errors
/// The attribute is absent or no number, the unit is none that is known, or the size does not fit into 64 bits.
pub fn scaled_attr<const UNIT: u64>(
    node: Node<'_>,
    name: &str,
    default: u64,
) -> Result<Scaled<UNIT>> {
    let number = node.attr_req::<u64>(name)?;
    let unit = node.attr("unit");
    if let Some(unit) = unit.filter(|u| !u.is_empty() && scale_factor(u).is_err()) {
        return Err(node.bad_attr("unit", unit, "a unit such as bytes, KB, KiB, MiB or GiB"));
    }
    Scaled::from_parts(number, unit, default)
        .map_err(|e| node.bad_attr(name, &number.to_string(), &e.to_string()))
}
