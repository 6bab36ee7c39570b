//! The host's devices, as the corpus makes them up.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use virtbus_conf_base::common::PciAddress;
use virtbus_conf_domain::domain::devices::sound::{AudioType, SdlAudioDriver};
use virtbus_qemu_definition::{Host, HostAudio};

use crate::case::Case;
use crate::outcome::{Held, Problem};

/// The host's sound by its environment and settings.
pub(super) fn audio(case: &Case) -> HostAudio {
    let text = |field: &str, name: &str| {
        let value = case.field(field).and_then(|map| map.get(name));
        value.and_then(Value::as_str)
    };
    let is_set = |name: &str| {
        let value = case.field("config").and_then(|map| map.get(name));
        value.and_then(Value::as_bool).unwrap_or(false)
    };
    HostAudio {
        kind: text("env", "QEMU_AUDIO_DRV").and_then(AudioType::from_name),
        sdl: text("env", "SDL_AUDIODRIVER").and_then(SdlAudioDriver::from_name),
        for_vnc: is_set("vncAllowHostAudio"),
        for_headless: is_set("nogfxAllowHostAudio"),
    }
}

/// PCI devices and their groups.
#[derive(Debug)]
pub(super) struct Devices(BTreeMap<String, u32>);

impl Devices {
    /// Those of the fixtures.
    pub(super) fn of(case: &Case) -> Held<Self> {
        let path = case.fixture("fake-pci.json");
        let text = fs::read_to_string(&path)
            .map_err(|e| Problem::failed(format!("cannot read '{}': {e}", path.display())))?;
        let wrong = || Problem::failed("the fixture 'fake-pci.json' is malformed");
        let value: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
        let devices = value.get("devices").and_then(Value::as_array);
        let mut groups = BTreeMap::new();
        for device in devices.ok_or_else(wrong)? {
            let address = device.get("address").and_then(Value::as_str);
            let group = device.get("iommu_group").and_then(Value::as_u64);
            let group = group.and_then(|group| u32::try_from(group).ok());
            let (Some(address), Some(group)) = (address, group) else {
                return Err(wrong());
            };
            groups.insert(address.to_owned(), group);
        }
        Ok(Self(groups))
    }
}

impl Host for Devices {
    fn iommu_group(&self, address: PciAddress) -> Option<u32> {
        self.0.get(&address.to_string()).copied()
    }

    fn is_express(&self, _: PciAddress) -> Option<bool> {
        None
    }
}
