//! Whether a guest would notice that one definition was exchanged for another.
//!
//! Used where a running guest, or its saved state, meets a new definition: migration, restore, snapshots.
//! Only what the guest can see is compared; paths, labels, limits and names on the host may change.

mod devices;
mod machine;

use std::fmt::{Debug, Display};

use virtbus_conf_base::{ConfError, Result};
use virtbus_xml::{Content, Flags, Writer};

use super::Domain;
use super::devices::DeviceRef;

bitflags::bitflags! {
    /// What may differ all the same.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct AbiFlags: u32 {
        /// What changes while the guest runs: the balloon, virtual CPUs that are on.
        const SKIP_VOLATILE = 1 << 0;
    }
}

impl Domain {
    /// Checks that a guest of this definition would not notice `other` in its place.
    ///
    /// # Errors
    /// The first difference the guest could see, with both values.
    pub fn check_abi(&self, other: &Self, flags: AbiFlags) -> Result<()> {
        machine::check(self, other, flags)?;
        devices::check(&self.devices, &other.devices)
    }
}

impl DeviceRef<'_> {
    /// Checks that a guest with this device would not notice `other` in its place.
    ///
    /// # Errors
    /// The first difference the guest could see, with both values.
    pub fn check_abi(self, other: DeviceRef<'_>) -> Result<()> {
        devices::check_pair(self, other)
    }
}

fn differs<T>(what: &str, ours: impl Display, theirs: impl Display) -> Result<T> {
    Err(ConfError::unsupported(format!(
        "{what} would change from {ours} to {theirs}"
    )))
}

/// Both values are equal.
fn same<T: PartialEq + Display>(what: &str, ours: &T, theirs: &T) -> Result<()> {
    if ours == theirs {
        Ok(())
    } else {
        differs(what, ours, theirs)
    }
}

/// Both values are equal, or both are absent.
fn same_opt<T: PartialEq + Display>(
    what: &str,
    ours: &Option<T>,
    theirs: &Option<T>,
) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    let shown = |value: &Option<T>| {
        value
            .as_ref()
            .map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    differs(what, shown(ours), shown(theirs))
}

/// Both values are equal; they are shown as the program has them.
fn same_debug<T: PartialEq + Debug>(what: &str, ours: &T, theirs: &T) -> Result<()> {
    if ours == theirs {
        Ok(())
    } else {
        differs(what, format_args!("{ours:?}"), format_args!("{theirs:?}"))
    }
}

/// Both elements are equal; they are shown as XML.
fn same_xml<T: Content + PartialEq>(what: &str, ours: &T, theirs: &T) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    differs(what, shown(ours), shown(theirs))
}

/// Both elements are equal, or both are absent.
fn same_xml_opt<T: Content + PartialEq>(
    what: &str,
    ours: &Option<T>,
    theirs: &Option<T>,
) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    let text = |value: &Option<T>| {
        value
            .as_ref()
            .map_or_else(|| "none".to_owned(), |v| shown(v))
    };
    differs(what, text(ours), text(theirs))
}

fn shown(content: &dyn Content) -> String {
    let mut w = Writer::new(Flags::empty());
    w.element("it", content);
    let text = w.finish();
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line
        .trim_start_matches("<it")
        .trim_end_matches("/>")
        .trim_end_matches("</it>")
        .trim()
        .to_owned()
}
