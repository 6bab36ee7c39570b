//! Host interfaces.

use virtbus_conf_base::Flags;
use virtbus_conf_host::interface::Interface;

use crate::case::Case;
use crate::outcome::{Held, Refusal};

/// `interfacexml2xml`.
pub(crate) fn interface(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    case.check(read(&xml).map(|i| i.format(Flags::empty())), &xml)
}

fn read(xml: &str) -> Result<Interface, Refusal> {
    let mut interface = Interface::parse(xml).map_err(Refusal::reading)?;
    interface.complete();
    interface.validate().map_err(Refusal::reading)?;
    Ok(interface)
}
