//! Adding, removing and changing devices.

use async_trait::async_trait;
use virtbus_api::domain::{DomainDeviceModifyFlags, DomainDevices, DomainEvent, DomainId};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::Text;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::{Device, DeviceRef};

use super::definition;
use crate::driver::Test;

/// Whether the two are the same device: of the kind, and the same in what the kind is told apart by.
fn is_same(there: DeviceRef<'_>, asked: DeviceRef<'_>) -> bool {
    let alias = |device: DeviceRef<'_>| device.info().and_then(|info| info.alias.clone());
    if let (Some(there), Some(asked)) = (alias(there), alias(asked)) {
        return there == asked;
    }
    match (there, asked) {
        (DeviceRef::Disk(there), DeviceRef::Disk(asked)) => there.target.dev == asked.target.dev,
        (DeviceRef::Interface(there), DeviceRef::Interface(asked)) => {
            let mac = |interface: &virtbus_conf_domain::domain::devices::interface::Interface| {
                interface.mac.as_ref().map(|mac| mac.address)
            };
            mac(there) == mac(asked)
        }
        (there, asked) => {
            let plain = |device: DeviceRef<'_>| device.format(virtbus_conf_base::Flags::INACTIVE);
            there.name() == asked.name() && plain(there) == plain(asked)
        }
    }
}

/// Adds a device to its list.
fn push(definition: &mut Definition, device: Device) -> Result<()> {
    let devices = &mut definition.devices;
    let there = devices.iter().any(|there| {
        matches!(device, Device::Disk(_) | Device::Interface(_)) && is_same(there, device.as_ref())
    });
    if there {
        return Err(Error::new(
            ErrorCode::OperationFailed,
            ErrorDomain::Test,
            format!("the domain has this <{}> already", device.as_ref().name()),
        ));
    }
    devices.push(device).map_err(|single| {
        Error::new(
            ErrorCode::OperationFailed,
            ErrorDomain::Test,
            format!(
                "the domain has a <{}> already, and can have only one",
                single.as_ref().name()
            ),
        )
    })
}

/// Takes the device that `is_meant` away, which must be one.
fn take(
    definition: &mut Definition,
    what: &str,
    is_meant: impl Fn(DeviceRef<'_>) -> bool,
) -> Result<()> {
    let meant = definition
        .devices
        .iter()
        .filter(|device| is_meant(*device))
        .count();
    if meant == 0 {
        return Err(Error::new(
            ErrorCode::DeviceMissing,
            ErrorDomain::Test,
            format!("the domain has no {what}"),
        ));
    }
    definition.devices.retain(|device| !is_meant(device));
    Ok(())
}

fn shown(device: &Device) -> String {
    match device {
        Device::Disk(disk) => format!("disk '{}'", disk.target.dev),
        other => format!("such <{}>", other.as_ref().name()),
    }
}

/// The device's alias in the run, if it has got one there.
fn live_alias(
    definition: Option<&Definition>,
    is_meant: impl Fn(DeviceRef<'_>) -> bool,
) -> Option<Text> {
    let mut devices = definition?.devices.iter();
    devices
        .find(|device| is_meant(*device))?
        .info()?
        .alias
        .clone()
}

#[async_trait]
impl DomainDevices for Test {
    async fn attach_device(
        &self,
        domain: &DomainId,
        xml: &str,
        flags: DomainDeviceModifyFlags,
    ) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            let was_live = domain.live.clone();
            domain.edit(flags.impact(), |definition| {
                let device = definition::read_device(definition, xml)?;
                push(definition, device)?;
                definition::complete(definition)?;
                if definition.id.is_some() {
                    definition::assign_aliases(definition);
                }
                Ok(())
            })?;
            let Some(live) = &domain.live else {
                return Ok(((), Vec::new()));
            };
            let before: Vec<_> = was_live.iter().flat_map(|live| aliases(live)).collect();
            let added = aliases(live)
                .into_iter()
                .filter(|alias| !before.contains(alias));
            let events = added
                .map(|alias| DomainEvent::DeviceAdded {
                    device: alias.into(),
                })
                .collect();
            Ok(((), events))
        })
    }

    async fn detach_device(
        &self,
        domain: &DomainId,
        xml: &str,
        flags: DomainDeviceModifyFlags,
    ) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            let device = definition::read_device(domain.current()?, xml)?;
            let is_meant = |there: DeviceRef<'_>| is_same(there, device.as_ref());
            let alias = live_alias(domain.live.as_deref(), is_meant);
            let had = domain.live.clone();
            domain.edit(flags.impact(), |definition| {
                take(definition, &shown(&device), is_meant)
            })?;
            let gone = alias.filter(|_| had.as_deref() != domain.live.as_deref());
            let events = gone.map(|alias| DomainEvent::DeviceRemoved {
                device: alias.into(),
            });
            Ok(((), events.into_iter().collect()))
        })
    }

    async fn detach_device_alias(
        &self,
        domain: &DomainId,
        alias: &str,
        flags: DomainDeviceModifyFlags,
    ) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            let is_meant = |there: DeviceRef<'_>| {
                there.info().and_then(|info| info.alias.as_deref()) == Some(alias)
            };
            let had = domain.live.clone();
            domain.edit(flags.impact(), |definition| {
                take(
                    definition,
                    &format!("device with the alias '{alias}'"),
                    is_meant,
                )
            })?;
            let gone = had.as_deref() != domain.live.as_deref();
            let device = alias.to_owned();
            let events = if gone {
                vec![DomainEvent::DeviceRemoved { device }]
            } else {
                Vec::new()
            };
            Ok(((), events))
        })
    }

    async fn update_device(
        &self,
        domain: &DomainId,
        xml: &str,
        flags: DomainDeviceModifyFlags,
    ) -> Result<()> {
        self.change_domain(domain, |domain, _| {
            domain.edit(flags.impact(), |definition| {
                let mut device = definition::read_device(definition, xml)?;
                let mut there = definition.devices.iter();
                let old = there.find(|there| is_same(*there, device.as_ref()));
                let (alias, address) = match old.and_then(DeviceRef::info) {
                    Some(info) => (info.alias.clone(), info.address.clone()),
                    None => (None, None),
                };
                drop(there);
                let mut new = device.as_mut();
                if let Some(info) = new.info_mut() {
                    info.alias = info.alias.take().or(alias);
                    info.address = info.address.take().or(address);
                }
                take(definition, &shown(&device), |there| {
                    is_same(there, device.as_ref())
                })?;
                push(definition, device)?;
                definition::complete(definition)
            })?;
            Ok(((), Vec::new()))
        })
    }
}

fn aliases(definition: &Definition) -> Vec<Text> {
    let devices = definition.devices.iter();
    devices
        .filter_map(|device| device.info()?.alias.clone())
        .collect()
}
