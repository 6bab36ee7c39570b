//! The table of targets: every document type, how it is read, completed, validated and written.
//!
//! Reading is that of clients; what was written is read strictly, since nothing may be written that is not known.

use std::sync::LazyLock;

use virtbus_conf_base::common::Arch;
use virtbus_conf_base::cpu::Cpu;
use virtbus_conf_base::{Entropy, Flags};
use virtbus_conf_domain::backup::Backup;
use virtbus_conf_domain::checkpoint::Checkpoint;
use virtbus_conf_domain::domain::devices::Device;
use virtbus_conf_domain::domain::devices::disk::SnapshotMode;
use virtbus_conf_domain::domain::{
    AbiFlags, CompleteFlags, Domain, DriverFeatures, NoDefaults, Seams,
};
use virtbus_conf_domain::domain_status::{DomainStatus, StatusFolders};
use virtbus_conf_domain::moment::Purpose;
use virtbus_conf_domain::snapshot::{AlignOptions, Snapshot};
use virtbus_conf_host::capabilities::Capabilities;
use virtbus_conf_host::domain_capabilities::DomainCapabilities;
use virtbus_conf_host::interface::Interface;
use virtbus_conf_host::network::{Network, UpdateCommand, UpdateSection};
use virtbus_conf_host::network_port::NetworkPort;
use virtbus_conf_host::node_device::{self, NodeDevice, Parent};
use virtbus_conf_host::nwfilter::NwFilter;
use virtbus_conf_host::nwfilter_binding::NwFilterBinding;
use virtbus_conf_host::secret::Secret;
use virtbus_conf_storage::storage_pool::{PoolSource, PoolType, StoragePool};
use virtbus_conf_storage::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf_storage::storage_volume::{CapacityRule, StorageVolume};
use virtbus_vbox_settings::{Error, NewHardDisk, Settings};
use virtbus_xml::{Document, Fragment};

use self::Place::{Any, Children, Document as DocumentOf, Elements};
use crate::trip::{Outcome, Trip, as_read, difference, everything, nothing};

/// One document type with what is checked of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its folder of regressions.
    pub name: &'static str,
    /// Where its documents are found.
    pub place: Place,
    /// Checks one text.
    pub run: fn(&str) -> Outcome,
}

/// Where seeds of a target are found.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// Documents with this root.
    Document(&'static str),
    /// Documents with any root.
    Any,
    /// Elements with these names in documents with these roots.
    Elements(&'static [&'static str], &'static [&'static str]),
    /// Children of the element with this name in documents with this root.
    Children(&'static str, &'static str),
}

macro_rules! targets {
    ($($name:literal in $place:expr => $run:expr;)+) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: $name,
            place: $place,
            run: $run,
        }),+];
    };
}

