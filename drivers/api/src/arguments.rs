//! Arguments that no driver takes, whatever it can do: checked once, for all of them, before a driver is called.
//!
//! What a driver or an object decides (which parameters there are, how many virtual CPUs a domain may have) is not here.

use crate::domain::{DomainMemoryPeekFlags, DomainVcpuFlags, MetadataType};
use crate::typed::{TypedParameter, TypedParameters, TypedValue};
use crate::{Error, Result};

/// Keys that can be pressed together.
const MOST_KEYS: usize = 16;

fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::invalid_argument(why))
}

/// Parameters to be set.
///
/// # Errors
/// `InvalidArg` if there are none.
pub fn set(parameters: TypedParameters) -> Result<TypedParameters> {
    if parameters.is_empty() {
        return refuse("'params' must have at least one parameter");
    }
    Ok(parameters)
}

/// Limits of memory to be set.
///
/// # Errors
/// `InvalidArg` if there are none, or memory alone may take more than memory and swap together.
pub fn memory_limits(parameters: TypedParameters) -> Result<TypedParameters> {
    let limit = |name: &str| {
        let is_it = |parameter: &&TypedParameter| parameter.field == name;
        match parameters.iter().find(is_it)?.value {
            TypedValue::ULLong(limit) => Some(limit),
            _ => None,
        }
    };
    if let (Some(memory), Some(both)) = (limit("hard_limit"), limit("swap_hard_limit"))
        && memory > both
    {
        return refuse(format!(
            "'hard_limit' ({memory} KiB) must not be above 'swap_hard_limit' ({both} KiB), which counts memory and swap"
        ));
    }
    set(parameters)
}

/// Keys to be pressed together.
///
/// # Errors
/// `InvalidArg` for none and for more than 16.
pub fn keys(codes: &[u32]) -> Result<&[u32]> {
    if codes.is_empty() || codes.len() > MOST_KEYS {
        return refuse(format!(
            "'keycodes' must be 1 to {MOST_KEYS} keys, not {}",
            codes.len()
        ));
    }
    Ok(codes)
}

/// A process of the guest that is signalled; a negative number is a group of processes.
///
/// # Errors
/// `InvalidArg` for the process 0.
pub fn signalled(process: i64) -> Result<()> {
    if process == 0 {
        return refuse("'pidValue' must name a process, not 0");
    }
    Ok(())
}

/// By which addresses memory is looked at.
///
/// # Errors
/// `InvalidArg` unless it is one of the two.
pub fn memory_peek(flags: DomainMemoryPeekFlags) -> Result<DomainMemoryPeekFlags> {
    let one = [
        DomainMemoryPeekFlags::VIRTUAL,
        DomainMemoryPeekFlags::PHYSICAL,
    ];
    if one.contains(&flags) {
        return Ok(flags);
    }
    refuse("exactly one of the flags VIRTUAL (1) and PHYSICAL (2) must be set")
}

/// How many virtual CPUs are set, and which.
///
/// # Errors
/// `InvalidArg` for none, and for flags that exclude each other.
pub fn set_vcpus(count: u32, flags: DomainVcpuFlags) -> Result<DomainVcpuFlags> {
    use DomainVcpuFlags as F;
    if count == 0 {
        return refuse("'vcpus' must be at least 1");
    }
    if flags.contains(F::MAXIMUM) && !flags.contains(F::CONFIG) {
        return refuse(
            "flag MAXIMUM (4) requires flag CONFIG (2): the maximum can only be set in the stored definition",
        );
    }
    for other in [F::CONFIG, F::MAXIMUM, F::HOTPLUGGABLE] {
        if flags.contains(F::GUEST | other) {
            return refuse(
                "flag GUEST (8) excludes the flags CONFIG (2), MAXIMUM (4) and HOTPLUGGABLE (16)",
            );
        }
    }
    if flags.contains(F::MAXIMUM | F::HOTPLUGGABLE) {
        return refuse("flags MAXIMUM (4) and HOTPLUGGABLE (16) exclude each other");
    }
    Ok(flags)
}

