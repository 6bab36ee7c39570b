//! Devices that are plugged into running guests.

use virtbus_conf_base::Flags;
use virtbus_conf_domain::domain::devices::Device;
use virtbus_conf_domain::domain::{CompleteFlags, Domain};
use virtbus_qemu_definition::{complete_device, validate_device};

use crate::common::{Counting, arch_of, define, emulator, facts, firmware};

fn guest(machine: &str, devices: &str) -> Domain {
    let xml = format!(
        "<domain type='qemu'><name>g</name><memory>524288</memory>
           <os><type arch='x86_64' machine='{machine}'>hvm</type></os>
           <devices>{devices}</devices>
         </domain>"
    );
    define(&xml, &emulator(arch_of(&xml)), true).unwrap()
}

/// Plugs a device, and tells its address or why there is none.
fn plug(domain: &mut Domain, xml: &str) -> Result<String, String> {
    let capabilities = emulator(domain.arch().unwrap());
    let firmware = firmware();
    let facts = facts(&capabilities, &firmware);
    let mut device = Device::parse(xml).unwrap();
    let flags = CompleteFlags::empty();
    complete_device(domain, &mut device, facts, &mut Counting, flags).map_err(|e| e.to_string())?;
    validate_device(domain, device.as_ref(), &facts).map_err(|e| e.to_string())?;
    let text = device.format(Flags::empty());
    let address = text.lines().rfind(|line| line.contains("<address"));
    let address = address.unwrap_or_default().trim().to_owned();
    domain
        .devices
        .push(device)
        .map_err(|_| "one is there".to_owned())?;
    Ok(address)
}

const DISK: &str = "<disk type='file'><source file='/i'/><target dev='vdz' bus='virtio'/></disk>";

#[test]
fn the_spare_port_takes_one_device_and_then_there_is_none() {
    let mut domain = guest("q35", "<memballoon model='virtio'/>");
    let before = domain.devices.controller.clone();
    let address = plug(&mut domain, DISK).unwrap();
    // The USB controller and the balloon have the first two ports.
    assert!(address.contains("bus='0x03' slot='0x00'"), "{address}");
    let error = plug(
        &mut domain,
        "<rng model='virtio'><backend model='random'/></rng>",
    );
    assert!(error.unwrap_err().contains("pcie-root-port"));
    assert_eq!(domain.devices.controller, before);
}

#[test]
fn a_conventional_bus_has_slots_for_all() {
    let mut domain = guest("pc", "<memballoon model='none'/>");
    for slot in 2..32 {
        let address = plug(
            &mut domain,
            "<interface type='user'><model type='virtio'/></interface>",
        );
        assert!(address.unwrap().contains(&format!("slot='{slot:#04x}'")));
    }
    assert!(plug(&mut domain, DISK).unwrap_err().contains("pci-bridge"));
}

#[test]
fn a_place_that_is_named_must_be_free() {
    let mut domain = guest("pc", "<memballoon model='virtio'/>");
    let at = |slot: u32| {
        DISK.replace(
            "</disk>",
            &format!("<address type='pci' slot='{slot}'/></disk>"),
        )
    };
    let error = plug(&mut domain, &at(2)).unwrap_err();
    assert!(error.contains("0000:00:02.0"), "{error}");
    assert!(plug(&mut domain, &at(9)).unwrap().contains("slot='0x09'"));
}

#[test]
fn ports_are_found_for_usb_and_channels() {
    let channel = "<channel type='unix'><target type='virtio' name='n'/></channel>";
    let mut domain = guest("pc", channel);
    let address = plug(&mut domain, channel).unwrap();
    assert!(address.contains("port='2'"), "{address}");
    let input = "<input type='tablet' bus='usb'/>";
    for port in 1..3 {
        let address = plug(&mut domain, input).unwrap();
        assert!(address.contains(&format!("port='{port}'")), "{address}");
    }
    assert!(plug(&mut domain, input).unwrap_err().contains("USB port"));
}

#[test]
fn there_is_only_one_balloon() {
    let mut domain = guest("pc", "<memballoon model='virtio'/>");
    let error = plug(&mut domain, "<memballoon model='virtio'/>").unwrap_err();
    assert!(error.contains("<memballoon>"), "{error}");
}