targets! {
    "xml" in Any => |xml| XML.run(xml);
    "domain" in DocumentOf("domain") => |xml| DOMAIN.run(xml);
    "inactive-domain" in DocumentOf("domain") => |xml| INACTIVE_DOMAIN.run(xml);
    "device" in Children("domain", "devices") => |xml| DEVICE.run(xml);
    "cpu" in Elements(&["domain", "cpu", "capabilities"], &["cpu"]) => |xml| CPU.run(xml);
    "snapshot" in DocumentOf("domainsnapshot") => |xml| SNAPSHOT.run(xml).and(REDEFINED_SNAPSHOT.run(xml));
    "checkpoint" in DocumentOf("domaincheckpoint") => |xml| CHECKPOINT.run(xml).and(REDEFINED_CHECKPOINT.run(xml));
    "backup" in DocumentOf("domainbackup") => |xml| BACKUP.run(xml).and(STORED_BACKUP.run(xml));
    "capabilities" in DocumentOf("capabilities") => |xml| CAPABILITIES.run(xml);
    "domain-capabilities" in DocumentOf("domainCapabilities") => |xml| DOMAIN_CAPABILITIES.run(xml);
    "domain-status" in DocumentOf("domstatus") => |xml| DOMAIN_STATUS.run(xml);
    "network" in DocumentOf("network") => |xml| NETWORK.run(xml);
    "network-update" in Elements(&["network"], &["host", "range", "interface", "portgroup", "txt", "srv"]) => update_networks;
    "network-port" in DocumentOf("networkport") => |xml| NETWORK_PORT.run(xml);
    "interface" in DocumentOf("interface") => |xml| INTERFACE.run(xml);
    "node-device" in DocumentOf("device") => |xml| NODE_DEVICE.run(xml).and(NEW_NODE_DEVICE.run(xml));
    "nwfilter" in DocumentOf("filter") => |xml| NWFILTER.run(xml);
    "nwfilter-binding" in DocumentOf("filterbinding") => |xml| NWFILTER_BINDING.run(xml);
    "secret" in DocumentOf("secret") => |xml| SECRET.run(xml);
    "storage-pool" in DocumentOf("pool") => |xml| STORAGE_POOL.run(xml);
    "storage-pool-source" in Elements(&["pool"], &["source"]) => search_pools;
    "storage-pool-capabilities" in DocumentOf("storagepoolCapabilities") => |xml| STORAGE_POOL_CAPABILITIES.run(xml);
    "storage-volume" in DocumentOf("volume") => |xml| VOLUME.run(xml).and(PARTITION.run(xml));
    "vbox-settings" in DocumentOf("VirtualBox") => keep_settings;
}

const XML: Trip<Fragment> = Trip {
    read: |xml| {
        let document = Document::parse(xml).map_err(text)?;
        let unknown = document.leftovers(100);
        document.root().take_all();
        match document.leftovers(1).pop() {
            Some(unknown) => panic!("taken and left: {unknown:?}"),
            None if unknown.len() > 100 => panic!("more than were asked for"),
            None => Fragment::parse_document(xml).map_err(text),
        }
    },
    read_strictly: |xml| Fragment::parse_document(xml).map_err(text),
    finish: as_read,
    write: Fragment::to_text,
    forget: everything,
    also: nothing,
};

/// Everything there is, but for defaults that only some drivers have.
fn features() -> DriverFeatures {
    DriverFeatures::all() - DriverFeatures::NO_BOOT_ORDER - DriverFeatures::NO_STUB_CONSOLE
}

/// Counts instead of throwing dice.
struct Counting;

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (byte, n) in bytes.iter_mut().zip((0..=u8::MAX).cycle()) {
            *byte = n;
        }
    }
}

