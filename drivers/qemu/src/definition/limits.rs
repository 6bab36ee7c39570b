//! How much a definition may hold: its text, and how many of each device.
//!
//! A client's document is held to less than what a file of ours may have, so that whatever was accepted can be read back,
//! also with all that a run adds to it. The counts are checked wherever a definition comes in: from a client, from a file,
//! from a saved image.

use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_base::Limits;
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_domain::domain::devices::Devices;

/// What a client may send. The largest definitions in use have some hundred kilobytes.
pub(crate) const CLIENT: Limits = Limits {
    bytes: 4 << 20,
    depth: 64,
    nodes: 100_000,
    attributes: 256,
};

/// What may be kept: a client's document with all that completing and indenting add.
pub(crate) const KEPT: Limits = Limits {
    bytes: 8 << 20,
    depth: 96,
    nodes: 500_000,
    attributes: 256,
};

/// What is read from files.
pub(crate) const STORED: Limits = Limits {
    bytes: 16 << 20,
    depth: 256,
    nodes: 1_000_000,
    attributes: 256,
};

/// Devices altogether.
const MOST_DEVICES: usize = 4096;

/// What a run adds to the text of a device at most, bytes: alias, address, port, terminal.
const ADDED_BY_RUN: usize = 1024;

/// The largest file of a definition that is read, bytes.
pub(crate) const LARGEST_DEFINITION: u64 = 16 << 20;

/// The largest status file that is read, bytes.
pub(crate) const LARGEST_STATUS: u64 = 64 << 20;

// A run's definition fits into what is read, and the status around it, where each character may be escaped and each path is
// told once more, into the file.
const _: () = {
    let run = KEPT.bytes + MOST_DEVICES * ADDED_BY_RUN;
    assert!(CLIENT.bytes < KEPT.bytes && CLIENT.nodes < KEPT.nodes && CLIENT.depth < KEPT.depth);
    assert!(run <= STORED.bytes && KEPT.depth < STORED.depth);
    assert!(KEPT.nodes + MOST_DEVICES * 16 <= STORED.nodes);
    assert!(KEPT.bytes as u64 <= LARGEST_DEFINITION);
    assert!(3 * run as u64 <= LARGEST_STATUS);
};

/// I/O threads. More than there are devices to serve are of no use, and each is a thread of the host.
const MOST_IOTHREADS: usize = 1024;

/// NUMA nodes that QEMU knows.
const MOST_CELLS: usize = 128;

/// Slots for memory that x86 machines of QEMU have.
const MOST_MEMORY: usize = 256;

/// Ports that are forwarded to a guest: QEMU is given a rule for each, all in one argument, which the kernel limits to
/// 128 KiB.
const MOST_FORWARDS: u64 = 2048;

/// More virtual CPUs than any machine of QEMU has.
pub(super) const MOST_VCPUS: u32 = 4096;

/// Controllers are numbered to this at most; PCI buses have a byte for their number.
const HIGHEST_CONTROLLER: u32 = 4095;
const HIGHEST_PCI: u32 = 255;

/// Refuses a definition that has more of something than there can be.
///
/// # Errors
/// `ConfigUnsupported`, naming the element, how many there are, and how many there may be.
pub(super) fn check(definition: &Definition) -> Result<()> {
    let devices = device_counts(&definition.devices);
    let total = devices.iter().map(|(_, count, _)| count).sum();
    let all = [("<devices> child", total, MOST_DEVICES)];
    let counts = devices.into_iter().chain(all);
    for (element, count, most) in counts.chain(other_counts(definition)) {
        if count > most {
            return Err(unsupported(format!(
                "the definition has {count} of element {element}; at most {most} are supported"
            )));
        }
    }
    let wanted = definition.iothreads.unwrap_or(0);
    if usize::try_from(wanted).is_ok_and(|wanted| wanted > MOST_IOTHREADS) {
        return Err(unsupported(format!(
            "<iothreads> asks for {wanted} I/O threads; at most {MOST_IOTHREADS} are supported"
        )));
    }
    controllers(&definition.devices)?;
    forwards(&definition.devices)
}

