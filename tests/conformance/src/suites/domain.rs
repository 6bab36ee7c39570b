//! Domains without a hypervisor.

use virtbus_conf_base::Flags;
use virtbus_conf_base::common::Arch;
use virtbus_conf_domain::domain::{CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams};

use crate::case::Case;
use crate::outcome::{Held, Refusal};
use crate::seams::Counting;

/// First half of made up Ethernet addresses.
pub(crate) const MAC_PREFIX: [u8; 3] = [0x52, 0x54, 0x00];

/// `genericxml2xml`.
pub(crate) fn generic(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let (complete, format) = if case.is("live")? {
        (CompleteFlags::empty(), Flags::SECURE)
    } else {
        (CompleteFlags::INACTIVE, Flags::SECURE | Flags::INACTIVE)
    };
    let domain = read(&xml, DriverFeatures::INDIVIDUAL_VCPUS, complete);
    case.check(domain.map(|d| d.format(format)), &xml)
}

/// `lxcxml2xml`.
pub(crate) fn lxc(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let (complete, format) = if case.is("live")? {
        (CompleteFlags::empty(), Flags::SECURE)
    } else {
        (CompleteFlags::INACTIVE, Flags::SECURE | Flags::INACTIVE)
    };
    let domain = read(&xml, DriverFeatures::empty(), complete);
    case.check(domain.map(|d| d.format(format)), &xml)
}

fn read(xml: &str, features: DriverFeatures, flags: CompleteFlags) -> Result<Domain, Refusal> {
    let mut domain = Domain::parse(xml).map_err(Refusal::reading)?;
    let mut seams = Seams {
        driver: &mut NoDefaults(features),
        entropy: &mut Counting,
        mac_prefix: MAC_PREFIX,
        host_arch: Arch::X86_64,
        flags,
    };
    domain.complete(&mut seams).map_err(Refusal::reading)?;
    domain.validate(features).map_err(Refusal::reading)?;
    Ok(domain)
}