fn with_seams<T>(flags: CompleteFlags, work: impl FnOnce(&mut Seams<'_>) -> T) -> T {
    work(&mut Seams {
        driver: &mut NoDefaults(features()),
        entropy: &mut Counting,
        mac_prefix: [0x52, 0x54, 0],
        host_arch: Arch::X86_64,
        flags,
    })
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn finish_domain(domain: &mut Domain, flags: CompleteFlags) -> Result<(), String> {
    with_seams(flags, |seams| domain.complete(seams)).map_err(text)?;
    domain.validate(features()).map_err(text)
}

const DOMAIN: Trip<Domain> = Trip {
    read: |xml| Domain::parse(xml).map_err(text),
    read_strictly: |xml| Domain::parse_strict(xml).map_err(text),
    finish: |domain| finish_domain(domain, CompleteFlags::empty()),
    write: |domain| domain.format(Flags::SECURE | Flags::CLOCK_ADJUST),
    forget: everything,
    also: |domain| {
        for flags in [
            Flags::INACTIVE,
            Flags::MIGRATABLE | Flags::SECURE,
            Flags::STATUS,
        ] {
            let written = domain.format(flags);
            Domain::parse_strict(&written).map_err(|e| {
                format!("does not read what it wrote with {flags:?}: {e}\n{written}")
            })?;
        }
        same_guest(domain)
    },
};

const INACTIVE_DOMAIN: Trip<Domain> = Trip {
    finish: |domain| finish_domain(domain, CompleteFlags::INACTIVE),
    write: |domain| domain.format(Flags::SECURE | Flags::INACTIVE),
    also: same_guest,
    ..DOMAIN
};

fn same_guest(domain: &Domain) -> Result<(), String> {
    let same = domain.check_abi(domain, AbiFlags::empty());
    same.map_err(|e| format!("the guest differs from itself: {e}"))
}

/// A guest for what is about a guest.
fn guest() -> &'static Domain {
    static GUEST: LazyLock<Domain> = LazyLock::new(|| {
        // The product's own documents about snapshots and backups name this guest's disks.
        let xml = include_str!("../../../drivers/conf/domain/tests/data/moment/guest.xml");
        let mut guest = Domain::parse_strict(xml).expect("it is one of the product's own cases");
        finish_domain(&mut guest, CompleteFlags::empty()).expect("it is accepted");
        guest
    });
    &GUEST
}

const DEVICE: Trip<Device> = Trip {
    read: |xml| Device::parse(xml).map_err(text),
    read_strictly: |xml| Device::parse_strict(xml).map_err(text),
    finish: |device| {
        with_seams(CompleteFlags::empty(), |seams| {
            guest().complete_device(device.as_mut(), seams)
        })
        .map_err(text)?;
        guest().validate_device(device.as_ref()).map_err(text)
    },
    write: |device| device.format(Flags::SECURE),
    forget: everything,
    also: |device| {
        let same = device.as_ref().check_abi(device.as_ref());
        same.map_err(|e| format!("the device differs from itself: {e}"))
    },
};

const CPU: Trip<Cpu> = Trip {
    read: |xml| Cpu::parse(xml).map_err(text),
    read_strictly: |xml| Cpu::parse_strict(xml).map_err(text),
    finish: as_read,
    write: Cpu::format,
    forget: everything,
    also: nothing,
};

const NOW: i64 = 1_700_000_000;

fn finish_snapshot(snapshot: &mut Snapshot, purpose: Purpose) -> Result<(), String> {
    let complete = |seams: &mut Seams<'_>| snapshot.complete(purpose, NOW, seams);
    with_seams(CompleteFlags::empty(), complete).map_err(text)
}

const SNAPSHOT: Trip<Snapshot> = Trip {
    read: |xml| Snapshot::parse(xml).map_err(text),
    read_strictly: |xml| Snapshot::parse_strict(xml).map_err(text),
    finish: |snapshot| {
        finish_snapshot(snapshot, Purpose::Create)?;
        let options = AlignOptions {
            default: SnapshotMode::External,
            uniform_internal: false,
            force_default: false,
            is_regular_file: &|path| path.len() % 2 == 0,
        };
        snapshot.align_disks(Some(guest()), options).map_err(text)
    },
    write: |snapshot| snapshot.format(Flags::SECURE | Flags::STATUS),
    forget: everything,
    also: nothing,
};

const REDEFINED_SNAPSHOT: Trip<Snapshot> = Trip {
    finish: |snapshot| finish_snapshot(snapshot, Purpose::Redefine),
    ..SNAPSHOT
};

fn finish_checkpoint(checkpoint: &mut Checkpoint, purpose: Purpose) -> Result<(), String> {
    let complete = |seams: &mut Seams<'_>| checkpoint.complete(purpose, NOW, seams);
    with_seams(CompleteFlags::empty(), complete).map_err(text)
}

const CHECKPOINT: Trip<Checkpoint> = Trip {
    read: |xml| Checkpoint::parse(xml).map_err(text),
    read_strictly: |xml| Checkpoint::parse(xml).map_err(text),
    finish: |checkpoint| finish_checkpoint(checkpoint, Purpose::Create),
    write: |checkpoint| checkpoint.format(Flags::SECURE),
    forget: everything,
    also: nothing,
};

const REDEFINED_CHECKPOINT: Trip<Checkpoint> = Trip {
    finish: |checkpoint| finish_checkpoint(checkpoint, Purpose::Redefine),
    ..CHECKPOINT
};

const BACKUP: Trip<Backup> = Trip {
    read: |xml| Backup::parse(xml).map_err(text),
    read_strictly: |xml| Backup::parse(xml).map_err(text),
    finish: |backup| backup.align_disks(guest(), "copy").map_err(text),
    write: |backup| backup.format(Flags::SECURE),
    forget: everything,
    also: nothing,
};

const STORED_BACKUP: Trip<Backup> = Trip {
    read: |xml| Backup::parse_status(xml).map_err(text),
    read_strictly: |xml| Backup::parse_status(xml).map_err(text),
    finish: as_read,
    write: |backup| backup.format(Flags::SECURE | Flags::STATUS),
    forget: everything,
    also: nothing,
};

const DOMAIN_STATUS: Trip<DomainStatus> = Trip {
    read: |xml| DomainStatus::parse(xml).map_err(text),
    read_strictly: |xml| DomainStatus::parse_strict(xml).map_err(text),
    finish: |status| {
        status.complete(StatusFolders {
            lib: "/lib",
            channel_target: "/channel",
            memory_backing: "/ram",
        });
        finish_domain(&mut status.domain, CompleteFlags::empty())
    },
    write: DomainStatus::format,
    forget: everything,
    also: nothing,
};

const CAPABILITIES: Trip<Capabilities> = Trip {
    read: |xml| Capabilities::parse(xml).map_err(text),
    read_strictly: |xml| Capabilities::parse_strict(xml).map_err(text),
    finish: as_read,
    write: Capabilities::format,
    forget: everything,
    also: nothing,
};

const DOMAIN_CAPABILITIES: Trip<DomainCapabilities> = Trip {
    read: |xml| DomainCapabilities::parse(xml).map_err(text),
    read_strictly: |xml| DomainCapabilities::parse_strict(xml).map_err(text),
    finish: as_read,
    write: DomainCapabilities::format,
    forget: everything,
    also: nothing,
};

const NETWORK: Trip<Network> = Trip {
    read: |xml| Network::parse(xml).map_err(text),
    read_strictly: |xml| Network::parse_strict(xml).map_err(text),
    finish: |network| {
        network.complete(&mut Counting);
        network.validate().map_err(text)
    },
    write: |network| network.format(Flags::empty()),
    forget: everything,
    also: |network| {
        let written = network.format(Flags::INACTIVE);
        let read = Network::parse_strict(&written);
        read.map(drop)
            .map_err(|e| format!("does not read what it wrote as inactive: {e}\n{written}"))
    },
};

/// What updates are tried on.
const UPDATED: &str = "<network><name>n</name><forward mode='nat' dev='eth0'/>\
    <dns><txt name='a' value='b'/><host ip='10.0.0.2'><hostname>h</hostname></host>\
    <srv service='s' protocol='tcp'/></dns><ip address='10.0.0.1' prefix='24'><dhcp>\
    <range start='10.0.0.100' end='10.0.0.200'/><host mac='52:54:00:00:00:01' name='a' ip='10.0.0.9'/>\
    </dhcp></ip><ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp>\
    <range start='2001:db8::100' end='2001:db8::1ff'/></dhcp></ip><portgroup name='p' default='yes'/></network>";

/// Tries the element in every section with every command: a network that takes it holds, another stays as it was.
fn update_networks(xml: &str) -> Outcome {
    let mut network = Network::parse_strict(UPDATED).expect("it is a network");
    network.complete(&mut Counting);
    let mut outcome = Outcome::Refused(String::new());
    for section in UpdateSection::ALL {
        for command in UpdateCommand::ALL {
            for parent in [-1, 1] {
                let mut changed = network.clone();
                let step = match changed.update(command, section, parent, xml) {
                    Ok(()) => NETWORK.run(&changed.format(Flags::empty())).must_hold(),
                    Err(_) if changed != network => Outcome::Broken(format!(
                        "a refused '{command}' of '{section}' changed the network"
                    )),
                    Err(error) => Outcome::refused(error.to_string()),
                };
                outcome = outcome.and(step);
            }
        }
    }
    outcome
}

const NETWORK_PORT: Trip<NetworkPort> = Trip {
    read: |xml| NetworkPort::parse(xml).map_err(text),
    read_strictly: |xml| NetworkPort::parse_strict(xml).map_err(text),
    finish: |port| {
        port.complete(&mut Counting);
        Ok(())
    },
    write: |port| port.format(Flags::empty()),
    forget: everything,
    also: nothing,
};

const INTERFACE: Trip<Interface> = Trip {
    read: |xml| Interface::parse(xml).map_err(text),
    read_strictly: |xml| Interface::parse_strict(xml).map_err(text),
    finish: |interface| {
        interface.complete();
        interface.validate().map_err(text)
    },
    write: |interface| interface.format(Flags::empty()),
    forget: everything,
    also: nothing,
};

const NODE_DEVICE: Trip<NodeDevice> = Trip {
    read: |xml| NodeDevice::parse(xml).map_err(text),
    read_strictly: |xml| NodeDevice::parse_strict(xml).map_err(text),
    finish: |device| {
        device
            .validate(node_device::Purpose::Existing)
            .map_err(text)
    },
    write: |device| device.format(Flags::empty()),
    // A parent is written by its name.
    forget: |device| {
        let name = device.parent.take().and_then(|parent| parent.name);
        device.parent = name.map(|name| Parent {
            name: Some(name),
            ..Parent::default()
        });
    },
    also: nothing,
};

const NEW_NODE_DEVICE: Trip<NodeDevice> = Trip {
    finish: |device| {
        device.complete(&mut Counting, 0x00_1b32);
        device.validate(node_device::Purpose::New).map_err(text)
    },
    ..NODE_DEVICE
};

const NWFILTER: Trip<NwFilter> = Trip {
    read: |xml| NwFilter::parse(xml).map_err(text),
    // The schema has one element in a rule; what is negated beside what is not is written as a second one.
    read_strictly: |xml| NwFilter::parse(xml).map_err(text),
    finish: |filter| {
        filter.complete(&mut Counting);
        Ok(())
    },
    write: |filter| filter.format(Flags::empty()),
    forget: everything,
    also: nothing,
};

const NWFILTER_BINDING: Trip<NwFilterBinding> = Trip {
    read: |xml| NwFilterBinding::parse(xml).map_err(text),
    read_strictly: |xml| NwFilterBinding::parse_strict(xml).map_err(text),
    finish: as_read,
    write: |binding| binding.format(Flags::empty()),
    forget: everything,
    also: nothing,
};

const SECRET: Trip<Secret> = Trip {
    read: |xml| Secret::parse(xml).map_err(text),
    read_strictly: |xml| Secret::parse_strict(xml).map_err(text),
    finish: |secret| {
        secret.complete(&mut Counting);
        Ok(())
    },
    write: |secret| secret.format(Flags::SECURE),
    forget: everything,
    also: nothing,
};

const STORAGE_POOL: Trip<StoragePool> = Trip {
    read: |xml| StoragePool::parse(xml).map_err(text),
    read_strictly: |xml| StoragePool::parse_strict(xml).map_err(text),
    finish: |pool| {
        pool.complete(&mut Counting);
        pool.validate().map_err(text)
    },
    write: |pool| pool.format(Flags::empty()),
    forget: everything,
    also: nothing,
};

/// Reads the source as one to be searched in, for every type of pool; what is found is written and read again.
fn search_pools(xml: &str) -> Outcome {
    let mut outcome = Outcome::Refused(String::new());
    for kind in PoolType::ALL {
        let step = match PoolSource::parse_search(xml, kind) {
            Ok(source) => match found_again(&source, kind) {
                Ok(()) => Outcome::Held,
                Err(broken) => Outcome::Broken(format!("'{kind}': {broken}")),
            },
            Err(refusal) => Outcome::refused(refusal.to_string()),
        };
        outcome = outcome.and(step);
    }
    outcome
}

fn found_again(source: &PoolSource, kind: PoolType) -> Result<(), String> {
    let written = PoolSource::format_found(std::slice::from_ref(source), kind);
    let document = Fragment::parse_document(&written).map_err(text)?;
    let Some(element) = document.elements().next() else {
        return Err("writes no source".to_owned());
    };
    let again = PoolSource::parse_search(&element.to_text(), kind)
        .map_err(|e| format!("does not read what it wrote: {e}\n{written}"))?;
    if again == *source {
        return Ok(());
    }
    let change = difference(&format!("{source:#?}"), &format!("{again:#?}"));
    Err(format!("reads something else: {change}\n{written}"))
}

const STORAGE_POOL_CAPABILITIES: Trip<StoragePoolCapabilities> = Trip {
    read: |xml| StoragePoolCapabilities::parse(xml).map_err(text),
    read_strictly: |xml| StoragePoolCapabilities::parse_strict(xml).map_err(text),
    finish: as_read,
    write: |capabilities| capabilities.format(Flags::empty()),
    forget: everything,
    also: nothing,
};

fn finish_volume(
    volume: &mut StorageVolume,
    pool: PoolType,
    rule: CapacityRule,
) -> Result<(), String> {
    volume.complete(pool);
    volume.validate(pool, rule).map_err(text)
}

const VOLUME: Trip<StorageVolume> = Trip {
    read: |xml| StorageVolume::parse(xml).map_err(text),
    read_strictly: |xml| StorageVolume::parse_strict(xml).map_err(text),
    finish: |volume| finish_volume(volume, PoolType::Dir, CapacityRule::OptionalWithBacking),
    write: |volume| volume.format(Flags::SECURE),
    // How to create the file is not written, and a size that is left to the image below is written as 0.
    forget: |volume| {
        volume.target.nocow = false;
        volume.allocation = Some(volume.allocation());
        volume.capacity = Some(volume.capacity());
    },
    also: nothing,
};

const PARTITION: Trip<StorageVolume> = Trip {
    finish: |volume| finish_volume(volume, PoolType::Disk, CapacityRule::Required),
    ..VOLUME
};

const SETTINGS: Trip<Settings> = Trip {
    read: |xml| Settings::parse(xml.as_bytes()).map_err(text),
    read_strictly: |xml| Settings::parse(xml.as_bytes()).map_err(text),
    finish: as_read,
    write: |settings| String::from_utf8_lossy(&settings.format()).into_owned(),
    forget: everything,
    also: change_settings,
};

/// What is read is written as it was, byte for byte.
fn keep_settings(xml: &str) -> Outcome {
    match Settings::parse(xml.as_bytes()) {
        Ok(settings) if settings.format() != xml.as_bytes() => {
            Outcome::Broken("is not written as it was".to_owned())
        }
        Ok(_) | Err(_) => SETTINGS.run(xml),
    }
}

/// Adds a hard disk and a snapshot below the last ones, and removes them.
fn change_settings(settings: &Settings) -> Result<(), String> {
    let mut changed = settings.clone();
    let uuid = settings.uuid();
    let disk = NewHardDisk {
        uuid,
        location: "new.vdi".to_owned(),
        format: "VDI".to_owned(),
        kind: None,
    };
    let parent = settings.hard_disks().last().map(|disk| disk.uuid);
    match changed.add_hard_disk(&disk, parent) {
        Ok(()) => changed.remove_hard_disk(uuid).map_err(text)?,
        Err(Error::HardDiskExists(_) | Error::Unreadable { .. }) => {}
        Err(error) => return Err(format!("no hard disk can be added: {error}")),
    }
    let new = settings.new_snapshot(uuid, "new", "2024-05-06T07:08:09Z");
    let parent = settings.snapshots().last().map(|snapshot| snapshot.uuid);
    match changed.add_snapshot(new, parent) {
        Ok(()) => changed.remove_snapshot(uuid).map_err(text)?,
        Err(Error::SnapshotExists(_) | Error::Unreadable { .. }) => {}
        Err(error) => return Err(format!("no snapshot can be added: {error}")),
    }
    let counted =
        |settings: &Settings| (settings.hard_disks().count(), settings.snapshots().count());
    if counted(&changed) == counted(settings) {
        return Ok(());
    }
    Err("what was added and removed is not gone".to_owned())
}