/// What is noted in a definition: which note, its text (none removes it), prefix and name space.
///
/// # Errors
/// `InvalidArg` for an element without prefix or name space, a title or description with one, and a title of several lines.
pub fn set_metadata(
    kind: MetadataType,
    metadata: Option<&str>,
    key: Option<&str>,
    uri: Option<&str>,
) -> Result<()> {
    get_metadata(kind, uri)?;
    match kind {
        MetadataType::Title | MetadataType::Description if key.is_some() => {
            refuse("'key' must be empty for titles and descriptions")
        }
        MetadataType::Title if metadata.is_some_and(|title| title.contains('\n')) => {
            refuse("a title must not contain a line break")
        }
        MetadataType::Element if metadata.is_some() && key.is_none() => {
            refuse("'key' must be the namespace prefix of the metadata element")
        }
        MetadataType::Title | MetadataType::Description | MetadataType::Element => Ok(()),
    }
}

/// Which note is read.
///
/// # Errors
/// `InvalidArg` for an element without a name space, and a title or description with one.
pub fn get_metadata(kind: MetadataType, uri: Option<&str>) -> Result<()> {
    match (kind, uri) {
        (MetadataType::Element, None) => {
            refuse("'uri' must be the namespace of the metadata element")
        }
        (MetadataType::Title | MetadataType::Description, Some(_)) => {
            refuse("'uri' must be empty for titles and descriptions")
        }
        (MetadataType::Element, Some(_))
        | (MetadataType::Title | MetadataType::Description, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(hard: u64, both: u64) -> TypedParameters {
        vec![
            TypedParameter::new("hard_limit", hard),
            TypedParameter::new("swap_hard_limit", both),
        ]
    }

    #[test]
    fn lists_have_something_in_them() {
        set(Vec::new()).unwrap_err();
        memory_limits(Vec::new()).unwrap_err();
        memory_limits(limits(1, 1)).unwrap();
        memory_limits(limits(2, 1)).unwrap_err();
        keys(&[]).unwrap_err();
        keys(&[30; 16]).unwrap();
        keys(&[30; 17]).unwrap_err();
    }

    #[test]
    fn numbers_are_in_range() {
        signalled(1).unwrap();
        signalled(-1).unwrap();
        signalled(0).unwrap_err();
    }

    #[test]
    fn flags_go_together() {
        use DomainVcpuFlags as F;
        for good in [
            F::empty(),
            F::LIVE,
            F::CONFIG | F::MAXIMUM,
            F::GUEST,
            F::GUEST | F::LIVE,
        ] {
            set_vcpus(1, good).unwrap();
            set_vcpus(0, good).unwrap_err();
        }
        for bad in [
            F::MAXIMUM,
            F::LIVE | F::MAXIMUM,
            F::GUEST | F::CONFIG,
            F::CONFIG | F::MAXIMUM | F::HOTPLUGGABLE,
            F::GUEST | F::HOTPLUGGABLE,
        ] {
            set_vcpus(1, bad).unwrap_err();
        }
        memory_peek(DomainMemoryPeekFlags::all()).unwrap_err();
        memory_peek(DomainMemoryPeekFlags::empty()).unwrap_err();
        memory_peek(DomainMemoryPeekFlags::VIRTUAL).unwrap();
    }

    #[test]
    fn only_elements_have_a_key_and_a_name_space() {
        let some = Some("x");
        for kind in [MetadataType::Title, MetadataType::Description] {
            set_metadata(kind, some, None, None).unwrap();
            set_metadata(kind, some, some, None).unwrap_err();
            set_metadata(kind, some, None, some).unwrap_err();
        }
        set_metadata(MetadataType::Title, Some("a\nb"), None, None).unwrap_err();
        set_metadata(MetadataType::Element, some, some, some).unwrap();
        set_metadata(MetadataType::Element, None, None, some).unwrap();
        set_metadata(MetadataType::Element, some, None, some).unwrap_err();
        set_metadata(MetadataType::Element, some, some, None).unwrap_err();
    }
}