/// Each list of devices with its element, how many there are, and how many there may be. A new list does not compile
/// without a limit.
fn device_counts(devices: &Devices) -> Vec<(&'static str, usize, usize)> {
    let Devices {
        emulator: _,
        disk,
        controller,
        lease,
        filesystem,
        interface,
        smartcard,
        serial,
        parallel,
        console,
        channel,
        input,
        tpm,
        graphics,
        sound,
        audio,
        video,
        hostdev,
        redirdev,
        redirfilter,
        hub,
        watchdog,
        memballoon: _,
        rng,
        nvram: _,
        panic,
        shmem,
        memory,
        crypto,
        iommu: _,
        vsock: _,
        pstore: _,
    } = devices;
    let filters = redirfilter.as_ref().map_or(0, |filter| filter.usbdev.len());
    vec![
        // As many as 35 controllers of virtio-scsi or of PCI take; addresses are looked for among the controllers.
        ("<disk>", disk.len(), 1024),
        ("<controller>", controller.len(), 512),
        ("<lease>", lease.len(), 256),
        ("<filesystem>", filesystem.len(), 256),
        ("<interface>", interface.len(), 1024),
        // QEMU has one bus for them.
        ("<smartcard>", smartcard.len(), 8),
        // Four on ISA, others on PCI or USB.
        ("<serial>", serial.len(), 64),
        // The three places of a PC.
        ("<parallel>", parallel.len(), 3),
        ("<console>", console.len(), 256),
        // As many as 34 controllers of 31 ports have.
        ("<channel>", channel.len(), 1024),
        ("<input>", input.len(), 64),
        ("<tpm>", tpm.len(), 2),
        // Each binds ports of the host before the guest starts.
        ("<graphics>", graphics.len(), 16),
        ("<sound>", sound.len(), 32),
        ("<audio>", audio.len(), 32),
        ("<video>", video.len(), 32),
        ("<hostdev>", hostdev.len(), 256),
        ("<redirdev>", redirdev.len(), 64),
        ("<usbdev>", filters, 256),
        ("<hub>", hub.len(), 64),
        ("<watchdog>", watchdog.len(), 8),
        ("<rng>", rng.len(), 64),
        ("<panic>", panic.len(), 8),
        ("<shmem>", shmem.len(), 64),
        ("<memory>", memory.len(), MOST_MEMORY),
        ("<crypto>", crypto.len(), 64),
    ]
}

/// The same for what stands elsewhere.
fn other_counts(definition: &Definition) -> Vec<(&'static str, usize, usize)> {
    let vcpus = MOST_VCPUS as usize;
    let mut counts = Vec::with_capacity(16);
    if let Some(threads) = &definition.iothreadids {
        counts.push(("<iothread>", threads.iothread.len(), MOST_IOTHREADS));
    }
    if let Some(list) = &definition.vcpus {
        counts.push(("<vcpus><vcpu>", list.vcpu.len(), vcpus));
    }
    if let Some(cpu) = &definition.cpu {
        let cells = cpu.numa.as_ref().map_or(0, |numa| numa.cell.len());
        counts.push(("<cell>", cells, MOST_CELLS));
        counts.push(("<feature>", cpu.feature.len(), 1024));
    }
    if let Some(tune) = &definition.cputune {
        counts.push(("<vcpupin>", tune.vcpupin.len(), vcpus));
        counts.push(("<vcpusched>", tune.vcpusched.len(), vcpus));
        counts.push(("<iothreadpin>", tune.iothreadpin.len(), MOST_IOTHREADS));
        counts.push(("<iothreadsched>", tune.iothreadsched.len(), MOST_IOTHREADS));
    }
    if let Some(groups) = &definition.throttlegroups {
        counts.push(("<throttlegroup>", groups.throttlegroup.len(), 1024));
    }
    if let Some(namespaces) = &definition.namespaces {
        counts.push(("<qemu:arg>", namespaces.qemu.arg.len(), 4096));
        counts.push(("<qemu:env>", namespaces.qemu.env.len(), 1024));
    }
    counts
}

fn controllers(devices: &Devices) -> Result<()> {
    use virtbus_conf_domain::domain::devices::controller::ControllerType;

    for controller in &devices.controller {
        let (kind, index) = (controller.kind.kind(), controller.index());
        let highest = match kind {
            ControllerType::Pci => HIGHEST_PCI,
            _ => HIGHEST_CONTROLLER,
        };
        if index > highest {
            return Err(unsupported(format!(
                "<controller type='{kind}' index='{index}'> is beyond the highest index, {highest}"
            )));
        }
    }
    Ok(())
}

fn forwards(devices: &Devices) -> Result<()> {
    for interface in &devices.interface {
        let ranges = interface
            .options
            .port_forward
            .iter()
            .flat_map(|forward| &forward.range);
        let ports = ranges.filter_map(|range| {
            let start = range.start?;
            Some(u64::from(range.end.unwrap_or(start).saturating_sub(start)) + 1)
        });
        let count = ports.fold(0, u64::saturating_add);
        if count > MOST_FORWARDS {
            return Err(unsupported(format!(
                "an interface forwards {count} ports (<portForward>); at most {MOST_FORWARDS} are supported"
            )));
        }
    }
    Ok(())
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}
