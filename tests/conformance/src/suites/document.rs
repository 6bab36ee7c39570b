//! Documents that are read, completed and written, and nothing more.

use virtbus_conf_base::{Flags, XmlError};
use virtbus_conf_host::network::{Network, UpdateCommand, UpdateSection};
use virtbus_conf_host::network_port::NetworkPort;
use virtbus_conf_host::nwfilter::NwFilter;
use virtbus_conf_host::nwfilter_binding::NwFilterBinding;
use virtbus_conf_host::secret::Secret;

use crate::case::Case;
use crate::outcome::{Held, Problem, Refusal};
use crate::seams::Counting;

/// `networkxml2xml`.
pub(crate) fn network(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let flags = if case.has("format_flags", "VIR_NETWORK_XML_INACTIVE")? {
        Flags::INACTIVE
    } else {
        Flags::empty()
    };
    case.check(
        read_network(&xml).map(|network| network.format(flags)),
        &xml,
    )
}

/// `networkxml2xmlupdate`.
pub(crate) fn network_update(case: &Case) -> Held<()> {
    let base = case.file("base")?;
    let mut network = read_network(&base)
        .map_err(|error| Problem::failed(format!("the network is refused: {error}")))?;
    let unknown = |what: &str, text: &str| Problem::failed(format!("'{text}' is no {what}"));
    let (command, section) = (case.text_req("command")?, case.text_req("section")?);
    let command = UpdateCommand::from_name(command).ok_or_else(|| unknown("command", command))?;
    let section = UpdateSection::from_name(section).ok_or_else(|| unknown("section", section))?;
    let parent = case.number("parent_index")?.unwrap_or(-1);
    let parent =
        i32::try_from(parent).map_err(|_| Problem::failed("'parent_index' is too large"))?;
    let flags = if case.is("format_inactive")? {
        Flags::INACTIVE
    } else {
        Flags::empty()
    };
    let xml = case.file("input")?;
    let updated = network
        .update(command, section, parent, &xml)
        .map_err(Refusal::later);
    case.check(
        updated.map(|()| network.format(flags)),
        &format!("{base}{xml}"),
    )
}

/// `networkportxml2xml`.
pub(crate) fn network_port(case: &Case) -> Held<()> {
    check(case, |xml| {
        let mut port = NetworkPort::parse(xml)?;
        port.complete(&mut Counting);
        Ok(port.format(Flags::empty()))
    })
}

/// `nwfilterxml2xml`.
pub(crate) fn nwfilter(case: &Case) -> Held<()> {
    check(case, |xml| {
        let mut filter = NwFilter::parse(xml)?;
        filter.complete(&mut Counting);
        Ok(filter.format(Flags::empty()))
    })
}

/// `nwfilterbindingxml2xml`.
pub(crate) fn nwfilter_binding(case: &Case) -> Held<()> {
    check(case, |xml| {
        Ok(NwFilterBinding::parse(xml)?.format(Flags::empty()))
    })
}

/// `secretxml2xml`.
pub(crate) fn secret(case: &Case) -> Held<()> {
    check(case, |xml| {
        let mut secret = Secret::parse(xml)?;
        secret.complete(&mut Counting);
        Ok(secret.format(Flags::empty()))
    })
}

fn check(case: &Case, read: impl Fn(&str) -> Result<String, XmlError>) -> Held<()> {
    let xml = case.file("input")?;
    case.check(read(&xml).map_err(Refusal::reading), &xml)
}

fn read_network(xml: &str) -> Result<Network, Refusal> {
    let mut network = Network::parse(xml).map_err(Refusal::reading)?;
    network.complete(&mut Counting);
    network.validate().map_err(Refusal::reading)?;
    Ok(network)
}
