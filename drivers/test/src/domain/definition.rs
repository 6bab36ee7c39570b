//! Definitions: read, completed, checked.

use std::collections::{HashMap, HashSet};

use virtbus_api::domain::DomainId;
use virtbus_api::{Result, Uuid};
use virtbus_conf_base::common::{Arch, OsType};
use virtbus_conf_base::{ConfError, Entropy, Text, format_text};
use virtbus_conf_domain::domain::devices::interface::Interface;
use virtbus_conf_domain::domain::devices::video::VideoModelType;
use virtbus_conf_domain::domain::devices::{Device, DeviceMut};
use virtbus_conf_domain::domain::{
    CompleteFlags, Domain as Definition, DomainDefaults, DriverFeatures, Seams,
};

use crate::error;

/// First half of made-up Ethernet addresses.
const MAC_PREFIX: [u8; 3] = [0x52, 0x54, 0x00];

/// What the test driver can do.
const FEATURES: DriverFeatures = DriverFeatures::MEMORY_HOTPLUG
    .union(DriverFeatures::OFFLINE_VCPUPIN)
    .union(DriverFeatures::INDIVIDUAL_VCPUS)
    .union(DriverFeatures::USER_ALIAS)
    .union(DriverFeatures::NET_MODEL_STRING)
    .union(DriverFeatures::FIRMWARE_AUTOSELECT);

/// What the test driver means by leaving something out.
struct Defaults;

impl DomainDefaults for Defaults {
    fn features(&self) -> DriverFeatures {
        FEATURES
    }

    fn domain(&mut self, domain: &mut Definition, _flags: CompleteFlags) -> Result<(), ConfError> {
        name_interfaces(domain);
        Ok(())
    }

    fn device(
        &mut self,
        domain: &Definition,
        device: DeviceMut<'_>,
        _flags: CompleteFlags,
    ) -> Result<(), ConfError> {
        if let DeviceMut::Video(video) = device {
            let model = video.model.get_or_insert_default();
            model.kind.get_or_insert_with(|| default_card(domain));
        }
        Ok(())
    }
}

/// The graphics card of a guest whose definition names no model.
fn default_card(domain: &Definition) -> VideoModelType {
    let is_xen = matches!(domain.os_type(), Some(OsType::Xen | OsType::Linux));
    let is_power = matches!(domain.arch(), Some(Arch::Ppc64 | Arch::Ppc64le));
    match (is_xen, is_power) {
        (true, _) => VideoModelType::Xen,
        (false, true) => VideoModelType::Vga,
        (false, false) => VideoModelType::Cirrus,
    }
}

/// Gives every interface a name on the host, which is how calls know it: `testnet` and the first number that is free in the domain.
fn name_interfaces(domain: &mut Definition) {
    let name = |interface: &Interface| {
        let target = interface.options.target.as_ref()?;
        target.dev.clone()
    };
    let taken: HashSet<Text> = domain.devices.interface.iter().filter_map(name).collect();
    let mut free = (0_u32..)
        .map(|number| format_text!("testnet{number}"))
        .filter(|name| !taken.contains(name));
    for interface in &mut domain.devices.interface {
        let target = interface.options.target.get_or_insert_default();
        if target.dev.is_none() {
            target.dev = free.next();
        }
    }
}

/// Randomness of version 4 UUIDs.
#[derive(Debug, Default)]
pub(crate) struct Random;

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(6) {
            // The first bytes of such a UUID are random altogether.
            let random = Uuid::new_v4();
            for (byte, random) in chunk.iter_mut().zip(random.as_bytes()) {
                *byte = *random;
            }
        }
    }
}

/// Does something with what completing needs from outside.
pub(crate) fn with_seams<T>(flags: CompleteFlags, complete: impl FnOnce(&mut Seams<'_>) -> T) -> T {
    complete(&mut Seams {
        driver: &mut Defaults,
        entropy: &mut Random,
        mac_prefix: MAC_PREFIX,
        host_arch: Arch::I686,
        flags,
    })
}

/// Reads a client's definition, completes and checks it.
pub(crate) fn parse(xml: &str, strict: bool) -> Result<Definition> {
    let mut definition = if strict {
        Definition::parse_strict(xml).map_err(|error| error::schema(&error))?
    } else {
        Definition::parse(xml).map_err(|error| error::xml(&error))?
    };
    // The number of a run is no part of a definition.
    definition.id = None;
    complete(&mut definition)?;
    Ok(definition)
}

/// What a definition is completed for: one of a run keeps what only runs have.
fn flags(definition: &Definition) -> CompleteFlags {
    if definition.id.is_some() {
        CompleteFlags::empty()
    } else {
        CompleteFlags::INACTIVE
    }
}

/// Completes and checks a definition.
pub(crate) fn complete(definition: &mut Definition) -> Result<()> {
    with_seams(flags(definition), |seams| definition.complete(seams))
        .map_err(|error| error::conf(&error))?;
    definition
        .validate(FEATURES)
        .map_err(|error| error::conf(&error))
}

/// Reads a device for a definition.
pub(crate) fn read_device(definition: &Definition, xml: &str) -> Result<Device> {
    let mut device = Device::parse(xml).map_err(|error| error::xml(&error))?;
    with_seams(flags(definition), |seams| {
        definition.complete_device(device.as_mut(), seams)
    })
    .map_err(|error| error::conf(&error))?;
    definition
        .validate_device(device.as_ref())
        .map_err(|error| error::conf(&error))?;
    Ok(device)
}

/// Which domain a definition is about; the UUID is nil if it names none.
pub(crate) fn identify(xml: &str) -> Result<DomainId> {
    let found = Definition::identify(xml).map_err(|error| error::xml(&error))?;
    Ok(DomainId {
        uuid: found.uuid.map_or(Uuid::nil(), |uuid| uuid.0),
        name: found.name.unwrap_or_default().as_str().into(),
        id: None,
    })
}

/// Reads a definition as it stands.
pub(crate) fn read(xml: &str) -> Result<Definition> {
    Definition::parse(xml).map_err(|error| error::xml(&error))
}

/// The UUID, which a complete definition has.
pub(crate) fn uuid(definition: &Definition) -> Uuid {
    definition.uuid.map_or(Uuid::nil(), |uuid| uuid.0)
}

/// Gives every device of a run the name that calls know it by: its kind, and a number.
pub(crate) fn assign_aliases(definition: &mut Definition) {
    let mut counts: HashMap<&'static str, u32> = HashMap::new();
    let taken: HashSet<Text> = definition
        .devices
        .iter()
        .filter_map(|device| device.info()?.alias.clone())
        .collect();
    for mut device in definition.devices.iter_mut() {
        let kind = device.as_ref().name();
        let Some(info) = device.info_mut() else {
            continue;
        };
        if info.alias.is_some() {
            continue;
        }
        let count = counts.entry(kind).or_default();
        let name = loop {
            let name = format_text!("{kind}{count}");
            *count += 1;
            if !taken.contains(&name) {
                break name;
            }
        };
        info.alias = Some(name);
    }
}
