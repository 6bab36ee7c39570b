//! Filters of lists: flags in groups, of which each that is named at all must have one that fits.

use bitflags::Flags;

/// Something that a list's flags choose.
pub trait Filtered<F> {
    /// Whether the list with these flags has it.
    fn matches(&self, flags: F) -> bool;
}

/// Whether, of each group with a flag that is set, one that is set fits.
pub fn passes<F: Flags + Copy>(flags: F, groups: &[&[(F, bool)]]) -> bool {
    groups.iter().all(|group| {
        let mut named = group
            .iter()
            .filter(|(flag, _)| flags.contains(*flag))
            .peekable();
        named.peek().is_none() || named.any(|(_, fits)| *fits)
    })
}
